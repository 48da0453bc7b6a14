//! Entries from machine to machine through a bucket: a service in this process, and a directory that is treated like one.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use stem_testkit::s3::{Fault, Injury, Match, S3Server, ServerOptions};
use stemvault::{
    Algorithm, ApplyOptions, CopyOptions, CopyPlace, CopyResult, Error, Hasher, IdPrefix,
    ObjectStoreExt as _, PushOptions, Shelf, Silent, StoreUrl, Vault, format,
};
use stemvault_tests::binary::stem;
use stemvault_tests::repo::Repo;
use tempfile::TempDir;

/// A bucket, and the machines' caches.
struct Bucket {
    server: Option<S3Server>,
    dir: TempDir,
}

impl Bucket {
    fn start(options: ServerOptions) -> Self {
        Self { server: Some(S3Server::start(options).unwrap()), dir: tempfile::tempdir().unwrap() }
    }

    fn service() -> Self {
        Self::start(ServerOptions::default())
    }

    fn directory() -> Self {
        Self { server: None, dir: tempfile::tempdir().unwrap() }
    }

    fn server(&self) -> &S3Server {
        self.server.as_ref().unwrap()
    }

    /// How the machine of this name calls it.
    fn url(&self, machine: &str) -> StoreUrl {
        self.url_with(machine, "&retries=2")
    }

    fn url_with(&self, machine: &str, more: &str) -> StoreUrl {
        let dir = self.dir.path().display();
        let place = match &self.server {
            Some(server) => {
                format!("s3://bucket/studio?endpoint={}&anonymous=true&timeout=5s&", server.endpoint())
            }
            None => format!("file://{dir}/bucket?"),
        };
        format!("{place}cache={dir}/{machine}{more}").parse().unwrap()
    }

    fn shelf(&self) -> Shelf {
        Shelf::open(&self.url("looking")).unwrap()
    }

    /// The names of the entries that are there, however lists look.
    fn entries(&self) -> Vec<String> {
        let last = |key: &str| key.rsplit('/').next().unwrap().to_owned();
        match &self.server {
            Some(server) => {
                server.keys().iter().filter(|key| key.contains("/entries/")).map(|key| last(key)).collect()
            }
            None => match fs::read_dir(self.dir.path().join("bucket/entries")) {
                Ok(all) => all.map(|file| file.unwrap().file_name().into_string().unwrap()).collect(),
                Err(_) => Vec::new(),
            },
        }
    }

    fn key(&self) -> String {
        format!("studio/entries/{}", self.entries()[0])
    }
}

fn named(reference: &str) -> CopyOptions {
    CopyOptions { entries: vec![reference.to_owned()], ..CopyOptions::default() }
}

fn send(vault: &Vault, url: &StoreUrl, reference: &str) -> Result<CopyResult, Error> {
    vault.copy_to(&CopyPlace::target_store(url, Path::new("."))?, &named(reference), &Silent)
}

fn fetch(vault: &Vault, url: &StoreUrl, reference: &str) -> Result<CopyResult, Error> {
    vault.copy_from(&CopyPlace::source_store(url, Path::new("."))?, &named(reference), &Silent)
}

fn message(text: &str) -> PushOptions {
    PushOptions { message: Some(text.into()), head: stemvault::HeadChoice::None, ..PushOptions::default() }
}

/// A repository with an entry of some files, one of them with a name that is no UTF-8 and one that may be executed.
fn with_entry() -> (Repo, stemvault_tests::tree::Tree) {
    let repo = Repo::new();
    repo.write(b"tracks/caf\xe9/\xff.wav", b"not a name".repeat(1000));
    repo.write("tracks/kick.wav", vec![7; 300_000]);
    let tool = repo.write("tools/render", "#!/bin/sh\n");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789);
    fs::File::options().write(true).open(&tool).unwrap().set_modified(old).unwrap();
    let tree = repo.tree();
    repo.push_with(&message("chorus WIP"));
    (repo, tree)
}

