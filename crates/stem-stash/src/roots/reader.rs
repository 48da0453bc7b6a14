//! Reading every root, one document at a time.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use stem_fs::{Dir, FileKind, LockKind, RelPath};
use stem_hash::ObjectId;

use super::layout::{self, is_temporary, shown};
use super::{Holder, Names, RootOptions, VANISHED_MICROS, seen};
use crate::Stash;
use crate::error::{Error, Result};
use crate::format::commit::{CommitId, MAX_SNAPSHOT_BYTES, SnapshotId, decode_snapshot};
use crate::format::entry::{self, MAX_ENTRY_BYTES};
use crate::format::head::{Head, MAX_REF_BYTES, parse_ref};
use crate::format::intent;
use crate::format::muse::decode_muse_element;
use crate::format::stamp::Stamp;
use crate::format::undo::{self, FileState, MAX_UNDO_BYTES, UndoId, UndoRecord};
use crate::history::{RecordedFiles, in_folder};
use crate::journal::{JOURNAL, token_of};
use crate::progress::{Phase, Progress};
use crate::repo::{LockName, fixed};
use crate::shelf;
use crate::stack::{Place, Stack};

const INTERRUPTED: &str = "nothing was deleted";

/// What is done with roots.
pub(crate) trait Sink {
    /// A document names objects.
    fn named(&mut self, holder: &Holder, names: Names<'_>) -> Result<()>;

    /// Something that may name objects cannot be read.
    fn trouble(&mut self, path: PathBuf, reason: String) -> Result<()>;
}

/// What a commit names.
struct Named {
    parents: Vec<CommitId>,
    /// The snapshot that holds its files, if it does not hold them itself.
    snapshot: Option<SnapshotId>,
    /// What to call the commit in errors about its parents.
    at: PathBuf,
}

/// What [`Reader::recorded`] found.
#[derive(Default)]
struct Recorded {
    /// The commits, whose files have been told.
    ids: HashSet<CommitId>,
    /// Parents of them that are not among them, each with what names it.
    parents: Vec<(CommitId, PathBuf)>,
}

/// Reads the roots of one repository.
pub(crate) struct Reader<'a, S> {
    stash: Stash<'a>,
    sink: &'a mut S,
    progress: &'a dyn Progress,
    /// Positions of sources that could not be read as a whole, which has been told: they are not asked again, for each
    /// time may take as long as a server is waited for.
    broken: HashSet<usize>,
}

impl<'a, S: Sink> Reader<'a, S> {
    pub(crate) fn new(stash: Stash<'a>, sink: &'a mut S, progress: &'a dyn Progress) -> Self {
        Self { stash, sink, progress, broken: HashSet::new() }
    }

    /// Every root. Without options nothing is recorded and nothing expires.
    pub(crate) fn read_all(&mut self, options: Option<&RootOptions>) -> Result<()> {
        self.progress.begin(Phase::Marking, 0, 0);
        self.layout()?;
        {
            // Between the stack and the journal a name may move: held until both are read. A dry run makes no lock file.
            let records = options.is_some_and(|options| options.record);
            let lock = || self.stash.repository.lock(LockName::Stack, LockKind::Exclusive, self.progress);
            let _lock = records.then(lock).transpose()?;
            let entries = self.entries()?;
            self.journal(options)?;
            self.vanished(&entries, options)?;
        }
        let recorded = self.recorded()?;
        self.history(recorded)?;
        self.snapshots()
    }

