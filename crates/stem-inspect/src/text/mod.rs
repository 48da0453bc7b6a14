//! Text, line by line, and JSON, key by key.
//!
//! Everything is bounded: the lines or values of a file, how deep they are nested, the work of comparing (`sequence`), and
//! the lists that are made. The length of a file is bounded by whoever reads it ([`Limits::whole`]).

mod facts;
mod json;
mod keys;
mod lines;

use std::io;

pub use facts::{
    Change, JsonDifference, JsonFacts, JsonKind, LineEnds, LineSpan, TextDifference, TextFacts, ValueChange,
};

use crate::limits::Limits;

/// Entries of any list; what is left out is counted.
pub const MAX_LISTED: usize = 1000;

/// What a text is like; `None` where it is none: it is not UTF-8, has a zero byte, or more than a million lines.
///
/// # Errors
///
/// The question was cancelled.
pub fn describe_text(bytes: &[u8], limits: &Limits) -> io::Result<Option<TextFacts>> {
    limits.check()?;
    Ok(lines::describe(bytes))
}

/// How two texts differ; `None` where one is none.
///
/// # Errors
///
/// The question was cancelled.
pub fn text_difference(before: &[u8], after: &[u8], limits: &Limits) -> io::Result<Option<TextDifference>> {
    limits.check()?;
    Ok(lines::difference(before, after))
}

/// What a JSON document is like; `None` where it is none, or one that is better compared as text: with a key twice in an
/// object, nested deeper than 128, or with more than half a million values.
///
/// # Errors
///
/// The question was cancelled.
pub fn describe_json(bytes: &[u8], limits: &Limits) -> io::Result<Option<JsonFacts>> {
    limits.check()?;
    Ok(keys::describe(bytes))
}

/// How two JSON documents differ; `None` as above.
///
/// # Errors
///
/// The question was cancelled.
pub fn json_difference(before: &[u8], after: &[u8], limits: &Limits) -> io::Result<Option<JsonDifference>> {
    limits.check()?;
    Ok(keys::difference(before, after))
}
