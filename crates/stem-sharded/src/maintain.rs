//! Looking after a store: damaged objects are put aside, directories checked, temporaries collected.

use std::io;

use stem_fs::{Dir, FileKind, Publish, RelPath, TEMP_PREFIX, is_left_over};
use stem_hash::ObjectId;
use stem_store::{Error, Operation, Result, StructureDamage, Tidied, TidyOptions};

use crate::layout::{object_path, shard_dir};
use crate::store::ShardedStore;

/// What the names of Muse's temporary files start with, in shard directories.
const MUSE_TEMP_PREFIX: &[u8] = b".obj-tmp-";

impl ShardedStore {
    /// [`stem_store::Maintain::quarantine`]: a rename; a copy where the other directory is on another device.
    pub(crate) fn set_aside(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        let failed = |error| self.failed(Operation::Remove, id, error);
        let Some(objects) = self.place.objects().map_err(failed)? else { return Ok(false) };
        let path = object_path(id);
        if objects.stat(&path).map_err(failed)?.is_none() {
            return Ok(false);
        }
        match objects.rename(&path, into, name, Publish::New) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                self.copy_aside(id, objects, into, name)?;
                objects.remove_file(&path).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        into.sync().map_err(failed)?;
        if let Some(shard) = objects.sub(&shard_dir(id.as_bytes()[0])).map_err(failed)? {
            shard.sync().map_err(failed)?;
        }
        Ok(true)
    }

    fn copy_aside(&self, id: &ObjectId, objects: &Dir, into: &Dir, name: &RelPath) -> Result<()> {
        let failed = |error| self.failed(Operation::Remove, id, error);
        let Some(file) = objects.open_file(&object_path(id)).map_err(failed)? else { return Ok(()) };
        let mut temp = into.temp_file(0o600).map_err(failed)?;
        temp.copy_from(&file).map_err(failed)?;
        temp.sync().map_err(failed)?;
        temp.persist(into, name, Publish::New).map_err(failed)
    }

    /// [`stem_store::Maintain::check_structure`]: what stands where a directory of objects belongs.
    pub(crate) fn check_shards(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        let failed = |error| Error::from_fs(Operation::List, self.name.as_str(), error);
        let Some(objects) = self.place.objects().map_err(failed)? else { return Ok(()) };
        for first in 0..=u8::MAX {
            let name = shard_dir(first);
            let path = Some(objects.full(&name));
            let reason = match objects.stat(&name).map_err(failed)? {
                Some(stat) if stat.kind != FileKind::Dir => {
                    format!("there is a {} where a directory of objects belongs", stat.kind)
                }
                Some(_) => {
                    match objects.sub(&name).and_then(|dir| dir.map(|dir| dir.entries()).transpose()) {
                        Ok(_) => continue,
                        Err(error) => format!("its objects cannot be listed: {}", error.source),
                    }
                }
                None => continue,
            };
            found(StructureDamage { path, reason });
        }
        Ok(())
    }

    /// [`stem_store::Maintain::tidy`]: our own temporaries by the process that made them, Muse's by their age.
    pub(crate) fn collect_temporaries(&self, options: &TidyOptions) -> Result<Tidied> {
        let failed = |error| Error::from_fs(Operation::Remove, self.name.as_str(), error);
        let mut tidied = Tidied::default();
        for dir in self.staging.present().map_err(failed)? {
            let is_ours = |name: &[u8]| is_left_over(name, TEMP_PREFIX);
            collect(&dir, &is_ours, options, false, &mut tidied).map_err(failed)?;
        }
        if let Some(objects) = self.place.objects().map_err(failed)? {
            for first in 0..=u8::MAX {
                // A directory that is none, or cannot be read, is reported by the check of the structure.
                let Ok(Some(shard)) = objects.sub(&shard_dir(first)) else { continue };
                let is_muses = |name: &[u8]| name.starts_with(MUSE_TEMP_PREFIX);
                collect(&shard, &is_muses, options, true, &mut tidied).map_err(failed)?;
            }
        }
        Ok(tidied)
    }
}

/// Removes the regular files whose name is wanted, if need be only old ones.
fn collect(
    dir: &Dir,
    wanted: &dyn Fn(&[u8]) -> bool,
    options: &TidyOptions,
    only_old: bool,
    tidied: &mut Tidied,
) -> stem_fs::Result<()> {
    for entry in dir.entries()? {
        if entry.kind != FileKind::File || !wanted(&entry.name) {
            continue;
        }
        let Ok(name) = RelPath::new(entry.name) else { continue };
        let Some(stat) = dir.stat(&name)? else { continue };
        if only_old && stat.ctime >= options.before {
            continue;
        }
        if options.dry_run || dir.remove_file(&name)? {
            tidied.files += 1;
            tidied.bytes += stat.size;
        }
    }
    Ok(())
}
