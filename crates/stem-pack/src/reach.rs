//! Which packs hold what is needed: the question of whoever may remove whole packs and nothing smaller.
//!
//! For stores whose packs are shared with others (`docs/format/remote.md`, *Roots, condemned packs, removal*), where compaction would move what
//! somebody names this moment. Indices are walked pack by pack, not asked id by id: each is read once, in order, and one that cannot be read
//! is known as such instead of hiding behind copies elsewhere.
//!
//! Whoever asks is going to delete, so all doubt counts for keeping: a pack whose index cannot be read is needed, and a needed chunk list
//! of which no copy can be read ends the work, since what it needs is not known. That payloads of objects and chunks are sound is not looked at;
//! it would mean reading the whole store. A dictionary always lies in the pack of the records that name it.
//!
//! Memory: 33 bytes for each needed id and each distinct chunk of needed objects, 24 for each chunk list, the lists that are being read, and
//! for one pack at a time 24 bytes for each needed record in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use stem_hash::ObjectId;
use stem_store::{Error, Operation, Result};

use crate::crew;
use crate::files::Pack;
use crate::format::{Kind, PackId};
use crate::handle::Core;
use crate::index::Want;
use crate::record::{Bad, Spot};

/// How often what is damaged is fetched again.
const REREADS: usize = 2;
/// Ids that are told of those that are nowhere.
const TOLD: usize = 10;
/// Ids that are collected before doubles are looked for.
const SORT_FROM: usize = 1 << 16;

/// What is needed, and what is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Packs that hold something needed, or may.
    pub packs: BTreeSet<PackId>,
    /// Objects that are needed.
    pub needed: u64,
    /// How many of them are in no pack.
    pub absent: u64,
    /// Some of those.
    pub some_absent: Vec<ObjectId>,
    /// Chunks of needed objects that are in no pack.
    pub absent_chunks: u64,
    /// Packs that are kept because neither their index nor they themselves can be read.
    pub unreadable: Vec<PackId>,
}

/// A needed record in a pack.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// The position of its id among those that are looked for.
    wanted: usize,
    offset: u64,
    is_list: bool,
}

/// A chunk list to be read: its pack, offset and object, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct List {
    pack: usize,
    offset: u64,
    wanted: usize,
}

/// Ids that are looked for, sorted, and which of them were found.
#[derive(Debug, Default)]
struct Wanted {
    ids: Vec<ObjectId>,
    found: Vec<bool>,
}

impl Wanted {
    fn new(mut ids: Vec<ObjectId>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        let found = vec![false; ids.len()];
        Self { ids, found }
    }

    fn absent(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.ids.iter().zip(&self.found).filter(|(_, found)| !**found).map(|(id, _)| *id)
    }
}

/// Ids of chunks, each of them many times.
#[derive(Debug, Default)]
struct Chunks {
    ids: Vec<ObjectId>,
    room: usize,
}

impl Chunks {
    fn extend(&mut self, more: Vec<ObjectId>) {
        self.ids.extend(more);
        if self.ids.len() >= self.room.max(SORT_FROM) {
            self.ids.sort_unstable();
            self.ids.dedup();
            self.room = self.ids.len() * 2;
        }
    }
}

/// A run.
struct Run<'a> {
    core: &'a Core,
    reach: Reach,
    chunks: Chunks,
    /// Why a copy of an object's list could not be read.
    bad_lists: BTreeMap<usize, String>,
    told: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
}

impl Core {
    /// See [`PackStore::reach`](crate::PackStore::reach).
    pub(crate) fn reach(
        &self,
        needed: Vec<ObjectId>,
        condemned: &BTreeSet<PackId>,
        told: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Reach> {
        let snapshot = self.catalog.current();
        let mut packs: Vec<_> = snapshot.packs.values().cloned().collect();
        packs.sort_unstable_by_key(|pack| pack.id);
        // Those that stay in any case first: what they have, the others need not keep.
        let (doomed, open): (Vec<_>, Vec<_>) =
            packs.into_iter().partition(|pack| condemned.contains(&pack.id));
        let mut objects = Wanted::new(needed);
        let reach = Reach { needed: objects.ids.len() as u64, ..Reach::default() };
        let mut run = Run { core: self, reach, chunks: Chunks::default(), bad_lists: BTreeMap::new(), told };

        run.objects(&open, &mut objects)?;
        run.objects(&doomed, &mut objects)?;
        if let Some((at, why)) =
            run.bad_lists.iter().find(|(at, _)| !objects.found.get(**at).is_some_and(|found| *found))
        {
            let Some(id) = objects.ids.get(*at) else {
                return Err(self.bad_store(Operation::Repack, Bad::Vanished));
            };
            return Err(Error::corrupt(Operation::Repack, self.name.as_str(), id).with_reason(format!(
                "its chunk list cannot be read ({why}), so it is not known what it needs; store the object again, or \
                 give up what names it"
            )));
        }
        let mut chunks = Wanted::new(std::mem::take(&mut run.chunks.ids));
        run.chunk_copies(&open, &mut chunks)?;
        run.chunk_copies(&doomed, &mut chunks)?;

        let mut reach = run.reach;
        reach.absent = objects.absent().count() as u64;
        reach.some_absent = objects.absent().take(TOLD).collect();
        reach.absent_chunks = chunks.absent().count() as u64;
        reach.unreadable.sort_unstable();
        reach.unreadable.dedup();
        if let (Some(pack), true) = (reach.unreadable.first(), reach.absent > 0) {
            // An object that only that pack has may be a list of chunks in any other.
            let (pack, absent) = (*pack, reach.absent);
            return Err(self.bad_store(
                Operation::Repack,
                Bad::Damaged(format!(
                    "neither pack {pack} nor its index can be read, and {absent} needed objects are in no other pack, so it \
                     is not known what they need; store them again, or give up what names them"
                )),
            ));
        }
        reach.packs.extend(reach.unreadable.iter().copied());
        Ok(reach)
    }
}

impl Run<'_> {
    /// Says how far this is; whoever listens may end it.
    fn step(&mut self, packs: u64) -> Result<()> {
        if (self.told)(packs).is_break() {
            return Err(Error::interrupted(Operation::Repack, self.core.name.as_str()));
        }
        Ok(())
    }

