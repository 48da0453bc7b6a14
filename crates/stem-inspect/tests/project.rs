//! Projects: edits that are known.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use stem_inspect::project::{ProjectDifference, ProjectFacts, TrackKind, describe, difference, obstacle};
use stem_inspect::text::Change;
use stem_inspect::{Difference, Facts, Limits, compare};

fn packed(xml: &str, level: u32) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::new(level));
    packer.write_all(xml.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn track(tag: &str, id: u32, name: &str, volume: &str) -> String {
    format!(
        "<{tag} Id=\"{id}\"><Name><EffectiveName Value=\"{name}\"/><UserName Value=\"\"/></Name>\
         <DeviceChain><Mixer><Volume><Manual Value=\"{volume}\"/></Volume></Mixer></DeviceChain></{tag}>"
    )
}

fn set(tempo: &str, tracks: &[String]) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Ableton MajorVersion=\"5\" Creator=\"Ableton Live 11.3.4\">\
         <LiveSet><Tracks>{}</Tracks><MasterTrack><DeviceChain><Mixer><Tempo><Manual Value=\"{tempo}\"/></Tempo></Mixer>\
         </DeviceChain></MasterTrack></LiveSet></Ableton>",
        tracks.concat()
    )
}

fn tracks() -> Vec<String> {
    vec![
        track("AudioTrack", 8, "Drums &amp; Co", "1"),
        track("MidiTrack", 9, "Bass", "1"),
        track("AudioTrack", 12, "Vox", "0.5"),
    ]
}

fn facts(bytes: &[u8]) -> ProjectFacts {
    describe(bytes, &Limits::default()).unwrap().unwrap()
}

fn compared(before: &str, after: &str) -> ProjectDifference {
    difference(&packed(before, 6), &packed(after, 6), &Limits::default()).unwrap().unwrap()
}

#[test]
fn a_set_of_live_is_described() {
    let xml = set("124", &tracks());
    let found = facts(&packed(&xml, 6));
    assert_eq!(found.summary(), "Ableton Live 11.3.4, 3 tracks, 124 bpm");
    assert_eq!((found.compressed, found.xml_bytes), (true, xml.len() as u64));
    assert_eq!((found.tracks[0].kind, found.tracks[0].name.as_str()), (TrackKind::Audio, "Drums & Co"));
    let plain = facts(xml.as_bytes());
    assert!(!plain.compressed);
    assert_eq!(plain.tracks, found.tracks);
    assert_eq!(facts(b"<?xml version='1.0'?><song creator='LMMS'/>").summary(), "LMMS, 43 bytes of XML");
}

#[test]
fn saved_anew_is_the_same() {
    let xml = set("120", &tracks());
    let (before, after) = (packed(&xml, 1), packed(&xml, 9));
    assert_ne!(before, after);
    let found = compare(b"a.als", &before, &after, &Limits::default()).unwrap();
    assert_eq!(found.summary(), "same content, compressed anew");
    let spaced = xml.replace("><", ">\n  <");
    assert_eq!(compared(&xml, &spaced).summary(), "same content, written anew");
}

#[test]
fn edits_are_named_by_path() {
    let before = set("120", &tracks());
    let mut other = tracks();
    other[2] = track("AudioTrack", 12, "Vox double", "0.7");
    other.push(track("MidiTrack", 20, "Pad", "1"));
    other.push(track("ReturnTrack", 21, "Hall", "1"));
    let found = compared(&before, &set("124", &other));
    let paths: Vec<_> = found.changes.iter().map(|change| (change.change, change.path.as_str())).collect();
    assert_eq!(
        paths,
        [
            (Change::Changed, "LiveSet/Tracks/AudioTrack[2]/Name/EffectiveName@Value"),
            (Change::Changed, "LiveSet/Tracks/AudioTrack[2]/DeviceChain/Mixer/Volume/Manual@Value"),
            (Change::Added, "LiveSet/Tracks/MidiTrack[2]"),
            (Change::Added, "LiveSet/Tracks/ReturnTrack"),
            (Change::Changed, "LiveSet/MasterTrack/DeviceChain/Mixer/Tempo/Manual@Value"),
        ]
    );
    assert_eq!(
        found.summary(),
        "tempo 120 → 124, 2 tracks added, track Vox renamed Vox double, 1 other value"
    );
    assert_eq!(compared(&before, &set("120", &tracks()[1..])).summary(), "track Drums & Co removed");
    let louder = before.replace("Value=\"0.5\"", "Value=\"0.7\"");
    assert_eq!(compared(&before, &louder).summary(), "1 value");
    let newer = before.replace("11.3.4", "12.0").replace("MajorVersion=\"5\"", "MajorVersion=\"6\"");
    assert_eq!(compared(&before, &newer).summary(), "Ableton Live 11.3.4 → Ableton Live 12.0, 1 other value");
    assert_eq!(compared("<?xml?><a/>", "<?xml?><b/>").summary(), "2 elements added or removed");
}

