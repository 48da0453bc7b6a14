//! Boundaries: the rule of docs/format/chunking.md, held by a second implementation of it and by vectors.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use stem_audio::{Audio, ChunkParams, Chunker, Encoding, Piece, PieceKind, SampleFormat, Sizes, cut_all};

use crate::common::{Random, tone};
use crate::structures::SMALL;

/// The table, made as the page says.
fn table() -> [u64; 256] {
    let mut state = 0x7374_656D_6765_6172_u64;
    std::array::from_fn(|_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    })
}

/// The rule, a byte at a time and without cleverness.
fn naive_cut(section: &[u8], sizes: Sizes, frame: usize) -> usize {
    let table = table();
    let e = section.len().min(sizes.max()) / frame * frame;
    if e <= sizes.min() {
        return e;
    }
    let bits = sizes.average().ilog2();
    for p in sizes.min() + 1..=e {
        let hash =
            section[p - 64..p].iter().fold(0_u64, |h, &b| (h << 1).wrapping_add(table[usize::from(b)]));
        let zeros = if p <= sizes.average() { bits + 1 } else { bits - 1 };
        if hash.leading_zeros() >= zeros {
            return p.next_multiple_of(frame).min(e);
        }
    }
    e
}

fn naive(object: &[u8], params: &ChunkParams, audio: Option<&Audio>) -> Vec<Piece> {
    let all = 0..object.len();
    let samples = audio.map_or(all.end..all.end, |audio| {
        usize::try_from(audio.samples.start).unwrap()..usize::try_from(audio.samples.end).unwrap()
    });
    let frame = audio.map_or(1, |audio| audio.format.frame_len());
    let mut pieces = Vec::new();
    for (range, kind, sizes, frame) in [
        (0..samples.start, PieceKind::Bytes, params.bytes, 1),
        (samples.clone(), PieceKind::Samples, params.samples, frame),
        (samples.end..all.end, PieceKind::Bytes, params.bytes, 1),
    ] {
        let mut section = &object[range];
        while !section.is_empty() {
            let len = naive_cut(section, sizes, frame);
            pieces.push(Piece { len, kind });
            section = &section[len..];
        }
    }
    pieces
}

/// Cuts an object that arrives in portions.
fn streamed(object: &[u8], params: &ChunkParams, audio: Option<&Audio>, random: &mut Random) -> Vec<Piece> {
    let mut chunker = Chunker::new(params, audio);
    let (mut at, mut shown, mut pieces) = (0, 0, Vec::new());
    loop {
        let last = shown == object.len();
        match chunker.next(&object[at..shown], last) {
            Some(piece) => {
                at += piece.len;
                pieces.push(piece);
                assert_eq!(chunker.position(), at as u64);
            }
            None if last => return pieces,
            None => {
                assert!(shown - at < chunker.max(), "enough was shown");
                shown += 1 + random.below(object.len() as u64 - shown as u64);
            }
        }
    }
}

fn format(container: u8, channels: u8) -> SampleFormat {
    SampleFormat::new(Encoding::Signed, 8 * container, container, channels, false, 48_000).unwrap()
}

