//! The stash of an audio repository: shelve work in progress, get HEAD back, and later get the work back, byte for byte.
//!
//! This crate knows repositories ([`Repository`]), their history ([`history`]), the bytes of their files ([`mod@format`])
//! and the verbs ([`Stash`]). It reads and writes objects through [`stem_store::ObjectStore`] and files through
//! [`stem_fs::Dir`], and knows no backend. Programs depend on the facade `stemvault`, which opens the store that a
//! repository is configured to use.

mod cache;
mod error;
pub mod format;
mod hashing;
pub mod history;
mod journal;
mod merge;
mod parallel;
mod progress;
mod repo;
mod restore;
mod scope;
mod stack;
mod vacate;
mod verbs;
mod walk;

use std::sync::Arc;

use stem_store::ObjectStore;

pub use error::{Error, ErrorKind, LeftAlone, Reason, Result};
pub use format::entry::{FileRecord, StashEntry, StemRecord};
pub use history::{CommitFiles, HeadChoice, HeadFiles, HeadSource};
pub use progress::{Phase, Progress, Silent};
pub use repo::{DEFAULT_WORK_DIR, MUSE_DIR, Repository, Settings};
pub use verbs::{
    ApplyOptions, ApplyResult, Change, ChangeKind, ClearResult, DropResult, EntryRef, PushOptions,
    PushResult, ShownEntry, ShownFile, SnapshotOptions, SnapshotResult, StatusResult, init,
};

/// The stash of one repository.
///
/// Every verb that changes the working tree excludes the others, in this and every other process. References to entries
/// are `stash@{N}`, `N`, or the beginning of a stash id.
#[derive(Debug, Clone, Copy)]
pub struct Stash<'a> {
    repository: &'a Repository,
    store: &'a dyn ObjectStore,
    sources: &'a [Arc<dyn HeadSource>],
}

impl<'a> Stash<'a> {
    /// The stash of `repository`, whose objects are in `store`.
    ///
    /// `sources` are asked, in order, for the files of HEAD's commit; usually [`CommitFiles`] and perhaps a database.
    pub fn new(
        repository: &'a Repository,
        store: &'a dyn ObjectStore,
        sources: &'a [Arc<dyn HeadSource>],
    ) -> Self {
        Self { repository, store, sources }
    }

    fn head_sources(&self) -> Vec<&dyn HeadSource> {
        self.sources.iter().map(AsRef::as_ref).collect()
    }

    /// Saves the working tree, or a part of it, as the newest entry and brings HEAD back.
    ///
    /// Nothing is removed before the objects and the entry are durable, and then only what this push saved and what has
    /// not changed since. When nothing is in scope, nothing is written and `stash_ref` is empty.
    pub fn push(&self, options: &PushOptions, progress: &dyn Progress) -> Result<PushResult> {
        verbs::push::push(*self, options, progress)
    }

    /// All entries, newest first; a broken one stands at its own index.
    pub fn list(&self) -> Result<Vec<EntryRef>> {
        verbs::list::list(*self)
    }

    /// One entry and its files.
    pub fn show(&self, reference: &str) -> Result<ShownEntry> {
        verbs::list::show(*self, reference)
    }

    /// Writes an entry's files into the working tree, over what is there; other paths are left alone. With
    /// [`ApplyOptions::drop`] the entry goes once every file is in place.
    pub fn apply(
        &self,
        reference: &str,
        options: ApplyOptions,
        progress: &dyn Progress,
    ) -> Result<ApplyResult> {
        verbs::apply::apply(*self, reference, options, progress)
    }

    /// Removes an entry, readable or not.
    pub fn drop_entry(&self, reference: &str) -> Result<DropResult> {
        verbs::drop::drop_entry(*self, reference)
    }

    /// Removes all entries.
    pub fn clear(&self) -> Result<ClearResult> {
        verbs::drop::clear(*self)
    }

    /// Records the working tree as HEAD of the branch.
    pub fn snapshot(&self, options: &SnapshotOptions, progress: &dyn Progress) -> Result<SnapshotResult> {
        verbs::snapshot::snapshot(*self, options, progress)
    }

    /// Finishes or undoes a push that died, now. Every verb that writes does so first.
    pub fn recover(&self, progress: &dyn Progress) -> Result<()> {
        journal::recover_if_idle(*self, progress)
    }

    /// Whether a push died and waits for the next verb that writes, which finishes or undoes it first.
    pub fn is_interrupted(&self) -> Result<bool> {
        journal::is_interrupted(self.repository)
    }

    /// What differs from HEAD, what is stashed, and how large the store is.
    pub fn status(&self, progress: &dyn Progress) -> Result<StatusResult> {
        verbs::status::status(*self, progress)
    }
}
