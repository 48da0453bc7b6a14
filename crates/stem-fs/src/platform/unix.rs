//! Operations relative to an open directory descriptor, for every Unix.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir as SystemDir, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::dir::DirEntry;
use crate::path::PathProblem;
use crate::stat::{FileKind, Stat, Timestamp};

/// An open directory.
pub(crate) type DirHandle = OwnedFd;

pub(crate) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    Cow::Borrowed(path.as_os_str().as_bytes())
}

pub(crate) fn bytes_path(bytes: &[u8]) -> Cow<'_, Path> {
    Cow::Borrowed(Path::new(OsStr::from_bytes(bytes)))
}

#[expect(clippy::unnecessary_wraps, reason = "other platforms refuse names that Unix can store")]
pub(crate) fn check_component(_component: &[u8]) -> Result<(), PathProblem> {
    Ok(())
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens the directory at `path`; links in the path that the user gave are followed, as everywhere on the system.
pub(crate) fn open_root(path: &Path) -> io::Result<DirHandle> {
    Ok(retry_on_intr(|| rustix::fs::open(path, DIRECTORY, Mode::empty()))?)
}

pub(crate) fn open_dir(dir: &DirHandle, rel: &[u8]) -> io::Result<DirHandle> {
    super::open_beneath(dir, rel, DIRECTORY)
}

pub(crate) fn open_file(dir: &DirHandle, rel: &[u8]) -> io::Result<File> {
    // Non-blocking, so that a FIFO which took the file's place cannot hang the process.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    super::open_beneath(dir, rel, flags).map(File::from)
}

/// Opens without `openat2`: component by component, none of which may be a link.
pub(crate) fn open_stepwise(dir: &DirHandle, rel: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut at: Option<OwnedFd> = None;
    let mut components = rel.split(|&b| b == b'/').peekable();
    while let Some(component) = components.next() {
        let here = at.as_ref().unwrap_or(dir);
        let flags = if components.peek().is_some() { super::STEP } else { flags } | OFlags::NOFOLLOW;
        let opened =
            retry_on_intr(|| rustix::fs::openat(here, &*bytes_path(component), flags, Mode::empty()));
        at = Some(opened.map_err(|e| if is_link(here, component) { Errno::LOOP } else { e })?);
    }
    at.ok_or(Errno::INVAL)
}

/// Whether a link is what hindered an open: systems disagree on how they say so, and a link where a directory has to be
/// is "not a directory" to all of them.
fn is_link(dir: &DirHandle, name: &[u8]) -> bool {
    stat_name(dir, name).is_ok_and(|stat| stat.kind == FileKind::Symlink)
}

pub(crate) fn stat_name(dir: &DirHandle, name: &[u8]) -> io::Result<Stat> {
    Ok(stat(&rustix::fs::statat(dir, &*bytes_path(name), AtFlags::SYMLINK_NOFOLLOW)?))
}

pub(crate) fn stat_handle(dir: &DirHandle) -> io::Result<Stat> {
    Ok(stat(&rustix::fs::fstat(dir)?))
}

pub(crate) fn stat_file(file: &File) -> io::Result<Stat> {
    Ok(stat(&rustix::fs::fstat(file)?))
}

fn stat(st: &rustix::fs::Stat) -> Stat {
    Stat {
        kind: kind(FileType::from_raw_mode(st.st_mode)),
        size: number(st.st_size),
        mode: number::<u32>(st.st_mode) & 0o7777,
        mtime: Timestamp { secs: number(st.st_mtime), nanos: number(st.st_mtime_nsec) },
        ctime: Timestamp { secs: number(st.st_ctime), nanos: number(st.st_ctime_nsec) },
        inode: number(st.st_ino),
        device: number(st.st_dev),
        links: number(st.st_nlink),
        blocks: number(st.st_blocks),
    }
}

/// The field's number; how wide its type is differs between systems.
fn number<T: Default>(field: impl TryInto<T>) -> T {
    field.try_into().unwrap_or_default()
}

fn kind(file_type: FileType) -> FileKind {
    match file_type {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Dir,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Special,
    }
}

pub(crate) fn list(dir: &DirHandle) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in retry_on_intr(|| SystemDir::read_from(dir))? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems leave the type out of the directory.
            FileType::Unknown => match stat_name(dir, name) {
                Ok(stat) => stat.kind,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            },
            known => kind(known),
        };
        entries.push(DirEntry { name: name.to_vec(), kind });
    }
    Ok(entries)
}

/// Creates an empty file for reading and writing; fails when the name exists. The process's umask applies to `mode`.
pub(crate) fn create_file(dir: &DirHandle, name: &[u8], mode: u32) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // Interrupted after it was made, the file is in the way of the second try, as any other would be.
    let mode = Mode::from_raw_mode(number(mode));
    let fd = retry_on_intr(|| rustix::fs::openat(dir, &*bytes_path(name), flags, mode))?;
    Ok(File::from(fd))
}

