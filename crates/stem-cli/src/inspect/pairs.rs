//! Files in two states, by track and section: what `stash show`, `stash diff` and `status -v` are about.
//!
//! Nothing is opened before it is asked for: an entry may have tens of thousands of files, and most commands show lines.

use std::io;
use std::sync::Arc;

use stem_inspect::ReadAt;
use stemvault::format::commit::SnapshotId;
use stemvault::{
    EntryFiles, FilePair, PairChange, Progress, RelPath, ShownEntry, StatusResult, Vault, VersionReader,
};

use crate::failure::{Engine as _, Failure, Result, chain};

/// What a file belongs to, in the scopes that a push can be limited to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Below `tracks/NAME/`.
    Track(Vec<u8>),
    /// Below `sections/NAME/`.
    Section(Vec<u8>),
    /// Anywhere else.
    Other,
}

impl Group {
    /// What `--track` and `--section` would select the path by.
    pub(crate) fn of(path: &RelPath) -> Self {
        let mut parts = path.components();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(b"tracks"), Some(name), Some(_)) => Self::Track(name.to_vec()),
            (Some(b"sections"), Some(name), Some(_)) => Self::Section(name.to_vec()),
            _ => Self::Other,
        }
    }

    /// A heading: `track drums`.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Track(name) => format!("track {}", stemvault::show_bytes(name)),
            Self::Section(name) => format!("section {}", stemvault::show_bytes(name)),
            Self::Other => "everything else".to_owned(),
        }
    }
}

/// Which of the two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The earlier one.
    Before,
    /// The later one.
    After,
}

/// A file in two states.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) group: Group,
    pub(crate) file: FilePair,
}

impl Pair {
    fn new(file: FilePair) -> Self {
        Self { group: Group::of(&file.path), file }
    }

    /// What became of it, where that is known.
    pub(crate) fn change(&self) -> Option<PairChange> {
        self.file.change
    }

    /// Its length in bytes on that side.
    pub(crate) fn size(&self, side: Side) -> Option<u64> {
        match side {
            Side::Before => self.file.before.as_ref()?.size,
            Side::After => self.file.after.as_ref()?.size,
        }
    }

    /// Its bytes on one side, as the medium gives them: good for a header.
    pub(crate) fn peek<'v>(&self, vault: &'v Vault, side: Side) -> std::result::Result<Bytes<'v>, Unopened> {
        let version = match side {
            Side::Before => self.file.before,
            Side::After => self.file.after,
        };
        let version = version.ok_or(Unopened::Absent)?;
        match vault.open_version(&self.file.path, &version) {
            Ok(Some(reader)) => Ok(Bytes(Arc::new(reader))),
            Ok(None) if side == Side::After && version.place == stemvault::VersionPlace::WorkingTree => {
                Err(Unopened::Failed("it vanished meanwhile".to_owned()))
            }
            Ok(None) => Err(Unopened::Missing),
            Err(error) => Err(Unopened::Failed(chain(&error))),
        }
    }

    /// Its bytes on one side, of which an object's are known to be what was stored: each is read once for that.
    pub(crate) fn open<'v>(
        &self,
        vault: &'v Vault,
        side: Side,
        progress: &dyn Progress,
    ) -> std::result::Result<Bytes<'v>, Unopened> {
        let bytes = self.peek(vault, side)?;
        match bytes.0.verify(progress) {
            Ok(()) => Ok(bytes),
            Err(_) if progress.cancelled() => Err(Unopened::Interrupted),
            Err(error) if error.kind() == stemvault::ErrorKind::Damaged => Err(Unopened::Damaged),
            Err(error) => Err(Unopened::Failed(chain(&error))),
        }
    }
}

/// Why a side has no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// The file was not there, or nobody knows what it was.
    Absent,
    /// The store lacks its object.
    Missing,
    /// Its object is damaged.
    Damaged,
    /// The user wants to stop.
    Interrupted,
    /// The system refused; its words.
    Failed(String),
}

impl Unopened {
    /// What the user is told of a side that should have bytes; `None` where there is nothing to tell.
    pub(crate) fn problem(&self, side: Side) -> Option<String> {
        let state = match side {
            Side::Before => "its earlier version",
            Side::After => "it",
        };
        match self {
            Self::Absent | Self::Interrupted => None,
            Self::Missing => Some(format!("{state} cannot be looked at: its object is not in the store")),
            Self::Damaged => {
                Some(format!("{state} cannot be looked at: its object is damaged; `stem verify` says more"))
            }
            Self::Failed(why) => Some(format!("{state} cannot be looked at: {why}")),
        }
    }
}

/// The bytes of a file's state.
#[derive(Debug, Clone)]
pub(crate) struct Bytes<'v>(Arc<VersionReader<'v>>);

impl ReadAt for Bytes<'_> {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }
}

