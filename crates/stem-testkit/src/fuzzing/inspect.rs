//! What files hold and how they differ: recordings, MIDI, text, JSON, projects.
//!
//! An input is two versions of a file: how the second comes from the first, then the first, or both. Nothing may panic,
//! nothing that is shown may steer a terminal, a version does not differ from itself, and what is counted as added and
//! removed makes the one count of the other.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde::de::IgnoredAny;
use stem_inspect::midi::MidiDifference;
use stem_inspect::{Difference, Facts, Limits, midi, project, text};

use super::feed::Feed;
use super::{accepted, check_shown};

/// Little enough that a second holds many executions.
fn limits() -> Limits {
    Limits { whole: 1 << 18, inflated: 1 << 20, decoded: 1 << 17, cancelled: None }
}

/// Two versions: the second is the rest after a cut, or the first with some bytes other, gone, or twice.
fn versions(data: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut feed = Feed::new(data);
    let (how, at, length, with) = (feed.byte(), feed.u16(), feed.byte(), feed.byte());
    let first = feed.rest();
    let start = usize::from(at) % (first.len() + 1);
    let end = (start + usize::from(length)).min(first.len());
    let (before, inner, after) = (&first[..start], &first[start..end], &first[end..]);
    match how % 4 {
        0 => (before.to_vec(), first[start..].to_vec()),
        1 => {
            let other: Vec<u8> = inner.iter().map(|byte| byte ^ with.max(1)).collect();
            (first.to_vec(), [before, &other, after].concat())
        }
        2 => (first.to_vec(), [before, after].concat()),
        _ => (first.to_vec(), [before, inner, inner, after].concat()),
    }
}

/// A line that is shown, and what is given to scripts.
fn check_told(summary: &str, told: &impl Serialize) {
    assert!(!summary.is_empty(), "there is something to say");
    check_shown(&summary);
    let json = accepted(serde_json::to_string(told));
    assert!(!json.contains(['\u{7f}', '\u{85}', '\u{9b}']), "{json} holds a control character");
}

/// Asks everything that can be asked of two versions of a file, whatever they are.
fn check_both(path: &[u8], before: &[u8], after: &[u8], limits: &Limits) -> Option<Difference> {
    for (bytes, other) in [(before, after), (after, before)] {
        let description = accepted(stem_inspect::describe(path, &bytes.to_vec(), limits));
        assert_eq!(description.bytes, bytes.len() as u64, "the length is the length");
        check_told(&description.summary(), &description);
        let same = accepted(stem_inspect::compare(path, &bytes.to_vec(), &bytes.to_vec(), limits));
        assert!(matches!(same, Difference::Identical), "a file differs from itself: {}", same.summary());
        let difference = accepted(stem_inspect::compare(path, &bytes.to_vec(), &other.to_vec(), limits));
        check_told(&difference.summary(), &difference);
    }
    stem_inspect::compare(path, &before.to_vec(), &after.to_vec(), limits).ok()
}

/// Recordings, as they are or decoded: described, compared, drawn and clipped.
///
/// # Panics
///
/// If one of that does not hold.
pub fn check_inspect_audio(data: &[u8]) {
    let limits = limits();
    let (before, after) = versions(data);
    let difference = check_both(b"a.wav", &before, &after, &limits);
    for bytes in [&before, &after] {
        if let Some(columns) = accepted(stem_inspect::waveform(bytes, 0..1 << 20, 40, &limits)) {
            assert!(columns.len() <= 40, "no more columns than were asked for");
            // A column of no frames would be a gap in the drawing.
            assert!(
                columns.iter().flatten().all(|peak| (-1.0..=1.0).contains(peak)),
                "a peak lies within full scale"
            );
        }
        if let Some(clip) = accepted(stem_inspect::clip(bytes, 3..5000, 4096, &limits)) {
            assert!(clip.wav.len() <= 4096, "no more bytes than were asked for");
        }
    }
    if let Some(Difference::Audio(difference)) = difference {
        let drawn = stem_inspect::residual_waveform(&before, &after, &difference, 0..1 << 20, 40, &limits);
        assert!(
            accepted(drawn).is_none_or(|columns| columns.len() <= 40),
            "no more columns than were asked for"
        );
    }
}

