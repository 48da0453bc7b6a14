//! Two stores read as one.
//!
//! What is put goes to the *primary* (hot, raw, adopting); what moved to the *secondary* (packs) is read as if it had
//! stayed. Objects move between the two while others read: a mover puts and syncs on one side before it removes from the
//! other, so every question is asked primary, secondary, primary before the answer is `None`; whoever asked each side
//! once could look at both in the wrong moment.
//!
//! Putting into the side that has the object already was rejected: it would mean to read and decode the packed copy
//! (a put must not trust what it merely finds) where adopting the file costs one rename.

use std::io::Read;
use std::ops::ControlFlow;

use stem_fs::{Dir, RelPath, TempFile};
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{
    Capabilities, Error, ErrorKind, FileSource, Maintain, ObjectRead, ObjectStat, ObjectStore, Operation,
    Put, PutFile, PutOptions, RepackOptions, Repacked, RestoreOptions, Restored, Result, StructureDamage,
    Tidied, TidyOptions, Verified,
};

use crate::target::empty;
use crate::union::{List, list_once};

/// Reads two stores as one and writes to the first.
#[derive(Debug)]
pub struct Overlay<P, S> {
    primary: P,
    secondary: S,
    capabilities: Capabilities,
}

impl<P: ObjectStore, S: ObjectStore> Overlay<P, S> {
    /// `primary` over `secondary`. Both must make their ids the same way ([`ErrorKind::Unsupported`] otherwise).
    pub fn new(primary: P, secondary: S) -> Result<Self> {
        let (ours, theirs) = (primary.capabilities(), secondary.capabilities());
        if ours.algorithm != theirs.algorithm {
            let (name, found, wanted) = (secondary.name(), theirs.algorithm, ours.algorithm);
            return Err(Error::new(ErrorKind::Unsupported, Operation::OpenStore, name)
                .with_reason(format!("its ids are {found}, those of '{}' are {wanted}", primary.name())));
        }
        // Metadata and adoption are matters of putting, ranges one of reading.
        let capabilities =
            Capabilities { verified_ranges: ours.verified_ranges && theirs.verified_ranges, ..ours };
        Ok(Self { primary, secondary, capabilities })
    }

    /// Both stores.
    pub fn into_parts(self) -> (P, S) {
        (self.primary, self.secondary)
    }

    /// The store that is asked first and written to.
    pub fn primary(&self) -> &P {
        &self.primary
    }

    /// The store beside it.
    pub fn secondary(&self) -> &S {
        &self.secondary
    }

    /// Asks primary, secondary, primary. A copy that is damaged or cannot be read does not hide a good one; without one
    /// its error is the answer.
    fn ask<T>(&self, mut ask: impl FnMut(&dyn ObjectStore) -> Result<Option<T>>) -> Result<Option<T>> {
        let first = match ask(&self.primary) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => None,
            Err(error) if is_about_the_copy(&error) => Some(error),
            Err(error) => return Err(error),
        };
        match (ask(&self.secondary), first) {
            (Ok(Some(found)), _) => Ok(Some(found)),
            (Ok(None), None) => ask(&self.primary),
            (Err(error), None) | (_, Some(error)) => Err(error),
        }
    }
}

fn is_about_the_copy(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io)
}

#[deny(clippy::missing_trait_methods)]
impl<P: ObjectStore, S: ObjectStore> ObjectStore for Overlay<P, S> {
    fn name(&self) -> &str {
        self.primary.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        self.ask(|store| store.stat(id)).map(|stat| stat.map(|stat| self.known(stat)))
    }

    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        self.ask(|store| store.open(id))
    }

    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        self.ask(|store| store.read_range(id, offset, buf))
    }

    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.primary.put(source, options)
    }

    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        // As in `ask`, and without holding back: the visitor may use the stores.
        let (first, second): (List<'_>, List<'_>) =
            (&|part, visit| self.primary.list(part, visit), &|part, visit| self.secondary.list(part, visit));
        list_once(prefix, &[first, second, first], visit)
    }

    fn sync(&self) -> Result<()> {
        // Both, whatever the first one says.
        let (first, second) = (self.primary.sync(), self.secondary.sync());
        first.and(second)
    }

    fn stat_many(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectStat>>> {
        let mut found = self.primary.stat_many(ids)?;
        let stores: [&dyn ObjectStore; 2] = [&self.secondary, &self.primary];
        for store in stores {
            let open: Vec<usize> =
                (0..ids.len()).filter(|&at| found.get(at).is_some_and(Option::is_none)).collect();
            if open.is_empty() {
                break;
            }
            let missing: Vec<ObjectId> = open.iter().map(|&at| ids[at]).collect();
            for (at, stat) in open.into_iter().zip(store.stat_many(&missing)?) {
                found[at] = stat;
            }
        }
        Ok(found.into_iter().map(|stat| stat.map(|stat| self.known(stat))).collect())
    }

    fn rely_on(&self, ids: &[ObjectId]) -> Result<Vec<bool>> {
        let mut there = self.primary.rely_on(ids)?;
        let stores: [&dyn ObjectStore; 2] = [&self.secondary, &self.primary];
        for store in stores {
            let open: Vec<usize> = (0..ids.len()).filter(|&at| there.get(at) == Some(&false)).collect();
            if open.is_empty() {
                break;
            }
            let missing: Vec<ObjectId> = open.iter().map(|&at| ids[at]).collect();
            for (at, found) in open.into_iter().zip(store.rely_on(&missing)?) {
                there[at] = found;
            }
        }
        Ok(there)
    }

    fn put_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.primary.put_file(source, options)
    }

    fn restore_file(
        &self,
        id: &ObjectId,
        target: &mut TempFile,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Restored>> {
        let mut tried = false;
        self.ask(|store| {
            if std::mem::replace(&mut tried, true) {
                empty(target, store.name(), id)?;
            }
            store.restore_file(id, target, options)
        })
    }

    fn storage_order(&self, ids: &[ObjectId]) -> Result<Vec<usize>> {
        // Each side keeps the order of what it does not have.
        let outer = self.primary.storage_order(ids)?;
        let sorted: Vec<ObjectId> = outer.iter().filter_map(|&at| ids.get(at).copied()).collect();
        let inner = self.secondary.storage_order(&sorted)?;
        Ok(inner.into_iter().filter_map(|at| outer.get(at).copied()).collect())
    }
}

