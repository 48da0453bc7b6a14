//! `stem copy` and `stem verify --store`: between stores and repositories, with everything that can hinder it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use stem_testkit::{FaultPlan, SlowStore};
use stemvault::{
    AnyStore, Base, CopyOptions, CopyPlace, CopyResult, Dir, Error, IdPrefix, MemoryStore, ObjectId,
    ObjectStoreExt as _, Progress, Silent, Vault, VerifyOptions, copy, open_store,
};
use stemvault_tests::binary::stem;
use stemvault_tests::repo::Repo;

fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(stem()).args(args).current_dir(dir).env_remove("MUSE_REPO_ROOT").output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A repository with `entries` entries of three files each.
fn filled(entries: usize) -> Repo {
    let repo = Repo::new();
    for n in 0..entries {
        for name in ["kick.wav", "snare.wav"] {
            repo.write(format!("tracks/{name}"), format!("{name}, take {n}").repeat(200));
        }
        repo.write("notes.txt", format!("take {n}"));
        repo.push_without_head();
    }
    repo
}

fn source(repo: &Repo) -> CopyPlace {
    CopyPlace::source(repo.root().to_str().unwrap(), Path::new(".")).unwrap()
}

fn all() -> CopyOptions {
    CopyOptions { all: true, ..CopyOptions::default() }
}

fn into(repo: &Repo, from: &Repo, options: &CopyOptions) -> Result<CopyResult, Error> {
    repo.vault.copy_from(&source(from), options, &Silent)
}

fn objects(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for shard in fs::read_dir(root.join(".muse/objects")).unwrap() {
        for object in fs::read_dir(shard.unwrap().path()).unwrap() {
            found.push(object.unwrap().path());
        }
    }
    found.sort();
    found
}

fn messages(repo: &Repo) -> Vec<usize> {
    repo.list().into_iter().map(|entry| entry.entry.unwrap().manifest.len()).collect()
}

#[test]
fn objects_go_from_any_store_to_any_other_and_only_once() {
    let repo = filled(3);
    let home = tempfile::tempdir().unwrap();
    let root = repo.root().to_str().unwrap();
    let wanted = repo.vault.store().ids(&IdPrefix::ALL).unwrap();
    let chain = [
        root.to_owned(),
        "sharded:a".into(),
        "pack:b".into(),
        "mirror:?a=sharded:c&b=pack:d".into(),
        "tiered:?cache=sharded:e&remote=pack:f".into(),
        "sharded:g".into(),
    ];
    for pair in chain.windows(2) {
        let [from, to] = pair else { panic!() };
        let dry = run(home.path(), &["copy", from, to, "--json", "-n"]);
        assert_eq!(json(&dry)["objects"], wanted.len());
        let done = run(home.path(), &["copy", from, to, "--json"]);
        assert!(done.status.success(), "{from} → {to}: {done:?}");
        let done = json(&done);
        assert_eq!(done["objects"], wanted.len(), "{from} → {to}");
        assert_eq!(done["complete"], true);
        let again = json(&run(home.path(), &["copy", from, to, "--json", "--verify"]));
        assert_eq!((&again["objects"], &again["objects_present"]), (&0.into(), &wanted.len().into()));
        let store = open_store(&to.parse().unwrap(), Base::Directory(home.path())).unwrap();
        assert_eq!(store.ids(&IdPrefix::ALL).unwrap(), wanted);
        let verified = run(home.path(), &["verify", "--store", to, "--json"]);
        assert!(verified.status.success(), "{verified:?}");
        assert_eq!(json(&verified)["objects"], wanted.len());
    }
    let told = run(home.path(), &["copy", "sharded:g", "sharded:h"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("Everything is there."), "{told:?}");
}

#[test]
fn entries_arrive_in_their_order_and_can_be_popped() {
    let (from, to) = (filled(3), Repo::new());
    let dry = into(&to, &from, &CopyOptions { dry_run: true, ..all() }).unwrap();
    assert!(dry.entries.iter().all(|entry| entry.added && entry.stash_ref.is_none()));
    assert!(to.list().is_empty() && objects(to.root()).is_empty());
    let one = CopyOptions { entries: vec!["1".into()], ..CopyOptions::default() };
    let copied = into(&to, &from, &one).unwrap();
    assert_eq!((copied.entries.len(), copied.objects), (1, 3));
    assert_eq!(objects(to.root()).len(), 3);
    let copied = into(&to, &from, &all()).unwrap();
    assert!(copied.is_complete());
    assert_eq!(copied.entries.iter().filter(|entry| entry.added).count(), 2);
    assert_eq!(messages(&to), [3, 3, 3]);
    let again = into(&to, &from, &all()).unwrap();
    assert_eq!((again.objects, again.entries.iter().filter(|entry| entry.added).count()), (0, 0));
    to.pop("0");
    assert_eq!(fs::read(to.path("notes.txt")).unwrap(), b"take 2");
    to.assert_sound();
    from.assert_sound();
}

#[test]
fn an_object_that_the_source_cannot_give_keeps_its_entry_back_and_no_other() {
    let spoil: [fn(&mut Vec<u8>); 4] =
        [|bytes| bytes[3] ^= 1, |bytes| bytes.truncate(9), |bytes| bytes.push(0), Vec::clear];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let (from, to) = (filled(2), Repo::new());
        let id = *from.entry(1).manifest.iter().last().unwrap().1;
        let (shard, name) = id.shard();
        let path = from.muse().join("objects").join(shard).join(name);
        let mut bytes = fs::read(&path).unwrap();
        spoil(&mut bytes);
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let copied = into(&to, &from, &all()).unwrap();
        assert_eq!(copied.bad.iter().map(|bad| bad.id).collect::<Vec<_>>(), [id], "{number}");
        assert_eq!((copied.objects, copied.is_complete()), (5, false));
        assert_eq!(copied.entries.iter().map(|entry| entry.added).collect::<Vec<_>>(), [false, true]);
        assert_eq!(copied.entries[0].lacking.len(), 1);
        assert_eq!(to.list().len(), 1);
        to.assert_sound();
        // The program says so.
        let (root, home) = (from.root().to_str().unwrap(), tempfile::tempdir().unwrap());
        let told = run(home.path(), &["copy", root, "sharded:x", "--json"]);
        assert_eq!(told.status.code(), Some(4));
        assert_eq!(json(&told)["damaged"][0]["object_id"], id.to_string());
        let damaged = run(home.path(), &["verify", "--store", &format!("sharded:{root}/.muse/objects")]);
        assert_eq!(damaged.status.code(), Some(4), "{damaged:?}");
        // Gone altogether, it is missing.
        fs::remove_file(&path).unwrap();
        let again = into(&to, &from, &all()).unwrap();
        assert_eq!((again.absent, again.bad.len()), (vec![id], 0));
        assert_eq!(to.list().len(), 1);
    }
}

