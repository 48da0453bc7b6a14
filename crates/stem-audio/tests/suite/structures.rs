//! Any structure of a file that a program writes or a disk damages: what is found lies in the file, what is cut is the file, and every
//! chunk comes back.

use proptest::collection::vec;
use proptest::prelude::*;
use stem_audio::{
    Audio, ChunkParams, CodecLevel, PieceKind, Scratch, Sizes, chunk::Chunker, codec, cut_all, pcm, probe,
};

use crate::common::{Fmt, Random, aiff, riff, riff_chunk};

/// Small chunks, so that short files have several.
pub(crate) const SMALL: ChunkParams =
    ChunkParams { samples: Sizes::around(16 << 10), bytes: Sizes::around(4 << 10) };

/// Probes, cuts, encodes, decodes and compares a whole object.
pub(crate) fn check_object(object: &[u8]) -> Option<Audio> {
    let audio = probe(object, Some(object.len() as u64));
    if let Some(audio) = &audio {
        assert!(audio.samples.start <= audio.samples.end && audio.samples.end <= object.len() as u64);
        assert_eq!((audio.samples.end - audio.samples.start) % audio.format.frame_len() as u64, 0);
    }
    // A stream of which only the head is known must not be cut into anything else than the object.
    let _ = probe(object, None);
    let mut rest = object;
    let mut chunker = Chunker::new(&SMALL, audio.as_ref());
    let mut scratch = Scratch::new();
    let (mut payload, mut back) = (Vec::new(), Vec::new());
    while let Some(piece) = chunker.next(rest, true) {
        let position = (object.len() - rest.len()) as u64;
        let (chunk, after) = rest.split_at(piece.len);
        rest = after;
        let inside = audio.as_ref().is_some_and(|audio| audio.samples.contains(&position));
        assert_eq!(piece.kind == PieceKind::Samples, inside);
        let Some(format) = audio.as_ref().filter(|_| inside).map(|audio| &audio.format) else { continue };
        payload.clear();
        if let Some(codec) = codec::encode(chunk, format, CodecLevel::Fast, &mut scratch, &mut payload) {
            assert!(payload.len() < chunk.len());
            back.clear();
            codec::decode(codec, &payload, chunk.len(), &mut scratch, &mut back).unwrap();
            assert!(back == chunk);
        } else {
            assert!(payload.is_empty());
        }
    }
    assert!(rest.is_empty());
    audio
}

/// A chunk of any name but those that matter.
fn other_chunk() -> impl Strategy<Value = Vec<u8>> {
    let names =
        prop::sample::select(vec![*b"JUNK", *b"LIST", *b"bext", *b"fact", *b"PEAK", *b"iXML", *b"\0\0\0\0"]);
    (names, vec(any::<u8>(), 0..70)).prop_map(|(name, body)| riff_chunk(&name, &body))
}

fn fmt() -> impl Strategy<Value = Fmt> {
    let channels = prop_oneof![1..=9_u16, Just(64)];
    (channels, 1..=32_u16, 0..3_u16, any::<u32>()).prop_map(|(channels, bits, kind, rate)| {
        let fmt = Fmt { rate, ..Fmt::pcm(bits, channels) };
        match kind {
            0 => fmt,
            1 => Fmt { bits: bits.div_ceil(8) * 8, ..fmt }.extensible(bits),
            _ => Fmt { rate, ..Fmt::float(channels) },
        }
    })
}

/// Samples of any kind: noise, silence, or something smooth in any width.
fn material() -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), 0..4, 0..20_000_usize).prop_map(|(seed, kind, length)| {
        let mut random = Random(seed);
        match kind {
            0 => random.bytes(length),
            1 => vec![0; length],
            2 => {
                let step = u32::try_from(random.below(9)).unwrap();
                (0..=u32::MAX).flat_map(|i| (i * step).to_le_bytes()).take(length).collect()
            }
            _ => (0_u16..=u16::MAX)
                .flat_map(|i| (f32::from(i % 777) / 1000.0 - 0.3).to_le_bytes())
                .take(length)
                .collect(),
        }
    })
}

