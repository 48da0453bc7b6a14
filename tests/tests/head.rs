//! HEAD: its three forms, its files from commits and snapshots, and what happens when nobody knows them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use stemvault::{ChangeKind, ErrorKind, HeadChoice, PushOptions, Silent, SnapshotOptions};
use stemvault_tests::golden::hex;
use stemvault_tests::repo::{Repo, head_manifest, left};
use stemvault_tests::tree;

fn set_head(repo: &Repo, text: &str) {
    fs::write(repo.muse().join("HEAD"), text).unwrap();
}

#[test]
fn a_push_brings_back_the_tree_of_the_snapshot_with_its_permissions_and_times() {
    let repo = Repo::new();
    for (n, (path, mode)) in
        [("a.wav", 0o600), ("tracks/drums/kick.wav", 0o444), ("b c/é.mid", 0o755), ("gone.wav", 0o640)]
            .into_iter()
            .enumerate()
    {
        let at = repo.write(path, format!("head {n}"));
        tree::set_meta(&at, mode, 1_600_000_000_123_456_789 + 1_000_000_007 * n as i128);
    }
    let head = repo.tree();
    let snapshot = repo.snapshot();
    assert_eq!((snapshot.files, snapshot.unchanged, snapshot.branch.as_str()), (4, false, "main"));
    assert_eq!(repo.tree(), head, "a snapshot changes nothing in the tree");
    repo.write("a.wav", "edited");
    fs::remove_file(repo.path("tracks/drums/kick.wav")).unwrap();
    repo.write("tracks/drums/kick.wav", "edited kick");
    fs::remove_file(repo.path("gone.wav")).unwrap();
    repo.write("new.wav", "new");
    let work = repo.tree();
    let pushed = repo.push();
    assert!(pushed.head_restored && !pushed.is_partial());
    assert_eq!(repo.tree(), head);
    assert!(repo.pop("0").dropped);
    // HEAD's deleted file stays, as in the reference.
    let mut expected = work;
    expected.insert(b"gone.wav".to_vec(), head[&b"gone.wav"[..]].clone());
    assert_eq!(repo.tree(), expected);
    repo.assert_sound();
}

#[test]
fn a_snapshot_writes_what_newer_muse_reads() {
    let repo = Repo::new();
    repo.write("a.wav", "a");
    let options = SnapshotOptions { message: Some("first \"take\"".into()), author: Some("me".into()) };
    let first = repo.vault.stash().snapshot(&options, &Silent).unwrap();
    repo.write("b.wav", "b");
    let second = repo.snapshot();
    let read = |folder: &str, id: String| -> serde_json::Value {
        let bytes = fs::read(repo.muse().join(folder).join(format!("{id}.json"))).unwrap();
        assert_eq!(bytes.last(), Some(&b'\n'));
        serde_json::from_slice(&bytes).unwrap()
    };
    let commit = read("commits", first.commit_id.to_string());
    let repo_json: serde_json::Value =
        serde_json::from_slice(&fs::read(repo.muse().join("repo.json")).unwrap()).unwrap();
    assert_eq!(commit["repo_id"], repo_json["repo_id"]);
    assert_eq!(
        (commit["branch"].as_str(), commit["message"].as_str(), commit["author"].as_str()),
        (Some("main"), Some("first \"take\""), Some("me"))
    );
    assert!(commit["parent_commit_id"].is_null() && commit["parent2_commit_id"].is_null());
    assert_eq!(commit["snapshot_id"], first.snapshot_id.to_string());
    // The ids are those that the reference would compute.
    let manifest = format!("a.wav:{}", hex(b"a"));
    assert_eq!(first.snapshot_id.to_string(), hex(manifest.as_bytes()));
    let text = format!("|{}|first \"take\"|{}", first.snapshot_id, commit["committed_at"].as_str().unwrap());
    assert_eq!(first.commit_id.to_string(), hex(text.as_bytes()));
    let snapshot = read("snapshots", first.snapshot_id.to_string());
    assert_eq!(snapshot["manifest"], serde_json::json!({"a.wav": hex(b"a")}));
    let child = read("commits", second.commit_id.to_string());
    assert_eq!(child["parent_commit_id"], first.commit_id.to_string());
    assert_eq!(
        fs::read_to_string(repo.muse().join("refs/heads/main")).unwrap().trim(),
        second.commit_id.to_string()
    );
}

#[test]
fn a_snapshot_of_a_newer_repository_joins_its_ids_by_nul() {
    let repo = Repo::new();
    set_head(&repo, "ref: refs/heads/main\n");
    repo.write("a.wav", "a");
    let taken = repo.snapshot();
    let manifest = format!("a.wav\0{}", hex(b"a"));
    assert_eq!(taken.snapshot_id.to_string(), hex(manifest.as_bytes()));
    assert_eq!(fs::read_to_string(repo.muse().join("HEAD")).unwrap(), "ref: refs/heads/main\n");
}

