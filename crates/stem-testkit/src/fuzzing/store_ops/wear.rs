//! What happens to a store beside reading and writing: objects move, media fail, somebody looks after it, processes end.

use std::fs;
use std::io;
use std::path::Path;

use stem_fs::Timestamp;
use stem_hash::ObjectId;
use stem_pack::format::PACK_HEADER_LEN;
use stem_store::{
    Durability, Error, ErrorKind, Maintain, ObjectStore, ObjectStoreExt, PutOptions, TidyOptions,
};

use super::super::accepted;
use super::super::feed::{Feed, pick};
use super::blobs::{BLOBS, Blob, COUNT};
use super::ground::Backend;
use super::model::Sight;
use super::program::Program;
use crate::FaultPlan;

impl Program {
    /// Moves an object from the first side of an overlay to the second.
    pub(super) fn settle(&mut self, blob: usize) {
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
    pub(super) fn damage(&mut self, feed: &mut Feed<'_>) {
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

    pub(super) fn look_after(&mut self, feed: &mut Feed<'_>) {
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
    pub(super) fn reopen(&mut self, feed: &mut Feed<'_>) {
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