/// An object of random bytes in which samples were found in the middle.
fn object(
    seed: u64,
    header: usize,
    samples: usize,
    trailer: usize,
    format: SampleFormat,
) -> (Vec<u8>, Audio) {
    let samples = samples / format.frame_len() * format.frame_len();
    let bytes = Random(seed).bytes(header + samples + trailer);
    (bytes, Audio { format, samples: header as u64..(header + samples) as u64 })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_rule_is_the_documented_one(
        seed in any::<u64>(),
        (header, samples, trailer) in (0..20_000_usize, 0..200_000_usize, 0..20_000_usize),
        (container, channels) in (1..=4_u8, prop_oneof![1..=9_u8, Just(64)]),
    ) {
        let (bytes, audio) = object(seed, header, samples, trailer, format(container, channels));
        for audio in [Some(&audio), None] {
            let expected = naive(&bytes, &SMALL, audio);
            prop_assert_eq!(&cut_all(&bytes, &SMALL, audio), &expected);
            prop_assert_eq!(&streamed(&bytes, &SMALL, audio, &mut Random(seed)), &expected);
        }
    }

    #[test]
    fn threads_find_the_sequential_boundaries(
        seed in any::<u64>(),
        (header, samples, trailer) in (0..900_000_usize, 0..3_000_000_usize, 0..2_000_000_usize),
        silence in vec((any::<prop::sample::Index>(), 0..1_000_000_usize), 0..3),
        (container, channels) in (1..=4_u8, prop_oneof![1..=9_u8, Just(64)]),
    ) {
        let (mut bytes, audio) = object(seed, header, samples, trailer, format(container, channels));
        for (at, length) in silence {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                let end = bytes.len().min(at + length);
                bytes[at..end].fill(0);
            }
        }
        for audio in [Some(&audio), None] {
            let expected = streamed(&bytes, &SMALL, audio, &mut Random(seed));
            prop_assert_eq!(&cut_all(&bytes, &SMALL, audio), &expected);
            let sum: usize = expected.iter().map(|piece| piece.len).sum();
            prop_assert_eq!(sum, bytes.len());
        }
    }

    /// Insert, delete and overwrite whole frames anywhere: only chunks near the edit are new.
    #[test]
    fn an_edit_changes_few_chunks(
        seed in any::<u64>(),
        at in any::<prop::sample::Index>(),
        removed in 0..3000_usize,
        inserted in 0..3000_usize,
        (container, channels) in (2..=4_u8, 1..=6_u8),
    ) {
        let format = format(container, channels);
        let frame = format.frame_len();
        let (before, audio) = object(seed, 44, 1_500_000, 100, format);
        let frames = (before.len() - 144) / frame;
        let at = 44 + at.index(frames) * frame;
        let end = (at + removed * frame).min(44 + frames * frame);
        let mut after = before.clone();
        let insert = Random(!seed).bytes(inserted * frame);
        after.splice(at..end, insert.iter().copied());
        let moved = Audio { format, samples: 44..(after.len() - 100) as u64 };
        let fresh = fresh_bytes(&before, Some(&audio), &after, Some(&moved));
        // The chunks that the edit lies in, and until the boundaries meet again.
        prop_assert!(fresh <= insert.len() + 16 * SMALL.samples.average(), "{} bytes are new", fresh);
    }

    #[test]
    fn a_longer_header_changes_no_samples(seed in any::<u64>(), grown in 0..10_000_usize) {
        let (before, audio) = object(seed, 44, 400_000, 0, format(3, 2));
        let after = [&Random(!seed).bytes(grown), &before[..]].concat();
        let start = 44 + grown as u64;
        let moved = Audio { samples: start..start + audio.samples.end - 44, ..audio };
        let fresh = fresh_bytes(&before, Some(&audio), &after, Some(&moved));
        prop_assert!(fresh <= grown + 44);
    }
}

/// The bytes of chunks of one object that another does not have.
fn fresh_bytes(before: &[u8], audio: Option<&Audio>, after: &[u8], moved: Option<&Audio>) -> usize {
    let known: HashSet<&[u8]> = chunks(before, &SMALL, audio).into_iter().collect();
    chunks(after, &SMALL, moved).into_iter().filter(|chunk| !known.contains(chunk)).map(<[u8]>::len).sum()
}

fn chunks<'a>(object: &'a [u8], params: &ChunkParams, audio: Option<&Audio>) -> Vec<&'a [u8]> {
    let mut rest = object;
    cut_all(object, params, audio)
        .into_iter()
        .map(|piece| {
            let (chunk, after) = rest.split_at(piece.len);
            rest = after;
            chunk
        })
        .collect()
}

#[test]
fn lengths_keep_their_limits_and_their_mean() {
    for (container, channels) in [(3, 2), (2, 1), (4, 64)] {
        let (bytes, audio) = object(5, 44, 60 << 20, 0, format(container, channels));
        let pieces = cut_all(&bytes, &ChunkParams::DEFAULT, Some(&audio));
        let frame = audio.format.frame_len();
        let sizes = ChunkParams::DEFAULT.samples;
        for piece in &pieces[1..pieces.len() - 1] {
            assert_eq!(piece.kind, PieceKind::Samples);
            assert!(piece.len % frame == 0 && piece.len > sizes.min() && piece.len <= sizes.max());
        }
        let mean = bytes.len() / (pieces.len() - 1);
        assert!((sizes.average()..sizes.average() * 3 / 2).contains(&mean), "mean {mean}");
    }
}

