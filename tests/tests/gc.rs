//! Garbage collection: nothing that is needed goes, nothing young goes, and whoever cannot read a root does not sweep.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use stem_testkit::FaultPlan;
use stemvault::format::stamp::Stamp;
use stemvault::{Dir, GcOptions, GcResult, Progress, PushOptions, Silent, Vault};
use stemvault_tests::golden::hex;
use stemvault_tests::hostile::{STASH_ID, entry_text, manifest_text};
use stemvault_tests::repo::Repo;
use stemvault_tests::tree;

const DAY: i64 = 86_400 * 1_000_000;

/// A day of the tests' own calendar, on which entries that are made now have long been made.
fn day(n: i64) -> Stamp {
    Stamp::from_micros(Stamp::now().unwrap().as_micros() + n * DAY).unwrap()
}

fn at(now: Stamp) -> GcOptions {
    GcOptions { now: Some(now), ..GcOptions::default() }
}

fn gc(repo: &Repo, now: Stamp) -> GcResult {
    repo.vault.gc(&at(now), &Silent).unwrap()
}

/// Collects twice, with the grace between.
fn collect_all(repo: &Repo) -> GcResult {
    let start = day(0);
    assert!(gc(repo, start).removed.is_empty(), "nothing goes at first sight");
    gc(repo, Stamp::from_micros(start.as_micros() + 14 * DAY).unwrap())
}

fn ids(objects: &[stemvault::Unneeded]) -> Vec<String> {
    objects.iter().map(|object| object.id.to_string()).collect()
}

fn refused(repo: &Repo) -> (PathBuf, String) {
    for options in [at(day(0)), GcOptions { dry_run: true, ..at(day(0)) }] {
        let before = repo.objects();
        let error = repo.vault.gc(&options, &Silent).unwrap_err();
        assert_eq!(error.name(), "root_unreadable", "{error}");
        assert_eq!(error.kind(), stemvault::ErrorKind::User);
        assert_eq!(repo.objects(), before);
    }
    let error = repo.vault.gc(&at(day(20)), &Silent).unwrap_err();
    (error.path().unwrap(), error.to_string())
}

#[test]
fn what_nothing_needs_goes_after_the_grace_and_not_before() {
    let repo = Repo::new();
    repo.write("kick.wav", "head");
    repo.snapshot();
    repo.write("kick.wav", "shelved");
    repo.push();
    let garbage = repo.plant_object(b"nobody needs this");
    let start = day(0).as_micros();
    let on = |n: i64| Stamp::from_micros(start + n).unwrap();

    let first = gc(&repo, on(0));
    assert_eq!((first.objects, first.removed.len()), (3, 0));
    assert_eq!(ids(&first.waiting), [garbage.as_str()]);
    assert_eq!((first.waiting[0].size, first.next), (17, Some(start + 14 * DAY)));
    assert_eq!((first.roots["entry"], first.roots["snapshot"]), (1, 1));
    let early = gc(&repo, on(14 * DAY - 1));
    assert!(early.removed.is_empty() && early.postponed.is_none(), "{early:?}");
    let late = gc(&repo, on(14 * DAY));
    assert_eq!(ids(&late.removed), [garbage.as_str()]);
    assert_eq!(late.removed_bytes(), 17);
    assert!(!repo.objects().contains_key(&garbage));
    repo.assert_sound();
    assert_eq!(repo.pop("0").missing, []);
    assert!(gc(&repo, on(15 * DAY)).removed.is_empty());
}

#[test]
fn the_age_of_an_object_s_file_does_not_count() {
    let repo = Repo::new();
    let garbage = repo.plant_object(b"ancient take");
    tree::set_meta(&repo.object_path(&garbage), 0o644, 1_000_000_000);
    assert!(gc(&repo, day(0)).removed.is_empty());
    assert!(gc(&repo, day(13)).removed.is_empty());
    assert_eq!(gc(&repo, day(15)).removed.len(), 1);
}

