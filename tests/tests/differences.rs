//! Where the reference loses data and this engine does not: one test for each row of the table of wanted differences,
//! but for those of garbage collection and of the undo journal.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, symlink};

use stemvault::{
    ApplyOptions, ErrorKind, HeadChoice, ObjectId, Phase, PushOptions, PutOptions, Silent, store_error,
};
use stemvault_tests::golden::hex;
use stemvault_tests::hook::At;
use stemvault_tests::hostile::{STASH_ID, entry_text, manifest_text};
use stemvault_tests::repo::{POP, Repo, left};

#[test]
fn a_file_changed_while_it_is_saved_is_stored_under_the_hash_of_what_is_stored_and_stays() {
    let repo = Repo::new();
    let path = repo.write("take.wav", vec![1; 20 << 20]);
    repo.write("other.wav", "other");
    let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
    let hook = At::new(Phase::Syncing, || writer.write_all(b"late").unwrap());
    let pushed = repo.vault.stash().push(&PushOptions::default(), &hook).unwrap();
    assert!(hook.came());
    let reasons = left(&pushed.left_alone);
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!(reasons[0].0, "take.wav");
    assert!(pushed.is_partial());
    let expected = [vec![1; 20 << 20], b"late".to_vec()].concat();
    assert!(fs::read(&path).unwrap() == expected, "the changed file stays as its writer left it");
    repo.assert_sound();
}

#[test]
fn a_file_replaced_after_it_was_saved_stays_and_is_told() {
    for phase in [Phase::Syncing, Phase::Clearing] {
        let repo = Repo::new();
        let path = repo.write("take.wav", "old");
        let hook = At::new(phase, || {
            let beside = repo.write(".saving", "new");
            fs::rename(beside, &path).unwrap();
        });
        let pushed = repo.vault.stash().push(&PushOptions::default(), &hook).unwrap();
        if !hook.came() {
            // Nothing was left to clear: the file had been adopted.
            assert!(phase == Phase::Clearing && !path.exists(), "{phase:?}");
            continue;
        }
        assert_eq!(fs::read(&path).unwrap(), b"new", "{phase:?}");
        assert!(repo.holds(b"old"), "{phase:?}");
        assert_eq!(pushed.files_stashed, 1, "{phase:?}");
        repo.assert_sound();
    }
}

#[test]
fn a_torn_object_that_a_crash_left_does_not_cost_the_only_good_copy() {
    let bytes = b"the whole recording".to_vec();
    for torn in [&b""[..], b"the whole", b"THE WHOLE RECORDING", &[0; 19], b"the whole recording and more"] {
        let repo = Repo::new();
        repo.write("take.wav", &bytes);
        let object = repo.object_path(&repo.plant_object(&bytes));
        fs::write(&object, torn).unwrap();
        repo.push();
        assert!(!repo.path("take.wav").exists());
        assert!(fs::read(&object).unwrap() == bytes, "the torn object was trusted: {torn:?}");
        assert!(repo.pop("0").dropped);
        assert_eq!(fs::read(repo.path("take.wav")).unwrap(), bytes);

        // The same where the file equals HEAD, and so stays.
        repo.snapshot();
        fs::write(&object, torn).unwrap();
        repo.push();
        assert_eq!(fs::read(repo.path("take.wav")).unwrap(), bytes);
        assert!(
            torn.len() == bytes.len() || fs::read(&object).unwrap() == bytes,
            "a torn object was not mended"
        );
        assert!(repo.pop("0").dropped);
        assert_eq!(fs::read(repo.path("take.wav")).unwrap(), bytes);
    }
}

#[test]
fn a_file_that_appears_during_a_push_is_not_removed() {
    for phase in [Phase::Saving, Phase::Hashing, Phase::Syncing, Phase::Clearing, Phase::Restoring] {
        let repo = Repo::new();
        repo.write("head.wav", "head");
        repo.snapshot();
        repo.write("work.wav", "work");
        fs::remove_file(repo.path("head.wav")).unwrap();
        let hook = At::new(phase, || {
            repo.write("tracks/bounce.wav", "bounced");
        });
        repo.vault.stash().push(&PushOptions::default(), &hook).unwrap();
        let mut expected = vec!["head.wav"];
        if hook.came() {
            expected.push("tracks/bounce.wav");
        }
        assert_eq!(repo.texts().into_keys().collect::<Vec<_>>(), expected, "{phase:?}");
    }
}

