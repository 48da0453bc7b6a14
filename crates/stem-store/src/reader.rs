//! Readers that cannot pass damaged bytes off as an object.
//!
//! Hashing while reading was chosen over checking before the first byte (a second pass over gigabytes) and over
//! trusting the medium. The price: damage is known only at the end. So the last piece of an object is withheld when the
//! whole is damaged, and a caller who has got all its bytes has got the object.

use std::fmt;
use std::io::{self, Read};

use stem_hash::{Algorithm, Hasher, ObjectId};

use crate::error::{Error, Operation};

/// An object being read.
///
/// Reading fails with an [`Error`] of kind [`crate::ErrorKind::Corrupt`] inside the [`io::Error`] (see
/// [`Error::from_reader`]) in place of the object's last bytes, if the bytes do not hash to the id. Whoever stops
/// before has no claim.
pub trait ObjectRead: Read + Send {
    /// The object's size in bytes, whatever was read of it.
    fn len(&self) -> u64;

    /// Whether the object has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for dyn ObjectRead + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectRead").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Hashes what a backend reads, and turns the end into an error when the id does not match.
#[derive(Debug)]
pub struct VerifyingReader<R> {
    inner: R,
    store: String,
    id: ObjectId,
    len: u64,
    left: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Reading(Box<Hasher>),
    Sound,
    Corrupt(&'static str),
}

impl<R: Read> VerifyingReader<R> {
    /// Reads object `id` of the store named `store`: `len` bytes, no more, from `inner`.
    pub fn new(
        inner: R,
        len: u64,
        id: &ObjectId,
        algorithm: Algorithm,
        store: impl Into<String>,
    ) -> VerifyingReader<R> {
        let hasher = Box::new(Hasher::new(algorithm));
        Self { inner, store: store.into(), id: *id, len, left: len, state: State::Reading(hasher) }
    }

    fn corrupt(&mut self, reason: &'static str) -> io::Error {
        self.state = State::Corrupt(reason);
        Error::corrupt(Operation::Read, self.store.as_str(), &self.id).with_reason(reason).into()
    }

    /// Ends the hash and judges it.
    fn judge(&mut self) -> io::Result<()> {
        let State::Reading(hasher) = std::mem::replace(&mut self.state, State::Sound) else { return Ok(()) };
        if hasher.finish().id == self.id {
            Ok(())
        } else {
            Err(self.corrupt("its bytes do not hash to its id; storing the object again repairs it"))
        }
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let hasher = match &mut self.state {
            State::Reading(hasher) => hasher,
            State::Sound => return Ok(0),
            State::Corrupt(reason) => {
                let reason = *reason;
                return Err(self.corrupt(reason));
            }
        };
        if self.left == 0 {
            self.judge()?;
            return Ok(0);
        }
        if buf.is_empty() {
            return Ok(0);
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        // A faulty reader may claim more than it had room for.
        let n = self.inner.read(&mut buf[..room])?.min(room);
        if n == 0 {
            return Err(self.corrupt("it ended before its size; storing the object again repairs it"));
        }
        hasher.update(&buf[..n]);
        self.left -= n as u64;
        if self.left == 0 {
            self.judge()?;
        }
        Ok(n)
    }
}

impl<R: Read + Send> ObjectRead for VerifyingReader<R> {
    fn len(&self) -> u64 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use proptest::prelude::*;

    fn id_of(bytes: &[u8]) -> ObjectId {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish().id
    }

    fn reader<'a>(bytes: &'a [u8], len: usize, id: &ObjectId) -> VerifyingReader<&'a [u8]> {
        VerifyingReader::new(bytes, len as u64, id, Algorithm::Sha256, "test:")
    }

    fn kind(error: io::Error) -> ErrorKind {
        Error::from_reader(error).unwrap().kind()
    }

    #[test]
    fn the_last_piece_of_a_damaged_object_is_withheld_and_the_error_stays() {
        let id = id_of(b"abc");
        let mut bad = reader(b"abX", 3, &id);
        let mut buf = [0; 2];
        assert_eq!(bad.read(&mut buf).unwrap(), 2);
        assert_eq!(kind(bad.read(&mut buf).unwrap_err()), ErrorKind::Corrupt);
        assert_eq!(kind(bad.read(&mut buf).unwrap_err()), ErrorKind::Corrupt);
        assert_eq!(kind(bad.read(&mut []).unwrap_err()), ErrorKind::Corrupt);
    }

    #[test]
    fn a_short_object_and_an_empty_one_under_a_wrong_id_are_damaged() {
        let id = id_of(b"abc");
        assert_eq!(kind(reader(b"ab", 3, &id).read_to_end(&mut Vec::new()).unwrap_err()), ErrorKind::Corrupt);
        assert_eq!(kind(reader(b"", 0, &id).read_to_end(&mut Vec::new()).unwrap_err()), ErrorKind::Corrupt);
    }

    #[test]
    fn bytes_after_the_size_are_not_read() {
        let id = id_of(b"abc");
        let mut out = Vec::new();
        reader(b"abcdef", 3, &id).read_to_end(&mut out).unwrap();
        assert_eq!(out, b"abc");
    }

    proptest! {
        #[test]
        fn any_way_of_reading_gives_the_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), step in 1usize..70) {
            let id = id_of(&bytes);
            let mut source = reader(&bytes, bytes.len(), &id);
            let (mut out, mut buf) = (Vec::new(), vec![0; step]);
            loop {
                match source.read(&mut buf).unwrap() {
                    0 => break,
                    n => out.extend_from_slice(&buf[..n]),
                }
            }
            prop_assert_eq!(&out, &bytes);
            prop_assert_eq!(source.read(&mut buf).unwrap(), 0);
        }
    }
}
