//! Reading a record: its keys, and its rows value by value, so that nothing is held that is not wanted.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use stem_fs::Timestamp;

use super::super::json::{Fields, Nullable, OrNull, Text, UnsafePaths, WithText, take};
use super::super::manifest::{path_seed, read_id};
use super::super::record::{MODE_BITS, Rows};
use super::super::text::PyStr;
use super::{EntryChange, FileChange, FileState, UndoId, UndoKind, UndoVerb};

pub(super) struct Raw<'de, 'c> {
    pub(super) unsafe_paths: &'c UnsafePaths,
    pub(super) version: Option<&'de RawValue>,
    pub(super) kind: Option<UndoKind>,
    pub(super) verb: Option<UndoVerb>,
    pub(super) of: Option<OrNull<UndoId>>,
    pub(super) message: Option<PyStr>,
    pub(super) entries: Option<Vec<EntryChange>>,
    pub(super) files: Option<Vec<FileChange>>,
}

impl<'de> Fields<'de> for Raw<'de, '_> {
    const EXPECTED: &'static str = "an undo record, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        let cell = self.unsafe_paths;
        match key.as_wtf8() {
            b"version" => take(&mut self.version, key, map, std::marker::PhantomData),
            b"kind" => {
                let read =
                    |text: &[u8]| UndoKind::parse(text).ok_or_else(|| "not a kind of record".to_owned());
                take(&mut self.kind, key, map, WithText { expected: "a kind of record", read })
            }
            b"verb" => {
                let read = |text: &[u8]| UndoVerb::parse(text).ok_or_else(|| "not a verb".to_owned());
                take(&mut self.verb, key, map, WithText { expected: "a verb", read })
            }
            b"of" => {
                take(&mut self.of, key, map, Nullable(WithText { expected: "an id", read: read_undo_id }))
            }
            b"message" => take(&mut self.message, key, map, Text),
            b"entries" => {
                let row = || EntryRow(cell);
                take(&mut self.entries, key, map, Rows { row, expected: "a list of entries" })
            }
            b"files" => {
                let row = || FileRow(cell);
                take(&mut self.files, key, map, Rows { row, expected: "a list of files" })
            }
            _ => Err(A::Error::custom(format_args!("unknown key {key:?}"))),
        }
    }
}

fn read_undo_id(text: &[u8]) -> Result<UndoId, String> {
    str::from_utf8(text).ok().and_then(UndoId::parse).ok_or_else(|| "not the id of a record".to_owned())
}

/// The next value of a row, which must be there.
fn next<'de, A: SeqAccess<'de>, S: DeserializeSeed<'de>>(seq: &mut A, seed: S) -> Result<S::Value, A::Error> {
    seq.next_element_seed(seed)?.ok_or_else(|| A::Error::custom("a row has too few values"))
}

fn end<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<(), A::Error> {
    match seq.next_element::<IgnoredAny>()? {
        None => Ok(()),
        Some(_) => Err(A::Error::custom("a row has too many values")),
    }
}

struct EntryRow<'c>(&'c UnsafePaths);

impl<'de> DeserializeSeed<'de> for EntryRow<'_> {
    type Value = EntryChange;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for EntryRow<'_> {
    type Value = EntryChange;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of file, held file and change")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<EntryChange, A::Error> {
        let file = next(&mut seq, path_seed(self.0))?;
        let held = next(&mut seq, path_seed(self.0))?;
        let read = |text: &[u8]| match text {
            b"added" => Ok(true),
            b"removed" => Ok(false),
            _ => Err("neither \"added\" nor \"removed\"".to_owned()),
        };
        let added = next(&mut seq, WithText { expected: "a change", read })?;
        end(&mut seq)?;
        Ok(EntryChange { file, held, added })
    }
}

struct FileRow<'c>(&'c UnsafePaths);

impl<'de> DeserializeSeed<'de> for FileRow<'_> {
    type Value = FileChange;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for FileRow<'_> {
    type Value = FileChange;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of path, before and after")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FileChange, A::Error> {
        let path = next(&mut seq, path_seed(self.0))?;
        let OrNull(before) = next(&mut seq, Nullable(StateRow))?;
        let OrNull(after) = next(&mut seq, Nullable(StateRow))?;
        end(&mut seq)?;
        Ok(FileChange { path, before, after })
    }
}

struct StateRow;

impl<'de> DeserializeSeed<'de> for StateRow {
    type Value = FileState;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for StateRow {
    type Value = FileState;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object id with size, mtime and mode")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FileState, A::Error> {
        use std::marker::PhantomData;
        let id = next(&mut seq, WithText { expected: "an object id", read: read_id })?;
        let size: Option<u64> = next(&mut seq, PhantomData)?;
        let nanos: Option<i128> = next(&mut seq, PhantomData)?;
        let mode: Option<u32> = next(&mut seq, PhantomData)?;
        end(&mut seq)?;
        let out_of_range = || A::Error::custom("mtime out of range");
        let time = |nanos| Timestamp::from_nanos(nanos).ok_or_else(out_of_range);
        let mtime = nanos.map(time).transpose()?;
        if mode.is_some_and(|mode| mode & !MODE_BITS != 0) {
            return Err(A::Error::custom("mode out of range"));
        }
        Ok(FileState { id, size, mtime, mode })
    }
}
