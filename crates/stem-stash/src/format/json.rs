//! The strict JSON reader under every document of this layer.
//!
//! Four things that `serde_json` leaves to its caller are settled here once. The size is bounded before anything is
//! parsed. Nesting is bounded everywhere, also inside values that are skipped. Strings are read as bytes, the only way
//! to get lone surrogates out of it; the raw control characters that it lets through on that way are refused first. A
//! second value for a known key is an error, where `serde_json`'s maps and Python keep the last one. Unknown keys are
//! skipped, as in Muse.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::error::{Document, FormatError, FormatErrorKind};
use super::text::PyStr;

/// Deepest nesting of arrays and objects that is read. The documents need three levels; `serde_json` itself stops a
/// recursive reader at 128, but follows skipped values to any depth.
pub(super) const MAX_DEPTH: usize = 120;

/// Longest error text, so that a hostile value quoted in it cannot flood a terminal or a log.
const MAX_MESSAGE: usize = 600;

/// Noted while reading: the document is well-formed, but its paths must not be used.
#[derive(Default)]
pub(super) struct UnsafePaths(Cell<bool>);

impl UnsafePaths {
    pub(super) fn note(&self) {
        self.0.set(true);
    }
}

/// Reads one whole document with `seed`.
pub(super) fn parse<'de, S: DeserializeSeed<'de>>(
    document: Document,
    bytes: &'de [u8],
    limit: usize,
    unsafe_paths: &UnsafePaths,
    seed: S,
) -> Result<S::Value, FormatError> {
    if bytes.len() > limit {
        return Err(FormatError::too_large(document, bytes.len(), limit));
    }
    let text = str::from_utf8(bytes).map_err(|e| {
        let found = format!("not UTF-8{}", Position::of(bytes, e.valid_up_to()));
        FormatError::malformed(document, found)
    })?;
    check_shape(document, bytes)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|e| {
        let kind = if unsafe_paths.0.get() { FormatErrorKind::Unsafe } else { FormatErrorKind::Malformed };
        FormatError::new(document, kind, printable(&e.to_string()))
    })
}

/// Refuses deep nesting and raw control characters within strings. Everything else is left to the parser.
fn check_shape(document: Document, bytes: &[u8]) -> Result<(), FormatError> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                0..=0x1F => {
                    let found = format!("raw control character in a string{}", Position::of(bytes, at));
                    return Err(FormatError::malformed(document, found));
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    let found = format!("nested more than {MAX_DEPTH} deep{}", Position::of(bytes, at));
                    return Err(FormatError::new(document, FormatErrorKind::TooLarge, found));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// A place in a document, said as `serde_json` says it.
struct Position {
    line: usize,
    column: usize,
}

impl Position {
    fn of(bytes: &[u8], at: usize) -> Self {
        let before = &bytes[..at.min(bytes.len())];
        let line = before.split(|&b| b == b'\n').count();
        let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " at line {} column {}", self.line, self.column)
    }
}

/// The error text without control characters and, when it quotes a huge value, without its middle.
fn printable(message: &str) -> String {
    let shown = stem_fs::show_bytes(message.as_bytes());
    if shown.len() <= MAX_MESSAGE {
        return shown;
    }
    let head = shown.floor_char_boundary(MAX_MESSAGE * 2 / 3);
    let tail = shown.ceil_char_boundary(shown.len() - MAX_MESSAGE / 3);
    format!("{} … {}", &shown[..head], &shown[tail..])
}

/// The known keys of an object, filled as they come.
pub(super) trait Fields<'de> {
    /// The object in an error text: "a stash entry".
    const EXPECTED: &'static str;

    /// Takes the value of `key`, or hands it to [`skip`].
    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error>;
}

/// Reads an object into its [`Fields`].
pub(super) struct Object<F>(pub(super) F);

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for Object<F> {
    type Value = F;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<F, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: Fields<'de>> Visitor<'de> for Object<F> {
    type Value = F;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(F::EXPECTED)
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<F, A::Error> {
        while let Some(key) = map.next_key_seed(Text)? {
            self.0.field(&key, &mut map)?;
        }
        Ok(self.0)
    }
}

/// Reads the value of `key` into `slot`, which must be empty.
pub(super) fn take<'de, A: MapAccess<'de>, S: DeserializeSeed<'de>>(
    slot: &mut Option<S::Value>,
    key: &PyStr,
    map: &mut A,
    seed: S,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::custom(format_args!("duplicate key {key:?}")));
    }
    // The inner text ends in line and column, which the new error takes over from it.
    let value = map.next_value_seed(seed).map_err(|e| A::Error::custom(format_args!("key {key:?}: {e}")))?;
    *slot = Some(value);
    Ok(())
}

/// Passes over the value of a key that nobody here knows.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// The value of a required key.
pub(super) fn required<T>(slot: Option<T>, document: Document, key: &str) -> Result<T, FormatError> {
    slot.ok_or_else(|| FormatError::malformed(document, format!("the key \"{key}\" is missing")))
}

/// Reads a string.
#[derive(Clone, Copy)]
pub(super) struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = PyStr;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PyStr, D::Error> {
        deserializer.deserialize_bytes(WithText {
            expected: "a string",
            read: |b: &[u8]| Ok(PyStr::from_wtf8(b.to_vec())),
        })
    }
}

/// Reads a value or `null`.
#[derive(Clone, Copy)]
pub(super) struct Nullable<S>(pub(super) S);

/// A value or `null`, as opposed to a key that is absent.
pub(super) struct OrNull<T>(pub(super) Option<T>);

/// The value of a key for which `null` and absence mean the same.
pub(super) fn optional<T>(slot: Option<OrNull<T>>) -> Option<T> {
    slot.and_then(|OrNull(value)| value)
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Nullable<S> {
    type Value = OrNull<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Nullable<S> {
    type Value = OrNull<S::Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }
    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(OrNull(None))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(OrNull(None))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(|value| OrNull(Some(value)))
    }
}

/// Reads a string and makes something of its WTF-8 bytes, without a copy in between.
pub(super) struct WithText<F> {
    pub(super) expected: &'static str,
    pub(super) read: F,
}

impl<'de, T, F: FnOnce(&[u8]) -> Result<T, String>> DeserializeSeed<'de> for WithText<F> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<T, F: FnOnce(&[u8]) -> Result<T, String>> Visitor<'_> for WithText<F> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_bytes<E: serde::de::Error>(self, wtf8: &[u8]) -> Result<T, E> {
        (self.read)(wtf8).map_err(E::custom)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        self.visit_bytes(text.as_bytes())
    }
}
