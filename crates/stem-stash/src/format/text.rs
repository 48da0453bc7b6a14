//! Text as Python has it: Unicode that may hold lone surrogates.
//!
//! Python names files that are not UTF-8 by its `surrogateescape` handler: each byte that its strict decoder cannot use
//! becomes one code point U+DC80 to U+DCFF. JSON carries these as `\udc80` to `\udcff`, which Rust's `String` cannot
//! hold. The text is therefore kept as WTF-8 (UTF-8 that also encodes surrogates), whose byte order *is* the order of
//! code points, the order in which Python sorts. `OsString` was rejected: on Unix it holds any bytes and has no code
//! points, elsewhere its bytes are private.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

/// The first code point that stands for an undecodable byte, less that byte: byte 0x80 is U+DC80.
const ESCAPE_BASE: u32 = 0xDC00;

/// A Python string: Unicode code points, lone surrogates included. Ordered by code points.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PyStr(Vec<u8>);

/// A text that names no file: it holds a surrogate that stands for no byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it holds the lone surrogate U+{0:04X}, which stands for no byte of a file name")]
pub struct LoneSurrogate(u32);

impl PyStr {
    /// The text of a file name, or of anything else the operating system hands over as bytes: UTF-8 where it is valid,
    /// and each other byte as its own surrogate. [`PyStr::to_fs_bytes`] undoes it exactly.
    pub fn from_fs_bytes(bytes: &[u8]) -> Self {
        let mut out = Vec::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            out.extend_from_slice(chunk.valid().as_bytes());
            for &byte in chunk.invalid() {
                push_wtf8(&mut out, ESCAPE_BASE + u32::from(byte));
            }
        }
        Self(out)
    }

    /// Text whose bytes are WTF-8 already, as `serde_json` hands out the strings it has decoded.
    pub(super) fn from_wtf8(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes that this text stands for as a file name; `None`-free inverse of [`PyStr::from_fs_bytes`].
    ///
    /// # Errors
    ///
    /// [`LoneSurrogate`] when the text holds a surrogate outside U+DC80 to U+DCFF: no file can have that name.
    pub fn to_fs_bytes(&self) -> Result<Vec<u8>, LoneSurrogate> {
        fs_bytes(&self.0)
    }

    /// The text, when it holds no surrogate.
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }

    /// The text with each surrogate replaced by U+FFFD.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        match self.as_str() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(
                CodePoints(&self.0)
                    .map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect(),
            ),
        }
    }

    /// Whether it has no code points.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text as UTF-8 that also encodes surrogates, three bytes each.
    pub fn as_wtf8(&self) -> &[u8] {
        &self.0
    }

    /// The text as a JSON string, quotes included, in ASCII, as Python's `json.dumps` writes it.
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(self.0.len() + 2);
        self.write_json(&mut out);
        ascii(out)
    }

    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        write_escaped(out, &self.0);
        out.push(b'"');
    }
}

impl From<&str> for PyStr {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for PyStr {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl PartialEq<str> for PyStr {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for PyStr {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

/// For people: surrogates replaced, control characters escaped so that a hostile text cannot steer a terminal.
impl fmt::Display for PyStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&stem_fs::show_bytes(self.to_string_lossy().as_bytes()))
    }
}

impl fmt::Debug for PyStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// The order in which Python sorts the file names `a` and `b`: by the code points of their text.
///
/// It differs from the order of bytes where an undecodable byte meets a code point: byte 0xFF is U+DCFF and comes before
/// U+E000 and everything above.
pub fn fs_order(a: &[u8], b: &[u8]) -> Ordering {
    // Nearly all names are UTF-8, where the two orders agree.
    if str::from_utf8(a).is_ok() && str::from_utf8(b).is_ok() {
        return a.cmp(b);
    }
    fs_code_points(a).cmp(fs_code_points(b))
}

/// The code points of a file name's text.
pub(crate) fn fs_code_points(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.utf8_chunks().flat_map(|chunk| {
        chunk
            .valid()
            .chars()
            .map(u32::from)
            .chain(chunk.invalid().iter().map(|&byte| ESCAPE_BASE + u32::from(byte)))
    })
}

/// A file name as a JSON string, quotes included, in ASCII, as Python's `json.dumps` writes its text.
pub fn fs_to_json(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    write_fs_json(&mut out, bytes);
    ascii(out)
}

/// Appends the text of the file name `bytes` as a JSON string.
pub(super) fn write_fs_json(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        write_escaped(out, chunk.valid().as_bytes());
        for &byte in chunk.invalid() {
            push_u_escape(out, ESCAPE_BASE + u32::from(byte));
        }
    }
    out.push(b'"');
}

