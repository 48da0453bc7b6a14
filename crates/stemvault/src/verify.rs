//! Verification and repair of a repository: the store says which objects are whole, the stash who needs them, and here
//! other copies are found for those that are not.
//!
//! Repair deletes nothing. A damaged object leaves the store by a rename into `.muse/stem/quarantine`, whether or not there
//! is a good copy: nobody trusts it any more, a later put can make it anew, and what is left of a take that exists nowhere
//! else can still be listened to.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use stem_fs::{ClosedTemp, Dir, OpenFile, RelPath, Stat};
use stem_hash::ObjectId;
use stem_odb::verify::{BadObject, Observer, verify_all};
use stem_odb::{AnyStore, Base, StoreUrl, open_store};
use stem_stash::format::stamp::Stamp;
use stem_stash::{Phase, Place, Places, Progress, WorkTreeCheck};
use stem_store::{
    ErrorKind, FileMetadata, FileSource, Maintain, ObjectStore, ObjectStoreExt, PutOptions, RestoreOptions,
    Verify,
};

use crate::error::{Error, Result};
use crate::gc::LOCK_TIMEOUT;
use crate::vault::Vault;

/// How often what was verified is noted, so that a run that is killed need not begin anew.
const NOTE_EVERY: Duration = Duration::from_secs(10);
/// Where copies of a repository's objects may be beside its configured store.
const TWINS: [&str; 2] = ["sharded:.muse/objects", "pack:"];

/// What to verify.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Put damaged objects aside, and bring them and those that are missing back from other copies.
    pub repair: bool,
    /// Compare the working tree with HEAD, too.
    pub worktree: bool,
    /// Leave out the objects that a run before found sound until it was stopped.
    pub resume: bool,
    /// The store to verify, instead of the repository's. Entries and commits are not compared with it.
    pub store: Option<StoreUrl>,
    /// Another store to repair from.
    pub from: Option<StoreUrl>,
}

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Its bytes are not what its id says, or cannot be read; in words.
    Damaged(String),
    /// It cannot be read for want of permission; in words.
    Denied(String),
    /// It is needed and not there.
    Missing,
}

/// A place where an object is needed.
pub type Affected = Place;

/// An object that is not there as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedObject {
    /// Its id.
    pub id: ObjectId,
    /// What is wrong with it.
    pub problem: Problem,
    /// Who needs it.
    pub affected: Places,
    /// Where a good copy came from; then it is whole again.
    pub healed_from: Option<String>,
    /// Where the damaged bytes are now.
    pub quarantined: Option<PathBuf>,
    /// Why it could not be repaired, where that was tried.
    pub unrepaired: Option<String>,
}

/// A file of the repository or the store that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRecord {
    /// The file, if it is one.
    pub path: Option<PathBuf>,
    /// What is wrong.
    pub reason: String,
}

/// What a verification showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyResult {
    /// Objects that were read.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that a run before had read.
    pub skipped: u64,
    /// Entries, snapshots and records that were compared with the store.
    pub documents: u64,
    /// Objects that are not as they should be, by id.
    pub damaged: Vec<DamagedObject>,
    /// Files that are not as they should be.
    pub records: Vec<DamagedRecord>,
    /// The working tree, if it was asked for.
    pub worktree: Option<WorkTreeCheck>,
    /// What is probably the cause.
    pub hint: Option<&'static str>,
}

impl VerifyResult {
    /// Whether anything is wrong still.
    pub fn is_damaged(&self) -> bool {
        let in_tree = |check: &WorkTreeCheck| {
            let unread = check.left_alone.iter().any(|left| left.reason.is_partial());
            !check.changes.is_empty() || !check.rotten.is_empty() || unread
        };
        self.damaged.iter().any(|object| object.healed_from.is_none())
            || !self.records.is_empty()
            || self.worktree.as_ref().is_some_and(in_tree)
    }
}

/// Passes on what happens, and notes from time to time what was found sound.
struct Watch<'a> {
    vault: &'a Vault,
    subject: &'a str,
    now: i64,
    progress: &'a dyn Progress,
    state: Mutex<State>,
}

struct State {
    sound: Vec<ObjectId>,
    noted: Instant,
}

impl Observer for Watch<'_> {
    fn begin(&self, objects: u64, bytes: u64) {
        self.progress.begin(Phase::Verifying, objects, bytes);
    }

    fn looked_at(&self, id: &ObjectId, size: u64, sound: bool) {
        self.progress.advance(1, size);
        if !sound {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sound.push(*id);
        if state.noted.elapsed() >= NOTE_EVERY {
            state.noted = Instant::now();
            // Without the note a run that is killed begins anew.
            let _ = self.vault.stash().save_verified(self.subject, self.now, state.sound.clone());
        }
    }

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }
}

