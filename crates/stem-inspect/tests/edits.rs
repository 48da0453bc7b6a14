//! Known edits of made-up recordings, and what they are called.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "samples and frames of short files"
)]

use std::collections::BTreeMap;

use stem_corpus::signal::{Instrument, Precision, Stem};
use stem_corpus::wav::{Extra, Format, SampleFormat, Wave};
use stem_inspect::Limits;
use stem_inspect::audio::{AudioChange, EditKind, Pcm, Treatment, difference};

const RATE: u32 = 48_000;
const SEEDS: u64 = 18;

/// Frames of two channels, full scale 1.
type Frames = Vec<[f64; 2]>;

/// A source of numbers that are the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 32)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll() % (high - low)
    }

    fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn take(seed: u64) -> Frames {
    frames_of(&stem(seed))
}

fn stem(seed: u64) -> Stem {
    let instruments = [Instrument::Kick, Instrument::Bass, Instrument::Keys, Instrument::Lead];
    let instrument = instruments[usize::try_from(seed).unwrap() % instruments.len()];
    let wave = Wave::new(Format::new(RATE, 2, SampleFormat::Pcm24).unwrap(), 6 * u64::from(RATE));
    Stem::new(wave, instrument, Precision::Exact24, seed, 120)
}

fn frames_of(stem: &Stem) -> Frames {
    let mut bytes = Vec::new();
    stem.write_to(&mut bytes).unwrap();
    let start = bytes.windows(4).position(|name| name == b"data").unwrap() + 8;
    let value =
        |bytes: &[u8]| f64::from(i32::from_le_bytes([0, bytes[0], bytes[1], bytes[2]])) / 2_147_483_648.0;
    bytes[start..].chunks_exact(6).map(|frame| [value(&frame[..3]), value(&frame[3..])]).collect()
}

fn file(frames: &Frames, rate: u32, extra: bool) -> Vec<u8> {
    let mut wave = Wave::new(Format::new(rate, 2, SampleFormat::Pcm24).unwrap(), frames.len() as u64);
    if extra {
        wave = wave.titled("renamed").with(Extra::Bext).followed_by(Extra::Info);
    }
    let mut bytes = wave.head();
    for sample in frames.iter().flatten() {
        let value = (sample * 8_388_608.0).round().clamp(-8_388_608.0, 8_388_607.0) as i32;
        bytes.extend_from_slice(&value.to_le_bytes()[..3]);
    }
    bytes.extend(wave.tail());
    bytes
}

