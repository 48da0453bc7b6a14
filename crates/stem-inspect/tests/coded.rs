//! FLAC, MP3 and OGG Vorbis, as they are described and compared.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use stem_audio::flac::{Encoder, Format, Level, stream_header};
use stem_inspect::audio::{AudioChange, AudioFacts, EditKind, Treatment};
use stem_inspect::{Difference, Facts, Limits, ReadAt, clip, compare, describe, waveform};

const FLAC: &[u8] = include_bytes!("data/tone.flac");
const MP3: &[u8] = include_bytes!("data/tone.mp3");
const OGG: &[u8] = include_bytes!("data/tone.ogg");
const FRAMES: u64 = 35_280;

fn facts(bytes: &[u8]) -> AudioFacts {
    let found = describe(b"take", &bytes.to_vec(), &Limits::default()).unwrap();
    assert_eq!(found.note, None);
    match found.facts {
        Facts::Audio(facts) => facts,
        other => panic!("{other:?}"),
    }
}

fn change(before: &[u8], after: &[u8]) -> AudioChange {
    match compare(b"take", &before.to_vec(), &after.to_vec(), &Limits::default()).unwrap() {
        Difference::Audio(found) => found.change,
        other => panic!("{other:?}"),
    }
}

/// The samples of the FLAC file.
fn samples() -> Vec<Vec<i32>> {
    let clip = clip(&FLAC.to_vec(), 0..FRAMES, 1 << 20, &Limits::default()).unwrap().unwrap();
    let value = |bytes: &[u8]| i32::from(i16::from_le_bytes([bytes[0], bytes[1]]));
    let frames = clip.wav[44..].chunks_exact(4);
    vec![
        frames.clone().map(|frame| value(&frame[..2])).collect(),
        frames.map(|frame| value(&frame[2..])).collect(),
    ]
}

fn flac(planes: &[Vec<i32>], level: Level) -> Vec<u8> {
    let format = Format { channels: 2, bits: 16, rate: 44_100 };
    let mut file = stream_header(&format, planes[0].len() as u64);
    Encoder::new(level).encode(&format, &[&planes[0], &planes[1]], &mut file).unwrap();
    file
}

/// With a block of metadata more, after the first.
fn tagged(flac: &[u8]) -> Vec<u8> {
    let mut file = flac[..42].to_vec();
    let last = file[4] & 0x80;
    file[4] &= 0x7F;
    file.extend_from_slice(&[last | 1, 0, 0, 9]);
    file.extend_from_slice(&[0; 9]);
    file.extend_from_slice(&flac[42..]);
    file
}

#[test]
fn facts_are_those_of_the_recording() {
    for (bytes, container, codec, bits) in
        [(FLAC, "FLAC", "FLAC", Some(16)), (MP3, "MP3", "MP3", None), (OGG, "OGG", "Vorbis", None)]
    {
        let facts = facts(bytes);
        assert_eq!((facts.container, facts.codec, facts.bits), (container, codec, bits));
        assert_eq!((facts.frames, facts.rate, facts.channels), (FRAMES, 44_100, 2), "{container}");
        assert!((facts.peaks[0].0 + 4.0).abs() < 0.5, "{container}: {:?}", facts.peaks);
        assert!((facts.loudness.unwrap() + 11.5).abs() < 0.6, "{container}: {:?}", facts.loudness);
        // Lossy codecs smear the first sound.
        assert!((2_500..=4_420).contains(&facts.silence.leading), "{container}: {:?}", facts.silence);
    }
}

#[test]
fn a_flac_file_made_anew_of_the_same_samples_is_the_same_audio() {
    let samples = samples();
    let (fast, high) = (flac(&samples, Level::Fast), flac(&samples, Level::High));
    assert_ne!(fast, high);
    assert_eq!(change(&fast, &high), AudioChange::Reencoded);
    assert_eq!(change(FLAC, &fast), AudioChange::Reencoded);
    assert_eq!(change(&fast, &tagged(&fast)), AudioChange::HeaderOnly);
    assert_eq!(compare(b"", &fast, &fast, &Limits::default()).unwrap(), Difference::Identical);
}

#[test]
fn a_flac_file_and_the_wav_file_that_it_came_from_are_the_same_audio() {
    let wav = clip(&FLAC.to_vec(), 0..FRAMES, 1 << 20, &Limits::default()).unwrap().unwrap().wav;
    assert_eq!(change(&wav, FLAC), AudioChange::Reencoded);
    assert_eq!(change(FLAC, &wav), AudioChange::Reencoded);
}

#[test]
fn edits_of_flac_are_found_to_the_sample() {
    let old: Vec<Vec<i32>> = samples().iter().map(|plane| plane.repeat(6)).collect();
    let before = flac(&old, Level::Default);
    let span = 100_000..103_000;
    let mut new = old.clone();
    for plane in &mut new {
        plane[span.clone()].reverse();
        plane[span.start] = 17;
        plane[span.end - 1] = -19;
    }
    let AudioChange::Edited { edits } = change(&before, &flac(&new, Level::Default)) else { panic!() };
    let [edit] = edits.as_slice() else { panic!("{edits:?}") };
    assert!(matches!(edit.kind, EditKind::Overwritten { .. }), "{edit:?}");
    assert_eq!(edit.before, 100_000..103_000);

    let mut new = old.clone();
    for plane in &mut new {
        plane.splice(60_001..60_001, (0..5000).map(|value| value * 5 % 771 - 300));
    }
    let AudioChange::Edited { edits } = change(&before, &flac(&new, Level::Default)) else { panic!() };
    let [edit] = edits.as_slice() else { panic!("{edits:?}") };
    assert_eq!((edit.kind, edit.after.clone()), (EditKind::Inserted, 60_001..65_001));
}

