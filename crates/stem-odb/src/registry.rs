//! Which backends exist. A new one is one line in [`BACKENDS`].

use std::path::Path;
use std::sync::Arc;

use stem_fs::{Dir, RelPath};
use stem_hash::Algorithm;
use stem_sharded::{Options, ShardedStore};
use stem_store::{Maintain, MemoryStore};

use crate::error::{Error, Result};
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
    ("memory", "memory:[?hash=blake3]", open_memory),
];

/// Opens the store that `url` names.
pub fn open_store(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    let Some((_, _, open)) = BACKENDS.iter().find(|(scheme, _, _)| *scheme == url.scheme) else {
        let forms: Vec<&str> = BACKENDS.iter().map(|(_, form, _)| *form).collect();
        return Err(invalid(
            url,
            format!("'{}' is no kind of store; there are {}", url.scheme, forms.join(", ")),
        ));
    };
    open(url, base)
}

fn invalid(url: &StoreUrl, problem: impl Into<String>) -> Error {
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
        Base::Repository(root) if url.location.trim_end_matches('/') == ".muse/objects" => {
            let muse = RelPath::new(*b".muse").ok().map(|path| root.sub(&path)).transpose()?.flatten();
            let muse = muse.ok_or_else(|| invalid(url, "the repository has no .muse directory"))?;
            ShardedStore::in_repository(&muse, &options)?
        }
        Base::Repository(root) => ShardedStore::open(&root.path().join(location), &options)?,
        Base::Directory(base) => ShardedStore::open(&base.join(location), &options)?,
    };
    Ok(Arc::new(store))
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
        ] {
            let problem = open(url, base).unwrap_err().to_string();
            assert!(problem.contains(word), "{url} → {problem}");
        }
    }

    #[test]
    fn each_backend_opens_and_has_the_hash_that_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        for url in ["sharded:objects", "memory:"] {
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
