//! Temporary files that become real by a rename.
//!
//! Named files were chosen over `O_TMPFILE`, which cannot replace an existing name in one step. The name carries the
//! process id, so that leftovers of dead processes can be told from living work.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dir::{Dir, Publish};
use crate::error::{Context, Error, Result};
use crate::file::OpenFile;
use crate::observe::Change;
use crate::path::RelPath;
use crate::platform;
use crate::stat::{FileKind, Stat, Timestamp};

/// What the name of every temporary file starts with; then follow the process id in decimal, `-` and a random part.
pub const TEMP_PREFIX: &str = ".stem-tmp-";

/// What the name of every file that was moved aside starts with; the rest is as with [`TEMP_PREFIX`]. Such a file is a
/// user's, and is not removed because its process is gone.
pub const ASIDE_PREFIX: &str = ".stem-aside-";

/// A new file that vanishes on drop unless it was given a name.
#[derive(Debug)]
pub struct TempFile {
    // Before `name`: some platforms remove no file that is open.
    file: File,
    path: PathBuf,
    name: ClosedTemp,
}

/// A [`TempFile`] whose descriptor is closed, so that thousands of them can wait to be published. It vanishes on drop
/// like one.
#[derive(Debug)]
pub struct ClosedTemp {
    dir: Dir,
    name: RelPath,
    persisted: bool,
}

impl TempFile {
    pub(crate) fn create(dir: &Dir, mode: u32) -> Result<Self> {
        loop {
            let name = temp_name();
            let path = dir.full(&name);
            let create = || platform::create_file(dir.handle(), name.as_bytes(), mode);
            match dir.make(Change::Create(&path), create) {
                Ok(file) => {
                    let name = ClosedTemp { dir: dir.clone(), name, persisted: false };
                    return Ok(Self { file, path, name });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::new("create a temporary file at", path, e)),
            }
        }
    }

    /// Where it lies; for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The standard library's file, open for reading and writing.
    pub fn as_std(&self) -> &File {
        &self.file
    }

    /// The file's metadata now.
    pub fn stat(&self) -> Result<Stat> {
        platform::stat_file(&self.file).context("examine", &self.path)
    }

    /// Makes a write of at most `len` bytes unless the observer objects. `written` says how many there were; `None` when
    /// nothing was done.
    pub(crate) fn make_write<T>(
        &self,
        len: u64,
        write: impl FnOnce() -> io::Result<T>,
        written: impl FnOnce(&T) -> Option<u64>,
    ) -> io::Result<T> {
        let Some(observer) = self.name.dir.observer() else { return write() };
        observer.before(Change::Write { path: &self.path, len })?;
        let value = write()?;
        if let Some(len) = written(&value) {
            observer.after(Change::Write { path: &self.path, len });
        }
        Ok(value)
    }

    /// Sets the permission bits, exactly: the umask does not apply.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        let set = || platform::set_mode(&self.file, mode);
        self.name.dir.make(Change::Metadata(&self.path), set).context("set the permissions of", &self.path)
    }

    /// Sets the time of the last change.
    pub fn set_mtime(&self, mtime: Timestamp) -> Result<()> {
        let set = || platform::set_mtime(&self.file, mtime);
        self.name.dir.make(Change::Metadata(&self.path), set).context("set the time of", &self.path)
    }

    /// Makes the bytes and the metadata durable.
    pub fn sync(&self) -> Result<()> {
        self.name.dir.make(Change::SyncFile(&self.path), || self.file.sync_all()).context("sync", &self.path)
    }

    /// Gives the file its final name, on the same file system. The file stays temporary when that fails. The caller
    /// syncs the file before and the directory after.
    pub fn persist(&mut self, dir: &Dir, path: &RelPath, publish: Publish) -> Result<()> {
        self.name.persist(dir, path, publish)
    }

    /// Closes the file, which stays temporary.
    pub fn close(self) -> ClosedTemp {
        self.name
    }
}

impl ClosedTemp {
    /// As [`TempFile::persist`].
    pub fn persist(&mut self, dir: &Dir, path: &RelPath, publish: Publish) -> Result<()> {
        self.dir
            .rename(&self.name, dir, path, publish)
            .map_err(|e| Error::new("create", dir.full(path), e.source))?;
        self.persisted = true;
        Ok(())
    }

    /// Opens the file for reading; `None` when somebody removed it.
    pub fn open(&self) -> Result<Option<OpenFile>> {
        self.dir.open_file(&self.name)
    }
}

impl Write for TempFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.make_write(buf.len() as u64, || (&self.file).write(buf), |&written| Some(written as u64))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ClosedTemp {
    fn drop(&mut self) {
        if !self.persisted {
            // A leftover in a directory for temporaries is found by its name and collected later.
            let _ = self.dir.remove_file(&self.name);
        }
    }
}

/// A new name for a temporary file: [`TEMP_PREFIX`], the process id, `-` and 16 random hex digits.
pub fn temp_name() -> RelPath {
    unique_name(TEMP_PREFIX)
}

/// A new name for a file that is moved aside: as that of a temporary, with [`ASIDE_PREFIX`].
pub fn aside_name() -> RelPath {
    unique_name(ASIDE_PREFIX)
}

fn unique_name(prefix: &str) -> RelPath {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().hash_one(count);
    RelPath::plain(format!("{prefix}{}-{random:016x}", std::process::id()))
}

/// Whether `name` is one that [`temp_name`] makes.
pub fn is_temp_name(name: &[u8]) -> bool {
    let parts = || {
        let rest = std::str::from_utf8(name.strip_prefix(TEMP_PREFIX.as_bytes())?).ok()?;
        let (pid, random) = rest.split_once('-')?;
        let hex = random.len() == 16 && random.bytes().all(|b| b.is_ascii_hexdigit());
        Some(hex && !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()))
    };
    parts().unwrap_or(false)
}

/// Whether `name` is [`TEMP_PREFIX`] or [`ASIDE_PREFIX`] (whichever is given) and the id of a process that is gone.
pub fn is_left_over(name: &[u8], prefix: &str) -> bool {
    let owner = || {
        let rest = name.strip_prefix(prefix.as_bytes())?;
        std::str::from_utf8(rest.split(|&byte| byte == b'-').next()?).ok()?.parse().ok()
    };
    owner().is_some_and(|owner| !platform::process_is_alive(owner))
}

/// Removes the temporary files of processes that are gone from `dir`. What cannot be removed hinders nobody.
pub fn collect_leftovers(dir: &Dir) {
    for entry in dir.entries().unwrap_or_default() {
        if entry.kind == FileKind::File
            && is_left_over(&entry.name, TEMP_PREFIX)
            && let Ok(name) = RelPath::new(entry.name)
        {
            let _ = dir.remove_file(&name);
        }
    }
}
