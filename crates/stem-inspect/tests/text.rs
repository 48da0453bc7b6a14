//! Text and JSON: edits that are known.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use stem_inspect::text::{
    Change, JsonDifference, LineEnds, TextDifference, describe_json, describe_text, json_difference,
    text_difference,
};
use stem_inspect::{Difference, Limits, compare};

fn lines(before: &str, after: &str) -> TextDifference {
    text_difference(before.as_bytes(), after.as_bytes(), &Limits::default()).unwrap().unwrap()
}

fn keys(before: &str, after: &str) -> JsonDifference {
    json_difference(before.as_bytes(), after.as_bytes(), &Limits::default()).unwrap().unwrap()
}

fn shorts(before: &str, after: &str) -> Vec<String> {
    let sign = |change| match change {
        Change::Added => "+",
        Change::Removed => "-",
        Change::Changed => "~",
    };
    let found = keys(before, after);
    found.changes.iter().map(|change| format!("{}{}", sign(change.change), change.short())).collect()
}

#[test]
fn texts_are_described() {
    let facts = |bytes: &[u8]| describe_text(bytes, &Limits::default()).unwrap();
    let found = facts(b"\xef\xbb\xbfone\r\ntwo\r\nthree").unwrap();
    assert_eq!((found.lines, found.line_ends, found.byte_order_mark), (3, LineEnds::CrLf, true));
    assert_eq!(found.summary(), "3 lines");
    assert_eq!(facts(b"").unwrap().lines, 0);
    assert!(facts(b"a\0b").is_none());
    assert!(facts(b"\xff\xfe").is_none());
}

#[test]
fn lines_have_numbers() {
    let found = lines("a\nb\nc\nd\n", "a\nB\nc\nd\ne\nf\n");
    assert_eq!((found.changed, found.added, found.removed), (1, 2, 0));
    assert_eq!(found.spans[0].before, Some([2, 2]));
    assert_eq!(found.spans[1].after, Some([5, 6]));
    assert_eq!(found.spans[0].text_after.as_deref(), Some("B"));
    assert_eq!(found.summary(), "1 line changed, 2 added, lines 2–6");
    assert_eq!(lines("a\nb\nc\n", "a\nc\n").summary(), "1 line removed, line 2");
}

#[test]
fn ends_of_lines_are_told_apart_from_lines() {
    assert_eq!(lines("a\r\nb\r\n", "a\nb\n").summary(), "line ends CRLF → LF");
    assert_eq!(lines("a\nb", "a\nb\n").summary(), "same lines, other line ends");
    assert_eq!(lines("a\n", "\u{feff}a\n").summary(), "byte order mark added");
    assert_eq!(lines("a\r\nb\r\n", "a\nc\n").summary(), "1 line changed, line 2, line ends CRLF → LF");
}

#[test]
fn a_project_of_reaper_is_text() {
    let before = "<REAPER_PROJECT 0.1\n  TEMPO 120 4 4\n  <TRACK\n    NAME drums\n  >\n>\n";
    let after = before.replace("TEMPO 120", "TEMPO 124");
    let found =
        compare(b"song.rpp", &before.as_bytes().to_vec(), &after.into_bytes(), &Limits::default()).unwrap();
    assert!(matches!(found, Difference::Text(_)));
    assert_eq!(found.summary(), "1 line changed, line 2");
}

#[test]
fn lists_and_work_are_bounded() {
    let before = (0..40_000).map(|n| format!("{}\n", n % 2)).collect::<Vec<_>>().concat();
    let after = (0..40_000).map(|n| format!("{}\n", n % 3)).collect::<Vec<_>>().concat();
    let found = lines(&before, &after);
    assert!(found.rough);
    let before = (0..6000).map(|n| format!("{n}\n")).collect::<Vec<_>>().concat();
    let after = (0..6000)
        .map(|n| if n % 2 == 0 { format!("{n}\n") } else { format!("x{n}\n") })
        .collect::<Vec<_>>()
        .concat();
    let found = lines(&before, &after);
    assert_eq!((found.changed, found.spans.len(), found.more, found.rough), (3000, 1000, 2000, false));
    let long = lines("a\n", &"ä".repeat(5000));
    assert_eq!(long.spans[0].text_after.as_ref().map(|text| text.chars().count()), Some(81));
}

