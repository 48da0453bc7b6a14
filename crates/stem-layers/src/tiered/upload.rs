//! From the queue to the slower store.
//!
//! What arrives is put, not merely looked for: a put that finds the object there rehashes it or replaces it (contract 5), so
//! that a rotten copy over there never lets the good one here go. Only what mending suspects is looked for first.

use std::collections::HashSet;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Durability, Error, ErrorKind, Maintain, ObjectRead, ObjectStore as _, Operation, PutOptions, Result,
    Stopped,
};

use super::format::{ListKind, Row};
use super::state::{Alone, Segment};
use super::{Inner, Writing};

/// Most objects that are sent before the slower store is synced and asked.
const BATCH_OBJECTS: usize = 4096;
/// Most bytes, if that is more than one object.
const BATCH_BYTES: u64 = 64 << 20;
/// How many objects are sent at once.
const SENDERS: usize = 8;
/// The pause after a failure; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What became of one object.
enum Sent {
    /// It was put.
    Put,
    /// The cache does not have it any more.
    Gone,
    /// The cache cannot give it.
    Held(Error),
}

impl Inner {
    /// Sends everything that is queued now. An object that the cache cannot give does not keep the others back: those are the
    /// answer.
    pub(super) fn send(&self, stop: &AtomicBool) -> Result<Vec<(Row, Error)>> {
        let names = self.state.queue_names()?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let _alone = self.state.alone(Alone::Upload)?;
        self.send_lists(stop)
    }

    /// As [`send`](Self::send), unless another process is at it: then `false`.
    fn send_unless_busy(&self, stop: &AtomicBool) -> Result<bool> {
        let Some(_alone) = self.state.try_alone(Alone::Upload)? else { return Ok(false) };
        match self.send_lists(stop)?.into_iter().next() {
            None => Ok(true),
            Some((_, error)) => Err(error),
        }
    }

    fn send_lists(&self, stop: &AtomicBool) -> Result<Vec<(Row, Error)>> {
        let mut held = Vec::new();
        for name in self.state.queue_names()? {
            if let Some(segment) = self.state.segment(&name)? {
                held.extend(self.send_list(segment, stop)?);
            }
        }
        self.arrived();
        Ok(held)
    }

