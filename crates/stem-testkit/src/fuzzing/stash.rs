//! The stash, the history it reads, and what the engine writes for itself beside it.

use std::fmt::Display;

use stem_fs::RelPath;
use stem_hash::{Algorithm, Checksum, IdPrefix, ObjectId};
use stem_stash::format::commit::{
    CommitId, SnapshotId, decode_commit, decode_snapshot, encode_commit, encode_snapshot,
};
use stem_stash::format::entry::{decode, encode};
use stem_stash::format::head::{BranchName, Head, parse_ref};
use stem_stash::format::stamp::{OrderKey, Stamp, StashId};
use stem_stash::format::text::{PyStr, fs_order, fs_to_json};
use stem_stash::format::{FormatError, Manifest, decode_head_manifest};
use stem_stash::format::{intent, statcache};

use super::{accepted, check_shown};

/// Intent records and stat caches, which only this engine writes: what is accepted reads back the same.
///
/// # Panics
///
/// When that does not hold.
pub fn check_own_records(data: &[u8]) {
    match intent::decode(data) {
        Ok(record) => {
            check_manifest(&record.head);
            check_manifest(&record.entry.manifest);
            assert_eq!(accepted(intent::decode(&accepted(intent::encode(&record)))), record);
        }
        Err(error) => check_error(&error),
    }
    for algorithm in [Algorithm::Sha256, Algorithm::Blake3] {
        if let Some(rows) = statcache::decode(data, algorithm) {
            assert_eq!(statcache::encode(&rows, algorithm).as_deref(), Some(data));
        }
    }
}

/// Stash entries: what is accepted is safe to write below a working tree and reads back the same.
///
/// # Panics
///
/// When that does not hold.
pub fn check_stash_entry(data: &[u8]) {
    let entry = match decode(data) {
        Ok(entry) => entry,
        Err(error) => return check_error(&error),
    };
    check_manifest(&entry.manifest);
    if let Some(record) = &entry.stem {
        assert!(record.files.is_empty() || record.files.len() == entry.manifest.len());
        for path in &record.deleted {
            check_path(path);
            assert!(!entry.manifest.contains(path), "{path} is both saved and deleted");
        }
    }
    let bytes = accepted(encode(&entry));
    assert!(bytes.is_ascii(), "entries are ASCII");
    assert_eq!(accepted(decode(&bytes)), entry);
    assert_eq!(accepted(encode(&entry)), bytes);
    check_shown(&entry.message);
    let _ = entry.order_key();
}

/// Commits, snapshots and manifests that a user hands over.
///
/// # Panics
///
/// When one that is accepted is unsafe or does not read back the same.
pub fn check_commit_json(data: &[u8]) {
    match decode_commit(data) {
        Ok(commit) => {
            assert_eq!(accepted(decode_commit(&accepted(encode_commit(&commit)))), commit);
            let _ = commit.generation();
        }
        Err(error) => check_error(&error),
    }
    match decode_snapshot(data) {
        Ok(snapshot) => {
            check_manifest(&snapshot.manifest);
            assert_eq!(accepted(decode_snapshot(&accepted(encode_snapshot(&snapshot)))), snapshot);
            let _ = snapshot.generation();
        }
        Err(error) => check_error(&error),
    }
    match decode_head_manifest(data) {
        Ok(manifest) => check_manifest(&manifest),
        Err(error) => check_error(&error),
    }
}

/// `HEAD`, refs, branch names, times and the names of entry files.
///
/// # Panics
///
/// When one that is accepted could leave its directory or does not read back the same.
pub fn check_head_refs(data: &[u8]) {
    match Head::parse(data) {
        Ok(head) => {
            assert_eq!(accepted(Head::parse(head.to_text().as_bytes())), head);
            assert!(!head.label().is_empty());
        }
        Err(error) => check_error(&error),
    }
    match parse_ref(data) {
        Ok(None) => assert!(str::from_utf8(data).is_ok_and(|text| text.chars().all(char::is_whitespace))),
        Ok(Some(id)) => assert_eq!(accepted(parse_ref(id.to_string().as_bytes())), Some(id)),
        Err(error) => check_error(&error),
    }
    if let Some(id) = StashId::from_file_name(data) {
        assert_eq!(id.file_name().as_bytes(), data);
        assert!(!id.as_str().contains(['/', '\\', '\0']));
        check_stamp(id.stamp());
        assert_eq!(OrderKey::of_file_name(data).name, id.as_str().as_bytes());
    }
    let Ok(text) = str::from_utf8(data) else { return };
    match BranchName::new(text) {
        Ok(name) => assert!(RelPath::new(name.as_str()).is_ok_and(|path| path.as_bytes() == data)),
        Err(error) => check_error(&error),
    }
    check_stamp(Stamp::parse_iso(text).map_err(|error| check_error(&error)).ok());
}

