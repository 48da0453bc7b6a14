//! Stores that are made of stores: URLs within URLs.
//!
//! An inner URL is the value of an option, so its `%`, `?` and `&` are percent-encoded once more. What is inside is opened
//! by the registry like any other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stem_fs::Dir;
use stem_layers::{Mirror, ReadOnly, Retry, RetryPolicy, TierOptions, Tiered, Writing};
use stem_store::{ErrorKind, Operation};

use crate::error::{Error, Result};
use crate::registry::{AnyStore, Base, invalid, is_remote, is_within_repository, open_existing, open_store};
use crate::secret::hide_passwords;
use crate::url::StoreUrl;

/// The longest inner URL, which bounds how deep they can be nested.
const MAX_INNER: usize = 4096;
/// The stores of a mirror, by the names of their options.
const MIRRORS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// Where a repository's own cache may lie inside of it.
const IN_REPOSITORY: &str = ".muse/stem/tier";
/// Most tries of `retry:`.
const MAX_TRIES: u32 = 20;

/// Whether a store of this kind consists of others.
pub(crate) fn is_layer(scheme: &str) -> bool {
    matches!(scheme, "tiered" | "mirror" | "readonly" | "retry")
}

/// A [`Base`] that outlives the call.
enum Owned {
    Repository(Dir),
    Directory(PathBuf),
}

impl Owned {
    fn new(base: Base<'_>) -> Self {
        match base {
            Base::Repository(root) => Self::Repository(root.clone()),
            Base::Directory(path) => Self::Directory(path.to_path_buf()),
        }
    }

    fn base(&self) -> Base<'_> {
        match self {
            Self::Repository(root) => Base::Repository(root),
            Self::Directory(path) => Base::Directory(path),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Repository(root) => root.path().to_path_buf(),
            Self::Directory(path) => path.clone(),
        }
    }
}

/// The URL that the option holds.
fn inner(url: &StoreUrl, key: &str) -> Result<StoreUrl> {
    let Some(text) = url.options.get(key) else {
        return Err(invalid(url, format!("it lacks '{key}=', the URL of a store, percent-encoded")));
    };
    if text.len() > MAX_INNER {
        return Err(invalid(url, format!("'{key}' is longer than {MAX_INNER} bytes")));
    }
    text.parse().map_err(|error| match error {
        Error::InvalidUrl { url: part, problem } => invalid(url, format!("{key}={part}: {problem}")),
        other => other,
    })
}

/// Refuses options that are none.
fn only(url: &StoreUrl, known: &[&str], has_location: bool) -> Result<()> {
    if let Some(key) = url.options.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(invalid(url, format!("the option '{key}' is unknown; there are {}", known.join(", "))));
    }
    if !has_location && !url.location.is_empty() {
        let form = format!("a {}: store has no location, only options", url.scheme);
        return Err(invalid(url, form));
    }
    Ok(())
}

fn switch(url: &StoreUrl, key: &str) -> Result<bool> {
    match url.options.get(key).map(String::as_str) {
        None | Some("no") => Ok(false),
        Some("yes") => Ok(true),
        Some(_) => Err(invalid(url, format!("'{key}' is yes or no"))),
    }
}

/// A number of bytes: `500M`, `20G`.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        b'T' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|&size| size > 0)
}

pub(crate) fn open_tiered(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    only(url, &["cache", "remote", "write", "size"], true)?;
    let (cache_url, remote_url) = (inner(url, "cache")?, inner(url, "remote")?);
    let writing = match url.options.get("write").map(String::as_str) {
        None | Some("through") => Writing::Through,
        Some("back") => Writing::Back,
        Some(_) => return Err(invalid(url, "'write' is through or back")),
    };
    let wrong_size = || invalid(url, "'size' is a number of bytes such as 500M or 20G");
    let size = url.options.get("size").map(|text| parse_size(text).ok_or_else(wrong_size)).transpose()?;
    if cache_url.scheme != "sharded" {
        // A pack gives space back only when it is compacted, and memory forgets what waits to be sent.
        return Err(invalid(url, "the cache has to be a sharded: store"));
    }
    let owned = Owned::new(base);
    let place = if url.location.is_empty() {
        format!("{}.tier", cache_url.location.trim_end_matches('/'))
    } else {
        url.location.clone()
    };
    if cache_url.location.starts_with(IN_REPOSITORY) && matches!(base, Base::Repository(_)) {
        // A place of our own, and no mount point that could be empty because its disk is not there.
        Dir::create_all(&owned.path().join(IN_REPOSITORY))?;
    }
    let cache = open_store(&cache_url, base)?;
    let place = Path::new(&place);
    let state = Dir::create_all(&owned.path().join(place))?;
    // The state goes wherever its directory goes; a store that is relative to something else does not.
    let at = place.is_absolute().then(|| owned.path());
    let name = identity(&remote_url, at.as_deref());
    let shown = name.clone();
    let connect =
        Box::new(move || open_store(&remote_url, owned.base()).map_err(|error| unopened(error, &shown)));
    let options = TierOptions { writing, size };
    Ok(Arc::new(Tiered::new(cache, &name, connect, &state, options)?))
}

