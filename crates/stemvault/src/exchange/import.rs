//! A bundle into the store and onto the stack.
//!
//! What can be judged by the front of the bundle is judged before anything is stored: the entry, its paths, the table, what
//! was left out, the room on the disk. Objects are then stored as they come, each under the id that its bytes have; the
//! entry is added when the last byte of the bundle was checked and everything is durable. Until then nothing names what was
//! stored, and a second import finds it there.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use stem_bundle::{Front, ReadError, Reader, Row};
use stem_fs::{RelPath, available_space};
use stem_hash::{Hasher, ObjectId};
use stem_stash::format::entry::{decode, encode};
use stem_stash::{FileRecord, Phase, Progress, StashEntry};
use stem_store::{Durability, FileMetadata, ObjectStore, PutOptions, Written};

use super::error::{ExchangeError, some_of};
use super::export::goes_on;
use super::{paths_of, unfit_paths};
use crate::error::{Error, Result};
use crate::vault::Vault;

/// What becomes durable together: an import that is killed stores no more than this once more.
const BATCH_BYTES: u64 = 512 << 20;
const BATCH_OBJECTS: usize = 2048;

/// How much is read at once where the bundle is read in small pieces.
const BUFFER: usize = 256 << 10;

/// How to import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Only check the bundle; nothing is stored and no entry is added.
    pub dry_run: bool,
    /// Add the entry although it is on the stack since an earlier import.
    pub again: bool,
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportResult {
    /// `stash@{N}`; empty after a dry run of an entry that is not there.
    pub stash_ref: String,
    /// The entry's id here; `None` after a dry run of an entry that is not there.
    pub stash_id: Option<String>,
    /// The id of the entry that it was exported from.
    pub origin: String,
    /// The entry's label.
    pub message: String,
    /// The branch that it was made on.
    pub branch: String,
    /// Number of files of the entry.
    pub files: usize,
    /// Whether the entry was added, or would be; else it is there since an earlier import.
    pub added: bool,
    /// Number of objects that the store did not have.
    pub objects_new: u64,
    /// Their length together in bytes.
    pub bytes_new: u64,
    /// Number of objects that it had, those that the bundle leaves out included.
    pub objects_present: u64,
    /// Length of the bundle in bytes.
    pub bundle_bytes: u64,
}

impl Vault {
    /// Imports an entry from a bundle.
    ///
    /// The working tree is not touched. Objects that were stored before an error stay, unneeded; importing the same bundle
    /// again does not store them twice.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`]: the bundle is damaged, cut short or hostile, objects are missing;
    /// [`stem_stash::Error::NoSpace`] before anything is stored.
    pub fn import(
        &self,
        source: impl Read + Send,
        options: ImportOptions,
        progress: &dyn Progress,
    ) -> Result<ImportResult> {
        let stash = self.stash();
        if !options.dry_run {
            stash.recover(progress)?;
        }
        // From the first look into the store until the entry names what is there.
        let lock = stash.share_store(progress)?;
        let unused = |source| ExchangeError::Bundle { stored: false, source };
        let reader = Reader::open(BufReader::with_capacity(BUFFER, source)).map_err(unused)?;
        let entry = checked(reader.front(), &**self.store())?;
        let wanted = self.wanted(reader.front(), &entry, progress)?;
        let mut taker = Taker {
            store: &**self.store(),
            metadata: metadata(&entry),
            dry_run: options.dry_run,
            progress,
            stored: Vec::new(),
            unsynced: (0, 0),
            objects: 0,
            bytes: 0,
            stopped: false,
        };
        let total = reader.front().rows.len() as u64;
        let todo = reader.front().rows.iter().zip(&wanted).filter(|(_, wanted)| **wanted);
        let (count, bytes) = todo.fold((0, 0_u64), |(n, sum), (row, _)| (n + 1, sum.saturating_add(row.len)));
        if !options.dry_run {
            self.check_room(bytes)?;
        }
        progress.begin(Phase::Importing, count, bytes);
        let read = reader
            .objects(&|at| wanted.get(at).copied().unwrap_or(false), |row, bytes| taker.take(row, bytes));
        let summary = match read {
            Ok(summary) => summary,
            Err(failed) => {
                let stored = taker.give_up();
                // They are young, whatever a collection found before: the next import counts on them. That it may have to
                // store them again is not what the user has to know now.
                let _ = self.reprieve(&lock, &stored, progress);
                return Err(match failed {
                    ReadError::Bundle(source) => {
                        ExchangeError::Bundle { stored: !stored.is_empty(), source }.into()
                    }
                    ReadError::Taker(error) => told(&entry, error, taker.stopped),
                });
            }
        };
        let (objects_new, bytes_new) = (taker.objects, taker.bytes);
        let added = if options.dry_run {
            stash.find_imported(&entry)?.filter(|_| !options.again)
        } else {
            progress.begin(Phase::Syncing, 0, 0);
            self.store().sync()?;
            Some(stash.add_imported(&lock, entry.clone(), options.again, progress)?)
        };
        let origin = entry.stem.as_ref().and_then(|stem| stem.origin.as_ref()).unwrap_or(&entry.stash_id);
        Ok(ImportResult {
            stash_ref: added.as_ref().map_or_else(String::new, |added| format!("stash@{{{}}}", added.index)),
            stash_id: added.as_ref().map(|added| added.stash_id.clone()),
            origin: origin.to_string(),
            message: entry.message.to_string_lossy().into_owned(),
            branch: entry.branch.to_string_lossy().into_owned(),
            files: entry.manifest.len(),
            added: added.is_none_or(|added| added.added),
            objects_new,
            bytes_new,
            objects_present: total - objects_new,
            bundle_bytes: summary.len,
        })
    }