    /// What Muse's own verbs may ask for: whatever is stashed or can be brought back, and the files of every branch's
    /// head. The history behind the heads is left out.
    pub(crate) fn read_hot(&mut self) -> Result<()> {
        self.progress.begin(Phase::Marking, 0, 0);
        let entries = self.entries()?;
        self.journal(None)?;
        self.vanished(&entries, None)?;
        let muse = self.stash.repository.muse().clone();
        for (id, named_by) in self.heads(&muse)? {
            let Some(Named { snapshot, .. }) = self.commit(&muse, &id, named_by)? else { continue };
            let Some(id) = snapshot else { continue };
            let name = in_folder("snapshots", &id.file_name());
            let Some(bytes) = self.read(&muse, &name, MAX_SNAPSHOT_BYTES)? else { continue };
            match decode_snapshot(&bytes) {
                Ok(found) => {
                    self.sink.named(&Holder::Snapshot { id }, Names::Paths(found.manifest.as_slice()))?;
                }
                Err(error) => self.sink.trouble(muse.full(&name), error.to_string())?,
            }
        }
        Ok(())
    }

    fn layout(&mut self) -> Result<()> {
        let Self { stash, sink, .. } = self;
        layout::check(stash.repository, &mut |path, reason| sink.trouble(path, reason))
    }

    /// The entries of the stack. Returns their ids with their objects.
    fn entries(&mut self) -> Result<Vec<(String, Vec<ObjectId>)>> {
        let stack = Stack::open(self.stash.repository)?;
        let mut present = Vec::new();
        for slot in stack.slots()? {
            let stash_id = slot.stash_id();
            match stack.find(&slot) {
                Ok(Some(entry)) => {
                    let holder = match &slot.place {
                        Place::Shelf(shelved) => Holder::MuseStash { index: shelved.at },
                        _ => Holder::Entry { index: slot.index, stash_id: stash_id.clone() },
                    };
                    self.sink.named(&holder, Names::Paths(entry.manifest.as_slice()))?;
                    present.push((stash_id, seen::objects_of(&entry.manifest)));
                }
                // Another process dropped it: what it named is in the journal, which is read next.
                Ok(None) => {}
                Err(Error::UnreadableMuseStash { reason, .. }) => {
                    self.sink.trouble(slot.path.clone(), reason)?;
                }
                Err(error) => {
                    self.sink.trouble(slot.path.clone(), unreadable(&error))?;
                    present.push((stash_id, Vec::new()));
                }
            }
        }
        Ok(present)
    }

    /// Intent records and undo records, and the entries that the latter hold.
    fn journal(&mut self, options: Option<&RootOptions>) -> Result<()> {
        let muse = self.stash.repository.muse().clone();
        let mut expired_held = HashSet::new();
        let mut needed_held = HashSet::new();
        if let Some(dir) = muse.sub(&fixed(JOURNAL))? {
            for (name, kind) in names(&dir)? {
                if is_temporary(name.as_bytes(), kind) {
                    continue;
                }
                if token_of(name.as_bytes()).is_some() {
                    self.intent(&dir, &name)?;
                } else if let Some((id, is_open)) = UndoId::from_file_name(name.as_bytes()) {
                    let Some(record) = self.undo_record(&dir, &name)? else { continue };
                    let held = record.entries.iter().map(|entry| entry.held.clone());
                    if !is_open && is_expired(id.stamp(), options) {
                        expired_held.extend(held);
                    } else {
                        needed_held.extend(held);
                        self.undo_rows(&name, &record)?;
                    }
                } else {
                    self.sink.trouble(dir.full(&name), "no record of this engine has such a name".into())?;
                }
            }
        }
        let Some(held) = muse.sub(&fixed("stem/undo/held"))? else { return Ok(()) };
        for (name, kind) in names(&held)? {
            // One that no record names may belong to a verb that is at work: it counts.
            let goes = expired_held.contains(&name) && !needed_held.contains(&name);
            if !goes && !is_temporary(name.as_bytes(), kind) {
                self.held_entry(&held, &name)?;
            }
        }
        Ok(())
    }

