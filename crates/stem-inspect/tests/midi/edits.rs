//! Edits that are known are named exactly.

use proptest::prelude::*;
use stem_inspect::Limits;
use stem_inspect::midi::{NoteCounts, difference};

use super::build::{Event, name, note, smf, track};

/// A note on a grid of sixteenths: each place has its own, and no two have the same pitch and strength, so that an edit can
/// be one thing only.
fn placed(number: u32) -> (u32, u8, u8) {
    (number * 120, u8::try_from(20 + number % 100).unwrap(), u8::try_from(20 + number / 100 * 30).unwrap())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Keep,
    Remove,
    Louder,
    Longer,
    Later,
    Higher,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => Just(Edit::Keep),
        1 => Just(Edit::Remove),
        1 => Just(Edit::Louder),
        1 => Just(Edit::Longer),
        1 => Just(Edit::Later),
        1 => Just(Edit::Higher),
    ]
}

fn file(notes: &[Event]) -> Vec<u8> {
    let mut events = vec![name("keys")];
    events.extend_from_slice(notes);
    smf(1, 480, &[track(&events)])
}

proptest! {
    #[test]
    fn known_edits_are_named(edits in prop::collection::vec(edit(), 1..200), added in prop::collection::vec(0_u32..200, 0..9)) {
        let (mut before, mut after, mut expected) = (Vec::new(), Vec::new(), NoteCounts::default());
        let mut places = Vec::new();
        for (number, edit) in (0_u32..).zip(&edits) {
            let (start, key, velocity) = placed(number);
            before.extend(note(start, 60, 0, key, velocity));
            let (start, length, key, velocity) = match edit {
                Edit::Keep => (start, 60, key, velocity),
                Edit::Remove => {
                    expected.removed += 1;
                    places.push(start);
                    continue;
                }
                Edit::Louder => {
                    expected.velocity += 1;
                    (start, 60, key, velocity + 7)
                }
                Edit::Longer => {
                    expected.length += 1;
                    (start, 61, key, velocity)
                }
                Edit::Later => {
                    expected.moved += 1;
                    // Each by another distance: the odd ticks are nobody's.
                    (start + 1 + number % 50, 60, key, velocity)
                }
                Edit::Higher => {
                    expected.transposed += 1;
                    (start, 60, key - 12, velocity)
                }
            };
            places.push(start);
            after.extend(note(start, length, 0, key, velocity));
            if *edit == Edit::Keep {
                places.pop();
            }
        }
        for number in added.iter().collect::<std::collections::BTreeSet<_>>() {
            expected.added += 1;
            let start = number * 480 + 119;
            places.push(start);
            // Above all others.
            after.extend(note(start, 30, 0, 125, 120));
        }
        let found = difference(&file(&before), &file(&after), &Limits::default()).unwrap().unwrap();
        let counts = found.tracks.first().map_or(NoteCounts::default(), |track| track.notes);
        prop_assert_eq!(counts, expected);
        let bars = places.iter().min().zip(places.iter().max()).map(|(first, last)| [first, last].map(|tick| u64::from(tick / 1920) + 1));
        prop_assert_eq!(found.tracks.first().and_then(|track| track.bars), bars);
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..400), ticks in any::<u16>(), format in 0..3_u8) {
        let limits = Limits::default();
        let file = smf(format, ticks, &[bytes.clone(), bytes]);
        let other = smf(1, 480, &[track(&note(0, 1, 0, 60, 1))]);
        for (before, after) in [(&file, &other), (&other, &file), (&file, &file)] {
            let found = difference(before, after, &limits).unwrap();
            prop_assert!(found.is_none_or(|found| !found.summary().is_empty()));
        }
        let same = difference(&file, &file, &limits).unwrap();
        prop_assert!(same.is_none_or(|same| same.tracks.is_empty() && same.tempo.is_none()));
    }
}
