//! What can go wrong with a database that records commits.
//!
//! No database is known here; the type is, so that verbs and programs can decide by it. Whoever makes one answers for its
//! text: it holds no password, and nothing that steers a terminal.

use thiserror::Error;

use crate::error::ErrorKind;

/// A database that records commits could not be used, or what it says cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}. Nothing was changed")]
pub struct DatabaseError {
    kind: DatabaseErrorKind,
    place: Option<String>,
    message: String,
}

/// What a caller decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatabaseErrorKind {
    /// The URL cannot be understood, or names a kind of database that is not read.
    InvalidUrl,
    /// It cannot be reached, refuses, is locked, or does not answer in time.
    Unavailable,
    /// It has not the tables and columns that Muse's has.
    NotMuse,
    /// The commit belongs to another repository, or nobody knows to which.
    Foreign,
    /// What it holds contradicts itself or cannot be a commit.
    Damaged,
}

impl DatabaseErrorKind {
    /// A short name, stable, for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidUrl => "invalid_database_url",
            Self::Unavailable => "database_unavailable",
            Self::NotMuse => "not_a_muse_database",
            Self::Foreign => "foreign_commit",
            Self::Damaged => "damaged_database",
        }
    }

    pub(crate) fn decides(self) -> ErrorKind {
        match self {
            Self::InvalidUrl | Self::NotMuse | Self::Foreign => ErrorKind::User,
            Self::Unavailable => ErrorKind::Internal,
            Self::Damaged => ErrorKind::Damaged,
        }
    }
}

impl DatabaseError {
    /// An error with a message for people: what happened, and what to do, without a full stop at the end. `place` is the
    /// database's URL as it may be shown.
    pub fn new(kind: DatabaseErrorKind, place: Option<String>, message: impl Into<String>) -> Self {
        Self { kind, place, message: message.into() }
    }

    /// What a caller decides by.
    pub fn kind(&self) -> DatabaseErrorKind {
        self.kind
    }

    /// The database, as it may be shown.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// What happened, without saying what became of the verb.
    pub fn message(&self) -> &str {
        &self.message
    }
}