/// What tells one slower store from another: where it is, without how it is used.
fn identity(url: &StoreUrl, at: Option<&Path>) -> String {
    let mut named = url.clone();
    if let (Some(at), "sharded" | "pack") = (at, url.scheme.as_str())
        && let Ok(full) = std::path::absolute(at.join(&url.location))
        && let Some(full) = full.to_str()
    {
        full.clone_into(&mut named.location);
    }
    if is_layer(&url.scheme) {
        named = each_inner(named, &|mut inner| {
            inner.options.remove("metadata");
            inner
        });
    } else {
        named.options.retain(|key, _| key == "endpoint");
    }
    hide_passwords(&named.to_string())
}

/// The options of a layer that hold the URL of a store.
fn inner_keys(scheme: &str) -> &'static [&'static str] {
    match scheme {
        "tiered" => &["cache", "remote"],
        "mirror" => &MIRRORS,
        "readonly" | "retry" => &["store"],
        _ => &[],
    }
}

/// The URL with each store inside, at any depth, replaced. What cannot be understood stays; opening it tells why.
fn each_inner(mut url: StoreUrl, change: &dyn Fn(StoreUrl) -> StoreUrl) -> StoreUrl {
    for key in inner_keys(&url.scheme) {
        if let Some(value) = url.options.get_mut(*key)
            && value.len() <= MAX_INNER
            && let Ok(inner) = value.parse::<StoreUrl>()
        {
            *value = change(each_inner(inner, change)).to_string();
        }
    }
    url
}

/// The URL of a repository's own store, so that every store in a bucket inside of it tells permission bits and times:
/// what comes back into the working tree has those that it had.
pub(crate) fn with_metadata(url: StoreUrl) -> StoreUrl {
    let told = |mut url: StoreUrl| {
        if is_remote(&url) {
            url.options.entry("metadata".into()).or_insert_with(|| "true".into());
        }
        url
    };
    told(each_inner(url, &told))
}

/// Whether nothing can be put into this store, whatever its parts are.
pub(crate) fn is_read_only(url: &StoreUrl) -> bool {
    match url.scheme.as_str() {
        "readonly" => true,
        "retry" => inner(url, "store").is_ok_and(|inner| is_read_only(&inner)),
        "mirror" => {
            let keys = MIRRORS.iter().filter(|key| url.options.contains_key(**key));
            keys.into_iter().any(|key| inner(url, key).is_ok_and(|inner| is_read_only(&inner)))
        }
        _ => false,
    }
}

/// Whether other clients may use this store, or one that it is made of.
pub(crate) fn has_bucket(url: &StoreUrl) -> bool {
    is_remote(url)
        || inner_keys(&url.scheme)
            .iter()
            .filter_map(|key| inner(url, key).ok())
            .any(|inner| has_bucket(&inner))
}

/// Whether the repository's own loose objects are one of several copies.
pub(crate) fn mirrors_loose(url: &StoreUrl) -> bool {
    inner_keys(&url.scheme)
        .iter()
        .filter_map(|key| inner(url, key).ok())
        .any(|inner| url.scheme == "mirror" && is_within_repository(&inner) || mirrors_loose(&inner))
}

/// Whether a relative directory is one of the repository's and not where a cache may lie.
fn is_loose_in_repository(location: &str) -> bool {
    let path = Path::new(location);
    let mut parts = path.components().filter(|part| !matches!(part, std::path::Component::CurDir));
    let first = parts.next();
    matches!(first, Some(std::path::Component::Normal(_))) && !path.starts_with(IN_REPOSITORY)
}

