//! The same files in two states, side by side, and readers of their bytes.
//!
//! For whoever shows what an entry holds: which files are new, changed or gone, and the bytes before and after by
//! position, from the store or the working tree. Nothing is opened until it is asked for, because an entry may have tens
//! of thousands of files. What a difference means is not said here: the engine knows no audio.

use std::io::{self, Read as _};

use stem_fs::{OpenFile, RelPath};
use stem_hash::ObjectId;
use stem_stash::{Change, ChangeKind, InTree, Progress, ShownEntry, format::commit::SnapshotId};
use stem_store::{ObjectStore, Operation};

use crate::error::Result;
use crate::vault::Vault;

/// Bytes that are read at a time while an object is verified.
const PIECE: usize = 1 << 20;

/// Where the bytes of a version are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionPlace {
    /// In the store.
    Object(ObjectId),
    /// In the working tree, under the pair's path.
    WorkingTree,
}

/// One state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileVersion {
    /// Where its bytes are.
    pub place: VersionPlace,
    /// Its length in bytes; `None` when the store lacks the object, or when it was not looked up.
    pub size: Option<u64>,
}

/// What became of a file between two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PairChange {
    /// It has the same bytes.
    Same,
    /// Only the later state has it.
    Added,
    /// It has other bytes.
    Modified,
    /// Only the earlier state has it.
    Deleted,
}

impl PairChange {
    /// A short name, stable, for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }
}

impl From<ChangeKind> for PairChange {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Added => Self::Added,
            ChangeKind::Modified => Self::Modified,
            ChangeKind::Deleted => Self::Deleted,
        }
    }
}

/// A path in two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePair {
    /// The path in the working tree.
    pub path: RelPath,
    /// What became of it, where that is known.
    pub change: Option<PairChange>,
    /// The earlier state; `None` when it was not there, or is not known.
    pub before: Option<FileVersion>,
    /// The later state; `None` when it is not there.
    pub after: Option<FileVersion>,
    /// Why the two could not be compared: a link or a directory stands there, or the file cannot be read.
    pub problem: Option<String>,
}

/// The files of an entry, each beside another state of it.
#[derive(Debug, Clone)]
pub struct EntryFiles {
    /// The entry.
    pub shown: ShownEntry,
    /// Whether the other state is known; if not, every [`FilePair::change`] is `None`.
    pub known: bool,
    /// The snapshot that HEAD was when the entry was made, where the entry says so.
    pub snapshot: Option<SnapshotId>,
    /// The files, sorted by path; what the entry knows as deleted is among them.
    pub pairs: Vec<FilePair>,
}

impl Vault {
    /// The files of an entry as they were in the snapshot that HEAD was, and as they are in the entry.
    ///
    /// No object is read. An entry that does not say which snapshot it was, or whose snapshot is recorded nowhere any more,
    /// is no error: see [`EntryFiles::known`].
    pub fn entry_files(&self, reference: &str) -> Result<EntryFiles> {
        let stash = self.stash();
        let shown = stash.show(reference)?;
        let record = shown.entry.stem.as_ref();
        let snapshot = record.and_then(|record| record.head_snapshot);
        let before = match &snapshot {
            Some(id) => stash.snapshot_files(id)?,
            None => None,
        };
        let mut pairs = Vec::with_capacity(shown.files.len());
        let mut unsized_rows = Vec::new();
        for file in &shown.files {
            let was = before.as_ref().map(|manifest| manifest.get(&file.path));
            let change = was.map(|was| match was {
                None => PairChange::Added,
                Some(id) if *id == file.id => PairChange::Same,
                Some(_) => PairChange::Modified,
            });
            let after = FileVersion { place: VersionPlace::Object(file.id), size: file.size };
            let before = was.flatten().map(|id| {
                if *id == file.id {
                    return after;
                }
                unsized_rows.push((pairs.len(), *id));
                FileVersion { place: VersionPlace::Object(*id), size: None }
            });
            pairs.push(FilePair {
                path: file.path.clone(),
                change,
                before,
                after: Some(after),
                problem: None,
            });
        }
        for path in record.map(|record| record.deleted.as_slice()).unwrap_or_default() {
            let id = before.as_ref().and_then(|manifest| manifest.get(path));
            let before = id.map(|id| {
                unsized_rows.push((pairs.len(), *id));
                FileVersion { place: VersionPlace::Object(*id), size: None }
            });
            let change = Some(PairChange::Deleted);
            pairs.push(FilePair { path: path.clone(), change, before, after: None, problem: None });
        }
        let ids: Vec<ObjectId> = unsized_rows.iter().map(|(_, id)| *id).collect();
        for ((index, _), stat) in unsized_rows.iter().zip(self.store().stat_many(&ids)?) {
            if let Some(before) = pairs.get_mut(*index).and_then(|pair| pair.before.as_mut()) {
                before.size = stat.map(|stat| stat.size);
            }
        }
        pairs.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(EntryFiles { known: before.is_some(), snapshot, shown, pairs })
    }

