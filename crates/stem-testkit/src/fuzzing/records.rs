//! The undo journal, lists of ids, and the files of newer Muse.

use stem_fs::RelPath;
use stem_hash::{Algorithm, Hasher};
use stem_stash::format::idlist::{self, ListKind};
use stem_stash::format::muse::{
    check_repo_json, decode_muse_element, decode_muse_stash, encode_muse_stash, read_domain,
};
use stem_stash::format::text::PyStr;
use stem_stash::format::undo::{self, Peek, UndoId, UndoKind, UndoRecord};
use stem_stash::ignore::Ignore;

use super::stash::{check_error, check_path, check_stamp, check_tree};
use super::{accepted, check_shown};

/// Records of the undo journal and the names of their files.
///
/// # Panics
///
/// When one that is accepted is unsafe to follow, does not read back the same, or tells something else to whoever reads
/// only its beginning.
pub fn check_undo_record(data: &[u8]) {
    if let Some((id, open)) = UndoId::from_file_name(data) {
        assert_eq!(id.file_name(open).as_bytes(), data);
        assert!(!id.as_str().contains(['/', '\\', '\0', '.']));
        assert_eq!(id.token().len(), 8);
        check_stamp(id.stamp());
    }
    let peeked = undo::peek(data);
    let record = match undo::decode(data) {
        Ok(record) => record,
        Err(error) => return check_error(&error),
    };
    if let Some(peeked) = peeked {
        assert_eq!(peeked, beginning(&record), "the beginning says something else");
    }
    assert_eq!(record.of.is_some(), record.kind != UndoKind::Verb);
    assert!(record.fits());
    check_shown(&record.message);
    check_rows(&record);
    let bytes = accepted(undo::encode(&record));
    assert!(bytes.is_ascii(), "records are ASCII");
    assert_eq!(accepted(undo::decode(&bytes)), record);
    let first = bytes.get(..undo::PEEK_BYTES).unwrap_or(&bytes);
    assert_eq!(undo::peek(first), Some(beginning(&record)), "a record that was written can be peeked at");
}

fn beginning(record: &UndoRecord) -> Peek {
    Peek { kind: record.kind, of: record.of.clone() }
}

fn check_rows(record: &UndoRecord) {
    let mut names: Vec<(u8, &RelPath)> = Vec::new();
    for entry in &record.entries {
        for (directory, name) in [(0, &entry.file), (1, &entry.held)] {
            check_path(name);
            assert!(name.components().count() == 1, "{name} leaves its directory");
            names.push((directory, name));
        }
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "two rows name one file");
    let texts: Vec<PyStr> =
        record.files.iter().map(|file| PyStr::from_fs_bytes(file.path.as_bytes())).collect();
    assert!(texts.is_sorted_by(|a, b| a < b), "paths are sorted and unique");
    check_tree(record.files.iter().filter(|file| file.before.is_some()).map(|file| &file.path));
    check_tree(record.files.iter().filter(|file| file.after.is_some()).map(|file| &file.path));
    for file in &record.files {
        check_path(&file.path);
        for state in [file.before, file.after].into_iter().flatten() {
            assert!(state.mode.is_none_or(|mode| mode <= 0o7777), "{:?} is no mode", state.mode);
            assert!(state.mtime.is_none_or(|time| time.nanos < 1_000_000_000));
        }
    }
    let named = record.files.iter().flat_map(|file| [file.before, file.after]).flatten().count();
    assert_eq!(record.objects().count(), named);
}

const KINDS: [ListKind; 3] = [ListKind::Condemned, ListKind::Seen, ListKind::Verified];
/// Where the checksum of a list stands.
const LIST_CHECK: std::ops::Range<usize> = 64..96;

