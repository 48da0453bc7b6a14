//! What goes in comes out, and never takes much more room.

use proptest::prelude::*;
use stem_audio::flac::{BLOCK, Decoder, EncodeError, Encoder, FRAME_OVERHEAD, Format, Level};

use crate::signals::{self, KINDS, Kind, LENGTHS, Stereo};

const LEVELS: [Level; 3] = [Level::Fast, Level::Default, Level::High];

/// Encodes, checks the size against the bound, decodes and compares.
fn round_trip(level: Level, format: &Format, planes: &[Vec<i32>], what: &str) -> Vec<u8> {
    let slices: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
    let mut bytes = b"before".to_vec();
    Encoder::new(level).encode(format, &slices, &mut bytes).unwrap();
    assert_eq!(bytes.drain(..6).as_slice(), b"before");
    let frames = planes[0].len();
    let bound: usize = planes[0]
        .chunks(BLOCK)
        .map(|block| (block.len() * planes.len() * format.bits as usize).div_ceil(8) + FRAME_OVERHEAD)
        .sum();
    assert!(bytes.len() <= bound, "{what}, {level:?}: {} bytes, at most {bound} are right", bytes.len());
    let mut decoded = vec![Vec::new(); planes.len()];
    Decoder::new()
        .decode(&bytes, format, frames, &mut decoded)
        .unwrap_or_else(|error| panic!("{what}, {level:?}: {error}"));
    assert!(decoded == planes, "{what}, {level:?}: other samples");
    bytes
}

#[test]
fn adversarial_signals() {
    let count = signals::each(|what, bits, planes| {
        for level in LEVELS {
            round_trip(level, &signals::format(bits, planes), planes, what);
        }
    });
    assert!(count >= 1500, "{count} signals");
}

#[test]
fn every_length_with_every_kind() {
    for len in LENGTHS.into_iter().chain(18..60) {
        for (k, kind) in KINDS.into_iter().enumerate() {
            let bits = [8, 16, 24, 32][(len + k) % 4];
            let planes = signals::planes(kind, Stereo::Near, bits, len, 7);
            round_trip(Level::Default, &signals::format(bits, &planes), &planes, &format!("{kind:?}, {len}"));
        }
    }
}

#[test]
fn incompressible_blocks_grow_by_less_than_a_thousandth() {
    for (bits, channels) in [(16, 2), (24, 1), (24, 2), (32, 1), (32, 2)] {
        let planes: Vec<_> =
            (0..channels).map(|c| signals::plane(Kind::Noise, bits, 40 * BLOCK, c)).collect();
        let raw = 40 * BLOCK * planes.len() * bits as usize / 8;
        for level in LEVELS {
            let coded = round_trip(level, &signals::format(bits, &planes), &planes, "noise").len();
            assert!(coded * 1000 <= raw * 1001, "{bits} bits, {channels} channels: {coded} of {raw}");
        }
    }
}

#[test]
fn plain_signals_take_next_to_nothing() {
    for (kind, most) in [(Kind::Silence, 12), (Kind::Constant, 15), (Kind::Least, 15), (Kind::Ramp, 640)] {
        let planes = signals::planes(kind, Stereo::Mono, 24, BLOCK, 1);
        for level in LEVELS {
            let coded = round_trip(level, &signals::format(24, &planes), &planes, "plain").len();
            assert!(coded <= most, "{kind:?}, {level:?}: {coded} bytes");
        }
    }
    let planes = signals::planes(Kind::Sine, Stereo::Same, 24, BLOCK, 1);
    let mono = round_trip(Level::Default, &signals::format(24, &planes[..1]), &planes[..1], "sine").len();
    let stereo = round_trip(Level::Default, &signals::format(24, &planes), &planes, "sine").len();
    assert!(stereo <= mono + 8, "the same channel twice: {stereo} bytes, once: {mono}");
}

