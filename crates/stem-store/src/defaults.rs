//! What every store can do with its required methods alone.
//!
//! They use nothing that they are told to save work (a known digest, leave to take the file), because the required
//! methods cannot say whether an object that is merely found is durable: correct first, the overrides are for speed.

use stem_fs::TempFile;
use stem_hash::ObjectId;

use crate::copy::{CopyJob, copy_verified};
use crate::error::Result;
use crate::file::{FileSource, PutFile, PutMethod};
use crate::options::{PutOptions, RestoreOptions, Restored, Verify, Written};
use crate::store::ObjectStore;

/// [`ObjectStore::put_file`]: the file is a stream like any other.
pub(crate) fn put_file<S: ObjectStore + ?Sized>(
    store: &S,
    source: &FileSource<'_>,
    options: &PutOptions,
) -> Result<PutFile> {
    let metadata = options.metadata.or_else(|| Some((&source.stat).into()));
    let put = store.put(&mut source.reader(), &PutOptions { metadata, ..*options })?;
    let method = if put.written == Written::Present { PutMethod::None } else { PutMethod::Copied };
    Ok(PutFile { digest: put.digest, written: put.written, method })
}

/// [`ObjectStore::restore_file`]: the reader verifies by itself.
pub(crate) fn restore_file<S: ObjectStore + ?Sized>(
    store: &S,
    id: &ObjectId,
    target: &mut TempFile,
    options: &RestoreOptions<'_>,
) -> Result<Option<Restored>> {
    let Some(mut reader) = store.open(id)? else { return Ok(None) };
    let algorithm = store.capabilities().algorithm;
    let job = CopyJob { id, algorithm, store: store.name(), sparse: false };
    let copied =
        copy_verified(&mut reader, target, &job, &RestoreOptions { verify: Verify::No, ..*options })?;
    Ok(Some(Restored { verified: true, ..copied }))
}
