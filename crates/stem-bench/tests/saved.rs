//! The saved form: what is written can be read, what is hostile is refused, and what was released stays readable.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use stem_bench::model::{Comparison, Latencies, VERSION};
use stem_bench::report::{self, LoadError, TableStyle};

mod sample;

use sample::small;

fn saved(comparison: &Comparison) -> Vec<u8> {
    let mut bytes = Vec::new();
    report::save(comparison, &mut bytes).unwrap();
    bytes
}

fn changed(change: impl FnOnce(&mut serde_json::Value)) -> Result<Comparison, LoadError> {
    let mut value = serde_json::to_value(small()).unwrap();
    change(&mut value);
    report::load(&serde_json::to_vec(&value).unwrap())
}

#[test]
fn what_is_written_can_be_read() {
    for comparison in [sample::comparison(), sample::hostile(), sample::many(), small()] {
        assert_eq!(report::load(&saved(&comparison)).unwrap(), comparison);
    }
}

#[test]
fn version_1_stays_readable() {
    let golden = include_bytes!("golden/comparison-1.json");
    let comparison = report::load(golden).unwrap();
    assert_eq!((comparison.version, comparison.strategies.len(), comparison.rounds), (VERSION, 8, 5));
    let mut again: serde_json::Value = serde_json::from_slice(&saved(&comparison)).unwrap();
    again["version"] = 1.into();
    assert_eq!(again, serde_json::from_slice::<serde_json::Value>(golden).unwrap());
    assert!(again["strategies"][0]["rounds"][0]["put"]["peak_memory"].take().is_u64());
}

#[test]
fn version_2_stays_readable() {
    let golden = include_bytes!("golden/comparison-2.json");
    let comparison = report::load(golden).unwrap();
    assert_eq!((comparison.version, comparison.strategies.len(), comparison.rounds), (2, 8, 5));
    assert_eq!(comparison.strategies[1].rounds[0].put_classes.len(), 7);
    let again: serde_json::Value = serde_json::from_slice(&saved(&comparison)).unwrap();
    assert_eq!(again, serde_json::from_slice::<serde_json::Value>(golden).unwrap());
    // What is of version 2 is not of version 1.
    let mut older = again;
    older["version"] = 1.into();
    let error = report::load(&serde_json::to_vec(&older).unwrap()).unwrap_err();
    assert!(matches!(error, LoadError::Invalid(_)), "{error}");
}

