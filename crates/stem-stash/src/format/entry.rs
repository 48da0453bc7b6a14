//! Stash entries: `.muse/stash/stash-*.json`.
//!
//! [`encode`] writes, but for its last key `stem`, exactly what the reference writes, so that Muse lists, applies and
//! drops our entries; [`decode`] reads what the reference reads. Where the reference would turn another type into text
//! (`str(5)`), or treat a manifest that is no object as empty, this reader says that the entry is damaged: applying
//! something else than what was saved is the one thing a stash must not do.
//!
//! The format is described in `docs/format/stash-entry.md`.

use serde::de::MapAccess;
use serde_json::value::RawValue;
use stem_fs::RelPath;
use stem_hash::ObjectId;

use super::error::{Document, FormatError};
use super::json::{
    self, Fields, Nullable, Object, OrNull, Text, UnsafePaths, WithText, optional, required, skip, take,
};
use super::manifest::{Entries, MAX_MANIFEST_BYTES, Manifest};
use super::stamp::{OrderKey, Stamp, StashId};
use super::text::PyStr;

pub use super::record::{FileRecord, StemRecord};

/// Largest entry that is read or written, in bytes.
pub const MAX_ENTRY_BYTES: usize = MAX_MANIFEST_BYTES;

const DOCUMENT: Document = Document::StashEntry;

/// One entry of the stash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StashEntry {
    /// Its id, and the name of its file without `.json`.
    pub stash_id: StashId,
    /// The branch that HEAD named.
    pub branch: PyStr,
    /// The user's label, or the default one.
    pub message: PyStr,
    /// When it was made, as text; [`StashEntry::created`] reads it.
    pub created_at: PyStr,
    /// The track that the push was limited to.
    pub track: Option<PyStr>,
    /// The section that the push was limited to.
    pub section: Option<PyStr>,
    /// The saved paths and their objects.
    pub manifest: Manifest,
    /// What this engine adds; absent in entries of the reference.
    pub stem: Option<StemRecord>,
}

impl StashEntry {
    /// When it was made, if `created_at` can be read.
    pub fn created(&self) -> Option<Stamp> {
        Stamp::parse_iso(self.created_at.as_str()?).ok()
    }

    /// Its place in the stack: by `created_at` (by the time in the id where that cannot be read), then by id.
    pub fn order_key(&self) -> OrderKey {
        OrderKey {
            stamp: self.created().or_else(|| self.stash_id.stamp()),
            name: self.stash_id.as_str().as_bytes().to_vec(),
        }
    }

    /// The id that it is known by, however often it was passed on: that of the first entry of which it is a copy.
    pub fn origin(&self) -> &StashId {
        let origin = self.stem.as_ref().and_then(|stem| stem.origin.as_ref());
        origin.unwrap_or(&self.stash_id)
    }

    /// What was recorded of the file that stands at `index` in the manifest.
    pub fn file(&self, index: usize) -> Option<&FileRecord> {
        self.stem.as_ref()?.files.get(index)
    }
}

/// The bytes of an entry's file: the text of Python's `json.dumps(entry, indent=2)`, and the key `stem` last.
///
/// Rows of [`StemRecord::files`] are written only when there is one for each path; a record without them says nothing
/// about the files, one with wrong rows would be worse.
///
/// # Errors
///
/// An entry that would be larger than [`MAX_ENTRY_BYTES`], which no reader would take back.
pub fn encode(entry: &StashEntry) -> Result<Vec<u8>, FormatError> {
    let mut out = Vec::with_capacity(512 + entry.manifest.len().min(1 << 20) * 160);
    out.extend_from_slice(b"{\n  \"stash_id\": \"");
    out.extend_from_slice(entry.stash_id.as_str().as_bytes());
    out.push(b'"');
    for (key, value) in [
        ("branch", Some(&entry.branch)),
        ("message", Some(&entry.message)),
        ("created_at", Some(&entry.created_at)),
        ("track", entry.track.as_ref()),
        ("section", entry.section.as_ref()),
    ] {
        write_key(&mut out, key);
        match value {
            Some(text) => text.write_json(&mut out),
            None => out.extend_from_slice(b"null"),
        }
    }
    write_key(&mut out, "manifest");
    entry.manifest.write_json(&mut out, "  ");
    if let Some(stem) = &entry.stem {
        write_key(&mut out, "stem");
        if stem.files.is_empty() || stem.files.len() == entry.manifest.len() {
            stem.write_json(&mut out);
        } else {
            StemRecord { files: Vec::new(), ..stem.clone() }.write_json(&mut out);
        }
    }
    out.extend_from_slice(b"\n}");
    if out.len() > MAX_ENTRY_BYTES {
        return Err(FormatError::too_large(DOCUMENT, out.len(), MAX_ENTRY_BYTES));
    }
    Ok(out)
}

