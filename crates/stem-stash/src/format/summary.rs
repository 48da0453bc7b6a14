//! What is told of an entry without its manifest: the head of an entry in a bucket (`docs/format/remote.md`, *Entries*).
//!
//! It follows from the entry, so whoever has the entry can tell whether the head belongs to it. Long texts are cut: a list of
//! entries is read by ranges of a few hundred bytes, whatever somebody gave as a message.

use serde::de::{Error as _, MapAccess};

use super::entry::{StashEntry, read_stash_id};
use super::error::{Document, FormatError};
use super::json::{self, Fields, Nullable, Object, OrNull, Text, UnsafePaths, WithText, required, take};
use super::stamp::{Stamp, StashId};
use super::text::PyStr;

/// Largest summary in bytes. The longest one that is written has 15,000, since a character takes at most 12.
pub const MAX_SUMMARY_BYTES: usize = 16_384;

/// Characters of a message that are told.
const MAX_MESSAGE: usize = 768;
/// Characters of a branch, a track, a section.
const MAX_NAME: usize = 128;
/// Characters of a time as text.
const MAX_TIME: usize = 64;

const DOCUMENT: Document = Document::Summary;

/// An entry in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntrySummary {
    /// Its id.
    pub stash_id: StashId,
    /// The id of the first entry of which it is a copy, or its own.
    pub origin: StashId,
    /// The branch that HEAD named.
    pub branch: PyStr,
    /// The user's label, or the beginning of it.
    pub message: PyStr,
    /// When it was made, as text.
    pub created_at: PyStr,
    /// The track that the push was limited to.
    pub track: Option<PyStr>,
    /// The section that the push was limited to.
    pub section: Option<PyStr>,
    /// Number of paths.
    pub files: u64,
    /// Their bytes, or 0 where the entry does not say.
    pub bytes: u64,
    /// Number of paths that HEAD had and the entry has not.
    pub deleted: u64,
}

impl EntrySummary {
    /// What is told of an entry.
    pub fn of(entry: &StashEntry) -> Self {
        let name = |text: &Option<PyStr>| text.as_ref().map(|text| cut(text, MAX_NAME));
        let stem = entry.stem.as_ref();
        let rows = stem.map(|stem| &stem.files[..]).filter(|rows| rows.len() == entry.manifest.len());
        Self {
            stash_id: entry.stash_id.clone(),
            origin: entry.origin().clone(),
            branch: cut(&entry.branch, MAX_NAME),
            message: cut(&entry.message, MAX_MESSAGE),
            created_at: cut(&entry.created_at, MAX_TIME),
            track: name(&entry.track),
            section: name(&entry.section),
            files: entry.manifest.len() as u64,
            bytes: rows.unwrap_or_default().iter().fold(0, |sum, row| sum.saturating_add(row.size)),
            deleted: stem.map_or(0, |stem| stem.deleted.len() as u64),
        }
    }

    /// When it was made, if that can be read.
    pub fn created(&self) -> Option<Stamp> {
        Stamp::parse_iso(self.created_at.as_str()?).ok()
    }
}

/// The first characters of a text.
fn cut(text: &PyStr, most: usize) -> PyStr {
    let bytes = text.as_wtf8();
    let begins = bytes.iter().enumerate().filter(|(_, byte)| **byte & 0xC0 != 0x80);
    let end = begins.map(|(at, _)| at).nth(most).unwrap_or(bytes.len());
    PyStr::from_wtf8(bytes.get(..end).unwrap_or_default().to_vec())
}

