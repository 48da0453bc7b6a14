//! One connection and the three questions that are asked through it.
//!
//! Everything is read as text, whatever type a column has there: ids are checked and manifests parsed by the readers that
//! files go through too. A session sees one state of the database from its first question to its last.

use std::time::Duration;

use stem_stash::format::commit::{CommitId, SnapshotId};
use stem_stash::{DatabaseError, DatabaseErrorKind, Error, Progress};

/// Rows of commits that are fetched at a time.
#[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), expect(dead_code, reason = "nobody connects"))]
pub(crate) const PAGE: usize = 500;
/// Longest manifest that is read, in bytes.
pub(crate) const MAX_MANIFEST: usize = stem_stash::format::commit::MAX_SNAPSHOT_BYTES;

/// A row of `muse_commits`, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommitRow {
    pub(crate) commit: String,
    pub(crate) repo: Option<String>,
    pub(crate) parents: [Option<String>; 2],
    pub(crate) snapshot: Option<String>,
}

/// An open connection, in a transaction that only reads.
pub(crate) trait Session {
    /// The rows with this id; more than one is a view that lies.
    fn commit(&mut self, id: &CommitId) -> Result<Vec<CommitRow>, Failed>;

    /// At most [`PAGE`] rows of a repository with ids behind this one, sorted in the database's own order.
    fn page(&mut self, repo: &str, after: &str) -> Result<Vec<CommitRow>, Failed>;

    /// The manifests of the rows with this id.
    fn manifest(&mut self, id: &SnapshotId) -> Result<Vec<Text>, Failed>;
}

/// A value that should be text.
#[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), expect(dead_code, reason = "nobody connects"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// It is.
    Is(Vec<u8>),
    /// It has so many bytes, more than are read.
    TooLong(u64),
    /// It is NULL, or of this other type.
    IsNot(String),
}

/// Why a question was not answered.
#[derive(Debug)]
pub(crate) enum Failed {
    /// For people; the database is named by the caller.
    Because(DatabaseErrorKind, String),
    /// The user wants to stop.
    Interrupted,
}

impl Failed {
    pub(crate) fn unavailable(what: impl Into<String>) -> Self {
        Self::Because(DatabaseErrorKind::Unavailable, what.into())
    }

    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "nobody connects")
    )]
    pub(crate) fn not_muse(what: impl Into<String>) -> Self {
        Self::Because(DatabaseErrorKind::NotMuse, what.into())
    }

    pub(crate) fn about(self, place: &str) -> Error {
        match self {
            Self::Because(kind, what) => {
                DatabaseError::new(kind, Some(place.to_owned()), format!("the database {place} {what}"))
                    .into()
            }
            Self::Interrupted => Error::Interrupted("nothing was changed"),
        }
    }
}

/// How long an answer may take, and who may not want it any more.
#[derive(Clone, Copy)]
#[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), expect(dead_code, reason = "nobody connects"))]
pub(crate) struct Patience<'a> {
    pub(crate) timeout: Duration,
    pub(crate) progress: &'a dyn Progress,
}

/// A library's or a server's words, on one line, without signs that steer a terminal, and not endless.
#[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), expect(dead_code, reason = "nobody connects"))]
pub(crate) fn plain(words: &str) -> String {
    const LONGEST: usize = 400;
    let words = words.trim();
    let mut shown: String =
        words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if words.chars().count() > LONGEST {
        shown.push('…');
    }
    shown
}
