//! WAV files that need no generator of stems: a few notes and some noise.

use stem_testkit::source::noise;

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    Int16,
    Int24,
    /// Floats that hold exact 24-bit integers.
    Exact,
    /// Floats that hold anything.
    Mixed,
}

/// A stereo file of so many frames, different for every seed.
pub(crate) fn wav(seed: u64, frames: usize, samples: Samples) -> Vec<u8> {
    let data = sound(seed, frames, samples);
    let (tag, bytes) = match samples {
        Samples::Int16 => (1u16, 2u16),
        Samples::Int24 => (1, 3),
        Samples::Exact | Samples::Mixed => (3, 4),
    };
    let mut wav = b"RIFF".to_vec();
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    wav.extend_from_slice(&(36 + len).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16u32.to_le_bytes());
    wav.extend_from_slice(&tag.to_le_bytes());
    wav.extend_from_slice(&2u16.to_le_bytes());
    wav.extend_from_slice(&48_000u32.to_le_bytes());
    wav.extend_from_slice(&(48_000 * u32::from(bytes) * 2).to_le_bytes());
    wav.extend_from_slice(&(bytes * 2).to_le_bytes());
    wav.extend_from_slice(&(bytes * 8).to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&len.to_le_bytes());
    wav.extend_from_slice(&data);
    wav
}

/// The samples alone.
pub(crate) fn sound(seed: u64, frames: usize, samples: Samples) -> Vec<u8> {
    let hiss = noise(seed, frames * 4);
    let mut data = Vec::new();
    let (mut low, mut high) = (0i64, 0i64);
    for (at, hiss) in hiss.chunks_exact(4).enumerate() {
        // Two triangles, the second one an octave and a bit higher, and a little noise on top.
        let at = i64::try_from(at).unwrap_or(0);
        let triangle = |period: i64| ((at % period) * 2 - period).abs() - period / 2;
        low = (low * 7 + triangle(600 + i64::try_from(seed % 97).unwrap_or(0)) * 3000) / 8;
        high = (high * 3 + triangle(251) * 2500) / 4;
        let grain = i64::from(hiss[0]) - 128;
        for value in [low + high + grain * 16, low - high + grain * 9] {
            let value = i32::try_from(value.clamp(-8_388_608, 8_388_607)).unwrap_or(0);
            match samples {
                Samples::Int16 => data.extend_from_slice(&(value >> 8).to_le_bytes()[..2]),
                Samples::Int24 => data.extend_from_slice(&value.to_le_bytes()[..3]),
                Samples::Exact => data.extend_from_slice(&float(value, 0).to_le_bytes()),
                Samples::Mixed => data.extend_from_slice(&float(value, i32::from(hiss[1])).to_le_bytes()),
            }
        }
    }
    data
}

/// A 24-bit integer as a float, with something below it.
fn float(value: i32, below: i32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit, and what is below them may be anything")]
    let value = value as f32 / 8_388_608.0 + below as f32 / 3.0e9;
    value
}
