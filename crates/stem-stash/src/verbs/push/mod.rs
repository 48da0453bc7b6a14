//! `push`: save the working tree (or a part of it) as an entry and bring HEAD back.
//!
//! The order is what keeps every byte safe: hash and store → durability barrier → entry, durably → only then the working
//! tree is touched, and only files that this push saved and that have not changed since. Files that are adopted leave
//! the tree earlier, under an intent record that brings them back if the push dies (`adopt`).

mod adopt;
mod clear;
mod save;

use std::collections::HashSet;

use stem_fs::{Barrier, Dir, LockKind, RelPath, Stat};
use stem_hash::{Digest, ObjectId};
use stem_store::{ObjectStat, ObjectStore};

use crate::Stash;
use crate::cache::StatCache;
use crate::error::{LeftAlone, Reason, Result};
use crate::format::Manifest;
use crate::format::entry::{FileRecord, StashEntry, StemRecord};
use crate::format::intent::{Intent, IntentKind};
use crate::format::stamp::{Stamp, StashId};
use crate::format::text::PyStr;
use crate::format::undo::{FileChange, FileState, UndoKind, UndoRecord, UndoVerb};
use crate::history::{HeadChoice, HeadFiles, head_files, head_state};

use crate::journal::{Journal, new_token, recover};
use crate::merge::{Merge, Row, rows_by_bytes};
use crate::progress::{Phase, Progress, Unstoppable};
use crate::repo::LockName;
use crate::scope::Scope;
use crate::shelf;
use crate::stack::{PutIn, Stack, unseen};
use crate::undo::held::row;
use crate::undo::{OpenRecord, UndoLog};
use crate::walk::{WorkFile, is_there_untracked, walk};

use save::{Outcome, Saved};

/// What to push.
#[derive(Debug, Clone, Default)]
pub struct PushOptions {
    /// The entry's label; `None` or empty means `On <branch>: stash`.
    pub message: Option<String>,
    /// Only `tracks/<track>/`, in union with `section` and `paths`.
    pub track: Option<String>,
    /// Only `sections/<section>/`, in union with `track` and `paths`.
    pub section: Option<String>,
    /// Only these files and what lies below these directories, relative to the working tree.
    pub paths: Vec<RelPath>,
    /// Save, and leave the working tree as it is.
    pub keep: bool,
    /// Where to learn what files HEAD has.
    pub head: HeadChoice,
}

/// What a push did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushResult {
    /// `stash@{0}`, or empty when there was nothing to save.
    pub stash_ref: String,
    /// The entry's id.
    pub stash_id: Option<String>,
    /// The entry's label.
    pub message: String,
    /// The branch.
    pub branch: String,
    /// Number of files in the entry.
    pub files_stashed: usize,
    /// Their size in bytes.
    pub bytes_stashed: u64,
    /// Bytes of objects that the store did not have before.
    pub bytes_written: u64,
    /// Whether the working tree was brought back to HEAD.
    pub head_restored: bool,
    /// Files of HEAD whose objects are missing or damaged, so that they could not be restored.
    pub missing_head: Vec<RelPath>,
    /// Paths that were left as they were, with the reason.
    pub left_alone: Vec<LeftAlone>,
}

impl PushResult {
    /// Whether something was left undone that the user expected to be done.
    pub fn is_partial(&self) -> bool {
        !self.missing_head.is_empty() || self.left_alone.iter().any(|left| left.reason.is_partial())
    }
}

/// A file in scope and what HEAD says of it.
pub(crate) struct Item<'a> {
    pub(crate) file: &'a WorkFile,
    /// HEAD's object at this path.
    pub(crate) head: Option<ObjectId>,
    /// The size of that object, if the store has it.
    pub(crate) head_size: Option<u64>,
    /// What the stat cache says that the file hashes to.
    pub(crate) cached: Option<Digest>,
}

impl Item<'_> {
    /// What the file hashes to, if it equals HEAD, whose object the store has, and need not even be opened.
    fn unchanged(&self) -> Option<Digest> {
        self.cached.filter(|digest| self.head == Some(digest.id) && self.head_size == Some(digest.len))
    }
}

