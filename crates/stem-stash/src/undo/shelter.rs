//! Bytes of the working tree that no object holds, kept for undo: `.muse/stem/undo/saved/<object id>`.
//!
//! They do not go into the object store. The reference's apply leaves the store as it is, and a repository is compared
//! with it; newer Muse's garbage collector removes objects that no commit names; and a store may be far away, while what
//! lies here is about to be written over now. They are whole files named by the hash of their bytes, written beside and
//! renamed like objects, and go with the last record that names them.

use std::io::Read;
use std::ops::ControlFlow;

use stem_fs::{Barrier, CopyMethod, OpenFile, Publish, RelPath, Stat, TempFile};
use stem_hash::{Digest, Hasher, IdPrefix, ObjectId};
use stem_store::{
    Capabilities, CopyFailure, CopyJob, Error as StoreError, ObjectRead, ObjectStat, ObjectStore, Operation,
    Put, PutOptions, RestoreOptions, Restored, Result as StoreResult, Verify, VerifyingReader, copy_file,
    copy_verified, verify_copy, with_buffer,
};

use super::SAVED;
use crate::error::Result;
use crate::repo::{Repository, fixed};

/// The object store, and behind it what was saved for undo.
#[derive(Debug)]
pub(crate) struct Sheltered<'a> {
    repository: &'a Repository,
    store: &'a dyn ObjectStore,
}

impl<'a> Sheltered<'a> {
    pub(crate) fn new(repository: &'a Repository, store: &'a dyn ObjectStore) -> Self {
        Self { repository, store }
    }

    /// The saved file of this id.
    fn saved(&self, operation: Operation, id: &ObjectId) -> StoreResult<Option<OpenFile>> {
        let failed = |error| StoreError::from_fs(operation, self.store.name(), error).with_id(id);
        let Some(dir) = self.repository.muse().sub(&fixed(SAVED)).map_err(failed)? else { return Ok(None) };
        dir.open_file(&name_of(id)).map_err(failed)
    }

    /// Whether `file`, which has `len` bytes, holds byte for byte what is stored under `id`: whoever writes over the
    /// file then loses nothing.
    pub(crate) fn equals(&self, id: &ObjectId, file: &OpenFile, len: u64) -> bool {
        let compare = || -> StoreResult<bool> {
            if self.stat(id)?.is_none_or(|stat| stat.size != len) {
                return Ok(false);
            }
            let mut theirs = vec![0; usize::try_from(len.min(1 << 20)).unwrap_or(1 << 20)];
            let mut at = 0;
            while at < len {
                let want = theirs.len().min(usize::try_from(len - at).unwrap_or(usize::MAX));
                let got = self.read_range(id, at, &mut theirs[..want])?.unwrap_or(0);
                if got != want || !same(file, at, &theirs[..want]) {
                    return Ok(false);
                }
                at += want as u64;
            }
            // And nothing more.
            Ok(file.read_at(&mut [0], len).is_ok_and(|more| more == 0))
        };
        compare().unwrap_or(false)
    }

    /// Saves a copy of the file, to be durable with the next flush of `barrier`, which is of `.muse`. The digest is that
    /// of the copy.
    pub(crate) fn save(&self, file: &OpenFile, stat: &Stat, barrier: &Barrier) -> Result<Digest> {
        let mut temp = self.repository.tmp_dir()?.temp_file(0o600)?;
        let mut hasher = Hasher::new(self.capabilities().algorithm);
        if temp.clone_from(file)? {
            let mut reader = temp.as_std();
            let failed = |e| stem_fs::Error::new("read", temp.path(), e);
            with_buffer(|buffer| {
                loop {
                    match reader.read(buffer).map_err(failed)? {
                        0 => return Ok::<(), stem_fs::Error>(()),
                        n => hasher.update_parallel(&buffer[..n]),
                    }
                }
            })?;
        } else {
            let mut reader = Positioned { file, at: 0 };
            let copied =
                copy_file(&mut reader, &mut temp, stat.is_sparse(), None, &mut |piece| hasher.update(piece));
            copied.map_err(|failure| match failure {
                CopyFailure::Source(e) => stem_fs::Error::new("read", file.path(), e),
                CopyFailure::Target(e) => stem_fs::Error::new("write", temp.path(), e),
                CopyFailure::Stopped => {
                    stem_fs::Error::new("write", temp.path(), std::io::ErrorKind::Interrupted.into())
                }
            })?;
        }
        let digest = hasher.finish();
        barrier.written(&temp)?;
        let dir = self.repository.muse().ensure_dir(&fixed(SAVED))?;
        temp.persist(&dir, &name_of(&digest.id), Publish::Replace)?;
        barrier.renamed(&dir);
        Ok(digest)
    }
}

