//! What Linux adds: `openat2`, reflinks, in-kernel copies, holes, read leases and `syncfs`.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, retry_on_intr};

use super::{DirHandle, open_stepwise};
use crate::copy::DataRange;

/// How the directories on the way to a file are opened: to be passed through, which needs no permission to list them.
pub(crate) const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How long, and how often, an open waits for the holder of a write lease (a file server, say) to give it up. The kernel
/// takes it by force after `/proc/sys/fs/lease-break-time`, 45 s by default; a non-blocking open does not wait by itself.
const LEASE_WAIT: Duration = Duration::from_millis(5);
const LEASE_WAITS: u32 = 12_000;

/// Opens `rel` below `dir` without following any link.
pub(crate) fn open_beneath(dir: &DirHandle, rel: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    for _ in 0..LEASE_WAITS {
        match open_once(dir, rel, flags) {
            Err(Errno::AGAIN) => thread::sleep(LEASE_WAIT),
            other => return Ok(other?),
        }
    }
    Ok(open_once(dir, rel, flags)?)
}

fn open_once(dir: &DirHandle, rel: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    // Old kernels and some sandboxes lack openat2; remembered so that it is asked once.
    static MISSING: AtomicBool = AtomicBool::new(false);
    if MISSING.load(Ordering::Relaxed) {
        return open_stepwise(dir, rel, flags);
    }
    match open_at_once(dir, rel, flags) {
        Err(Errno::NOSYS | Errno::PERM) => {
            let opened = open_stepwise(dir, rel, flags);
            // A sandbox forbids the call with the same error that some files are forbidden with.
            if opened.is_ok() {
                MISSING.store(true, Ordering::Relaxed);
            }
            opened
        }
        other => other,
    }
}

fn open_at_once(dir: &DirHandle, rel: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let path = super::bytes_path(rel);
    retry_on_intr(|| rustix::fs::openat2(dir, &*path, flags, Mode::empty(), resolve))
}

