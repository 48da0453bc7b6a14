//! Clause 2: what is read is what the id names.

use std::io::Read;

use stem_hash::Checksum;
use stem_store::{
    Durability, Error, ErrorKind, ObjectStoreExt, PutOptions, RestoreOptions, Verified, Verify,
};

use super::subject::{
    DURABILITIES, Damage, Run, Scratch, assert_whole, content, digest_for, kind, put, read, with,
};
use crate::source::{Awkward, noise};

/// Around every size at which buffers, blocks and hashes turn over.
const LENGTHS: [usize; 14] =
    [0, 1, 55, 63, 64, 65, 4_095, 4_096, 65_537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20, 3_333_333];

/// All sizes, all ways in, all ways out.
pub fn clause_2_true_what_comes_out_is_what_went_in(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for (seed, len) in LENGTHS.into_iter().enumerate() {
        let bytes = noise(seed as u64, len);
        let durability = DURABILITIES[seed % 2];
        let put = store.put(&mut Awkward::new(&bytes), &with(durability)).unwrap();
        let wanted = digest_for(store, &bytes);
        assert_eq!((put.digest.id, put.digest.len), (wanted.id, len as u64));
        assert_eq!(put.digest.checksum, None);
        let options = PutOptions { checksum: true, ..with(durability) };
        assert_eq!(store.put(&mut &bytes[..], &options).unwrap().digest, wanted);
        assert_whole(store, &bytes);
        assert_eq!(store.get(&wanted.id, len as u64).unwrap().unwrap(), bytes);
        if let Some(limit) = (len as u64).checked_sub(1) {
            assert_eq!(kind(store.get(&wanted.id, limit)), ErrorKind::InvalidInput);
        }
        let scratch = Scratch::new();
        let checksum = wanted.checksum.unwrap();
        for verify in [Verify::No, Verify::Id, Verify::Checksum(checksum)] {
            let mut target = scratch.temp();
            let options = RestoreOptions { verify, progress: None };
            let restored = store.restore_file(&wanted.id, &mut target, &options).unwrap().unwrap();
            assert_eq!(restored.len, len as u64);
            assert!(restored.verified || verify == Verify::No);
            assert!(content(&target) == bytes);
        }
    }
    subject.finish();
}

/// Ranges inside, across the end, at it and far beyond.
pub fn clause_2_true_ranges_are_those_of_the_bytes(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for len in [0, 1, 100, 5_000, 1_500_000] {
        let bytes = noise(7, len);
        let id = put(store, &bytes, Durability::Immediate).digest.id;
        let offsets = [0, 1, 63, 99, 100, 4_096, len / 2, len.saturating_sub(1), len, len + 1];
        for offset in offsets {
            for room in [0, 1, 64, 4_097, len + 10] {
                let mut buf = vec![0xaa; room];
                let n = store.read_range(&id, offset as u64, &mut buf).unwrap().unwrap();
                let wanted = &bytes[offset.min(len)..(offset + room).min(len)];
                assert_eq!(n, wanted.len());
                assert!(buf[..n] == *wanted, "{room} bytes at {offset} of {len}");
            }
        }
        for offset in [u64::from(u32::MAX), u64::MAX - 1, u64::MAX, i64::MAX as u64] {
            assert_eq!(store.read_range(&id, offset, &mut [0; 16]).unwrap(), Some(0));
        }
    }
    subject.finish();
}

/// Spoilt bytes: no reader gets to the end.
pub fn clause_2_true_damage_never_reaches_the_end(run: &Run<'_>) {
    for damage in [Damage::Flip, Damage::Truncate, Damage::Grow] {
        let subject = run.factory.create();
        let store = subject.store();
        for len in [1, 1_000, 1 << 20, 2_500_000] {
            let bytes = noise(8, len);
            let id = put(store, &bytes, Durability::Immediate).digest.id;
            if !subject.damage(&id, damage) {
                continue;
            }
            let mut reader = store.open(&id).unwrap().unwrap();
            let mut seen = Vec::new();
            let error = reader.read_to_end(&mut seen).unwrap_err();
            assert_eq!(Error::from_reader(error).unwrap().kind(), ErrorKind::Corrupt);
            assert!(
                (seen.len() as u64) < reader.len().max(1),
                "all bytes of a damaged object were handed out"
            );
            let error = store.get(&id, u64::MAX).unwrap_err();
            assert_eq!((error.kind(), error.id()), (ErrorKind::Corrupt, Some(&id)));
            assert_eq!(error.store(), store.name());

            let scratch = Scratch::new();
            let checksum = digest_for(store, &bytes).checksum.unwrap();
            for verify in [Verify::Id, Verify::Checksum(checksum)] {
                let options = RestoreOptions { verify, progress: None };
                let restored = store.restore_file(&id, &mut scratch.temp(), &options);
                assert_eq!(kind(restored), ErrorKind::Corrupt);
            }
            assert!(matches!(store.verify(&id).unwrap(), Some(Verified::Damaged { .. })));
            if store.capabilities().verified_ranges {
                let mut buf = vec![0; len];
                assert_eq!(kind(store.read_range(&id, 0, &mut buf)), ErrorKind::Corrupt);
            }
        }
        subject.finish();
    }
}

/// Reading half of an object, damaged or not, says nothing about it.
pub fn clause_2_true_a_reader_that_is_dropped_makes_no_claim(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let bytes = noise(9, 3 << 20);
    let id = put(store, &bytes, Durability::Immediate).digest.id;
    for damaged in [false, true] {
        if damaged && !subject.damage(&id, Damage::Flip) {
            break;
        }
        let mut reader = store.open(&id).unwrap().unwrap();
        let mut half = vec![0; 1 << 20];
        match reader.read_exact(&mut half) {
            Ok(()) => assert!(half == bytes[..1 << 20]),
            // A store that checks before it hands out anything may notice now.
            Err(error) => {
                assert!(damaged);
                assert_eq!(Error::from_reader(error).unwrap().kind(), ErrorKind::Corrupt);
            }
        }
        drop(reader);
    }
    put(store, &bytes, Durability::Immediate);
    assert_whole(store, &bytes);
    subject.finish();
}

/// A wrong checksum in the caller's hands does not make a sound object damaged, nor a damaged one sound.
pub fn clause_2_true_the_id_judges_a_checksum_that_disagrees(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let bytes = noise(10, 2_000_000);
    let id = put(store, &bytes, Durability::Immediate).digest.id;
    let scratch = Scratch::new();
    let options =
        RestoreOptions { verify: Verify::Checksum(Checksum::of(b"something else")), progress: None };
    let mut target = scratch.temp();
    let restored = store.restore_file(&id, &mut target, &options).unwrap().unwrap();
    assert!(restored.verified && restored.len == bytes.len() as u64);
    assert!(content(&target) == bytes);
    if subject.damage(&id, Damage::Flip) {
        assert_eq!(kind(store.restore_file(&id, &mut scratch.temp(), &options)), ErrorKind::Corrupt);
        assert_eq!(kind(read(store, &id)), ErrorKind::Corrupt);
    }
    subject.finish();
}
