//! The JSON that commands print.
//!
//! Written here rather than by `serde_json` because file names need not be UTF-8: they appear as the reference writes
//! them, each undecodable byte as a lone surrogate escape, which no Rust string can hold. Output is ASCII, keys stand
//! in the order given, two spaces indent, as in the repository's own files.

use std::fmt;
use std::path::Path;

use stemvault::format::text::{PyStr, fs_to_json};
use stemvault::{ObjectId, RelPath};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Count(u64),
    /// With three digits after the point.
    Decimal(f64),
    /// A string as its literal, quotes included; or a document that is JSON already.
    Literal(String),
    List(Vec<Json>),
    /// Keys are literals too.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object with these keys in this order.
    pub(crate) fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Self {
        Self::Object(fields.into_iter().map(|(key, value)| (literal(key), value)).collect())
    }

    /// An object whose keys are paths.
    pub(crate) fn by_path<'a>(fields: impl Iterator<Item = (&'a RelPath, Json)>) -> Self {
        Self::Object(fields.map(|(path, value)| (fs_to_json(path.as_bytes()), value)).collect())
    }

    /// A list of whatever becomes JSON.
    pub(crate) fn list<T: Into<Json>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// A path of the system.
    pub(crate) fn path(path: &Path) -> Self {
        Self::Literal(fs_to_json(path.as_os_str().as_encoded_bytes()))
    }

    /// A document that somebody else wrote.
    pub(crate) fn document(text: String) -> Self {
        Self::Literal(text)
    }

    /// Anything, by what it displays as.
    pub(crate) fn display(value: impl fmt::Display) -> Self {
        Self::from(value.to_string().as_str())
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Count(value) => write!(f, "{value}"),
            Self::Decimal(value) if value.is_finite() => write!(f, "{value:.3}"),
            Self::Null | Self::Decimal(_) => f.write_str("null"),
            Self::Literal(text) => f.write_str(text),
            Self::List(items) => write_all(f, depth, ('[', ']'), items, |f, item| item.write(f, depth + 1)),
            Self::Object(fields) => write_all(f, depth, ('{', '}'), fields, |f, (key, value)| {
                write!(f, "{key}: ")?;
                value.write(f, depth + 1)
            }),
        }
    }
}

fn write_all<T>(
    f: &mut fmt::Formatter<'_>,
    depth: usize,
    (open, close): (char, char),
    items: &[T],
    mut write: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    let indent = depth * 2;
    write!(f, "{open}")?;
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(f, "{comma}\n{:width$}", "", width = indent + 2)?;
        write(f, item)?;
    }
    if !items.is_empty() {
        write!(f, "\n{:indent$}", "")?;
    }
    write!(f, "{close}")
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

fn literal(text: &str) -> String {
    fs_to_json(text.as_bytes())
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Self {
        // No platform has indices of more than 64 bits.
        Self::Count(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Literal(literal(text))
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Json {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&PyStr> for Json {
    fn from(text: &PyStr) -> Self {
        Self::Literal(text.to_json())
    }
}

impl From<&RelPath> for Json {
    fn from(path: &RelPath) -> Self {
        Self::Literal(fs_to_json(path.as_bytes()))
    }
}

impl From<&ObjectId> for Json {
    fn from(id: &ObjectId) -> Self {
        Self::from(id.to_string())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_utf8_become_surrogate_escapes_as_the_reference_writes_them() {
        let path = RelPath::new(b"caf\xe9/\xc3\xa9.wav".to_vec()).unwrap();
        assert_eq!(Json::from(&path).to_string(), r#""caf\udce9/\u00e9.wav""#);
    }

    #[test]
    fn layout_is_that_of_the_repositorys_own_files() {
        let value = Json::object([
            ("a", Json::list([1_u64, 2])),
            ("b", Json::list(Vec::<u64>::new())),
            ("c", Json::object([])),
            ("d", Option::<u64>::None.into()),
            ("e", Json::Decimal(0.12345)),
        ]);
        let text = "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": [],\n  \"c\": {},\n  \"d\": null,\n  \"e\": 0.123\n}";
        assert_eq!(value.to_string(), text);
    }

    #[test]
    fn what_is_written_is_json() {
        let value = Json::object([
            ("quote\" and \n", Json::from("\u{7f} \u{1F3B9} \\")),
            ("n", Json::Decimal(f64::NAN)),
        ]);
        let read: serde_json::Value = serde_json::from_str(&value.to_string()).unwrap();
        assert_eq!(read["quote\" and \n"], "\u{7f} \u{1F3B9} \\");
        assert!(read["n"].is_null());
    }
}
