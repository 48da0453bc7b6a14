//! Storing bytes: temporary file, hash in flight, one rename.
//!
//! When the object is there already, its bytes are read again rather than replaced by the fresh ones, where the size
//! agrees: hashing from the page cache costs less than flushing what was just written. The fresh ones replace anything
//! else: a rotten object, one that cannot be read, a link.

use std::io::{self, Read};

use stem_fs::{Dir, FileKind, Publish, TempFile};
use stem_hash::{Digest, ObjectId};
use stem_store::{
    CopyFailure, Durability, Error, FileMetadata, FileSource, ObjectStat, Operation, Progress, Put, PutFile,
    PutMethod, PutOptions, Result, Written, copy_file,
};

use crate::layout::{file_name, object_path};
use crate::store::{ShardedStore, object_stat};

/// Permission bits of an object that comes without; the umask applies.
const MODE: u32 = 0o644;
/// Permission bits of a temporary file that gets others in the end.
const PRIVATE: u32 = 0o600;

/// How often a shard directory that vanishes under our hands is made anew before the error is believed.
const TRIES: usize = 16;

/// What lies under an object's name.
pub(crate) enum Existing {
    Absent,
    /// The object, whole.
    Whole(Digest),
    /// Something else.
    Bad,
}

impl ShardedStore {
    pub(crate) fn put_stream(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        let mut temp = self.stage_file(options)?;
        let mut hasher = self.hasher(options.checksum);
        copy_file(source, &mut temp, false, None, &mut |piece| hasher.update(piece))
            .map_err(|failure| self.not_copied(failure, &temp))?;
        let digest = hasher.finish();
        let written = self.publish(temp, &digest, options)?;
        Ok(Put { digest, written })
    }