#[test]
fn what_is_damaged_at_the_target_is_replaced_when_it_is_looked_at() {
    let (from, to) = (filled(1), Repo::new());
    into(&to, &from, &all()).unwrap();
    let path = objects(to.root()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, &bytes).unwrap();
    let blind = into(&to, &from, &all()).unwrap();
    assert_eq!((blind.objects, blind.replaced), (0, 0));
    let looked = into(&to, &from, &CopyOptions { verify: true, ..all() }).unwrap();
    assert_eq!((looked.objects, looked.replaced, looked.present), (1, 1, 2));
    to.assert_sound();
}

/// Every object is whole, and every entry has all of its own.
fn assert_true(repo: &Repo) {
    let verified = repo.vault.verify(&VerifyOptions::default(), &Silent).unwrap();
    assert!(!verified.is_damaged(), "{verified:?}");
}

/// The disk of the target is full, fails, or the process dies, at every change that the copy makes.
#[test]
fn at_whatever_change_it_ends_the_next_copy_goes_on() {
    let from = filled(2);
    let place = source(&from);
    let copy_into = |root: &Path, plan: &Arc<FaultPlan>| {
        let dir = Dir::open_observed(root, plan.clone()).unwrap();
        Vault::from_dir(&dir).and_then(|vault| vault.copy_from(&place, &all(), &Silent))
    };
    let changes = {
        let watch = FaultPlan::watch();
        copy_into(Repo::in_memory().root(), &watch).unwrap();
        watch.announced()
    };
    assert!(changes > 20);
    for change in 0..changes {
        for plan in [FaultPlan::fail_at(change, io::ErrorKind::StorageFull), FaultPlan::kill_at(change)] {
            let mut to = Repo::in_memory();
            let failed = copy_into(to.root(), &plan);
            if let Err(error) = &failed {
                assert!(!error.to_string().is_empty());
            }
            to.reopen();
            to.vault.stash().recover(&Silent).unwrap();
            assert_true(&to);
            let copied = into(&to, &from, &all()).unwrap();
            assert!(copied.is_complete(), "change {change}");
            assert_eq!(messages(&to), [3, 3], "change {change}, {failed:?}");
            assert_true(&to);
        }
    }
}

/// Stops after so many bytes.
struct Limited(AtomicU64);

impl Progress for Limited {
    fn advance(&self, _: u64, bytes: u64) {
        let _ =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(bytes)));
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