prop_compose! {
    fn any_wav()(
        kind in prop::sample::select(vec![*b"RIFF", *b"RF64", *b"BW64"]),
        fmt in fmt(),
        before in vec(other_chunk(), 0..3),
        between in vec(other_chunk(), 0..3),
        after in vec(other_chunk(), 0..3),
        samples in material(),
        long_size in any::<u64>(),
    ) -> (Fmt, Vec<u8>, Vec<u8>) {
        let ds64 = riff_chunk(b"ds64", &[[0; 8], long_size.to_le_bytes(), [0; 8]].concat());
        let first = if &kind == b"RIFF" { vec![] } else { vec![ds64] };
        let fmt_chunk = riff_chunk(b"fmt ", &fmt.body());
        let data = riff_chunk(b"data", &samples);
        let chunks = [first, before, vec![fmt_chunk], between, vec![data], after].concat();
        (fmt, samples, riff(&kind, &chunks))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_well_formed_wav_is_understood_and_comes_back((fmt, samples, file) in any_wav()) {
        let audio = check_object(&file).expect("well-formed");
        prop_assert_eq!(audio.format.rate(), fmt.rate);
        prop_assert_eq!(audio.format.frame_len(), usize::from(fmt.block_align));
        if !samples.is_empty() {
            let frames = samples.len() / usize::from(fmt.block_align);
            let start = usize::try_from(audio.samples.start).unwrap();
            let end = usize::try_from(audio.samples.end).unwrap();
            prop_assert_eq!(&file[start..end], &samples[..frames * usize::from(fmt.block_align)]);
        }
    }

    #[test]
    fn a_damaged_wav_comes_back(
        (_, _, mut file) in any_wav(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        in_head in any::<bool>(),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let reach = if in_head { file.len().min(120) } else { file.len() };
        for (at, byte) in damage {
            let at = at.index(reach);
            file[at] = byte;
        }
        if cut {
            file.truncate(end.index(file.len()));
        }
        check_object(&file);
    }

    #[test]
    fn a_damaged_aiff_comes_back(
        samples in material(),
        compression in prop::option::of(prop::sample::select(vec![*b"NONE", *b"twos", *b"sowt", *b"fl32", *b"FL32"])),
        channels in 0..70_u16,
        bits in 0..40_u16,
        offset in 0..50_u32,
        damage in vec((0..90_usize, any::<u8>()), 0..4),
        cut in 0..400_usize,
    ) {
        let mut file = aiff(channels, bits, compression.as_ref(), offset, &samples);
        check_object(&file);
        for (at, byte) in damage {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        file.truncate(file.len().saturating_sub(cut));
        check_object(&file);
    }

    #[test]
    fn any_bytes_come_back(bytes in vec(any::<u8>(), 0..3000), magic in 0..4_usize) {
        let start: [&[u8]; 4] = [b"", b"RIFF\0\0\0\0WAVE", b"RF64\xFF\xFF\xFF\xFFWAVEds64", b"FORM\0\0\0\0AIFC"];
        check_object(&[start[magic], &bytes].concat());
        for length in [None, Some(0), Some(u64::MAX)] {
            if let Some(audio) = probe(&bytes, length) {
                prop_assert!(audio.samples.start <= audio.samples.end);
            }
        }
    }

    /// What hound writes and reads is what we find and unpack.
    #[test]
    fn hound_agrees(
        channels in 1..=9_u16,
        bits in prop::sample::select(vec![8_u16, 16, 24, 32]),
        float in any::<bool>(),
        rate in 1..400_000_u32,
        seed in any::<u64>(),
        frames in 0..200_usize,
    ) {
        let bits = if float { 32 } else { bits };
        let sample_format = if float { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
        let spec = hound::WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
        let mut random = Random(seed);
        let values: Vec<i32> =
            (0..frames * usize::from(channels)).map(|_| random.signed(u32::from(bits))).collect();
        let mut file = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        for value in &values {
            if float {
                writer.write_sample(f32::from_bits(value.cast_unsigned())).unwrap();
            } else {
                writer.write_sample(*value).unwrap();
            }
        }
        writer.finalize().unwrap();
        let file = file.into_inner();
        let audio = probe(&file, Some(file.len() as u64)).expect("hound writes what we read");
        prop_assert_eq!(audio.format.rate(), rate);
        let start = usize::try_from(audio.samples.start).unwrap();
        let end = usize::try_from(audio.samples.end).unwrap();
        let mut planes = Vec::new();
        pcm::unpack(&file[start..end], &audio.format, &mut planes);
        for (channel, plane) in planes.iter().enumerate() {
            let theirs: Vec<i32> = values.iter().skip(channel).step_by(channels.into()).copied().collect();
            prop_assert_eq!(plane, &theirs);
        }
    }
}

#[test]
fn the_corpus_is_understood() {
    let session = stem_corpus::Session::demo(3, 3 << 20);
    let mut audio = 0;
    for file in session.files() {
        let mut bytes = Vec::new();
        file.write_to(&mut bytes).unwrap();
        let found = check_object(&bytes);
        let is_wav = bytes.starts_with(b"RIFF") || bytes.starts_with(b"RF64");
        assert_eq!(found.is_some(), is_wav, "{}", file.path);
        if let Some(found) = found {
            audio += 1;
            assert!(found.samples.end - found.samples.start > bytes.len() as u64 / 2, "{}", file.path);
            assert_eq!(
                cut_all(&bytes, &ChunkParams::DEFAULT, Some(&found))
                    .iter()
                    .map(|piece| piece.len)
                    .sum::<usize>(),
                bytes.len()
            );
        }
    }
    assert!(audio >= 12);
}

#[test]
fn small_files_cut_off_at_every_length_come_back() {
    let samples: Vec<u8> = (0..60).collect();
    let plain = crate::common::wav(Fmt::pcm(24, 2), &samples);
    let long = riff(
        b"RF64",
        &[
            riff_chunk(b"ds64", &[[0; 8], 60_u64.to_le_bytes(), [0; 8]].concat()),
            riff_chunk(b"JUNK", b"odd"),
            riff_chunk(b"fmt ", &Fmt::float(1).extensible(32).body()),
            [b"data", &u32::MAX.to_le_bytes()[..], &samples].concat(),
            riff_chunk(b"LIST", b"INFO"),
        ],
    );
    for file in [plain, long, aiff(2, 16, None, 3, &samples), aiff(3, 32, Some(b"fl32"), 0, &samples)] {
        assert!(check_object(&file).is_some());
        for end in 0..file.len() {
            check_object(&file[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_checks_for_fuzzing_hold((_, _, file) in any_wav(), start in vec(any::<u8>(), 0..6)) {
        stem_audio::checks::check_audio_container(&file);
        let data = [&start[..], &file].concat();
        stem_audio::checks::check_codec_round_trip(&data);
        stem_audio::checks::check_chunker(&data);
        stem_audio::checks::check_codec_round_trip(&start);
        stem_audio::checks::check_chunker(&start);
    }
}
