//! A hostile file for each limit of docs/format/README.md: refused with words, in bounded memory.
//!
//! All of it runs in a process of its own whose memory is limited: a reader that reserved what a file claims would be
//! refused by the system, and end.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use stemvault::{GcOptions, HeadChoice, PushOptions, Silent, Vault, VerifyOptions};
use stemvault_tests::child;
use stemvault_tests::hostile::{STASH_ID, entry_text};
use stemvault_tests::repo::Repo;
use stemvault_tests::tree;

const MIB: u64 = 1 << 20;
/// Address space of the child in KiB: far less than the largest limit, far more than reading what is allowed needs.
const ADDRESS_SPACE: u64 = 3 * 1024 * 1024;

#[test]
fn hostile_files_are_refused_in_bounded_memory() {
    let repo = Repo::in_memory();
    repo.write("kick.wav", "take");
    repo.snapshot();
    // The shell sets the limit and becomes the test binary.
    let limited = format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"");
    let mut command = child::prefixed(&["sh", "-c", &limited], "child_meets_hostile_files", repo.root());
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("all hostile files were met"), "{text}");
}

/// A file without bytes that claims to have this many.
fn huge(path: &Path, len: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().set_len(len).unwrap();
}

/// Everything that reads roots refuses and says why, in few words.
fn assert_refused(vault: &Vault, what: &str, says: &str) {
    let error = vault.gc(&GcOptions::default(), &Silent).unwrap_err().to_string();
    assert!(error.contains(says), "{what}: {error:.2000}");
    assert!(error.len() < 2500, "{what}: an error of {} bytes", error.len());
    let verified = vault.verify(&VerifyOptions::default(), &Silent).unwrap();
    let told = verified.records.iter().any(|record| record.reason.contains(says));
    assert!(told, "{what}: {:?}", verified.records);
}

#[test]
#[ignore = "run in a process of its own by hostile_files_are_refused_in_bounded_memory"]
fn child_meets_hostile_files() {
    let Some(root) = child::task() else { return };
    let muse = root.join(".muse");
    let vault = Vault::open(&root).unwrap();
    let id = "7".repeat(64);

    let files: [(&str, u64, &str); 8] = [
        (&format!("stash/{STASH_ID}.json"), 512 * MIB + 1, "limit"),
        (&format!("snapshots/{id}.json"), 512 * MIB + 1, "limit"),
        ("stem/journal/push-0123abcd-0.json", 512 * MIB + 1, "limit"),
        ("stash.json", 64 * MIB + 1, "limit"),
        ("refs/heads/large", 4097, "limit"),
        ("stem/seen/stash-gone", 801 * 1_000_000, "limit"),
        ("stem/seen/stash-claims", 100 * 1_000_000, "it is something else"),
        (&format!("stem/journal/undo-{}.json", &STASH_ID["stash-".len()..]), 1024 * MIB + 1, "limit"),
    ];
    for (name, len, says) in files {
        // Zeros that fit would be read whole: as many as memory allows are an error of memory, not the end.
        huge(&muse.join(name), len);
        assert_refused(&vault, name, says);
        fs::remove_file(muse.join(name)).unwrap();
    }

    let texts: Vec<(String, Vec<u8>, &str)> = vec![
        (format!("stash/{STASH_ID}.json"), deep(), "120 deep"),
        (
            format!("stash/{STASH_ID}.json"),
            entry_text(STASH_ID, &format!("{{\"a\": {}1{}}}", "[".repeat(200), "]".repeat(200))).into(),
            "120 deep",
        ),
        (format!("snapshots/{id}.json"), many_keys(&id), "4096 keys"),
        ("stash.json".into(), repeated(b"[", b"{\"manifest\":{}},", 100_001, b"{}]"), "100000 elements"),
        ("stash.json".into(), deep(), "120 deep"),
        (format!("stash/{STASH_ID}.json"), long_path(), "4095"),
        (
            format!("stash/{STASH_ID}.json"),
            entry_text(STASH_ID, &format!("{{\"a\": \"{}\"}}", "x".repeat(8 << 20))).into(),
            "not an object id",
        ),
        ("refs/heads/x".into(), vec![b'1'; 4000], "not a commit id"),
    ];
    for (name, bytes, says) in texts {
        tree::write(&muse, &name, bytes);
        assert_refused(&vault, &name, says);
        fs::remove_file(muse.join(&name)).unwrap();
    }

    // Five million paths are read, one more is not. A manifest that a user hands over, for no other file has to be near.
    let mut manifest = Vec::new();
    manifest.push(b'{');
    for n in 0..=5_000_000_u32 {
        if n > 0 {
            manifest.push(b',');
        }
        write!(manifest, "\"{n:x}\":\"{id}\"").unwrap();
    }
    manifest.push(b'}');
    let head = HeadChoice::Manifest { bytes: manifest, name: "head.json".into() };
    let error = vault.stash().push(&PushOptions { head, ..PushOptions::default() }, &Silent).unwrap_err();
    assert!(error.to_string().contains("5000000"), "{error:.300}");

    tree::write(&muse, "stem/config.toml", repeated(b"a = ", b"[", 100_000, b""));
    let error = Vault::open(&root).unwrap_err().to_string();
    assert!(error.len() < 200_000, "an error of {} bytes", error.len());
    huge(&muse.join("stem/config.toml"), MIB + 1);
    assert!(Vault::open(&root).unwrap_err().to_string().contains("limit"));
    fs::remove_file(muse.join("stem/config.toml")).unwrap();
    vault.gc(&GcOptions::default(), &Silent).unwrap();
    println!("all hostile files were met");
}

fn repeated(before: &[u8], one: &[u8], times: usize, after: &[u8]) -> Vec<u8> {
    [before, &one.repeat(times), after].concat()
}

fn deep() -> Vec<u8> {
    vec![b'['; 5_000_000]
}

fn many_keys(id: &str) -> Vec<u8> {
    let mut text = format!("{{\"snapshot_id\": \"{id}\", \"manifest\": {{}}").into_bytes();
    for n in 0..200_000_u32 {
        write!(text, ",\"{n:x}\":0").unwrap();
    }
    text.push(b'}');
    text
}

fn long_path() -> Vec<u8> {
    let path = "a/".repeat(2048) + "b";
    entry_text(STASH_ID, &format!("{{\"{path}\": \"{}\"}}", "7".repeat(64))).into()
}
