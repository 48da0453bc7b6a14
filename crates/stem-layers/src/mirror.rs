//! The same objects in several stores.
//!
//! What is put goes to all of them, and a put is over when all have it; what is read comes from the first that has it
//! whole. Every store is asked before the answer is "there is none", and one that is damaged or away does not hide the
//! others. Repairing is asked for ([`Mirror::repairing`]): who only reads must not write.
//!
//! A put that fails in one of them leaves the object in those before: taking it back could take it from somebody who relies
//! on it by now. A second put of the same bytes completes it.
//!
//! A quorum (most of them are enough) was rejected: with two stores it promises nothing, and it needs a record of what is
//! owed to whom. A mirror that lost a part of itself is completed by `stem copy`, or by repair as it is read. Files are
//! not adopted, for one file cannot be in two places.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{Hasher, IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore,
    ObjectStoreExt as _, Operation, Put, PutFile, PutOptions, RepackOptions, Repacked, RestoreOptions,
    Restored, Result, StructureDamage, Tidied, TidyOptions, Verified, Written, with_buffer,
};

use crate::target::empty;
use crate::union::{List, Visit, list_once};

/// Writes to all, reads from the first that has it whole.
#[derive(Debug, Clone)]
pub struct Mirror(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    first: Arc<dyn Maintain>,
    others: Vec<Arc<dyn Maintain>>,
    capabilities: Capabilities,
    repair: bool,
}

impl Mirror {
    /// These stores as one, the first one first. All must make their ids the same way ([`ErrorKind::Unsupported`]
    /// otherwise).
    pub fn new(first: Arc<dyn Maintain>, others: Vec<Arc<dyn Maintain>>) -> Result<Self> {
        Self::with(first, others, false)
    }

    /// As [`new`](Self::new); a copy that is found missing or damaged while another is read, verified or restored is
    /// replaced.
    pub fn repairing(first: Arc<dyn Maintain>, others: Vec<Arc<dyn Maintain>>) -> Result<Self> {
        Self::with(first, others, true)
    }

    fn with(first: Arc<dyn Maintain>, others: Vec<Arc<dyn Maintain>>, repair: bool) -> Result<Self> {
        let mut capabilities = Capabilities { adopts_files: false, ..first.capabilities() };
        for other in &others {
            let theirs = other.capabilities();
            if theirs.algorithm != capabilities.algorithm {
                return Err(Error::new(ErrorKind::Unsupported, Operation::OpenStore, other.name())
                    .with_reason(format!(
                        "its ids are {}, those of '{}' are {}",
                        theirs.algorithm,
                        first.name(),
                        capabilities.algorithm
                    )));
            }
            capabilities.verified_ranges &= theirs.verified_ranges;
            capabilities.keeps_metadata &= theirs.keeps_metadata;
        }
        Ok(Self(Arc::new(Parts { first, others, capabilities, repair })))
    }

    /// The stores.
    pub fn stores(&self) -> impl Iterator<Item = &Arc<dyn Maintain>> {
        self.0.stores()
    }