/// Reads every object of a store that belongs to no repository, or to one that does not matter now.
///
/// # Errors
///
/// Damage is no error but a result.
pub fn verify_store(store: &dyn Maintain, progress: &dyn Progress) -> Result<VerifyResult> {
    struct Look<'a>(&'a dyn Progress);
    impl Observer for Look<'_> {
        fn begin(&self, objects: u64, bytes: u64) {
            self.0.begin(Phase::Verifying, objects, bytes);
        }

        fn looked_at(&self, _id: &ObjectId, size: u64, _sound: bool) {
            self.0.advance(1, size);
        }

        fn cancelled(&self) -> bool {
            self.0.cancelled()
        }
    }
    let checked = verify_all(store, &[], &Look(progress))?;
    if checked.stopped {
        for bad in &checked.bad {
            progress.warn(&format!("object {}: {}", bad.id, bad.reason));
        }
        return Err(stem_stash::Error::Interrupted("nothing was changed").into());
    }
    let mut result =
        VerifyResult { objects: checked.objects, bytes: checked.bytes, ..VerifyResult::default() };
    let record =
        |damage: stem_store::StructureDamage| DamagedRecord { path: damage.path, reason: damage.reason };
    result.records.extend(checked.structure.into_iter().map(record));
    result.damaged.extend(checked.bad.into_iter().map(|bad| DamagedObject {
        id: bad.id,
        problem: if bad.denied { Problem::Denied(bad.reason) } else { Problem::Damaged(bad.reason) },
        affected: Places::default(),
        healed_from: None,
        quarantined: None,
        unrepaired: None,
    }));
    Ok(result)
}

impl Vault {
    /// Reads every object, and compares what the repository needs with what is there.
    ///
    /// # Errors
    ///
    /// Damage is no error but a result. A run that is stopped ends in
    /// [`StashError::Interrupted`](crate::StashError::Interrupted) and can be resumed.
    pub fn verify(&self, options: &VerifyOptions, progress: &dyn Progress) -> Result<VerifyResult> {
        let root = Dir::open(self.repository().root())?;
        let base = Base::Repository(&root);
        let other = options.store.as_ref().map(|url| open_store(url, base)).transpose()?;
        let from = options.from.as_ref().map(|url| open_store(url, base)).transpose()?;
        let store: &AnyStore = other.as_ref().unwrap_or_else(|| self.store());
        let subject = options.store.as_ref().map_or_else(|| self.store_url.clone(), ToString::to_string);
        let now = Stamp::now().map_err(stem_stash::Error::from)?;
        let mut result = VerifyResult::default();
        let (bad, ids) = self.look(&**store, &subject, now, options, &mut result, progress)?;
        self.compare(bad, &ids, options.store.is_none(), &mut result, progress)?;
        if options.repair && !result.damaged.is_empty() {
            let mut copies = Vec::new();
            copies.extend(
                from.map(|store| (options.from.as_ref().map(ToString::to_string).unwrap_or_default(), store)),
            );
            copies.extend(self.twins(&root, &subject));
            let repair = Repair { vault: self, store: &**store, copies: &copies, now, progress };
            repair.run(&mut result)?;
        }
        if options.worktree {
            result.worktree = Some(self.stash().check_work_tree(progress)?);
        }
        let gone =
            |object: &DamagedObject| object.problem == Problem::Missing && object.healed_from.is_none();
        if result.damaged.iter().any(gone) && self.stash().is_newer_muse() {
            result.hint = Some(
                "objects are missing in a repository of newer Muse, whose `gc` removes what no commit names, also what is \
                 stashed",
            );
        }
        Ok(result)
    }

    /// Reads the objects.
    fn look(
        &self,
        store: &dyn Maintain,
        subject: &str,
        now: Stamp,
        options: &VerifyOptions,
        result: &mut VerifyResult,
        progress: &dyn Progress,
    ) -> Result<(Vec<BadObject>, Vec<ObjectId>)> {
        let stash = self.stash();
        let skip = if options.resume { stash.verified_before(subject)? } else { Vec::new() };
        let state = Mutex::new(State { sound: skip.clone(), noted: Instant::now() });
        let watch = Watch { vault: self, subject, now: now.as_micros(), progress, state };
        let checked = verify_all(store, &skip, &watch)?;
        let sound = watch.state.into_inner().unwrap_or_else(PoisonError::into_inner).sound;
        if checked.stopped {
            for bad in &checked.bad {
                progress.warn(&format!("object {}: {}", bad.id, bad.reason));
            }
            stash.save_verified(subject, now.as_micros(), sound)?;
            return Err(stem_stash::Error::Interrupted(
                "nothing was changed; `stem verify --resume` goes on with the objects that are left",
            )
            .into());
        }
        result.objects = checked.objects;
        result.bytes = checked.bytes;
        result.skipped = checked.ids.iter().filter(|id| skip.binary_search(id).is_ok()).count() as u64;
        result.records.extend(
            checked
                .structure
                .into_iter()
                .map(|damage| DamagedRecord { path: damage.path, reason: damage.reason }),
        );
        // Removed only now: the note is worth nothing once the run is whole.
        stash.save_verified(subject, now.as_micros(), Vec::new())?;
        Ok((checked.bad, checked.ids))
    }

