//! The operations.

use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use stem_fs::{Dir, RelPath, Timestamp};
use stem_hash::{IdPrefix, ObjectId};
use stem_pack::format::PACK_HEADER_LEN;
use stem_store::{
    Durability, Error, ErrorKind, FileSource, Maintain, ObjectStore, ObjectStoreExt, PutMethod, PutOptions,
    RepackOptions, RestoreOptions, TidyOptions, Verified, Verify, Written,
};

use super::super::accepted;
use super::super::feed::{Feed, pick};
use super::blobs::{BLOBS, Blob, COUNT};
use super::ground::{Backend, Ground, Opened};
use super::model::{Model, Sight};
use crate::FaultPlan;
use crate::source::{Awkward, digest};

/// The operations by number, as they are told.
const NAMES: [&str; 20] = [
    "put",
    "put",
    "put",
    "put",
    "put_file",
    "get",
    "range",
    "stat",
    "list",
    "restore",
    "verify",
    "remove",
    "remove",
    "sync",
    "sync",
    "repack",
    "settle",
    "damage",
    "look after",
    "reopen",
];

/// A program that runs.
pub(super) struct Program {
    opened: Option<Opened>,
    plan: Arc<FaultPlan>,
    kills: bool,
    /// Whether a fault struck this handle before.
    wounded: bool,
    /// Whether a sync failed: no later one succeeds.
    spent: bool,
    model: Model,
    ground: Ground,
    /// What was done so far, for whoever looks into a finding.
    log: Vec<String>,
}

impl Drop for Program {
    #[expect(clippy::print_stderr, reason = "the history of a failed check, as the panic message beside it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}:\n{}", self.ground.backend, self.log.join("\n"));
        }
    }
}

impl Program {
    pub(super) fn new(ground: Ground) -> Self {
        let plan = FaultPlan::watch();
        let opened = Some(accepted(ground.open(&plan)));
        Self {
            opened,
            plan,
            kills: false,
            wounded: false,
            spent: false,
            model: Model::new(),
            ground,
            log: Vec::new(),
        }
    }

    pub(super) fn step(&mut self, feed: &mut Feed<'_>) {
        let operation = feed.byte() % 20;
        // A process that was killed does nothing any more.
        if self.kills && self.plan.struck() || operation == 19 {
            return self.reopen(feed);
        }
        let blob = usize::from(feed.byte()) % COUNT;
        self.log.push(format!("{} {blob}", NAMES[usize::from(operation)]));
        match operation {
            0..4 => self.put(blob, feed),
            4 => self.put_file(blob, feed),
            5 => self.get(blob),
            6 => self.range(blob, feed),
            7 => self.stat(blob),
            8 => self.list(blob, feed),
            9 => self.restore(blob, feed),
            10 => self.verify(blob),
            11 | 12 => self.remove(blob),
            13 | 14 => self.sync(),
            15 => self.repack(feed),
            16 => self.settle(blob),
            17 => self.damage(feed),
            _ => self.look_after(feed),
        }
        self.wounded |= self.plan.struck();
    }

    /// The end: a last look with and without the handle.
    pub(super) fn finish(mut self) {
        let feed = &mut Feed::new(&[]);
        if !(self.kills && self.plan.struck()) {
            self.look();
        }
        self.reopen(feed);
        self.look();
        for blob in 0..COUNT {
            self.put(blob, feed);
        }
        self.sync();
        self.reopen(feed);
        assert!(self.model.fates.iter().all(|fate| fate.here == Sight::Whole));
    }

    fn look(&mut self) {
        for blob in 0..COUNT {
            self.stat(blob);
            self.get(blob);
            self.verify(blob);
        }
        self.list(0, &mut Feed::new(&[]));
    }

    fn store(&self) -> Arc<dyn Maintain> {
        match &self.opened {
            Some(opened) => opened.store.clone(),
            None => panic!("the store is open"),
        }
    }

    fn id(&self, blob: usize) -> ObjectId {
        BLOBS[blob].id(self.ground.algorithm)
    }

    /// A change may fail when a fault struck it, and when one struck the handle before and that is what it says.
    fn may_fail(&mut self, error: &Error, what: &str) {
        self.log.push(format!("  failed: {error}"));
        let struck = self.plan.struck() && !self.wounded;
        let told = (self.wounded || self.spent) && error.kind() == ErrorKind::Unavailable;
        assert!(struck || told || self.kills && self.plan.struck(), "{what}: {error}, {error:?}");
    }

