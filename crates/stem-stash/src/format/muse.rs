//! Files of newer Muse that are only read: its own stash, `.muse/stash.json`, and `.muse/repo.json`.
//!
//! See `docs/format/commits.md`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use stem_fs::RelPath;
use stem_hash::ObjectId;

use super::error::{Document, FormatError};
use super::json::{self, Fields, Object, UnsafePaths, required, skip, take};
use super::manifest::{Entries, Manifest};
use super::text::PyStr;

/// Largest `.muse/stash.json` that is read, in bytes; Muse itself reads no larger one.
pub const MAX_MUSE_STASH_BYTES: usize = 64 << 20;

/// Most elements of `.muse/stash.json` that are read.
pub const MAX_MUSE_STASHES: usize = 100_000;

/// Largest `repo.json` that is read, in bytes.
pub const MAX_REPO_JSON_BYTES: usize = 1 << 20;

/// The one version of a repository's layout that is known.
const SCHEMA_VERSION: &[&str] = &["\"1\"", "1"];

/// Reads `.muse/stash.json`: the manifests of what newer Muse has stashed, newest first.
///
/// # Errors
///
/// Anything but an array of objects, each with a manifest that could be written; a key that stands twice.
pub fn decode_muse_stash(bytes: &[u8]) -> Result<Vec<Manifest>, FormatError> {
    let document = Document::MuseStash;
    let unsafe_paths = UnsafePaths::default();
    let shelved = json::parse(document, bytes, MAX_MUSE_STASH_BYTES, &unsafe_paths, Shelf(&unsafe_paths))?;
    let manifest = |paths| Manifest::new(paths).map_err(|problem| problem.into_error(document));
    shelved.into_iter().map(|raw| manifest(required(raw.manifest, document, "manifest")?)).collect()
}

/// Reads the elements of the array.
struct Shelf<'c>(&'c UnsafePaths);

impl<'de, 'c> DeserializeSeed<'de> for Shelf<'c> {
    type Value = Vec<RawShelved<'c>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, 'c> Visitor<'de> for Shelf<'c> {
    type Value = Vec<RawShelved<'c>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of what is stashed")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut shelved = Vec::new();
        let raw = || RawShelved { unsafe_paths: self.0, seen: Default::default(), manifest: None };
        while let Some(one) = seq.next_element_seed(Object(raw()))? {
            if shelved.len() == MAX_MUSE_STASHES {
                return Err(A::Error::custom(format_args!("more than {MAX_MUSE_STASHES} elements")));
            }
            shelved.push(one);
        }
        Ok(shelved)
    }
}

/// One element. Only the manifest is of use here; the other keys must not stand twice.
struct RawShelved<'c> {
    unsafe_paths: &'c UnsafePaths,
    seen: [Option<()>; 3],
    manifest: Option<Vec<(RelPath, ObjectId)>>,
}

impl<'de> Fields<'de> for RawShelved<'_> {
    const EXPECTED: &'static str = "one stash of Muse, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        let [snapshot, branch, stashed] = &mut self.seen;
        match key.as_wtf8() {
            b"manifest" => take(&mut self.manifest, key, map, Entries(self.unsafe_paths)),
            b"snapshot_id" => take(snapshot, key, map, Anything),
            b"branch" => take(branch, key, map, Anything),
            b"stashed_at" => take(stashed, key, map, Anything),
            _ => skip(map),
        }
    }
}

/// Passes over a value.
struct Anything;

impl<'de> DeserializeSeed<'de> for Anything {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_ignored_any(serde::de::IgnoredAny).map(drop)
    }
}

/// Reads `repo.json` and says whether its layout is one that this engine knows.
///
/// # Errors
///
/// A file that is no JSON object, in which a key of ours stands twice, or that does not say version 1.
pub fn check_repo_json(bytes: &[u8]) -> Result<(), FormatError> {
    let document = Document::RepoJson;
    let raw = RawRepo { repo_id: None, schema_version: None };
    let raw = json::parse(document, bytes, MAX_REPO_JSON_BYTES, &UnsafePaths::default(), Object(raw))?;
    let version: &RawValue = required(raw.schema_version, document, "schema_version")?;
    if SCHEMA_VERSION.contains(&version.get()) {
        return Ok(());
    }
    // The value may be anything of any length, so it is not quoted.
    Err(FormatError::malformed(document, "its schema_version is another one than 1"))
}

struct RawRepo<'de> {
    repo_id: Option<&'de RawValue>,
    schema_version: Option<&'de RawValue>,
}

impl<'de> Fields<'de> for RawRepo<'de> {
    const EXPECTED: &'static str = "the description of a repository, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        match key.as_wtf8() {
            b"repo_id" => take(&mut self.repo_id, key, map, std::marker::PhantomData),
            b"schema_version" => take(&mut self.schema_version, key, map, std::marker::PhantomData),
            _ => skip(map),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e";

    #[test]
    fn the_stash_of_newer_muse() {
        let one = format!(
            "{{\"snapshot_id\": \"{A}\", \"manifest\": {{\"naïve.mid\": \"{A}\"}}, \"branch\": \"main\", \"stashed_at\": \"x\", \"more\": [1]}}"
        );
        let both = format!("[{one}, {{\"manifest\": {{}}}}]");
        let read = decode_muse_stash(both.as_bytes()).unwrap();
        assert_eq!(read.iter().map(Manifest::len).collect::<Vec<_>>(), [1, 0]);
        assert!(decode_muse_stash(b"[]").unwrap().is_empty());
        for (text, says) in [
            ("{}", "a list"),
            ("[{}]", "manifest"),
            ("[1]", "one stash"),
            ("[{\"manifest\": {}, \"manifest\": {}}]", "duplicate key"),
            ("[{\"branch\": 1, \"branch\": 2, \"manifest\": {}}]", "duplicate key"),
            ("[{\"manifest\": {\"../x\": \"y\"}}]", ".."),
            ("[", "EOF"),
            ("", "EOF"),
        ] {
            let error = decode_muse_stash(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let twice = format!("[{{\"manifest\": {{\"a\": \"{A}\", \"a\": \"{A}\"}}}}]");
        assert!(decode_muse_stash(twice.as_bytes()).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn only_the_known_layout_is_known() {
        for good in [
            "{\"repo_id\": \"x\", \"schema_version\": \"1\"}",
            "{\"schema_version\": 1, \"domain\": \"midi\"}",
        ] {
            check_repo_json(good.as_bytes()).unwrap();
        }
        for bad in [
            "",
            "[]",
            "{}",
            "{\"repo_id\": \"x\"}",
            "{\"schema_version\": \"2\"}",
            "{\"schema_version\": null}",
            "{\"schema_version\": \"1\", \"schema_version\": \"1\"}",
        ] {
            assert!(check_repo_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
