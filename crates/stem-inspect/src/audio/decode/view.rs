//! A part of a file, as symphonia reads it.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use symphonia::core::io::MediaSource;

use super::find::Found;
use crate::source::ReadAt;

/// Where an error of the medium is kept while it passes through a library that may take it for the end of the file.
pub(super) type Failure = Arc<Mutex<Option<io::Error>>>;

/// What failed, if something did.
pub(super) fn failed(failure: &Failure) -> io::Result<()> {
    match failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Some bytes, and then a part of a file.
pub(super) struct View<'a> {
    file: &'a dyn ReadAt,
    head: Vec<u8>,
    rest: Range<u64>,
    at: u64,
    seekable: bool,
    failure: Failure,
}

impl<'a> View<'a> {
    pub(super) fn new(found: &Found<'a>, seekable: bool, failure: Failure) -> Self {
        Self {
            file: found.file,
            head: found.head.clone(),
            rest: found.audio.clone(),
            at: 0,
            seekable,
            failure,
        }
    }

    fn len(&self) -> u64 {
        self.head.len() as u64 + (self.rest.end - self.rest.start)
    }
}

impl Read for View<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let head = usize::try_from(self.at).ok().and_then(|at| self.head.get(at..)).unwrap_or_default();
        let count = if head.is_empty() {
            let behind = self.at.saturating_sub(self.head.len() as u64);
            let left = (self.rest.end - self.rest.start).saturating_sub(behind);
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
            match self.file.read_at(&mut buf[..count], self.rest.start + behind) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let told = io::Error::from(error.kind());
                    *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return Err(told);
                }
            }
        } else {
            let count = head.len().min(buf.len());
            buf[..count].copy_from_slice(&head[..count]);
            count
        };
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for View<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl MediaSource for View<'_> {
    fn is_seekable(&self) -> bool {
        self.seekable
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}
