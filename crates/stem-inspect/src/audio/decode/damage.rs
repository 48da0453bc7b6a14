//! What is wrong with the content of a file, as opposed to the medium that it is read from.

use std::error::Error;
use std::io;

#[derive(Debug)]
struct Damage(String);

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Damage {}

/// An error that says so.
pub(super) fn damage(words: impl Into<String>) -> io::Error {
    io::Error::other(Damage(words.into()))
}

/// What is wrong with the content, where an error says that, and not that the medium failed.
pub fn damage_in(error: &io::Error) -> Option<String> {
    error.get_ref()?.downcast_ref::<Damage>().map(|damage| damage.0.clone())
}
