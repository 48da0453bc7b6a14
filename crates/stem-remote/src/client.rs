//! Bytes to and fro: ranges that go on where a connection was cut, small keys, lists. (`upload` has the long ones on their way out.)
//!
//! The library tries requests again that fail before their answer begins, with pauses that grow and are drawn at random. What it does not do for
//! every service is done here: a body that ends early is continued at the byte where it ended. What it cannot know is done here too: whether
//! a key that "exists already" is what was sent, because the first reply got lost.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use parking_lot::Mutex;
use stem_fs::Timestamp;
use stem_pack::Moment;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::connect::Connection;
use crate::error::{from_client, is_passing, told};
use crate::layout::{PROBE, below};
use crate::settings::Settings;
use crate::upload::PARTS;
use crate::wait::wait;

/// So often a body may be continued.
const ROUNDS: usize = 256;
/// Keys that a list may have.
const MOST_KEYS: usize = 1 << 22;
/// So many times as long as a connection may be silent, beside all tries, a list may show nothing: pages may be empty, and an
/// endless row of them must not be.
const PATIENCE: u32 = 4;

/// What services were found to do, by store.
static PROBED: Mutex<Option<HashMap<String, bool>>> = Mutex::new(None);
/// What their clocks said last, by store.
static DATED: Mutex<Option<HashMap<String, Moment>>> = Mutex::new(None);
/// How old that may be to be taken for what they say now.
const DATED_FOR: Duration = Duration::from_hours(1);

/// A key of a list.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The parts of its name below what was listed.
    pub(crate) parts: Vec<String>,
    pub(crate) size: u64,
    pub(crate) since: Timestamp,
}

/// A client of one store.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    service: Connection,
    prefix: Path,
    identity: String,
    retries: usize,
    pause: Duration,
    patience: Duration,
    /// Leave to have a part in memory.
    pub(crate) parts: Arc<Semaphore>,
}

impl Client {
    pub(crate) fn new(service: Connection, settings: &Settings) -> Self {
        Self {
            service,
            prefix: Path::from(settings.prefix.as_str()),
            identity: settings.identity.clone(),
            retries: settings.retries,
            pause: settings.pause,
            patience: settings
                .timeout
                .saturating_mul(u32::try_from(settings.retries).unwrap_or(u32::MAX).saturating_add(PATIENCE)),
            parts: Arc::new(Semaphore::new(PARTS)),
        }
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        &*self.service.0
    }

    pub(crate) fn path(&self, key: &str) -> Path {
        below(&self.prefix, key)
    }

    /// All bytes of a key, of which there must be at most `max`. `None`: there is no such key.
    pub(crate) fn read(&self, key: &str, max: u64) -> io::Result<Option<Vec<u8>>> {
        let (client, key) = (self.clone(), key.to_owned());
        wait(async move { client.read_key(&key, max).await })
    }

    /// See [`Self::read`].
    pub(crate) async fn read_key(&self, key: &str, max: u64) -> io::Result<Option<Vec<u8>>> {
        let result = match self.store().get_opts(&self.path(key), GetOptions::new()).await {
            Err(object_store::Error::NotFound { source, path }) => {
                let error = from_client(&object_store::Error::NotFound { source, path }, key);
                return if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
            }
            other => other.map_err(|error| from_client(&error, key))?,
        };
        let len = result.meta.size;
        if len > max {
            return Err(told(io::ErrorKind::InvalidData, format!("key '{key}' is longer than {max} bytes")));
        }
        let mut bytes = Vec::new();
        let rest = take(result.into_stream(), len, &mut bytes, key).await;
        if (bytes.len() as u64) < len {
            if let Err(error) = &rest
                && !is_passing(error)
            {
                return rest.map(|()| None);
            }
            self.fetch_into(key, len, &mut bytes, 0).await?;
        }
        Ok(Some(bytes))
    }

    /// The bytes of a range; fewer only where the key ends before.
    pub(crate) async fn fetch_all(&self, key: &str, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.fetch(key, range, &mut bytes).await?;
        Ok(bytes)
    }