#[test]
fn an_unchanged_snapshot_records_nothing() {
    let repo = Repo::new();
    repo.write("a.wav", "a");
    let first = repo.snapshot();
    let before = repo.state();
    let second = repo.snapshot();
    assert!(second.unchanged && !first.unchanged);
    assert_eq!(second.commit_id, first.commit_id);
    assert_eq!(repo.state(), before);
    // Permissions and times are no part of a snapshot.
    tree::set_meta(&repo.path("a.wav"), 0o600, 5);
    assert!(repo.snapshot().unchanged);
}

#[test]
fn a_snapshot_of_an_empty_tree_is_a_head_without_files() {
    let repo = Repo::new();
    let taken = repo.snapshot();
    assert_eq!((taken.files, taken.unchanged), (0, false));
    assert!(repo.snapshot().unchanged);
    repo.write("a.wav", "a");
    let pushed = repo.push();
    assert!(pushed.head_restored);
    assert!(repo.tree().is_empty());
}

#[test]
fn every_form_of_head_finds_its_branch_and_commit() {
    for form in ["refs/heads/{}", "refs/heads/{}\n", "ref: refs/heads/{}\n", "ref:refs/heads/{}"] {
        for branch in
            ["main", "feature/chorus", "a/b/c/d", "größe", "with space", "-x", "@", "HEAD", "refs/heads/main"]
        {
            let repo = Repo::in_memory();
            set_head(&repo, &form.replace("{}", branch));
            repo.write("a.wav", "head");
            let taken = repo.snapshot();
            assert_eq!(taken.branch, branch);
            let at = repo.muse().join("refs/heads").join(branch);
            assert_eq!(fs::read_to_string(at).unwrap().trim(), taken.commit_id.to_string());
            repo.write("a.wav", "edited");
            let pushed = repo.push();
            assert_eq!((pushed.branch.as_str(), pushed.head_restored), (branch, true));
            assert_eq!(repo.texts()["a.wav"], "head");
            // The commit alone, without a branch.
            set_head(&repo, &format!("commit: {}\n", taken.commit_id));
            repo.write("a.wav", "edited again");
            let pushed = repo.push();
            assert_eq!(
                (pushed.branch.as_str(), pushed.head_restored),
                (&taken.commit_id.to_string()[..12], true)
            );
            assert_eq!(repo.texts()["a.wav"], "head");
            let error = repo.vault.stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::User, "a detached HEAD has no branch to move");
        }
    }
}

#[test]
fn branches_have_their_own_heads() {
    let repo = Repo::new();
    repo.write("a.wav", "main");
    repo.snapshot();
    set_head(&repo, "refs/heads/other");
    repo.write("a.wav", "other");
    repo.snapshot();
    for branch in ["main", "other"] {
        set_head(&repo, &format!("refs/heads/{branch}"));
        repo.write("a.wav", "work");
        repo.push();
        assert_eq!(repo.texts()["a.wav"], branch);
    }
    set_head(&repo, "refs/heads/third");
    repo.write("a.wav", "work");
    assert!(!repo.push().head_restored);
    assert!(repo.tree().is_empty());
}

#[test]
fn a_branch_without_commits_has_no_head() {
    for text in [None, Some(""), Some("\n"), Some("  \n")] {
        let repo = Repo::new();
        let at = repo.muse().join("refs/heads/main");
        match text {
            None => fs::remove_file(at).unwrap(),
            Some(text) => fs::write(at, text).unwrap(),
        }
        repo.write("a.wav", "a");
        let pushed = repo.push();
        assert_eq!((pushed.files_stashed, pushed.head_restored), (1, false));
        assert!(repo.tree().is_empty());
    }
}

#[test]
fn a_commit_that_nobody_knows_changes_nothing() {
    for head in ["refs/heads/main", "ref: refs/heads/main", "detached"] {
        let repo = Repo::new();
        repo.write("a.wav", "a");
        repo.push();
        repo.write("b.wav", "b");
        let commit = hex(b"unknown");
        if head == "detached" {
            set_head(&repo, &format!("commit: {commit}"));
        } else {
            set_head(&repo, head);
            fs::write(repo.muse().join("refs/heads/main"), format!("{commit}\n")).unwrap();
        }
        let before = repo.state();
        for options in [
            PushOptions::default(),
            PushOptions { keep: true, ..PushOptions::default() },
            PushOptions { track: Some("drums".into()), ..PushOptions::default() },
        ] {
            let error = repo.vault.stash().push(&options, &Silent).unwrap_err();
            assert_eq!((error.name(), error.kind()), ("head_unknown", ErrorKind::User));
            assert!(
                error.to_string().contains(&commit[..8]) && error.to_string().contains("--no-head"),
                "{error}"
            );
        }
        let error = repo.vault.stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::User, "{error}");
        assert_eq!(repo.state(), before);
        let status = repo.vault.stash().status(&Silent).unwrap();
        assert!(!status.head_known && status.changes.is_empty());
        // Reading and bringing back need no HEAD.
        assert!(repo.pop("0").dropped);
    }
}

