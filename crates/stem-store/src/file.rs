//! Files as sources of objects.

use std::io::{self, Read};
use std::ops::ControlFlow;

use stem_fs::{Dir, OpenFile, RelPath, Stat};
use stem_hash::Digest;

use crate::options::{Progress, Written};

/// A file that is to become an object.
#[derive(Clone, Copy)]
pub struct FileSource<'a> {
    /// The file, opened for reading.
    pub file: &'a OpenFile,
    /// Its metadata when it was opened (before it was hashed, if [`known`](Self::known) is given).
    pub stat: Stat,
    /// What its bytes hash to, if the caller knows for certain: computed under a read lease that is still held, or of a
    /// file that nobody else can open. Then the bytes need not be read when the object is there or the file is taken.
    pub known: Option<Digest>,
    /// Where it lies.
    pub place: Option<(&'a Dir, &'a RelPath)>,
    /// Whether it may be renamed from [`place`](Self::place) into the store, so that no byte is copied. Only with
    /// `known`, only with a durable note of the caller's that names it (see [`crate::ObjectStore`]), and not if the
    /// file has a second hard link. Where that is not possible it is copied.
    pub take: bool,
    /// Told of the bytes read.
    pub progress: Option<Progress<'a>>,
}

impl<'a> FileSource<'a> {
    /// The file as it is, to be read and copied.
    pub fn new(file: &'a OpenFile, stat: Stat) -> Self {
        Self { file, stat, known: None, place: None, take: false, progress: None }
    }

    /// The file's bytes from the beginning, whatever the position of its descriptor. Progress is reported.
    pub fn reader(&self) -> FileReader<'a> {
        FileReader { file: self.file, offset: 0, progress: self.progress }
    }
}

impl std::fmt::Debug for FileSource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSource")
            .field("file", &self.file)
            .field("known", &self.known)
            .field("take", &self.take)
            .finish_non_exhaustive()
    }
}

/// Reads a [`FileSource`]; fails with a [`Stopped`] inside the error when its progress callback breaks.
pub struct FileReader<'a> {
    file: &'a OpenFile,
    offset: u64,
    progress: Option<Progress<'a>>,
}

/// The progress callback of a source asked to stop; [`crate::Error::from_source`] knows it.
#[derive(Debug, thiserror::Error)]
#[error("the caller asked to stop")]
pub struct Stopped;

impl Read for FileReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.offset)?;
        self.offset += n as u64;
        match self.progress.map(|told| told(n as u64)) {
            None | Some(ControlFlow::Continue(())) => Ok(n),
            Some(ControlFlow::Break(())) => Err(io::Error::other(Stopped)),
        }
    }
}

impl std::fmt::Debug for FileReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReader")
            .field("file", &self.file)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// How a file's bytes came into the store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PutMethod {
    /// Not at all: the object was there.
    None,
    /// The file itself was renamed and is now at `path` in `dir`, the same inode. Until its lease ends the caller can
    /// rename it back.
    Adopted {
        /// The store's directory.
        dir: Dir,
        /// The object's name in it.
        path: RelPath,
    },
    /// Its blocks are shared by a clone.
    Cloned,
    /// Its bytes were read and written.
    Copied,
}

/// The answer to [`crate::ObjectStore::put_file`].
#[derive(Debug, Clone)]
pub struct PutFile {
    /// Id, length and, if asked for, checksum of the bytes that are stored.
    pub digest: Digest,
    /// What was done.
    pub written: Written,
    /// How.
    pub method: PutMethod,
}
