//! `.muse/stem/config.toml`: what a repository chose. Documented in `docs/format/config.md`.

use serde::Deserialize;
use stem_fs::{Dir, RelPath};

use crate::error::{Error, Result};
use crate::url::StoreUrl;

/// Largest configuration that is read.
const MAX_CONFIG: u64 = 1 << 20;
/// The version that this engine reads.
const VERSION: u64 = 1;

/// A repository's configuration, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The store of its objects.
    pub store: StoreUrl,
    /// Its working tree below the root; `None` is the root itself.
    pub work_tree: Option<RelPath>,
    /// Whether files may be mapped into memory for hashing.
    pub mmap: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    version: Option<u64>,
    store: StoreSection,
    worktree: WorkTreeSection,
    hash: HashSection,
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

impl Config {
    /// What holds for a repository that chose nothing: Muse's own store and working directory.
    pub fn default_for_muse() -> Self {
        let store = StoreUrl {
            scheme: "sharded".into(),
            location: ".muse/objects".into(),
            options: std::collections::BTreeMap::new(),
        };
        Self { store, work_tree: RelPath::new(*b"muse-work").ok(), mmap: true }
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
        let file: File = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        if let Some(version) = file.version
            && version != VERSION
        {
            return Err(format!("it has version {version}; this stem reads version {VERSION}"));
        }
        let mut config = Self::default_for_muse();
        if let Some(url) = file.store.url {
            config.store = url.parse().map_err(|e: Error| e.to_string())?;
        }
        if let Some(path) = file.worktree.path {
            config.work_tree = if path == "." {
                None
            } else {
                Some(RelPath::new(path).map_err(|e| format!("worktree.path: {e}"))?)
            };
        }
        if let Some(mmap) = file.hash.mmap {
            config.mmap = mmap;
        }
        Ok(config)
    }
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
        let text = b"version = 1\n[store]\nurl = \"sharded:objects?hash=blake3\"\n[worktree]\npath = \".\"\n[hash]\nmmap = false\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.store.location, "objects");
        assert_eq!(config.work_tree, None);
        assert!(!config.mmap);
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
        ] {
            let problem = Config::parse(text.as_bytes()).unwrap_err();
            assert!(problem.contains(word), "{text:?} → {problem}");
        }
        assert!(Config::parse(b"\xff").is_err());
    }
}
