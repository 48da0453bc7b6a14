//! Records of the undo journal, `.muse/stem/journal/undo-*.json`; `docs/format/undo.md`.
//!
//! Rows are arrays on one line each, as in the key `stem` of entries: a push of twenty thousand files leaves a record of
//! twenty thousand rows. The keys that tell where a record stands in the history come first, so that they can be read
//! without the rows ([`peek`]).

mod rows;

use std::fmt;

use serde_json::value::RawValue;
use stem_fs::{RelPath, Timestamp};
use stem_hash::ObjectId;

use super::error::{Document, FormatError};
use super::json::{self, Object, UnsafePaths, required};
use super::manifest::{ManifestProblem, check, text_order};
use super::stamp::{Stamp, StashId};
use super::text::{PyStr, write_fs_json};
use rows::Raw;

/// Largest record that is read or written, in bytes: twice an entry, for a row tells of two files.
pub const MAX_UNDO_BYTES: usize = 1 << 30;
/// Bytes that hold every key that [`peek`] reads.
pub const PEEK_BYTES: usize = 512;

const DOCUMENT: Document = Document::Undo;
const VERSION: &str = "1";
const PREFIX: &str = "undo-";
const OPEN: &str = ".open.json";
const CLOSED: &str = ".json";

/// The id of a record: when it was made, and a token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UndoId(String);

impl UndoId {
    /// The id of a record made at `stamp`.
    pub fn new(stamp: Stamp, token: u32) -> Self {
        Self(StashId::new(stamp, token).as_str().replacen("stash-", PREFIX, 1))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Option<Self> {
        let id: StashId = format!("stash-{}", text.strip_prefix(PREFIX)?).parse().ok()?;
        let stamp = id.stamp()?;
        let token = u32::from_str_radix(text.rsplit_once('-')?.1, 16).ok()?;
        // Only the one spelling: ids are compared.
        Some(Self::new(stamp, token)).filter(|same| same.0 == text)
    }

    /// The id in the name of a file, and whether its verb had not ended.
    pub fn from_file_name(name: &[u8]) -> Option<(Self, bool)> {
        let name = str::from_utf8(name).ok()?;
        match name.strip_suffix(OPEN) {
            Some(id) => Some((Self::parse(id)?, true)),
            None => Some((Self::parse(name.strip_suffix(CLOSED)?)?, false)),
        }
    }

    /// The name of its file.
    pub fn file_name(&self, open: bool) -> String {
        format!("{}{}", self.0, if open { OPEN } else { CLOSED })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When the record was made.
    pub fn stamp(&self) -> Option<Stamp> {
        self.0.replacen(PREFIX, "stash-", 1).parse::<StashId>().ok()?.stamp()
    }

    /// The token, 8 hexadecimal digits.
    pub fn token(&self) -> &str {
        self.0.rsplit_once('-').map_or("", |(_, token)| token)
    }
}

impl fmt::Display for UndoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a record is in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UndoKind {
    /// What a verb did.
    Verb,
    /// That a record was undone.
    Undo,
    /// That an undo was taken back.
    Redo,
}

impl UndoKind {
    const ALL: [(Self, &'static str); 3] = [(Self::Verb, "verb"), (Self::Undo, "undo"), (Self::Redo, "redo")];

    fn name(self) -> &'static str {
        match self {
            Self::Verb => "verb",
            Self::Undo => "undo",
            Self::Redo => "redo",
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| name.as_bytes() == text).map(|(kind, _)| kind)
    }
}

/// A verb that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UndoVerb {
    /// `push`.
    Push,
    /// `apply`.
    Apply,
    /// `pop`.
    Pop,
    /// `drop`.
    Drop,
    /// `clear`.
    Clear,
    /// `import`.
    Import,
}

impl UndoVerb {
    const ALL: [Self; 6] = [Self::Push, Self::Apply, Self::Pop, Self::Drop, Self::Clear, Self::Import];

    /// The word that the user types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Apply => "apply",
            Self::Pop => "pop",
            Self::Drop => "drop",
            Self::Clear => "clear",
            Self::Import => "import",
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name().as_bytes() == text)
    }
}

impl fmt::Display for UndoVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A regular file as it stood at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    /// Its bytes.
    pub id: ObjectId,
    /// Their number, where it is known.
    pub size: Option<u64>,
    /// The last change of its bytes; without it the object's own counts.
    pub mtime: Option<Timestamp>,
    /// Its permission bits; without them the object's own count.
    pub mode: Option<u32>,
}

/// What a verb did at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The path in the working tree.
    pub path: RelPath,
    /// What stood there.
    pub before: Option<FileState>,
    /// What stands there now.
    pub after: Option<FileState>,
}

