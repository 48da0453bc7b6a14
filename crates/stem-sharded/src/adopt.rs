//! A working file becomes an object: a rename instead of a copy.
//!
//! The caller holds a read lease on the file and has a durable note of what it is about to move; this module makes sure
//! that it is this file which moves. Between the last look at the name and the rename somebody may put another file
//! there (editors save that way, and a lease does not hinder it). So the inode is compared again afterwards, and a
//! foreign file goes back to its name; until then, microseconds, the object's name stands for the wrong bytes, which
//! readers notice and the caller's note covers. Moving through a private name first was rejected: a process killed in
//! between would leave the user's file where nobody looks for it.

use std::io;

use stem_fs::{Dir, FileKind, Publish, RelPath, Stat};
use stem_hash::Digest;
use stem_store::{Durability, Error, FileSource, Operation, PutFile, PutMethod, PutOptions, Result, Written};

use crate::layout::{file_name, object_path};
use crate::store::ShardedStore;

impl ShardedStore {
    /// Renames the file onto the object's name. `None`: that is not possible, copy it.
    ///
    /// An object that is there is replaced without a look: the file was hashed just now. An adopted file keeps its own
    /// permission bits and mtime.
    pub(crate) fn adopt(
        &self,
        source: &FileSource<'_>,
        known: &Digest,
        options: &PutOptions,
    ) -> Result<Option<PutFile>> {
        let Some((dir, path)) = source.place else { return Ok(None) };
        let objects = self.make_ready()?;
        let failed = |error| self.failed(Operation::Put, &known.id, error);
        let file = source.file.stat().map_err(failed)?;
        let device = self.place.device().map_err(failed)?;
        // The checksum of a file that is not read cannot be made up.
        let unknown = options.checksum && known.checksum.is_none();
        if unknown
            || file.links != 1
            || file.device != device
            || file.size != known.len
            || !is_at(dir, path, &file)
        {
            return Ok(None);
        }
        let at_sync = options.durability == Durability::AtSync;
        if at_sync {
            self.pending.check().map_err(self.spent(Operation::Put))?;
        }
        let barrier = if at_sync { Some(self.pending.barrier(&objects).map_err(failed)?) } else { None };
        if barrier.as_ref().is_none_or(|barrier| !barrier.is_whole()) {
            let synced = source.file.as_std().sync_all();
            synced.map_err(|error| failed(stem_fs::Error::new("sync", source.file.path(), error)))?;
        }
        let name = file_name(&known.id.hex());
        let moved = self.in_shard(&known.id, |shard| {
            let there = shard.stat(&name)?;
            dir.rename(path, shard, &name, Publish::Replace)?;
            Ok((shard.clone(), there.is_some()))
        });
        let (shard, replaced) = match moved {
            Ok(moved) => moved,
            // Another mount of the same device; the name is gone; a directory is in the way, which the copy reports.
            Err(error) if cannot_move(error.kind()) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if !is_at(&shard, &name, &file) {
            return self.give_back(&shard, &name, dir, path, known).map(|()| None);
        }
        let waited = self.pending.forget(&known.id);
        match barrier {
            Some(barrier) => {
                barrier.renamed(&shard);
                barrier.renamed(&objects);
                barrier.renamed(self.place.root());
                self.pending.touch();
            }
            None => self.place.settle(&shard, &known.id).map_err(failed)?,
        }
        let written = if replaced || waited { Written::Replaced } else { Written::New };
        // By way of the store's directory, whose one descriptor all adopted files share.
        let method = PutMethod::Adopted { dir: objects, path: object_path(&known.id) };
        Ok(Some(PutFile { digest: *known, written, method }))
    }

    /// A foreign file was moved: back with it. Should its place be taken by now, it stays where it is and is reported,
    /// for removing somebody's bytes is worse than a damaged object.
    fn give_back(
        &self,
        shard: &Dir,
        name: &RelPath,
        dir: &Dir,
        path: &RelPath,
        known: &Digest,
    ) -> Result<()> {
        shard.rename(name, dir, path, Publish::New).map_err(|error| {
            Error::corrupt(Operation::Put, self.name.as_str(), &known.id)
                .with_path(shard.full(name))
                .with_reason(format!(
                    "another program's file came here from '{path}' while that was replaced, and could not be moved back"
                ))
                .with_source(error)
        })
    }
}

/// Whether the name stands for this very file.
fn is_at(dir: &Dir, path: &RelPath, file: &Stat) -> bool {
    dir.stat(path).is_ok_and(|found| {
        found.is_some_and(|found| {
            found.kind == FileKind::File && (found.device, found.inode) == (file.device, file.inode)
        })
    })
}

fn cannot_move(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::CrossesDevices
            | io::ErrorKind::NotFound
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::PermissionDenied
    )
}
