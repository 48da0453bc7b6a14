//! Why a comparison could not be made. What goes wrong with one strategy is part of the comparison, and no error.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The result of a comparison.
pub type Result<T> = std::result::Result<T, Error>;

/// What can be done about an [`enum@Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Ask for something else.
    User,
    /// Make room.
    NoSpace,
    /// Nothing: it was asked for.
    Interrupted,
    /// Look at what the system says.
    Internal,
}

/// Why there is no comparison.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The scratch directory's file system has no room for the work.
    #[error(
        "the comparison needs about {} in '{}', which has {} free: give a smaller --sample, or a directory with more room by --scratch",
        size(*needed), show(path), size(*free)
    )]
    NoRoom {
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// The scratch directory.
        path: PathBuf,
    },
    /// The scratch directory's file system ran full.
    #[error(
        "the disk of the scratch directory '{}' ran full while {doing}: make room, give a smaller --sample, or another directory by --scratch",
        show(path)
    )]
    Full {
        /// What was done.
        doing: String,
        /// The scratch directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {what} '{}'", show(path))]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system refused.
    #[error(transparent)]
    Fs(#[from] stem_fs::Error),
    /// A store failed, and with it all that was to be measured.
    #[error(transparent)]
    Store(#[from] stem_store::Error),
    /// A process that measures could not be started, or ended without an answer.
    #[error("{0}")]
    Worker(String),
    /// It was asked to stop.
    #[error("the comparison was stopped")]
    Interrupted,
}

impl Error {
    /// What can be done about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::User,
            Self::NoRoom { .. } | Self::Full { .. } => ErrorKind::NoSpace,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Io { .. } | Self::Fs(_) | Self::Store(_) | Self::Worker(_) => ErrorKind::Internal,
        }
    }

    /// The path concerned.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NoRoom { path, .. } | Self::Full { path, .. } | Self::Io { path, .. } => Some(path),
            Self::Fs(error) => Some(&error.path),
            _ => None,
        }
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_path_buf(), source }
    }

    /// Whether the disk is full, and not only this write of it.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_full(source),
            Self::Fs(error) => is_full(&error.source),
            Self::Store(error) => error.kind() == stem_store::ErrorKind::NoSpace,
            Self::Full { .. } => true,
            _ => false,
        }
    }

    /// The same, named after what matters when the disk is full.
    pub(crate) fn in_scratch(self, doing: &str, scratch: &Path) -> Self {
        if self.is_full() {
            Self::Full { doing: doing.to_owned(), path: scratch.to_path_buf() }
        } else {
            self
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// A path, safe for a terminal.
pub(crate) fn show(path: &Path) -> String {
    stem_fs::show_bytes(path.as_os_str().as_encoded_bytes())
}

/// Bytes as people read them: `512 B`, `1.5 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let tenths = |unit: usize| (u128::from(bytes) * 10 + (512 << (10 * unit))) >> (10 * (unit + 1));
    let unit = (0..UNITS.len() - 1).find(|&unit| tenths(unit) < 10_240).unwrap_or(UNITS.len() - 1);
    let name = UNITS.get(unit).copied().unwrap_or("EiB");
    format!("{}.{} {name}", tenths(unit) / 10, tenths(unit) % 10)
}
