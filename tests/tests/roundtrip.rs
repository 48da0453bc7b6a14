//! Any tree comes back; any HEAD comes back; and the two together are what the reference would leave.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use stemvault_tests::model::{self, Files, Model, ModelFile, ModelScope};
use stemvault_tests::repo::Repo;
use stemvault_tests::strategies::{self, conflicts, without_conflicts};
use stemvault_tests::tree::{self, Node, Tree};

fn hidden(tree: &Tree) -> Tree {
    tree.iter()
        .filter(|(path, _)| !model::is_seen(path))
        .map(|(path, node)| (path.clone(), node.clone()))
        .collect()
}

fn files(tree: &Tree) -> Files {
    let file = |node: &Node| match node {
        Node::File { bytes, mode, mtime } => {
            ModelFile { bytes: bytes.clone(), mode: *mode, mtime: *mtime, exact: true }
        }
        other => panic!("{other:?}"),
    };
    tree.iter().map(|(path, node)| (path.clone(), file(node))).collect()
}

/// One change of a working day.
#[derive(Debug, Clone)]
enum Edit {
    Write(Vec<u8>, Node),
    /// The file at this position gets other bytes.
    Change(usize, Node),
    /// The file at this position goes.
    Delete(usize),
    /// The file at this position gets other permissions and another time.
    Touch(usize, u32, i128),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (strategies::path(), strategies::file()).prop_map(|(path, file)| Edit::Write(path, file)),
        (any::<usize>(), strategies::file()).prop_map(|(at, file)| Edit::Change(at, file)),
        any::<usize>().prop_map(Edit::Delete),
        (any::<usize>(), strategies::mode(), strategies::mtime())
            .prop_map(|(at, mode, mtime)| Edit::Touch(at, mode, mtime)),
    ]
}

/// The tree after the edits. No file takes the place of a directory of `tree` or the other way round.
fn edited(tree: &Tree, edits: Vec<Edit>) -> Tree {
    let mut now = tree.clone();
    let at = |tree: &Tree, at: usize| tree.keys().nth(at.checked_rem(tree.len())?).cloned();
    for edit in edits {
        match edit {
            Edit::Write(path, node) => {
                if !conflicts(tree, &path) && !conflicts(&now, &path) {
                    now.insert(path, node);
                }
            }
            Edit::Change(n, node) => {
                if let Some(path) = at(&now, n) {
                    now.insert(path, node);
                }
            }
            Edit::Delete(n) => {
                if let Some(path) = at(&now, n) {
                    now.remove(&path);
                }
            }
            Edit::Touch(n, new_mode, new_mtime) => {
                if let Some(Node::File { mode, mtime, .. }) = at(&now, n).and_then(|path| now.get_mut(&path))
                {
                    (*mode, *mtime) = (new_mode, new_mtime);
                }
            }
        }
    }
    now
}

/// Makes the working tree what `goal` says, as an editor would: files that stay are not touched.
fn bring_to(repo: &Repo, goal: &Tree) {
    let now = repo.tree();
    for path in now.keys().filter(|path| goal.get(*path) != now.get(*path)) {
        fs::remove_file(repo.path(path)).unwrap();
    }
    let missing: Tree = goal
        .iter()
        .filter(|(path, node)| now.get(*path) != Some(*node))
        .map(|(p, n)| (p.clone(), n.clone()))
        .collect();
    tree::build(&repo.work(), &missing);
    assert_eq!(&repo.tree(), goal);
}