    /// The bytes of a range, as they come; fewer only where the key ends before.
    pub(crate) async fn fetch(&self, key: &str, range: Range<u64>, sink: &mut dyn Sink) -> io::Result<()> {
        if let Err(error) = self.fetch_into(key, range.end, sink, range.start).await {
            match self.size(key).await {
                Ok(Some((size, _))) if size <= range.start + sink.taken() => {}
                _ => return Err(error),
            }
        }
        Ok(())
    }

    /// Does something that can be done twice, again where that may help.
    async fn again<T, F: Future<Output = io::Result<T>>>(
        &self,
        mut work: impl FnMut() -> F,
    ) -> io::Result<T> {
        let mut tries = 0;
        loop {
            match work().await {
                Err(error) if is_passing(&error) && tries < self.retries => {}
                other => return other,
            }
            tries += 1;
            tokio::time::sleep(self.backoff(tries)).await;
        }
    }

    /// Appends what follows until `end`; what `sink` took began at the key's byte `start`.
    async fn fetch_into(&self, key: &str, end: u64, sink: &mut dyn Sink, start: u64) -> io::Result<()> {
        let path = self.path(key);
        let mut tries = 0;
        for _ in 0..ROUNDS {
            let at = start + sink.taken();
            if at >= end {
                return Ok(());
            }
            let options = GetOptions::new().with_range(Some(at..end));
            // Tried again by the library, as far as that may help.
            let result =
                self.store().get_opts(&path, options).await.map_err(|error| from_client(&error, key))?;
            let taken = take(result.into_stream(), end - at, sink, key).await;
            let moved = start + sink.taken() > at;
            match taken {
                Err(error) if !is_passing(&error) => return Err(error),
                Err(error) if tries >= self.retries && !moved => return Err(error),
                _ if start + sink.taken() >= end => return Ok(()),
                _ if tries >= self.retries && !moved => break,
                _ => {}
            }
            tries = if moved { 0 } else { tries + 1 };
            tokio::time::sleep(self.backoff(tries)).await;
        }
        Err(told(
            io::ErrorKind::ConnectionAborted,
            format!("what comes of key '{key}' ends too early, again and again"),
        ))
    }

    /// A pause that doubles each time, and a random part of it.
    fn backoff(&self, tries: usize) -> Duration {
        let most = self.pause.saturating_mul(1 << tries.min(6));
        let [random, ..] = *Uuid::new_v4().as_bytes();
        most.mul_f64(f64::from(random) / 255.0)
    }

