//! Copies of objects from one store into another: the work of `pack` and `unpack` ([`copy`]), and of replication
//! ([`missing`], [`replicate`]), which is done in batches, so that little is done twice when it is killed.
//!
//! Every object is verified on its way out (the reader of a store ends in an error when the bytes are not those of the
//! id) and on its way in (the other store is told the id that it must come to). What is copied is durable before the
//! answer is given, so the caller may remove the original. An object that cannot be read does not keep the others from
//! being copied; a store that cannot be written to ends the work.
//!
//! Objects go in the order in which the source reads them at the least cost. Large ones go one at a time, since stores
//! code and hash the parts of one object in parallel and each needs buffers; small ones go on all threads.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use stem_hash::ObjectId;
use stem_store::{
    Durability, Error, ErrorKind, ObjectRead, ObjectStat, ObjectStore, Operation, PutOptions, Result,
    Stopped, Written,
};

use crate::verify::BadObject;

/// From this size on an object is copied alone.
const LARGE: u64 = 4 << 20;

/// Follows a copy; called from any thread.
pub trait Observer: Sync {
    /// So many more objects and bytes are done.
    fn advance(&self, objects: u64, bytes: u64) {
        let _ = (objects, bytes);
    }

    /// Whether to stop. What has been copied until then stays copied.
    fn cancelled(&self) -> bool {
        false
    }
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Objects that the target now has, whole and durably, sorted; also those that it had before.
    pub ids: Vec<ObjectId>,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them it did not have before.
    pub new: u64,
    /// Objects that the source does not have (any more).
    pub absent: Vec<ObjectId>,
    /// Objects that the source cannot give.
    pub bad: Vec<BadObject>,
    /// Whether the observer stopped the work before its end.
    pub stopped: bool,
}

/// That both make their ids the same way; under another id nobody would find an object.
fn same_ids(from: &dyn ObjectStore, to: &dyn ObjectStore) -> Result<()> {
    let (ours, theirs) = (from.capabilities().algorithm, to.capabilities().algorithm);
    if ours == theirs {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, Operation::Put, to.name())
        .with_reason(format!("its ids are {theirs}, those of '{}' are {ours}", from.name())))
}

/// What one store has and another lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Objects that the target lacks, or has with another size, with their sizes; in the order in which reading them
    /// costs least.
    pub rows: Vec<(ObjectId, u64)>,
    /// Objects that it has, sorted.
    pub present: Vec<ObjectId>,
    /// Their bytes.
    pub present_bytes: u64,
    /// Objects that the source does not have, sorted.
    pub absent: Vec<ObjectId>,
    /// Whether the observer stopped the look before its end.
    pub stopped: bool,
}

impl Missing {
    /// The bytes of what is missing.
    pub fn bytes(&self) -> u64 {
        self.rows.iter().fold(0, |sum, (_, size)| sum.saturating_add(*size))
    }
}

/// How many objects are looked up at once.
const LOOKED_UP: usize = 4096;

/// Which of the objects `ids` have to be copied. Their bytes are not looked at.
///
/// # Errors
///
/// As for [`copy`].
pub fn missing(
    from: &dyn ObjectStore,
    to: &dyn ObjectStore,
    ids: &[ObjectId],
    observer: &dyn Observer,
) -> Result<Missing> {
    same_ids(from, to)?;
    let mut found = Missing::default();
    for part in ids.chunks(LOOKED_UP) {
        if observer.cancelled() {
            found.stopped = true;
            return Ok(found);
        }
        let (here, there) = (from.stat_many(part)?, to.stat_many(part)?);
        // Of what is there, what is going to stay: somebody else may be about to remove the rest.
        let same = |(id, (here, there)): (&ObjectId, (&Option<ObjectStat>, &Option<ObjectStat>))| {
            here.zip(*there).filter(|(here, there)| here.size == there.size).map(|_| *id)
        };
        let same: Vec<ObjectId> = part.iter().zip(here.iter().zip(&there)).filter_map(same).collect();
        let mut counts = to.rely_on(&same)?.into_iter();
        for ((id, here), there) in part.iter().zip(here).zip(there) {
            let there = there.filter(|there| {
                here.is_some_and(|here| here.size == there.size) && counts.next() == Some(true)
            });
            match (here, there) {
                (Some(_), Some(there)) => {
                    found.present.push(*id);
                    found.present_bytes = found.present_bytes.saturating_add(there.size);
                }
                (Some(here), _) => found.rows.push((*id, here.size)),
                (None, _) => found.absent.push(*id),
            }
        }
    }
    let rows = std::mem::take(&mut found.rows);
    let ids: Vec<ObjectId> = rows.iter().map(|(id, _)| *id).collect();
    found.rows = from.storage_order(&ids)?.into_iter().filter_map(|at| rows.get(at).copied()).collect();
    found.present.sort_unstable();
    found.absent.sort_unstable();
    Ok(found)
}

