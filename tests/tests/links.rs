//! Links and special files: never saved, never followed, never written through, never removed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use stemvault_tests::hostile;
use stemvault_tests::repo::{Repo, left};
use stemvault_tests::tree::{self, Node};
use tempfile::TempDir;

/// A directory beside the repository that nothing may touch.
struct Outside {
    dir: TempDir,
    before: tree::Tree,
}

impl Outside {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        tree::write(dir.path(), "file.wav", "outside");
        tree::write(dir.path(), "dir/kick.wav", "outside kick");
        let before = tree::everything(dir.path());
        Self { dir, before }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    fn assert_untouched(&self) {
        assert_eq!(tree::everything(self.dir.path()), self.before);
    }
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn links_of_every_kind_are_left_alone_and_reported() {
    let (repo, outside) = (Repo::new(), Outside::new());
    repo.write("a.wav", "a");
    repo.write("dir/b.wav", "b");
    symlink("a.wav", repo.path("to-file")).unwrap();
    symlink(outside.path("file.wav"), repo.path("to-outside")).unwrap();
    symlink("dir", repo.path("to-dir")).unwrap();
    symlink(outside.path("dir"), repo.path("dir/to-outside-dir")).unwrap();
    symlink("nowhere", repo.path("dangling")).unwrap();
    symlink("loop", repo.path("loop")).unwrap();
    symlink("mutual-2", repo.path("mutual-1")).unwrap();
    symlink("mutual-1", repo.path("mutual-2")).unwrap();
    symlink(".", repo.path("dir/self")).unwrap();
    symlink("..", repo.path("dir/up")).unwrap();
    let before = repo.tree();
    let pushed = repo.push();
    assert_eq!(pushed.files_stashed, 2);
    let links = [
        "dangling",
        "dir/self",
        "dir/to-outside-dir",
        "dir/up",
        "loop",
        "mutual-1",
        "mutual-2",
        "to-dir",
        "to-file",
        "to-outside",
    ];
    assert_eq!(left(&pushed.left_alone), links.map(|path| (path.to_owned(), "symlink")));
    assert!(!pushed.is_partial(), "links are no part of a stash: {pushed:?}");
    let mut rest = before.clone();
    rest.retain(|_, node| matches!(node, Node::Link(_)));
    assert_eq!(repo.tree(), rest);
    assert!(repo.pop("0").dropped);
    assert_eq!(repo.tree(), before);
    outside.assert_untouched();
}

#[test]
fn fifos_and_sockets_are_left_alone_and_do_not_hang() {
    let repo = Repo::new();
    repo.write("a.wav", "a");
    make_fifo(&repo.path("fifo"));
    let _socket = UnixListener::bind(repo.path("socket")).unwrap();
    let pushed = repo.push();
    assert_eq!(left(&pushed.left_alone), ["fifo", "socket"].map(|path| (path.to_owned(), "special")));
    assert!(!pushed.is_partial());
    assert_eq!(pushed.files_stashed, 1);
    assert!(fs::symlink_metadata(repo.path("fifo")).unwrap().file_type().is_fifo());
    assert!(fs::symlink_metadata(repo.path("socket")).unwrap().file_type().is_socket());
    repo.snapshot();
    repo.vault.stash().status(&stemvault::Silent).unwrap();
    assert!(repo.pop("0").dropped);
}

/// What an entry brings back meets something else in its place.
fn assert_blocked(block: impl Fn(&Path, &Outside)) {
    for with_head in [false, true] {
        let (repo, outside) = (Repo::new(), Outside::new());
        repo.write("deep/er/kick.wav", "stashed");
        repo.write("other.wav", "other");
        repo.push();
        if with_head {
            repo.write("x", "x");
            repo.snapshot();
        }
        fs::remove_dir_all(repo.path("deep")).unwrap();
        fs::create_dir(repo.path("deep")).unwrap();
        block(&repo.path("deep/er"), &outside);
        let blocked = tree::everything(&repo.path("deep"));
        let popped = repo.pop("0");
        assert_eq!(left(&popped.left_alone), [("deep/er/kick.wav".to_owned(), "blocked")]);
        assert!(!popped.dropped && popped.is_partial());
        assert_eq!(popped.files_applied, 1);
        assert_eq!(tree::everything(&repo.path("deep")), blocked, "what stood in the way is as it was");
        assert_eq!(repo.texts()["other.wav"], "other");
        outside.assert_untouched();
        assert_eq!(repo.list().len(), 1, "an incomplete pop keeps the entry");
        repo.assert_no_temporaries();
    }
}

#[test]
fn a_link_to_a_directory_in_the_way_is_not_written_through() {
    assert_blocked(|at, outside| symlink(outside.path("dir"), at).unwrap());
}

#[test]
fn a_dangling_link_in_the_way_is_not_written_through() {
    assert_blocked(|at, outside| symlink(outside.path("new"), at).unwrap());
}

#[test]
fn a_link_to_itself_in_the_way_is_left() {
    assert_blocked(|at, _| symlink("er", at).unwrap());
}

#[test]
fn a_file_where_a_directory_must_be_is_left() {
    assert_blocked(|at, _| fs::write(at, "a file").unwrap());
}

#[test]
fn a_fifo_where_a_directory_must_be_is_left() {
    assert_blocked(|at, _| make_fifo(at));
}

#[test]
fn a_link_where_the_file_must_be_is_left_and_its_target_too() {
    assert_blocked(|at, outside| {
        fs::create_dir(at).unwrap();
        symlink(outside.path("dir/kick.wav"), at.join("kick.wav")).unwrap();
    });
}

#[test]
fn a_dangling_link_where_the_file_must_be_is_left_and_its_target_not_made() {
    assert_blocked(|at, outside| {
        fs::create_dir(at).unwrap();
        symlink(outside.path("made"), at.join("kick.wav")).unwrap();
    });
}

#[test]
fn a_directory_where_the_file_must_be_is_left() {
    assert_blocked(|at, _| {
        fs::create_dir_all(at.join("kick.wav")).unwrap();
        fs::write(at.join("kick.wav/inside"), "inside").unwrap();
    });
}

#[test]
fn a_fifo_where_the_file_must_be_is_left() {
    assert_blocked(|at, _| {
        fs::create_dir(at).unwrap();
        make_fifo(&at.join("kick.wav"));
    });
}

#[test]
fn heads_files_do_not_come_back_through_links() {
    let (repo, outside) = (Repo::new(), Outside::new());
    repo.write("a.wav", "head a");
    repo.write("dir/kick.wav", "head kick");
    repo.snapshot();
    repo.write("new.wav", "new");
    fs::remove_file(repo.path("a.wav")).unwrap();
    symlink(outside.path("file.wav"), repo.path("a.wav")).unwrap();
    fs::remove_dir_all(repo.path("dir")).unwrap();
    symlink(outside.path("dir"), repo.path("dir")).unwrap();
    let pushed = repo.push();
    outside.assert_untouched();
    assert!(fs::symlink_metadata(repo.path("a.wav")).unwrap().is_symlink());
    assert!(fs::symlink_metadata(repo.path("dir")).unwrap().is_symlink());
    assert!(!repo.path("new.wav").exists());
    assert!(repo.holds(b"new"));
    // HEAD's kick did not come back: that must be told, whatever stands in the way.
    assert!(left(&pushed.left_alone).iter().any(|(path, _)| path.starts_with("dir")), "{pushed:?}");
    repo.assert_sound();
}

#[test]
fn a_working_tree_that_is_a_link_is_not_followed() {
    let (repo, outside) = (Repo::new(), Outside::new());
    repo.write("kick.wav", "kick");
    repo.push();
    fs::remove_dir(repo.work()).unwrap();
    symlink(outside.path("dir"), repo.work()).unwrap();
    let stash = repo.vault.stash();
    let silent = &stemvault::Silent;
    assert!(stash.apply("0", stemvault_tests::repo::POP, silent).is_err());
    assert!(stash.push(&stemvault::PushOptions::default(), silent).is_err());
    assert!(stash.snapshot(&stemvault::SnapshotOptions::default(), silent).is_err());
    outside.assert_untouched();
    assert_eq!(repo.list().len(), 1);
}

#[test]
fn objects_and_entries_that_are_links_are_not_trusted() {
    let (repo, outside) = (Repo::new(), Outside::new());
    let id = stemvault_tests::golden::hex(b"outside");
    // An object that is a link to bytes outside, which somebody may change at any time.
    let object = repo.object_path(&id);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    symlink(outside.path("file.wav"), &object).unwrap();
    repo.plant_entry(
        hostile::STASH_ID,
        hostile::entry_text(hostile::STASH_ID, &hostile::manifest_text("x.wav", &id)),
    );
    let popped = repo.vault.stash().apply("0", stemvault_tests::repo::POP, &stemvault::Silent);
    assert!(!popped.is_ok_and(|popped| popped.dropped));
    // The same bytes pushed from the working tree make it a real object.
    repo.write("y.wav", "outside");
    repo.push();
    assert!(fs::symlink_metadata(&object).unwrap().is_file());
    outside.assert_untouched();
    assert!(repo.holds(b"outside"));
}

#[test]
fn an_objects_directory_that_is_a_link_is_not_written_through() {
    let (mut repo, outside) = (Repo::new(), Outside::new());
    fs::remove_dir_all(repo.muse().join("objects")).unwrap();
    symlink(outside.dir.path(), repo.muse().join("objects")).unwrap();
    repo.write("a.wav", "a");
    let pushed = match stemvault::Vault::open(repo.root()) {
        Ok(vault) => {
            repo.vault = vault;
            repo.vault.stash().push(&stemvault::PushOptions::default(), &stemvault::Silent)
        }
        Err(_) => return outside.assert_untouched(),
    };
    assert!(pushed.is_err(), "{pushed:?}");
    assert_eq!(repo.texts()["a.wav"], "a");
    outside.assert_untouched();
}

#[test]
fn a_stash_directory_that_is_a_link_is_not_followed() {
    let (repo, outside) = (Repo::new(), Outside::new());
    fs::remove_dir_all(repo.muse().join("stash")).unwrap();
    symlink(outside.dir.path(), repo.muse().join("stash")).unwrap();
    repo.write("a.wav", "a");
    assert!(repo.vault.stash().push(&stemvault::PushOptions::default(), &stemvault::Silent).is_err());
    assert!(repo.vault.stash().list().is_err());
    assert_eq!(repo.texts()["a.wav"], "a");
    outside.assert_untouched();
}