#[test]
fn what_is_needed_again_and_then_not_waits_anew() {
    let repo = Repo::new();
    let id = repo.plant_object(b"in and out");
    gc(&repo, day(0));
    let entry = repo.plant_entry(STASH_ID, entry_text(STASH_ID, &manifest_text("a.wav", &id)));
    assert!(gc(&repo, day(10)).waiting.is_empty());
    fs::remove_file(&entry).unwrap();
    // It vanished without stem: for 30 days after that was noticed it still counts.
    assert_eq!(gc(&repo, day(20)).roots["vanished_entry"], 1);
    assert!(gc(&repo, day(49)).waiting.is_empty());
    let seen = gc(&repo, day(51));
    assert_eq!(ids(&seen.waiting), [id.as_str()]);
    assert!(gc(&repo, day(64)).removed.is_empty());
    assert_eq!(ids(&gc(&repo, day(66)).removed), [id]);
}

#[test]
fn an_entry_of_ours_that_muse_pops_is_kept_for_a_while() {
    let repo = Repo::new();
    repo.write("kick.wav", "take");
    repo.push();
    forget_undo(&repo);
    // No collection has seen it yet.
    fs::remove_file(&repo.list()[0].file).unwrap();
    assert_eq!(gc(&repo, day(0)).roots["vanished_entry"], 1);
    assert!(gc(&repo, day(29)).waiting.is_empty());
    assert_eq!(gc(&repo, day(31)).waiting.len(), 1);
}

fn forget_undo(repo: &Repo) {
    repo.vault.stash().expire_undo(Duration::ZERO, &Silent).unwrap();
}

#[test]
fn what_can_be_undone_is_needed_until_it_is_given_up() {
    let repo = Repo::new();
    repo.write("kick.wav", "dropped");
    repo.push();
    repo.vault.stash().drop_entry("0").unwrap();
    for n in [0, 20] {
        let result = gc(&repo, day(n));
        assert!(result.removed.is_empty() && result.waiting.is_empty(), "{result:?}");
        assert!(result.roots["undo"] >= 1);
    }
    let give_up = |dry_run, now| GcOptions { expire_undo: Some(Duration::ZERO), dry_run, ..at(now) };
    let dry = repo.vault.gc(&give_up(true, day(20)), &Silent).unwrap();
    assert_eq!((dry.waiting.len(), dry.undo_expired), (1, 0));
    assert!(!repo.vault.stash().undo_list().unwrap().items.is_empty());
    let result = repo.vault.gc(&give_up(false, day(20)), &Silent).unwrap();
    assert!(result.undo_expired >= 1);
    assert_eq!(ids(&result.waiting), [hex(b"dropped")]);
    assert!(repo.vault.stash().undo_list().unwrap().items.is_empty());
    assert_eq!(gc(&repo, day(40)).removed.len(), 1);
}

#[test]
fn an_undo_record_that_cannot_be_read_is_a_root_that_cannot_be_read() {
    let repo = Repo::new();
    repo.write("kick.wav", "dropped");
    repo.push();
    let entry = repo.list()[0].file.clone();
    fs::write(entry, "{").unwrap();
    repo.vault.stash().drop_entry("0").unwrap();
    // The entry is held as it was, unreadable.
    let (path, message) = refused(&repo);
    assert!(path.to_string_lossy().contains("stem/undo/held"), "{message}");
    assert!(message.contains("--expire-undo"), "{message}");
    let give_up = GcOptions { expire_undo: Some(Duration::ZERO), ..at(day(0)) };
    repo.vault.gc(&give_up, &Silent).unwrap();
    gc(&repo, day(1));
}

