//! `status`: what differs from HEAD, what is stashed, how large the store is.

use std::collections::HashSet;

use stem_fs::RelPath;
use stem_hash::{HashOptions, IdPrefix, ObjectId};

use crate::Stash;
use crate::cache::StatCache;
use crate::error::{Error, LeftAlone, Reason, Result};
use crate::format::commit::CommitId;
use crate::hashing::hash_files;
use crate::history::{HeadChoice, head_files, head_state};
use crate::progress::{Phase, Progress};
use crate::scope::Scope;
use crate::stack::Stack;
use crate::verbs::list::{EntryRef, entry_ref};
use crate::walk::{Walk, WorkFile, walk};

const INTERRUPTED: &str = "nothing was changed";

/// How a path differs from HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// HEAD does not have it.
    Added,
    /// HEAD has other bytes.
    Modified,
    /// Only HEAD has it.
    Deleted,
}

/// One path that differs from HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path in the working tree.
    pub path: RelPath,
    /// How it differs.
    pub kind: ChangeKind,
}

/// The state of the working tree, the stack and the store.
#[derive(Debug, Clone)]
pub struct StatusResult {
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub commit: Option<CommitId>,
    /// Whether HEAD's files are known; if not, `changes` is empty.
    pub head_known: bool,
    /// What differs from HEAD, sorted by path.
    pub changes: Vec<Change>,
    /// Number of files in the working tree.
    pub files: usize,
    /// Number of entries.
    pub entries: usize,
    /// The newest entry.
    pub newest: Option<EntryRef>,
    /// Number of objects in the store.
    pub objects: u64,
    /// Their size in bytes.
    pub object_bytes: u64,
    /// Paths that are not looked at, with the reason.
    pub left_alone: Vec<LeftAlone>,
}

pub(crate) fn status(stash: Stash<'_>, progress: &dyn Progress) -> Result<StatusResult> {
    let repository = stash.repository;
    let state = head_state(repository)?;
    let head = match head_files(&state, &HeadChoice::Repository, &stash.head_sources()) {
        Ok(head) => Some(head),
        Err(Error::HeadUnknown { .. }) => None,
        Err(error) => return Err(error),
    };
    let mut cache = StatCache::load(repository, stash.store.capabilities().algorithm);
    progress.begin(Phase::Scanning, 0, 0);
    let found = match repository.work()? {
        Some(work) => walk(&work, &Scope::default())?,
        None => Walk::default(),
    };
    let mut left_alone = found.left_alone;
    let mut changes = Vec::new();
    let head_known = head.is_some();
    if let Some(head) = head {
        let manifest = head.map(|head| head.manifest).unwrap_or_default();
        let mut compared = Vec::new();
        for file in &found.files {
            match manifest.get(&file.path) {
                Some(id) => compared.push((file, *id)),
                None => changes.push(Change { path: file.path.clone(), kind: ChangeKind::Added }),
            }
        }
        let seen: HashSet<&RelPath> = found.files.iter().map(|file| &file.path).collect();
        let unread: HashSet<RelPath> = left_alone.iter().map(|left| left.path.clone()).collect();
        for (path, _) in manifest.iter().filter(|(path, _)| !seen.contains(path) && !unread.contains(path)) {
            changes.push(Change { path: path.clone(), kind: ChangeKind::Deleted });
        }
        for (path, outcome) in compare(stash, &compared, &mut cache, progress)? {
            match outcome {
                Ok(true) => {}
                Ok(false) => changes.push(Change { path, kind: ChangeKind::Modified }),
                Err(reason) => left_alone.push(LeftAlone { path, reason }),
            }
        }
    }
    cache.save(Some(&found.files));
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let stack = Stack::open(repository)?;
    let slots = stack.slots()?;
    let entries = slots.len();
    let newest = slots.into_iter().find_map(|slot| entry_ref(&stack, slot));
    let (objects, object_bytes) = store_size(stash)?;
    Ok(StatusResult {
        branch: state.label,
        commit: state.commit,
        head_known,
        changes,
        files: found.files.len(),
        entries,
        newest,
        objects,
        object_bytes,
        left_alone,
    })
}

type Compared = (RelPath, std::result::Result<bool, Reason>);

/// Whether each file has the bytes of the object beside it.
fn compare(
    stash: Stash<'_>,
    files: &[(&WorkFile, ObjectId)],
    cache: &mut StatCache<'_>,
    progress: &dyn Progress,
) -> Result<Vec<Compared>> {
    let Some(work) = stash.repository.work()? else { return Ok(Vec::new()) };
    let mut compared = Vec::with_capacity(files.len());
    let mut unknown = Vec::new();
    for (file, id) in files {
        match cache.get(&file.path, &file.stat) {
            Some(digest) => compared.push((file.path.clone(), Ok(digest.id == *id))),
            None => unknown.push((*file, *id)),
        }
    }
    // A file of another size than its object need not be read.
    let ids: Vec<_> = unknown.iter().map(|(_, id)| *id).collect();
    let sizes = stash.store.stat_many(&ids)?;
    let mut to_hash = Vec::new();
    for ((file, id), object) in unknown.into_iter().zip(sizes) {
        if object.is_some_and(|object| object.size != file.stat.size) {
            compared.push((file.path.clone(), Ok(false)));
        } else {
            to_hash.push((file, id));
        }
    }
    let bytes = to_hash.iter().map(|(file, _)| file.stat.size).sum();
    progress.begin(Phase::Hashing, to_hash.len() as u64, bytes);
    let algorithm = stash.store.capabilities().algorithm;
    let options = HashOptions { algorithm, checksum: true, mmap: stash.repository.settings().mmap };
    let files: Vec<&WorkFile> = to_hash.iter().map(|(file, _)| *file).collect();
    let hashed = hash_files(&work, &files, options, progress, INTERRUPTED)?;
    for ((file, id), hashed) in to_hash.into_iter().zip(hashed) {
        let outcome = hashed.map(|hashed| {
            if hashed.leased {
                cache.put(&file.path, &hashed.stat, &hashed.digest);
            }
            hashed.digest.id == id
        });
        compared.push((file.path.clone(), outcome));
    }
    Ok(compared)
}

/// Number and size of all objects.
fn store_size(stash: Stash<'_>) -> Result<(u64, u64)> {
    let mut ids = Vec::new();
    stash.store.list(&IdPrefix::default(), &mut |id| {
        ids.push(id);
        std::ops::ControlFlow::Continue(())
    })?;
    let stats = stash.store.stat_many(&ids)?;
    Ok((ids.len() as u64, stats.iter().flatten().map(|stat| stat.size).sum()))
}