fn name_of(id: &ObjectId) -> RelPath {
    #[expect(clippy::expect_used, reason = "64 hexadecimal digits are a plain name")]
    RelPath::new(id.to_string()).expect("an id is a plain name")
}

/// Whether the file has these bytes at this place.
fn same(file: &OpenFile, at: u64, theirs: &[u8]) -> bool {
    with_buffer(|ours| {
        let mut done = 0;
        while done < theirs.len() {
            let want = ours.len().min(theirs.len() - done);
            match file.read_at(&mut ours[..want], at + done as u64) {
                Ok(n) if n > 0 && ours[..n] == theirs[done..done + n] => done += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                _ => return false,
            }
        }
        true
    })
}

/// Reads a file from its beginning, wherever its own position is.
struct Positioned<'a> {
    file: &'a OpenFile,
    at: u64,
}

impl Read for Positioned<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl ObjectStore for Sheltered<'_> {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { verified_ranges: false, adopts_files: false, ..self.store.capabilities() }
    }

    fn stat(&self, id: &ObjectId) -> StoreResult<Option<ObjectStat>> {
        if let Some(found) = self.store.stat(id)? {
            return Ok(Some(found));
        }
        let Some(file) = self.saved(Operation::Stat, id)? else { return Ok(None) };
        let failed = |error| StoreError::from_fs(Operation::Stat, self.name(), error).with_id(id);
        Ok(Some(ObjectStat { size: file.stat().map_err(failed)?.size, metadata: None, since: None }))
    }

    fn open(&self, id: &ObjectId) -> StoreResult<Option<Box<dyn ObjectRead>>> {
        if let Some(found) = self.store.open(id)? {
            return Ok(Some(found));
        }
        let Some(file) = self.saved(Operation::Read, id)? else { return Ok(None) };
        let failed = |error| StoreError::from_fs(Operation::Read, self.name(), error).with_id(id);
        let len = file.stat().map_err(failed)?.size;
        Ok(Some(Box::new(VerifyingReader::new(file, len, id, self.capabilities().algorithm, self.name()))))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> StoreResult<Option<usize>> {
        if let Some(found) = self.store.read_range(id, offset, buf)? {
            return Ok(Some(found));
        }
        let Some(file) = self.saved(Operation::ReadRange, id)? else { return Ok(None) };
        let mut filled = 0;
        while filled < buf.len() {
            match file.read_at(&mut buf[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(StoreError::from_io(Operation::ReadRange, self.name(), error).with_id(id));
                }
            }
        }
        Ok(Some(filled))
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> StoreResult<Put> {
        self.store.put(source, options)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> StoreResult<()> {
        self.store.list(prefix, visit)
    }

    fn sync(&self) -> StoreResult<()> {
        self.store.sync()
    }

    fn stat_many(&self, ids: &[ObjectId]) -> StoreResult<Vec<Option<ObjectStat>>> {
        let mut found = self.store.stat_many(ids)?;
        for (stat, id) in found.iter_mut().zip(ids).filter(|(stat, _)| stat.is_none()) {
            *stat = self.stat(id)?;
        }
        Ok(found)
    }

    fn rely_on(&self, ids: &[ObjectId]) -> StoreResult<Vec<bool>> {
        self.store.rely_on(ids)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> StoreResult<Option<Restored>> {
        if let Some(restored) = self.store.restore_file(id, target, options)? {
            return Ok(Some(restored));
        }
        let Some(file) = self.saved(Operation::Restore, id)? else { return Ok(None) };
        let failed = |error| StoreError::from_fs(Operation::Restore, self.name(), error).with_id(id);
        let sparse = file.stat().map_err(failed)?.is_sparse();
        let job = CopyJob { id, algorithm: self.capabilities().algorithm, store: self.name(), sparse };
        // What was saved has no other copy: it is always looked at.
        let options = match options.verify {
            Verify::No => RestoreOptions { verify: Verify::Id, ..*options },
            _ => *options,
        };
        if target.clone_from(&file).map_err(failed)? {
            let len = target.stat().map_err(failed)?.size;
            let verified = verify_copy(target, &job, &options)?;
            return Ok(Some(Restored { len, method: CopyMethod::Cloned, verified }));
        }
        copy_verified(&mut Positioned { file: &file, at: 0 }, target, &job, &options).map(Some)
    }
}
