//! The incremental hasher: bytes in, [`Digest`] out.

use std::fmt;
use std::io::{self, Read, Write};

use crate::buffer::with_buffer;
use crate::checksum::{Checksum, ChecksumHasher};
use crate::file::HashOptions;
use crate::id::{Algorithm, ObjectId};
use crate::sha256::Sha256;

/// How many bytes go through the id's hash before the checksum takes them: small enough that they are
/// still in the innermost caches then.
pub(crate) const PIECE: usize = 16 * 1024;

/// What hashing some bytes gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest {
    /// The content address.
    pub id: ObjectId,
    /// The fast checksum, if it was asked for.
    pub checksum: Option<Checksum>,
    /// How many bytes there were.
    pub len: u64,
}

/// Hashes bytes that arrive piece by piece.
///
/// It is also a [`Write`] that never fails, for `io::copy`.
#[derive(Clone)]
pub struct Hasher {
    id: IdHasher,
    checksum: Option<ChecksumHasher>,
    len: u64,
}

#[derive(Clone)]
enum IdHasher {
    Sha256(Sha256),
    // Boxed: it is 2 KiB, the other 112 bytes.
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    /// A hasher that computes only the id.
    pub fn new(algorithm: Algorithm) -> Self {
        let id = match algorithm {
            Algorithm::Sha256 => IdHasher::Sha256(Sha256::new()),
            Algorithm::Blake3 => IdHasher::Blake3(Box::default()),
        };
        Self { id, checksum: None, len: 0 }
    }

    /// A hasher that computes the id and the checksum in one pass.
    pub fn with_checksum(algorithm: Algorithm) -> Self {
        Self { checksum: Some(ChecksumHasher::new()), ..Self::new(algorithm) }
    }

    /// A hasher that computes what the options ask for.
    pub fn with_options(options: &HashOptions) -> Self {
        if options.checksum { Self::with_checksum(options.algorithm) } else { Self::new(options.algorithm) }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let piece = if self.checksum.is_some() { PIECE } else { usize::MAX };
        for piece in bytes.chunks(piece) {
            match &mut self.id {
                IdHasher::Sha256(sha) => sha.update(piece),
                IdHasher::Blake3(blake3) => {
                    blake3.update(piece);
                }
            }
            if let Some(checksum) = &mut self.checksum {
                checksum.update(piece);
            }
        }
        self.len += bytes.len() as u64;
    }

    /// Takes the next bytes, on all threads of the current rayon pool where that is faster.
    ///
    /// It helps for BLAKE3 from about 128 KiB on, and more with every doubling; SHA-256 cannot be computed
    /// in parallel within one object, only its checksum runs beside it.
    pub fn update_parallel(&mut self, bytes: &[u8]) {
        const WORTHWHILE: usize = 128 * 1024;
        match &mut self.id {
            IdHasher::Blake3(blake3) if bytes.len() >= WORTHWHILE => {
                match &mut self.checksum {
                    None => {
                        blake3.update_rayon(bytes);
                    }
                    Some(checksum) => {
                        rayon::join(|| blake3.update_rayon(bytes).count(), || checksum.update(bytes));
                    }
                }
                self.len += bytes.len() as u64;
            }
            _ => self.update(bytes),
        }
    }

    /// The number of bytes taken so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was taken yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Digest {
        let id = match self.id {
            IdHasher::Sha256(sha) => sha.finish(),
            IdHasher::Blake3(blake3) => *blake3.finalize().as_bytes(),
        };
        Digest {
            id: ObjectId::from_bytes(id),
            checksum: self.checksum.map(|checksum| checksum.finish()),
            len: self.len,
        }
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match self.id {
            IdHasher::Sha256(_) => Algorithm::Sha256,
            IdHasher::Blake3(_) => Algorithm::Blake3,
        };
        f.debug_struct("Hasher")
            .field("algorithm", &algorithm)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Hashes everything that a reader gives, through one reused buffer of 1 MiB.
///
/// # Errors
///
/// Those of the reader; an interrupted read is tried again.
pub fn hash_reader(reader: &mut dyn Read, options: &HashOptions) -> io::Result<Digest> {
    let mut hasher = Hasher::with_options(options);
    with_buffer(|buffer| {
        loop {
            match reader.read(buffer) {
                Ok(0) => return Ok(()),
                // `min` because a faulty reader may claim more than it had room for.
                Ok(n) => hasher.update(&buffer[..n.min(buffer.len())]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    })?;
    Ok(hasher.finish())
}
