//! Bytes of equal significance together, compressed by zstd.
//!
//! The last resort for floats: exponents repeat, the lowest bytes do not.

use super::SampleCodec;
use super::{DecodeError, Scratch, layout};
use crate::format::SampleFormat;

/// Appends header and frame. `None` where zstd refuses or it gets no smaller.
pub(super) fn encode(
    raw: &[u8],
    format: &SampleFormat,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Option<()> {
    let start = out.len();
    layout::write_header(SampleCodec::BytePlanes, format, out);
    let mut shuffled = std::mem::take(&mut scratch.bytes);
    shuffle(raw, format.container(), &mut shuffled);
    let result = scratch.zstd.compress(&shuffled, out);
    scratch.bytes = shuffled;
    if result.is_none() {
        out.truncate(start);
    }
    result
}

/// The inverse: appends `raw_len` bytes to `out`.
pub(super) fn decode(
    frame: &[u8],
    container: usize,
    raw_len: usize,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let mut shuffled = std::mem::take(&mut scratch.bytes);
    shuffled.clear();
    let result = scratch.zstd.decompress(frame, raw_len, &mut shuffled);
    let result = match result {
        Ok(()) if shuffled.len() == raw_len => {
            unshuffle(&shuffled, container, out);
            Ok(())
        }
        Ok(()) => Err(DecodeError::Damaged("byte planes of another length")),
        Err(error) => Err(error),
    };
    scratch.bytes = shuffled;
    result
}

fn shuffle(raw: &[u8], container: usize, shuffled: &mut Vec<u8>) {
    shuffled.clear();
    for plane in 0..container {
        shuffled.extend(raw.iter().skip(plane).step_by(container));
    }
}

fn unshuffle(shuffled: &[u8], container: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + shuffled.len(), 0);
    let Some(raw) = out.get_mut(start..) else { return };
    let samples = shuffled.len() / container;
    for (index, plane) in shuffled.chunks_exact(samples.max(1)).enumerate() {
        for (byte, value) in raw.iter_mut().skip(index).step_by(container).zip(plane) {
            *byte = *value;
        }
    }
}
