//! Sounds in the page.

use std::fmt::Write as _;

use stem_page::escape;

use super::model::{Clip, Mark};
use crate::words;

/// The players of a span, before and after; nothing where there is nothing to hear.
pub(super) fn players(out: &mut String, path: &str, mark: &Mark, versions: &[String; 2]) {
    if mark.clips.iter().all(Option::is_none) {
        return;
    }
    out.push_str("<div class=\"players\">");
    for ((clip, when), version) in mark.clips.iter().zip(["Before", "After"]).zip(versions) {
        let Some(clip) = clip else { continue };
        let span = words::span(clip.span[0], clip.span[1]);
        let _ = write!(
            out,
            "<div class=\"player\"><p><strong>{when}</strong> <span class=\"time\">{span}</span></p>\
             <audio controls preload=\"metadata\" aria-label=\"{}\" src=\"data:audio/wav;base64,",
            escape(&format!("{path} in {version}, {when} {span}", when = when.to_lowercase())),
        );
        base64(out, clip);
        out.push_str("\"></audio></div>");
    }
    out.push_str("</div>\n");
}

fn base64(out: &mut String, clip: &Clip) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.reserve(clip.wav.len().div_ceil(3) * 4);
    for group in clip.wav.chunks(3) {
        let bytes = [group.first(), group.get(1), group.get(2)].map(|byte| u32::from(*byte.unwrap_or(&0)));
        let bits = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
        for digit in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or(0);
            out.push(if digit <= group.len() { char::from(DIGITS[index]) } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_text() {
        let coded = |bytes: &[u8]| {
            let mut out = String::new();
            base64(&mut out, &Clip { span: [0.0, 1.0], wav: bytes.to_vec() });
            out
        };
        // RFC 4648, section 10.
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(coded(plain.as_bytes()), text);
        }
        assert_eq!(coded(&[0xff, 0xfe, 0xfd]), "//79");
    }
}
