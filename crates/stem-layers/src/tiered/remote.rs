//! The slower store, which may not be there now.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use stem_hash::{Algorithm, ObjectId};
use stem_store::{Error, ErrorKind, Maintain, ObjectStore as _, Operation, Result};

/// Opens the slower store, as often as it is asked to.
pub type Connect = Box<dyn Fn() -> Result<Arc<dyn Maintain>> + Send + Sync>;

/// A handle of the slower store, or none.
pub(super) struct Remote {
    name: String,
    connect: Connect,
    algorithm: Algorithm,
    /// For errors.
    cache: String,
    handle: Mutex<Option<Arc<dyn Maintain>>>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Remote {
    pub(super) fn new(name: &str, connect: Connect, algorithm: Algorithm, cache: &str) -> Self {
        let (name, cache) = (name.to_owned(), cache.to_owned());
        Self { name, connect, algorithm, cache, handle: Mutex::default() }
    }

    /// The store, connected to now if it was not before.
    pub(super) fn get(&self, operation: Operation) -> Result<Arc<dyn Maintain>> {
        let mut handle = self.handle.lock();
        if let Some(remote) = &*handle {
            return Ok(Arc::clone(remote));
        }
        let remote = (self.connect)()?;
        let theirs = remote.capabilities().algorithm;
        if theirs != self.algorithm {
            return Err(Error::new(ErrorKind::Unsupported, operation, self.name.as_str()).with_reason(
                format!("its ids are {theirs}, those of the cache '{}' are {}", self.cache, self.algorithm),
            ));
        }
        *handle = Some(Arc::clone(&remote));
        Ok(remote)
    }

    /// Connects anew the next time: a handle whose put or sync failed may be spent.
    pub(super) fn forget(&self) {
        *self.handle.lock() = None;
    }

    /// Asks the store. Where it cannot be asked, the error says what that means for whoever wanted something that is not in
    /// the cache.
    pub(super) fn ask<T>(
        &self,
        operation: Operation,
        id: Option<&ObjectId>,
        ask: impl FnOnce(&Arc<dyn Maintain>) -> Result<T>,
    ) -> Result<T> {
        self.get(operation).and_then(|remote| ask(&remote)).map_err(|error| {
            if error.kind() != ErrorKind::Unavailable {
                return error;
            }
            self.forget();
            let what = if id.is_some() { "it is not in the cache" } else { "the cache has only a part" };
            let told = Error::new(error.kind(), operation, self.cache.as_str()).with_reason(format!(
                "{what}, and the store behind it, '{}', cannot be reached now: try again when it can",
                self.name
            ));
            let told = match id {
                Some(id) => told.with_id(id),
                None => told,
            };
            told.with_source(error)
        })
    }
}
