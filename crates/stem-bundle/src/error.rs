//! What can be wrong with a bundle, and what can hinder the writing of one.

use std::io;

use thiserror::Error;

/// The result of reading a part of a bundle.
pub type Result<T> = std::result::Result<T, Error>;

/// Why bytes are not a bundle that can be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// It begins with something else.
    #[error("it is no bundle: a file of `stem stash export` begins with STEMBNDL")]
    NotABundle,
    /// It was made by a later program.
    #[error("its {what} is {found}, which this program does not know: use a newer one")]
    Newer {
        /// What of it.
        what: &'static str,
        /// The number found.
        found: u64,
    },
    /// It ends early.
    #[error("it is cut short: it ends after {offset} bytes, within its {within}. Transfer it again")]
    Truncated {
        /// How many bytes there are.
        offset: u64,
        /// What was being read.
        within: &'static str,
    },
    /// It goes on after its end.
    #[error(
        "something follows its end at byte {offset}: it is not the file that was exported. Transfer it again"
    )]
    Trailing {
        /// Where the bundle ends.
        offset: u64,
    },
    /// Some of its bytes are not those that were written.
    #[error("it is damaged at byte {offset}, in its {within}: {problem}. Transfer it again")]
    Damaged {
        /// Where the damaged structure begins.
        offset: u64,
        /// What it is.
        within: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It claims more than a bundle may hold.
    #[error("it says {value} for its {what}; the limit is {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// What it claims.
        value: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// It cannot be read.
    #[error("it cannot be read at byte {offset}")]
    Io {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn damaged(offset: u64, within: &'static str, problem: impl Into<String>) -> Self {
        Self::Damaged { offset, within, problem: problem.into() }
    }
}

/// Why the objects of a bundle were not all read: the bundle, or whoever takes them.
#[derive(Debug, Error)]
pub enum ReadError<E> {
    /// The bundle.
    #[error(transparent)]
    Bundle(#[from] Error),
    /// Whoever takes the objects.
    #[error("{0}")]
    Taker(E),
}

/// Why a bundle was not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Its parts cannot be a bundle.
    #[error("this cannot be a bundle: {0}")]
    Unfit(String),
    /// The bytes of an object could not be read.
    #[error("an object cannot be read")]
    Source(#[source] io::Error),
    /// The bundle cannot be written.
    #[error("it cannot be written")]
    Target(#[source] io::Error),
}