    fn put(&mut self, blob: usize, feed: &mut Feed<'_>) {
        let how = feed.byte();
        self.log.push(format!("  {how:#b}"));
        let (id, bytes) = (self.id(blob), &BLOBS[blob].bytes[..]);
        let durability = if how & 1 == 0 { Durability::Immediate } else { Durability::AtSync };
        let store = self.store();
        let mut options = PutOptions { durability, checksum: how & 2 != 0, ..PutOptions::default() };
        let result = match how >> 2 & 7 {
            1 => store.put(&mut Awkward::new(bytes), &options),
            2 => {
                // Clause 1: what fails leaves nothing behind, and the source is told.
                match store.put(&mut Awkward::failing(bytes), &options) {
                    Ok(_) => panic!("a put whose source failed"),
                    Err(error) if error.kind() == ErrorKind::Source => {}
                    Err(error) => self.may_fail(&error, "put"),
                }
                return self.stat(blob);
            }
            3 => {
                options.expected = Some(self.id((blob + 1) % COUNT));
                match store.put(&mut &bytes[..], &options) {
                    Ok(_) => panic!("a put of other bytes than were expected"),
                    Err(error) if error.kind() == ErrorKind::WrongHash => {}
                    Err(error) => self.may_fail(&error, "put"),
                }
                return self.stat(blob);
            }
            4 => {
                options.expected = Some(id);
                store.put(&mut &bytes[..], &options)
            }
            _ => store.put(&mut &bytes[..], &options),
        };
        match result {
            Ok(put) => {
                assert_eq!((put.digest.id, put.digest.len), (id, BLOBS[blob].len()));
                assert!(!options.checksum || put.digest == digest(self.ground.algorithm, bytes));
                self.was_put(blob, put.written, durability);
            }
            Err(error) => self.put_failed(blob, &error),
        }
    }

    fn was_put(&mut self, blob: usize, written: Written, durability: Durability) {
        let here = self.model.fates[blob].here;
        if self.ground.backend != Backend::Overlay {
            assert!(here != Sight::Whole || written != Written::New, "new, but it was there");
            // What is in a damaged pack is not known, so that it counts as replaced.
            let new = written == Written::New || self.model.damaged;
            assert!(here != Sight::No || new, "{written:?}, but it was not there");
        }
        self.model.put(blob, durability == Durability::Immediate);
        self.get(blob);
    }

    /// Whole or not at all: the fault may have struck behind the rename that publishes, and taking back what others may
    /// have seen would be worse.
    fn put_failed(&mut self, blob: usize, error: &Error) {
        self.may_fail(error, "put");
        self.model.put_failed(blob);
        // It may have been a flush that failed, and with it what waited for the next sync.
        self.spent_perhaps();
        if !self.kills {
            self.get(blob);
        }
    }

    fn put_file(&mut self, blob: usize, feed: &mut Feed<'_>) {
        let how = feed.byte();
        self.log.push(format!("  {how:#b}"));
        let (work, bytes) = (self.ground.work(), &BLOBS[blob].bytes);
        accepted(fs::write(work.join("take.wav"), bytes));
        let (dir, name) = (accepted(Dir::open(&work)), accepted(RelPath::new(*b"take.wav")));
        let Some(file) = accepted(dir.open_file(&name)) else { panic!("the file is gone") };
        let known = (how & 2 != 0).then(|| digest(self.ground.algorithm, bytes));
        let source = FileSource {
            known,
            take: known.is_some() && how & 4 != 0,
            place: Some((&dir, &name)),
            ..FileSource::new(&file, accepted(file.stat()))
        };
        let durability = if how & 1 == 0 { Durability::Immediate } else { Durability::AtSync };
        let options = PutOptions { durability, ..PutOptions::default() };
        let result = self.store().put_file(&source, &options);
        let there = fs::read(work.join("take.wav")).ok();
        assert!(there.as_ref().is_none_or(|there| there == bytes), "the source was changed");
        match result {
            Ok(put) => {
                assert_eq!((put.digest.id, put.digest.len), (self.id(blob), BLOBS[blob].len()));
                let adopted = matches!(put.method, PutMethod::Adopted { .. });
                assert!(adopted != there.is_some() && (!adopted || source.take), "{:?}", put.method);
                self.was_put(blob, put.written, durability);
            }
            Err(error) if there.is_some() => self.put_failed(blob, &error),
            Err(error) => {
                // It was taken, and then something failed: the store has the only copy.
                self.may_fail(&error, "put_file");
                assert!(source.take, "a file that was not given away is gone");
                self.model.fates[blob].here = Sight::Whole;
                self.model.fates[blob].later = Sight::Whole;
                if !self.kills {
                    self.get(blob);
                }
            }
        }
    }

