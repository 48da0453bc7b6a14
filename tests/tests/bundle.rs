//! Exchange: an entry goes into a bundle here and onto a stack there, or the bundle is refused and nothing appears.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;
use stem_bundle::{Compression, Front, Row, Stream, Writer};
use stemvault::{
    Algorithm, BundleCompression, Dir, Error, ErrorKind, ExportOptions, GcOptions, ImportOptions,
    ImportResult, ObjectId, Progress, PushOptions, Silent, UndoOptions, Vault,
};
use stemvault_tests::binary::stem;
use stemvault_tests::golden::hex;
use stemvault_tests::repo::{Repo, rel};
use stemvault_tests::tree;

/// 24-bit stereo, a tone and a little noise.
fn wav(frames: u32, seed: u32) -> Vec<u8> {
    let len = frames * 6;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + len).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\x65\x04\0\x06\0\x18\0data");
    bytes.extend_from_slice(&len.to_le_bytes());
    let mut state = seed | 1;
    for n in 0..frames {
        for channel in 0..2_u32 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let triangle = i64::from((n * (3 + channel) + seed) % 400) - 200;
            let sample = triangle * 20_000 + i64::from(state % 512);
            bytes.extend_from_slice(&sample.to_le_bytes()[..3]);
        }
    }
    bytes
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    next.take(len).collect()
}

fn write_session(repo: &Repo) {
    repo.write("tracks/drums/kick.wav", wav(30_000, 1));
    repo.write("tracks/drums/kick copy.wav", wav(30_000, 1));
    repo.write("sections/chorus/lead.wav", wav(20_000, 9));
    repo.write("notes.txt", b"four bars of silence");
    repo.write("empty", b"");
    repo.write(b"tracks/\xff\xfe.mid", b"a name that is not UTF-8");
    tree::set_meta(&repo.path("notes.txt"), 0o640, 1_600_000_000_123_456_789);
    tree::set_meta(&repo.path("tracks/drums/kick.wav"), 0o755, 1_500_000_000_000_000_001);
    tree::set_meta(&repo.path("empty"), 0o600, 7);
}

fn message(text: &str) -> PushOptions {
    PushOptions { message: Some(text.into()), ..PushOptions::default() }
}

fn exported(repo: &Repo, reference: &str, options: &ExportOptions) -> Vec<u8> {
    let mut bundle = Vec::new();
    repo.vault.export_to(reference, &mut bundle, options, &Silent).unwrap();
    bundle
}

fn bundle(repo: &Repo) -> Vec<u8> {
    exported(repo, "0", &ExportOptions::default())
}

fn import(repo: &Repo, bundle: &[u8]) -> Result<ImportResult, Error> {
    repo.vault.import(bundle, ImportOptions::default(), &Silent)
}

/// Everything that the user sees is as it was; the store may hold more, and all of it is true.
fn assert_refused(repo: &Repo, bundle: &[u8], name: &str) -> Error {
    let (stack, work) = (repo.list().len(), repo.tree());
    for dry_run in [true, false] {
        let error = repo.vault.import(bundle, ImportOptions { dry_run, again: false }, &Silent).unwrap_err();
        assert_eq!(error.name(), name, "{error}");
        assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
    }
    assert_eq!((repo.list().len(), repo.tree()), (stack, work));
    repo.assert_sound();
    let error = import(repo, bundle).unwrap_err();
    // Nothing is left for anybody to undo or to recover.
    assert!(!repo.vault.stash().is_interrupted().unwrap());
    error
}

