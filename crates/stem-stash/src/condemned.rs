//! `.muse/stem/gc/`: which objects were found unneeded, and since when; what the last collection did.
//!
//! The list stands in place of the age of objects, which their mtime does not tell. It is changed only by whoever holds
//! `store.lock` exclusively, or shared together with `stack.lock`.

use std::time::{Duration, Instant};

use stem_fs::{LockFile, LockKind, Publish};
use stem_hash::ObjectId;

use crate::Stash;
use crate::error::{Error, Result};
use crate::format::idlist::{IdList, ListKind, MAX_LIST_BYTES, decode, encode, subject_of};
use crate::progress::{Phase, Progress};
use crate::repo::{LockName, PATIENCE, Repository, fixed};

const FOLDER: &str = "stem/gc";
const LIST: &str = "stem/gc/condemned";
const RECORD: &str = "stem/gc/last.json";

/// Keeps everybody out of the store who may begin to need an object, for as long as it lives.
#[derive(Debug)]
pub struct StoreLock {
    _lock: LockFile,
}

/// What earlier collections found unneeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condemned {
    /// When the list was written, in microseconds since the epoch; `None` when there is none.
    pub written: Option<i64>,
    /// The objects, sorted, and since when each is known as unneeded.
    pub rows: Vec<(ObjectId, i64)>,
}

/// Takes the lock of the store exclusively, or gives up after a while.
pub(crate) fn lock_store(
    repository: &Repository,
    timeout: Duration,
    progress: &dyn Progress,
) -> Result<StoreLock> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        if let Some(lock) = repository.try_lock(LockName::Store)? {
            return Ok(StoreLock { _lock: lock });
        }
        if !std::mem::replace(&mut told, true) {
            progress.begin(Phase::Waiting, 0, 0);
        }
        if progress.cancelled() {
            return Err(Error::Interrupted("nothing was deleted"));
        }
        if begun.elapsed() >= timeout {
            return Err(Error::Refused(format!(
                "another stem is using the object store (a push or a snapshot runs), and was not done after {} s. Nothing \
                 was deleted: run this again when it is",
                timeout.as_secs()
            )));
        }
        std::thread::sleep(PATIENCE);
    }
}

/// Takes the lock of the store shared.
pub(crate) fn share_store(repository: &Repository, progress: &dyn Progress) -> Result<StoreLock> {
    let lock = repository.lock(LockName::Store, LockKind::Shared, progress)?;
    Ok(StoreLock { _lock: lock })
}

/// The list for the store of this name. One that is damaged, or about another store, counts as none: everything in it
/// begins anew, and nothing is deleted too early.
pub(crate) fn load(repository: &Repository, store: &str, progress: &dyn Progress) -> Result<Condemned> {
    let Some(bytes) = repository.muse().read(&fixed(LIST), MAX_LIST_BYTES as u64)? else {
        return Ok(Condemned::default());
    };
    match decode(ListKind::Condemned, &bytes) {
        Ok(list) if list.subject == subject_of(store) => {
            Ok(Condemned { written: Some(list.time), rows: list.rows })
        }
        Ok(_) => Ok(Condemned::default()),
        Err(error) => {
            progress.warn(&format!(
                "'{}' cannot be used, so the time for which unneeded objects are kept begins anew: {error}",
                repository.muse().full(&fixed(LIST)).display()
            ));
            Ok(Condemned::default())
        }
    }
}

/// Writes the list, durably.
pub(crate) fn save(repository: &Repository, store: &str, now: i64, rows: Vec<(ObjectId, i64)>) -> Result<()> {
    let list = IdList { time: now, subject: subject_of(store), rows };
    let bytes = encode(ListKind::Condemned, &list).map_err(|e| Error::InvalidInput(e.to_string()))?;
    repository.muse().ensure_dir(&fixed(FOLDER))?;
    repository.muse().write_durable(&fixed(LIST), &bytes, &repository.tmp_dir()?, Publish::Replace)?;
    Ok(())
}

/// Writes what a collection did, for people to read.
pub(crate) fn save_record(repository: &Repository, json: &str) -> Result<()> {
    repository.muse().ensure_dir(&fixed(FOLDER))?;
    let tmp = repository.tmp_dir()?;
    repository.muse().write_durable(&fixed(RECORD), json.as_bytes(), &tmp, Publish::Replace)?;
    Ok(())
}

/// Takes ids off the list: they were stored again, and are young. The caller holds the store's lock shared.
pub(crate) fn reprieve(
    stash: Stash<'_>,
    store: &str,
    ids: &[ObjectId],
    progress: &dyn Progress,
) -> Result<()> {
    let repository = stash.repository;
    if repository.muse().stat(&fixed(LIST))?.is_none() {
        return Ok(());
    }
    let _lock = repository.lock(LockName::Stack, LockKind::Exclusive, progress)?;
    let Condemned { written: Some(written), mut rows } = load(repository, store, progress)? else {
        return Ok(());
    };
    let before = rows.len();
    rows.retain(|(id, _)| !ids.contains(id));
    if rows.len() < before { save(repository, store, written, rows) } else { Ok(()) }
}
