//! Many processes on one repository: every byte is accounted for, and the stack is in order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use stemvault_tests::golden::hex;
use stemvault_tests::repo::Repo;
use stemvault_tests::{binary, holdings};

const PROCESSES: usize = 8;
const FILES: usize = 12;

fn start(root: &Path, command: &[&str]) -> Child {
    let mut stem = Command::new(binary::stem());
    stem.arg("-C").arg(root).arg("-q").args(command).stdin(Stdio::null()).stdout(Stdio::null());
    stem.stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for all; their exit codes must be among those that are said to be in order.
fn finish(children: Vec<Child>, fine: &[i32]) -> Vec<i32> {
    let one = |child: Child| {
        let output = child.wait_with_output().unwrap();
        let code = output.status.code().unwrap_or(-1);
        assert!(fine.contains(&code), "exit code {code}: {}", String::from_utf8_lossy(&output.stderr));
        code
    };
    children.into_iter().map(one).collect()
}

fn text(who: usize, n: usize, what: &str) -> String {
    format!("{what} {n} of {who} ").repeat(1 + 900 * (n % 4))
}

/// A HEAD, and work on top of it in as many tracks as there are processes.
fn session() -> (Repo, BTreeSet<String>) {
    let repo = Repo::new();
    for who in 0..PROCESSES {
        for n in 0..FILES {
            repo.write(format!("tracks/t{who}/{n}.wav"), text(who, n, "head"));
        }
    }
    repo.snapshot();
    for who in 0..PROCESSES {
        for n in 0..FILES {
            repo.write(format!("tracks/t{who}/{n}.wav"), text(who, n, "work"));
        }
    }
    let held = holdings::all(repo.root());
    (repo, held)
}

fn assert_in_order(repo: &Repo, expected: &BTreeSet<String>) {
    holdings::check(repo.root(), expected).unwrap();
    let list = repo.list();
    let created: Vec<_> = list.iter().map(|entry| entry.entry.as_ref().unwrap().created().unwrap()).collect();
    assert!(created.windows(2).all(|pair| pair[0] > pair[1]), "{created:?}");
    repo.assert_sound();
}

#[test]
fn pushes_of_different_scopes_make_an_entry_each() {
    let (mut repo, expected) = session();
    let work = repo.tree();
    let tracks: Vec<String> = (0..PROCESSES).map(|who| format!("t{who}")).collect();
    let children = tracks.iter().map(|track| start(repo.root(), &["stash", "push", "--track", track]));
    finish(children.collect(), &[0]);
    repo.reopen();
    assert_in_order(&repo, &expected);
    assert_eq!(repo.list().len(), PROCESSES);
    for entry in repo.list() {
        let entry = entry.entry.unwrap();
        let track = format!("tracks/{}/", entry.track.unwrap().to_string_lossy());
        assert_eq!(entry.manifest.len(), FILES);
        assert!(entry.manifest.iter().all(|(path, _)| path.as_bytes().starts_with(track.as_bytes())));
    }
    finish(tracks.iter().map(|_| start(repo.root(), &["stash", "pop"])).collect(), &[0]);
    assert!(repo.tree() == work, "not as it was");
    assert!(repo.list().is_empty());
    assert_in_order(&repo, &expected);
}

#[test]
fn pushes_of_the_same_files_save_them_once() {
    let (mut repo, expected) = session();
    let children = (0..PROCESSES).map(|_| start(repo.root(), &["stash", "push"]));
    finish(children.collect(), &[0]);
    repo.reopen();
    assert_in_order(&repo, &expected);
    // One saved the work; those after it found HEAD.
    let work: BTreeSet<String> = (0..PROCESSES)
        .flat_map(|who| (0..FILES).map(move |n| hex(text(who, n, "work").as_bytes())))
        .collect();
    let holds_work = |entry: &stemvault::EntryRef| {
        entry.entry.as_ref().unwrap().manifest.iter().all(|(_, id)| work.contains(&id.to_string()))
    };
    assert_eq!(repo.list().iter().filter(|entry| holds_work(entry)).count(), 1);
}

/// Pushes, pops, applies, drops, undos, collections and checks against each other. One process at a time may change the
/// working tree, so each finds some state that another left; whatever the order, nothing is lost.
#[test]
fn everything_against_everything_loses_nothing() {
    const COMMANDS: [&[&str]; 12] = [
        &["stash", "push"],
        &["stash", "pop"],
        &["stash", "push", "--track", "t1"],
        &["stash", "apply"],
        &["gc"],
        &["stash", "undo"],
        &["stash", "push", "--keep"],
        &["stash", "drop"],
        &["verify"],
        &["stash", "undo", "--redo"],
        &["snapshot"],
        &["stash", "list"],
    ];
    let (mut repo, expected) = session();
    for round in 0..4 {
        let turn = |n: usize| COMMANDS[(n * 5 + round * 3) % COMMANDS.len()];
        // 1: the stack is empty, or there is nothing to undo, when its turn comes. 4: something was in the way.
        let codes = finish((0..PROCESSES).map(|n| start(repo.root(), turn(n))).collect(), &[0, 1, 4]);
        repo.reopen();
        repo.vault.stash().recover(&stemvault::Silent).unwrap();
        holdings::check(repo.root(), &expected).unwrap_or_else(|e| panic!("round {round}, {codes:?}: {e}"));
    }
    assert_in_order(&repo, &expected);
}