#[test]
fn an_entry_arrives_byte_for_byte() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    let tree = from.tree();
    let pushed = from.push_with(&message("chorus WIP"));
    to.write("mine.wav", b"mine");
    to.push_with(&message("mine"));
    for compression in [BundleCompression::Audio, BundleCompression::None] {
        let options = ExportOptions { compression, ..ExportOptions::default() };
        let bundle = exported(&from, &pushed.stash_id.clone().unwrap(), &options);
        let imported = import(&to, &bundle).unwrap();
        assert!(imported.added);
        assert_eq!((imported.stash_ref.as_str(), imported.files), ("stash@{0}", 6));
        assert_eq!(Some(&imported.origin), pushed.stash_id.as_ref());
        assert_eq!(imported.bundle_bytes, bundle.len() as u64);
        assert_eq!(imported.objects_new + imported.objects_present, 5);
        to.assert_sound();
        let (theirs, ours) = (from.entry(0), to.entry(0));
        assert_eq!((&ours.message, &ours.branch), (&theirs.message, &theirs.branch));
        assert_eq!(ours.manifest, theirs.manifest);
        assert_ne!(ours.stash_id, theirs.stash_id);
        assert!(ours.created() > to.entry(1).created());
        let (theirs, ours) = (theirs.stem.unwrap(), ours.stem.unwrap());
        assert_eq!((ours.files, ours.deleted), (theirs.files, theirs.deleted));
        assert_eq!(ours.origin.map(|id| id.to_string()), pushed.stash_id);
        assert!(to.tree().is_empty(), "the working tree is not touched");
        assert!(to.pop("0").dropped);
        assert_eq!(to.tree(), tree);
        to.vault.stash().undo(UndoOptions::default(), &Silent).unwrap();
        to.vault.stash().undo(UndoOptions::default(), &Silent).unwrap();
        assert_eq!(to.list().len(), 1, "undo of the import removes the entry");
        to.vault.stash().redo(UndoOptions::default(), &Silent).unwrap();
        assert_eq!(to.list().len(), 2);
        to.vault.stash().drop_entry("0").unwrap();
    }
}

#[test]
fn audio_is_small_and_a_bundle_is_the_same_every_time() {
    let from = Repo::new();
    write_session(&from);
    from.push();
    let bytes = bundle(&from);
    let raw = exported(
        &from,
        "0",
        &ExportOptions { compression: BundleCompression::None, ..ExportOptions::default() },
    );
    assert!(bytes.len() * 10 < raw.len() * 9, "{} of {}", bytes.len(), raw.len());
    assert_eq!(bundle(&from), bytes);
    // Nor does it depend on where the objects lie.
    from.vault.pack(&stemvault::PackingOptions { all: true, ..Default::default() }, &Silent).unwrap();
    assert_eq!(bundle(&from), bytes);
}

#[test]
fn the_same_bundle_twice_is_one_entry_and_mends_what_is_gone() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    from.push();
    let bytes = bundle(&from);
    let first = import(&to, &bytes).unwrap();
    let lost = to.object_path(&hex(b"four bars of silence"));
    fs::remove_file(&lost).unwrap();
    let rotten = to.object_path(&hex(&wav(20_000, 9)));
    fs::remove_file(&rotten).unwrap();
    fs::write(&rotten, vec![1; wav(20_000, 9).len()]).unwrap();
    let second = import(&to, &bytes).unwrap();
    assert_eq!((second.added, second.stash_id, second.objects_new), (false, first.stash_id, 2));
    assert_eq!(to.list().len(), 1);
    to.assert_sound();
    let again = ImportOptions { again: true, ..ImportOptions::default() };
    assert!(to.vault.import(&bytes[..], again, &Silent).unwrap().added);
    assert_eq!(to.list().len(), 2);
    // Where it was made it is there already, and passed on it is still the same.
    assert!(!import(&from, &bytes).unwrap().added);
    let third = Repo::new();
    assert!(import(&third, &bundle(&to)).unwrap().added);
    assert!(!import(&third, &bytes).unwrap().added);
    assert!(!import(&from, &bundle(&third)).unwrap().added);
}