/// Another machine, at another commit.
fn other() -> Repo {
    let repo = Repo::new();
    repo.write("readme.txt", "something else");
    repo.snapshot();
    fs::remove_file(repo.path("readme.txt")).unwrap();
    repo
}

fn objects(repo: &Repo) -> usize {
    repo.vault.store().ids(&IdPrefix::ALL).unwrap().len()
}

fn exchange(bucket: &Bucket) {
    let (a, tree) = with_entry();
    let b = other();
    let sent = send(&a.vault, &bucket.url("a"), "stash@{0}").unwrap();
    assert!(sent.is_complete() && sent.entries[0].added, "{sent:?}");
    assert_eq!(sent.objects, 3);
    assert_eq!(bucket.entries(), [sent.entries[0].stash_ref.clone().unwrap()]);

    let listed = bucket.shelf().list(&Silent).unwrap();
    let summary = listed[0].summary.as_ref().unwrap();
    assert_eq!((summary.files, summary.bytes, summary.deleted), (3, 310_010, 0));
    assert_eq!(summary.message, "chorus WIP");

    let fetched = fetch(&b.vault, &bucket.url("b"), "0").unwrap();
    assert!(fetched.is_complete() && fetched.entries[0].added);
    assert_eq!(fetched.entries[0].stash_ref.as_deref(), Some("stash@{0}"));
    assert_eq!(b.entry(0).origin(), a.entry(0).origin());
    assert_eq!(b.entry(0).manifest, a.entry(0).manifest);
    // It is there now, by whatever name it is asked for, and with all others.
    let id = a.entry(0).stash_id.to_string();
    for reference in ["0", "remote@{0}", &id, &id[..20], &bucket.entries()[0]] {
        let again = fetch(&b.vault, &bucket.url("b"), reference).unwrap();
        assert!(!again.entries[0].added && again.objects == 0, "{reference}");
    }
    let from = CopyPlace::source_store(&bucket.url("b"), Path::new(".")).unwrap();
    let all =
        b.vault.copy_from(&from, &CopyOptions { all: true, ..CopyOptions::default() }, &Silent).unwrap();
    assert!(all.is_complete() && !all.entries[0].added);
    // Nor is it published twice, by whoever has it.
    for (vault, machine) in [(&a.vault, "a"), (&b.vault, "b")] {
        let again = send(vault, &bucket.url(machine), "0").unwrap();
        assert!(!again.entries[0].added && again.objects == 0, "{machine}");
    }
    assert_eq!((bucket.entries().len(), b.list().len()), (1, 1));

    b.vault.stash().apply("0", ApplyOptions::pop(), &Silent).unwrap();
    assert_eq!(b.tree(), tree);
}

#[test]
fn an_entry_goes_from_machine_to_machine_byte_for_byte() {
    exchange(&Bucket::service());
}

#[test]
fn and_through_a_directory() {
    exchange(&Bucket::directory());
}

#[test]
fn and_through_a_service_that_ignores_conditions() {
    exchange(&Bucket::start(ServerOptions { conditional: false, ..ServerOptions::default() }));
}

#[test]
fn and_from_bucket_to_bucket() {
    let (a, tree) = with_entry();
    let (near, far) = (Bucket::service(), Bucket::directory());
    send(&a.vault, &near.url("a"), "0").unwrap();
    let from = CopyPlace::source_store(&near.url("c"), Path::new(".")).unwrap();
    let to = CopyPlace::target_store(&far.url("c"), Path::new(".")).unwrap();
    let copied = stemvault::copy(&from, &to, &named("0"), &Silent).unwrap();
    assert!(copied.is_complete() && copied.entries[0].added && copied.objects == 3);
    let b = other();
    fetch(&b.vault, &far.url("b"), "0").unwrap();
    b.pop("0");
    assert_eq!(b.tree(), tree);
}

