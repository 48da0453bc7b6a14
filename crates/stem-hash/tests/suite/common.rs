//! Bytes, files and oracles for the tests of this crate.

use std::fs::File;
use std::path::Path;

use sha2::Digest as _;
use stem_hash::{Algorithm, Checksum, Digest, HashOptions, ObjectId};

/// Bytes that differ everywhere and from seed to seed.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// What the libraries say that these bytes hash to.
pub(crate) fn oracle(bytes: &[u8], options: &HashOptions) -> Digest {
    let id = match options.algorithm {
        Algorithm::Sha256 => sha2::Sha256::digest(bytes).into(),
        Algorithm::Blake3 => *blake3::hash(bytes).as_bytes(),
        _ => panic!("an algorithm without an oracle"),
    };
    Digest {
        id: ObjectId::from_bytes(id),
        checksum: options.checksum.then(|| Checksum::from_u128(twox_hash::XxHash3_128::oneshot(bytes))),
        len: bytes.len() as u64,
    }
}

/// All eight combinations.
pub(crate) fn all_options() -> Vec<HashOptions> {
    let mut all = Vec::new();
    for algorithm in Algorithm::ALL {
        for checksum in [false, true] {
            for mmap in [false, true] {
                all.push(HashOptions { algorithm, checksum, mmap });
            }
        }
    }
    all
}

/// A file with these bytes, open for reading.
pub(crate) fn file(directory: &Path, name: &str, bytes: &[u8]) -> File {
    let path = directory.join(name);
    std::fs::write(&path, bytes).expect("write a test file");
    File::open(path).unwrap()
}

/// A pool of its own, so that tests do not share threads.
pub(crate) fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}
