//! What can go wrong in the stash, by what the caller can do about it.

use std::path::PathBuf;

use stem_fs::RelPath;
use thiserror::Error;

use crate::database::DatabaseError;
use crate::format::FormatError;

/// The result of a stash operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A stash operation that did not happen. Nothing was changed unless the variant says so.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No `.muse` directory here or above.
    #[error("no repository at '{}' or above: run `stem init` there, or name one with --repo", start.display())]
    NotARepository {
        /// Where the search began.
        start: PathBuf,
    },
    /// `init` where a repository stands already.
    #[error("'{}' is a repository already", root.display())]
    AlreadyARepository {
        /// Its root.
        root: PathBuf,
    },
    /// An index beyond the stack. The words are the reference's.
    #[error("stash@{{{index}}} does not exist (stack has {count} entries)")]
    NoSuchIndex {
        /// The index asked for.
        index: usize,
        /// Number of entries.
        count: usize,
    },
    /// A reference to an entry that is neither an index nor the beginning of an id.
    #[error(
        "no stash entry is called '{reference}': use stash@{{N}}, N, or the beginning of an id that `stem stash list -v` shows"
    )]
    NoSuchEntry {
        /// What was asked for.
        reference: String,
    },
    /// The beginning of more than one id.
    #[error("'{reference}' is the beginning of {count} stash ids: give more of it")]
    AmbiguousEntry {
        /// What was asked for.
        reference: String,
        /// How many entries it fits.
        count: usize,
    },
    /// A path that the entry does not have.
    #[error("the entry has no '{path}'{}", near_words(near))]
    NoSuchPath {
        /// What was asked for.
        path: RelPath,
        /// Paths that it has and that look like it.
        near: Vec<RelPath>,
    },
    /// Newer work stands where files should come, and the caller wanted to know first.
    #[error(
        "newer work is in the way: {}. Nothing was changed. `--on-conflict overwrite` replaces it (`stem stash undo` brings \
         it back), `--on-conflict keep-both` puts the stashed files beside it",
        some_of(paths)
    )]
    Conflicts {
        /// Where.
        paths: Vec<RelPath>,
    },
    /// The disk has no room for what would be written.
    #[error(
        "there is no room: {needed} bytes would be written below '{}', {available} are free. Nothing was changed", path.display()
    )]
    NoSpace {
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that are free.
        available: u64,
        /// Where.
        path: PathBuf,
    },
    /// The undo journal has no such step.
    #[error("there is nothing to {}", if *redo { "do again" } else { "undo" })]
    NothingToUndo {
        /// Whether it was asked to go forward.
        redo: bool,
    },
    /// The branch has a commit but nobody knows what files it has.
    #[error(
        "what files HEAD has is unknown: branch '{branch}' is at commit {commit}, which {searched}. \
         Nothing was changed. Give the files with --head-manifest FILE, or say --no-head to stash as if there were no commit"
    )]
    HeadUnknown {
        /// The branch.
        branch: String,
        /// The commit that its ref names.
        commit: String,
        /// Where it was looked for.
        searched: String,
    },
    /// An argument that cannot be used.
    #[error("{0}")]
    InvalidInput(String),
    /// A file that the user named cannot be used.
    #[error("cannot use '{path}': {source}")]
    BadInputFile {
        /// The file.
        path: String,
        /// Why.
        source: FormatError,
    },
    /// A file of the repository is damaged or foreign.
    #[error("'{}' is damaged: {source}", path.display())]
    BadRepositoryFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// `.museignore` cannot be used, so that it is unknown which files are tracked.
    #[error(
        "'{}' cannot be used: {problem}. Nothing was changed: correct it, for what it should name would be saved or removed otherwise",
        path.display()
    )]
    BadIgnoreFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Newer Muse's own stash cannot be read, so nothing is written over it; other entries work.
    #[error(
        "'{}' cannot be read: {reason}. It is left as it is: repair it, or move it away if what Muse stashed in it is not \
         needed",
        path.display()
    )]
    UnreadableMuseStash {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A stash entry that cannot be read; others work.
    #[error("stash@{{{index}}} cannot be read ('{}'): {reason}. Other entries work; `stem stash drop` removes it", path.display())]
    UnreadableEntry {
        /// Its index.
        index: usize,
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that may name objects cannot be read, so it is unknown what is needed.
    #[error("'{}' may name objects that are needed, and cannot be used: {reason}. Nothing was deleted", path.display())]
    RootUnreadable {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The commits of the repository are kept elsewhere.
    #[error("{0}")]
    Refused(String),
    /// Bytes or values that cannot be written or read; nothing was changed.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] stem_store::Error),
    /// The file system failed.
    #[error(transparent)]
    Fs(#[from] stem_fs::Error),
    /// A database that records commits.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The user interrupted. What was done so far is consistent and the verb can be run again.
    #[error("interrupted; {0}")]
    Interrupted(&'static str),
}

/// What a caller decides by; the exit codes of `stem` follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The arguments, or the state of the repository, do not allow it: exit code 1.
    User,
    /// There is no repository: exit code 2.
    NoRepository,
    /// The system or the engine failed: exit code 3.
    Internal,
    /// Data is damaged: exit code 4.
    Damaged,
    /// The user interrupted.
    Interrupted,
}

impl Error {
    /// What a caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotARepository { .. } => ErrorKind::NoRepository,
            Self::AlreadyARepository { .. }
            | Self::NoSuchIndex { .. }
            | Self::NoSuchEntry { .. }
            | Self::AmbiguousEntry { .. }
            | Self::NoSuchPath { .. }
            | Self::Conflicts { .. }
            | Self::NothingToUndo { .. }
            | Self::HeadUnknown { .. }
            | Self::InvalidInput(_)
            | Self::BadInputFile { .. }
            | Self::RootUnreadable { .. }
            | Self::BadIgnoreFile { .. }
            | Self::Format(_)
            | Self::Refused(_) => ErrorKind::User,
            Self::UnreadableEntry { .. } | Self::UnreadableMuseStash { .. } => ErrorKind::Damaged,
            Self::Store(error) if error.kind() == stem_store::ErrorKind::Corrupt => ErrorKind::Damaged,
            Self::BadRepositoryFile { .. } | Self::NoSpace { .. } | Self::Store(_) | Self::Fs(_) => {
                ErrorKind::Internal
            }
            Self::Database(error) => error.kind().decides(),
            Self::Interrupted(_) => ErrorKind::Interrupted,
        }
    }

    /// A short name of the kind of error, stable, for JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotARepository { .. } => "not_a_repository",
            Self::AlreadyARepository { .. } => "already_a_repository",
            Self::NoSuchIndex { .. } | Self::NoSuchEntry { .. } => "no_such_entry",
            Self::AmbiguousEntry { .. } => "ambiguous_entry",
            Self::NoSuchPath { .. } => "no_such_path",
            Self::Conflicts { .. } => "conflict",
            Self::NoSpace { .. } => "no_space",
            Self::NothingToUndo { .. } => "nothing_to_undo",
            Self::HeadUnknown { .. } => "head_unknown",
            Self::InvalidInput(_) | Self::Format(_) => "invalid_input",
            Self::BadInputFile { .. } => "bad_input_file",
            Self::BadRepositoryFile { .. } => "bad_repository_file",
            Self::BadIgnoreFile { .. } => "bad_ignore_file",
            Self::UnreadableEntry { .. } | Self::UnreadableMuseStash { .. } => "unreadable_entry",
            Self::RootUnreadable { .. } => "root_unreadable",
            Self::Refused(_) => "refused",
            Self::Store(error) if error.kind() == stem_store::ErrorKind::Corrupt => "corrupt_object",
            Self::Store(_) => "store",
            Self::Fs(_) => "io",
            Self::Database(error) => error.kind().name(),
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// The path that the error is about, where there is one.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::NotARepository { start } => Some(start.clone()),
            Self::AlreadyARepository { root } => Some(root.clone()),
            Self::BadInputFile { path, .. } => Some(path.into()),
            Self::NoSuchPath { path, .. } => Some(path.to_path().into_owned()),
            Self::Conflicts { paths } => paths.first().map(|path| path.to_path().into_owned()),
            Self::NoSpace { path, .. }
            | Self::BadRepositoryFile { path, .. }
            | Self::RootUnreadable { path, .. }
            | Self::UnreadableEntry { path, .. }
            | Self::UnreadableMuseStash { path, .. }
            | Self::BadIgnoreFile { path, .. } => Some(path.clone()),
            Self::Fs(error) => Some(error.path.clone()),
            Self::Store(error) => error.path().map(PathBuf::from),
            Self::Database(error) => error.place().map(PathBuf::from),
            _ => None,
        }
    }
}

