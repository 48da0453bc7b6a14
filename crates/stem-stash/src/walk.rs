//! The walk of the working tree.
//!
//! Directories are read level by level, those of one level in parallel; the files of a large directory are examined in
//! parallel too, because a session keeps thousands of presets in one place. Nothing is held open between levels, so the
//! depth of the tree costs no descriptors. Links are reported, never followed.

use rayon::prelude::*;
use stem_fs::{Dir, DirEntry, FileKind, RelPath, Stat, is_temp_name};

use crate::error::{LeftAlone, Reason, Result};
use crate::format::is_protected;
use crate::ignore::Ignore;
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

/// What a walk takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rules {
    /// The reference: files whose own name does not start with `.`.
    Reference,
    /// Newer Muse: what its rules do not ignore.
    Newer(Ignore),
}

impl Rules {
    /// Whether a directory is entered; `.muse` and `.git` never are.
    fn enter(&self, path: &RelPath) -> bool {
        !is_protected(path) && (*self == Self::Reference || Ignore::enters(path.file_name()))
    }

    /// Whether a file in a directory that is entered is taken.
    fn take(&self, path: &RelPath) -> bool {
        match self {
            Self::Reference => path.file_name().first() != Some(&b'.'),
            Self::Newer(ignore) => !ignore.is_ignored(path.as_bytes()),
        }
    }

    /// Whether HEAD may have this path without the walk ever finding it, though it is there.
    pub(crate) fn passes_over(&self, path: &RelPath) -> bool {
        matches!(self, Self::Newer(ignore) if !ignore.tracks(path.as_bytes()))
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

/// Walks the working tree `work`: those of its regular files that the rules take.
pub(crate) fn walk(work: &Dir, scope: &Scope, rules: &Rules) -> Result<Walk> {
    let wanted = Wanted { scope, rules };
    let mut found = read_dir(work, None, wanted)?;
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
                    read_dir(&dir, Some(&path), wanted).or_else(|error| Ok(unreadable(path, &error)))
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

/// Whether something stands at a path that the rules pass over: what HEAD has there is not gone, though no walk finds it.
pub(crate) fn is_there_untracked(work: Option<&Dir>, rules: &Rules, path: &RelPath) -> bool {
    rules.passes_over(path) && work.is_some_and(|work| work.stat(path).map_or(true, |found| found.is_some()))
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

/// What is looked for.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    scope: &'a Scope,
    rules: &'a Rules,
}

fn read_dir(dir: &Dir, prefix: Option<&RelPath>, wanted: Wanted<'_>) -> Result<Found> {
    let entries = dir.entries()?;
    let batches = entries.par_chunks(STAT_BATCH);
    Ok(batches.map(|batch| examine(dir, prefix, wanted, batch)).reduce(Found::default, Found::append))
}

fn examine(dir: &Dir, prefix: Option<&RelPath>, wanted: Wanted<'_>, batch: &[DirEntry]) -> Found {
    let Wanted { scope, rules } = wanted;
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
        match entry.kind {
            FileKind::Dir if scope.reaches(&path) && rules.enter(&path) => found.dirs.push(path),
            FileKind::Dir => {}
            FileKind::File if is_temp_name(&entry.name) => found.walk.leftovers.push(path),
            // A link may stand where a directory in scope should.
            FileKind::Symlink if scope.reaches(&path) && rules.enter(&path) && rules.take(&path) => {
                found.walk.left_alone.push(LeftAlone { path, reason: Reason::Symlink });
            }
            _ if !scope.contains(&path) || is_protected(&path) || !rules.take(&path) => {}
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
        let all = walk(&work, &Scope::default(), &Rules::Reference).unwrap();
        assert_eq!(names(&all), [".cache/peaks", "a/b.wav", "tracks/drums/kick.wav"]);
        let drums = walk(&work, &Scope::new(Some("drums"), None, &[]), &Rules::Reference).unwrap();
        assert_eq!(names(&drums), ["tracks/drums/kick.wav"]);
    }

    #[test]
    fn newer_muse_tracks_dot_files_and_passes_over_what_it_ignores() {
        let root = tempfile::tempdir().unwrap();
        for dir in [".Git", "node_modules/x", "a/build", ".cache", "old"] {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        for file in [
            ".Git/config",
            "node_modules/x/y",
            "a/build/z",
            ".cache/peaks",
            ".museignore",
            "old/a.bak",
            "old/keep.bak",
            ".env",
        ] {
            std::fs::write(root.path().join(file), file).unwrap();
        }
        std::fs::write(root.path().join(stem_fs::temp_name().to_string()), "left over").unwrap();
        let work = Dir::open(root.path()).unwrap();
        let text = b"[global]\npatterns = [\"*.bak\", \"!keep.bak\"]";
        let rules = Rules::Newer(Ignore::parse(text, "code").unwrap());
        let all = walk(&work, &Scope::default(), &rules).unwrap();
        assert_eq!(names(&all), [".cache/peaks", ".museignore", "old/keep.bak"]);
        assert!(all.left_alone.is_empty());
        assert_eq!(all.leftovers.len(), 1);
        assert!(rules.passes_over(&RelPath::new("a/build/z").unwrap()));
        assert!(!rules.passes_over(&RelPath::new("a/builds/z").unwrap()));
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
        let found = walk(&Dir::open(root.path()).unwrap(), &Scope::default(), &Rules::Reference).unwrap();
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
        let found = walk(&Dir::open(root.path()).unwrap(), &Scope::default(), &Rules::Reference).unwrap();
        assert_eq!(found.files.len(), 1501);
        assert!(found.files.is_sorted_by(|a, b| a.path < b.path));
    }
}
