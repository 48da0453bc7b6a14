//! Text from elsewhere.

use std::fmt::Write as _;

use crate::units;

/// Text as HTML, in content and in quoted attributes. Control characters and marks of direction become visible.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in units::clean(text, usize::MAX).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A name from elsewhere: escaped, and its direction of writing kept to itself.
pub fn name(text: &str) -> String {
    format!("<bdi>{}</bdi>", escape(text))
}

/// Bytes of a name as text; what is no UTF-8 as `\x9f`.
pub fn readable(bytes: &[u8]) -> String {
    bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |mut out, chunk| {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(
            escape("<b a=\"1\" c='2'>&\u{202e}\0"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\\u{202e}\\u{0}"
        );
    }

    #[test]
    fn names_that_are_no_text() {
        assert_eq!(readable(b"ki\xffck \xc3\xa9"), "ki\\xffck é");
        assert_eq!(name("a<b"), "<bdi>a&lt;b</bdi>");
    }
}
