//! The incremental hasher against the libraries.

use std::io::{self, Read, Write};

use crate::common::{all_options, bytes, oracle, pool};
use proptest::prelude::*;
use stem_hash::{Algorithm, Checksum, ChecksumHasher, HashOptions, Hasher, hash_reader};

#[test]
fn published_vectors() {
    let digest = |algorithm, message: &[u8]| {
        let mut hasher = Hasher::with_checksum(algorithm);
        hasher.update(message);
        hasher.finish()
    };
    let cases: [(Algorithm, &[u8], &str); 4] = [
        (Algorithm::Sha256, b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Algorithm::Sha256, b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Algorithm::Blake3, b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (Algorithm::Blake3, b"abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    ];
    for (algorithm, message, expected) in cases {
        let digest = digest(algorithm, message);
        assert_eq!(digest.id.to_string(), expected);
        assert_eq!(digest.checksum, Some(Checksum::of(message)));
        assert_eq!(digest.len, message.len() as u64);
    }
    assert_eq!(Checksum::of(b"").to_string(), "99aa06d3014798d86001c324468d497f");
}

/// Gives few bytes at a time, with interruptions, and may fail at the end.
struct Dribble<'a> {
    bytes: &'a [u8],
    calls: usize,
    fails: bool,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.bytes.is_empty() && self.fails {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = self.bytes.len().min(buffer.len()).min(1 + self.calls * 7 % 5000);
        let (head, tail) = self.bytes.split_at(count);
        buffer[..count].copy_from_slice(head);
        self.bytes = tail;
        Ok(count)
    }
}

#[test]
fn readers_are_read_to_their_end() {
    for options in all_options() {
        for len in [0, 1, 64, 70_000, (2 << 20) + 1] {
            let message = bytes(3, len);
            let mut reader = Dribble { bytes: &message, calls: 0, fails: false };
            assert_eq!(hash_reader(&mut reader, &options).unwrap(), oracle(&message, &options));
            let mut reader = Dribble { bytes: &message, calls: 0, fails: true };
            let error = hash_reader(&mut reader, &options).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
    }
}

/// Hashes something else by the same thread's buffer while it is being read.
struct Nested(u8);

impl Read for Nested {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(7);
        let inner = hash_reader(&mut &b"abc"[..], &HashOptions::default())?;
        assert_eq!(inner, oracle(b"abc", &HashOptions::default()));
        self.0 += 1;
        Ok(if self.0 < 3 { buffer.len() } else { 0 })
    }
}

#[test]
fn a_reader_may_hash_while_it_is_read() {
    let digest = hash_reader(&mut Nested(0), &HashOptions::default()).unwrap();
    let len = usize::try_from(digest.len).unwrap();
    assert_eq!(digest, oracle(&vec![7; len], &HashOptions::default()));
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        seed: u64,
        len in prop_oneof![0usize..300, 0usize..400_000],
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        parallel: bool,
        threads in 1usize..4,
    ) {
        let message = bytes(seed, len);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
        cuts.sort_unstable();
        let mut checksum = ChecksumHasher::new();
        for options in all_options() {
            let mut hasher = Hasher::with_options(&options);
            let mut from = 0;
            for &to in cuts.iter().chain([&len]) {
                let piece = &message[from..to];
                if parallel {
                    pool(threads).install(|| hasher.update_parallel(piece));
                } else {
                    hasher.write_all(piece).unwrap();
                }
                from = to;
            }
            prop_assert_eq!(hasher.len(), len as u64);
            prop_assert_eq!(hasher.finish(), oracle(&message, &options));
        }
        for piece in message.chunks(1 + len / 3) {
            checksum.update(piece);
        }
        prop_assert_eq!(checksum.finish(), Checksum::of(&message));
    }
}
