//! What a comparison tells while it runs, and is told.

use std::path::Path;

/// Follows a comparison. Called from any thread.
pub trait Progress: Sync {
    /// A stage begins, measured in bytes; 0 when nobody knows how many.
    fn begin(&self, stage: &str, bytes: u64) {
        let _ = (stage, bytes);
    }

    /// Within the stage, this is what happens now.
    fn doing(&self, what: &str) {
        let _ = what;
    }

    /// So many more bytes of the stage are done.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Whether to stop. What was measured until then is kept.
    fn cancelled(&self) -> bool {
        false
    }

    /// A strategy has stored everything in this directory, which is looked at and removed afterwards.
    fn stored(&self, strategy: &str, place: &Path) {
        let _ = (strategy, place);
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
