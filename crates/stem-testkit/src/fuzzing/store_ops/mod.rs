//! Stores under a program of operations, faults and damage, against a map.
//!
//! The bytes of an input are the program. Beside the store a [`Model`](model::Model) knows of every object what may be
//! seen: it is the contract of `stem_store::ObjectStore`, said once more in a hundred lines. One thread, so that the
//! faults strike where the program says.

mod blobs;
mod ground;
mod model;
mod program;
mod reads;
mod wear;

use super::feed::{Feed, pick};
use ground::{Backend, Ground};
use program::Program;
use stem_hash::Algorithm;

/// No program is longer.
const STEPS: usize = 60;

const BACKENDS: [Backend; 4] = [Backend::Sharded, Backend::Pack, Backend::Overlay, Backend::Memory];

/// Puts, reads, removals, syncs, compactions, crashes, faults and damage, over every backend.
///
/// # Panics
///
/// When a store breaks its contract.
pub fn check_store_ops(data: &[u8]) {
    let mut feed = Feed::new(data);
    let choice = feed.byte();
    let algorithm = pick(Algorithm::ALL, choice >> 4);
    let mut program = Program::new(Ground::new(pick(BACKENDS, choice), algorithm));
    let mut steps = 0;
    while !feed.is_empty() && steps < STEPS {
        program.step(&mut feed);
        steps += 1;
    }
    program.finish();
}
