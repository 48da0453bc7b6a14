//! Text that files hold, made fit to be shown on one line: a name of a track may be anything, and may want to steer the
//! terminal that shows it.

use std::fmt;

/// Characters that are kept of a name or a value.
pub(crate) const SHORT: usize = 80;

/// The text on one line, without anything that steers a terminal, and cut short with `…`.
pub(crate) fn shown(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for (number, character) in text.chars().enumerate() {
        if number == longest {
            out.push('…');
            break;
        }
        match character {
            '\n' | '\t' => out.push(' '),
            // Marks that turn the direction of writing can make a line say something else than it does.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}');
            }
            character if character.is_control() => out.push('\u{fffd}'),
            character => out.push(character),
        }
    }
    out
}

/// Bytes that are text in one of two ways: UTF-8, or else Latin-1, as old files have it.
pub(crate) fn shown_bytes(bytes: &[u8], longest: usize) -> String {
    // No character has more than four bytes.
    let bytes = bytes.get(..longest.saturating_mul(4).saturating_add(4)).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => shown(text.trim_end_matches('\0'), longest),
        Err(error) if error.error_len().is_none() => shown(&String::from_utf8_lossy(bytes), longest),
        Err(_) => shown(&bytes.iter().map(|&byte| char::from(byte)).collect::<String>(), longest),
    }
}

/// A number with as many decimals as it needs, at most three.
pub(crate) struct Plain(pub(crate) f64);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.3}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_shown() {
        assert_eq!(shown("a\x1b[31mb\r\nc\u{202e}d", 80), "a\u{fffd}[31mb\u{fffd} c\u{fffd}d");
        assert_eq!(shown("drums", 4), "drum…");
        assert_eq!(shown("drum", 4), "drum");
    }

    #[test]
    fn names_are_utf_8_or_latin_1() {
        assert_eq!(shown_bytes("Flöte".as_bytes(), 80), "Flöte");
        assert_eq!(shown_bytes(b"Fl\xf6te", 80), "Flöte");
        assert_eq!(shown_bytes(b"Drums\0\0", 80), "Drums");
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        assert_eq!(Plain(120.0).to_string(), "120");
        assert_eq!(Plain(89.999_6).to_string(), "90");
        assert_eq!(Plain(123.45).to_string(), "123.45");
    }
}
