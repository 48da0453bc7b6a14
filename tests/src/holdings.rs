//! What a repository holds: every content, wherever it lies, and whether it can still be had.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use stemvault::{IdPrefix, ObjectId, ObjectStoreExt as _, Vault};

use crate::golden::hex;
use crate::tree::{self, Node};

/// Largest object that these tests make.
const LARGEST: u64 = 1 << 30;

/// Objects that a document of a repository names: an entry, a record, a snapshot, a commit. A torn one names nothing.
pub fn named_in(json: &[u8]) -> HashSet<ObjectId> {
    fn ids(value: &Value, found: &mut HashSet<ObjectId>) {
        match value {
            Value::String(text) => found.extend(text.parse::<ObjectId>().ok()),
            Value::Array(values) => values.iter().for_each(|value| ids(value, found)),
            Value::Object(values) => values.values().for_each(|value| ids(value, found)),
            _ => {}
        }
    }
    let mut found = HashSet::new();
    if let Ok(value) = serde_json::from_slice(json) {
        ids(&value, &mut found);
    }
    found
}

/// Objects that anything in the repository at `root` names.
pub fn named(root: &Path) -> HashSet<ObjectId> {
    let files = tree::bytes(&root.join(".muse")).into_iter();
    files.filter(|(path, _)| path.ends_with(b".json")).flat_map(|(_, bytes)| named_in(&bytes)).collect()
}

/// Where the undo journal keeps bytes that were in no object (`docs/format/undo.md`).
pub fn saved_at(root: &Path, id: &ObjectId) -> PathBuf {
    root.join(".muse/stem/undo/saved").join(id.to_string())
}

/// Contents of the working tree, by what they hash to.
pub fn in_tree(root: &Path) -> BTreeSet<String> {
    tree::bytes(&root.join("muse-work")).into_values().map(|bytes| hex(&bytes)).collect()
}

/// Everything that can be had: contents of the working tree, and objects that are named and whole.
pub fn all(root: &Path) -> BTreeSet<String> {
    let vault = Vault::open(root).unwrap();
    let saved =
        |id: &ObjectId| std::fs::read(saved_at(root, id)).is_ok_and(|bytes| hex(&bytes) == id.to_string());
    let whole =
        |id: &ObjectId| vault.store().get(id, LARGEST).is_ok_and(|bytes| bytes.is_some()) || saved(id);
    let stored = named(root).into_iter().filter(whole).map(|id| id.to_string());
    stored.chain(in_tree(root)).collect()
}

/// Whether the repository is sound and holds all of `expected`: objects are what their names say, entries can be read and
/// their objects are there.
///
/// # Errors
///
/// What is wrong.
pub fn check(root: &Path, expected: &BTreeSet<String>) -> Result<(), String> {
    let vault = Vault::open(root).map_err(|e| format!("it cannot be opened: {e}"))?;
    for (path, node) in tree::read(&root.join(".muse/objects")) {
        let name = String::from_utf8_lossy(&path).replace('/', "");
        match node {
            Node::File { bytes, .. } if hex(&bytes) == name => {}
            Node::File { bytes, .. } => return Err(format!("object {name} is torn: {} bytes", bytes.len())),
            other => return Err(format!("object {name} is {other:?}")),
        }
    }
    for id in vault.store().ids(&IdPrefix::default()).map_err(|e| format!("the store has no list: {e}"))? {
        vault.store().get(&id, LARGEST).map_err(|e| format!("object {id}: {e}"))?;
    }
    for entry in vault.stash().list().map_err(|e| format!("there is no list: {e}"))? {
        let read = entry.entry.map_err(|e| format!("entry {} cannot be read: {e}", entry.stash_id))?;
        for (path, id) in read.manifest.iter() {
            if !vault.store().contains(id).map_err(|e| format!("object {id}: {e}"))? {
                return Err(format!("{}: the object of '{path}' is missing", entry.stash_id));
            }
        }
    }
    let held = all(root);
    match expected.iter().find(|id| !held.contains(*id)) {
        Some(id) => Err(format!("the content {id} is neither in the working tree nor named and stored")),
        None => Ok(()),
    }
}
