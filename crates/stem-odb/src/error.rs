//! What can go wrong before a store is open.

use std::path::PathBuf;

use thiserror::Error;

use crate::secret::hide_passwords;

/// The result of opening a store or reading a configuration.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a store or a configuration cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a store URL.
    #[error("'{}' names no store: {}", hide_passwords(url), hide_passwords(problem))]
    InvalidUrl {
        /// What was given, shortened.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The repository's configuration is wrong.
    #[error("'{}' cannot be used: {problem}", path.display())]
    InvalidConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        problem: String,
    },
    /// The store exists but cannot be opened.
    #[error(transparent)]
    Store(#[from] stem_store::Error),
    /// The file system failed.
    #[error(transparent)]
    Fs(#[from] stem_fs::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_in_the_wrong_place_does_not_tell_its_password() {
        let url = "postgresql://muse:hunter2@h/db".to_owned();
        let error = Error::InvalidUrl { problem: format!("{url} is nothing"), url };
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
