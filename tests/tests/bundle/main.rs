//! Exchange: an entry goes into a bundle here and onto a stack there, or the bundle is refused and nothing appears.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod binary;
mod hostile;
mod interrupted;

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
