//! How much work and memory an answer may take.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bounds for whatever is inspected, and a way to stop it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a file that is read whole (MIDI, JSON, text, projects); larger ones are only compared as bytes.
    pub whole: u64,
    /// Bytes that compressed content may become; what is larger is only compared as bytes.
    pub inflated: u64,
    /// Frames that are decoded for one question, of all files together and counting those that are decoded again.
    pub decoded: u64,
    /// Whoever asked sets this to have the question end with an error ([`Limits::was_cancelled`]).
    pub cancelled: Option<Arc<AtomicBool>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { whole: 8 << 20, inflated: 24 << 20, decoded: 1 << 31, cancelled: None }
    }
}

#[derive(Debug)]
struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the inspection was cancelled")
    }
}

impl std::error::Error for Cancelled {}

impl Limits {
    /// To be called now and then by whatever takes time.
    ///
    /// # Errors
    ///
    /// The question was cancelled.
    pub fn check(&self) -> io::Result<()> {
        match &self.cancelled {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(io::Error::other(Cancelled)),
            _ => Ok(()),
        }
    }

    /// Whether an error says that the question was cancelled.
    pub fn was_cancelled(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Cancelled>)
    }
}
