//! The table of what a file is like.

use stem_page::units;

use super::article::{float, signed};
use super::model::Fact;
use crate::audio::{AudioFacts, Decibels};
use crate::words::clock;
use crate::{Description, Facts};

/// The rows for a file, before and after.
pub(super) fn rows(versions: [Option<&Description>; 2]) -> Vec<Fact> {
    let mut rows = Vec::new();
    let mut row = |name, of: &dyn Fn(&Description) -> Option<String>| {
        let values = versions.map(|version| version.and_then(of));
        if values.iter().any(Option::is_some) {
            rows.push(Fact { name, values });
        }
    };
    row("Kind", &|file| Some(kind(file)));
    row("Size", &|file| Some(units::size(float(file.bytes))));
    row("Content", &|file| match file.facts {
        Facts::Audio(_) | Facts::Other => None,
        _ => Some(file.summary()),
    });
    let mut audio = |name, of: &dyn Fn(&AudioFacts) -> Option<String>| {
        row(name, &|file| if let Facts::Audio(facts) = &file.facts { of(facts) } else { None });
    };
    audio("Length", &|facts| Some(clock(facts.seconds)));
    audio("Sample rate", &|facts| Some(format!("{} Hz", units::digits(facts.rate))));
    audio("Bit depth", &|facts| {
        facts.bits.map(|bits| format!("{bits}-bit{}", if facts.float { " float" } else { "" }))
    });
    audio("Channels", &|facts| {
        Some(match facts.channels {
            1 => "mono".to_owned(),
            2 => "stereo".to_owned(),
            more => more.to_string(),
        })
    });
    audio("Peak", &|facts| Some(level(facts.peak())));
    audio("Loudness", &|facts| {
        Some(
            facts
                .loudness
                .map_or_else(|| "too quiet to tell".to_owned(), |lufs| format!("{} LUFS", signed(lufs))),
        )
    });
    for (name, of) in [
        ("Silence at the start", (|facts| facts.silence.leading) as fn(&AudioFacts) -> u64),
        ("Silence at the end", |facts| facts.silence.trailing),
    ] {
        // Less is how any sound begins and ends.
        let long = |facts: &AudioFacts| seconds(of(facts), facts) >= 0.05;
        let is_long = |file: &Description| matches!(&file.facts, Facts::Audio(facts) if long(facts));
        if versions.iter().flatten().any(|file| is_long(file)) {
            audio(name, &|facts| {
                Some(if long(facts) { clock(seconds(of(facts), facts)) } else { "none".to_owned() })
            });
        }
    }
    rows
}

fn kind(file: &Description) -> String {
    match &file.facts {
        Facts::Audio(facts) if facts.container == facts.codec => facts.container.to_owned(),
        Facts::Audio(facts) => format!("{}, {}", facts.container, facts.codec),
        Facts::Midi(_) => "MIDI".to_owned(),
        Facts::Json(_) => "JSON".to_owned(),
        Facts::Text(_) => "text".to_owned(),
        Facts::Project(_) => "project".to_owned(),
        Facts::Other => "other".to_owned(),
    }
}

/// A level: `−3.1 dBFS`.
pub(super) fn level(level: Decibels) -> String {
    if level.0.is_finite() { format!("{} dBFS", signed(level.0)) } else { "silent".to_owned() }
}

/// When a frame of a recording is heard, in seconds.
fn seconds(frames: u64, facts: &AudioFacts) -> f64 {
    crate::audio::change::seconds(frames, facts.rate)
}
