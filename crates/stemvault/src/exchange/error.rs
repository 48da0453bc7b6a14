//! What can go wrong between two repositories.

use std::io;
use std::path::PathBuf;

use stem_fs::RelPath;
use stem_hash::Algorithm;
use stem_stash::ErrorKind;
use thiserror::Error;

/// An entry that was not exported or not imported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The file exists.
    #[error("'{}' exists already: name another file, or say --force to replace it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process exports to the same file.
    #[error("another stem writes '{}' now: wait for it, or name another file", path.display())]
    Busy {
        /// Its partial file.
        path: PathBuf,
    },
    /// What stands where the partial file would be is something else.
    #[error("'{}' is no part of a bundle, and a part would be written there: move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Objects of the entry are not in the store.
    #[error(
        "{} of the entry's files cannot be exported, their objects are not in the store: {}. Nothing was written. \
         `stem verify` says more; `--have LIST` leaves out what the receiver has",
        paths.len(), some_of(paths)
    )]
    Lacking {
        /// Their paths.
        paths: Vec<RelPath>,
    },
    /// An object of the entry is damaged.
    #[error("the object of {} cannot be read{}", some_of(paths), kept_words(kept.as_ref()))]
    BadObject {
        /// The paths that it belongs to.
        paths: Vec<RelPath>,
        /// The part that stays, and its length.
        kept: Option<(PathBuf, u64)>,
        /// What is wrong with it.
        source: stem_store::Error,
    },
    /// The bundle cannot be written.
    #[error("the bundle cannot be written{}", kept_words(kept.as_ref()))]
    Write {
        /// Where to.
        path: Option<PathBuf>,
        /// The part that stays, and its length.
        kept: Option<(PathBuf, u64)>,
        /// Why.
        source: io::Error,
    },
    /// The user stopped an export.
    #[error("interrupted; nothing was exported{}", kept_words(kept.as_ref()))]
    Interrupted {
        /// The part that stays, and its length.
        kept: Option<(PathBuf, u64)>,
    },
    /// An entry that no receiver would take.
    #[error("no receiver would take this entry, nothing was written: {0}")]
    Unfit(String),
    /// The bytes are no bundle, or not those that were exported.
    #[error("the bundle cannot be used{}", if *stored { "; no entry was added, what was stored until then stays" } else { ", nothing was changed" })]
    Bundle {
        /// Whether objects were stored before it was noticed.
        stored: bool,
        /// What is wrong with it.
        source: stem_bundle::Error,
    },
    /// The bundle holds something that nobody may be given.
    #[error("the bundle is refused, no entry was added: {0}")]
    Refused(String),
    /// An entry of a bucket is damaged, or nobody may be given it.
    #[error("the entry {name} of '{place}' is refused, and was not added: {problem}")]
    Shelved {
        /// Its name there.
        name: String,
        /// The store.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A bucket has no such entry.
    #[error(
        "'{place}' has no entry '{}': {}", stem_fs::show_bytes(reference.as_bytes()),
        match entries { 0 => "it has none at all".to_owned(), n => format!("it has {n}, which `stem stash list --remote` shows") }
    )]
    NoShelved {
        /// What was asked for.
        reference: String,
        /// The store.
        place: String,
        /// How many entries it has.
        entries: usize,
    },
    /// A reference fits several entries of a bucket.
    #[error(
        "'{}' fits {number} entries of '{place}': {}{}. Give more of the name", stem_fs::show_bytes(reference.as_bytes()),
        names.join(", "), if *number > names.len() { " and more" } else { "" }
    )]
    AmbiguousShelved {
        /// What was asked for.
        reference: String,
        /// The store.
        place: String,
        /// Some of them.
        names: Vec<String>,
        /// How many there are.
        number: usize,
    },
    /// The two ends of a copy make their ids differently.
    #[error(
        "the objects of '{from}' have {ours} ids and those of '{to}' {theirs}: nothing was sent. Use a store with {ours} ids; a \
         new one gets them by '?hash={ours}' at the end of its URL"
    )]
    OtherStore {
        /// Where from.
        from: String,
        /// Its ids.
        ours: Algorithm,
        /// Where to.
        to: String,
        /// Its ids.
        theirs: Algorithm,
    },
    /// The store makes its ids otherwise.
    #[error(
        "the objects of the bundle have {theirs} ids, and this repository has {ours}: import it elsewhere"
    )]
    OtherIds {
        /// This repository's.
        ours: Algorithm,
        /// The bundle's.
        theirs: Algorithm,
    },
    /// Objects are neither in the bundle nor in the store.
    #[error(
        "the bundle leaves out objects that this repository does not have, so {} files would be missing: {}. No entry was \
         added. Ask for a bundle made with `--have` and the list that `stem object list` prints here, or without `--have`",
        paths.len(), some_of(paths)
    )]
    Missing {
        /// The paths of those objects.
        paths: Vec<RelPath>,
    },
}