    fn get(&mut self, blob: usize) {
        let (store, id) = (self.store(), self.id(blob));
        let read = store.open(&id).and_then(|reader| {
            let Some(mut reader) = reader else { return Ok(None) };
            let (len, mut bytes) = (reader.len(), Vec::new());
            match reader.read_to_end(&mut bytes) {
                Ok(_) => Ok(Some((len, bytes))),
                Err(error) => Err(foreign(error)),
            }
        });
        if let Some((len, bytes)) = self.model.saw(blob, read.as_ref().map(Option::as_ref), "get") {
            assert_eq!(*len, bytes.len() as u64);
            assert!(*bytes == BLOBS[blob].bytes, "get: object {blob} has other bytes");
        }
    }

    fn range(&mut self, blob: usize, feed: &mut Feed<'_>) {
        let (store, object) = (self.store(), &BLOBS[blob]);
        let offset = u64::from(feed.u16()) << (feed.byte() % 4);
        let mut buffer = vec![0xaa; feed.below(20_000)];
        let read = store.read_range(&self.id(blob), offset, &mut buffer);
        let doubt = self.model.fates[blob].here == Sight::Doubt;
        if let Some(count) = self.model.saw(blob, read.as_ref().map(|count| *count), "range") {
            let rest = object.bytes.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
            let expected = &rest[..rest.len().min(buffer.len())];
            // Clause 2: only a verified range is never wrong.
            if !doubt || store.capabilities().verified_ranges {
                assert!(buffer[..count] == *expected, "range: object {blob} has other bytes");
            }
        }
    }

    fn stat(&mut self, blob: usize) {
        let (store, id) = (self.store(), self.id(blob));
        let doubt = self.model.fates[blob].here == Sight::Doubt;
        let stat = store.stat(&id);
        if let Some(stat) = self.model.saw(blob, stat.as_ref().map(Option::as_ref), "stat") {
            assert!(doubt || stat.size == BLOBS[blob].len());
        }
        let other = self.id((blob + 1) % COUNT);
        match store.stat_many(&[id, other, id]) {
            Ok(stats) => {
                assert_eq!(stats.len(), 3);
                for (number, stat) in [blob, (blob + 1) % COUNT, blob].into_iter().zip(stats) {
                    self.model.saw(number, Ok(stat), "stat_many");
                }
            }
            Err(error) => assert!(self.model.damaged, "stat_many: {error:?}"),
        }
    }

