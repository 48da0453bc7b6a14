//! Packs in a bucket.
//!
//! Finished packs are uploaded in the background, one after the other, while the next one grows: parts of one go in parallel, and no pack
//! becomes visible before one that it may need. What goes wrong stays wrong for this handle: it claims nothing more.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, stream};
use parking_lot::{Condvar, Mutex};
use stem_fs::OpenFile;
use stem_hash::ObjectId;
use stem_pack::format::PackId;
use stem_pack::{Depot, DepotFile, DepotJob, DepotPack, Look, Moment, Roots};

use crate::blocks::{Blocks, RemotePack};
use crate::client::Shared;
use crate::error::{again, told};
use crate::identity::Identity;
use crate::layout::{PACKS, PackKey, index_key, pack_key, parse_pack_name};
use crate::marker::{self, Marker};
use crate::roots::RemoteRoots;
use crate::wait::{LOOK, go_on, runtime, wait};

/// Packs that wait on disk while another one is uploaded.
const WAITING: usize = 1;
/// Indices that are fetched at the same time.
const INDICES: usize = 8;
/// The longest index that is read.
const MAX_INDEX: u64 = 64 << 20;
/// Packs that a store may have.
const MOST_PACKS: usize = 1 << 20;

/// Packs in a bucket.
#[derive(Debug)]
pub(crate) struct RemoteDepot {
    client: Shared,
    marker: Marker,
    /// Whether the marker was seen.
    known: AtomicBool,
    blocks: Blocks,
    queue: Arc<Queue>,
    roots: RemoteRoots,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Nobody waits for what is under way any more.
    given_up: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<DepotJob>,
    running: bool,
    failed: Option<io::Error>,
}

impl State {
    fn check(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(again(error)))
    }
}

impl RemoteDepot {
    pub(crate) fn new(client: Shared, marker: Marker, known: bool, identity: Identity) -> Self {
        let blocks = Blocks::new(client.clone());
        let roots = RemoteRoots::new(client.clone(), identity);
        Self { client, marker, known: known.into(), blocks, queue: Arc::default(), roots }
    }

    /// Whether the store has a marker by now; another one than expected is an error.
    fn is_made(&self) -> io::Result<bool> {
        if self.known.load(Ordering::Acquire) {
            return Ok(true);
        }
        match marker::fetch(&self.client)? {
            None => Ok(false),
            Some(found) if found == self.marker => {
                self.known.store(true, Ordering::Release);
                Ok(true)
            }
            Some(_) => Err(told(
                io::ErrorKind::InvalidData,
                "another client made this store otherwise; open it again",
            )),
        }
    }

    fn wait_for(&self, enough: impl Fn(&State) -> bool) -> io::Result<()> {
        let mut state = self.queue.state.lock();
        loop {
            state.check()?;
            if enough(&state) {
                return Ok(());
            }
            self.queue.changed.wait_for(&mut state, LOOK);
            go_on()?;
        }
    }
}

impl Depot for RemoteDepot {
    fn packs(&self) -> io::Result<Vec<DepotPack>> {
        if !self.is_made()? {
            return Ok(Vec::new());
        }
        let mut packs = HashMap::new();
        let mut indexed = Vec::new();
        for listed in self.client.list(PACKS)? {
            let [name] = listed.parts.as_slice() else { continue };
            match parse_pack_name(name) {
                Some(PackKey::Pack(id)) => {
                    packs.insert(id, DepotPack { id, len: listed.size, since: Some(listed.since) });
                }
                Some(PackKey::Index(id)) => indexed.push(id),
                None => {}
            }
        }
        if indexed.len() > MOST_PACKS {
            return Err(told(io::ErrorKind::InvalidData, format!("there are more than {MOST_PACKS} packs")));
        }
        Ok(indexed.into_iter().filter_map(|id| packs.get(&id).copied()).collect())
    }

    fn indices(&self, packs: &[PackId], show: &mut dyn FnMut(PackId, Vec<u8>)) -> io::Result<()> {
        for group in packs.chunks(INDICES) {
            let (client, group) = (self.client.clone(), group.to_vec());
            let fetched = wait(async move {
                let fetch = |id: PackId| {
                    let client = client.clone();
                    async move { Ok::<_, io::Error>((id, client.read_key(&index_key(id), MAX_INDEX).await?)) }
                };
                let all: Vec<_> = stream::iter(group).map(fetch).buffer_unordered(INDICES).collect().await;
                all.into_iter().collect::<io::Result<Vec<_>>>()
            })?;
            for (id, bytes) in fetched {
                if let Some(bytes) = bytes {
                    show(id, bytes);
                }
            }
        }
        Ok(())
    }