#[test]
fn every_root_keeps_its_objects() {
    let repo = Repo::new();
    let mut needed = BTreeSet::new();
    let mut plant = |bytes: &str| {
        let id = repo.plant_object(bytes.as_bytes());
        needed.insert(id.clone());
        id
    };
    // Two commits, the older reachable through its child alone.
    repo.write("a.mid", "first");
    repo.snapshot();
    repo.write("a.mid", "second");
    repo.snapshot();
    // Another branch, in a directory; a snapshot that no ref reaches.
    fs::create_dir_all(repo.muse().join("refs/heads/take")).unwrap();
    fs::copy(repo.muse().join("refs/heads/main"), repo.muse().join("refs/heads/take/2")).unwrap();
    let lone = plant("lone snapshot");
    let snapshot = "7".repeat(64);
    tree::write(
        &repo.muse().join("snapshots"),
        format!("{snapshot}.json"),
        format!("{{\"snapshot_id\": \"{snapshot}\", \"manifest\": {}}}", manifest_text("x.mid", &lone)),
    );
    // An entry of the reference, an intent, and newer Muse's own stash.
    let entry = plant("entry");
    repo.plant_entry(STASH_ID, entry_text(STASH_ID, &manifest_text("e.wav", &entry)));
    let [intent, head, muse] = ["intent", "head of an intent", "muse stash"].map(&mut plant);
    let muse_stash = format!("[{{\"manifest\": {}}}]", manifest_text("m.mid", &muse));
    fs::write(repo.muse().join("stash.json"), muse_stash).unwrap();
    tree::write(
        &repo.muse().join("stem/journal"),
        "push-0123abcd-0.json",
        format!(
            "{{\"version\": 1, \"kind\": \"clear\", \"head\": {}, \"entry\": {}}}",
            manifest_text("i.wav", &head),
            entry_text("stash-2026-11-22T083413597654Z0000-0123abcd", &manifest_text("i.wav", &intent)),
        ),
    );
    // Recovery would end the intent: a living push, which holds the lock, keeps it.
    let lock = fs::File::create(repo.muse().join("stem/worktree.lock")).unwrap();
    lock.lock().unwrap();
    repo.plant_object(b"garbage");
    let result = collect_all(&repo);
    assert_eq!(ids(&result.removed), [hex(b"garbage")]);
    let objects = repo.objects();
    for id in &needed {
        assert!(objects.contains_key(id), "{id}");
    }
    assert!(objects.contains_key(&hex(b"first")) && objects.contains_key(&hex(b"second")));
    for (kind, count) in [("entry", 1), ("intent", 2), ("muse_stash", 1), ("snapshot", 3)] {
        assert_eq!(result.roots[kind], count, "{kind}");
    }
}

/// Breaks something in `.muse`, and expects gc to refuse and to name it.
fn assert_refuses(name: &str, harm: impl Fn(&Path)) {
    let repo = Repo::new();
    repo.write("kick.wav", "head");
    repo.snapshot();
    repo.write("kick.wav", "shelved");
    repo.push();
    repo.plant_object(b"garbage");
    harm(&repo.muse());
    let (path, message) = refused(&repo);
    assert!(path.to_string_lossy().contains(name), "{name}: {message}");
    assert!(message.contains("Nothing was deleted"), "{message}");
    assert!(repo.objects().contains_key(&hex(b"garbage")));
}

fn first_file(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.remove(0)
}

#[test]
fn it_refuses_when_a_root_cannot_be_read() {
    let cut = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    assert_refuses(".muse/stash/stash-", |muse| cut(first_file(&muse.join("stash"))));
    assert_refuses(".muse/snapshots/", |muse| cut(first_file(&muse.join("snapshots"))));
    assert_refuses(".muse/commits/", |muse| cut(first_file(&muse.join("commits"))));
    assert_refuses(".muse/HEAD", |muse| fs::write(muse.join("HEAD"), "main").unwrap());
    assert_refuses(".muse/HEAD", |muse| fs::remove_file(muse.join("HEAD")).unwrap());
    assert_refuses("refs/heads/main", |muse| fs::write(muse.join("refs/heads/main"), "x").unwrap());
    assert_refuses("refs/heads/deep/er", |muse| {
        tree::write(muse, "refs/heads/deep/er", "not an id");
    });
    assert_refuses("refs/tags/v1", |muse| {
        tree::write(muse, "refs/tags/v1", "not an id");
    });
    assert_refuses("stem/journal/push-0123abcd-0.json", |muse| {
        tree::write(muse, "stem/journal/push-0123abcd-0.json", "{\"version\": 1,");
    });
    assert_refuses("stem/journal/other.json", |muse| {
        tree::write(muse, "stem/journal/other.json", "{}");
    });
    assert_refuses("stash.json", |muse| fs::write(muse.join("stash.json"), "{}").unwrap());
    assert_refuses("stash.json", |muse| {
        fs::File::create(muse.join("stash.json")).unwrap().set_len((64 << 20) + 1).unwrap();
    });
    assert_refuses("stem/seen/stash-gone", |muse| {
        tree::write(muse, "stem/seen/stash-gone", "damaged");
    });
}

