//! The binary as people and programs meet it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod behaviour;
mod completions;
mod inspect;
mod maintenance;
mod manners;
mod page;
#[cfg(unix)]
mod pager;
mod sandbox;
mod transcripts;
