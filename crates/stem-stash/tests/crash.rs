//! The process dies at every single change that a verb makes to the file system; nothing may be lost, and the next verb
//! must be able to go on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use stem_fs::Dir;
use stem_sharded::{Options, ShardedStore};
use stem_stash::{
    ApplyOptions, CommitFiles, HeadSource, PushOptions, Repository, Settings, Silent, SnapshotOptions, Stash,
};
use stem_store::ObjectStoreExt;
use stem_testkit::FaultPlan;

/// Bytes, mode and mtime by path.
type Tree = BTreeMap<String, (Vec<u8>, u32, i64)>;

fn tree(dir: &Path) -> Tree {
    let mut found = Tree::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(at) = dirs.pop() {
        for entry in fs::read_dir(at).unwrap() {
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

/// An open repository; with a plan, every change is announced to it.
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

/// A repository with a HEAD and a day's work on top of it. Returns HEAD's tree and the worked-on tree.
fn session(root: &Path) -> (Tree, Tree) {
    stem_stash::init(root).unwrap();
    let work = root.join("muse-work");
    write(root, "tracks/drums/kick.wav", &[1; 5000], 0o644);
    write(root, "tracks/bass/bass.wav", &[2; 3000], 0o600);
    write(root, "gone.mid", b"deleted in the working tree", 0o644);
    write(root, "same.mid", b"unchanged", 0o644);
    Opened::new(root, None).stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap();
    let head = tree(&work);
    write(root, "tracks/drums/kick.wav", &[3; 6000], 0o640);
    write(root, "tracks/drums/new.wav", &[4; 7000], 0o644);
    write(root, "tracks/drums/twin.wav", &[4; 7000], 0o644);
    write(root, "linked.wav", &[5; 100], 0o644);
    fs::hard_link(work.join("linked.wav"), root.join("second-name.wav")).unwrap();
    fs::remove_file(work.join("gone.mid")).unwrap();
    (head, tree(&work))
}

/// The worked-on tree with what HEAD had besides.
fn popped(worked: &Tree, head: &Tree) -> Tree {
    let mut expected = worked.clone();
    expected.insert("gone.mid".into(), head["gone.mid"].clone());
    expected
}

const POP: ApplyOptions = ApplyOptions::pop();

/// Bytes that are not in the tree must be in the store, under an id that an entry or a record names.
fn assert_nothing_lost(root: &Path, worked: &Tree, at: u64) {
    let now = tree(&root.join("muse-work"));
    let named: String = ["stash", "stem/journal"]
        .iter()
        .filter_map(|dir| fs::read_dir(root.join(".muse").join(dir)).ok())
        .flatten()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default())
        .collect();
    let opened = Opened::new(root, None);
    for (path, (bytes, ..)) in worked {
        if now.get(path).is_some_and(|(found, ..)| found == bytes) {
            continue;
        }
        let mut hasher = stem_hash::Hasher::new(stem_hash::Algorithm::Sha256);
        hasher.update(bytes);
        let id = hasher.finish().id;
        let stored = opened.store.get(&id, 1 << 20).unwrap();
        assert_eq!(
            stored.as_ref(),
            Some(bytes),
            "change {at}: '{path}' is neither in the tree nor in the store"
        );
        assert!(named.contains(&id.to_string()), "change {at}: nothing names the object of '{path}'");
    }
}

#[test]
fn a_push_that_dies_anywhere_loses_nothing_and_is_finished_or_undone() {
    let (mut undone, mut finished) = (0, 0);
    for at in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let (head, worked) = session(root);
        let plan = FaultPlan::kill_at(at);
        let result = Opened::new(root, Some(plan.clone())).stash().push(&PushOptions::default(), &Silent);
        if !plan.struck() {
            assert!(!result.unwrap().is_partial());
            break;
        }
        assert_nothing_lost(root, &worked, at);

        let opened = Opened::new(root, None);
        opened.stash().recover(&Silent).unwrap();
        assert!(!opened.stash().is_interrupted().unwrap());
        let now = tree(&root.join("muse-work"));
        if opened.stash().list().unwrap().is_empty() {
            undone += 1;
            assert_eq!(now, worked, "change {at}: not undone");
            continue;
        }
        finished += 1;
        assert_eq!(now, head, "change {at}: not finished");
        assert!(opened.stash().apply("0", POP, &Silent).unwrap().dropped);
        assert_eq!(tree(&root.join("muse-work")), popped(&worked, &head), "change {at}: popped");
    }
    println!("stopped at {} changes: {undone} undone, {finished} finished", undone + finished);
    assert!(undone > 20 && finished > 10, "{undone} {finished}");
}

#[test]
fn a_push_whose_disk_fails_anywhere_leaves_the_working_tree_or_the_entry() {
    for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::Other] {
        for at in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path();
            let (head, worked) = session(root);
            let plan = FaultPlan::fail_at(at, kind);
            let result = Opened::new(root, Some(plan.clone())).stash().push(&PushOptions::default(), &Silent);
            if !plan.struck() {
                break;
            }
            assert_nothing_lost(root, &worked, at);
            let opened = Opened::new(root, None);
            opened.stash().recover(&Silent).unwrap();
            let now = tree(&root.join("muse-work"));
            match (result, opened.stash().list().unwrap().len()) {
                (Err(_), 0) => assert_eq!(now, worked, "change {at}: not undone"),
                (_, 1) => assert_eq!(now, head, "change {at}: not finished"),
                (result, entries) => panic!("change {at}: {result:?} with {entries} entries"),
            }
        }
    }
}

#[test]
fn a_pop_that_dies_anywhere_can_be_run_again() {
    for at in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let (head, worked) = session(root);
        Opened::new(root, None).stash().push(&PushOptions::default(), &Silent).unwrap();
        let plan = FaultPlan::kill_at(at);
        let result = Opened::new(root, Some(plan.clone())).stash().apply("0", POP, &Silent);
        let opened = Opened::new(root, None);
        if plan.struck() && !opened.stash().list().unwrap().is_empty() {
            assert_nothing_lost(root, &worked, at);
            assert!(opened.stash().apply("0", POP, &Silent).unwrap().dropped);
        }
        assert_eq!(tree(&root.join("muse-work")), popped(&worked, &head), "change {at}");
        if !plan.struck() {
            assert!(result.unwrap().dropped);
            break;
        }
    }
}

#[test]
fn a_record_that_cannot_be_read_is_left_and_told() {
    #[derive(Default)]
    struct Warnings(std::sync::Mutex<Vec<String>>);
    impl stem_stash::Progress for Warnings {
        fn warn(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let (_, worked) = session(root);
    let journal = root.join(".muse/stem/journal");
    fs::create_dir_all(&journal).unwrap();
    fs::write(journal.join("push-0123abcd-0.json"), b"{\"version\": 1, \"kind\": \"ado").unwrap();
    fs::write(journal.join("unrelated.json"), b"not a record").unwrap();
    let opened = Opened::new(root, None);
    let warnings = Warnings::default();
    opened.stash().recover(&warnings).unwrap();
    assert_eq!(tree(&root.join("muse-work")), worked);
    assert!(journal.join("push-0123abcd-0.json").exists());
    let warnings = warnings.0.into_inner().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("push-0123abcd-0.json"), "{warnings:?}");
}
