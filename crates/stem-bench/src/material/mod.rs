//! What there is to measure on: the files below some directories, read and never written.
//!
//! Everything is reached through [`stem_fs::Dir`], so no link is followed. What cannot be read, vanishes or is no file is
//! noted and left out; none of it makes a comparison fail.

mod class;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use stem_fs::{Dir, FileKind, RelPath, Stat};

use crate::error::{Error, Result, show};
use crate::model::{Amount, Class, Note};
use crate::progress::Progress;

pub(crate) use sample::{Chosen, Selection, choose, follow};

/// How many notes of one kind name what they are about.
const NAMED: usize = 10;

/// A file that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Which of the directories it is below.
    pub(crate) root: usize,
    pub(crate) path: RelPath,
    pub(crate) stat: Stat,
    pub(crate) class: Class,
}

/// The files of some directories.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) roots: Vec<Dir>,
    /// Sorted by directory and path.
    pub(crate) files: Vec<Found>,
    pub(crate) notes: Notes,
}

/// What should be known, gathered so that a thousand links make one note.
#[derive(Debug, Default, Clone)]
pub(crate) struct Notes {
    things: BTreeMap<&'static str, (Vec<String>, u64)>,
    others: Vec<Note>,
}

impl Notes {
    /// One more thing of a kind that [`Notes::words`] knows.
    pub(crate) fn thing(&mut self, kind: &'static str, what: String) {
        let (named, count) = self.things.entry(kind).or_default();
        *count += 1;
        if named.len() < NAMED {
            named.push(what);
        }
    }

    /// A note with words of its own; the same words are noted once.
    pub(crate) fn say(&mut self, kind: &str, text: impl Into<String>) {
        let note = Note { kind: kind.to_owned(), text: text.into() };
        if !self.others.contains(&note) {
            self.others.push(note);
        }
    }

    pub(crate) fn append(&mut self, other: Self) {
        for (kind, (named, count)) in other.things {
            let (mine, all) = self.things.entry(kind).or_default();
            *all += count;
            let room = NAMED.saturating_sub(mine.len());
            mine.extend(named.into_iter().take(room));
        }
        for note in other.others {
            self.say(&note.kind, note.text);
        }
    }

    pub(crate) fn finish(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for (&kind, (named, count)) in &self.things {
            let more = count.saturating_sub(named.len() as u64);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let text = format!("{}: {}{more}", Self::words(kind), named.join(", "));
            notes.push(Note { kind: kind.to_owned(), text });
        }
        notes.extend(self.others.iter().cloned());
        notes
    }

    fn words(kind: &str) -> &'static str {
        match kind {
            "unreadable" => "left out because they cannot be read",
            "vanished" => "left out because they vanished",
            "changed" => "left out because they changed while they were read",
            "link" => "left out because they are links or special files",
            "protected" => "left out because they belong to a repository",
            "empty" => "directories with nothing in them",
            "cut" => "taken in part, from the beginning, because they are larger than the sample",
            _ => "left out",
        }
    }
}

/// Walks the directories. `until`: from then on files are no longer looked into to know their class; their names decide.
pub(crate) fn walk(
    directories: &[PathBuf],
    until: Option<Instant>,
    progress: &dyn Progress,
) -> Result<Listing> {
    let mut roots = Vec::new();
    for path in directories {
        if !path.is_dir() {
            return Err(Error::Invalid(format!(
                "'{}' is no directory: name the one that holds the files",
                show(path)
            )));
        }
        roots.push(Dir::open(path)?);
    }
    apart(directories)?;
    let mut listing = Listing { roots: Vec::new(), files: Vec::new(), notes: Notes::default() };
    for (number, root) in roots.iter().enumerate() {
        let mut level = vec![(root.clone(), None)];
        while !level.is_empty() {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let read: Vec<Level> =
                level.par_iter().map(|(dir, path)| one(number, dir, path.as_ref())).collect();
            level.clear();
            for mut found in read {
                listing.files.append(&mut found.files);
                listing.notes.append(found.notes);
                level.append(&mut found.dirs);
            }
        }
    }
    listing.files.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
    let late = std::sync::atomic::AtomicBool::new(false);
    listing.files.par_iter_mut().for_each(|file| {
        let hurry = until.is_some_and(|until| Instant::now() > until);
        late.fetch_or(hurry, std::sync::atomic::Ordering::Relaxed);
        let root = if hurry || progress.cancelled() { None } else { roots.get(file.root) };
        file.class = class::of(root, &file.path, file.stat.size);
    });
    if progress.cancelled() {
        return Err(Error::Interrupted);
    }
    if late.into_inner() {
        listing
            .notes
            .say("classes", "there are so many files that the kind of some was told by their names alone");
    }
    listing.roots = roots;
    Ok(listing)
}

