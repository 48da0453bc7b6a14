//! A regular file opened for reading.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Context, Result};
use crate::observe::{Change, Observer, make};
use crate::platform;
use crate::stat::{Stat, Timestamp};

/// A regular file opened for reading through a [`crate::Dir`].
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    path: PathBuf,
    observer: Option<Arc<dyn Observer>>,
}

impl OpenFile {
    pub(crate) fn new(file: File, path: PathBuf, observer: Option<Arc<dyn Observer>>) -> Self {
        Self { file, path, observer }
    }

    /// The path it was opened by; for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's metadata now.
    pub fn stat(&self) -> Result<Stat> {
        platform::stat_file(&self.file).context("examine", &self.path)
    }

    /// Reads up to `buf.len()` bytes at `offset`, without moving the position that [`Read`] uses (on Unix).
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        platform::read_at(&self.file, buf, offset)
    }

    /// Sets the permission bits, exactly. Allowed to the owner although the file is open for reading only.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        self.change(|| platform::set_mode(&self.file, mode)).context("set the permissions of", &self.path)
    }

    /// Sets the time of the last change.
    pub fn set_mtime(&self, mtime: Timestamp) -> Result<()> {
        self.change(|| platform::set_mtime(&self.file, mtime)).context("set the time of", &self.path)
    }

    fn change(&self, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        make(self.observer.as_ref(), Change::Metadata(&self.path), change)
    }

    /// Whether nothing may be presumed of the file system, because a test says so.
    pub(crate) fn is_on_unknown_file_system(&self) -> bool {
        self.observer.as_ref().is_some_and(|observer| observer.is_unknown_file_system())
    }

    /// The standard library's file.
    pub fn as_std(&self) -> &File {
        &self.file
    }
}

impl Read for &OpenFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(buf)
    }
}

impl Read for OpenFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read(buf)
    }
}
