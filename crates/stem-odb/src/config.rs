//! `.muse/stem/config.toml`: what a repository chose. Documented in `docs/format/config.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use stem_fs::{Dir, RelPath};

use crate::age::parse_age;
use crate::error::{Error, Result};
use crate::secret::hide_passwords;
use crate::url::StoreUrl;

/// Largest configuration that is read.
const MAX_CONFIG: u64 = 1 << 20;
/// How long unneeded objects are kept unless configured otherwise: 14 days.
const DEFAULT_GRACE: Duration = Duration::from_hours(14 * 24);
/// How long what a verb did can be undone unless configured otherwise: 30 days.
const DEFAULT_UNDO_EXPIRE: Duration = Duration::from_hours(30 * 24);
/// How long a database may take unless configured otherwise.
const DEFAULT_DATABASE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that it may be given: whoever waits for an hour waits for nothing.
const MAX_DATABASE_TIMEOUT: Duration = Duration::from_hours(1);
/// What stands for an age that is never reached.
const NEVER: &str = "never";
/// Characters of a remote's name.
const MAX_REMOTE_NAME: usize = 64;
/// The remote that is meant where none is named.
const DEFAULT_REMOTE: &str = "default";
/// The version that this engine reads.
const VERSION: u64 = 1;

/// Where a repository has its working tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WorkTreePath {
    /// It does not say; the generation of Muse decides.
    #[default]
    Unsaid,
    /// The root itself.
    Root,
    /// Below the root.
    Below(RelPath),
}

/// Where a repository's stash entries are put.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StashChoice {
    /// Where the generation of Muse has them.
    #[default]
    Auto,
    /// In files of their own.
    Entries,
    /// In `.muse/stash.json`.
    Muse,
}

/// A repository's configuration, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The store of its objects.
    pub store: StoreUrl,
    /// Its working tree.
    pub work_tree: WorkTreePath,
    /// Where its stash entries are put.
    pub stash_format: StashChoice,
    /// Whether files may be mapped into memory for hashing.
    pub mmap: bool,
    /// How long an object has to be known as unneeded before it is collected.
    pub gc_grace: Duration,
    /// How long what a verb did can be undone; `None` is for ever.
    pub undo_expire: Option<Duration>,
    /// The database that records commits.
    pub database: Option<DatabaseSetting>,
    /// How long that database may take to connect, and to answer each question.
    pub database_timeout: Duration,
    /// Stores that entries are handed over by, by name.
    pub remotes: Remotes,
}

/// Stores that a repository has names for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remotes(BTreeMap<String, StoreUrl>);

impl Remotes {
    /// The one of this name; where none is named, the one that is called `default`, else the only one there is.
    pub fn get(&self, name: Option<&str>) -> Option<(&str, &StoreUrl)> {
        let mut all = self.0.iter();
        let found = match name {
            Some(name) => self.0.get_key_value(name),
            None => {
                self.0.get_key_value(DEFAULT_REMOTE).or_else(|| all.next().filter(|_| all.next().is_none()))
            }
        };
        found.map(|(name, url)| (name.as_str(), url))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StoreUrl)> {
        self.0.iter().map(|(name, url)| (name.as_str(), url))
    }
}

/// A database's URL as it was written, which may hold a password: it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseSetting(String);

