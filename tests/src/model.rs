//! What the stash must do, said once more and as simply as possible: maps in memory, no files, no cleverness.
//!
//! The tree and HEAD never hold a file where the other holds a directory; that case has tests of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::golden::hex;
use crate::tree::{Node, Tree};

/// A file: its bytes, permission bits and mtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
    /// Its mtime in nanoseconds since the epoch.
    pub mtime: i128,
    /// Whether permissions and time are known. HEAD's files come back with those of the object, which another file of
    /// the same content may have given it.
    pub exact: bool,
}

/// Files by path.
pub type Files = BTreeMap<Vec<u8>, ModelFile>;

/// What a push is limited to.
#[derive(Debug, Clone, Default)]
pub struct ModelScope {
    /// A track.
    pub track: Option<String>,
    /// A section.
    pub section: Option<String>,
    /// Files and directories.
    pub paths: Vec<Vec<u8>>,
}

impl ModelScope {
    fn is_full(&self) -> bool {
        self.track.is_none() && self.section.is_none() && self.paths.is_empty()
    }

    fn contains(&self, path: &[u8]) -> bool {
        let below = |dir: &[u8]| path.starts_with(&[dir, b"/"].concat());
        self.is_full()
            || self.track.as_ref().is_some_and(|track| below(format!("tracks/{track}").as_bytes()))
            || self.section.as_ref().is_some_and(|section| below(format!("sections/{section}").as_bytes()))
            || self.paths.iter().any(|scope| path == scope || below(scope))
    }
}

/// An entry of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// Its label.
    pub message: String,
    /// What it saved.
    pub files: Files,
}

/// A repository in memory.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The working tree.
    pub tree: Files,
    /// HEAD, or `None` on a branch without commits.
    pub head: Option<Files>,
    /// The stack, newest first.
    pub stack: Vec<ModelEntry>,
    /// The ids and sizes of all objects ever stored.
    pub objects: BTreeMap<String, usize>,
}

/// Whether the stash looks at the path: its own name is not hidden.
pub fn is_seen(path: &[u8]) -> bool {
    !path.rsplit(|&b| b == b'/').next().unwrap().starts_with(b".")
}

impl Model {
    /// The files that the stash looks at.
    pub fn seen(&self) -> Files {
        self.tree
            .iter()
            .filter(|(path, _)| is_seen(path))
            .map(|(path, file)| (path.clone(), file.clone()))
            .collect()
    }

    fn store(&mut self, files: &Files) {
        self.objects.extend(files.values().map(|file| (hex(&file.bytes), file.bytes.len())));
    }

    /// Pushes; returns the number of files in the entry, or `None` when there was nothing to save.
    pub fn push(&mut self, scope: &ModelScope, message: &str, keep: bool, no_head: bool) -> Option<usize> {
        let mut saved = self.seen();
        saved.retain(|path, _| scope.contains(path));
        if saved.is_empty() {
            return None;
        }
        self.store(&saved);
        let count = saved.len();
        let message = if message.is_empty() { "On main: stash" } else { message };
        self.stack.insert(0, ModelEntry { message: message.to_owned(), files: saved.clone() });
        let head = if no_head { None } else { self.head.clone() };
        if !keep && (scope.is_full() || head.is_some()) {
            let head = head.unwrap_or_default();
            for path in saved.keys().filter(|path| !head.contains_key(*path)) {
                self.tree.remove(path);
            }
            for (path, file) in head.into_iter().filter(|(path, _)| scope.contains(path)) {
                let equal = self.tree.get(&path).is_some_and(|present| present.bytes == file.bytes);
                if !equal {
                    self.tree.insert(path, ModelFile { exact: false, ..file });
                }
            }
        }
        Some(count)
    }

    /// Applies the entry at `index`; the number of its files.
    pub fn apply(&mut self, index: usize) -> Option<usize> {
        let entry = self.stack.get(index)?.clone();
        let count = entry.files.len();
        self.tree.extend(entry.files);
        Some(count)
    }

    /// Pops the entry at `index`; the number of its files.
    pub fn pop(&mut self, index: usize) -> Option<usize> {
        let count = self.apply(index)?;
        self.stack.remove(index);
        Some(count)
    }

    /// Records the tree as HEAD; whether that is news.
    pub fn snapshot(&mut self) -> bool {
        let seen = self.seen();
        self.store(&seen);
        let bytes = |files: &Files| -> BTreeMap<Vec<u8>, Vec<u8>> {
            files.iter().map(|(path, file)| (path.clone(), file.bytes.clone())).collect()
        };
        if self.head.as_ref().is_some_and(|head| bytes(head) == bytes(&seen)) {
            return false;
        }
        self.head = Some(seen);
        true
    }

    /// Added, modified and deleted paths against HEAD.
    pub fn changes(&self) -> [BTreeSet<Vec<u8>>; 3] {
        let (seen, head) = (self.seen(), self.head.clone().unwrap_or_default());
        let added = seen.keys().filter(|path| !head.contains_key(*path)).cloned().collect();
        let changed = |(path, file): &(&Vec<u8>, &ModelFile)| {
            head.get(*path).is_some_and(|old| old.bytes != file.bytes)
        };
        let modified = seen.iter().filter(changed).map(|(path, _)| path.clone()).collect();
        let deleted = head.keys().filter(|path| !seen.contains_key(*path)).cloned().collect();
        [added, modified, deleted]
    }

    /// Compares the tree with what is on disk, and learns the permissions and times that it could not know.
    ///
    /// # Errors
    ///
    /// The first difference, in words.
    pub fn compare_tree(&mut self, disk: &Tree) -> Result<(), String> {
        if let Some(path) = disk.keys().find(|path| !self.tree.contains_key(*path)) {
            return Err(format!("{:?} should not be there", path.escape_ascii().to_string()));
        }
        for (path, file) in &mut self.tree {
            let name = path.escape_ascii().to_string();
            match disk.get(path) {
                Some(Node::File { bytes, .. }) if *bytes != file.bytes => {
                    return Err(format!("{name:?} has other bytes"));
                }
                Some(Node::File { mode, mtime, .. }) => {
                    if file.exact && (*mode, *mtime) != (file.mode, file.mtime) {
                        let expected = (file.mode, file.mtime);
                        return Err(format!(
                            "{name:?} has mode and mtime {:?}, not {expected:?}",
                            (mode, mtime)
                        ));
                    }
                    (file.mode, file.mtime, file.exact) = (*mode, *mtime, true);
                }
                Some(other) => return Err(format!("{name:?} is {other:?}")),
                None => return Err(format!("{name:?} is missing")),
            }
        }
        Ok(())
    }
}
