//! Compaction: what is alive moves to new packs, and only then the old ones go.
//!
//! Alive are objects without a tombstone, and the chunks that their lists name. A pack is rewritten when a part of it is
//! dead or it is small among others; records are copied as they are, after their check was compared. Nothing is changed in
//! place, and at every step in between all that is alive is there at least once: a process that is killed leaves copies
//! too many, which the next run finds.
//!
//! A pack that holds something alive and damaged, of which there is no sound copy, stays: rewriting would turn damage
//! that may yet be mended from another copy into absence. And a copy that only this handle finds (the pack's header is
//! damaged and its index lost) does not count beside one that the next handle finds too; what has no other is moved.
//!
//! A put that runs meanwhile may have found a chunk that is about to go. So the old packs go only if no put began since
//! the marking; otherwise they stay for the next run. Other processes are the caller's matter (a lock of the repository).

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stem_hash::{IdPrefix, ObjectId};
use stem_store::{Error, ErrorKind, Operation, RepackOptions, Repacked, Result};

use crate::catalog::{Hit, Snapshot};
use crate::files::{Pack, index_name, pack_name};
use crate::format::{Codec, Kind, PackId, RECORD_HEADER_LEN};
use crate::handle::Core;
use crate::index::Want;
use crate::lane::Lane;
use crate::lookup::{OBJECTS, Purpose};
use crate::record::{Bad, Record, Spot};
use crate::writer::AppendError;

/// A pack is rewritten when this part of it is dead.
const DEAD_SHARE: u64 = 5;
/// A pack is small when it is shorter than this part of the limit.
const SMALL_SHARE: u64 = 4;
/// So many records are appended at once.
const GROUP: usize = 128;
/// Marks that are made before doubles are looked for.
const SORT_FROM: usize = 1 << 16;

/// What is alive in one pack.
#[derive(Debug, Default)]
struct Marks {
    /// Offsets of records.
    live: Vec<u64>,
    /// How many there may be before they are sorted again.
    room: usize,
    bytes: u64,
}

impl Marks {
    fn add(&mut self, offset: u64) {
        self.live.push(offset);
        if self.live.len() >= self.room.max(SORT_FROM) {
            self.tidy();
            self.room = self.live.len() * 2;
        }
    }

    fn tidy(&mut self) {
        self.live.sort_unstable();
        self.live.dedup();
    }
}

/// A run of the compaction.
struct Run<'a> {
    core: &'a Core,
    snapshot: Arc<Snapshot>,
    /// Of copies of one record the one in the longest pack is the one that counts.
    lens: HashMap<PackId, u64>,
    /// Packs of which the next handle may find less than this one.
    fragile: HashSet<PackId>,
    marks: HashMap<PackId, Marks>,
    /// Packs that stay, whatever is in them.
    kept: HashSet<PackId>,
}

impl Core {
    pub(crate) fn compact(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        let busy = || {
            Error::new(ErrorKind::Unavailable, Operation::Repack, self.name.as_str())
                .with_reason("objects are being stored through this handle; try again afterwards")
        };
        let failed = |bad| self.bad_store(Operation::Repack, bad);
        self.check_spent(Operation::Repack)?;
        if self.depot.is_some() {
            // Others may be reading these packs, or naming what is in them: that takes more than a lock of this machine.
            return Ok(Repacked::default());
        }
        {
            // No put is under way now.
            let _alone = self.gate.try_write().ok_or_else(busy)?;
            self.sync_all()?;
        }
        let puts = self.puts.load(Ordering::Acquire);
        self.refresh().map_err(failed)?;
        let snapshot = self.catalog.current();
        let mut run = Run {
            core: self,
            snapshot,
            lens: HashMap::new(),
            fragile: HashSet::new(),
            marks: HashMap::new(),
            kept: HashSet::new(),
        };
        run.measure().map_err(failed)?;
        let before = (run.lens.len() as u64, run.lens.values().sum());
        run.mark()?;
        let chosen = run.choose(options).map_err(failed)?;
        let rewritten = run.copy(&chosen, options)?;
        let gone: HashSet<PackId> = chosen.into_iter().filter(|id| !run.kept.contains(id)).collect();
        if !gone.is_empty()
            && let Some(_alone) = self.gate.try_write()
            && self.puts.load(Ordering::Acquire) == puts
        {
            self.remove_packs(&gone)?;
        }
        self.catalog.merge(&self.place, true);
        let mut after = (0, 0);
        for pack in self.catalog.current().packs.values() {
            after.0 += 1;
            after.1 += self.pack_len(pack).map_err(failed)?;
        }
        Ok(Repacked { packs: (before.0, after.0), bytes: (before.1, after.1), rewritten })
    }

    fn pack_len(&self, pack: &Arc<Pack>) -> std::result::Result<u64, Bad> {
        let file = pack.file(&self.catalog.open_files)?;
        let len = crate::source::ReadAt::len(&file.file);
        len.map_err(|error| Bad::Unreadable(stem_fs::Error::new("look at", file.file.path(), error)))
    }

