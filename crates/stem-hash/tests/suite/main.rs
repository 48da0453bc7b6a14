//! The crate's tests through its public interface, as one program.
// Tells clippy that helpers are test code too.
#![cfg(test)]

mod changing_files;
mod common;
mod files;
mod hasher;
mod ids;