/// Files in two states, and what the states are called.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "they are the pairs; all else says of what")]
pub(crate) struct Pairs {
    /// The earlier state, for headings and legends.
    pub(crate) before: String,
    /// The later one.
    pub(crate) after: String,
    /// By group, then by path.
    pub(crate) pairs: Vec<Pair>,
    /// The entry, where one side is an entry's.
    pub(crate) entry: Option<ShownEntry>,
    /// Whether the earlier state is known.
    pub(crate) known: bool,
    /// The snapshot that it is, where it is one.
    pub(crate) snapshot: Option<SnapshotId>,
}

impl Pairs {
    fn new(before: String, after: String, files: Vec<FilePair>) -> Self {
        let mut pairs: Vec<Pair> = files.into_iter().map(Pair::new).collect();
        // Stable, and the files come sorted by path.
        pairs.sort_by(|a, b| a.group.cmp(&b.group));
        Self { before, after, pairs, entry: None, known: true, snapshot: None }
    }

    fn of_entry_files(before: String, after: String, entry: EntryFiles) -> Self {
        let EntryFiles { shown, known, snapshot, pairs } = entry;
        Self { entry: Some(shown), known, snapshot, ..Self::new(before, after, pairs) }
    }

    /// How many files are so.
    pub(crate) fn count(&self, change: PairChange) -> usize {
        self.pairs.iter().filter(|pair| pair.change() == Some(change)).count()
    }
}

/// An entry against the snapshot that HEAD was when it was made.
pub(crate) fn of_entry(vault: &Vault, reference: &str) -> Result<Pairs> {
    let entry = vault.entry_files(reference).told()?;
    let name = format!("stash@{{{}}}", entry.shown.index);
    Ok(Pairs::of_entry_files("HEAD then".to_owned(), name, entry))
}

/// The working tree against an entry; only below `chosen`, where that names anything.
pub(crate) fn of_tree(
    vault: &Vault,
    reference: &str,
    chosen: &[RelPath],
    progress: &dyn Progress,
) -> Result<Pairs> {
    let entry = vault.entry_against_tree(reference, chosen, progress).told()?;
    if !chosen.is_empty() {
        check_known(&entry.shown, chosen)?;
    }
    let name = format!("stash@{{{}}}", entry.shown.index);
    Ok(Pairs::of_entry_files(name, "the working tree".to_owned(), entry))
}

/// The working tree against HEAD, as `status` found it.
pub(crate) fn of_head(vault: &Vault, status: &StatusResult) -> Result<Pairs> {
    let files = vault.changes_since_head(&status.changes).told()?;
    Ok(Pairs::new("HEAD".to_owned(), "the working tree".to_owned(), files))
}

/// Only those below `chosen`, for a list that was made without it.
pub(crate) fn choose(pairs: &mut Pairs, chosen: &[RelPath]) -> Result<()> {
    if chosen.is_empty() {
        return Ok(());
    }
    if let Some(entry) = &pairs.entry {
        check_known(entry, chosen)?;
    }
    pairs.pairs.retain(|pair| chosen.iter().any(|scope| is_in(&pair.file.path, scope)));
    Ok(())
}

fn is_in(path: &RelPath, scope: &RelPath) -> bool {
    path == scope || path.is_below(scope)
}

/// A PATH that the entry says nothing of is a mistake.
fn check_known(entry: &ShownEntry, chosen: &[RelPath]) -> Result<()> {
    let files = &entry.files;
    let deleted = entry.entry.stem.as_ref().map(|record| record.deleted.as_slice()).unwrap_or_default();
    let is_known = |scope: &RelPath| {
        files.iter().any(|file| is_in(&file.path, scope)) || deleted.iter().any(|path| is_in(path, scope))
    };
    match chosen.iter().find(|scope| !is_known(scope)) {
        None => Ok(()),
        Some(scope) => {
            let index = entry.index;
            let message = format!(
                "'{scope}' is not in stash@{{{index}}}: `stem stash show {index}` lists its files, with paths relative to \
                 the working tree"
            );
            Err(Failure::user("not_in_entry", message).at(&scope.to_path()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_the_scopes_of_push() {
        let of = |path: &str| Group::of(&RelPath::new(path).unwrap());
        assert_eq!(of("tracks/drums/kick.wav"), Group::Track(b"drums".to_vec()));
        assert_eq!(of("tracks/drums/old/kick.wav"), Group::Track(b"drums".to_vec()));
        assert_eq!(of("sections/chorus/a.mid"), Group::Section(b"chorus".to_vec()));
        for other in ["tracks/drums.wav", "mix.wav", "midi/tracks/a/b", "Tracks/drums/kick.wav"] {
            assert_eq!(of(other), Group::Other, "{other}");
        }
        assert!(of("tracks/z/a") < of("sections/a/a") && of("sections/z/a") < of("a"));
    }
}