pub(crate) fn push(stash: Stash<'_>, options: &PushOptions, progress: &dyn Progress) -> Result<PushResult> {
    let repository = stash.repository;
    let _work_lock = repository.lock(LockName::WorkTree, LockKind::Exclusive, progress)?;
    recover(stash, &Unstoppable(progress))?;
    let state = head_state(repository)?;
    let scope = Scope::new(options.track.as_deref(), options.section.as_deref(), &options.paths);
    progress.begin(Phase::Scanning, 0, 0);
    let work = repository.work()?;
    let rules = repository.walk_rules()?;
    let (head, found) = rayon::join(
        || head_files(&state, &options.head, &stash.head_sources()),
        || work.as_ref().map(|work| walk(work, &scope, &rules)).transpose(),
    );
    let head = head?;
    let mut result = PushResult { branch: state.label, ..PushResult::default() };
    let (Some(work), Some(found)) = (work, found?) else { return Ok(result) };
    found.remove_leftovers(&work);
    result.left_alone.clone_from(&found.left_alone);
    if found.files.is_empty() {
        return Ok(result);
    }
    // Before the first file moves it must be certain that an entry can be written.
    Stack::prepare(repository)?;
    if repository.uses_muse_stash() {
        shelf::check(repository)?;
    }
    let _store_lock = repository.lock(LockName::Store, LockKind::Shared, progress)?;
    let head_rows = head.as_ref().map(|head| rows_by_bytes(&head.manifest)).unwrap_or_default();
    let mut deleted = deleted(&found.files, &head_rows, &scope);
    deleted.retain(|row| !is_there_untracked(Some(&work), &rules, &row.0));
    let push = Push {
        stash,
        options,
        head: head.as_ref(),
        head_rows: &head_rows,
        deleted: &deleted,
        scope: &scope,
        work: &work,
        files: &found.files,
        unread: &found.left_alone,
        clears: !options.keep && (scope.is_full() || head.is_some()),
        token: new_token(),
        progress,
    };
    push.run(result)
}

/// What was stored, and the undo record, which is open until the push ends.
type Stored<'i> = (Vec<(&'i Item<'i>, Saved)>, Option<OpenRecord>);

/// One push that has something to save.
struct Push<'a> {
    stash: Stash<'a>,
    options: &'a PushOptions,
    head: Option<&'a HeadFiles>,
    /// HEAD's files by the bytes of their paths.
    head_rows: &'a [&'a Row],
    /// Those of them that are in scope and not in the working tree.
    deleted: &'a [&'a Row],
    scope: &'a Scope,
    work: &'a Dir,
    files: &'a [WorkFile],
    /// What the walk could not look at.
    unread: &'a [LeftAlone],
    /// Whether the working tree is brought back to HEAD.
    clears: bool,
    /// What the entry's id and the intent records share.
    token: u32,
    progress: &'a dyn Progress,
}

