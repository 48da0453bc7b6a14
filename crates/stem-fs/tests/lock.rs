//! Locks between processes. The other process is this test binary, started again to run `child` alone.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use common::{rel, scratch};
use stem_fs::{Dir, LockFile, LockKind};

const JOB: &str = "STEM_FS_LOCK_TEST";

/// Another process that holds, or waits for, the lock.
struct Other {
    process: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Other {
    fn start(dir: &Dir, kind: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(JOB, format!("{kind}:{}", dir.path().to_str().unwrap()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().unwrap();
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The harness prints to the same pipe, in part without line ends.
                if let Some((_, word)) = line.split_once("child: ") {
                    let _ = send.send(word.to_owned());
                }
            }
        });
        Self { process, stdin, lines }
    }

    fn says(&self, word: &str) {
        assert_eq!(self.lines.recv().unwrap(), word);
    }

    /// Lets it release the lock and waits for its end.
    fn finish(mut self) {
        drop(self.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
#[ignore = "a part of the other tests, which start it as a process of its own"]
fn child() {
    let job = std::env::var(JOB).unwrap();
    let (kind, path) = job.split_once(':').unwrap();
    let kind = if kind == "shared" { LockKind::Shared } else { LockKind::Exclusive };
    let say = |word: &str| {
        println!("\nchild: {word}");
        std::io::stdout().flush().unwrap();
    };
    let dir = Dir::open(path.as_ref()).unwrap();
    let _lock = LockFile::acquire(&dir, &rel("lock"), kind, &mut || say("waiting")).unwrap();
    say("locked");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

fn free(dir: &Dir, kind: LockKind) -> bool {
    LockFile::try_acquire(dir, &rel("lock"), kind).unwrap().is_some()
}

#[test]
fn an_exclusive_lock_keeps_all_others_out() {
    let (_holder, dir) = scratch();
    let other = Other::start(&dir, "exclusive");
    other.says("locked");
    assert!(!free(&dir, LockKind::Shared) && !free(&dir, LockKind::Exclusive));
    other.finish();
    assert!(free(&dir, LockKind::Shared) && free(&dir, LockKind::Exclusive));
}

#[test]
fn a_shared_lock_keeps_only_exclusive_ones_out() {
    let (_holder, dir) = scratch();
    let others = [Other::start(&dir, "shared"), Other::start(&dir, "shared")];
    for other in &others {
        other.says("locked");
    }
    assert!(free(&dir, LockKind::Shared) && !free(&dir, LockKind::Exclusive));
    let [first, second] = others;
    first.finish();
    assert!(!free(&dir, LockKind::Exclusive));
    second.finish();
    assert!(free(&dir, LockKind::Exclusive));
}

#[test]
fn whoever_waits_is_told_once_and_served() {
    let (_holder, dir) = scratch();
    let mut told = 0;
    let lock = LockFile::acquire(&dir, &rel("lock"), LockKind::Exclusive, &mut || told += 1).unwrap();
    assert_eq!(told, 0);
    let other = Other::start(&dir, "shared");
    other.says("waiting");
    drop(lock);
    other.says("locked");

    let mut other = Some(other);
    let mut told = 0;
    let lock = LockFile::acquire(&dir, &rel("lock"), LockKind::Exclusive, &mut || {
        told += 1;
        other.take().unwrap().finish();
    });
    lock.unwrap();
    assert_eq!(told, 1);
}

#[test]
fn a_killed_process_holds_no_lock() {
    let (_holder, dir) = scratch();
    let mut other = Other::start(&dir, "exclusive");
    other.says("locked");
    other.process.kill().unwrap();
    other.process.wait().unwrap();
    assert!(free(&dir, LockKind::Exclusive));
}

#[test]
fn a_lock_file_that_was_replaced_is_not_mistaken_for_the_new_one() {
    let (holder, dir) = scratch();
    let path = holder.path().join("lock");
    let old = LockFile::acquire(&dir, &rel("lock"), LockKind::Exclusive, &mut || ()).unwrap();
    let other = Other::start(&dir, "exclusive");
    other.says("waiting");
    fs::remove_file(&path).unwrap();
    let new = LockFile::try_acquire(&dir, &rel("lock"), LockKind::Exclusive).unwrap().unwrap();
    // The other process gets what it waited for, which is worth nothing, and has to wait again; it says so only once.
    drop(old);
    drop(new);
    other.says("locked");
    assert!(path.exists() && !free(&dir, LockKind::Shared));
    other.finish();
}

#[test]
fn the_lock_file_is_made_once_and_keeps_its_content() {
    let (holder, dir) = scratch();
    fs::create_dir(holder.path().join("sub")).unwrap();
    fs::write(holder.path().join("sub/lock"), "note").unwrap();
    let name = rel("sub/lock");
    let lock = LockFile::acquire(&dir, &name, LockKind::Exclusive, &mut || ()).unwrap();
    // Within one process, too: each open counts by itself.
    assert!(LockFile::try_acquire(&dir, &name, LockKind::Shared).unwrap().is_none());
    drop(lock);
    assert_eq!(dir.read(&name, 10).unwrap().unwrap(), b"note");
    assert!(LockFile::try_acquire(&dir, &rel("absent/lock"), LockKind::Shared).is_err());
}