#[test]
fn what_the_receiver_has_is_left_out() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    from.push();
    let kick = to.plant_object(&wav(30_000, 1));
    let have: Vec<ObjectId> = vec![kick.parse().unwrap(), ObjectId::from_bytes([3; 32])];
    let options = ExportOptions { have, ..ExportOptions::default() };
    let part = exported(&from, "0", &options);
    assert!(part.len() * 2 < bundle(&from).len());
    let imported = import(&to, &part).unwrap();
    assert_eq!((imported.objects_new, imported.objects_present), (4, 1));
    to.assert_sound();
    // Somebody else does not have it.
    let other = Repo::new();
    let error = assert_refused(&other, &part, "missing_objects");
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().contains("'tracks/drums/kick copy.wav', 'tracks/drums/kick.wav'"), "{error}");
    assert!(other.objects().is_empty(), "it is known before anything is stored");
    // One of another length is not it.
    fs::create_dir_all(other.object_path(&kick).parent().unwrap()).unwrap();
    fs::write(other.object_path(&kick), b"short").unwrap();
    assert_eq!(import(&other, &part).unwrap_err().name(), "missing_objects");
    // What the sender lost can be left out too.
    fs::remove_file(from.object_path(&kick)).unwrap();
    assert_eq!(exported(&from, "0", &options), part);
}

