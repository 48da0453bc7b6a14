//! Copying whole objects into files while looking at the bytes, once.
//!
//! A verifying pass after the copy was rejected: it costs a second read of everything. The checksum is what makes
//! looking as fast as copying; the id is asked only where the checksum is absent or disagrees.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use stem_fs::{CopyMethod, TempFile};
use stem_hash::{Algorithm, Checksum, ChecksumHasher, Hasher, ObjectId};

use crate::buffer::with_buffer;
use crate::error::{Error, Operation, Result};
use crate::options::{Progress, RestoreOptions, Restored, Verify};

/// Why [`copy_file`] stopped.
#[derive(Debug)]
pub enum CopyFailure {
    /// The source could not be read.
    Source(io::Error),
    /// The target could not be written.
    Target(io::Error),
    /// The progress callback broke.
    Stopped,
}

/// Copies all of `source` to the end of `target`, shows every piece to `see` before it is written, and says how many
/// bytes there were.
///
/// With `sparse`, pieces of zeros become holes; say so only when the source has holes itself, for looking costs time.
pub fn copy_file(
    source: &mut dyn Read,
    target: &mut TempFile,
    sparse: bool,
    progress: Option<Progress<'_>>,
    see: &mut dyn FnMut(&[u8]),
) -> std::result::Result<u64, CopyFailure> {
    with_buffer(|buffer| {
        let (mut len, mut hole) = (0u64, 0u64);
        loop {
            let n = match source.read(buffer) {
                // A faulty reader may claim more than it had room for.
                Ok(n) => n.min(buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(CopyFailure::Source(error)),
            };
            if n == 0 {
                break;
            }
            let piece = &buffer[..n];
            see(piece);
            if sparse && piece.iter().all(|&byte| byte == 0) {
                hole += n as u64;
            } else {
                skip(target, &mut hole).map_err(CopyFailure::Target)?;
                target.write_all(piece).map_err(CopyFailure::Target)?;
            }
            len += n as u64;
            if let Some(ControlFlow::Break(())) = progress.map(|told| told(n as u64)) {
                return Err(CopyFailure::Stopped);
            }
        }
        if hole > 0 {
            skip(target, &mut hole)
                .and_then(|()| target.as_std().stream_position())
                .and_then(|end| target.as_std().set_len(end))
                .map_err(CopyFailure::Target)?;
        }
        Ok(len)
    })
}

/// Moves the end of the file over a hole.
fn skip(target: &TempFile, hole: &mut u64) -> io::Result<()> {
    let distance = i64::try_from(std::mem::take(hole)).map_err(io::Error::other)?;
    if distance > 0 {
        target.as_std().seek(SeekFrom::Current(distance))?;
    }
    Ok(())
}

/// Which object is restored, and from which store.
#[derive(Debug, Clone, Copy)]
pub struct CopyJob<'a> {
    /// The object.
    pub id: &'a ObjectId,
    /// What made its id.
    pub algorithm: Algorithm,
    /// The store, for errors.
    pub store: &'a str,
    /// Whether pieces of zeros become holes; see [`copy_file`].
    pub sparse: bool,
}

impl CopyJob<'_> {
    /// An error that names the object.
    fn error(&self, error: Error) -> Error {
        error.with_id(self.id)
    }

    fn corrupt(&self) -> Error {
        Error::corrupt(Operation::Restore, self.store, self.id)
    }
}

/// What is watched while the bytes pass.
enum Look {
    Away,
    Id(Box<Hasher>),
    Checksum(Box<ChecksumHasher>, Checksum),
}

impl Look {
    fn new(verify: Verify, algorithm: Algorithm) -> Self {
        match verify {
            Verify::No => Self::Away,
            Verify::Id => Self::Id(Box::new(Hasher::new(algorithm))),
            Verify::Checksum(wanted) => Self::Checksum(Box::default(), wanted),
        }
    }

    fn see(&mut self, piece: &[u8]) {
        match self {
            Self::Away => {}
            Self::Id(hasher) => hasher.update(piece),
            Self::Checksum(hasher, _) => hasher.update(piece),
        }
    }

    /// Whether the bytes seen, which `target` holds, are known to be the object's.
    fn judge(self, target: &TempFile, job: &CopyJob<'_>) -> Result<bool> {
        match self {
            Self::Away => Ok(false),
            Self::Id(hasher) => {
                if hasher.finish().id == *job.id {
                    Ok(true)
                } else {
                    Err(job.corrupt())
                }
            }
            Self::Checksum(found, wanted) if found.finish() == wanted => Ok(true),
            // The checksum may be what is wrong: the id is the judge.
            Self::Checksum(..) => ask_id(target, job).map(|()| true),
        }
    }
}

/// Restores an object from a reader that does not verify, and verifies it in the same pass as `options` say.
pub fn copy_verified(
    source: &mut dyn Read,
    target: &mut TempFile,
    job: &CopyJob<'_>,
    options: &RestoreOptions<'_>,
) -> Result<Restored> {
    let mut look = Look::new(options.verify, job.algorithm);
    let len = copy_file(source, target, job.sparse, options.progress, &mut |piece| look.see(piece))
        .map_err(|failure| failure.restoring(target, job))?;
    let verified = look.judge(target, job)?;
    Ok(Restored { len, method: CopyMethod::Buffered, verified })
}

/// Checks as `options` say, and reports as progress, what came into `target` without passing through this process. Says
/// whether it is known to be the object.
pub fn verify_copy(target: &TempFile, job: &CopyJob<'_>, options: &RestoreOptions<'_>) -> Result<bool> {
    let mut look = Look::new(options.verify, job.algorithm);
    if !matches!(look, Look::Away) {
        read_target(target, &mut |piece| {
            look.see(piece);
            options.progress.map_or(ControlFlow::Continue(()), |told| told(piece.len() as u64))
        })
        .map_err(|failure| failure.restoring(target, job))?;
    }
    look.judge(target, job)
}

fn ask_id(target: &TempFile, job: &CopyJob<'_>) -> Result<()> {
    let mut hasher = Hasher::new(job.algorithm);
    read_target(target, &mut |piece| {
        hasher.update(piece);
        ControlFlow::Continue(())
    })
    .map_err(|failure| failure.restoring(target, job))?;
    if hasher.finish().id == *job.id { Ok(()) } else { Err(job.corrupt()) }
}

/// Reads a copy from its beginning to its end, where the position stays.
fn read_target(
    target: &TempFile,
    see: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> std::result::Result<(), CopyFailure> {
    let mut file = target.as_std();
    file.seek(SeekFrom::Start(0)).map_err(CopyFailure::Target)?;
    with_buffer(|buffer| {
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok(()),
                Ok(n) if see(&buffer[..n]).is_break() => return Err(CopyFailure::Stopped),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CopyFailure::Target(error)),
            }
        }
    })
}

impl CopyFailure {
    fn restoring(self, target: &TempFile, job: &CopyJob<'_>) -> Error {
        match self {
            Self::Stopped => job.error(Error::interrupted(Operation::Restore, job.store)),
            Self::Target(error) => {
                job.error(Error::from_io(Operation::Restore, job.store, error)).with_path(target.path())
            }
            Self::Source(error) => match Error::from_reader(error) {
                Ok(own) => own,
                Err(error) => job.error(Error::from_io(Operation::Restore, job.store, error)),
            },
        }
    }
}
