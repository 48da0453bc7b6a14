//! Inspection: how long it takes to say what a stem is like, and what was done to it.
//!
//! One stem of 48 kHz, stereo, 24 bits, 128 MiB long (4 MiB in the quick run), and versions of it with known edits, in
//! memory. Every answer is checked: a wrong one is not measured.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench reports by panicking")]

use std::hint::black_box;

use bench_support::{SEED, is_quick};
use criterion::{Criterion, SamplingMode, Throughput};
use stem_corpus::signal::{Gain, Instrument, Precision, Stem};
use stem_corpus::wav::{Format, SampleFormat, Wave};
use stem_inspect::{Difference, Facts, Limits, compare, describe, waveform};

/// The bytes of the file.
fn file(stem: &Stem) -> Vec<u8> {
    let mut bytes = Vec::new();
    stem.write_to(&mut bytes).unwrap();
    bytes
}

fn main() {
    let mut criterion: Criterion = bench_support::criterion();
    let bytes: u64 = if is_quick() { 4 << 20 } else { 128 << 20 };
    let frames = bytes / 6;
    let wave = Wave::new(Format::new(48_000, 2, SampleFormat::Pcm24).unwrap(), frames);
    let stem = Stem::new(wave.clone(), Instrument::Keys, Precision::Exact24, SEED, 120);
    let (at, span) = (frames / 3, 96_000);
    let other = Stem::new(wave, Instrument::Keys, Precision::Exact24, SEED + 1, 120);
    // What each version is, in the words of `Difference::summary` up to the first space.
    let versions = [
        ("overwritten", stem.clone().punched_in(at, span), "overwritten"),
        ("inserted", stem.clone().inserted(at, span), "inserted"),
        ("gain", stem.clone().at(Gain::DOWN_1_5_DB), "-1.5"),
        ("rendered-anew", other, "re-rendered"),
    ];
    let before = file(&stem);
    let limits = Limits::default();

    let mut group = criterion.benchmark_group("inspect");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("describe", |bencher| {
        bencher.iter(|| {
            let found = describe(b"before.wav", &before, &limits).unwrap();
            let Facts::Audio(facts) = &found.facts else { panic!("{found:?}") };
            assert_eq!((facts.frames, facts.rate, facts.bits), (frames, 48_000, Some(24)));
            assert!(facts.loudness.is_some());
            black_box(found);
        });
    });
    group.bench_function("waveform", |bencher| {
        bencher.iter(|| {
            let drawn = waveform(&before, 0..frames, 800, &limits).unwrap().unwrap();
            assert_eq!(drawn.len(), 800);
            black_box(drawn);
        });
    });
    group.throughput(Throughput::Bytes(2 * bytes));
    for (name, version, words) in versions {
        let after = file(&version);
        group.bench_function(format!("difference/{name}"), |bencher| {
            bencher.iter(|| {
                let found = compare(b"before.wav", &before, &after, &limits).unwrap();
                assert!(matches!(found, Difference::Audio(_)));
                assert_eq!(found.summary().split(' ').next(), Some(words), "{found:?}");
                black_box(found);
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
