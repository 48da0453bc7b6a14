//! MIDI files: what they are like, and edits that are known.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod build;
mod edits;

use build::{Event, meter, name, note, smf, tempo, track, varint};
use stem_inspect::midi::{Division, MidiFacts, TrackChange, describe, difference};
use stem_inspect::{Difference, Limits, compare};

fn facts(bytes: &[u8]) -> MidiFacts {
    describe(bytes, &Limits::default()).unwrap().unwrap()
}

fn summary(before: &[u8], after: &[u8]) -> String {
    compare(b"a.mid", &before.to_vec(), &after.to_vec(), &Limits::default()).unwrap().summary()
}

/// Four bars of quarter notes, and a name.
fn drums() -> Vec<Event> {
    let mut events = vec![name("drums")];
    events.extend((0..16).flat_map(|n| note(n * 480, 120, 9, 36 + u8::try_from(n).unwrap(), 100)));
    events
}

fn song(tracks: &[Vec<Event>]) -> Vec<u8> {
    smf(1, 480, &tracks.iter().map(|events| track(events)).collect::<Vec<_>>())
}

#[test]
fn a_song_is_described() {
    let conductor = vec![tempo(0, 124.0), meter(0, 3, 2), tempo(480 * 6, 90.0), meter(480 * 6, 4, 2)];
    let mut bass = vec![name("bass")];
    bass.extend(note(0, 480, 1, 40, 90));
    bass.extend(note(480 * 9, 480, 2, 43, 90));
    let found = facts(&song(&[conductor, bass]));
    assert_eq!((found.format, found.division), (1, Division::TicksPerQuarter(480)));
    assert_eq!((found.notes, found.damaged, found.bars), (2, false, Some(3)));
    assert_eq!(found.tracks[1].name.as_deref(), Some("bass"));
    assert_eq!((found.tracks[1].channels.as_slice(), found.tracks[1].range), (&[2, 3][..], Some([40, 43])));
    assert_eq!(found.tempos.iter().map(|tempo| tempo.bar).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert_eq!(
        found.meters.iter().map(|meter| (meter.beats, meter.unit)).collect::<Vec<_>>(),
        [(3, 4), (4, 4)]
    );
    let seconds = 6.0 * 60.0 / 124.0 + 4.0 * 60.0 / 90.0;
    assert!((found.seconds - seconds).abs() < 1e-3, "{}", found.seconds);
    assert_eq!(found.summary(), "2 tracks, 2 notes, 2 tempos, 3 bars, 0:05.6");
}

#[test]
fn what_is_written_otherwise_is_no_difference() {
    let plain = song(&[drums()]);
    // Running status, ends as strikes without force, finer ticks, RIFF around it.
    let mut other = Vec::new();
    for number in 0..16_u8 {
        other.extend(varint(if number == 0 { 0 } else { 720 }));
        if number == 0 {
            other.push(0x99);
        }
        other.extend([36 + number, 100]);
        other.extend(varint(240));
        other.extend([36 + number, 0]);
    }
    let mut events = name("drums").bytes;
    events.splice(..0, [0]);
    events.extend(other);
    events.extend([0, 0xff, 0x2f, 0]);
    let inner = smf(1, 960, &[events]);
    let mut riff = b"RIFF\0\0\0\0RMIDdata".to_vec();
    riff.extend(u32::try_from(inner.len()).unwrap().to_le_bytes());
    riff.extend(&inner);
    let size = u32::try_from(riff.len() - 8).unwrap().to_le_bytes();
    riff[4..8].copy_from_slice(&size);
    assert_eq!(facts(&plain).notes, facts(&riff).notes);
    let found = difference(&plain, &riff, &Limits::default()).unwrap().unwrap();
    assert!(found.tracks.is_empty(), "{found:?}");
    assert_eq!(summary(&plain, &riff), "same notes, written anew");
}

#[test]
fn film_time_and_patterns_are_understood() {
    let film =
        [&b"MThd\0\0\0\x06\0\0\0\x01\xe7\x28"[..], &chunk(&track(&note(1000, 500, 0, 60, 80)))].concat();
    let found = facts(&film);
    assert_eq!(found.division, Division::Frames { per_second: 25, ticks: 40 });
    assert_eq!((found.bars, found.seconds), (None, 1.5));
    let mut patterns = vec![
        track(&note(0, 480, 0, 60, 80)),
        track(&[&[tempo(0, 60.0)][..], &note(0, 960, 0, 62, 80)].concat()),
    ];
    let before = smf(2, 480, &patterns);
    assert!((facts(&before).seconds - 2.0).abs() < 1e-9, "the tempo of a pattern is its own");
    patterns[0] = track(&note(0, 480, 0, 60, 40));
    assert_eq!(summary(&before, &smf(2, 480, &patterns)), "1 note louder or softer in track 1, bar 1");
}

fn chunk(track: &[u8]) -> Vec<u8> {
    let length = u32::try_from(track.len()).unwrap().to_be_bytes();
    [&b"MTrk"[..], &length, track].concat()
}

#[test]
fn channels_of_one_track_are_told_apart() {
    let mut events = note(0, 480, 0, 60, 80);
    events.extend(note(0, 480, 9, 36, 80));
    let before = smf(0, 480, &[track(&events)]);
    assert_eq!(
        facts(&before).tracks.iter().filter_map(|track| track.name.clone()).collect::<Vec<_>>(),
        ["channel 1", "channel 10"]
    );
    events.extend(note(1920, 480, 9, 38, 80));
    assert_eq!(summary(&before, &smf(0, 480, &[track(&events)])), "1 note added in channel 10, bar 2");
}

#[test]
fn tracks_are_followed_by_name_and_by_notes() {
    let mut bass = vec![name("bass")];
    bass.extend(note(0, 480, 1, 40, 90));
    let mut keys = bass.clone();
    keys[0] = name("keys");
    assert_eq!(
        summary(&song(&[drums(), bass.clone()]), &song(&[bass.clone(), drums()])),
        "same notes, written anew"
    );
    assert_eq!(
        summary(&song(&[drums(), bass.clone()]), &song(&[drums(), keys.clone()])),
        "track bass renamed keys"
    );
    assert_eq!(summary(&song(&[drums()]), &song(&[drums(), keys.clone()])), "track keys added (1 note)");
    assert_eq!(summary(&song(&[drums(), bass]), &song(&[drums()])), "track bass removed (1 note)");
    keys[0] = name("\x1b[2Jkeys");
    let found = difference(&song(&[drums()]), &song(&[drums(), keys]), &Limits::default()).unwrap().unwrap();
    assert_eq!(
        (found.tracks[0].change, found.tracks[0].name.as_str()),
        (TrackChange::Added, "\u{fffd}[2Jkeys")
    );
}

#[test]
fn summaries_speak_of_bars_and_tracks() {
    let before = song(&[vec![tempo(0, 120.0)], drums()]);
    let mut more = drums();
    more.extend((0..12).flat_map(|n| note(8 * 1920 + n * 640, 120, 9, 60 + u8::try_from(n).unwrap(), 90)));
    assert_eq!(
        summary(&before, &song(&[vec![tempo(0, 120.0)], more.clone()])),
        "12 notes added in drums, bars 9–12"
    );
    assert_eq!(
        summary(&before, &song(&[vec![tempo(0, 124.0), meter(4 * 1920, 3, 2)], more])),
        "tempo 120 → 124; meter 4/4 → 3/4 from bar 5; 12 notes added in drums, bars 10–15"
    );
    let mut other = drums();
    other.push(Event::at(0, vec![0xb9, 7, 100]));
    assert_eq!(summary(&before, &song(&[vec![tempo(0, 120.0)], other])), "1 other event changed in drums");
    let found = compare(b"", &before, &before, &Limits::default()).unwrap();
    assert!(matches!(found, Difference::Identical));
}

#[test]
fn awkward_files_are_read_as_far_as_they_go() {
    let whole = song(&[drums()]);
    for length in 0..whole.len() {
        let _ = describe(&whole[..length], &Limits::default()).unwrap();
    }
    let cut = facts(&whole[..whole.len() - 20]);
    assert!(cut.damaged && cut.notes > 10);
    // A note that never ends, one that ends without having begun, and a pause of days.
    let mut events = vec![Event::at(0, vec![0x90, 60, 80]), Event::at(1, vec![0x80, 61, 0])];
    events.push(Event::at(0x0fff_ffff, vec![0x90, 62, 80]));
    let before = song(&[events.clone()]);
    assert_eq!(facts(&before).notes, 2);
    events.pop();
    let found = difference(&before, &song(&[events]), &Limits::default()).unwrap().unwrap();
    assert_eq!(found.tracks[0].notes.removed, 1);
    assert!(found.seconds.is_some());
    // Ticks, tempo and meter of nothing.
    let nothing = smf(1, 0, &[track(&[tempo(0, 1e9), meter(0, 0, 200), Event::at(5, vec![0x90, 1, 1])])]);
    assert!(facts(&nothing).seconds.is_finite());
    assert!(describe(b"MThd", &Limits::default()).unwrap().is_none());
}

#[test]
fn lists_are_bounded_and_the_rest_is_counted() {
    let many: Vec<Event> =
        (0..5000_u32).flat_map(|n| note(n * 7, 5, 0, u8::try_from(n % 120).unwrap(), 80)).collect();
    let found = difference(&song(&[drums()]), &song(&[drums(), many]), &Limits::default()).unwrap().unwrap();
    assert_eq!((found.tracks[0].changes.len(), found.tracks[0].more), (1000, 4000));
    let tempos: Vec<Event> = (0..1500_u16).map(|n| tempo(u32::from(n), 100.0 + f64::from(n % 2))).collect();
    let found = facts(&song(&[tempos]));
    assert_eq!((found.tempos.len(), found.more_tempos), (1000, 500));
}
