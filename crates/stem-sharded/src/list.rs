//! Listing: two levels of directories, one shard in memory at a time.

use std::collections::HashSet;
use std::ops::ControlFlow;

use stem_fs::Dir;
use stem_hash::{IdPrefix, ObjectId};
use stem_store::{Error, ErrorKind, Operation, Result};

use crate::layout::{object_id, shard_dir};
use crate::store::ShardedStore;

impl ShardedStore {
    /// [`stem_store::ObjectStore::list`]. Names that are no objects' are passed over: Muse's temporaries, and whatever
    /// else lies about. Something that is no regular file under an object's name is listed, so that verifying finds it.
    pub(crate) fn visit(
        &self,
        prefix: &IdPrefix,
        visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>,
    ) -> Result<()> {
        // Taken first: what is published while the directories are read is then not missed but seen twice.
        let waiting = self.pending.ids(prefix);
        for id in &waiting {
            if visit(*id).is_break() {
                return Ok(());
            }
        }
        let waiting: HashSet<_> = waiting.into_iter().collect();
        let failed = |error| Error::from_fs(Operation::List, self.name.as_str(), error);
        let Some(objects) = self.place.objects().map_err(failed)? else { return Ok(()) };
        for first in prefix.first_bytes() {
            for id in self.shard(objects, first)? {
                if prefix.matches(&id) && !waiting.contains(&id) && visit(id).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn shard(&self, objects: &Dir, first: u8) -> Result<Vec<ObjectId>> {
        let name = shard_dir(first);
        let entries = match objects.sub(&name) {
            Ok(None) => return Ok(Vec::new()),
            Ok(Some(dir)) => dir.entries(),
            Err(error) => Err(error),
        };
        let entries = entries.map_err(|error| {
            let path = objects.full(&name);
            let kind = objects.stat(&name).ok().flatten().map(|stat| stat.kind);
            match kind {
                Some(kind) if kind != stem_fs::FileKind::Dir => {
                    Error::new(ErrorKind::Corrupt, Operation::List, self.name.as_str())
                        .with_path(path)
                        .with_reason(format!("there is a {kind} where a directory of objects belongs"))
                        .with_source(error)
                }
                _ => Error::from_fs(Operation::List, self.name.as_str(), error),
            }
        })?;
        let mut ids: Vec<_> =
            entries.iter().filter_map(|entry| object_id(name.as_bytes(), &entry.name)).collect();
        ids.sort_unstable();
        Ok(ids)
    }
}
