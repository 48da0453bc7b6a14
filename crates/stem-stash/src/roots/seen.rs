//! `.muse/stem/seen/<stash id>`: which objects an entry had, should somebody else remove its file.
//!
//! Muse drops entries too, and knows no journal. Written when an entry is pushed and when gc comes across one; not synced,
//! for what a power cut tears is written anew as long as the entry is there.

use std::io::Write as _;

use stem_fs::{Dir, Publish, RelPath};
use stem_hash::ObjectId;

use crate::error::{Error, Result};
use crate::format::Manifest;
use crate::format::entry::StashEntry;
use crate::format::idlist::{IdList, ListKind, MAX_LIST_BYTES, decode, encode};
use crate::repo::{Repository, fixed};

const SEEN: &str = "stem/seen";

/// What an entry had.
pub(super) struct SeenEntry {
    pub(super) objects: Vec<ObjectId>,
    /// When gc first missed it, in microseconds since the epoch; 0 while it is there.
    pub(super) missing_since: i64,
}

/// The objects of a manifest, sorted, each once.
pub(super) fn objects_of(manifest: &Manifest) -> Vec<ObjectId> {
    let mut objects: Vec<ObjectId> = manifest.iter().map(|(_, id)| *id).collect();
    objects.sort_unstable();
    objects.dedup();
    objects
}

/// Remembers an entry that was just written. That it cannot be done is no reason to fail: gc will do it.
pub(crate) fn note(repository: &Repository, entry: &StashEntry) {
    let _ = write(repository, entry.stash_id.as_str(), &objects_of(&entry.manifest), 0);
}

/// Forgets an entry that a verb of ours removes: its undo record says more.
pub(crate) fn forget(repository: &Repository, stash_id: &str) {
    let name = RelPath::new(stash_id.as_bytes()).ok();
    if let (Some(name), Ok(Some(dir))) = (name, open(repository)) {
        let _ = dir.remove_file(&name);
    }
}

pub(super) fn open(repository: &Repository) -> Result<Option<Dir>> {
    Ok(repository.muse().sub(&fixed(SEEN))?)
}

/// The record of an entry; the error is for people.
pub(super) fn read(dir: &Dir, name: &RelPath) -> std::result::Result<Option<SeenEntry>, String> {
    let bytes = dir.read(name, MAX_LIST_BYTES as u64).map_err(|error| error.source.to_string())?;
    let list = bytes.map(|bytes| decode(ListKind::Seen, &bytes)).transpose().map_err(|e| e.to_string())?;
    Ok(list.map(|list| SeenEntry {
        objects: list.rows.into_iter().map(|(id, _)| id).collect(),
        missing_since: list.time,
    }))
}

/// Writes the record of an entry.
pub(super) fn write(
    repository: &Repository,
    stash_id: &str,
    objects: &[ObjectId],
    missing_since: i64,
) -> Result<()> {
    let wrong = |why: String| Error::InvalidInput(format!("the entry {stash_id} cannot be noted: {why}"));
    let name = RelPath::new(stash_id.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let rows = objects.iter().map(|id| (*id, 0)).collect();
    let list = IdList { time: missing_since, subject: [0; 32], rows };
    let bytes = encode(ListKind::Seen, &list).map_err(|error| wrong(error.to_string()))?;
    let dir = repository.muse().ensure_dir(&fixed(SEEN))?;
    let mut temp = repository.tmp_dir()?.temp_file(0o600)?;
    temp.write_all(&bytes).map_err(|error| stem_fs::Error::new("write", temp.path(), error))?;
    temp.persist(&dir, &name, Publish::Replace)?;
    Ok(())
}
