//! Targets of restores that are used a second time.

use std::io::{Seek, SeekFrom};

use stem_fs::TempFile;
use stem_hash::ObjectId;
use stem_store::{Error, Operation, Result};

/// Makes the target empty again after a restore that failed in the middle.
pub(crate) fn empty(target: &TempFile, store: &str, id: &ObjectId) -> Result<()> {
    let mut file = target.as_std();
    file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map(drop).map_err(|error| {
        Error::from_io(Operation::Restore, store, error).with_id(id).with_path(target.path())
    })
}