fn write_key(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\n  \"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\": ");
}

/// Reads the bytes of an entry's file.
///
/// # Errors
///
/// What is wrong with it, and where. An unreadable `stem` is no error: the entry comes back without it.
pub fn decode(bytes: &[u8]) -> Result<StashEntry, FormatError> {
    let unsafe_paths = UnsafePaths::default();
    let raw = json::parse(DOCUMENT, bytes, MAX_ENTRY_BYTES, &unsafe_paths, Object(Raw::new(&unsafe_paths)))?;
    let paths = raw.manifest.unwrap_or_default();
    let mut stem = raw.stem.and_then(|json| StemRecord::parse(json.get()).ok());
    // The rows stand in the order of the manifest as it was written; sorting must not part them.
    let rows = stem.as_mut().map(|stem| std::mem::take(&mut stem.files)).unwrap_or_default();
    let rows = if rows.len() == paths.len() { rows } else { Vec::new() };
    let (manifest, rows) =
        Manifest::with_companions(paths, rows).map_err(|problem| problem.into_error(DOCUMENT))?;
    let stem = stem
        .filter(|stem| !stem.deleted.iter().any(|path| manifest.contains(path)))
        .map(|stem| StemRecord { files: rows, ..stem });
    Ok(StashEntry {
        stash_id: required(raw.stash_id, DOCUMENT, "stash_id")?,
        branch: required(raw.branch, DOCUMENT, "branch")?,
        message: required(raw.message, DOCUMENT, "message")?,
        created_at: required(raw.created_at, DOCUMENT, "created_at")?,
        track: scope(raw.track),
        section: scope(raw.section),
        manifest,
        stem,
    })
}

/// A scope that is `null`, empty or absent is no scope.
fn scope(value: Option<OrNull<PyStr>>) -> Option<PyStr> {
    optional(value).filter(|text| !text.is_empty())
}

struct Raw<'de, 'c> {
    unsafe_paths: &'c UnsafePaths,
    stash_id: Option<StashId>,
    branch: Option<PyStr>,
    message: Option<PyStr>,
    created_at: Option<PyStr>,
    track: Option<OrNull<PyStr>>,
    section: Option<OrNull<PyStr>>,
    manifest: Option<Vec<(RelPath, ObjectId)>>,
    stem: Option<&'de RawValue>,
}

impl<'c> Raw<'_, 'c> {
    fn new(unsafe_paths: &'c UnsafePaths) -> Self {
        Self {
            unsafe_paths,
            stash_id: None,
            branch: None,
            message: None,
            created_at: None,
            track: None,
            section: None,
            manifest: None,
            stem: None,
        }
    }
}

impl<'de> Fields<'de> for Raw<'de, '_> {
    const EXPECTED: &'static str = "a stash entry, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        match key.as_wtf8() {
            b"stash_id" => {
                take(&mut self.stash_id, key, map, WithText { expected: "a string", read: read_stash_id })
            }
            b"branch" => take(&mut self.branch, key, map, Text),
            b"message" => take(&mut self.message, key, map, Text),
            b"created_at" => take(&mut self.created_at, key, map, Text),
            b"track" => take(&mut self.track, key, map, Nullable(Text)),
            b"section" => take(&mut self.section, key, map, Nullable(Text)),
            b"manifest" => take(&mut self.manifest, key, map, Entries(self.unsafe_paths)),
            b"stem" => take(&mut self.stem, key, map, std::marker::PhantomData),
            _ => skip(map),
        }
    }
}

pub(super) fn read_stash_id(wtf8: &[u8]) -> Result<StashId, String> {
    String::from_utf8_lossy(wtf8).parse().map_err(|e: FormatError| e.message().to_owned())
}