#[test]
fn tags_of_mp3_are_no_audio() {
    let mut tag = b"ID3\x04\0\0\0\0\x02\x10".to_vec();
    tag.resize(10 + (2 << 7 | 0x10), b' ');
    let front = [&tag, MP3].concat();
    let back = [MP3, b"TAG", &[b' '; 125]].concat();
    assert_eq!(change(MP3, &front), AudioChange::HeaderOnly);
    assert_eq!(change(&front, &back), AudioChange::HeaderOnly);
    assert_eq!(facts(&front), facts(MP3));
}

#[test]
fn another_codec_is_the_same_music() {
    for lossy in [MP3, OGG] {
        match change(FLAC, lossy) {
            AudioChange::Processed { treatment: Treatment::Rerendered { residual, correlation } } => {
                assert!(correlation > 0.9, "{correlation}");
                assert!(residual.loudness.unwrap() < -20.0, "{residual:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A file of six chords in a row, so that there is something to seek in.
fn long() -> Vec<u8> {
    flac(&samples().iter().map(|plane| plane.repeat(12)).collect::<Vec<_>>(), Level::Fast)
}

#[test]
fn a_clip_holds_the_same_wherever_it_begins() {
    let (limits, long) = (Limits::default(), long());
    for (name, bytes, frames) in
        [("flac", long.as_slice(), 12 * FRAMES), ("mp3", MP3, FRAMES), ("ogg", OGG, FRAMES)]
    {
        let bytes = bytes.to_vec();
        let whole = clip(&bytes, 0..frames, 1 << 24, &limits).unwrap().unwrap();
        assert_eq!((whole.frames.clone(), whole.cut, whole.rate), (0..frames, false, 44_100), "{name}");
        for start in [1, 4095, 4096, 9_999, frames - 7, frames / 2] {
            let end = (start + 5000).min(frames);
            let part = clip(&bytes, start..end, 1 << 24, &limits).unwrap().unwrap();
            let byte = |frame: u64| 44 + 4 * usize::try_from(frame).unwrap();
            let range: Range<usize> = byte(start)..byte(end);
            assert!(part.wav[44..] == whole.wav[range], "{name} from {start} on");
        }
    }
    let cut = clip(&OGG.to_vec(), 100..FRAMES, 44 + 4 * 1000 + 3, &limits).unwrap().unwrap();
    assert_eq!((cut.frames, cut.cut, cut.wav.len()), (100..1100, true, 44 + 4000));
}

#[test]
fn waveforms_show_peaks_where_they_are() {
    let limits = Limits::default();
    for (name, bytes) in [("flac", FLAC), ("mp3", MP3), ("ogg", OGG)] {
        let drawn = waveform(&bytes.to_vec(), 0..FRAMES, 80, &limits).unwrap().unwrap();
        assert_eq!(drawn.len(), 80);
        // The first 0.1 s of 0.8 s is silent.
        assert!(
            drawn[..6].iter().all(|[low, high]| low.abs() < 0.01 && high.abs() < 0.01),
            "{name}: {drawn:?}"
        );
        let peak = drawn.iter().flatten().fold(0.0_f32, |peak, value| peak.max(value.abs()));
        assert!((0.55..0.72).contains(&peak), "{name}: {peak}");
    }
}

#[test]
fn what_is_cut_off_is_shown_as_far_as_it_goes() {
    let long = long();
    let found = describe(b"", &long[..long.len() / 2].to_vec(), &Limits::default()).unwrap();
    let Facts::Audio(facts) = &found.facts else { panic!("{found:?}") };
    assert!((5 * FRAMES..7 * FRAMES).contains(&facts.frames), "{}", facts.frames);
    assert!(found.note.is_some());
    let found = describe(b"", &OGG[..5000].to_vec(), &Limits::default()).unwrap();
    assert!(found.note.is_some(), "{found:?}");
}

#[test]
fn decoding_has_a_limit() {
    let limits = Limits { decoded: 10_000, ..Limits::default() };
    for bytes in [FLAC, MP3, OGG] {
        let found = describe(b"", &bytes.to_vec(), &limits).unwrap();
        assert_eq!(found.facts, Facts::Other);
        assert!(found.note.unwrap().contains("too long"));
    }
}

/// A file on a medium that fails from some place on.
struct Failing<'a>(&'a [u8], u64);

impl ReadAt for Failing<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset + buf.len() as u64 > self.1 {
            return Err(io::Error::other("the disk is gone"));
        }
        self.0.read_at(buf, offset)
    }
}

#[test]
fn a_medium_that_fails_is_no_damaged_file() {
    for (name, bytes) in [("flac", FLAC), ("mp3", MP3), ("ogg", OGG)] {
        for good in [bytes.len() / 2, bytes.len() - 1] {
            let failing = Failing(bytes, good as u64);
            let error = describe(b"", &failing, &Limits::default()).unwrap_err();
            assert_eq!(error.to_string(), "the disk is gone", "{name}, {good}");
            assert!(!Limits::was_cancelled(&error));
        }
    }
}

#[test]
fn a_question_that_is_cancelled_ends_with_an_error_that_says_so() {
    let limits = Limits { cancelled: Some(Arc::new(AtomicBool::new(true))), ..Limits::default() };
    for bytes in [FLAC, MP3, OGG] {
        let bytes = bytes.to_vec();
        assert!(Limits::was_cancelled(&describe(b"", &bytes, &limits).unwrap_err()));
        assert!(Limits::was_cancelled(&compare(b"", &bytes, &bytes, &limits).unwrap_err()));
        assert!(Limits::was_cancelled(&clip(&bytes, 0..10, 1000, &limits).unwrap_err()));
    }
}