/// Makes `to` share the blocks of `from`; `false` when the file system cannot.
pub(crate) fn clone_file(from: &File, to: &File) -> io::Result<bool> {
    match retry_on_intr(|| rustix::fs::ioctl_ficlone(to, from)) {
        Ok(()) => Ok(true),
        Err(
            Errno::OPNOTSUPP
            | Errno::XDEV
            | Errno::INVAL
            | Errno::NOTTY
            | Errno::NOSYS
            | Errno::PERM
            | Errno::BADF
            | Errno::TXTBSY,
        ) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Copies up to `len` bytes inside the kernel from `from` at `offset` to the current position of `to`. `None` when the
/// file systems cannot do that.
pub(crate) fn copy_range(from: &File, offset: u64, to: &File, len: u64) -> io::Result<Option<u64>> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let copy = || {
        let mut at = offset;
        rustix::fs::copy_file_range(from, Some(&mut at), to, None, len)
    };
    match retry_on_intr(copy) {
        Ok(copied) => Ok(Some(copied as u64)),
        Err(
            Errno::XDEV
            | Errno::INVAL
            | Errno::NOSYS
            | Errno::OPNOTSUPP
            | Errno::PERM
            | Errno::BADF
            | Errno::TXTBSY,
        ) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The next range at or after `at` that is no hole; `None` when there is nothing at or after `at`, or nothing is known of
/// holes. Restores the file's position.
pub(crate) fn data_range(mut file: &File, at: u64) -> io::Result<Option<DataRange>> {
    let position = file.stream_position()?;
    let found = find_data(file, at);
    file.seek(SeekFrom::Start(position))?;
    found
}

fn find_data(file: &File, at: u64) -> io::Result<Option<DataRange>> {
    let start = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Ok(start) => start,
        // Only a hole up to the end, or nothing at all.
        Err(Errno::NXIO) => {
            let size = file.metadata()?.len();
            return Ok((size > at).then_some(size..size));
        }
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(start)) {
        Ok(end) => Ok(Some(start..end)),
        // Cut off this moment.
        Err(Errno::NXIO) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Whether the file system is one of those of this machine alone that are known to keep what the manual promises of
/// `syncfs` and of leases; for why that is no matter of course see [`crate::Barrier`] and [`crate::ReadLease`]. Magic
/// numbers: `statfs(2)`.
fn is_known(file: impl AsFd) -> bool {
    const EXT4: u32 = 0xEF53;
    const XFS: u32 = 0x5846_5342;
    const BTRFS: u32 = 0x9123_683E;
    const F2FS: u32 = 0xF2F5_2010;
    const TMPFS: u32 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|fs| {
        u32::try_from(fs.f_type).is_ok_and(|magic| matches!(magic, EXT4 | XFS | BTRFS | F2FS | TMPFS))
    })
}

/// Takes the pages of a file out of the system's cache, so that the next read of it is one of the disk. Says whether the
/// file's beginning is gone from there: pages that wait to be written, or that a process has mapped, stay, and a file
/// system in memory has nowhere else to keep them.
pub fn drop_cached(file: &File) -> bool {
    if rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).is_err() {
        return false;
    }
    let mut byte = [0];
    let nowait = rustix::io::ReadWriteFlags::NOWAIT;
    // A read that is not allowed to wait for the disk finds only what is cached.
    let read = rustix::io::preadv2(file, &mut [io::IoSliceMut::new(&mut byte)], 0, nowait);
    matches!(read, Err(Errno::AGAIN) | Ok(0))
}

/// What tells this installation from others: 32 hex digits (`machine-id(5)`); `None` where there is none.
pub fn machine_id() -> Option<String> {
    use std::io::Read as _;
    ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().find_map(|path| {
        let mut text = String::new();
        File::open(path).ok()?.take(64).read_to_string(&mut text).ok()?;
        let id = text.trim();
        (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_ascii_lowercase())
    })
}

/// The kind of file system that holds `path`, by the name that people know it by; `None` for one that is not known here.
pub fn file_system(path: &std::path::Path) -> Option<&'static str> {
    // Magic numbers: `statfs(2)`.
    Some(match u32::try_from(rustix::fs::statfs(path).ok()?.f_type).ok()? {
        0xEF53 => "ext4",
        0x5846_5342 => "XFS",
        0x9123_683E => "btrfs",
        0xF2F5_2010 => "F2FS",
        0x0102_1994 => "tmpfs",
        0x794C_7630 => "overlayfs",
        0x6969 => "NFS",
        0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x6573_5546 => "FUSE",
        0x2FC1_2FC1 => "ZFS",
        0xCA45_1A4E => "bcachefs",
        0x2011_BAB0 => "exFAT",
        0x4D44 => "FAT",
        0x7366_746E => "NTFS",
        _ => return None,
    })
}

/// Whether `syncfs` makes everything on this file system durable and reports write errors.
pub(crate) fn can_sync_all(dir: &DirHandle) -> bool {
    is_known(dir)
}

pub(crate) fn sync_all(dir: &DirHandle) -> io::Result<()> {
    match rustix::fs::syncfs(dir) {
        // Not tried again, for the error of a write may have been reported in its place; and not the user's interruption.
        Err(Errno::INTR) => Err(io::Error::other("the flush was interrupted by a signal")),
        other => Ok(other?),
    }
}

/// Read leases: `fcntl(2)`, "Leases". No safe wrapper of them exists.
pub(crate) mod lease {
    #![expect(unsafe_code, reason = "F_SETLEASE, F_GETLEASE and F_SETSIG have no safe wrapper")]

    use super::{AsRawFd, File, io};

    const F_SETSIG: libc::c_int = 10;

    fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the descriptor is open as long as `file` lives, and these commands take an int, no pointer.
        let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
    }

    /// Takes a read lease: fails while anybody has the file open for writing or mapped writable.
    pub(crate) fn take(file: &File) -> io::Result<()> {
        if !super::is_known(file) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // The default signal, SIGIO, would kill a host program; SIGURG is ignored unless asked for.
        fcntl(file, F_SETSIG, libc::SIGURG)?;
        fcntl(file, libc::F_SETLEASE, libc::F_RDLCK).map(drop)
    }

    /// Whether the lease stands and nobody waits for it to go.
    pub(crate) fn held(file: &File) -> bool {
        fcntl(file, libc::F_GETLEASE, 0).is_ok_and(|kind| kind == libc::F_RDLCK)
    }

    pub(crate) fn release(file: &File) {
        // Fails only when the lease was broken already.
        let _ = fcntl(file, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

#[cfg(test)]
mod tests;
