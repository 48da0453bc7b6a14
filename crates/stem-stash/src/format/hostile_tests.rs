//! Damaged and hostile documents: each is an error that says what is wrong, and none is a panic.

use stem_fs::RelPath;
use stem_hash::ObjectId;

use super::commit::{decode_commit, decode_snapshot};
use super::entry::{MAX_ENTRY_BYTES, StashEntry, StemRecord, decode, encode};
use super::json::MAX_DEPTH;
use super::{FormatErrorKind, Manifest, ManifestProblem, decode_head_manifest};

const ID: &str = "cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e";

/// An entry with this manifest, and whatever else stands behind it.
fn entry(manifest: &str) -> String {
    format!(
        r#"{{"stash_id": "stash-2026-11-22T083413597654Z0000-e7650088", "branch": "main", "message": "m",
 "created_at": "2026-11-22T08:34:13.597654+00:00", "track": null, "section": null, "manifest": {manifest}}}"#
    )
}

fn refusal(text: &str) -> (FormatErrorKind, String) {
    let error = decode(text.as_bytes()).unwrap_err();
    let shown = error.to_string();
    assert!(shown.starts_with("invalid stash entry: ") && shown.len() < 800, "{shown}");
    (error.kind(), shown)
}

fn assert_unsafe(path_json: &str, says: &str) {
    let (kind, shown) = refusal(&entry(&format!("{{\"{path_json}\": \"{ID}\"}}")));
    assert_eq!(kind, FormatErrorKind::Unsafe, "{path_json}: {shown}");
    assert!(shown.contains(says), "{path_json}: {shown}");
}

#[test]
fn paths_that_leave_the_tree_are_refused() {
    assert_unsafe("", "empty");
    assert_unsafe("../x", "'..'");
    assert_unsafe("a/../../x", "'..'");
    assert_unsafe("./a", "'.'");
    assert_unsafe("/etc/passwd", "absolute");
    assert_unsafe("a//b", "empty component");
    assert_unsafe("a/", "empty component");
    assert_unsafe("a\\u0000b", "NUL");
    assert_unsafe("\\ud83c", "U+D83C");
    assert_unsafe("\\udc00", "U+DC00");
    assert_unsafe(&"x".repeat(256), "255");
    assert_unsafe(&"x/".repeat(3000), "4095");
    for inside in [".muse/HEAD", ".MUSE", "a/.Muse/stash/x", ".git/config", "tracks/.GIT/hooks/pre-commit"] {
        assert_unsafe(inside, "never written");
    }
    assert!(decode(entry(&format!("{{\".musette/.gitignore\": \"{ID}\"}}")).as_bytes()).is_ok());
}

#[test]
fn paths_that_contradict_each_other_are_refused() {
    for (rows, says) in [
        (vec!["a", "b", "a"], "'a' is there twice"),
        (vec!["a/b", "a-b", "a", "a.wav"], "'a' is a file, and 'a/b' needs it"),
        // The same bytes, spelled as a character and as its escaped bytes.
        (vec!["\\u00e4", "\\udcc3\\udca4"], "twice"),
    ] {
        let rows: Vec<_> = rows.iter().map(|path| format!("\"{path}\": \"{ID}\"")).collect();
        let (kind, shown) = refusal(&entry(&format!("{{{}}}", rows.join(","))));
        assert_eq!(kind, FormatErrorKind::Unsafe);
        assert!(shown.contains(says), "{shown}");
    }
}

#[test]
fn malformed_ids_are_refused_and_the_path_is_named() {
    for (id, says) in [
        ("\"\"".to_owned(), "0 characters"),
        (format!("\"{}\"", &ID[1..]), "63 characters"),
        (format!("\"{}\"", ID.to_uppercase()), "upper-case"),
        (format!("\"../{}\"", &ID[3..]), "position 0"),
        (format!("\"cc/{}\"", &ID[3..]), "position 2"),
        ("5".to_owned(), "integer `5`"),
        ("null".to_owned(), "null"),
        ("[99, 99]".to_owned(), "sequence"),
        ("{}".to_owned(), "map"),
    ] {
        let (kind, shown) = refusal(&entry(&format!("{{\"takes/a.wav\": {id}}}")));
        assert_eq!(kind, FormatErrorKind::Malformed);
        assert!(shown.contains(says) && shown.contains("'takes/a.wav'"), "{shown}");
        assert!(shown.contains("line 2"), "{shown}");
    }
}

