//! The one error of the format layer.
//!
//! It says which kind of document was read and what is wrong with it; the caller adds which file that was.

use std::fmt;

use thiserror::Error;

/// What kind of document was being read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Document {
    /// `.muse/stash/stash-*.json`.
    StashEntry,
    /// `.muse/stem/journal/push-*.json`.
    Intent,
    /// `.muse/stem/journal/undo-*.json`.
    Undo,
    /// `.muse/commits/<id>.json`.
    Commit,
    /// `.muse/snapshots/<id>.json`.
    Snapshot,
    /// A JSON object `{path: object id}` that a user handed over.
    HeadManifest,
    /// `.muse/HEAD`.
    Head,
    /// `.muse/refs/heads/<branch>`.
    Ref,
    /// A branch name.
    BranchName,
    /// The id of a stash entry.
    StashId,
    /// A point in time.
    Time,
    /// A list of ids that this engine keeps for itself.
    IdList,
    /// `.muse/stash.json` of newer Muse.
    MuseStash,
    /// `.muse/repo.json`.
    RepoJson,
    /// What is told of an entry in a bucket.
    Summary,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StashEntry => "stash entry",
            Self::Intent => "intent record",
            Self::Undo => "undo record",
            Self::Commit => "commit",
            Self::Snapshot => "snapshot",
            Self::HeadManifest => "manifest of HEAD",
            Self::Head => "HEAD",
            Self::Ref => "branch ref",
            Self::BranchName => "branch name",
            Self::StashId => "stash id",
            Self::Time => "time",
            Self::IdList => "list of ids",
            Self::MuseStash => "stash of Muse",
            Self::RepoJson => "repo.json",
            Self::Summary => "head of an entry",
        })
    }
}

/// What a caller can decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FormatErrorKind {
    /// Larger, deeper or longer than this engine reads.
    TooLarge,
    /// Not the format: damaged, cut short, or written by something else.
    Malformed,
    /// Well-formed, but its paths must not be written: outside the working tree, inside `.muse` or `.git`, or in
    /// conflict with each other.
    Unsafe,
}

/// Bytes that are not a valid document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invalid {document}: {message}")]
pub struct FormatError {
    document: Document,
    kind: FormatErrorKind,
    message: String,
}

impl FormatError {
    pub(super) fn new(document: Document, kind: FormatErrorKind, message: impl Into<String>) -> Self {
        Self { document, kind, message: message.into() }
    }

    pub(super) fn malformed(document: Document, message: impl Into<String>) -> Self {
        Self::new(document, FormatErrorKind::Malformed, message)
    }

    pub(super) fn too_large(document: Document, found: usize, limit: usize) -> Self {
        Self::new(
            document,
            FormatErrorKind::TooLarge,
            format!("it has {found} bytes; at most {limit} are read"),
        )
    }

    /// What kind of document it was.
    pub fn document(&self) -> Document {
        self.document
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> FormatErrorKind {
        self.kind
    }

    /// What is wrong, with line and column where the document is JSON; without the name of the document.
    pub fn message(&self) -> &str {
        &self.message
    }
}