impl ExchangeError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. }
            | Self::Busy { .. }
            | Self::Foreign { .. }
            | Self::Unfit(_)
            | Self::OtherIds { .. }
            | Self::OtherStore { .. }
            | Self::NoShelved { .. }
            | Self::AmbiguousShelved { .. }
            | Self::Bundle {
                source: stem_bundle::Error::NotABundle | stem_bundle::Error::Newer { .. },
                ..
            } => ErrorKind::User,
            Self::Bundle { source: stem_bundle::Error::Io { .. }, .. } | Self::Write { .. } => {
                ErrorKind::Internal
            }
            Self::BadObject { source, .. } if source.kind() != stem_store::ErrorKind::Corrupt => {
                ErrorKind::Internal
            }
            Self::Interrupted { .. } => ErrorKind::Interrupted,
            _ => ErrorKind::Damaged,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "exists",
            Self::Busy { .. } => "busy",
            Self::Foreign { .. } => "not_a_partial_bundle",
            Self::Lacking { .. } | Self::Missing { .. } => "missing_objects",
            Self::BadObject { source, .. } if source.kind() != stem_store::ErrorKind::Corrupt => "store",
            Self::BadObject { .. } => "corrupt_object",
            Self::Write { source, .. } if is_no_space(source) => "no_space",
            Self::Write { .. } | Self::Bundle { source: stem_bundle::Error::Io { .. }, .. } => "io",
            Self::Interrupted { .. } => "interrupted",
            Self::Unfit(_) => "invalid_input",
            Self::Bundle { source: stem_bundle::Error::NotABundle, .. } => "not_a_bundle",
            Self::Bundle { source: stem_bundle::Error::Newer { .. }, .. } => "newer_bundle",
            Self::Bundle { source: stem_bundle::Error::Truncated { .. }, .. } => "truncated_bundle",
            Self::Bundle { .. } => "damaged_bundle",
            Self::Refused(_) => "refused_bundle",
            Self::Shelved { .. } => "refused_entry",
            Self::NoShelved { .. } => "no_such_entry",
            Self::AmbiguousShelved { .. } => "ambiguous",
            Self::OtherIds { .. } | Self::OtherStore { .. } => "other_ids",
        }
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Exists { path } | Self::Busy { path } | Self::Foreign { path } => Some(path.clone()),
            Self::Write { path, .. } => path.clone(),
            Self::Lacking { paths } | Self::Missing { paths } | Self::BadObject { paths, .. } => {
                paths.first().map(|path| path.to_path().into_owned())
            }
            _ => None,
        }
    }
}

fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

fn kept_words(kept: Option<&(PathBuf, u64)>) -> String {
    kept.map_or_else(String::new, |(path, len)| {
        format!("; {len} bytes of it stay in '{}', and the same export goes on from there", path.display())
    })
}

/// The first few paths, and how many more there are.
pub(crate) fn some_of(paths: &[RelPath]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("'{path}'")).collect();
    match paths.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
