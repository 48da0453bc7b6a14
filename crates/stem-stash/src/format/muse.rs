//! Files of newer Muse: its own stash, `.muse/stash.json` (`docs/format/muse-stash.md`), and `.muse/repo.json`, which is
//! only read (`docs/format/commits.md`).

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use stem_fs::RelPath;
use stem_hash::{Algorithm, Hasher, ObjectId};

use super::error::{Document, FormatError, FormatErrorKind};
use super::json::{self, Fields, Object, Text, UnsafePaths, required, skip, take};
use super::manifest::{Entries, Manifest};
use super::stamp::Stamp;
use super::text::PyStr;

const DOCUMENT: Document = Document::MuseStash;

/// Largest `.muse/stash.json` that is read or written, in bytes; Muse takes a larger one for empty.
pub const MAX_MUSE_STASH_BYTES: usize = 64 << 20;

/// Most elements of `.muse/stash.json` that are read.
pub const MAX_MUSE_STASHES: usize = 100_000;

/// Largest `repo.json` that is read, in bytes.
pub const MAX_REPO_JSON_BYTES: usize = 1 << 20;

/// The one version of a repository's layout that is known.
const SCHEMA_VERSION: &[&str] = &["\"1\"", "1"];

/// One stash of newer Muse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuseStashed {
    /// The snapshot that the manifest makes; nobody checks it.
    pub snapshot_id: PyStr,
    /// Paths and objects.
    pub manifest: Manifest,
    /// The branch that HEAD named.
    pub branch: PyStr,
    /// When it was made, as ISO-8601 text; [`MuseStashed::stamp`] reads it.
    pub stashed_at: PyStr,
}

/// One element of `.muse/stash.json`, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuseElement {
    /// Its text, which is written back as it was read.
    pub raw: String,
    /// What it says, or what is wrong with it.
    pub read: Result<MuseStashed, FormatError>,
}

/// Reads `.muse/stash.json`, newest first. An element that cannot be read spoils no other.
///
/// # Errors
///
/// Anything but an array, or one that is too large.
pub fn decode_muse_stash(bytes: &[u8]) -> Result<Vec<MuseElement>, FormatError> {
    let raws = json::parse(DOCUMENT, bytes, MAX_MUSE_STASH_BYTES, &UnsafePaths::default(), Shelf)?;
    Ok(raws.into_iter().map(|raw| decode_muse_element(raw.get())).collect())
}

/// Reads the text of one element.
pub fn decode_muse_element(raw: &str) -> MuseElement {
    let unsafe_paths = UnsafePaths::default();
    let shelved = Shelved {
        unsafe_paths: &unsafe_paths,
        snapshot_id: None,
        manifest: None,
        branch: None,
        stashed_at: None,
    };
    let read = || {
        let read =
            json::parse(DOCUMENT, raw.as_bytes(), MAX_MUSE_STASH_BYTES, &unsafe_paths, Object(shelved))?;
        let paths = required(read.manifest, DOCUMENT, "manifest")?;
        Ok(MuseStashed {
            // Muse takes what is absent for empty.
            snapshot_id: read.snapshot_id.unwrap_or_default(),
            manifest: Manifest::new(paths).map_err(|problem| problem.into_error(DOCUMENT))?,
            branch: read.branch.unwrap_or_default(),
            stashed_at: read.stashed_at.unwrap_or_default(),
        })
    };
    MuseElement { raw: raw.to_owned(), read: read() }
}

/// The bytes of `.muse/stash.json` with these elements, newest first, as Muse writes it.
///
/// # Errors
///
/// More than a reader would take back.
pub fn encode_muse_stash<'r>(raws: impl Iterator<Item = &'r str>) -> Result<Vec<u8>, FormatError> {
    let mut out = b"[".to_vec();
    let mut count = 0;
    for raw in raws {
        out.extend_from_slice(if count == 0 { b"\n  " } else { b",\n  " });
        out.extend_from_slice(raw.as_bytes());
        count += 1;
    }
    out.extend_from_slice(if count == 0 { b"]" } else { b"\n]" });
    if out.len() > MAX_MUSE_STASH_BYTES {
        return Err(FormatError::too_large(DOCUMENT, out.len(), MAX_MUSE_STASH_BYTES));
    }
    if count > MAX_MUSE_STASHES {
        let found = format!("more than {MAX_MUSE_STASHES} elements");
        return Err(FormatError::new(DOCUMENT, FormatErrorKind::TooLarge, found));
    }
    Ok(out)
}