/// Object ids, abbreviations, checksums, paths, and file names as text.
///
/// # Panics
///
/// When one that is accepted has a second spelling or leaves the directory, or a name does not survive as text.
pub fn check_ids_paths(data: &[u8]) {
    assert_one_spelling(data, ObjectId::parse_bytes(data));
    assert_one_spelling(data, CommitId::parse_bytes(data));
    assert_one_spelling(data, SnapshotId::parse_bytes(data));
    assert_one_spelling(data, Checksum::parse_bytes(data));
    assert_one_spelling(data, IdPrefix::parse_bytes(data));
    if let Ok(prefix) = IdPrefix::parse_bytes(data) {
        let range = prefix.range();
        assert!(prefix.matches(range.start()) && prefix.matches(range.end()));
    }

    let text = PyStr::from_fs_bytes(data);
    assert_eq!(text.to_fs_bytes().as_deref(), Ok(data));
    assert_eq!(text.to_json(), fs_to_json(data));
    check_shown(&text);
    let (left, right) = data.split_at(data.len() / 2);
    let order = PyStr::from_fs_bytes(left).cmp(&PyStr::from_fs_bytes(right));
    assert_eq!(fs_order(left, right), order);

    let Ok(path) = RelPath::new(data) else { return };
    assert_eq!(path.components().collect::<Vec<_>>().join(&b'/'), data);
    let row = format!("{{{}: \"{}\"}}", fs_to_json(data), "0f".repeat(32));
    match decode_head_manifest(row.as_bytes()) {
        Ok(manifest) => {
            check_manifest(&manifest);
            assert!(manifest.contains(&path) && manifest.len() == 1);
        }
        Err(_) => assert!(is_protected(&path), "{path} is a path and was refused"),
    }
}

fn assert_one_spelling<T: Display, E>(data: &[u8], parsed: Result<T, E>) {
    if let Ok(value) = parsed {
        assert_eq!(value.to_string().as_bytes(), data);
    }
}

pub(super) fn check_stamp(stamp: Option<Stamp>) {
    if let Some(stamp) = stamp {
        assert_eq!(accepted(Stamp::parse_iso(&stamp.to_iso())), stamp);
        assert_eq!(stamp.to_iso().len(), "2026-11-22T08:34:13.597654+00:00".len());
        assert_eq!(StashId::new(stamp, 0).stamp(), Some(stamp));
        assert_eq!(accepted(Stamp::from_micros(stamp.as_micros())), stamp);
    }
}

pub(super) fn check_manifest(manifest: &Manifest) {
    let texts: Vec<PyStr> = manifest.iter().map(|(path, _)| PyStr::from_fs_bytes(path.as_bytes())).collect();
    assert!(texts.is_sorted_by(|a, b| a < b), "paths are sorted and unique");
    for (path, _) in manifest {
        check_path(path);
    }
    check_tree(manifest.iter().map(|(path, _)| path));
}

/// None of these is a directory of another.
pub(super) fn check_tree<'a>(paths: impl Iterator<Item = &'a RelPath>) {
    let mut paths: Vec<&RelPath> = paths.collect();
    paths.sort_unstable();
    for path in &paths {
        let mut parent = path.parent();
        while let Some(directory) = parent {
            assert!(paths.binary_search(&&directory).is_err(), "{directory} is a file and a directory");
            parent = directory.parent();
        }
    }
}

/// The safety rules once more, written independently of the code that is checked.
pub(super) fn check_path(path: &RelPath) {
    let bytes = path.as_bytes();
    assert!(!bytes.is_empty() && !bytes.starts_with(b"/") && !bytes.contains(&0));
    for component in bytes.split(|&byte| byte == b'/') {
        assert!(!matches!(component, b"" | b"." | b"..") && component.len() < 256);
    }
    assert!(!is_protected(path), "{path} is protected");
}

fn is_protected(path: &RelPath) -> bool {
    let lower = path.as_bytes().to_ascii_lowercase();
    lower.split(|&byte| byte == b'/').any(|component| matches!(component, b".muse" | b".git"))
}

/// An error is for people: short, and without characters that steer a terminal.
pub(super) fn check_error(error: &FormatError) {
    check_shown(error);
    assert!(error.to_string().len() < 1500, "the error has {} bytes", error.to_string().len());
}