    fn intent(&mut self, dir: &Dir, name: &RelPath) -> Result<()> {
        let Some(bytes) = self.read(dir, name, MAX_ENTRY_BYTES)? else { return Ok(()) };
        match intent::decode(&bytes) {
            Ok(intent) => {
                let holder = Holder::Intent { file: name.to_string() };
                self.sink.named(&holder, Names::Paths(intent.entry.manifest.as_slice()))?;
                self.sink.named(&holder, Names::Paths(intent.head.as_slice()))
            }
            Err(error) => self.sink.trouble(dir.full(name), error.to_string()),
        }
    }

    fn undo_record(&mut self, dir: &Dir, name: &RelPath) -> Result<Option<UndoRecord>> {
        let Some(bytes) = self.read(dir, name, MAX_UNDO_BYTES)? else { return Ok(None) };
        match undo::decode(&bytes) {
            Ok(record) => Ok(Some(record)),
            Err(error) => self.sink.trouble(dir.full(name), error.to_string()).map(|()| None),
        }
    }

    fn undo_rows(&mut self, name: &RelPath, record: &UndoRecord) -> Result<()> {
        let states = record.files.iter().flat_map(|file| {
            let row = |state: FileState| (file.path.clone(), state.id);
            file.before.map(row).into_iter().chain(file.after.map(row))
        });
        let rows: Vec<(RelPath, ObjectId)> = states.collect();
        self.sink.named(&Holder::Undo { file: name.to_string() }, Names::Paths(&rows))
    }

    fn held_entry(&mut self, held: &Dir, name: &RelPath) -> Result<()> {
        let Some(bytes) = self.read(held, name, MAX_ENTRY_BYTES)? else { return Ok(()) };
        let manifest = if shelf::is_held_element(name) {
            decode_muse_element(&String::from_utf8_lossy(&bytes)).read.map(|stashed| stashed.manifest)
        } else {
            entry::decode(&bytes).map(|entry| entry.manifest)
        };
        match manifest {
            Ok(manifest) => {
                let holder = Holder::Undo { file: name.to_string() };
                self.sink.named(&holder, Names::Paths(manifest.as_slice()))
            }
            Err(error) => {
                let reason = format!("{error}. `stem gc --expire-undo 0` gives up what can be undone");
                self.sink.trouble(held.full(name), reason)
            }
        }
    }

