//! Taking a saved file out of the working tree without losing a byte that somebody writes meanwhile.
//!
//! Unlinking was rejected: a program that looked the path up a moment earlier may open the file after the last check,
//! and what it writes would go to a file without a name. So the file is first moved aside, under a lease, and only when
//! all else is done looked at once more and removed; if a writer came in between it goes back to its path.

use stem_fs::{
    ASIDE_PREFIX, Dir, Error as FsError, OpenFile, Publish, ReadLease, Refused, RelPath, Stat, aside_name,
};
use stem_hash::{Algorithm, Digest, FileJob, HashOptions, ObjectId, hash_file};
use stem_store::ObjectStore;

use crate::error::{Reason, Result};
use crate::progress::Progress;
use crate::undo::shelter::Sheltered;

/// A file that was saved and should go.
#[derive(Clone, Copy)]
pub(crate) struct Leaving<'a> {
    pub(crate) path: &'a RelPath,
    /// The file when it was hashed.
    pub(crate) stat: &'a Stat,
    /// What it was hashed to.
    pub(crate) id: &'a ObjectId,
    pub(crate) algorithm: Algorithm,
    /// Whether nobody was writing while it was hashed.
    pub(crate) leased: bool,
}

/// A file that was moved aside.
#[derive(Debug)]
pub(crate) struct Aside {
    path: RelPath,
    name: RelPath,
    stat: Stat,
}

/// Moves the file aside, into `tmp`; the reason, if it has to stay where it is.
pub(crate) fn move_aside(
    work: &Dir,
    tmp: &Dir,
    leaving: Leaving<'_>,
) -> Result<std::result::Result<Aside, Reason>> {
    let path = leaving.path;
    let file = match work.open_file(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Err(Reason::Vanished)),
        Err(_) => return Ok(Err(Reason::Changed)),
    };
    let lease = match ReadLease::take(&file) {
        Ok(lease) => Some(lease),
        Err(Refused::Busy) => return Ok(Err(Reason::Busy)),
        Err(Refused::Unavailable) => None,
    };
    if !is_as_saved(&file, leaving, lease.is_some())? {
        return Ok(Err(Reason::Changed));
    }
    let name = aside_name();
    if let Err(error) = work.rename(path, tmp, &name, Publish::New) {
        // One directory that may not be changed is no reason to leave all others as they are.
        return if is_refusal(error.kind()) {
            Ok(Err(Reason::Blocked(error.source.to_string())))
        } else {
            Err(error.into())
        };
    }
    let aside = Aside { path: path.clone(), name, stat: *leaving.stat };
    // Another file may have taken the path since it was opened; and a writer may be waiting for the lease.
    let moved = tmp.stat(&aside.name)?;
    let same_file = moved.is_some_and(|moved| moved.same_content_times(leaving.stat));
    if !same_file || lease.is_some_and(|lease| !lease.held()) {
        aside.put_back(work, tmp)?;
        return Ok(Err(if same_file { Reason::Busy } else { Reason::Changed }));
    }
    Ok(Ok(aside))
}

fn is_as_saved(file: &OpenFile, leaving: Leaving<'_>, leased: bool) -> Result<bool> {
    let before = file.stat()?;
    if !before.same_content_times(leaving.stat) {
        return Ok(false);
    }
    if leased && leaving.leased && before.same_version(leaving.stat) {
        return Ok(true);
    }
    // Without leases on both sides a store through an old mapping may have moved no time, and a ctime also moves when
    // another name of the file goes: the bytes decide.
    let digest = digest_of(file, leaving.algorithm)?;
    Ok(digest.id == *leaving.id && file.stat()?.same_version(&before))
}

/// What the whole file hashes to, without mapping it: somebody may be writing.
fn digest_of(file: &OpenFile, algorithm: Algorithm) -> Result<Digest> {
    let job = FileJob::new(file.as_std(), file.stat()?.size);
    let options = HashOptions { mmap: false, ..HashOptions::new(algorithm) };
    Ok(hash_file(&job, &options, &|_| ()).map_err(|e| FsError::new("read", file.path(), e))?)
}

/// Takes away what a power cut left of a file that was being restored from the object `id`: restored files have their
/// names before the flush that makes their bytes durable, and may come back empty, cut, or full of zeros. Nothing else
/// at that path is touched; nothing is lost, for remains hold no byte that the object does not.
pub(crate) fn remove_remains(
    work: &Dir,
    tmp: &Dir,
    path: &RelPath,
    store: &dyn ObjectStore,
    id: &ObjectId,
) -> Result<()> {
    let Ok(Some(file)) = work.open_file(path) else { return Ok(()) };
    let stat = file.stat()?;
    if store.stat(id)?.is_none_or(|object| object.size < stat.size) {
        return Ok(());
    }
    let algorithm = store.capabilities().algorithm;
    let digest = digest_of(&file, algorithm)?;
    if digest.id == *id || !is_beginning(&file, store, id)? {
        return Ok(());
    }
    let leaving = Leaving { path, stat: &stat, id: &digest.id, algorithm, leased: false };
    if let Ok(aside) = move_aside(work, tmp, leaving)? {
        // Put back, if somebody came to write to it.
        let _ = aside.remove(work, tmp)?;
    }
    Ok(())
}