/// What a verb did with one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryChange {
    /// The name of the entry's file in `.muse/stash`.
    pub file: RelPath,
    /// Its name in `.muse/stem/undo/held` while it is not on the stack.
    pub held: RelPath,
    /// Whether it was put on the stack; else it was taken off.
    pub added: bool,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoRecord {
    /// What it is in the history.
    pub kind: UndoKind,
    /// The verb; of an undo, what it undid.
    pub verb: UndoVerb,
    /// The record that it reverts.
    pub of: Option<UndoId>,
    /// The entry's label, for people.
    pub message: PyStr,
    /// Entries that came or went.
    pub entries: Vec<EntryChange>,
    /// Files that changed, sorted as a manifest is.
    pub files: Vec<FileChange>,
}

impl UndoRecord {
    /// Brings the rows into their order.
    pub fn sort(&mut self) {
        self.files.sort_unstable_by(|a, b| text_order(&a.path, &b.path));
    }

    /// Whether the rows, sorted, can stand together.
    pub fn fits(&self) -> bool {
        check_sides(&self.files).is_ok()
    }

    /// The objects that the rows name, some perhaps twice.
    pub fn objects(&self) -> impl Iterator<Item = ObjectId> {
        self.files.iter().flat_map(|file| [file.before, file.after]).flatten().map(|state| state.id)
    }
}

/// What a record is in the history, without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek {
    /// What it is.
    pub kind: UndoKind,
    /// The record that it reverts.
    pub of: Option<UndoId>,
}

/// Reads kind and `of` from the beginning of a record; `None` when it does not begin as [`encode`] writes it.
pub fn peek(bytes: &[u8]) -> Option<Peek> {
    let value = |line: &'_ [u8], key: &str| -> Option<Vec<u8>> {
        let rest = line.strip_prefix(format!("\"{key}\": ").as_bytes())?.strip_suffix(b",")?;
        Some(rest.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(rest).to_vec())
    };
    let mut lines = bytes.split(|&b| b == b'\n');
    let first = lines.next()? == b"{" && value(lines.next()?, "version")? == VERSION.as_bytes();
    let kind = UndoKind::parse(&value(lines.next()?, "kind")?)?;
    UndoVerb::parse(&value(lines.next()?, "verb")?)?;
    let of = value(lines.next()?, "of")?;
    let of = if of == b"null" { None } else { Some(UndoId::parse(str::from_utf8(&of).ok()?)?) };
    (first && of.is_some() == (kind != UndoKind::Verb)).then_some(Peek { kind, of })
}

/// The bytes of a record, whose rows are sorted.
///
/// # Errors
///
/// More rows than can be read back, or rows that contradict each other.
pub fn encode(record: &UndoRecord) -> Result<Vec<u8>, FormatError> {
    validate(record)?;
    let of = record.of.as_ref().map_or("null".to_owned(), |id| format!("\"{id}\""));
    let head = format!(
        "{{\n\"version\": {VERSION},\n\"kind\": \"{}\",\n\"verb\": \"{}\",\n\"of\": {of},\n\"message\": ",
        record.kind.name(),
        record.verb.name()
    );
    let mut out = head.into_bytes();
    out.reserve(record.files.len().min(1 << 20) * 220);
    record.message.write_json(&mut out);
    out.extend_from_slice(b",\n\"entries\": ");
    write_rows(&mut out, &record.entries, |out, entry| {
        write_fs_json(out, entry.file.as_bytes());
        out.extend_from_slice(b", ");
        write_fs_json(out, entry.held.as_bytes());
        out.extend_from_slice(if entry.added { b", \"added\"" } else { b", \"removed\"" });
    });
    out.extend_from_slice(b",\n\"files\": ");
    write_rows(&mut out, &record.files, |out, file| {
        write_fs_json(out, file.path.as_bytes());
        for state in [&file.before, &file.after] {
            out.extend_from_slice(b", ");
            write_state(out, state.as_ref());
        }
    });
    out.extend_from_slice(b"\n}\n");
    if out.len() > MAX_UNDO_BYTES {
        return Err(FormatError::too_large(DOCUMENT, out.len(), MAX_UNDO_BYTES));
    }
    Ok(out)
}

fn write_rows<T>(out: &mut Vec<u8>, rows: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    let mut separator = "\n[";
    for row in rows {
        out.extend_from_slice(separator.as_bytes());
        write(out, row);
        out.push(b']');
        separator = ",\n[";
    }
    out.extend_from_slice(if rows.is_empty() { b"]" } else { b"\n]" });
}