/// Opens a lock file; for writing, which locks of network file systems ask for.
pub(crate) fn open_lock(dir: &DirHandle, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(retry_on_intr(|| rustix::fs::openat(dir, &*bytes_path(name), flags, Mode::empty()))?))
}

/// Creates a lock file.
pub(crate) fn create_lock(dir: &DirHandle, name: &[u8]) -> io::Result<File> {
    create_file(dir, name, 0o666)
}

pub(crate) fn create_dir(dir: &DirHandle, name: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(dir, &*bytes_path(name), Mode::from_raw_mode(0o777))?)
}

pub(crate) fn remove_file(dir: &DirHandle, name: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, &*bytes_path(name), AtFlags::empty())?)
}

pub(crate) fn remove_dir(dir: &DirHandle, name: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, &*bytes_path(name), AtFlags::REMOVEDIR)?)
}

pub(crate) fn rename(from: &DirHandle, old: &[u8], to: &DirHandle, new: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::renameat(from, &*bytes_path(old), to, &*bytes_path(new))?)
}

/// Renames unless `new` exists ([`io::ErrorKind::AlreadyExists`]).
pub(crate) fn rename_new(from: &DirHandle, old: &[u8], to: &DirHandle, new: &[u8]) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(from, &*bytes_path(old), to, &*bytes_path(new), flags) {
            // The file system does not know the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            other => return Ok(other?),
        }
    }
    link_and_unlink(from, old, to, new)
}

/// A hard link gives the same guarantee, but for a moment the file has both names.
fn link_and_unlink(from: &DirHandle, old: &[u8], to: &DirHandle, new: &[u8]) -> io::Result<()> {
    rustix::fs::linkat(from, &*bytes_path(old), to, &*bytes_path(new), AtFlags::empty())?;
    Ok(rustix::fs::unlinkat(from, &*bytes_path(old), AtFlags::empty())?)
}

pub(crate) fn sync_dir(dir: &DirHandle) -> io::Result<()> {
    // There `fsync` leaves the bytes in the drive's cache; the standard library knows the same of files.
    #[cfg(target_vendor = "apple")]
    if rustix::fs::fcntl_fullfsync(dir).is_ok() {
        return Ok(());
    }
    Ok(retry_on_intr(|| rustix::fs::fsync(dir))?)
}

pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(number(mode & 0o7777)))?)
}

pub(crate) fn set_mtime(file: &File, mtime: Timestamp) -> io::Result<()> {
    // Two larger values would mean "now" and "not at all".
    if mtime.nanos > 999_999_999 {
        return Err(Errno::INVAL.into());
    }
    let times = rustix::fs::Timestamps {
        last_access: rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: rustix::fs::Timespec { tv_sec: mtime.secs, tv_nsec: mtime.nanos.into() },
    };
    Ok(rustix::fs::futimens(file, &times)?)
}

pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

/// Whether an open failed because a link stands where none is followed.
pub(crate) fn is_link_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Whether a process with this id exists, as far as can be told.
pub fn process_is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(Errno::SRCH))
}

/// Bytes that this user can still write to the file system of `path`; `None` when the system does not say.
pub fn available_space(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Makes a directory that only this user may look into.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::mkdir(path, Mode::RWXU)?)
}

/// Processor time that this process has used so far, user and system, of all its threads; `None` when the system does not
/// say.
pub fn processor_time() -> Option<std::time::Duration> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(std::time::Duration::new(u64::try_from(used.tv_sec).ok()?, u32::try_from(used.tv_nsec).ok()?))
}

/// How many files this process may have open at once.
pub fn open_file_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20)
}

/// Raises the soft limit of open files to the hard one; for programs, not for libraries. Returns the limit now.
pub fn raise_open_file_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    // A refusal leaves the old limit, within which everything works, only in smaller batches.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    open_file_limit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_by_link_replaces_nothing_and_follows_no_link() {
        let holder = tempfile::tempdir().unwrap();
        let at = |name: &str| holder.path().join(name);
        std::fs::write(at("file"), "file").unwrap();
        std::fs::write(at("taken"), "taken").unwrap();
        std::os::unix::fs::symlink("taken", at("link")).unwrap();
        let dir = open_root(holder.path()).unwrap();
        let taken = link_and_unlink(&dir, b"file", &dir, b"taken").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        link_and_unlink(&dir, b"file", &dir, b"moved").unwrap();
        link_and_unlink(&dir, b"link", &dir, b"moved-link").unwrap();
        assert_eq!(std::fs::read(at("moved")).unwrap(), b"file");
        assert_eq!(stat_name(&dir, b"moved-link").unwrap().kind, FileKind::Symlink);
        let mut names: Vec<_> = list(&dir).unwrap().into_iter().map(|entry| entry.name).collect();
        names.sort();
        assert_eq!(names, [&b"moved"[..], b"moved-link", b"taken"]);
    }
}