    /// The files of an entry as they are in the entry, and as they lie in the working tree. `chosen` limits them to these
    /// files and directories; empty, it does not.
    ///
    /// What the entry knows as deleted is among them where it is there now. Files that the entry says nothing of are not:
    /// bringing the entry back would leave them alone.
    pub fn entry_against_tree(
        &self,
        reference: &str,
        chosen: &[RelPath],
        progress: &dyn Progress,
    ) -> Result<EntryFiles> {
        let stash = self.stash();
        let shown = stash.show(reference)?;
        let is_chosen = |path: &RelPath| {
            chosen.is_empty() || chosen.iter().any(|scope| path == scope || path.is_below(scope))
        };
        let record = shown.entry.stem.as_ref();
        let mut rows: Vec<(RelPath, Option<ObjectId>)> = Vec::with_capacity(shown.files.len());
        let mut before = Vec::with_capacity(shown.files.len());
        for file in shown.files.iter().filter(|file| is_chosen(&file.path)) {
            rows.push((file.path.clone(), Some(file.id)));
            before.push(Some(FileVersion { place: VersionPlace::Object(file.id), size: file.size }));
        }
        for path in record.map(|record| record.deleted.as_slice()).unwrap_or_default() {
            if is_chosen(path) {
                rows.push((path.clone(), None));
                before.push(None);
            }
        }
        let found = stash.compare_with_tree(&rows, progress)?;
        let mut pairs = Vec::with_capacity(rows.len());
        for (((path, _), before), found) in rows.into_iter().zip(before).zip(found) {
            let tree = |size| Some(FileVersion { place: VersionPlace::WorkingTree, size: Some(size) });
            let (change, after, problem) = match found {
                InTree::Absent if before.is_none() => continue,
                InTree::Absent => (Some(PairChange::Deleted), None, None),
                InTree::Same { size } => (Some(PairChange::Same), tree(size), None),
                InTree::Other { size } if before.is_none() => (Some(PairChange::Added), tree(size), None),
                InTree::Other { size } => (Some(PairChange::Modified), tree(size), None),
                InTree::NoFile(kind) => (None, None, Some(format!("a {kind} stands there"))),
                InTree::Unread(reason) => (None, None, Some(reason.to_string())),
            };
            pairs.push(FilePair { path, change, before, after, problem });
        }
        pairs.sort_by(|a, b| a.path.cmp(&b.path));
        let snapshot = record.and_then(|record| record.head_snapshot);
        Ok(EntryFiles { known: true, snapshot, shown, pairs })
    }