    /// What of `wanted` this pack has, and was not found in those before. `None`: that cannot be known.
    fn rows(
        &mut self,
        pack: &Arc<Pack>,
        wanted: &[ObjectId],
        known: &[bool],
        want: Want,
    ) -> Result<Option<Vec<Row>>> {
        let core = self.core;
        let asked = core.catalog.ask(pack, &core.place, |index| {
            let mut rows = Vec::new();
            for entry in index {
                let entry = entry?;
                if want.accepts(entry.kind)
                    && let Ok(at) = wanted.binary_search(&entry.id)
                    && !known.get(at).is_some_and(|known| *known)
                {
                    rows.push(Row {
                        wanted: at,
                        offset: entry.offset,
                        is_list: entry.kind == Kind::ChunkList,
                    });
                }
            }
            Ok(rows)
        });
        match asked {
            Ok(rows) => Ok(Some(rows)),
            // Somebody removed it since it was listed.
            Err(Bad::Vanished) => Ok(Some(Vec::new())),
            Err(Bad::Damaged(_) | Bad::Misled(_)) => {
                self.reach.unreadable.push(pack.id);
                Ok(None)
            }
            Err(bad @ Bad::Unreadable(_)) => Err(core.bad_store(Operation::Repack, bad)),
        }
    }

    /// Finds needed objects in these packs, all copies of each that was not found before.
    fn objects(&mut self, packs: &[Arc<Pack>], objects: &mut Wanted) -> Result<()> {
        let known = objects.found.clone();
        let mut lists = Vec::new();
        for (number, pack) in packs.iter().enumerate() {
            self.step(1)?;
            for row in self.rows(pack, &objects.ids, &known, Want::Object)?.unwrap_or_default() {
                if row.is_list {
                    lists.push(List { pack: number, offset: row.offset, wanted: row.wanted });
                } else {
                    self.reach.packs.insert(pack.id);
                    mark(&mut objects.found, row.wanted);
                }
            }
        }
        // As they lie, so that they share requests.
        lists.sort_unstable();
        self.read_lists(packs, &lists, objects)
    }

    fn read_lists(&mut self, packs: &[Arc<Pack>], lists: &[List], objects: &mut Wanted) -> Result<()> {
        let core = self.core;
        let Wanted { ids, found } = objects;
        let mut waiting = lists.iter();
        let read = |list: &List| {
            let (Some(pack), Some(id)) = (packs.get(list.pack), ids.get(list.wanted)) else {
                return Err(Bad::Vanished);
            };
            read_list(core, pack, list.offset, id)
        };
        let mut done = lists.iter();
        crew::ordered(
            || Ok(waiting.next()),
            read,
            |chunks| {
                self.step(0)?;
                let Some((list, pack)) = done.next().and_then(|list| Some((list, packs.get(list.pack)?)))
                else {
                    return Ok(());
                };
                match chunks {
                    Ok(chunks) => {
                        self.reach.packs.insert(pack.id);
                        mark(found, list.wanted);
                        self.chunks.extend(chunks);
                    }
                    Err(bad @ Bad::Unreadable(_)) => return Err(core.bad_store(Operation::Repack, bad)),
                    // Another copy may be sound. If none is, it is not known what the object needs.
                    Err(bad) => {
                        self.bad_lists.insert(list.wanted, bad.reason());
                    }
                }
                Ok(())
            },
        )
    }

    /// Finds chunks in these packs, all copies of each that was not found before.
    fn chunk_copies(&mut self, packs: &[Arc<Pack>], chunks: &mut Wanted) -> Result<()> {
        let known = chunks.found.clone();
        for pack in packs {
            self.step(0)?;
            for row in self.rows(pack, &chunks.ids, &known, Want::Chunk)?.unwrap_or_default() {
                self.reach.packs.insert(pack.id);
                mark(&mut chunks.found, row.wanted);
            }
        }
        Ok(())
    }
}

fn mark(found: &mut [bool], at: usize) {
    if let Some(found) = found.get_mut(at) {
        *found = true;
    }
}

/// The chunks of a list; fetched once more where it is damaged, for that may have happened on the way.
fn read_list(
    core: &Core,
    pack: &Arc<Pack>,
    offset: u64,
    id: &ObjectId,
) -> std::result::Result<Vec<ObjectId>, Bad> {
    let spot = Spot { pack: pack.file(&core.catalog.open_files)?, offset };
    let attempt = || {
        let record = spot.open(id, &[Kind::ChunkList])?;
        record.check_payload()?;
        let mut walk = record.chunk_list()?;
        let mut chunks = Vec::new();
        while let Some(entry) = walk.next()? {
            chunks.push(entry.id);
        }
        Ok(chunks)
    };
    let mut result = attempt();
    for _ in 0..REREADS {
        if !matches!(result, Err(Bad::Damaged(_) | Bad::Misled(_))) || !spot.pack.file.forget(offset) {
            break;
        }
        result = attempt();
    }
    result
}
