//! The key `stem` of a stash entry: what the reference does not record.
//!
//! It is optional by nature. The reference drops it when it rewrites nothing and ignores it otherwise, so an entry must be
//! usable without it: a record that is damaged, of another version or in contradiction to its entry counts as absent.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use stem_fs::{RelPath, Timestamp};
use stem_hash::Checksum;

use super::entry::read_stash_id;
use super::error::{Document, FormatError};
use super::ids::SnapshotId;
use super::json::{self, Fields, Nullable, Object, OrNull, UnsafePaths, WithText, required, take};
use super::manifest::{self, MAX_MANIFEST_BYTES, MAX_MANIFEST_ENTRIES, path_seed};
use super::stamp::StashId;
use super::text::{PyStr, write_fs_json};

/// The version of a record without an origin, and that of one with. Both are understood.
const VERSION: u64 = 1;
const VERSION_WITH_ORIGIN: u64 = 2;

/// Permission bits, set-uid, set-gid and sticky bit.
pub(super) const MODE_BITS: u32 = 0o7777;

/// What this engine records beside the reference's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StemRecord {
    /// The snapshot that HEAD named when the entry was made.
    pub head_snapshot: Option<SnapshotId>,
    /// The id of the entry that this one was imported from.
    pub origin: Option<StashId>,
    /// Paths that HEAD had and the working tree lacked, sorted as a manifest is; none of them is in the manifest.
    pub deleted: Vec<RelPath>,
    /// One record for each path of the manifest, in its order, or none at all.
    pub files: Vec<FileRecord>,
}

/// What a file was when it was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRecord {
    /// Its length in bytes.
    pub size: u64,
    /// The last change of its bytes.
    pub mtime: Timestamp,
    /// Its permission bits with set-uid, set-gid and sticky bit (`0o7777`).
    pub mode: u32,
    /// XXH3-128 of its bytes, where it was computed.
    pub checksum: Option<Checksum>,
}

impl StemRecord {
    /// Appends the value of the key, one row per line. It is not Python's layout: a row of four lines for each of a
    /// million files would be most of the entry.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let version = if self.origin.is_some() { VERSION_WITH_ORIGIN } else { VERSION };
        out.extend_from_slice(format!("{{\"version\": {version}, \"head_snapshot\": ").as_bytes());
        match &self.head_snapshot {
            Some(id) => out.extend_from_slice(format!("\"{id}\"").as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        if let Some(origin) = &self.origin {
            // Ids of entries are ASCII without anything to escape.
            out.extend_from_slice(format!(",\n    \"origin\": \"{origin}\"").as_bytes());
        }
        out.extend_from_slice(b",\n    \"deleted\": ");
        write_rows(out, &self.deleted, |out, path| write_fs_json(out, path.as_bytes()));
        out.extend_from_slice(b",\n    \"files\": ");
        write_rows(out, &self.files, |out, file| {
            let FileRecord { size, mtime, mode, checksum } = file;
            let row = match checksum {
                Some(sum) => format!("[{size}, {}, {mode}, \"{sum}\"]", mtime.as_nanos()),
                None => format!("[{size}, {}, {mode}, null]", mtime.as_nanos()),
            };
            out.extend_from_slice(row.as_bytes());
        });
        out.extend_from_slice(b"\n  }");
    }

    /// Reads the value of the key. The rows stand in the order of the manifest as it was written.
    pub(super) fn parse(json: &str) -> Result<Self, FormatError> {
        let document = Document::StashEntry;
        let unsafe_paths = UnsafePaths::default();
        let raw = Raw {
            unsafe_paths: &unsafe_paths,
            version: None,
            head_snapshot: None,
            origin: None,
            deleted: None,
            files: None,
        };
        let raw = json::parse(document, json.as_bytes(), MAX_MANIFEST_BYTES, &unsafe_paths, Object(raw))?;
        let version = if raw.origin.is_some() { VERSION_WITH_ORIGIN } else { VERSION };
        if required(raw.version, document, "version")? != version {
            return Err(FormatError::malformed(document, "a version of the record that is not known"));
        }
        let mut deleted = required(raw.deleted, document, "deleted")?;
        deleted.sort_unstable_by(manifest::text_order);
        if deleted.is_sorted_by(|a, b| a != b) {
            Ok(Self {
                head_snapshot: required(raw.head_snapshot, document, "head_snapshot")?.0,
                origin: raw.origin,
                deleted,
                files: required(raw.files, document, "files")?,
            })
        } else {
            Err(FormatError::malformed(document, "a deleted path is there twice"))
        }
    }
}

fn write_rows<T>(out: &mut Vec<u8>, rows: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    let mut separator = "\n      ";
    for row in rows {
        out.extend_from_slice(separator.as_bytes());
        write(out, row);
        separator = ",\n      ";
    }
    if !rows.is_empty() {
        out.extend_from_slice(b"\n    ");
    }
    out.push(b']');
}

struct Raw<'c> {
    unsafe_paths: &'c UnsafePaths,
    version: Option<u64>,
    head_snapshot: Option<OrNull<SnapshotId>>,
    origin: Option<StashId>,
    deleted: Option<Vec<RelPath>>,
    files: Option<Vec<FileRecord>>,
}

