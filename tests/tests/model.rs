//! Any sequence of verbs does to a repository what it does to a model of one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use proptest::prelude::*;
use proptest::sample::select;
use stemvault::{ApplyOptions, ChangeKind, HeadChoice, PushOptions, Silent, SnapshotOptions};
use stemvault_tests::model::{Model, ModelFile, ModelScope};
use stemvault_tests::repo::{Repo, rel};
use stemvault_tests::strategies;
use stemvault_tests::tree;

/// Paths that scopes tell apart, hidden ones, and one that is not UTF-8. None is a directory of another.
const PATHS: [&[u8]; 12] = [
    b"mix.wav",
    b".hidden",
    b"tracks/drums/kick.wav",
    b"tracks/drums/snare.wav",
    b"tracks/drums/.peaks",
    b"tracks/drums-2/kick.wav",
    b"tracks/bass",
    b"sections/verse/a.mid",
    b"sections/verse/deep/b.mid",
    b"sections/verse2/a.mid",
    b".cache/peaks",
    b"caf\xe9/\xff",
];

#[derive(Debug, Clone)]
enum Step {
    Write { path: &'static [u8], content: u8, mode: u32, mtime: i128 },
    Delete(&'static [u8]),
    Push { scope: ModelScope, message: String, keep: bool, no_head: bool },
    Apply(usize),
    Pop(usize),
    Drop(usize),
    Clear,
    Snapshot,
    Status,
    Reopen,
}

fn scope() -> impl Strategy<Value = ModelScope> {
    let track = proptest::option::of(select(vec!["drums", "drums-2", "bass", "none"]));
    let section = proptest::option::of(select(vec!["verse", "verse2", "verse/deep"]));
    let paths = proptest::collection::vec(
        select(vec![&b"mix.wav"[..], b"tracks", b"sections/verse", b"caf\xe9", b".cache", b"nowhere"]),
        0..3,
    );
    let scoped = (track, section, paths).prop_map(|(track, section, paths)| ModelScope {
        track: track.map(str::to_owned),
        section: section.map(str::to_owned),
        paths: paths.into_iter().map(<[u8]>::to_vec).collect(),
    });
    prop_oneof![1 => Just(ModelScope::default()), 2 => scoped]
}

fn step() -> impl Strategy<Value = Step> {
    let write = (select(PATHS.to_vec()), 0u8..6, strategies::mode(), strategies::mtime())
        .prop_map(|(path, content, mode, mtime)| Step::Write { path, content, mode, mtime });
    let push = (
        scope(),
        select(vec!["", "WIP", "größe \n"]),
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
    )
        .prop_map(|(scope, message, keep, no_head)| Step::Push {
            scope,
            message: message.to_owned(),
            keep,
            no_head,
        });
    prop_oneof![
        10 => write,
        3 => select(PATHS.to_vec()).prop_map(Step::Delete),
        6 => push,
        2 => (0usize..4).prop_map(Step::Apply),
        3 => (0usize..4).prop_map(Step::Pop),
        1 => (0usize..4).prop_map(Step::Drop),
        1 => Just(Step::Clear),
        2 => Just(Step::Snapshot),
        1 => Just(Step::Status),
        1 => Just(Step::Reopen),
    ]
}

/// Contents that meet each other, an empty one among them.
fn bytes_of(content: u8) -> Vec<u8> {
    match content {
        0 => Vec::new(),
        1 => vec![1; 70_000],
        n => format!("content {n}").into_bytes(),
    }
}

fn no_such(index: usize, count: usize) -> String {
    format!("stash@{{{index}}} does not exist (stack has {count} entries)")
}

/// Carries out a step on both sides and compares what they return.
fn carry_out(repo: &mut Repo, model: &mut Model, step: Step) -> Result<(), TestCaseError> {
    let count = model.stack.len();
    match step {
        Step::Write { path, content, mode, mtime } => {
            let bytes = bytes_of(content);
            // Replaced rather than written in place, since the file may be read-only.
            let _ = std::fs::remove_file(repo.path(path));
            tree::set_meta(&repo.write(path, &bytes), mode, mtime);
            model.tree.insert(path.to_vec(), ModelFile { bytes, mode, mtime, exact: true });
        }
        Step::Delete(path) => {
            let _ = std::fs::remove_file(repo.path(path));
            model.tree.remove(path);
        }
        Step::Push { scope, message, keep, no_head } => {
            let head_known = model.head.is_some() && !no_head;
            let full = scope.track.is_none() && scope.section.is_none() && scope.paths.is_empty();
            let options = PushOptions {
                message: Some(message.clone()),
                track: scope.track.clone(),
                section: scope.section.clone(),
                paths: scope.paths.iter().map(rel).collect(),
                keep,
                head: if no_head { HeadChoice::None } else { HeadChoice::Repository },
            };
            let pushed = repo.push_with(&options);
            let expected = model.push(&scope, &message, keep, no_head);
            prop_assert_eq!(pushed.files_stashed, expected.unwrap_or(0));
            prop_assert_eq!(pushed.stash_ref.as_str(), if expected.is_some() { "stash@{0}" } else { "" });
            prop_assert!(!pushed.is_partial() && pushed.left_alone.is_empty(), "{:?}", pushed);
            prop_assert_eq!(
                pushed.head_restored,
                expected.is_some() && !keep && head_known,
                "full: {}",
                full
            );
        }
        Step::Apply(index) => {
            match repo.vault.stash().apply(&index.to_string(), ApplyOptions::default(), &Silent) {
                Ok(applied) => {
                    prop_assert_eq!(Some(applied.files_applied), model.apply(index));
                    prop_assert!(!applied.is_partial() && !applied.dropped, "{:?}", applied);
                }
                Err(error) => prop_assert_eq!(error.to_string(), no_such(index, count)),
            }
        }
        Step::Pop(index) => {
            match repo.vault.stash().apply(&index.to_string(), stemvault_tests::repo::POP, &Silent) {
                Ok(popped) => {
                    prop_assert_eq!(Some(popped.files_applied), model.pop(index));
                    prop_assert!(!popped.is_partial() && popped.dropped, "{:?}", popped);
                }
                Err(error) => prop_assert_eq!(error.to_string(), no_such(index, count)),
            }
        }
        Step::Drop(index) => match repo.vault.stash().drop_entry(&index.to_string()) {
            Ok(dropped) => {
                prop_assert!(index < count);
                prop_assert_eq!(dropped.message, model.stack.remove(index).message);
            }
            Err(error) => prop_assert_eq!(error.to_string(), no_such(index, count)),
        },
        Step::Clear => {
            prop_assert_eq!(repo.vault.stash().clear().unwrap().count, count);
            model.stack.clear();
        }
        Step::Snapshot => {
            let taken = repo.vault.stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap();
            prop_assert!(taken.left_alone.is_empty(), "{:?}", taken);
            prop_assert_eq!(!taken.unchanged, model.snapshot());
            prop_assert_eq!(taken.files, model.seen().len());
        }
        Step::Status => {
            let status = repo.vault.stash().status(&Silent).unwrap();
            let kinds = [ChangeKind::Added, ChangeKind::Modified, ChangeKind::Deleted];
            for (kind, expected) in kinds.into_iter().zip(model.changes()) {
                let changes = status.changes.iter().filter(|change| change.kind == kind);
                prop_assert_eq!(
                    changes
                        .map(|change| change.path.as_bytes().to_vec())
                        .collect::<std::collections::BTreeSet<_>>(),
                    expected,
                    "{:?}",
                    kind
                );
            }
            prop_assert_eq!((status.files, status.entries), (model.seen().len(), count));
            let bytes: usize = model.objects.values().sum();
            prop_assert_eq!(
                (status.objects, status.object_bytes),
                (model.objects.len() as u64, bytes as u64)
            );
        }
        Step::Reopen => repo.reopen(),
    }
    Ok(())
}

/// Compares tree, stack and store.
fn compare(repo: &Repo, model: &mut Model) -> Result<(), TestCaseError> {
    if let Err(difference) = model.compare_tree(&repo.tree()) {
        return Err(TestCaseError::fail(difference));
    }
    let list = repo.list();
    prop_assert_eq!(list.len(), model.stack.len());
    for (listed, expected) in list.into_iter().zip(&model.stack) {
        let entry = listed.entry.map_err(TestCaseError::fail)?;
        prop_assert_eq!(entry.message.to_string_lossy(), expected.message.as_str());
        let ids = entry.manifest.iter().map(|(path, id)| (path.as_bytes().to_vec(), id.to_string()));
        let expected: Vec<_> = expected
            .files
            .iter()
            .map(|(path, file)| (path.clone(), stemvault_tests::golden::hex(&file.bytes)))
            .collect();
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        prop_assert_eq!(ids, expected);
    }
    let objects: Vec<String> = repo.objects().into_keys().collect();
    prop_assert_eq!(objects, model.objects.keys().cloned().collect::<Vec<_>>());
    repo.assert_no_temporaries();
    Ok(())
}

fn run(mut repo: Repo, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for (number, step) in steps.into_iter().enumerate() {
        let at = format!("step {number}: {step:?}");
        let done = carry_out(&mut repo, &mut model, step).and_then(|()| compare(&repo, &mut model));
        done.map_err(|error| TestCaseError::fail(format!("{at}: {error}")))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(strategies::config(96))]

    #[test]
    fn any_sequence_of_verbs_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..40)) {
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
