//! Object storage over the network as a store: S3 and what speaks it, Google Cloud Storage, Azure Blob, and a directory that is
//! treated like a bucket.
//!
//! What lies there is `docs/format/remote.md`: packs of `stem-pack` with their indices, or each object under a key of its own. The
//! first is a [`PackStore`] over a [`Depot`](stem_pack::Depot): cutting, coding, looking up and verifying are those of packs on disk, and
//! this crate brings bytes to and fro. Beside objects there are what each client needs, what nobody may rely on any more, and stash entries
//! for other machines; removing is a collector's, which asks nobody and waits a week.
//!
//! Rooms: `settings`, `profile` and `connect` turn a URL and the environment into a client; `error` turns what a client
//! says into words without secrets; `wait` has the runtime, which is the crate's own and is entered by no caller; `client` and `upload` move bytes,
//! and go on where a connection was cut; `blocks` keeps what was read and reads ahead; `layout`, `marker` and `lists` are the format; `depot` and
//! `sharded` the two layouts; `identity` and `roots` say who needs what; `bucket` is a store without its objects, for `entries` and, with
//! `needs`, for `collect`.
//!
//! Rejected: a runtime for each store (threads), the caller's runtime (there may be none, and blocking in it would
//! panic), the client's own blocking wrapper (there is none).

mod blocks;
mod bucket;
mod client;
mod collect;
mod connect;
mod depot;
mod entries;
mod error;
mod identity;
mod layout;
mod lists;
mod marker;
mod needs;
mod profile;
mod roots;
mod settings;
mod sharded;
mod upload;
mod wait;

use std::collections::BTreeMap;
use std::sync::Arc;

use stem_fs::Dir;
use stem_hash::{Algorithm, Hasher};
use stem_pack::{PackOptions, PackStore};
use stem_store::{Error, ErrorKind, Maintain, Operation, Result};

use crate::client::Client;
use crate::depot::RemoteDepot;
use crate::identity::Identity;
use crate::settings::{Layout, Settings};
use crate::sharded::ShardedRemote;

pub use crate::bucket::Bucket;
pub use crate::collect::{CollectOptions, CollectStep, CollectWatch, Collected, Tally, Unwatched};
pub use crate::entries::EntryKey;
pub use crate::needs::ClientNeeds;
pub use crate::settings::SCHEMES;
pub use crate::wait::stop_when;
pub use stem_bundle::shelved::Shelved;

/// From how many bytes on a pack is closed and another one begun.
const PACK_LIMIT: u64 = 64 << 20;

/// A remote store, as a URL names it.
#[derive(Debug, Clone, Copy)]
pub struct Location<'a> {
    /// `s3`, `gs`, `az` or `file`.
    pub scheme: &'a str,
    /// What follows the scheme: `//bucket/prefix`.
    pub location: &'a str,
    /// Options, those of packs left out.
    pub options: &'a BTreeMap<String, String>,
}

/// Opens a remote store. `packs` says how new packs are made; its `algorithm`, if given, must be the store's.
///
/// Asks the service for the marker and, in the layout of packs, for the list of packs; writes nothing.
pub fn open(location: &Location<'_>, packs: &PackOptions) -> Result<Arc<dyn Maintain>> {
    let settings = Settings::read(location, &|name| std::env::var(name).ok()).map_err(|problem| {
        Error::new(ErrorKind::InvalidInput, Operation::OpenStore, settings::plain_name(location))
            .with_reason(problem)
    })?;
    open_settings(&settings, packs, None)
}

/// As [`open`], for the store that is a repository's own: it is a client of its own, which `muse`, its directory `.muse`, tells
/// from others (`docs/format/client.md`), and nothing but the repository counts on what that client publishes as needed.
pub fn open_own(location: &Location<'_>, packs: &PackOptions, muse: &Dir) -> Result<Arc<dyn Maintain>> {
    let settings = Settings::read(location, &|name| std::env::var(name).ok()).map_err(|problem| {
        Error::new(ErrorKind::InvalidInput, Operation::OpenStore, settings::plain_name(location))
            .with_reason(problem)
    })?;
    open_settings(&settings, packs, Some(muse))
}