#[test]
fn a_manifest_handed_over_is_head_whatever_the_ref_says() {
    let repo = Repo::new();
    let id = repo.plant_object(b"from elsewhere");
    fs::write(repo.muse().join("refs/heads/main"), hex(b"unknown")).unwrap();
    repo.write("a.wav", "a");
    let pushed = repo.push_with(&PushOptions {
        head: head_manifest(format!("{{\"x/y.wav\": \"{id}\"}}")),
        ..PushOptions::default()
    });
    assert!(pushed.head_restored);
    assert_eq!(
        repo.texts().into_iter().collect::<Vec<_>>(),
        [("x/y.wav".to_owned(), "from elsewhere".to_owned())]
    );
}

#[test]
fn heads_files_whose_objects_are_missing_are_told_and_what_is_there_stays() {
    let repo = Repo::new();
    repo.write("changed.wav", "mine");
    repo.write("new.wav", "new");
    repo.write("same.wav", "same");
    let (lost, same) = (hex(b"lost"), hex(b"same"));
    let manifest =
        format!("{{\"changed.wav\": \"{lost}\", \"deleted.wav\": \"{lost}\", \"same.wav\": \"{same}\"}}");
    let pushed = repo.push_with(&PushOptions { head: head_manifest(manifest), ..PushOptions::default() });
    assert_eq!(
        pushed.missing_head.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["changed.wav", "deleted.wav"]
    );
    assert!(pushed.is_partial() && pushed.head_restored);
    assert_eq!(
        repo.texts().into_iter().collect::<Vec<_>>(),
        [("changed.wav", "mine"), ("same.wav", "same")].map(|(p, t)| (p.to_owned(), t.to_owned()))
    );
    // A file equal to HEAD whose object the store lacked is stored, so that HEAD can come back next time.
    assert!(repo.object_path(&same).exists());
    repo.assert_sound();
}

#[test]
fn heads_files_whose_objects_are_damaged_are_not_brought_back() {
    let repo = Repo::new();
    repo.write("changed.wav", "head bytes");
    repo.snapshot();
    repo.write("changed.wav", "mine");
    fs::write(repo.object_path(&hex(b"head bytes")), "HEAD bytes").unwrap();
    let pushed = repo.push();
    assert_eq!(pushed.missing_head.len(), 1);
    assert!(pushed.is_partial());
    assert_eq!(repo.texts()["changed.wav"], "mine", "what is there stays while HEAD's cannot come");
    assert!(repo.holds(b"mine"));
}

#[test]
fn a_file_where_head_has_a_directory_gives_way() {
    let repo = Repo::new();
    repo.write("take/a.wav", "head a");
    repo.write("take/b/c.wav", "head c");
    let head = repo.tree();
    repo.snapshot();
    fs::remove_dir_all(repo.path("take")).unwrap();
    repo.write("take", "a file now");
    let pushed = repo.push();
    assert!(!pushed.is_partial(), "{pushed:?}");
    assert_eq!(repo.tree(), head);
    assert!(repo.holds(b"a file now"));
}

/// Emptied directories stay, but not in the way of HEAD's files: a full push leaves the tree as HEAD.
#[test]
fn a_directory_where_head_has_a_file_gives_way_when_the_push_emptied_it() {
    let repo = Repo::new();
    repo.write("take", "head file");
    let head = repo.tree();
    repo.snapshot();
    fs::remove_file(repo.path("take")).unwrap();
    repo.write("take/deep/a.wav", "a");
    repo.write("take/b.wav", "b");
    let pushed = repo.push();
    assert!(repo.holds(b"a") && repo.holds(b"b"));
    assert_eq!(repo.tree(), head, "{pushed:?}");
    assert!(!pushed.is_partial(), "{pushed:?}");
}

#[test]
fn a_directory_where_head_has_a_file_stays_when_something_is_in_it() {
    let repo = Repo::new();
    repo.write("take", "head file");
    repo.snapshot();
    fs::remove_file(repo.path("take")).unwrap();
    repo.write("take/.hidden", "hidden");
    repo.write("take/b.wav", "b");
    let pushed = repo.push();
    assert!(pushed.is_partial());
    assert_eq!(left(&pushed.left_alone), [("take".to_owned(), "blocked")]);
    assert_eq!(repo.texts()["take/.hidden"], "hidden");
    assert!(repo.holds(b"b"));
}

