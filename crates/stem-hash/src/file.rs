//! Hashing one whole file.

use std::fmt;
use std::fs::File;
use std::io;

pub use crate::map::MAP_WINDOW;

use crate::buffer;
use crate::hasher::{Digest, Hasher};
use crate::id::Algorithm;
use crate::lane::{Lane, Ready, step};
use crate::window::Windows;

/// What to compute, and how bytes may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashOptions {
    /// The function that makes the id.
    pub algorithm: Algorithm,
    /// Whether to compute the fast checksum in the same pass.
    pub checksum: bool,
    /// Whether files may be mapped at all, if they consent ([`HashFile::safe_to_map`]). Only SHA-256 of large
    /// files makes use of it.
    pub mmap: bool,
}

impl HashOptions {
    /// The id alone; mapping where the file permits it.
    pub const fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, checksum: false, mmap: true }
    }

    /// The same with the checksum.
    #[must_use]
    pub const fn and_checksum(self) -> Self {
        Self { checksum: true, ..self }
    }
}

impl Default for HashOptions {
    fn default() -> Self {
        Self::new(Algorithm::default())
    }
}

/// An open file that can be hashed.
pub trait HashFile {
    /// The file. It is read by position from its first byte on; its cursor is not moved.
    fn file(&self) -> &File;

    /// Whether nobody can truncate or write to the file right now: it is our own and immutable, or a read
    /// lease is held.
    ///
    /// Asked before each window is mapped, and again before a mapped window is used after a callback. A true
    /// answer must hold for the time of hashing a window (milliseconds; a broken lease leaves 45 s). A wrong
    /// one can end the process by SIGBUS.
    fn safe_to_map(&self) -> bool {
        false
    }
}

/// A file to hash that somebody else keeps open.
#[derive(Clone, Copy)]
pub struct FileJob<'a> {
    /// The open file.
    pub file: &'a File,
    /// The length that is expected. It orders the work and chooses the strategy; what is hashed is what is
    /// there, to the end, and [`Digest::len`] says how much that was.
    pub len: u64,
    /// See [`HashFile::safe_to_map`]; `None` means never.
    pub safe_to_map: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl<'a> FileJob<'a> {
    /// A file that is read, not mapped.
    pub fn new(file: &'a File, len: u64) -> Self {
        Self { file, len, safe_to_map: None }
    }
}

impl HashFile for FileJob<'_> {
    fn file(&self) -> &File {
        self.file
    }

    fn safe_to_map(&self) -> bool {
        self.safe_to_map.is_some_and(|safe| safe())
    }
}

impl fmt::Debug for FileJob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJob")
            .field("file", self.file)
            .field("len", &self.len)
            .field("safe_to_map", &self.safe_to_map.is_some())
            .finish()
    }
}

/// Hashes one file from beginning to end.
///
/// `progress` hears of every part that is done, in bytes that sum up to the file's length. A large file
/// with BLAKE3 uses all threads of the current rayon pool; SHA-256 is sequential by nature, use
/// [`hash_many`](crate::hash_many) for several files.
///
/// # Errors
///
/// Those of reading. A file that is shorter or longer than expected is none.
pub fn hash_file(
    job: &FileJob<'_>,
    options: &HashOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> io::Result<Digest> {
    let tick = |bytes| {
        progress(bytes);
        Ok(())
    };
    match options.algorithm {
        Algorithm::Sha256 => {
            let mut lane = Lane::new(job.len, options, buffer::take());
            while lane.prepare(job, &tick)? != Ready::Done {
                step(&mut lane);
            }
            let (digest, used) = lane.finish();
            buffer::keep(used);
            Ok(digest)
        }
        Algorithm::Blake3 => {
            let helpers = || rayon::current_num_threads() > 1;
            let mut used = buffer::take();
            let digest = hash_tree(job, job.len, options, &helpers, &mut used, &tick);
            buffer::keep(used);
            digest
        }
    }
}

/// From how many remaining bytes on BLAKE3 calls other threads to help.
const PARALLEL_FROM: u64 = 1024 * 1024;

/// Hashes one file with a hash that is parallel in itself.
///
/// `alone` says whether there are other threads, with nothing else to do. Nothing is mapped here: BLAKE3 is so fast that
/// a mapping's page faults cost more than the copy into a warm buffer (measured 3.2 against 4.2 GB/s), and
/// a rayon thread that waits for its helpers may begin any other task of the host program, for longer
/// than the promise behind a mapping lasts.
pub(crate) fn hash_tree(
    file: &impl HashFile,
    expected: u64,
    options: &HashOptions,
    alone: &dyn Fn() -> bool,
    buffer: &mut Vec<u8>,
    tick: &dyn Fn(u64) -> io::Result<()>,
) -> io::Result<Digest> {
    let mut hasher = Hasher::with_options(options);
    let mut windows = Windows::new(expected, false, std::mem::take(buffer));
    loop {
        if windows.remaining() >= PARALLEL_FROM && alone() {
            windows.advance_parallel(file)?;
            hasher.update_parallel(windows.rest());
        } else {
            windows.advance(file)?;
            hasher.update(windows.rest());
        }
        let count = windows.rest().len();
        windows.consume(count);
        if count > 0 {
            tick(count as u64)?;
        }
        if windows.ended() {
            break;
        }
    }
    *buffer = windows.into_buffer();
    Ok(hasher.finish())
}
