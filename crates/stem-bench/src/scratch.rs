//! The directory that a comparison works in.
//!
//! It lies on the file system of the files that are compared, for that is the disk that people ask about, and never
//! within them. Its lock is held as long as it is used: a run that was killed leaves a directory whose lock is free, and
//! the next run that looks at the same place removes it. A directory that somebody else made and that merely has such a name
//! is left alone: what a run leaves holds the lock's file.

use std::path::{Path, PathBuf};

use stem_fs::{Dir, FileKind, LockFile, LockKind, RelPath, available_space};

use crate::error::{Error, Result, show};

/// What the names of scratch directories begin with.
const PREFIX: &str = ".stem-bench-";
/// How many hex digits follow.
const RANDOM: usize = 16;
/// The file in there that is locked.
const LOCK: &str = "in-use.lock";
/// How often another name is tried.
const TRIES: usize = 8;

/// A scratch directory; removed with all that is in it on drop.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    dir: Dir,
    lock: Option<LockFile>,
}

impl Scratch {
    /// A scratch directory in `parent`. Leftovers there go first.
    pub(crate) fn new(parent: &Path) -> Result<Self> {
        let holder = Dir::open(parent)?;
        sweep(&holder);
        let mut last = None;
        for _ in 0..TRIES {
            let path = parent.join(unique());
            // Copies of people's files lie there: nobody else may look in.
            match stem_fs::create_private_dir(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(Error::io("make the scratch directory", &path, error)),
            }
            // Another run may take the directory for a leftover before it is locked: then another name is tried.
            let locked = Dir::open(&path).and_then(|dir| {
                let lock = LockFile::try_acquire(&dir, &name(LOCK)?, LockKind::Exclusive)?;
                Ok((dir, lock))
            });
            match locked {
                Ok((dir, Some(lock))) => return Ok(Self { path, dir, lock: Some(lock) }),
                Ok((_, None)) => {}
                Err(error) => {
                    let _ = std::fs::remove_dir_all(&path);
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(
            || Error::Invalid(format!("no scratch directory can be made in '{}'", show(parent))),
            Error::Fs,
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An empty directory in it; what was there before goes.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        self.remove(name)?;
        std::fs::create_dir(&path).map_err(|error| Error::io("make the directory", &path, error))?;
        Ok(path)
    }

    /// Removes a directory in it.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove the directory", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// Writes everything that waits to the disk, so that no operation pays for another.
    pub(crate) fn flush(&self) {
        // A flush that fails is the matter of whoever wrote; here it only keeps measurements apart.
        let _ = stem_fs::Barrier::new(&self.dir).and_then(|barrier| barrier.flush());
    }

    /// Whether files in it can share blocks.
    pub(crate) fn can_clone(&self) -> bool {
        let try_it = || -> stem_fs::Result<bool> {
            let one = name("clone-probe")?;
            let mut temp = self.dir.temp_file(0o600)?;
            std::io::Write::write_all(&mut temp, &[1; 4096])
                .map_err(|e| stem_fs::Error::new("write", temp.path(), e))?;
            temp.persist(&self.dir, &one, stem_fs::Publish::Replace)?;
            let Some(file) = self.dir.open_file(&one)? else { return Ok(false) };
            let cloned = self.dir.temp_file(0o600)?.clone_from(&file)?;
            self.dir.remove_file(&one)?;
            Ok(cloned)
        };
        try_it().unwrap_or(false)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Unlocked last: nobody else removes it meanwhile. What cannot be removed now, the next run tries again.
        let _ = std::fs::remove_dir_all(&self.path);
        self.lock = None;
    }
}

fn name(text: &str) -> stem_fs::Result<RelPath> {
    RelPath::new(text).map_err(|error| {
        stem_fs::Error::new("name", text, std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
    })
}

fn unique() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    format!("{PREFIX}{random:0RANDOM$x}")
}

fn is_ours(name: &[u8]) -> bool {
    let rest = name.strip_prefix(PREFIX.as_bytes());
    rest.is_some_and(|rest| rest.len() == RANDOM && rest.iter().all(u8::is_ascii_hexdigit))
}

/// Removes what runs left that were killed. What cannot be removed hinders nobody.
fn sweep(parent: &Dir) {
    for entry in parent.entries().unwrap_or_default() {
        if entry.kind != FileKind::Dir || !is_ours(&entry.name) {
            continue;
        }
        let swept = || -> stem_fs::Result<()> {
            let Ok(found) = RelPath::new(entry.name.clone()) else { return Ok(()) };
            let lock = name(LOCK)?;
            let Some(dir) = parent.sub(&found)? else { return Ok(()) };
            if dir.stat(&lock)?.is_none() {
                // Killed before it was locked, and so empty; or somebody else's, which this does not remove.
                let _ = std::fs::remove_dir(parent.full(&found));
                return Ok(());
            }
            if let Some(held) = LockFile::try_acquire(&dir, &lock, LockKind::Exclusive)? {
                let _ = std::fs::remove_dir_all(parent.full(&found));
                drop(held);
            }
            Ok(())
        };
        let _ = swept();
    }
}

/// Where to make the scratch directory for files in `directories`: the directory for temporary files if it is on their
/// file system, else the closest directory around them that can be written to.
pub(crate) fn place(directories: &[PathBuf], asked: Option<&Path>) -> Result<PathBuf> {
    let full = |path: &Path| path.canonicalize().map_err(|error| Error::io("examine", path, error));
    let resolved = directories.iter().map(|path| full(path)).collect::<Result<Vec<_>>>()?;
    let within = |path: &Path| resolved.iter().find(|dir| path.starts_with(dir));
    if let Some(asked) = asked {
        if !asked.is_dir() {
            return Err(Error::Invalid(format!(
                "'{}' is no directory: name one for --scratch that exists",
                show(asked)
            )));
        }
        let path = full(asked)?;
        return match within(&path) {
            None => Ok(path),
            Some(dir) => Err(Error::Invalid(format!(
                "the scratch directory '{}' lies within '{}', which is never written to: name another one",
                show(&path),
                show(dir)
            ))),
        };
    }
    let Some(first) = resolved.first() else {
        return Err(Error::Invalid("no directory is named".into()));
    };
    let device = |path: &Path| Dir::open(path).and_then(|dir| dir.stat_self()).ok().map(|stat| stat.device);
    let home = device(first);
    let temporary = full(&std::env::temp_dir()).ok();
    let around = first.ancestors().skip(1).map(Path::to_path_buf);
    for candidate in temporary.into_iter().chain(around) {
        if device(&candidate) == home && within(&candidate).is_none() && can_write(&candidate) {
            return Ok(candidate);
        }
    }
    Err(Error::Invalid(format!(
        "no directory on the file system of '{}' can be written to: name one by --scratch",
        show(first)
    )))
}

fn can_write(path: &Path) -> bool {
    Dir::open(path).and_then(|dir| dir.temp_file(0o600)).is_ok()
}

/// Refuses work that the file system has no room for.
pub(crate) fn check_room(path: &Path, needed: u64) -> Result<()> {
    match available_space(path) {
        Some(free) if free < needed => Err(Error::NoRoom { needed, free, path: path.to_path_buf() }),
        // Where the system does not say, it is tried.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(dir: &Path) -> Vec<String> {
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn it_goes_with_its_owner_and_a_leftover_goes_with_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path()).unwrap();
        std::fs::write(scratch.fresh("store").unwrap().join("x"), "x").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(scratch.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
        }
        // A second run leaves the first one's alone.
        let second = Scratch::new(parent.path()).unwrap();
        assert_eq!(left(parent.path()).len(), 2);
        assert!(scratch.path().join("store/x").exists());
        drop(second);
        // As a kill leaves it: the directory, and a lock that nobody holds.
        let mut killed = scratch;
        let path = killed.path().to_path_buf();
        killed.lock = None;
        std::mem::forget(killed);
        std::fs::create_dir(parent.path().join(".stem-bench-mine")).unwrap();
        let foreign = parent.path().join(".stem-bench-0123456789abcdef");
        std::fs::create_dir(&foreign).unwrap();
        std::fs::write(foreign.join("mine"), "mine").unwrap();
        let next = Scratch::new(parent.path()).unwrap();
        assert!(!path.exists() && next.path().exists());
        drop(next);
        let mut rest = left(parent.path());
        rest.sort();
        assert_eq!(rest, [".stem-bench-0123456789abcdef", ".stem-bench-mine"]);
    }

    #[test]
    fn a_panic_cleans_up() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().to_path_buf();
        let died = std::panic::catch_unwind(|| {
            let scratch = Scratch::new(&path).unwrap();
            scratch.fresh("store").unwrap();
            panic!("as tests may");
        });
        assert!(died.is_err());
        assert!(left(parent.path()).is_empty());
    }

    #[test]
    fn the_place_is_never_within_what_is_compared() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("dir");
        std::fs::create_dir_all(dir.join("in")).unwrap();
        let refused = place(std::slice::from_ref(&dir), Some(&dir.join("in"))).unwrap_err();
        assert!(refused.to_string().contains("never written"), "{refused}");
        assert!(place(std::slice::from_ref(&dir), Some(parent.path())).is_ok());
        let found = place(std::slice::from_ref(&dir), None).unwrap();
        assert!(!found.starts_with(dir.canonicalize().unwrap()));
        assert!(place(&[dir], Some(&parent.path().join("absent"))).is_err());
        assert!(matches!(check_room(parent.path(), u64::MAX), Err(Error::NoRoom { .. })));
    }
}