#[test]
fn duplicate_keys_are_refused() {
    for key in ["stash_id", "branch", "message", "created_at", "track", "manifest", "stem"] {
        let once = entry("{}");
        let text = once.replacen('{', &format!("{{\"stem\": {{}}, \"{key}\": {},", value_of(key)), 1);
        let (_, shown) = refusal(&text);
        assert!(shown.contains("duplicate key"), "{key}: {shown}");
    }
}

fn value_of(key: &str) -> &'static str {
    match key {
        "stash_id" => "\"stash-1\"",
        "manifest" | "stem" => "{}",
        _ => "\"x\"",
    }
}

#[test]
fn an_entry_cut_short_anywhere_is_an_error() {
    let whole = decode(entry(&format!("{{\"a.wav\": \"{ID}\", \"\\udcff\": \"{ID}\"}}")).as_bytes()).unwrap();
    let whole = encode(&StashEntry { stem: Some(StemRecord::default()), ..whole }).unwrap();
    assert!(decode(&whole).is_ok());
    for end in 0..whole.len() {
        let error = decode(&whole[..end]).unwrap_err();
        assert_eq!(error.kind(), FormatErrorKind::Malformed);
        assert!(error.to_string().contains("line"), "{end}: {error}");
    }
}

#[test]
fn an_entry_with_any_byte_changed_is_read_or_refused() {
    let text = entry(&format!("{{\"a\\udcff\": \"{ID}\"}}")).into_bytes();
    for at in 0..text.len() {
        for byte in [0, b'"', b'\\', b'{', b'/', 0x80, 0xFF, text[at] ^ 1] {
            let mut changed = text.clone();
            changed[at] = byte;
            if let Ok(entry) = decode(&changed) {
                assert_eq!(decode(&encode(&entry).unwrap()).unwrap(), entry);
            }
        }
    }
}

#[test]
fn nesting_is_bounded_everywhere() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    for text in [deep(200_000), "{\"a\":".repeat(200_000), entry(&deep(5000)), "[".repeat(1 << 20)] {
        let (kind, shown) = refusal(&text);
        assert_eq!(kind, FormatErrorKind::TooLarge);
        assert!(shown.contains("deep") && shown.contains("line"), "{shown}");
    }
    // Inside a key that nobody knows, too; and brackets in strings are no nesting.
    let unknown = entry("{}").replacen('{', &format!("{{\"x\": {},", deep(MAX_DEPTH)), 1);
    assert_eq!(refusal(&unknown).0, FormatErrorKind::TooLarge);
    let unknown = entry("{}").replacen('{', &format!("{{\"x\": {},", deep(MAX_DEPTH - 1)), 1);
    assert!(decode(unknown.as_bytes()).is_ok());
    let text = entry("{}").replacen('{', &format!("{{\"x\": \"{}\",", "[".repeat(500)), 1);
    assert!(decode(text.as_bytes()).is_ok());
}

#[test]
fn what_is_no_entry_is_an_error() {
    for (text, says) in [
        ("", "EOF"),
        ("null", "null"),
        ("[]", "sequence"),
        ("5", "integer"),
        ("\"x\"", "string"),
        ("{}", "\"stash_id\" is missing"),
        ("{\"stash_id\": 5}", "\"stash_id\""),
        ("{\"stash_id\": \"../../x\"}", "\"stash_id\""),
        ("{\"branch\": NaN}", "line 1"),
        ("{\"branch\": \"a\u{1}b\"}", "control character"),
        ("{\"branch\": \"\\x\"}", "escape"),
        ("\u{feff}{}", "line 1"),
        ("{} {}", "trailing"),
        ("{\"track\": 5}", "\"track\""),
        ("{\"manifest\": []}", "\"manifest\""),
        ("{\"manifest\": null}", "\"manifest\""),
    ] {
        let (kind, shown) = refusal(text);
        assert_eq!(kind, FormatErrorKind::Malformed);
        assert!(shown.contains(says), "{text}: {shown}");
    }
    let error = decode(b"{\"branch\":\n \"\xff\"}").unwrap_err().to_string();
    assert!(error.contains("not UTF-8 at line 2 column 3"), "{error}");
    // An encoded surrogate is not UTF-8.
    assert!(decode(b"{\"branch\": \"\xed\xb2\x80\"}").is_err());
}

