//! Every path against `sha2`, and `sha2`'s path against the published vectors.

use proptest::prelude::*;
use sha2::Digest as _;

use super::*;

fn oracle(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

/// Bytes that differ from block to block and from message to message.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
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

fn whole(bytes: &[u8]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(bytes);
    sha.finish()
}

#[test]
fn published_vectors() {
    let cases: [(Vec<u8>, &str); 4] = [
        (vec![], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc".to_vec(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".to_vec(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (vec![b'a'; 1_000_000], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ];
    for (message, expected) in cases {
        assert_eq!(crate::ObjectId::from_bytes(whole(&message)).to_string(), expected);
        assert_eq!(crate::ObjectId::from_bytes(oracle(&message)).to_string(), expected);
    }
}

#[test]
fn every_length_around_the_padding() {
    for len in (0..=260).chain(4090..=4100) {
        let message = bytes(len as u64, len);
        assert_eq!(whole(&message), oracle(&message), "{len} bytes");
    }
}

#[test]
fn compress2_takes_what_both_have() {
    let a = bytes(1, 64 * 5);
    let b = bytes(2, 64 * 3);
    let (mut state_a, mut state_b) = (INITIAL, INITIAL);
    let taken = compress2([&mut state_a, &mut state_b], [a.as_chunks().0, b.as_chunks().0]);
    assert_eq!(taken, 3);
    let mut expected = INITIAL;
    sha2::block_api::compress256(&mut expected, &a.as_chunks().0[..3]);
    assert_eq!(state_a, expected);
    let mut expected = INITIAL;
    sha2::block_api::compress256(&mut expected, b.as_chunks().0);
    assert_eq!(state_b, expected);
    assert_eq!(compress2([&mut state_a, &mut state_b], [&[], a.as_chunks().0]), 0);
    assert_eq!(state_b, expected);
}

proptest! {
    #[test]
    fn any_split_of_updates(
        seed: u64,
        len in prop_oneof![0usize..300, 0usize..100_000, Just(1 << 20)],
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let message = bytes(seed, len);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
        cuts.sort_unstable();
        let mut sha = Sha256::new();
        let mut from = 0;
        for to in cuts.into_iter().chain([len]) {
            sha.update(&message[from..to]);
            from = to;
        }
        prop_assert_eq!(sha.finish(), oracle(&message));
    }

    /// From any state, any number of blocks at any alignment: as if the messages were hashed one by one.
    #[test]
    fn two_streams_equal_one_each(
        states: [State; 2],
        seed: u64,
        counts in (0usize..70, 0usize..70),
        shifts in (0usize..64, 0usize..64),
    ) {
        let a = bytes(seed, 64 * counts.0 + shifts.0);
        let b = bytes(seed ^ 1, 64 * counts.1 + shifts.1);
        let (a, b) = (a[shifts.0..].as_chunks().0, b[shifts.1..].as_chunks().0);
        let [mut state_a, mut state_b] = states;
        let taken = compress2([&mut state_a, &mut state_b], [a, b]);
        prop_assert_eq!(taken, counts.0.min(counts.1));
        let [mut expected_a, mut expected_b] = states;
        sha2::block_api::compress256(&mut expected_a, &a[..taken]);
        sha2::block_api::compress256(&mut expected_b, &b[..taken]);
        prop_assert_eq!((state_a, state_b), (expected_a, expected_b));
        let mut single = states[0];
        compress(&mut single, a);
        let mut expected = states[0];
        sha2::block_api::compress256(&mut expected, a);
        prop_assert_eq!(single, expected);
    }
}
