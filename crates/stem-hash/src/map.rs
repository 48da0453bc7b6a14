//! The one use of `mmap`: a populated, read-only window of a file.
//!
//! Two things can go wrong with a mapped file. Somebody truncates it: touching a page beyond the new end
//! raises SIGBUS, which kills the process. Somebody writes to it: the bytes change under a `&[u8]`. So
//!
//! * a window is made only after the caller's [`HashFile::safe_to_map`](crate::HashFile::safe_to_map)
//!   said yes, which is asked again whenever time has passed that we do not control (between windows, and
//!   after every callback into the caller);
//! * the length comes from an `fstat` made just before;
//! * all pages are read in by `MADV_POPULATE_READ`, which reports a missing page or a media error as an error
//!   where a plain access would raise the signal; then the read path takes over and reports it properly;
//! * a window is at most [`MAP_WINDOW`] bytes, some milliseconds of hashing.
//!
//! What remains possible: the caller's answer was wrong; the process was stopped (not merely slow) for
//! longer than the lease lasts (45 s) in the middle of a window, and the file was truncated; memory was so short that a
//! populated page was dropped, and reading it again failed. A host program that cannot accept these turns
//! mapping off ([`HashOptions::mmap`](crate::HashOptions)).
//!
//! Mapping a whole file was rejected (resident memory and the time between polls grow with the file), as
//! was a SIGBUS handler (it belongs to the host program).

#![expect(unsafe_code, reason = "mapping a file is unsafe; the module's text says why this use is sound")]

use std::fs::File;
use std::ops::Deref;

/// The most that is mapped at a time, per file in work: 8 MiB.
pub const MAP_WINDOW: usize = 8 * 1024 * 1024;

/// A mapped and populated part of a file.
pub(crate) struct MapWindow(memmap2::Mmap);

impl MapWindow {
    /// Maps `len` bytes from `offset` on and reads them in, or `None` where that does not work.
    ///
    /// The caller has just made sure that the file reaches that far and that nobody can write to it.
    pub(crate) fn new(file: &File, offset: u64, len: usize) -> Option<Self> {
        if len == 0 || len > MAP_WINDOW {
            return None;
        }
        // SAFETY: the mapping is private to this value and read-only. That nobody changes the file
        // meanwhile is the promise of `HashFile::safe_to_map`, asked for just before.
        let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map(file) }.ok()?;
        populate(&map).then_some(Self(map))
    }
}

#[cfg(target_os = "linux")]
fn populate(map: &memmap2::Mmap) -> bool {
    map.advise(memmap2::Advice::PopulateRead).is_ok()
}

/// Without a way to read the pages in that reports errors, nothing is mapped.
#[cfg(not(target_os = "linux"))]
fn populate(_: &memmap2::Mmap) -> bool {
    false
}

impl Deref for MapWindow {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