#[test]
fn two_machines_that_push_at_once_both_succeed() {
    let bucket = Bucket::start(ServerOptions { conditional: false, ..ServerOptions::default() });
    let machines: Vec<Repo> = (0..4)
        .map(|n| {
            let repo = Repo::new();
            repo.write("mix.wav", format!("take {n}").repeat(1000));
            repo.push_with(&message(&format!("take {n}")));
            repo
        })
        .collect();
    let barrier = Barrier::new(machines.len());
    std::thread::scope(|scope| {
        for (n, machine) in machines.iter().enumerate() {
            let (barrier, url) = (&barrier, bucket.url(&n.to_string()));
            scope.spawn(move || {
                barrier.wait();
                assert!(send(&machine.vault, &url, "0").unwrap().entries[0].added);
            });
        }
    });
    let listed = bucket.shelf().list(&Silent).unwrap();
    let mut messages: Vec<String> =
        listed.iter().map(|entry| entry.summary.as_ref().unwrap().message.to_string()).collect();
    messages.sort();
    assert_eq!(messages, ["take 0", "take 1", "take 2", "take 3"]);
    let all = Repo::new();
    let from = CopyPlace::source_store(&bucket.url("all"), Path::new(".")).unwrap();
    let copied =
        all.vault.copy_from(&from, &CopyOptions { all: true, ..CopyOptions::default() }, &Silent).unwrap();
    assert!(copied.is_complete());
    assert_eq!((copied.objects, all.list().len()), (4, 4));
}

#[test]
fn twenty_thousand_small_files_are_a_handful_of_requests() {
    let bucket = Bucket::service();
    let a = Repo::in_memory();
    for n in 0..20_000 {
        a.write(format!("presets/{}/{n}.fxp", n / 500), format!("preset {n}"));
    }
    a.push_with(&message("presets"));
    let sent = send(&a.vault, &bucket.url("a"), "0").unwrap();
    assert_eq!(sent.objects, 20_000);
    let requests = bucket.server().requests();
    assert!(requests <= 60, "{requests} requests to send: {:?}", bucket.server().log());
    let b = Repo::in_memory();
    let fetched = fetch(&b.vault, &bucket.url("b"), "0").unwrap();
    assert!(fetched.is_complete() && fetched.objects == 20_000);
    let requests = bucket.server().requests() - requests;
    assert!(requests <= 60, "{requests} requests to fetch");
    assert_eq!(b.entry(0).manifest, a.entry(0).manifest);
}

/// The bytes of an entry whose checks are right, whatever it says. The body is a frame of one raw block.
fn sealed(head: &[u8], text: &[u8], says: u64) -> Vec<u8> {
    assert!(text.len() < 128 << 10);
    let mut body = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    let len = u32::try_from(text.len()).unwrap();
    body.extend(len.to_le_bytes());
    body.extend(&((len << 3) | 1).to_le_bytes()[..3]);
    body.extend(text);
    sealed_body(head, &body, says)
}

fn sealed_body(head: &[u8], body: &[u8], says: u64) -> Vec<u8> {
    let digest = |parts: [&[u8]; 2]| {
        let mut hasher = Hasher::new(Algorithm::Blake3);
        for part in parts {
            hasher.update(part);
        }
        *hasher.finish().id.as_bytes()
    };
    let mut bytes = b"STEMSHLF\x01\0\0\0".to_vec();
    bytes.extend(u32::try_from(head.len()).unwrap().to_le_bytes());
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(says.to_le_bytes());
    let check = digest([&bytes, head]);
    bytes.extend(check);
    bytes.extend(digest([body, &[]]));
    bytes.extend(head);
    bytes.extend(body);
    bytes
}

/// An entry with one small file in a bucket, its key and its bytes, and another machine without anything.
fn small() -> (Bucket, Repo, String, Vec<u8>, Repo) {
    let bucket = Bucket::service();
    let a = Repo::new();
    a.write("kick.wav", "kick");
    a.push_with(&message("WIP"));
    send(&a.vault, &bucket.url("a"), "0").unwrap();
    let key = bucket.key();
    let bytes = bucket.server().object(&key).unwrap();
    (bucket, a, key, bytes, Repo::new())
}

