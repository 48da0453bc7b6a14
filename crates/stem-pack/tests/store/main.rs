//! The store: its contract, damage, crashes, and what packs are for.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;
mod conformance;
mod crash;
mod damage;
mod golden;
mod memory;
mod packing;
mod sound;
