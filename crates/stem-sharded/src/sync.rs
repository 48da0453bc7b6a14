//! One barrier for everything that waits: flush the bytes, rename, flush the names.

use stem_fs::Barrier;
use stem_hash::ObjectId;
use stem_store::{Error, Operation, Result};

use crate::layout::file_name;
use crate::pending::Work;
use crate::store::ShardedStore;

impl ShardedStore {
    pub(crate) fn sync_all(&self) -> Result<()> {
        let (_alone, work) = self.pending.begin_sync().map_err(self.spent(Operation::Sync))?;
        let Work::Batch(barrier, ids) = work else { return Ok(()) };
        self.publish_all(&barrier, &ids).map_err(|error| {
            self.pending.fail();
            Error::from_fs(Operation::Sync, self.name.as_str(), error)
        })
    }

    fn publish_all(&self, barrier: &Barrier, ids: &[ObjectId]) -> stem_fs::Result<()> {
        if !ids.is_empty() {
            // Bytes before names: no power loss may leave a torn object under its name.
            barrier.flush()?;
        }
        for group in ids.chunk_by(|a, b| a.as_bytes()[0] == b.as_bytes()[0]) {
            let mut left = group;
            let Some(first) = group.first() else { continue };
            self.in_shard(first, |shard| {
                barrier.renamed(shard);
                while let [id, rest @ ..] = left {
                    self.pending.publish(id, shard, &file_name(&id.hex()))?;
                    left = rest;
                }
                Ok(())
            })?;
        }
        if let Some(objects) = self.place.objects()? {
            barrier.renamed(objects);
            barrier.renamed(self.place.root());
        }
        barrier.flush()
    }
}
