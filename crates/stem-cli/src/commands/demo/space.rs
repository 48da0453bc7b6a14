//! Whether the disk has room for a demo.

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::human;

/// The demo's session, its store, and the versions that a working day leaves, in halves of the session's size.
const HALVES: u64 = 7;

/// Refuses a session that the disk below `dir` has no room for.
pub(super) fn check(dir: &Path, size: u64) -> Result<()> {
    let needed = size.saturating_mul(HALVES) / 2;
    match stemvault::available_space(dir) {
        Some(free) if free < needed => {
            let message = format!(
                "the demo needs about {} in '{}', which has {} free: give a smaller --size, or set TMPDIR to a directory with more room",
                human::size(needed),
                human::path(dir),
                human::size(free)
            );
            Err(Failure::user("no_space", message).at(dir))
        }
        // Where the system does not say, the demo is tried.
        _ => Ok(()),
    }
}
