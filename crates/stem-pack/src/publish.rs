//! From a growing pack to one that everybody sees.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use stem_fs::Publish;
use stem_hash::ObjectId;
use stem_store::{Error, ErrorKind, Operation, Result};

use crate::depot::{Depot, DepotJob, DepotPack};
use crate::files::{OwnIndex, Pack, index_name, pack_name};
use crate::handle::Core;
use crate::index::{Index, IndexKind, Want};
use crate::lane::Lane;
use crate::record::Bytes;
use crate::writer::{AppendError, FinishedPack, PackWriter};

/// Permission bits of an index; the umask applies.
const MODE: u32 = 0o444;

impl Core {
    /// Appends to the lane's growing pack, which is made if there is none. What `append` appended is in the pack or, after
    /// an error, not. A pack that has become long enough is published.
    pub(crate) fn append<T>(
        &self,
        lane: &Lane,
        records: u64,
        append: impl FnOnce(&mut PackWriter) -> std::result::Result<T, AppendError>,
        done: impl FnOnce(T),
    ) -> Result<()> {
        let failed = |error| self.append_error(Operation::Put, error);
        let mut open = lane.open();
        if self.is_pending(lane) {
            self.check_spent(Operation::Put)?;
        }
        if open.as_ref().is_some_and(|writer| writer.is_full(records + 1)) {
            self.publish(lane, open.take())?;
        }
        let mut writer = match open.take() {
            Some(writer) => writer,
            None => PackWriter::create(&self.place, self.algorithm, self.metadata()).map_err(failed)?,
        };
        let appended = append(&mut writer).and_then(|value| writer.commit().map(|()| value));
        match appended {
            Ok(value) => {
                done(value);
                if writer.len() >= self.options.pack_limit {
                    self.publish(lane, Some(writer))
                } else {
                    *open = Some(writer);
                    Ok(())
                }
            }
            Err(error) => {
                if writer.is_empty() || writer.roll_back().is_ok() {
                    *open = (!writer.is_empty()).then_some(writer);
                } else {
                    // What the pack held is lost, and with it what was promised.
                    drop(open);
                    self.give_up(lane);
                }
                Err(failed(error))
            }
        }
    }

    /// Publishes the pack of a lane, whose lock the caller holds. When that fails, everything in the lane is given up.
    pub(crate) fn publish(&self, lane: &Lane, writer: Option<PackWriter>) -> Result<()> {
        let Some(writer) = writer.filter(|writer| !writer.is_empty()) else { return Ok(()) };
        let (living, ghosts) = lane.written();
        let published = self.publish_pack(writer, &living, &ghosts);
        match published {
            Ok(()) => {
                lane.published();
                self.catalog.merge(&self.place, false);
                Ok(())
            }
            Err(error) => {
                self.mark_spent(lane);
                lane.forget_all();
                Err(self.append_error(Operation::Sync, error))
            }
        }
    }

    fn publish_pack(
        &self,
        writer: PackWriter,
        living: &[ObjectId],
        ghosts: &[ObjectId],
    ) -> std::result::Result<(), AppendError> {
        let dir = self.place.make_packs()?;
        let finished = writer.finish()?;
        if let Some(depot) = &self.depot {
            return self.hand_over(depot, finished);
        }
        let FinishedPack { mut temp, file, index, covered } = finished;
        temp.sync()?;
        // What other processes published and lists here name: their names become durable before ours.
        self.catalog.settle(&dir)?;
        self.bury_ghosts(ghosts)?;
        temp.persist(&dir, &pack_name(covered.id), Publish::New)?;
        dir.sync()?;
        let pack = Arc::new(Pack::new(covered.id, &dir, true));
        pack.adopt(&file, &self.catalog.open_files);
        let bytes = index.to_bytes(&covered)?;
        *pack.index.lock() = Some(self.write_index(&pack, bytes)?);
        self.catalog.added(pack);
        self.tombstones.revive(living.iter().copied());
        Ok(self.tombstones.save(&self.place, None)?)
    }

