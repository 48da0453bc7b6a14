//! What was read of packs, in blocks, and reading ahead.
//!
//! Records are read piece by piece: a header, a list, a payload. Over a network each piece would be a request, so whole blocks are fetched, and
//! whoever wants one that is under way waits for it (one request, however many ask). Objects that are read in
//! the order in which they lie (`storage_order`) therefore share requests. Reads that move on through a pack get longer ranges and
//! several of them at once, ahead of the reader; memory stays within one limit for all packs of a store.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use stem_fs::Timestamp;
use stem_pack::DepotFile;
use stem_pack::format::PackId;

use crate::client::Shared;
use crate::error::{again, told};
use crate::wait::{LOOK, go_on, runtime};

/// Bytes of a block.
const BLOCK: u64 = 1 << 20;
/// The longest range that is fetched at once, in blocks.
const LONGEST: u64 = 4;
/// How far ahead of a reader that moves on ranges are fetched, in blocks.
const AHEAD: u64 = 12;
/// Readers of one pack that are told apart.
const FLOWS: usize = 8;
/// Ranges under way at the same time, for readers ahead.
const UNDER_WAY: usize = 4;
/// Bytes of blocks that are kept.
const LIMIT: u64 = 24 << 20;
/// A record is at most so many blocks long: what is forgotten of one that is damaged.
const RECORD: u64 = 18;

type Key = (PackId, u64);

#[derive(Debug)]
enum Block {
    Loading { fresh: Option<u64> },
    Ready { bytes: Bytes, fresh: Option<u64>, used: u64 },
    Failed(io::Error),
}

/// A reader's way through a pack.
#[derive(Debug, Default)]
struct Flow {
    /// The block after the last one that was planned.
    next: u64,
    /// How many blocks the next range has.
    step: u64,
}

#[derive(Debug, Default)]
struct State {
    blocks: HashMap<Key, Block>,
    flows: HashMap<PackId, Vec<Flow>>,
    bytes: u64,
    clock: u64,
    /// Rises when what was fetched before is not to be relied on any more.
    age: u64,
    under_way: usize,
}

#[derive(Debug)]
struct Inner {
    client: Shared,
    state: Mutex<State>,
    changed: Condvar,
}

/// The blocks of a store.
#[derive(Debug, Clone)]
pub(crate) struct Blocks(Arc<Inner>);

impl Blocks {
    pub(crate) fn new(client: Shared) -> Self {
        Self(Arc::new(Inner { client, state: Mutex::default(), changed: Condvar::new() }))
    }

    /// See [`stem_pack::Depot::expire`].
    pub(crate) fn expire(&self) {
        let mut state = self.0.state.lock();
        state.age += 1;
        state.blocks.retain(|_, block| matches!(block, Block::Loading { .. }));
        state.bytes = 0;
    }

    fn read_at(&self, pack: &RemotePack, buf: &mut [u8], offset: u64, fresh: bool) -> io::Result<usize> {
        if offset >= pack.len || buf.is_empty() {
            return Ok(0);
        }
        let number = offset / BLOCK;
        let key = (pack.id, number);
        let mut state = self.0.state.lock();
        loop {
            state.clock += 1;
            let (clock, age) = (state.clock, state.age);
            match state.blocks.get_mut(&key) {
                Some(Block::Ready { bytes, fresh: since, used }) if !fresh || *since == Some(age) => {
                    *used = clock;
                    let skip = usize::try_from(offset % BLOCK).unwrap_or(usize::MAX);
                    let part = bytes.get(skip..).unwrap_or_default();
                    let n = part.len().min(buf.len());
                    buf[..n].copy_from_slice(&part[..n]);
                    self.plan(&mut state, pack, number, fresh)?;
                    return Ok(n);
                }
                Some(Block::Loading { fresh: since }) if !fresh || *since == Some(age) => {
                    self.0.changed.wait_for(&mut state, LOOK);
                    go_on()?;
                    continue;
                }
                Some(Block::Failed(_)) => {
                    if let Some(Block::Failed(error)) = state.blocks.remove(&key) {
                        return Err(again(&error));
                    }
                }
                Some(Block::Ready { .. }) => drop_block(&mut state, &key),
                // Absent, or under way for somebody who is content with less.
                Some(Block::Loading { .. }) | None => {}
            }
            self.begin(&mut state, pack, number, fresh)?;
        }
    }

    /// A block is wanted that is not there.
    fn begin(&self, state: &mut State, pack: &RemotePack, number: u64, fresh: bool) -> io::Result<()> {
        let flows = state.flows.entry(pack.id).or_default();
        // Several objects of a pack may be read at once, each by a reader who moves on by itself.
        let known = flows.iter().position(|flow| flow.next == number && number > 0);
        let mut flow = known.map_or(Flow { next: number, step: 0 }, |at| flows.remove(at));
        flow.step = (flow.step * 2).clamp(1, LONGEST);
        flow.next = number + flow.step;
        let step = flow.step;
        if flows.len() >= FLOWS {
            flows.remove(0);
        }
        flows.push(flow);
        self.fetch(state, pack, number, step, fresh)
    }

