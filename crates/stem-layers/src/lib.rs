//! Stores that wrap stores.
//!
//! Each layer is itself an [`ObjectStore`](stem_store::ObjectStore), and a [`Maintain`](stem_store::Maintain) where what
//! it wraps is one, so that they stack: [`Overlay`] reads two stores as one, [`Verifying`] makes every range trustworthy,
//! [`ReadOnly`] refuses changes, [`Metrics`] counts, [`Retry`] asks again where asking again is harmless, [`Tiered`] puts a
//! cache in front of a slower store, [`Mirror`] keeps the same objects in several.
//!
//! A layer forwards *every* method, the defaulted ones too, which a lint holds: a default that is not forwarded still
//! works, but silently loses the speed (and the renames) of what is wrapped. One wrapper with switches for everything
//! was rejected: the order of layers carries meaning (metrics above or below retry), and a stack says it.

mod metrics;
mod mirror;
mod overlay;
mod read_only;
mod retry;
mod target;
mod tiered;
mod union;
mod verifying;

pub use metrics::{BUCKETS, Measured, Metrics, Snapshot};
pub use mirror::Mirror;
pub use overlay::Overlay;
pub use read_only::ReadOnly;
pub use retry::{Retry, RetryPolicy};
pub use tiered::{Candidate, Connect, TierOptions, Tiered, Waiting, Writing, candidates};
pub use verifying::Verifying;
