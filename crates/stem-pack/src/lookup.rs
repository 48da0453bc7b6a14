//! From an id to bytes that are known to be right.
//!
//! An id may stand in several packs. Each copy is tried until one is sound; a pack that vanished, or an index that does
//! not tell the truth, has the packs looked at again.

use std::io;
use std::sync::Arc;

use stem_hash::{Digest, ObjectId};
use stem_store::{FileMetadata, ObjectStat, Operation};

use crate::catalog::Hit;
use crate::crew;
use crate::format::{Attributes, ChunkEntry, Codec, Kind, chunk_id, dictionary_tag};
use crate::handle::{Core, TRIES};
use crate::index::{IndexEntry, Want};
use crate::lane::{Held, Small};
use crate::record::{Bad, PackFile, Record, Spot};
use crate::tools::Dictionary;

/// The kinds that answer for an object.
pub(crate) const OBJECTS: &[Kind] = &[Kind::Object, Kind::ChunkList];
/// How often what is damaged is fetched from a depot again.
const REREADS: usize = 2;
/// Dictionaries that are kept ready.
const DICTIONARIES: usize = 64;

/// What a copy is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read it: whatever can be read will do.
    Read,
    /// To say whether it is sound where it is kept: what was read of it before does not count.
    Verify,
    /// To rely on it, so that another copy need not be stored: the next handle has to find it, which takes a pack with a
    /// sound header, and an index that is still on disk or sound headers all the way.
    Keep,
}

/// An object of which one sound copy was found.
#[derive(Debug)]
pub(crate) enum Located {
    /// Its bytes, which have the id.
    Bytes(Arc<Small>),
    /// A chunk list whose payload agrees with its check.
    List(Record),
    /// There are copies, and none is sound.
    Bad {
        /// The object's length, as far as that is known.
        size: u64,
        bad: Bad,
    },
}

/// A copy of a record that may be looked at.
#[derive(Debug)]
struct Copy {
    spot: Spot,
    expected: Option<u64>,
    hit: Option<Hit>,
}

impl Core {
    /// Tries every copy of a record until `read` is content with one. `None`: there is no copy.
    pub(crate) fn each_copy<T>(
        &self,
        id: &ObjectId,
        want: Want,
        purpose: Purpose,
        mut read: impl FnMut(&Spot, Option<u64>) -> Result<T, Bad>,
    ) -> Result<Option<T>, Bad> {
        let mut worst = None;
        for _ in 0..TRIES {
            let waiting = match want {
                Want::Chunk => self.pending.chunk(id),
                Want::Object => match self.pending.held(id) {
                    Some(Held::Record(spot, _)) => Some(spot),
                    _ => None,
                },
                _ => None,
            };
            if want == Want::Object && waiting.is_none() && self.is_hidden(id)? {
                return Ok(None);
            }
            let waiting = waiting.map(|spot| Ok(Copy { spot, expected: None, hit: None }));
            let snapshot = self.catalog.current();
            let mut hits = match self.catalog.find(&snapshot, id, want, &self.place) {
                // A pack that cannot be looked into is in nobody's way.
                Err(_) if waiting.is_some() => Vec::new(),
                hits => hits?,
            };
            if purpose == Purpose::Keep {
                hits.retain(|hit| self.may_rely(hit.pack.id));
            }
            let found = hits.len() + usize::from(waiting.is_some());
            let published = hits.into_iter().map(|hit| {
                let spot = match purpose {
                    Purpose::Read => hit.spot(&self.catalog.open_files)?,
                    Purpose::Verify | Purpose::Keep => hit.fresh_spot(&self.catalog.open_files)?,
                };
                Ok(Copy { spot, expected: hit.entry.stored_len(), hit: Some(hit) })
            });
            let mut again = found == 0;
            for copy in waiting.into_iter().chain(published) {
                let bad = match copy {
                    Ok(copy) if purpose == Purpose::Keep && !copy.spot.pack.has_header() => {
                        Bad::damaged("the header of its pack is damaged")
                    }
                    Ok(Copy { spot, hit: Some(hit), .. })
                        if purpose == Purpose::Keep
                            && !self.catalog.leads_to(&hit, &spot.pack, want, &self.place) =>
                    {
                        Bad::damaged("its pack lost its index, and a header before it is damaged")
                    }
                    Ok(copy) => match (read_copy(&copy, &mut read), copy.hit) {
                        (Ok(value), hit) => {
                            if purpose == Purpose::Keep
                                && let Some(hit) = hit
                            {
                                self.relies(hit.pack.id);
                            }
                            return Ok(Some(value));
                        }
                        (Err(Bad::Vanished), Some(hit)) => {
                            self.catalog.vanished(&hit.pack);
                            Bad::Vanished
                        }
                        (Err(Bad::Misled(reason)), Some(hit)) => {
                            again |= self.catalog.distrust(&hit.pack, &self.place);
                            Bad::Misled(reason)
                        }
                        (Err(bad), _) => bad,
                    },
                    Err(bad) => bad,
                };
                again |= matches!(bad, Bad::Vanished);
                // What is said of a copy that was seen matters more than that another one is gone.
                if !matches!(worst, Some(Bad::Damaged(_) | Bad::Misled(_))) {
                    worst = Some(bad);
                }
            }
            if again && found == 0 && purpose == Purpose::Keep && self.depot.is_some() {
                // A list of the depot for each new object would cost more than storing what somebody else stored just now.
                break;
            }
            if !again {
                break;
            }
            // Another thread may have looked again between this one's two steps.
            let changed = self.refresh()? || !Arc::ptr_eq(&snapshot, &self.catalog.current());
            if !changed && found == 0 {
                break;
            }
            worst = None;
        }
        worst.map_or(Ok(None), Err)
    }

