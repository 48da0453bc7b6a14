//! A service that speaks as much of S3 as tests need, in the test process, with faults on demand.
//!
//! Stricter than what it stands for: it compares what was signed (`x-amz-content-sha256`) and the checksum with the bytes that came, wants parts to be
//! long enough and in order, and knows no key that was not completed. It does not check signatures; that, and what real services
//! do beside the protocol, is tested with real ones (`tests/servers`).
//!
//! Its own, in a few hundred lines of threads, because the servers that can be had bring an async stack of a hundred crates, and none of them
//! cuts a connection at a given byte.

mod answer;
mod fault;
mod http;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use fault::{Fault, Faults, Injury, Match, Moment};

/// What the service holds.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Stored>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    pub(crate) next_upload: u64,
    pub(crate) requests: u64,
    pub(crate) log: Vec<String>,
    /// Keys that lists do not show, although they are there.
    pub(crate) unlisted: Vec<String>,
}

/// An object.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Arc<Vec<u8>>,
    /// When it came, in seconds since the epoch, without the error of [`ServerOptions::clock`].
    pub(crate) at: u64,
    /// Its entity tag, made once: as long as the object is, every read would hash it.
    pub(crate) tag: String,
}

impl Stored {
    pub(crate) fn new(bytes: Vec<u8>, at: u64) -> Self {
        let tag = answer::etag(&bytes);
        Self { bytes: Arc::new(bytes), at, tag }
    }
}

/// What a service held at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot(BTreeMap<String, Stored>);

/// An upload in parts.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) parts: BTreeMap<u32, Vec<u8>>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) faults: Faults,
    pub(crate) hook: fault::Hook,
    pub(crate) options: ServerOptions,
    /// When the line is free again.
    free: Mutex<Option<Instant>>,
    /// Seconds that [`S3Server::advance`] added to the time.
    pub(crate) ahead: AtomicU64,
    stop: AtomicBool,
}

impl Shared {
    /// The time, in seconds since the epoch.
    pub(crate) fn seconds(&self) -> u64 {
        answer::seconds().saturating_add(self.ahead.load(Ordering::Acquire))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many bytes have gone over the line.
    pub(crate) fn pass(&self, bytes: usize) {
        let Some(line) = self.options.line else { return };
        let takes = Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / line.max(1));
        let now = Instant::now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let until = free.map_or(now, |free| free.max(now)) + takes;
        *free = Some(until);
        drop(free);
        std::thread::sleep(until - now);
    }
}

/// What kind of service it is.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Whether `If-None-Match: *` is heeded. Some services ignore it.
    pub conditional: bool,
    /// How long each answer takes at least.
    pub latency: Duration,
    /// Keys on one page of a list.
    pub page: usize,
    /// How far the clock is off, in seconds.
    pub clock: i64,
    /// Bytes of answers that all connections together get in a second.
    pub line: Option<u64>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { conditional: true, latency: Duration::ZERO, page: 1000, clock: 0, line: None }
    }
}

/// A service on a port of this machine, gone when it is dropped. Its one bucket is called `bucket`.
#[derive(Debug)]
pub struct S3Server {
    shared: Arc<Shared>,
    port: u16,
}

impl S3Server {
    /// Starts a service.
    ///
    /// # Errors
    ///
    /// The system's, when there is no port.
    pub fn start(options: ServerOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            faults: Faults::default(),
            hook: fault::Hook::default(),
            options,
            free: Mutex::default(),
            ahead: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let inner = shared.clone();
        std::thread::Builder::new().name("s3".into()).spawn(move || {
            for connection in listener.incoming() {
                if inner.stop.load(Ordering::Acquire) {
                    return;
                }
                let Ok(connection) = connection else { continue };
                let inner = inner.clone();
                let _ = std::thread::Builder::new().name("s3-connection".into()).spawn(move || {
                    http::serve(&connection, &inner);
                });
            }
        })?;
        Ok(Self { shared, port })
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets time pass: what is there is so much older from now on.
    pub fn advance(&self, time: Duration) {
        self.shared.ahead.fetch_add(time.as_secs(), Ordering::AcqRel);
    }

    /// The faults to come.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Does something once, at the request that follows `after` others of this kind; that request is not answered. Replaces what was to
    /// be done before.
    pub fn when(&self, of: Match, after: u64, moment: Moment, action: impl FnOnce() + Send + 'static) {
        self.shared.hook.set(of, after, moment, Box::new(action));
    }

    /// Forgets what was to be done, and says whether it was not done yet.
    pub fn forget(&self) -> bool {
        self.shared.hook.clear()
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.shared.state().requests
    }

    /// What was asked so far: method and target of each request.
    pub fn log(&self) -> Vec<String> {
        self.shared.state().log.clone()
    }

    /// The keys that are there.
    pub fn keys(&self) -> Vec<String> {
        self.shared.state().objects.keys().cloned().collect()
    }

    /// Uploads in parts that nobody has finished or given up.
    pub fn open_uploads(&self) -> usize {
        self.shared.state().uploads.len()
    }

    /// The bytes of a key.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.state().objects.get(key).map(|stored| stored.bytes.to_vec())
    }

    /// Puts bytes under a key, or removes it, behind everybody's back.
    pub fn set_object(&self, key: &str, bytes: Option<Vec<u8>>) {
        let mut state = self.shared.state();
        match bytes {
            Some(bytes) => {
                let stored = Stored::new(bytes, self.shared.seconds());
                drop(state.objects.insert(key.to_owned(), stored));
            }
            None => drop(state.objects.remove(key)),
        }
    }

    /// From now on lists do not show these keys, and all others.
    pub fn hide(&self, keys: Vec<String>) {
        self.shared.state().unlisted = keys;
    }

    /// Everything that is there, with its times.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.shared.state().objects.clone())
    }

    /// Puts back what was there.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.shared.state().objects.clone_from(&snapshot.0);
    }

    /// From now on lists do not show what is there now (`true`), or show everything again: as a service whose lists are stale.
    pub fn hide_from_lists(&self, hide: bool) {
        let mut state = self.shared.state();
        state.unlisted = if hide { state.objects.keys().cloned().collect() } else { Vec::new() };
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
