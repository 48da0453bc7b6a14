//! What was read of packs, in blocks, and reading ahead.
//!
//! Records are read piece by piece: a header, a list, a payload. Over a network each piece would be a request, so whole blocks are fetched, and
//! whoever wants one that is under way waits for it (one request, however many ask). Objects that are read in
//! the order in which they lie (`storage_order`) therefore share requests. Reads that move on through a pack get longer ranges and
//! several of them at once, ahead of the reader; whoever says beforehand what it is going to read gets these from the beginning. A block is there as soon
//! as its bytes are, not when its range has ended; memory stays within one limit for all packs of a store.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use stem_fs::Timestamp;
use stem_pack::DepotFile;
use stem_pack::format::PackId;

use crate::client::{Shared, Sink};
use crate::error::{again, told};
use crate::wait::{LOOK, go_on, runtime};

/// Bytes of a block.
const BLOCK: u64 = 1 << 20;
/// The longest range that is fetched at once, in blocks.
const LONGEST: u64 = 8;
/// How far ahead of a reader that moves on ranges are fetched, in blocks.
const AHEAD: u64 = 16;
/// Readers of one pack that are told apart.
const FLOWS: usize = 8;
/// Ranges under way at the same time, for readers ahead.
const UNDER_WAY: usize = 4;
/// Bytes of blocks that are kept.
const LIMIT: u64 = 96 << 20;
/// Buffers that are kept for blocks to come: fresh memory costs as much as copying.
const SPARE: usize = 8;
/// A record is at most so many blocks long: what is forgotten of one that is damaged.
const RECORD: u64 = 18;

type Key = (PackId, u64);

#[derive(Debug)]
enum Block {
    Loading {
        fresh: Option<u64>,
    },
    Ready {
        bytes: Arc<Vec<u8>>,
        fresh: Option<u64>,
        used: u64,
        /// So many bytes of it were read, those that were read twice counted twice.
        read: u64,
    },
    Failed(io::Error),
}

/// A reader's way through a pack.
#[derive(Debug, Default)]
struct Flow {
    /// The block after the last one that was planned.
    next: u64,
    /// How many blocks the next range has.
    step: u64,
    /// The block before which it ends, as far as that is known.
    until: Option<u64>,
}

impl Flow {
    /// The next range, which ends before `last`. `None`: that is enough.
    fn advance(&mut self, last: u64) -> Option<(u64, u64)> {
        let end = self.until.unwrap_or(last).min(last);
        self.step = (self.step * 2).clamp(1, LONGEST);
        let (from, step) = (self.next, self.step.min(end.saturating_sub(self.next)));
        self.next = from + step;
        (step > 0).then_some((from, step))
    }
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
    spare: Vec<Vec<u8>>,
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
                Some(Block::Ready { bytes, fresh: since, used, read }) if !fresh || *since == Some(age) => {
                    *used = clock;
                    let bytes = bytes.clone();
                    let skip = usize::try_from(offset % BLOCK).unwrap_or(usize::MAX);
                    let part = bytes.get(skip..).unwrap_or_default();
                    let n = part.len().min(buf.len());
                    *read += n as u64;
                    self.plan(&mut state, pack, number + 1, fresh)?;
                    drop(state);
                    buf[..n].copy_from_slice(&part[..n]);
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
        let mut flow = known.map_or(Flow { next: number, step: 0, until: None }, |at| flows.remove(at));
        // What is read against what was said goes on, too.
        flow.until = flow.until.filter(|&until| until > number);
        let range = flow.advance(u64::MAX);
        remember(flows, flow);
        let (from, step) = range.unwrap_or((number, 1));
        self.fetch(state, pack, from, step, fresh)
    }

    /// Bytes of a pack are going to be read in this order: fetches the first of them, and the others as reading goes on.
    fn expect(&self, pack: &RemotePack, range: &Range<u64>, fresh: bool) -> io::Result<()> {
        let last = pack.len.div_ceil(BLOCK);
        let (from, until) = (range.start / BLOCK, range.end.div_ceil(BLOCK).min(last));
        let mut state = self.0.state.lock();
        let since = fresh.then_some(state.age);
        // Those in front may have been read for others, or be under way.
        let Some(from) = (from..until).find(|&number| !is_there(&state, (pack.id, number), since)) else {
            return Ok(());
        };
        let flows = state.flows.entry(pack.id).or_default();
        if let Some(known) = flows.iter_mut().find(|flow| flow.next == from) {
            known.step = LONGEST;
            known.until = known.until.map(|end| end.max(until));
        } else {
            remember(flows, Flow { next: from, step: LONGEST, until: Some(until) });
        }
        self.plan(&mut state, pack, from, fresh)
    }