fn open_settings(settings: &Settings, packs: &PackOptions, muse: Option<&Dir>) -> Result<Arc<dyn Maintain>> {
    let name = settings.name.clone();
    let invalid = |problem: String| {
        Error::new(ErrorKind::InvalidInput, Operation::OpenStore, name.as_str()).with_reason(problem)
    };
    let failed = |error| Error::from_io(Operation::OpenStore, name.as_str(), error);
    let service = connect::connect(settings).map_err(invalid)?;
    let client = Arc::new(Client::new(service, settings));
    let found = marker::fetch(&client).map_err(failed)?;
    let wanted = packs.algorithm;
    if let (Some(found), Some(wanted)) = (&found, wanted)
        && found.algorithm != wanted
    {
        let ours = found.algorithm;
        return Err(invalid(format!("its ids are made with {ours}, not with {wanted}; leave 'hash' out")));
    }
    if let (Some(found), Some(layout)) = (&found, settings.layout)
        && found.layout != layout
    {
        let ours = found.layout.name();
        return Err(invalid(format!("its layout is '{ours}', not '{}'; leave 'layout' out", layout.name())));
    }
    let algorithm = found.as_ref().map(|marker| marker.algorithm).or(wanted).unwrap_or_default();
    let layout = found.as_ref().map(|marker| marker.layout).or(settings.layout).unwrap_or_default();
    let marker = marker::Marker { algorithm, layout };
    let cache = cache_dir(settings, algorithm).map_err(invalid)?;
    let cache = Dir::create_all(&cache)
        .map_err(|error| Error::from_fs(Operation::OpenStore, name.as_str(), error))?;
    match layout {
        Layout::Packs => {
            let identity = match muse {
                Some(muse) => Identity::of_repository(muse),
                None => Identity::of_cache(&cache),
            };
            let depot = Arc::new(RemoteDepot::new(client, marker, found.is_some(), identity));
            let options = PackOptions {
                algorithm: Some(algorithm),
                pack_limit: packs.pack_limit.min(PACK_LIMIT),
                ..*packs
            };
            Ok(Arc::new(PackStore::in_depot(depot, algorithm, &cache, name, &options, settings.metadata)?))
        }
        Layout::Sharded => Ok(Arc::new(ShardedRemote::new(client, marker, found.is_some(), cache, name))),
    }
}

/// Removes everything that the format knows from a store; for one that was made to be measured.
///
/// # Errors
///
/// What the service says; then some of it may be gone.
pub fn erase(location: &Location<'_>) -> Result<()> {
    let name = settings::plain_name(location);
    let invalid = |problem: String| {
        Error::new(ErrorKind::InvalidInput, Operation::Remove, name.as_str()).with_reason(problem)
    };
    let settings = Settings::read(location, &|name| std::env::var(name).ok()).map_err(invalid)?;
    let client = Client::new(connect::connect(&settings).map_err(invalid)?, &settings);
    // The marker last: what has none cannot be told from something foreign.
    for key in [
        layout::ENTRIES,
        layout::PACKS,
        layout::OBJECTS,
        layout::CONDEMNED,
        layout::ROOTS,
        layout::PROBE,
        layout::MARKER,
    ] {
        client
            .erase(key, key == layout::MARKER)
            .map_err(|error| Error::from_io(Operation::Remove, name.as_str(), error))?;
    }
    if settings.service == settings::Service::Directory {
        remove_empty(std::path::Path::new(&settings.bucket), 3);
    }
    if let Some(cache) = cache_dirs(&settings) {
        for dir in cache {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
    Ok(())
}

/// Removes directories that hold nothing, at most so deep. What cannot be removed stays.
fn remove_empty(dir: &std::path::Path, depth: u8) {
    if depth > 0
        && let Ok(entries) = std::fs::read_dir(dir)
    {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_empty(&entry.path(), depth - 1);
            }
        }
    }
    let _ = std::fs::remove_dir(dir);
}

/// Where indices are kept, and packs until they are uploaded: a directory for this store alone.
fn cache_dir(settings: &Settings, algorithm: Algorithm) -> std::result::Result<std::path::PathBuf, String> {
    let base = settings.cache.clone().ok_or(
        "there is no place for a cache: set HOME or XDG_CACHE_HOME, or give '?cache=DIR' (a directory)",
    )?;
    Ok(base.join(cache_name(settings, algorithm)))
}

fn cache_name(settings: &Settings, algorithm: Algorithm) -> String {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(settings.identity.as_bytes());
    hasher.update(algorithm.name().as_bytes());
    let id = hasher.finish().id.to_string();
    id.get(..32).unwrap_or(&id).to_owned()
}

/// The directories that this store may have made in the cache.
fn cache_dirs(settings: &Settings) -> Option<[std::path::PathBuf; 2]> {
    let base = settings.cache.as_ref()?;
    Some([Algorithm::Sha256, Algorithm::Blake3].map(|algorithm| base.join(cache_name(settings, algorithm))))
}