#[test]
fn a_file_equal_to_head_keeps_the_permissions_that_it_was_given() {
    let repo = Repo::new();
    let path = repo.write("a.wav", "a");
    repo.snapshot();
    tree::set_meta(&path, 0o600, 1_234_567_890);
    let before = fs::metadata(&path).unwrap().ino();
    repo.push();
    let after = fs::metadata(&path).unwrap();
    assert_eq!((after.ino(), after.permissions().mode() & 0o7777), (before, 0o600));
}

#[test]
fn status_says_what_differs_from_head() {
    let repo = Repo::new();
    for path in ["same.wav", "modified.wav", "grown.wav", "deleted.wav"] {
        repo.write(path, "0123");
    }
    repo.snapshot();
    repo.write("modified.wav", "3210");
    repo.write("grown.wav", "01234");
    repo.write("added.wav", "new");
    repo.write(".hidden", "x");
    fs::remove_file(repo.path("deleted.wav")).unwrap();
    let status = repo.vault.stash().status(&Silent).unwrap();
    let changes: Vec<_> =
        status.changes.iter().map(|change| (change.path.to_string(), change.kind)).collect();
    let expected = [
        ("added.wav", ChangeKind::Added),
        ("deleted.wav", ChangeKind::Deleted),
        ("grown.wav", ChangeKind::Modified),
        ("modified.wav", ChangeKind::Modified),
    ];
    assert_eq!(changes, expected.map(|(path, kind)| (path.to_owned(), kind)));
    assert!(status.head_known);
    assert_eq!((status.files, status.entries, status.branch.as_str()), (4, 0, "main"));
    repo.push();
    assert!(repo.vault.stash().status(&Silent).unwrap().changes.is_empty());
}

#[test]
fn status_sees_a_change_that_moved_neither_size_nor_time() {
    let repo = Repo::new();
    let path = repo.write("a.wav", "0123");
    tree::set_meta(&path, 0o644, 1_600_000_000_000_000_000);
    repo.snapshot();
    repo.push_with(&PushOptions { keep: true, ..PushOptions::default() });
    repo.vault.stash().status(&Silent).unwrap();
    fs::write(&path, "3210").unwrap();
    tree::set_meta(&path, 0o644, 1_600_000_000_000_000_000);
    let status = repo.vault.stash().status(&Silent).unwrap();
    assert_eq!(status.changes.len(), 1, "the time was set back after the change");
    repo.push();
    assert!(repo.holds(b"3210"));
    assert_eq!(repo.texts()["a.wav"], "0123");
}

/// The clock of a file system is coarse: two versions may have the same size and the same times.
#[test]
fn a_change_within_one_tick_of_the_clock_is_seen() {
    let repo = Repo::in_memory();
    let keep = PushOptions { keep: true, ..PushOptions::default() };
    repo.write("a.wav", "0000");
    repo.snapshot();
    for n in 1..300 {
        let text = format!("{n:04}");
        fs::write(repo.path("a.wav"), &text).unwrap();
        repo.push_with(&keep);
        assert!(repo.holds(text.as_bytes()));
        let id = hex(text.as_bytes());
        assert_eq!(repo.entry(0).manifest.iter().next().unwrap().1.to_string(), id, "turn {n}");
        assert_eq!(repo.vault.stash().status(&Silent).unwrap().changes.len(), 1, "turn {n}");
        if n % 50 == 0 {
            repo.vault.stash().clear().unwrap();
        }
    }
}

#[test]
fn the_repositorys_root_as_the_working_tree_never_touches_its_own_files() {
    let mut repo = Repo::new();
    fs::create_dir_all(repo.muse().join("stem")).unwrap();
    fs::write(repo.muse().join("stem/config.toml"), "[worktree]\npath = \".\"\n").unwrap();
    repo.reopen();
    fs::remove_dir(repo.work()).unwrap();
    tree::write(repo.root(), ".git/config", "git");
    tree::write(repo.root(), "sub/.git/HEAD", "git");
    tree::write(repo.root(), "sub/.Muse/x", "nested");
    tree::write(repo.root(), "a.wav", "a");
    tree::write(repo.root(), "sub/b.wav", "b");
    let pushed = repo.push();
    assert_eq!(pushed.files_stashed, 2);
    let left: Vec<_> =
        tree::bytes(repo.root()).into_keys().filter(|path| !path.starts_with(b".muse/")).collect();
    assert_eq!(left, [&b".git/config"[..], b"sub/.Muse/x", b"sub/.git/HEAD"]);
    assert!(repo.pop("0").dropped);
    assert_eq!(fs::read(repo.root().join("sub/b.wav")).unwrap(), b"b");
    assert_eq!(
        repo.push_with(&PushOptions { head: HeadChoice::None, ..PushOptions::default() }).files_stashed,
        2
    );
}
