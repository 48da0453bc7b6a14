//! A directory as a capability.
//!
//! Every method takes a [`RelPath`], resolves it below this directory and follows no symbolic link, neither in the
//! middle of the path nor at its end. Path strings joined to a root were rejected: between a check for links and the
//! use of the path somebody can swap a directory for a link, and a write would leave the tree.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Context, Error, Result};
use crate::file::OpenFile;
use crate::observe::{self, Change, Observer};
use crate::path::RelPath;
use crate::platform::{self, DirHandle};
use crate::stat::{FileKind, Stat};
use crate::temp::TempFile;

/// A capability for one directory; cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub struct Dir(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    handle: DirHandle,
    path: PathBuf,
    observer: Option<Arc<dyn Observer>>,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name as it stands on disk.
    pub name: Vec<u8>,
    /// What it names; a link is a link here.
    pub kind: FileKind,
}

/// What happens to a name that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// It is replaced in one step.
    Replace,
    /// The call fails with [`io::ErrorKind::AlreadyExists`].
    New,
}

/// Where an operation happens: the parent directory and the last name.
pub(crate) struct Place<'a> {
    parent: Option<DirHandle>,
    pub(crate) name: &'a [u8],
}

impl Dir {
    /// Opens the directory at `path`. Links within `path` itself are followed: the user named it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, None)
    }

    /// As [`Dir::open`], with an observer that is asked before every change; for tests.
    pub fn open_observed(path: &Path, observer: Arc<dyn Observer>) -> Result<Self> {
        Self::open_with(path, Some(observer))
    }

    fn open_with(path: &Path, observer: Option<Arc<dyn Observer>>) -> Result<Self> {
        let handle = platform::open_root(path).context("open the directory", path)?;
        Ok(Self(Arc::new(Inner { handle, path: path.to_path_buf(), observer })))
    }

    /// Opens the directory at `path`, making it and its parents when they are missing.
    pub fn create_all(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).context("create the directory", path)?;
        Self::open(path)
    }

    /// The path that this directory was opened by; for messages and for other programs.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The full path of `path`, for messages.
    pub fn full(&self, path: &RelPath) -> PathBuf {
        self.0.path.join(path.to_path())
    }

    pub(crate) fn handle(&self) -> &DirHandle {
        &self.0.handle
    }

    pub(crate) fn observer(&self) -> Option<&Arc<dyn Observer>> {
        self.0.observer.as_ref()
    }

    fn child(&self, handle: DirHandle, path: PathBuf) -> Self {
        Self(Arc::new(Inner { handle, path, observer: self.0.observer.clone() }))
    }

    /// A second, independent descriptor of this directory: errors of earlier writes are not reported through it.
    pub(crate) fn reopen(&self) -> Result<Self> {
        let handle = platform::open_dir(&self.0.handle, b".").context("open the directory", &self.0.path)?;
        Ok(self.child(handle, self.0.path.clone()))
    }

    pub(crate) fn place<'p>(&self, path: &'p RelPath) -> io::Result<Place<'p>> {
        let bytes = path.as_bytes();
        match bytes.iter().rposition(|&b| b == b'/') {
            None => Ok(Place { parent: None, name: bytes }),
            Some(at) => {
                let parent = platform::open_dir(&self.0.handle, &bytes[..at])?;
                Ok(Place { parent: Some(parent), name: &bytes[at + 1..] })
            }
        }
    }

    pub(crate) fn base<'a>(&'a self, place: &'a Place<'_>) -> &'a DirHandle {
        place.parent.as_ref().unwrap_or(&self.0.handle)
    }

    /// Makes a change unless the observer objects.
    pub(crate) fn make<T>(&self, change: Change<'_>, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        observe::make(self.0.observer.as_ref(), change, make)
    }

    /// The metadata of `path`, or `None` when nothing is there. A link is described, not followed.
    pub fn stat(&self, path: &RelPath) -> Result<Option<Stat>> {
        let stat = self.place(path).and_then(|place| platform::stat_name(self.base(&place), place.name));
        absent_is_none(stat).map_err(|e| self.error("examine", path, e))
    }

    /// The metadata of the directory itself.
    pub fn stat_self(&self) -> Result<Stat> {
        platform::stat_handle(&self.0.handle).context("examine", &self.0.path)
    }

    /// Opens the regular file at `path` for reading, or `None` when nothing is there. Anything but a regular file is an
    /// error.
    pub fn open_file(&self, path: &RelPath) -> Result<Option<OpenFile>> {
        let file = match absent_is_none(platform::open_file(&self.0.handle, path.as_bytes())) {
            Ok(Some(file)) => OpenFile::new(file, self.full(path), self.0.observer.clone()),
            Ok(None) => return Ok(None),
            Err(error) => {
                // The system refuses to open sockets, and says so in riddles.
                let special =
                    self.stat(path).is_ok_and(|stat| stat.is_some_and(|s| s.kind == FileKind::Special));
                let source = if special { FileKind::Special.unexpected() } else { error };
                return Err(self.error("open", path, source));
            }
        };
        match file.stat()?.kind {
            FileKind::File => Ok(Some(file)),
            other => Err(self.error("open", path, other.unexpected())),
        }
    }

    /// The bytes of the regular file at `path`, or `None` when nothing is there. More than `max` bytes are an error
    /// ([`io::ErrorKind::InvalidData`]), and no memory is reserved for them.
    pub fn read(&self, path: &RelPath, max: u64) -> Result<Option<Vec<u8>>> {
        use std::io::Read as _;
        let Some(file) = self.open_file(path)? else { return Ok(None) };
        let failed = |e| self.error("read", path, e);
        let too_large = || {
            let reason = format!("it is larger than the limit of {max} bytes");
            failed(io::Error::new(io::ErrorKind::InvalidData, reason))
        };
        let size = file.stat()?.size;
        if size > max {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let room = usize::try_from(size).map_err(io::Error::other).map_err(failed)?;
        bytes.try_reserve_exact(room).map_err(io::Error::from).map_err(failed)?;
        // The size may be out of date, or unknown as in /proc: the limit holds for what is read.
        (&file).take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > max { Err(too_large()) } else { Ok(Some(bytes)) }
    }

    /// The names in this directory, in no particular order.
    pub fn entries(&self) -> Result<Vec<DirEntry>> {
        platform::list(&self.0.handle).context("list", &self.0.path)
    }

    /// The directory at `path`, or `None` when nothing or a file is there. A link is an error.
    pub fn sub(&self, path: &RelPath) -> Result<Option<Self>> {
        let opened = platform::open_dir(&self.0.handle, path.as_bytes());
        let handle = absent_is_none(opened).map_err(|e| self.error("open the directory", path, e))?;
        Ok(handle.map(|handle| self.child(handle, self.full(path))))
    }

    /// The directory at `path`, made durably with its parents where they are missing.
    pub fn ensure_dir(&self, path: &RelPath) -> Result<Self> {
        let mut touched = Vec::new();
        let dir = self.ensure_dir_with(path, &mut |parent| touched.push(parent.clone()))?;
        touched.iter().try_for_each(Self::sync)?;
        Ok(dir)
    }

    /// As [`Dir::ensure_dir`], but leaves it to the caller to sync each directory that got a new name, which `changed`
    /// is told.
    pub fn ensure_dir_with(&self, path: &RelPath, changed: &mut dyn FnMut(&Self)) -> Result<Self> {
        if let Some(dir) = self.sub(path)? {
            return Ok(dir);
        }
        let mut at = self.clone();
        for name in path.components() {
            let full = at.0.path.join(platform::bytes_path(name));
            let mut opened = platform::open_dir(&at.0.handle, name);
            if opened.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
                match at.make(Change::CreateDir(&full), || platform::create_dir(&at.0.handle, name)) {
                    Ok(()) => changed(&at),
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(e) => return Err(Error::new("create the directory", full, e)),
                }
                opened = platform::open_dir(&at.0.handle, name);
            }
            let handle = opened.map_err(|e| Error::new("open the directory", &full, explain_link(e)))?;
            at = at.child(handle, full);
        }
        Ok(at)
    }

    /// Removes the name of a file or link. `false` when it was not there.
    pub fn remove_file(&self, path: &RelPath) -> Result<bool> {
        let full = self.full(path);
        let removed = self.place(path).and_then(|place| {
            self.make(Change::RemoveFile(&full), || platform::remove_file(self.base(&place), place.name))
        });
        Ok(absent_is_none(removed).map_err(|e| self.error("remove", path, e))?.is_some())
    }

    /// Removes an empty directory. `false` when no directory was there.
    pub fn remove_dir(&self, path: &RelPath) -> Result<bool> {
        let full = self.full(path);
        let removed = self.place(path).and_then(|place| {
            self.make(Change::RemoveDir(&full), || platform::remove_dir(self.base(&place), place.name))
        });
        Ok(absent_is_none(removed).map_err(|e| self.error("remove the directory", path, e))?.is_some())
    }

    /// Gives what is at `from` the name `to` in the directory `target`. A link at either name is itself what is renamed or
    /// replaced. Nothing happens when both are names of one file already (so POSIX says of hard links).
    pub fn rename(&self, from: &RelPath, target: &Self, to: &RelPath, publish: Publish) -> Result<()> {
        let (old, new) = (self.full(from), target.full(to));
        let source = self.place(from).map_err(|e| self.error("rename", from, e))?;
        let goal = target.place(to).map_err(|e| target.error("rename a file to", to, e))?;
        let renamed = self.make(Change::Rename { from: &old, to: &new }, || {
            let rename = match publish {
                Publish::Replace => platform::rename,
                Publish::New => platform::rename_new,
            };
            rename(self.base(&source), source.name, target.base(&goal), goal.name)
        });
        renamed.map_err(|e| self.error("rename", from, e))
    }

    /// Makes the names in this directory durable.
    pub fn sync(&self) -> Result<()> {
        let path = &self.0.path;
        self.make(Change::SyncDir(path), || platform::sync_dir(&self.0.handle))
            .context("sync the directory", path)
    }

    /// Makes everything on the file system of this directory durable.
    pub(crate) fn sync_all(&self) -> Result<()> {
        let path = &self.0.path;
        self.make(Change::SyncAll(path), || platform::sync_all(&self.0.handle))
            .context("sync the file system of", path)
    }

    /// A new temporary file in this directory, to be published elsewhere on the same file system. `mode` is limited by
    /// the process's umask.
    pub fn temp_file(&self, mode: u32) -> Result<TempFile> {
        TempFile::create(self, mode)
    }

    /// The one durable-write sequence: temporary file in `temporaries`, write, sync, rename to `path`, sync of the
    /// directory. After it returns, the bytes survive power loss; whatever happens before, `path` holds the old or the
    /// new bytes.
    pub fn write_durable(
        &self,
        path: &RelPath,
        bytes: &[u8],
        temporaries: &Self,
        publish: Publish,
    ) -> Result<()> {
        use std::io::Write as _;
        // Opened once: by the time of the sync its name may stand for another directory.
        let (parent, name) = self.split(path)?;
        let mut temp = temporaries.temp_file(0o666)?;
        temp.write_all(bytes).map_err(|e| Error::new("write", temp.path(), e))?;
        temp.sync()?;
        temp.persist(&parent, &name, publish)?;
        parent.sync()
    }

    /// The directory that holds `path`, and its name in there.
    fn split(&self, path: &RelPath) -> Result<(Self, RelPath)> {
        let Some(parent) = path.parent() else { return Ok((self.clone(), path.clone())) };
        let Some(dir) = self.sub(&parent)? else {
            return Err(Error::new("create", self.full(path), io::ErrorKind::NotFound.into()));
        };
        Ok((dir, path.name()))
    }

    pub(crate) fn error(&self, operation: &'static str, path: &RelPath, source: io::Error) -> Error {
        Error::new(operation, self.full(path), explain_link(source))
    }
}

/// Nothing at the name, or a file where a directory would have to be: there is no such path.
fn absent_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// "Too many levels of symbolic links" is what the system says when we forbid one.
fn explain_link(error: io::Error) -> io::Error {
    if platform::is_link_error(&error) {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "a symbolic link stands in the path, and links are not followed",
        )
    } else {
        error
    }
}
