//! Everything that names objects: what garbage collection keeps, and what a verification compares with the store.
//!
//! One reader for both, because a kind of root that only one of them knew would be a bug of the other. It calls a visitor
//! for each document and holds no more than one of them at a time. What cannot be read is a trouble: gc refuses, a
//! verification reports it and goes on.
//!
//! Rejected: counting references (one more thing that can be wrong after a crash), and remembering what was marked in the
//! run before (a record that somebody else changed would be believed).

mod layout;
mod reader;
mod seen;
mod witness;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use stem_fs::RelPath;
use stem_hash::ObjectId;

use crate::Stash;
use crate::error::{Error, Result};
use crate::format::commit::{CommitId, SnapshotId};
use crate::format::stamp::Stamp;
use crate::progress::Progress;

pub(crate) use reader::{Reader, Sink};
pub(crate) use seen::{forget, note};
pub(crate) use witness::witness;

/// How long an entry that somebody else removed is still a root, in microseconds: 30 days.
const VANISHED_MICROS: i64 = 30 * 86_400 * 1_000_000;

/// Who names an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Holder {
    /// An entry of the stash.
    Entry {
        /// Its position, 0 = newest.
        index: usize,
        /// Its id.
        stash_id: String,
    },
    /// An entry that vanished without `stem`; paths are not known any more.
    Vanished {
        /// Its id.
        stash_id: String,
    },
    /// The record of a push that runs or died.
    Intent {
        /// The name of its file.
        file: String,
    },
    /// A record of what `stem stash undo` can bring back.
    Undo {
        /// The name of its file.
        file: String,
    },
    /// An element of newer Muse's own stash.
    MuseStash {
        /// Its position, 0 = newest.
        index: usize,
    },
    /// A snapshot in `.muse/snapshots`.
    Snapshot {
        /// Its id.
        id: SnapshotId,
    },
    /// A commit that is recorded elsewhere than in `.muse/commits`.
    Commit {
        /// Its id.
        id: CommitId,
    },
}

impl Holder {
    /// A short name of its kind, stable, for JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Entry { .. } => "entry",
            Self::Vanished { .. } => "vanished_entry",
            Self::Intent { .. } => "intent",
            Self::Undo { .. } => "undo",
            Self::MuseStash { .. } => "muse_stash",
            Self::Snapshot { .. } => "snapshot",
            Self::Commit { .. } => "commit",
        }
    }

    /// What names it among its kind: an id, a position or the name of a file.
    pub fn name(&self) -> String {
        match self {
            Self::Entry { stash_id, .. } | Self::Vanished { stash_id } => stash_id.clone(),
            Self::Intent { file } | Self::Undo { file } => file.clone(),
            Self::MuseStash { index } => index.to_string(),
            Self::Snapshot { id } => id.to_string(),
            Self::Commit { id } => id.to_string(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { index, .. } => write!(f, "stash@{{{index}}}"),
            Self::Vanished { stash_id } => write!(f, "{stash_id}, which vanished"),
            Self::Intent { file } => write!(f, "an interrupted push ({file})"),
            Self::Undo { file } => write!(f, "the undo record {file}"),
            Self::MuseStash { index } => write!(f, "Muse's own stash, element {index}"),
            Self::Snapshot { id } => write!(f, "snapshot {}", id.short()),
            Self::Commit { id } => write!(f, "commit {}", id.short()),
        }
    }
}

/// The objects that somebody names.
#[derive(Debug, Clone, Copy)]
pub enum Names<'a> {
    /// With the paths that they have in the working tree.
    Paths(&'a [(RelPath, ObjectId)]),
    /// Only the objects.
    Ids(&'a [ObjectId]),
}

/// What counts as a root at what time.
#[derive(Debug, Clone, Copy)]
pub struct RootOptions {
    /// The time of the run.
    pub now: Stamp,
    /// Whether `now` may be believed: if not, nothing expires.
    pub clock_is_plausible: bool,
    /// Undo records older than this, in microseconds, are no roots; `None`: all are, until they are removed.
    pub expire_undo: Option<i64>,
    /// Whether to write down which entries were seen. Not in a dry run, which changes nothing.
    pub record: bool,
}

/// Everything that is needed.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    /// The objects, sorted, each once.
    pub ids: Vec<ObjectId>,
    /// How many documents of each kind ([`Holder::kind`]) name them.
    pub holders: BTreeMap<&'static str, u64>,
    /// A digest of what the roots were read from. Another one later means that somebody who takes no lock of ours changed
    /// them.
    pub witness: [u8; 32],
}

/// Collects ids, 32 bytes each, and drops doubles before they fill the memory.
#[derive(Default)]
struct Collector {
    ids: Vec<ObjectId>,
    sorted: usize,
    holders: BTreeMap<&'static str, u64>,
}

impl Collector {
    /// Fewest ids that are worth sorting.
    const STEP: usize = 1 << 20;

    fn compact(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.sorted = self.ids.len();
    }
}

impl Sink for Collector {
    fn named(&mut self, holder: &Holder, names: Names<'_>) -> Result<()> {
        *self.holders.entry(holder.kind()).or_default() += 1;
        match names {
            Names::Paths(rows) => self.ids.extend(rows.iter().map(|(_, id)| *id)),
            Names::Ids(ids) => self.ids.extend_from_slice(ids),
        }
        if self.ids.len() >= self.sorted * 2 + Self::STEP {
            self.compact();
        }
        Ok(())
    }

    fn trouble(&mut self, path: PathBuf, reason: String) -> Result<()> {
        Err(Error::RootUnreadable { path, reason })
    }
}

/// Reads all roots; refuses when one of them cannot be read.
pub(crate) fn roots(stash: Stash<'_>, options: &RootOptions, progress: &dyn Progress) -> Result<Roots> {
    // Taken first: whatever changes after this shows.
    let witness = witness(stash, progress)?;
    let mut collector = Collector::default();
    Reader::new(stash, &mut collector, progress).read_all(Some(options))?;
    collector.compact();
    Ok(Roots { ids: collector.ids, holders: collector.holders, witness })
}

/// Reads what Muse's own verbs may ask for, sorted; refuses when something of it cannot be read.
pub(crate) fn hot(stash: Stash<'_>, progress: &dyn Progress) -> Result<Vec<ObjectId>> {
    let mut collector = Collector::default();
    Reader::new(stash, &mut collector, progress).read_hot()?;
    collector.compact();
    Ok(collector.ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_collected_once() {
        let mut collector = Collector::default();
        let ids: Vec<ObjectId> = (0..100_u8).map(|n| ObjectId::from_bytes([n % 10; 32])).collect();
        for _ in 0..3 {
            collector.named(&Holder::MuseStash { index: 0 }, Names::Ids(&ids)).unwrap();
        }
        collector.compact();
        assert_eq!(collector.ids.len(), 10);
        assert!(collector.ids.is_sorted());
        assert_eq!(collector.holders["muse_stash"], 3);
    }
}