    /// Asks one store after the other. A copy that is damaged, missing or away does not hide a good one; without one the
    /// first error is the answer.
    fn ask<T>(
        &self,
        id: &ObjectId,
        mut ask: impl FnMut(&dyn Maintain, bool) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut failed = None;
        let mut without = Vec::new();
        for (at, store) in self.0.stores().enumerate() {
            match ask(&**store, at > 0) {
                Ok(Some(found)) => {
                    self.0.mend(id, store, &without);
                    return Ok(Some(found));
                }
                Ok(None) => without.push(Arc::clone(store)),
                Err(error) if is_about_the_copy(&error) => {
                    if error.kind() == ErrorKind::Corrupt {
                        without.push(Arc::clone(store));
                    }
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Puts what the first store has into the others, and says what was done, all together.
    fn spread(&self, id: &ObjectId, first: Written, options: &PutOptions) -> Result<Written> {
        let mut written = first;
        for other in &self.0.others {
            let options = PutOptions { expected: Some(*id), checksum: false, ..*options };
            let Some(put) = self.0.first.copy_to(other, id, &options)? else {
                return Err(Error::new(ErrorKind::Io, Operation::Put, self.0.first.name())
                    .with_id(id)
                    .with_reason("it was removed while it was put into the other stores"));
            };
            written = match (written, put.written) {
                (Written::Replaced, _) | (_, Written::Replaced) => Written::Replaced,
                (Written::New, Written::New) => Written::New,
                _ => Written::Present,
            };
        }
        Ok(written)
    }

    fn sum(&self, each: impl Fn(&dyn Maintain) -> Result<(u64, u64)>) -> Result<(u64, u64)> {
        self.0.stores().try_fold((0, 0), |(one, other), store| {
            let (more, also) = each(&**store)?;
            Ok((one + more, other + also))
        })
    }
}

impl Parts {
    fn stores(&self) -> impl Iterator<Item = &Arc<dyn Maintain>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Gives the object to the stores that lack it, if that is wanted. What hinders it hinders no reader: the next look
    /// finds the same again.
    fn mend(&self, id: &ObjectId, from: &Arc<dyn Maintain>, to: &[Arc<dyn Maintain>]) {
        for store in to.iter().filter(|_| self.repair) {
            match from.copy_to(store, id, &PutOptions::default()) {
                Ok(_) => tracing::info!(store = store.name(), %id, from = from.name(), "repaired an object"),
                Err(error) => tracing::warn!(store = store.name(), %id, %error, "cannot repair an object"),
            }
        }
    }
}

fn is_about_the_copy(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::Unavailable | ErrorKind::PermissionDenied
    )
}

/// A reader that goes on with another copy where one turns out damaged.
struct Failover {
    parts: Arc<Parts>,
    id: ObjectId,
    reader: Box<dyn ObjectRead>,
    /// Which store it reads, counted from the first.
    at: usize,
    len: u64,
    /// What was handed out.
    passed: u64,
    hasher: Hasher,
    bad: Vec<Arc<dyn Maintain>>,
    /// What was wrong with the first copy: the answer, if no other one helps.
    failed: Option<io::Error>,
}

impl Failover {
    /// Opens the next copy and reads what was handed out already: it has to be the same.
    fn next(&mut self) -> bool {
        while let Some(store) = self.parts.stores().nth(self.at + 1) {
            self.at += 1;
            let Ok(Some(mut reader)) = store.open(&self.id) else { continue };
            let mut hasher = Hasher::new(self.parts.capabilities.algorithm);
            if skip(&mut *reader, self.passed, &mut hasher).is_ok()
                && hasher.finish().id == self.hasher.clone().finish().id
            {
                self.len = reader.len();
                self.reader = reader;
                return true;
            }
        }
        false
    }
}

fn skip(reader: &mut dyn Read, len: u64, hasher: &mut Hasher) -> io::Result<()> {
    with_buffer(|buffer| {
        let mut left = len;
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let n = match reader.read(&mut buffer[..room]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => n.min(room),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&buffer[..n]);
            left -= n as u64;
        }
        Ok(())
    })
}

impl Read for Failover {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buf) {
                Ok(n) => {
                    let n = n.min(buf.len());
                    self.hasher.update(&buf[..n]);
                    self.passed += n as u64;
                    if n > 0 && self.passed == self.len && !self.bad.is_empty() {
                        let bad = std::mem::take(&mut self.bad);
                        if let Some(good) = self.parts.stores().nth(self.at) {
                            self.parts.mend(&self.id, good, &bad);
                        }
                    }
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    if error.kind() == io::ErrorKind::InvalidData
                        && let Some(store) = self.parts.stores().nth(self.at)
                    {
                        self.bad.push(Arc::clone(store));
                    }
                    let first = self.failed.take().unwrap_or(error);
                    if !self.next() {
                        return Err(first);
                    }
                    self.failed = Some(first);
                }
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl ObjectRead for Failover {
    fn len(&self) -> u64 {
        self.len
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Mirror {
    fn name(&self) -> &str {
        self.0.first.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.ask_without_mending(|store| store.stat(id)).map(|stat| stat.map(|stat| self.known(stat)))
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        let mut at = 0;
        let opened = self.ask(id, |store, _| {
            let opened = store.open(id);
            at += 1;
            opened
        })?;
        Ok(opened.map(|reader| {
            Box::new(Failover {
                parts: Arc::clone(&self.0),
                id: *id,
                len: reader.len(),
                reader,
                at: at - 1,
                passed: 0,
                hasher: Hasher::new(self.0.capabilities.algorithm),
                bad: Vec::new(),
                failed: None,
            }) as _
        }))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.ask(id, |store, _| store.read_range(id, offset, buf))
    }

    /// Puts it into the first store, and from there into the others: a source can be read once only.
    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        let put = self.0.first.put(source, options)?;
        let written = self.spread(&put.digest.id, put.written, options)?;
        Ok(Put { written, ..put })
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        let stores: Vec<_> = self
            .0
            .stores()
            .map(|store| move |part: &IdPrefix, visit: Visit<'_>| store.list(part, visit))
            .collect();
        let lists: Vec<List<'_>> = stores.iter().map(|list| list as List<'_>).collect();
        list_once(prefix, &lists, visit)
    }

    fn sync(&self) -> Result<()> {
        // All, whatever the first one says.
        let results: Vec<Result<()>> = self.0.stores().map(ObjectStore::sync).collect();
        results.into_iter().collect()
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        let mut found: Vec<Option<ObjectStat>> = vec![None; ids.len()];
        let mut failed = None;
        for store in self.0.stores() {
            let open: Vec<usize> = (0..ids.len()).filter(|&at| found[at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let missing: Vec<ObjectId> = open.iter().map(|&at| ids[at]).collect();
            match store.stat_many(&missing) {
                Ok(stats) => {
                    for (at, stat) in open.into_iter().zip(stats) {
                        found[at] = stat;
                    }
                }
                Err(error) if is_about_the_copy(&error) => {
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match failed {
            Some(error) if found.iter().any(Option::is_none) => Err(error),
            _ => Ok(found.into_iter().map(|stat| stat.map(|stat| self.known(stat))).collect()),
        }
    }

    /// Every store is asked, so that each keeps what it has.
    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        let mut there = vec![false; ids.len()];
        for store in self.0.stores() {
            match store.rely_on(ids) {
                Ok(found) => there.iter_mut().zip(found).for_each(|(there, found)| *there |= found),
                Err(error) if is_about_the_copy(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(there)
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        let put = self.0.first.put_file(&FileSource { take: false, ..*source }, options)?;
        let options =
            PutOptions { metadata: options.metadata.or_else(|| Some((&source.stat).into())), ..*options };
        let written = self.spread(&put.digest.id, put.written, &options)?;
        Ok(PutFile { written, ..put })
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        self.ask(id, |store, again| {
            if again {
                empty(target, store.name(), id)?;
            }
            store.restore_file(id, target, options)
        })
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        self.0.first.storage_order(ids)
    }
}

impl Mirror {
    /// What a store says of an object: metadata only if all keep them.
    fn known(&self, stat: ObjectStat) -> ObjectStat {
        ObjectStat { metadata: stat.metadata.filter(|_| self.0.capabilities.keeps_metadata), ..stat }
    }

    /// As [`ask`](Self::ask), for what says nothing about the bytes.
    fn ask_without_mending<T>(
        &self,
        mut ask: impl FnMut(&dyn Maintain) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut failed = None;
        for store in self.0.stores() {
            match ask(&**store) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) if is_about_the_copy(&error) => {
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Maintain for Mirror {
    /// Looks at every copy; damaged when one of them is damaged or missing and was not repaired.
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        let mut sound = None;
        let mut bad: Vec<(&Arc<dyn Maintain>, String)> = Vec::new();
        for store in self.0.stores() {
            match store.verify(id)? {
                Some(Verified::Sound { size }) => {
                    sound.get_or_insert((store, size));
                }
                Some(Verified::Damaged { reason }) => bad.push((store, reason)),
                None => bad.push((store, "it is missing".to_owned())),
            }
        }
        let damaged = bad.iter().any(|(_, reason)| reason != "it is missing");
        if let Some((good, size)) = sound {
            if self.0.repair {
                let to: Vec<_> = bad.iter().map(|(store, _)| Arc::clone(store)).collect();
                self.0.mend(id, good, &to);
                bad.retain(|(store, _)| !matches!(store.verify(id), Ok(Some(Verified::Sound { .. }))));
            }
            if bad.is_empty() {
                return Ok(Some(Verified::Sound { size }));
            }
        } else if !damaged {
            return Ok(None);
        }
        let mut words = String::new();
        for (store, reason) in &bad {
            let comma = if words.is_empty() { "" } else { "; " };
            // Writing into a string cannot fail.
            let _ = write!(words, "{comma}the copy in '{}': {reason}", store.name());
        }
        Ok(Some(Verified::Damaged { reason: words }))
    }

    /// Removes every copy, or as many as can be.
    fn remove(&self, id: &ObjectId) -> Result<bool> {
        let results: Vec<Result<bool>> = self.0.stores().map(|store| store.remove(id)).collect();
        results.into_iter().try_fold(false, |any, removed| Ok(removed? || any))
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.0.stores().try_for_each(|store| store.needs_only(ids))
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.0.stores().try_for_each(|store| store.entrust(ids))
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        let mut all = Repacked::default();
        for store in self.0.stores() {
            let one = store.repack(options)?;
            all.packs = (all.packs.0 + one.packs.0, all.packs.1 + one.packs.1);
            all.bytes = (all.bytes.0 + one.bytes.0, all.bytes.1 + one.bytes.1);
            all.rewritten += one.rewritten;
        }
        Ok(all)
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        self.0.stores().try_fold(Some(0), |sum: Option<u64>, store| {
            Ok(sum.zip(store.stored_bytes()?).map(|(sum, bytes)| sum.saturating_add(bytes)))
        })
    }

    /// One name cannot hold several copies.
    fn quarantine(&self, id: &ObjectId, _into: &Dir, _name: &RelPath) -> Result<bool> {
        Err(Error::new(ErrorKind::Unsupported, Operation::Remove, self.name()).with_id(id).with_reason(
            "a mirror repairs its copies from each other; name one of its stores to put one aside",
        ))
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.0.stores().try_for_each(|store| store.check_structure(found))
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        let (files, bytes) = self.sum(|store| store.tidy(options).map(|one| (one.files, one.bytes)))?;
        Ok(Tidied { files, bytes })
    }
}