#[test]
fn the_files_appear_whole_or_not_at_all() {
    let repo = Repo::new();
    write_session(&repo);
    repo.push();
    let out = tempfile::tempdir().unwrap();
    let dir = Dir::open(out.path()).unwrap();
    let export = |options: &ExportOptions| repo.vault.export("0", &dir, &rel("a.stem"), options, &Silent);
    let names = || {
        let mut names: Vec<_> = fs::read_dir(out.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let result = export(&ExportOptions::default()).unwrap();
    assert_eq!(fs::read(out.path().join("a.stem")).unwrap(), bundle(&repo));
    assert_eq!((result.bytes, result.resumed_bytes), (bundle(&repo).len() as u64, 0));
    assert_eq!(export(&ExportOptions::default()).unwrap_err().name(), "exists");
    export(&ExportOptions { replace: true, ..ExportOptions::default() }).unwrap();
    assert_eq!(names(), ["a.stem"]);
    fs::remove_file(out.path().join("a.stem")).unwrap();

    // A damaged object: nothing is published, the path is named, and the sound part stays.
    let lead = repo.object_path(&hex(&wav(20_000, 9)));
    let good = fs::read(&lead).unwrap();
    let mut bad = good.clone();
    bad[50_000] ^= 1;
    fs::remove_file(&lead).unwrap();
    fs::write(&lead, &bad).unwrap();
    let error = export(&ExportOptions::default()).unwrap_err();
    assert_eq!((error.name(), error.kind()), ("corrupt_object", ErrorKind::Damaged));
    assert!(error.to_string().contains("'sections/chorus/lead.wav'"), "{error}");
    assert!(error.to_string().contains("a.stem.partial"), "{error}");
    assert_eq!(names(), ["a.stem.partial"]);
    // Somebody writes it now.
    let held = stemvault_partial(&dir);
    assert_eq!(export(&ExportOptions::default()).unwrap_err().name(), "busy");
    drop(held);
    fs::write(&lead, &good).unwrap();
    let result = export(&ExportOptions::default()).unwrap();
    assert!(result.resumed_bytes > 0);
    assert_eq!(fs::read(out.path().join("a.stem")).unwrap(), bundle(&repo));
    assert_eq!(names(), ["a.stem"]);
    fs::remove_file(out.path().join("a.stem")).unwrap();

    // A missing one: all paths, and not even a part.
    fs::remove_file(repo.object_path(&hex(&wav(30_000, 1)))).unwrap();
    fs::remove_file(repo.object_path(&hex(b""))).unwrap();
    let error = export(&ExportOptions::default()).unwrap_err();
    assert_eq!((error.name(), error.kind()), ("missing_objects", ErrorKind::Damaged));
    for path in ["'empty'", "'tracks/drums/kick copy.wav'", "'tracks/drums/kick.wav'"] {
        assert!(error.to_string().contains(path), "{error}");
    }
    assert!(names().is_empty());

    // What is no part of a bundle is not written over.
    fs::write(out.path().join("b.stem.partial"), b"my own notes").unwrap();
    let error = repo.vault.export("0", &dir, &rel("b.stem"), &ExportOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.name(), "missing_objects");
    write_session(&repo);
    repo.push();
    let error = repo.vault.export("0", &dir, &rel("b.stem"), &ExportOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.name(), "not_a_partial_bundle");
    assert_eq!(fs::read(out.path().join("b.stem.partial")).unwrap(), b"my own notes");
}

fn stemvault_partial(dir: &Dir) -> fs::File {
    let file = fs::File::options().write(true).open(dir.path().join("a.stem.partial")).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn an_export_goes_on_where_it_was_cut() {
    let repo = Repo::new();
    write_session(&repo);
    repo.write("noise.bin", noise(9_000_000, 5));
    repo.push();
    let whole = bundle(&repo);
    let out = tempfile::tempdir().unwrap();
    let dir = Dir::open(out.path()).unwrap();
    for (part, damaged) in [(1, false), (4, false), (8, false), (10, false), (8, true)] {
        let mut bytes = whole[..whole.len() * part / 10].to_vec();
        if damaged {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x20;
        }
        fs::write(out.path().join("a.stem.partial"), &bytes).unwrap();
        let options = ExportOptions { replace: true, ..ExportOptions::default() };
        let result = repo.vault.export("0", &dir, &rel("a.stem"), &options, &Silent).unwrap();
        assert_eq!(fs::read(out.path().join("a.stem")).unwrap(), whole, "{part}");
        let limit = if damaged { bytes.len() / 2 } else { bytes.len() } as u64;
        assert!(result.resumed_bytes <= limit);
        // A record is 4 MiB at most.
        assert!(result.resumed_bytes + (5 << 20) > limit, "{} of {limit}", result.resumed_bytes);
    }
}

#[test]
fn every_flip_and_every_cut_of_a_bundle_is_noticed() {
    let (from, to) = (Repo::in_memory(), Repo::in_memory());
    from.write("kick.wav", b"kick");
    from.write("empty", b"");
    from.push();
    let bytes = bundle(&from);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(import(&to, &damaged).is_err(), "byte {at}");
        let error = import(&to, &bytes[..at]).unwrap_err();
        assert_eq!(error.name(), "truncated_bundle", "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            cause.contains(&format!("after {at} bytes")) && cause.contains("Transfer it again"),
            "{cause}"
        );
        assert!(to.list().is_empty());
    }
    to.assert_sound();
    assert!(import(&to, &bytes).unwrap().added);
    to.assert_sound();
}

/// A bundle of this entry text and these objects, whatever they are.
fn forge(entry: &str, objects: &[(ObjectId, Vec<u8>)]) -> Vec<u8> {
    let mut rows: Vec<_> = objects.to_vec();
    rows.sort_by_key(|(id, _)| *id);
    let row = |(id, bytes): &(ObjectId, Vec<u8>)| Row { id: *id, len: bytes.len() as u64, left_out: false };
    let front = Front {
        algorithm: Algorithm::Sha256,
        compression: Compression::Audio,
        entry: entry.as_bytes().to_vec(),
        rows: rows.iter().map(row).collect(),
    };
    let mut out = Vec::new();
    let mut target = Stream(&mut out);
    let mut writer = Writer::begin(&mut target, &front).unwrap();
    for (_, bytes) in &rows {
        let row = writer.next_row().unwrap();
        writer.object(&row, &mut &bytes[..]).unwrap();
    }
    writer.finish().unwrap();
    out
}

fn id(bytes: &[u8]) -> ObjectId {
    hex(bytes).parse().unwrap()
}

#[test]
fn hostile_entries_are_refused() {
    let (from, to) = (Repo::new(), Repo::new());
    from.write("kick.wav", b"kick");
    from.write("more.wav", b"more");
    from.push();
    let good = from.entry_text(0);
    let objects = vec![(id(b"kick"), b"kick".to_vec()), (id(b"more"), b"more".to_vec())];
    assert_eq!(forge(&good, &objects), bundle(&from));
    let paths = [
        "../x",
        "/x",
        "a/../../x",
        ".muse/HEAD",
        ".MUSE/HEAD",
        ".git/config",
        "a/.GIT/config",
        "./x",
        "a//x",
        "",
        "..",
        "a\\u0000b",
        "a\\u001b[2J",
        "a\\nb",
        "\\u007f",
        "more.wav",
        "more.wav/x",
        "\\ud800",
    ];
    for path in paths {
        let text = good.replacen("\"kick.wav\"", &format!("\"{path}\""), 1);
        assert_ne!(text, good);
        assert_refused(&to, &forge(&text, &objects), "refused_bundle");
    }
    for (what, text) in [
        ("no JSON", "{".to_owned()),
        ("white space", format!("{good} ")),
        ("a key that is not known", good.replacen("\"branch\"", "\"more\": 1,\n  \"branch\"", 1)),
        ("a record of the future", good.replacen("\"version\": 1", "\"version\": 3", 1)),
        ("an id that is none", good.replacen(&hex(b"kick"), &hex(b"kick").to_uppercase(), 1)),
        ("an object that is not in the table", good.replacen(&hex(b"kick"), &hex(b"other"), 1)),
        (
            "a deleted path outside",
            good.replacen("\"deleted\": []", "\"deleted\": [\n      \"../x\"\n    ]", 1),
        ),
    ] {
        assert_ne!(text, good, "{what}");
        assert_refused(&to, &forge(&text, &objects), "refused_bundle");
    }
    assert!(to.objects().is_empty(), "an entry is judged before anything is stored");
    let more = [&objects[..], &[(id(b"extra"), b"extra".to_vec())]].concat();
    assert_refused(&to, &forge(&good, &more), "refused_bundle");
    assert_refused(&to, &forge(&good, &objects[..1]), "refused_bundle");
    // Bytes that are not those of their id, under checks that are all right.
    let lie = vec![(id(b"kick"), b"lies".to_vec()), objects[1].clone()];
    let error = assert_refused(&to, &forge(&good, &lie), "refused_bundle");
    assert!(error.to_string().contains("'kick.wav'"), "{error}");
    assert!(!to.objects().contains_key(&hex(b"kick")));
    // A path with a control character is not exported either.
    from.write("Icon\r", b"of a folder");
    from.push();
    let mut out = Vec::new();
    let error = from.vault.export_to("0", &mut out, &ExportOptions::default(), &Silent).unwrap_err();
    assert_eq!((error.name(), out.len()), ("invalid_input", 0));
}

#[test]
fn set_uid_bits_of_somebody_else_do_not_arrive() {
    let (from, to) = (Repo::new(), Repo::new());
    from.write("tool", b"#!/bin/sh");
    from.push();
    let text = from.entry_text(0);
    let at = text.find("[9, ").unwrap();
    let row_end = at + text[at..].find(", \"").unwrap();
    let mode_at = text[..row_end].rfind(' ').unwrap() + 1;
    let text = format!("{}{}{}", &text[..mode_at], 0o6755, &text[row_end..]);
    let bundle = forge(&text, &[(id(b"#!/bin/sh"), b"#!/bin/sh".to_vec())]);
    import(&to, &bundle).unwrap();
    assert_eq!(to.entry(0).stem.unwrap().files[0].mode, 0o755);
    to.pop("0");
    assert!(matches!(to.tree()[&b"tool"[..]], tree::Node::File { mode: 0o755, .. }));
}

#[test]
fn claims_of_size_are_not_believed() {
    let (from, to) = (Repo::new(), Repo::new());
    let zeros = vec![0; 4 << 20];
    from.write("zeros", &zeros);
    from.push();
    let (entry, zeros_id) = (from.entry_text(0), id(&zeros));
    let front = |len| Front {
        algorithm: Algorithm::Sha256,
        compression: Compression::Audio,
        entry: entry.clone().into_bytes(),
        rows: vec![Row { id: zeros_id, len, left_out: false }],
    };
    // The front of a bundle of `len` zeros with the records of one of 4 MiB, which are small.
    let forge = |len: u64| {
        let mut out = Vec::new();
        let mut target = Stream(&mut out);
        let mut writer = Writer::begin(&mut target, &front(len)).unwrap();
        let row = Row { len: zeros.len() as u64, ..writer.next_row().unwrap() };
        writer.object(&row, &mut &zeros[..]).unwrap();
        writer.finish().unwrap();
        out
    };
    assert!(forge(4 << 20).len() < 10_000);
    // More than there is room for: said before anything is stored.
    let error = import(&to, &forge(1 << 60)).unwrap_err();
    assert_eq!(error.name(), "no_space", "{error}");
    // More, or less, than comes. The footer is shorter than the record that should be there.
    assert_eq!(import(&to, &forge(5 << 20)).unwrap_err().name(), "truncated_bundle");
    assert_eq!(import(&to, &forge((4 << 20) - 1)).unwrap_err().name(), "damaged_bundle");
    assert!(to.objects().is_empty() && to.list().is_empty());
    assert!(import(&to, &forge(4 << 20)).unwrap().added);
}

#[test]
fn other_ids_and_other_files_are_refused() {
    let to = Repo::new();
    let front = Front {
        algorithm: Algorithm::Blake3,
        compression: Compression::Audio,
        entry: b"{}".to_vec(),
        rows: Vec::new(),
    };
    let mut out = Vec::new();
    Writer::begin(&mut Stream(&mut out), &front).unwrap().finish().unwrap();
    assert_eq!(import(&to, &out).unwrap_err().name(), "other_ids");
    let error = import(&to, b"RIFF....WAVEfmt ").unwrap_err();
    assert_eq!((error.name(), error.kind()), ("not_a_bundle", ErrorKind::User));
}

#[test]
fn what_was_stored_before_an_error_is_not_stored_again() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    from.push();
    let bytes = bundle(&from);
    let mut stored = 0;
    for part in 1..10 {
        import(&to, &bytes[..bytes.len() * part / 10]).unwrap_err();
        let now = to.objects().len();
        assert!(now >= stored);
        stored = now;
    }
    assert!(stored > 1);
    let imported = import(&to, &bytes).unwrap();
    assert_eq!(imported.objects_present, stored as u64);
    to.assert_sound();
}

/// Stops after so many questions.
struct Impatient(AtomicU64);

impl Progress for Impatient {
    fn cancelled(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

#[test]
fn both_can_be_stopped_and_go_on() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    from.push();
    let out = tempfile::tempdir().unwrap();
    let dir = Dir::open(out.path()).unwrap();
    let mut stopped = 0;
    for patience in 0.. {
        let progress = Impatient(AtomicU64::new(patience));
        match from.vault.export("0", &dir, &rel("a"), &ExportOptions::default(), &progress) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
        }
        stopped += 1;
        assert!(!out.path().join("a").exists());
    }
    assert!(stopped > 3);
    let bytes = fs::read(out.path().join("a")).unwrap();
    assert_eq!(bytes, bundle(&from));
    for patience in 0.. {
        let progress = Impatient(AtomicU64::new(patience));
        match to.vault.import(&bytes[..], ImportOptions::default(), &progress) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
        }
        assert!(to.list().is_empty());
    }
    to.assert_sound();
    assert_eq!(to.list().len(), 1);
}