#[test]
fn it_refuses_when_history_does_not_resolve() {
    // The ref names a commit that nobody has.
    assert_refuses("refs/heads/other", |muse| {
        tree::write(muse, "refs/heads/other", "1".repeat(64));
    });
    assert_refuses(".muse/HEAD", |muse| {
        fs::write(muse.join("HEAD"), format!("commit: {}", "2".repeat(64))).unwrap();
    });
    // A snapshot that a commit names is gone.
    assert_refuses(".muse/commits/", |muse| fs::remove_file(first_file(&muse.join("snapshots"))).unwrap());
    // A parent is gone.
    let repo = Repo::new();
    repo.write("a", "1");
    repo.snapshot();
    let parent = first_file(&repo.muse().join("commits"));
    repo.write("a", "2");
    repo.snapshot();
    fs::remove_file(&parent).unwrap();
    let (path, message) = refused(&repo);
    assert!(path.to_string_lossy().contains(".muse/commits/"), "{message}");
    assert!(message.contains(parent.file_stem().unwrap().to_str().unwrap()), "{message}");
}

#[test]
fn it_refuses_in_a_repository_of_an_unknown_generation() {
    assert_refuses("repo.json", |muse| fs::remove_file(muse.join("repo.json")).unwrap());
    assert_refuses("repo.json", |muse| {
        fs::write(muse.join("repo.json"), "{\"repo_id\": \"x\", \"schema_version\": \"2\"}").unwrap();
    });
    assert_refuses("repo.json", |muse| fs::write(muse.join("repo.json"), "[").unwrap());
    assert_refuses(".muse/shelf", |muse| {
        tree::write(muse, "shelf/one.json", "{}");
    });
    assert_refuses(".muse/stem/future", |muse| {
        tree::write(muse, "stem/future", "");
    });
    assert_refuses("snapshots/", |muse| {
        tree::write(muse, format!("snapshots/{}.msgpack", "3".repeat(64)), "");
    });
    assert_refuses("commits/", |muse| {
        tree::write(muse, "commits/index", "");
    });
}

#[test]
fn a_dry_run_changes_nothing_and_tells_what_would_go() {
    let repo = Repo::new();
    repo.write("kick.wav", "take");
    repo.push();
    let garbage = repo.plant_object(b"garbage");
    gc(&repo, day(0));
    let before = tree::everything(repo.root());
    for n in [0, 1, 20, 400, -400] {
        let result = repo.vault.gc(&GcOptions { dry_run: true, ..at(day(n)) }, &Silent).unwrap();
        assert!(result.dry_run);
        let expected: &[String] = if n == 20 { std::slice::from_ref(&garbage) } else { &[] };
        assert_eq!(ids(&result.removed), expected, "day {n}");
        assert_eq!(result.removed.len() + result.waiting.len(), 1);
        assert_eq!(tree::everything(repo.root()), before, "day {n}");
    }
    // Nor where nothing was ever collected.
    let repo = Repo::new();
    fs::remove_dir_all(repo.muse().join("stem")).unwrap();
    let before = tree::everything(repo.root());
    repo.vault.gc(&GcOptions { dry_run: true, ..at(day(0)) }, &Silent).unwrap();
    assert_eq!(tree::everything(repo.root()), before);
}

#[test]
fn a_clock_that_is_wrong_deletes_nothing() {
    let repo = Repo::new();
    repo.plant_object(b"garbage");
    gc(&repo, day(0));
    let leap = gc(&repo, day(4000));
    assert!(leap.removed.is_empty() && leap.postponed.as_ref().unwrap().contains("year"), "{leap:?}");
    let back = gc(&repo, day(20));
    assert!(back.removed.is_empty() && back.postponed.as_ref().unwrap().contains("earlier"), "{back:?}");
    // What was noted on the wrong day begins on the right one.
    assert!(gc(&repo, day(33)).removed.is_empty());
    assert_eq!(gc(&repo, day(34)).removed.len(), 1);
}

#[test]
fn the_grace_can_be_configured_and_given() {
    let mut repo = Repo::new();
    repo.plant_object(b"garbage");
    tree::write(&repo.muse(), "stem/config.toml", "[gc]\ngrace = \"2d\"\n");
    repo.reopen();
    let start = day(0);
    gc(&repo, start);
    assert!(gc(&repo, Stamp::from_micros(start.as_micros() + 2 * DAY - 1).unwrap()).removed.is_empty());
    assert_eq!(gc(&repo, Stamp::from_micros(start.as_micros() + 2 * DAY).unwrap()).removed.len(), 1);
    repo.plant_object(b"more garbage");
    let now = GcOptions { grace: Some(Duration::ZERO), ..at(day(3)) };
    assert_eq!(repo.vault.gc(&now, &Silent).unwrap().removed.len(), 1);
}