    /// Who needs what is damaged, and what is needed and not there.
    fn compare(
        &self,
        bad: Vec<BadObject>,
        ids: &[ObjectId],
        is_own: bool,
        result: &mut VerifyResult,
        progress: &dyn Progress,
    ) -> Result<()> {
        let problem = |bad: BadObject| {
            let problem = if bad.denied { Problem::Denied(bad.reason) } else { Problem::Damaged(bad.reason) };
            (bad.id, problem)
        };
        let mut problems: BTreeMap<ObjectId, Problem> = bad.into_iter().map(problem).collect();
        let mut places = BTreeMap::new();
        if is_own {
            let wanted = |id: &ObjectId| problems.contains_key(id) || ids.binary_search(id).is_err();
            let references = self.stash().references(&wanted, progress)?;
            result.documents = references.documents;
            let record =
                |bad: stem_stash::BadRecord| DamagedRecord { path: Some(bad.path), reason: bad.reason };
            result.records.extend(references.bad_records.into_iter().map(record));
            places = references.places;
            for id in places.keys() {
                // It may have been stored since the objects were listed.
                if !problems.contains_key(id) && !self.store().stat(id).is_ok_and(|stat| stat.is_some()) {
                    problems.insert(*id, Problem::Missing);
                }
            }
        }
        result.damaged.extend(problems.into_iter().map(|(id, problem)| DamagedObject {
            id,
            problem,
            affected: places.remove(&id).unwrap_or_default(),
            healed_from: None,
            quarantined: None,
            unrepaired: None,
        }));
        Ok(())
    }

    /// Stores that may hold copies of this repository's objects.
    fn twins(&self, root: &Dir, subject: &str) -> Vec<(String, AnyStore)> {
        let urls = TWINS.into_iter().chain([self.store_url.as_str()]).filter(|url| *url != subject);
        let open = |url: &str| {
            let parsed: StoreUrl = url.parse().ok()?;
            // A kind of store that this build does not have, or one that was never made, has no copies.
            Some((url.to_owned(), open_store(&parsed, Base::Repository(root)).ok()?))
        };
        let mut twins: Vec<(String, AnyStore)> = Vec::new();
        for url in urls {
            if twins.iter().all(|(known, _)| known != url) {
                twins.extend(open(url));
            }
        }
        twins
    }
}

/// Bringing objects back.
struct Repair<'a> {
    vault: &'a Vault,
    store: &'a dyn Maintain,
    copies: &'a [(String, AnyStore)],
    now: Stamp,
    progress: &'a dyn Progress,
}

