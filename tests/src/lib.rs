//! What the tests across the crates share; the tests themselves are in `tests/`.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on panics")]

pub mod binary;
#[cfg(unix)]
pub mod bucket;
pub mod child;
pub mod database;
pub mod golden;
pub mod holdings;
pub mod hook;
pub mod hostile;
pub mod model;
pub mod repo;
pub mod strategies;
pub mod tree;