#[test]
fn a_list_that_is_damaged_or_about_another_store_counts_as_none() {
    let mut repo = Repo::new();
    repo.plant_object(b"garbage");
    gc(&repo, day(0));
    let list = repo.muse().join("stem/gc/condemned");
    let bytes = fs::read(&list).unwrap();
    fs::write(&list, &bytes[..bytes.len() - 1]).unwrap();
    assert!(gc(&repo, day(20)).removed.is_empty());
    tree::write(&repo.muse(), "stem/config.toml", "[store]\nurl = \"sharded:.muse/objects?hash=sha256\"\n");
    repo.reopen();
    assert!(gc(&repo, day(40)).removed.is_empty());
    assert_eq!(gc(&repo, day(55)).removed.len(), 1);
}

#[test]
fn temporaries_of_dead_processes_go() {
    let repo = Repo::new();
    let ours = tree::write(&repo.muse(), "stem/tmp/.stem-tmp-999999999-0123456789abcdef", "four");
    let alive = format!("stem/tmp/.stem-tmp-{}-0123456789abcdef", std::process::id());
    let alive = tree::write(&repo.muse(), alive, "alive");
    let muses = tree::write(&repo.muse(), "objects/ab/.obj-tmp-x1", "muse");
    let dry = repo.vault.gc(&GcOptions { dry_run: true, ..at(day(0)) }, &Silent).unwrap();
    assert_eq!(dry.temporaries, (1, 4));
    gc(&repo, day(0));
    assert!(!ours.exists() && alive.exists() && muses.exists());
    // By the time that the system gave it, Muse's is two weeks old.
    assert_eq!(gc(&repo, day(15)).temporaries, (1, 4));
    assert!(!muses.exists() && alive.exists());
}

#[test]
fn a_change_of_the_roots_during_the_run_postpones_the_sweep() {
    /// Another program, which knows none of our locks.
    struct Muse<'a>(&'a Repo, String);
    impl Progress for Muse<'_> {
        fn begin(&self, phase: stemvault::Phase, files: u64, _bytes: u64) {
            if phase == stemvault::Phase::Marking && files > 0 {
                let stash = format!("[{{\"manifest\": {}}}]", manifest_text("m.mid", &self.1));
                fs::write(self.0.muse().join("stash.json"), stash).unwrap();
            }
        }
    }
    let repo = Repo::new();
    repo.write("a", "head");
    repo.snapshot();
    let id = repo.plant_object(b"stashed by Muse at the last moment");
    gc(&repo, day(0));
    let result = repo.vault.gc(&at(day(20)), &Muse(&repo, id.clone())).unwrap();
    assert!(result.removed.is_empty() && result.postponed.unwrap().contains("another program"));
    assert!(repo.objects().contains_key(&id));
    assert!(gc(&repo, day(21)).waiting.is_empty());
}

#[test]
fn it_waits_for_a_push_and_says_so() {
    let repo = Repo::new();
    let lock = fs::File::create(repo.muse().join("stem/store.lock")).unwrap();
    lock.lock_shared().unwrap();
    let options = GcOptions { lock_timeout: Duration::from_millis(50), ..at(day(0)) };
    let error = repo.vault.gc(&options, &Silent).unwrap_err();
    assert_eq!(error.name(), "refused");
    assert!(error.to_string().contains("push"), "{error}");
    assert!(!repo.muse().join("stem/gc").exists());
    lock.unlock().unwrap();
    gc(&repo, day(0));
}