#[test]
fn a_file_equal_to_head_is_left_untouched() {
    let repo = Repo::new();
    let path = repo.write("same.wav", "same");
    repo.write("edited.wav", "before");
    repo.snapshot();
    let before = fs::metadata(&path).unwrap();
    repo.write("edited.wav", "after");
    repo.push();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (before.ino(), before.mtime_nsec(), before.ctime_nsec()),
        (after.ino(), after.mtime_nsec(), after.ctime_nsec())
    );
    assert_eq!(repo.texts()["edited.wav"], "before");
}

#[test]
fn an_incomplete_pop_keeps_the_entry() {
    let repo = Repo::new();
    repo.write("a.wav", "a");
    repo.write("b.wav", "b");
    repo.push();
    fs::remove_file(repo.object_path(&hex(b"a"))).unwrap();
    let popped = repo.pop("0");
    assert_eq!((popped.files_applied, popped.dropped, popped.is_partial()), (1, false, true));
    assert_eq!(popped.missing.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.wav"]);
    assert_eq!(repo.list().len(), 1);
    let forced = repo.vault.stash().apply("0", ApplyOptions { force: true, ..POP }, &Silent).unwrap();
    assert!(forced.dropped && forced.is_partial());
    assert!(repo.list().is_empty());
}

#[test]
fn links_and_special_files_are_left_alone_and_no_write_passes_through_a_link() {
    let repo = Repo::new();
    let outside = repo.root().join("outside.wav");
    fs::write(&outside, "outside").unwrap();
    repo.write("link.wav", "was a file");
    repo.push();
    symlink(&outside, repo.path("link.wav")).unwrap();
    let pushed = repo.push();
    assert_eq!(
        (pushed.files_stashed, left(&pushed.left_alone)),
        (0, vec![("link.wav".to_owned(), "symlink")])
    );
    let applied = repo.apply("0");
    assert_eq!(left(&applied.left_alone), [("link.wav".to_owned(), "blocked")]);
    assert_eq!(fs::read(&outside).unwrap(), b"outside");
    assert!(fs::symlink_metadata(repo.path("link.wav")).unwrap().is_symlink());
}

#[test]
fn a_manifest_path_outside_the_tree_is_refused_and_nothing_is_written() {
    let repo = Repo::new();
    let id = repo.plant_object(b"payload");
    for path in ["../x", "/x", "a/../../x"] {
        let manifest = format!("{{\"a.wav\": \"{id}\", \"{path}\": \"{id}\"}}");
        repo.plant_entry(STASH_ID, entry_text(STASH_ID, &manifest));
        let before = repo.state();
        let error = repo.vault.stash().apply("0", POP, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert_eq!(repo.state(), before);
    }
}

#[test]
fn a_head_that_nobody_knows_is_an_error_and_not_an_empty_head() {
    let repo = Repo::new();
    repo.write("a.wav", "a");
    fs::write(repo.muse().join("refs/heads/main"), hex(b"a commit in some database")).unwrap();
    let before = repo.state();
    let error = repo.vault.stash().push(&PushOptions::default(), &Silent).unwrap_err();
    assert_eq!((error.name(), error.kind()), ("head_unknown", ErrorKind::User), "{error}");
    assert_eq!(repo.state(), before);
    // Said on purpose, it is done.
    assert_eq!(repo.push_without_head().files_stashed, 1);
    assert!(repo.tree().is_empty());
}

#[test]
fn one_broken_entry_does_not_make_the_stack_unreadable() {
    let repo = Repo::new();
    repo.write("old.wav", "old");
    repo.push();
    let broken = repo.plant_entry("stash-2999-01-01T000000000000Z0000-00000000", "{");
    repo.write("new.wav", "new");
    repo.push();
    let list = repo.list();
    assert_eq!(list.iter().map(|entry| entry.entry.is_ok()).collect::<Vec<_>>(), [true, false, true]);
    let error = repo.vault.stash().apply("1", POP, &Silent).unwrap_err();
    assert_eq!(error.name(), "unreadable_entry");
    assert!(error.to_string().contains("stash@{1}"), "{error}");
    assert!(repo.pop("2").dropped && repo.pop("0").dropped);
    assert_eq!(
        repo.vault.stash().drop_entry("0").unwrap().stash_id,
        "stash-2999-01-01T000000000000Z0000-00000000"
    );
    assert!(!broken.exists());
    assert_eq!(repo.texts().len(), 2);
}

#[test]
fn the_branch_is_the_whole_name_or_twelve_digits() {
    let commit = hex(b"commit");
    for (head, branch) in [
        ("refs/heads/feature/chorus/take 2\n".to_owned(), "feature/chorus/take 2"),
        ("ref: refs/heads/feature/chorus".to_owned(), "feature/chorus"),
        (format!("commit: {commit}\n"), &commit[..12]),
    ] {
        let repo = Repo::new();
        fs::write(repo.muse().join("HEAD"), head).unwrap();
        repo.write("a.wav", "a");
        let pushed = repo.push_without_head();
        assert_eq!((pushed.branch.as_str(), pushed.message), (branch, format!("On {branch}: stash")));
        assert_eq!(repo.entry_json(0)["branch"], branch);
    }
}

#[test]
fn a_wrong_hash_or_a_malformed_id_is_an_error() {
    let repo = Repo::new();
    let store = repo.vault.store();
    let wrong: ObjectId = hex(b"something else").parse().unwrap();
    let options = PutOptions { expected: Some(wrong), ..PutOptions::default() };
    let error = store.put(&mut &b"bytes"[..], &options).unwrap_err();
    assert_eq!(error.kind(), store_error::ErrorKind::WrongHash);
    assert!(repo.objects().is_empty());
    repo.assert_no_temporaries();
    for id in ["", "abc", &hex(b"x").to_uppercase(), &format!("{}/", &hex(b"x")[..63])] {
        assert!(id.parse::<ObjectId>().is_err(), "{id}");
    }
}

#[test]
fn stamps_have_six_digits_and_a_new_entry_is_always_the_newest() {
    let repo = Repo::new();
    repo.write("a.wav", "a");
    repo.push();
    let id = repo.list().remove(0).stash_id;
    let stamp = id.strip_prefix("stash-").unwrap().split('Z').next().unwrap();
    assert_eq!(stamp.len(), "2026-11-22T083413597654".len(), "{id}");
    assert_eq!(
        repo.entry_json(0)["created_at"].as_str().unwrap().len(),
        "2026-11-22T08:34:13.597654+00:00".len()
    );
    // The clock was set back by years.
    let future = "stash-2999-12-31T235959000001Z0000-ffffffff";
    let object = repo.plant_object(b"x");
    let text = entry_text(future, &manifest_text("x.wav", &object))
        .replace("2026-11-22T08:34:13.597654", "2999-12-31T23:59:59.000001");
    repo.plant_entry(future, text);
    repo.write("b.wav", "b");
    let pushed = repo.push();
    let list = repo.list();
    assert_eq!(pushed.stash_id.as_deref(), Some(list[0].stash_id.as_str()));
    assert_eq!(list[1].stash_id, future);
    assert_eq!(list[2].stash_id, id);
    assert_eq!(repo.entry_json(0)["created_at"], "2999-12-31T23:59:59.000002+00:00");
}

#[test]
fn entries_are_ordered_by_time_and_then_by_id() {
    let repo = Repo::new();
    let object = repo.plant_object(b"x");
    // The reference drops the fraction of a whole second, and its text then sorts behind every later microsecond.
    let entries = [
        ("stash-2026-11-22T083413Z0000-00000009", "2026-11-22T08:34:13+00:00"),
        ("stash-2026-11-22T083413000000Z0000-0000000a", "2026-11-22T08:34:13.000000+00:00"),
        ("stash-2026-11-22T083413000001Z0000-00000001", "2026-11-22T08:34:13.000001+00:00"),
        ("stash-2026-11-22T083413000001Z0000-00000002", "2026-11-22T08:34:13.000001+00:00"),
        ("stash-2026-11-22T083414Z0000-00000000", "2026-11-22T08:34:14+00:00"),
    ];
    for (id, created) in entries {
        let text = entry_text(id, &manifest_text("x.wav", &object));
        repo.plant_entry(id, text.replace("2026-11-22T08:34:13.597654+00:00", created));
    }
    let listed: Vec<String> = repo.list().into_iter().map(|entry| entry.stash_id).collect();
    let at = |id: &str| listed.iter().position(|listed| listed == id).unwrap();
    assert_eq!(at(entries[4].0), 0, "{listed:?}");
    assert_eq!((at(entries[3].0), at(entries[2].0)), (1, 2), "{listed:?}");
    assert!(at(entries[0].0) >= 3 && at(entries[1].0) >= 3, "{listed:?}");
}

#[test]
fn head_said_on_purpose_clears_the_tree_and_keeps_what_is_hidden() {
    let repo = Repo::new();
    repo.write("a.wav", "a");
    repo.write(".DS_Store", "x");
    repo.snapshot();
    let options = PushOptions { head: HeadChoice::None, ..PushOptions::default() };
    let pushed = repo.push_with(&options);
    assert!(!pushed.head_restored);
    assert_eq!(repo.texts().into_keys().collect::<Vec<_>>(), [".DS_Store"]);
}