    /// For each row, whether its object has to be taken from the bundle: not where the store has it whole.
    fn wanted(&self, front: &Front, entry: &StashEntry, progress: &dyn Progress) -> Result<Vec<bool>> {
        let store: &dyn ObjectStore = &**self.store();
        let ids: Vec<ObjectId> = front.rows.iter().map(|row| row.id).collect();
        let stats = store.stat_many(&ids)?;
        let there =
            |at: usize, row: &Row| stats.get(at).copied().flatten().is_some_and(|stat| stat.size == row.len);
        let lacking: Vec<ObjectId> = front
            .rows
            .iter()
            .enumerate()
            .filter(|(at, row)| row.left_out && !there(*at, row))
            .map(|(_, row)| row.id)
            .collect();
        if !lacking.is_empty() {
            return Err(ExchangeError::Missing { paths: paths_of(entry, &lacking) }.into());
        }
        let left_out: Vec<ObjectId> =
            front.rows.iter().filter(|row| row.left_out).map(|row| row.id).collect();
        let counts = store.rely_on(&left_out)?;
        let going: Vec<ObjectId> =
            left_out.into_iter().zip(counts).filter(|(_, counts)| !counts).map(|(id, _)| id).collect();
        if !going.is_empty() {
            return Err(ExchangeError::Missing { paths: paths_of(entry, &going) }.into());
        }
        let mut wanted: Vec<bool> = front.rows.iter().map(|row| !row.left_out).collect();
        let known: Vec<usize> = (0..wanted.len())
            .filter(|&at| front.rows.get(at).is_some_and(|row| !row.left_out && there(at, row)))
            .collect();
        if known.is_empty() {
            return Ok(wanted);
        }
        let rows = || known.iter().filter_map(|&at| front.rows.get(at).map(|row| (at, row)));
        let bytes = rows().fold(0, |sum: u64, (_, row)| sum.saturating_add(row.len));
        progress.begin(Phase::Verifying, known.len() as u64, bytes);
        let mut buffer = vec![0; BUFFER];
        for (at, row) in rows() {
            // Whatever is wrong with it, the bundle has it.
            let whole = reads_whole(store, &row.id, &mut buffer, progress);
            if progress.cancelled() {
                return Err(stem_stash::Error::Interrupted("nothing was imported").into());
            }
            if let Some(place) = wanted.get_mut(at) {
                *place = !whole || store.rely_on(&[row.id])? != [true];
            }
            progress.advance(1, 0);
        }
        Ok(wanted)
    }

    /// Whether what would be stored as it is has room.
    fn check_room(&self, needed: u64) -> Result<()> {
        // Stores that code what they are given need less, and nobody knows how much.
        if !self.store().capabilities().adopts_files {
            return Ok(());
        }
        let path = self.repository().muse().path();
        match available_space(path) {
            Some(available) if available < needed => {
                Err(stem_stash::Error::NoSpace { needed, available, path: path.to_path_buf() }.into())
            }
            _ => Ok(()),
        }
    }
}

/// The entry, if nothing is wrong with it.
fn checked(front: &Front, store: &dyn ObjectStore) -> Result<StashEntry> {
    let refused = |problem: String| Error::from(ExchangeError::Refused(problem));
    let ours = store.capabilities().algorithm;
    if front.algorithm != ours {
        return Err(ExchangeError::OtherIds { ours, theirs: front.algorithm }.into());
    }
    let entry = decode(&front.entry).map_err(|error| refused(error.to_string()))?;
    if encode(&entry).ok().as_deref() != Some(&*front.entry) {
        let problem = "its entry is not written as this program writes entries: use a newer one";
        return Err(refused(problem.into()));
    }
    let unfit = unfit_paths(&entry);
    if !unfit.is_empty() {
        return Err(refused(format!("control characters in the name of {}", some_of(&unfit))));
    }
    let mut named: Vec<ObjectId> = entry.manifest.iter().map(|(_, id)| *id).collect();
    named.sort_unstable();
    named.dedup();
    if named.iter().eq(front.rows.iter().map(|row| &row.id)) {
        Ok(entry)
    } else {
        let lost: Vec<ObjectId> = named
            .into_iter()
            .filter(|id| front.rows.binary_search_by_key(id, |row| row.id).is_err())
            .collect();
        let paths = paths_of(&entry, &lost);
        Err(refused(if paths.is_empty() {
            "its table has objects that the entry does not name".into()
        } else {
            format!("its table does not have the objects of {}", some_of(&paths))
        }))
    }
}

