//! The operations themselves, in the process that measures.
//!
//! Files go through a store as the stash drives it: on all threads, largest first, durable at one `sync`; what comes back
//! is verified by the fast checksum that a push records. Everything that comes back is then compared with the copy it was
//! made from, byte for byte, while the clock stands still.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rayon::prelude::*;
use stem_fs::{Dir, OpenFile, TempFile};
use stem_hash::{Digest, FileJob, HashObserver, HashOptions, IdPrefix, ObjectId, hash_many};
use stem_odb::{AnyStore, Base, open_store};
use stem_store::{Durability, FileSource, PutMethod, PutOptions, RepackOptions, RestoreOptions, Verify};

use crate::copies::plain;
use crate::error::{Error, Result, chain};
use crate::job::{Answer, Item, Job, Named, Put, Task};
use crate::measure::Meter;
use crate::model::{Class, ClassTime, Latencies};
use crate::random::Random;

/// Bytes and files that are brought back before they are compared.
const BATCH_BYTES: u64 = 256 << 20;
const BATCH_FILES: usize = 256;
/// Bytes of one range.
pub(crate) const RANGE: u64 = 64 << 10;
/// Without a second version, one object in so many is removed before the store is compacted.
const ONE_IN: usize = 4;
/// From how many bytes on a file is compared by itself.
const PIECE: usize = 256 << 10;

/// Is told of bytes, and says whether to go on.
pub(crate) type Told<'a> = &'a (dyn Fn(u64) -> ControlFlow<()> + Sync);

/// Does what the job asks, in `root`.
pub(crate) fn perform(job: &Job, root: &Path, told: Told<'_>, answer: &mut dyn FnMut(Answer)) {
    if let Err(error) = all(job, root, told, answer) {
        let full = error.is_full();
        answer(Answer::Failed { reason: chain(&error), full });
    }
}

fn all(job: &Job, root: &Path, told: Told<'_>, answer: &mut dyn FnMut(Answer)) -> Result<()> {
    stem_fs::raise_open_file_limit();
    if !job.cool.is_empty() {
        answer(Answer::Cooled(cool(&job.cool, root)?));
    }
    let url = job.url.parse().map_err(|error: stem_odb::Error| Error::Worker(chain(&error)))?;
    let base = root.join(&job.base);
    let store = open_store(&url, Base::Directory(&base)).map_err(opening)?;
    let mut work = Work {
        store,
        job,
        root: root.to_path_buf(),
        told,
        first: job.items.clone(),
        second: job.second.clone(),
        busy: Busy::default(),
    };
    for &task in &job.operations {
        match task {
            Task::Put => {
                let put = work.put(task, &job.from, &job.items)?;
                for (item, named) in work.first.iter_mut().zip(&put.digests) {
                    item.digest = Some(*named);
                }
                answer(Answer::Classes(task, work.busy.take()));
                answer(Answer::Stored(Box::new(put)));
            }
            Task::PutSecond => {
                let put = work.put(task, &job.second_from, &job.second)?;
                for (item, named) in work.second.iter_mut().zip(&put.digests) {
                    item.digest = Some(*named);
                }
                work.busy.take();
                answer(Answer::Stored(Box::new(put)));
            }
            Task::Get => {
                let operation = work.get()?;
                answer(Answer::Classes(task, work.busy.take()));
                answer(Answer::Done(task, operation));
            }
            Task::Ranges => answer(Answer::Read(work.ranges()?)),
            Task::Stat => answer(Answer::Done(task, work.stat()?)),
            Task::List => answer(Answer::Done(task, work.list()?)),
            Task::Reclaim => answer(Answer::Done(task, work.reclaim()?)),
            Task::Clear => work.clear()?,
        }
    }
    Ok(())
}

fn opening(error: stem_odb::Error) -> Error {
    match error {
        stem_odb::Error::Store(error) => Error::Store(error),
        stem_odb::Error::Fs(error) => Error::Fs(error),
        other => Error::Worker(chain(&other)),
    }
}

