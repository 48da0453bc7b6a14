//! Conformance suite, fault injection and corpora for stemvault tests.
//!
//! A dev-dependency only. [`conformance`] tests any store against its contract, [`FaultyStore`] fails on demand,
//! [`SlowStore`] takes its
//! time and counts requests, [`FaultPlan`] does the same to the file system below, [`mod@crash`] models what a disk holds when the process or the
//! machine dies, [`corpus`] makes sessions of stems.
//!
//! The doubles are stricter than what they stand for: a faulty store reads from a source before it fails, its readers
//! give few bytes at a time, a killed process cleans nothing up.

pub mod conformance;
#[cfg(unix)]
pub mod crash;
mod fault_plan;
mod faulty;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod mount;
#[cfg(feature = "s3")]
pub mod s3;
mod slow;
pub mod source;

pub use fault_plan::{FaultPlan, Made};
pub use faulty::{Fault, FaultyStore};
pub use slow::{Requests, SlowStore};
pub use stem_corpus as corpus;
