//! Copies of the files that were chosen, in the scratch directory.
//!
//! What is measured are the copies, so a file that changes later disturbs nothing, and a strategy may move its files away.
//! A file that changes *while* it is copied is left out and noted: nobody could say what it should have been. Copies have
//! plain names of our own, for a file's name need not be text.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;

use rayon::prelude::*;
use stem_fs::{Dir, Publish, RelPath};

use crate::error::{Error, Result, show};
use crate::job::Item;
use crate::material::{Chosen, Listing, Notes, Selection, problem};
use crate::model::{Amount, Class};
use crate::progress::Progress;

/// Files in one directory.
const IN_ONE: usize = 1000;

/// What was copied.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    pub(crate) items: Vec<Item>,
    /// The class of each.
    pub(crate) classes: Vec<Class>,
    pub(crate) notes: Notes,
}

impl Copies {
    pub(crate) fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.size).sum()
    }

    /// How much there is of each class.
    pub(crate) fn amounts(&self) -> BTreeMap<Class, Amount> {
        let mut amounts: BTreeMap<Class, Amount> = BTreeMap::new();
        for (item, class) in self.items.iter().zip(&self.classes) {
            let amount = amounts.entry(*class).or_default();
            amount.files += 1;
            amount.bytes += item.size;
        }
        amounts
    }
}

/// What became of one file.
enum Copied {
    Whole,
    Left(&'static str),
}

/// Copies the selection into the directory `to`.
pub(crate) fn copy(
    listing: &Listing,
    selection: &Selection,
    to: &Path,
    progress: &dyn Progress,
) -> Result<Copies> {
    let target = Dir::open(to)?;
    let names: Vec<String> =
        (0..selection.files.len()).map(|at| format!("{:04}/{at:08}", at / IN_ONE)).collect();
    for group in 0..selection.files.len().div_ceil(IN_ONE) {
        let path = to.join(format!("{group:04}"));
        std::fs::create_dir(&path).map_err(|error| Error::io("make the directory", &path, error))?;
    }
    let notes = Mutex::new(Notes::default());
    let note = |kind, what| notes.lock().unwrap_or_else(PoisonError::into_inner).thing(kind, what);
    let copied: Vec<Option<(Item, Class)>> = selection
        .files
        .par_iter()
        .zip(&names)
        .map(|(chosen, name)| {
            let Some(found) = listing.files.get(chosen.file) else { return Ok(None) };
            let Some(root) = listing.roots.get(found.root) else { return Ok(None) };
            let full = show(&root.full(&found.path));
            match one(listing, chosen, &target, name, progress)? {
                Copied::Whole => {
                    if chosen.bytes < found.stat.size {
                        note("cut", format!("{full} ({})", crate::error::size(chosen.bytes)));
                    }
                    let item =
                        Item { name: name.clone(), size: chosen.bytes, class: found.class, digest: None };
                    Ok(Some((item, found.class)))
                }
                Copied::Left(kind) => {
                    note(kind, full);
                    Ok(None)
                }
            }
        })
        .collect::<Result<_>>()?;
    let mut copies =
        Copies { notes: notes.into_inner().unwrap_or_else(PoisonError::into_inner), ..Copies::default() };
    for (item, class) in copied.into_iter().flatten() {
        copies.items.push(item);
        copies.classes.push(class);
    }
    Ok(copies)
}

/// Copies one file. An error is one of the scratch directory, or the wish to stop.
fn one(
    listing: &Listing,
    chosen: &Chosen,
    target: &Dir,
    name: &str,
    progress: &dyn Progress,
) -> Result<Copied> {
    let (Some(found), name) = (listing.files.get(chosen.file), plain(name)?) else {
        return Ok(Copied::Left("vanished"));
    };
    let Some(root) = listing.roots.get(found.root) else { return Ok(Copied::Left("vanished")) };
    let file = match root.open_file(&found.path) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Copied::Left("vanished")),
        Err(error) => return Ok(Copied::Left(problem(&error))),
    };
    let unchanged = || file.stat().is_ok_and(|stat| stat.same_content_times(&found.stat));
    if !unchanged() {
        return Ok(Copied::Left("changed"));
    }
    let mut temp = target.temp_file(0o600)?;
    let told = |bytes: u64| {
        progress.advance(bytes);
        if progress.cancelled() { Err(io::Error::other(stem_store::Stopped)) } else { Ok(()) }
    };
    let stopped = |error: Error| if progress.cancelled() { Error::Interrupted } else { error };
    if chosen.bytes == found.stat.size {
        // Reading and writing fail with the same type here: a disk that is full is the target's fault, all else is the
        // source's.
        if let Err(error) = temp.copy_from_with(&file, &mut |bytes| told(bytes)) {
            let error = stopped(Error::Fs(error));
            if error.is_full() || matches!(error, Error::Interrupted) {
                return Err(error);
            }
            return Ok(Copied::Left("unreadable"));
        }
    } else {
        let mut buffer = vec![0; 1 << 20];
        let mut part = (&file).take(chosen.bytes);
        loop {
            let count = match part.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(Copied::Left("unreadable")),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            io::Write::write_all(&mut temp, bytes).map_err(|e| Error::io("write", temp.path(), e))?;
            told(count as u64).map_err(|e| stopped(Error::io("write", temp.path(), e)))?;
        }
    }
    if temp.stat()?.size != chosen.bytes || !unchanged() {
        return Ok(Copied::Left("changed"));
    }
    temp.persist(target, &name, Publish::New)?;
    Ok(Copied::Whole)
}

