//! Signals that coders stumble over.

use stem_audio::flac::Format;

/// Lengths around what a coder treats apart: blocks, partitions, vectors, warm-ups.
pub(crate) const LENGTHS: [usize; 24] =
    [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 31, 63, 64, 65, 191, 192, 4095, 4096, 4097, 4608, 8200];

/// What a signal is like.
pub(crate) const KINDS: [Kind; 16] = [
    Kind::Silence,
    Kind::Constant,
    Kind::Least,
    Kind::Square,
    Kind::Alternating,
    Kind::Noise,
    Kind::QuietNoise,
    Kind::Ramp,
    Kind::Sawtooth,
    Kind::Sine,
    Kind::LoudSine,
    Kind::Wasted,
    Kind::Impulses,
    Kind::Burst,
    Kind::Fade,
    Kind::Walk,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Silence,
    Constant,
    Least,
    Square,
    Alternating,
    Noise,
    QuietNoise,
    Ramp,
    Sawtooth,
    Sine,
    LoudSine,
    Wasted,
    Impulses,
    Burst,
    Fade,
    Walk,
}

/// How the second channel comes from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stereo {
    Mono,
    Same,
    Opposite,
    Other(Kind),
    Near,
}

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number of `bits` bits, sign included.
    pub(crate) fn signed(&mut self, bits: u32) -> i32 {
        (self.next().cast_signed() >> (64 - bits)) as i32
    }
}

pub(crate) fn plane(kind: Kind, bits: u32, len: usize, seed: u64) -> Vec<i32> {
    let mut random = Random::new(seed);
    let max = i32::MAX >> (32 - bits);
    let min = i32::MIN >> (32 - bits);
    let scale = f64::from(max);
    let mut walk = 0_i64;
    (0..len)
        .map(|i| match kind {
            Kind::Silence => 0,
            Kind::Constant => max / 3 - 1,
            Kind::Least => min,
            Kind::Square => {
                if i / 50 % 2 == 0 {
                    max
                } else {
                    min
                }
            }
            Kind::Alternating => {
                if i % 2 == 0 {
                    min
                } else {
                    max
                }
            }
            Kind::Noise => random.signed(bits),
            Kind::QuietNoise => random.signed(bits.min(4)),
            Kind::Ramp => (i64::from(min) + i as i64 % (1 << bits)) as i32,
            Kind::Sawtooth => ((i as i64 * i64::from(max / 77 + 1)) % i64::from(max)) as i32,
            Kind::Sine => (scale * 0.3 * (i as f64 * 0.031).sin()) as i32,
            Kind::LoudSine => (scale * (i as f64 * 0.7).sin()).round() as i32,
            Kind::Wasted => random.signed(bits - 3) << 3,
            Kind::Impulses => {
                if i % 777 == 5 {
                    max
                } else {
                    0
                }
            }
            Kind::Burst => {
                let loud = i % 1500 < 300;
                random.signed(if loud { bits } else { 3 })
            }
            Kind::Fade => {
                let level = (bits as usize).saturating_sub(i / 300) as u32;
                if level < 2 { 0 } else { random.signed(level) }
            }
            Kind::Walk => {
                walk = (walk + i64::from(random.signed(bits.saturating_sub(6).max(2))))
                    .clamp(min.into(), max.into());
                walk as i32
            }
        })
        .collect()
}

/// A signal of that description.
pub(crate) fn planes(kind: Kind, stereo: Stereo, bits: u32, len: usize, seed: u64) -> Vec<Vec<i32>> {
    let left = plane(kind, bits, len, seed);
    let (min, max) = (i32::MIN >> (32 - bits), i32::MAX >> (32 - bits));
    let right = match stereo {
        Stereo::Mono => return vec![left],
        Stereo::Same => left.clone(),
        Stereo::Opposite => {
            left.iter().map(|sample| (-i64::from(*sample)).min(i64::from(max)) as i32).collect()
        }
        Stereo::Other(kind) => plane(kind, bits, len, seed + 1),
        Stereo::Near => {
            let mut random = Random::new(seed + 2);
            left.iter()
                .map(|sample| (sample - (sample >> 3)).saturating_add(random.signed(2)).clamp(min, max))
                .collect()
        }
    };
    vec![left, right]
}

pub(crate) fn format(bits: u32, planes: &[Vec<i32>]) -> Format {
    // A rate that has a code, and ones that have none.
    let rate = [48_000, 44_100, 96_000, 11_025, 655_350, 96_001][bits as usize % 6];
    Format { channels: planes.len() as u32, bits, rate }
}

/// Every combination that is worth its time: `visit` gets a description, the bits and the samples.
pub(crate) fn each(mut visit: impl FnMut(&str, u32, &[Vec<i32>])) -> usize {
    let mut count = 0_usize;
    for bits in 4..=32 {
        for (k, kind) in KINDS.into_iter().enumerate() {
            let modes = [
                Stereo::Mono,
                Stereo::Same,
                Stereo::Near,
                Stereo::Opposite,
                Stereo::Other(KINDS[(k + 3 + bits as usize) % KINDS.len()]),
            ];
            for (m, stereo) in modes.into_iter().enumerate() {
                // Each with one length, so that the lengths get around.
                let len = LENGTHS[(count * 5 + m) % LENGTHS.len()];
                let planes = planes(kind, stereo, bits, len, count as u64);
                visit(&format!("{kind:?}, {stereo:?}, {bits} bits, {len} samples"), bits, &planes);
                count += 1;
            }
        }
    }
    count
}
