//! Bytes and signals that are the same on every machine, and containers put together by hand.

use stem_audio::{Encoding, SampleFormat};

/// `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.next() % end).unwrap()
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(length).collect()
    }

    /// A number in -2^(bits-1)..2^(bits-1).
    pub(crate) fn signed(&mut self, bits: u32) -> i32 {
        i32::try_from(self.next().cast_signed() >> (64 - bits)).unwrap()
    }
}

/// Every format of integers, with `channels` channels.
pub(crate) fn integer_formats(channels: u8) -> Vec<SampleFormat> {
    let mut formats = Vec::new();
    for container in 1..=4 {
        for big_endian in [false, true] {
            for (encoding, bits) in [
                (Encoding::Signed, 8 * container),
                (Encoding::Signed, 8 * container - 3),
                (Encoding::Unsigned, 8 * container),
            ] {
                formats.extend(SampleFormat::new(encoding, bits, container, channels, big_endian, 48_000));
            }
        }
    }
    formats
}

/// Floats with `channels` channels.
pub(crate) fn float_format(channels: u8) -> SampleFormat {
    SampleFormat::new(Encoding::Float, 32, 4, channels, false, 48_000).unwrap()
}

/// A decaying, slightly noisy tone of `bits` bits that begins with silence: what a codec can do something with.
pub(crate) fn tone(frames: usize, channels: usize, bits: u32, seed: u64) -> Vec<Vec<i32>> {
    let mut random = Random(seed);
    (0..channels)
        .map(|channel| {
            // A resonator in integers: x[n] = c x[n-1] - x[n-2], scaled to half of the range.
            let peak = i64::from(i32::MAX) >> (32 - bits) >> 1;
            let (mut before, mut now) = (0, peak >> 4);
            let turn = 1_980 - 7 * i64::try_from(channel).unwrap();
            (0..frames)
                .map(|frame| {
                    if frame < frames / 8 {
                        return 0;
                    }
                    let next = (turn * now / 1_000 - before).clamp(-peak, peak);
                    (before, now) = (now, next);
                    let noise = if bits > 8 { random.signed(bits - 8) } else { 0 };
                    i32::try_from(next).unwrap() + noise
                })
                .collect()
        })
        .collect()
}

/// The bytes of floats.
pub(crate) fn float_bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// A chunk of a RIFF file, padded.
pub(crate) fn riff_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap().to_le_bytes();
    let padding: &[u8] = if body.len() % 2 == 1 { &[0] } else { &[] };
    [name, &size[..], body, padding].concat()
}

/// A chunk of an AIFF file, padded.
pub(crate) fn aiff_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    let padding: &[u8] = if body.len() % 2 == 1 { &[0] } else { &[] };
    [name, &size[..], body, padding].concat()
}

/// The fields of `fmt `.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fmt {
    pub(crate) tag: u16,
    pub(crate) channels: u16,
    pub(crate) rate: u32,
    pub(crate) block_align: u16,
    pub(crate) bits: u16,
    /// Valid bits and tag of an extensible format.
    pub(crate) extension: Option<(u16, u16)>,
}

impl Fmt {
    pub(crate) fn pcm(bits: u16, channels: u16) -> Self {
        let block_align = channels * bits.div_ceil(8);
        Self { tag: 1, channels, rate: 48_000, block_align, bits, extension: None }
    }

    pub(crate) fn float(channels: u16) -> Self {
        Self { tag: 3, ..Self::pcm(32, channels) }
    }

    pub(crate) fn extensible(self, valid: u16) -> Self {
        Self { tag: 0xFFFE, extension: Some((valid, self.tag)), ..self }
    }

    pub(crate) fn body(self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(self.tag.to_le_bytes());
        body.extend(self.channels.to_le_bytes());
        body.extend(self.rate.to_le_bytes());
        body.extend(self.rate.wrapping_mul(u32::from(self.block_align)).to_le_bytes());
        body.extend(self.block_align.to_le_bytes());
        body.extend(self.bits.to_le_bytes());
        if let Some((valid, tag)) = self.extension {
            body.extend(22_u16.to_le_bytes());
            body.extend(valid.to_le_bytes());
            body.extend(3_u32.to_le_bytes());
            body.extend(tag.to_le_bytes());
            body.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
        }
        body
    }
}

/// A plain WAV file.
pub(crate) fn wav(fmt: Fmt, samples: &[u8]) -> Vec<u8> {
    riff(b"RIFF", &[riff_chunk(b"fmt ", &fmt.body()), riff_chunk(b"data", samples)])
}

/// A RIFF file of the given chunks.
pub(crate) fn riff(kind: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let size = if kind == b"RIFF" { u32::try_from(body.len() + 4).unwrap() } else { u32::MAX };
    [&kind[..], &size.to_le_bytes(), b"WAVE", &body].concat()
}

/// An AIFF (or, with a compression type, AIFF-C) file.
pub(crate) fn aiff(
    channels: u16,
    bits: u16,
    compression: Option<&[u8; 4]>,
    offset: u32,
    samples: &[u8],
) -> Vec<u8> {
    let mut common = Vec::new();
    common.extend(channels.to_be_bytes());
    let frame = usize::from(channels) * usize::from(bits.div_ceil(8)).max(1);
    common.extend(u32::try_from(samples.len() / frame.max(1)).unwrap().to_be_bytes());
    common.extend(bits.to_be_bytes());
    // 44,100 as an 80-bit float.
    common.extend([0x40, 0x0E, 0xAC, 0x44, 0, 0, 0, 0, 0, 0]);
    if let Some(compression) = compression {
        common.extend(compression);
        common.extend([0, 0]);
    }
    let mut sound = [offset.to_be_bytes(), [0; 4]].concat();
    sound.extend(vec![0x55; usize::try_from(offset).unwrap()]);
    sound.extend(samples);
    let body = [aiff_chunk(b"COMM", &common), aiff_chunk(b"SSND", &sound)].concat();
    let kind = if compression.is_some() { b"AIFC" } else { b"AIFF" };
    [b"FORM", &u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], kind, &body].concat()
}
