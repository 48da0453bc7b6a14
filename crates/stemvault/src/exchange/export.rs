//! An entry and its objects into a bundle.
//!
//! Nothing is locked: the entry is a root, so no collection removes what it names, and an object that moves between loose
//! and packed is found in either place. Every object is verified by the store's reader on its way.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use stem_bundle::{Front, MAGIC, Row, Stream, Target, WriteError, Writer, Written};
use stem_fs::{Dir, PartialFile, Publish, RelPath};
use stem_hash::ObjectId;
use stem_stash::format::entry::encode;
use stem_stash::{Phase, Progress, ShownEntry};
use stem_store::ObjectStore;

use super::error::{ExchangeError, some_of};
use super::{BundleCompression, paths_of, unfit_paths};
use crate::error::Result;
use crate::vault::Vault;

/// What the name of the partial file has after that of the bundle.
pub const PARTIAL_SUFFIX: &str = ".partial";

/// How to export.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// Objects that the receiver has, in any order: they are left out.
    pub have: Vec<ObjectId>,
    /// How objects are made smaller.
    pub compression: BundleCompression,
    /// Replace the file if it exists.
    pub replace: bool,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportResult {
    /// `stash@{N}`.
    pub stash_ref: String,
    /// The entry's id.
    pub stash_id: String,
    /// The entry's label.
    pub message: String,
    /// Number of files of the entry.
    pub files: usize,
    /// Number of objects in the bundle.
    pub objects: u64,
    /// Their length together in bytes.
    pub object_bytes: u64,
    /// Number of objects that were left out.
    pub left_out: u64,
    /// Length of the bundle in bytes.
    pub bytes: u64,
    /// How many of them were there from an earlier export that was stopped.
    pub resumed_bytes: u64,
}

impl Vault {
    /// Exports an entry into the file `name` of `dir`, which appears when it is whole and durable. Until then it grows in a
    /// file of that name and [`PARTIAL_SUFFIX`], which stays when the export fails, and which the same export goes on
    /// with.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`]: the file exists, objects are missing or damaged, it cannot be written.
    pub fn export(
        &self,
        reference: &str,
        dir: &Dir,
        name: &RelPath,
        options: &ExportOptions,
        progress: &dyn Progress,
    ) -> Result<ExportResult> {
        let exists = || ExchangeError::Exists { path: dir.full(name) };
        if !options.replace && dir.stat(name)?.is_some() {
            return Err(exists().into());
        }
        let job = self.prepare(reference, options)?;
        let partial_name = RelPath::new([name.as_bytes(), PARTIAL_SUFFIX.as_bytes()].concat())
            .map_err(|error| ExchangeError::Unfit(format!("the file's name cannot be used: {error}")))?;
        let Some(partial) = PartialFile::open(dir, &partial_name)? else {
            return Err(ExchangeError::Busy { path: dir.full(&partial_name) }.into());
        };
        let mut target = Partial(partial);
        if !target.is_ours().map_err(|error| stem_fs::Error::new("read", target.0.path(), error))? {
            return Err(ExchangeError::Foreign { path: dir.full(&partial_name) }.into());
        }
        let written = match job.write(self, &mut target, progress) {
            Ok(written) => written,
            Err(failed) => {
                let Partial(part) = target;
                let mut kept = Some((part.path().to_path_buf(), part.len()));
                if part.is_empty() {
                    kept = None;
                    // An empty file that stays is taken for a part by the next export.
                    let _ = part.remove();
                }
                return Err(job.told(failed, kept).into());
            }
        };
        progress.begin(Phase::Syncing, 0, 0);
        target.0.sync()?;
        let publish = if options.replace { Publish::Replace } else { Publish::New };
        match target.0.persist(name, publish) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists().into()),
            other => other?,
        }
        dir.sync()?;
        Ok(job.result(&written))
    }

    /// Exports an entry into a pipe or another writer, once.
    ///
    /// # Errors
    ///
    /// As for [`export`](Self::export). What was written is cut short then, and no reader takes it.
    pub fn export_to(
        &self,
        reference: &str,
        out: &mut dyn Write,
        options: &ExportOptions,
        progress: &dyn Progress,
    ) -> Result<ExportResult> {
        let job = self.prepare(reference, options)?;
        let written =
            job.write(self, &mut Stream(&mut *out), progress).map_err(|failed| job.told(failed, None))?;
        out.flush().map_err(|source| ExchangeError::Write { path: None, kept: None, source })?;
        Ok(job.result(&written))
    }

    /// Looks whether the entry can be exported at all.
    fn prepare(&self, reference: &str, options: &ExportOptions) -> Result<Job> {
        let shown = self.stash().show(reference)?;
        let unfit = unfit_paths(&shown.entry);
        if !unfit.is_empty() {
            let problem = format!("control characters in the name of {}: rename it", some_of(&unfit));
            return Err(ExchangeError::Unfit(problem).into());
        }
        let mut have = options.have.clone();
        have.sort_unstable();
        let mut rows = Vec::with_capacity(shown.files.len());
        let mut lacking = Vec::new();
        for file in &shown.files {
            let left_out = have.binary_search(&file.id).is_ok();
            match file.size {
                Some(len) => rows.push(Row { id: file.id, len, left_out }),
                // Of what the receiver has, only the length has to be known.
                None => match recorded_size(&shown, file).filter(|_| left_out) {
                    Some(len) => rows.push(Row { id: file.id, len, left_out }),
                    None => lacking.push(file.path.clone()),
                },
            }
        }
        if !lacking.is_empty() {
            return Err(ExchangeError::Lacking { paths: lacking }.into());
        }
        rows.sort_unstable_by_key(|row| row.id);
        rows.dedup_by_key(|row| row.id);
        let entry = encode(&shown.entry).map_err(stem_stash::Error::from)?;
        let algorithm = self.store().capabilities().algorithm;
        let front = Front { algorithm, compression: options.compression, entry, rows };
        Ok(Job { shown, front })
    }
}

