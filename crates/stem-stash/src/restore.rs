//! Bringing objects back into the working tree.
//!
//! A file is written beside its goal, verified as its bytes stream past, given its permissions and time, and then
//! renamed: at no moment does the path hold half a file. A file that already equals the target is not rewritten.

use std::io::ErrorKind as IoKind;
use std::ops::ControlFlow;

use stem_fs::{Barrier, Dir, FileKind, OpenFile, Publish, RelPath, Stat, TempFile, Timestamp};
use stem_hash::{FileJob, HashOptions, ObjectId, hash_file};
use stem_store::{ErrorKind, ObjectStore, RestoreOptions, Verify};

use crate::error::{Error, Reason, Result};
use crate::format::entry::FileRecord;
use crate::format::is_protected;
use crate::progress::Progress;
use crate::vacate::is_refusal;

/// What the user reads after stopping while files are written.
pub(crate) const INTERRUPTED: &str =
    "files written so far are whole, the entry is kept; run the command again to go on";

/// A path and what shall be there.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) path: &'a RelPath,
    pub(crate) id: ObjectId,
    /// What the entry recorded of the file; without it the object's own permissions and time are used.
    pub(crate) record: Option<FileRecord>,
    pub(crate) verify: bool,
}

impl<'a> Target<'a> {
    /// An object with its own permissions and time, verified.
    pub(crate) fn of_object(path: &'a RelPath, id: ObjectId) -> Self {
        Self { path, id, record: None, verify: true }
    }
}

/// A file that is ready to be placed: complete, and in the directory where it belongs.
pub(crate) struct Prepared {
    file: TempFile,
    dir: Dir,
    name: RelPath,
}

impl Prepared {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.file.stat()?.size)
    }
}

/// Restores files into one working tree.
pub(crate) struct Restorer<'a> {
    pub(crate) work: &'a Dir,
    pub(crate) store: &'a dyn ObjectStore,
    pub(crate) barrier: &'a Barrier,
}