/// Objects that are copied before they are made durable; a kill costs no more than these.
const BATCH_OBJECTS: usize = 4096;
/// The same in bytes, from two objects on.
const BATCH_BYTES: u64 = 256 << 20;

/// Copies these objects, in batches that are durable one after the other. `copied` says what is done, also when this ends in an
/// error.
///
/// # Errors
///
/// As for [`copy`]. What was copied before the error stays.
pub fn replicate(
    from: &dyn ObjectStore,
    to: &dyn ObjectStore,
    rows: &[(ObjectId, u64)],
    observer: &dyn Observer,
    copied: &mut Copied,
) -> Result<()> {
    let mut rest = rows;
    while !rest.is_empty() {
        let mut bytes = 0_u64;
        let fits = rest.iter().take(BATCH_OBJECTS).take_while(|(_, size)| {
            bytes = bytes.saturating_add(*size);
            bytes <= BATCH_BYTES
        });
        let (batch, after) = rest.split_at(fits.count().max(1));
        rest = after;
        let ids: Vec<ObjectId> = batch.iter().map(|(id, _)| *id).collect();
        let part = copy(from, to, &ids, observer).inspect_err(|_| {
            // What is whole there need not be sent again. The error is the one before.
            let _ = to.sync();
        })?;
        copied.ids.extend(part.ids);
        copied.bytes += part.bytes;
        copied.new += part.new;
        copied.absent.extend(part.absent);
        copied.bad.extend(part.bad);
        copied.stopped |= part.stopped;
        if copied.stopped {
            break;
        }
    }
    copied.ids.sort_unstable();
    copied.absent.sort_unstable();
    copied.bad.sort_by_key(|bad| bad.id);
    Ok(())
}

/// Copies the objects `ids` and makes them durable.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] when the stores make their ids differently; whatever the target says. What was copied
/// before the error may be there or not, and never in part.
pub fn copy(
    from: &dyn ObjectStore,
    to: &dyn ObjectStore,
    ids: &[ObjectId],
    observer: &dyn Observer,
) -> Result<Copied> {
    same_ids(from, to)?;
    let stats = from.stat_many(ids)?;
    let mut absent = Vec::new();
    let (mut large, mut small) = (Vec::new(), Vec::new());
    for at in from.storage_order(ids)? {
        match (ids.get(at), stats.get(at).copied().flatten()) {
            (Some(id), Some(stat)) if stat.size >= LARGE => large.push((*id, stat)),
            (Some(id), Some(stat)) => small.push((*id, stat)),
            (Some(id), None) => absent.push(*id),
            (None, _) => {}
        }
    }
    let job = Job { from, to, observer, stop: AtomicBool::new(false), copied: Mutex::default() };
    for (id, stat) in &large {
        if !job.goes_on() {
            break;
        }
        job.one(id, stat)?;
    }
    job.in_parallel(&small)?;
    settle(from, to)?;
    let stopped = job.stop.into_inner();
    let mut copied = job.copied.into_inner().unwrap_or_else(PoisonError::into_inner);
    copied.absent.append(&mut absent);
    copied.ids.sort_unstable();
    copied.absent.sort_unstable();
    copied.bad.sort_by_key(|bad| bad.id);
    copied.stopped = stopped;
    Ok(copied)
}

/// How often what a store lost is put again.
const TRIES: usize = 3;

/// Makes everything durable that was put into `to`, or relied on. What it found there and somebody else removed meanwhile is put again, as
/// long as `from` has it.
///
/// # Errors
///
/// Whatever the target says, [`ErrorKind::Lost`] too.
pub fn settle(from: &dyn ObjectStore, to: &dyn ObjectStore) -> Result<()> {
    for _ in 0..TRIES {
        let error = match to.sync() {
            Err(error) if error.kind() == ErrorKind::Lost => error,
            other => return other,
        };
        for id in error.lost() {
            let (Some(stat), Some(mut source)) = (from.stat(id)?, from.open(id)?) else { return Err(error) };
            let options = PutOptions {
                expected: Some(*id),
                durability: Durability::AtSync,
                metadata: stat.metadata,
                checksum: false,
            };
            to.put(&mut source, &options)?;
        }
    }
    to.sync()
}

