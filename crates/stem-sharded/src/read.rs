//! Looking up and reading.
//!
//! What waits for `sync` is looked for first: publishing renames it before it leaves the table, so whoever does not find
//! it there finds it on disk.

use std::io::{self, Read};
use std::ops::ControlFlow;

use stem_fs::{CopyMethod, Dir, FileKind, OpenFile, TempFile};
use stem_hash::{Digest, Hasher, ObjectId};
use stem_store::{
    CopyJob, Error, ErrorKind, ObjectRead, ObjectStat, Operation, Progress, RestoreOptions, Restored, Result,
    Stopped, Verified, Verify, VerifyingReader, copy_verified, verify_copy, with_buffer,
};

use crate::layout::{file_name, object_path, shard_dir};
use crate::store::{ShardedStore, object_stat};

/// From how many ids on a second thread pays for itself.
const PARALLEL_FROM: usize = 1024;
const MAX_THREADS: usize = 8;

impl ShardedStore {
    pub(crate) fn stat_object(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        if let Some(stat) = self.pending.stat(id) {
            return Ok(Some(stat));
        }
        let failed = |error| self.failed(Operation::Stat, id, error);
        let Some(objects) = self.place.objects().map_err(failed)? else { return Ok(None) };
        match objects.stat(&object_path(id)).map_err(failed)? {
            None => Ok(None),
            Some(stat) if stat.kind == FileKind::File => Ok(Some(object_stat(&stat))),
            Some(stat) => Err(self.no_file(id, stat.kind, objects)),
        }
    }

    fn no_file(&self, id: &ObjectId, kind: FileKind, objects: &Dir) -> Error {
        Error::corrupt(Operation::Stat, self.name.as_str(), id)
            .with_path(objects.full(&object_path(id)))
            .with_reason(format!("there is a {kind} where a {} belongs", FileKind::File))
    }

    /// [`stem_store::ObjectStore::stat_many`]: each shard directory is opened once, and many ids are shared out.
    pub(crate) fn stat_sorted(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_unstable_by_key(|&index| ids[index]);
        let parts = if ids.len() < PARALLEL_FROM {
            1
        } else {
            std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
        };
        let found = std::thread::scope(|scope| {
            let part = order.len().div_ceil(parts).max(1);
            let mut parts = order.chunks(part);
            // The first part is for this thread.
            let own = parts.next().unwrap_or_default();
            let workers: Vec<_> = parts.map(|part| scope.spawn(|| self.stat_part(ids, part))).collect();
            let mut found = vec![self.stat_part(ids, own)];
            for worker in workers {
                found.push(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            found
        });
        let mut answers = vec![None; ids.len()];
        for (index, stat) in
            order.into_iter().zip(found.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten())
        {
            answers[index] = stat;
        }
        Ok(answers)
    }

    fn stat_part(&self, ids: &[ObjectId], part: &[usize]) -> Result<Vec<Option<ObjectStat>>> {
        let mut answers = Vec::with_capacity(part.len());
        let mut shard: Option<(u8, Option<Dir>)> = None;
        for &index in part {
            let id = &ids[index];
            if let Some(stat) = self.pending.stat(id) {
                answers.push(Some(stat));
                continue;
            }
            let failed = |error| self.failed(Operation::Stat, id, error);
            let Some(objects) = self.place.objects().map_err(failed)? else {
                answers.push(None);
                continue;
            };
            let first = id.as_bytes()[0];
            let dir = match &shard {
                Some((at, dir)) if *at == first => dir,
                _ => {
                    let dir = objects.sub(&shard_dir(first)).map_err(failed)?;
                    &shard.insert((first, dir)).1
                }
            };
            let stat = match dir {
                None => None,
                Some(dir) => dir.stat(&file_name(&id.hex())).map_err(failed)?,
            };
            answers.push(match stat {
                Some(stat) if stat.kind != FileKind::File => return Err(self.no_file(id, stat.kind, objects)),
                stat => stat.as_ref().map(object_stat),
            });
        }
        Ok(answers)
    }

    /// The object's file, or `None`. Anything but a regular file under its name is damage.
    pub(crate) fn open_object(&self, operation: Operation, id: &ObjectId) -> Result<Option<OpenFile>> {
        let failed = |error| self.failed(operation, id, error);
        if let Some(file) = self.pending.open(id).map_err(failed)? {
            return Ok(Some(file));
        }
        let Some(objects) = self.place.objects().map_err(failed)? else { return Ok(None) };
        objects.open_file(&object_path(id)).map_err(failed)
    }

    pub(crate) fn open_verifying(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        let Some(file) = self.open_object(Operation::Read, id)? else { return Ok(None) };
        let size = file.stat().map_err(|error| self.failed(Operation::Read, id, error))?.size;
        Ok(Some(Box::new(VerifyingReader::new(file, size, id, self.algorithm, self.name.as_str()))))
    }

    pub(crate) fn read_part(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        let Some(file) = self.open_object(Operation::ReadRange, id)? else { return Ok(None) };
        let mut filled = 0;
        while filled < buf.len() {
            let left = buf.len() - filled;
            // No file reaches beyond 63 bits, and the system refuses ranges that do.
            let end = offset.checked_add(buf.len() as u64).filter(|&end| i64::try_from(end).is_ok());
            let Some(at) = end.map(|end| end - left as u64) else { break };
            match file.read_at(&mut buf[filled..], at) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(Operation::ReadRange, id, &file, error)),
            }
        }
        Ok(Some(filled))
    }

