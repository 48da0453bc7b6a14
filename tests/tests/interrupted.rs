//! Verbs that are stopped by the user, in every phase: nothing is lost, and running them again finishes the work.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use stemvault::{ErrorKind, Phase, PushOptions, Silent, SnapshotOptions};
use stemvault_tests::hook::StopAt;
use stemvault_tests::repo::{POP, Repo};
use stemvault_tests::tree;

const PHASES: [Phase; 6] =
    [Phase::Scanning, Phase::Hashing, Phase::Saving, Phase::Syncing, Phase::Clearing, Phase::Restoring];

/// A repository with HEAD and work in progress: edited, added, deleted and equal files.
fn repo() -> Repo {
    let repo = Repo::in_memory();
    for n in 0..12 {
        repo.write(format!("takes/{n}.wav"), format!("head {n} ").repeat(1 + 20_000 * (n % 3)));
    }
    repo.snapshot();
    for n in 0..6 {
        repo.write(format!("takes/{n}.wav"), format!("edited {n} ").repeat(1 + 20_000 * (n % 3)));
        repo.write(format!("new/{n}.wav"), format!("new {n}"));
    }
    for n in 10..12 {
        std::fs::remove_file(repo.path(format!("takes/{n}.wav"))).unwrap();
    }
    repo
}

#[test]
fn a_push_that_is_stopped_saves_all_or_nothing() {
    for phase in PHASES {
        let repo = repo();
        let before = repo.tree();
        match repo.vault.stash().push(&PushOptions::default(), &StopAt::new(phase)) {
            // The phase did not come, or came when there was nothing left to stop.
            Ok(pushed) => {
                assert!(!pushed.is_partial() && pushed.files_stashed == 16, "{phase:?}: {pushed:?}");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Interrupted, "{phase:?}: {error}");
                let entries = repo.list();
                assert!(entries.len() <= 1, "{phase:?}");
                if entries.is_empty() {
                    assert_eq!(
                        repo.tree(),
                        before,
                        "{phase:?}: nothing was stashed, so nothing may have changed"
                    );
                }
            }
        }
        for (path, bytes) in tree_bytes(&before) {
            assert!(repo.holds(&bytes), "{phase:?}: {} is lost", path.escape_ascii());
        }
        repo.assert_sound();
        // Whoever goes on, with the same or another verb, ends well.
        let rest = repo.push();
        assert!(!rest.is_partial(), "{phase:?}: {rest:?}");
        let head: Vec<_> = repo
            .texts()
            .into_iter()
            .filter(|(path, text)| !path.starts_with("takes/") || !text.starts_with("head"))
            .collect();
        assert!(head.is_empty(), "{phase:?}: {head:?}");
        while !repo.list().is_empty() {
            assert!(repo.pop("0").dropped, "{phase:?}");
        }
        let now = repo.tree();
        for (path, node) in &before {
            assert_eq!(now.get(path), Some(node), "{phase:?}: {}", path.escape_ascii());
        }
        repo.assert_sound();
    }
}

fn tree_bytes(tree: &tree::Tree) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = |node: &tree::Node| match node {
        tree::Node::File { bytes, .. } => bytes.clone(),
        other => panic!("{other:?}"),
    };
    tree.iter().map(|(path, node)| (path.clone(), bytes(node))).collect()
}

#[test]
fn a_pop_that_is_stopped_keeps_the_entry() {
    for phase in PHASES {
        let repo = repo();
        let before = repo.tree();
        repo.push();
        match repo.vault.stash().apply("0", POP, &StopAt::new(phase)) {
            Ok(popped) => assert!(popped.dropped, "{phase:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Interrupted, "{phase:?}: {error}");
                assert_eq!(repo.list().len(), 1, "{phase:?}");
                repo.assert_sound();
                assert!(repo.pop("0").dropped, "{phase:?}");
            }
        }
        let now = repo.tree();
        for (path, node) in &before {
            assert_eq!(now.get(path), Some(node), "{phase:?}");
        }
        repo.assert_sound();
    }
}

#[test]
fn a_snapshot_that_is_stopped_leaves_head() {
    for phase in PHASES {
        let repo = repo();
        let before = (repo.tree(), std::fs::read(repo.muse().join("refs/heads/main")).unwrap());
        if let Err(error) = repo.vault.stash().snapshot(&SnapshotOptions::default(), &StopAt::new(phase)) {
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{phase:?}: {error}");
            assert_eq!(
                (repo.tree(), std::fs::read(repo.muse().join("refs/heads/main")).unwrap()),
                before,
                "{phase:?}"
            );
        }
        repo.assert_sound();
        repo.snapshot();
        assert!(repo.vault.stash().status(&Silent).unwrap().changes.is_empty(), "{phase:?}");
    }
}
