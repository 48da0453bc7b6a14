//! Hashing files of the working tree only to know what they are: nothing is removed on the strength of it.

use std::io;
use std::sync::OnceLock;

use stem_fs::{Dir, LeasedFile, OpenFile, Refused, Stat};
use stem_hash::{Digest, HashFile, HashObserver, HashOptions, HashSource, hash_many};

use crate::error::{Error, Reason, Result};
use crate::progress::Progress;
use crate::walk::WorkFile;

/// What a file was when it was hashed.
pub(crate) struct Hashed {
    pub(crate) digest: Digest,
    pub(crate) stat: Stat,
    /// Whether nobody could write to it meanwhile.
    pub(crate) leased: bool,
}

/// Hashes all files on all threads, each under a read lease where the system grants one. Two per thread are open at a
/// time.
pub(crate) fn hash_files(
    work: &Dir,
    files: &[&WorkFile],
    options: HashOptions,
    progress: &dyn Progress,
    interrupted: &'static str,
) -> Result<Vec<std::result::Result<Hashed, Reason>>> {
    let sources: Vec<Source<'_>> =
        files.iter().map(|file| Source { work, file, outcome: OnceLock::new() }).collect();
    let _ = hash_many(&sources, &options, &Told(progress));
    if progress.cancelled() {
        return Err(Error::Interrupted(interrupted));
    }
    let outcome = |source: Source<'_>| source.outcome.into_inner().unwrap_or(Err(Reason::Vanished));
    Ok(sources.into_iter().map(outcome).collect())
}

/// Passes the progress of [`hash_many`] on.
pub(crate) struct Told<'a>(pub(crate) &'a dyn Progress);

impl HashObserver for Told<'_> {
    fn progress(&self, bytes: u64) {
        self.0.advance(0, bytes);
    }

    fn finished(&self, _index: usize, _result: &io::Result<Digest>) {
        self.0.advance(1, 0);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

struct Source<'a> {
    work: &'a Dir,
    file: &'a WorkFile,
    outcome: OnceLock<std::result::Result<Hashed, Reason>>,
}

/// An open file, leased if the system allowed it.
enum Guarded {
    Leased(LeasedFile),
    Plain(OpenFile),
}

impl Guarded {
    fn file(&self) -> &OpenFile {
        match self {
            Self::Leased(file) => file.file(),
            Self::Plain(file) => file,
        }
    }

    fn held(&self) -> bool {
        matches!(self, Self::Leased(file) if file.held())
    }
}

struct Opened {
    file: Guarded,
    stat: Stat,
}

impl HashFile for Opened {
    fn file(&self) -> &std::fs::File {
        self.file.file().as_std()
    }

    fn safe_to_map(&self) -> bool {
        self.file.held()
    }
}

impl HashSource for Source<'_> {
    type Opened = Opened;

    fn expected_len(&self) -> u64 {
        self.file.stat.size
    }

    fn open(&self) -> io::Result<Opened> {
        let give_up = |reason| {
            let _ = self.outcome.set(Err(reason));
            Err(io::Error::other("not opened"))
        };
        let file = match self.work.open_file(&self.file.path) {
            Ok(Some(file)) => file,
            Ok(None) => return give_up(Reason::Vanished),
            Err(error) => return give_up(Reason::Unreadable(error.source.to_string())),
        };
        let file = match LeasedFile::take(file) {
            Ok(file) => Guarded::Leased(file),
            Err((file, Refused::Busy | Refused::Unavailable)) => Guarded::Plain(file),
        };
        match file.file().stat() {
            Ok(stat) => Ok(Opened { file, stat }),
            Err(error) => give_up(Reason::Unreadable(error.source.to_string())),
        }
    }

    fn close(&self, opened: Opened, result: &io::Result<Digest>) {
        let outcome = match result {
            Ok(digest) => {
                let leased = digest.len == opened.stat.size && opened.file.held();
                Ok(Hashed { digest: *digest, stat: opened.stat, leased })
            }
            Err(error) => Err(Reason::Unreadable(error.to_string())),
        };
        let _ = self.outcome.set(outcome);
    }
}
