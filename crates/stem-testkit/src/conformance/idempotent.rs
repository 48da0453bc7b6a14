//! Clause 5: putting again leaves one whole object, whatever lay there.

use stem_store::{Durability, Written};

use super::files::Working;
use super::subject::{DURABILITIES, Damage, Run, assert_whole, digest_for, list, put, with};
use crate::source::noise;

/// The same bytes again, and again.
pub fn clause_5_idempotent_a_second_put_leaves_one_object(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for len in [0, 1, 70_000, 1_200_000] {
        let bytes = noise(len as u64, len);
        let first = put(store, &bytes, Durability::Immediate);
        assert_eq!(first.written, Written::New);
        for durability in DURABILITIES {
            let again = put(store, &bytes, durability);
            assert_eq!(again.digest, first.digest);
            assert_ne!(again.written, Written::New);
        }
        store.sync().unwrap();
        assert_whole(store, &bytes);
        let waiting = noise(len as u64 + 1, len + 9);
        for _ in 0..3 {
            put(store, &waiting, Durability::AtSync);
            put(store, &waiting, Durability::Immediate);
        }
        assert_whole(store, &waiting);
    }
    assert_eq!(list(store).len(), 8);
    store.sync().unwrap();
    assert_eq!(list(store).len(), 8);
    subject.finish();
}

/// A damaged object under the name, of the same size above all.
pub fn clause_5_idempotent_a_rotten_twin_is_replaced(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for damage in [Damage::Flip, Damage::Truncate, Damage::Grow] {
        for durability in DURABILITIES {
            for len in [1, 30_000, 1_100_000] {
                let bytes = noise(3, len);
                let id = put(store, &bytes, Durability::Immediate).digest.id;
                if subject.damage(&id, damage) {
                    let again = put(store, &bytes, durability);
                    assert_eq!(again.written, Written::Replaced, "{damage:?}, {durability:?}, {len} bytes");
                }
                assert_whole(store, &bytes);
                store.sync().unwrap();
                assert_whole(store, &bytes);
            }
        }
    }
    subject.finish();
}

/// The same through a file whose digest is known, so that a store might be tempted to look at the name alone.
pub fn clause_5_idempotent_a_file_replaces_a_rotten_twin(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for take in [false, true] {
        for durability in DURABILITIES {
            let bytes = noise(4, 200_000);
            let known = digest_for(store, &bytes);
            put(store, &bytes, Durability::Immediate);
            let damaged = subject.damage(&known.id, Damage::Flip);
            let working = Working::new(&bytes);
            let source = stem_store::FileSource { known: Some(known), take, ..working.source() };
            let done = store.put_file(&source, &with(durability)).unwrap();
            assert_eq!(done.digest.id, known.id);
            assert!(!damaged || done.written == Written::Replaced);
            assert_whole(store, &bytes);
            store.sync().unwrap();
            assert_whole(store, &bytes);
        }
    }
    subject.finish();
}