#[test]
fn wasted_bits_are_not_stored() {
    let fine = signals::planes(Kind::Walk, Stereo::Near, 16, 3 * BLOCK, 5);
    let coarse: Vec<Vec<i32>> =
        fine.iter().map(|plane| plane.iter().map(|sample| sample << 8).collect()).collect();
    for level in LEVELS {
        let of_16 = round_trip(level, &signals::format(16, &fine), &fine, "16 bits").len();
        let of_24 = round_trip(level, &signals::format(24, &coarse), &coarse, "16 bits in 24").len();
        assert!(of_24 <= of_16 + 3 * 8, "{of_24} and {of_16} bytes");
    }
}

#[test]
fn an_encoder_keeps_nothing() {
    let mut used = Encoder::new(Level::Default);
    for seed in 0..40 {
        let kind = KINDS[seed as usize % KINDS.len()];
        let len = LENGTHS[seed as usize % LENGTHS.len()] + 900;
        let planes = signals::planes(kind, Stereo::Near, 8 + seed % 17, len, seed.into());
        let format = signals::format(8 + seed % 17, &planes);
        let slices: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        used.encode(&format, &slices, &mut one).unwrap();
        Encoder::new(Level::Default).encode(&format, &slices, &mut other).unwrap();
        assert!(one == other, "signal {seed}");
    }
}

#[test]
fn no_samples_take_no_bytes() {
    let format = Format { channels: 2, bits: 16, rate: 44_100 };
    assert_eq!(round_trip(Level::Default, &format, &[vec![], vec![]], "nothing"), []);
}

#[test]
fn what_is_no_signal_is_refused() {
    let stereo = Format { channels: 2, bits: 16, rate: 44_100 };
    let mut out = b"kept".to_vec();
    let mut encode = |format: &Format, planes: &[&[i32]]| {
        let result = Encoder::new(Level::Fast).encode(format, planes, &mut out);
        assert_eq!(out, b"kept");
        result.unwrap_err()
    };
    for (channels, bits) in [(0, 16), (3, 16), (1, 3), (1, 33), (1, 0), (u32::MAX, u32::MAX)] {
        let error = encode(&Format { channels, bits, rate: 1 }, &[&[0]]);
        assert_eq!(error, EncodeError::Format { channels, bits });
    }
    assert_eq!(encode(&stereo, &[&[1]]), EncodeError::Planes { planes: 1, channels: 2 });
    assert_eq!(encode(&stereo, &[]), EncodeError::Planes { planes: 0, channels: 2 });
    assert_eq!(encode(&stereo, &[&[1], &[]]), EncodeError::Lengths { first: 1, second: 0 });
    let mut late = vec![0; 3 * BLOCK];
    late[2 * BLOCK + 7] = 1 << 15;
    let zeros = vec![0; late.len()];
    let range = |channel| EncodeError::Range { channel, block: 2 * BLOCK, bits: 16 };
    assert_eq!(encode(&stereo, &[&zeros, &late]), range(1));
    late[2 * BLOCK + 7] = -(1 << 15) - 1;
    assert_eq!(encode(&stereo, &[&late, &zeros]), range(0));
    assert_eq!(
        range(0).to_string(),
        "a sample of channel 0 in the block from sample 8192 does not fit 16 bits"
    );
}

proptest! {
    #[test]
    fn any_samples(
        level in prop::sample::select(LEVELS.to_vec()),
        bits in 4_u32..=32,
        shift in 0_u32..32,
        gains in prop::collection::vec((0_u32..32, any::<u64>(), 1_usize..3000), 1..5),
        stereo: bool,
    ) {
        // Stretches of noise of different loudness, on a common grid.
        let mut planes = vec![Vec::new(); if stereo { 2 } else { 1 }];
        for (loudness, seed, len) in gains {
            let mut random = signals::Random::new(seed);
            let width = (bits - loudness % bits).max(1);
            for _ in 0..len {
                for plane in &mut planes {
                    let shift = shift % bits;
                    plane.push(random.signed(width) >> shift << shift);
                }
            }
        }
        round_trip(level, &signals::format(bits, &planes), &planes, "any");
    }
}
