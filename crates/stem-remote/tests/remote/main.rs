//! Remote stores: their contract, faults of the network and the service, what they cost in requests, what they never tell.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod bucket;
mod collect;
mod collect_model;
mod conformance;
mod faults;
mod removal;
mod requests;
mod secrets;
