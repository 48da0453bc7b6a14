//! Muse writes its array while a verb of ours is about to: after it was read, and before it is replaced. What Muse wrote is
//! never lost.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stem_fs::{Change, Dir, Observer};
use stem_sharded::{Options, ShardedStore};
use stem_stash::{
    ApplyOptions, Error, PushOptions, Repository, Result, Settings, Silent, Stash, UndoOptions,
};

/// Writes the array, as Muse would, whenever a new one is about to be flushed; so many times.
#[derive(Debug)]
struct Muse {
    file: PathBuf,
    times: usize,
    done: AtomicUsize,
}

fn element(n: usize) -> String {
    format!(
        "{{\"snapshot_id\": \"\", \"manifest\": {{}}, \"branch\": \"muse-{n}\", \"stashed_at\": \"2026-03-16T12:00:0{}+00:00\"}}",
        n % 10
    )
}

impl Observer for Muse {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        let Change::SyncFile(path) = change else { return Ok(()) };
        if !fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"[")) {
            return Ok(());
        }
        let n = self.done.fetch_add(1, Ordering::SeqCst);
        if n < self.times {
            let theirs = self.file.with_extension("theirs");
            let all: Vec<String> = (0..=n).rev().map(element).collect();
            fs::write(&theirs, format!("[{}]", all.join(", ")))?;
            fs::rename(&theirs, &self.file)?;
        }
        Ok(())
    }
}

fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    stem_stash::init(dir.path()).unwrap();
    fs::write(dir.path().join(".muse/HEAD"), "ref: refs/heads/main").unwrap();
    fs::remove_dir(dir.path().join("muse-work")).unwrap();
    fs::write(dir.path().join("a.mid"), "1").unwrap();
    dir
}

fn with<T>(root: &Path, times: usize, verb: impl FnOnce(Stash<'_>) -> Result<T>) -> Result<T> {
    let muse = Muse { file: root.join(".muse/stash.json"), times, done: AtomicUsize::new(0) };
    let dir = Dir::open_observed(root, Arc::new(muse)).unwrap();
    let repository = Repository::from_dir(dir, Settings::default()).unwrap();
    let store = ShardedStore::in_repository(repository.muse(), &Options::default()).unwrap();
    verb(Stash::new(&repository, &store, &[]))
}

fn branches(root: &Path) -> Vec<String> {
    let list = with(root, 0, |stash| stash.list()).unwrap();
    list.into_iter().map(|entry| entry.entry.unwrap().branch.to_string()).collect()
}

#[test]
fn what_comes_in_between_is_read_anew() {
    let dir = repository();
    let root = dir.path();
    with(root, 3, |stash| stash.push(&PushOptions::default(), &Silent)).unwrap();
    assert_eq!(branches(root), ["main", "muse-2", "muse-1", "muse-0"]);
    assert!(!root.join("a.mid").exists());
    // Muse writes the array anew without ours, and it comes back into what Muse wrote.
    with(root, 0, |stash| stash.drop_entry("0")).unwrap();
    with(root, 1, |stash| stash.undo(UndoOptions::default(), &Silent)).unwrap();
    assert_eq!(branches(root), ["main", "muse-0"]);
    with(root, 0, |stash| stash.apply("0", ApplyOptions::pop(), &Silent)).unwrap();
    assert_eq!(fs::read(root.join("a.mid")).unwrap(), b"1");
    assert_eq!(branches(root), ["muse-0"]);
}

#[test]
fn who_never_stops_writing_is_not_written_over() {
    let dir = repository();
    let root = dir.path();
    let refused = with(root, usize::MAX, |stash| stash.push(&PushOptions::default(), &Silent));
    assert!(matches!(&refused, Err(Error::Refused(why)) if why.contains("another program")), "{refused:?}");
    assert_eq!(fs::read(root.join("a.mid")).unwrap(), b"1");
    let theirs = branches(root);
    assert!(theirs.len() == 8 && theirs.iter().all(|branch| branch.starts_with("muse-")), "{theirs:?}");
    with(root, 0, |stash| stash.push(&PushOptions::default(), &Silent)).unwrap();
    assert_eq!(branches(root).len(), 9);
}

#[cfg(unix)]
#[test]
fn the_permissions_of_the_array_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = repository();
    let file = dir.path().join(".muse/stash.json");
    fs::write(&file, "[]").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    with(dir.path(), 0, |stash| stash.push(&PushOptions::default(), &Silent)).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}