impl MuseStashed {
    /// When it was made, if that can be read.
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::parse_iso(self.stashed_at.as_str()?).ok()
    }

    /// The text of the element, indented as it stands in the array: that of Python's `json.dumps(…, indent=2,
    /// ensure_ascii=False)`.
    ///
    /// `None` when a text of it is not UTF-8: Muse could read it, but not write it again.
    pub fn to_json(&self) -> Option<String> {
        let mut out = String::with_capacity(256 + self.manifest.len().min(1 << 20) * 120);
        out.push_str("{\n    \"snapshot_id\": ");
        write_unescaped(&mut out, self.snapshot_id.as_str()?);
        out.push_str(",\n    \"manifest\": {");
        for (n, (path, id)) in self.manifest.iter().enumerate() {
            out.push_str(if n == 0 { "\n      " } else { ",\n      " });
            write_unescaped(&mut out, str::from_utf8(path.as_bytes()).ok()?);
            out.push_str(": \"");
            out.push_str(id.hex().as_str());
            out.push('"');
        }
        out.push_str(if self.manifest.is_empty() { "}" } else { "\n    }" });
        for (key, text) in [("branch", &self.branch), ("stashed_at", &self.stashed_at)] {
            out.push_str(",\n    \"");
            out.push_str(key);
            out.push_str("\": ");
            write_unescaped(&mut out, text.as_str()?);
        }
        out.push_str("\n  }");
        Some(out)
    }

    /// 32 hexadecimal digits of a hash of what Muse knows of it. They stay the same when Muse writes the file anew.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for text in [&self.snapshot_id, &self.stashed_at, &self.branch] {
            hasher.update(text.as_wtf8());
            hasher.update(b"\0");
        }
        for (path, id) in self.manifest.iter() {
            hasher.update(path.as_bytes());
            hasher.update(b"\0");
            hasher.update(id.as_bytes());
        }
        hasher.finish().id.to_string().chars().take(32).collect()
    }
}

/// A JSON string with only that escaped which has to be.
fn write_unescaped(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            // Writing into a string cannot fail.
            '\0'..='\u{1f}' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads the elements of the array as they stand there.
struct Shelf;

impl<'de> DeserializeSeed<'de> for Shelf {
    type Value = Vec<&'de RawValue>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Shelf {
    type Value = Vec<&'de RawValue>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of what is stashed")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut shelved = Vec::new();
        while let Some(one) = seq.next_element()? {
            if shelved.len() == MAX_MUSE_STASHES {
                return Err(A::Error::custom(format_args!("more than {MAX_MUSE_STASHES} elements")));
            }
            shelved.push(one);
        }
        Ok(shelved)
    }
}

/// One element as it is read.
struct Shelved<'c> {
    unsafe_paths: &'c UnsafePaths,
    snapshot_id: Option<PyStr>,
    manifest: Option<Vec<(RelPath, ObjectId)>>,
    branch: Option<PyStr>,
    stashed_at: Option<PyStr>,
}

impl<'de> Fields<'de> for Shelved<'_> {
    const EXPECTED: &'static str = "one stash of Muse, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        match key.as_wtf8() {
            b"snapshot_id" => take(&mut self.snapshot_id, key, map, Text),
            b"manifest" => take(&mut self.manifest, key, map, Entries(self.unsafe_paths)),
            b"branch" => take(&mut self.branch, key, map, Text),
            b"stashed_at" => take(&mut self.stashed_at, key, map, Text),
            _ => skip(map),
        }
    }
}

/// Reads `repo.json` and says whether its layout is one that this engine knows.
///
/// # Errors
///
/// A file that is no JSON object, in which a key of ours stands twice, or that does not say version 1.
pub fn check_repo_json(bytes: &[u8]) -> Result<(), FormatError> {
    let document = Document::RepoJson;
    let raw = RawRepo { repo_id: None, schema_version: None, domain: None };
    let raw = json::parse(document, bytes, MAX_REPO_JSON_BYTES, &UnsafePaths::default(), Object(raw))?;
    let version: &RawValue = required(raw.schema_version, document, "schema_version")?;
    if SCHEMA_VERSION.contains(&version.get()) {
        return Ok(());
    }
    // The value may be anything of any length, so it is not quoted.
    Err(FormatError::malformed(document, "its schema_version is another one than 1"))
}

/// The domain that `repo.json` names, if it names one.
///
/// # Errors
///
/// A file that is no JSON object, in which a key of ours stands twice, or whose domain is no text.
pub fn read_domain(bytes: &[u8]) -> Result<Option<String>, FormatError> {
    let document = Document::RepoJson;
    let raw = RawRepo { repo_id: None, schema_version: None, domain: None };
    let raw = json::parse(document, bytes, MAX_REPO_JSON_BYTES, &UnsafePaths::default(), Object(raw))?;
    let domain = raw.domain.map(|text| serde_json::from_str::<Option<String>>(text.get())).transpose();
    domain.map(Option::flatten).map_err(|_| FormatError::malformed(document, "its domain is no text"))
}

