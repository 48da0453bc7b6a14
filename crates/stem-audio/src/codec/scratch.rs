//! What is reused from chunk to chunk, so that coding allocates nothing in the long run.

use std::fmt;
use std::io;

use super::DecodeError;
use super::frames::Encoders;
use crate::flac;

/// The level of zstd in codecs: its fast default.
const ZSTD_LEVEL: i32 = 3;

/// Buffers and coders. One for each thread; which chunks it has seen makes no difference to what it gives.
#[derive(Default)]
pub struct Scratch {
    /// One plane for each channel.
    pub(super) planes: Vec<Vec<i32>>,
    /// A second set, for what is derived from the first.
    pub(super) mapped: Vec<Vec<i32>>,
    pub(super) encoders: Encoders,
    pub(super) decoder: flac::Decoder,
    pub(super) zstd: Zstd,
    /// A chunk in another order.
    pub(super) bytes: Vec<u8>,
    /// Low bits of floats.
    pub(super) low: Vec<u8>,
    /// Exceptions of floats.
    pub(super) exceptions: Vec<u8>,
    /// What `decodes_to` compares with.
    pub(super) decoded: Vec<u8>,
}

impl Scratch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// zstd's contexts, made when first needed.
#[derive(Default)]
pub(super) struct Zstd {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
}

/// The value in `slot`, made first if need be.
fn made<T>(slot: &mut Option<T>, make: impl FnOnce() -> io::Result<T>) -> io::Result<&mut T> {
    match slot {
        Some(value) => Ok(value),
        None => Ok(slot.insert(make()?)),
    }
}

impl Zstd {
    /// Appends one frame of `bytes`. `None` if zstd cannot get the memory.
    pub(super) fn compress(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let compressor = made(&mut self.compressor, || zstd::bulk::Compressor::new(ZSTD_LEVEL)).ok()?;
        let start = out.len();
        out.resize(start + zstd::zstd_safe::compress_bound(bytes.len()), 0);
        let length = compressor.compress_to_buffer(bytes, out.get_mut(start..)?).ok();
        out.truncate(start + length.unwrap_or(0));
        length.map(|_| ())
    }

    /// Appends what `frame` holds, which is an error if it is more than `limit` bytes.
    pub(super) fn decompress(
        &mut self,
        frame: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let damaged = |_| DecodeError::Damaged("zstd frame");
        let decompressor = made(&mut self.decompressor, zstd::bulk::Decompressor::new).map_err(damaged)?;
        let start = out.len();
        out.resize(start + limit, 0);
        let result = decompressor.decompress_to_buffer(frame, out.get_mut(start..).unwrap_or_default());
        out.truncate(start + result.as_ref().map_or(0, |&length| length));
        result.map(|_| ()).map_err(damaged)
    }
}
