//! Advisory locks between processes, on files that exist for that purpose alone.
//!
//! The file is compared with what stands under its name once the lock is held: whoever waited for a file that was removed
//! meanwhile would otherwise hold a lock that nobody else sees.

use std::fs::{File, TryLockError};
use std::io;

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::observe::Change;
use crate::path::RelPath;
use crate::platform;
use crate::stat::FileKind;

/// Who else may hold the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Others that share it.
    Shared,
    /// Nobody.
    Exclusive,
}

/// A held lock; released on drop, and by the system when the process dies.
#[derive(Debug)]
pub struct LockFile {
    file: File,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Closing is not enough: a child that a host program forked meanwhile may hold a copy of the descriptor.
        let _ = self.file.unlock();
    }
}

impl LockFile {
    /// The file, open for reading and writing.
    pub(crate) fn as_file(&self) -> &File {
        &self.file
    }

    /// Takes the lock on the file `name` in `dir`, which is created when missing. When another process holds it, `waiting`
    /// is called once and the call blocks until it is free.
    pub fn acquire(dir: &Dir, name: &RelPath, kind: LockKind, waiting: &mut dyn FnMut()) -> Result<Self> {
        let fail = |source| Error::new("lock", dir.full(name), source);
        let mut told = false;
        loop {
            let file = open(dir, name)?;
            if !lock_now(&file, kind).map_err(fail)? {
                if !std::mem::replace(&mut told, true) {
                    waiting();
                }
                lock(&file, kind).map_err(fail)?;
            }
            if is_current(dir, name, &file)? {
                return Ok(Self { file });
            }
        }
    }

    /// Takes the lock if it is free; `None` when another process holds it.
    pub fn try_acquire(dir: &Dir, name: &RelPath, kind: LockKind) -> Result<Option<Self>> {
        loop {
            let file = open(dir, name)?;
            let locked = lock_now(&file, kind);
            if !locked.map_err(|source| Error::new("lock", dir.full(name), source))? {
                return Ok(None);
            }
            if is_current(dir, name, &file)? {
                return Ok(Some(Self { file }));
            }
        }
    }
}

/// Opens the lock's file; two calls rather than one, for a creation is announced to the observer.
fn open(dir: &Dir, name: &RelPath) -> Result<File> {
    let full = dir.full(name);
    let opened = dir.place(name).and_then(|place| {
        loop {
            match platform::open_lock(dir.base(&place), place.name) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
            let create = || platform::create_lock(dir.base(&place), place.name);
            match dir.make(Change::Create(&full), create) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
    });
    let file = opened.map_err(|e| dir.error("open the lock", name, e))?;
    let stat = platform::stat_file(&file).map_err(|e| dir.error("examine", name, e))?;
    if stat.kind == FileKind::File { Ok(file) } else { Err(dir.error("lock", name, stat.kind.unexpected())) }
}

fn lock_now(file: &File, kind: LockKind) -> io::Result<bool> {
    let attempt = match kind {
        LockKind::Shared => file.try_lock_shared(),
        LockKind::Exclusive => file.try_lock(),
    };
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

fn lock(file: &File, kind: LockKind) -> io::Result<()> {
    loop {
        let locked = match kind {
            LockKind::Shared => file.lock_shared(),
            LockKind::Exclusive => file.lock(),
        };
        match locked {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Whether the name still stands for this file.
fn is_current(dir: &Dir, name: &RelPath, file: &File) -> Result<bool> {
    let held = platform::stat_file(file).map_err(|e| dir.error("examine", name, e))?;
    Ok(dir.stat(name)?.is_some_and(|found| (found.device, found.inode) == (held.device, held.inode)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
        // As in a child that a host program forked: the lock belongs to the open file, which both have.
        let holder = tempfile::tempdir().unwrap();
        let dir = Dir::open(holder.path()).unwrap();
        let name = RelPath::try_from("lock").unwrap();
        let lock = LockFile::acquire(&dir, &name, LockKind::Exclusive, &mut || ()).unwrap();
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(LockFile::try_acquire(&dir, &name, LockKind::Exclusive).unwrap().is_some());
        drop(copy);
    }
}