    /// A block was read: fetches ahead where the reader moves on.
    fn plan(&self, state: &mut State, pack: &RemotePack, number: u64, fresh: bool) -> io::Result<()> {
        let last = pack.len.div_ceil(BLOCK);
        while state.under_way < UNDER_WAY {
            let flows = state.flows.entry(pack.id).or_default();
            let near = |flow: &&mut Flow| (number + 1..=number + AHEAD).contains(&flow.next);
            let Some(flow) = flows.iter_mut().find(near) else { return Ok(()) };
            // One block was asked for and read: whether its reader moves on is seen when it asks for the next.
            if flow.next >= last || flow.step < 2 {
                return Ok(());
            }
            flow.step = (flow.step * 2).clamp(1, LONGEST);
            let (from, step) = (flow.next, flow.step);
            flow.next = from + step;
            self.fetch(state, pack, from, step, fresh)?;
        }
        Ok(())
    }

    fn fetch(
        &self,
        state: &mut State,
        pack: &RemotePack,
        from: u64,
        count: u64,
        fresh: bool,
    ) -> io::Result<()> {
        let runtime = runtime()?;
        let last = pack.len.div_ceil(BLOCK);
        let since = fresh.then_some(state.age);
        // Up to the first that is there or under way: the range has no holes.
        let mut to = from;
        while to < last && to < from + count {
            let key = (pack.id, to);
            let there = match state.blocks.get(&key) {
                Some(Block::Ready { fresh: had, .. } | Block::Loading { fresh: had }) => {
                    !fresh || *had == since
                }
                Some(Block::Failed(_)) | None => false,
            };
            if there {
                break;
            }
            drop_block(state, &key);
            state.blocks.insert(key, Block::Loading { fresh: since });
            to += 1;
        }
        if to == from {
            return Ok(());
        }
        state.under_way += 1;
        let range = from * BLOCK..(to * BLOCK).min(pack.len);
        let (blocks, name, id) = (self.clone(), pack.name.clone(), pack.id);
        runtime.spawn(async move {
            let fetched = blocks.0.client.fetch(&name, range).await;
            blocks.arrived(id, from..to, since, &fetched);
        });
        Ok(())
    }

    fn arrived(
        &self,
        id: PackId,
        numbers: std::ops::Range<u64>,
        since: Option<u64>,
        fetched: &io::Result<Vec<u8>>,
    ) {
        let mut state = self.0.state.lock();
        state.under_way = state.under_way.saturating_sub(1);
        for (position, number) in numbers.enumerate() {
            let key = (id, number);
            // Another request may have taken its place.
            if !matches!(state.blocks.get(&key), Some(Block::Loading { fresh }) if *fresh == since) {
                continue;
            }
            state.clock += 1;
            let used = state.clock;
            let block = match fetched {
                Ok(bytes) => {
                    let skip = position.saturating_mul(usize::try_from(BLOCK).unwrap_or(usize::MAX));
                    let part = bytes.get(skip..).unwrap_or_default();
                    let part = part.get(..usize::try_from(BLOCK).unwrap_or(usize::MAX)).unwrap_or(part);
                    state.bytes += part.len() as u64;
                    // A copy: a slice would keep the whole range in memory.
                    Block::Ready { bytes: Bytes::copy_from_slice(part), fresh: since, used }
                }
                Err(error) => Block::Failed(again(error)),
            };
            state.blocks.insert(key, block);
        }
        evict(&mut state);
        drop(state);
        self.0.changed.notify_all();
    }

    fn forget(&self, pack: PackId, offset: u64) {
        let first = offset / BLOCK;
        let mut state = self.0.state.lock();
        for number in first..=first + RECORD {
            if let Some(Block::Ready { .. }) = state.blocks.get(&(pack, number)) {
                drop_block(&mut state, &(pack, number));
            }
        }
    }
}

fn drop_block(state: &mut State, key: &Key) {
    if let Some(Block::Ready { bytes, .. }) = state.blocks.remove(key) {
        state.bytes = state.bytes.saturating_sub(bytes.len() as u64);
    }
}

/// Makes room: what was not used for longest goes first.
fn evict(state: &mut State) {
    while state.bytes > LIMIT {
        // Some tens of blocks: walking them costs less than a list that knows its places.
        let oldest = state.blocks.iter().filter_map(|(key, block)| match block {
            Block::Ready { used, .. } => Some((*used, *key)),
            _ => None,
        });
        let Some((_, key)) = oldest.min() else { return };
        drop_block(state, &key);
    }
}

/// A pack that is read by position.
#[derive(Debug)]
pub(crate) struct RemotePack {
    pub(crate) id: PackId,
    pub(crate) len: u64,
    pub(crate) since: Option<Timestamp>,
    pub(crate) name: String,
    pub(crate) blocks: Blocks,
}

impl DepotFile for RemotePack {
    fn read_at(&self, buf: &mut [u8], offset: u64, fresh: bool) -> io::Result<usize> {
        let read = self.blocks.read_at(self, buf, offset, fresh);
        // 0 bytes mean the end, and only there.
        match read {
            Ok(0) if offset < self.len && !buf.is_empty() => {
                Err(told(io::ErrorKind::UnexpectedEof, "it is shorter than it was"))
            }
            other => other,
        }
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn since(&self) -> Option<Timestamp> {
        self.since
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn forget(&self, offset: u64) {
        self.blocks.forget(self.id, offset);
    }
}