    fn open(&self, pack: &DepotPack) -> Arc<dyn DepotFile> {
        let DepotPack { id, len, since } = *pack;
        Arc::new(RemotePack { id, len, since, name: pack_key(id), blocks: self.blocks.clone() })
    }

    fn prepare(&self) -> io::Result<()> {
        if !self.is_made()? {
            marker::make(&self.client, &self.marker)?;
            self.known.store(true, Ordering::Release);
        }
        self.client.probe().map(drop)
    }

    fn submit(&self, job: DepotJob) -> io::Result<()> {
        self.wait_for(|state| state.waiting.len() < WAITING)?;
        let runtime = runtime()?;
        let mut state = self.queue.state.lock();
        state.check()?;
        state.waiting.push_back(job);
        if !state.running {
            state.running = true;
            let (queue, client) = (self.queue.clone(), self.client.clone());
            runtime.spawn(run(queue, client));
        }
        Ok(())
    }

    fn settle(&self) -> io::Result<()> {
        self.wait_for(|state| !state.running && state.waiting.is_empty())
    }

    fn stored_bytes(&self) -> io::Result<u64> {
        if !self.is_made()? {
            return Ok(0);
        }
        let listed = self.client.list(PACKS)?;
        let ours = listed
            .iter()
            .filter(|listed| matches!(listed.parts.as_slice(), [name] if parse_pack_name(name).is_some()));
        Ok(ours.map(|listed| listed.size).sum())
    }

    fn expire(&self) {
        self.blocks.expire();
    }

    fn roots(&self) -> Option<&dyn Roots> {
        Some(self)
    }
}

impl Roots for RemoteDepot {
    fn look(&self) -> io::Result<Look> {
        self.roots.look()
    }

    fn publish(&self, needed: &[ObjectId]) -> io::Result<()> {
        self.roots.publish(needed)
    }

    fn gone(&self, packs: &[PackId]) -> io::Result<Vec<PackId>> {
        self.roots.gone(packs)
    }

    fn is_timely(&self, since: &Moment) -> io::Result<bool> {
        self.roots.is_timely(since)
    }

    fn replace(&self, needed: &[ObjectId]) -> io::Result<()> {
        // Nothing comes before the marker; without one nothing is there to be needed.
        if self.is_made()? { self.roots.replace(needed) } else { Ok(()) }
    }
}

impl Drop for RemoteDepot {
    fn drop(&mut self) {
        self.queue.given_up.store(true, Ordering::Release);
        self.queue.state.lock().waiting.clear();
    }
}

/// Makes sure that whoever waits for uploads hears of their end, whatever it was.
struct Ended {
    queue: Arc<Queue>,
    told: bool,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if !self.told {
            let mut state = self.queue.state.lock();
            state.running = false;
            state.waiting.clear();
            state
                .failed
                .get_or_insert_with(|| told(io::ErrorKind::Other, "an upload ended without an answer"));
        }
        self.queue.changed.notify_all();
    }
}

/// Uploads what waits until nothing does.
async fn run(queue: Arc<Queue>, client: Shared) {
    let mut ended = Ended { queue: queue.clone(), told: false };
    loop {
        let job = {
            let mut state = queue.state.lock();
            let job = state.waiting.pop_front();
            if job.is_none() {
                state.running = false;
                ended.told = true;
            }
            job
        };
        queue.changed.notify_all();
        let Some(job) = job else { return };
        let DepotJob { id, file, held, len, index, done } = job;
        let uploaded = upload(&client, id, &file, len, index, &queue.given_up).await;
        drop((file, held));
        match uploaded {
            Ok(()) => done(),
            Err(error) => {
                let mut state = queue.state.lock();
                state.failed = Some(error);
                state.waiting.clear();
                state.running = false;
                ended.told = true;
                return;
            }
        }
    }
}

/// The pack, then its index: the order of the format.
async fn upload(
    client: &Shared,
    id: PackId,
    file: &OpenFile,
    len: u64,
    index: Vec<u8>,
    given_up: &AtomicBool,
) -> io::Result<()> {
    client.upload(&pack_key(id), file, len, given_up).await?;
    client.put_new(&index_key(id), index).await
}
