//! The fixtures of the reference, byte for byte, and what is written around them.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;
use stem_fs::{RelPath, Timestamp};
use stem_hash::{Checksum, ObjectId};

use super::entry::{FileRecord, StashEntry, StemRecord, decode, encode};
use super::stamp::{Stamp, StashId};
use super::text::PyStr;
use super::{Manifest, is_protected};

/// Every entry file of every fixture: its name, its text and what the reference read from it.
fn fixture_entries() -> Vec<(String, String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/muse-stash");
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let fixture: Value = serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
        for step in fixture["steps"].as_array().unwrap() {
            let files = step["entry_files_after"].as_array().into_iter().flatten();
            for entry_file in files {
                let name = entry_file["name"].as_str().unwrap().to_owned();
                let text = entry_file["text"].as_str().unwrap().to_owned();
                let id = name.strip_suffix(".json").unwrap();
                assert!(text.contains(id));
                found.push((name, text.clone(), serde_json::from_str(&text).unwrap()));
            }
        }
    }
    assert!(found.len() >= 14, "the fixtures hold entries");
    found
}

#[test]
fn entries_of_the_reference_are_read_and_written_byte_for_byte() {
    for (name, text, value) in fixture_entries() {
        let entry = decode(text.as_bytes()).unwrap();
        assert_eq!(entry.stash_id.file_name(), name);
        assert_eq!(entry.branch.as_str(), value["branch"].as_str());
        assert_eq!(entry.message.as_str(), value["message"].as_str());
        assert_eq!(entry.track.as_ref().and_then(PyStr::as_str), value["track"].as_str());
        assert_eq!(entry.section.as_ref().and_then(PyStr::as_str), value["section"].as_str());
        let manifest = value["manifest"].as_object().unwrap();
        assert_eq!(entry.manifest.len(), manifest.len());
        for (path, id) in manifest {
            let path = RelPath::new(path.as_str()).unwrap();
            assert_eq!(entry.manifest.get(&path).unwrap().to_string(), id.as_str().unwrap());
        }
        assert_eq!(entry.stem, None);
        assert_eq!(String::from_utf8(encode(&entry).unwrap()).unwrap(), text);
        // Ours would have the same id and time.
        let created = entry.created().unwrap();
        assert_eq!(entry.stash_id.stamp(), Some(created));
        assert_eq!(created.to_iso(), entry.created_at.as_str().unwrap());
    }
}

#[test]
fn our_entry_is_the_references_text_with_one_more_key() {
    for (_, text, _) in fixture_entries() {
        let mut entry = decode(text.as_bytes()).unwrap();
        entry.stem = Some(sample_record(entry.manifest.len()));
        let ours = String::from_utf8(encode(&entry).unwrap()).unwrap();
        let (before, record) = ours.split_once(",\n  \"stem\": ").unwrap();
        assert_eq!(format!("{before}\n}}"), text);
        assert!(record.ends_with("\n  }\n}"), "{record}");
        assert_eq!(decode(ours.as_bytes()).unwrap(), entry);
        // Any JSON reader takes it, where the names are text.
        entry.stem.as_mut().unwrap().deleted = vec![RelPath::new(*b"gone.wav").unwrap()];
        let ours = String::from_utf8(encode(&entry).unwrap()).unwrap();
        let value: Value = serde_json::from_str(&ours).unwrap();
        assert_eq!(value["stem"]["files"].as_array().unwrap().len(), entry.manifest.len());
    }
}

fn sample_record(files: usize) -> StemRecord {
    let file = |i: usize| FileRecord {
        size: i as u64,
        mtime: Timestamp { secs: -1, nanos: 999_999_999 },
        mode: 0o4755,
        checksum: i.is_multiple_of(2).then(|| Checksum::from_u128(7)),
    };
    StemRecord {
        head_snapshot: Some(super::commit::SnapshotId::from_bytes([0xAB; 32])),
        origin: None,
        deleted: vec![RelPath::new(*b"gone/\xff.wav").unwrap()],
        files: (0..files).map(file).collect(),
    }
}

#[test]
fn the_layout_of_the_record() {
    let id = ObjectId::from_bytes([0x11; 32]);
    let path = |p: &[u8]| RelPath::new(p).unwrap();
    let stamp = Stamp::from_micros(0).unwrap();
    let entry = StashEntry {
        stash_id: StashId::new(stamp, 1),
        branch: "main".into(),
        message: PyStr::from_fs_bytes(b"caf\xe9"),
        created_at: stamp.to_iso().into(),
        track: Some("drums".into()),
        section: None,
        manifest: Manifest::new(vec![(path(b"b"), id), (path(b"a"), id)]).unwrap(),
        stem: Some(sample_record(2)),
    };
    let hex = "11".repeat(32);
    let snapshot = "ab".repeat(32);
    assert_eq!(
        String::from_utf8(encode(&entry).unwrap()).unwrap(),
        format!(
            r#"{{
  "stash_id": "stash-1970-01-01T000000000000Z0000-00000001",
  "branch": "main",
  "message": "caf\udce9",
  "created_at": "1970-01-01T00:00:00.000000+00:00",
  "track": "drums",
  "section": null,
  "manifest": {{
    "a": "{hex}",
    "b": "{hex}"
  }},
  "stem": {{"version": 1, "head_snapshot": "{snapshot}",
    "deleted": [
      "gone/\udcff.wav"
    ],
    "files": [
      [0, -1, 2541, "00000000000000000000000000000007"],
      [1, -1, 2541, null]
    ]
  }}
}}"#
        )
    );
}

