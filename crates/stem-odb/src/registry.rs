//! Which backends exist. A new one is one line in [`BACKENDS`].

use std::path::Path;
use std::sync::Arc;

use stem_fs::{Dir, RelPath};
use stem_hash::Algorithm;
use stem_layers::Overlay;
use stem_pack::PackStore;
use stem_sharded::{Options, ShardedStore};
use stem_store::{Maintain, MemoryStore};

use crate::error::{Error, Result};
use crate::layered::{inner_exist, open_mirror, open_read_only, open_retry, open_tiered};
use crate::pack_options::pack_options;
use crate::url::StoreUrl;

/// What relative locations are relative to.
#[derive(Debug, Clone, Copy)]
pub enum Base<'a> {
    /// The root of a repository; its `.muse/objects` and `.muse/stem` are known as such.
    Repository(&'a Dir),
    /// A directory that is no repository.
    Directory(&'a Path),
}

/// An open store that can also be maintained.
pub type AnyStore = Arc<dyn Maintain>;

type Open = fn(&StoreUrl, Base<'_>) -> Result<AnyStore>;

/// Scheme, how it is written, and how it is opened.
const BACKENDS: &[(&str, &str, Open)] = &[
    ("sharded", "sharded:DIR[?hash=blake3]", open_sharded),
    ("pack", "pack:[DIR][?hash=blake3&compression=audio&chunk=1M]", open_pack),
    ("memory", "memory:[?hash=blake3]", open_memory),
    #[cfg(feature = "remote")]
    ("s3", remote::S3, remote::open),
    #[cfg(feature = "remote")]
    ("gs", remote::GS, remote::open),
    #[cfg(feature = "remote")]
    ("az", remote::AZ, remote::open),
    #[cfg(feature = "remote")]
    ("file", remote::FILE, remote::open),
    ("tiered", "tiered:[DIR]?cache=URL&remote=URL[&write=back&size=20G]", open_tiered),
    ("mirror", "mirror:?a=URL&b=URL[&repair=yes]", open_mirror),
    ("readonly", "readonly:?store=URL", open_read_only),
    ("retry", "retry:?store=URL[&tries=4]", open_retry),
];

/// The kinds of stores: scheme, and how a URL of it is written.
pub fn backends() -> impl Iterator<Item = (&'static str, &'static str)> {
    BACKENDS.iter().map(|&(scheme, form, _)| (scheme, form))
}

/// Opens the store that `url` names.
pub fn open_store(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    let Some((_, _, open)) = BACKENDS.iter().find(|(scheme, _, _)| *scheme == url.scheme) else {
        let forms: Vec<&str> = BACKENDS.iter().map(|(_, form, _)| *form).collect();
        if is_remote(url) {
            return Err(invalid(url, "this program was built without remote stores (the feature 'remote')"));
        }
        return Err(invalid(
            url,
            format!("'{}' is no kind of store; there are {}", url.scheme, forms.join(", ")),
        ));
    };
    open(url, base)
}

/// As [`open_store`], for a store that is to be read: one whose directory is not there is an error and not an empty store.
pub fn open_existing(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    if matches!(url.scheme.as_str(), "sharded" | "pack") && !url.location.is_empty() {
        let base = match base {
            Base::Repository(root) => root.path(),
            Base::Directory(path) => path,
        };
        if !base.join(&url.location).is_dir() {
            return Err(invalid(url, "there is no such directory"));
        }
    }
    inner_exist(url, base)?;
    open_store(url, base)
}

pub(crate) fn invalid(url: &StoreUrl, problem: impl Into<String>) -> Error {
    Error::InvalidUrl { url: url.to_string(), problem: problem.into() }
}

/// The algorithm of `?hash=`; any other option is a mistake.
fn algorithm(url: &StoreUrl) -> Result<Option<Algorithm>> {
    let mut found = None;
    for (key, value) in &url.options {
        if key != "hash" {
            return Err(invalid(url, format!("the option '{key}' is unknown")));
        }
        found = Some(value.parse().map_err(|e: stem_hash::UnknownAlgorithm| invalid(url, e.to_string()))?);
    }
    Ok(found)
}

fn open_sharded(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    let options = Options { algorithm: algorithm(url)? };
    if url.location.is_empty() {
        return Err(invalid(url, "it lacks the directory: sharded:DIR"));
    }
    let location = Path::new(&url.location);
    let store = match base {
        Base::Repository(root) if is_repository_objects(&url.location) => {
            ShardedStore::in_repository(&muse_dir(url, root)?, &options)?
        }
        Base::Repository(root) => ShardedStore::open(&root.path().join(location), &options)?,
        Base::Directory(base) => ShardedStore::open(&base.join(location), &options)?,
    };
    Ok(Arc::new(store))
}

fn open_pack(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    let options = pack_options(url).map_err(|problem| invalid(url, problem))?;
    let location = Path::new(&url.location);
    let store = match base {
        Base::Repository(root) if is_repository_packs(&url.location) => {
            PackStore::in_repository(&muse_dir(url, root)?, &options)?
        }
        Base::Repository(root) => PackStore::open(&root.path().join(location), &options)?,
        Base::Directory(_) if url.location.is_empty() => {
            return Err(invalid(url, "outside of a repository it needs the directory: pack:DIR"));
        }
        Base::Directory(base) => PackStore::open(&base.join(location), &options)?,
    };
    Ok(Arc::new(store))
}

fn is_repository_packs(location: &str) -> bool {
    matches!(location.trim_end_matches('/'), "" | ".muse/stem/packs")
}

fn is_repository_objects(location: &str) -> bool {
    location.trim_end_matches('/') == ".muse/objects"
}

fn muse_dir(url: &StoreUrl, root: &Dir) -> Result<Dir> {
    let muse = RelPath::new(*b".muse").ok().map(|path| root.sub(&path)).transpose()?.flatten();
    muse.ok_or_else(|| invalid(url, "the repository has no .muse directory"))
}

/// The stores of a repository.
#[derive(Debug, Clone)]
pub struct RepositoryStores {
    /// What everybody reads and writes: both sides as one.
    pub all: AnyStore,
    /// Objects as Muse stores them.
    pub loose: AnyStore,
    /// Objects in packs.
    pub packs: AnyStore,
    /// What lies in the repository itself: all of it, unless its own store is a bucket.
    pub here: AnyStore,
    /// The repository's own store, if it is a bucket, which has other clients, too.
    pub bucket: Option<AnyStore>,
}

/// Opens the stores of the repository at `root`: the one that `url` names, which is written to, and the other side (packs
/// beside loose objects, loose objects beside packs), which is read with it.
///
/// # Errors
///
/// Also [`Error::InvalidUrl`] for a store of another kind.
pub fn open_repository(url: &StoreUrl, root: &Dir) -> Result<RepositoryStores> {
    let mut url = url.clone();
    if is_remote(&url) {
        // What comes back into the working tree has the permission bits and times that it had.
        url.options.entry("metadata".into()).or_insert_with(|| "true".into());
    }
    let url = &url;
    #[cfg(feature = "remote")]
    let written =
        if is_remote(url) { remote::open_own(url, root)? } else { open_store(url, Base::Repository(root))? };
    #[cfg(not(feature = "remote"))]
    let written = open_store(url, Base::Repository(root))?;
    let beside = |scheme: &str, location: &str| {
        // The same ids on both sides, or neither would find what the other has.
        let hash = ("hash".to_owned(), written.capabilities().algorithm.name().to_owned());
        let url = StoreUrl { scheme: scheme.into(), location: location.into(), options: [hash].into() };
        open_store(&url, Base::Repository(root))
    };
    match url.scheme.as_str() {
        "sharded" => {
            let packs = beside("pack", "")?;
            let all = Arc::new(Overlay::new(Arc::clone(&written), Arc::clone(&packs))?) as AnyStore;
            Ok(RepositoryStores { here: Arc::clone(&all), all, loose: written, packs, bucket: None })
        }
        "pack" => {
            let loose = beside("sharded", ".muse/objects")?;
            let all = Arc::new(Overlay::new(Arc::clone(&written), Arc::clone(&loose))?) as AnyStore;
            Ok(RepositoryStores { here: Arc::clone(&all), all, loose, packs: written, bucket: None })
        }
        _ if is_remote(url) => {
            let (loose, packs) = (beside("sharded", ".muse/objects")?, beside("pack", "")?);
            let here = Arc::new(Overlay::new(Arc::clone(&loose), Arc::clone(&packs))?) as AnyStore;
            let all = Arc::new(Overlay::new(Arc::clone(&written), Arc::clone(&here))?);
            Ok(RepositoryStores { all, loose, packs, here, bucket: Some(written) })
        }
        _ => {
            Err(invalid(url, "a repository keeps its objects in a sharded: or a pack: store, or in a bucket"))
        }
    }
}

/// Whether the store is one in a bucket, which other machines use too.
pub fn is_remote(url: &StoreUrl) -> bool {
    matches!(url.scheme.as_str(), "s3" | "gs" | "az" | "file")
}

/// What a store in a bucket holds beside its objects.
///
/// # Errors
///
/// [`Error::InvalidUrl`] for a store of another kind; what the service says.
#[cfg(feature = "remote")]
pub fn open_bucket(url: &StoreUrl) -> Result<stem_remote::Bucket> {
    if !is_remote(url) {
        return Err(invalid(url, "it is no store in a bucket: write s3://…, gs://…, az://… or file:///DIR"));
    }
    remote::bucket(url)
}

/// Removes everything that a store in a bucket holds. Only for one that was made to be measured: the last part of its name must
/// begin with `stem-bench-`. `false`: it is no such store, or none in a bucket.
pub fn erase_measured(url: &StoreUrl) -> Result<bool> {
    let last = url.location.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if !is_remote(url) || !last.starts_with("stem-bench-") {
        return Ok(false);
    }
    #[cfg(feature = "remote")]
    remote::erase(url)?;
    Ok(cfg!(feature = "remote"))
}

#[cfg(feature = "remote")]
mod remote {
    use std::collections::BTreeMap;

    use super::{AnyStore, Base, Dir, Result, StoreUrl, invalid};
    use crate::pack_options::{KEYS, pack_options};

    pub(super) const S3: &str = stem_remote::SCHEMES[0].1;
    pub(super) const GS: &str = stem_remote::SCHEMES[1].1;
    pub(super) const AZ: &str = stem_remote::SCHEMES[2].1;
    pub(super) const FILE: &str = stem_remote::SCHEMES[3].1;

    /// What packs are made by, and what is left for the connection.
    fn split(url: &StoreUrl) -> (StoreUrl, BTreeMap<String, String>) {
        let (packs, rest) =
            url.options.clone().into_iter().partition(|(key, _)| KEYS.contains(&key.as_str()));
        (StoreUrl { options: packs, ..url.clone() }, rest)
    }

    pub(super) fn open(url: &StoreUrl, _base: Base<'_>) -> Result<AnyStore> {
        let (packs, rest) = split(url);
        let packs = pack_options(&packs).map_err(|problem| invalid(url, problem))?;
        let location = stem_remote::Location { scheme: &url.scheme, location: &url.location, options: &rest };
        Ok(stem_remote::open(&location, &packs)?)
    }

    pub(super) fn bucket(url: &StoreUrl) -> Result<stem_remote::Bucket> {
        let (packs, rest) = split(url);
        pack_options(&packs).map_err(|problem| invalid(url, problem))?;
        let location = stem_remote::Location { scheme: &url.scheme, location: &url.location, options: &rest };
        Ok(stem_remote::Bucket::open(&location)?)
    }

    /// The store that is a repository's own.
    pub(super) fn open_own(url: &StoreUrl, root: &Dir) -> Result<AnyStore> {
        let (packs, rest) = split(url);
        let packs = pack_options(&packs).map_err(|problem| invalid(url, problem))?;
        let location = stem_remote::Location { scheme: &url.scheme, location: &url.location, options: &rest };
        Ok(stem_remote::open_own(&location, &packs, &super::muse_dir(url, root)?)?)
    }

    pub(super) fn erase(url: &StoreUrl) -> Result<()> {
        let (_, rest) = split(url);
        let location = stem_remote::Location { scheme: &url.scheme, location: &url.location, options: &rest };
        Ok(stem_remote::erase(&location)?)
    }
}

/// Whether this is one of the two places that every handle of a repository reads, whatever it is configured to write to.
pub fn is_within_repository(url: &StoreUrl) -> bool {
    match url.scheme.as_str() {
        "sharded" => is_repository_objects(&url.location),
        "pack" => is_repository_packs(&url.location),
        _ => false,
    }
}

fn open_memory(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    if let Base::Repository(_) = base {
        return Err(invalid(
            url,
            "a repository whose objects end with the process would lose what is stashed",
        ));
    }
    if !url.location.is_empty() {
        return Err(invalid(url, "a memory store has no location"));
    }
    Ok(Arc::new(MemoryStore::new(algorithm(url)?.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, base: Base<'_>) -> Result<AnyStore> {
        open_store(&url.parse().unwrap(), base)
    }

    #[test]
    fn mistakes_in_urls_are_told() {
        let base = Base::Directory(Path::new("."));
        for (url, word) in [
            ("ftp:x", "sharded:DIR"),
            ("sharded:", "directory"),
            ("memory:x", "no location"),
            ("memory:?hash=md5", "md5"),
            ("memory:?colour=red", "colour"),
            ("pack:", "pack:DIR"),
            ("pack:x?compression=lzma", "lzma"),
            ("pack:x?chunk=1", "chunk"),
        ] {
            let problem = open(url, base).unwrap_err().to_string();
            assert!(problem.contains(word), "{url} → {problem}");
        }
    }

    #[test]
    fn each_backend_opens_and_has_the_hash_that_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        for url in ["sharded:objects", "pack:packs", "memory:"] {
            let store = open(url, Base::Directory(dir.path())).unwrap();
            assert_eq!(store.capabilities().algorithm, Algorithm::Sha256);
            let store = open(
                &format!("{url}2?hash=blake3").replace("memory:2", "memory:"),
                Base::Directory(dir.path()),
            );
            assert_eq!(store.unwrap().capabilities().algorithm, Algorithm::Blake3);
        }
    }

    #[test]
    fn a_repository_reads_loose_objects_and_packs_as_one() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join(".muse/objects")).unwrap();
        let root = Dir::open(dir.path()).unwrap();
        let loose = open_repository(&"sharded:.muse/objects".parse().unwrap(), &root).unwrap();
        let packed = open_repository(&"pack:".parse().unwrap(), &root).unwrap();
        let kick = stem_store::ObjectStoreExt::put_bytes(&*loose.all, b"kick").unwrap().digest.id;
        let snare = stem_store::ObjectStoreExt::put_bytes(&*packed.all, b"snare").unwrap().digest.id;
        for stores in [&loose, &packed] {
            for id in [&kick, &snare] {
                assert!(stores.all.stat(id).unwrap().is_some());
            }
            assert!(stores.loose.stat(&snare).unwrap().is_none());
            assert!(stores.packs.stat(&kick).unwrap().is_none());
        }
        assert!(dir.path().join(".muse/stem/packs").is_dir());
        for (url, within) in
            [("pack:", true), ("pack:x", false), ("sharded:.muse/objects/", true), ("memory:", false)]
        {
            assert_eq!(is_within_repository(&url.parse().unwrap()), within, "{url}");
        }
        assert!(open_repository(&"memory:".parse().unwrap(), &root).is_err());
    }

    #[test]
    fn a_repository_cannot_keep_its_objects_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let root = Dir::open(dir.path()).unwrap();
        assert!(open("memory:", Base::Repository(&root)).is_err());
    }

    #[test]
    fn the_repository_s_own_store_is_known_as_such() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join(".muse/objects")).unwrap();
        let root = Dir::open(dir.path()).unwrap();
        let store = open("sharded:.muse/objects", Base::Repository(&root)).unwrap();
        let put = stem_store::ObjectStoreExt::put_bytes(&*store, b"kick").unwrap();
        assert!(
            dir.path()
                .join(".muse/objects")
                .join(stem_sharded::object_path(&put.digest.id).to_path())
                .is_file()
        );
        let names: Vec<_> =
            std::fs::read_dir(dir.path().join(".muse")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "objects" || name == "stem"), "{names:?}");
    }
}
