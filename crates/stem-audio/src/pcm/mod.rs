//! Interleaved samples as bytes, to and from one plane of `i32` for each channel.
//!
//! The mapping covers the whole container, whatever the header calls valid, so it is exact for every byte: padding
//! bits that are set, samples aligned to the wrong end and right ones differ only in how well they are coded. Floats are
//! moved as their bits.

mod sample;

use crate::format::{Encoding, SampleFormat};
use sample::{Be16, Be24, Be32, Le16, Le24, Le32, Offset8, Sample, Signed8};

/// Frames that are handled together where there are more than two channels, so that what one channel leaves of a cache
/// line is still there for the next.
const BLOCK: usize = 128;

/// Calls a function that is generic over the kind of sample.
macro_rules! with_sample {
    ($format:expr, $function:ident ( $($argument:expr),* )) => {
        match ($format.container(), $format.big_endian()) {
            (1, _) if $format.encoding() == Encoding::Unsigned => $function::<Offset8, 1>($($argument),*),
            (1, _) => $function::<Signed8, 1>($($argument),*),
            (2, false) => $function::<Le16, 2>($($argument),*),
            (2, true) => $function::<Be16, 2>($($argument),*),
            (3, false) => $function::<Le24, 3>($($argument),*),
            (3, true) => $function::<Be24, 3>($($argument),*),
            (_, false) => $function::<Le32, 4>($($argument),*),
            (_, true) => $function::<Be32, 4>($($argument),*),
        }
    };
}

/// Splits the whole frames of `raw` into one plane for each channel. There are as many planes as channels afterwards,
/// each with as many samples as there are frames; what they held before is gone.
///
/// ```
/// # use stem_audio::{Encoding, SampleFormat, pcm};
/// let format = SampleFormat::new(Encoding::Signed, 16, 2, 2, false, 44_100).unwrap();
/// let mut planes = Vec::new();
/// pcm::unpack(&[1, 0, 0xFF, 0xFF, 2, 0, 0, 0x80], &format, &mut planes);
/// assert_eq!(planes, [[1, 2], [-1, -32768]]);
/// ```
pub fn unpack(raw: &[u8], format: &SampleFormat, planes: &mut Vec<Vec<i32>>) {
    let frames = raw.len() / format.frame_len();
    planes.resize_with(format.channels(), Vec::new);
    for plane in planes.iter_mut() {
        plane.resize(frames, 0);
    }
    with_sample!(format, unpack_as(raw, planes));
}

/// The inverse of [`unpack`]: appends the frames to `out`. As many frames as the shortest plane has; bits of a sample
/// that its container does not hold are dropped.
pub fn pack(planes: &[Vec<i32>], format: &SampleFormat, out: &mut Vec<u8>) {
    let frames = planes.iter().map(Vec::len).min().unwrap_or(0);
    if planes.len() != format.channels() {
        return;
    }
    let start = out.len();
    out.resize(start + frames * format.frame_len(), 0);
    let Some(raw) = out.get_mut(start..) else { return };
    with_sample!(format, pack_as(planes, raw));
}

fn unpack_as<S: Sample<N>, const N: usize>(raw: &[u8], planes: &mut [Vec<i32>]) {
    let (samples, _) = raw.as_chunks::<N>();
    match planes {
        [] => (),
        [plane] => {
            for (value, bytes) in plane.iter_mut().zip(samples) {
                *value = S::load(*bytes);
            }
        }
        [left, right] => {
            let (frames, _) = samples.as_chunks::<2>();
            for ((left, right), [first, second]) in left.iter_mut().zip(right).zip(frames) {
                *left = S::load(*first);
                *right = S::load(*second);
            }
        }
        planes => {
            let channels = planes.len();
            for (index, block) in samples.chunks(BLOCK * channels).enumerate() {
                for (channel, plane) in planes.iter_mut().enumerate() {
                    let values = plane.iter_mut().skip(index * BLOCK);
                    let block = block.get(channel..).unwrap_or_default();
                    for (value, bytes) in values.zip(block.iter().step_by(channels)) {
                        *value = S::load(*bytes);
                    }
                }
            }
        }
    }
}

fn pack_as<S: Sample<N>, const N: usize>(planes: &[Vec<i32>], raw: &mut [u8]) {
    let (samples, _) = raw.as_chunks_mut::<N>();
    match planes {
        [] => (),
        [plane] => {
            for (value, bytes) in plane.iter().zip(samples) {
                *bytes = S::store(*value);
            }
        }
        [left, right] => {
            let (frames, _) = samples.as_chunks_mut::<2>();
            for ((left, right), [first, second]) in left.iter().zip(right).zip(frames) {
                *first = S::store(*left);
                *second = S::store(*right);
            }
        }
        planes => {
            let channels = planes.len();
            for (index, block) in samples.chunks_mut(BLOCK * channels).enumerate() {
                for (channel, plane) in planes.iter().enumerate() {
                    let values = plane.iter().skip(index * BLOCK);
                    let block = block.get_mut(channel..).unwrap_or_default();
                    for (value, bytes) in values.zip(block.iter_mut().step_by(channels)) {
                        *bytes = S::store(*value);
                    }
                }
            }
        }
    }
}