#[test]
fn what_arrived_before_a_stop_is_not_read_again() {
    let far = Arc::new(SlowStore::new(MemoryStore::default(), Duration::ZERO));
    for n in 0..200_u32 {
        far.inner().put_bytes(&n.to_le_bytes().repeat(500)).unwrap();
    }
    let far_place = || CopyPlace::Store { name: "far:".into(), store: Arc::clone(&far) as AnyStore };
    let near: AnyStore = Arc::new(MemoryStore::default());
    let near_place = CopyPlace::Store { name: "near:".into(), store: Arc::clone(&near) };
    let limited = Limited(AtomicU64::new(100_000));
    let stopped = copy(&far_place(), &near_place, &CopyOptions::default(), &limited).unwrap_err();
    assert_eq!(stopped.name(), "interrupted", "{stopped}");
    let arrived = near.ids(&IdPrefix::ALL).unwrap().len() as u64;
    assert!(arrived > 0 && arrived < 200, "{arrived}");
    let before = far.requests().read;
    let done = copy(&far_place(), &near_place, &CopyOptions::default(), &Silent).unwrap();
    assert_eq!((done.objects, done.present), (200 - arrived, arrived));
    assert_eq!(far.requests().read - before, 200 - arrived);
}

#[test]
fn two_copies_at_once_do_not_hinder_each_other() {
    let (from, to) = (filled(4), Repo::new());
    let home = tempfile::tempdir().unwrap();
    let (source, target) = (from.root().to_str().unwrap(), to.root().to_str().unwrap());
    for target in [target, "sharded:bare", "pack:packs"] {
        let args: &[&str] = if target.contains(':') { &[] } else { &["--all"] };
        let children: Vec<_> = (0..3)
            .map(|_| {
                let mut command = Command::new(stem());
                command.args(["copy", source, target]).args(args).current_dir(home.path()).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
    }
    assert_eq!(to.list().len(), 4);
    to.assert_sound();
    for url in ["sharded:bare", "pack:packs"] {
        let verified = json(&run(home.path(), &["verify", "--store", url, "--json"]));
        assert_eq!((&verified["objects"], &verified["damaged"]), (&12.into(), &false.into()));
    }
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_done() {
    let (from, other) = (filled(1), Repo::new());
    let home = tempfile::tempdir().unwrap();
    let (root, there) = (from.root().to_str().unwrap(), other.root().to_str().unwrap());
    let run = |args: &[&str]| run(home.path(), args);
    fs::create_dir(home.path().join("bare")).unwrap();
    for (args, words, code) in [
        (&["copy", "nowhere", "sharded:x"][..], "no such directory", 1),
        (&["copy", "sharded:typo", "sharded:x"], "no such directory", 1),
        (&["copy", "bare", "sharded:x"], "", 2),
        (&["copy", root, root], "both ends", 1),
        (&["copy", root, "sharded:x", "--all"], "only repositories and stores in buckets", 1),
        (&["copy", "sharded:bare", there, "--stash", "0"], "only repositories and stores in buckets", 1),
        (&["copy", root, there, "--stash", "7"], "", 1),
        (&["copy", root, there, "--stash", "0", "--all"], "", 1),
        (&["copy", root, "sharded:x?hash=blake3"], "blake3", 3),
        (&["copy", root, "readonly:?store=sharded:x"], "reading only", 3),
        (&["verify", "--store", "sharded:typo"], "no such directory", 1),
        (&["verify", "--store", "sharded:bare", "--repair"], "need a repository", 1),
        (&["verify"], "", 2),
    ] {
        let told = run(args);
        let text = String::from_utf8_lossy(&told.stderr);
        assert_eq!(told.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
    assert!(!home.path().join("typo").exists());
    assert!(other.list().is_empty() && objects(other.root()).is_empty());
}

#[test]
fn through_a_cache_that_writes_back_nothing_is_lost_while_the_store_is_away() {
    let repo = filled(2);
    let home = tempfile::tempdir().unwrap();
    let root = repo.root().to_str().unwrap();
    let url = |write: &str| format!("tiered:?cache=sharded:cache&remote=sharded:share/far&write={write}");
    let put = run(home.path(), &["copy", root, &url("back"), "--json"]);
    // A lookup of what is not cached has to ask the store behind it.
    assert_eq!(put.status.code(), Some(3));
    assert!(json(&put)["error"]["message"].as_str().unwrap().contains("share/far"));
    fs::create_dir(home.path().join("share")).unwrap();
    let later = run(home.path(), &["copy", root, &url("back")]);
    assert!(later.status.success() && String::from_utf8_lossy(&later.stderr).contains("queue"), "{later:?}");
    // Whatever the thread did not send while the program ran, the next one does.
    assert!(run(home.path(), &["copy", root, &url("through")]).status.success());
    let far = json(&run(home.path(), &["verify", "--store", "sharded:share/far", "--json"]));
    assert_eq!(far["objects"], 6);
    let ids: Vec<ObjectId> = repo.vault.store().ids(&IdPrefix::ALL).unwrap();
    fs::rename(home.path().join("share"), home.path().join("away")).unwrap();
    let tier = open_store(&url("through").parse().unwrap(), Base::Directory(home.path())).unwrap();
    for id in ids {
        assert!(tier.get(&id, 1 << 20).unwrap().is_some());
    }
}