#[test]
fn collections_do_not_come_between() {
    let (from, to) = (Repo::in_memory(), Repo::in_memory());
    let bundles: Vec<Vec<u8>> = (0..12)
        .map(|n| {
            for file in 0..8 {
                from.write(format!("take-{file}.wav"), noise(20_000 + file, n));
            }
            from.push();
            bundle(&from)
        })
        .collect();
    // All of it was there once, and nobody needed it for a month.
    for bundle in &bundles {
        import(&to, bundle).unwrap();
    }
    to.vault.stash().clear().unwrap();
    to.vault.stash().expire_undo(std::time::Duration::ZERO, &Silent).unwrap();
    let day = 86_400_000_000;
    let now = stemvault::format::stamp::Stamp::now().unwrap().as_micros();
    let at = |days: i64| {
        let now = stemvault::format::stamp::Stamp::from_micros(now + days * day).unwrap();
        GcOptions { now: Some(now), ..GcOptions::default() }
    };
    to.vault.gc(&at(0), &Silent).unwrap();
    let done = AtomicBool::new(false);
    let root = to.root().to_path_buf();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let vault = Vault::open(&root).unwrap();
            while !done.load(Ordering::Relaxed) {
                vault.gc(&at(20), &Silent).unwrap();
            }
        });
        for bundle in &bundles {
            assert!(import(&to, bundle).unwrap().added);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(to.list().len(), bundles.len());
    to.assert_sound();
}