    /// Gives a pack to the depot, which takes its time. It is read from its file until it has arrived there.
    fn hand_over(
        &self,
        depot: &Arc<dyn Depot>,
        finished: FinishedPack,
    ) -> std::result::Result<(), AppendError> {
        let FinishedPack { temp, file, index, covered } = finished;
        let stored = DepotPack { id: covered.id, len: covered.len, since: None };
        let pack = Arc::new(Pack::in_depot(depot, stored, false));
        pack.adopt(&file, &self.catalog.open_files);
        let bytes = index.to_bytes(&covered)?;
        *pack.index.lock() = Some(self.write_index(&pack, bytes.clone())?);
        self.reliance.owns(covered.id);
        let arrived = Arc::downgrade(&pack);
        let done = Box::new(move || {
            if let Some(pack) = arrived.upgrade() {
                pack.arrived();
            }
        });
        self.catalog.added(pack);
        let Bytes::Here(file) = file.file else { return Ok(()) };
        let job = DepotJob { id: covered.id, file, held: temp, len: covered.len, index: bytes, done };
        depot.submit(job).map_err(|error| {
            self.mark_lost();
            stem_fs::Error::new("upload", "packs", error).into()
        })
    }

    /// What was read of a depot up to now does not prove what is there from now on.
    pub(crate) fn expire(&self) {
        if let Some(depot) = &self.depot {
            depot.expire();
        }
    }

    /// Something did not come to the depot: what this handle put and what is not there is given up.
    pub(crate) fn mark_lost(&self) {
        if self.depot.is_some() {
            self.spent.store(true, Ordering::Release);
            self.catalog.lost();
        }
    }

    /// Writes the index of a pack. It can be rebuilt, so a failure costs no more than the memory that holds it then.
    fn write_index(&self, pack: &Arc<Pack>, bytes: Vec<u8>) -> std::result::Result<OwnIndex, AppendError> {
        let name = index_name(pack.id);
        let written = self.place.make_packs().and_then(|dir| {
            use std::io::Write as _;
            let mut temp = self.place.with_staging(|dir| dir.temp_file(MODE))?;
            temp.write_all(&bytes).map_err(|error| stem_fs::Error::new("write", temp.path(), error))?;
            temp.sync()?;
            temp.persist(&dir, &name, Publish::Replace)?;
            dir.open_file(&name)
        });
        if let Ok(Some(file)) = written
            && let Some(own) = OwnIndex::open(file)
        {
            return Ok(own);
        }
        let index = Arc::new(Index::from_bytes(bytes, IndexKind::Pack)?);
        Ok(OwnIndex { index, file: None })
    }

    /// Hides objects that were removed after their record was written. One that somebody else published in the meantime is
    /// there, and stays there.
    fn bury_ghosts(&self, ghosts: &[ObjectId]) -> stem_fs::Result<()> {
        if ghosts.is_empty() {
            return Ok(());
        }
        // Not to be sure is to keep.
        let Ok(_) = self.refresh() else { return Ok(()) };
        let snapshot = self.catalog.current();
        for id in ghosts {
            let elsewhere = self.catalog.find(&snapshot, id, Want::Object, &self.place);
            if elsewhere.is_ok_and(|hits| hits.is_empty()) {
                self.tombstones.bury(id);
            }
        }
        self.tombstones.save(&self.place, None)
    }

    /// Everything that was put with `AtSync` becomes durable and visible.
    pub(crate) fn sync_all(&self) -> Result<()> {
        let _alone = self.syncing.lock();
        self.check_spent(Operation::Sync)?;
        let synced = self.sync_pending().and_then(|()| self.account());
        // What is merely lost is named until it is put again; all else is durable.
        if synced.as_ref().is_err_and(|error| error.kind() != ErrorKind::Lost) {
            self.give_up(&self.pending);
            self.mark_lost();
        }
        self.expire();
        synced
    }

    pub(crate) fn sync_pending(&self) -> Result<()> {
        let failed = |error| Error::from_fs(Operation::Sync, self.name.as_str(), error);
        self.flush_batch(&self.pending, None)?;
        let mut open = self.pending.open();
        let writer = open.take();
        self.publish(&self.pending, writer)?;
        drop(open);
        if let Some(dir) = self.place.packs().map_err(failed)? {
            // Objects that puts found present: another process may have died before it made their names durable.
            self.catalog.settle(dir).map_err(failed)?;
        }
        self.tombstones.save(&self.place, None).map_err(failed)
    }

    /// The handle can promise nothing any more.
    fn give_up(&self, lane: &Lane) {
        self.mark_spent(lane);
        lane.clear();
    }

    fn mark_spent(&self, lane: &Lane) {
        if self.is_pending(lane) {
            self.spent.store(true, Ordering::Release);
        }
    }

    /// Whether it is the lane of the handle, and not that of one put.
    fn is_pending(&self, lane: &Lane) -> bool {
        std::ptr::eq(lane, &raw const self.pending)
    }
}