#[test]
fn keys_have_paths() {
    let before = r#"{"tempo": 120, "tracks": [{"name": "drums", "volume": 1.0}, {"name": "bass", "volume": 0.5}], "a.b": 1}"#;
    let after = r#"{"tracks": [{"name": "pad"}, {"name": "drums", "volume": 1.00}, {"name": "bass", "mute": true, "volume": 0.5}], "tempo": 124}"#;
    assert_eq!(
        shorts(before, after),
        [
            "-[\"a.b\"] 1",
            "+tracks[0] {1 key}",
            "~tracks[1].volume 1.0 → 1.00",
            "+tracks[2].mute true",
            "~tempo 120 → 124"
        ]
    );
    assert_eq!(keys(before, after).summary(), "2 keys changed, 2 added, 1 removed");
    assert_eq!(keys("{\"tempo\":120}", "{\"tempo\":124}").summary(), "1 key changed: tempo 120 → 124");
    assert_eq!(keys("{\"a\":1,\"b\":2}", "{ \"b\": 2, \"a\": 1 }").summary(), "same values, written anew");
    assert_eq!(shorts("[1,2,3]", "[1,9,3,4]"), ["~[1] 2 → 9", "+[3] 4"]);
    assert_eq!(shorts("1", "[]"), ["~$ 1 → [0 elements]"]);
    assert_eq!(shorts("{\"k\":\"a\"}", "{\"k\":\"\\u001b[2J\"}"), ["~k \"a\" → \"\u{fffd}[2J\""]);
}

#[test]
fn numbers_are_compared_as_they_are_written() {
    assert_eq!(
        shorts("[9007199254740992]", "[9007199254740993]"),
        ["~[0] 9007199254740992 → 9007199254740993"]
    );
}

#[test]
fn what_json_readers_disagree_on_is_compared_as_text() {
    let limits = Limits::default();
    for text in ["{\"a\":1,\"a\":2}", &[&"[".repeat(200)[..], &"]".repeat(200)].concat(), "{'a':1}"] {
        assert!(describe_json(text.as_bytes(), &limits).unwrap().is_none());
        let found = compare(b"a.json", &text.as_bytes().to_vec(), &b"{}".to_vec(), &limits).unwrap();
        assert!(matches!(found, Difference::Text(_)), "{found:?}");
    }
}

#[test]
fn names_of_what_is_given_to_scripts_are_stable() {
    let found = serde_json::to_value(keys("{\"tempo\":120}", "{\"tempo\":124}")).unwrap();
    let change = json!({"change": "changed", "path": "tempo", "before": "120", "after": "124"});
    assert_eq!(found, json!({"added": 0, "removed": 0, "changed": 1, "changes": [change], "more": 0}));
    let found = serde_json::to_value(lines("a\n", "a\nb\r\n")).unwrap();
    let span =
        json!({"change": "added", "before": null, "after": [2, 2], "text_before": null, "text_after": "b"});
    assert_eq!(
        found,
        json!({"added": 1, "removed": 0, "changed": 0, "spans": [span], "more": 0, "line_ends": ["lf", "mixed"],
            "byte_order_mark": null, "rough": false})
    );
}

proptest! {
    #[test]
    fn known_edits_of_objects_are_named(
        before in prop::collection::btree_map("[a-f]{1,2}", 0_u8..4, 0..12),
        after in prop::collection::btree_map("[a-f]{1,2}", 0_u8..4, 0..12),
    ) {
        let count = |which: fn(Option<&u8>, Option<&u8>) -> bool| {
            let all: BTreeMap<_, _> = before.iter().chain(&after).collect();
            all.keys().filter(|key| which(before.get(**key), after.get(**key))).count() as u64
        };
        let found = keys(&json!({"x": [&before]}).to_string(), &json!({"x": [&after]}).to_string());
        prop_assert_eq!(found.added, count(|old, new| old.is_none() && new.is_some()));
        prop_assert_eq!(found.removed, count(|old, new| old.is_some() && new.is_none()));
        prop_assert_eq!(found.changed, count(|old, new| old.is_some() && new.is_some() && old != new));
    }

    #[test]
    fn the_lines_of_one_and_of_the_other_add_up(before in "[ab\n]{0,60}", after in "[ab\r\n]{0,60}") {
        let found = lines(&before, &after);
        let count = |text: &str| describe_text(text.as_bytes(), &Limits::default()).unwrap().unwrap().lines;
        prop_assert_eq!(count(&before) + found.added, count(&after) + found.removed);
    }

    #[test]
    fn any_bytes_have_an_answer(before in prop::collection::vec(any::<u8>(), 0..200), after in "[\\[\\]{}\",:0-9a\\\\u]{0,60}") {
        let after = after.into_bytes();
        let found = compare(b"a.json", &before, &after, &Limits::default()).unwrap();
        prop_assert!(!found.summary().is_empty());
        prop_assert!(serde_json::to_string(&found).is_ok_and(|text| serde_json::from_str::<Value>(&text).is_ok()));
        prop_assert_eq!(compare(b"a.json", &after, &after.clone(), &Limits::default()).unwrap(), Difference::Identical);
    }
}