impl Push<'_> {
    fn run(&self, mut result: PushResult) -> Result<PushResult> {
        let mut journal = Journal::new(self.stash.repository, self.token);
        let mut cache = StatCache::load(self.stash.repository, self.stash.store.capabilities().algorithm);
        let items = plan(self.files, self.head_rows, self.stash.store, &cache)?;
        let (saved, undo) = match self.save(&items, &mut journal, &mut result) {
            Ok(saved) => saved,
            Err(error) => {
                // Without an entry, what was renamed comes back; the records say what.
                if let Err(second) = recover(self.stash, &Unstoppable(self.progress)) {
                    self.progress
                        .warn(&format!("the push could not be undone yet, the next command will: {second}"));
                }
                return Err(error);
            }
        };
        if saved.is_empty() {
            return Ok(result);
        }
        if self.clears {
            let _note = self.head.map(|_| self.stash.repository.note_restoring()).transpose()?;
            let clear = clear::Clear {
                work: self.work,
                tmp: &self.stash.repository.tmp_for(self.work)?,
                store: self.stash.store,
                progress: self.progress,
            };
            clear.run(&saved, self.deleted, &mut result)?;
            result.head_restored = self.head.is_some();
        }
        for (item, one) in &saved {
            if matches!(one.fate, save::Fate::Stays) && one.leased && item.unchanged().is_none() {
                cache.put(&item.file.path, &one.stat, &one.digest);
            }
        }
        cache.save(self.scope.is_full().then_some(self.files));
        if let Some(undo) = undo {
            undo.close(None)?;
        }
        journal.close()?;
        result.left_alone.sort_by(|a, b| a.path.cmp(&b.path));
        result.missing_head.sort();
        Ok(result)
    }

    /// Everything up to the durable entry.
    fn save<'i>(
        &self,
        items: &'i [Item<'i>],
        journal: &mut Journal<'_>,
        result: &mut PushResult,
    ) -> Result<Stored<'i>> {
        let Stash { repository, store, .. } = self.stash;
        let mmap = repository.settings().mmap;
        let saver = save::Saver { work: self.work, store, mmap, progress: self.progress };
        let barrier = Barrier::new(repository.muse())?;
        let device = repository.muse().stat_self()?.device;
        let adopts = self.clears && store.capabilities().adopts_files;
        let branch = result.branch.clone();
        let adopter = adopts.then(|| adopt::Adopter {
            saver: &saver,
            barrier: &barrier,
            journal: &mut *journal,
            token: self.token,
            branch: &branch,
            device,
        });
        let mut outcomes = saver.save_all(items, adopter, self.clears)?;
        self.progress.begin(Phase::Syncing, 0, 0);
        store.sync()?;
        if adopt::recheck(&saver, items, &mut outcomes)? {
            store.sync()?;
        }
        let saved = collect(items, outcomes, result);
        let mut undo = None;
        if !saved.is_empty() {
            self.record_clearing(&saved, &branch, journal, &barrier)?;
            let (entry, open) = self.add_entry(&branch, &saved)?;
            undo = Some(open);
            result.stash_ref = "stash@{0}".into();
            result.stash_id = Some(entry.stash_id.to_string());
            result.message = entry.message.to_string_lossy().into_owned();
        }
        Ok((saved, undo))
    }

    /// Notes what will be removed and restored once the entry is there, so that a push which dies then can be finished.
    fn record_clearing(
        &self,
        saved: &[(&Item<'_>, Saved)],
        branch: &str,
        journal: &mut Journal<'_>,
        barrier: &Barrier,
    ) -> Result<()> {
        if !self.clears {
            return Ok(());
        }
        let leaving = |one: &Saved| matches!(one.fate, save::Fate::Leaves);
        let leaving: Vec<_> = saved.iter().filter(|(_, one)| leaving(one)).collect();
        let rows: Vec<_> = leaving.iter().map(|(item, one)| (*item, &one.digest, &one.stat)).collect();
        let replaced = leaving.iter().filter_map(|(item, _)| Some((item.file.path.clone(), item.head?)));
        let head: Vec<_> = replaced.chain(self.deleted.iter().map(|row| (*row).clone())).collect();
        if rows.is_empty() && head.is_empty() {
            return Ok(());
        }
        let stamp = Stamp::from_micros(0).map_err(|e| unusable(&e))?;
        let head = Manifest::new(head).map_err(|e| unusable(&e))?;
        let entry = entry_of(StashId::new(stamp, self.token), stamp, branch, &rows)?;
        journal.write(&Intent { kind: IntentKind::Clear, head, entry }, barrier)?;
        if barrier.is_whole() {
            barrier.flush()?;
        }
        Ok(())
    }

    fn add_entry(&self, branch: &str, saved: &[(&Item<'_>, Saved)]) -> Result<(StashEntry, OpenRecord)> {
        let rows: Vec<_> = saved.iter().map(|(item, one)| (*item, &one.digest, &one.stat)).collect();
        let text = |value: &Option<String>| value.as_deref().filter(|t| !t.is_empty()).map(PyStr::from);
        let default_message = || PyStr::from(format!("On {branch}: stash").as_str());
        let placeholder = Stamp::from_micros(0).map_err(|e| unusable(&e))?;
        let mut entry = entry_of(StashId::new(placeholder, self.token), placeholder, branch, &rows)?;
        entry.message = text(&self.options.message).unwrap_or_else(default_message);
        entry.track = text(&self.options.track);
        entry.section = text(&self.options.section);
        if let Some(stem) = &mut entry.stem {
            stem.head_snapshot = self.head.and_then(|head| head.snapshot);
            stem.deleted = self.deleted.iter().map(|row| row.0.clone()).collect();
        }
        let message = entry.message.clone();
        let into = self.place_for(&entry);
        let mut stack = Stack::open(self.stash.repository)?;
        let make = |stash_id, stamp: Stamp| {
            let created_at = PyStr::from(stamp.to_iso().as_str());
            StashEntry { stash_id, created_at, ..entry }
        };
        let log = UndoLog::new(self.stash.repository);
        let mut open = None;
        let first = |name: &RelPath, into: PutIn| {
            let entries = vec![row(name, self.token, 0, true, into)?];
            let record = UndoRecord {
                kind: UndoKind::Verb,
                verb: UndoVerb::Push,
                of: None,
                message,
                entries,
                files: self.changes(saved),
            };
            // Nothing depends on it before this push ends: its name becomes durable with its end.
            open = Some(log.begin(self.token, record, false)?);
            Ok(())
        };
        let entry = stack.push_after(self.token, into, make, first, self.progress)?;
        let open = open.ok_or_else(|| unusable(&"the undo journal was not written"))?;
        Ok((entry, open))
    }

    /// Where the entry is put. What Muse's array cannot say has a file of its own, and the user is told.
    fn place_for(&self, entry: &StashEntry) -> PutIn {
        if !self.stash.repository.uses_muse_stash() {
            return PutIn::File;
        }
        let part = "it is a part of the working tree, and Muse's pop removes everything else";
        let why = if self.scope.is_full() { shelf::unfit(entry) } else { Some(part) };
        let Some(why) = why else { return PutIn::Shelf };
        self.progress.warn(&unseen(why));
        PutIn::File
    }

    /// What the working tree will be after this push, path by path.
    fn changes(&self, saved: &[(&Item<'_>, Saved)]) -> Vec<FileChange> {
        if !self.clears {
            return Vec::new();
        }
        let of_head = |id, size| FileState { id, size, mtime: None, mode: None };
        let leaves = |one: &Saved| matches!(one.fate, save::Fate::Leaves | save::Fate::Adopted(_));
        let leaving = saved.iter().filter(|(_, one)| leaves(one)).map(|(item, one)| FileChange {
            path: item.file.path.clone(),
            before: Some(FileState {
                id: one.digest.id,
                size: Some(one.digest.len),
                mtime: Some(one.stat.mtime),
                mode: Some(one.stat.mode),
            }),
            after: item.head.map(|id| of_head(id, item.head_size)),
        });
        let unread: HashSet<&RelPath> = self.unread.iter().map(|left| &left.path).collect();
        let missing = self.deleted.iter().filter(|row| !unread.contains(&row.0));
        let coming = missing.map(|(path, id)| FileChange {
            path: path.clone(),
            before: None,
            after: Some(of_head(*id, None)),
        });
        leaving.chain(coming).collect()
    }
}

/// An entry of these files, which are sorted by the bytes of their paths.
fn entry_of(
    stash_id: StashId,
    stamp: Stamp,
    branch: &str,
    rows: &[(&Item<'_>, &Digest, &Stat)],
) -> Result<StashEntry> {
    let paths = rows.iter().map(|(item, digest, _)| (item.file.path.clone(), digest.id)).collect();
    let manifest = Manifest::new(paths).map_err(|e| unusable(&e))?;
    // The manifest is sorted by code points, the rows by bytes: nearly always the same.
    let records = manifest.iter().enumerate().filter_map(|(index, (path, _))| {
        let same = rows.get(index).filter(|(item, ..)| item.file.path == *path);
        let search =
            || rows.binary_search_by(|(item, ..)| item.file.path.cmp(path)).ok().and_then(|at| rows.get(at));
        let (_, digest, stat) = same.or_else(search)?;
        Some(FileRecord { size: digest.len, mtime: stat.mtime, mode: stat.mode, checksum: digest.checksum })
    });
    let stem = StemRecord { files: records.collect(), ..StemRecord::default() };
    Ok(StashEntry {
        stash_id,
        branch: PyStr::from(branch),
        message: PyStr::default(),
        created_at: PyStr::from(stamp.to_iso().as_str()),
        track: None,
        section: None,
        manifest,
        stem: Some(stem),
    })
}

fn unusable(why: &dyn std::fmt::Display) -> crate::Error {
    crate::Error::InvalidInput(format!("these files cannot be stashed: {why}"))
}

/// Joins the walk with HEAD and the stat cache.
fn plan<'a>(
    files: &'a [WorkFile],
    head: &[&Row],
    store: &dyn ObjectStore,
    cache: &StatCache<'_>,
) -> Result<Vec<Item<'a>>> {
    let mut head = Merge::new(head);
    let mut id_of =
        |file: &WorkFile| head.find(file.path.as_bytes(), |row| row.0.as_bytes()).map(|row| row.1);
    let ids: Vec<Option<ObjectId>> = files.iter().map(&mut id_of).collect();
    let known: Vec<ObjectId> = ids.iter().flatten().copied().collect();
    let (stats, cached) = rayon::join(|| store.stat_many(&known), || cache.get_all(files));
    let mut stats = stats?;
    only_what_stays(store, &known, &mut stats)?;
    let mut stats = stats.into_iter();
    let rows = files.iter().zip(ids).zip(cached);
    let item = |((file, head), cached): ((&'a WorkFile, Option<ObjectId>), Option<Digest>)| {
        let stat = head.and_then(|_| stats.next().flatten());
        Item { file, head, head_size: stat.map(|stat| stat.size), cached }
    };
    Ok(rows.map(item).collect())
}

/// Leaves of what a store has what is going to stay there: the rest counts as absent, and is put.
pub(crate) fn only_what_stays(
    store: &dyn ObjectStore,
    ids: &[ObjectId],
    stats: &mut [Option<ObjectStat>],
) -> Result<()> {
    // A store whose objects are files that were renamed into it is nobody else's.
    if store.capabilities().adopts_files {
        return Ok(());
    }
    let found: Vec<ObjectId> =
        ids.iter().zip(&*stats).filter(|(_, stat)| stat.is_some()).map(|(id, _)| *id).collect();
    let counts = store.rely_on(&found)?;
    for (stat, counts) in stats.iter_mut().filter(|stat| stat.is_some()).zip(counts) {
        *stat = stat.filter(|_| counts);
    }
    Ok(())
}

/// What HEAD has in scope and the working tree lacks.
fn deleted<'a>(files: &[WorkFile], head: &[&'a Row], scope: &Scope) -> Vec<&'a Row> {
    let mut files = Merge::new(files);
    let mut is_gone = |row: &&Row| files.find(row.0.as_bytes(), |file| file.path.as_bytes()).is_none();
    head.iter().filter(|row| is_gone(row) && scope.contains(&row.0)).copied().collect()
}

/// Splits what was saved from what was left, and counts.
fn collect<'a>(
    items: &'a [Item<'a>],
    outcomes: Vec<Outcome>,
    result: &mut PushResult,
) -> Vec<(&'a Item<'a>, Saved)> {
    let mut saved = Vec::with_capacity(items.len());
    for (item, outcome) in items.iter().zip(outcomes) {
        match outcome {
            Outcome::Left(reason) => {
                result.left_alone.push(LeftAlone { path: item.file.path.clone(), reason });
            }
            Outcome::Saved(one) => {
                result.files_stashed += 1;
                result.bytes_stashed += one.digest.len;
                result.bytes_written += one.bytes_written;
                if let Some(reason) = one.kept() {
                    result.left_alone.push(LeftAlone { path: item.file.path.clone(), reason });
                }
                saved.push((item, one));
            }
        }
    }
    saved
}

impl Saved {
    /// Why the file stays in the working tree although the push would have cleared it.
    fn kept(&self) -> Option<Reason> {
        match &self.fate {
            save::Fate::Kept(reason) => Some(reason.clone()),
            _ => None,
        }
    }
}