    /// Removes packs of which nothing is needed any more, and forgets tombstones that have nothing left to hide.
    fn remove_packs(&self, gone: &HashSet<PackId>) -> Result<()> {
        let failed = |error| Error::from_fs(Operation::Repack, self.name.as_str(), error);
        let dir = self.place.make_packs().map_err(failed)?;
        // From here on nobody looks for anything in them.
        self.catalog.removed(gone);
        for id in gone {
            dir.remove_file(&pack_name(*id)).map_err(failed)?;
            dir.remove_file(&index_name(*id)).map_err(failed)?;
        }
        dir.sync().map_err(failed)?;
        let snapshot = self.catalog.current();
        let needed = |id: &ObjectId| {
            let hits = self.catalog.find(&snapshot, id, Want::Object, &self.place);
            // Not to be sure is to hide.
            hits.map_or(true, |hits| !hits.is_empty())
        };
        self.tombstones.save(&self.place, Some(&needed)).map_err(failed)
    }
}

impl Run<'_> {
    fn measure(&mut self) -> std::result::Result<(), Bad> {
        for (id, pack) in &self.snapshot.packs {
            self.lens.insert(*id, self.core.pack_len(pack)?);
            if !self.core.catalog.outlives_handle(pack, &self.core.place)? {
                self.fragile.insert(*id);
            }
        }
        Ok(())
    }

    /// The copies of a record, the one that counts first.
    fn copies(&self, id: &ObjectId, want: Want) -> std::result::Result<Vec<Hit>, Bad> {
        let core = self.core;
        let mut hits = core.catalog.find(&self.snapshot, id, want, &core.place)?;
        let several = hits.len() > 1;
        let rank = |hit: &Hit| {
            let len = self.lens.get(&hit.pack.id).copied().unwrap_or(0);
            (several && !self.outlives(hit, want), std::cmp::Reverse(len), hit.pack.id, hit.entry.offset)
        };
        hits.sort_by_cached_key(rank);
        Ok(hits)
    }

    /// Whether the next handle finds this copy too.
    fn outlives(&self, hit: &Hit, want: Want) -> bool {
        let core = self.core;
        !self.fragile.contains(&hit.pack.id)
            && hit
                .spot(&core.catalog.open_files)
                .is_ok_and(|spot| core.catalog.leads_to(hit, &spot.pack, want, &core.place))
    }

    /// Finds what is alive.
    fn mark(&mut self) -> Result<()> {
        let core = self.core;
        let mut failed = None;
        core.visit(&IdPrefix::ALL, &mut |id| match self.mark_object(&id) {
            Ok(()) => ControlFlow::Continue(()),
            Err(bad) => {
                failed = Some(core.bad(Operation::Repack, &id, bad));
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn mark_object(&mut self, id: &ObjectId) -> std::result::Result<(), Bad> {
        let copies = self.copies(id, Want::Object)?;
        for hit in &copies {
            let spot = hit.spot(&self.core.catalog.open_files)?;
            let record = match spot.open(id, OBJECTS) {
                Ok(record) => record,
                Err(Bad::Damaged(_) | Bad::Misled(_)) => continue,
                Err(bad) => return Err(bad),
            };
            // Of several copies only the bytes tell which is true: a payload may agree with its check and lie.
            let expected = hit.entry.stored_len();
            let sound = if copies.len() > 1 {
                let read = self.core.digest_copy(&spot, id, expected, Purpose::Read, false, &mut |_| Ok(()));
                read.is_ok()
            } else {
                // Of a single copy it is looked at when it is copied.
                record.header.kind != Kind::ChunkList || record.check_payload().is_ok()
            };
            if !sound {
                continue;
            }
            if record.header.kind == Kind::ChunkList {
                let mut walk = record.chunk_list()?;
                while let Some(entry) = walk.next()? {
                    self.mark_chunk(&entry.id, &hit.pack)?;
                }
            }
            self.mark_hit(hit);
            return Ok(());
        }
        // No copy is sound: all of them stay where they are.
        self.kept.extend(copies.iter().map(|hit| hit.pack.id));
        Ok(())
    }

    fn mark_chunk(&mut self, id: &ObjectId, near: &Arc<Pack>) -> std::result::Result<(), Bad> {
        let mut copies = self.copies(id, Want::Chunk)?;
        // A chunk beside its list is read best.
        if copies.len() > 1 {
            copies.sort_by_cached_key(|hit| (!self.outlives(hit, Want::Chunk), hit.pack.id != near.id));
        }
        let sound = |hit: &&Hit| {
            hit.spot(&self.core.catalog.open_files).is_ok_and(|spot| {
                let (len, expected) = (hit.entry.raw_len, hit.entry.stored_len());
                self.core.decode_chunk(&spot, id, len, expected, &mut Vec::new()).is_ok()
            })
        };
        let chosen = if copies.len() > 1 { copies.iter().find(sound) } else { copies.first() };
        if let Some(hit) = chosen {
            self.mark_hit(hit);
        } else {
            // Missing, or damaged in all copies: all that could help to mend it stays.
            self.kept.insert(near.id);
            self.kept.extend(copies.iter().map(|hit| hit.pack.id));
        }
        Ok(())
    }

    fn mark_hit(&mut self, hit: &Hit) {
        self.marks.entry(hit.pack.id).or_default().add(hit.entry.offset);
    }

    /// Which packs are worth rewriting, in the order in which their records are to stand.
    fn choose(&mut self, options: &RepackOptions<'_>) -> std::result::Result<Vec<PackId>, Bad> {
        let core = self.core;
        let (mut chosen, mut small) = (Vec::new(), Vec::new());
        for (id, pack) in &self.snapshot.packs {
            let marks = self.marks.entry(*id).or_default();
            marks.tidy();
            let live = &marks.live;
            let known = core.catalog.ask(pack, &core.place, |index| {
                let (mut bytes, mut known) = (0, 0);
                for entry in index {
                    let entry = entry?;
                    if live.binary_search(&entry.offset).is_ok() {
                        known += 1;
                        bytes += RECORD_HEADER_LEN as u64 + entry.stored_len().unwrap_or(u64::from(u32::MAX));
                    }
                }
                Ok((bytes, known))
            })?;
            marks.bytes = known.0;
            // What its own index does not know would go with the multi-pack index.
            let fragile = self.fragile.contains(id) || known.1 < marks.live.len();
            let len = self.lens.get(id).copied().unwrap_or(0);
            let dead = len.saturating_sub(marks.bytes);
            if options.all || marks.live.is_empty() || fragile || dead > len / DEAD_SHARE && dead > 4096 {
                chosen.push(*id);
            } else if len < core.options.pack_limit / SMALL_SHARE {
                small.push(*id);
            }
        }
        // A single small pack is joined only with something.
        let living = chosen.iter().any(|id| self.marks.get(id).is_some_and(|marks| !marks.live.is_empty()));
        if small.len() > 1 || (living && !small.is_empty()) {
            chosen.append(&mut small);
        }
        chosen.sort_unstable();
        Ok(chosen)
    }

    /// Copies what is alive in these packs. Says how many objects that were.
    fn copy(&mut self, chosen: &[PackId], options: &RepackOptions<'_>) -> Result<u64> {
        let core = self.core;
        let lane = Lane::default();
        let mut objects = 0;
        for id in chosen {
            let (Some(pack), Some(marks)) = (self.snapshot.packs.get(id).cloned(), self.marks.remove(id))
            else {
                continue;
            };
            for group in marks.live.chunks(GROUP) {
                let failed = |bad| core.bad_store(Operation::Repack, bad);
                let file = pack.file(&core.catalog.open_files).map_err(failed)?;
                let mut records = Vec::with_capacity(group.len());
                for &offset in group {
                    match (Spot { pack: file.clone(), offset }).any() {
                        Ok(record) if record.check_payload().is_ok() => records.push(record),
                        Err(bad @ (Bad::Vanished | Bad::Unreadable(_))) => return Err(failed(bad)),
                        // Alive and damaged: perhaps another copy is sound, but this pack stays.
                        Ok(_) | Err(_) => {
                            self.kept.insert(*id);
                        }
                    }
                }
                let lost = self.append(&lane, &records)?;
                self.kept.extend(lost);
                objects += records.iter().filter(|record| record.header.kind.is_object()).count() as u64;
                let bytes = records.iter().map(|record| record.header.record_len()).sum();
                if options.progress.is_some_and(|told| told(bytes).is_break()) {
                    return Err(Error::interrupted(Operation::Repack, core.name.as_str()));
                }
            }
        }
        let mut open = lane.open();
        let writer = open.take();
        core.publish(&lane, writer)?;
        Ok(objects)
    }

    /// Appends these records as they are. Gives the pack if some of them cannot be: their dictionary is damaged, so they
    /// cannot be read where they are either.
    fn append(&self, lane: &Lane, records: &[Record]) -> Result<Option<PackId>> {
        let core = self.core;
        let mut lost = None;
        let appended = core.append(
            lane,
            2 * records.len() as u64,
            |writer| {
                for record in records {
                    let header = &record.header;
                    if header.codec == Codec::ZstdDictionary {
                        let Ok(Some(dictionary)) = core.dictionary(&record.spot.pack, header.dictionary)
                        else {
                            lost = Some(record.spot.pack.id);
                            continue;
                        };
                        writer.dictionary(&dictionary)?;
                    }
                    writer.copy(header, |put| {
                        let mut refused = None;
                        let read = record.payload_pieces(|piece| {
                            put(piece).map_err(|error| {
                                refused = Some(error);
                                Bad::Vanished
                            })
                        });
                        match (read, refused) {
                            (_, Some(error)) => Err(error),
                            (Ok(()), None) => Ok(()),
                            (Err(Bad::Unreadable(error)), None) => Err(AppendError::Fs(error)),
                            (Err(bad), None) => {
                                let reason = std::io::Error::other(bad.reason());
                                Err(AppendError::Fs(stem_fs::Error::new(
                                    "read",
                                    record.spot.pack.file.path(),
                                    reason,
                                )))
                            }
                        }
                    })?;
                }
                Ok(())
            },
            |()| {},
        );
        appended.map(|()| lost)
    }
}
