//! The objects of a program: of every kind that a store treats in its own way.

use std::sync::LazyLock;

use stem_hash::{Algorithm, ObjectId};

use crate::source::{digest, noise};

/// How many there are.
pub(super) const COUNT: usize = 11;

/// An object.
pub(super) struct Blob {
    pub(super) bytes: Vec<u8>,
    ids: [ObjectId; 2],
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let ids = Algorithm::ALL.map(|algorithm| digest(algorithm, &bytes).id);
        Self { bytes, ids }
    }

    pub(super) fn id(&self, algorithm: Algorithm) -> ObjectId {
        let [first, second] = self.ids;
        if algorithm == Algorithm::ALL[0] { first } else { second }
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Empty, tiny, small and alike (for dictionaries), compressible, just long enough for chunks, long, long with a
/// beginning or an end in common, and samples.
pub(super) static BLOBS: LazyLock<[Blob; COUNT]> = LazyLock::new(|| {
    let text = |number: usize| {
        format!("{{\"track\": {number}, \"take\": \"{}\"}}", "kick drum ".repeat(number)).into_bytes()
    };
    let long = noise(5, 110_000);
    let shared = [&long[..80_000], &noise(6, 10_000)].concat();
    let moved = [&noise(7, 300)[..], &long].concat();
    [
        Vec::new(),
        vec![7],
        text(3),
        text(4),
        noise(1, 5_000),
        vec![0; 70_000],
        noise(2, 70_000),
        long,
        shared,
        moved,
        wav(18_000),
    ]
    .map(Blob::new)
});

/// 16 bits, stereo: a slow wave.
fn wav(frames: u16) -> Vec<u8> {
    let samples: Vec<u8> =
        (0..frames).flat_map(|n| [n % 1000 * 3, (n / 7) % 500]).flat_map(u16::to_le_bytes).collect();
    let size = u32::try_from(samples.len()).unwrap_or(0).to_le_bytes();
    let mut bytes =
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0data"
            .to_vec();
    bytes.extend_from_slice(&size);
    bytes.extend_from_slice(&samples);
    bytes
}