impl Restorer<'_> {
    /// Makes the working tree hold the target where nothing, or the very file that is to come, stands; the reason if it
    /// cannot.
    pub(crate) fn restore(
        &self,
        target: &Target<'_>,
        progress: &dyn Progress,
    ) -> Result<std::result::Result<u64, Reason>> {
        let (parent, name) = match self.parent_of(target.path) {
            Ok(found) => found,
            Err(error) => return blocked(error),
        };
        let present = match parent.as_ref().map(|dir| dir.stat(&name)).transpose() {
            Ok(present) => present.flatten(),
            Err(error) => return blocked(error),
        };
        if let Some(present) = present {
            if present.kind == FileKind::Dir && self.remove_empty_dirs(target.path)? {
                return self.restore(target, progress);
            }
            if present.kind != FileKind::File {
                return Ok(Err(Reason::Blocked(format!("a {} is in the way", present.kind))));
            }
            if let Some(len) = self.is_there_already(target, &present)? {
                progress.advance(0, len);
                return Ok(Ok(len));
            }
            return Ok(Err(Reason::Blocked("a file that this push did not save is in the way".into())));
        }
        match self.prepare_in(parent, name, target, progress)? {
            Ok(prepared) => {
                let len = prepared.len()?;
                Ok(self.place(prepared)?.map(|()| len))
            }
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Says that what stood at `path` was moved away, so that the flush makes that durable too.
    pub(crate) fn removed(&self, path: &RelPath) {
        if !self.barrier.is_whole()
            && let Ok((Some(dir), _)) = self.parent_of(path)
        {
            self.barrier.renamed(&dir);
        }
    }

    /// The directory of a path, if it is there, and the path's name in it.
    fn parent_of(&self, path: &RelPath) -> stem_fs::Result<(Option<Dir>, RelPath)> {
        match path.parent() {
            None => Ok((Some(self.work.clone()), path.clone())),
            Some(parent) => Ok((self.work.sub(&parent)?, path.last())),
        }
    }

    /// Removes the directory at `path` with all that is below it, if that is nothing but directories.
    pub(crate) fn remove_empty_dirs(&self, path: &RelPath) -> Result<bool> {
        let mut dirs = vec![path.clone()];
        let mut next = 0;
        while let Some(at) = dirs.get(next).cloned() {
            next += 1;
            let Some(dir) = self.work.sub(&at)? else { return Ok(false) };
            for entry in dir.entries()? {
                match at.join(&entry.name) {
                    Ok(below) if entry.kind == FileKind::Dir && !is_protected(&below) => dirs.push(below),
                    _ => return Ok(false),
                }
            }
        }
        for dir in dirs.iter().rev() {
            match self.work.remove_dir(dir) {
                Ok(_) => {}
                // Somebody put a file there.
                Err(error) if error.kind() == IoKind::DirectoryNotEmpty => return Ok(false),
                Err(error) if is_refusal(error.kind()) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// The length of the file that stands at the path, if its bytes are the target's. Its permissions and time are set
    /// right.
    fn is_there_already(&self, target: &Target<'_>, present: &Stat) -> Result<Option<u64>> {
        let size = match target.record {
            Some(record) => Some(record.size),
            None => self.store.stat(&target.id)?.map(|stat| stat.size),
        };
        if size != Some(present.size) {
            return Ok(None);
        }
        let Ok(Some(file)) = self.work.open_file(target.path) else { return Ok(None) };
        let options = HashOptions { mmap: false, ..HashOptions::new(self.store.capabilities().algorithm) };
        let digest = hash_file(&FileJob::new(file.as_std(), present.size), &options, &|_| ());
        if !digest.is_ok_and(|digest| digest.id == target.id) {
            return Ok(None);
        }
        // A file that cannot be given its recorded metadata is replaced by one that can.
        if let Some(record) = target.record
            && adopt_metadata(&file, present, record).is_err()
        {
            return Ok(None);
        }
        Ok(Some(present.size))
    }

    /// Writes the object into a temporary file beside its goal; the reason if that cannot be done.
    pub(crate) fn prepare(
        &self,
        target: &Target<'_>,
        progress: &dyn Progress,
    ) -> Result<std::result::Result<Prepared, Reason>> {
        match self.parent_of(target.path) {
            Ok((parent, name)) => self.prepare_in(parent, name, target, progress),
            Err(error) => blocked(error),
        }
    }

    fn prepare_in(
        &self,
        parent: Option<Dir>,
        name: RelPath,
        target: &Target<'_>,
        progress: &dyn Progress,
    ) -> Result<std::result::Result<Prepared, Reason>> {
        let dir = match parent {
            Some(dir) => dir,
            // No directories are made for a file that cannot come.
            None if self.store.stat(&target.id)?.is_none() => return Ok(Err(Reason::Missing)),
            None => match self.make_parent(target.path) {
                Ok(dir) => dir,
                Err(error) => return blocked(error),
            },
        };
        let mut file = match dir.temp_file(0o600) {
            Ok(file) => file,
            Err(error) => return blocked(error),
        };
        let verify = match target.record.and_then(|record| record.checksum) {
            _ if !target.verify => Verify::No,
            Some(checksum) => Verify::Checksum(checksum),
            None => Verify::Id,
        };
        let tell = |bytes| {
            progress.advance(0, bytes);
            if progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options = RestoreOptions { verify, progress: Some(&tell) };
        match self.store.restore_file(&target.id, &mut file, &options) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Err(Reason::Missing)),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                return Ok(Err(Reason::Corrupt(error.to_string())));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                return Err(Error::Interrupted(INTERRUPTED));
            }
            Err(error) => return Err(error.into()),
        }
        let (mode, mtime) = self.metadata(target)?;
        file.set_mode(mode)?;
        if let Some(mtime) = mtime {
            file.set_mtime(mtime)?;
        }
        self.barrier.written(&file)?;
        Ok(Ok(Prepared { file, dir, name }))
    }

    fn make_parent(&self, path: &RelPath) -> stem_fs::Result<Dir> {
        match path.parent() {
            None => Ok(self.work.clone()),
            Some(parent) => self.work.ensure_dir_with(&parent, &mut |dir| self.barrier.renamed(dir)),
        }
    }

    /// Permissions and time: as recorded, else as the store kept them, else usual ones.
    fn metadata(&self, target: &Target<'_>) -> Result<(u32, Option<Timestamp>)> {
        if let Some(record) = target.record {
            return Ok((record.mode, Some(record.mtime)));
        }
        let kept = self.store.stat(&target.id)?.and_then(|stat| stat.metadata);
        Ok(kept.map_or((0o644, None), |kept| (kept.mode, Some(kept.mtime))))
    }

    /// Gives a prepared file its path; the reason if something is in the way.
    pub(crate) fn place(&self, prepared: Prepared) -> Result<std::result::Result<(), Reason>> {
        let Prepared { mut file, dir, name } = prepared;
        match file.persist(&dir, &name, Publish::New) {
            Ok(()) => {
                self.barrier.renamed(&dir);
                Ok(Ok(()))
            }
            Err(error) => blocked(error),
        }
    }
}

pub(crate) fn adopt_metadata(file: &OpenFile, present: &Stat, record: FileRecord) -> stem_fs::Result<()> {
    if present.mode != record.mode {
        file.set_mode(record.mode)?;
    }
    if present.mtime != record.mtime {
        file.set_mtime(record.mtime)?;
    }
    Ok(())
}

/// Tells what stands in the way from what is wrong with the system.
pub(crate) fn blocked<T>(error: stem_fs::Error) -> Result<std::result::Result<T, Reason>> {
    match error.kind() {
        IoKind::AlreadyExists => Ok(Err(Reason::Blocked("a file has appeared in its place".into()))),
        IoKind::NotADirectory => Ok(Err(Reason::Blocked("a file stands where a directory must be".into()))),
        IoKind::IsADirectory | IoKind::DirectoryNotEmpty => {
            Ok(Err(Reason::Blocked("a directory is in the way".into())))
        }
        kind if is_refusal(kind) => Ok(Err(Reason::Blocked(error.source.to_string()))),
        IoKind::InvalidInput | IoKind::InvalidFilename => Ok(Err(Reason::Blocked(error.source.to_string()))),
        _ => Err(error.into()),
    }
}