#[test]
fn the_page_of_the_format_names_every_key() {
    fn keys(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(entries) => entries.iter().for_each(|(key, value)| {
                found.push(key.clone());
                // Names of strategies are no keys of the format.
                if key != "strategies" || value.is_array() {
                    keys(value, found);
                }
            }),
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let page = include_str!("../../../docs/format/bench.md");
    let mut found = Vec::new();
    keys(&serde_json::to_value(small()).unwrap(), &mut found);
    for key in found {
        let words = ["`", "{", " ", ","].iter().any(|before| {
            ["`", "}", ","].iter().any(|after| page.contains(&format!("{before}{key}{after}")))
        });
        assert!(words, "docs/format/bench.md does not name {key}");
    }
}

#[test]
fn what_is_not_of_the_format_is_refused() {
    assert!(matches!(changed(|value| value["version"] = 3.into()), Err(LoadError::Version(3))));
    // The version is looked at first.
    assert!(matches!(report::load(b"{\"version\":9,\"new\":1}"), Err(LoadError::Version(9))));
    assert!(matches!(changed(|value| value["extra"] = 1.into()), Err(LoadError::Malformed(_))));
    assert!(matches!(changed(|value| value["machine"]["extra"] = 1.into()), Err(LoadError::Malformed(_))));
    assert!(matches!(changed(|value| value["seconds"] = (-1.0).into()), Err(LoadError::Invalid(_))));
    assert!(matches!(changed(|value| value["seconds"] = 1e300.into()), Err(LoadError::Invalid(_))));
    assert!(matches!(
        changed(|value| value["strategies"][1]["name"] = value["strategies"][0]["name"].clone()),
        Err(LoadError::Invalid(_))
    ));
    assert!(matches!(
        changed(|value| value["strategies"][1]["name"] = "".into()),
        Err(LoadError::Invalid(_))
    ));
    assert!(matches!(changed(|value| value["tool"] = "x".repeat(20_000).into()), Err(LoadError::Invalid(_))));
    assert!(matches!(
        changed(|value| value["strategies"][0]["stored"]["bytes"] = u64::MAX.into()),
        Err(LoadError::Invalid(_))
    ));
    assert!(matches!(
        changed(
            |value| value["strategies"][0]["rounds"][0]["ranges"]["micros"] = serde_json::json!([2.0, 1.0])
        ),
        Err(LoadError::Invalid(_))
    ));
    assert!(matches!(
        changed(|value| value["forecast"]["strategies"]["pack-raw"]["low"] = (1_u64 << 59).into()),
        Err(LoadError::Invalid(_))
    ));
    // Absent is allowed where the page says so, and only there.
    assert!(changed(|value| value["strategies"][0]["stored"] = serde_json::Value::Null).is_ok());
    assert!(
        changed(|value| {
            value.as_object_mut().unwrap().remove("forecast");
        })
        .is_ok()
    );
    assert!(
        changed(|value| {
            value.as_object_mut().unwrap().remove("machine");
        })
        .is_err()
    );
}

#[test]
fn no_key_may_stand_twice() {
    let text = String::from_utf8(saved(&small())).unwrap();
    // In a struct, and in a map, where serde alone would let the last one win.
    for (key, twice) in [
        ("\"rounds\":5", "\"rounds\":5,\"rounds\":5"),
        ("\"midi\":", "\"midi\":{\"files\":1,\"bytes\":1},\"midi\":"),
        ("\"pack-raw\":", "\"pack-raw\":{\"bytes\":1,\"low\":1,\"high\":1},\"pack-raw\":"),
    ] {
        assert!(text.contains(key));
        let error = report::load(text.replacen(key, twice, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
    }
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let mut cases = vec![small(), small(), small(), small()];
    cases[0].version = VERSION + 1;
    cases[1].seconds = f64::NAN;
    cases[2].strategies[1].name = cases[2].strategies[0].name.clone();
    cases[3].strategies[0].rounds[0].ranges = Some(Latencies { bytes: 1, micros: vec![f64::INFINITY] });
    for case in cases {
        let mut bytes = Vec::new();
        let error = report::save(&case, &mut bytes).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(bytes.is_empty());
    }
}

#[test]
fn errors_are_safe_to_show() {
    let error = report::load(b"{\"version\":1,\"\\u001b[31m\\u202e\":1}").unwrap_err().to_string();
    assert!(!error.chars().any(|c| c.is_control() || c == '\u{202e}'), "{error:?}");
}

/// Whatever was read can be reported.
fn report_all(comparison: &Comparison) {
    let _ = report::summary(comparison);
    for width in [None, Some(0), Some(40), Some(80)] {
        let _ = report::table(comparison, TableStyle { width, color: true });
    }
    report::html(comparison).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = report::load(&bytes);
    }

    #[test]
    fn times_come_back_exactly(seconds in 0.0..1e9_f64, micros in proptest::collection::vec(0.0..1e15_f64, 0..20)) {
        let mut comparison = small();
        comparison.seconds = seconds;
        let mut micros = micros;
        micros.sort_by(f64::total_cmp);
        comparison.strategies[0].rounds[0].ranges = Some(Latencies { bytes: 1, micros });
        prop_assert_eq!(report::load(&saved(&comparison)).unwrap(), comparison);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// A saved file with bytes changed, cut out or put twice: taken or refused, and what was taken can be reported.
    #[test]
    fn damaged_files_are_taken_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..5), 1..4),
    ) {
        const BITS: [&str; 12] = ["0", "9", "-1", "1e999", "1e9", "null", "{}", "[]", "\"\"", ",", "1152921504606846976", "\u{202e}"];
        let mut text = include_str!("golden/comparison-1.json").to_owned();
        for (place, other, what) in changes {
            // At the edges of values, where changes have a chance to be read.
            let edges: Vec<usize> = text.match_indices([':', ',', '[', '{', '}', ']']).map(|(at, _)| at).collect();
            let (from, to) = (place.index(edges.len()), other.index(edges.len()));
            let next = edges.get(from + 1).copied().unwrap_or(text.len());
            match what {
                0 | 1 => text.replace_range(edges[from] + 1..next.max(edges[from] + 1), BITS[to % BITS.len()]),
                2 => text.truncate(edges[from]),
                3 => {
                    let piece = text[edges[from]..next].to_owned();
                    text.insert_str(edges[to], &piece);
                }
                _ => text.replace_range(edges[from]..next, ""),
            }
        }
        if let Ok(comparison) = report::load(text.as_bytes()) {
            report_all(&comparison);
        }
    }
}