fn write_state(out: &mut Vec<u8>, state: Option<&FileState>) {
    let Some(FileState { id, size, mtime, mode }) = state else {
        out.extend_from_slice(b"null");
        return;
    };
    let or_null = |number: Option<String>| number.unwrap_or_else(|| "null".to_owned());
    let size = or_null(size.map(|n| n.to_string()));
    let mtime = or_null(mtime.map(|time| time.as_nanos().to_string()));
    let mode = or_null(mode.map(|n| n.to_string()));
    out.extend_from_slice(format!("[\"{id}\", {size}, {mtime}, {mode}]").as_bytes());
}

/// Reads the bytes of a record.
///
/// # Errors
///
/// What is wrong with it, and where.
pub fn decode(bytes: &[u8]) -> Result<UndoRecord, FormatError> {
    let unsafe_paths = UnsafePaths::default();
    let raw = Raw {
        unsafe_paths: &unsafe_paths,
        version: None,
        kind: None,
        verb: None,
        of: None,
        message: None,
        entries: None,
        files: None,
    };
    let raw = json::parse(DOCUMENT, bytes, MAX_UNDO_BYTES, &unsafe_paths, Object(raw))?;
    let version: &RawValue = required(raw.version, DOCUMENT, "version")?;
    if version.get() != VERSION {
        // The value may be anything of any length, so it is not quoted.
        let found = format!("its version is another one than {VERSION}, which is all that this stem reads");
        return Err(FormatError::malformed(DOCUMENT, found));
    }
    let mut record = UndoRecord {
        kind: required(raw.kind, DOCUMENT, "kind")?,
        verb: required(raw.verb, DOCUMENT, "verb")?,
        of: required(raw.of, DOCUMENT, "of")?.0,
        message: required(raw.message, DOCUMENT, "message")?,
        entries: required(raw.entries, DOCUMENT, "entries")?,
        files: required(raw.files, DOCUMENT, "files")?,
    };
    record.sort();
    validate(&record)?;
    Ok(record)
}

/// What no record may hold, whoever wrote it.
fn validate(record: &UndoRecord) -> Result<(), FormatError> {
    if record.of.is_some() != (record.kind != UndoKind::Verb) {
        return Err(FormatError::malformed(DOCUMENT, "\"of\" does not fit \"kind\""));
    }
    for (index, entry) in record.entries.iter().enumerate() {
        let plain = |name: &RelPath| name.parent().is_none() && name.as_bytes().ends_with(b".json");
        let entry_name = entry.file.as_bytes().starts_with(b"stash-");
        let twice = record.entries.iter().take(index).any(|o| o.file == entry.file || o.held == entry.held);
        if !plain(&entry.file) || !plain(&entry.held) || !entry_name || twice {
            return Err(FormatError::malformed(DOCUMENT, "a row of \"entries\" names no entry of its own"));
        }
    }
    let problem = |problem: ManifestProblem| problem.into_error(DOCUMENT);
    if !record.files.is_sorted_by(|a, b| text_order(&a.path, &b.path).is_lt()) {
        let twice = record.files.windows(2).find(|pair| pair[0].path == pair[1].path);
        return Err(match twice {
            Some(pair) => problem(ManifestProblem::Duplicate(pair[0].path.clone())),
            None => FormatError::malformed(DOCUMENT, "the rows of \"files\" are not sorted"),
        });
    }
    if record.files.len() > super::MAX_MANIFEST_ENTRIES {
        return Err(problem(ManifestProblem::TooMany));
    }
    check_sides(&record.files).map_err(problem)
}

