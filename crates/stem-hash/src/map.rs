//! The one use of `mmap`: a populated, read-only window of a file, and whole files of our own.
//!
//! # Windows
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
//! Mapping a whole file for hashing was rejected (resident memory and the time between polls grow with the
//! file), as was a SIGBUS handler (it belongs to the host program).
//!
//! # Whole files
//!
//! A [`Mapping`] is for files that the engine wrote itself, renamed to their final name when they were
//! complete, and never writes to again: tables that are searched in place, where a read for every lookup
//! would cost ten times as much and a copy in memory would be the size of the table. Nobody's working file is
//! ever mapped this way. So neither truncation nor writing happens unless somebody else does it to a file of
//! the store, in which case the bytes change under a `&[u8]` that is searched (whoever reads one checks what
//! it reads, and every access is bounded by the length at the time of mapping), or SIGBUS ends the process.
//!
//! What else can raise SIGBUS: a medium that fails to deliver a page. [`Mapping::populate`] reads a part in
//! beforehand and reports that as an error; the rest is read when it is first touched. Network file systems
//! that lose their server behave like failing media. Whoever cannot accept that reads by position instead, as
//! everybody does where mapping is refused (some FUSE and network file systems, address space of 32 bits).

#![expect(unsafe_code, reason = "mapping a file is unsafe; the module's text says why this use is sound")]

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};

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

/// A whole file of our own, mapped for reading in place; see the module's text for what that asks of the file.
///
/// Holds no descriptor: the file may be closed, and its name removed, while the mapping lives.
#[derive(Debug)]
pub struct Mapping(memmap2::Mmap);

impl Mapping {
    /// Maps a file that was written once and is never written to again, by anybody: one with its final name in a
    /// store's directory. Other files are read. An error where mapping does not work, and for empty files.
    pub fn of_immutable(file: &File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let len = usize::try_from(len).ok().filter(|&len| len > 0 && isize::try_from(len).is_ok());
        let Some(len) = len else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a file of this length cannot be mapped",
            ));
        };
        // SAFETY: the mapping is private to this value and read-only, and no longer than the file was just now.
        // That nobody truncates or changes the file is the promise of whoever calls this, in the words above.
        let map = unsafe { memmap2::MmapOptions::new().len(len).map(file) }?;
        Ok(Self(map))
    }

    /// Reads a part in, so that a medium that cannot deliver it is an error here rather than a signal later. Does
    /// nothing where the system has no such call (Linux before 5.14, other systems).
    pub fn populate(&self, range: Range<usize>) -> io::Result<()> {
        let start = range.start.min(self.len());
        let len = range.end.clamp(start, self.len()) - start;
        if len == 0 { Ok(()) } else { populate_range(&self.0, start, len) }
    }
}

#[cfg(target_os = "linux")]
fn populate_range(map: &memmap2::Mmap, start: usize, len: usize) -> io::Result<()> {
    match map.advise_range(memmap2::Advice::PopulateRead, start, len) {
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn populate_range(_: &memmap2::Mmap, _: usize, _: usize) -> io::Result<()> {
    Ok(())
}

impl Deref for Mapping {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_mapping_shows_the_whole_file() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..=255).cycle().take(100_001).collect();
        file.write_all(&bytes).unwrap();
        let map = Mapping::of_immutable(&file).unwrap();
        drop(file);
        assert_eq!(*map, bytes[..]);
        map.populate(0..map.len()).unwrap();
        map.populate(5000..5001).unwrap();
        map.populate(map.len()..usize::MAX).unwrap();
    }

    #[test]
    fn an_empty_file_is_not_mapped() {
        assert!(Mapping::of_immutable(&tempfile::tempfile().unwrap()).is_err());
    }
}
