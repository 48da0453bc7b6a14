//! Verification finds every kind of damage and says what it costs; repair heals from every kind of copy and deletes nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stem_testkit::FaultPlan;
use stemvault::{
    Base, ChangeKind, Dir, Holder, ObjectStoreExt as _, Problem, Progress, PushOptions, Silent, Vault,
    VerifyOptions, VerifyResult, open_store,
};
use stemvault_tests::golden::hex;
use stemvault_tests::hostile::{STASH_ID, entry_text, manifest_text};
use stemvault_tests::repo::Repo;
use stemvault_tests::tree;

const REPAIR: VerifyOptions =
    VerifyOptions { repair: true, worktree: false, resume: false, store: None, from: None };

fn verify(repo: &Repo, options: &VerifyOptions) -> VerifyResult {
    repo.vault.verify(options, &Silent).unwrap()
}

/// A repository with a commit and an entry: `head` in the snapshot, `shelved` in the entry, `both` in both.
fn shelved() -> Repo {
    let repo = Repo::in_memory();
    repo.write("kick.wav", "head");
    repo.write("both.wav", "both");
    repo.snapshot();
    repo.write("kick.wav", "shelved");
    repo.push();
    repo
}

fn damage(repo: &Repo, bytes: &str, with: &[u8]) -> PathBuf {
    let path = repo.object_path(&hex(bytes.as_bytes()));
    fs::remove_file(&path).unwrap();
    fs::write(&path, with).unwrap();
    path
}

fn quarantined(repo: &Repo) -> BTreeMap<String, Vec<u8>> {
    let files = tree::bytes(&repo.muse().join("stem/quarantine"));
    files.into_iter().map(|(name, bytes)| (String::from_utf8(name).unwrap(), bytes)).collect()
}

#[test]
fn a_sound_repository_is_sound() {
    let repo = shelved();
    let before = tree::everything(repo.root());
    let result = verify(&repo, &VerifyOptions { worktree: true, ..VerifyOptions::default() });
    assert!(!result.is_damaged(), "{result:?}");
    assert_eq!((result.objects, result.bytes, result.skipped), (3, 15, 0));
    assert!(result.documents >= 2);
    assert_eq!(result.worktree.unwrap().files, 2);
    // Nothing but the stat cache, which is read and written by whoever looks at the tree.
    let mut after = tree::everything(repo.root());
    after.remove(&b".muse/stem/cache"[..]);
    let mut before = before;
    before.remove(&b".muse/stem/cache"[..]);
    assert_eq!(after, before);
}

#[test]
fn a_damaged_object_is_found_with_all_that_it_costs() {
    for with in [&b"bitz"[..], b"bot", b"both and more", b""] {
        let repo = shelved();
        damage(&repo, "both", with);
        let result = verify(&repo, &VerifyOptions::default());
        assert!(result.is_damaged());
        let [object] = result.damaged.as_slice() else { panic!("{:?}", result.damaged) };
        assert_eq!(object.id.to_string(), hex(b"both"));
        assert!(matches!(&object.problem, Problem::Damaged(why) if !why.is_empty()));
        let mut holders: Vec<&'static str> = Vec::new();
        for place in &object.affected.listed {
            assert_eq!(place.path.as_ref().unwrap().as_bytes(), b"both.wav");
            holders.push(place.holder.kind());
        }
        assert!(holders.contains(&"entry") && holders.contains(&"snapshot"), "{holders:?}");
        assert_eq!(object.affected.count, holders.len() as u64);
        assert!(object.healed_from.is_none() && object.quarantined.is_none());
        assert_eq!(fs::read(repo.object_path(&hex(b"both"))).unwrap(), with, "looking changes nothing");
    }
}