    pub(crate) fn restore(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        let Some(file) = self.open_object(Operation::Restore, id)? else { return Ok(None) };
        let failed = |error| self.failed(Operation::Restore, id, error);
        let stat = file.stat().map_err(failed)?;
        let sparse = stat.blocks.saturating_mul(512) < stat.size;
        let job = CopyJob { id, algorithm: self.algorithm, store: &self.name, sparse };
        if target.clone_from(&file).map_err(failed)? {
            let len = target.stat().map_err(failed)?.size;
            if options.verify == Verify::No && options.progress.is_some_and(|told| told(len).is_break()) {
                return Err(Error::interrupted(Operation::Restore, self.name.as_str()).with_id(id));
            }
            let verified = verify_copy(target, &job, options)?;
            return Ok(Some(Restored { len, method: CopyMethod::Cloned, verified }));
        }
        // The kernel's copy shows no bytes and fills holes: for neither case.
        if options.verify == Verify::No && !sparse {
            let mut told = |bytes| match options.progress.map(|told| told(bytes)) {
                Some(ControlFlow::Break(())) => Err(io::Error::other(Stopped)),
                _ => Ok(()),
            };
            return match target.copy_from_with(&file, &mut told) {
                Ok((len, method)) => Ok(Some(Restored { len, method, verified: false })),
                Err(error) if is_stop(&error.source) => {
                    Err(Error::interrupted(Operation::Restore, self.name.as_str()).with_id(id))
                }
                Err(error) => Err(failed(error)),
            };
        }
        copy_verified(&mut &file, target, &job, options).map(Some)
    }

    pub(crate) fn verify_object(&self, id: &ObjectId) -> Result<Option<Verified>> {
        let file = match self.open_object(Operation::Verify, id) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                return Ok(Some(Verified::Damaged { reason: error.to_string() }));
            }
            Err(error) => return Err(error),
        };
        let digest = self.hash_open(Operation::Verify, id, &file, false, None)?;
        Ok(Some(if digest.id == *id {
            Verified::Sound { size: digest.len }
        } else {
            Verified::Damaged { reason: format!("its {} bytes have the id {}", digest.len, digest.id) }
        }))
    }

    /// What the bytes of an object's file hash to.
    pub(crate) fn hash_open(
        &self,
        operation: Operation,
        id: &ObjectId,
        file: &OpenFile,
        checksum: bool,
        progress: Option<Progress<'_>>,
    ) -> Result<Digest> {
        let mut reader = file;
        let mut hasher = self.hasher(checksum);
        with_buffer(|buffer| {
            loop {
                match reader.read(buffer) {
                    Ok(0) => return Ok(()),
                    Ok(n) => {
                        hasher.update_parallel(&buffer[..n]);
                        if let Some(ControlFlow::Break(())) = progress.map(|told| told(n as u64)) {
                            return Err(Error::interrupted(operation, self.name.as_str()).with_id(id));
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(self.unreadable(operation, id, file, error)),
                }
            }
        })?;
        Ok(hasher.finish())
    }

    pub(crate) fn hasher(&self, checksum: bool) -> Hasher {
        if checksum { Hasher::with_checksum(self.algorithm) } else { Hasher::new(self.algorithm) }
    }

    fn unreadable(&self, operation: Operation, id: &ObjectId, file: &OpenFile, error: io::Error) -> Error {
        Error::from_io(operation, self.name.as_str(), error).with_id(id).with_path(file.path())
    }
}

fn is_stop(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Stopped>()).is_some()
}