/// Mode and mtime of each object, from the first path that has it; Muse keeps them with the object.
fn metadata(entry: &StashEntry) -> HashMap<ObjectId, FileMetadata> {
    let mut all = HashMap::new();
    for (at, (_, id)) in entry.manifest.iter().enumerate() {
        if let Some(FileRecord { mode, mtime, .. }) = entry.file(at) {
            // Whoever imports it has to be able to read it, and gets nobody else's rights by it.
            let mode = mode & 0o777 | 0o600;
            all.entry(*id).or_insert(FileMetadata { mode, mtime: *mtime });
        }
    }
    all
}

/// Whether the store has the object, every byte of it.
fn reads_whole(store: &dyn ObjectStore, id: &ObjectId, buffer: &mut [u8], progress: &dyn Progress) -> bool {
    let Ok(Some(mut object)) = store.open(id) else { return false };
    loop {
        match object.read(buffer) {
            Ok(0) => return true,
            Ok(len) => progress.advance(0, len as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
        if goes_on(progress).is_break() {
            return false;
        }
    }
}

/// Takes the objects of the bundle into the store.
struct Taker<'a> {
    store: &'a dyn ObjectStore,
    metadata: HashMap<ObjectId, FileMetadata>,
    dry_run: bool,
    progress: &'a dyn Progress,
    stored: Vec<ObjectId>,
    /// Objects and bytes since the last sync.
    unsynced: (usize, u64),
    objects: u64,
    bytes: u64,
    stopped: bool,
}

impl Taker<'_> {
    fn take(&mut self, row: &Row, bytes: &mut dyn Read) -> std::result::Result<(), stem_store::Error> {
        let mut source = Watched { source: bytes, progress: self.progress, stopped: false };
        let taken = if self.dry_run {
            hash(self.store, row, &mut source)
        } else {
            let options = PutOptions {
                expected: Some(row.id),
                durability: Durability::AtSync,
                metadata: self.metadata.get(&row.id).copied(),
                checksum: false,
            };
            self.store.put(&mut source, &options).map(|put| put.written)
        };
        self.stopped |= source.stopped;
        let written = taken?;
        self.progress.advance(1, 0);
        if written != Written::Present {
            self.objects += 1;
            self.bytes = self.bytes.saturating_add(row.len);
        }
        if self.dry_run {
            return Ok(());
        }
        self.stored.push(row.id);
        let (objects, bytes) = self.unsynced;
        self.unsynced = (objects + 1, bytes.saturating_add(row.len));
        if self.unsynced.0 >= BATCH_OBJECTS || self.unsynced.1 >= BATCH_BYTES {
            self.store.sync()?;
            self.unsynced = (0, 0);
        }
        Ok(())
    }

    /// Keeps what was stored for the next import, as far as that is possible, and says what it is.
    fn give_up(&mut self) -> Vec<ObjectId> {
        if self.store.sync().is_err() {
            // It is the error before this one that is told.
            self.stored.clear();
        }
        std::mem::take(&mut self.stored)
    }
}

/// Compares the bytes with the id and stores nothing.
fn hash(
    store: &dyn ObjectStore,
    row: &Row,
    source: &mut dyn Read,
) -> std::result::Result<Written, stem_store::Error> {
    let mut hasher = Hasher::new(store.capabilities().algorithm);
    let mut buffer = vec![0; BUFFER];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => hasher.update(buffer.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(stem_store::Error::from_source(store.name(), error)),
        }
    }
    let found = hasher.finish().id;
    if found == row.id {
        Ok(Written::New)
    } else {
        Err(stem_store::Error::wrong_hash(store.name(), &row.id, &found))
    }
}

/// An object on its way in, whose progress is told, and which ends when the user wants to stop.
struct Watched<'a> {
    source: &'a mut dyn Read,
    progress: &'a dyn Progress,
    stopped: bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if goes_on(self.progress).is_break() {
            self.stopped = true;
            return Err(io::Error::other(stem_store::Stopped));
        }
        let len = self.source.read(buf)?;
        self.progress.advance(0, len as u64);
        Ok(len)
    }
}

/// What went wrong with an object, in the words of an import.
fn told(entry: &StashEntry, error: stem_store::Error, stopped: bool) -> Error {
    if stopped {
        let words = "no entry was added. What was stored stays, and importing the same bundle again goes on from there";
        return stem_stash::Error::Interrupted(words).into();
    }
    match (error.kind(), error.id()) {
        (stem_store::ErrorKind::WrongHash, Some(id)) => {
            let paths: Vec<RelPath> = paths_of(entry, &[*id]);
            ExchangeError::Refused(format!("the bytes of {} are not those of their id {id}", some_of(&paths)))
                .into()
        }
        _ => error.into(),
    }
}
