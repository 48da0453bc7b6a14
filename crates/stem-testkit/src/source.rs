//! Bytes to store and awkward ways to hand them over.

use std::io::{self, Read};

use stem_hash::{Algorithm, Digest, Hasher};

/// `len` bytes that do not compress and differ for every seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&next(&mut state).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The generator `SplitMix64` (Steele, Lea and Flood, 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Id, checksum and length of these bytes.
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::with_checksum(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// Hands out its bytes a few at a time, with interruptions, and may fail instead of ending.
#[derive(Debug)]
pub struct Awkward<'a> {
    bytes: &'a [u8],
    fails: bool,
    calls: u64,
}

impl<'a> Awkward<'a> {
    /// All bytes in pieces of changing size.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, fails: false, calls: 0 }
    }

    /// All bytes and then an error.
    pub fn failing(bytes: &'a [u8]) -> Self {
        Self { bytes, fails: true, calls: 0 }
    }
}

impl Read for Awkward<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.bytes.is_empty() && self.fails {
            return Err(io::Error::other("the source broke"));
        }
        let want = usize::try_from(next(&mut self.calls.clone()) % 70_000).unwrap_or(0) + 1;
        let room = want.min(buf.len());
        self.bytes.read(&mut buf[..room])
    }
}