    /// Sends one list, and says what of it stays, and why.
    fn send_list(&self, mut segment: Segment, stop: &AtomicBool) -> Result<Vec<(Row, Error)>> {
        let rows = std::mem::take(&mut segment.list.rows);
        let mut kept: Vec<(Row, Error)> = Vec::new();
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(batch_len(rest));
            rest = after;
            let held =
                self.send_batch(batch, segment.list.kind, stop).inspect_err(|_| self.remote.forget())?;
            kept.extend(held);
            let open: Vec<Row> = kept.iter().map(|(row, _)| row).chain(rest).copied().collect();
            self.state.shorten(&segment, open)?;
        }
        Ok(kept)
    }

    /// Sends, syncs and asks. What the cache could not give is the answer.
    fn send_batch(&self, rows: &[Row], kind: ListKind, stop: &AtomicBool) -> Result<Vec<(Row, Error)>> {
        let remote = self.remote.get(Operation::Put)?;
        let mut todo = rows.to_vec();
        if kind == ListKind::Suspected {
            let there = present(&*remote, &todo)?;
            let ids: Vec<ObjectId> = there.iter().copied().collect();
            let relied = remote.rely_on(&ids)?;
            let counts: HashSet<ObjectId> =
                ids.into_iter().zip(relied).filter(|(_, counts)| *counts).map(|(id, _)| id).collect();
            todo.retain(|(id, _)| !counts.contains(id));
            if todo.is_empty() {
                remote.sync()?;
            }
        }
        let results = Mutex::new((Vec::new(), None::<Error>));
        let (next, broken) = (AtomicUsize::new(0), AtomicBool::new(false));
        let work = || {
            while !broken.load(Ordering::Relaxed) {
                let Some(row) = todo.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                match self.send_one(&*remote, row, stop) {
                    Ok(sent) => results.lock().0.push((*row, sent)),
                    Err(error) => {
                        broken.store(true, Ordering::Relaxed);
                        results.lock().1 = Some(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..SENDERS.min(todo.len()) {
                // Without another thread this one does it all.
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        let (results, failed) = results.into_inner();
        if let Some(error) = failed {
            return Err(error);
        }
        if todo.is_empty() {
            return Ok(Vec::new());
        }
        remote.sync()?;
        let (mut held, mut arrived, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (row, sent) in results {
            match sent {
                Sent::Put => arrived.push(row),
                Sent::Gone => gone.push(row),
                Sent::Held(error) => held.push((row, error)),
            }
        }
        if !gone.is_empty() && self.cache_is_empty()? {
            // Not removed one by one: most likely the directory is not what it was. What waits is not forgotten for that.
            let there = present(&*remote, &gone)?;
            for row in gone.into_iter().filter(|(id, _)| !there.contains(id)) {
                let error = Error::new(ErrorKind::Unavailable, Operation::Read, self.name())
                    .with_id(&row.0)
                    .with_reason(
                        "it waits to be sent, and the cache holds nothing at all: is its disk there?",
                    );
                held.push((row, error));
            }
        }
        let there = present(&*remote, &arrived)?;
        match arrived.iter().find(|(id, _)| !there.contains(id)) {
            None => Ok(held),
            Some((id, size)) => Err(Error::new(ErrorKind::Io, Operation::Put, remote.name())
                .with_id(id)
                .with_reason(format!(
                    "it took the object, {size} bytes, and does not show it now: it waits in the queue still"
                ))),
        }
    }

    pub(super) fn cache_is_empty(&self) -> Result<bool> {
        let mut empty = true;
        self.cache.list(&IdPrefix::ALL, &mut |_| {
            empty = false;
            ControlFlow::Break(())
        })?;
        Ok(empty)
    }

    /// Takes an object that is being removed out of the queue. The caller sends alone.
    pub(super) fn unqueue(&self, id: &ObjectId) -> Result<()> {
        self.puts.lock().pending.remove(id);
        for name in self.state.queue_names()? {
            if let Some(segment) = self.state.segment(&name)?
                && let Ok(at) = segment.list.rows.binary_search_by_key(id, |(id, _)| *id)
            {
                let mut rows = segment.list.rows.clone();
                rows.remove(at);
                self.state.shorten(&segment, rows)?;
            }
        }
        Ok(())
    }

    fn send_one(&self, remote: &dyn Maintain, (id, size): &Row, stop: &AtomicBool) -> Result<Sent> {
        let reader = match self.cache.open(id) {
            Ok(Some(reader)) => reader,
            Ok(None) => return Ok(Sent::Gone),
            Err(error) => return Ok(Sent::Held(error)),
        };
        if reader.len() != *size {
            let error = Error::corrupt(Operation::Read, self.name(), id)
                .with_reason(format!("it has {} bytes in the cache and had {size}", reader.len()));
            return Ok(Sent::Held(error));
        }
        let metadata = match self.cache.stat(id) {
            Ok(stat) => stat.and_then(|stat| stat.metadata),
            Err(error) => return Ok(Sent::Held(error)),
        };
        let options =
            PutOptions { expected: Some(*id), durability: Durability::AtSync, metadata, checksum: false };
        let mut source = Stoppable { reader, stop, failed: false };
        match remote.put(&mut source, &options) {
            Ok(_) => Ok(Sent::Put),
            Err(error) if source.failed => Ok(Sent::Held(error)),
            Err(error) => Err(error),
        }
    }
}

/// How many rows, from the first on, are sent together.
fn batch_len(rows: &[Row]) -> usize {
    let mut bytes = 0_u64;
    let fits = rows.iter().take(BATCH_OBJECTS).take_while(|(_, size)| {
        bytes = bytes.saturating_add(*size);
        bytes <= BATCH_BYTES
    });
    fits.count().max(1)
}

/// Those that the store says it has, with their size.
pub(super) fn present(store: &dyn Maintain, rows: &[Row]) -> Result<HashSet<ObjectId>> {
    let ids: Vec<ObjectId> = rows.iter().map(|(id, _)| *id).collect();
    let stats = store.stat_many(&ids)?;
    let there =
        rows.iter().zip(stats).filter(|((_, size), stat)| stat.is_some_and(|stat| stat.size == *size));
    Ok(there.map(|((id, _), _)| *id).collect())
}

/// An object on its way out, which ends when it shall.
struct Stoppable<'a> {
    reader: Box<dyn ObjectRead>,
    stop: &'a AtomicBool,
    failed: bool,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other(Stopped));
        }
        self.reader.read(buf).inspect_err(|error| self.failed |= error.kind() != io::ErrorKind::Interrupted)
    }
}

/// The thread that sends.
#[derive(Debug)]
pub(super) struct Background {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct SignalState {
    work: bool,
}

impl Background {
    pub(super) fn start(inner: &Arc<Inner>) -> Result<Self> {
        debug_assert_eq!(inner.options.writing, Writing::Back);
        let signal = Arc::new(Signal::default());
        let (theirs, weak) = (Arc::clone(&signal), Arc::downgrade(inner));
        let thread = std::thread::Builder::new()
            .name("stem-upload".to_owned())
            .spawn(move || run(&theirs, &weak))
            .map_err(|error| Error::from_io(Operation::OpenStore, inner.name(), error))?;
        Ok(Self { signal, thread: Some(thread) })
    }

    /// Something waits.
    pub(super) fn wake(&self) {
        self.signal.state.lock().work = true;
        self.signal.changed.notify_all();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.signal.stop.store(true, Ordering::Relaxed);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // What it could not do stays in the queue.
            let _ = thread.join();
        }
    }
}

fn run(signal: &Signal, inner: &Weak<Inner>) {
    let mut pause = None;
    loop {
        let mut state = signal.state.lock();
        match pause {
            None => signal.changed.wait_while(&mut state, |state| !state.work),
            // New work is no reason to ask a store that does not answer more often.
            Some(pause) if !signal.stop.load(Ordering::Relaxed) => {
                let _ = signal.changed.wait_for(&mut state, pause);
            }
            Some(_) => {}
        }
        state.work = false;
        drop(state);
        if signal.stop.load(Ordering::Relaxed) {
            return;
        }
        let Some(inner) = inner.upgrade() else { return };
        pause = match inner.send_unless_busy(&signal.stop) {
            Ok(true) => None,
            Ok(false) => Some(FIRST_PAUSE),
            Err(_) if signal.stop.load(Ordering::Relaxed) => return,
            Err(error) => {
                tracing::warn!(store = inner.name(), %error, "objects wait to be sent");
                Some(pause.map_or(FIRST_PAUSE, |pause: Duration| (pause * 2).min(LONGEST_PAUSE)))
            }
        };
    }
}
