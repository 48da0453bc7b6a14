//! The same paths in two states: what HEAD had when an entry was made, what the entry has, what lies in the working tree.
//!
//! Only whether the bytes are the same is said here. What differs in them is for whoever understands audio, which this
//! crate does not. A file is read only when neither its size nor the stat cache tells.

use std::collections::HashMap;

use rayon::prelude::*;
use stem_fs::{FileKind, RelPath};
use stem_hash::ObjectId;

use super::status;
use crate::Stash;
use crate::error::{Reason, Result};
use crate::format::Manifest;
use crate::format::commit::SnapshotId;
use crate::history::{CommitFiles, HeadChoice, HeadFiles, head_files, head_state};
use crate::progress::Progress;
use crate::walk::WorkFile;

/// What stands at a path of the working tree, compared with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InTree {
    /// Nothing.
    Absent,
    /// A file with the object's bytes.
    Same {
        /// Its length in bytes.
        size: u64,
    },
    /// A file with other bytes.
    Other {
        /// Its length in bytes.
        size: u64,
    },
    /// Something that is no regular file.
    NoFile(FileKind),
    /// A file that could not be compared.
    Unread(Reason),
}

pub(crate) fn head_now(stash: Stash<'_>) -> Result<Option<HeadFiles>> {
    head_files(&head_state(stash.repository)?, &HeadChoice::Repository, &stash.head_sources())
}

pub(crate) fn snapshot_files(stash: Stash<'_>, id: &SnapshotId) -> Result<Option<Manifest>> {
    if let Some(snapshot) = CommitFiles::new(stash.repository).snapshot(id)? {
        return Ok(Some(snapshot.manifest));
    }
    // A database knows commits, not snapshots; HEAD is mostly where it was. What cannot be told is no error: the question
    // was about an entry, not about HEAD.
    let head = head_now(stash).ok().flatten();
    Ok(head.filter(|head| head.snapshot.as_ref() == Some(id)).map(|head| head.manifest))
}

/// What stands at each of the paths, in their order. `None` asks for a path that should not be there.
pub(crate) fn in_tree(
    stash: Stash<'_>,
    rows: &[(RelPath, Option<ObjectId>)],
    progress: &dyn Progress,
) -> Result<Vec<InTree>> {
    let Some(work) = stash.repository.work()? else { return Ok(vec![InTree::Absent; rows.len()]) };
    let look = |(path, _): &(RelPath, Option<ObjectId>)| match work.stat(path) {
        Ok(None) => Err(InTree::Absent),
        Ok(Some(stat)) if stat.kind == FileKind::File => Ok(WorkFile { path: path.clone(), stat }),
        Ok(Some(stat)) => Err(InTree::NoFile(stat.kind)),
        Err(error) => Err(InTree::Unread(Reason::Unreadable(error.source.to_string()))),
    };
    let looked: Vec<std::result::Result<WorkFile, InTree>> = rows.par_iter().map(look).collect();
    let mut files: Vec<(&WorkFile, Option<ObjectId>)> = looked
        .iter()
        .zip(rows)
        .filter_map(|(looked, row)| looked.as_ref().ok().map(|file| (file, row.1)))
        .collect();
    files.sort_unstable_by(|a, b| a.0.path.cmp(&b.0.path));
    let all: Vec<WorkFile> = files.iter().map(|(file, _)| (*file).clone()).collect();
    let wanted: Vec<(usize, ObjectId)> =
        files.iter().enumerate().filter_map(|(index, (_, id))| Some((index, (*id)?))).collect();
    let differ: HashMap<RelPath, std::result::Result<(), Reason>> =
        status::compare(stash, &all, &wanted, &mut Vec::new(), None, progress)?.into_iter().collect();
    let answers = looked.into_iter().zip(rows).map(|(looked, (path, id))| match (looked, differ.get(path)) {
        (Err(other), _) => other,
        (Ok(file), None) if id.is_some() => InTree::Same { size: file.stat.size },
        (Ok(file), None | Some(Ok(()))) => InTree::Other { size: file.stat.size },
        (Ok(_), Some(Err(Reason::Vanished))) => InTree::Absent,
        (Ok(_), Some(Err(reason))) => InTree::Unread(reason.clone()),
    });
    Ok(answers.collect())
}
