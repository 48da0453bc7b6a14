//! Reading what is not in the cache: fetched once, however many ask.
//!
//! In one process whoever comes later waits for the first and then looks again. Between processes a large object has a lock
//! file; small ones may be fetched twice, which costs less than the lock.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::{Condvar, Mutex};
use stem_hash::ObjectId;
use stem_store::{Durability, Error, ErrorKind, ObjectRead, Operation, PutOptions, Result};

use super::{FETCHED_BYTES, FETCHED_OBJECTS, Inner};

/// From this size on an object is durable in the cache as soon as it is fetched, and fetched by one process at a time.
const LARGE: u64 = 4 << 20;

/// What came of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// It is in the cache.
    Cached,
    /// The cache cannot take it: read it where it is.
    Around,
    /// There is no such object.
    Absent,
}

/// A failure that several are told.
type Told = (ErrorKind, String);

/// A fetch that runs.
#[derive(Debug, Default)]
struct Flight {
    landed: Mutex<Option<std::result::Result<Fetched, Told>>>,
    waiting: Condvar,
}

/// The fetches that run.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<ObjectId, Arc<Flight>>>);

/// Ends a flight, also by a panic.
pub(super) struct Leader<'a> {
    flights: &'a Flights,
    id: &'a ObjectId,
    flight: Arc<Flight>,
    outcome: Option<std::result::Result<Fetched, Told>>,
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.flights.0.lock().remove(self.id);
        let broken = || Err((ErrorKind::Io, "the fetch broke off".to_owned()));
        *self.flight.landed.lock() = Some(self.outcome.take().unwrap_or_else(broken));
        self.flight.waiting.notify_all();
    }
}

impl Flight {
    fn wait(&self) -> std::result::Result<Fetched, Told> {
        let mut landed = self.landed.lock();
        loop {
            match &*landed {
                None => self.waiting.wait(&mut landed),
                Some(outcome) => return outcome.clone(),
            }
        }
    }
}

impl Flights {
    /// The lead of a fetch, or the fetch that runs.
    fn join<'a>(&'a self, id: &'a ObjectId) -> std::result::Result<Leader<'a>, Arc<Flight>> {
        let mut flights = self.0.lock();
        if let Some(flight) = flights.get(id) {
            return Err(Arc::clone(flight));
        }
        let flight = Arc::new(Flight::default());
        flights.insert(*id, Arc::clone(&flight));
        Ok(Leader { flights: self, id, flight, outcome: None })
    }
}

impl Inner {
    /// Waits for a fetch of this object to end, and lets no other begin while the answer lives. Who wants to fetch it
    /// meanwhile is told that it is not there: it is being removed.
    pub(super) fn hold_fetches<'a>(&'a self, id: &'a ObjectId) -> Leader<'a> {
        loop {
            match self.flights.join(id) {
                Ok(mut leader) => {
                    leader.outcome = Some(Ok(Fetched::Absent));
                    return leader;
                }
                Err(flight) => {
                    let _ = flight.wait();
                }
            }
        }
    }

    /// Brings the object into the cache, or waits for whoever does.
    pub(super) fn fetch(&self, id: &ObjectId) -> Result<Fetched> {
        let mut leader = match self.flights.join(id) {
            Ok(leader) => leader,
            Err(flight) => {
                return flight.wait().map_err(|(kind, reason)| {
                    Error::new(kind, Operation::Read, self.name()).with_id(id).with_reason(reason)
                });
            }
        };
        let fetched = self.fetch_alone(id);
        leader.outcome = Some(match &fetched {
            Ok(fetched) => Ok(*fetched),
            Err(error) => Err((error.kind(), error.to_string())),
        });
        fetched
    }

    fn fetch_alone(&self, id: &ObjectId) -> Result<Fetched> {
        // Whoever was the leader before may have ended between our look and our turn.
        if !self.is_suspect(id) && self.cache.stat(id)?.is_some() {
            return Ok(Fetched::Cached);
        }
        let found = self.remote.ask(Operation::Read, Some(id), |remote| {
            let Some(reader) = remote.open(id)? else { return Ok(None) };
            let metadata = if self.capabilities.keeps_metadata {
                remote.stat(id)?.and_then(|stat| stat.metadata)
            } else {
                None
            };
            Ok(Some((reader, metadata)))
        })?;
        let Some((reader, metadata)) = found else { return Ok(Fetched::Absent) };
        let len = reader.len();
        if self.options.size.is_some_and(|size| len > size) {
            return Ok(Fetched::Around);
        }
        let large = len >= LARGE;
        let _one = if large { self.state.fetching(id).ok() } else { None };
        if large && !self.is_suspect(id) && self.cache.stat(id)?.is_some() {
            return Ok(Fetched::Cached);
        }
        let durability = if large { Durability::Immediate } else { Durability::AtSync };
        let options = PutOptions { expected: Some(*id), durability, metadata, checksum: false };
        let mut source = Source { reader, failed: false };
        match self.cache.put(&mut source, &options) {
            Ok(_) => {}
            Err(error) if source.failed => {
                if error.kind() == ErrorKind::Unavailable {
                    self.remote.forget();
                }
                return Err(error);
            }
            // A full disk, or one that is read-only, is no reason to read nothing.
            Err(_) => return Ok(Fetched::Around),
        }
        self.suspect.lock().remove(id);
        self.touch(id);
        if !large {
            self.count_fetched(len);
        }
        self.grow(len);
        Ok(Fetched::Cached)
    }

    /// Small objects that were fetched are made durable together.
    fn count_fetched(&self, len: u64) {
        let objects = self.fetched.0.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = self.fetched.1.fetch_add(len, Ordering::Relaxed) + len;
        if objects >= FETCHED_OBJECTS || bytes >= FETCHED_BYTES {
            // A sync that runs may be what fetches; the next one here does it.
            let Some(_one) = self.syncing.try_lock() else { return };
            self.fetched.0.store(0, Ordering::Relaxed);
            self.fetched.1.store(0, Ordering::Relaxed);
            // It publishes what was put and is not synced, too; the writer's note covers that until it is queued.
            if self.cache.sync().is_err() {
                let mut puts = self.puts.lock();
                puts.spent = true;
                puts.loose_end |= !puts.pending.is_empty();
            }
        }
    }

    fn is_suspect(&self, id: &ObjectId) -> bool {
        self.suspect.lock().contains(id)
    }

    /// The cached copy is damaged: the next read fetches it anew.
    pub(super) fn suspect(&self, id: &ObjectId) {
        self.suspect.lock().insert(*id);
    }

    /// Fetches an object over its damaged copy, if that is possible. Says whether it is whole now.
    pub(super) fn heal(&self, id: &ObjectId) -> bool {
        self.suspect(id);
        matches!(self.fetch(id), Ok(Fetched::Cached))
    }
}

/// A reader that remembers whose fault a failure was.
pub(super) struct Source {
    pub(super) reader: Box<dyn ObjectRead>,
    pub(super) failed: bool,
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf).inspect_err(|error| self.failed |= error.kind() != io::ErrorKind::Interrupted)
    }
}