fn narrow(frames: &Frames) -> Vec<u8> {
    let wave = Wave::new(Format::new(RATE, 2, SampleFormat::Pcm16).unwrap(), frames.len() as u64);
    let mut bytes = wave.head();
    for sample in frames.iter().flatten() {
        bytes.extend_from_slice(
            &((sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes(),
        );
    }
    bytes.extend(wave.tail());
    bytes
}

const EDITS: [&str; 15] = [
    "identical",
    "header only",
    "gain",
    "inserted",
    "removed",
    "overwritten",
    "fade",
    "fade of all",
    "re-rendered",
    "channels swapped",
    "resampled",
    "shifted",
    "played anew",
    "polarity reversed",
    "16 bits",
];

/// What an edit is to be called.
fn meant(name: &str) -> &str {
    match name {
        "played anew" => "overwritten",
        "polarity reversed" => "gain",
        "16 bits" => "converted",
        other => other,
    }
}

fn edit(name: &str, seed: u64, frames: &Frames, dice: &mut Dice) -> Vec<u8> {
    let len = frames.len();
    let rate = usize::try_from(RATE).unwrap();
    let at = usize::try_from(dice.between(RATE.into(), (len - 2 * rate) as u64)).unwrap();
    let span = usize::try_from(dice.between(2000, RATE.into())).unwrap();
    let other = take(dice.between(100, 200));
    let mut new = frames.clone();
    match name {
        "gain" => {
            let gain = 10_f64.powf((dice.unit() * 18.0 - 14.0) / 20.0);
            new.iter_mut().flatten().for_each(|sample| *sample *= gain);
        }
        "inserted" => {
            new.splice(at..at, other[..span].iter().copied());
        }
        "removed" => {
            new.drain(at..at + span);
        }
        "overwritten" => {
            new.splice(at..at + span, other[at..at + span].iter().copied());
        }
        "fade" => {
            let start = len - rate - span;
            for (number, frame) in new[start..].iter_mut().enumerate() {
                let gain = 1.0 - number as f64 / (rate + span) as f64;
                for sample in frame {
                    *sample *= gain;
                }
            }
        }
        "fade of all" => {
            for (number, frame) in new.iter_mut().enumerate() {
                let gain = 0.1 + 0.8 * number as f64 / len as f64;
                for sample in frame {
                    *sample *= gain;
                }
            }
        }
        "re-rendered" => {
            let mut last = [0.0; 2];
            for frame in &mut new {
                for (sample, last) in frame.iter_mut().zip(&mut last) {
                    *last = 0.7 * *sample + 0.3 * *last;
                    *sample = *last + (dice.unit() - 0.5) * 1e-3;
                }
            }
        }
        // The same notes, louder and softer, as a player plays them a second time.
        "played anew" => new = frames_of(&stem(seed).punched_in(at as u64, span as u64 + u64::from(RATE))),
        "polarity reversed" => new.iter_mut().flatten().for_each(|sample| *sample = -*sample),
        "16 bits" => return narrow(frames),
        "channels swapped" => new.iter_mut().for_each(|frame| frame.reverse()),
        "resampled" => {
            let count = len * 147 / 160;
            let at = |number: usize| {
                let place = number as f64 * 160.0 / 147.0;
                let (index, part) = (place as usize, place.fract());
                let next = frames[(index + 1).min(len - 1)];
                [0, 1].map(|channel| frames[index][channel] * (1.0 - part) + next[channel] * part)
            };
            return file(&(0..count).map(at).collect(), 44_100, false);
        }
        "shifted" => {
            new.splice(0..0, std::iter::repeat_n([0.0; 2], span));
            new.truncate(len);
        }
        _ => {}
    }
    file(&new, RATE, name == "header only")
}

fn called(difference: &AudioChange) -> &'static str {
    match difference {
        AudioChange::Identical => "identical",
        AudioChange::Reencoded => "re-encoded",
        AudioChange::HeaderOnly => "header only",
        AudioChange::Shifted { .. } => "shifted",
        AudioChange::Resampled => "resampled",
        AudioChange::Processed { treatment } => treated(treatment, true),
        AudioChange::Edited { edits } => match edits.as_slice() {
            [edit] => match &edit.kind {
                EditKind::Inserted => "inserted",
                EditKind::Removed => "removed",
                EditKind::Overwritten { treatment } => treated(treatment, false),
                EditKind::Replaced => "replaced",
            },
            _ => "several edits",
        },
    }
}

fn treated(treatment: &Treatment, all: bool) -> &'static str {
    match treatment {
        Treatment::Gain { .. } => "gain",
        Treatment::Fade { .. } if all => "fade of all",
        Treatment::Fade { .. } => "fade",
        Treatment::ChannelsSwapped { .. } => "channels swapped",
        Treatment::Converted { .. } => "converted",
        Treatment::Rerendered { .. } if all => "re-rendered",
        Treatment::Unrelated { .. } if all => "unrelated",
        Treatment::Rerendered { .. } | Treatment::Unrelated { .. } => "overwritten",
    }
}

#[test]
fn known_edits_are_called_by_their_names() {
    let mut matrix: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for seed in 0..SEEDS {
        let frames = take(seed);
        let before = file(&frames, RATE, false);
        for name in EDITS {
            let after = edit(name, seed, &frames, &mut Dice(seed * 977 + name.len() as u64));
            // An edit of silence may be none.
            if after == before && name != "identical" {
                continue;
            }
            let (old, new) = (Pcm::open(&before).unwrap().unwrap(), Pcm::open(&after).unwrap().unwrap());
            let found = difference(&old, &new, &Limits::default()).unwrap().change;
            *matrix.entry((name, called(&found))).or_default() += 1;
            if called(&found) != meant(name) {
                wrong.push(format!("{name}, seed {seed}: {found:?}"));
            }
        }
    }
    // As it stands in docs/performance.md.
    for ((name, found), count) in &matrix {
        println!("| {name} | {found} | {count} |");
    }
    let pairs: u32 = matrix.values().sum();
    println!("| all | | {pairs} |");
    assert!(pairs >= 200, "{pairs} pairs");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
