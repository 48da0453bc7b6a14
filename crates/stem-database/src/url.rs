//! Database URLs as SQLAlchemy and libpq write them, and what may be shown of them.
//!
//! Muse hands its URL to SQLAlchemy, so that is the grammar: the user name ends at the first `:`, the password at the one
//! `@`, and may hold `/` and `?`. What SQLAlchemy would take for something else than its writer meant (a second `@`, a
//! path that holds the password) is an error here, because the rest of a password would be taken for a host and shown.
//!
//! No error quotes the URL. It names the part that is wrong, and keys of the query, never values. [`DatabaseUrl::shown`]
//! is put together from the parts that are known not to be secret, rather than cut out of the text.

pub(crate) mod postgres;

use std::fmt;
use std::path::{Path, PathBuf};

use postgres::PostgresUrl;

/// Longest URL that is read, in bytes.
const MAX_URL: usize = 16 << 10;

/// A database that can be asked.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    shown: String,
    target: Target,
}

/// What the URL names.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database on a server.
    Postgres(Box<PostgresUrl>),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseUrl").field(&self.shown).finish()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl DatabaseUrl {
    /// Reads a URL. A relative path of a file is relative to `base`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people, without any secret of it.
    pub fn parse(text: &str, base: &Path) -> Result<Self, String> {
        if text.len() > MAX_URL {
            return Err(format!("it has {} bytes, at most {MAX_URL} are read", text.len()));
        }
        if text.contains(char::is_control) {
            return Err("it holds a control character".into());
        }
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return Err("it does not begin with a scheme such as postgresql:// or sqlite:///".into());
        };
        let scheme = scheme.to_ascii_lowercase();
        let (dialect, driver) = scheme.split_once('+').unwrap_or((&scheme, ""));
        match (dialect, driver) {
            ("sqlite", "" | "aiosqlite" | "pysqlite") => sqlite(rest, base),
            (
                "postgresql" | "postgres",
                "" | "asyncpg" | "psycopg" | "psycopg_async" | "psycopg2" | "psycopg2cffi" | "pg8000",
            ) => {
                let url = postgres::parse(rest)?;
                Ok(Self { shown: url.shown(), target: Target::Postgres(Box::new(url)) })
            }
            ("sqlite" | "postgresql" | "postgres", _) => {
                Err(format!("the driver '{driver}' of {dialect} is not known"))
            }
            _ => {
                Err(format!("databases of the kind '{dialect}' are not read, only postgresql and sqlite are"))
            }
        }
    }

    /// The URL without user name, password and options.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }
}

/// Letters, digits, `+` and `_`, and not too many: nothing else before `://` is quoted.
fn is_scheme(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'_'))
}

/// What stands behind `sqlite://`. SQLAlchemy takes the path as it stands, so nothing is decoded.
fn sqlite(rest: &str, base: &Path) -> Result<DatabaseUrl, String> {
    let slashes = "a file of SQLite is sqlite:///relative/path or sqlite:////absolute/path";
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let memory = "a database in memory belongs to the process that made it: name a file";
    let path = match path.strip_prefix('/') {
        None if path.is_empty() => return Err(memory.into()),
        None => return Err(format!("two slashes: {slashes}")),
        Some(path) => path,
    };
    let mut uri = false;
    for (key, value) in pairs(query)? {
        match (key.as_str(), value.as_str()) {
            ("mode", "memory") => return Err(memory.into()),
            ("uri", value) => uri = matches!(value, "true" | "1" | "yes" | "on"),
            // How Python treats it, and how it would be opened for writing.
            (
                "mode" | "cache" | "timeout" | "check_same_thread" | "detect_types" | "isolation_level"
                | "cached_statements" | "autocommit",
                _,
            )
            | ("immutable" | "nolock", "0" | "false" | "no" | "off") => {}
            ("immutable" | "nolock", _) => {
                return Err(format!("{key} would hide what other programs write: leave it out"));
            }
            _ => return Err(unknown(&key)),
        }
    }
    let decoded;
    let path = match path.strip_prefix("file:").filter(|_| uri) {
        Some(path) => {
            decoded = decode(path, false, "the path")?;
            decoded.strip_prefix("//").map_or(decoded.as_str(), |path| path.trim_start_matches("localhost"))
        }
        None => path,
    };
    if path.is_empty() || path == ":memory:" {
        return Err(memory.into());
    }
    let path = base.join(path);
    let shown = format!("sqlite:///{}", stem_fs::show_bytes(path.as_os_str().as_encoded_bytes()));
    Ok(DatabaseUrl { shown, target: Target::Sqlite(path) })
}

/// The keys and values of a query, decoded as browsers and Python do. An empty value does not count.
fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err("an option behind ? has no =".into());
        };
        let key = decode(key, true, "the name of an option")?;
        let value = decode(value, true, "the value of an option")?;
        if value.is_empty() {
            continue;
        }
        if pairs.iter().any(|(other, _)| *other == key) {
            return Err(match key.as_str() {
                "host" => "it names several hosts: name the one to be asked".into(),
                _ => format!("{} stands twice", named(&key)),
            });
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// An option's name for messages, if it looks like one.
fn named(key: &str) -> String {
    let plain = key.len() <= 40 && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain { format!("the option '{key}'") } else { "an option".to_owned() }
}

fn unknown(key: &str) -> String {
    format!("{} is not known here", named(key))
}

/// Replaces `%` with two hexadecimal digits by the byte, and in a query `+` by a space.
fn decode(text: &str, query: bool, what: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' if query => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                let value = value.and_then(|value| u8::try_from(value).ok());
                value.ok_or_else(|| {
                    format!("{what} has a % without two hexadecimal digits: write %25 for the sign itself")
                })?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{what} is not UTF-8 once it is decoded"))?;
    if text.contains('\0') {
        return Err(format!("{what} holds a NUL"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
