//! Compares storage strategies on people's own files.
//!
//! [`run()`] takes a sample of some directories, copies it into a scratch directory, and lets each [`Strategy`] store it,
//! give it back, and tidy up, several times over in turns. [`predict()`] says what a strategy would take for everything
//! without storing it. Both return a [`model::Comparison`], which is kept as it was measured and judged where it is
//! shown.
//!
//! Every operation runs in a process of its own ([`Worker::Child`]). In one process for all, memory that an operation freed
//! would stay with the allocator and hide what the next one needs, and what a store keeps in memory (chunks, indices)
//! would make reads of a store that was just written look faster than they are for whoever opens it. The price is a
//! protocol of one line each way (`job`) and the start of a process, which is not on the clock.
//!
//! Rejected: measuring the commands of the program from outside, as `benches/compare` does. It shows what users feel, but
//! cannot tell a read from the start of a program, nor see single reads.

mod copies;
mod error;
mod job;
mod machine;
mod material;
mod measure;
pub mod model;
mod operate;
mod predict;
mod progress;
mod random;
pub mod report;
mod resume;
mod run;
mod scratch;
mod store;
mod strategy;
mod usage;
mod worker;

pub use error::{Error, ErrorKind, Result};
pub use predict::predict;
pub use progress::{Progress, Silent};
pub use resume::state_file;
pub use run::{Options, outside, run};
pub use strategy::{Strategy, Way, default_strategies, from_url, select, strategies};
pub use worker::{WORKER_ARGUMENT, Worker, work};
