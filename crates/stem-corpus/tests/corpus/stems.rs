use stem_corpus::signal::{Gain, Instrument, Precision, Stem, Take};
use stem_corpus::wav::{Format, SampleFormat, Wave};
use stem_corpus::{FileSpec, Kind};

use crate::bytes_of;
use crate::riff::{Riff, floats, samples_24};

const TEMPO: u32 = 120;

/// Forty bars: more than the form of the song, so that each part of it comes.
fn stem(format: Format, instrument: Instrument, precision: Precision) -> Stem {
    Stem::new(Wave::new(format, 40 * u64::from(format.rate()) * 2), instrument, precision, 11, TEMPO)
}

fn samples(stem: &Stem) -> Vec<u8> {
    let bytes = bytes_of(&FileSpec::new("x.wav", Kind::Stem(stem.clone())));
    assert_eq!(bytes.len() as u64, stem.len());
    Riff::parse(&bytes).data(&bytes).to_vec()
}

const ALL: [Instrument; 9] = [
    Instrument::Kick,
    Instrument::Snare,
    Instrument::Kit,
    Instrument::Bass,
    Instrument::Guitar,
    Instrument::Keys,
    Instrument::Pad,
    Instrument::Lead,
    Instrument::Band,
];

#[test]
fn every_instrument_rests_repeats_and_otherwise_never_plays_a_bar_twice() {
    for instrument in ALL {
        let stem = stem(Format::STUDIO, instrument, Precision::Exact24);
        let data = samples(&stem);
        let bar = usize::try_from(stem.bar_frames()).unwrap() * 6;
        let bars: Vec<&[u8]> = data.chunks(bar).collect();
        let silent = bars.iter().filter(|bar| bar.iter().all(|byte| *byte == 0)).count();
        assert!((8..=10).contains(&silent), "{instrument:?}: {silent} silent bars of {}", bars.len());
        let mut sounding: Vec<&[u8]> =
            bars.into_iter().filter(|bar| bar.iter().any(|byte| *byte != 0)).collect();
        let count = sounding.len();
        sounding.sort_unstable();
        sounding.dedup();
        let repeated = count - sounding.len();
        assert!((3..=5).contains(&repeated), "{instrument:?}: {repeated} repeated bars");
    }
}

#[test]
fn nothing_clips_and_everything_is_audible() {
    for instrument in ALL {
        let values = samples_24(&samples(&stem(Format::STUDIO, instrument, Precision::Exact24)));
        let peak = values.iter().map(|value| value.abs()).max().unwrap();
        assert!((3 << 20..8_388_607).contains(&peak), "{instrument:?}: peak {peak}");
    }
}

#[test]
fn exact_floats_are_the_24_bit_file_and_full_floats_are_not() {
    let integers = samples_24(&samples(&stem(Format::STUDIO, Instrument::Lead, Precision::Exact24)));
    let exact = floats(&samples(&stem(Format::STUDIO_FLOAT, Instrument::Lead, Precision::Exact24)));
    assert_eq!(integers.len(), exact.len());
    for (integer, float) in integers.iter().zip(&exact) {
        let scaled = f64::from(*float) * 8_388_608.0;
        assert!((scaled - f64::from(*integer)).abs() < f64::EPSILON, "{integer} and {float}");
    }
    let full = floats(&samples(&stem(Format::STUDIO_FLOAT, Instrument::Lead, Precision::Full)));
    let fractional = full.iter().filter(|value| (f64::from(**value) * 8_388_608.0).fract() != 0.0).count();
    let sounding = full.iter().filter(|value| **value != 0.0).count();
    assert!(fractional * 10 > sounding * 9, "{fractional} of {sounding}");
}

#[test]
fn sixteen_bits_are_the_upper_sixteen_of_24() {
    let format = Format::new(48_000, 2, SampleFormat::Pcm16).unwrap();
    let short = samples(&stem(format, Instrument::Bass, Precision::Exact24));
    let long = samples(&stem(Format::STUDIO, Instrument::Bass, Precision::Exact24));
    assert!(short.chunks_exact(2).eq(long.chunks_exact(3).map(|sample| &sample[1..])));
}

#[test]
fn any_rate_and_number_of_channels_has_its_exact_length() {
    for (rate, channels) in [(8_000, 1), (44_100, 1), (44_100, 3), (96_000, 2), (11_025, 8)] {
        for sample in [SampleFormat::Pcm16, SampleFormat::Pcm24, SampleFormat::Float32] {
            let format = Format::new(rate, channels, sample).unwrap();
            let wave = Wave::new(format, u64::from(rate) * 5 + 3);
            samples(&Stem::new(wave, Instrument::Band, Precision::Full, 3, 97));
        }
    }
}

#[test]
fn a_punch_in_changes_its_stretch_alone() {
    let first = stem(Format::STUDIO, Instrument::Guitar, Precision::Exact24);
    let second = first.clone().punched_in(500_000, 480_000);
    let (a, b) = (samples(&first), samples(&second));
    let (from, to) = (500_000 * 6, 980_000 * 6);
    assert_eq!(a.len(), b.len());
    assert!(a[..from] == b[..from] && a[to..] == b[to..]);
    let differing = a[from..to].chunks(6).zip(b[from..to].chunks(6)).filter(|(a, b)| a != b).count();
    assert!(differing > 400_000, "{differing} frames differ");
}

#[test]
fn an_insertion_moves_what_follows() {
    let first = stem(Format::STUDIO_FLOAT, Instrument::Pad, Precision::Exact24);
    let second = first.clone().inserted(1_440_000, 96_000);
    let (a, b) = (samples(&first), samples(&second));
    let (at, end) = (1_440_000 * 8, 1_536_000 * 8);
    assert_eq!(b.len(), a.len() + end - at);
    assert!(a[..at] == b[..at] && a[at..] == b[end..]);
    assert!(b[at..end].iter().any(|byte| *byte != 0));
}

#[test]
fn edits_upon_edits_take_a_new_take_each() {
    let twice = stem(Format::STUDIO, Instrument::Keys, Precision::Exact24)
        .punched_in(100_000, 50_000)
        .inserted(120_000, 1_000)
        .punched_in(0, 10_000)
        .punched_in(u64::MAX, 5);
    let takes: Vec<Take> = twice.pieces().iter().map(|piece| piece.take).collect();
    assert_eq!(takes, [Take(3), Take(0), Take(1), Take(2), Take(1), Take(0)]);
    let frames: u64 = twice.pieces().iter().map(|piece| piece.frames).sum();
    assert_eq!(frames, twice.wave().frames());
    samples(&twice);
}

#[test]
fn a_change_of_gain_scales_every_sample() {
    let first = stem(Format::STUDIO, Instrument::Snare, Precision::Exact24);
    let (a, b) = (samples_24(&samples(&first)), samples_24(&samples(&first.clone().at(Gain::new(16_384)))));
    assert!(a.iter().map(|sample| sample >> 1).eq(b));
    assert_eq!(Gain::new(u16::MAX), Gain::UNITY);
}