/// Copies what was copied once more, for a strategy that moves its files away.
pub(crate) fn again(items: &[Item], from: &Path, to: &Path, progress: &dyn Progress) -> Result<()> {
    let (source, target) = (Dir::open(from)?, Dir::open(to)?);
    let groups: std::collections::BTreeSet<&str> =
        items.iter().filter_map(|item| item.name.split_once('/')).map(|(group, _)| group).collect();
    for group in groups {
        let path = to.join(group);
        std::fs::create_dir(&path).map_err(|error| Error::io("make the directory", &path, error))?;
    }
    items.par_iter().try_for_each(|item| {
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
        let name = plain(&item.name)?;
        let Some(file) = source.open_file(&name)? else {
            return Err(Error::io("find", &from.join(&item.name), io::ErrorKind::NotFound.into()));
        };
        let mut temp = target.temp_file(0o600)?;
        temp.copy_from(&file)?;
        Ok(temp.persist(&target, &name, Publish::New)?)
    })
}

/// A name that was made here.
pub(crate) fn plain(name: &str) -> Result<RelPath> {
    RelPath::new(name).map_err(|error| {
        Error::io("use the name", Path::new(name), io::Error::new(io::ErrorKind::InvalidInput, error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::material::{choose, walk};
    use crate::progress::Silent;
    use std::fs;

    #[test]
    fn what_changed_vanished_or_cannot_be_read_is_left_out_and_noted() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["stays.wav", "grows.wav", "goes.wav", "turns.wav"] {
            fs::write(at(name), vec![7; 300_000]).unwrap();
        }
        let listing = walk(&[dir.path().to_path_buf()], None, &Silent).unwrap();
        fs::write(at("grows.wav"), vec![7; 300_001]).unwrap();
        fs::remove_file(at("goes.wav")).unwrap();
        fs::remove_file(at("turns.wav")).unwrap();
        fs::create_dir(at("turns.wav")).unwrap();
        let to = tempfile::tempdir().unwrap();
        let copies = copy(&listing, &choose(&listing, None, 1), to.path(), &Silent).unwrap();
        assert_eq!(copies.items.len(), 1);
        assert_eq!(fs::read(to.path().join(&copies.items[0].name)).unwrap(), vec![7; 300_000]);
        let kinds: Vec<String> = copies.notes.finish().into_iter().map(|note| note.kind).collect();
        assert_eq!(kinds, ["changed", "unreadable", "vanished"]);
        let more = tempfile::tempdir().unwrap();
        again(&copies.items, to.path(), more.path(), &Silent).unwrap();
        assert_eq!(fs::read(more.path().join(&copies.items[0].name)).unwrap(), vec![7; 300_000]);
    }

    #[test]
    fn a_part_is_copied_from_the_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        fs::write(dir.path().join("long"), &bytes).unwrap();
        let listing = walk(&[dir.path().to_path_buf()], None, &Silent).unwrap();
        let to = tempfile::tempdir().unwrap();
        let copies = copy(&listing, &choose(&listing, Some(1 << 20), 1), to.path(), &Silent).unwrap();
        assert_eq!(fs::read(to.path().join(&copies.items[0].name)).unwrap(), bytes[..1 << 20]);
        assert_eq!(copies.notes.finish()[0].kind, "cut");
    }
}