/// The bytes of a summary: JSON in ASCII, without spaces.
pub fn encode(summary: &EntrySummary) -> Vec<u8> {
    let EntrySummary { stash_id, origin, branch, message, created_at, track, section, files, bytes, deleted } =
        summary;
    // Ids of entries are ASCII without anything to escape.
    let mut out = format!("{{\"stash_id\":\"{stash_id}\",\"origin\":\"{origin}\"").into_bytes();
    for (key, value) in [
        ("branch", Some(branch)),
        ("message", Some(message)),
        ("created_at", Some(created_at)),
        ("track", track.as_ref()),
        ("section", section.as_ref()),
    ] {
        out.extend_from_slice(format!(",\"{key}\":").as_bytes());
        match value {
            Some(text) => text.write_json(&mut out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(format!(",\"files\":{files},\"bytes\":{bytes},\"deleted\":{deleted}}}").as_bytes());
    out
}

/// Reads the bytes of a summary, which must be as [`encode`] writes them.
///
/// # Errors
///
/// What is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<EntrySummary, FormatError> {
    let unsafe_paths = UnsafePaths::default();
    let raw = json::parse(DOCUMENT, bytes, MAX_SUMMARY_BYTES, &unsafe_paths, Object(Raw::default()))?;
    let summary = EntrySummary {
        stash_id: required(raw.stash_id, DOCUMENT, "stash_id")?,
        origin: required(raw.origin, DOCUMENT, "origin")?,
        branch: required(raw.branch, DOCUMENT, "branch")?,
        message: required(raw.message, DOCUMENT, "message")?,
        created_at: required(raw.created_at, DOCUMENT, "created_at")?,
        track: required(raw.track, DOCUMENT, "track")?.0,
        section: required(raw.section, DOCUMENT, "section")?.0,
        files: required(raw.files, DOCUMENT, "files")?,
        bytes: required(raw.bytes, DOCUMENT, "bytes")?,
        deleted: required(raw.deleted, DOCUMENT, "deleted")?,
    };
    if encode(&summary) == bytes {
        Ok(summary)
    } else {
        Err(FormatError::malformed(DOCUMENT, "not written as this program writes it"))
    }
}

#[derive(Default)]
struct Raw {
    stash_id: Option<StashId>,
    origin: Option<StashId>,
    branch: Option<PyStr>,
    message: Option<PyStr>,
    created_at: Option<PyStr>,
    track: Option<OrNull<PyStr>>,
    section: Option<OrNull<PyStr>>,
    files: Option<u64>,
    bytes: Option<u64>,
    deleted: Option<u64>,
}

impl<'de> Fields<'de> for Raw {
    const EXPECTED: &'static str = "a summary of an entry, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        let id = || WithText { expected: "a string", read: read_stash_id };
        match key.as_wtf8() {
            b"stash_id" => take(&mut self.stash_id, key, map, id()),
            b"origin" => take(&mut self.origin, key, map, id()),
            b"branch" => take(&mut self.branch, key, map, Text),
            b"message" => take(&mut self.message, key, map, Text),
            b"created_at" => take(&mut self.created_at, key, map, Text),
            b"track" => take(&mut self.track, key, map, Nullable(Text)),
            b"section" => take(&mut self.section, key, map, Nullable(Text)),
            b"files" => take(&mut self.files, key, map, std::marker::PhantomData),
            b"bytes" => take(&mut self.bytes, key, map, std::marker::PhantomData),
            b"deleted" => take(&mut self.deleted, key, map, std::marker::PhantomData),
            // This engine's own: a key that is not known means another version.
            _ => Err(A::Error::custom(format_args!("unknown key {key:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/format/remote.md");

    fn id(text: &str) -> StashId {
        text.parse().unwrap()
    }

    fn summary() -> EntrySummary {
        EntrySummary {
            stash_id: id("stash-2026-11-22T083413597654Z0000-0badcafe"),
            origin: id("stash-2026-11-21T083413597654Z0000-0badcafe"),
            branch: "main".into(),
            message: PyStr::from_fs_bytes(b"caf\xe9 \xf0\x9f\x8e\xb9 \"quoted\"\n"),
            created_at: "2026-11-22T08:34:13.597654+00:00".into(),
            track: Some("drums".into()),
            section: None,
            files: 3,
            bytes: u64::MAX,
            deleted: 1,
        }
    }

    #[test]
    fn what_was_written_is_read_back_and_nothing_else() {
        let bytes = encode(&summary());
        assert_eq!(decode(&bytes).unwrap(), summary());
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len}");
        }
        let text = String::from_utf8(bytes).unwrap();
        for other in [
            text.replace("\"files\":3", "\"files\":3,\"files\":3"),
            text.replace("\"files\":3", "\"files\":-3"),
            text.replace("\"files\":3", "\"files\":3,\"more\":3"),
            text.replace("\"files\":3,", ""),
            text.replace("\"section\":null,", ""),
            text.replace("\"files\":3", "\"files\": 3"),
            text.replace("stash-2026-11-22", "../../2026-11-22"),
            format!("{text}\n"),
        ] {
            assert!(decode(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn the_longest_summary_fits() {
        let long = PyStr::from("\u{1F3B9}".repeat(5000).as_str());
        let longest = EntrySummary {
            stash_id: id(&format!("stash-{}", "x".repeat(190))),
            origin: id(&format!("stash-{}", "x".repeat(190))),
            branch: cut(&long, MAX_NAME),
            message: cut(&long, MAX_MESSAGE),
            created_at: cut(&long, MAX_TIME),
            track: Some(cut(&long, MAX_NAME)),
            section: Some(cut(&long, MAX_NAME)),
            files: u64::MAX,
            bytes: u64::MAX,
            deleted: u64::MAX,
        };
        let bytes = encode(&longest);
        assert!(bytes.len() <= MAX_SUMMARY_BYTES, "{}", bytes.len());
        assert_eq!(decode(&bytes).unwrap(), longest);
        assert_eq!(longest.message.as_str().unwrap().chars().count(), MAX_MESSAGE);
    }

    #[test]
    fn the_page_says_how_long_texts_are() {
        for text in ["`message` 768", "`branch`, `track`, `section` 128", "`created_at` 64"] {
            assert!(DOCUMENT.contains(text), "{text}");
        }
        assert_eq!((MAX_MESSAGE, MAX_NAME, MAX_TIME, MAX_SUMMARY_BYTES), (768, 128, 64, 16_384));
    }
}
