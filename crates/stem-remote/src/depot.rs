//! Packs in a bucket.
//!
//! Packs are uploaded in the background while they grow, parts in parallel, also those of a pack and of the one after it: between two packs the line would
//! stand idle otherwise, and at the beginning until the first one is full. A pack becomes visible by its index, and indices go one after
//! the other, so no pack is there before one that it may need. What goes wrong stays wrong for this handle: it claims nothing more.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, stream};
use parking_lot::{Condvar, Mutex, MutexGuard};
use stem_fs::OpenFile;
use stem_hash::ObjectId;
use stem_pack::format::PackId;
use stem_pack::{Depot, DepotFile, DepotJob, DepotPack, Look, Moment, Roots};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::blocks::{Blocks, RemotePack};
use crate::client::Shared;
use crate::error::{again, told};
use crate::identity::Identity;
use crate::layout::{PACKS, PackKey, index_key, pack_key, parse_pack_name};
use crate::marker::{self, Marker};
use crate::roots::RemoteRoots;
use crate::upload::Grown;
use crate::wait::{LOOK, go_on, runtime, wait};

/// Packs that are whole and not there yet, on disk until they are.
const WAITING: usize = 2;
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
    /// Whether it was just found that there is none.
    empty: AtomicBool,
    blocks: Blocks,
    queue: Arc<Queue>,
    /// The only packs that there are, if they were listed before.
    listed: Option<Vec<DepotPack>>,
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
    /// Packs on their way that still grow.
    growing: HashMap<PackId, Growing>,
    /// Those that are whole.
    waiting: usize,
    /// Hears when the last of those is there.
    last: Option<oneshot::Receiver<()>>,
    failed: Option<io::Error>,
}

/// A pack on its way. Its upload is given up when this is dropped before the pack is whole.
#[derive(Debug)]
struct Growing {
    grown: watch::Sender<Grown>,
    task: JoinHandle<io::Result<()>>,
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
        Self {
            client,
            marker,
            known: known.into(),
            empty: (!known).into(),
            blocks,
            queue: Arc::default(),
            listed: None,
            roots,
        }
    }

    /// Shows these packs and no others.
    pub(crate) fn only(mut self, packs: Vec<DepotPack>) -> Self {
        self.listed = Some(packs);
        self
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

    fn wait_for(&self, enough: impl Fn(&State) -> bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.queue.state.lock();
        loop {
            state.check()?;
            if enough(&state) {
                return Ok(state);
            }
            self.queue.changed.wait_for(&mut state, LOOK);
            go_on()?;
        }
    }

    /// Begins to upload a pack that may still grow.
    fn start(&self, id: PackId, file: &Arc<OpenFile>) -> io::Result<Growing> {
        let (grown, follow) = watch::channel(Grown { len: 0, whole: false });
        let (queue, client, file) = (self.queue.clone(), self.client.clone(), file.clone());
        let task = runtime()?
            .spawn(async move { client.upload_growing(&pack_key(id), &file, follow, &queue.given_up).await });
        Ok(Growing { grown, task })
    }

    /// The upload of a pack that is whole, once few enough others are on their way.
    fn take_over(&self, id: PackId, file: &Arc<OpenFile>) -> io::Result<(MutexGuard<'_, State>, Growing)> {
        let mut state = self.wait_for(|state| state.waiting < WAITING)?;
        let growing = match state.growing.remove(&id) {
            Some(growing) => growing,
            None => self.start(id, file)?,
        };
        Ok((state, growing))
    }
}

impl Depot for RemoteDepot {
    fn packs(&self) -> io::Result<Vec<DepotPack>> {
        if let Some(packs) = &self.listed {
            return Ok(packs.clone());
        }
        if self.empty.swap(false, Ordering::AcqRel) || !self.is_made()? {
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
        if !self.known.load(Ordering::Acquire) {
            marker::make(&self.client, &self.marker)?;
            self.known.store(true, Ordering::Release);
        }
        self.client.probe().map(drop)
    }

    fn begin(&self, id: PackId, file: &Arc<OpenFile>) {
        // Without, the upload begins when the pack is whole.
        if let Ok(growing) = self.start(id, file) {
            self.queue.state.lock().growing.insert(id, growing);
        }
    }

    fn grown(&self, id: PackId, len: u64) {
        if let Some(growing) = self.queue.state.lock().growing.get(&id) {
            growing.grown.send_replace(Grown { len, whole: false });
        }
    }

    fn abandon(&self, id: PackId) {
        self.queue.state.lock().growing.remove(&id);
    }

    fn starves(&self) -> bool {
        self.client.starves()
    }

    fn submit(&self, job: DepotJob) -> io::Result<()> {
        let submitted = self.take_over(job.id, &job.file);
        let (mut state, growing) = submitted.inspect_err(|_| self.abandon(job.id))?;
        growing.grown.send_replace(Grown { len: job.len, whole: true });
        let (there, next) = oneshot::channel();
        let before = state.last.replace(next);
        state.waiting += 1;
        let (queue, client) = (self.queue.clone(), self.client.clone());
        runtime()?.spawn(async move {
            let mut ended = Ended { queue, failed: None, told: false };
            let finished = finish(&client, job, growing.task, before, &ended.queue.given_up).await;
            ended.told = true;
            match finished {
                Ok(()) => drop(there.send(())),
                Err(error) => ended.failed = Some(error),
            }
        });
        Ok(())
    }

    fn settle(&self) -> io::Result<()> {
        self.wait_for(|state| state.waiting == 0).map(drop)
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

    fn entrust(&self, ids: &[ObjectId]) -> io::Result<()> {
        self.roots.entrust(ids)
    }
}

impl Drop for RemoteDepot {
    fn drop(&mut self) {
        self.queue.given_up.store(true, Ordering::Release);
        self.queue.state.lock().growing.clear();
    }
}

/// Makes sure that whoever waits for uploads hears of their end, whatever it was.
struct Ended {
    queue: Arc<Queue>,
    failed: Option<io::Error>,
    told: bool,
}

impl Drop for Ended {
    fn drop(&mut self) {
        let silent = || told(io::ErrorKind::Other, "an upload ended without an answer");
        let failed = self.failed.take().or_else(|| (!self.told).then(silent));
        let mut state = self.queue.state.lock();
        state.waiting = state.waiting.saturating_sub(1);
        if let Some(failed) = failed {
            // The first one counts: others fail because of it.
            state.failed.get_or_insert(failed);
        }
        drop(state);
        self.queue.changed.notify_all();
    }
}

/// The pack, then its index, and that only after the index of the pack before: the order of the format.
async fn finish(
    client: &Shared,
    job: DepotJob,
    uploaded: JoinHandle<io::Result<()>>,
    before: Option<oneshot::Receiver<()>>,
    given_up: &AtomicBool,
) -> io::Result<()> {
    let silent = |_| told(io::ErrorKind::Other, "an upload ended without an answer");
    let DepotJob { id, file, held, len: _, index, done } = job;
    uploaded.await.map_err(silent)??;
    drop((file, held));
    if let Some(before) = before {
        // Whoever dropped the other end has failed, and will have said so.
        before.await.map_err(|_| told(io::ErrorKind::Other, "the pack before it could not be uploaded"))?;
    }
    if given_up.load(Ordering::Acquire) {
        return Err(io::Error::other(stem_store::Stopped));
    }
    client.put_new(&index_key(id), index).await?;
    done();
    Ok(())
}