/// Takes the files below the directories out of the cache; says whether that worked for nearly all bytes.
fn cool(places: &[String], root: &Path) -> Result<bool> {
    let (mut all, mut cold) = (0_u64, 0_u64);
    for place in places {
        crate::usage::each_file(&Dir::open(&root.join(place))?, &mut |dir, name| {
            if let Some(file) = dir.open_file(name)? {
                let size = file.stat()?.size;
                all += size;
                if stem_fs::drop_cached(file.as_std()) {
                    cold += size;
                }
            }
            Ok(())
        })?;
    }
    Ok(all > 0 && cold >= all - all / 50)
}

struct Work<'a> {
    store: AnyStore,
    job: &'a Job,
    root: PathBuf,
    told: Told<'a>,
    first: Vec<Item>,
    second: Vec<Item>,
    busy: Busy,
}

/// How long threads were busy with the files of each class.
#[derive(Default)]
struct Busy(Mutex<BTreeMap<Class, ClassTime>>);

impl Busy {
    /// Does something with a file, and notes how long it took.
    fn with<T>(&self, item: &Item, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.add(item.class, begun.elapsed().as_secs_f64(), 1, item.size);
        done
    }

    fn add(&self, class: Class, thread_seconds: f64, files: u64, bytes: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all.entry(class).or_default();
        one.thread_seconds += thread_seconds;
        one.files += files;
        one.bytes += bytes;
    }

    fn take(&self) -> BTreeMap<Class, ClassTime> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the bytes of a hash pass, and stops it.
struct Hashing<'a>(Told<'a>, std::sync::atomic::AtomicBool);

impl HashObserver for Hashing<'_> {
    fn progress(&self, bytes: u64) {
        if (self.0)(bytes).is_break() {
            self.1.store(true, Ordering::Relaxed);
        }
    }
    fn cancelled(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}