impl<P, S> Overlay<P, S> {
    /// What this store says of an object: metadata only if it keeps them for whatever is put.
    fn known(&self, stat: ObjectStat) -> ObjectStat {
        ObjectStat { metadata: stat.metadata.filter(|_| self.capabilities.keeps_metadata), ..stat }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<P: Maintain, S: Maintain> Maintain for Overlay<P, S> {
    /// Looks at every copy; damaged when one of them is.
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        let (first, second) = (self.primary.verify(id)?, self.secondary.verify(id)?);
        let named = |verified: Option<Verified>, store: &dyn ObjectStore| match verified {
            Some(Verified::Damaged { reason }) => {
                Some(Verified::Damaged { reason: format!("the copy in '{}': {reason}", store.name()) })
            }
            other => other,
        };
        match (named(first, &self.primary), named(second, &self.secondary)) {
            (None, None) => self.primary.verify(id),
            (Some(Verified::Damaged { reason: one }), Some(Verified::Damaged { reason: other })) => {
                Ok(Some(Verified::Damaged { reason: format!("{one}; {other}") }))
            }
            (Some(bad @ Verified::Damaged { .. }), _) | (_, Some(bad @ Verified::Damaged { .. })) => {
                Ok(Some(bad))
            }
            (one, other) => Ok(one.or(other)),
        }
    }

    /// Removes every copy.
    fn remove(&self, id: &ObjectId) -> Result<bool> {
        let first = self.primary.remove(id)?;
        Ok(self.secondary.remove(id)? || first)
    }

    fn needs_only(&self, ids: &[ObjectId]) -> Result<()> {
        self.primary.needs_only(ids)?;
        self.secondary.needs_only(ids)
    }

    fn entrust(&self, ids: &[ObjectId]) -> Result<()> {
        self.primary.entrust(ids)?;
        self.secondary.entrust(ids)
    }

    fn repack(&self, options: &RepackOptions<'_>) -> Result<Repacked> {
        let (one, other) = (self.primary.repack(options)?, self.secondary.repack(options)?);
        Ok(Repacked {
            packs: (one.packs.0 + other.packs.0, one.packs.1 + other.packs.1),
            bytes: (one.bytes.0 + other.bytes.0, one.bytes.1 + other.bytes.1),
            rewritten: one.rewritten + other.rewritten,
        })
    }

    fn stored_bytes(&self) -> Result<Option<u64>> {
        let (one, other) = (self.primary.stored_bytes()?, self.secondary.stored_bytes()?);
        Ok(one.zip(other).map(|(one, other)| one + other))
    }

    /// The damaged copies, where there is a whole one beside, which stays to heal the object; else every copy. With two the
    /// secondary's has `.2` after its name.
    fn quarantine(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        let is_damaged =
            |store: &dyn Maintain| !matches!(store.verify(id), Ok(None | Some(Verified::Sound { .. })));
        let damaged = (is_damaged(&self.primary), is_damaged(&self.secondary));
        let takes = if damaged == (false, false) { (true, true) } else { damaged };
        let first = takes.0 && self.primary.quarantine(id, into, name)?;
        if !takes.1 {
            return Ok(first);
        }
        if !first {
            return self.secondary.quarantine(id, into, name);
        }
        let second = [name.file_name(), b".2"].concat();
        let second = match name.parent() {
            Some(parent) => parent.join(&second),
            None => RelPath::new(second),
        };
        let second = second.map_err(|error| {
            Error::new(ErrorKind::InvalidInput, Operation::Remove, self.secondary.name())
                .with_id(id)
                .with_source(error)
        })?;
        self.secondary.quarantine(id, into, &second).map(|_| true)
    }

    fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        self.primary.check_structure(found)?;
        self.secondary.check_structure(found)
    }

    fn tidy(&self, options: &TidyOptions) -> Result<Tidied> {
        let (one, other) = (self.primary.tidy(options)?, self.secondary.tidy(options)?);
        Ok(Tidied { files: one.files + other.files, bytes: one.bytes + other.bytes })
    }
}