#[test]
fn nothing_of_a_hostile_entry_gets_in() {
    let (bucket, a, key, bytes, b) = small();
    let entry = a.entry(0);
    let text = format::entry::encode(&entry).unwrap();
    let head = format::summary::encode(&format::summary::EntrySummary::of(&entry));
    let len = text.len() as u64;
    let refused = |bytes: Vec<u8>, what: &str| {
        bucket.server().set_object(&key, Some(bytes));
        let error = fetch(&b.vault, &bucket.url("b"), "0").unwrap_err();
        assert_eq!(error.name(), "refused_entry", "{what}: {error}");
        assert!(!error.to_string().contains(char::is_control), "{what}: {error}");
        assert_eq!((b.list().len(), objects(&b)), (0, 0), "{what}");
    };
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x04;
        refused(other, &format!("byte {at}"));
    }
    for len in 0..bytes.len() {
        refused(bytes[..len].to_vec(), &format!("{len} bytes"));
    }
    refused([&bytes[..], b"\n"].concat(), "a byte more");

    // What is sealed as it should be.
    let swap = |bytes: &[u8], a: &str, b: &str| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains(a), "{text}");
        text.replace(a, b).into_bytes()
    };
    refused(sealed(&swap(&head, "WIP", "PIW"), &text, len), "the head of another entry");
    refused(sealed(b"{}", &text, len), "no head");
    refused(sealed(&head, &text, len - 1), "a length too short");
    refused(sealed(&head, &text, 512 << 20), "a length too long");
    for path in ["../kick.wav", "/kick.wav", ".muse/HEAD", "a/../../k.wav", "kick\\u001b[2J.wav"] {
        let text = swap(&text, "kick.wav", path);
        refused(sealed(&head, &text, text.len() as u64), path);
    }
    let text = swap(&text, "\n}", "\n} ");
    refused(sealed(&head, &text, text.len() as u64), "another layout");
    // 512 MiB of zeros in 16 KiB, of which so many are told as the entry has.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    for block in 0..4096_u32 {
        bomb.extend(&((128 << 13) | 2 | u32::from(block == 4095)).to_le_bytes()[..3]);
        bomb.push(0);
    }
    refused(sealed_body(&head, &bomb, len), "a bomb");

    // And it is taken again when it is as it was, also by a list beside one that is not.
    bucket.server().set_object(&key, Some(bytes.clone()));
    bucket.server().set_object(&key.replace('-', "-0")[..key.len()], Some(b"no".to_vec()));
    let listed = bucket.shelf().list(&Silent).unwrap();
    assert_eq!(listed.iter().filter(|entry| entry.summary.is_err()).count(), 1);
    let from = CopyPlace::source_store(&bucket.url("b"), Path::new(".")).unwrap();
    let copied =
        b.vault.copy_from(&from, &CopyOptions { all: true, ..CopyOptions::default() }, &Silent).unwrap();
    assert_eq!((copied.refused.len(), copied.is_complete(), b.list().len()), (1, false, 1));
}

#[test]
fn an_entry_whose_objects_are_gone_is_not_added() {
    let (bucket, _a, _, _, b) = small();
    for key in bucket.server().keys().iter().filter(|key| key.contains("/packs/")) {
        bucket.server().set_object(key, None);
    }
    let fetched = fetch(&b.vault, &bucket.url("b"), "0").unwrap();
    assert!(!fetched.is_complete() && !fetched.entries[0].added);
    assert_eq!(fetched.entries[0].lacking.len(), 1);
    assert!(b.list().is_empty());
}