#[test]
fn bombs_and_damage_are_other_files_with_a_note() {
    let limits = Limits::default();
    let bomb = packed(&format!("<?xml version='1.0'?><a>{}</a>", "x".repeat(40 << 20)), 9);
    let damaged = {
        let mut bytes = packed(&set("120", &tracks()), 6);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        bytes
    };
    let mut deep = "<?xml version='1.0'?>".to_owned();
    deep.push_str(&"<a>".repeat(1000));
    deep.push_str(&"</a>".repeat(1000));
    let sound = packed(&set("120", &tracks()), 6);
    let notes = [
        (bomb, "compressed, and too long to be unpacked here"),
        (damaged, "compressed, and damaged"),
        (packed(&deep, 6), "compressed; what is in it is no XML that can be read"),
        (packed("plain text", 6), "compressed; what is in it is no XML that can be read"),
    ];
    for (bytes, note) in notes {
        assert_eq!(obstacle(&bytes, &limits), Some(note));
        let found = stem_inspect::describe(b"a.als", &bytes, &limits).unwrap();
        assert_eq!((found.facts, found.note.as_deref()), (Facts::Other, Some(note)));
        let Difference::Other(share) = compare(b"a.als", &sound, &bytes, &limits).unwrap() else {
            panic!("it is not looked into")
        };
        assert_eq!(share.note, Some(format!("after: {note}")));
    }
    assert_eq!(obstacle(&sound, &limits), None);
    assert_eq!(obstacle(b"text", &limits), None);
}

#[test]
fn lists_are_bounded_and_names_are_fit_to_be_shown() {
    let many = |from: u32| {
        let elements =
            (from..from + 3000).map(|n| format!("<e Id=\"{n}\" v=\"{from}\"/>")).collect::<Vec<_>>().concat();
        format!("<?xml version=\"1.0\"?><r>{elements}</r>")
    };
    let found = compared(&many(0), &many(10_000));
    assert_eq!((found.added, found.removed, found.changes.len(), found.more), (3000, 3000, 1000, 5000));
    let hostile = set("120", &[track("AudioTrack", 8, "\u{1b}[2J", "1")]);
    assert_eq!(facts(hostile.as_bytes()).tracks[0].name, "\u{fffd}[2J");
}

proptest! {
    #[test]
    fn values_that_were_changed_are_counted(
        values in prop::collection::vec((0_u8..9, 0_u8..9), 1..60),
    ) {
        let document = |pick: fn(&(u8, u8)) -> u8| {
            let elements = values.iter().enumerate().map(|(n, pair)| format!("<e Id=\"{n}\"><v Value=\"{}\"/></e>", pick(pair))).collect::<Vec<_>>().concat();
            format!("<?xml version=\"1.0\"?><r>{elements}</r>")
        };
        let found = compared(&document(|pair| pair.0), &document(|pair| pair.1));
        prop_assert_eq!(found.values, values.iter().filter(|(old, new)| old != new).count() as u64);
        prop_assert_eq!((found.added, found.removed), (0, 0));
        prop_assert_eq!(found.same_content, values.iter().all(|(old, new)| old == new));
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[<>/a=\"'&;! -]{0,60}") {
        let limits = Limits::default();
        let sound = packed(&set("120", &tracks()), 6);
        let xml = format!("<?xml version='1.0'?>{text}");
        for other in [[&b"\x1f\x8b\x08"[..], &bytes].concat(), packed(&xml, 6), xml.into_bytes()] {
            for (before, after) in [(&sound, &other), (&other, &sound)] {
                prop_assert!(!compare(b"a.als", before, after, &limits).unwrap().summary().is_empty());
            }
        }
    }
}