struct Job<'a> {
    from: &'a dyn ObjectStore,
    to: &'a dyn ObjectStore,
    observer: &'a dyn Observer,
    stop: AtomicBool,
    copied: Mutex<Copied>,
}

impl Job<'_> {
    fn goes_on(&self) -> bool {
        if self.observer.cancelled() {
            self.stop.store(true, Ordering::Relaxed);
        }
        !self.stop.load(Ordering::Relaxed)
    }

    fn in_parallel(&self, items: &[(ObjectId, stem_store::ObjectStat)]) -> Result<()> {
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        rayon::scope(|scope| {
            for _ in 0..rayon::current_num_threads().min(items.len()) {
                scope.spawn(|_| {
                    while self.goes_on() {
                        let Some((id, stat)) = items.get(next.fetch_add(1, Ordering::Relaxed)) else {
                            return;
                        };
                        if let Err(error) = self.one(id, stat) {
                            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                            next.store(items.len(), Ordering::Relaxed);
                            return;
                        }
                    }
                });
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Copies one object. An error is one of the target; what is wrong with the source is noted.
    fn one(&self, id: &ObjectId, stat: &stem_store::ObjectStat) -> Result<()> {
        let bad = |error: &Error| BadObject {
            id: *id,
            reason: crate::verify::words(error),
            denied: error.kind() == ErrorKind::PermissionDenied,
        };
        let source = match self.from.open(id) {
            Ok(Some(source)) => source,
            Ok(None) => {
                self.note(|copied| copied.absent.push(*id));
                return Ok(());
            }
            Err(error) => {
                self.note(|copied| copied.bad.push(bad(&error)));
                return Ok(());
            }
        };
        let len = source.len();
        let mut source = Counted { source, job: self, told: 0, failed: false };
        let options = PutOptions {
            expected: Some(*id),
            durability: Durability::AtSync,
            metadata: stat.metadata,
            checksum: false,
        };
        let put = self.to.put(&mut source, &options);
        let (failed, told) = (source.failed, source.told);
        match put {
            Ok(put) => {
                self.observer.advance(1, len.saturating_sub(told));
                self.note(|copied| {
                    copied.ids.push(*id);
                    copied.bytes += len;
                    copied.new += u64::from(put.written == Written::New);
                });
                Ok(())
            }
            Err(_) if self.stop.load(Ordering::Relaxed) => Ok(()),
            Err(error) if failed => {
                self.note(|copied| copied.bad.push(bad(&error)));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn note(&self, change: impl FnOnce(&mut Copied)) {
        change(&mut self.copied.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A source that tells its progress, stops when it is told to, and remembers whose fault a failure was.
struct Counted<'a> {
    source: Box<dyn ObjectRead>,
    job: &'a Job<'a>,
    told: u64,
    failed: bool,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.job.goes_on() {
            return Err(io::Error::other(Stopped));
        }
        let count = self.source.read(buf).inspect_err(|error| {
            self.failed |= error.kind() != io::ErrorKind::Interrupted;
        })?;
        self.told += count as u64;
        self.job.observer.advance(0, count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stem_hash::Algorithm;
    use stem_store::{MemoryStore, ObjectStoreExt};

    struct Silent;
    impl Observer for Silent {}

    /// Stops after so many bytes.
    struct Limited(AtomicUsize);
    impl Observer for Limited {
        fn advance(&self, _: u64, bytes: u64) {
            let bytes = usize::try_from(bytes).unwrap();
            let _ = self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
        }
        fn cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) == 0
        }
    }

    fn filled() -> (MemoryStore, Vec<ObjectId>) {
        let store = MemoryStore::new(Algorithm::Sha256);
        let mut objects: Vec<Vec<u8>> = (0..200_u32).map(|n| n.to_le_bytes().repeat(100)).collect();
        objects.push(vec![7; 5 << 20]);
        objects.push(Vec::new());
        let ids = objects.iter().map(|bytes| store.put_bytes(bytes).unwrap().digest.id).collect();
        (store, ids)
    }

    #[test]
    fn everything_arrives_and_what_is_there_counts_as_old() {
        let (from, ids) = filled();
        let to = MemoryStore::new(Algorithm::Sha256);
        let gone = ObjectId::from_bytes([9; 32]);
        let asked: Vec<ObjectId> = ids.iter().copied().chain([gone]).collect();
        let copied = copy(&from, &to, &asked, &Silent).unwrap();
        assert_eq!((copied.ids.len(), copied.new), (202, 202));
        assert_eq!(copied.bytes, 200 * 400 + (5 << 20));
        assert_eq!(copied.absent, [gone]);
        assert!(copied.bad.is_empty() && !copied.stopped);
        for id in &ids {
            assert_eq!(to.get(id, 1 << 30).unwrap(), from.get(id, 1 << 30).unwrap());
        }
        let again = copy(&from, &to, &ids, &Silent).unwrap();
        assert_eq!((again.ids.len(), again.new), (202, 0));
    }

    #[test]
    fn a_stop_keeps_what_was_copied() {
        let (from, ids) = filled();
        let to = MemoryStore::new(Algorithm::Sha256);
        let copied = copy(&from, &to, &ids[..200], &Limited(AtomicUsize::new(10_000))).unwrap();
        assert!(copied.stopped && !copied.ids.is_empty() && copied.ids.len() < 200);
        assert_eq!(to.ids(&stem_hash::IdPrefix::ALL).unwrap(), copied.ids);
        // In the middle of a large object nothing of it is left.
        let to = MemoryStore::new(Algorithm::Sha256);
        let copied = copy(&from, &to, &ids[200..201], &Limited(AtomicUsize::new(1))).unwrap();
        assert!(copied.stopped && copied.ids.is_empty());
        assert!(to.ids(&stem_hash::IdPrefix::ALL).unwrap().is_empty());
    }

    #[test]
    fn a_damaged_object_stays_where_it_is_and_the_others_go() {
        let dir = tempfile::tempdir().unwrap();
        let options = stem_sharded::Options { algorithm: None };
        let from = stem_sharded::ShardedStore::open(&dir.path().join("objects"), &options).unwrap();
        let ids: Vec<ObjectId> =
            [&b"kick"[..], b"snare"].iter().map(|bytes| from.put_bytes(bytes).unwrap().digest.id).collect();
        let path = dir.path().join("objects").join(stem_sharded::object_path(&ids[0]).to_path());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, b"kicK").unwrap();
        let to = MemoryStore::new(Algorithm::Sha256);
        let copied = copy(&from, &to, &ids, &Silent).unwrap();
        assert_eq!(copied.ids, [ids[1]]);
        assert_eq!(copied.bad.len(), 1);
        assert_eq!(copied.bad[0].id, ids[0]);
        assert_eq!(to.ids(&stem_hash::IdPrefix::ALL).unwrap(), [ids[1]]);
    }

    #[test]
    fn only_what_is_missing_is_copied_and_a_second_run_goes_on() {
        let (from, mut ids) = filled();
        let to = MemoryStore::new(Algorithm::Sha256);
        for id in &ids[..50] {
            from.copy_to(&to, id, &PutOptions::default()).unwrap().unwrap();
        }
        // Of another size it cannot be the object.
        to.damage(&ids[7], |bytes| bytes.push(0));
        let gone = ObjectId::from_bytes([9; 32]);
        ids.push(gone);
        let found = missing(&from, &to, &ids, &Silent).unwrap();
        assert_eq!((found.rows.len(), found.present.len(), found.absent.len()), (153, 49, 1));
        assert_eq!(found.bytes(), 151 * 400 + (5 << 20));
        let mut copied = Copied::default();
        replicate(&from, &to, &found.rows, &Limited(AtomicUsize::new(20_000)), &mut copied).unwrap();
        assert!(copied.stopped && copied.ids.len() < 153);
        let rest = missing(&from, &to, &ids, &Silent).unwrap();
        assert_eq!(rest.rows.len(), 153 - copied.ids.len());
        let mut copied = Copied::default();
        replicate(&from, &to, &rest.rows, &Silent, &mut copied).unwrap();
        assert!(missing(&from, &to, &ids, &Silent).unwrap().rows.is_empty());
        assert_eq!(to.get(&ids[7], 1000).unwrap(), from.get(&ids[7], 1000).unwrap());
    }

    #[test]
    fn stores_with_other_ids_are_refused() {
        let (from, ids) = filled();
        let to = MemoryStore::new(Algorithm::Blake3);
        let error = copy(&from, &to, &ids, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("blake3"), "{error}");
    }
}
