//! SIGINT and SIGTERM in the middle of every verb: the program stops where everything is consistent, and says so by its
//! exit code. How long that takes is printed and not asserted; what it still does is.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stemvault::{ApplyOptions, ErrorKind, Phase, Progress, PushOptions, SnapshotOptions, StashError, Vault};
use stemvault_tests::repo::{POP, Repo};
use stemvault_tests::{binary, holdings};

const FILES: usize = 60;

/// HEAD, an entry, and work on top: enough that a verb can be met at it.
fn session() -> Repo {
    let repo = Repo::in_memory();
    let bytes = |n: usize, what: &str| format!("{what} {n} ").repeat(1 + 4000 * (n % 9)).into_bytes();
    for n in 0..FILES {
        repo.write(format!("takes/{}/{n}.wav", n % 7), bytes(n, "head"));
    }
    repo.snapshot();
    for n in 0..FILES {
        repo.write(format!("takes/{}/{n}.wav", n % 7), bytes(n, "entry"));
    }
    repo.push();
    for n in 0..FILES / 2 {
        repo.write(format!("takes/{}/{n}.wav", n % 7), bytes(n, "work"));
        repo.write(format!("new/{n}.wav"), bytes(n, "new"));
    }
    repo
}

fn stem(root: &Path, command: &[&str]) -> Command {
    let mut stem = Command::new(binary::stem());
    stem.arg("-C").arg(root).arg("-q").args(command).stdin(Stdio::null()).stdout(Stdio::null());
    stem
}

#[test]
fn a_signal_stops_every_verb_where_everything_is_consistent() {
    const VERBS: [&[&str]; 10] = [
        &["stash", "push"],
        &["stash", "push", "--keep"],
        &["stash", "pop"],
        &["stash", "apply"],
        &["stash", "drop"],
        &["stash", "clear", "-y"],
        &["stash", "undo"],
        &["snapshot"],
        &["gc"],
        &["verify"],
    ];
    let (mut stopped, mut slowest) = (0, Duration::ZERO);
    for command in VERBS {
        for (turn, (name, number)) in
            [("INT", 2), ("TERM", 15), ("INT", 2), ("TERM", 15)].into_iter().enumerate()
        {
            let repo = session();
            let expected: BTreeSet<String> = holdings::all(repo.root());
            let mut child = stem(repo.root(), command).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(6000 + 25_000 * turn as u64));
            let signalled = Instant::now();
            let _ = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).output();
            let status = child.wait().unwrap();
            let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
            if status.code() == Some(128 + number) {
                stopped += 1;
                // What state was left is said, and what to do where it is not the one before.
                let (_, state) =
                    said.split_once("error: interrupted; ").unwrap_or_else(|| panic!("{command:?}: {said}"));
                let known = [
                    "nothing",
                    "no snapshot",
                    "it waited",
                    "everything is saved",
                    "files written so far",
                    "what was",
                ];
                assert!(known.iter().any(|known| state.starts_with(known)), "{command:?}: {said}");
                slowest = slowest.max(signalled.elapsed());
            } else {
                // It had ended, or had not begun and died of the signal.
                let before = status.signal() == Some(number);
                assert!(
                    before || matches!(status.code(), Some(0 | 1 | 4)),
                    "{command:?}, SIG{name}: {status}: {said}"
                );
            }
            holdings::check(repo.root(), &expected).unwrap_or_else(|e| panic!("{command:?}, SIG{name}: {e}"));
            let again = stem(repo.root(), command).output().unwrap();
            // 1: there is nothing left to pop or undo; 4: what was done since is not undone.
            assert!(
                matches!(again.status.code(), Some(0 | 1 | 4)),
                "{command:?} after SIG{name}: {}",
                String::from_utf8_lossy(&again.stderr)
            );
            holdings::check(repo.root(), &expected).unwrap_or_else(|e| panic!("{command:?} again: {e}"));
        }
    }
    println!("{stopped} of {} runs stopped by a signal; the slowest took {slowest:?}", VERBS.len() * 4);
}

#[test]
fn a_signal_ends_the_wait_for_another_process() {
    let repo = session();
    let expected: BTreeSet<String> = holdings::all(repo.root());
    let lock = std::fs::File::create(repo.root().join(".muse/stem/worktree.lock")).unwrap();
    lock.lock().unwrap();
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = stem(repo.root(), &["stash", "push"]).spawn().unwrap();
        // A signal that comes before it is heeded kills; then the wait was not met.
        std::thread::sleep(Duration::from_millis(400));
        let _ = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).output();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > Duration::from_mins(1) {
                child.kill().unwrap();
                panic!("SIG{name} did not end the wait");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(code), "SIG{name}");
    }
    drop(lock);
    holdings::check(repo.root(), &expected).unwrap();
}

/// Asks to stop once some files of a phase are done, and counts what is done after that.
struct StopAfter {
    phase: Phase,
    files: usize,
    in_phase: AtomicBool,
    done: AtomicUsize,
    after: AtomicUsize,
}

impl Progress for StopAfter {
    fn begin(&self, phase: Phase, _files: u64, _bytes: u64) {
        self.in_phase.store(phase == self.phase, Ordering::SeqCst);
    }

    fn advance(&self, files: u64, _bytes: u64) {
        if files > 0 && self.in_phase.load(Ordering::SeqCst) {
            let files = usize::try_from(files).unwrap();
            let before = self.done.fetch_add(files, Ordering::SeqCst);
            if before >= self.files {
                self.after.fetch_add(files, Ordering::SeqCst);
            }
        }
    }

    fn cancelled(&self) -> bool {
        self.done.load(Ordering::SeqCst) >= self.files
    }
}

/// What a verb still finishes after it was asked to stop is what its threads were at.
#[test]
fn a_verb_that_is_asked_to_stop_finishes_no_more_than_the_files_in_flight() {
    type Verb = fn(&Vault, &dyn Progress) -> Result<(), StashError>;
    let push: Verb = |vault, p| vault.stash().push(&PushOptions::default(), p).map(drop);
    let keep: Verb =
        |vault, p| vault.stash().push(&PushOptions { keep: true, ..PushOptions::default() }, p).map(drop);
    let pop: Verb = |vault, p| vault.stash().apply("0", POP, p).map(drop);
    let apply: Verb = |vault, p| vault.stash().apply("0", ApplyOptions::default(), p).map(drop);
    let snapshot: Verb = |vault, p| vault.stash().snapshot(&SnapshotOptions::default(), p).map(drop);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for (name, verb, phase) in [
        ("push", push, Phase::Clearing),
        ("push --keep", keep, Phase::Saving),
        ("pop", pop, Phase::Restoring),
        ("apply", apply, Phase::Restoring),
        ("snapshot", snapshot, Phase::Saving),
    ] {
        let repo = session();
        let expected = holdings::all(repo.root());
        let stop = StopAfter {
            phase,
            files: 5,
            in_phase: AtomicBool::new(false),
            done: AtomicUsize::new(0),
            after: AtomicUsize::new(0),
        };
        let error = verb(&repo.vault, &stop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{name}: {error}");
        let after = stop.after.load(Ordering::SeqCst);
        assert!(
            after < threads + 1,
            "{name}: {after} files after it was asked to stop, with {threads} threads"
        );
        holdings::check(repo.root(), &expected).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}