/// Why the parts of a store that is made of stores cannot be a repository's own, if they cannot.
pub(crate) fn unsuitable(url: &StoreUrl) -> Option<&'static str> {
    for key in inner_keys(&url.scheme) {
        let Ok(inner) = inner(url, key) else { continue };
        if url.scheme == "tiered" && *key == "cache" && is_within_repository(&inner) {
            // `stem pack` takes objects away from there, also those that wait to be sent; `stem unpack` puts some.
            return Some(
                "the cache may not be .muse/objects, which other commands move objects out of: give it a directory of \
                 its own, such as cache=sharded:.muse/stem/tier/objects",
            );
        }
        if url.scheme == "tiered"
            && *key == "cache"
            && (is_loose_in_repository(&inner.location) || is_loose_in_repository(&url.location))
        {
            return Some(
                "a cache inside of the repository, and its state, have to lie below .muse/stem/tier, where no push and no \
                 collection takes them for files: tiered:.muse/stem/tier/state?cache=sharded:.muse/stem/tier/objects&…",
            );
        }
        if inner.scheme == "pack" && is_within_repository(&inner) {
            return Some(
                "the repository's own packs are read in any case; name sharded:.muse/objects, or another directory",
            );
        }
        if let Some(why) = unsuitable(&inner) {
            return Some(why);
        }
    }
    None
}