/// A file that is found twice would be measured twice.
fn apart(directories: &[PathBuf]) -> Result<()> {
    let full = |path: &Path| path.canonicalize().map_err(|e| Error::io("examine", path, e));
    let resolved = directories.iter().map(|path| full(path)).collect::<Result<Vec<_>>>()?;
    for (at, one) in resolved.iter().enumerate() {
        for (other_at, other) in resolved.iter().enumerate() {
            if at != other_at && one.starts_with(other) {
                return Err(Error::Invalid(format!(
                    "'{}' lies within '{}': name each file once",
                    show(one),
                    show(other)
                )));
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Level {
    files: Vec<Found>,
    dirs: Vec<(Dir, Option<RelPath>)>,
    notes: Notes,
}

/// One directory.
fn one(root: usize, dir: &Dir, path: Option<&RelPath>) -> Level {
    let mut level = Level::default();
    let entries = match dir.entries() {
        Ok(entries) => entries,
        Err(error) => {
            level.notes.thing(problem(&error), show(dir.path()));
            return level;
        }
    };
    if entries.is_empty() {
        level.notes.thing("empty", show(dir.path()));
    }
    for entry in entries {
        let full = || show(&dir.path().join(String::from_utf8_lossy(&entry.name).as_ref()));
        let Ok(name) = RelPath::new(entry.name.clone()) else {
            level.notes.thing("unreadable", full());
            continue;
        };
        let below = match path {
            Some(path) => path.join(&entry.name),
            None => Ok(name.clone()),
        };
        let Ok(below) = below else {
            level.notes.thing("unreadable", full());
            continue;
        };
        match entry.kind {
            FileKind::Dir if is_protected(&entry.name) => level.notes.thing("protected", full()),
            FileKind::Dir => match dir.sub(&name) {
                Ok(Some(sub)) => level.dirs.push((sub, Some(below))),
                Ok(None) => level.notes.thing("vanished", full()),
                Err(error) => level.notes.thing(problem(&error), full()),
            },
            FileKind::File => match dir.stat(&name) {
                Ok(Some(stat)) if stat.kind == FileKind::File => {
                    level.files.push(Found { root, path: below, stat, class: Class::Other });
                }
                Ok(_) => level.notes.thing("vanished", full()),
                Err(error) => level.notes.thing(problem(&error), full()),
            },
            FileKind::Symlink | FileKind::Special => level.notes.thing("link", full()),
        }
    }
    level
}

/// `.muse` and `.git` hold the history of the files beside them; what they hold is stored already, in a form of its own.
fn is_protected(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b".muse") || name.eq_ignore_ascii_case(b".git")
}

/// The kind of note for an error of reading.
pub(crate) fn problem(error: &stem_fs::Error) -> &'static str {
    if error.source.kind() == std::io::ErrorKind::NotFound { "vanished" } else { "unreadable" }
}

impl Listing {
    /// How much there is of each class.
    pub(crate) fn amounts(&self) -> BTreeMap<Class, Amount> {
        let mut amounts: BTreeMap<Class, Amount> = BTreeMap::new();
        for file in &self.files {
            let amount = amounts.entry(file.class).or_default();
            amount.files += 1;
            amount.bytes += file.stat.size;
        }
        amounts
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.stat.size).sum()
    }

    /// The directories as people gave them.
    pub(crate) fn directories(&self) -> Vec<String> {
        self.roots.iter().map(|root| show(root.path())).collect()
    }

    /// A name for exactly these files at these times.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for file in &self.files {
            hasher.update(&(file.root as u64).to_le_bytes());
            hasher.update(&(file.path.as_bytes().len() as u64).to_le_bytes());
            hasher.update(file.path.as_bytes());
            hasher.update(&file.stat.size.to_le_bytes());
            hasher.update(&file.stat.mtime.as_nanos().to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The paths in all directories; a path that is in two counts once.
    pub(crate) fn paths(&self) -> BTreeSet<&RelPath> {
        self.files.iter().map(|file| &file.path).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::fs;

    fn noted(listing: &Listing, kind: &str) -> bool {
        listing.notes.finish().iter().any(|note| note.kind == kind)
    }

    #[cfg(unix)]
    #[test]
    fn links_and_empty_directories_are_noted_and_repositories_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("a/.Git/objects")).unwrap();
        fs::create_dir_all(at("empty")).unwrap();
        fs::write(at("a/.Git/objects/x"), "x").unwrap();
        fs::write(at("a/one.mid"), "MThd").unwrap();
        fs::write(at(".hidden"), "h").unwrap();
        std::os::unix::fs::symlink(at("a/one.mid"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("a"), at("links")).unwrap();
        let listing = walk(&[dir.path().to_path_buf()], None, &Silent).unwrap();
        let paths: Vec<String> = listing.files.iter().map(|file| file.path.to_string()).collect();
        assert_eq!(paths, [".hidden", "a/one.mid"]);
        for kind in ["link", "empty", "protected"] {
            assert!(noted(&listing, kind), "{kind}");
        }
        assert_eq!(listing.amounts()[&Class::Midi], Amount { files: 1, bytes: 4 });
        let again = walk(&[dir.path().to_path_buf()], None, &Silent).unwrap();
        assert_eq!(listing.digest(), again.digest());
        fs::write(at("a/one.mid"), "MThd!").unwrap();
        assert_ne!(listing.digest(), walk(&[dir.path().to_path_buf()], None, &Silent).unwrap().digest());
    }

    #[test]
    fn a_directory_within_another_and_what_is_none_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let both = [dir.path().to_path_buf(), dir.path().join("in")];
        assert!(walk(&both, None, &Silent).unwrap_err().to_string().contains("within"));
        let file = walk(&[dir.path().join("file")], None, &Silent).unwrap_err();
        assert!(file.to_string().contains("no directory"), "{file}");
    }

    #[test]
    fn many_notes_of_a_kind_become_one() {
        let mut notes = Notes::default();
        for n in 0..100 {
            notes.thing("link", format!("l{n}"));
        }
        notes.say("cache", "warm");
        notes.say("cache", "warm");
        let finished = notes.finish();
        assert_eq!(finished.len(), 2);
        assert!(finished[0].text.ends_with("and 90 more"), "{}", finished[0].text);
    }
}