/// MIDI files, half of them with a head that is right.
///
/// # Panics
///
/// If one of that does not hold.
pub fn check_inspect_midi(data: &[u8]) {
    let (mut before, mut after) = versions(data);
    if data.first().is_some_and(|how| how & 0x80 != 0) {
        // Format and ticks are chosen by the content; the track is as long as there are bytes.
        for version in [&mut before, &mut after] {
            let [format, a, b] = Feed::new(version).array::<3>();
            let mut whole = b"MThd\0\0\0\x06\0".to_vec();
            whole.extend_from_slice(&[format % 3, 0, 1, a, b]);
            whole.extend_from_slice(b"MTrk\xff\xff\xff\xff");
            whole.extend_from_slice(version.get(3..).unwrap_or_default());
            *version = whole;
        }
    }
    let limits = limits();
    let difference = check_both(b"a.mid", &before, &after, &limits);
    let same = accepted(midi::difference(&before, &before, &limits));
    if let Some(same) = same {
        let MidiDifference { tracks, tempo, meter, division, seconds, .. } = &same;
        assert!(tracks.is_empty() && tempo.is_none() && meter.is_none(), "{same:?}");
        assert!(division.is_none() && seconds.is_none(), "{same:?}");
    }
    if let Some(Difference::Midi(difference)) = difference
        && difference.more_tracks == 0
    {
        let notes = |bytes: &[u8]| accepted(midi::describe(bytes, &limits)).map_or(0, |facts| facts.notes);
        let sum = |of: fn(&midi::NoteCounts) -> u64| {
            difference.tracks.iter().map(|track| of(&track.notes)).sum::<u64>()
        };
        assert_eq!(
            notes(&before) + sum(|notes| notes.added),
            notes(&after) + sum(|notes| notes.removed),
            "what is added and removed makes the one of the other: {difference:?}"
        );
        for track in &difference.tracks {
            let all = [track.notes.added, track.notes.removed, track.notes.moved, track.notes.transposed];
            let all = all.iter().sum::<u64>() + track.notes.velocity + track.notes.length;
            assert_eq!(all, track.changes.len() as u64 + track.more, "what is not listed is counted");
        }
    }
}

/// Text by lines, and JSON by keys.
///
/// # Panics
///
/// If one of that does not hold.
pub fn check_inspect_text(data: &[u8]) {
    let (before, after) = versions(data);
    let limits = limits();
    check_both(b"a.json", &before, &after, &limits);
    if let (Some(old), Some(new), Some(found)) = (
        accepted(text::describe_text(&before, &limits)),
        accepted(text::describe_text(&after, &limits)),
        accepted(text::text_difference(&before, &after, &limits)),
    ) {
        assert_eq!(old.lines + found.added, new.lines + found.removed, "{found:?}");
        check_told(&found.summary(), &found);
        let content = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        let trimmed = |text: String| text.trim_start_matches('\u{feff}').trim_end_matches('\n').to_owned();
        if found.spans.is_empty() {
            assert_eq!(trimmed(content(&before)), trimmed(content(&after)), "no line differs");
        }
    }
    if let Some(facts) = accepted(text::describe_json(&before, &limits)) {
        let plain = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&before);
        // It has a bound of its own.
        if facts.depth < 127 {
            assert!(serde_json::from_slice::<IgnoredAny>(plain).is_ok(), "another reader refuses it");
        }
    }
    if let Some(found) = accepted(text::json_difference(&before, &after, &limits)) {
        check_told(&found.summary(), &found);
        assert_eq!(found.added + found.removed + found.changed, found.changes.len() as u64 + found.more);
        found.changes.iter().for_each(|change| check_shown(&change.short()));
    }
}

/// Projects: gzip as it is, or XML that is compressed here.
///
/// # Panics
///
/// If one of that does not hold.
pub fn check_inspect_project(data: &[u8]) {
    let (mut before, mut after) = versions(data);
    let how = data.first().copied().unwrap_or(0);
    if how & 0x40 != 0 {
        for version in [&mut before, &mut after] {
            version.splice(..0, *b"<?xml version='1.0'?>");
        }
    }
    let plain = [before.clone(), after.clone()];
    if how & 0x80 != 0 {
        for version in [&mut before, &mut after] {
            let mut packer = GzEncoder::new(Vec::new(), Compression::new(u32::from(how >> 2) % 10));
            accepted(packer.write_all(version));
            *version = accepted(packer.finish());
        }
    }
    let limits = limits();
    let difference = check_both(b"a.als", &before, &after, &limits);
    if let Some(Difference::Project(found)) = difference {
        if how & 0x80 != 0 {
            assert_eq!(found.same_content, plain[0] == plain[1], "the same XML is the same content");
        }
        found.changes.iter().for_each(|change| check_shown(&change.short()));
    }
    let described = accepted(stem_inspect::describe(b"a.als", &before, &limits));
    if how & 0x80 != 0 && described.facts == Facts::Other {
        assert!(described.note.is_some(), "that a compressed file is not looked into is said");
    }
    // What is compressed holds what it holds.
    let facts = [&before, &plain[0]].map(|bytes| accepted(project::describe(bytes, &limits)));
    if let [Some(packed), Some(plain)] = facts {
        assert_eq!(
            (packed.xml_bytes, packed.elements, packed.tracks),
            (plain.xml_bytes, plain.elements, plain.tracks)
        );
    }
}
