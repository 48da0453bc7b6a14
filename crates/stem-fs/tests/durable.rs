//! The one durable-write sequence: its order, and what is there when it is cut off anywhere.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;
#[path = "common/recorder.rs"]
mod recorder;

use std::fs;
use std::io::ErrorKind;

use common::{rel, scratch};
use recorder::Recorder;
use stem_fs::{Dir, Publish, TEMP_PREFIX};

/// A directory `at` with an old file `at/file` and a place for temporaries, `tmp`.
fn prepared() -> tempfile::TempDir {
    let (holder, _) = scratch();
    fs::create_dir(holder.path().join("at")).unwrap();
    fs::create_dir(holder.path().join("tmp")).unwrap();
    fs::write(holder.path().join("at/file"), "old").unwrap();
    holder
}

#[test]
fn bytes_become_durable_before_the_name_and_the_name_before_the_return() {
    let holder = prepared();
    let recorder = Recorder::new(usize::MAX, |_| ());
    let dir = Dir::open_observed(holder.path(), recorder.clone()).unwrap();
    let tmp = dir.sub(&rel("tmp")).unwrap().unwrap();
    dir.write_durable(&rel("at/file"), b"new bytes", &tmp, Publish::Replace).unwrap();
    assert_eq!(recorder.made(), ["create *", "write * 9", "sync *", "rename * file", "syncdir at"]);
    assert_eq!(fs::read(holder.path().join("at/file")).unwrap(), b"new bytes");

    // The directory itself; and no bytes are no write.
    dir.write_durable(&rel("top"), b"", &tmp, Publish::New).unwrap();
    let root = holder.path().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(recorder.made()[5..], ["create *", "sync *", "rename * top", &format!("syncdir {root}")]);
    assert_eq!(fs::read_dir(holder.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_write_that_is_cut_off_leaves_the_old_or_the_new_bytes() {
    for kill_at in 0.. {
        let holder = prepared();
        let recorder = Recorder::new(kill_at, |_| ());
        let dir = Dir::open_observed(holder.path(), recorder.clone()).unwrap();
        let tmp = dir.sub(&rel("tmp")).unwrap().unwrap();
        let result = dir.write_durable(&rel("at/file"), b"new", &tmp, Publish::Replace);
        let found = fs::read(holder.path().join("at/file")).unwrap();
        let renamed = recorder.made().iter().any(|line| line.starts_with("rename"));
        assert_eq!(found, if renamed { b"new" } else { b"old" });
        // A killed process cleans nothing up, and what it leaves can be told from all else.
        let left: Vec<_> = fs::read_dir(holder.path().join("tmp"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left.len(), usize::from(!renamed && kill_at > 0));
        let mine = format!("{TEMP_PREFIX}{}-", std::process::id());
        assert!(left.iter().all(|name| name.starts_with(&mine)), "{left:?}");
        if result.is_ok() {
            assert_eq!(kill_at, 5);
            break;
        }
    }
}

#[test]
fn a_failure_leaves_no_temporary_file() {
    let holder = prepared();
    let dir = Dir::open(holder.path()).unwrap();
    let tmp = dir.sub(&rel("tmp")).unwrap().unwrap();
    let taken = dir.write_durable(&rel("at/file"), b"new", &tmp, Publish::New).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    assert!(taken.path.ends_with("at/file"), "{taken}");
    let absent = dir.write_durable(&rel("nowhere/file"), b"new", &tmp, Publish::New).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    let directory = dir.write_durable(&rel("at"), b"new", &tmp, Publish::Replace).unwrap_err();
    assert!(directory.path.ends_with("at"), "{directory}");
    assert_eq!(fs::read(holder.path().join("at/file")).unwrap(), b"old");
    assert_eq!(fs::read_dir(holder.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn the_directory_that_got_the_name_is_the_one_that_is_synced() {
    // Between the rename and the sync another directory takes the name: it must not be synced in its stead.
    let holder = prepared();
    let root = holder.path().to_path_buf();
    let recorder = Recorder::new(usize::MAX, move |line| {
        if line.starts_with("rename") {
            fs::rename(root.join("at"), root.join("was")).unwrap();
        }
    });
    let dir = Dir::open_observed(holder.path(), recorder.clone()).unwrap();
    let tmp = dir.sub(&rel("tmp")).unwrap().unwrap();
    dir.write_durable(&rel("at/file"), b"new", &tmp, Publish::Replace).unwrap();
    assert_eq!(recorder.made().last().unwrap(), "syncdir at");
    assert_eq!(fs::read(holder.path().join("was/file")).unwrap(), b"new");
}

#[test]
fn new_directories_are_durable_in_their_parents() {
    let holder = prepared();
    let recorder = Recorder::new(usize::MAX, |_| ());
    let dir = Dir::open_observed(holder.path(), recorder.clone()).unwrap();
    dir.ensure_dir(&rel("at/a/b")).unwrap();
    assert_eq!(recorder.made(), ["mkdir a", "mkdir b", "syncdir at", "syncdir a"]);
    dir.ensure_dir(&rel("at/a/b")).unwrap();
    assert_eq!(recorder.made().len(), 4);
    let mut told = Vec::new();
    let made =
        dir.ensure_dir_with(&rel("at/a/c"), &mut |parent| told.push(parent.path().to_owned())).unwrap();
    assert_eq!(told, [holder.path().join("at/a")]);
    assert_eq!(made.path(), holder.path().join("at/a/c"));
    assert_eq!(recorder.made().last().unwrap(), "mkdir c");
}
