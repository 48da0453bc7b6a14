//! The formats of packs and indices, through their public face: no store is involved.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod golden;
mod index;
mod scan;
mod support;