    /// Reads and decodes a chunk, whose bytes then are in `out` and have its id: a copy whose payload agrees with its
    /// check and lies nevertheless must not stand in the way of one that does not.
    pub(crate) fn read_chunk(
        &self,
        entry: &ChunkEntry,
        purpose: Purpose,
        out: &mut Vec<u8>,
    ) -> Result<(), Bad> {
        let found = self.each_copy(&entry.id, Want::Chunk, purpose, |spot, expected| {
            self.decode_chunk(spot, &entry.id, entry.len(), expected, out)
        })?;
        found.ok_or_else(|| Bad::damaged("a chunk of it is missing"))
    }

    /// As [`read_chunk`](Self::read_chunk), of this copy.
    pub(crate) fn decode_chunk(
        &self,
        spot: &Spot,
        id: &ObjectId,
        len: u64,
        expected: Option<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), Bad> {
        self.decode_at(spot, id, &[Kind::Chunk], expected, out)?;
        if out.len() as u64 != len {
            return Err(Bad::damaged("a chunk has another length than its list says"));
        }
        if chunk_id(out) != *id {
            return Err(Bad::damaged("the bytes of a chunk do not hash to its id"));
        }
        Ok(())
    }

    /// Whether a published chunk is there and sound, every byte of it, in a pack that can lose its index.
    pub(crate) fn verify_chunk(&self, id: &ObjectId, len: u64) -> bool {
        let snapshot = self.catalog.current();
        let Ok(hits) = self.catalog.find(&snapshot, id, Want::Chunk, &self.place) else { return false };
        hits.into_iter().filter(|hit| hit.entry.raw_len == len && self.may_rely(hit.pack.id)).any(|hit| {
            let Ok(spot) = hit.fresh_spot(&self.catalog.open_files) else { return false };
            let sound = spot.pack.has_header()
                && self.catalog.leads_to(&hit, &spot.pack, Want::Chunk, &self.place)
                && self.decode_chunk(&spot, id, len, hit.entry.stored_len(), &mut Vec::new()).is_ok();
            if sound {
                self.relies(hit.pack.id);
            }
            sound
        })
    }