    /// What differs between HEAD and the working tree, as [`stem_stash::Stash::status`] found it, with both states.
    pub fn changes_since_head(&self, changes: &[Change]) -> Result<Vec<FilePair>> {
        let head = self.stash().head_files()?.map(|head| head.manifest).unwrap_or_default();
        let work = self.repository().work()?;
        let ids: Vec<Option<ObjectId>> =
            changes.iter().map(|change| head.get(&change.path).copied()).collect();
        let known: Vec<ObjectId> = ids.iter().flatten().copied().collect();
        let mut sizes = self.store().stat_many(&known)?.into_iter();
        let pair = |(change, id): (&Change, Option<ObjectId>)| {
            let before = id.map(|id| {
                let size = sizes.next().flatten().map(|stat| stat.size);
                FileVersion { place: VersionPlace::Object(id), size }
            });
            let stat = work.as_ref().and_then(|work| work.stat(&change.path).ok().flatten());
            let after = (change.kind != ChangeKind::Deleted)
                .then(|| FileVersion { place: VersionPlace::WorkingTree, size: stat.map(|stat| stat.size) });
            let before = before.filter(|_| change.kind != ChangeKind::Added);
            let change_of = Some(change.kind.into());
            FilePair { path: change.path.clone(), change: change_of, before, after, problem: None }
        };
        Ok(changes.iter().zip(ids).map(pair).collect())
    }

    /// A reader of a file's state; `None` when its object is not in the store, or the file has vanished.
    pub fn open_version(&self, path: &RelPath, version: &FileVersion) -> Result<Option<VersionReader<'_>>> {
        match version.place {
            VersionPlace::Object(id) => {
                let store: &dyn ObjectStore = &**self.store();
                let stat = store.stat(&id)?;
                Ok(stat.map(|stat| VersionReader { source: Source::Object(store, id), len: stat.size }))
            }
            VersionPlace::WorkingTree => {
                let Some(work) = self.repository().work()? else { return Ok(None) };
                let Some(file) = work.open_file(path)? else { return Ok(None) };
                let len = file.stat()?.size;
                Ok(Some(VersionReader { source: Source::File(file), len }))
            }
        }
    }
}

/// The bytes of a file's state, by position. Several threads may read at once.
#[derive(Debug)]
pub struct VersionReader<'a> {
    source: Source<'a>,
    len: u64,
}

#[derive(Debug)]
enum Source<'a> {
    Object(&'a dyn ObjectStore, ObjectId),
    File(OpenFile),
}

impl VersionReader<'_> {
    /// The length in bytes when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there were no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills the beginning of `buf` with the bytes from `offset` on and says how many; 0 only at or after the end.
    ///
    /// An object's bytes are as the medium gives them, unless [`verify`](Self::verify) found them sound or the store
    /// verifies ranges.
    ///
    /// # Errors
    ///
    /// Those of the medium; an object that has vanished is [`io::ErrorKind::NotFound`].
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.source {
            Source::Object(store, id) => match store.read_range(id, offset, buf)? {
                Some(count) => Ok(count),
                None => Err(io::Error::new(io::ErrorKind::NotFound, format!("object {id} has vanished"))),
            },
            Source::File(file) => file.read_at(buf, offset),
        }
    }

    /// Reads an object to its end and fails when its bytes are not what its id says. A file of the working tree is what it
    /// is, and a store that verifies ranges needs no second look.
    ///
    /// # Errors
    ///
    /// The object is damaged or gone, the medium fails, or `progress` was cancelled.
    pub fn verify(&self, progress: &dyn Progress) -> Result<()> {
        let Source::Object(store, id) = &self.source else { return Ok(()) };
        if store.capabilities().verified_ranges {
            return Ok(());
        }
        let gone = || {
            stem_store::Error::corrupt(Operation::Read, store.name(), id)
                .with_reason("it vanished while it was read")
        };
        let mut reader = store.open(id)?.ok_or_else(gone)?;
        let mut piece = vec![0; PIECE.min(usize::try_from(self.len).unwrap_or(PIECE)).max(1)];
        loop {
            if progress.cancelled() {
                return Err(stem_store::Error::interrupted(Operation::Read, store.name()).with_id(id).into());
            }
            match reader.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(stem_store::Error::from_reader(error)
                        .unwrap_or_else(|error| {
                            stem_store::Error::from_io(Operation::Read, store.name(), error)
                        })
                        .into());
                }
            }
        }
    }
}