impl DatabaseSetting {
    /// The URL, for whoever connects with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    version: Option<u64>,
    store: StoreSection,
    worktree: WorkTreeSection,
    hash: HashSection,
    gc: GcSection,
    undo: UndoSection,
    database: DatabaseSection,
    stash: StashSection,
    remotes: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StashSection {
    format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StoreSection {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WorkTreeSection {
    path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HashSection {
    mmap: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GcSection {
    grace: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UndoSection {
    expire: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DatabaseSection {
    url: Option<String>,
    timeout: Option<String>,
}

impl Config {
    /// What holds for a repository that chose nothing: Muse's own store, working tree and stash.
    pub fn default_for_muse() -> Self {
        let store = StoreUrl {
            scheme: "sharded".into(),
            location: ".muse/objects".into(),
            options: std::collections::BTreeMap::new(),
        };
        Self {
            store,
            work_tree: WorkTreePath::Unsaid,
            stash_format: StashChoice::Auto,
            mmap: true,
            gc_grace: DEFAULT_GRACE,
            undo_expire: Some(DEFAULT_UNDO_EXPIRE),
            database: None,
            database_timeout: DEFAULT_DATABASE_TIMEOUT,
            remotes: Remotes::default(),
        }
    }

    /// Reads the configuration of the repository whose `.muse` is `muse`. A missing file means the defaults.
    pub fn load(muse: &Dir) -> Result<Self> {
        let path = RelPath::new(*b"stem/config.toml")
            .map_err(|e| Error::InvalidConfig { path: muse.path().to_path_buf(), problem: e.to_string() })?;
        let Some(bytes) = muse.read(&path, MAX_CONFIG)? else { return Ok(Self::default_for_muse()) };
        Self::parse(&bytes).map_err(|problem| Error::InvalidConfig { path: muse.full(&path), problem })
    }

    /// Reads the bytes of a configuration; the error is for people.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| format!("it is not UTF-8: {e}"))?;
        let file: File = toml::from_str(text).map_err(|e| mistake(text, &e))?;
        if let Some(version) = file.version
            && version != VERSION
        {
            return Err(format!("it has version {version}; this stem reads version {VERSION}"));
        }
        let mut config = Self::default_for_muse();
        if let Some(url) = file.store.url {
            config.store = url.parse().map_err(|e: Error| hide_passwords(&e.to_string()))?;
        }
        if let Some(path) = file.worktree.path {
            config.work_tree = if path == "." {
                WorkTreePath::Root
            } else {
                WorkTreePath::Below(RelPath::new(path).map_err(|e| format!("worktree.path: {e}"))?)
            };
        }
        if let Some(format) = file.stash.format {
            config.stash_format = match format.as_str() {
                "auto" => StashChoice::Auto,
                "entries" => StashChoice::Entries,
                "muse" => StashChoice::Muse,
                other => {
                    let shown = printable(other);
                    return Err(format!("stash.format: '{shown}' is none of auto, entries and muse"));
                }
            };
        }
        if let Some(mmap) = file.hash.mmap {
            config.mmap = mmap;
        }
        if let Some(grace) = file.gc.grace {
            config.gc_grace = parse_age(&grace).map_err(|e| format!("gc.grace: {}", hide_passwords(&e)))?;
        }
        if let Some(age) = file.undo.expire {
            let parsed = if age == NEVER { Ok(None) } else { parse_age(&age).map(Some) };
            config.undo_expire =
                parsed.map_err(|e| format!("undo.expire: {}, or {NEVER}", hide_passwords(&e)))?;
        }
        config.database = file.database.url.filter(|url| !url.is_empty()).map(DatabaseSetting);
        if let Some(time) = file.database.timeout {
            let time = parse_age(&time).map_err(|e| format!("database.timeout: {}", hide_passwords(&e)))?;
            if time.is_zero() || time > MAX_DATABASE_TIMEOUT {
                return Err("database.timeout: give 1s to 1h".into());
            }
            config.database_timeout = time;
        }
        for (name, url) in file.remotes {
            if !is_remote_name(&name) {
                let shown = printable(&hide_passwords(&name));
                return Err(format!(
                    "remotes: '{shown}' is no name: use 1 to {MAX_REMOTE_NAME} of a-z, A-Z, 0-9, '-', '_' and '.', with a letter or digit first"
                ));
            }
            let url = url
                .parse()
                .map_err(|e: Error| format!("remotes.{name}: {}", hide_passwords(&e.to_string())))?;
            config.remotes.0.insert(name, url);
        }
        Ok(config)
    }
}

/// Whether a remote may be called so: nothing that could be a URL, an option, a path or a reference.
fn is_remote_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= MAX_REMOTE_NAME
        && name.bytes().all(plain)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// What the parser says. It quotes the line, and a line of `[database]` may hold a password, however it is mistyped: such a
/// line is named by its number alone, for the words may quote it too.
fn mistake(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let line = text.get(..at).unwrap_or_default().matches('\n').count();
    let up_to = || text.lines().take(line + 1);
    let section = up_to().filter(|line| line.trim_start().starts_with('[')).last();
    let quoted = up_to().last().unwrap_or_default();
    if quoted.contains("://")
        || [section, Some(quoted)].iter().flatten().any(|line| line.contains("database"))
    {
        let line = line + 1;
        return format!("there is a mistake in line {line}, which is not shown, for it may hold a password");
    }
    printable(hide_passwords(error.to_string().trim_end()).as_str())
}

/// A message that quotes a line of the file, without characters that steer a terminal.
fn printable(message: &str) -> String {
    let escape = |ch: char| match ch {
        '\n' => String::from(ch),
        ch if ch.is_control() => ch.escape_default().collect(),
        ch => String::from(ch),
    };
    message.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_means_the_defaults() {
        assert_eq!(Config::parse(b"").unwrap(), Config::default_for_muse());
        assert_eq!(Config::parse(b"version = 1\n").unwrap(), Config::default_for_muse());
    }

    #[test]
    fn every_key_is_read() {
        let text = b"version = 1\n[store]\nurl = \"sharded:objects?hash=blake3\"\n[worktree]\npath = \".\"\n[hash]\nmmap = false\n[gc]\ngrace = \"12h\"\n[undo]\nexpire = \"2w\"\n[stash]\nformat = \"entries\"\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.store.location, "objects");
        assert_eq!(config.work_tree, WorkTreePath::Root);
        assert_eq!(config.stash_format, StashChoice::Entries);
        assert!(!config.mmap);
        assert_eq!(config.gc_grace, Duration::from_hours(12));
        assert_eq!(config.undo_expire, Some(Duration::from_hours(14 * 24)));
        assert_eq!(Config::parse(b"[undo]\nexpire = \"never\"").unwrap().undo_expire, None);
    }

    #[test]
    fn no_mistake_tells_a_password() {
        let url = "postgresql://muse:hunter2@h/db";
        let config =
            Config::parse(format!("[database]\nurl = \"{url}\"\ntimeout = \"3s\"").as_bytes()).unwrap();
        assert_eq!(config.database.as_ref().map(DatabaseSetting::reveal), Some(url));
        assert_eq!(config.database_timeout, Duration::from_secs(3));
        assert!(!format!("{config:?}").contains("hunter2"));
        for (text, word) in [
            (format!("[database]\nurl = \"{url}"), "line 2"),
            (format!("[database]\nurl = {url}"), "line 2"),
            (format!("[database]\nurl = [\"{url}\"]"), "line 2"),
            (format!("[database]\nuri = \"{url}\""), "line 2"),
            (format!("[database]\n\"{url}\" = 1"), "line 2"),
            (format!("[database]\ntimeout = \"{url}\""), "database.timeout"),
            ("[database]\ntimeout = \"0s\"".to_owned(), "1s to 1h"),
            ("[database]\ntimeout = \"2h\"".to_owned(), "1s to 1h"),
            (format!("[gc]\ngrace = [\"{url}\"]"), "line 2"),
            (format!("[gc]\ngrace = \"{url}\""), "gc.grace"),
            (format!("[gc]\n[database]\nurl = \"x\"\nurl = \"{url}\""), "line"),
            (format!("database = \"{url}\""), "line 1"),
            ("[database]\nurl = \"\"\"\nhunter2\n".to_owned(), "line"),
        ] {
            let problem = Config::parse(text.as_bytes()).unwrap_err();
            assert!(problem.contains(word), "{text:?} → {problem}");
            assert!(!problem.contains("hunter2"), "{text:?} → {problem}");
        }
    }

    #[test]
    fn remotes_have_names_and_one_is_meant_where_none_is_named() {
        let parse = |text: &str| Config::parse(text.as_bytes()).unwrap();
        assert_eq!(parse("").remotes.get(None), None);
        let one = parse("[remotes]\nstudio = \"s3://bucket/album?region=eu-central-1\"");
        assert_eq!(one.remotes.get(None).unwrap().0, "studio");
        assert_eq!(one.remotes.get(Some("studio")).unwrap().1.location, "//bucket/album");
        assert_eq!(one.remotes.get(Some("home")), None);
        let two = parse("[remotes]\nstudio = \"s3://a\"\nhome = \"file:///b\"");
        assert_eq!(two.remotes.get(None), None);
        let three = parse("[remotes]\nstudio = \"s3://a\"\ndefault = \"file:///b\"");
        assert_eq!(three.remotes.get(None).unwrap().0, "default");
    }

    #[test]
    fn mistakes_are_told() {
        for (text, word) in [
            ("version = 2", "version 2"),
            ("[store]\nuri = \"x\"", "uri"),
            ("[store]\nurl = \"objects\"", "scheme"),
            ("[worktree]\npath = \"../x\"", ".."),
            ("[worktree]\npath = \"/x\"", "absolute"),
            ("store", "line 1"),
            ("[hash]\nmmap = 3", "mmap"),
            ("[gc]\ngrace = \"14\"", "gc.grace"),
            ("[gc]\ngrace = 14", "grace"),
            ("[undo]\nexpire = \"soon\"", "undo.expire"),
            ("[stash]\nformat = \"json\"", "stash.format"),
            ("[undo]\nexpires = \"1d\"", "expires"),
            ("[remotes]\n\"a b\" = \"s3://x\"", "is no name"),
            ("[remotes]\n\"-a\" = \"s3://x\"", "is no name"),
            ("[remotes]\n\"\" = \"s3://x\"", "is no name"),
            ("[remotes]\nstudio = \"bucket\"", "remotes.studio"),
            ("[remotes]\nstudio = 3", "string"),
            ("[remotes.studio]\nurl = \"s3://x\"", "string"),
            ("remotes = \"s3://x\"", "line 1"),
        ] {
            let problem = Config::parse(text.as_bytes()).unwrap_err();
            assert!(problem.contains(word), "{text:?} → {problem}");
        }
        assert!(Config::parse(b"\xff").is_err());
        let problem = Config::parse(b"\x1b[31m = 1").unwrap_err();
        assert!(problem.lines().all(|line| !line.contains(char::is_control)), "{problem:?}");
    }
}
