//! Somebody swaps a directory for a link, over and over, while we work below it: nothing ever happens outside.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use common::{rel, scratch};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use stem_fs::{Dir, Publish};

/// What came of the operations on a path that is now good and now leads outside.
#[derive(Default)]
struct Tally {
    done: u64,
    refused: u64,
}

impl Tally {
    fn count<T>(&mut self, result: stem_fs::Result<T>) {
        match result {
            Ok(_) => self.done += 1,
            Err(error) => {
                let kind = error.kind();
                // Two of our own operations in a row may meet different directories.
                let expected =
                    matches!(kind, ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::AlreadyExists);
                assert!(expected, "{error}");
                self.refused += 1;
            }
        }
    }
}

/// Exchanges the names in one step until told to stop.
fn flip(root: &Path, stop: &AtomicBool, flips: &AtomicU64) {
    let (door, spare) = (root.join("door"), root.join("spare"));
    while !stop.load(Ordering::Relaxed) {
        renameat_with(CWD, &door, CWD, &spare, RenameFlags::EXCHANGE).unwrap();
        flips.fetch_add(1, Ordering::Relaxed);
    }
}

/// Ends the other thread, however this one ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn work(dir: &Dir, tally: &mut Tally, round: u64) {
    let name = |prefix: &str| rel(format!("door/{prefix}{}", round % 8));
    tally.count(dir.write_durable(&name("written"), b"secret", dir, Publish::Replace));
    tally.count(dir.ensure_dir(&name("made").join(b"deep").unwrap()));
    let mut temp = dir.temp_file(0o600).unwrap();
    tally.count(temp.persist(dir, &name("published"), Publish::New));
    dir.write_durable(&rel("inside"), b"secret", dir, Publish::Replace).unwrap();
    tally.count(dir.rename(&rel("inside"), dir, &name("renamed"), Publish::Replace));
    tally.count(dir.rename(&rel("door/bait"), dir, &rel("caught"), Publish::Replace));
    tally.count(dir.rename(&rel("caught"), dir, &rel("door/bait"), Publish::Replace));
    tally.count(dir.remove_file(&rel("door/bait-file")));
    tally.count(dir.remove_dir(&rel("door/bait-dir")));
    tally.count(dir.remove_file(&name("published")));
    match dir.read(&rel("door/whose"), 100) {
        Ok(bytes) => assert_eq!(bytes.as_deref(), Some(&b"ours"[..])),
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput),
    }
}

#[test]
fn a_directory_that_turns_into_a_link_leads_nowhere() {
    let (holder, dir) = scratch();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("whose"), "theirs").unwrap();
    fs::write(outside.path().join("bait"), "bait").unwrap();
    fs::write(outside.path().join("bait-file"), "bait").unwrap();
    fs::create_dir(outside.path().join("bait-dir")).unwrap();
    let names = |path: &Path| {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names(outside.path());
    dir.ensure_dir(&rel("door")).unwrap();
    dir.write_durable(&rel("door/whose"), b"ours", &dir, Publish::New).unwrap();
    symlink(outside.path(), holder.path().join("spare")).unwrap();

    let (stop, flips) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| flip(holder.path(), &stop, &flips));
        let mut round = 0;
        // Until both sides were seen often; a scheduler that never runs the other thread ends it too.
        while round < 100 || (round < 20_000 && (tally.done < 200 || tally.refused < 200)) {
            work(&dir, &mut tally, round);
            round += 1;
        }
    });

    assert_eq!(names(outside.path()), before);
    assert_eq!(fs::read(outside.path().join("whose")).unwrap(), b"theirs");
    assert_eq!(fs::read(outside.path().join("bait")).unwrap(), b"bait");
    assert!(tally.done > 0 && tally.refused > 0 && flips.load(Ordering::Relaxed) > 1000);
}