/// Whether the file holds the first bytes of the object, and after those only zeros.
fn is_beginning(file: &OpenFile, store: &dyn ObjectStore, id: &ObjectId) -> Result<bool> {
    let Some(mut object) = store.open(id)? else { return Ok(false) };
    let failed = |e| FsError::new("read", file.path(), e);
    let (mut found, mut expected) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let (mut at, mut only_zeros) = (0, false);
    loop {
        let read = file.read_at(&mut found, at).map_err(failed)?;
        let (Some(part), Some(original)) = (found.get(..read), expected.get_mut(..read)) else {
            return Ok(false);
        };
        if part.is_empty() {
            return Ok(true);
        }
        if !only_zeros {
            if object.read_exact(original).is_err() {
                return Ok(false);
            }
            let same = part.iter().zip(&*original).take_while(|(a, b)| a == b).count();
            only_zeros = same < read;
            if part.iter().skip(same).any(|&byte| byte != 0) {
                return Ok(false);
            }
        } else if part.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        at += read as u64;
    }
}

/// Files that a dead verb had moved aside: saved, so they go, unless a program wrote to them since.
pub(crate) fn collect_asides(tmp: &Dir, store: &Sheltered<'_>, progress: &dyn Progress) -> Result<()> {
    for entry in tmp.entries()? {
        if !stem_fs::is_left_over(&entry.name, ASIDE_PREFIX) {
            continue;
        }
        let Ok(name) = RelPath::new(entry.name) else { continue };
        let Some(file) = tmp.open_file(&name)? else { continue };
        let options = HashOptions { mmap: false, ..HashOptions::new(store.capabilities().algorithm) };
        let job = FileJob::new(file.as_std(), file.stat()?.size);
        let digest =
            hash_file(&job, &options, &|_| ()).map_err(|e| stem_fs::Error::new("read", file.path(), e))?;
        let busy = matches!(ReadLease::take(&file), Err(Refused::Busy));
        if !busy && store.stat(&digest.id)?.is_some_and(|stat| stat.size == digest.len) {
            tmp.remove_file(&name)?;
        } else {
            progress.warn(&format!(
                "a file that an interrupted command had moved aside was changed since: it is kept as '{}'",
                file.path().display()
            ));
        }
    }
    Ok(())
}

impl Aside {
    /// Removes the file for good, or puts it back and says why.
    pub(crate) fn remove(self, work: &Dir, tmp: &Dir) -> Result<std::result::Result<(), (RelPath, Reason)>> {
        let Some(file) = tmp.open_file(&self.name)? else { return Ok(Ok(())) };
        let lease = ReadLease::take(&file);
        let busy = matches!(lease, Err(Refused::Busy));
        if busy || !file.stat()?.same_content_times(&self.stat) {
            self.put_back(work, tmp)?;
            return Ok(Err((self.path, if busy { Reason::Busy } else { Reason::Changed })));
        }
        tmp.remove_file(&self.name)?;
        Ok(Ok(()))
    }

    /// Gives the file its path again, or one beside it when that is taken.
    pub(crate) fn put_back(&self, work: &Dir, tmp: &Dir) -> Result<()> {
        return_to(tmp, &self.name, work, &self.path)
    }
}

/// Moves what is at `name` in `dir` to `path` in the working tree: beside it when that is taken, and to the root of the
/// working tree when its directory cannot be had again.
pub(crate) fn return_to(dir: &Dir, name: &RelPath, work: &Dir, path: &RelPath) -> Result<()> {
    // The directory may have been removed meanwhile; no sync, for the file is only where it was.
    let has_parent = path.parent().is_none_or(|parent| work.ensure_dir_with(&parent, &mut |_| ()).is_ok());
    let home = if has_parent { path.clone() } else { path.last() };
    let mut goal = home.clone();
    let mut attempt = 0;
    loop {
        match dir.rename(name, work, &goal, Publish::New) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < 1000 => {
                attempt += 1;
                goal = beside(&home, attempt).unwrap_or(goal);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the system forbids the change, rather than failing at it; a mount within the working tree counts as that.
pub(crate) fn is_refusal(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind;
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::CrossesDevices)
}

/// `kick.wav` → `kick.wav.kept-1`.
fn beside(path: &RelPath, attempt: u32) -> Option<RelPath> {
    let suffix = format!(".kept-{attempt}");
    let bytes = path.as_bytes();
    // The name may fill its limit already.
    let keep = path.file_name().len().min(stem_fs::MAX_COMPONENT - suffix.len());
    let stem = bytes.len() - path.file_name().len() + keep;
    RelPath::new([&bytes[..stem], suffix.as_bytes()].concat()).ok()
}
