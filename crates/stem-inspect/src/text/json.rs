//! JSON documents as trees, as RFC 8259 has them.
//!
//! Own reading, because `serde_json` turns numbers into floats, and its switch that does not (`arbitrary_precision`) would
//! turn in every crate of the program. Numbers stay text here, keys keep their order, and a key that is there twice makes
//! the document one that is better compared as text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::facts::JsonKind;

/// How deep values may be nested.
pub(super) const MAX_DEPTH: usize = 128;
/// Values of a document.
const MAX_VALUES: usize = 1 << 19;

/// A value with everything in it.
#[derive(Debug)]
pub(super) struct Value<'a> {
    /// Equal for equal values, whatever the order of keys.
    pub(super) hash: u64,
    pub(super) data: Data<'a>,
}

#[derive(Debug)]
pub(super) enum Data<'a> {
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
    Array(Vec<Value<'a>>),
    String(Cow<'a, str>),
    Number(&'a str),
    Boolean(bool),
    Null,
}

impl Value<'_> {
    pub(super) fn kind(&self) -> JsonKind {
        match self.data {
            Data::Object(_) => JsonKind::Object,
            Data::Array(_) => JsonKind::Array,
            Data::String(_) => JsonKind::String,
            Data::Number(_) => JsonKind::Number,
            Data::Boolean(_) => JsonKind::Boolean,
            Data::Null => JsonKind::Null,
        }
    }
}

fn hashed(of: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl<'a> Value<'a> {
    fn new(data: Data<'a>) -> Self {
        let hash = match &data {
            // A sum does not depend on the order.
            Data::Object(members) => {
                let sum = members
                    .iter()
                    .fold(0_u64, |sum, (key, value)| sum.wrapping_add(hashed((key, value.hash))));
                hashed((1, sum))
            }
            Data::Array(elements) => {
                let mut hasher = DefaultHasher::new();
                2.hash(&mut hasher);
                for element in elements {
                    hasher.write_u64(element.hash);
                }
                hasher.finish()
            }
            Data::String(text) => hashed((3, text)),
            Data::Number(text) => hashed((4, text)),
            Data::Boolean(value) => hashed((5, value)),
            Data::Null => hashed(6),
        };
        Self { hash, data }
    }
}

/// Reads a document; `None` where it is none, or one of those that the module leaves to others.
pub(super) fn parse(text: &str) -> Option<Value<'_>> {
    let mut parser = Parser { text, at: 0, values: 0 };
    parser.space();
    let value = parser.value(0)?;
    parser.space();
    (parser.at == text.len()).then_some(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, expected: u8) -> Option<()> {
        (self.peek() == Some(expected)).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str, data: Data<'a>) -> Option<Data<'a>> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.at += word.len();
            data
        })
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return None;
        }
        let data = match self.peek()? {
            b'{' | b'[' if depth == MAX_DEPTH => return None,
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            b'"' => Data::String(self.string()?),
            b't' => self.word("true", Data::Boolean(true))?,
            b'f' => self.word("false", Data::Boolean(false))?,
            b'n' => self.word("null", Data::Null)?,
            _ => Data::Number(self.number()?),
        };
        Some(Value::new(data))
    }

    fn object(&mut self, depth: usize) -> Option<Data<'a>> {
        self.eat(b'{')?;
        self.space();
        let mut members = Vec::new();
        if self.eat(b'}').is_some() {
            return Some(Data::Object(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.eat(b':')?;
            self.space();
            members.push((key, self.value(depth + 1)?));
            self.space();
            if self.eat(b',').is_none() {
                break;
            }
        }
        self.eat(b'}')?;
        let mut seen = HashSet::with_capacity(members.len());
        members.iter().all(|(key, _)| seen.insert(key.as_ref())).then_some(())?;
        Some(Data::Object(members))
    }

    fn array(&mut self, depth: usize) -> Option<Data<'a>> {
        self.eat(b'[')?;
        self.space();
        let mut elements = Vec::new();
        if self.eat(b']').is_some() {
            return Some(Data::Array(elements));
        }
        loop {
            self.space();
            elements.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b',').is_none() {
                break;
            }
        }
        self.eat(b']')?;
        Some(Data::Array(elements))
    }

    /// `-`, digits without a zero in front, a fraction, an exponent.
    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        let _ = self.eat(b'-');
        if self.eat(b'0').is_none() {
            self.digits()?;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.text.get(start..self.at)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.eat(b'"')?;
        let (mut start, mut made) = (self.at, None::<String>);
        loop {
            match self.peek()? {
                b'"' => {
                    let rest = self.text.get(start..self.at)?;
                    self.at += 1;
                    return Some(match made {
                        Some(mut made) => {
                            made.push_str(rest);
                            made.into()
                        }
                        None => rest.into(),
                    });
                }
                b'\\' => {
                    let rest = self.text.get(start..self.at)?;
                    self.at += 1;
                    let made = made.get_or_insert_default();
                    made.push_str(rest);
                    made.push(self.escape()?);
                    start = self.at;
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let character = match self.peek()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return None,
        };
        self.at += 1;
        Some(character)
    }

    /// Half of a pair alone is no character; such a document is compared as text.
    fn unicode(&mut self) -> Option<char> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        self.eat(b'\\')?;
        let second = self.unit()?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low)
    }

    fn unit(&mut self) -> Option<u32> {
        self.eat(b'u')?;
        let digits = self.text.get(self.at..self.at + 4)?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_rfc_8259_refuses_is_refused() {
        for text in [
            "",
            " ",
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "+1",
            "nul",
            "tru e",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{a:1}",
            "\"\t\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\u12g4\"",
            "1 2",
            "[1",
            "{\"a\"",
            "\"a",
            "'a'",
            "// a\n1",
        ] {
            assert!(parse(text).is_none(), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_twice_and_a_great_depth_are_left_to_others() {
        assert!(parse("{\"a\":1,\"b\":{\"a\":1}}").is_some());
        assert!(parse("{\"a\":1,\"\\u0061\":1}").is_none());
        let nested = |depth: usize| [&"[".repeat(depth), "1", &"]".repeat(depth)].concat();
        assert!(parse(&nested(MAX_DEPTH)).is_some());
        assert!(parse(&nested(MAX_DEPTH + 1)).is_none());
    }

    #[test]
    fn the_order_of_keys_and_the_way_of_writing_do_not_count() {
        let hash = |text: &str| parse(text).unwrap().hash;
        assert_eq!(hash("{\"a\":1,\"b\":[]}"), hash(" { \"b\" : [ ] , \"\\u0061\" : 1 } "));
        assert_ne!(hash("[1,2]"), hash("[2,1]"));
        assert_ne!(hash("1.0"), hash("1.00"));
        assert_eq!(hash("\"\\ud83c\\udfb5\""), hash("\"🎵\""));
    }

    proptest! {
        #[test]
        fn it_accepts_what_serde_json_accepts(text in "[\\[\\]{}:,\"0-1.eE+\\-\\\\tnu a]{0,12}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = parse(&text).is_some();
            // We refuse more: keys that are there twice. They refuse more: numbers that are no f64.
            prop_assert!(!ours || theirs || text.contains(['e', 'E']), "{}", text);
            prop_assert!(!theirs || ours || text.contains('{'), "{}", text);
        }
    }
}
