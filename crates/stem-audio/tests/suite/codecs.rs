//! Chunks of integers: every format comes back, and small where it can be.

use stem_audio::{CodecLevel, Encoding, SampleCodec, SampleFormat, Scratch, codec, pcm};

use crate::common::{Random, integer_formats, tone};

/// Encodes, decodes, compares; the codec and the size of the payload.
pub(crate) fn round_trip(
    raw: &[u8],
    format: &SampleFormat,
    scratch: &mut Scratch,
) -> Option<(SampleCodec, usize)> {
    let mut payload = b"before".to_vec();
    let Some(chosen) = codec::encode(raw, format, CodecLevel::Default, scratch, &mut payload) else {
        assert_eq!(payload, b"before", "nothing is left behind");
        return None;
    };
    let payload = payload.strip_prefix(b"before").expect("only appended to");
    assert!(payload.len() < raw.len());
    let mut back = b"before".to_vec();
    codec::decode(chosen, payload, raw.len(), scratch, &mut back).unwrap();
    assert!(back.strip_prefix(b"before").expect("only appended to") == raw);
    assert!(codec::decodes_to(chosen, payload, raw, scratch));
    let mut other = raw.to_vec();
    other[0] ^= 1;
    assert!(!codec::decodes_to(chosen, payload, &other, scratch));
    // What a scratch has seen before changes nothing.
    let mut again = Vec::new();
    assert_eq!(
        codec::encode(raw, format, CodecLevel::Default, &mut Scratch::new(), &mut again),
        Some(chosen)
    );
    assert!(again == payload);
    Some((chosen, payload.len()))
}

fn packed(planes: &[Vec<i32>], format: &SampleFormat) -> Vec<u8> {
    let mut raw = Vec::new();
    pcm::pack(planes, format, &mut raw);
    raw
}

#[test]
fn every_format_and_number_of_channels() {
    let mut scratch = Scratch::new();
    for channels in (1..=9).chain([64]) {
        for format in integer_formats(channels) {
            let bits = u32::try_from(8 * format.container()).unwrap();
            for frames in [1, 17, 4096, 5000] {
                if channels == 64 && frames > 17 {
                    continue;
                }
                let signal = packed(&tone(frames, format.channels(), bits, 3), &format);
                let coded = round_trip(&signal, &format, &mut scratch);
                if frames > 4000 && format.container() > 1 {
                    let (_, size) = coded.expect("a tone gets smaller");
                    assert!(size < signal.len() * 7 / 8, "{format:?}: {size} of {}", signal.len());
                }
                let noise = Random(4).bytes(signal.len());
                assert_eq!(round_trip(&noise, &format, &mut scratch), None, "noise does not get smaller");
                if frames > 17 {
                    let silence = vec![0; signal.len()];
                    let (_, size) =
                        round_trip(&silence, &format, &mut scratch).expect("silence gets smaller");
                    assert!(size < 200 + 10 * usize::from(channels));
                }
            }
        }
    }
}

#[test]
fn bits_that_are_not_used_cost_nothing() {
    let mut scratch = Scratch::new();
    let narrow = SampleFormat::new(Encoding::Signed, 24, 3, 2, false, 48_000).unwrap();
    let planes = tone(20_000, 2, 24, 1);
    let (_, size) = round_trip(&packed(&planes, &narrow), &narrow, &mut scratch).unwrap();
    let wide = SampleFormat::new(Encoding::Signed, 24, 4, 2, false, 48_000).unwrap();
    let high: Vec<Vec<i32>> =
        planes.iter().map(|plane| plane.iter().map(|value| value << 8).collect()).collect();
    for (name, planes) in [("at the top", &high), ("at the bottom", &planes)] {
        let (_, same) = round_trip(&packed(planes, &wide), &wide, &mut scratch).unwrap();
        assert!(same.abs_diff(size) <= 64, "24 bits {name} of 32: {same}, in 24: {size}");
    }
    // One sample with padding set: larger, and still the same bytes.
    let mut padded = high;
    padded[1][7] |= 0x55;
    let (chosen, _) = round_trip(&packed(&padded, &wide), &wide, &mut scratch).unwrap();
    assert_eq!(chosen, SampleCodec::Integers);
}

#[test]
fn extreme_samples_come_back() {
    let mut scratch = Scratch::new();
    for container in 1..=4_u8 {
        let format = SampleFormat::new(Encoding::Signed, 8 * container, container, 2, true, 0).unwrap();
        let top = i32::MAX >> (32 - 8 * u32::from(container));
        for pattern in [[top, !top], [!top, top], [!top, !top], [top, top], [0, !top]] {
            let steady = vec![vec![pattern[0]; 5000], vec![pattern[1]; 5000]];
            assert!(round_trip(&packed(&steady, &format), &format, &mut scratch).is_some());
            let square: Vec<i32> = (0..5000).map(|i| pattern[i % 2]).collect();
            round_trip(&packed(&[square.clone(), square], &format), &format, &mut scratch);
            let mut random = Random(8);
            let flips = (0..5000).map(|_| pattern[random.below(2)]).collect();
            let flips: [Vec<i32>; 2] = [flips, vec![top; 5000]];
            round_trip(&packed(&flips, &format), &format, &mut scratch);
        }
    }
}

#[test]
fn what_is_no_chunk_of_samples_is_refused() {
    let mut scratch = Scratch::new();
    let format = SampleFormat::new(Encoding::Signed, 16, 2, 2, false, 1).unwrap();
    for length in [0, 1, 3, 4001] {
        assert_eq!(round_trip(&vec![0; length], &format, &mut scratch), None);
    }
}

#[test]
fn levels_cost_what_they_say() {
    let mut scratch = Scratch::new();
    let format = SampleFormat::new(Encoding::Signed, 24, 3, 2, false, 48_000).unwrap();
    let raw = packed(&tone(50_000, 2, 24, 5), &format);
    let mut sizes = Vec::new();
    for level in [CodecLevel::Fast, CodecLevel::Default, CodecLevel::High, CodecLevel::Fast] {
        let mut payload = Vec::new();
        let chosen = codec::encode(&raw, &format, level, &mut scratch, &mut payload).unwrap();
        assert!(codec::decodes_to(chosen, &payload, &raw, &mut scratch));
        sizes.push(payload.len());
    }
    assert!(sizes[0] >= sizes[1] && sizes[1] >= sizes[2] && sizes[3] == sizes[0], "{sizes:?}");
}

#[test]
fn numbers_of_codecs_are_theirs_alone() {
    for codec in SampleCodec::ALL {
        assert_eq!(SampleCodec::from_id(codec.id()), Some(codec));
    }
    assert_eq!(SampleCodec::ALL.map(SampleCodec::id), [1, 2, 3]);
    assert_eq!([0, 4, 255].map(SampleCodec::from_id), [None; 3]);
}
