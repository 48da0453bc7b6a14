//! Directories of the working tree that somebody swaps for links while a verb writes there: not one byte outside the
//! tree changes, whatever the moment, and no content is lost.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use stemvault::{ApplyOptions, PushOptions, Silent, SnapshotOptions, UndoOptions};
use stemvault_tests::holdings;
use stemvault_tests::repo::{POP, Repo};
use stemvault_tests::tree;

const FILES: usize = 8;
const ROUNDS: usize = 16;

/// Renames `dir` away, puts a link to `outside` in its place, and takes it back, until told to stop. Ends with the
/// directory in its place, unless a verb has made another one there meanwhile.
fn swap(dir: &Path, away: &Path, outside: &Path, round: usize, stop: &AtomicBool) {
    let pause = || (0..round % 5 * 60).for_each(|_| std::hint::spin_loop());
    while !stop.load(Ordering::Relaxed) {
        if fs::rename(dir, away).is_err() {
            std::thread::yield_now();
            continue;
        }
        let linked = symlink(outside, dir).is_ok();
        pause();
        if linked {
            fs::remove_file(dir).unwrap();
        }
        if fs::rename(away, dir).is_err() {
            // A directory with files stands there now: both stay.
            return;
        }
        pause();
    }
}

fn race(name: &str, deep: bool, verb: impl Fn(&Repo)) {
    let (swapped, file) = if deep { ("d", "d/deeper/take") } else { ("d", "d/take") };
    for round in 0..ROUNDS {
        let outside = tempfile::tempdir().unwrap();
        for n in 0..FILES {
            tree::write(outside.path(), format!("take-{n}.wav"), "outside");
            tree::write(outside.path(), format!("deeper/take-{n}.wav"), "outside");
        }
        let before = tree::everything(outside.path());
        let repo = Repo::in_memory();
        for n in 0..FILES {
            repo.write(format!("{file}-{n}.wav"), format!("head {n}"));
        }
        repo.snapshot();
        for n in 0..FILES {
            repo.write(format!("{file}-{n}.wav"), format!("entry {n}"));
        }
        repo.push();
        for n in 0..FILES / 2 {
            repo.write(format!("{file}-{n}.wav"), format!("work {n}"));
        }
        let expected = holdings::all(repo.root());
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| swap(&repo.path(swapped), &repo.path(".away"), outside.path(), round, &stop));
            for _ in 0..3 {
                verb(&repo);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(tree::everything(outside.path()), before, "{name}, round {round}: written outside");
        holdings::check(repo.root(), &expected).unwrap_or_else(|e| panic!("{name}, round {round}: {e}"));
    }
}

// What a verb says when a link is in its way, or a directory vanishes under it, is its own affair; it may not follow.

#[test]
fn apply_does_not_follow_a_directory_that_becomes_a_link() {
    for deep in [false, true] {
        race("apply", deep, |repo| drop(repo.vault.stash().apply("0", ApplyOptions::default(), &Silent)));
    }
}

#[test]
fn pop_and_undo_do_not_follow_a_directory_that_becomes_a_link() {
    for deep in [false, true] {
        race("pop", deep, |repo| {
            drop(repo.vault.stash().apply("0", POP, &Silent));
            drop(repo.vault.stash().undo(UndoOptions::default(), &Silent));
        });
    }
}

#[test]
fn push_and_snapshot_do_not_follow_a_directory_that_becomes_a_link() {
    for deep in [false, true] {
        race("push", deep, |repo| {
            drop(repo.vault.stash().push(&PushOptions::default(), &Silent));
            drop(repo.vault.stash().snapshot(&SnapshotOptions::default(), &Silent));
        });
    }
}