/// The bytes of a file name from its text in WTF-8.
pub(super) fn fs_bytes(wtf8: &[u8]) -> Result<Vec<u8>, LoneSurrogate> {
    if str::from_utf8(wtf8).is_ok() {
        return Ok(wtf8.to_vec());
    }
    let mut out = Vec::with_capacity(wtf8.len());
    for code in CodePoints(wtf8) {
        match code {
            0xDC80..=0xDCFF => out.extend((code - ESCAPE_BASE).to_le_bytes().first()),
            0xD800..=0xDFFF => return Err(LoneSurrogate(code)),
            _ => push_wtf8(&mut out, code),
        }
    }
    Ok(out)
}

/// Appends WTF-8 text with everything outside printable ASCII escaped. Python escapes U+007F too.
fn write_escaped(out: &mut Vec<u8>, wtf8: &[u8]) {
    let plain = |b: u8| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\';
    let mut rest = wtf8;
    while !rest.is_empty() {
        let run = rest.iter().position(|&b| !plain(b)).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..run]);
        rest = &rest[run..];
        let Some((code, after)) = split_code_point(rest) else { break };
        rest = after;
        match code {
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0A => out.extend_from_slice(b"\\n"),
            0x0C => out.extend_from_slice(b"\\f"),
            0x0D => out.extend_from_slice(b"\\r"),
            0x22 => out.extend_from_slice(b"\\\""),
            0x5C => out.extend_from_slice(b"\\\\"),
            0x1_0000.. => {
                let above = code - 0x1_0000;
                push_u_escape(out, 0xD800 + (above >> 10));
                push_u_escape(out, 0xDC00 + (above & 0x3FF));
            }
            _ => push_u_escape(out, code),
        }
    }
}

/// `\uXXXX` for a code unit of 16 bits.
fn push_u_escape(out: &mut Vec<u8>, unit: u32) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(b"0123456789abcdef"[(unit >> shift & 0xF) as usize]);
    }
}

/// One code point as WTF-8. Surrogates take three bytes.
fn push_wtf8(out: &mut Vec<u8>, code: u32) {
    if let Some(c) = char::from_u32(code) {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        // Only surrogates come here, and they have 16 bits.
        let [low, high, ..] = code.to_le_bytes();
        out.extend_from_slice(&[0xE0 | high >> 4, 0x80 | (high & 0xF) << 2 | low >> 6, 0x80 | low & 0x3F]);
    }
}

/// The code points of WTF-8 text.
struct CodePoints<'a>(&'a [u8]);

impl Iterator for CodePoints<'_> {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        let (code, rest) = split_code_point(self.0)?;
        self.0 = rest;
        Some(code)
    }
}

/// The first code point of WTF-8 text and what follows it. Bytes that are not WTF-8 count as U+FFFD each.
fn split_code_point(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let low = |b: &u8| u32::from(b & 0x3F);
    Some(match bytes {
        [] => return None,
        [a @ 0..=0x7F, rest @ ..] => (u32::from(*a), rest),
        [a @ 0xC2..=0xDF, b @ 0x80..=0xBF, rest @ ..] => (u32::from(a & 0x1F) << 6 | low(b), rest),
        [a @ 0xE0..=0xEF, b @ 0x80..=0xBF, c @ 0x80..=0xBF, rest @ ..] => {
            (u32::from(a & 0xF) << 12 | low(b) << 6 | low(c), rest)
        }
        [a @ 0xF0..=0xF4, b @ 0x80..=0xBF, c @ 0x80..=0xBF, d @ 0x80..=0xBF, rest @ ..] => {
            (u32::from(a & 0x7) << 18 | low(b) << 12 | low(c) << 6 | low(d), rest)
        }
        [_, rest @ ..] => (u32::from(char::REPLACEMENT_CHARACTER), rest),
    })
}

