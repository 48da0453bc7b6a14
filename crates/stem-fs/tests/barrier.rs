//! One flush where the file system has one, single ones elsewhere, and no second answer after an error.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;
#[path = "common/recorder.rs"]
mod recorder;

use std::io::{self, Write};
#[cfg(target_os = "linux")]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{rel, scratch};
use recorder::Recorder;
use stem_fs::{Barrier, Change, Dir, Observer, Publish};

/// Writes `n` files in two directories under the barrier and flushes; returns how it went.
fn work(dir: &Dir, barrier: &Barrier, n: usize) -> stem_fs::Result<()> {
    for i in 0..n {
        let parent =
            dir.ensure_dir_with(&rel(format!("d{}", i % 2)), &mut |changed| barrier.renamed(changed))?;
        let mut temp = dir.temp_file(0o600)?;
        temp.write_all(b"bytes").map_err(|e| stem_fs::Error::new("write", temp.path(), e))?;
        barrier.written(&temp)?;
        temp.persist(&parent, &rel(format!("f{i}")), Publish::New)?;
        barrier.renamed(&parent);
    }
    barrier.flush()
}

fn syncs(recorder: &Recorder) -> Vec<String> {
    let mut found: Vec<_> = recorder.made().into_iter().filter(|line| line.starts_with("sync")).collect();
    found.sort();
    found
}

#[test]
fn without_a_common_flush_each_file_and_each_directory_is_synced_once() {
    let (holder, _) = scratch();
    let recorder = Recorder::new(usize::MAX, |_| ());
    let dir = Dir::open_observed(holder.path(), recorder.clone()).unwrap();
    let barrier = Barrier::one_by_one(&dir).unwrap();
    assert!(!barrier.is_whole());
    work(&dir, &barrier, 10).unwrap();
    let root = format!("syncdir {}", holder.path().file_name().unwrap().to_string_lossy());
    let mut expected = vec!["sync *".to_owned(); 10];
    expected.extend([root, "syncdir d0".to_owned(), "syncdir d1".to_owned()]);
    expected.sort();
    assert_eq!(syncs(&recorder), expected);
    // Nothing new, nothing to do.
    barrier.flush().unwrap();
    assert_eq!(syncs(&recorder).len(), expected.len());
}

#[cfg(target_os = "linux")]
#[test]
fn one_flush_covers_a_file_system_that_is_known_to_keep_its_word() {
    let (holder, _) = scratch();
    let shared = Path::new("/dev/shm");
    let memory = if shared.is_dir() { tempfile::tempdir_in(shared).ok() } else { None };
    for root in [Some(&holder), memory.as_ref()].into_iter().flatten() {
        let recorder = Recorder::new(usize::MAX, |_| ());
        let dir = Dir::open_observed(root.path(), recorder.clone()).unwrap();
        let barrier = Barrier::new(&dir).unwrap();
        work(&dir, &barrier, 10).unwrap();
        let name = root.path().file_name().unwrap().to_string_lossy();
        if barrier.is_whole() {
            assert_eq!(syncs(&recorder), [format!("syncall {name}")]);
        } else {
            assert_eq!(syncs(&recorder).len(), 13);
        }
    }
    if let Some(memory) = &memory {
        assert!(Barrier::new(&Dir::open(memory.path()).unwrap()).unwrap().is_whole());
    }
    let proc = Dir::open(Path::new("/proc")).unwrap();
    assert!(!Barrier::new(&proc).unwrap().is_whole());
}

/// Refuses one flush, and nothing before or after it.
#[derive(Debug)]
struct Once(AtomicBool);

impl Observer for Once {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        let is_flush = matches!(change, Change::SyncAll(_) | Change::SyncFile(_) | Change::SyncDir(_));
        if is_flush && !self.0.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

#[test]
fn a_barrier_that_failed_keeps_failing() {
    for (whole, is_file) in [(true, false), (false, false), (false, true)] {
        let (holder, _) = scratch();
        let observer = Arc::new(Once(AtomicBool::new(false)));
        let dir = Dir::open_observed(holder.path(), observer).unwrap();
        let barrier = if whole { Barrier::new(&dir).unwrap() } else { Barrier::one_by_one(&dir).unwrap() };
        let temp = dir.temp_file(0o600).unwrap();
        if is_file || barrier.is_whole() {
            assert_eq!(barrier.written(&temp).is_ok(), barrier.is_whole());
        }
        barrier.renamed(&dir);
        let first = barrier.flush().unwrap_err();
        assert_eq!(first.is_no_space(), !is_file, "{first}");
        barrier.renamed(&dir);
        assert!(barrier.flush().unwrap_err().to_string().contains("an earlier flush failed"));
        // A new one covers what is written from now on.
        assert!(Barrier::new(&dir).unwrap().flush().is_ok());
    }
}
