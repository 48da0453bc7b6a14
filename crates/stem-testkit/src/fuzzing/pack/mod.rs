//! Packs: their structures, their indices, whole files, and a store that holds one.

mod dir;
mod index;
mod scan;
mod seal;
mod structures;

pub use dir::check_pack_store;
pub use index::check_pack_index;
pub use scan::check_pack_scan;
pub use structures::check_pack_structures;

use super::check_shown;

/// An error about bytes is for people: short, and without characters that steer a terminal.
fn check_error(error: &dyn std::fmt::Display) {
    check_shown(error);
    assert!(error.to_string().len() < 400, "the error has {} bytes", error.to_string().len());
}