#[test]
fn stale_lists_cost_a_second_copy_and_nothing_else() {
    let (bucket, a, _, _, b) = small();
    bucket.server().hide_from_lists(true);
    assert!(bucket.shelf().list(&Silent).unwrap().is_empty());
    assert_eq!(fetch(&b.vault, &bucket.url("b"), "0").unwrap_err().name(), "no_such_entry");
    assert!(send(&a.vault, &bucket.url("a"), "0").unwrap().entries[0].added);
    bucket.server().hide_from_lists(false);
    assert_eq!(bucket.entries().len(), 2);
    let from = CopyPlace::source_store(&bucket.url("b"), Path::new(".")).unwrap();
    let copied =
        b.vault.copy_from(&from, &CopyOptions { all: true, ..CopyOptions::default() }, &Silent).unwrap();
    assert_eq!(copied.entries.iter().filter(|entry| entry.added).count(), 1);
    assert_eq!(b.list().len(), 1);
}

#[test]
fn wherever_a_push_dies_there_is_a_whole_entry_or_none_and_the_next_one_goes_on() {
    let injuries = [Injury::CutRequest(40), Injury::Cut(10), Injury::Status(403)];
    let mut died = 0;
    for injury in injuries {
        for after in 0.. {
            let bucket = Bucket::service();
            let (a, tree) = with_entry();
            // Each with a cache of its own: what a process knows of a service is not carried over.
            let url = bucket.url_with("a", "&retries=0");
            let fault = Fault { of: Match::Any, after, times: u64::MAX, injury };
            bucket.server().faults().set(&[fault]);
            let sent = send(&a.vault, &url, "0");
            bucket.server().faults().set(&[]);
            for name in bucket.entries() {
                let b = other();
                let fetched = fetch(&b.vault, &bucket.url("b"), &name).unwrap();
                assert!(fetched.is_complete() && fetched.entries[0].added, "{injury:?} after {after}");
            }
            let again = send(&a.vault, &url, "0").unwrap();
            assert!(again.is_complete(), "{injury:?} after {after}");
            assert_eq!(bucket.entries().len(), 1, "{injury:?} after {after}");
            let b = other();
            fetch(&b.vault, &bucket.url("b"), "0").unwrap();
            b.pop("0");
            assert_eq!(b.tree(), tree);
            if sent.is_ok() {
                assert!(after > 3, "{injury:?}: only {after} requests");
                break;
            }
            died += 1;
        }
    }
    assert!(died > 12, "{died}");
}

