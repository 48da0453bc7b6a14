//! One error shape: which operation, on which path, and what the system said.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of a file-system operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed file-system operation.
#[derive(Debug)]
pub struct Error {
    /// What was tried, as a verb phrase: `open`, `rename`, `sync the directory`.
    pub operation: &'static str,
    /// The path it was tried on.
    pub path: PathBuf,
    /// What the system answered.
    pub source: io::Error,
}

impl Error {
    /// An error of `operation` on `path`.
    pub fn new(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { operation, path: path.into(), source }
    }

    /// The kind of the underlying error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether the file system or a quota is full.
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = crate::path::show_bytes(&crate::platform::path_bytes(&self.path));
        write!(f, "cannot {} '{}': {}", self.operation, path, self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Attaches operation and path to an [`io::Error`].
pub(crate) trait Context<T> {
    fn context(self, operation: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, operation: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::new(operation, path, source))
    }
}