impl Repair<'_> {
    fn run(&self, result: &mut VerifyResult) -> Result<()> {
        let stash = self.vault.stash();
        // Nobody may find an object whole that is about to be put aside.
        let _lock = stash.lock_store(LOCK_TIMEOUT, self.progress)?;
        self.progress.begin(Phase::Repairing, result.damaged.len() as u64, 0);
        let mut left = Vec::new();
        for (index, object) in result.damaged.iter_mut().enumerate() {
            if self.progress.cancelled() {
                return Err(stem_stash::Error::Interrupted("what was repaired so far is whole").into());
            }
            self.heal_from_copies(object)?;
            if object.healed_from.is_none() && !matches!(object.problem, Problem::Denied(_)) {
                left.push(index);
            }
            self.progress.advance(1, 0);
        }
        if left.is_empty() {
            return Ok(());
        }
        let ids: Vec<ObjectId> = left.iter().map(|&index| result.damaged[index].id).collect();
        let in_tree = stash.find_in_work_tree(&ids, self.progress)?;
        for index in left {
            let object = &mut result.damaged[index];
            if let Some((path, stat)) = in_tree.get(&object.id) {
                self.heal_from_work_tree(object, path, stat)?;
            }
            if object.healed_from.is_none() {
                self.put_aside(object)?;
                let why = "no other copy was found: it comes back when its bytes are stored again";
                object.unrepaired.get_or_insert_with(|| why.to_owned());
            }
        }
        Ok(())
    }

    /// Whether the object is whole by now, or cannot be judged: another process may have stored it again.
    fn is_whole(&self, id: &ObjectId) -> bool {
        matches!(self.store.verify(id), Ok(Some(verified)) if verified.is_sound())
    }

    fn heal_from_copies(&self, object: &mut DamagedObject) -> Result<()> {
        if matches!(object.problem, Problem::Denied(_)) {
            object.unrepaired = Some("it may be whole, and only its permissions wrong: mend those".into());
            return Ok(());
        }
        if self.is_whole(&object.id) {
            object.healed_from = Some("another process, meanwhile".into());
            return Ok(());
        }
        self.heal_from_itself(object)?;
        for (name, copy) in self.copies {
            if object.healed_from.is_some() {
                break;
            }
            if !is_readable(&**copy, &object.id) {
                continue;
            }
            let options = PutOptions { metadata: self.metadata(&object.id), ..PutOptions::default() };
            self.put_aside(object)?;
            let put = copy.copy_to(self.store, &object.id, &options).map(drop);
            self.note(object, name, put)?;
        }
        Ok(())
    }

    /// A layered store may have a second copy under its own name. It is taken out first: putting aside may concern both.
    fn heal_from_itself(&self, object: &mut DamagedObject) -> Result<()> {
        if !is_readable(self.store, &object.id) {
            return Ok(());
        }
        let Some((_temp, file)) = self.stage(&object.id)? else { return Ok(()) };
        let options = PutOptions {
            expected: Some(object.id),
            metadata: self.metadata(&object.id),
            ..PutOptions::default()
        };
        self.put_aside(object)?;
        let put = self.store.put_file(&FileSource::new(&file, file.stat()?), &options).map(drop);
        let name = self.store.name().to_owned();
        self.note(object, &name, put)
    }

    /// Permissions and time of the damaged object, which the good one gets.
    fn metadata(&self, id: &ObjectId) -> Option<FileMetadata> {
        self.store.stat(id).ok().flatten().and_then(|stat| stat.metadata)
    }

    /// A verified copy of the store's own object in a temporary file.
    fn stage(&self, id: &ObjectId) -> Result<Option<(ClosedTemp, OpenFile)>> {
        let mut temp = self.vault.stash().temporaries()?.temp_file(0o600)?;
        let verify = RestoreOptions { verify: Verify::Id, ..RestoreOptions::default() };
        match self.store.restore_file(id, &mut temp, &verify) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let temp = temp.close();
        let file = temp.open()?;
        Ok(file.map(|file| (temp, file)))
    }

    fn heal_from_work_tree(&self, object: &mut DamagedObject, path: &RelPath, stat: &Stat) -> Result<()> {
        let work = Dir::open(self.vault.repository().working_tree())?;
        let Some(file) = work.open_file(path)? else { return Ok(()) };
        let options = PutOptions {
            expected: Some(object.id),
            metadata: self.metadata(&object.id),
            ..PutOptions::default()
        };
        self.put_aside(object)?;
        let put = self.store.put_file(&FileSource::new(&file, *stat), &options).map(drop);
        self.note(object, &format!("the working tree, '{path}'"), put)
    }

    /// Says whether the object is whole after a put.
    fn note(&self, object: &mut DamagedObject, from: &str, put: stem_store::Result<()>) -> Result<()> {
        match put {
            Ok(()) if self.is_whole(&object.id) => {
                object.healed_from = Some(from.to_owned());
                object.unrepaired = None;
                Ok(())
            }
            Ok(()) => {
                object.unrepaired = Some(format!("the copy from {from} is damaged again: look at the disk"));
                Ok(())
            }
            // The copy, or the file, was not what it seemed: try the next one.
            Err(error)
                if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::WrongHash | ErrorKind::Source) =>
            {
                object.unrepaired = Some(error.to_string());
                Ok(())
            }
            Err(error) => Err(Error::from(error)),
        }
    }

    /// Moves the damaged bytes into quarantine, once.
    fn put_aside(&self, object: &mut DamagedObject) -> Result<()> {
        if object.problem == Problem::Missing || object.quarantined.is_some() {
            return Ok(());
        }
        let stamp: String =
            self.now.to_iso().chars().take_while(|c| *c != '+').filter(char::is_ascii_alphanumeric).collect();
        let dir = self.vault.stash().quarantine()?;
        // At most one object of an id is put aside in one run; an earlier run had another time.
        let name = RelPath::new(format!("{}-{stamp}", object.id))
            .map_err(|error| stem_stash::Error::InvalidInput(error.to_string()))?;
        match self.store.quarantine(&object.id, &dir, &name) {
            Ok(true) => {
                object.quarantined = Some(dir.full(&name));
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a store has a whole copy of the object.
fn is_readable(store: &dyn ObjectStore, id: &ObjectId) -> bool {
    let Ok(Some(mut reader)) = store.open(id) else { return false };
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}
