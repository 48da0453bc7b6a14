//! Passwords in text that was typed in the wrong place.
//!
//! Errors quote what they complain of, and what they complain of may be a URL with a password that was meant for another
//! key or option. Where such text is made into a message, it goes through here.

/// The text with `***` for whatever stands between `://` and the last `@` of the same word, and for the value of every
/// `password=`: for messages that quote what a user typed in the wrong place.
pub fn hide_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let word = after.find(|c: char| c.is_whitespace() || c.is_control()).unwrap_or(after.len());
        if let Some(end) = after[..word].rfind('@') {
            shown.push_str("***");
            rest = &after[end..];
        } else {
            rest = after;
        }
    }
    shown.push_str(rest);
    hide_values(&shown)
}

fn hide_values(text: &str) -> String {
    const KEY: &str = "password=";
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    // ASCII letters keep their length, so positions in the one are positions in the other.
    while let Some(at) = rest.to_ascii_lowercase().find(KEY) {
        let (before, after) = rest.split_at(at + KEY.len());
        shown.push_str(before);
        shown.push_str("***");
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '&' | '\'' | '"' | '`'));
        rest = &after[end.unwrap_or(after.len())..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn passwords_in_messages_are_hidden() {
        for (text, shown) in [
            (
                "unexpected argument 'postgresql://me:hunter2@h/db' found",
                "unexpected argument 'postgresql://***@h/db' found",
            ),
            ("a://u:x@y b://u:y@z", "a://***@y b://***@z"),
            ("a://u:p@ss@h", "a://***@h"),
            ("p://h/d?PASSWORD=hunter2&x=1 y", "p://h/d?PASSWORD=***&x=1 y"),
            ("pack:dir, s3://bucket/x, me@example.org", "pack:dir, s3://bucket/x, me@example.org"),
            ("", ""),
        ] {
            assert_eq!(hide_passwords(text), shown);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = hide_passwords(&text);
        }

        #[test]
        fn a_password_of_any_letters_is_hidden(password in "[A-Z!#$/?:@=&%]{6,20}") {
            let shown = hide_passwords(&format!("cannot use 'postgresql://u:{password}@h/db'"));
            prop_assert!(!shown.contains(&password), "{}", shown);
        }
    }
}