/// What the entry remembers as the length of a file.
fn recorded_size(shown: &ShownEntry, file: &stem_stash::ShownFile) -> Option<u64> {
    let index = shown.entry.manifest.index_of(&file.path)?;
    shown.entry.file(index).map(|record| record.size)
}

/// An entry that can be exported.
struct Job {
    shown: ShownEntry,
    front: Front,
}

/// Why the writing ended, without words.
enum Failed {
    Unfit(String),
    Target(io::Error),
    Object(ObjectId, stem_store::Error),
    Stopped,
}

impl Job {
    fn write(
        &self,
        vault: &Vault,
        target: &mut dyn Target,
        progress: &dyn Progress,
    ) -> std::result::Result<Written, Failed> {
        let store: &dyn ObjectStore = &**vault.store();
        progress.begin(Phase::Exporting, self.front.present(), self.front.raw_len());
        let fail = |error| match error {
            WriteError::Target(error) => Failed::Target(error),
            other => Failed::Unfit(other.to_string()),
        };
        let mut writer = Writer::begin(target, &self.front).map_err(fail)?;
        while let Some(row) = writer.next_row() {
            let bad = |error| Failed::Object(row.id, error);
            let absent = || {
                let reason = "it vanished while it was exported";
                stem_store::Error::corrupt(stem_store::Operation::Read, store.name(), &row.id)
                    .with_reason(reason)
            };
            let object = store.open(&row.id).map_err(bad)?.ok_or_else(|| bad(absent()))?;
            let mut source = Watched { source: object, progress, stopped: false };
            match writer.object(&row, &mut source) {
                Ok(()) => progress.advance(1, 0),
                Err(WriteError::Source(_)) if source.stopped => return Err(Failed::Stopped),
                Err(WriteError::Source(error)) => {
                    let error = stem_store::Error::from_reader(error).unwrap_or_else(|error| {
                        stem_store::Error::corrupt(stem_store::Operation::Read, store.name(), &row.id)
                            .with_source(error)
                    });
                    return Err(bad(error));
                }
                Err(error) => return Err(fail(error)),
            }
        }
        writer.finish().map_err(fail)
    }

    fn told(&self, failed: Failed, kept: Option<(std::path::PathBuf, u64)>) -> ExchangeError {
        match failed {
            Failed::Unfit(problem) => ExchangeError::Unfit(problem),
            Failed::Target(source) => {
                ExchangeError::Write { path: kept.as_ref().map(|(path, _)| path.clone()), kept, source }
            }
            Failed::Object(id, source) => {
                ExchangeError::BadObject { paths: paths_of(&self.shown.entry, &[id]), kept, source }
            }
            Failed::Stopped => ExchangeError::Interrupted { kept },
        }
    }

    fn result(&self, written: &Written) -> ExportResult {
        let Self { shown, front } = self;
        ExportResult {
            stash_ref: format!("stash@{{{}}}", shown.index),
            stash_id: shown.stash_id.clone(),
            message: shown.entry.message.to_string_lossy().into_owned(),
            files: shown.files.len(),
            objects: front.present(),
            object_bytes: front.raw_len(),
            left_out: front.rows.len() as u64 - front.present(),
            bytes: written.len,
            resumed_bytes: written.kept,
        }
    }
}

/// An object on its way out, whose progress is told, and which ends when the user wants to stop.
struct Watched<'p, R> {
    source: R,
    progress: &'p dyn Progress,
    stopped: bool,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.progress.cancelled() {
            self.stopped = true;
            return Err(io::Error::other("interrupted"));
        }
        let len = self.source.read(buf)?;
        self.progress.advance(0, len as u64);
        Ok(len)
    }
}

/// The partial file as a target.
struct Partial(PartialFile);

impl Partial {
    /// Whether it is empty, the beginning of a bundle, or what a power cut leaves of one.
    fn is_ours(&mut self) -> io::Result<bool> {
        let mut there = [0; MAGIC.len()];
        let mut filled = 0;
        while let Some(room) = there.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.0.read_at(room, filled as u64)? {
                0 => break,
                len => filled += len,
            }
        }
        let there = there.get(..filled).unwrap_or_default();
        Ok(MAGIC.starts_with(there) || there.iter().all(|&byte| byte == 0))
    }
}

impl Target for Partial {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }
}

/// Passes the wish to stop and nothing else; for puts.
pub(super) fn goes_on(progress: &dyn Progress) -> ControlFlow<()> {
    if progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
