//! What was measured so far, in a file, so that an interruption costs one round of one strategy and no more.
//!
//! The file is a comparison together with what it was made of. It is gone on with only where all of that agrees; what does
//! not is said.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stem_fs::{Dir, Publish, RelPath};

use crate::error::{Error, Result, show};
use crate::model::{Comparison, VERSION};

/// No comparison is larger than this.
const LARGEST: u64 = 1 << 30;

/// What a comparison is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) directories: Vec<String>,
    pub(crate) listing: String,
    pub(crate) strategies: Vec<(String, String)>,
    pub(crate) rounds: u32,
    pub(crate) sample: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) against: Option<(String, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    version: u32,
    key: Key,
    comparison: Comparison,
}

impl Key {
    /// Why `self` is not gone on with by `other`.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        [
            (self.directories != other.directories, "the directories are others"),
            (self.listing != other.listing, "files were added, removed or changed"),
            (self.strategies != other.strategies, "the strategies are others"),
            (self.rounds != other.rounds, "the number of rounds is another"),
            (self.sample != other.sample, "the size of the sample is another"),
            (self.seed != other.seed, "the seed is another"),
            (self.against != other.against, "the second version is another, or changed"),
        ]
        .into_iter()
        .filter_map(|(differs, what)| differs.then_some(what))
        .collect()
    }
}

/// Where the state of a comparison is kept: beside the file that it will be saved to, else in the user's directory for
/// state, under a name made from the directories. `None` where there is no such place.
pub fn state_file(save: Option<&Path>, directories: &[PathBuf]) -> Option<PathBuf> {
    if let Some(save) = save {
        let mut name = save.file_name()?.to_os_string();
        name.push(".partial");
        return Some(save.with_file_name(name));
    }
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let state = std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let state = state.filter(|dir| dir.is_absolute()).or_else(|| Some(home()?.join(".local/state")))?;
    let mut hasher = blake3::Hasher::new();
    for dir in directories {
        let full = dir.canonicalize().unwrap_or_else(|_| dir.clone());
        hasher.update(full.as_os_str().as_encoded_bytes());
        hasher.update(&[0]);
    }
    let name = hasher.finalize().to_hex();
    Some(state.join("stem").join("bench").join(format!("{}.json", name.get(..16).unwrap_or_default())))
}

/// Keeps what there is.
pub(crate) fn keep(path: &Path, key: &Key, comparison: &Comparison) -> Result<()> {
    let state = State { version: VERSION, key: key.clone(), comparison: comparison.clone() };
    let bytes =
        serde_json::to_vec(&state).map_err(|error| Error::io("write", path, std::io::Error::other(error)))?;
    let (parent, name) = split(path)?;
    let dir = Dir::create_all(&parent)?;
    Ok(dir.write_durable(&name, &bytes, &dir, Publish::Replace)?)
}

/// What was kept, if it belongs to `key`.
pub(crate) fn load(path: &Path, key: &Key) -> Result<Comparison> {
    let nothing = || {
        Error::Invalid(format!(
            "there is nothing to go on with: '{}' does not exist. Begin without --resume",
            show(path)
        ))
    };
    let (parent, name) = split(path)?;
    if !parent.is_dir() {
        return Err(nothing());
    }
    let bytes = Dir::open(&parent)?.read(&name, LARGEST)?.ok_or_else(nothing)?;
    let state: State = serde_json::from_slice(&bytes).map_err(|error| {
        Error::Invalid(format!("'{}' cannot be gone on with: {error}. Begin without --resume", show(path)))
    })?;
    let mut why = state.key.differences(key);
    if state.version != VERSION || state.comparison.version != VERSION {
        why.push("another version of this program made it");
    }
    if why.is_empty() {
        Ok(state.comparison)
    } else {
        Err(Error::Invalid(format!(
            "the comparison in '{}' cannot be gone on with: {}. Begin without --resume",
            show(path),
            why.join("; ")
        )))
    }
}

/// Removes what was kept.
pub(crate) fn forget(path: &Path) {
    // What stays behind is only in the way of nobody: the next comparison replaces it.
    let _ = std::fs::remove_file(path);
}

fn split(path: &Path) -> Result<(PathBuf, RelPath)> {
    let refused = || Error::Invalid(format!("'{}' is no name of a file", show(path)));
    let name = path.file_name().ok_or_else(refused)?;
    let name = RelPath::from_path(Path::new(name)).map_err(|_| refused())?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok((parent.unwrap_or_else(|| Path::new(".")).to_path_buf(), name))
}
