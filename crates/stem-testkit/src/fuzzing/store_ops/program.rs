//! The operations.

use std::fs;
use std::sync::Arc;

use stem_fs::{Dir, RelPath};
use stem_hash::ObjectId;
use stem_store::{
    Durability, Error, ErrorKind, FileSource, Maintain, ObjectStore, PutMethod, PutOptions, RepackOptions,
    Written,
};

use super::super::accepted;
use super::super::feed::Feed;
use super::blobs::{BLOBS, COUNT};
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
    pub(super) opened: Option<Opened>,
    pub(super) plan: Arc<FaultPlan>,
    pub(super) kills: bool,
    /// Whether a fault struck this handle before.
    pub(super) wounded: bool,
    /// Whether a sync failed: no later one succeeds.
    pub(super) spent: bool,
    pub(super) model: Model,
    pub(super) ground: Ground,
    /// What was done so far, for whoever looks into a finding.
    pub(super) log: Vec<String>,
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

    pub(super) fn store(&self) -> Arc<dyn Maintain> {
        match &self.opened {
            Some(opened) => opened.store.clone(),
            None => panic!("the store is open"),
        }
    }

    pub(super) fn id(&self, blob: usize) -> ObjectId {
        BLOBS[blob].id(self.ground.algorithm)
    }

    /// A change may fail when a fault struck it, and when one struck the handle before and that is what it says.
    pub(super) fn may_fail(&mut self, error: &Error, what: &str) {
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
}
