//! Writes a session below a directory, changes it into another, and checks that a directory holds it.
//!
//! The one module that touches the file system. A file that exists is unlinked before it is made anew, never
//! truncated: its inode may by then belong to a store that adopted it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::file::FileSpec;

/// Making files is bound by one core each; two keep a disk busy and leave the rest of the machine alone.
const WORKERS: usize = 2;
/// Bytes between two reports of progress.
const REPORT: u64 = 1 << 20;

/// Why a tree could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A path would leave the directory.
    #[error("the path {0:?} does not stay below the directory of the session")]
    Path(String),
}

/// What [`write_changes`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Files that were not there before.
    pub added: usize,
    /// Files whose bytes are other ones now.
    pub modified: usize,
    /// Files that got another path.
    pub renamed: usize,
    /// Files that are gone.
    pub deleted: usize,
    /// Bytes written.
    pub written: u64,
}

/// Writes `files` below `dir`, which is made when missing; `progress` is told how many bytes came since it was last
/// called, on the caller's thread.
pub fn write_tree(dir: &Path, files: &[FileSpec], progress: &mut dyn FnMut(u64)) -> Result<(), TreeError> {
    let files: Vec<&FileSpec> = files.iter().collect();
    write_files(dir, &files, progress)
}

/// Makes `after` out of a directory that holds `before`: renames, deletes, and writes what is new or differs. What
/// `before` does not name is left alone; directories stay.
pub fn write_changes(
    dir: &Path,
    before: &[FileSpec],
    after: &[FileSpec],
    progress: &mut dyn FnMut(u64),
) -> Result<Changes, TreeError> {
    let old: BTreeMap<&str, &FileSpec> = before.iter().map(|file| (file.path.as_str(), file)).collect();
    let new: BTreeSet<&str> = after.iter().map(|file| file.path.as_str()).collect();
    let mut gone: Vec<&FileSpec> = before.iter().filter(|file| !new.contains(file.path.as_str())).collect();
    let mut changes = Changes::default();
    let mut pending = Vec::new();
    for file in after {
        match old.get(file.path.as_str()) {
            Some(known) if known.kind == file.kind => continue,
            Some(_) => changes.modified += 1,
            None => match gone.iter().position(|known| known.kind == file.kind) {
                Some(found) => {
                    rename(&locate(dir, &gone.swap_remove(found).path)?, &locate(dir, &file.path)?)?;
                    changes.renamed += 1;
                    continue;
                }
                None => changes.added += 1,
            },
        }
        changes.written += file.len;
        pending.push(file);
    }
    for file in gone {
        let path = locate(dir, &file.path)?;
        fs::remove_file(&path).map_err(failed("delete", &path))?;
        changes.deleted += 1;
    }
    write_files(dir, &pending, progress)?;
    Ok(changes)
}

/// The paths of those `files` that `dir` does not hold byte for byte, sorted.
pub fn verify_tree(
    dir: &Path,
    files: &[FileSpec],
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<String>, TreeError> {
    let files: Vec<&FileSpec> = files.iter().collect();
    let wrong = std::sync::Mutex::new(Vec::new());
    in_parallel(&files, progress, &|file, report| {
        let path = locate(dir, &file.path)?;
        let same = match open_regular(&path) {
            Ok(Some(opened)) => {
                let mut source = Reported { inner: opened, report };
                file.matches(&mut source).map_err(failed("read", &path))?
            }
            Ok(None) => false,
            Err(error) => return Err(failed("open", &path)(error)),
        };
        if !same {
            // A poisoned list is still a list: what is in it is true.
            wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(file.path.clone());
        }
        Ok(())
    })?;
    let mut wrong = wrong.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    wrong.sort_unstable();
    Ok(wrong)
}

/// `None` when there is no regular file; a FIFO is never opened, since that would wait.
fn open_regular(path: &Path) -> io::Result<Option<File>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => File::open(path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_files(dir: &Path, files: &[&FileSpec], progress: &mut dyn FnMut(u64)) -> Result<(), TreeError> {
    let mut parents = BTreeSet::from([dir.to_path_buf()]);
    for file in files {
        if let Some(parent) = locate(dir, &file.path)?.parent() {
            parents.insert(parent.to_path_buf());
        }
    }
    for parent in parents {
        fs::create_dir_all(&parent).map_err(failed("create the directory", &parent))?;
    }
    in_parallel(files, progress, &|file, report| {
        let path = locate(dir, &file.path)?;
        write_file(file, &path, report).map_err(failed("write", &path))
    })
}

fn write_file(file: &FileSpec, path: &Path, report: Report<'_>) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut out = Reported { inner: opened, report };
    file.write_to(&mut out)?;
    out.flush()
}

/// Runs `work` over `files`, longest first so that the last worker does not finish alone; the first error stops all.
fn in_parallel(
    files: &[&FileSpec],
    progress: &mut dyn FnMut(u64),
    work: &(dyn Fn(&FileSpec, Report<'_>) -> Result<(), TreeError> + Sync),
) -> Result<(), TreeError> {
    let mut order: Vec<&FileSpec> = files.to_vec();
    order.sort_by_key(|file| std::cmp::Reverse(file.len));
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let (sender, receiver) = channel();
    let (order, next, stop) = (&order, &next, &stop);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS.min(order.len()))
            .map(|_| {
                let sender = sender.clone();
                scope.spawn(move || {
                    let mut report = Pending { sender, bytes: 0 };
                    while !stop.load(Ordering::Relaxed) {
                        let Some(file) = order.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                        if let Err(error) = work(file, &mut report) {
                            stop.store(true, Ordering::Relaxed);
                            return Err(error);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        drop(sender);
        for bytes in receiver {
            progress(bytes);
        }
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            // Nothing in `work` panics; if it ever does, that is not an error of the file system.
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// Bytes done and not yet told.
struct Pending {
    sender: Sender<u64>,
    bytes: u64,
}

type Report<'a> = &'a mut Pending;

impl Pending {
    fn add(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or(0);
        if self.bytes >= REPORT {
            self.tell();
        }
    }

    fn tell(&mut self) {
        // The receiver outlives every worker; without it there is no one to tell.
        let _ = self.sender.send(std::mem::take(&mut self.bytes));
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.tell();
        }
    }
}

/// A file whose traffic is reported.
struct Reported<'a> {
    inner: File,
    report: Report<'a>,
}

impl Write for Reported<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.report.add(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl io::Read for Reported<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.report.add(count);
        Ok(count)
    }
}

/// Moves a file that is there to a path that is not, making the directories on the way.
fn rename(from: &Path, to: &Path) -> Result<(), TreeError> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(failed("create the directory", parent))?;
    }
    fs::rename(from, to).map_err(failed("rename", from))
}

/// `path` below `dir`, refused unless every component is an ordinary name.
fn locate(dir: &Path, path: &str) -> Result<PathBuf, TreeError> {
    let ordinary = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['\\', ':', '\0']);
    if !path.split('/').all(ordinary) {
        return Err(TreeError::Path(path.to_owned()));
    }
    Ok(path.split('/').fold(dir.to_path_buf(), |whole, name| whole.join(name)))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TreeError {
    let path = path.to_path_buf();
    move |source| TreeError::Io { action, path, source }
}
