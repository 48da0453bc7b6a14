//! The stash of an audio repository: shelve work in progress, get HEAD back, and later get the work back, byte for byte.
//!
//! This crate knows repositories ([`Repository`]), their history ([`history`]), the bytes of their files ([`mod@format`])
//! and the verbs ([`Stash`]). It reads and writes objects through [`stem_store::ObjectStore`] and files through
//! [`stem_fs::Dir`], and knows no backend. Programs depend on the facade `stemvault`, which opens the store that a
//! repository is configured to use.

mod cache;
mod condemned;
mod database;
mod error;
pub mod format;
mod generation;
mod hashing;
pub mod history;
pub mod ignore;
mod journal;
mod merge;
mod parallel;
mod progress;
mod repo;
mod restore;
mod roots;
mod scope;
mod shelf;
mod stack;
mod transit;
mod undo;
mod vacate;
mod verbs;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use stem_fs::{Dir, RelPath, Stat};
use stem_hash::ObjectId;
use stem_store::ObjectStore;

pub use condemned::{Condemned, StoreLock};
pub use database::{DatabaseError, DatabaseErrorKind};
pub use error::{Error, ErrorKind, LeftAlone, Reason, Result};
pub use format::commit::Generation;
pub use format::entry::{FileRecord, StashEntry, StemRecord};
pub use format::undo::UndoVerb;
pub use generation::{Signs, generation_of, generation_of_head};
pub use history::{
    CommitFiles, CommitRecord, CommitVisitor, HeadChoice, HeadFiles, HeadSource, RecordedFiles, VisitedCommit,
};
pub use progress::{Phase, Progress, Silent};
pub use repo::{
    DEFAULT_UNDO_EXPIRE, DEFAULT_WORK_DIR, MUSE_DIR, Repository, Settings, StashFormat, WorkTree,
};
pub use roots::{Holder, Names, RootOptions, Roots};
pub use undo::Expired;
pub use verbs::{
    AddedEntry, ApplyOptions, ApplyResult, BadRecord, Change, ChangeKind, ClearResult, DropResult, EntryRef,
    InTree, Place, Places, PushOptions, PushResult, References, ShownEntry, ShownFile, SnapshotOptions,
    SnapshotResult, StatusResult, WorkTreeCheck, init,
};
pub use verbs::{
    EntryMoved, OnConflict, Planned, PlannedAction, UndoItem, UndoList, UndoOptions, UndoResult,
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

    /// The files of HEAD's commit now; `None` on a branch without commits.
    ///
    /// # Errors
    ///
    /// [`Error::HeadUnknown`] when no source knows the commit.
    pub fn head_files(&self) -> Result<Option<HeadFiles>> {
        verbs::compare::head_now(*self)
    }

    /// The files of a snapshot, as [`StemRecord::head_snapshot`] names one; `None` when it is recorded nowhere.
    pub fn snapshot_files(&self, id: &format::commit::SnapshotId) -> Result<Option<format::Manifest>> {
        verbs::compare::snapshot_files(*self, id)
    }

    /// What stands at these paths of the working tree, each compared with an object; with `None`, only what stands there.
    /// The answers stand in the order of the paths, of which none is there twice.
    pub fn compare_with_tree(
        &self,
        rows: &[(RelPath, Option<ObjectId>)],
        progress: &dyn Progress,
    ) -> Result<Vec<InTree>> {
        verbs::compare::in_tree(*self, rows, progress)
    }

    /// Writes an entry's files into the working tree, over what is there; other paths are left alone. With
    /// [`ApplyOptions::drop`] the entry goes once every file is in place.
    #[expect(clippy::needless_pass_by_value, reason = "as callers write it: options are made for one call")]
    pub fn apply(
        &self,
        reference: &str,
        options: ApplyOptions,
        progress: &dyn Progress,
    ) -> Result<ApplyResult> {
        verbs::apply::apply(*self, reference, &options, progress)
    }

    /// Removes an entry, readable or not.
    pub fn drop_entry(&self, reference: &str) -> Result<DropResult> {
        verbs::drop::drop_entry(*self, reference)
    }

    /// Removes all entries.
    pub fn clear(&self) -> Result<ClearResult> {
        verbs::drop::clear(*self)
    }

    /// The entry of the stack that is this one of a bundle, or was imported from it.
    pub fn find_imported(&self, entry: &StashEntry) -> Result<Option<AddedEntry>> {
        verbs::import::find(*self, entry)
    }

    /// Adds an entry of another repository as the newest, unless it is there and `again` does not ask for a second one. The
    /// lock is [`Stash::share_store`]'s, held since before it was known that the entry's objects are in the store.
    pub fn add_imported(
        &self,
        lock: &StoreLock,
        entry: StashEntry,
        again: bool,
        progress: &dyn Progress,
    ) -> Result<AddedEntry> {
        verbs::import::add(*self, lock, entry, again, progress)
    }

    /// Records the working tree as HEAD of the branch.
    pub fn snapshot(&self, options: &SnapshotOptions, progress: &dyn Progress) -> Result<SnapshotResult> {
        verbs::snapshot::snapshot(*self, options, progress)
    }

    /// Reverts what the last verb did that is not undone yet: push, apply, pop, drop, clear or import.
    ///
    /// Files that have changed since stay and are reported, unless [`UndoOptions::force`] says otherwise.
    pub fn undo(&self, options: UndoOptions, progress: &dyn Progress) -> Result<UndoResult> {
        verbs::undo::revert(*self, false, options, progress)
    }

    /// Does again what was undone last. A new verb ends the way forward.
    pub fn redo(&self, options: UndoOptions, progress: &dyn Progress) -> Result<UndoResult> {
        verbs::undo::revert(*self, true, options, progress)
    }

    /// What can be undone and done again.
    pub fn undo_list(&self) -> Result<UndoList> {
        verbs::undo::list(*self)
    }

    /// Every file of the working tree that is tracked, sorted by path: what a push without a scope saves, by the rules of
    /// the repository's generation (`docs/muse.md`). Links and special files are not among them.
    pub fn tracked_files(&self) -> Result<Vec<(RelPath, Stat)>> {
        let Some(work) = self.repository.work()? else { return Ok(Vec::new()) };
        let found = walk::walk(&work, &scope::Scope::default(), &self.repository.walk_rules()?)?;
        Ok(found.files.into_iter().map(|file| (file.path, file.stat)).collect())
    }

    /// Every object that the undo journal needs, sorted.
    ///
    /// # Errors
    ///
    /// A record that cannot be read: then it is not known what it needs.
    pub fn undo_roots(&self) -> Result<Vec<ObjectId>> {
        undo::UndoLog::new(self.repository).roots()
    }

    /// Forgets what verbs did longer ago than `age`, and gives back the room that it took. Not to be called while the
    /// store's lock is held.
    pub fn expire_undo(&self, age: Duration, progress: &dyn Progress) -> Result<Expired> {
        verbs::undo::expire(*self, age, progress)
    }

    /// Finishes or takes back a verb that died, now. Every verb that writes does so first.
    pub fn recover(&self, progress: &dyn Progress) -> Result<()> {
        journal::recover_if_idle(*self, progress)
    }

    /// Whether a verb died and waits for the next one that writes, which finishes it or takes it back first.
    pub fn is_interrupted(&self) -> Result<bool> {
        journal::is_interrupted(self.repository)
    }

    /// Keeps everybody out who may begin to need an object: pushes and snapshots wait until the lock is dropped. Gives up
    /// after `timeout`.
    pub fn lock_store(&self, timeout: Duration, progress: &dyn Progress) -> Result<StoreLock> {
        condemned::lock_store(self.repository, timeout, progress)
    }

    /// Keeps the garbage collection out until the lock is dropped: for whoever stores objects that nothing names yet.
    pub fn share_store(&self, progress: &dyn Progress) -> Result<StoreLock> {
        condemned::share_store(self.repository, progress)
    }

    /// Every object that something in the repository needs.
    ///
    /// # Errors
    ///
    /// [`Error::RootUnreadable`] when something that may name objects cannot be read: then it is unknown what is needed.
    pub fn roots(&self, options: &RootOptions, progress: &dyn Progress) -> Result<Roots> {
        roots::roots(*self, options, progress)
    }

    /// Every object that Muse's own verbs may ask for, sorted: what is stashed or can be brought back, and the files of
    /// every branch's head, without the history behind it.
    ///
    /// # Errors
    ///
    /// [`Error::RootUnreadable`] when something of that cannot be read.
    pub fn hot_objects(&self, progress: &dyn Progress) -> Result<Vec<ObjectId>> {
        roots::hot(*self, progress)
    }

    /// The digest of how the roots look now, to compare with [`Roots::witness`].
    pub fn root_witness(&self, progress: &dyn Progress) -> Result<[u8; 32]> {
        roots::witness(*self, progress)
    }

    /// What earlier collections found unneeded in the store of this name.
    pub fn condemned(&self, store: &str, progress: &dyn Progress) -> Result<Condemned> {
        condemned::load(self.repository, store, progress)
    }

    /// Writes the list of what is unneeded, with the time `now` in microseconds since the epoch.
    pub fn save_condemned(
        &self,
        _lock: &StoreLock,
        store: &str,
        now: i64,
        rows: Vec<(ObjectId, i64)>,
    ) -> Result<()> {
        condemned::save(self.repository, store, now, rows)
    }

    /// Takes objects off that list, because they were stored again. The caller shares the store's lock.
    pub fn reprieve(
        &self,
        _lock: &StoreLock,
        store: &str,
        ids: &[ObjectId],
        progress: &dyn Progress,
    ) -> Result<()> {
        condemned::reprieve(*self, store, ids, progress)
    }

    /// Writes down what a collection did, for people.
    pub fn save_gc_record(&self, json: &str) -> Result<()> {
        condemned::save_record(self.repository, json)
    }

    /// Who names the objects that are `wanted`, in the whole repository. Files that cannot be read are reported.
    pub fn references(
        &self,
        wanted: &dyn Fn(&ObjectId) -> bool,
        progress: &dyn Progress,
    ) -> Result<References> {
        verbs::verify::references(*self, wanted, progress)
    }

    /// Reads every file of the working tree and compares it with HEAD and with what is remembered of it.
    pub fn check_work_tree(&self, progress: &dyn Progress) -> Result<WorkTreeCheck> {
        verbs::verify::check_work_tree(*self, progress)
    }

    /// Files of the working tree that have the bytes of one of these objects.
    pub fn find_in_work_tree(
        &self,
        ids: &[ObjectId],
        progress: &dyn Progress,
    ) -> Result<HashMap<ObjectId, (RelPath, Stat)>> {
        verbs::verify::find_in_work_tree(*self, ids, progress)
    }

    /// What a verification of the store of this name found sound before it was stopped, sorted.
    pub fn verified_before(&self, store: &str) -> Result<Vec<ObjectId>> {
        verbs::verify::load_verified(self.repository, store)
    }

    /// Notes what was found sound at `now`, in microseconds since the epoch; nothing removes the note.
    pub fn save_verified(&self, store: &str, now: i64, ids: Vec<ObjectId>) -> Result<()> {
        verbs::verify::save_verified(self.repository, store, now, ids)
    }

    /// Whether this is a repository of newer Muse, by what HEAD says now.
    pub fn is_newer_muse(&self) -> bool {
        history::head_state(self.repository)
            .is_ok_and(|state| generation_of_head(&state.head) == Generation::Newer)
    }

    /// The directory for files on their way to a final name.
    pub fn temporaries(&self) -> Result<Dir> {
        self.repository.tmp_dir()
    }

    /// The directory for damaged objects.
    pub fn quarantine(&self) -> Result<Dir> {
        verbs::verify::quarantine(self.repository)
    }

    /// What differs from HEAD, what is stashed, and how large the store is.
    pub fn status(&self, progress: &dyn Progress) -> Result<StatusResult> {
        verbs::status::status(*self, progress)
    }
}
