//! What takes the place of Linux's additions elsewhere: nothing is cloned, nothing is leased, everything is copied.

#![expect(clippy::unnecessary_wraps, reason = "on Linux the same functions can fail")]

use std::fs::File;
use std::io;

use super::DirHandle;
use crate::copy::DataRange;

/// How the directories on the way to a file are opened.
#[cfg(unix)]
pub(crate) const STEP: rustix::fs::OFlags =
    rustix::fs::OFlags::RDONLY.union(rustix::fs::OFlags::DIRECTORY).union(rustix::fs::OFlags::CLOEXEC);

#[cfg(unix)]
pub(crate) fn open_beneath(
    dir: &DirHandle,
    rel: &[u8],
    flags: rustix::fs::OFlags,
) -> io::Result<std::os::fd::OwnedFd> {
    Ok(super::open_stepwise(dir, rel, flags)?)
}

pub(crate) fn clone_file(_from: &File, _to: &File) -> io::Result<bool> {
    Ok(false)
}

pub(crate) fn copy_range(_from: &File, _offset: u64, _to: &File, _len: u64) -> io::Result<Option<u64>> {
    Ok(None)
}

pub(crate) fn data_range(_file: &File, _at: u64) -> io::Result<Option<DataRange>> {
    Ok(None)
}

/// Takes the pages of a file out of the system's cache; not possible here.
pub fn drop_cached(_file: &File) -> bool {
    false
}

/// The kind of file system that holds `path`; not known here.
pub fn file_system(_path: &std::path::Path) -> Option<&'static str> {
    None
}

/// What tells this installation from others; not known here.
pub fn machine_id() -> Option<String> {
    None
}

pub(crate) fn can_sync_all(_dir: &DirHandle) -> bool {
    false
}

pub(crate) fn sync_all(_dir: &DirHandle) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) mod lease {
    use super::{File, io};

    pub(crate) fn take(_file: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn held(_file: &File) -> bool {
        false
    }

    pub(crate) fn release(_file: &File) {}
}