    fn list(&mut self, blob: usize, feed: &mut Feed<'_>) {
        let digits = self.id(blob).to_string();
        let prefix = accepted(IdPrefix::parse_bytes(&digits.as_bytes()[..usize::from(feed.byte() % 5)]));
        let mut ids = Vec::new();
        let listed = self.store().list(&prefix, &mut |id| {
            ids.push(id);
            ControlFlow::Continue(())
        });
        if let Err(error) = listed {
            assert!(self.model.damaged, "list: {error:?}");
            return;
        }
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "an object is listed twice");
        for blob in 0..COUNT {
            let id = self.id(blob);
            if prefix.matches(&id) {
                let found = ids.binary_search(&id).ok().map(|at| ids.remove(at));
                self.model.saw(blob, Ok(found), "list");
            }
        }
        assert!(ids.is_empty(), "list: {ids:?} should not be there");
    }

    fn restore(&mut self, blob: usize, feed: &mut Feed<'_>) {
        let dir = accepted(Dir::open(&self.ground.work()));
        let mut target = accepted(dir.temp_file(0o600));
        let object = &BLOBS[blob];
        let checksum = digest(self.ground.algorithm, &object.bytes).checksum;
        let verify = match (feed.byte() % 3, checksum) {
            (0, Some(checksum)) => Verify::Checksum(checksum),
            (1, _) => Verify::No,
            _ => Verify::Id,
        };
        let options = RestoreOptions { verify, progress: None };
        let restored = self.store().restore_file(&self.id(blob), &mut target, &options);
        let doubt = self.model.fates[blob].here == Sight::Doubt;
        if let Some(restored) = self.model.saw(blob, restored.as_ref().map(Option::as_ref), "restore") {
            let same = accepted(fs::read(target.path())) == object.bytes;
            assert!(same || doubt && !restored.verified, "restore: object {blob} has other bytes");
            assert!(restored.verified || verify == Verify::No, "restore: not verified");
        }
    }

    fn verify(&mut self, blob: usize) {
        let verified = self.store().verify(&self.id(blob));
        let here = self.model.fates[blob].here;
        let doubt = here == Sight::Doubt;
        if let (true, false, Ok(Some(Verified::Damaged { .. }))) =
            (self.model.damaged, here == Sight::Whole, &verified)
        {
            // As an error: a damaged pack may hold anything.
            return;
        }
        match self.model.saw(blob, verified.as_ref().map(Option::as_ref), "verify") {
            Some(Verified::Sound { size }) => assert_eq!(*size, BLOBS[blob].len()),
            Some(Verified::Damaged { reason }) => {
                // An overlay looks at every copy, also at one behind a copy that is whole.
                let hidden = self.model.damaged && self.ground.backend == Backend::Overlay;
                assert!(doubt || hidden, "object {blob} is damaged: {reason}");
            }
            None => {}
        }
    }

    fn remove(&mut self, blob: usize) {
        let here = self.model.fates[blob].here;
        match self.store().remove(&self.id(blob)) {
            Ok(there) => {
                assert!(!there || here != Sight::No, "something was removed that is not there");
                assert!(there || here != Sight::Whole, "nothing was removed");
                self.model.removed(blob);
                self.stat(blob);
            }
            // A damaged pack may hold anything.
            Err(error) if self.model.damaged && error.kind() == ErrorKind::Corrupt => {}
            Err(error) => {
                self.may_fail(&error, "remove");
                self.model.unclear(blob);
            }
        }
    }

    fn sync(&mut self) {
        match self.store().sync() {
            Ok(()) => {
                assert!(!self.spent, "a sync succeeds after one that failed");
                self.model.synced();
            }
            Err(error) => {
                self.may_fail(&error, "sync");
                self.spent = true;
                if !self.kills {
                    self.model.sync_failed();
                }
            }
        }
    }

    fn repack(&mut self, feed: &mut Feed<'_>) {
        let all = feed.byte().is_multiple_of(2);
        if let Err(error) = self.store().repack(&RepackOptions { all, progress: None }) {
            let corrupt = self.model.damaged && error.kind() == ErrorKind::Corrupt;
            if !corrupt {
                self.may_fail(&error, "repack");
            }
            // It begins with a sync.
            if self.plan.struck() && !self.kills {
                self.spent_perhaps();
            }
        }
        if !self.kills {
            (0..COUNT).for_each(|blob| self.stat(blob));
        }
    }

    /// A sync inside of something else may have failed.
    fn spent_perhaps(&mut self) {
        for fate in &mut self.model.fates {
            if fate.here != fate.later && fate.here != Sight::Doubt {
                fate.here = if fate.later == Sight::Doubt { Sight::Doubt } else { Sight::Perhaps };
                fate.later = fate.here;
            }
        }
    }

    /// Moves an object from the first side of an overlay to the second.
    fn settle(&mut self, blob: usize) {
        let Some((loose, packs)) = self.opened.as_ref().and_then(|opened| opened.sides.clone()) else {
            return;
        };
        let id = self.id(blob);
        let moved = || -> Result<bool, Error> {
            let Some(mut reader) = loose.open(&id)? else { return Ok(false) };
            let options =
                PutOptions { expected: Some(id), durability: Durability::AtSync, ..PutOptions::default() };
            packs.put(&mut reader, &options)?;
            packs.sync()?;
            loose.remove(&id)?;
            Ok(true)
        };
        match moved() {
            Ok(true) => {
                self.model.fates[blob].here = Sight::Whole;
                self.model.fates[blob].later = Sight::Whole;
                self.get(blob);
            }
            Ok(false) => {}
            Err(error)
                if self.model.damaged
                    && matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::WrongHash) => {}
            Err(error) => {
                self.may_fail(&error, "settle");
                // The packs' handle may be spent, and with it the overlay's.
                self.wounded = true;
                if !self.kills {
                    self.get(blob);
                }
            }
        }
    }

    /// Changes a byte of a published file, or removes what can be made anew.
    fn damage(&mut self, feed: &mut Feed<'_>) {
        let [which, bit] = feed.array();
        let at = usize::from(feed.u16());
        let files = self.ground.files();
        if files.is_empty() {
            return;
        }
        let path = &files[usize::from(which) % files.len()];
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let is_index = name.ends_with(b".idx") || name == b"multi-pack-index";
        let is_pack = name.ends_with(b".pack");
        let in_records =
            is_pack && at as u64 % accepted(fs::metadata(path)).len().max(1) >= PACK_HEADER_LEN as u64;
        self.model.records_damaged |= in_records;
        if is_index {
            self.log.push(format!("  {}", path.display()));
            self.model.index_lost = true;
            if self.model.records_damaged {
                // Behind a record header that is damaged only the index knew what there is.
                self.model.doubt(None);
            }
            // An index is mapped, so that it may not be written to; it is replaced, or it goes.
            let mut bytes = accepted(fs::read(path));
            accepted(fs::remove_file(path));
            if bit & 1 == 1 && flip(&mut bytes, at, bit) {
                accepted(fs::write(path, bytes));
            }
            return;
        }
        let object = (0..COUNT).find(|&blob| path_is(path, &BLOBS[blob], self.ground.algorithm));
        if object.is_none() && !is_pack {
            // A marker, or tombstones: the store says what it is, and nobody can say it anew.
            return;
        }
        self.log.push(format!("  {}, byte {at}, bit {}", path.display(), bit % 8));
        let mut bytes = accepted(fs::read(path));
        if flip(&mut bytes, at, bit) {
            accepted(overwrite(path, &bytes));
            self.model.doubt(object);
        }
    }

    fn look_after(&mut self, feed: &mut Feed<'_>) {
        let store = self.store();
        let ids: Vec<ObjectId> = (0..COUNT).map(|blob| self.id(blob)).collect();
        let mut order = accepted(store.storage_order(&ids));
        order.sort_unstable();
        assert_eq!(order, (0..COUNT).collect::<Vec<_>>());
        let mut found = 0;
        if let Err(error) = store.check_structure(&mut |_| found += 1) {
            self.may_fail(&error, "check_structure");
        }
        assert!(
            found == 0 || self.model.damaged || self.model.index_lost || self.wounded,
            "a sound store has {found} faults"
        );
        let before = Timestamp { secs: i64::from(feed.byte()) << 32, nanos: 0 };
        let dry_run = feed.byte().is_multiple_of(2);
        if let Err(error) = store.tidy(&TidyOptions { before, dry_run }) {
            self.may_fail(&error, "tidy");
        }
        assert!(!store.name().is_empty());
        let unknown = ObjectId::from_bytes([0x99; 32]);
        assert!(matches!(store.contains(&unknown), Ok(false)));
        assert!(matches!(store.remove(&unknown), Ok(false)) || self.plan.struck());
    }

    /// Lets the handle go, as it is or because its process was killed, and opens another one with another plan.
    fn reopen(&mut self, feed: &mut Feed<'_>) {
        self.opened = None;
        if self.ground.backend != Backend::Memory {
            self.model.reopened();
        }
        let [what, number, kind] = feed.array();
        let number = u64::from(number % 64);
        let kind =
            pick([io::ErrorKind::StorageFull, io::ErrorKind::Other, io::ErrorKind::PermissionDenied], kind);
        self.kills = what % 4 == 1;
        self.log.push(format!(
            "reopen with {} at {number}",
            ["no fault", "a kill", "an error", "no fault"][usize::from(what % 4)]
        ));
        self.plan = match what % 4 {
            1 => FaultPlan::kill_at(number),
            2 => FaultPlan::fail_at(number, kind),
            _ => FaultPlan::watch(),
        };
        (self.wounded, self.spent) = (false, false);
        match self.ground.open(&self.plan) {
            Ok(opened) => self.opened = Some(opened),
            Err(error) => {
                self.may_fail(&error, "open");
                (self.kills, self.plan) = (false, FaultPlan::watch());
                self.opened = Some(accepted(self.ground.open(&self.plan)));
            }
        }
        // What was unclear is clear from here on.
        for blob in 0..COUNT {
            self.get(blob);
            let fate = &mut self.model.fates[blob];
            fate.later = fate.here;
        }
    }
}

/// The store's error inside a reader's.
fn foreign(error: io::Error) -> Error {
    match Error::from_reader(error) {
        Ok(error) => error,
        Err(error) => panic!("a reader fails with a foreign error: {error}"),
    }
}

fn flip(bytes: &mut [u8], at: usize, bit: u8) -> bool {
    let at = at % bytes.len().max(1);
    bytes.get_mut(at).map(|byte| *byte ^= 1 << (bit % 8)).is_some()
}

/// Writes into the file that is there, as a bad medium would: handles that are open see it.
fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    fs::write(path, bytes)
}

fn path_is(path: &Path, blob: &Blob, algorithm: stem_hash::Algorithm) -> bool {
    let digits = blob.id(algorithm).to_string();
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let shard = path.parent().and_then(Path::file_name).unwrap_or_default().as_encoded_bytes();
    [shard, name].concat() == digits.as_bytes()
}
