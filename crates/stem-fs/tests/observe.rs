//! Every change is announced before it happens, and told of when it did.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;
#[path = "common/recorder.rs"]
mod recorder;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{rel, scratch};
use recorder::Recorder;
use stem_fs::{Barrier, Change, Dir, LockFile, LockKind, Observer, Publish, Timestamp};

/// Makes a change of every kind there is; stops at the first that is refused, like a process that was killed.
fn everything(dir: &Dir) -> stem_fs::Result<()> {
    let barrier = Barrier::one_by_one(dir)?;
    let sub = dir.ensure_dir(&rel("made/deep"))?;
    let mut temp = sub.temp_file(0o600)?;
    let failed = |e| stem_fs::Error::new("write", "temporary", e);
    temp.write_all(b"bytes").map_err(failed)?;
    temp.write_sparse(&vec![0; 1 << 17]).map_err(failed)?;
    temp.set_mode(0o640)?;
    temp.set_mtime(Timestamp { secs: 1, nanos: 0 })?;
    barrier.written(&temp)?;
    temp.persist(dir, &rel("file"), Publish::New)?;
    barrier.renamed(dir);
    barrier.flush()?;
    if let Some(file) = dir.open_file(&rel("file"))? {
        file.set_mode(0o600)?;
        file.set_mtime(Timestamp { secs: 2, nanos: 0 })?;
        let mut copy = dir.temp_file(0o600)?;
        copy.copy_from(&file)?;
        let mut closed = copy.close();
        closed.persist(dir, &rel("copy"), Publish::New)?;
    }
    drop(LockFile::try_acquire(&sub, &rel("lock"), LockKind::Exclusive)?);
    drop(LockFile::acquire(&sub, &rel("lock"), LockKind::Shared, &mut || ())?);
    drop(sub.temp_file(0o600)?);
    dir.rename(&rel("copy"), &sub, &rel("copy"), Publish::Replace)?;
    sub.remove_file(&rel("copy"))?;
    sub.remove_file(&rel("lock"))?;
    dir.remove_file(&rel("absent"))?;
    dir.remove_dir(&rel("made/deep"))?;
    Barrier::new(dir)?.flush()
}

/// All that can be seen of a tree.
fn snapshot(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let (ino, size, mode) = (meta.ino(), meta.size(), meta.mode());
        let (mtime, ctime) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
        found.push(format!("{} {ino} {size} {mode:o} {mtime:?} {ctime:?}", path.display()));
        if meta.is_dir() {
            found.extend(snapshot(&path));
        }
    }
    found.sort();
    found
}

/// Refuses everything from one change on, and keeps what the tree looked like at that moment.
#[derive(Debug)]
struct Freeze {
    at: usize,
    root: PathBuf,
    state: Mutex<(usize, Option<Vec<String>>)>,
}

impl Observer for Freeze {
    fn before(&self, _change: Change<'_>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        if state.0 <= self.at {
            return Ok(());
        }
        state.1.get_or_insert_with(|| snapshot(&self.root));
        Err(io::Error::other("killed"))
    }
}

#[test]
fn the_log_tells_all_that_was_done() {
    let (holder, _) = scratch();
    let recorder = Recorder::new(usize::MAX, |_| ());
    let dir = Dir::open_observed(holder.path(), recorder.clone()).unwrap();
    everything(&dir).unwrap();
    let root = holder.path().file_name().unwrap().to_string_lossy().into_owned();
    let made = recorder.made();
    let written: u64 = made
        .iter()
        .filter_map(|line| line.strip_prefix("write * "))
        .map(|len| len.parse::<u64>().unwrap())
        .sum();
    // A clone counts as 0 bytes.
    let size = 5 + (1 << 17);
    assert!(written == 2 * size || written == size, "{made:?}");
    let other: Vec<_> = made.iter().filter(|line| !line.starts_with("write")).map(String::as_str).collect();
    let sync_root = format!("syncdir {root}");
    let last = other.last().copied().unwrap();
    assert!(last == format!("syncall {root}") || last == "rmdir deep", "{last}");
    let expected = [
        "mkdir made",
        "mkdir deep",
        &sync_root,
        "syncdir made",
        "create *",
        "metadata *",
        "metadata *",
        "sync *",
        "rename * file",
        &sync_root,
        "metadata file",
        "metadata file",
        "create *",
        "rename * copy",
        "create lock",
        "create *",
        "remove *",
        "rename copy copy",
        "remove copy",
        "remove lock",
        "rmdir deep",
    ];
    assert_eq!(other[..expected.len()], expected);
}

#[test]
fn after_the_kill_nothing_changes_any_more() {
    for at in 0.. {
        let (holder, _) = scratch();
        let freeze = Arc::new(Freeze { at, root: holder.path().to_path_buf(), state: Mutex::default() });
        let dir = Dir::open_observed(holder.path(), freeze.clone()).unwrap();
        let result = everything(&dir);
        drop(dir);
        let Some(frozen) = freeze.state.lock().unwrap().1.take() else {
            assert!(result.is_ok() && at > 25, "{at}");
            break;
        };
        assert_eq!(snapshot(holder.path()), frozen, "killed at {at}: {result:?}");
    }
}

#[test]
fn a_refusal_reaches_the_caller() {
    let (holder, _) = scratch();
    let dir = Dir::open_observed(holder.path(), Recorder::new(0, |_| ())).unwrap();
    let error = dir.temp_file(0o600).unwrap_err();
    assert!(error.to_string().ends_with("killed"), "{error}");
    assert!(LockFile::try_acquire(&dir, &rel("lock"), LockKind::Shared).is_err());
    assert_eq!(fs::read_dir(holder.path()).unwrap().count(), 0);
}
