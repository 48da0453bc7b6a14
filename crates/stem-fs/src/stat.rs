//! What the file system says of a file, in one shape for every platform.

use std::fmt;
use std::io;

/// A point in time of the file system: seconds since the Unix epoch, possibly negative, and nanoseconds within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub secs: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

const NANOS: i128 = 1_000_000_000;

impl Timestamp {
    /// Nanoseconds since the epoch.
    pub fn as_nanos(self) -> i128 {
        i128::from(self.secs) * NANOS + i128::from(self.nanos)
    }

    /// The timestamp of `nanos` nanoseconds since the epoch, or `None` beyond what 64-bit seconds hold.
    pub fn from_nanos(nanos: i128) -> Option<Self> {
        let secs = i64::try_from(nanos.div_euclid(NANOS)).ok()?;
        let nanos = u32::try_from(nanos.rem_euclid(NANOS)).ok()?;
        Some(Self { secs, nanos })
    }
}

/// What kind of thing a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, never followed by this crate.
    Symlink,
    /// A FIFO, socket, device or anything else that has no bytes of its own.
    Special,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "regular file",
            Self::Dir => "directory",
            Self::Symlink => "symbolic link",
            Self::Special => "special file",
        })
    }
}

impl FileKind {
    /// The error for this kind of thing where a regular file has to be.
    pub(crate) fn unexpected(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, format!("it is a {self}, not a regular file"))
    }
}

/// The metadata of one file. Fields that a platform lacks are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The kind of file.
    pub kind: FileKind,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits, set-uid, set-gid and sticky bit (`0o7777`).
    pub mode: u32,
    /// Last change of the bytes.
    pub mtime: Timestamp,
    /// Last change of bytes or metadata; cannot be set by programs.
    pub ctime: Timestamp,
    /// Inode number, unique on the device.
    pub inode: u64,
    /// The device that holds the file.
    pub device: u64,
    /// Number of names (hard links) of the inode.
    pub links: u64,
    /// Blocks of 512 bytes in use.
    pub blocks: u64,
}

impl Stat {
    /// Whether fewer blocks are in use than the size asks for: the file has holes, or is compressed.
    pub fn is_sparse(&self) -> bool {
        self.blocks.saturating_mul(512) < self.size
    }

    /// Whether `other` shows the same unmodified file: same inode, size, mtime and ctime.
    ///
    /// A store through an existing mapping to an already dirty page moves no time, so this alone never permits a
    /// removal; together with a [`crate::ReadLease`] held at both moments it does.
    pub fn same_version(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (self.device, self.inode, self.size) == (other.device, other.inode, other.size)
            && (self.mtime, self.ctime) == (other.mtime, other.ctime)
    }

    /// As [`Stat::same_version`], but lets the ctime differ: a rename or a new hard link changes it.
    pub fn same_content_times(&self, other: &Self) -> bool {
        (self.device, self.inode, self.size, self.mtime)
            == (other.device, other.inode, other.size, other.mtime)
    }
}
