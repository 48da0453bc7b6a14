//! A file that grows over several runs of a program and gets its name when it is whole.
//!
//! Unlike a [`crate::TempFile`] it has a name that the next run finds, and stays when its process dies. The file itself is
//! the lock against a second process that would write it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::dir::{Dir, Publish};
use crate::error::{Context, Error, Result};
use crate::lock::{LockFile, LockKind};
use crate::observe::Change;
use crate::path::RelPath;
use crate::platform;

/// An open partial file, locked. Dropping it leaves it where it is.
#[derive(Debug)]
pub struct PartialFile {
    lock: LockFile,
    dir: Dir,
    name: RelPath,
    path: PathBuf,
    len: u64,
}

impl PartialFile {
    /// Opens the file of this name, or makes it; `None` when another process writes it. Never follows a link.
    pub fn open(dir: &Dir, name: &RelPath) -> Result<Option<Self>> {
        let Some(lock) = LockFile::try_acquire(dir, name, LockKind::Exclusive)? else { return Ok(None) };
        let path = dir.full(name);
        let len = platform::stat_file(lock.as_file()).context("examine", &path)?.size;
        Ok(Some(Self { lock, dir: dir.clone(), name: name.clone(), path, len }))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn file(&self) -> &File {
        self.lock.as_file()
    }

    /// Reads at most as many bytes as fit, from `offset` on.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut file = self.file();
        file.seek(SeekFrom::Start(offset))?;
        file.read(buf)
    }

    /// Cuts it after `len` bytes.
    pub fn truncate(&mut self, len: u64) -> io::Result<()> {
        if len >= self.len {
            return Ok(());
        }
        self.dir.make(Change::Write { path: &self.path, len: 0 }, || self.file().set_len(len))?;
        self.len = len;
        Ok(())
    }

    /// Writes at its end. What a failure leaves there is cut off.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let change = Change::Write { path: &self.path, len: bytes.len() as u64 };
        let written = self.dir.make(change, || {
            let mut file = self.file();
            file.seek(SeekFrom::Start(self.len))?;
            file.write_all(bytes)
        });
        if let Err(error) = written {
            // Half a record would only be cut off by the next run.
            let _ = self.file().set_len(self.len);
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes its bytes durable.
    pub fn sync(&self) -> Result<()> {
        self.dir.make(Change::SyncFile(&self.path), || self.file().sync_all()).context("sync", &self.path)
    }

    /// Gives it its final name in its directory. The caller syncs the file before and the directory after.
    pub fn persist(self, to: &RelPath, publish: Publish) -> Result<()> {
        self.dir
            .rename(&self.name, &self.dir, to, publish)
            .map_err(|e| Error::new("create", self.dir.full(to), e.source))
    }

    /// Removes it.
    pub fn remove(self) -> Result<()> {
        self.dir.remove_file(&self.name).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_is_cut_and_gets_its_name() {
        let holder = tempfile::tempdir().unwrap();
        let dir = Dir::open(holder.path()).unwrap();
        let name = RelPath::try_from("a.partial").unwrap();
        let mut file = PartialFile::open(&dir, &name).unwrap().unwrap();
        assert!(PartialFile::open(&dir, &name).unwrap().is_none(), "it is locked");
        file.append(b"one two").unwrap();
        drop(file);
        let mut file = PartialFile::open(&dir, &name).unwrap().unwrap();
        assert_eq!(file.len(), 7);
        file.truncate(4).unwrap();
        file.append(b"three").unwrap();
        let mut read = [0; 16];
        assert_eq!(file.read_at(&mut read, 4).unwrap(), 5);
        assert_eq!(&read[..5], b"three");
        file.sync().unwrap();
        file.persist(&RelPath::try_from("a").unwrap(), Publish::New).unwrap();
        assert_eq!(std::fs::read(holder.path().join("a")).unwrap(), b"one three");
        assert!(!holder.path().join("a.partial").exists());
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed_and_no_name_replaced() {
        let holder = tempfile::tempdir().unwrap();
        let dir = Dir::open(holder.path()).unwrap();
        std::fs::write(holder.path().join("other"), b"mine").unwrap();
        std::os::unix::fs::symlink("other", holder.path().join("link")).unwrap();
        assert!(PartialFile::open(&dir, &RelPath::try_from("link").unwrap()).is_err());
        let mut file = PartialFile::open(&dir, &RelPath::try_from("new").unwrap()).unwrap().unwrap();
        file.append(b"theirs").unwrap();
        let other = RelPath::try_from("other").unwrap();
        assert!(file.persist(&other, Publish::New).is_err());
        assert_eq!(std::fs::read(holder.path().join("other")).unwrap(), b"mine");
    }
}