#[test]
fn an_empty_manifest_is_printed_on_one_line() {
    let (_, text, _) = fixture_entries().remove(0);
    let mut entry = decode(text.as_bytes()).unwrap();
    entry.manifest = Manifest::default();
    entry.stem = Some(StemRecord::default());
    let ours = String::from_utf8(encode(&entry).unwrap()).unwrap();
    assert!(
        ours.contains(",\n  \"manifest\": {},\n  \"stem\": {\"version\": 1, \"head_snapshot\": null,\n"),
        "{ours}"
    );
    assert!(ours.ends_with("    \"deleted\": [],\n    \"files\": []\n  }\n}"), "{ours}");
    assert_eq!(decode(ours.as_bytes()).unwrap(), entry);
}

/// Names that are likely to meet each other, and bytes of every kind.
fn any_path() -> impl Strategy<Value = RelPath> {
    let byte = prop_oneof![
        4 => Just(b'a'), 2 => Just(b'/'), 1 => Just(b'.'), 1 => Just(b':'), 1 => Just(b'"'),
        1 => Just(b'\\'), 1 => Just(b'\n'), 3 => any::<u8>(),
    ];
    let unicode = "[a-zäß太🎹\u{e000}\u{7f} /.-]{1,12}".prop_map(String::into_bytes);
    prop_oneof![proptest::collection::vec(byte, 1..10), unicode]
        .prop_filter_map("a path", |bytes| RelPath::new(bytes).ok().filter(|path| !is_protected(path)))
}

prop_compose! {
    fn any_file()(size: u64, secs: i64, nanos in 0..1_000_000_000_u32, mode in 0..=0o7777_u32, sum: Option<u128>) -> FileRecord {
        FileRecord { size, mtime: Timestamp { secs, nanos }, mode, checksum: sum.map(Checksum::from_u128) }
    }
}

prop_compose! {
    fn any_text()(bytes in proptest::collection::vec(any::<u8>(), 0..12)) -> PyStr {
        PyStr::from_fs_bytes(&bytes)
    }
}

prop_compose! {
    fn any_entry()(
        rows in proptest::collection::vec((any_path(), any::<[u8; 32]>(), any_file()), 0..12),
        deleted in proptest::collection::vec(any_path(), 0..4),
        texts in (any_text(), any_text(), any_text(), any_text()),
        scoped: (bool, bool),
        recorded: (bool, bool, Option<[u8; 32]>, Option<u32>),
        micros in 0..4_000_000_000_000_000_i64,
    ) -> Option<StashEntry> {
        let entries: Vec<_> = rows.iter().map(|(path, id, _)| (path.clone(), ObjectId::from_bytes(*id))).collect();
        let manifest = Manifest::new(entries).ok()?;
        let stamp = Stamp::from_micros(micros).ok()?;
        let (branch, message, track, section) = texts;
        let mut deleted: Vec<_> = deleted.into_iter().filter(|path| !manifest.contains(path)).collect();
        deleted.sort_by(|a, b| super::text::fs_order(a.as_bytes(), b.as_bytes()));
        deleted.dedup();
        let files = if recorded.1 { rows.into_iter().map(|(_, _, file)| file).collect() } else { Vec::new() };
        let head_snapshot = recorded.2.map(super::commit::SnapshotId::from_bytes);
        let origin = recorded.3.map(|token| StashId::new(stamp, token));
        Some(StashEntry {
            stash_id: StashId::new(stamp, 9),
            branch,
            message,
            created_at: stamp.to_iso().into(),
            track: Some(track).filter(|text| scoped.0 && !text.is_empty()),
            section: Some(section).filter(|text| scoped.1 && !text.is_empty()),
            manifest,
            stem: recorded.0.then_some(StemRecord { head_snapshot, origin, deleted, files }),
        })
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(entry in any_entry().prop_filter_map("a manifest", |entry| entry)) {
        let bytes = encode(&entry).unwrap();
        prop_assert!(bytes.is_ascii());
        prop_assert_eq!(&decode(&bytes).unwrap(), &entry);
        prop_assert_eq!(entry.order_key().stamp, entry.stash_id.stamp());
    }

    #[test]
    fn the_manifest_is_sorted_as_python_sorts(paths in proptest::collection::vec(any_path(), 0..12)) {
        let id = ObjectId::from_bytes([0; 32]);
        if let Ok(manifest) = Manifest::new(paths.into_iter().map(|path| (path, id)).collect()) {
            let texts: Vec<_> = manifest.iter().map(|(path, _)| PyStr::from_fs_bytes(path.as_bytes())).collect();
            prop_assert!(texts.is_sorted());
            for (i, (path, _)) in manifest.iter().enumerate() {
                prop_assert_eq!(manifest.index_of(path), Some(i));
            }
        }
    }
}
