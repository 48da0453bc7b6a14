//! Whether a repository is of a generation that this engine knows: what it does not know may name objects.

use std::path::PathBuf;

use stem_fs::FileKind;

use crate::error::Result;
use crate::format::commit::Generation;
use crate::format::muse::{MAX_REPO_JSON_BYTES, check_repo_json};
use crate::repo::{Repository, fixed};

/// Names in `.muse` that are understood, or known to name no object (`config.toml`).
const KNOWN_IN_MUSE: &[&[u8]] = &[
    b"HEAD",
    b"commits",
    b"config.toml",
    b"objects",
    b"refs",
    b"repo.json",
    b"snapshots",
    b"stash",
    b"stash.json",
    b"stem",
];

/// Names in `.muse` of newer Muse that name commits and nothing else. Its commits are files, and every snapshot in a file
/// is a root, whoever names it. In a repository of the reference they may name commits that only a database knows.
const KNOWN_IN_NEWER: &[&[u8]] = &[b"MERGE_STATE.json", b"remotes", b"tags"];

/// Names in `.muse/stem`; the table is in `docs/format/README.md`.
const KNOWN_IN_STEM: &[&[u8]] = &[
    b"cache",
    b"client",
    b"config.toml",
    b"gc",
    b"journal",
    b"muse-stash",
    b"objects-hash",
    b"packs",
    b"quarantine",
    b"restoring",
    b"seen",
    b"stack.lock",
    b"store.lock",
    b"tier",
    b"tmp",
    b"undo",
    b"verified",
    b"worktree.lock",
];

/// Calls `trouble` for everything that makes the generation unknown.
pub(super) fn check(
    repository: &Repository,
    trouble: &mut dyn FnMut(PathBuf, String) -> Result<()>,
) -> Result<()> {
    let muse = repository.muse();
    let repo_json = fixed("repo.json");
    let path = muse.full(&repo_json);
    match muse.read(&repo_json, MAX_REPO_JSON_BYTES as u64) {
        Ok(Some(bytes)) => {
            if let Err(error) = check_repo_json(&bytes) {
                trouble(path, format!("the generation of this repository is unknown: {error}"))?;
            }
        }
        Ok(None) => {
            trouble(path, "the generation of this repository is unknown: there is no such file".into())?;
        }
        Err(error) => trouble(path, error.source.to_string())?,
    }
    let unknown = "nobody here knows this name, and what it holds may name objects: a newer Muse or a newer stem may \
                   have written it";
    let is_newer = repository.generation() == Generation::Newer;
    for entry in muse.entries()? {
        let name = entry.name.as_slice();
        let known = KNOWN_IN_MUSE.contains(&name) || (is_newer && KNOWN_IN_NEWER.contains(&name));
        if !known && !is_temporary(&entry.name, entry.kind) {
            trouble(muse.path().join(shown(&entry.name)), unknown.into())?;
        }
    }
    if let Some(stem) = muse.sub(&fixed("stem"))? {
        for entry in stem.entries()? {
            if !KNOWN_IN_STEM.contains(&entry.name.as_slice()) && !is_temporary(&entry.name, entry.kind) {
                trouble(stem.path().join(shown(&entry.name)), unknown.into())?;
            }
        }
    }
    Ok(())
}

/// Hidden files are what programs write before they rename it.
pub(super) fn is_temporary(name: &[u8], kind: FileKind) -> bool {
    name.starts_with(b".") && kind == FileKind::File
}

/// A name for messages.
pub(super) fn shown(name: &[u8]) -> String {
    stem_fs::show_bytes(name)
}