    /// A block before `number` was read: fetches ahead where the reader moves on.
    fn plan(&self, state: &mut State, pack: &RemotePack, number: u64, fresh: bool) -> io::Result<()> {
        let last = pack.len.div_ceil(BLOCK);
        while state.under_way < UNDER_WAY {
            let flows = state.flows.entry(pack.id).or_default();
            // One block was asked for and read: whether its reader moves on is seen when it asks for the next.
            let near = |flow: &&mut Flow| flow.step >= 2 && (number..number + AHEAD).contains(&flow.next);
            let Some((from, step)) = flows.iter_mut().filter(near).find_map(|flow| flow.advance(last)) else {
                return Ok(());
            };
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
            if is_there(state, key, since) {
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
        let (blocks, name) = (self.clone(), pack.name.clone());
        let mut arrivals = Arrivals {
            blocks: self.clone(),
            pack: pack.id,
            since,
            next: from,
            to,
            taken: 0,
            block: Vec::new(),
        };
        runtime.spawn(async move {
            let fetched = blocks.0.client.fetch(&name, range, &mut arrivals).await;
            arrivals.end(&fetched);
        });
        Ok(())
    }

    /// A block, or why there is none.
    fn arrived(&self, key: Key, since: Option<u64>, fetched: io::Result<Vec<u8>>) {
        let mut state = self.0.state.lock();
        // Another request may have taken its place.
        if !matches!(state.blocks.get(&key), Some(Block::Loading { fresh }) if *fresh == since) {
            return;
        }
        state.clock += 1;
        let used = state.clock;
        let block = match fetched {
            Ok(bytes) => {
                state.bytes += bytes.len() as u64;
                Block::Ready { bytes: Arc::new(bytes), fresh: since, used, read: 0 }
            }
            Err(error) => Block::Failed(error),
        };
        state.blocks.insert(key, block);
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
        if state.spare.len() < SPARE
            && let Ok(mut bytes) = Arc::try_unwrap(bytes)
        {
            bytes.clear();
            state.spare.push(bytes);
        }
    }
}

/// Whether a block need not be fetched; `since`: only what was fetched then will do.
fn is_there(state: &State, key: Key, since: Option<u64>) -> bool {
    match state.blocks.get(&key) {
        Some(Block::Ready { fresh, .. } | Block::Loading { fresh }) => since.is_none() || *fresh == since,
        Some(Block::Failed(_)) | None => false,
    }
}

/// Takes a flow among those that are told apart.
fn remember(flows: &mut Vec<Flow>, flow: Flow) {
    if flows.len() >= FLOWS {
        flows.remove(0);
    }
    flows.push(flow);
}

/// The bytes of a range, which become blocks as they come.
struct Arrivals {
    blocks: Blocks,
    pack: PackId,
    since: Option<u64>,
    /// The block that is being filled, and where the range ends.
    next: u64,
    to: u64,
    taken: u64,
    block: Vec<u8>,
}

impl Arrivals {
    fn hand_over(&mut self) {
        let block = std::mem::take(&mut self.block);
        self.blocks.arrived((self.pack, self.next), self.since, Ok(block));
        self.next += 1;
    }

    /// What did not come is not there.
    fn end(mut self, fetched: &io::Result<()>) {
        while self.next < self.to {
            match fetched {
                Ok(()) => self.hand_over(),
                Err(error) => {
                    self.blocks.arrived((self.pack, self.next), self.since, Err(again(error)));
                    self.next += 1;
                }
            }
        }
    }
}

impl Sink for Arrivals {
    fn take(&mut self, mut bytes: &[u8]) {
        let whole = usize::try_from(BLOCK).unwrap_or(usize::MAX);
        self.taken += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.block.capacity() < whole {
                self.block = self.blocks.0.state.lock().spare.pop().unwrap_or_default();
                self.block.reserve_exact(whole);
            }
            let (now, later) = bytes.split_at(bytes.len().min(whole - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == whole {
                self.hand_over();
            }
        }
    }

    fn taken(&self) -> u64 {
        self.taken
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        // Nobody may wait for what will not come.
        let lost = told(io::ErrorKind::Other, "a request ended without an answer");
        for number in self.next..self.to {
            self.blocks.arrived((self.pack, number), self.since, Err(again(&lost)));
        }
        let mut state = self.blocks.0.state.lock();
        state.under_way = state.under_way.saturating_sub(1);
    }
}

/// Makes room. What was read to its end goes first: what was fetched ahead, and has been used least lately, is what is wanted next.
/// Otherwise what was not used for longest.
fn evict(state: &mut State) {
    while state.bytes > LIMIT {
        // Some tens of blocks: walking them costs less than a list that knows its places.
        let oldest = state.blocks.iter().filter_map(|(key, block)| match block {
            Block::Ready { bytes, used, read, .. } => Some((*read < bytes.len() as u64, *used, *key)),
            _ => None,
        });
        let Some((_, _, key)) = oldest.min() else { return };
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

    fn expect(&self, range: Range<u64>, fresh: bool) {
        // What fails here is said when it is read.
        let _ = self.blocks.expect(self, &range, fresh);
    }
}
