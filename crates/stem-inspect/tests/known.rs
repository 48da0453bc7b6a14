//! Edits whose place is known to the frame, at any place and of any length: what is found, and what is drawn of it.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "samples and frames of short files"
)]

use proptest::prelude::*;
use stem_inspect::audio::{AudioChange, AudioDifference, EditKind, Treatment};
use stem_inspect::{Difference, Facts, Limits, compare, describe, residual_waveform, waveform};

const RATE: u32 = 48_000;

/// Noise of one channel that has every value somewhere and repeats nowhere.
fn noise(seed: u64, frames: usize) -> Vec<i16> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Half of full scale, so that there is room for gain.
        (state >> 48) as u16 as i16 / 2
    };
    (0..frames).map(|_| next()).collect()
}

fn wav(samples: &[i16]) -> Vec<u8> {
    let size = u32::try_from(2 * samples.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(size + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(2 * RATE).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&size.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

fn difference(before: &[i16], after: &[i16]) -> AudioDifference {
    match compare(b"take.wav", &wav(before), &wav(after), &Limits::default()).unwrap() {
        Difference::Audio(found) => found,
        other => panic!("{other:?}"),
    }
}

fn only_edit(found: &AudioDifference) -> (EditKind, std::ops::Range<u64>, std::ops::Range<u64>) {
    let AudioChange::Edited { edits } = &found.change else { panic!("{found:?}") };
    let [edit] = edits.as_slice() else { panic!("{edits:?}") };
    (edit.kind, edit.before.clone(), edit.after.clone())
}

/// The residual in columns of 100 frames.
fn residual(before: &[i16], after: &[i16], found: &AudioDifference) -> Vec<bool> {
    let columns = after.len() / 100;
    let (old, new) = (wav(before), wav(after));
    let frames = 0..columns as u64 * 100;
    let drawn = residual_waveform(&old, &new, found, frames, columns, &Limits::default()).unwrap().unwrap();
    assert_eq!(drawn.len(), columns);
    drawn.iter().map(|&[low, high]| low < 0.0 || high > 0.0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_overwritten_span_is_found_to_the_frame(
        seed in any::<u64>(), frames in 60_000_usize..120_000, at in 0.0..0.9_f64, span in 3_usize..20_000,
    ) {
        let before = noise(seed, frames);
        let start = (frames as f64 * at) as usize;
        let end = (start + span).min(frames);
        let mut after = before.clone();
        after[start..end].iter_mut().for_each(|sample| *sample ^= 0x0155);
        let found = difference(&before, &after);
        let (kind, old, new) = only_edit(&found);
        prop_assert!(matches!(kind, EditKind::Overwritten { .. }), "{kind:?}");
        prop_assert_eq!(&old, &(start as u64..end as u64));
        prop_assert_eq!(&new, &old);
        let spans = found.spans();
        prop_assert_eq!(spans.len(), 1);
        prop_assert!((spans[0].before_seconds[0] - start as f64 / f64::from(RATE)).abs() < 1e-9);
        for (column, differs) in residual(&before, &after, &found).into_iter().enumerate() {
            prop_assert_eq!(differs, column * 100 < end && start < (column + 1) * 100, "column {}", column);
        }
    }

    #[test]
    fn what_was_inserted_or_removed_is_found_to_the_frame(
        seed in any::<u64>(), at in 20_000_usize..60_000, span in 1_usize..30_000,
    ) {
        let long = noise(seed, 120_000);
        let mut short = long.clone();
        short.drain(at..at + span);
        // Where the first frame of what is gone equals the first behind it, it may as well be the last that is gone.
        let slack = (0..long.len() - at - span).take_while(|&by| long[at + by] == long[at + span + by]).count() as u64;
        let close = |range: &std::ops::Range<u64>| {
            range.end - range.start == span as u64 && range.start.abs_diff(at as u64) <= slack
        };

        let found = difference(&long, &short);
        let (kind, old, new) = only_edit(&found);
        prop_assert_eq!(kind, EditKind::Removed);
        prop_assert!(close(&old) && new.is_empty(), "{:?}", old);
        prop_assert!(!residual(&long, &short, &found).contains(&true), "everything else is where it was");

        let found = difference(&short, &long);
        let (kind, old, new) = only_edit(&found);
        prop_assert_eq!(kind, EditKind::Inserted);
        prop_assert!(close(&new) && old.is_empty(), "{:?}", new);
    }

    #[test]
    fn a_gain_is_measured_to_a_hundredth_of_a_decibel(seed in any::<u64>(), gain in -24.0..6.0_f64) {
        prop_assume!(gain.abs() > 0.05);
        let before = noise(seed, 50_000);
        let factor = 10_f64.powf(gain / 20.0);
        let after: Vec<i16> = before.iter().map(|&sample| (f64::from(sample) * factor).round() as i16).collect();
        let found = difference(&before, &after);
        let AudioChange::Processed { treatment: Treatment::Gain { gain: told, inverted, residual } } = found.change
        else { panic!("{found:?}") };
        prop_assert!((told.0 - gain).abs() < 0.01 && !inverted, "{} is {:?}", gain, told);
        prop_assert!(residual.power.0 < -90.0, "{:?}", residual);
    }

    #[test]
    fn what_a_file_holds_is_what_was_put_into_it(seed in any::<u64>(), lead in 0_u64..5000, tail in 0_u64..5000) {
        let mut samples = vec![0; lead as usize];
        samples.extend(noise(seed, 30_000).into_iter().map(|sample| sample | 64));
        samples.extend(std::iter::repeat_n(0, tail as usize));
        let file = wav(&samples);
        let found = describe(b"", &file, &Limits::default()).unwrap();
        let Facts::Audio(facts) = found.facts else { panic!("{found:?}") };
        prop_assert_eq!((facts.frames, facts.rate, facts.bits), (samples.len() as u64, RATE, Some(16)));
        prop_assert_eq!((facts.silence.leading, facts.silence.trailing), (lead, tail));
        let highest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        let peak = 20.0 * (f64::from(highest) / 32_768.0).log10();
        prop_assert!((facts.peaks[0].0 - peak).abs() < 1e-4);
        // Every column holds what its frames hold.
        let drawn = waveform(&file, 0..samples.len() as u64, 37, &Limits::default()).unwrap().unwrap();
        for (column, &[low, high]) in drawn.iter().enumerate() {
            let part = &samples[samples.len() * column / 37..samples.len() * (column + 1) / 37];
            let (least, most) = (part.iter().min().unwrap(), part.iter().max().unwrap());
            prop_assert_eq!((low * 32_768.0, high * 32_768.0), (f32::from(*least), f32::from(*most)));
        }
    }

    #[test]
    fn other_bytes_are_compared_by_what_they_share(seed in any::<u64>(), at in 0_usize..200_000) {
        let before: Vec<u8> = noise(seed, 200_000).iter().flat_map(|value| value.to_be_bytes()).collect();
        let mut after = before.clone();
        after.insert(at, !before[at]);
        let limits = Limits { whole: 1 << 10, ..Limits::default() };
        let Difference::Other(share) = compare(b"sampler.bin", &before, &after, &limits).unwrap() else { panic!() };
        // An insertion costs the chunk that it is in, not what follows.
        prop_assert!(share.ratio() > 0.7 && share.ratio() < 1.0, "{share:?}");
        prop_assert_eq!((share.before, share.after), (400_000, 400_001));
        let same = compare(b"sampler.bin", &before, &before, &limits).unwrap();
        prop_assert_eq!(same, Difference::Identical);
    }
}

#[test]
fn a_few_damaged_samples_are_no_gain() {
    let before = noise(5, 30_000);
    for count in [1, 3] {
        let mut after = before.clone();
        after[9_000..9_000 + count].fill(-7);
        let found = difference(&before, &after);
        let AudioChange::Edited { edits } = &found.change else { panic!("{found:?}") };
        assert_eq!(edits.len(), 1);
        assert!(
            matches!(edits[0].kind, EditKind::Overwritten { treatment: Treatment::Unrelated { .. } }),
            "{edits:?}"
        );
    }
}
