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
use crate::merge::{Merge, rows_by_bytes};
use crate::progress::{Phase, Progress};
use crate::scope::Scope;
use crate::stack::Stack;
use crate::verbs::list::{EntryRef, entry_ref};
use crate::walk::{WorkFile, is_there_untracked, walk};

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
    let look = || (object_ids(stash), newest_entry(stash));
    let (compared, (ids, stack)) = rayon::join(|| compare_with_head(stash, progress), look);
    let ((status, known), ids, (entries, newest)) = (compared?, ids?, stack?);
    let object_bytes = size_of(stash, &ids, known)?;
    Ok(StatusResult { objects: ids.len() as u64, object_bytes, entries, newest, ..status })
}

/// The number of entries, and the newest.
fn newest_entry(stash: Stash<'_>) -> Result<(usize, Option<EntryRef>)> {
    let stack = Stack::open(stash.repository)?;
    let slots = stack.slots()?;
    Ok((slots.len(), slots.into_iter().find_map(|slot| entry_ref(&stack, slot))))
}

/// The sizes of some objects.
type Sizes = Vec<(ObjectId, u64)>;

/// All but the stack and the store, and the sizes of objects that came to be known on the way.
fn compare_with_head(stash: Stash<'_>, progress: &dyn Progress) -> Result<(StatusResult, Sizes)> {
    let repository = stash.repository;
    let state = head_state(repository)?;
    progress.begin(Phase::Scanning, 0, 0);
    let work = repository.work()?;
    let rules = repository.walk_rules()?;
    let (head, found) = rayon::join(
        || head_files(&state, &HeadChoice::Repository, &stash.head_sources()),
        || work.as_ref().map(|work| walk(work, &Scope::default(), &rules)).transpose(),
    );
    let head = match head {
        Ok(head) => Some(head.map(|head| head.manifest).unwrap_or_default()),
        Err(Error::HeadUnknown { .. }) => None,
        // All else that is asked for can be told without it.
        Err(Error::Database(error)) => {
            progress.warn(&format!("what files HEAD has is unknown: {}", error.message()));
            None
        }
        Err(error) => return Err(error),
    };
    let found = found?.unwrap_or_default();
    let mut left_alone = found.left_alone;
    let mut changes = Vec::new();
    let mut sizes = Sizes::new();
    let head_known = head.is_some();
    if let Some(manifest) = head {
        let rows = rows_by_bytes(&manifest);
        let mut compared = Vec::new();
        let mut in_head = Merge::new(&rows);
        for (index, file) in found.files.iter().enumerate() {
            match in_head.find(file.path.as_bytes(), |row| row.0.as_bytes()) {
                Some(row) => compared.push((index, row.1)),
                None => changes.push(Change { path: file.path.clone(), kind: ChangeKind::Added }),
            }
        }
        let unread: HashSet<&RelPath> = left_alone.iter().map(|left| &left.path).collect();
        let mut in_tree = Merge::new(&found.files);
        for (path, _) in rows {
            let is_gone = in_tree.find(path.as_bytes(), |file| file.path.as_bytes()).is_none();
            if is_gone && !unread.contains(path) && !is_there_untracked(work.as_ref(), &rules, path) {
                changes.push(Change { path: path.clone(), kind: ChangeKind::Deleted });
            }
        }
        for (path, outcome) in
            compare(stash, &found.files, &compared, &mut sizes, Some(&found.files), progress)?
        {
            match outcome {
                Ok(()) => changes.push(Change { path, kind: ChangeKind::Modified }),
                Err(reason) => left_alone.push(LeftAlone { path, reason }),
            }
        }
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let status = StatusResult {
        branch: state.label,
        commit: state.commit,
        head_known,
        changes,
        files: found.files.len(),
        entries: 0,
        newest: None,
        objects: 0,
        object_bytes: 0,
        left_alone,
    };
    Ok((status, sizes))
}

/// A path that differs, or that could not be compared.
type Differs = (RelPath, std::result::Result<(), Reason>);

/// Those of the files, given by index, that do not have the bytes of the object beside them. `whole` names every file of
/// the working tree, if all were walked.
pub(super) fn compare(
    stash: Stash<'_>,
    all: &[WorkFile],
    files: &[(usize, ObjectId)],
    sizes: &mut Sizes,
    whole: Option<&[WorkFile]>,
    progress: &dyn Progress,
) -> Result<Vec<Differs>> {
    let Some(work) = stash.repository.work()? else { return Ok(Vec::new()) };
    let mut cache = StatCache::load(stash.repository, stash.store.capabilities().algorithm);
    let cached = cache.get_all(all);
    let mut differ = Vec::new();
    let mut unknown = Vec::new();
    for (index, id) in files {
        let file = &all[*index];
        match cached[*index] {
            Some(digest) if digest.id == *id => sizes.push((*id, digest.len)),
            Some(_) => differ.push((file.path.clone(), Ok(()))),
            None => unknown.push((file, *id)),
        }
    }
    // A file of another size than its object need not be read.
    let ids: Vec<_> = unknown.iter().map(|(_, id)| *id).collect();
    let sizes = stash.store.stat_many(&ids)?;
    let mut to_hash = Vec::new();
    for ((file, id), object) in unknown.into_iter().zip(sizes) {
        if object.is_some_and(|object| object.size != file.stat.size) {
            differ.push((file.path.clone(), Ok(())));
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
        match hashed {
            Ok(hashed) => {
                if hashed.leased {
                    cache.put(&file.path, &hashed.stat, &hashed.digest);
                }
                if hashed.digest.id != id {
                    differ.push((file.path.clone(), Ok(())));
                }
            }
            Err(reason) => differ.push((file.path.clone(), Err(reason))),
        }
    }
    cache.save(whole);
    Ok(differ)
}

/// All objects, sorted.
fn object_ids(stash: Stash<'_>) -> Result<Vec<ObjectId>> {
    let mut ids = Vec::new();
    stash.store.list(&IdPrefix::default(), &mut |id| {
        ids.push(id);
        std::ops::ControlFlow::Continue(())
    })?;
    ids.sort_unstable();
    Ok(ids)
}

/// The size of all objects together. Those whose size is `known` are not looked at.
fn size_of(stash: Stash<'_>, ids: &[ObjectId], mut known: Sizes) -> Result<u64> {
    known.sort_unstable();
    let mut known = known.into_iter().peekable();
    let mut total = 0u64;
    let mut unknown = Vec::new();
    for id in ids {
        while known.next_if(|(other, _)| other < id).is_some() {}
        match known.peek() {
            Some((other, len)) if other == id => total += len,
            _ => unknown.push(*id),
        }
    }
    let stats = stash.store.stat_many(&unknown)?;
    Ok(total + stats.iter().flatten().map(|stat| stat.size).sum::<u64>())
}