#[test]
fn a_missing_object_is_found_and_an_object_that_nobody_needs_is_not_missed() {
    let repo = shelved();
    fs::remove_file(repo.object_path(&hex(b"shelved"))).unwrap();
    let id = repo.plant_object(b"garbage");
    fs::write(repo.object_path(&id), "other").unwrap();
    let result = verify(&repo, &VerifyOptions::default());
    assert_eq!(result.damaged.len(), 2);
    let by_id = |bytes: &[u8]| {
        result.damaged.iter().find(|object| object.id.to_string() == hex(bytes)).unwrap().clone()
    };
    assert_eq!(by_id(b"shelved").problem, Problem::Missing);
    let entry = repo.list()[0].stash_id.clone();
    let holder = Holder::Entry { index: 0, stash_id: entry };
    assert!(by_id(b"shelved").affected.listed.iter().any(|place| place.holder == holder));
    assert_eq!(by_id(b"garbage").affected.count, 0);
    assert!(result.hint.is_none());
}

#[test]
fn the_likely_cause_in_newer_muse_is_told() {
    let repo = shelved();
    fs::write(repo.muse().join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::remove_file(repo.object_path(&hex(b"shelved"))).unwrap();
    assert!(verify(&repo, &VerifyOptions::default()).hint.unwrap().contains("gc"));
}

#[test]
fn what_is_no_object_under_an_object_s_name_is_found_and_put_aside() {
    use std::os::unix::fs::symlink;
    type Harm = fn(&PathBuf);
    let harms: [(&str, Harm); 3] = [
        ("link", |path| symlink("/etc/passwd", path).unwrap()),
        ("directory", |path| fs::create_dir(path).unwrap()),
        ("fifo", |path| {
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
    ];
    for (what, harm) in harms {
        let repo = shelved();
        repo.write("other.wav", "shelved");
        let path = repo.object_path(&hex(b"shelved"));
        fs::remove_file(&path).unwrap();
        harm(&path);
        let found = verify(&repo, &VerifyOptions::default());
        assert_eq!(found.damaged.len(), 1, "{what}");
        let result = verify(&repo, &REPAIR);
        assert!(!result.is_damaged(), "{what}: {result:?}");
        assert!(result.damaged[0].quarantined.as_ref().unwrap().symlink_metadata().is_ok(), "{what}");
        assert_eq!(fs::read(&path).unwrap(), b"shelved", "{what}");
    }
}

#[test]
fn a_file_in_place_of_a_directory_of_objects_is_found_and_the_rest_is_still_looked_at() {
    let repo = shelved();
    let shard = repo.object_path(&hex(b"shelved")).parent().unwrap().to_path_buf();
    fs::remove_dir_all(&shard).unwrap();
    fs::write(&shard, "not a directory").unwrap();
    let result = verify(&repo, &VerifyOptions::default());
    assert_eq!(result.objects, 2);
    assert_eq!(result.records.iter().filter_map(|record| record.path.clone()).collect::<Vec<_>>(), [shard]);
    assert_eq!(
        result.damaged.iter().map(|object| object.problem.clone()).collect::<Vec<_>>(),
        [Problem::Missing]
    );
}

#[test]
fn files_of_the_repository_that_cannot_be_read_are_named() {
    let repo = shelved();
    let broken = repo.plant_entry(STASH_ID, "{");
    fs::write(repo.muse().join("refs/heads/other"), "1".repeat(64)).unwrap();
    let result = verify(&repo, &VerifyOptions::default());
    assert!(result.is_damaged() && result.damaged.is_empty());
    let paths: Vec<PathBuf> = result.records.iter().filter_map(|record| record.path.clone()).collect();
    assert_eq!(paths, [broken, repo.muse().join("refs/heads/other")]);
}

#[test]
fn the_working_tree_is_compared_on_request() {
    let repo = shelved();
    repo.write("new.wav", "new");
    fs::remove_file(repo.path("both.wav")).unwrap();
    repo.write("kick.wav", "changed");
    assert!(!verify(&repo, &VerifyOptions::default()).is_damaged());
    let result = verify(&repo, &VerifyOptions { worktree: true, ..VerifyOptions::default() });
    assert!(result.is_damaged() && result.damaged.is_empty());
    let check = result.worktree.unwrap();
    let changes: Vec<(String, ChangeKind)> =
        check.changes.iter().map(|change| (change.path.to_string(), change.kind)).collect();
    assert_eq!(
        changes,
        [
            ("both.wav".into(), ChangeKind::Deleted),
            ("kick.wav".into(), ChangeKind::Modified),
            ("new.wav".into(), ChangeKind::Added)
        ]
    );
    assert!(check.rotten.is_empty());
}

#[test]
fn repair_heals_from_the_working_tree_whatever_the_file_is_called() {
    let repo = shelved();
    repo.write("moved/elsewhere.wav", "shelved");
    let path = damage(&repo, "shelved", b"shelveD");
    let result = verify(&repo, &REPAIR);
    assert!(!result.is_damaged(), "{result:?}");
    let object = &result.damaged[0];
    assert!(object.healed_from.as_ref().unwrap().contains("moved/elsewhere.wav"));
    assert_eq!(fs::read(&path).unwrap(), b"shelved");
    assert_eq!(fs::read(object.quarantined.as_ref().unwrap()).unwrap(), b"shelveD");
    assert!(object.quarantined.as_ref().unwrap().starts_with(repo.muse().join("stem/quarantine")));
    assert_eq!(fs::read(repo.path("moved/elsewhere.wav")).unwrap(), b"shelved", "the source stays");
    assert!(!verify(&repo, &VerifyOptions::default()).is_damaged());
    assert_eq!(repo.pop("0").missing, []);
}

#[test]
fn repair_heals_from_another_store() {
    let repo = shelved();
    let backup = tempfile::tempdir().unwrap();
    let copy = backup.path().join("objects");
    copy_tree(&repo.muse().join("objects"), &copy);
    damage(&repo, "shelved", b"x");
    fs::remove_file(repo.object_path(&hex(b"head"))).unwrap();
    // The copy of one of them is damaged too.
    let bad = hex(b"both");
    fs::write(copy.join(&bad[..2]).join(&bad[2..]), "rotten too").unwrap();
    damage(&repo, "both", b"rotten");
    fs::remove_file(repo.path("both.wav")).unwrap();
    fs::remove_file(repo.path("kick.wav")).unwrap();
    let from = Some(format!("sharded:{}", copy.display()).parse().unwrap());
    let result = verify(&repo, &VerifyOptions { from, ..REPAIR });
    let healed = |bytes: &[u8]| {
        let object = result.damaged.iter().find(|object| object.id.to_string() == hex(bytes)).unwrap();
        object.healed_from.clone()
    };
    assert!(healed(b"shelved").unwrap().contains("sharded:"));
    assert!(healed(b"head").unwrap().contains("sharded:"));
    assert_eq!(healed(b"both"), None);
    assert!(result.is_damaged());
    let kept: Vec<Vec<u8>> = quarantined(&repo).into_values().collect();
    assert!(kept.contains(&b"x".to_vec()) && kept.contains(&b"rotten".to_vec()), "{kept:?}");
    let now = verify(&repo, &VerifyOptions::default());
    assert_eq!(now.damaged.len(), 1);
    assert_eq!(now.damaged[0].problem, Problem::Missing, "nobody trusts the damaged bytes any more");
}

#[test]
fn repair_heals_from_a_twin_in_packs() {
    let mut repo = shelved();
    let root = Dir::open(repo.root()).unwrap();
    let packs = open_store(&"pack:".parse().unwrap(), Base::Repository(&root)).unwrap();
    for bytes in ["shelved", "both", "head"] {
        packs.put_bytes(bytes.as_bytes()).unwrap();
    }
    drop(packs);
    repo.reopen();
    let path = damage(&repo, "shelved", b"shelveD");
    fs::remove_file(repo.object_path(&hex(b"head"))).unwrap();
    for name in ["kick.wav", "both.wav"] {
        fs::remove_file(repo.path(name)).unwrap();
    }
    let found = verify(&repo, &VerifyOptions::default());
    assert_eq!(found.damaged.len(), 1, "what is in packs is not missing: {:?}", found.damaged);
    let result = verify(&repo, &REPAIR);
    assert!(!result.is_damaged(), "{result:?}");
    assert!(result.damaged[0].healed_from.is_some());
    // Whichever copy stays, the object is whole, and the damaged bytes are kept.
    assert!(!path.exists() || fs::read(&path).unwrap() == b"shelved");
    assert_eq!(quarantined(&repo).into_values().collect::<Vec<_>>(), [b"shelveD"]);
    assert_eq!(repo.pop("0").missing, []);
}

#[test]
fn another_store_is_verified_and_healed_from_the_repository() {
    let repo = shelved();
    let backup = tempfile::tempdir().unwrap();
    let copy = backup.path().join("objects");
    copy_tree(&repo.muse().join("objects"), &copy);
    let id = hex(b"both");
    fs::write(copy.join(&id[..2]).join(&id[2..]), "rot").unwrap();
    fs::remove_file(repo.path("both.wav")).unwrap();
    let store = Some(format!("sharded:{}", copy.display()).parse().unwrap());
    let options = VerifyOptions { store, ..VerifyOptions::default() };
    let found = verify(&repo, &options);
    assert_eq!((found.objects, found.damaged.len(), found.documents), (3, 1, 0));
    let repaired = verify(&repo, &VerifyOptions { repair: true, ..options.clone() });
    assert!(!repaired.is_damaged(), "{repaired:?}");
    assert_eq!(repaired.damaged[0].healed_from.as_deref(), Some("sharded:.muse/objects"));
    assert!(!verify(&repo, &options).is_damaged());
    assert_eq!(quarantined(&repo).into_values().collect::<Vec<_>>(), [b"rot"]);
}

#[test]
fn repair_changes_nothing_where_nothing_is_wrong() {
    let repo = shelved();
    let before = repo.state();
    assert!(!verify(&repo, &REPAIR).is_damaged());
    assert_eq!(repo.state(), before);
    assert!(quarantined(&repo).is_empty());
}

#[test]
fn what_was_put_aside_comes_back_when_its_bytes_are_stored_again() {
    let repo = shelved();
    damage(&repo, "shelved", b"gone bad");
    let result = verify(&repo, &REPAIR);
    assert!(result.is_damaged() && result.damaged[0].unrepaired.is_some());
    assert_eq!(quarantined(&repo).into_values().collect::<Vec<_>>(), [b"gone bad"]);
    repo.write("kick.wav", "shelved");
    repo.vault.stash().push(&PushOptions { keep: true, ..PushOptions::default() }, &Silent).unwrap();
    assert!(!verify(&repo, &VerifyOptions::default()).is_damaged());
    assert_eq!(quarantined(&repo).len(), 1, "nothing is ever deleted");
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was() {
    /// Stops after so many objects.
    struct StopAfter(usize, AtomicUsize);
    impl Progress for StopAfter {
        fn advance(&self, files: u64, _bytes: u64) {
            self.1.fetch_add(usize::try_from(files).unwrap(), Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.1.load(Ordering::Relaxed) >= self.0
        }
    }
    let repo = Repo::in_memory();
    let count = 200;
    for n in 0..count {
        repo.plant_object(format!("object {n}").repeat(1 + n % 7).as_bytes());
    }
    let resume = VerifyOptions { resume: true, ..VerifyOptions::default() };
    let mut stops = 0;
    let result = loop {
        let error = match repo.vault.verify(&resume, &StopAfter(30, AtomicUsize::new(0))) {
            Ok(result) => break result,
            Err(error) => error,
        };
        assert_eq!(error.kind(), stemvault::ErrorKind::Interrupted);
        assert!(error.to_string().contains("--resume"), "{error}");
        stops += 1;
        assert!(stops < 50, "it never ends");
    };
    assert!(stops > 2, "{stops}");
    assert_eq!(result.objects + result.skipped, count as u64);
    assert!(result.skipped > 0);
    // The next one begins anew, and so does one that was not asked to go on.
    assert_eq!(verify(&repo, &resume).skipped, 0);
    repo.vault.verify(&resume, &StopAfter(30, AtomicUsize::new(0))).unwrap_err();
    assert_eq!(verify(&repo, &VerifyOptions::default()).objects, count as u64);
    // A note that is damaged, or of another store, is none.
    repo.vault.verify(&resume, &StopAfter(30, AtomicUsize::new(0))).unwrap_err();
    let note = repo.muse().join("stem/verified");
    let bytes = fs::read(&note).unwrap();
    fs::write(&note, &bytes[1..]).unwrap();
    assert_eq!(verify(&repo, &resume).skipped, 0);
}

#[test]
fn an_object_that_was_damaged_when_the_run_was_stopped_is_found_again() {
    struct Stop(AtomicUsize);
    impl Progress for Stop {
        fn advance(&self, files: u64, _bytes: u64) {
            self.0.fetch_add(usize::try_from(files).unwrap(), Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) >= 50
        }
    }
    let repo = Repo::in_memory();
    for n in 0..100 {
        let id = repo.plant_object(format!("object {n}").as_bytes());
        fs::write(repo.object_path(&id), "damaged").unwrap();
    }
    repo.vault.verify(&VerifyOptions::default(), &Stop(AtomicUsize::new(0))).unwrap_err();
    let result = verify(&repo, &VerifyOptions { resume: true, ..VerifyOptions::default() });
    assert_eq!((result.damaged.len(), result.skipped), (100, 0));
}

#[test]
fn dying_at_any_change_of_a_repair_loses_no_bytes() {
    let mut points = 0;
    for n in 0.. {
        let repo = shelved();
        damage(&repo, "shelved", b"half of it");
        damage(&repo, "both", b"another");
        fs::remove_file(repo.path("both.wav")).unwrap();
        repo.write("copy.wav", "shelved");
        let plan = FaultPlan::kill_at(n);
        let observed = Dir::open_observed(repo.root(), Arc::clone(&plan) as _).unwrap();
        let vault = Vault::from_dir(&observed).unwrap();
        let result = vault.verify(&REPAIR, &Silent);
        drop(vault);
        for bytes in [&b"half of it"[..], b"another"] {
            let everywhere = tree::bytes(&repo.muse());
            assert!(everywhere.values().any(|found| found == bytes), "change {n}");
        }
        if !plan.struck() {
            assert!(result.unwrap().damaged.len() == 2);
            break;
        }
        points += 1;
        let again = verify(&repo, &REPAIR);
        let left: Vec<String> = again
            .damaged
            .iter()
            .filter(|object| object.healed_from.is_none())
            .map(|object| object.id.to_string())
            .collect();
        assert_eq!(left, [hex(b"both")], "change {n}");
        assert_eq!(fs::read(repo.object_path(&hex(b"shelved"))).unwrap(), b"shelved");
    }
    println!("stopped at {points} changes");
    assert!(points > 5, "{points}");
}

#[test]
fn what_vanished_entries_and_muse_s_own_stash_need_is_named_too() {
    let repo = Repo::in_memory();
    let id = repo.plant_object(b"muse");
    let text = format!("[{{\"manifest\": {}}}]", manifest_text("m.mid", &id));
    fs::write(repo.muse().join("stash.json"), text).unwrap();
    let other = repo.plant_object(b"seen");
    let entry = repo.plant_entry(STASH_ID, entry_text(STASH_ID, &manifest_text("e.wav", &other)));
    repo.vault.gc(&stemvault::GcOptions::default(), &Silent).unwrap();
    fs::remove_file(entry).unwrap();
    for id in [&id, &other] {
        fs::remove_file(repo.object_path(id)).unwrap();
    }
    let result = verify(&repo, &VerifyOptions::default());
    let kinds: Vec<(String, &str, bool)> = result
        .damaged
        .iter()
        .flat_map(|object| {
            object
                .affected
                .listed
                .iter()
                .map(|place| (object.id.to_string(), place.holder.kind(), place.path.is_some()))
        })
        .collect();
    assert!(kinds.contains(&(id, "muse_stash", true)), "{kinds:?}");
    assert!(kinds.contains(&(other, "vanished_entry", false)), "{kinds:?}");
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    for (path, bytes) in tree::bytes(from) {
        tree::write(to, path, bytes);
    }
}