proptest! {
    #![proptest_config(strategies::config(48))]

    #[test]
    fn any_tree_is_pushed_and_popped(tree in strategies::tree(24), on_disk in proptest::bool::weighted(0.2)) {
        let repo = if on_disk { Repo::new() } else { Repo::in_memory() };
        tree::build(&repo.work(), &tree);
        let seen = tree.keys().filter(|path| model::is_seen(path)).count();
        let pushed = repo.push();
        prop_assert_eq!(pushed.files_stashed, seen);
        prop_assert!(pushed.left_alone.is_empty(), "{:?}", pushed.left_alone);
        prop_assert_eq!(repo.tree(), hidden(&tree));
        repo.assert_sound();
        if seen > 0 {
            let popped = repo.pop("0");
            prop_assert!(popped.dropped && popped.files_applied == seen, "{:?}", popped);
        }
        prop_assert_eq!(repo.tree(), tree);
        prop_assert!(repo.list().is_empty());
        repo.assert_sound();
    }

    #[test]
    fn any_head_comes_back_and_any_edits_after_it(
        head in strategies::tree(16),
        edits in proptest::collection::vec(edit(), 0..16),
    ) {
        let repo = Repo::in_memory();
        tree::build(&repo.work(), &head);
        repo.snapshot();
        let work = edited(&head, edits);
        bring_to(&repo, &work);

        let mut model = Model { tree: files(&head), ..Model::default() };
        model.snapshot();
        model.tree = files(&work);
        let expected = model.push(&ModelScope::default(), "", false, false);
        let pushed = repo.push();
        prop_assert_eq!(pushed.files_stashed, expected.unwrap_or(0));
        prop_assert!(!pushed.is_partial(), "{:?}", pushed);
        if let Err(difference) = model.compare_tree(&repo.tree()) {
            prop_assert!(false, "after the push: {}", difference);
        }
        repo.assert_sound();
        if expected.is_none() {
            return Ok(());
        }
        // What is seen now is HEAD, byte for byte.
        let seen: BTreeMap<_, _> = tree::bytes(&repo.work()).into_iter().filter(|(path, _)| model::is_seen(path)).collect();
        let head_bytes: BTreeMap<_, _> = files(&head).into_iter().filter(|(path, _)| model::is_seen(path)).map(|(p, f)| (p, f.bytes)).collect();
        prop_assert_eq!(seen, head_bytes);

        model.pop(0);
        let popped = repo.pop("0");
        prop_assert!(popped.dropped, "{:?}", popped);
        if let Err(difference) = model.compare_tree(&repo.tree()) {
            prop_assert!(false, "after the pop: {}", difference);
        }
        // Whatever was in the tree before the push is in it again, with its permissions and times.
        let now = repo.tree();
        for (path, node) in &work {
            prop_assert_eq!(now.get(path), Some(node), "{}", path.escape_ascii());
        }
        repo.assert_sound();
    }

    /// Files may stand where HEAD has directories and the other way round: not everything can come back by itself then,
    /// but nothing is lost and nothing is done in silence.
    #[test]
    fn files_and_directories_that_change_places_lose_nothing(
        head in strategies::tree(8),
        files in proptest::collection::vec((strategies::path(), strategies::file()), 0..8),
        twists in proptest::collection::vec((any::<usize>(), any::<bool>()), 0..6),
    ) {
        let repo = Repo::in_memory();
        tree::build(&repo.work(), &head);
        repo.snapshot();
        // Some of HEAD's files become directories, some directories become files.
        let paths: Vec<Vec<u8>> = head.keys().cloned().collect();
        let twisted = twists.into_iter().filter_map(|(at, deeper)| {
            let path = paths.get(at.checked_rem(paths.len())?)?.clone();
            let text = format!("twist {at}");
            let path = if deeper { [&path[..], b"/x"].concat() } else { path.split(|&b| b == b'/').next()?.to_vec() };
            (path.split(|&b| b == b'/').all(|c| c.len() <= 255)).then(|| (path, Node::file(text.as_bytes(), 0o644, 1_600_000_000_000_000_000)))
        });
        let work = without_conflicts(twisted.chain(files));
        for path in head.keys() {
            fs::remove_file(repo.path(path)).unwrap();
        }
        fs::remove_dir_all(repo.work()).unwrap();
        tree::build(&repo.work(), &work);
        fs::create_dir_all(repo.work()).unwrap();

        let pushed = repo.push();
        for (path, node) in &work {
            let Node::File { bytes, .. } = node else { unreachable!() };
            prop_assert!(repo.holds(bytes), "{} is lost: {:?}", path.escape_ascii(), pushed);
        }
        let after = tree::bytes(&repo.work());
        if pushed.files_stashed > 0 && !pushed.is_partial() {
            for (path, file) in self::files(&head).into_iter().filter(|(path, _)| model::is_seen(path)) {
                prop_assert_eq!(after.get(&path), Some(&file.bytes), "{}", path.escape_ascii());
            }
        }
        if pushed.files_stashed > 0 {
            let popped = repo.pop("0");
            for (path, node) in &work {
                let Node::File { bytes, .. } = node else { unreachable!() };
                prop_assert!(repo.holds(bytes), "{} is lost: {:?}", path.escape_ascii(), popped);
            }
            prop_assert_eq!(popped.dropped, !popped.is_partial());
        }
        repo.assert_sound();
    }
}