    /// The length of a key.
    pub(crate) async fn size(&self, key: &str) -> io::Result<Option<(u64, Timestamp)>> {
        match self.store().head(&self.path(key)).await {
            Ok(meta) => Ok(Some((meta.size, timestamp(&meta)))),
            Err(error) => {
                let error = from_client(&error, key);
                if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Writes a small key as a whole, only if it is absent where the service knows how. Afterwards it is there; whose bytes it has, the
    /// caller looks.
    pub(crate) fn create(&self, key: &str, bytes: Vec<u8>) -> io::Result<()> {
        let conditional = self.probe()?;
        let (client, key) = (self.clone(), key.to_owned());
        wait(async move { client.create_key(&key, Bytes::from(bytes), conditional).await.map(drop) })
    }

    /// Writes a small key whose name is random. It is durable when this returns.
    pub(crate) fn put(&self, key: &str, bytes: Vec<u8>) -> io::Result<()> {
        let (client, key) = (self.clone(), key.to_owned());
        wait(async move { client.create_key(&key, Bytes::from(bytes), false).await.map(drop) })
    }

    /// See [`Self::create`]. `false`: somebody's bytes are there, perhaps those of a first try whose reply got lost.
    async fn create_key(&self, key: &str, bytes: Bytes, conditional: bool) -> io::Result<bool> {
        let payload = PutPayload::from_bytes(bytes);
        if conditional {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let mut tries = 0;
            loop {
                let put = self.store().put_opts(&self.path(key), payload.clone(), options.clone()).await;
                match put.map_err(|error| from_client(&error, key)) {
                    Ok(_) => return Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
                    // The library does not try these again, for the first one may have arrived.
                    Err(error) if is_passing(&error) && tries < self.retries => {}
                    Err(error) => return Err(error),
                }
                tries += 1;
                tokio::time::sleep(self.backoff(tries)).await;
            }
        }
        self.store()
            .put(&self.path(key), payload)
            .await
            .map(|_| true)
            .map_err(|error| from_client(&error, key))
    }

    /// Uploads a small key whose name is random, and makes sure that it has these bytes.
    pub(crate) async fn put_new(&self, key: &str, bytes: Vec<u8>) -> io::Result<()> {
        let conditional = PROBED.lock().as_ref().and_then(|known| known.get(&self.identity).copied());
        let len = bytes.len() as u64;
        let bytes = Bytes::from(bytes);
        let ours = self.create_key(key, bytes.clone(), conditional.unwrap_or(false)).await?;
        match self.size(key).await? {
            Some((found, _)) if found == len => {}
            _ => {
                return Err(told(
                    io::ErrorKind::Other,
                    format!("key '{key}' was uploaded and is not there as it was sent"),
                ));
            }
        }
        if !ours {
            let there = self.read_key(key, len).await?;
            if there.as_deref() != Some(&bytes[..]) {
                return Err(told(io::ErrorKind::InvalidData, format!("key '{key}' exists with other bytes")));
            }
        }
        Ok(())
    }

    /// Every key below `key`.
    pub(crate) fn list(&self, key: &str) -> io::Result<Vec<Listed>> {
        let (client, key) = (self.clone(), key.to_owned());
        // Pages that break off are not asked for again by the library.
        wait(async move { client.again(|| client.list_keys(&key)).await })
    }

    async fn list_keys(&self, key: &str) -> io::Result<Vec<Listed>> {
        let top = self.path(key);
        let mut stream = self.store().list(Some(&top));
        let mut listed = Vec::new();
        let mut first = None;
        while let Some(meta) = self.next_key(&mut stream, key).await? {
            match &first {
                None => first = Some(meta.location.clone()),
                // Whoever turns pages in a circle would fill the memory.
                Some(first) if *first == meta.location => {
                    let words = format!("the service's list of '{key}' begins again and again");
                    return Err(told(io::ErrorKind::InvalidData, words));
                }
                Some(_) => {}
            }
            let Some(parts) = meta.location.prefix_match(&top) else { continue };
            let parts = parts.map(|part| part.as_ref().to_owned()).collect();
            listed.push(Listed { parts, size: meta.size, since: timestamp(&meta) });
            if listed.len() > MOST_KEYS {
                let words = format!("there are more than {MOST_KEYS} keys under '{key}'");
                return Err(told(io::ErrorKind::InvalidData, words));
            }
        }
        Ok(listed)
    }

    /// Removes all keys below `key`, or a key that has none below it.
    pub(crate) fn erase(&self, key: &str, alone: bool) -> io::Result<()> {
        let mut keys: Vec<String> =
            self.list(key)?.iter().map(|listed| format!("{key}/{}", listed.parts.join("/"))).collect();
        if alone {
            keys = vec![key.to_owned()];
        }
        self.remove(keys)
    }

    /// Removes keys one after the other; what is not there is removed.
    pub(crate) fn remove(&self, keys: Vec<String>) -> io::Result<()> {
        let client = self.clone();
        wait(async move {
            for key in keys {
                match client.store().delete(&client.path(&key)).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(from_client(&error, &key)),
                }
            }
            Ok(())
        })
    }

    /// What the service's clock said an hour ago or less; asked again only where it was asked before, for that writes a key.
    pub(crate) fn dated(&self) -> io::Result<Option<Timestamp>> {
        let known = DATED.lock().as_ref().and_then(|known| known.get(&self.identity).copied());
        match known {
            None => Ok(None),
            Some(moment) if moment.age().is_some_and(|age| age < DATED_FOR) => Ok(moment.depot),
            Some(_) => self.service_time().map(Some),
        }
    }

    fn date(&self, seen: Timestamp) {
        DATED.lock().get_or_insert_default().insert(self.identity.clone(), Moment::now(Some(seen)));
    }

    /// What the service's clock says: when a key was modified that is written now. No client's clock is asked.
    pub(crate) fn service_time(&self) -> io::Result<Timestamp> {
        let key = format!("{PROBE}/{}", Uuid::new_v4().simple());
        let client = self.clone();
        let now = wait(async move {
            client.create_key(&key, Bytes::from_static(b"clock"), false).await?;
            let found = client.again(|| client.size(&key)).await?;
            // Whoever may write and not delete leaves five bytes.
            let _ = client.store().delete(&client.path(&key)).await;
            found.map(|(_, since)| since).ok_or_else(|| {
                told(io::ErrorKind::Other, format!("key '{key}' was written and is not there"))
            })
        })?;
        self.date(now);
        Ok(now)
    }

    /// Whether there is any key below `key`.
    pub(crate) fn any_below(&self, key: &str) -> io::Result<bool> {
        let (client, key) = (self.clone(), key.to_owned());
        wait(async move { client.again(|| client.any_key(&key)).await })
    }

    async fn any_key(&self, key: &str) -> io::Result<bool> {
        let mut stream = self.store().list(Some(&self.path(key)));
        Ok(self.next_key(&mut stream, key).await?.is_some())
    }

    /// What a list shows next.
    async fn next_key(
        &self,
        stream: &mut futures_util::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>>,
        key: &str,
    ) -> io::Result<Option<object_store::ObjectMeta>> {
        let Ok(next) = tokio::time::timeout(self.patience, stream.next()).await else {
            let words = format!("the service's list of '{key}' goes on and shows nothing");
            return Err(told(io::ErrorKind::InvalidData, words));
        };
        next.transpose().map_err(|error| from_client(&error, key))
    }

    /// Whether the service creates a key only if it is absent when it is told to. Found out by trying, once for each store and process:
    /// some services ignore the condition without a word.
    pub(crate) fn probe(&self) -> io::Result<bool> {
        if let Some(known) = PROBED.lock().as_ref().and_then(|known| known.get(&self.identity).copied()) {
            return Ok(known);
        }
        let client = self.clone();
        let honoured = wait(async move { client.try_condition().await })?;
        PROBED.lock().get_or_insert_default().insert(self.identity.clone(), honoured);
        Ok(honoured)
    }

    async fn try_condition(&self) -> io::Result<bool> {
        let key = format!("{PROBE}/{}", Uuid::new_v4().simple());
        let path = self.path(&key);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let mut honoured = false;
        for round in 0..2 {
            let put = self.store().put_opts(&path, PutPayload::from_static(b"probe"), options.clone()).await;
            match put.map_err(|error| from_client(&error, &key)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => honoured = round == 1,
                // Not to know is to do without.
                Err(error) if is_passing(&error) || error.kind() == io::ErrorKind::Unsupported => break,
                Err(error) if round == 1 => {
                    let _ = error;
                }
                Err(error) => return Err(error),
            }
        }
        // It tells the service's time, too.
        if let Ok(Some((_, since))) = self.size(&key).await {
            self.date(since);
        }
        // Whoever may write and not delete leaves five bytes.
        let _ = self.store().delete(&path).await;
        Ok(honoured)
    }
}

fn timestamp(meta: &object_store::ObjectMeta) -> Timestamp {
    Timestamp {
        secs: meta.last_modified.timestamp(),
        nanos: meta.last_modified.timestamp_subsec_nanos().min(999_999_999),
    }
}

/// Takes bytes in the order in which they come.
pub(crate) trait Sink: Send {
    fn take(&mut self, bytes: &[u8]);
    /// So many so far.
    fn taken(&self) -> u64;
}

impl Sink for Vec<u8> {
    fn take(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn taken(&self) -> u64 {
        self.len() as u64
    }
}

/// Appends what a body gives, at most `most` bytes.
async fn take(
    mut stream: futures_util::stream::BoxStream<'static, object_store::Result<Bytes>>,
    most: u64,
    sink: &mut dyn Sink,
    key: &str,
) -> io::Result<()> {
    let mut left = usize::try_from(most).unwrap_or(usize::MAX);
    while left > 0 {
        let Some(piece) = stream.next().await else { break };
        let piece = piece.map_err(|error| from_client(&error, key))?;
        let piece = piece.get(..piece.len().min(left)).unwrap_or_default();
        sink.take(piece);
        left -= piece.len();
    }
    Ok(())
}

/// Shared by what runs in the background.
pub(crate) type Shared = Arc<Client>;
