//! Samples as bytes and as numbers.

use stem_audio::{Encoding, SampleFormat, pcm};

use crate::common::{Random, float_format, integer_formats};

/// The number in one sample, by the definition of each format.
fn by_definition(bytes: &[u8], format: &SampleFormat) -> i32 {
    let mut order: Vec<u8> = bytes.to_vec();
    if !format.big_endian() {
        order.reverse();
    }
    let unsigned = order.iter().fold(0_i64, |number, &byte| number << 8 | i64::from(byte));
    let half = 1_i64 << (8 * bytes.len() - 1);
    let number = match format.encoding() {
        Encoding::Unsigned if bytes.len() == 1 => unsigned - half,
        _ if unsigned >= half => unsigned - 2 * half,
        _ => unsigned,
    };
    i32::try_from(number).unwrap()
}

#[test]
fn every_byte_survives_in_every_format() {
    let mut random = Random(9);
    for channels in (1..=9).chain([64]) {
        for format in integer_formats(channels).into_iter().chain([float_format(channels)]) {
            for frames in [0, 1, 2, 127, 128, 129, 300] {
                let raw = random.bytes(frames * format.frame_len());
                let mut planes = vec![vec![1; 5]; 3];
                pcm::unpack(&raw, &format, &mut planes);
                assert_eq!(planes.len(), format.channels());
                for (channel, plane) in planes.iter().enumerate() {
                    let expected: Vec<i32> = raw
                        .chunks_exact(format.container())
                        .skip(channel)
                        .step_by(format.channels())
                        .map(|bytes| by_definition(bytes, &format))
                        .collect();
                    assert_eq!(plane, &expected, "{format:?}");
                }
                let mut back = vec![0xAA];
                pcm::pack(&planes, &format, &mut back);
                assert_eq!(back[1..], raw);
            }
        }
    }
}

#[test]
fn what_is_no_whole_frame_is_left_out() {
    let format = SampleFormat::new(Encoding::Signed, 24, 3, 2, false, 1).unwrap();
    let mut planes = Vec::new();
    pcm::unpack(&[0; 17], &format, &mut planes);
    assert_eq!(planes, [[0; 2], [0; 2]]);
    let mut out = Vec::new();
    pcm::pack(&[vec![1, 2, 3], vec![4]], &format, &mut out);
    assert_eq!(out, [1, 0, 0, 4, 0, 0]);
    pcm::pack(&[vec![1]], &format, &mut out);
    assert_eq!(out.len(), 6, "planes for another number of channels");
}

#[test]
fn formats_that_no_codec_maps_do_not_exist() {
    let new = |encoding, bits, container, channels| {
        SampleFormat::new(encoding, bits, container, channels, false, 0)
    };
    assert!(new(Encoding::Signed, 0, 2, 1).is_none());
    assert!(new(Encoding::Signed, 17, 2, 1).is_none());
    assert!(new(Encoding::Signed, 40, 5, 1).is_none());
    assert!(new(Encoding::Signed, 255, 255, 1).is_none());
    assert!(new(Encoding::Signed, 8, 0, 1).is_none());
    assert!(new(Encoding::Float, 24, 4, 1).is_none());
    assert!(new(Encoding::Float, 64, 8, 1).is_none());
    assert!(new(Encoding::Signed, 16, 2, 0).is_none());
    assert!(new(Encoding::Signed, 16, 2, 65).is_none());
    assert!(new(Encoding::Signed, 1, 4, 64).is_some());
}
