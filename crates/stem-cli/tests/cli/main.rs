//! The binary as people and programs meet it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod behaviour;
mod maintenance;
mod sandbox;
mod transcripts;