#[test]
fn a_huge_value_is_not_quoted_in_full() {
    let (_, shown) = refusal(&format!("{{\"manifest\": \"{}\"}}", "\\u001b[2J".repeat(100_000)));
    assert!(shown.contains("line 1") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn a_document_over_the_limit_is_not_parsed() {
    // Untouched zero pages: nothing but the length is looked at.
    let error = decode(&vec![0; MAX_ENTRY_BYTES + 1]).unwrap_err();
    assert_eq!(error.kind(), FormatErrorKind::TooLarge);
}

#[test]
fn what_the_reference_takes_is_taken() {
    // Unknown keys, with lone surrogates in key and value; blanks; any order of keys; scopes that are empty or absent.
    let text = format!(
        r#" {{"\udc80": ["\ud800"], "x": {{"a": 1e999999, "b": 18446744073709551616}}, "manifest": {{"b": "{ID}", "a\udc80": "{ID}"}},
        "section": "", "created_at": "whenever", "message": "\ud800 \udcff", "branch": "", "stash_id": "stash-1"}} "#
    );
    let entry = decode(text.as_bytes()).unwrap();
    assert_eq!((entry.track.clone(), entry.section.clone()), (None, None));
    assert_eq!(entry.manifest.as_slice()[0].0.as_bytes(), b"a\x80");
    assert_eq!(entry.message.to_json(), r#""\ud800 \udcff""#);
    assert_eq!(entry.order_key().stamp, None);
    // No manifest at all is an empty one.
    let text = r#"{"stash_id": "stash-1", "branch": "b", "message": "m", "created_at": "c"}"#;
    assert!(decode(text.as_bytes()).unwrap().manifest.is_empty());
}

fn with_stem(stem: &str) -> Option<StemRecord> {
    let text = entry(&format!("{{\"b\": \"{ID}\", \"a\": \"{ID}\"}}"));
    let text = format!("{}, \"stem\": {stem}}}", text.strip_suffix('}').unwrap());
    decode(text.as_bytes()).unwrap().stem
}

#[test]
fn rows_follow_their_paths_when_the_manifest_was_not_sorted() {
    let record = with_stem(
        r#"{"version": 1, "head_snapshot": null, "deleted": ["d", "c"], "files": [[2, 0, 0, null], [1, 0, 0, null]]}"#,
    )
    .unwrap();
    assert_eq!(record.files.iter().map(|f| f.size).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(record.deleted, [RelPath::new(*b"c").unwrap(), RelPath::new(*b"d").unwrap()]);
}

#[test]
fn a_record_with_another_number_of_rows_keeps_the_rest() {
    for rows in ["[]", "[[1, 0, 0, null]]", "[[1, 0, 0, null],[1, 0, 0, null],[1, 0, 0, null]]"] {
        let record = format!(
            "{{\"version\": 1, \"head_snapshot\": \"{ID}\", \"deleted\": [\"c\"], \"files\": {rows}}}"
        );
        let record = with_stem(&record).unwrap();
        assert!(record.files.is_empty());
        assert_eq!((record.deleted.len(), record.head_snapshot.unwrap().to_string()), (1, ID.to_owned()));
    }
}

#[test]
fn a_record_that_is_not_understood_is_no_record() {
    let good = r#"{"version": 1, "head_snapshot": null, "deleted": [], "files": []}"#;
    assert!(with_stem(good).is_some());
    let edge = "[[18446744073709551615, -9223372036854775808000000000, 4095, null], [0, 9223372036854775807999999999, 0, null]]";
    assert!(with_stem(&good.replace("\"files\": []", &format!("\"files\": {edge}"))).is_some());
    for stem in [
        "null",
        "5",
        "[]",
        "{}",
        "\"\\ud800\"",
        &good.replace("\"version\": 1", "\"version\": 2"),
        &good.replace("\"version\": 1", "\"version\": -1"),
        &good.replace("\"version\": 1", "\"version\": 1, \"version\": 1"),
        &good.replace("\"version\": 1", "\"version\": 1, \"extra\": 1"),
        &good.replace("null", "\"abc\""),
        &good.replace("\"deleted\": []", "\"deleted\": [\"../x\"]"),
        &good.replace("\"deleted\": []", "\"deleted\": [\".muse/HEAD\"]"),
        &good.replace("\"deleted\": []", "\"deleted\": [\"x\", \"x\"]"),
        &good.replace("\"deleted\": []", "\"deleted\": [\"a\"]"),
        &good.replace("\"files\": []", "\"files\": [[1, 2, 3]]"),
        &good.replace("\"files\": []", "\"files\": [[1, 2, 3, null, 5]]"),
        &good.replace("\"files\": []", "\"files\": [[-1, 2, 3, null]]"),
        &good.replace("\"files\": []", "\"files\": [[1, 2, 4096, null]]"),
        &good.replace("\"files\": []", "\"files\": [[1, 2.5, 3, null]]"),
        &good.replace("\"files\": []", "\"files\": [[1, 9223372036854775808000000000, 3, null]]"),
        &good.replace("\"files\": []", &format!("\"files\": [[1, {}, 3, null]]", "9".repeat(1000))),
        &good.replace("\"files\": []", "\"files\": [[1, 2, 3, \"ff\"]]"),
    ] {
        assert_eq!(with_stem(stem), None, "{stem}");
    }
}

#[test]
fn rows_that_do_not_fit_are_not_written() {
    let mut whole = decode(entry(&format!("{{\"a\": \"{ID}\", \"b\": \"{ID}\"}}")).as_bytes()).unwrap();
    let record = with_stem(
        r#"{"version": 1, "head_snapshot": null, "deleted": [], "files": [[2, 0, 0, null], [1, 0, 0, null]]}"#,
    );
    whole.stem = record.clone();
    whole.stem.as_mut().unwrap().files.pop();
    let back = decode(&encode(&whole).unwrap()).unwrap();
    assert!(back.stem.unwrap().files.is_empty());
}

#[test]
fn other_documents_refuse_the_same() {
    let bad = format!("{{\"../x\": \"{ID}\"}}");
    let error = decode_head_manifest(bad.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), FormatErrorKind::Unsafe);
    assert!(error.to_string().starts_with("invalid manifest of HEAD: "), "{error}");
    for text in ["", "null", "[]", "{\"a\": 1}", "{\"a\"", "{\"a\": \"x\"}"] {
        assert!(decode_head_manifest(text.as_bytes()).is_err(), "{text}");
    }
    let good = format!("{{\"a\": \"{ID}\"}}");
    assert_eq!(decode_head_manifest(good.as_bytes()).unwrap().len(), 1);
    let snapshot = format!("{{\"snapshot_id\": \"{ID}\", \"manifest\": {bad}, \"created_at\": \"\"}}");
    assert_eq!(decode_snapshot(snapshot.as_bytes()).unwrap_err().kind(), FormatErrorKind::Unsafe);
    for text in ["", "{}", "[]", &format!("{{\"snapshot_id\": \"{ID}\"}}")] {
        assert!(decode_snapshot(text.as_bytes()).is_err(), "{text}");
        assert!(decode_commit(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_manifest_is_checked_wherever_it_comes_from() {
    let id = ObjectId::from_bytes([0; 32]);
    let manifest = |paths: &[&str]| {
        Manifest::new(paths.iter().map(|path| (RelPath::new(*path).unwrap(), id)).collect()).map(|m| m.len())
    };
    assert_eq!(manifest(&["b", "a", "a-b", "a.b", "c/d", "c/e", "cc"]), Ok(7));
    assert!(matches!(manifest(&["x/.git/y"]), Err(ManifestProblem::Protected(_))));
    assert!(matches!(manifest(&["x", "y", "x"]), Err(ManifestProblem::Duplicate(_))));
    assert!(matches!(
        manifest(&["x/y/z/w", "x/y-", "x/y"]),
        Err(ManifestProblem::FileAndDirectory { file, .. }) if file.as_bytes() == b"x/y"
    ));
}