struct RawRepo<'de> {
    domain: Option<&'de RawValue>,
    repo_id: Option<&'de RawValue>,
    schema_version: Option<&'de RawValue>,
}

impl<'de> Fields<'de> for RawRepo<'de> {
    const EXPECTED: &'static str = "the description of a repository, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        match key.as_wtf8() {
            b"repo_id" => take(&mut self.repo_id, key, map, std::marker::PhantomData),
            b"domain" => take(&mut self.domain, key, map, std::marker::PhantomData),
            b"schema_version" => take(&mut self.schema_version, key, map, std::marker::PhantomData),
            _ => skip(map),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e";

    fn stashed(path: &str) -> MuseStashed {
        MuseStashed {
            snapshot_id: PyStr::from(A),
            manifest: Manifest::new(vec![(RelPath::new(path).unwrap(), A.parse().unwrap())]).unwrap(),
            branch: PyStr::from("feat/naïve \"x\""),
            stashed_at: PyStr::from("2026-03-16T12:00:00+00:00"),
        }
    }

    #[test]
    fn the_stash_of_newer_muse() {
        let one = stashed("naïve\u{1}.mid");
        // As Python prints it.
        let golden = format!(
            "[\n  {{\n    \"snapshot_id\": \"{A}\",\n    \"manifest\": {{\n      \"naïve\\u0001.mid\": \"{A}\"\n    }},\n    \"branch\": \"feat/naïve \\\"x\\\"\",\n    \"stashed_at\": \"2026-03-16T12:00:00+00:00\"\n  }}\n]"
        );
        let raw = one.to_json().unwrap();
        assert_eq!(encode_muse_stash([raw.as_str()].into_iter()).unwrap(), golden.as_bytes());
        let read = decode_muse_stash(golden.as_bytes()).unwrap();
        assert_eq!(read, [MuseElement { raw, read: Ok(one) }]);
        assert_eq!(encode_muse_stash(std::iter::empty()).unwrap(), b"[]");
        assert!(decode_muse_stash(b"[]").unwrap().is_empty());
        for (text, says) in [("{}", "a list"), ("[", "EOF"), ("", "EOF"), ("[1 2]", "expected")] {
            let error = decode_muse_stash(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn an_element_that_cannot_be_read_spoils_no_other() {
        for (text, says) in [
            ("{}", "manifest"),
            ("1", "one stash"),
            ("{\"manifest\": {}, \"manifest\": {}}", "duplicate key"),
            ("{\"branch\": \"1\", \"branch\": \"2\", \"manifest\": {}}", "duplicate key"),
            ("{\"branch\": 1, \"manifest\": {}}", "branch"),
            ("{\"manifest\": {\"../x\": \"y\"}}", ".."),
        ] {
            let all = format!("[{text}, {{\"manifest\": {{}}, \"more\": [1]}}]");
            let [bad, good] = decode_muse_stash(all.as_bytes()).unwrap().try_into().unwrap();
            assert_eq!(bad.raw, text);
            let error = bad.read.unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert_eq!(good.raw, "{\"manifest\": {}, \"more\": [1]}");
            assert!(good.read.unwrap().manifest.is_empty());
        }
        let twice = format!("[{{\"manifest\": {{\"a\": \"{A}\", \"a\": \"{A}\"}}}}]");
        let read = decode_muse_stash(twice.as_bytes()).unwrap().remove(0).read;
        assert!(read.unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn a_fingerprint_tells_elements_apart_and_outlives_a_rewrite() {
        let one = stashed("a");
        let compact = format!(
            "{{\"branch\": \"feat/na\\u00efve \\\"x\\\"\", \"stashed_at\": \"2026-03-16T12:00:00+00:00\", \"manifest\": {{\"a\": \"{A}\"}}, \"snapshot_id\": \"{A}\"}}"
        );
        assert_eq!(decode_muse_element(&compact).read.unwrap().fingerprint(), one.fingerprint());
        assert_ne!(stashed("b").fingerprint(), one.fingerprint());
        assert_ne!(MuseStashed { branch: PyStr::from("x"), ..one.clone() }.fingerprint(), one.fingerprint());
        assert_eq!(one.fingerprint().len(), 32);
        let bytes = RelPath::new(b"\xff".to_vec()).unwrap();
        let named = Manifest::new(vec![(bytes, A.parse().unwrap())]).unwrap();
        assert_eq!(MuseStashed { manifest: named, ..one }.to_json(), None);
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