/// Whether the cause is a name that nothing has.
fn is_absent(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Why a store behind a cache could not be opened. A directory that is not there now may be there again: a disk that is
/// not plugged in, a share that is not mounted.
fn unopened(error: Error, name: &str) -> stem_store::Error {
    let away = is_absent(&error);
    match error {
        Error::Store(error) if !away => error,
        Error::Fs(error) if !away => stem_store::Error::from_fs(Operation::OpenStore, name, error),
        error => {
            let kind = if away { ErrorKind::Unavailable } else { ErrorKind::InvalidInput };
            stem_store::Error::new(kind, Operation::OpenStore, name).with_reason(error.to_string())
        }
    }
}

pub(crate) fn open_mirror(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    let known: Vec<&str> = MIRRORS.into_iter().chain(["repair"]).collect();
    only(url, &known, false)?;
    let mut stores = MIRRORS
        .into_iter()
        .filter(|key| url.options.contains_key(*key))
        .map(|key| open_store(&inner(url, key)?, base));
    let (Some(first), Some(second)) = (stores.next(), stores.next()) else {
        return Err(invalid(url, "a mirror has two stores or more: mirror:?a=URL&b=URL"));
    };
    let others = std::iter::once(second).chain(stores).collect::<Result<Vec<_>>>()?;
    let mirror = if switch(url, "repair")? { Mirror::repairing } else { Mirror::new };
    Ok(Arc::new(mirror(first?, others)?))
}

pub(crate) fn open_read_only(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    only(url, &["store"], false)?;
    Ok(Arc::new(ReadOnly::new(open_store(&inner(url, "store")?, base)?)))
}

pub(crate) fn open_retry(url: &StoreUrl, base: Base<'_>) -> Result<AnyStore> {
    only(url, &["store", "tries"], false)?;
    let mut policy = RetryPolicy::default();
    if let Some(text) = url.options.get("tries") {
        let tries = text.parse().ok().filter(|tries| (1..=MAX_TRIES).contains(tries));
        policy.tries = tries.ok_or_else(|| invalid(url, format!("'tries' is 1 to {MAX_TRIES}")))?;
    }
    Ok(Arc::new(Retry::new(open_store(&inner(url, "store")?, base)?, policy)))
}

/// That the stores within are there; see [`open_existing`].
pub(crate) fn inner_exist(url: &StoreUrl, base: Base<'_>) -> Result<()> {
    // What a tier has in front may be made anew, and what is behind it may be away.
    let keys = if url.scheme == "tiered" { &[] } else { inner_keys(&url.scheme) };
    keys.iter()
        .filter(|key| url.options.contains_key(**key))
        .try_for_each(|key| open_existing(&inner(url, key)?, base).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stem_store::{ErrorKind as StoreKind, ObjectStoreExt as _};

    fn open(url: &str, base: &std::path::Path) -> Result<AnyStore> {
        open_store(&url.parse().unwrap(), Base::Directory(base))
    }

    #[test]
    fn a_tier_a_mirror_and_guards_are_opened_by_url() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let tier =
            open("tiered:?cache=sharded:cache&remote=pack:far%3Fcompression=zstd&size=2G", at).unwrap();
        let id = tier.put_bytes(b"kick").unwrap().digest.id;
        assert!(at.join("cache.tier/tier").is_file());
        assert_eq!(open("pack:far", at).unwrap().get(&id, 10).unwrap().unwrap(), b"kick");
        assert_eq!(open("sharded:cache", at).unwrap().get(&id, 10).unwrap().unwrap(), b"kick");
        // How the store behind it is used is no part of which it is; another store is.
        open("tiered:?cache=sharded:cache&remote=pack:far&write=back", at).unwrap();
        let error = open("tiered:?cache=sharded:cache&remote=pack:other", at).unwrap_err().to_string();
        assert!(error.contains("pack:far"), "{error}");
        open("tiered:state?cache=sharded:cache&remote=pack:other", at).unwrap();
        assert!(at.join("state/tier").is_file());

        let mirror = open("mirror:?a=sharded:one&b=pack:two&repair=yes", at).unwrap();
        let id = mirror.put_bytes(b"snare").unwrap().digest.id;
        for url in ["sharded:one", "pack:two", "readonly:?store=pack:two", "retry:?store=sharded:one&tries=2"]
        {
            assert_eq!(open(url, at).unwrap().get(&id, 10).unwrap().unwrap(), b"snare", "{url}");
        }
        let refused = open("readonly:?store=pack:two", at).unwrap().put_bytes(b"x").unwrap_err();
        assert_eq!(refused.kind(), StoreKind::ReadOnly);
    }

    #[test]
    fn a_store_behind_a_cache_may_be_away() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let url = "tiered:?cache=sharded:cache&remote=sharded:share/objects&write=back";
        let tier = open(url, at).unwrap();
        let id = tier.put_bytes(b"kick").unwrap().digest.id;
        let absent = stem_hash::ObjectId::from_bytes([3; 32]);
        let error = tier.stat(&absent).unwrap_err();
        assert_eq!(error.kind(), StoreKind::Unavailable);
        assert!(error.to_string().contains("sharded:share/objects"), "{error}");
        drop(tier);
        std::fs::create_dir(at.join("share")).unwrap();
        open(&url.replace("back", "through"), at).unwrap().sync().unwrap();
        assert!(open("sharded:share/objects", at).unwrap().contains(&id).unwrap());
    }

    #[test]
    fn mistakes_are_told() {
        let dir = tempfile::tempdir().unwrap();
        for (url, word) in [
            ("tiered:", "cache="),
            ("tiered:?cache=sharded:a", "remote="),
            ("tiered:?cache=sharded:a&remote=b", "scheme"),
            ("tiered:?cache=sharded:a&remote=ftp:b", "ftp"),
            ("tiered:?cache=pack:a&remote=sharded:b", "sharded:"),
            ("tiered:?cache=sharded:a&remote=sharded:b&write=never", "through"),
            ("tiered:?cache=sharded:a&remote=sharded:b&size=20Q", "20G"),
            ("tiered:?cache=sharded:a&remote=sharded:b&colour=red", "colour"),
            ("mirror:?a=memory:", "two stores"),
            ("mirror:x?a=memory:&b=memory:", "no location"),
            ("mirror:?a=memory:&b=memory:%3Fhash=blake3", "blake3"),
            ("mirror:?a=memory:&b=memory:&repair=perhaps", "yes or no"),
            ("retry:?store=memory:&tries=0", "1 to 20"),
            ("readonly:?store=nothing", "scheme"),
        ] {
            let problem = open(url, dir.path()).unwrap_err().to_string();
            assert!(problem.contains(word), "{url} → {problem}");
        }
        let deep = format!("readonly:?store={}", "x".repeat(MAX_INNER + 1));
        assert!(open(&deep, dir.path()).unwrap_err().to_string().contains("longer"));
        for (text, size) in [("1", Some(1)), ("3K", Some(3072)), ("2T", Some(2 << 40))] {
            assert_eq!(parse_size(text), size);
        }
        for text in ["", "0", "G", "1.5G", "-1", "+1", "99999999999T"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        for url in
            ["sharded:typo", "pack:typo", "readonly:?store=sharded:typo", "mirror:?a=memory:&b=pack:typo"]
        {
            let problem =
                open_existing(&url.parse().unwrap(), Base::Directory(dir.path())).unwrap_err().to_string();
            assert!(problem.contains("typo"), "{problem}");
        }
        assert!(!dir.path().join("typo").exists());
    }
}
