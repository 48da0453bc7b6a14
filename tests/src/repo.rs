//! A repository in a temporary directory, with the questions that tests ask of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stemvault::{
    ApplyOptions, ApplyResult, EntryRef, HeadChoice, PushOptions, PushResult, RelPath, Silent,
    SnapshotOptions, SnapshotResult, StashEntry, Vault,
};
use tempfile::TempDir;

use crate::golden::hex;
use crate::tree::{self, Node, Tree};

/// How to pop.
pub const POP: ApplyOptions = ApplyOptions::pop();

/// A repository that vanishes on drop.
#[derive(Debug)]
pub struct Repo {
    dir: TempDir,
    /// The repository, open.
    pub vault: Vault,
}

impl Default for Repo {
    fn default() -> Self {
        Self::new()
    }
}

impl Repo {
    /// A new repository on branch `main` without commits.
    pub fn new() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap())
    }

    /// A new repository in this directory.
    pub fn in_dir(dir: TempDir) -> Self {
        let vault = Vault::init(dir.path()).unwrap();
        Self { dir, vault }
    }

    /// As [`Repo::new`], on a file system in memory where there is one: for tests with thousands of steps, which would
    /// wait for the disk most of the time.
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        Self::in_dir(tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap())
    }

    /// Opens the repository anew, as another program would.
    pub fn reopen(&mut self) {
        self.vault = Vault::open(self.dir.path()).unwrap();
    }

    /// The root of the repository.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Its `.muse`.
    pub fn muse(&self) -> PathBuf {
        self.root().join(".muse")
    }

    /// The working tree.
    pub fn work(&self) -> PathBuf {
        self.root().join("muse-work")
    }

    /// Writes a file of the working tree and returns where it is.
    pub fn write(&self, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> PathBuf {
        tree::write(&self.work(), path, bytes)
    }

    /// The path of a file of the working tree.
    pub fn path(&self, path: impl AsRef<[u8]>) -> PathBuf {
        tree::join(&self.work(), path)
    }

    /// The working tree.
    pub fn tree(&self) -> Tree {
        tree::read(&self.work())
    }

    /// The working tree's bytes by path, as text.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        tree::bytes(&self.work()).into_iter().map(|(path, bytes)| (text(path), text(bytes))).collect()
    }

    /// Everything in the repository but what the engine keeps for itself: what a verb that failed must not have changed.
    pub fn state(&self) -> Tree {
        let mut all = tree::everything(self.root());
        all.retain(|path, _| path != b".muse/stem" && !path.starts_with(b".muse/stem/"));
        all
    }

    /// Pushes everything.
    pub fn push(&self) -> PushResult {
        self.push_with(&PushOptions::default())
    }

    /// Pushes.
    pub fn push_with(&self, options: &PushOptions) -> PushResult {
        self.vault.stash().push(options, &Silent).unwrap()
    }

    /// Pushes as if the branch had no commits.
    pub fn push_without_head(&self) -> PushResult {
        self.push_with(&PushOptions { head: HeadChoice::None, ..PushOptions::default() })
    }

    /// Applies, keeping the entry.
    pub fn apply(&self, reference: &str) -> ApplyResult {
        self.vault.stash().apply(reference, ApplyOptions::default(), &Silent).unwrap()
    }

    /// Pops.
    pub fn pop(&self, reference: &str) -> ApplyResult {
        self.vault.stash().apply(reference, POP, &Silent).unwrap()
    }

    /// Records the working tree as HEAD.
    pub fn snapshot(&self) -> SnapshotResult {
        self.vault.stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap()
    }

    /// The stack, newest first.
    pub fn list(&self) -> Vec<EntryRef> {
        self.vault.stash().list().unwrap()
    }

    /// One entry, which must be readable.
    pub fn entry(&self, index: usize) -> StashEntry {
        self.list().swap_remove(index).entry.unwrap()
    }

    /// The text of one entry's file.
    pub fn entry_text(&self, index: usize) -> String {
        fs::read_to_string(&self.list()[index].file).unwrap()
    }

    /// One entry's file as JSON; only for names in UTF-8.
    pub fn entry_json(&self, index: usize) -> Value {
        serde_json::from_str(&self.entry_text(index)).unwrap()
    }

    /// Where an object lies.
    pub fn object_path(&self, id: &str) -> PathBuf {
        self.muse().join("objects").join(&id[..2]).join(&id[2..])
    }

    /// Stores bytes as an object behind the engine's back and returns the id.
    pub fn plant_object(&self, bytes: &[u8]) -> String {
        let id = hex(bytes);
        let path = self.object_path(&id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        id
    }

    /// Writes an entry file behind the engine's back and returns where it is.
    pub fn plant_entry(&self, stash_id: &str, text: impl AsRef<[u8]>) -> PathBuf {
        tree::write(&self.muse().join("stash"), format!("{stash_id}.json"), text)
    }

    /// All objects by id. Each must hold the bytes that its name promises, and nothing else may lie there.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        for (path, node) in tree::read(&self.muse().join("objects")) {
            let name = String::from_utf8(path).unwrap();
            let Node::File { bytes, .. } = node else { panic!("{name} is {node:?}") };
            let (shard, rest) = name.split_once('/').unwrap();
            assert_eq!((shard.len(), rest.len()), (2, 62), "{name} is no object");
            let id = format!("{shard}{rest}");
            assert_eq!(hex(&bytes), id, "an object holds other bytes than its id says");
            objects.insert(id, bytes);
        }
        objects
    }

    /// What every verb must leave: objects that are true, entries whose objects are all there, no temporary file.
    pub fn assert_sound(&self) {
        let objects = self.objects();
        for entry in self.list() {
            let entry = entry.entry.unwrap();
            for (path, id) in entry.manifest.iter() {
                assert!(objects.contains_key(&id.to_string()), "the object of '{path}' is missing");
            }
        }
        self.assert_no_temporaries();
    }

    /// No temporary file anywhere.
    pub fn assert_no_temporaries(&self) {
        let all = tree::everything(self.root());
        let left: Vec<_> = all.keys().filter(|path| path.starts_with(b".muse/stem/tmp/")).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// The bytes that can still be had: of the working tree, and of all entries.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        if tree::bytes(&self.work()).values().any(|found| found == bytes) {
            return true;
        }
        let id = hex(bytes);
        let named = self.list().into_iter().filter_map(|entry| entry.entry.ok());
        let mut named = named.flat_map(|entry| entry.manifest.into_entries());
        named.any(|(_, object)| object.to_string() == id)
            && fs::read(self.object_path(&id)).is_ok_and(|b| b == bytes)
    }
}

/// A path in the working tree.
pub fn rel(path: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(path.as_ref()).unwrap()
}

/// What was left alone: path and the short name of the reason.
pub fn left(left_alone: &[stemvault::LeftAlone]) -> Vec<(String, &'static str)> {
    left_alone.iter().map(|left| (left.path.to_string(), left.reason.name())).collect()
}

/// HEAD's manifest handed over by the caller.
pub fn head_manifest(json: impl Into<Vec<u8>>) -> HeadChoice {
    HeadChoice::Manifest { bytes: json.into(), name: "head.json".into() }
}