impl<'de> Fields<'de> for Raw<'_> {
    const EXPECTED: &'static str = "a record of this engine";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        match key.as_wtf8() {
            b"version" => take(&mut self.version, key, map, std::marker::PhantomData),
            b"head_snapshot" => take(&mut self.head_snapshot, key, map, Nullable(SnapshotId::seed())),
            b"origin" => {
                take(&mut self.origin, key, map, WithText { expected: "a string", read: read_stash_id })
            }
            b"deleted" => {
                let row = || path_seed(self.unsafe_paths);
                take(&mut self.deleted, key, map, Rows { row, expected: "a list of paths" })
            }
            b"files" => take(&mut self.files, key, map, Rows { row: || Row, expected: "a list of rows" }),
            // The record is this engine's own: a key that is not known means another version.
            _ => Err(A::Error::custom(format_args!("unknown key {key:?}"))),
        }
    }
}

/// Reads an array, each element with a fresh seed.
pub(super) struct Rows<F> {
    pub(super) row: F,
    pub(super) expected: &'static str,
}

impl<'de, S: DeserializeSeed<'de>, F: Fn() -> S> DeserializeSeed<'de> for Rows<F> {
    type Value = Vec<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de>, F: Fn() -> S> Visitor<'de> for Rows<F> {
    type Value = Vec<S::Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element_seed((self.row)())? {
            if rows.len() == MAX_MANIFEST_ENTRIES {
                return Err(A::Error::custom("too many rows"));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// Reads one row `[size, mtime in nanoseconds, mode, checksum or null]`.
struct Row;

impl<'de> DeserializeSeed<'de> for Row {
    type Value = FileRecord;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FileRecord, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Row {
    type Value = FileRecord;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of size, mtime, mode and checksum")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FileRecord, A::Error> {
        let short = || A::Error::custom("a row has fewer than 4 values");
        let size = seq.next_element()?.ok_or_else(short)?;
        let nanos: i128 = seq.next_element()?.ok_or_else(short)?;
        let mode: u32 = seq.next_element()?.ok_or_else(short)?;
        let checksum = Nullable(WithText {
            expected: "a checksum",
            read: |hex: &[u8]| Checksum::parse_bytes(hex).map_err(|e| format!("not a checksum: {e}")),
        });
        let OrNull(checksum) = seq.next_element_seed(checksum)?.ok_or_else(short)?;
        if seq.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("a row has more than 4 values"));
        }
        let mtime = Timestamp::from_nanos(nanos).ok_or_else(|| A::Error::custom("mtime out of range"))?;
        if mode & !MODE_BITS != 0 {
            return Err(A::Error::custom("mode out of range"));
        }
        Ok(FileRecord { size, mtime, mode, checksum })
    }
}
