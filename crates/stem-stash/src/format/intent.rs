//! The intent record of a push, `.muse/stem/journal/push-*.json`; `docs/format/journal.md`.
//!
//! It holds a whole stash entry rather than rows of its own: when there is no room to bring the files back, the entry
//! can be put on the stack as it stands.

use serde::de::MapAccess;
use serde_json::value::RawValue;

use super::entry::{self, MAX_ENTRY_BYTES, StashEntry};
use super::error::{Document, FormatError};
use super::json::{self, Fields, Object, Text, UnsafePaths, required, take};
use super::manifest::{Entries, Manifest};
use super::text::PyStr;

const DOCUMENT: Document = Document::Intent;
const VERSION: &str = "1";

/// What a push does with the files of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentKind {
    /// They are renamed into the store before the entry exists.
    Adopt,
    /// They are copied into the store, and removed when the entry exists.
    Clear,
}

/// What a push is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What happens to the files.
    pub kind: IntentKind,
    /// What the push puts at these paths afterwards.
    pub head: Manifest,
    /// The files, as an entry that could be put on the stack.
    pub entry: StashEntry,
}

/// The bytes of a record.
///
/// # Errors
///
/// More files than an entry can hold.
pub fn encode(intent: &Intent) -> Result<Vec<u8>, FormatError> {
    let kind = match intent.kind {
        IntentKind::Adopt => "adopt",
        IntentKind::Clear => "clear",
    };
    let mut out = format!("{{\n\"version\": {VERSION},\n\"kind\": \"{kind}\",\n\"head\": ").into_bytes();
    intent.head.write_json(&mut out, "");
    out.extend_from_slice(b",\n\"entry\": ");
    out.extend_from_slice(&entry::encode(&intent.entry)?);
    out.extend_from_slice(b"\n}\n");
    if out.len() > MAX_ENTRY_BYTES {
        return Err(FormatError::too_large(DOCUMENT, out.len(), MAX_ENTRY_BYTES));
    }
    Ok(out)
}

/// Reads the bytes of a record.
///
/// # Errors
///
/// What is wrong with it, and where.
pub fn decode(bytes: &[u8]) -> Result<Intent, FormatError> {
    let unsafe_paths = UnsafePaths::default();
    let raw = Raw { unsafe_paths: &unsafe_paths, version: None, kind: None, head: None, entry: None };
    let raw = json::parse(DOCUMENT, bytes, MAX_ENTRY_BYTES, &unsafe_paths, Object(raw))?;
    let version: &RawValue = required(raw.version, DOCUMENT, "version")?;
    if version.get() != VERSION {
        // The value may be anything of any length, so it is not quoted.
        let found = format!("its version is another one than {VERSION}, which is all that this stem reads");
        return Err(FormatError::malformed(DOCUMENT, found));
    }
    let kind = match required(raw.kind, DOCUMENT, "kind")?.as_wtf8() {
        b"adopt" => IntentKind::Adopt,
        b"clear" => IntentKind::Clear,
        _ => {
            return Err(FormatError::malformed(
                DOCUMENT,
                "the key \"kind\" is neither \"adopt\" nor \"clear\"",
            ));
        }
    };
    let head = Manifest::new(required(raw.head, DOCUMENT, "head")?).map_err(|p| p.into_error(DOCUMENT))?;
    let entry: &RawValue = required(raw.entry, DOCUMENT, "entry")?;
    Ok(Intent { kind, head, entry: entry::decode(entry.get().as_bytes())? })
}

struct Raw<'de, 'c> {
    unsafe_paths: &'c UnsafePaths,
    version: Option<&'de RawValue>,
    kind: Option<PyStr>,
    head: Option<Vec<(stem_fs::RelPath, stem_hash::ObjectId)>>,
    entry: Option<&'de RawValue>,
}

impl<'de> Fields<'de> for Raw<'de, '_> {
    const EXPECTED: &'static str = "an intent record, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        match key.as_wtf8() {
            b"version" => take(&mut self.version, key, map, std::marker::PhantomData),
            b"kind" => take(&mut self.kind, key, map, Text),
            b"head" => take(&mut self.head, key, map, Entries(self.unsafe_paths)),
            b"entry" => take(&mut self.entry, key, map, std::marker::PhantomData),
            _ => Err(A::Error::custom(format_args!("unknown key {key:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::entry::{FileRecord, StemRecord};
    use crate::format::stamp::{Stamp, StashId};
    use stem_fs::{RelPath, Timestamp};
    use stem_hash::ObjectId;

    fn intent() -> Intent {
        let stamp = Stamp::from_micros(1_795_336_453_597_654).unwrap();
        let rows = vec![(RelPath::new(*b"tracks/\xff.wav").unwrap(), ObjectId::from_bytes([7; 32]))];
        let file =
            FileRecord { size: 9, mtime: Timestamp { secs: -1, nanos: 5 }, mode: 0o640, checksum: None };
        Intent {
            kind: IntentKind::Adopt,
            head: Manifest::new(vec![(RelPath::new(*b"a").unwrap(), ObjectId::from_bytes([8; 32]))]).unwrap(),
            entry: StashEntry {
                stash_id: StashId::new(stamp, 0xdead_beef),
                branch: PyStr::from("main"),
                message: PyStr::from("interrupted"),
                created_at: PyStr::from(stamp.to_iso().as_str()),
                track: None,
                section: None,
                manifest: Manifest::new(rows).unwrap(),
                stem: Some(StemRecord { files: vec![file], ..StemRecord::default() }),
            },
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for kind in [IntentKind::Adopt, IntentKind::Clear] {
            let intent = Intent { kind, ..intent() };
            assert_eq!(decode(&encode(&intent).unwrap()).unwrap(), intent);
        }
    }

    #[test]
    fn a_record_cut_short_or_altered_is_refused() {
        let bytes = encode(&intent()).unwrap();
        for len in 0..bytes.len() - 2 {
            assert!(decode(&bytes[..len]).is_err(), "{len}");
        }
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("\"version\": 1", "\"version\": 2"),
            ("\"adopt\"", "\"steal\""),
            ("\"kind\"", "\"kindred\""),
            ("\"version\": 1", "\"version\": 1, \"version\": 1"),
            ("tracks/", "../"),
        ] {
            assert!(decode(text.replacen(from, to, 1).as_bytes()).is_err(), "{from} → {to}");
        }
    }
}