    /// Entries that were seen and are gone, although no verb of ours removed them.
    fn vanished(&mut self, present: &[(String, Vec<ObjectId>)], options: Option<&RootOptions>) -> Result<()> {
        let repository = self.stash.repository;
        let Some(dir) = seen::open(repository)? else {
            if options.is_some_and(|options| options.record) {
                present.iter().try_for_each(|(id, objects)| seen::write(repository, id, objects, 0))?;
            }
            return Ok(());
        };
        let mut known = HashSet::new();
        for (name, kind) in names(&dir)? {
            if is_temporary(name.as_bytes(), kind) {
                continue;
            }
            let stash_id = name.to_string();
            let is_present = present.iter().any(|(id, _)| *id == stash_id);
            let record = match seen::read(&dir, &name) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                // It says nothing that the entry does not, and is written anew below.
                Err(_) if is_present => continue,
                Err(reason) => {
                    let hint = format!(
                        "{reason}. It tells what a stash entry held that vanished; remove it if that is not needed"
                    );
                    self.sink.trouble(dir.full(&name), hint)?;
                    continue;
                }
            };
            if is_present {
                if record.missing_since == 0 {
                    known.insert(stash_id);
                }
                continue;
            }
            let Some(options) = options else {
                self.sink.named(&Holder::Vanished { stash_id }, Names::Ids(&record.objects))?;
                continue;
            };
            let now = options.now.as_micros();
            let since = if record.missing_since == 0 { now } else { record.missing_since };
            if options.clock_is_plausible && now.saturating_sub(since) > VANISHED_MICROS {
                if options.record {
                    dir.remove_file(&name)?;
                }
                continue;
            }
            self.sink.named(&Holder::Vanished { stash_id: stash_id.clone() }, Names::Ids(&record.objects))?;
            if options.record && record.missing_since == 0 {
                seen::write(repository, &stash_id, &record.objects, now)?;
            }
        }
        if options.is_some_and(|options| options.record) {
            for (id, objects) in present.iter().filter(|(id, _)| !known.contains(id)) {
                seen::write(repository, id, objects, 0)?;
            }
        }
        Ok(())
    }

    /// Every commit that another place than the repository's files records, reached by a ref or not: the refs on disk may
    /// be behind, and a commit that no ref names can be asked for by its id there.
    fn recorded(&mut self) -> Result<Recorded> {
        let Self { stash, sink, progress, broken } = self;
        let mut found = Recorded::default();
        let mut parents: HashMap<CommitId, Arc<str>> = HashMap::new();
        for (position, source) in stash.head_sources().into_iter().enumerate() {
            let mut at: Option<Arc<str>> = None;
            let visited = source.visit_commits(*progress, &mut |commit| {
                found.ids.insert(commit.id);
                for parent in commit.parents {
                    if !found.ids.contains(parent) {
                        let place = at.get_or_insert_with(|| Arc::from(commit.place));
                        parents.insert(*parent, Arc::clone(place));
                    }
                }
                match commit.manifest {
                    Some(manifest) => {
                        sink.named(&Holder::Commit { id: commit.id }, Names::Paths(manifest.as_slice()))
                    }
                    None => Ok(()),
                }
            });
            match visited {
                Err(Error::Database(error)) => {
                    let path = error.place().unwrap_or("DATABASE_URL");
                    broken.insert(position);
                    sink.trouble(PathBuf::from(path), error.message().to_owned())?;
                }
                other => other?,
            }
        }
        parents.retain(|id, _| !found.ids.contains(id));
        found.parents = parents.into_iter().map(|(id, at)| (id, PathBuf::from(&*at))).collect();
        Ok(found)
    }

    /// Every commit that HEAD or a ref reaches must resolve, and so must its snapshot. The snapshots that lie in files are
    /// read by [`Self::snapshots`]; those that only another source knows are read here.
    fn history(&mut self, recorded: Recorded) -> Result<()> {
        let muse = self.stash.repository.muse().clone();
        let Recorded { ids: mut visited, parents } = recorded;
        let mut queue = self.heads(&muse)?;
        queue.extend(parents);
        queue.retain(|(id, _)| visited.insert(*id));
        while let Some((id, named_by)) = queue.pop() {
            self.go_on()?;
            let Some(Named { parents, at, .. }) = self.commit(&muse, &id, named_by)? else { continue };
            for parent in parents {
                if visited.insert(parent) {
                    queue.push((parent, at.clone()));
                }
            }
        }
        Ok(())
    }

    /// The commits that HEAD and the refs name, each with the file that names it.
    fn heads(&mut self, muse: &Dir) -> Result<Vec<(CommitId, PathBuf)>> {
        let mut queue: Vec<(CommitId, PathBuf)> = Vec::new();
        let head = fixed("HEAD");
        match muse.read(&head, MAX_REF_BYTES as u64) {
            Ok(Some(bytes)) => match Head::parse(&bytes) {
                Ok(Head::Detached(id)) => queue.push((id, muse.full(&head))),
                Ok(Head::Branch { .. }) => {}
                Err(error) => self.sink.trouble(muse.full(&head), error.to_string())?,
            },
            Ok(None) => self.sink.trouble(muse.full(&head), "there is no such file".into())?,
            Err(error) => self.sink.trouble(muse.full(&head), error.source.to_string())?,
        }
        if let Some(refs) = muse.sub(&fixed("refs"))? {
            self.refs(&refs, &mut queue)?;
        }
        Ok(queue)
    }

    /// Every file below `.muse/refs`, whatever kind of ref it is.
    fn refs(&mut self, refs: &Dir, queue: &mut Vec<(CommitId, PathBuf)>) -> Result<()> {
        let mut dirs = vec![refs.clone()];
        while let Some(dir) = dirs.pop() {
            let listed = match names(&dir) {
                Ok(listed) => listed,
                Err(error) => {
                    self.sink.trouble(dir.path().to_path_buf(), error.to_string())?;
                    continue;
                }
            };
            for (name, kind) in listed {
                if kind == FileKind::Dir {
                    match dir.sub(&name) {
                        Ok(below) => dirs.extend(below),
                        Err(error) => self.sink.trouble(dir.full(&name), error.source.to_string())?,
                    }
                    continue;
                }
                let Some(bytes) = self.read(&dir, &name, MAX_REF_BYTES)? else { continue };
                match parse_ref(&bytes) {
                    Ok(commit) => queue.extend(commit.map(|id| (id, dir.full(&name)))),
                    Err(error) => self.sink.trouble(dir.full(&name), error.to_string())?,
                }
            }
        }
        Ok(())
    }

    /// What a commit names; its files, where it holds them itself, have been told then.
    fn commit(&mut self, muse: &Dir, id: &CommitId, named_by: PathBuf) -> Result<Option<Named>> {
        let sources = self.stash.head_sources();
        let file = in_folder("commits", &id.file_name());
        let mut found = None;
        for (position, source) in sources.iter().enumerate() {
            if self.broken.contains(&position) {
                continue;
            }
            match source.record_of(id) {
                Ok(None) => {}
                Ok(record) => {
                    found = record;
                    break;
                }
                Err(error) => {
                    let path = error.path().unwrap_or_else(|| muse.full(&file));
                    let reason = match error {
                        Error::Database(error) => error.message().to_owned(),
                        error => error.to_string(),
                    };
                    self.sink.trouble(path, reason)?;
                    return Ok(None);
                }
            }
        }
        let Some(record) = found else {
            if !self.broken.is_empty() {
                return Ok(None);
            }
            let searched: Vec<String> = sources.iter().map(|source| source.searched()).collect();
            let reason = format!("it names commit {id}, which {}", searched.join(" and "));
            self.sink.trouble(named_by, reason)?;
            return Ok(None);
        };
        let snapshot = match record.files {
            RecordedFiles::Manifest(manifest) => {
                self.sink.named(&Holder::Commit { id: *id }, Names::Paths(manifest.as_slice()))?;
                None
            }
            RecordedFiles::Snapshot(snapshot) => {
                let path = in_folder("snapshots", &snapshot.file_name());
                if muse.stat(&path)?.is_none() {
                    let reason = format!("it names snapshot {snapshot}, which is not in .muse/snapshots");
                    self.sink.trouble(muse.full(&file), reason)?;
                }
                Some(snapshot)
            }
        };
        let Some(parents) = record.parents else {
            let reason = format!("it names commit {id}, whose parents nobody here can tell");
            self.sink.trouble(named_by, reason)?;
            return Ok(None);
        };
        Ok(Some(Named { parents, snapshot, at: muse.full(&file) }))
    }

    /// Every snapshot in `.muse/snapshots`, reached by a ref or not: another program may hold on to one by ways that
    /// nobody here knows.
    fn snapshots(&mut self) -> Result<()> {
        let muse = self.stash.repository.muse().clone();
        self.only_records(&muse, "commits")?;
        let files = self.only_records(&muse, "snapshots")?;
        let Some(dir) = muse.sub(&fixed("snapshots"))? else { return Ok(()) };
        self.progress.begin(Phase::Marking, files.len() as u64, 0);
        // As many at a time as there are threads: a snapshot may be large.
        for batch in files.chunks(rayon::current_num_threads().max(1)) {
            self.go_on()?;
            let read = |(name, id): &(RelPath, SnapshotId)| {
                let bytes = dir.read(name, MAX_SNAPSHOT_BYTES as u64).map_err(|e| e.source.to_string())?;
                let Some(bytes) = bytes else { return Ok(None) };
                let snapshot = decode_snapshot(&bytes).map_err(|error| error.to_string())?;
                if snapshot.snapshot_id == *id {
                    Ok(Some(snapshot.manifest))
                } else {
                    Err(format!("it holds snapshot {}", snapshot.snapshot_id))
                }
            };
            let read: Vec<std::result::Result<_, String>> = batch.par_iter().map(read).collect();
            for ((name, id), read) in batch.iter().zip(read) {
                match read {
                    Ok(Some(manifest)) => {
                        self.sink.named(&Holder::Snapshot { id: *id }, Names::Paths(manifest.as_slice()))?;
                    }
                    Ok(None) => {}
                    Err(reason) => self.sink.trouble(dir.full(name), reason)?,
                }
            }
            self.progress.advance(batch.len() as u64, 0);
        }
        Ok(())
    }

    /// The records `<id>.json` in a folder; anything else there may be a record that only another program can read.
    fn only_records(&mut self, muse: &Dir, folder: &'static str) -> Result<Vec<(RelPath, SnapshotId)>> {
        let Some(dir) = muse.sub(&fixed(folder))? else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        for (name, kind) in names(&dir)? {
            if is_temporary(name.as_bytes(), kind) {
                continue;
            }
            let id = name.as_bytes().strip_suffix(b".json").map(SnapshotId::parse_bytes);
            if let Some(Ok(id)) = id {
                records.push((name, id));
            } else {
                let path = dir.path().join(shown(name.as_bytes()));
                self.sink.trouble(path, "it is no record of a kind that is known here".into())?;
            }
        }
        records.sort_unstable();
        Ok(records)
    }

    /// A file's bytes; `None` when it is not there, or cannot be read and the sink goes on.
    fn read(&mut self, dir: &Dir, name: &RelPath, limit: usize) -> Result<Option<Vec<u8>>> {
        match dir.read(name, limit as u64) {
            Ok(bytes) => Ok(bytes),
            Err(error) => self.sink.trouble(dir.full(name), error.source.to_string()).map(|()| None),
        }
    }

    fn go_on(&self) -> Result<()> {
        if self.progress.cancelled() { Err(Error::Interrupted(INTERRUPTED)) } else { Ok(()) }
    }
}