fn ascii(bytes: Vec<u8>) -> String {
    // The writers of this module emit ASCII only, so nothing is lost.
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn undecodable_bytes_become_one_surrogate_each() {
        // An encoded surrogate is undecodable to Python's strict decoder: three bytes, three escapes.
        assert_eq!(fs_to_json(b"\xed\xb2\x80"), r#""\udced\udcb2\udc80""#);
        assert_eq!(fs_to_json(b"\xe2\x82A\xf0\x9f\x8e"), r#""\udce2\udc82A\udcf0\udc9f\udc8e""#);
        assert_eq!(fs_to_json(b"ok\xff.wav"), r#""ok\udcff.wav""#);
    }

    #[test]
    fn json_escapes_are_pythons() {
        assert_eq!(
            PyStr::from("\u{8}\t\n\u{c}\r\"\\/\0\u{1f}\u{7f}é\u{2028}🎹").to_json(),
            r#""\b\t\n\f\r\"\\/\u0000\u001f\u007f\u00e9\u2028\ud83c\udfb9""#
        );
    }

    #[test]
    fn order_is_by_code_point() {
        let names: [&[u8]; 5] = [b"a", b"\xc3\xa4", b"\xff", "\u{e000}".as_bytes(), "🎹".as_bytes()];
        for (i, a) in names.iter().enumerate() {
            for (j, b) in names.iter().enumerate() {
                assert_eq!(fs_order(a, b), i.cmp(&j), "{a:?} {b:?}");
                assert_eq!(PyStr::from_fs_bytes(a).cmp(&PyStr::from_fs_bytes(b)), i.cmp(&j));
            }
        }
        assert!(b"\xff"[..] > *"\u{e000}".as_bytes(), "bytes sort the other way");
    }

    #[test]
    fn a_surrogate_that_is_no_byte_names_no_file() {
        let mut text = Vec::new();
        push_wtf8(&mut text, 0xD83C);
        let error = PyStr::from_wtf8(text).to_fs_bytes().unwrap_err();
        assert!(error.to_string().contains("U+D83C"), "{error}");
    }

    #[test]
    fn escaped_bytes_that_form_utf8_name_that_file() {
        let mut text = Vec::new();
        push_wtf8(&mut text, 0xDCC3);
        push_wtf8(&mut text, 0xDCA4);
        assert_eq!(PyStr::from_wtf8(text).to_fs_bytes().unwrap(), "ä".as_bytes());
    }

    #[test]
    fn display_is_safe_for_a_terminal() {
        assert_eq!(PyStr::from_fs_bytes(b"a\x1b[2J\xff").to_string(), "a\\u{1b}[2J\u{fffd}");
    }

    proptest! {
        #[test]
        fn file_names_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = PyStr::from_fs_bytes(&bytes);
            prop_assert_eq!(text.to_fs_bytes().unwrap(), bytes.clone());
            prop_assert_eq!(text.to_json(), fs_to_json(&bytes));
            prop_assert!(CodePoints(text.as_wtf8()).eq(fs_code_points(&bytes)));
        }

        #[test]
        fn the_two_orders_agree(a in proptest::collection::vec(any::<u8>(), 0..8), b in proptest::collection::vec(any::<u8>(), 0..8)) {
            prop_assert_eq!(fs_order(&a, &b), PyStr::from_fs_bytes(&a).cmp(&PyStr::from_fs_bytes(&b)));
        }

        #[test]
        fn json_of_text_reads_back(text in any::<String>()) {
            let json = PyStr::from(text.as_str()).to_json();
            prop_assert!(json.is_ascii());
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