#[test]
fn pushes_that_run_at_the_same_time_keep_what_they_save() {
    let repo = Repo::in_memory();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // As far as the clock goes every object is old at once.
            let options = GcOptions { grace: Some(Duration::ZERO), ..GcOptions::default() };
            let vault = Vault::open(repo.root()).unwrap();
            while !stop.load(Ordering::Relaxed) {
                vault.gc(&options, &Silent).unwrap();
            }
        });
        for turn in 0..40 {
            for n in 0..10 {
                repo.write(format!("{n}.wav"), format!("turn {} file {n}", turn % 3));
            }
            let pushed = repo.vault.stash().push(&PushOptions::default(), &Silent).unwrap();
            assert_eq!(pushed.files_stashed, 10);
            let popped = repo.pop("0");
            assert_eq!((popped.missing.len(), popped.files_applied), (0, 10), "turn {turn}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    repo.assert_sound();
}

#[test]
fn dropping_overwriting_and_undoing_at_the_same_time_lose_nothing() {
    let repo = Repo::in_memory();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let options = GcOptions { grace: Some(Duration::ZERO), ..GcOptions::default() };
            let vault = Vault::open(repo.root()).unwrap();
            while !stop.load(Ordering::Relaxed) {
                vault.gc(&options, &Silent).unwrap();
            }
        });
        let undo = || {
            let undone = repo.vault.stash().undo(stemvault::UndoOptions::default(), &Silent).unwrap();
            assert!(undone.left_alone.is_empty(), "{undone:?}");
        };
        for turn in 0..25 {
            repo.write("a.wav", format!("shelved {turn}"));
            repo.push();
            repo.vault.stash().drop_entry("0").unwrap();
            undo();
            // Newer work, which the apply writes over and the undo brings back.
            repo.write("a.wav", format!("newer {turn}"));
            assert_eq!(repo.apply("0").missing, []);
            assert_eq!(repo.texts()["a.wav"], format!("shelved {turn}"));
            undo();
            assert_eq!(repo.texts()["a.wav"], format!("newer {turn}"));
            repo.vault.stash().clear().unwrap();
            undo();
            assert_eq!(repo.pop("0").missing, [], "turn {turn}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    repo.assert_sound();
}

/// A repository with something of each kind, and its state before a collection that removes something.
fn prepared() -> Repo {
    let repo = Repo::in_memory();
    repo.write("kick.wav", "head");
    repo.snapshot();
    repo.write("kick.wav", "shelved");
    repo.push();
    for n in 0..5 {
        repo.plant_object(format!("garbage {n}").as_bytes());
    }
    gc(&repo, day(0));
    repo.plant_object(b"young garbage");
    repo
}

#[test]
fn dying_or_failing_at_any_change_loses_nothing() {
    let mut points = 0;
    for kill in [true, false] {
        for n in 0.. {
            let repo = prepared();
            let plan = if kill {
                FaultPlan::kill_at(n)
            } else {
                FaultPlan::fail_at(n, std::io::ErrorKind::StorageFull)
            };
            let observed = Dir::open_observed(repo.root(), Arc::clone(&plan) as _).unwrap();
            let vault = Vault::from_dir(&observed).unwrap();
            let result = vault.gc(&at(day(20)), &Silent);
            drop(vault);
            let objects = repo.objects();
            for needed in ["head", "shelved", "young garbage"] {
                assert!(objects.contains_key(&hex(needed.as_bytes())), "change {n}: {needed}");
            }
            if !plan.struck() {
                assert_eq!(result.unwrap().removed.len(), 5);
                break;
            }
            points += 1;
            // It can be run again, and ends as if nothing had happened; what is young waits as long as ever.
            gc(&repo, day(21));
            assert!(repo.objects().len() == 3, "change {n}: {:?}", repo.objects().keys());
            assert!(gc(&repo, day(33)).removed.is_empty(), "change {n}");
            assert_eq!(gc(&repo, day(36)).removed.len(), 1, "change {n}");
            assert_eq!(repo.pop("0").missing, []);
        }
    }
    println!("stopped at {points} changes");
    assert!(points > 30, "{points}");
}

#[test]
fn a_sweep_can_be_stopped_and_run_again() {
    struct Stop(AtomicBool);
    impl Progress for Stop {
        fn begin(&self, phase: stemvault::Phase, _files: u64, _bytes: u64) {
            if phase == stemvault::Phase::Sweeping {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        fn cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }
    let repo = Repo::in_memory();
    for n in 0..500 {
        repo.plant_object(format!("garbage {n}").as_bytes());
    }
    gc(&repo, day(0));
    let stopped = repo.vault.gc(&at(day(20)), &Stop(AtomicBool::new(false))).unwrap();
    assert!(stopped.postponed.is_some() && !stopped.removed.is_empty() && stopped.removed.len() < 500);
    assert_eq!(stopped.removed.len() + stopped.waiting.len(), 500);
    assert_eq!(repo.objects().len(), stopped.waiting.len());
    assert_eq!(gc(&repo, day(20)).removed.len(), stopped.waiting.len());
}

#[derive(Debug, Clone)]
enum Act {
    Write(u8, u8),
    Push,
    Pop,
    Drop,
    Snapshot,
    Garbage(u8),
    MuseStash(u8),
    Gc(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..4_u8, any::<u8>()).prop_map(|(path, bytes)| Act::Write(path, bytes)),
        2 => Just(Act::Push),
        1 => Just(Act::Pop),
        1 => Just(Act::Drop),
        1 => Just(Act::Snapshot),
        2 => any::<u8>().prop_map(Act::Garbage),
        1 => any::<u8>().prop_map(Act::MuseStash),
        3 => (0..20_u8).prop_map(Act::Gc),
    ]
}

/// What the entries and the snapshots of the repository name.
fn named(repo: &Repo) -> BTreeSet<String> {
    let entries = repo.list().into_iter().flat_map(|entry| entry.entry.unwrap().manifest.into_entries());
    let mut named: BTreeSet<String> = entries.map(|(_, id)| id.to_string()).collect();
    for (path, bytes) in tree::bytes(&repo.muse()) {
        if path.starts_with(b"snapshots/") || path == b"stash.json" {
            let text = String::from_utf8(bytes).unwrap();
            named.extend(text.split('"').filter(|word| word.len() == 64).map(str::to_owned));
        }
    }
    named
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_named_ever_goes(acts in proptest::collection::vec(act(), 1..25)) {
        let repo = Repo::in_memory();
        let mut today = 0;
        for act in acts {
            match act {
                Act::Write(path, bytes) => drop(repo.write(format!("{path}.wav"), [bytes])),
                Act::Push => drop(repo.push()),
                Act::Pop if !repo.list().is_empty() => drop(repo.pop("0")),
                Act::Drop if !repo.list().is_empty() => drop(repo.vault.stash().drop_entry("0").unwrap()),
                Act::Pop | Act::Drop => {}
                Act::Snapshot => drop(repo.snapshot()),
                Act::Garbage(n) => drop(repo.plant_object(&[n, n])),
                Act::MuseStash(n) => {
                    let id = repo.plant_object(&[n, n, n]);
                    let text = format!("[{{\"manifest\": {}}}]", manifest_text("m.mid", &id));
                    fs::write(repo.muse().join("stash.json"), text).unwrap();
                }
                Act::Gc(days) => {
                    today += i64::from(days);
                    let before = repo.objects();
                    let needed = named(&repo);
                    gc(&repo, day(today));
                    let after = repo.objects();
                    for id in before.keys().filter(|id| !after.contains_key(*id)) {
                        prop_assert!(!needed.contains(id), "{} was needed", id);
                    }
                }
            }
        }
        repo.assert_sound();
    }

    #[test]
    fn a_root_that_is_damaged_anywhere_is_noticed_or_harmless(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let repo = Repo::in_memory();
        repo.write("a.wav", "head");
        repo.snapshot();
        repo.write("a.wav", "shelved");
        repo.push();
        gc(&repo, day(0));
        let roots: Vec<Vec<u8>> = tree::bytes(&repo.muse()).into_keys().filter(|path| {
            [&b"stash/"[..], b"snapshots/", b"commits/", b"refs/", b"HEAD", b"repo.json"].iter().any(|dir| path.starts_with(dir))
        }).collect();
        let path = tree::join(&repo.muse(), which.get(&roots));
        let mut bytes = fs::read(&path).unwrap();
        let offset = at.index(bytes.len());
        bytes[offset] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let options = GcOptions { grace: Some(Duration::ZERO), ..at_now() };
        // Whatever the bit did: an object goes only if no document names it any more.
        let needed = if let Ok(result) = repo.vault.gc(&options, &Silent) {
            let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            result.removed.iter().all(|object| !text.contains(&object.id.to_string()))
        } else {
            repo.objects().len() == 2
        };
        prop_assert!(needed, "{}", path.display());
    }
}

fn at_now() -> GcOptions {
    at(day(1))
}
