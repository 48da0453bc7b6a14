//! The walk of the working tree.
//!
//! Directories are read level by level, those of one level in parallel; the files of a large directory are examined in
//! parallel too, because a session keeps thousands of presets in one place. Nothing is held open between levels, so the
//! depth of the tree costs no descriptors. Links are reported, never followed.

use rayon::prelude::*;
use stem_fs::{Dir, DirEntry, FileKind, RelPath, Stat, is_temp_name};

use crate::error::{LeftAlone, Reason, Result};
use crate::format::is_protected;
use crate::scope::Scope;

/// Files of one directory that one task examines.
const STAT_BATCH: usize = 256;

/// A regular file of the working tree.
#[derive(Debug, Clone)]
pub(crate) struct WorkFile {
    pub(crate) path: RelPath,
    pub(crate) stat: Stat,
}

/// What a walk found in scope, sorted by path.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) files: Vec<WorkFile>,
    pub(crate) left_alone: Vec<LeftAlone>,
    /// Temporary files. They are made here only under the lock on the working tree, so that for whoever holds it they
    /// are those of a process that died.
    pub(crate) leftovers: Vec<RelPath>,
}

impl Walk {
    /// Removes what a dead process left; only under the lock on the working tree.
    pub(crate) fn remove_leftovers(&self, work: &Dir) {
        for path in &self.leftovers {
            // What cannot be removed hinders nobody.
            let _ = work.remove_file(path);
        }
    }

    fn append(&mut self, other: &mut Self) {
        self.files.append(&mut other.files);
        self.left_alone.append(&mut other.left_alone);
        self.leftovers.append(&mut other.leftovers);
    }
}

/// What one directory holds.
#[derive(Default)]
struct Found {
    walk: Walk,
    dirs: Vec<RelPath>,
}

impl Found {
    fn append(mut self, mut other: Self) -> Self {
        self.walk.append(&mut other.walk);
        self.dirs.append(&mut other.dirs);
        self
    }
}

/// Walks the working tree `work`: regular files whose own name does not start with `.`, as the reference does.
pub(crate) fn walk(work: &Dir, scope: &Scope) -> Result<Walk> {
    let mut found = read_dir(work, None, scope)?;
    let mut walk = Walk::default();
    loop {
        walk.append(&mut found.walk);
        if found.dirs.is_empty() {
            break;
        }
        let level = std::mem::take(&mut found.dirs);
        found = level
            .into_par_iter()
            .map(|path| match work.sub(&path) {
                Ok(Some(dir)) => {
                    read_dir(&dir, Some(&path), scope).or_else(|error| Ok(unreadable(path, &error)))
                }
                // Removed since its parent was read.
                Ok(None) => Ok(Found::default()),
                Err(error) => Ok(unreadable(path, &error.into())),
            })
            .try_reduce(Found::default, |a, b| Ok::<_, crate::Error>(a.append(b)))?;
    }
    walk.files.par_sort_unstable_by(|a, b| a.path.cmp(&b.path));
    walk.left_alone.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(walk)
}

fn unreadable(path: RelPath, error: &crate::Error) -> Found {
    let mut found = Found::default();
    found.walk.left_alone.push(LeftAlone { path, reason: Reason::Unreadable(system_words(error)) });
    found
}

/// The system's part of an error, without the path, which is named beside it.
pub(crate) fn system_words(error: &crate::Error) -> String {
    match error {
        crate::Error::Fs(error) => error.source.to_string(),
        other => other.to_string(),
    }
}

fn read_dir(dir: &Dir, prefix: Option<&RelPath>, scope: &Scope) -> Result<Found> {
    let entries = dir.entries()?;
    let batches = entries.par_chunks(STAT_BATCH);
    Ok(batches.map(|batch| examine(dir, prefix, scope, batch)).reduce(Found::default, Found::append))
}

