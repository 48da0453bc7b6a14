//! A process that is killed at any moment: whatever was in the working tree or in an entry still is, and the next verb
//! cleans up.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use stemvault::{PushOptions, Silent, Vault};
use stemvault_tests::child;
use stemvault_tests::repo::{POP, Repo};
use stemvault_tests::tree;

const FILES: usize = 60;
const KILLS: u64 = 40;

fn bytes_of(n: usize, version: usize) -> Vec<u8> {
    format!("file {n} version {version} ").repeat(1 + 3000 * (n % 5)).into_bytes()
}

#[test]
#[ignore = "killed again and again by nothing_is_lost_when_the_process_is_killed"]
fn child_pushes_and_pops_for_ever() {
    let Some(root) = child::task() else { return };
    let vault = Vault::open(&root).unwrap();
    let stash = vault.stash();
    loop {
        stash.push(&PushOptions::default(), &Silent).unwrap();
        stash.apply("0", POP, &Silent).unwrap();
    }
}

#[test]
fn nothing_is_lost_when_the_process_is_killed() {
    for with_head in [false, true] {
        let repo = if with_head { Repo::in_memory() } else { Repo::new() };
        if with_head {
            for n in 0..FILES {
                repo.write(format!("takes/{n}.wav"), bytes_of(n, 0));
            }
            repo.snapshot();
        }
        for n in 0..FILES {
            repo.write(format!("takes/{n}.wav"), bytes_of(n, 1));
        }
        let work = repo.tree();
        for turn in 0..KILLS {
            let mut command = child::command("child_pushes_and_pops_for_ever", repo.root());
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            // Long enough for some to have begun, short enough that moments differ.
            std::thread::sleep(Duration::from_micros(4000 + turn * 1237 % 40_000));
            let early = child.try_wait().unwrap();
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(
                early.is_none(),
                "turn {turn}: it ended by itself: {}",
                String::from_utf8_lossy(&output.stderr)
            );

            // Before anything is repaired, every version that matters is somewhere.
            let held: Vec<Vec<u8>> = everything(&repo);
            for n in 0..FILES {
                assert!(held.contains(&bytes_of(n, 1)), "turn {turn}: file {n} is nowhere");
            }
            // The next verbs, by another process, clean up and bring it all back.
            let vault = Vault::open(repo.root()).unwrap();
            while !vault.stash().list().unwrap().is_empty() {
                let popped = vault.stash().apply("0", POP, &Silent).unwrap();
                assert!(popped.dropped, "turn {turn}: {popped:?}");
            }
            let pushed = vault.stash().push(&PushOptions::default(), &Silent).unwrap();
            assert!(!pushed.is_partial() && pushed.files_stashed == FILES, "turn {turn}: {pushed:?}");
            let head: BTreeMap<_, _> = tree::bytes(&repo.work());
            assert_eq!(head.len(), if with_head { FILES } else { 0 }, "turn {turn}");
            assert!(vault.stash().apply("0", POP, &Silent).unwrap().dropped);
            assert!(repo.tree() == work, "turn {turn}: the tree is not as it was");
            repo.assert_sound();
        }
    }
}

/// The bytes of all files below the repository, wherever they lie.
fn everything(repo: &Repo) -> Vec<Vec<u8>> {
    tree::bytes(repo.root()).into_values().collect()
}
