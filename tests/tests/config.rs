//! Repositories that chose something: another working tree, another hash, a store on another disk, no mapping.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::Path;

use stemvault::{PushOptions, RelPath};
use stemvault_tests::repo::{Repo, left};
use stemvault_tests::tree::{self, Tree};

fn configured(toml: &str) -> Repo {
    let mut repo = Repo::new();
    fs::create_dir_all(repo.muse().join("stem")).unwrap();
    fs::write(repo.muse().join("stem/config.toml"), toml).unwrap();
    repo.reopen();
    repo
}

/// A day's work in the working tree at `work`: snapshot, edits, push, pop.
fn assert_works(repo: &Repo, work: &Path) {
    for n in 0..20 {
        tree::write(work, format!("takes/{n}.wav"), format!("head {n} ").repeat(1 + 5000 * (n % 3)));
    }
    let read = || -> Tree {
        let mut tree = tree::read(work);
        tree.retain(|path, _| !path.starts_with(b".muse/"));
        tree
    };
    let head = read();
    repo.snapshot();
    assert!(repo.snapshot().unchanged);
    for n in 0..20 {
        if n % 2 == 0 {
            tree::write(work, format!("takes/{n}.wav"), format!("edited {n} ").repeat(1 + 5000 * (n % 3)));
        }
        tree::write(work, format!("new/{n}.wav"), format!("new {n}"));
    }
    fs::remove_file(work.join("takes/7.wav")).unwrap();
    let edited = read();
    let pushed = repo.push();
    assert!(!pushed.is_partial() && pushed.head_restored, "{pushed:?}");
    let bytes =
        |tree: &Tree| -> Vec<_> { tree.iter().map(|(path, node)| (path.clone(), node.clone())).collect() };
    assert_eq!(bytes(&read()), bytes(&head));
    assert!(repo.vault.stash().status(&stemvault::Silent).unwrap().changes.is_empty());
    assert!(repo.pop("0").dropped);
    let now = read();
    for (path, node) in &edited {
        assert_eq!(now.get(path), Some(node), "{}", path.escape_ascii());
    }
    repo.assert_no_temporaries();
}

#[test]
fn the_defaults() {
    let repo = configured("version = 1\n");
    assert_works(&repo, &repo.work());
    repo.assert_sound();
}

#[test]
fn blake3_ids() {
    let repo = configured("[store]\nurl = \"sharded:objects?hash=blake3\"\n");
    assert_works(&repo, &repo.work());
    assert!(
        fs::read_dir(repo.muse().join("objects")).is_ok_and(|mut dir| dir.next().is_none()),
        "Muse's store is not used"
    );
}

#[test]
fn a_store_that_other_machines_use_too() {
    let elsewhere = tempfile::tempdir().unwrap();
    let place = |name: &str| elsewhere.path().join(name).display().to_string();
    let url = format!("file://{}?cache={}", place("bucket"), place("cache"));
    let repo = configured(&format!("[store]\nurl = \"{url}\"\n"));
    assert_works(&repo, &repo.work());
    assert!(repo.objects().is_empty(), "objects lie in the bucket alone");
    // Another repository, on another machine as it were, has what was stored there.
    let other = configured(&format!("[store]\nurl = \"{}\"\n", url.replace("cache=", "timeout=9s&cache=")));
    let mut hasher = stemvault::Hasher::new(stemvault::Algorithm::Sha256);
    hasher.update(b"new 3");
    let id = hasher.finish().id;
    assert!(other.vault.store().stat(&id).unwrap().is_some());
    let verified = stemvault::VerifyOptions { store: Some(url.parse().unwrap()), ..Default::default() };
    let result = repo.vault.verify(&verified, &stemvault::Silent).unwrap();
    assert!(result.damaged.is_empty() && result.objects > 20, "{result:?}");
}

#[test]
fn no_mapping() {
    let repo = configured("[hash]\nmmap = false\n");
    assert_works(&repo, &repo.work());
    repo.assert_sound();
}

#[test]
fn the_root_as_the_working_tree() {
    let repo = configured("[worktree]\npath = \".\"\n");
    fs::remove_dir(repo.work()).unwrap();
    assert_works(&repo, repo.root());
    repo.assert_sound();
}

#[test]
fn a_deeper_working_tree_that_does_not_exist_yet() {
    let repo = configured("[worktree]\npath = \"projects/song/audio\"\n");
    let nothing = repo.push();
    assert_eq!((nothing.files_stashed, nothing.stash_ref.as_str()), (0, ""));
    assert!(!repo.root().join("projects").exists(), "a push of nothing makes nothing");
    assert_works(&repo, &repo.root().join("projects/song/audio"));
    assert!(tree::read(&repo.work()).is_empty());
    repo.assert_sound();
}

#[test]
fn a_store_on_another_device() {
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped a_store_on_another_device: there is no /dev/shm");
        return;
    };
    let repo = configured(&format!("[store]\nurl = \"sharded:{}/objects\"\n", elsewhere.path().display()));
    assert_works(&repo, &repo.work());
    assert!(tree::read(&elsewhere.path().join("objects")).len() > 40);
    assert!(tree::read(&repo.muse().join("objects")).is_empty());
    drop(repo);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "temporaries are gone");
}

#[test]
fn a_working_tree_below_which_another_repository_lies() {
    let repo = configured("version = 1\n");
    tree::write(&repo.work(), "sub/.muse/HEAD", "another repository");
    tree::write(&repo.work(), "sub/muse-work/a.wav", "of the other");
    tree::write(&repo.work(), "mine.wav", "mine");
    let pushed = repo
        .push_with(&PushOptions { paths: vec![RelPath::new("mine.wav").unwrap()], ..PushOptions::default() });
    assert_eq!((pushed.files_stashed, left(&pushed.left_alone)), (1, vec![]));
    repo.push();
    assert_eq!(repo.texts()["sub/.muse/HEAD"], "another repository");
}