fn examine(dir: &Dir, prefix: Option<&RelPath>, scope: &Scope, batch: &[DirEntry]) -> Found {
    let mut found = Found::default();
    for entry in batch {
        let joined = match prefix {
            Some(prefix) => prefix.join(&entry.name),
            None => RelPath::new(entry.name.clone()),
        };
        let Ok(path) = joined else {
            // Deeper than a path can be named: the closest name that can be told is the directory's.
            if let Some(prefix) = prefix {
                let reason = Reason::Unreadable("the path of something in it is too long".into());
                found.walk.left_alone.push(LeftAlone { path: prefix.clone(), reason });
            }
            continue;
        };
        let hidden = entry.name.first() == Some(&b'.');
        match entry.kind {
            FileKind::Dir if is_protected(&path) => {}
            FileKind::Dir if scope.reaches(&path) => found.dirs.push(path),
            FileKind::Dir => {}
            FileKind::File if hidden && is_temp_name(&entry.name) => {
                found.walk.leftovers.push(path);
            }
            // A link may stand where a directory in scope should.
            FileKind::Symlink if !hidden && scope.reaches(&path) => {
                found.walk.left_alone.push(LeftAlone { path, reason: Reason::Symlink });
            }
            _ if hidden || !scope.contains(&path) => {}
            FileKind::File => examine_file(dir, &entry.name, path, &mut found.walk),
            FileKind::Symlink => {}
            FileKind::Special => found.walk.left_alone.push(LeftAlone { path, reason: Reason::Special }),
        }
    }
    found
}

fn examine_file(dir: &Dir, name: &[u8], path: RelPath, walk: &mut Walk) {
    let Ok(name) = RelPath::new(name) else { return };
    match dir.stat(&name) {
        Ok(Some(stat)) if stat.kind == FileKind::File => walk.files.push(WorkFile { path, stat }),
        // Replaced or removed since the directory was read.
        Ok(_) => {}
        Err(error) => {
            let reason = Reason::Unreadable(error.source.to_string());
            walk.left_alone.push(LeftAlone { path, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(walk: &Walk) -> Vec<String> {
        walk.files.iter().map(|file| file.path.to_string()).collect()
    }

    #[test]
    fn hidden_files_and_protected_directories_are_not_taken() {
        let root = tempfile::tempdir().unwrap();
        for dir in [".git", ".MUSE/objects", "a/.Git", ".cache", "tracks/drums"] {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        for file in [
            ".DS_Store",
            ".git/config",
            ".MUSE/objects/x",
            "a/.Git/x",
            "a/b.wav",
            ".cache/peaks",
            "tracks/drums/.hidden",
            "tracks/drums/kick.wav",
        ] {
            std::fs::write(root.path().join(file), file).unwrap();
        }
        let work = Dir::open(root.path()).unwrap();
        let all = walk(&work, &Scope::default()).unwrap();
        assert_eq!(names(&all), [".cache/peaks", "a/b.wav", "tracks/drums/kick.wav"]);
        let drums = walk(&work, &Scope::new(Some("drums"), None, &[])).unwrap();
        assert_eq!(names(&drums), ["tracks/drums/kick.wav"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_reported_and_not_followed() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("d")).unwrap();
        std::fs::write(root.path().join("d/file"), "x").unwrap();
        symlink("d", root.path().join("to-dir")).unwrap();
        symlink("d/file", root.path().join("to-file")).unwrap();
        symlink("nowhere", root.path().join("dangling")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        symlink("..", root.path().join("d/up")).unwrap();
        let found = walk(&Dir::open(root.path()).unwrap(), &Scope::default()).unwrap();
        assert_eq!(names(&found), ["d/file"]);
        let links: Vec<_> = found.left_alone.iter().map(|l| (l.path.to_string(), l.reason.clone())).collect();
        let expected = ["d/up", "dangling", "loop", "to-dir", "to-file"];
        assert_eq!(links, expected.map(|p| (p.to_owned(), Reason::Symlink)));
    }

    #[test]
    fn a_deep_tree_and_a_wide_directory_are_walked_whole() {
        let root = tempfile::tempdir().unwrap();
        let deep = "d/".repeat(300);
        std::fs::create_dir_all(root.path().join(&deep)).unwrap();
        std::fs::write(root.path().join(&deep).join("leaf"), "x").unwrap();
        for i in 0..1500 {
            std::fs::write(root.path().join(format!("f{i:04}")), "").unwrap();
        }
        let found = walk(&Dir::open(root.path()).unwrap(), &Scope::default()).unwrap();
        assert_eq!(found.files.len(), 1501);
        assert!(found.files.is_sorted_by(|a, b| a.path < b.path));
    }
}