/// `: did you mean 'a' or 'b'?`, or what to do.
fn near_words(near: &[RelPath]) -> String {
    if near.is_empty() {
        return ": `stem stash show` lists what it has".into();
    }
    let near: Vec<String> = near.iter().map(|path| format!("'{path}'")).collect();
    format!(": did you mean {}?", near.join(" or "))
}

/// The first few paths, and how many more there are.
fn some_of(paths: &[RelPath]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("'{path}'")).collect();
    match paths.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A path that a verb left as it was, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    /// The path in the working tree.
    pub path: RelPath,
    /// Why.
    pub reason: Reason,
}

/// Why a path was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is a symbolic link; links are neither saved nor followed.
    Symlink,
    /// It is a FIFO, socket or device.
    Special,
    /// It cannot be read; the system's words.
    Unreadable(String),
    /// It vanished while the verb ran.
    Vanished,
    /// It changed while the verb ran; what was read is saved, the file stays.
    Changed,
    /// Another program has it open for writing; what was read is saved, the file stays.
    Busy,
    /// The object that should come here is not in the store.
    Missing,
    /// The object that should come here is damaged; the system's words.
    Corrupt(String),
    /// Something else stands where the file should be written.
    Blocked(String),
    /// What stands there is nowhere else and could not be saved, so nothing is written over it.
    Unsaved(String),
    /// What stands there is newer than what is to be undone.
    Newer,
}

