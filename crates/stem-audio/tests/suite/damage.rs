//! Payloads that a disk or somebody else changed: an error or other bytes, and never anything worse.

use proptest::collection::vec;
use proptest::prelude::*;
use stem_audio::{CodecLevel, DecodeError, SampleCodec, Scratch, codec};

use crate::golden::cases;

/// Decodes bytes of which nothing is known.
fn decode(
    chosen: SampleCodec,
    payload: &[u8],
    raw_len: usize,
    scratch: &mut Scratch,
) -> Result<Vec<u8>, DecodeError> {
    let mut out = b"before".to_vec();
    let result = codec::decode(chosen, payload, raw_len, scratch, &mut out);
    let decoded = out.split_off(6);
    assert_eq!(out, b"before");
    assert_eq!(decoded.len(), if result.is_ok() { raw_len } else { 0 });
    assert!(decoded.capacity() < 4 * raw_len + 64, "bounded by the length asked for");
    result.map(|()| decoded)
}

#[test]
fn flipped_bits_are_no_panic() {
    let mut scratch = Scratch::new();
    for case in cases() {
        let (chosen, payload) = case.encoded();
        // All of the beginning, where the structure is, and a part of the rest.
        let positions = (0..payload.len().min(200)).chain((200..payload.len()).step_by(97));
        for at in positions {
            for bit in 0..8 {
                let mut damaged = payload.clone();
                damaged[at] ^= 1 << bit;
                let _ = decode(chosen, &damaged, case.raw.len(), &mut scratch);
            }
        }
    }
}

#[test]
fn payloads_cut_off_anywhere_are_errors() {
    let mut scratch = Scratch::new();
    for case in cases() {
        let (chosen, payload) = case.encoded();
        for end in (0..payload.len().min(300)).chain((300..payload.len()).step_by(61)) {
            assert!(
                decode(chosen, &payload[..end], case.raw.len(), &mut scratch).is_err(),
                "{} to {end}",
                case.name
            );
        }
        let longer = [&payload[..], &[0]].concat();
        assert!(decode(chosen, &longer, case.raw.len(), &mut scratch).is_err(), "{}", case.name);
    }
}

#[test]
fn another_length_or_codec_is_an_error() {
    let mut scratch = Scratch::new();
    for case in cases() {
        let (chosen, payload) = case.encoded();
        let raw_len = case.raw.len();
        let frame = case.format.frame_len();
        for wrong in [0, 1, raw_len - frame, raw_len + frame, 2 * raw_len] {
            assert!(decode(chosen, &payload, wrong, &mut scratch).is_err(), "{}: {wrong}", case.name);
        }
        assert_eq!(
            codec::decode(chosen, &payload, usize::MAX / frame * frame, &mut scratch, &mut Vec::new()),
            Err(DecodeError::Length { raw_len: usize::MAX / frame * frame })
        );
        for other in SampleCodec::ALL {
            assert_eq!(decode(other, &payload, raw_len, &mut scratch).is_ok(), other == chosen);
        }
        let mut newer = payload;
        newer[0] = 2;
        assert_eq!(decode(chosen, &newer, raw_len, &mut scratch), Err(DecodeError::Version { found: 2 }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_payload_is_an_error_or_a_chunk(
        header in vec(0..9_u8, 0..40),
        rest in vec(any::<u8>(), 0..400),
        raw_len in 0..5000_usize,
        known in any::<bool>(),
    ) {
        let mut payload = [header, rest].concat();
        for chosen in SampleCodec::ALL {
            if known && payload.len() > 8 {
                payload[..8].copy_from_slice(&[1, chosen.id(), if chosen.id() == 1 { 1 } else { 2 }, 4, 32, 2, 0, 0]);
            }
            let _ = decode(chosen, &payload, raw_len, &mut Scratch::new());
        }
    }

    #[test]
    fn a_damaged_payload_is_an_error_or_a_chunk(
        index in any::<prop::sample::Index>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        raw_len in prop::option::of(0..100_000_usize),
    ) {
        let cases = cases();
        let case = &cases[index.index(cases.len())];
        let (chosen, mut payload) = case.encoded();
        for (at, byte) in damage {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let _ = decode(chosen, &payload, raw_len.unwrap_or(case.raw.len()), &mut Scratch::new());
    }
}

#[test]
fn encoding_takes_any_level_and_bytes() {
    let mut scratch = Scratch::new();
    for case in cases() {
        for level in [CodecLevel::Fast, CodecLevel::High] {
            let mut payload = Vec::new();
            let chosen = codec::encode(&case.raw, &case.format, level, &mut scratch, &mut payload);
            assert!(chosen.is_some_and(|chosen| codec::decodes_to(
                chosen,
                &payload,
                &case.raw,
                &mut scratch
            )));
        }
    }
}