#[test]
fn two_imports_at_once_add_one_entry() {
    let (from, to) = (Repo::in_memory(), Repo::in_memory());
    write_session(&from);
    from.push();
    let bytes = bundle(&from);
    let added: usize = std::thread::scope(|scope| {
        let work = || {
            let vault = Vault::open(to.root()).unwrap();
            usize::from(vault.import(&bytes[..], ImportOptions::default(), &Silent).unwrap().added)
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((added, to.list().len()), (1, 1));
    to.assert_sound();
}

#[test]
fn an_import_may_go_to_packs() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    let tree = from.tree();
    from.push();
    let vault = Vault::open_writing_to(to.root(), &"pack:".parse().unwrap()).unwrap();
    let bytes = bundle(&from);
    assert!(vault.import(&bytes[..], ImportOptions::default(), &Silent).unwrap().added);
    assert!(to.objects().is_empty());
    to.pop("0");
    assert_eq!(to.tree(), tree);
}

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/bundle/v1.stem");

fn golden_session() -> Repo {
    let repo = Repo::new();
    repo.write("tracks/drums/kick.wav", wav(2_000, 1));
    repo.write("notes.txt", b"four bars of silence, ".repeat(20));
    repo.write("empty", b"");
    repo.write(b"tracks/\xff\xfe.mid", b"a name that is not UTF-8");
    repo
}

/// Files of released versions stay readable. `STEM_WRITE_GOLDEN=1` writes the file, which is done once for each version.
#[test]
fn the_golden_bundle_is_read() {
    let session = golden_session();
    let files = tree::bytes(&session.work());
    if std::env::var_os("STEM_WRITE_GOLDEN").is_some() {
        session.push_with(&message("golden"));
        fs::create_dir_all(Path::new(GOLDEN).parent().unwrap()).unwrap();
        fs::write(GOLDEN, bundle(&session)).unwrap();
    }
    let to = Repo::new();
    let imported = import(&to, &fs::read(GOLDEN).unwrap()).unwrap();
    assert_eq!((imported.message.as_str(), imported.files, imported.objects_new), ("golden", 4, 4));
    assert!(imported.origin.starts_with("stash-2026-"));
    to.pop("0");
    assert_eq!(tree::bytes(&to.work()), files);
}

fn run(root: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(stem());
    command.arg("-C").arg(root).args(args).env_remove("MUSE_REPO_ROOT");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may end without reading it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn the_binary_goes_through_files_and_pipes() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    let tree = from.tree();
    from.push_with(&message("chorus WIP"));
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("a.stem");
    let file = file.to_str().unwrap();
    let output = run(from.root(), &["--json", "stash", "export", "0", file], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = json(&output);
    assert_eq!((&told["objects"], &told["left_out"], &told["files"]), (&5.into(), &0.into(), &6.into()));
    let whole = fs::read(file).unwrap();
    assert_eq!(told["bytes"], whole.len());
    assert_eq!(run(from.root(), &["stash", "export", "0", file], b"").status.code(), Some(1));
    let piped = run(from.root(), &["stash", "export", "stash@{0}", "-"], b"");
    assert_eq!((piped.status.code(), &piped.stdout), (Some(0), &whole));
    assert_eq!(run(from.root(), &["--json", "stash", "export", "0", "-"], b"").status.code(), Some(1));

    // The receiver says what it has, as text and as JSON.
    to.plant_object(&wav(30_000, 1));
    for args in [&["object", "list"][..], &["object", "list", "-v"], &["object", "list", "--json"]] {
        let list = run(to.root(), args, b"").stdout;
        let output =
            run(from.root(), &["stash", "export", "0", file, "--force", "--json", "--have", "-"], &list);
        assert_eq!(json(&output)["left_out"], 1, "{args:?}");
    }
    let part = fs::read(file).unwrap();
    let refused = run(Repo::new().root(), &["--json", "stash", "import", "-"], &part);
    assert_eq!(
        (refused.status.code(), &json(&refused)["error"]["kind"]),
        (Some(4), &"missing_objects".into())
    );
    let checked = run(to.root(), &["--json", "stash", "import", "-n", file], b"");
    assert_eq!((checked.status.code(), to.list().len()), (Some(0), 0));
    assert_eq!(json(&checked)["added"], true);
    let imported = run(to.root(), &["--json", "stash", "import", "-"], &part);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let told = json(&imported);
    assert_eq!((&told["stash_ref"], &told["objects_new"]), (&"stash@{0}".into(), &4.into()));
    let again = run(to.root(), &["stash", "import", file], b"");
    assert_eq!(again.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&again.stdout).contains("there already as stash@{0}"), "{again:?}");
    assert_eq!(run(to.root(), &["stash", "pop"], b"").status.code(), Some(0));
    assert_eq!(to.tree(), tree);

    let cut = run(to.root(), &["--json", "stash", "import", "-"], &whole[..whole.len() / 2]);
    assert_eq!((cut.status.code(), &json(&cut)["error"]["kind"]), (Some(4), &"truncated_bundle".into()));
    let absent = run(to.root(), &["stash", "import", "no-such-file"], b"");
    assert_eq!(absent.status.code(), Some(1));
    let other = run(to.root(), &["stash", "import", "-"], b"not a bundle at all");
    assert_eq!(other.status.code(), Some(1));
    let bad_list = run(from.root(), &["stash", "export", "0", file, "--force", "--have", "-"], b"kick.wav\n");
    assert_eq!(bad_list.status.code(), Some(1));
}

#[test]
fn a_killed_export_is_continued() {
    let repo = Repo::new();
    for n in 0..12 {
        repo.write(format!("noise-{n}.bin"), noise(6 << 20, n));
    }
    repo.push();
    let out = tempfile::tempdir().unwrap();
    let (file, partial) = (out.path().join("a.stem"), out.path().join("a.stem.partial"));
    let mut child = Command::new(stem())
        .arg("-C")
        .arg(repo.root())
        .args(["stash", "export", "0"])
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Killed when about a third is there; a process that is through before leaves nothing to continue.
    while fs::metadata(&partial).map_or(0, |meta| meta.len()) < 24 << 20
        && child.try_wait().unwrap().is_none()
    {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    if file.exists() {
        println!("it was through before it could be killed");
        return;
    }
    let output = run(repo.root(), &["--json", "stash", "export", "0", file.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(json(&output)["resumed_bytes"].as_u64().unwrap() > 16 << 20, "{output:?}");
    assert_eq!(fs::read(&file).unwrap(), bundle(&repo));
    assert!(!partial.exists());
}