impl Reason {
    /// Whether the user would call the verb incomplete because of it. Links and special files are never part of a stash.
    pub fn is_partial(&self) -> bool {
        !matches!(self, Self::Symlink | Self::Special)
    }

    /// A short name, stable, for JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Symlink => "symlink",
            Self::Special => "special",
            Self::Unreadable(_) => "unreadable",
            Self::Vanished => "vanished",
            Self::Changed => "changed",
            Self::Busy => "busy",
            Self::Missing => "missing",
            Self::Corrupt(_) => "corrupt",
            Self::Blocked(_) => "blocked",
            Self::Unsaved(_) => "unsaved",
            Self::Newer => "newer",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Symlink => f.write_str("a symbolic link: left as it is"),
            Self::Special => f.write_str("not a regular file: left as it is"),
            Self::Unreadable(why) => write!(f, "cannot be read ({why}): left as it is, not saved"),
            Self::Vanished => f.write_str("vanished meanwhile: not saved"),
            Self::Changed => f.write_str("changed meanwhile: left in the working tree"),
            Self::Busy => f.write_str("open for writing in another program: left in the working tree"),
            Self::Missing => f.write_str("its object is not in the store"),
            Self::Corrupt(why) => write!(f, "its object is damaged ({why})"),
            Self::Blocked(why) => write!(f, "cannot be written: {why}"),
            Self::Unsaved(why) => write!(f, "left as it is, for it could not be saved first: {why}"),
            Self::Newer => {
                f.write_str("changed since: left as it is; --force replaces it and saves it first")
            }
        }
    }
}