/// Lists of ids, as they are and with their checksum made right.
///
/// # Panics
///
/// When one that is accepted is not what would be written, or is taken for two kinds.
pub fn check_id_lists(data: &[u8]) {
    check_list(data);
    let mut sealed = data.to_vec();
    if let Some(rows) = sealed.get(LIST_CHECK.end..) {
        let mut hasher = Hasher::new(Algorithm::Blake3);
        hasher.update(&sealed[..LIST_CHECK.start]);
        hasher.update(rows);
        let sum = hasher.finish().id;
        sealed[LIST_CHECK].copy_from_slice(sum.as_bytes());
        check_list(&sealed);
    }
}

fn check_list(data: &[u8]) {
    let mut kinds = 0;
    for kind in KINDS {
        match idlist::decode(kind, data) {
            Ok(list) => {
                kinds += 1;
                assert!(list.rows.is_sorted_by(|a, b| a.0 < b.0));
                assert!(kind == ListKind::Condemned || list.rows.iter().all(|row| row.1 == 0));
                assert_eq!(accepted(idlist::encode(kind, &list)), data);
            }
            Err(error) => check_error(&error),
        }
    }
    assert!(kinds <= 1, "a list of several kinds");
}

/// What newer Muse writes: its own stash and the description of a repository.
///
/// # Panics
///
/// When a manifest that is accepted is unsafe or would read back differently.
pub fn check_muse_stash(data: &[u8]) {
    match decode_muse_stash(data) {
        Ok(elements) => {
            let raws = || elements.iter().map(|element| element.raw.as_str());
            // What was read is written back as it stands, and so grows by no more than what is between.
            if let Ok(text) = encode_muse_stash(raws()) {
                assert_eq!(accepted(decode_muse_stash(&text)), elements);
            }
            for element in &elements {
                match &element.read {
                    Ok(stashed) => {
                        super::stash::check_manifest(&stashed.manifest);
                        let Some(raw) = stashed.to_json() else { continue };
                        let again = accepted(decode_muse_element(&raw).read);
                        assert_eq!(again, *stashed);
                        assert_eq!(again.fingerprint(), stashed.fingerprint());
                    }
                    Err(error) => check_error(error),
                }
            }
        }
        Err(error) => check_error(&error),
    }
    if let Err(error) = check_repo_json(data) {
        check_error(&error);
    }
    if let Err(error) = read_domain(data) {
        check_error(&error);
    }
}

/// `.museignore`: the bytes as such a file, and their halves as a pattern and a path that it is held against.
///
/// # Panics
///
/// When an error would steer a terminal, or a pattern says something else of a path than the same pattern among others.
pub fn check_museignore(data: &[u8]) {
    let path = &data[..data.len().min(200)];
    match Ignore::parse(data, "midi") {
        Ok(ignore) => {
            for path in [&b"a"[..], b"tracks/drums/kick.mid", b".env", path] {
                let ignored = ignore.is_ignored(path);
                assert!(!ignore.tracks(path) || !ignored, "tracked and ignored");
            }
        }
        Err(problem) => {
            check_shown(&problem);
            assert!(problem.len() <= 4 * data.len() + 1500, "the error has {} bytes", problem.len());
        }
    }
    // One pattern in TOML's own quotes, and a path.
    let Some((pattern, path)) = data.split_at_checked(data.len() / 2) else { return };
    let Ok(pattern) = str::from_utf8(pattern) else { return };
    if pattern.contains('\'') || pattern.chars().any(char::is_control) || pattern.chars().count() > 300 {
        return;
    }
    let path = &path[..path.len().min(300)];
    let of = |patterns: &str| {
        accepted(Ignore::parse(format!("[global]\npatterns = [{patterns}]").as_bytes(), "x"))
    };
    let once = of(&format!("'{pattern}'"));
    let twice = of(&format!("'{pattern}', '{pattern}'"));
    assert_eq!(once.is_ignored(path), twice.is_ignored(path));
    // Taken back last, it is not ignored; whatever came before.
    if !pattern.starts_with('!') && once.is_ignored(path) && !Ignore::default().is_ignored(path) {
        assert!(!of(&format!("'{pattern}', '!{pattern}'")).is_ignored(path));
    }
}
