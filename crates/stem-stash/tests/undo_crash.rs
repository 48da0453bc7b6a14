//! The process dies at every single change that apply, pop, drop, clear, undo and redo make to the file system. All that
//! was in the working tree can be had, and the next verb puts things right: the verb is done, or it never was.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "how many points there were is worth a line")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};

use stem_fs::Dir;
use stem_sharded::{Options, ShardedStore};
use stem_stash::{
    ApplyOptions, CommitFiles, HeadSource, OnConflict, Progress, PushOptions, Repository, Result, Settings,
    Silent, SnapshotOptions, Stash, UndoOptions,
};
use stem_store::ObjectStoreExt;
use stem_testkit::FaultPlan;

/// Bytes, mode and mtime by path.
type Tree = BTreeMap<String, (Vec<u8>, u32, i64)>;

fn tree(dir: &Path) -> Tree {
    let mut found = Tree::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(at) = dirs.pop() {
        for entry in fs::read_dir(at).into_iter().flatten() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                dirs.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(name, (fs::read(&path).unwrap(), meta.mode() & 0o7777, meta.mtime_nsec()));
            }
        }
    }
    found
}

struct Opened {
    repository: Repository,
    store: ShardedStore,
    sources: Vec<Arc<dyn HeadSource>>,
}

impl Opened {
    fn new(root: &Path, plan: Option<Arc<FaultPlan>>) -> Self {
        let dir = match plan {
            Some(plan) => Dir::open_observed(root, plan),
            None => Dir::open(root),
        };
        let repository = Repository::from_dir(dir.unwrap(), Settings::default()).unwrap();
        let store = ShardedStore::in_repository(repository.muse(), &Options::default()).unwrap();
        let sources: Vec<Arc<dyn HeadSource>> = vec![Arc::new(CommitFiles::new(&repository))];
        Self { repository, store, sources }
    }

    fn stash(&self) -> Stash<'_> {
        Stash::new(&self.repository, &self.store, &self.sources)
    }
}