impl Work<'_> {
    const OPTIONS: PutOptions =
        PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: true };

    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Worker(format!("'{}': {}", self.store.name(), reason.into()))
    }

    fn put(&self, task: Task, from: &str, items: &[Item]) -> Result<Put> {
        let dir = Dir::open(&self.root.join(from))?;
        let mut meter = Meter::new();
        meter.start();
        let digests = if self.job.way == crate::strategy::Way::Adopt {
            self.adopt(&dir, items)?
        } else {
            self.put_files(&dir, items)?
        };
        self.store.sync()?;
        let bytes = items.iter().map(|item| item.size).sum();
        let operation = meter.finish(bytes, items.len() as u64);
        let named = digests.iter().map(|digest| Named { id: digest.id, checksum: digest.checksum });
        Ok(Put { task, operation, digests: named.collect(), bytes: self.store.stored_bytes()? })
    }

    fn put_files(&self, dir: &Dir, items: &[Item]) -> Result<Vec<Digest>> {
        let done: Vec<Mutex<Option<Digest>>> = items.iter().map(|_| Mutex::new(None)).collect();
        self.each(items, |at, item| {
            let digest = self.busy.with(item, || self.put_one(dir, item))?;
            if digest.len != item.size {
                return Err(self.wrong(format!("'{}' was stored with {} bytes", item.name, digest.len)));
            }
            if let Some(place) = done.get(at) {
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
            }
            Ok(())
        })?;
        let digests = done.into_iter().filter_map(|d| d.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(digests.collect())
    }

    fn put_one(&self, dir: &Dir, item: &Item) -> Result<Digest> {
        use crate::strategy::Way;
        let file = open(dir, &item.name)?;
        let source = FileSource { progress: Some(self.told), ..FileSource::new(&file, file.stat()?) };
        if self.job.way == Way::Stream {
            return Ok(self.store.put(&mut source.reader(), &Self::OPTIONS)?.digest);
        }
        let put = self.store.put_file(&source, &Self::OPTIONS)?;
        if self.job.way == Way::Clone && matches!(put.method, PutMethod::Copied) {
            return Err(self.wrong("blocks cannot be shared on this file system"));
        }
        Ok(put.digest)
    }

    /// As a push does it: hashed under our own eyes, then renamed.
    fn adopt(&self, dir: &Dir, items: &[Item]) -> Result<Vec<Digest>> {
        let options = HashOptions::new(self.store.capabilities().algorithm).and_checksum();
        let mut digests = vec![None; items.len()];
        // Class by class, for many files are hashed at once and the clock sees only all of them.
        let mut order: Vec<(usize, &Item)> = items.iter().enumerate().collect();
        order.sort_by_key(|(_, item)| item.class);
        let one_class = order.chunk_by(|(_, before), (_, after)| before.class == after.class);
        for batch in one_class.flat_map(|class| class.chunks(BATCH_FILES)) {
            let files = batch.iter().map(|(_, item)| open(dir, &item.name)).collect::<Result<Vec<_>>>()?;
            // Nobody else knows these files.
            let safe: &(dyn Fn() -> bool + Sync) = &|| true;
            let jobs: Vec<FileJob<'_>> = files
                .iter()
                .zip(batch)
                .map(|(file, (_, item))| FileJob {
                    safe_to_map: Some(safe),
                    ..FileJob::new(file.as_std(), item.size)
                })
                .collect();
            let observer = Hashing(self.told, std::sync::atomic::AtomicBool::new(false));
            let begun = Instant::now();
            let hashed = hash_many(&jobs, &options, &observer);
            let threads = u32::try_from(rayon::current_num_threads()).unwrap_or(1);
            if let Some((_, first)) = batch.first() {
                self.busy.add(first.class, begun.elapsed().as_secs_f64() * f64::from(threads), 0, 0);
            }
            if observer.cancelled() {
                return Err(Error::Interrupted);
            }
            let work: Vec<_> = batch.iter().zip(&files).zip(hashed).collect();
            let adopted: Vec<Digest> = work
                .into_par_iter()
                .map(|((&(_, item), file), hashed)| {
                    let digest = hashed.map_err(|e| Error::io("hash", file.path(), e))?;
                    let path = plain(&item.name)?;
                    let source = FileSource {
                        known: Some(digest),
                        place: Some((dir, &path)),
                        take: true,
                        ..FileSource::new(file, file.stat()?)
                    };
                    let put = self.busy.with(item, || self.store.put_file(&source, &Self::OPTIONS))?;
                    if matches!(put.method, PutMethod::Copied | PutMethod::Cloned) {
                        return Err(self.wrong("it takes no files by moving them"));
                    }
                    Ok(digest)
                })
                .collect::<Result<_>>()?;
            for ((at, _), digest) in batch.iter().zip(adopted) {
                if let Some(place) = digests.get_mut(*at) {
                    *place = Some(digest);
                }
            }
        }
        Ok(digests.into_iter().flatten().collect())
    }

    /// Runs `work` on all items, largest first, on all threads; the first error stops all.
    fn each(&self, items: &[Item], work: impl Fn(usize, &Item) -> Result<()> + Sync) -> Result<()> {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(items.get(at).map_or(0, |item| item.size)));
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        rayon::scope(|scope| {
            for _ in 0..rayon::current_num_threads().min(items.len()) {
                scope.spawn(|_| {
                    while let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let stopped = (self.told)(0).is_break().then_some(Error::Interrupted);
                        let done =
                            stopped.map_or_else(|| items.get(at).map_or(Ok(()), |item| work(at, item)), Err);
                        if let Err(error) = done {
                            next.store(order.len(), Ordering::Relaxed);
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        }
                    }
                });
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn get(&self) -> Result<crate::model::Operation> {
        let named: Vec<(&Item, Named)> = self.first.iter().filter_map(|i| Some((i, i.digest?))).collect();
        let ids: Vec<ObjectId> = named.iter().map(|(_, named)| named.id).collect();
        let (pristine, to) = (
            Dir::open(&self.root.join(&self.job.pristine))?,
            Dir::open(&self.root.join(&self.job.restored))?,
        );
        let mut meter = Meter::new();
        meter.start();
        let mut order = self.store.storage_order(&ids)?.into_iter().peekable();
        meter.stop();
        let mut bytes = 0;
        while order.peek().is_some() {
            let mut batch = Vec::new();
            let mut size = 0;
            while batch.len() < BATCH_FILES
                && let Some(&(item, named)) = order.peek().and_then(|&at| named.get(at))
                && (batch.is_empty() || size + item.size <= BATCH_BYTES)
            {
                size += item.size;
                batch.push((item, named));
                order.next();
            }
            if batch.is_empty() {
                return Err(self.wrong("its order of reading names an object that was not asked for"));
            }
            meter.start();
            let back: Vec<(TempFile, &Item)> = batch
                .par_iter()
                .map(|&(item, named)| Ok((self.busy.with(item, || self.restore(&to, item, &named))?, item)))
                .collect::<Result<_>>()?;
            meter.stop();
            back.par_iter().try_for_each(|(temp, item)| self.compare(&pristine, temp, item))?;
            bytes += size;
        }
        Ok(meter.finish(bytes, named.len() as u64))
    }

    fn restore(&self, to: &Dir, item: &Item, named: &Named) -> Result<TempFile> {
        let mut temp = to.temp_file(0o600)?;
        let verify = named.checksum.map_or(Verify::Id, Verify::Checksum);
        let options = RestoreOptions { verify, progress: Some(self.told) };
        match self.store.restore_file(&named.id, &mut temp, &options)? {
            Some(_) => Ok(temp),
            None => Err(self.wrong(format!("'{}' was stored and is not there", item.name))),
        }
    }

    /// Every byte that came back.
    fn compare(&self, pristine: &Dir, temp: &TempFile, item: &Item) -> Result<()> {
        let differs = || self.wrong(format!("'{}' came back with other bytes", item.name));
        let original = open(pristine, &item.name)?;
        if temp.stat()?.size != item.size {
            return Err(differs());
        }
        let back = temp.as_std();
        let mut reader = io::BufReader::with_capacity(PIECE, back);
        io::Seek::rewind(&mut reader).map_err(|e| Error::io("read", temp.path(), e))?;
        let (mut theirs, mut ours) = (vec![0; PIECE], vec![0; PIECE]);
        let mut at = 0;
        while at < item.size {
            let len = usize::try_from(item.size - at).map_or(PIECE, |left| left.min(PIECE));
            let (theirs, ours) =
                (theirs.get_mut(..len).unwrap_or_default(), ours.get_mut(..len).unwrap_or_default());
            io::Read::read_exact(&mut reader, theirs).map_err(|e| Error::io("read", temp.path(), e))?;
            exact(&original, ours, at)?;
            if theirs != ours {
                return Err(differs());
            }
            at += len as u64;
        }
        Ok(())
    }

    fn ranges(&self) -> Result<Latencies> {
        let pristine = Dir::open(&self.root.join(&self.job.pristine))?;
        let items: Vec<(&Item, Named)> =
            self.first.iter().filter_map(|i| Some((i, i.digest?))).filter(|(i, _)| i.size > 0).collect();
        let mut ends = Vec::with_capacity(items.len());
        let mut total = 0_u64;
        for (item, _) in &items {
            total += item.size;
            ends.push(total);
        }
        let mut micros = Vec::new();
        let mut random = Random::new(self.job.seed);
        let mut buffer = vec![0; usize::try_from(RANGE).unwrap_or(0)];
        let mut original = buffer.clone();
        for _ in 0..if total == 0 { 0 } else { self.job.ranges } {
            if (self.told)(0).is_break() {
                return Err(Error::Interrupted);
            }
            let position = random.below(total);
            let at = ends.partition_point(|&end| end <= position);
            let Some(&(item, named)) = items.get(at) else { continue };
            let start = ends.get(at).map_or(0, |end| end - item.size);
            let offset = (position - start).min(item.size.saturating_sub(RANGE));
            let begun = std::time::Instant::now();
            let read = self.store.read_range(&named.id, offset, &mut buffer)?;
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
            let expected = usize::try_from(RANGE.min(item.size - offset)).unwrap_or(0);
            let ours = original.get_mut(..expected).unwrap_or_default();
            exact(&open(&pristine, &item.name)?, ours, offset)?;
            if read != Some(expected) || buffer.get(..expected) != Some(&*ours) {
                return Err(self.wrong(format!("a range of '{}' came back with other bytes", item.name)));
            }
        }
        micros.sort_by(f64::total_cmp);
        Ok(Latencies { bytes: RANGE, micros })
    }

    fn distinct(items: &[Item]) -> BTreeSet<ObjectId> {
        items.iter().filter_map(|item| item.digest.map(|named| named.id)).collect()
    }

    fn stat(&self) -> Result<crate::model::Operation> {
        let mut ids: Vec<ObjectId> = Self::distinct(&self.first).into_iter().collect();
        Random::new(self.job.seed).shuffle(&mut ids);
        let mut meter = Meter::new();
        let mut bytes = 0;
        meter.start();
        for id in &ids {
            match self.store.stat(id)? {
                Some(stat) => bytes += stat.size,
                None => return Err(self.wrong(format!("the object {id} was stored and is not there"))),
            }
        }
        Ok(meter.finish(bytes, ids.len() as u64))
    }

    fn list(&self) -> Result<crate::model::Operation> {
        let expected = Self::distinct(&self.first);
        let mut found = 0_usize;
        let mut meter = Meter::new();
        meter.start();
        self.store.list(&IdPrefix::ALL, &mut |id| {
            found += usize::from(expected.contains(&id));
            ControlFlow::Continue(())
        })?;
        let operation = meter.finish(0, found as u64);
        if found == expected.len() {
            Ok(operation)
        } else {
            Err(self.wrong(format!("it lists {found} of {} objects", expected.len())))
        }
    }

    /// Removes what the second version does not need (without one, every fourth object) and compacts.
    fn reclaim(&self) -> Result<crate::model::Operation> {
        let first = Self::distinct(&self.first);
        let second = Self::distinct(&self.second);
        let condemned: Vec<ObjectId> = if self.job.second.is_empty() {
            first.iter().copied().step_by(ONE_IN).collect()
        } else {
            first.difference(&second).copied().collect()
        };
        let mut meter = Meter::new();
        meter.start();
        for id in &condemned {
            if (self.told)(0).is_break() {
                return Err(Error::Interrupted);
            }
            self.store.remove(id)?;
        }
        self.store.sync()?;
        let going = |_| (self.told)(0);
        self.store.repack(&RepackOptions { all: false, progress: Some(&going) })?;
        let operation = meter.finish(0, condemned.len() as u64);
        let gone: BTreeSet<ObjectId> = condemned.into_iter().collect();
        let kept: Vec<ObjectId> = first.union(&second).filter(|id| !gone.contains(id)).copied().collect();
        if self.store.stat_many(&kept)?.iter().any(Option::is_none) {
            return Err(self.wrong("an object is gone that was not removed"));
        }
        Ok(operation)
    }

    fn clear(&self) -> Result<()> {
        // In a bucket nothing is removed object by object.
        if let Ok(url) = self.job.url.parse::<stem_odb::StoreUrl>()
            && stem_odb::erase_measured(&url).map_err(opening)?
        {
            return Ok(());
        }
        let mut ids = Vec::new();
        self.store.list(&IdPrefix::ALL, &mut |id| {
            ids.push(id);
            ControlFlow::Continue(())
        })?;
        for id in ids {
            self.store.remove(&id)?;
        }
        Ok(self.store.sync()?)
    }
}

fn open(dir: &Dir, name: &str) -> Result<OpenFile> {
    let path = plain(name)?;
    let absent = || Error::io("find", &dir.full(&path), io::ErrorKind::NotFound.into());
    dir.open_file(&path)?.ok_or_else(absent)
}

fn exact(file: &OpenFile, buffer: &mut [u8], offset: u64) -> Result<()> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => return Err(Error::io("read", file.path(), io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", file.path(), error)),
        }
    }
    Ok(())
}