/// What stood there together is a tree, and so is what stands there now. The rows are sorted.
fn check_sides(files: &[FileChange]) -> Result<(), ManifestProblem> {
    for side in [|f: &FileChange| f.before.is_some(), |f: &FileChange| f.after.is_some()] {
        check(files.iter().filter(|file| side(file)).map(|file| &file.path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOLDEN: &str = include_str!("../golden/undo.json");

    fn path(text: &[u8]) -> RelPath {
        RelPath::new(text).unwrap()
    }

    fn state(byte: u8, known: bool) -> FileState {
        FileState {
            id: ObjectId::from_bytes([byte; 32]),
            size: known.then_some(u64::from(byte)),
            mtime: known.then_some(Timestamp { secs: -1, nanos: 5 }),
            mode: known.then_some(0o640),
        }
    }

    fn record() -> UndoRecord {
        let stamp = Stamp::from_micros(1_795_336_453_597_654).unwrap();
        UndoRecord {
            kind: UndoKind::Undo,
            verb: UndoVerb::Pop,
            of: Some(UndoId::new(stamp, 0xdead_beef)),
            message: PyStr::from("größe \"WIP\"\n"),
            entries: vec![EntryChange {
                file: path(b"stash-2026-11-22T083413597654Z0000-e7650088.json"),
                held: path(b"0badcafe-0.json"),
                added: true,
            }],
            files: vec![
                FileChange { path: path(b"a"), before: Some(state(1, true)), after: None },
                FileChange { path: path(b"a/b"), before: None, after: Some(state(2, false)) },
                FileChange {
                    path: path(b"tracks/\xff.wav"),
                    before: Some(state(3, true)),
                    after: Some(state(4, true)),
                },
            ],
        }
    }

    #[test]
    fn the_bytes_are_those_that_were_laid_down() {
        assert_eq!(String::from_utf8(encode(&record()).unwrap()).unwrap(), GOLDEN);
        assert_eq!(decode(GOLDEN.as_bytes()).unwrap(), record());
        let peeked = peek(&GOLDEN.as_bytes()[..PEEK_BYTES]).unwrap();
        assert_eq!((peeked.kind, peeked.of), (UndoKind::Undo, record().of));
    }

    #[test]
    fn a_record_cut_short_or_altered_is_refused() {
        for len in 0..GOLDEN.len() - 2 {
            assert!(decode(&GOLDEN.as_bytes()[..len]).is_err(), "{len}");
        }
        for (from, to) in [
            ("\"version\": 1", "\"version\": 2"),
            ("\"undo\",", "\"redone\","),
            ("\"pop\"", "\"poop\""),
            ("\"message\"", "\"massage\""),
            ("\"kind\": \"undo\"", "\"kind\": \"verb\""),
            ("\"kind\"", "\"verb\": \"pop\", \"kind\""),
            ("\"tracks/", "\"../"),
            ("\"tracks/", "\".git/"),
            ("\"a/b\"", "\"a\""),
            ("\"added\"", "\"lost\""),
            ("\"stash-2026", "\"sash-2026"),
            ("\"stash-2026", "\"x/stash-2026"),
            ("0badcafe-0.json", "0badcafe-0"),
            ("416]", "4096]"),
            ("[\"a\",", "[\"a\", null,"),
            ("undo-2026", "undo-0026-2026"),
        ] {
            let text = GOLDEN.replacen(from, to, 1);
            assert_ne!(text, GOLDEN, "{from}");
            assert!(decode(text.as_bytes()).is_err(), "{from} → {to}");
        }
        let both = GOLDEN.replace("1, -999999995, 416], null]", "1, -999999995, 416], [\"ff\", 1, 1, 1]]");
        assert!(decode(both.as_bytes()).is_err());
    }

    #[test]
    fn a_side_that_is_no_tree_is_refused() {
        let mut record = record();
        record.files[0].after = Some(state(9, true));
        assert!(encode(&record).is_err());
    }

    #[test]
    fn ids_have_one_spelling() {
        let id = record().of.unwrap();
        assert_eq!(id.as_str(), "undo-2026-11-22T083413597654Z0000-deadbeef");
        assert_eq!(UndoId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(id.token(), "deadbeef");
        for open in [true, false] {
            assert_eq!(UndoId::from_file_name(id.file_name(open).as_bytes()), Some((id.clone(), open)));
        }
        for wrong in [
            "undo-2026-11-22T083413Z0000-deadbeef",
            "undo-2026-11-22T083413597654Z0000-DEADBEEF",
            "undo-2026-11-22T083413597654Z0000-beef",
            "stash-2026-11-22T083413597654Z0000-deadbeef",
            "undo-",
        ] {
            assert_eq!(UndoId::parse(wrong), None, "{wrong}");
        }
    }

    fn any_state() -> impl Strategy<Value = Option<FileState>> {
        let some = (any::<[u8; 32]>(), any::<Option<u64>>(), any::<Option<i64>>(), 0u32..=0o7777);
        proptest::option::of(some.prop_map(|(id, size, nanos, mode)| FileState {
            id: ObjectId::from_bytes(id),
            size,
            mtime: nanos.and_then(|nanos| Timestamp::from_nanos(i128::from(nanos))),
            mode: size.map(|_| mode),
        }))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            rows in proptest::collection::btree_map("[a-z\u{e4}]{1,9}", (any_state(), any_state()), 0..20),
            message in "\\PC*",
        ) {
            let files = rows.into_iter().map(|(name, (before, after))| FileChange { path: path(name.as_bytes()), before, after });
            let mut record = UndoRecord { message: PyStr::from(message), files: files.collect(), ..record() };
            record.sort();
            prop_assert_eq!(decode(&encode(&record).unwrap()).unwrap(), record);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (decode(&bytes), peek(&bytes), UndoId::from_file_name(&bytes));
        }
    }
}