fn write(root: &Path, path: &str, bytes: &[u8], mode: u32) {
    let path = root.join("muse-work").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// HEAD, an entry that changes it in every way, and newer work on top.
fn session(root: &Path) {
    stem_stash::init(root).unwrap();
    write(root, "tracks/kick.wav", &[1; 5000], 0o644);
    write(root, "gone.mid", b"deleted while working", 0o644);
    write(root, "becomes/a/dir.wav", b"a directory in HEAD", 0o644);
    Opened::new(root, None).stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap();
    write(root, "tracks/kick.wav", &[3; 6000], 0o640);
    write(root, "tracks/new.wav", &[4; 700], 0o600);
    fs::remove_file(root.join("muse-work/gone.mid")).unwrap();
    Opened::new(root, None).stash().push(&PushOptions::default(), &Silent).unwrap();
    write(root, "tracks/new.wav", b"newer work, stored nowhere", 0o644);
    write(root, "untouched.wav", b"not in the entry", 0o644);
}

/// What must not be lost: in the tree, or stored under an id that an entry or a record names.
fn assert_nothing_lost(root: &Path, contents: &[Vec<u8>], at: &str) {
    let now = tree(&root.join("muse-work"));
    let mut named = String::new();
    for folder in ["stash", "stem/journal", "stem/undo/held"] {
        for (bytes, ..) in tree(&root.join(".muse").join(folder)).into_values() {
            named.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    let saved = tree(&root.join(".muse/stem/undo/saved"));
    let aside: Vec<Vec<u8>> =
        tree(&root.join(".muse/stem/tmp")).into_values().map(|(bytes, ..)| bytes).collect();
    let opened = Opened::new(root, None);
    for bytes in contents {
        if now.values().any(|(found, ..)| found == bytes) || aside.contains(bytes) {
            continue;
        }
        let mut hasher = stem_hash::Hasher::new(stem_hash::Algorithm::Sha256);
        hasher.update(bytes);
        let id = hasher.finish().id;
        let stored = opened.store.get(&id, 1 << 20).unwrap();
        let kept = stored.as_ref() == Some(bytes)
            || saved.get(&id.to_string()).is_some_and(|(saved, ..)| saved == bytes);
        let shown = bytes.escape_ascii().to_string().chars().take(30).collect::<String>();
        assert!(kept, "{at}: '{shown}' is nowhere");
        assert!(named.contains(&id.to_string()), "{at}: nothing names '{shown}'");
    }
}

#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Progress for Warnings {
    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

/// A repository as it looks to its user. Temporary files are those of a living process as far as they tell: this test is
/// one.
fn visible(root: &Path) -> (Tree, Tree) {
    let mut work = tree(&root.join("muse-work"));
    work.retain(|path, _| !path.contains(".stem-tmp-"));
    (work, tree(&root.join(".muse/stash")))
}

/// What is where; the id of the entry in a name differs from repository to repository.
fn contents_by_name(tree: &Tree) -> BTreeMap<String, Vec<u8>> {
    let name = |path: &String| path.split_once("(stash ").map_or(path.clone(), |(name, _)| name.to_owned());
    tree.iter().map(|(path, file)| (name(path), file.0.clone())).collect()
}

/// Kills `verb` at every change. `prepare` makes the repository on which it runs.
fn sweep(name: &str, prepare: impl Fn(&Path), verb: impl Fn(Stash<'_>) -> Result<()>) {
    let (mut undone, mut done) = (0, 0);
    for at in 0.. {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let root = dir.path();
        prepare(root);
        let before = visible(root);
        let contents: Vec<Vec<u8>> = before.0.values().map(|(bytes, ..)| bytes.clone()).collect();
        let finished = {
            let other = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
            prepare(other.path());
            verb(Opened::new(other.path(), None).stash()).unwrap();
            contents_by_name(&visible(other.path()).0)
        };
        let plan = FaultPlan::kill_at(at);
        let result = verb(Opened::new(root, Some(plan.clone())).stash());
        if !plan.struck() {
            result.unwrap();
            break;
        }
        let at = format!("{name}, change {at}");
        assert_nothing_lost(root, &contents, &at);
        let opened = Opened::new(root, None);
        let interrupted = opened.stash().is_interrupted().unwrap();
        let warnings = Warnings::default();
        opened.stash().recover(&warnings).unwrap();
        assert!(!opened.stash().is_interrupted().unwrap(), "{at}");
        let warnings = warnings.0.into_inner().unwrap();
        assert!(!interrupted || warnings.iter().any(|w| w.contains("interrupted")), "{at}: {warnings:?}");
        assert_nothing_lost(root, &contents, &at);
        let now = visible(root);
        if now == before {
            undone += 1;
        } else {
            done += 1;
            assert!(contents_by_name(&now.0) == finished, "{at}: neither done nor undone");
        }
        let open = tree(&root.join(".muse/stem/journal"));
        assert!(!open.keys().any(|name| name.ends_with(".open.json")), "{at}: {open:?}");
        // A second recovery finds nothing to do, and the verb, or its undo, can be run.
        opened.stash().recover(&Silent).unwrap();
        assert_eq!(visible(root), now, "{at}");
        if now == before {
            verb(opened.stash()).unwrap();
        } else {
            // After an undo this goes one further, where newer work may be.
            match opened.stash().undo(UndoOptions::default(), &Silent) {
                Ok(undone) => assert!(!undone.is_partial() || name.starts_with("undo"), "{at}: {undone:?}"),
                Err(error) => {
                    assert!(name.starts_with("undo") && error.name() == "nothing_to_undo", "{error}");
                }
            }
        }
        assert_nothing_lost(root, &contents, &at);
    }
    println!("{name}: stopped at {} changes: {undone} undone, {done} done", undone + done);
    assert!(undone > 0 && done > 0, "{name}: {undone} {done}");
}

fn apply(stash: Stash<'_>, options: ApplyOptions) -> Result<()> {
    stash.apply("0", options, &Silent).map(|applied| assert!(!applied.is_partial(), "{applied:?}"))
}

fn undo(stash: Stash<'_>) -> Result<()> {
    stash.undo(UndoOptions { force: true, dry_run: false }, &Silent).map(drop)
}

fn redo(stash: Stash<'_>) -> Result<()> {
    stash.redo(UndoOptions { force: true, dry_run: false }, &Silent).map(drop)
}

fn stash(root: &Path, verb: impl Fn(Stash<'_>) -> Result<()>) {
    verb(Opened::new(root, None).stash()).unwrap();
}

#[test]
fn an_apply_that_dies_anywhere_is_done_or_undone() {
    sweep("apply", session, |stash| apply(stash, ApplyOptions::default()));
}

#[test]
fn an_exact_apply_that_dies_anywhere_is_done_or_undone() {
    sweep("exact apply", session, |stash| {
        apply(stash, ApplyOptions { exact: true, ..ApplyOptions::default() })
    });
}

#[test]
fn a_pop_that_dies_anywhere_is_done_or_undone() {
    sweep("pop", session, |stash| apply(stash, ApplyOptions::pop()));
    let keep = || ApplyOptions { on_conflict: OnConflict::KeepBoth, ..ApplyOptions::pop() };
    sweep("pop, both kept", session, |stash| apply(stash, keep()));
}

#[test]
fn a_drop_that_dies_anywhere_is_done_or_undone() {
    sweep("drop", session, |stash| stash.drop_entry("0").map(drop));
}

#[test]
fn a_clear_that_dies_anywhere_is_done_or_undone() {
    let prepare = |root: &Path| {
        session(root);
        for _ in 0..2 {
            write(root, "more.wav", b"more", 0o644);
            stash(root, |stash| stash.push(&PushOptions::default(), &Silent).map(drop));
        }
    };
    sweep("clear", prepare, |stash| stash.clear().map(drop));
}

#[test]
fn an_undo_that_dies_anywhere_is_done_or_undone() {
    let popped = |root: &Path| {
        session(root);
        stash(root, |stash| apply(stash, ApplyOptions::pop()));
        // The force has something to save.
        write(root, "tracks/kick.wav", b"after the pop", 0o644);
    };
    sweep("undo of a pop", popped, undo);
    sweep(
        "undo of a push",
        |root| {
            session(root);
            fs::remove_file(root.join("muse-work/tracks/new.wav")).unwrap();
        },
        undo,
    );
    let dropped = |root: &Path| {
        session(root);
        stash(root, |stash| stash.drop_entry("0").map(drop));
    };
    sweep("undo of a drop", dropped, undo);
    sweep(
        "redo of a pop",
        |root| {
            popped(root);
            stash(root, undo);
        },
        redo,
    );
}

#[test]
fn an_apply_whose_disk_fails_anywhere_loses_nothing() {
    for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::Other] {
        for at in 0.. {
            let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
            let root = dir.path();
            session(root);
            let before = visible(root);
            let contents: Vec<Vec<u8>> = before.0.values().map(|(bytes, ..)| bytes.clone()).collect();
            let plan = FaultPlan::fail_at(at, kind);
            let _ = Opened::new(root, Some(plan.clone())).stash().apply("0", ApplyOptions::pop(), &Silent);
            if !plan.struck() {
                break;
            }
            let at = format!("{kind}, change {at}");
            assert_nothing_lost(root, &contents, &at);
            let opened = Opened::new(root, None);
            opened.stash().recover(&Silent).unwrap();
            assert_nothing_lost(root, &contents, &at);
            if visible(root) != before {
                opened.stash().undo(UndoOptions::default(), &Silent).unwrap();
                let now = visible(root);
                assert_eq!(now, before, "{at}: the undo does not bring everything back");
            }
        }
    }
}
