//! The crate's tests through its public interface, as one program.
// Tells clippy that helpers are test code too.
#![cfg(test)]

mod boundaries;
mod codecs;
mod common;
mod containers;
mod damage;
mod floats;
mod golden;
mod planes;
mod structures;
