//! The fallback for systems without directory descriptors (Windows): path names, each component checked for links.
//!
//! Between the check and the use somebody may swap a component for a link; the Unix side has no such gap.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::os::windows::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::dir::DirEntry;
use crate::path::PathProblem;
use crate::stat::{FileKind, Stat, Timestamp};

/// A directory by name.
pub(crate) type DirHandle = PathBuf;

pub(crate) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    Cow::Owned(path.to_string_lossy().replace('\\', "/").into_bytes())
}

pub(crate) fn bytes_path(bytes: &[u8]) -> Cow<'_, Path> {
    Cow::Owned(PathBuf::from(String::from_utf8_lossy(bytes).into_owned()))
}

pub(crate) fn check_component(component: &[u8]) -> Result<(), PathProblem> {
    // A backslash separates, a colon names a drive or a stream: neither may come from a manifest. Dots and spaces at the
    // end are cut off, so that `.. ` would be `..` and two names one file.
    let hostile = component.iter().any(|b| matches!(b, b'\\' | b':')) || component.ends_with(b".");
    if hostile || component.ends_with(b" ") || is_device(component) || std::str::from_utf8(component).is_err()
    {
        Err(PathProblem::Unstorable)
    } else {
        Ok(())
    }
}

/// `NUL`, `com1.txt` and their like stand for devices in every directory ("Naming Files, Paths, and Namespaces").
fn is_device(component: &[u8]) -> bool {
    let stem = component.split(|&b| b == b'.').next().unwrap_or(component).trim_ascii_end();
    let numbered = |prefix: &[u8]| {
        stem.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            && matches!(&stem[3..], [b'0'..=b'9'] | [0xC2, 0xB9 | 0xB2 | 0xB3])
    };
    let named = [&b"con"[..], b"prn", b"aux", b"nul", b"conin$", b"conout$"];
    named.iter().any(|name| stem.eq_ignore_ascii_case(name)) || numbered(b"com") || numbered(b"lpt")
}

pub(crate) fn open_root(path: &Path) -> io::Result<DirHandle> {
    if fs::metadata(path)?.is_dir() {
        Ok(path.to_path_buf())
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

/// The path of `rel`, when no component of it is a link.
fn beneath(dir: &DirHandle, rel: &[u8]) -> io::Result<PathBuf> {
    let mut path = dir.clone();
    for component in rel.split(|&b| b == b'/') {
        path.push(bytes_path(component));
        if fs::symlink_metadata(&path)?.is_symlink() {
            let reason = "a symbolic link stands in the path, and links are not followed";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
    }
    Ok(path)
}

pub(crate) fn open_dir(dir: &DirHandle, rel: &[u8]) -> io::Result<DirHandle> {
    let path = beneath(dir, rel)?;
    let meta = fs::symlink_metadata(&path)?;
    if meta.is_dir() { Ok(path) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

pub(crate) fn open_file(dir: &DirHandle, rel: &[u8]) -> io::Result<File> {
    let path = beneath(dir, rel)?;
    let file = File::open(&path);
    // A directory cannot be opened as a file; what it is matters more than that.
    if file.is_err() && fs::symlink_metadata(&path)?.is_dir() {
        return Err(FileKind::Dir.unexpected());
    }
    file
}

pub(crate) fn stat_name(dir: &DirHandle, name: &[u8]) -> io::Result<Stat> {
    fs::symlink_metadata(dir.join(bytes_path(name))).map(|meta| stat(&meta))
}

pub(crate) fn stat_handle(dir: &DirHandle) -> io::Result<Stat> {
    fs::metadata(dir).map(|meta| stat(&meta))
}

pub(crate) fn stat_file(file: &File) -> io::Result<Stat> {
    file.metadata().map(|meta| stat(&meta))
}

fn stat(meta: &fs::Metadata) -> Stat {
    let kind = if meta.is_file() {
        FileKind::File
    } else if meta.is_dir() {
        FileKind::Dir
    } else if meta.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Special
    };
    Stat {
        kind,
        size: meta.len(),
        mode: if meta.permissions().readonly() { 0o444 } else { 0o644 },
        mtime: meta.modified().map(timestamp).unwrap_or_default(),
        ctime: Timestamp::default(),
        inode: 0,
        device: 0,
        links: 1,
        blocks: meta.len().div_ceil(512),
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let nanos = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(0),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(0),
    };
    Timestamp::from_nanos(nanos).unwrap_or_default()
}

pub(crate) fn list(dir: &DirHandle) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned().into_bytes();
        entries.push(DirEntry { name, kind: stat(&entry.metadata()?).kind });
    }
    Ok(entries)
}

pub(crate) fn create_file(dir: &DirHandle, name: &[u8], _mode: u32) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(dir.join(bytes_path(name)))
}

pub(crate) fn open_lock(dir: &DirHandle, name: &[u8]) -> io::Result<File> {
    File::options().read(true).write(true).open(dir.join(bytes_path(name)))
}

pub(crate) fn create_lock(dir: &DirHandle, name: &[u8]) -> io::Result<File> {
    create_file(dir, name, 0)
}

pub(crate) fn create_dir(dir: &DirHandle, name: &[u8]) -> io::Result<()> {
    fs::create_dir(dir.join(bytes_path(name)))
}

pub(crate) fn remove_file(dir: &DirHandle, name: &[u8]) -> io::Result<()> {
    fs::remove_file(dir.join(bytes_path(name)))
}

pub(crate) fn remove_dir(dir: &DirHandle, name: &[u8]) -> io::Result<()> {
    fs::remove_dir(dir.join(bytes_path(name)))
}

pub(crate) fn rename(from: &DirHandle, old: &[u8], to: &DirHandle, new: &[u8]) -> io::Result<()> {
    fs::rename(from.join(bytes_path(old)), to.join(bytes_path(new)))
}

pub(crate) fn rename_new(from: &DirHandle, old: &[u8], to: &DirHandle, new: &[u8]) -> io::Result<()> {
    fs::hard_link(from.join(bytes_path(old)), to.join(bytes_path(new)))?;
    fs::remove_file(from.join(bytes_path(old)))
}

#[expect(clippy::unnecessary_wraps, reason = "directories cannot be flushed here")]
pub(crate) fn sync_dir(_dir: &DirHandle) -> io::Result<()> {
    Ok(())
}

pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(mode & 0o200 == 0);
    file.set_permissions(permissions)
}

pub(crate) fn set_mtime(file: &File, mtime: Timestamp) -> io::Result<()> {
    let nanos = mtime.as_nanos();
    let distance = Duration::from_nanos(u64::try_from(nanos.unsigned_abs()).unwrap_or(u64::MAX));
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if nanos < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) };
    file.set_modified(time.unwrap_or(epoch))
}

/// Moves the file's position too, but does not depend on it.
pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buf, offset)
}

pub(crate) fn is_link_error(_error: &io::Error) -> bool {
    false
}

/// Whether a process with this id exists; not known here, so yes: nothing of it is collected.
pub fn process_is_alive(_pid: u32) -> bool {
    true
}

/// Bytes that this user can still write to the file system of `path`; not known here.
pub fn available_space(_path: &Path) -> Option<u64> {
    None
}

/// Makes a directory; who may look into it is inherited here.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

/// Processor time of this process; not known here.
pub fn processor_time() -> Option<std::time::Duration> {
    None
}

/// How many files this process may have open at once, guessed low.
pub fn open_file_limit() -> u64 {
    256
}

/// Does nothing here. Returns the limit now.
pub fn raise_open_file_limit() -> u64 {
    open_file_limit()
}