#[test]
fn silence_is_one_chunk_many_times() {
    let mut bytes = Random(1).bytes(6 * 50_000);
    bytes.extend(vec![0; 6 * 100_000]);
    bytes.extend(Random(2).bytes(6 * 50_000));
    for format in [format(3, 2), format(2, 3)] {
        let audio = Audio { format, samples: 0..bytes.len() as u64 };
        let silent: Vec<usize> = chunks(&bytes, &SMALL, Some(&audio))
            .into_iter()
            .filter(|chunk| chunk.iter().all(|&byte| byte == 0))
            .map(<[u8]>::len)
            .collect();
        assert!(silent.len() > 5);
        let first = silent[0];
        assert!(silent.iter().all(|&len| len == first), "{silent:?}");
    }
}

#[test]
fn a_stream_that_ends_within_a_frame_ends_as_bytes() {
    let audio = Audio { format: format(3, 2), samples: 44..u64::MAX };
    let bytes = Random(3).bytes(44 + 6 * 10 + 5);
    let pieces = cut_all(&bytes, &SMALL, Some(&audio));
    let expected = [(44, PieceKind::Bytes), (60, PieceKind::Samples), (5, PieceKind::Bytes)];
    assert_eq!(pieces, expected.map(|(len, kind)| Piece { len, kind }));
    assert_eq!(cut_all(&[], &SMALL, Some(&audio)), []);
    assert_eq!(cut_all(&[], &SMALL, None), []);
}

#[test]
fn averages_are_powers_of_two_in_their_range() {
    for (asked, given) in [(0, 4096), (5000, 4096), (1 << 20, 1 << 20), (usize::MAX, 64 << 20)] {
        let sizes = Sizes::around(asked);
        assert_eq!((sizes.min(), sizes.average(), sizes.max()), (given / 4, given, given * 4));
    }
}

/// Boundaries that released versions found. They never change.
#[test]
fn golden_boundaries() {
    let lengths = |bytes: &[u8], params: &ChunkParams, audio: Option<&Audio>| -> Vec<usize> {
        cut_all(bytes, params, audio).into_iter().map(|piece| piece.len).collect()
    };
    let noise = Random(42).bytes(2_000_000);
    assert_eq!(lengths(&noise, &ChunkParams::DEFAULT, None), GOLDEN_BYTES);
    assert_eq!(lengths(&noise[..120_000], &SMALL, None), GOLDEN_SMALL);
    let audio = Audio { format: format(3, 2), samples: 44..1_999_994 };
    assert_eq!(lengths(&noise, &ChunkParams::DEFAULT, Some(&audio)), GOLDEN_SAMPLES);
    let mut music = Vec::new();
    stem_audio::pcm::pack(&tone(60_000, 2, 24, 7), &audio.format, &mut music);
    let audio = Audio { format: audio.format, samples: 0..music.len() as u64 };
    assert_eq!(lengths(&music, &SMALL, Some(&audio)), GOLDEN_TONE);
}

const GOLDEN_BYTES: &[usize] =
    &[234_647, 153_110, 129_492, 274_702, 144_452, 235_728, 290_688, 185_542, 136_568, 137_659, 57173, 20239];
const GOLDEN_SMALL: &[usize] = &[
    1492, 8221, 1903, 1256, 5081, 5105, 4599, 4790, 4237, 5434, 2230, 3639, 2836, 4062, 4621, 5688, 5012,
    1730, 2563, 3728, 7580, 1477, 4261, 5819, 5970, 4076, 9049, 3541,
];
const GOLDEN_SAMPLES: &[usize] = &[44, 803_688, 981_198, 194_832, 20232, 6];
const GOLDEN_TONE: &[usize] = &[
    56886, 19092, 16758, 18918, 15780, 12132, 19572, 37386, 16884, 15852, 32682, 8712, 9114, 20106, 27276,
    16584, 16266,
];
