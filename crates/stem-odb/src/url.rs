//! Names of stores: `scheme:location?key=value&key=value`.
//!
//! Not the URLs of RFC 3986 in full: a location is a directory as the user types it, with nothing escaped but `%` and
//! `?`, because people write these in a terminal and in a config file.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A parsed store URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl {
    /// What kind of store: `sharded`, `memory`, …
    pub scheme: String,
    /// Where it is; the scheme says what that means. May be empty.
    pub location: String,
    /// Options, by name.
    pub options: BTreeMap<String, String>,
}

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |problem: &str| Error::InvalidUrl { url: shorten(text), problem: problem.to_owned() };
        let (scheme, rest) =
            text.split_once(':').ok_or_else(|| invalid("it has no scheme: write for example sharded:DIR"))?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'+';
        if scheme.is_empty() || !scheme.bytes().all(plain) {
            return Err(invalid("the scheme before ':' must be lower-case letters"));
        }
        let (location, query) = match rest.split_once('?') {
            Some((location, query)) => (location, Some(query)),
            None => (rest, None),
        };
        let mut options = BTreeMap::new();
        for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| invalid("an option after '?' lacks its '='"))?;
            let value =
                percent_decode(value).ok_or_else(|| invalid("a '%' is not followed by two hex digits"))?;
            if options.insert(key.to_owned(), value).is_some() {
                return Err(invalid(&format!("the option '{}' is there twice", shorten(key))));
            }
        }
        let location =
            percent_decode(location).ok_or_else(|| invalid("a '%' is not followed by two hex digits"))?;
        if location.contains('\0') {
            return Err(invalid("the location contains a NUL character"));
        }
        Ok(Self { scheme: scheme.to_owned(), location, options })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, percent_encode(&self.location))?;
        for (i, (key, value)) in self.options.iter().enumerate() {
            write!(f, "{}{key}={}", if i == 0 { '?' } else { '&' }, percent_encode(value))?;
        }
        Ok(())
    }
}

/// The beginning of what was given, without characters that steer a terminal.
fn shorten(text: &str) -> String {
    let escape = |ch: char| if ch.is_control() { ch.escape_default().collect() } else { String::from(ch) };
    text.chars().take(200).map(escape).collect()
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        match ch {
            '%' => out.push_str("%25"),
            '?' => out.push_str("%3F"),
            '&' => out.push_str("%26"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_forms() {
        let url: StoreUrl = "sharded:.muse/objects?hash=blake3".parse().unwrap();
        assert_eq!((url.scheme.as_str(), url.location.as_str()), ("sharded", ".muse/objects"));
        assert_eq!(url.options["hash"], "blake3");
        assert_eq!("memory:".parse::<StoreUrl>().unwrap().location, "");
        assert_eq!("sharded:/a%20b/%C3%A4".parse::<StoreUrl>().unwrap().location, "/a b/ä");
    }

    #[test]
    fn garbage_is_refused() {
        for bad in [
            "",
            "objects",
            ":x",
            "Sharded:x",
            "a b:x",
            "memory:?hash",
            "memory:?a=1&a=2",
            "sharded:%zz",
            "x:%ff",
            "x:%00",
        ] {
            assert!(bad.parse::<StoreUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn errors_steer_no_terminal() {
        for bad in ["\u{1b}[31m", "memory:?\u{7}=1&\u{7}=2"] {
            let error = bad.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(location in "[^\0]{0,30}", value in "[^\0]{0,10}") {
            let options = BTreeMap::from([("hash".to_owned(), value)]);
            let url = StoreUrl { scheme: "sharded".into(), location, options };
            prop_assert_eq!(url.to_string().parse::<StoreUrl>().unwrap(), url);
        }
    }
}
