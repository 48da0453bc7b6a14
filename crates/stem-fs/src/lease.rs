//! Read leases: proof that nobody is writing to a file.
//!
//! While a lease is held, no process has the file open for writing and none has it mapped writable; whoever wants to
//! open it for writing or truncate it waits in the kernel until the lease goes, 45 s at most, then it is broken by
//! force. The lease belongs to the inode and survives a rename of the file.
//!
//! Leases are trusted only on file systems of this machine that are known to keep that promise. Elsewhere the system
//! grants some that prove nothing: FUSE and network file systems know nothing of writers on other machines, and overlayfs
//! (the root of most containers) counts a mapping on the inode below, so that its lease overlooks it.

use std::fs::File;

use crate::file::OpenFile;
use crate::platform::lease;

/// A read lease on an open file, released on drop.
#[derive(Debug)]
pub struct ReadLease<'a> {
    file: &'a File,
}

/// Why there is no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Somebody has the file open for writing or mapped writable.
    Busy,
    /// The file belongs to another user, or the file system or the platform has no leases that can be trusted: nothing is
    /// known.
    Unavailable,
}

impl<'a> ReadLease<'a> {
    /// Takes a lease.
    pub fn take(file: &'a OpenFile) -> Result<Self, Refused> {
        if file.is_on_unknown_file_system() {
            return Err(Refused::Unavailable);
        }
        match lease::take(file.as_std()) {
            Ok(()) => Ok(Self { file: file.as_std() }),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Err(Refused::Busy),
            Err(_) => Err(Refused::Unavailable),
        }
    }

    /// Whether the lease stands and no writer waits for it to go.
    pub fn held(&self) -> bool {
        lease::held(self.file)
    }
}

/// A file together with its read lease, for whoever keeps both for a while.
#[derive(Debug)]
pub struct LeasedFile {
    file: OpenFile,
}

impl LeasedFile {
    /// Takes a lease and the file with it; without a lease the file comes back.
    pub fn take(file: OpenFile) -> Result<Self, (OpenFile, Refused)> {
        // The lease lives on after this borrow of it; this value releases it instead.
        let taken = ReadLease::take(&file).map(std::mem::forget);
        match taken {
            Ok(()) => Ok(Self { file }),
            Err(refused) => Err((file, refused)),
        }
    }

    /// The file.
    pub fn file(&self) -> &OpenFile {
        &self.file
    }

    /// Whether the lease stands and no writer waits for it to go.
    pub fn held(&self) -> bool {
        lease::held(self.file.as_std())
    }
}

impl Drop for LeasedFile {
    fn drop(&mut self) {
        lease::release(self.file.as_std());
    }
}

impl Drop for ReadLease<'_> {
    fn drop(&mut self) {
        lease::release(self.file);
    }
}