    /// Decodes the record at `spot` into `out`; gives its attributes. The id is not checked.
    fn decode_at(
        &self,
        spot: &Spot,
        id: &ObjectId,
        kinds: &[Kind],
        expected: Option<u64>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Attributes>, Bad> {
        self.tools.with(|tool| {
            let mut bytes = std::mem::take(&mut tool.record);
            let decoded = spot.read(id, kinds, expected, &mut bytes).and_then(|(record, start)| {
                let payload = bytes.get(start..).unwrap_or_default();
                let (attributes, coded) = if record.header.attributes {
                    let (attributes, rest) = Attributes::split(payload)?;
                    (Some(attributes), rest)
                } else {
                    (None, payload)
                };
                let dictionary = match record.header.codec {
                    Codec::ZstdDictionary => self.dictionary(&spot.pack, record.header.dictionary)?,
                    _ => None,
                };
                tool.decode(&record.header, coded, dictionary.as_deref(), out).map_err(Bad::Damaged)?;
                Ok(attributes)
            });
            tool.record = bytes;
            decoded
        })
    }

    /// The dictionary that a record of this pack names; `None` when there is none.
    pub(crate) fn dictionary(&self, pack: &PackFile, tag: [u8; 4]) -> Result<Option<Arc<Dictionary>>, Bad> {
        let known = self.dictionaries.lock().get(&(pack.id, tag)).cloned();
        if let Some(known) = known.or_else(|| self.pending.dictionary_called(tag)) {
            return Ok(Some(known));
        }
        let Some(found) = self.find_dictionary(pack, tag)? else { return Ok(None) };
        let found = Arc::new(found);
        let mut ready = self.dictionaries.lock();
        if ready.len() >= DICTIONARIES {
            ready.clear();
        }
        ready.insert((pack.id, tag), found.clone());
        Ok(Some(found))
    }

    fn find_dictionary(&self, pack: &PackFile, tag: [u8; 4]) -> Result<Option<Dictionary>, Bad> {
        let snapshot = self.catalog.current();
        let Some(published) = snapshot.packs.get(&pack.id) else { return Ok(None) };
        let prefix = format!("{:08x}", u32::from_be_bytes(tag));
        let Ok(prefix) = prefix.parse() else { return Ok(None) };
        let entries = self.catalog.ask(published, &self.place, |index| {
            let of_dictionary = |entry: &Result<IndexEntry, _>| {
                entry.as_ref().map_or(true, |entry| entry.kind == Kind::Dictionary)
            };
            index.find_prefix(&prefix).filter(of_dictionary).collect::<Result<Vec<_>, _>>()
        })?;
        for entry in entries {
            let spot = Spot { pack: pack.clone(), offset: entry.offset };
            let mut bytes = Vec::new();
            let (_, start) = spot.read(&entry.id, &[Kind::Dictionary], entry.stored_len(), &mut bytes)?;
            bytes.drain(..start);
            if chunk_id(&bytes) == entry.id && dictionary_tag(&entry.id) == tag {
                return Ok(Dictionary::reading(bytes));
            }
        }
        Ok(None)
    }

    /// Whether the object counts as removed; looks again before it says so.
    fn is_hidden(&self, id: &ObjectId) -> Result<bool, Bad> {
        if !self.tombstones.hides(id) {
            return Ok(false);
        }
        self.tombstones.refresh(&self.place).map_err(Bad::Unreadable)?;
        Ok(self.tombstones.hides(id))
    }

    /// Size and attributes of an object.
    pub(crate) fn stat_object(&self, id: &ObjectId) -> Result<Option<ObjectStat>, Bad> {
        if !self.tells_metadata {
            return self.stat_indexed(id, true);
        }
        if let Some(held) = self.pending.held(id) {
            return Ok(Some(held.stat()));
        }
        self.each_copy(id, Want::Object, Purpose::Read, |spot, _| stat_record(&spot.open(id, OBJECTS)?))
    }

    /// What the indices say of an object; asking a depot for more would take a request for each. `again`: look again before
    /// saying that there is none.
    pub(crate) fn stat_indexed(&self, id: &ObjectId, again: bool) -> Result<Option<ObjectStat>, Bad> {
        for _ in 0..TRIES {
            if let Some(held) = self.pending.held(id) {
                return Ok(Some(ObjectStat { metadata: None, ..held.stat() }));
            }
            let snapshot = self.catalog.current();
            let hits = self.catalog.find(&snapshot, id, Want::Object, &self.place)?;
            if let Some(hit) = hits.first() {
                let since = hit.pack.depot_since();
                return Ok(Some(ObjectStat { size: hit.entry.raw_len, metadata: None, since }));
            }
            if !again || (!self.refresh()? && Arc::ptr_eq(&snapshot, &self.catalog.current())) {
                break;
            }
        }
        Ok(None)
    }

    /// [`stat_object`](Self::stat_object) for many, for which a depot is asked for its list at most once.
    pub(crate) fn stat_objects(&self, ids: &[ObjectId]) -> stem_store::Result<Vec<Option<ObjectStat>>> {
        let failed = |id, bad| self.bad(Operation::Stat, id, bad);
        if self.depot.is_none() {
            return ids.iter().map(|id| self.stat_object(id).map_err(|bad| failed(id, bad))).collect();
        }
        let all = || -> stem_store::Result<Vec<_>> {
            ids.iter().map(|id| self.stat_indexed(id, false).map_err(|bad| failed(id, bad))).collect()
        };
        let mut found = all()?;
        if !found.iter().all(Option::is_some) {
            self.refresh().map_err(|bad| self.bad_store(Operation::Stat, bad))?;
            found = all()?;
        }
        if self.tells_metadata {
            // As they lie, so that they share requests; what is not there has been looked for.
            for position in self.order(ids)? {
                if let (Some(id), Some(stat @ Some(_))) = (ids.get(position), found.get_mut(position)) {
                    *stat = self.stat_object(id).map_err(|bad| failed(id, bad))?;
                }
            }
        }
        Ok(found)
    }

    /// Finds a sound copy of the object's record.
    pub(crate) fn locate(&self, id: &ObjectId) -> Result<Option<Located>, Bad> {
        if let Some(Held::Memory(small)) = self.pending.held(id) {
            return Ok(Some(Located::Bytes(small)));
        }
        let mut size = None;
        let located = self.each_copy(id, Want::Object, Purpose::Read, |spot, expected| {
            let record = spot.open(id, OBJECTS)?;
            size = Some(record.header.raw_len);
            if record.header.kind == Kind::ChunkList {
                record.check_payload()?;
                // The header and the first entries, so that what follows cannot fail for another reason than chunks.
                record.chunk_list()?;
                return Ok(Located::List(record));
            }
            self.whole(spot, id, expected).map(|small| Located::Bytes(Arc::new(small)))
        });
        match located {
            Err(bad @ (Bad::Damaged(_) | Bad::Misled(_))) => match size.or(self.indexed_len(id)) {
                Some(size) => Ok(Some(Located::Bad { size, bad })),
                None => Err(bad),
            },
            other => other,
        }
    }

    /// The length of an object whose records cannot be read, as the index has it.
    fn indexed_len(&self, id: &ObjectId) -> Option<u64> {
        let snapshot = self.catalog.current();
        let hits = self.catalog.find(&snapshot, id, Want::Object, &self.place).ok()?;
        hits.first().map(|hit| hit.entry.raw_len)
    }

    /// An object that is stored whole, its id checked.
    pub(crate) fn whole(&self, spot: &Spot, id: &ObjectId, expected: Option<u64>) -> Result<Small, Bad> {
        let mut bytes = Vec::new();
        let attributes = self.decode_at(spot, id, &[Kind::Object], expected, &mut bytes)?;
        let mut hasher = self.hasher(false);
        hasher.update(&bytes);
        if hasher.finish().id != *id {
            return Err(Bad::damaged("its bytes do not hash to its id"));
        }
        Ok(Small { bytes, metadata: attributes.map(|attributes| attributes.metadata()) })
    }

    /// Reads every byte of an object, from one copy of its record after the other until one is sound, and gives what
    /// they hash to. `told` may stop it. `None`: there is no such object.
    pub(crate) fn digest_object(
        &self,
        id: &ObjectId,
        purpose: Purpose,
        checksum: bool,
        told: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Result<Option<Digest>, Bad> {
        if let Some(Held::Memory(small)) = self.pending.held(id) {
            return Ok(Some(self.digest(&small.bytes, checksum)));
        }
        self.each_copy(id, Want::Object, purpose, |spot, expected| {
            self.digest_copy(spot, id, expected, purpose, checksum, told)
        })
    }

    /// The same of this copy of the record.
    pub(crate) fn digest_copy(
        &self,
        spot: &Spot,
        id: &ObjectId,
        expected: Option<u64>,
        purpose: Purpose,
        checksum: bool,
        told: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Result<Digest, Bad> {
        let record = spot.open(id, OBJECTS)?;
        if record.header.kind == Kind::Object {
            let small = self.whole(spot, id, expected)?;
            told(small.bytes.len() as u64).map_err(stopped)?;
            return Ok(self.digest(&small.bytes, checksum));
        }
        let mut hasher = self.hasher(checksum);
        self.each_chunk(&record, purpose, &mut |chunk| {
            hasher.update(chunk);
            told(chunk.len() as u64).map_err(stopped)
        })?;
        let digest = hasher.finish();
        if digest.id == *id { Ok(digest) } else { Err(Bad::damaged("its bytes do not hash to its id")) }
    }

    fn digest(&self, bytes: &[u8], checksum: bool) -> Digest {
        let mut hasher = self.hasher(checksum);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Decodes the chunks of a list on all cores and shows them in order.
    pub(crate) fn each_chunk(
        &self,
        record: &Record,
        purpose: Purpose,
        show: &mut dyn FnMut(&[u8]) -> Result<(), Bad>,
    ) -> Result<(), Bad> {
        record.check_payload()?;
        let mut walk = record.chunk_list()?;
        let buffers = parking_lot::Mutex::new(Vec::new());
        crew::ordered(
            || walk.next(),
            |entry: ChunkEntry| {
                let mut out = buffers.lock().pop().unwrap_or_default();
                self.read_chunk(&entry, purpose, &mut out).map(|()| out)
            },
            |chunk| {
                let chunk: Vec<u8> = chunk?;
                show(&chunk)?;
                buffers.lock().push(chunk);
                Ok(())
            },
        )
    }
}

/// Reads a copy; from a depot once more where it is damaged, for that may have happened on the way.
fn read_copy<T>(copy: &Copy, read: &mut impl FnMut(&Spot, Option<u64>) -> Result<T, Bad>) -> Result<T, Bad> {
    let mut result = read(&copy.spot, copy.expected);
    for _ in 0..REREADS {
        if !matches!(result, Err(Bad::Damaged(_) | Bad::Misled(_)))
            || !copy.spot.pack.file.forget(copy.spot.offset)
        {
            break;
        }
        result = read(&copy.spot, copy.expected);
    }
    result
}

/// What stops a read that the caller wants no more of.
fn stopped(error: io::Error) -> Bad {
    Bad::Unreadable(stem_fs::Error::new("read", "", error))
}

pub(crate) fn stat_record(record: &Record) -> Result<ObjectStat, Bad> {
    let metadata: Option<FileMetadata> = if record.header.kind == Kind::ChunkList {
        record.chunk_list()?.header().attributes.map(|attributes| attributes.metadata())
    } else {
        record.attributes()?.map(|attributes| attributes.metadata())
    };
    let since = record.spot.pack.file.since().map_err(Bad::Unreadable)?;
    Ok(ObjectStat { size: record.header.raw_len, metadata, since })
}
