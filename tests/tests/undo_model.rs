//! Random sequences of verbs, edits, undo and redo against a model that remembers every content that ever stood in the
//! working tree. Whatever a verb took away can be had: it is in the tree, in an entry, or where a record of the undo
//! journal says. What the user's own hand wrote over or deleted is the only thing that may be gone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use stemvault::{ApplyOptions, OnConflict, PushOptions, Silent, StashError, UndoOptions};
use stemvault_tests::golden::hex;
use stemvault_tests::repo::{Repo, rel};
use stemvault_tests::strategies;
use stemvault_tests::tree;

/// Some are directories of others, so that files and directories take each other's places.
const PATHS: [&str; 7] =
    ["mix.wav", "tracks/drums/kick.wav", "tracks/drums", "tracks/bass", "a", "a/b.wav", "caf\u{e9}/x"];

#[derive(Debug, Clone, Copy)]
enum Step {
    Write(&'static str, u8),
    Delete(&'static str),
    Push { scoped: Option<&'static str>, keep: bool },
    Apply { index: usize, conflict: OnConflict, exact: bool, path: Option<&'static str> },
    Pop { index: usize, conflict: OnConflict },
    Drop(usize),
    Clear,
    Snapshot,
    Undo { force: bool },
    Redo { force: bool },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let path = || select(PATHS.to_vec());
    let conflict = || select(vec![OnConflict::Overwrite, OnConflict::KeepBoth, OnConflict::Fail]);
    let scoped = proptest::option::weighted(0.3, path());
    let part = proptest::option::weighted(0.2, path());
    prop_oneof![
        10 => (path(), 0u8..12).prop_map(|(path, content)| Step::Write(path, content)),
        2 => path().prop_map(Step::Delete),
        5 => (scoped, proptest::bool::weighted(0.2)).prop_map(|(scoped, keep)| Step::Push { scoped, keep }),
        3 => (0usize..3, conflict(), proptest::bool::weighted(0.3), part)
            .prop_map(|(index, conflict, exact, path)| Step::Apply { index, conflict, exact, path }),
        4 => (0usize..3, conflict()).prop_map(|(index, conflict)| Step::Pop { index, conflict }),
        1 => (0usize..3).prop_map(Step::Drop),
        1 => Just(Step::Clear),
        1 => Just(Step::Snapshot),
        6 => proptest::bool::weighted(0.3).prop_map(|force| Step::Undo { force }),
        4 => proptest::bool::weighted(0.3).prop_map(|force| Step::Redo { force }),
        1 => Just(Step::Reopen),
    ]
}

fn bytes_of(content: u8) -> Vec<u8> {
    match content {
        0 => Vec::new(),
        1 => vec![1; 70_000],
        // Of the same size as others: only the bytes tell them apart.
        n => format!("content {n:02}").into_bytes(),
    }
}

/// Tree and stack, to compare before a verb with after its undo.
type State = (BTreeMap<Vec<u8>, (Vec<u8>, u32, i128)>, BTreeMap<Vec<u8>, Vec<u8>>);

fn state(repo: &Repo) -> State {
    let files = repo.tree().into_iter().map(|(path, node)| match node {
        tree::Node::File { bytes, mode, mtime } => (path, (bytes, mode, mtime)),
        other => panic!("{other:?}"),
    });
    (files.collect(), tree::bytes(&repo.muse().join("stash")))
}

struct Checker {
    repo: Repo,
    /// Contents that a verb took from the tree at some time.
    kept: BTreeSet<Vec<u8>>,
    /// Contents that were in the tree before the last verb, which may have taken them.
    before: BTreeSet<Vec<u8>>,
    /// The states before the verbs that can be undone without a change by hand in between, newest last.
    undo: Vec<State>,
    redo: Vec<State>,
}

impl Checker {
    fn contents(&self) -> BTreeSet<Vec<u8>> {
        tree::bytes(&self.repo.work()).into_values().collect()
    }

    /// A change by hand: what it takes away need not be kept, unless it is kept already.
    fn by_hand(&mut self, change: impl FnOnce(&Repo)) {
        self.before.clear();
        change(&self.repo);
        self.undo.clear();
        self.redo.clear();
    }

    /// What must be had from now on, before a verb runs.
    fn remember(&mut self) {
        self.before = self.contents();
    }

    fn verb(&mut self, verb: impl FnOnce(&Repo) -> bool) {
        self.remember();
        let before = state(&self.repo);
        let records = self.records();
        let complete = verb(&self.repo);
        if self.records() == records {
            return;
        }
        if complete {
            self.undo.push(before);
        } else {
            self.undo.clear();
        }
        self.redo.clear();
    }

    fn records(&self) -> usize {
        fs::read_dir(self.repo.muse().join("stem/journal")).map_or(0, Iterator::count)
    }

    fn back(&mut self, redo: bool, force: bool) -> Result<(), TestCaseError> {
        self.remember();
        let before = state(&self.repo);
        let options = UndoOptions { force, dry_run: false };
        let stash = self.repo.vault.stash();
        let told = if redo { stash.redo(options, &Silent) } else { stash.undo(options, &Silent) };
        let (from, to) =
            if redo { (&mut self.redo, &mut self.undo) } else { (&mut self.undo, &mut self.redo) };
        let told = match told {
            Ok(told) => told,
            Err(StashError::NothingToUndo { .. }) => {
                prop_assert!(from.is_empty());
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        match from.pop() {
            Some(expected) => {
                prop_assert!(!told.is_partial(), "{:?}", told);
                prop_assert_eq!(state(&self.repo), expected);
                to.push(before);
            }
            None => to.clear(),
        }
        Ok(())
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        let repo_list = self.repo.list().len();
        match step {
            Step::Write(path, content) => self.by_hand(|repo| {
                let at = repo.path(path);
                let blocked = at.is_dir() || at.ancestors().skip(1).any(std::path::Path::is_file);
                if !blocked {
                    repo.write(path, bytes_of(content));
                }
            }),
            Step::Delete(path) => self.by_hand(|repo| drop(fs::remove_file(repo.path(path)))),
            Step::Push { scoped, keep } => self.verb(|repo| {
                let paths = scoped.iter().map(rel).collect();
                let pushed = repo.push_with(&PushOptions { keep, paths, ..PushOptions::default() });
                !pushed.is_partial()
            }),
            Step::Apply { index, conflict, exact, path } if index < repo_list => {
                let paths = path.iter().map(rel).collect();
                let options = ApplyOptions { on_conflict: conflict, exact, paths, ..ApplyOptions::default() };
                self.apply(index, options)?;
            }
            Step::Pop { index, conflict } if index < repo_list => {
                self.apply(index, ApplyOptions { on_conflict: conflict, ..ApplyOptions::pop() })?;
            }
            Step::Drop(index) if index < repo_list => {
                self.verb(|repo| repo.vault.stash().drop_entry(&index.to_string()).is_ok());
            }
            Step::Clear => self.verb(|repo| repo.vault.stash().clear().is_ok()),
            Step::Snapshot => drop(self.repo.snapshot()),
            Step::Undo { force } => self.back(false, force)?,
            Step::Redo { force } => self.back(true, force)?,
            Step::Reopen => self.repo.reopen(),
            Step::Apply { .. } | Step::Pop { .. } | Step::Drop(_) => {}
        }
        self.check()
    }

    fn apply(&mut self, index: usize, options: ApplyOptions) -> Result<(), TestCaseError> {
        let fails = options.on_conflict == OnConflict::Fail;
        let before = state(&self.repo);
        let mut refused = None;
        self.verb(|repo| match repo.vault.stash().apply(&index.to_string(), options, &Silent) {
            Ok(applied) => !applied.is_partial(),
            Err(error) => {
                refused = Some(error);
                false
            }
        });
        match refused {
            None | Some(StashError::NoSuchPath { .. }) => Ok(()),
            Some(StashError::Conflicts { .. }) if fails => {
                prop_assert_eq!(state(&self.repo), before);
                Ok(())
            }
            Some(error) => Err(TestCaseError::fail(error.to_string())),
        }
    }

    /// Nothing that was to be kept is gone.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let tree = self.contents();
        let before = std::mem::take(&mut self.before);
        self.kept.extend(before.into_iter().filter(|bytes| !tree.contains(bytes)));
        let objects = self.repo.objects();
        let saved = tree::bytes(&self.repo.muse().join("stem/undo/saved"));
        let mut named = String::new();
        for folder in ["stash", "stem/journal", "stem/undo/held"] {
            for text in tree::bytes(&self.repo.muse().join(folder)).into_values() {
                named.push_str(&String::from_utf8(text).unwrap());
            }
        }
        for bytes in &self.kept {
            let id = hex(bytes);
            let stored = objects.contains_key(&id) || saved.get(id.as_bytes()) == Some(bytes);
            prop_assert!(
                tree.contains(bytes) || (stored && named.contains(&id)),
                "lost: {} ({})",
                bytes.escape_ascii().to_string().chars().take(40).collect::<String>(),
                id
            );
        }
        for (name, bytes) in saved {
            prop_assert_eq!(hex(&bytes).into_bytes(), name);
        }
        let roots = self.repo.vault.stash().undo_roots();
        prop_assert!(roots.is_ok());
        let open = tree::bytes(&self.repo.muse().join("stem/journal")).into_keys();
        let open: Vec<_> = open.filter(|name| name.ends_with(b".open.json")).collect();
        prop_assert!(open.is_empty(), "{:?}", open);
        self.repo.assert_no_temporaries();
        Ok(())
    }
}

fn run(repo: Repo, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut checker =
        Checker { repo, kept: BTreeSet::new(), before: BTreeSet::new(), undo: Vec::new(), redo: Vec::new() };
    for (number, step) in steps.into_iter().enumerate() {
        let at = format!("step {number}: {step:?}");
        checker.run(step).map_err(|error| TestCaseError::fail(format!("{at}: {error}")))?;
    }
    // All the way back and forward again.
    let force = UndoOptions { force: true, dry_run: false };
    for redo in [false, true] {
        loop {
            checker.remember();
            let stash = checker.repo.vault.stash();
            let told = if redo { stash.redo(force, &Silent) } else { stash.undo(force, &Silent) };
            match told {
                Ok(_) => checker.check()?,
                Err(StashError::NothingToUndo { .. }) => break,
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(strategies::config(96))]

    #[test]
    fn no_content_is_ever_lost(steps in proptest::collection::vec(step(), 1..40)) {
        run(Repo::in_memory(), steps)?;
    }
}

proptest! {
    #![proptest_config(strategies::config(12))]

    #[test]
    fn on_disk_too(steps in proptest::collection::vec(step(), 1..40)) {
        run(Repo::new(), steps)?;
    }
}