/// Whether an undo record of that time is given up in this run.
fn is_expired(made: Option<Stamp>, options: Option<&RootOptions>) -> bool {
    let age = options.filter(|options| options.clock_is_plausible).and_then(|options| options.expire_undo);
    let (Some(made), Some(age), Some(options)) = (made, age, options) else { return false };
    options.now.as_micros().saturating_sub(made.as_micros()) >= age
}

/// The names in a directory, sorted, so that the first trouble is the same in every run.
fn names(dir: &Dir) -> Result<Vec<(RelPath, FileKind)>> {
    let mut names = Vec::new();
    for entry in dir.entries()? {
        let name = RelPath::new(entry.name).map_err(|error| {
            let source = std::io::Error::other(error.to_string());
            stem_fs::Error::new("examine", Path::new(dir.path()), source)
        })?;
        names.push((name, entry.kind));
    }
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

/// A place that cannot be read, as the refusal of a collection.
pub(super) fn unreadable_root(error: Error) -> Error {
    match error {
        Error::Database(error) => Error::RootUnreadable {
            path: PathBuf::from(error.place().unwrap_or("DATABASE_URL")),
            reason: error.message().to_owned(),
        },
        other => other,
    }
}

/// Why an entry cannot be read, without its path, which is told beside.
fn unreadable(error: &Error) -> String {
    match error {
        Error::UnreadableEntry { reason, .. } => {
            format!("{reason}. `stem stash drop` removes the entry, if what it holds is not needed")
        }
        other => other.to_string(),
    }
}
