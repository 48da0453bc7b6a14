//! Samples of 24 bits to the bytes of a file.

use crate::wav::SampleFormat;

/// How many bits of a float sample are used; integers are always exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Every float is a 24-bit integer divided by 2^23, as a recording from a converter is.
    Exact24,
    /// Floats use their whole mantissa, as the output of a mixer does.
    Full,
}

/// A level whose mantissa is full, so that no product of it is a multiple of 2^-23 by accident.
const FADER: f32 = 0.813_571_93;
const STEP: f32 = 1.0 / 8_388_608.0;
/// Samples converted at a time: the scaled copy stays in the first-level cache.
const GROUP: usize = 1024;

/// Replaces `out` by `samples` at `gain / 32768`.
pub(super) fn encode(
    samples: &[i32],
    format: SampleFormat,
    precision: Precision,
    gain: u16,
    out: &mut Vec<u8>,
) {
    out.clear();
    out.resize(samples.len() * usize::from(format.bytes()), 0);
    if gain == 0x8000 {
        pack(samples, format, precision, out);
        return;
    }
    let mut scaled = [0; GROUP];
    let room = out.chunks_mut(GROUP * usize::from(format.bytes()));
    for (samples, out) in samples.chunks(GROUP).zip(room) {
        for (scaled, sample) in scaled.iter_mut().zip(samples) {
            *scaled = scale(*sample, gain);
        }
        pack(scaled.get(..samples.len()).unwrap_or_default(), format, precision, out);
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the gain is at most 1")]
fn scale(sample: i32, gain: u16) -> i32 {
    ((i64::from(sample) * i64::from(gain)) >> 15) as i32
}

#[expect(clippy::cast_precision_loss, reason = "24 bits fit the mantissa")]
fn pack(samples: &[i32], format: SampleFormat, precision: Precision, out: &mut [u8]) {
    match format {
        SampleFormat::Pcm16 => {
            for (out, sample) in out.chunks_exact_mut(2).zip(samples) {
                out.copy_from_slice(&(sample >> 8).to_le_bytes()[..2]);
            }
        }
        SampleFormat::Pcm24 => pack_24(samples, out),
        SampleFormat::Float32 => {
            let level = if precision == Precision::Full { FADER * STEP } else { STEP };
            for (out, sample) in out.chunks_exact_mut(4).zip(samples) {
                out.copy_from_slice(&(*sample as f32 * level).to_le_bytes());
            }
        }
    }
}

/// Four samples are three words; stores of three single bytes take twice the time.
#[expect(clippy::cast_sign_loss, reason = "two's complement is the format")]
fn pack_24(samples: &[i32], out: &mut [u8]) {
    let (quads, rest) = samples.as_chunks::<4>();
    let (words, tail) = out.as_chunks_mut::<12>();
    for (out, [a, b, c, d]) in words.iter_mut().zip(quads) {
        let [a, b, c, d] = [*a as u32 & 0xFF_FFFF, *b as u32 & 0xFF_FFFF, *c as u32 & 0xFF_FFFF, *d as u32];
        let low = u64::from(a) | u64::from(b) << 24 | u64::from(c) << 48;
        let high = c >> 16 | d << 8;
        let (front, back) = out.split_at_mut(8);
        front.copy_from_slice(&low.to_le_bytes());
        back.copy_from_slice(&high.to_le_bytes());
    }
    for (out, sample) in tail.chunks_exact_mut(3).zip(rest) {
        out.copy_from_slice(&sample.to_le_bytes()[..3]);
    }
}