    pub(crate) fn put_from_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        if let Some(known) = &source.known {
            self.check_expected(&known.id, options)?;
            if source.take
                && let Some(adopted) = self.adopt(source, known, options)?
            {
                return Ok(adopted);
            }
            if let Existing::Whole(digest) =
                self.existing(&known.id, known.len, options.checksum, source.progress)?
            {
                self.keep(&known.id, options)?;
                return Ok(PutFile { digest, written: Written::Present, method: PutMethod::None });
            }
        }
        let metadata = options.metadata.or_else(|| Some((&source.stat).into()));
        let options = PutOptions { metadata, ..*options };
        let mut temp = self.stage_file(&options)?;
        let cloned = temp
            .clone_from(source.file)
            .map_err(|error| Error::from_fs(Operation::Put, self.name.as_str(), error))?;
        let (digest, method) = if cloned {
            (self.hash_clone(&temp, options.checksum, source.progress)?, PutMethod::Cloned)
        } else {
            let mut hasher = self.hasher(options.checksum);
            let sparse = source.stat.blocks.saturating_mul(512) < source.stat.size;
            copy_file(&mut source.reader(), &mut temp, sparse, None, &mut |piece| hasher.update(piece))
                .map_err(|failure| self.not_copied(failure, &temp))?;
            (hasher.finish(), PutMethod::Copied)
        };
        let written = self.publish(temp, &digest, &options)?;
        let method = if written == Written::Present { PutMethod::None } else { method };
        Ok(PutFile { digest, written, method })
    }

    /// The clone is what is stored, so the clone is what is hashed: the file may have changed since.
    fn hash_clone(&self, temp: &TempFile, checksum: bool, progress: Option<Progress<'_>>) -> Result<Digest> {
        let mut hasher = self.hasher(checksum);
        let mut reader = temp.as_std();
        stem_store::with_buffer(|buffer| {
            loop {
                match reader.read(buffer) {
                    Ok(0) => return Ok(()),
                    Ok(n) => {
                        hasher.update_parallel(&buffer[..n]);
                        if progress.is_some_and(|told| told(n as u64).is_break()) {
                            return Err(self.not_copied(CopyFailure::Stopped, temp));
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(self.not_copied(CopyFailure::Target(error), temp)),
                }
            }
        })?;
        Ok(hasher.finish())
    }

    fn stage_file(&self, options: &PutOptions) -> Result<TempFile> {
        let objects = self.make_ready()?;
        let failed = |error| Error::from_fs(Operation::Put, self.name.as_str(), error);
        if options.durability == Durability::AtSync {
            self.pending.check().map_err(self.spent(Operation::Put))?;
            self.pending.barrier(&objects).map_err(failed)?;
        }
        let mode = if options.metadata.is_some() { PRIVATE } else { MODE };
        self.staging.temp_file(&objects, mode).map_err(failed)
    }

    fn not_copied(&self, failure: CopyFailure, temp: &TempFile) -> Error {
        let name = self.name.as_str();
        match failure {
            CopyFailure::Source(error) => Error::from_source(name, error),
            CopyFailure::Target(error) => Error::from_io(Operation::Put, name, error).with_path(temp.path()),
            CopyFailure::Stopped => Error::interrupted(Operation::Put, name),
        }
    }

    pub(crate) fn check_expected(&self, found: &ObjectId, options: &PutOptions) -> Result<()> {
        match &options.expected {
            Some(expected) if expected != found => {
                Err(Error::wrong_hash(self.name.as_str(), expected, found))
            }
            _ => Ok(()),
        }
    }

    /// Gives a whole temporary file its name, now or at the next sync.
    fn publish(&self, temp: TempFile, digest: &Digest, options: &PutOptions) -> Result<Written> {
        let id = &digest.id;
        self.check_expected(id, options)?;
        let written = match self.existing(id, digest.len, false, None)? {
            Existing::Whole(_) => {
                self.keep(id, options)?;
                return Ok(Written::Present);
            }
            Existing::Absent => Written::New,
            Existing::Bad => Written::Replaced,
        };
        let failed = |error| self.failed(Operation::Put, id, error);
        if let Some(FileMetadata { mode, mtime }) = options.metadata {
            temp.set_mode(mode).map_err(failed)?;
            temp.set_mtime(mtime).map_err(failed)?;
        }
        match options.durability {
            Durability::Immediate => {
                let mut temp = temp;
                temp.sync().map_err(failed)?;
                self.in_shard(id, |shard| {
                    temp.persist(shard, &file_name(&id.hex()), Publish::Replace)?;
                    self.place.settle(shard, id)
                })
                .map_err(failed)?;
                // The same bytes may wait for a sync; they need not any more.
                self.pending.forget(id);
            }
            Durability::AtSync => {
                let objects = self.make_ready()?;
                self.pending.barrier(&objects).and_then(|barrier| barrier.written(&temp)).map_err(failed)?;
                let stat = object_stat(&temp.stat().map_err(failed)?);
                self.pending.stage(*id, temp.close(), stat).map_err(self.spent(Operation::Put))?;
            }
        }
        Ok(written)
    }

    /// Runs `work` with the object's shard directory, which somebody else's gc may remove while it is empty.
    pub(crate) fn in_shard<T>(
        &self,
        id: &ObjectId,
        mut work: impl FnMut(&Dir) -> stem_fs::Result<T>,
    ) -> stem_fs::Result<T> {
        let mut tries = 0;
        loop {
            match self.place.make_shard(id).and_then(|shard| work(&shard)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {
                    self.place.forget_shard(id);
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// What lies under an object's name, its bytes read if they are as many as they should be.
    pub(crate) fn existing(
        &self,
        id: &ObjectId,
        len: u64,
        checksum: bool,
        progress: Option<Progress<'_>>,
    ) -> Result<Existing> {
        if !checksum && self.pending.contains(id) {
            // This handle wrote and hashed it.
            return Ok(Existing::Whole(Digest { id: *id, checksum: None, len }));
        }
        match self.stat_object(id) {
            Ok(None) => return Ok(Existing::Absent),
            Ok(Some(ObjectStat { size, .. })) if size == len => {}
            // Not a file, of another size, or not to be looked at: to be replaced, or the error comes back then.
            Ok(Some(_)) | Err(_) => return Ok(Existing::Bad),
        }
        let file = match self.open_object(Operation::Put, id) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Existing::Absent),
            Err(_) => return Ok(Existing::Bad),
        };
        match self.hash_open(Operation::Put, id, &file, checksum, progress) {
            Ok(digest) if digest.id == *id => Ok(Existing::Whole(digest)),
            Err(error) if error.kind() == stem_store::ErrorKind::Interrupted => Err(error),
            Ok(_) | Err(_) => Ok(Existing::Bad),
        }
    }

    /// Makes a present object as durable as one that was just put: whoever wrote it may not have.
    fn keep(&self, id: &ObjectId, options: &PutOptions) -> Result<()> {
        let failed = |error| self.failed(Operation::Put, id, error);
        if self.pending.contains(id) {
            return match options.durability {
                Durability::AtSync => self.pending.check().map_err(self.spent(Operation::Put)),
                Durability::Immediate => self.sync_all(),
            };
        }
        let objects = self.make_ready()?;
        if options.durability == Durability::AtSync {
            self.pending.check().map_err(self.spent(Operation::Put))?;
            if self.pending.barrier(&objects).map_err(failed)?.is_whole() {
                self.pending.touch();
                return Ok(());
            }
        }
        if let Some(file) = objects.open_file(&object_path(id)).map_err(failed)? {
            file.as_std()
                .sync_all()
                .map_err(|error| failed(stem_fs::Error::new("sync", file.path(), error)))?;
        }
        self.in_shard(id, |shard| self.place.settle(shard, id)).map_err(failed)
    }

    pub(crate) fn remove_object(&self, id: &ObjectId) -> Result<bool> {
        let failed = |error| self.failed(Operation::Remove, id, error);
        let waited = self.pending.forget(id);
        let Some(objects) = self.place.objects().map_err(failed)? else { return Ok(waited) };
        let path = object_path(id);
        let Some(stat) = objects.stat(&path).map_err(failed)? else { return Ok(waited) };
        if stat.kind == FileKind::Dir {
            return Err(Error::corrupt(Operation::Remove, self.name.as_str(), id)
                .with_path(objects.full(&path))
                .with_reason("there is a directory where a regular file belongs; remove it by hand"));
        }
        let barrier = self.pending.barrier(objects).map_err(failed)?;
        let removed = objects.remove_file(&path).map_err(failed)?;
        if let Some(shard) =
            path.parent().map(|shard| objects.sub(&shard)).transpose().map_err(failed)?.flatten()
        {
            barrier.renamed(&shard);
        }
        self.pending.touch();
        Ok(removed || waited)
    }
}