#[test]
fn five_hundred_entries_are_listed_by_their_heads() {
    let (bucket, _a, key, bytes, _b) = small();
    bucket.server().set_object(&key, None);
    for n in 0..500_u32 {
        let name = format!("studio/entries/20261122T083413{n:06}Z-{n:032x}");
        bucket.server().set_object(&name, Some(bytes.clone()));
    }
    bucket.server().set_object("studio/entries/README", Some(b"foreign".to_vec()));
    let shelf = bucket.shelf();
    let before = bucket.server().requests();
    let listed = shelf.list(&Silent).unwrap();
    let requests = bucket.server().requests() - before;
    assert!(requests <= 510, "{requests}");
    assert_eq!(listed.len(), 500);
    assert!(listed.iter().all(|entry| entry.summary.is_ok()));
    assert!(listed[0].name.starts_with("20261122T083413000499Z") && listed[499].index == 499);
    // A number costs a list and one head.
    let before = bucket.server().requests();
    assert_eq!(shelf.find("remote@{7}", &Silent).unwrap().name, listed[7].name);
    assert_eq!(shelf.find("20261122T083413000123", &Silent).unwrap().name, listed[376].name);
    assert!(bucket.server().requests() - before <= 6);
    assert_eq!(shelf.find("20261122", &Silent).unwrap_err().name(), "ambiguous");
    assert_eq!(shelf.find("stash-", &Silent).unwrap_err().name(), "ambiguous");
    for wrong in ["500", "", "-1", "README", "\x1b[2J", "stash@{x}", "20271122"] {
        let error = shelf.find(wrong, &Silent).unwrap_err();
        assert_eq!(error.name(), "no_such_entry", "{wrong}");
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
    assert!(shelf.remove(&listed[7].name).unwrap() && !shelf.remove(&listed[7].name).unwrap());
    assert!(!shelf.remove("../stemvault").unwrap());
    assert_eq!(shelf.list(&Silent).unwrap().len(), 499);
}

#[test]
fn other_ids_are_told_before_anything_is_sent() {
    let (bucket, a, _, _, _) = small();
    let b = Repo::new();
    fs::create_dir_all(b.muse().join("stem")).unwrap();
    fs::write(b.muse().join("stem/config.toml"), "[store]\nurl = \"sharded:blake?hash=blake3\"\n").unwrap();
    let b = Vault::open(b.root()).map(|vault| (vault, b)).unwrap();
    let work = b.1.write("snare.wav", "snare");
    b.0.stash().push(&message("other ids"), &Silent).unwrap();
    let keys = bucket.server().keys();
    let error = send(&b.0, &bucket.url("b"), "0").unwrap_err();
    assert_eq!(error.name(), "other_ids");
    let words = error.to_string();
    assert!(
        words.contains("blake3") && words.contains("sha256") && words.contains("nothing was sent"),
        "{words}"
    );
    assert_eq!(bucket.server().keys(), keys);
    assert_eq!(fetch(&b.0, &bucket.url("b"), "0").unwrap_err().name(), "other_ids");
    assert_eq!(b.0.stash().list().unwrap().len(), 1);
    let _ = (work, a);
}

// ----- The program -----

struct Machine {
    repo: Repo,
    home: TempDir,
}

impl Machine {
    fn new(remotes: &str) -> Self {
        let machine = Self { repo: Repo::new(), home: tempfile::tempdir().unwrap() };
        fs::create_dir_all(machine.repo.muse().join("stem")).unwrap();
        fs::write(machine.repo.muse().join("stem/config.toml"), format!("[remotes]\n{remotes}")).unwrap();
        machine
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.repo.root())
            .env_remove("MUSE_REPO_ROOT")
            .env("XDG_CACHE_HOME", self.home.path())
            .env("PATH", format!("{}:/usr/bin:/bin", stem().parent().unwrap().display()));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(stem()).args(args).output().unwrap()
    }

    /// Standard output; the exit code must be this one.
    fn told(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let all =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {all}");
        all
    }

    fn json(&self, args: &[&str], code: i32) -> Value {
        let output = self.run(&[&["--json"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn studio(dir: &TempDir) -> (PathBuf, String) {
    let bucket = dir.path().join("bucket");
    let url = format!("file://{}", bucket.display());
    (bucket, url)
}

#[test]
fn the_program_hands_an_entry_over() {
    let dir = tempfile::tempdir().unwrap();
    let (_, url) = studio(&dir);
    let a = Machine::new(&format!("studio = \"{url}\"\n"));
    let b = Machine::new("");
    a.repo.write("tracks/kick.wav", "kick");
    assert!(a.told(&["stash", "list", "--remote"], 0).contains("no entries"));
    let pushed = a.json(&["stash", "push", "--no-head", "-m", "WIP", "--to", "studio"], 0);
    assert_eq!(pushed["sent"]["complete"], true, "{pushed}");
    assert_eq!(pushed["sent"]["remote"], "studio");
    let listed = a.told(&["stash", "list", "--remote"], 0);
    assert!(listed.starts_with("studio@{0}") && listed.contains("WIP"), "{listed}");
    let listed = b.json(&["stash", "list", "--remote", &url], 0);
    assert_eq!(listed["entries"][0]["message"], "WIP");
    assert_eq!(listed["entries"][0]["ref"], "remote@{0}");
    // Also where there is no repository.
    let nowhere = Command::new(stem())
        .args(["stash", "list", "--remote", &url])
        .current_dir(dir.path())
        .env_remove("MUSE_REPO_ROOT")
        .env("XDG_CACHE_HOME", dir.path())
        .output()
        .unwrap();
    assert!(nowhere.status.success(), "{nowhere:?}");
    let would = b.json(&["stash", "fetch", "-n", "--from", &url], 0);
    assert_eq!((&would["added"], &would["dry_run"]), (&Value::Bool(true), &Value::Bool(true)));
    assert!(b.repo.list().is_empty());
    let fetched = b.told(&["stash", "fetch", "0", "--from", &url], 0);
    assert!(fetched.contains("stash@{0}: WIP"), "{fetched}");
    b.told(&["stash", "pop", "--no-verify"], 0);
    assert_eq!(b.repo.texts()["tracks/kick.wav"], "kick");
    // Undoing twice takes the fetch back as it takes back an import.
    b.told(&["stash", "undo"], 0);
    b.told(&["stash", "undo"], 0);
    assert!(b.repo.list().is_empty());

    let refused = a.told(&["stash", "drop", "studio@{0}", "--remote"], 1);
    assert!(refused.contains("--yes") && refused.contains("'WIP' (1 file"), "{refused}");
    assert!(a.told(&["stash", "drop", "--remote", "--yes"], 1).contains("which entry"));
    a.told(&["stash", "drop", "0", "--remote", "studio", "--yes"], 0);
    assert!(a.told(&["stash", "list", "--remote"], 0).contains("no entries"));
    assert_eq!(a.repo.list().len(), 1, "the own stack is another matter");
}

#[test]
fn what_is_mistyped_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_, url) = studio(&dir);
    let a = Machine::new(&format!("studio = \"{url}\"\nhome = \"sharded:/nowhere\"\n"));
    a.repo.write("kick.wav", "kick");
    for (args, word) in [
        (&["stash", "push", "--no-head", "--to", "studoi"][..], "did you mean 'studio'"),
        (&["stash", "push", "--no-head", "--to"], "name one of home and studio"),
        (&["stash", "push", "--no-head", "--to", "home"], "has no entries"),
        (&["stash", "push", "--no-head", "--to", "sharded:x"], "name the bucket itself"),
        (&["stash", "list", "--remote", "readonly:?store=file:///x"], "name the bucket itself"),
        (&["stash", "fetch", "stash@{0}"], "your own stack"),
        (&["stash", "fetch", "home@{0}", "--from", "studio"], "leave one of them out"),
        (&["stash", "fetch", "x@{0}"], "there is no remote 'x'"),
        (&["stash", "drop", "0", "--yes"], "--remote"),
    ] {
        let told = a.told(args, 1);
        assert!(told.contains(word), "{args:?}: {told}");
    }
    assert!(a.repo.path("kick.wav").exists() && a.repo.list().is_empty());
    let told = a.told(&["stash", "fetch", "3", "--from", "studio"], 1);
    assert!(told.contains("it has none at all"), "{told}");
}

#[test]
fn what_cannot_be_sent_is_safe_and_the_command_that_is_told_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (bucket, url) = studio(&dir);
    // A file where the directory should be.
    fs::write(&bucket, "in the way").unwrap();
    let a = Machine::new(&format!("studio = \"{url}\"\n"));
    a.repo.write("kick.wav", "kick");
    let pushed = a.json(&["stash", "push", "--no-head", "-m", "WIP", "--to"], 4);
    assert_eq!(
        (&pushed["stash_ref"], &pushed["sent"]["complete"]),
        (&"stash@{0}".into(), &Value::Bool(false))
    );
    assert!(pushed["sent"]["error"]["message"].as_str().unwrap().contains("bucket"), "{pushed}");
    a.repo.write("snare.wav", "snare");
    let told = a.told(&["stash", "push", "--no-head", "-m", "more", "--to"], 4);
    assert!(told.contains("safe on the stack as stash@{0}"), "{told}");
    assert_eq!(a.repo.list().len(), 2);
    let command = told.split('`').find(|part| part.starts_with("stem copy")).unwrap();
    fs::remove_file(&bucket).unwrap();
    let ran = a.command(Path::new("sh")).args(["-c", command]).output().unwrap();
    assert!(ran.status.success(), "{command}: {ran:?}");
    assert!(a.told(&["stash", "list", "--remote"], 0).contains("more"));
}
