//! Short forms of what can be wrong with an index.

use crate::format::{FormatError, Structure};
use crate::source::ReadError;

/// The result of reading or writing an index.
pub(super) type Result<T> = std::result::Result<T, ReadError>;

pub(super) fn contradiction(what: &'static str) -> ReadError {
    FormatError::contradiction(Structure::Index, what).into()
}

pub(super) fn check() -> ReadError {
    FormatError::Check { structure: Structure::Index }.into()
}
