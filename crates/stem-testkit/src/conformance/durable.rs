//! Clause 3, as far as it can be seen without cutting the power: crash tests of each backend do the rest.

use stem_store::Durability;

use super::subject::{Run, assert_absent, assert_whole, digest_for, put, read};
use crate::source::noise;

/// `Immediate`: nothing else has to be called.
pub fn clause_3_durable_put_reaches_other_handles(run: &Run<'_>) {
    let subject = run.factory.create();
    let bytes = noise(1, 100_000);
    put(subject.store(), &bytes, Durability::Immediate);
    if let Some(other) = subject.reopen() {
        assert_whole(&*other, &bytes);
        let more = noise(2, 100_000);
        put(&*other, &more, Durability::Immediate);
        assert_whole(subject.store(), &more);
    }
    subject.finish();
}

/// `AtSync`: here at once, everywhere after `sync`; and again, for what is put after it.
pub fn clause_3_durable_sync_reaches_other_handles(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let other = subject.reopen();
    store.sync().unwrap();
    for round in 0..3 {
        let objects: Vec<_> = (0..20).map(|seed| noise(round * 100 + seed, 3_000)).collect();
        for bytes in &objects {
            put(store, bytes, Durability::AtSync);
        }
        for bytes in &objects {
            assert_whole(store, bytes);
        }
        store.sync().unwrap();
        for bytes in &objects {
            assert_whole(store, bytes);
            if let Some(other) = &other {
                assert_whole(&**other, bytes);
            }
        }
        store.sync().unwrap();
    }
    drop(other);
    subject.finish();
}

/// Without `sync`, the end of the handle gives objects up, but never tears them.
pub fn clause_3_durable_without_sync_an_object_is_whole_or_absent(run: &Run<'_>) {
    let subject = run.factory.create();
    if let Some(other) = subject.reopen() {
        let (given_up, kept) = (noise(1, 50_000), noise(2, 50_000));
        put(&*other, &kept, Durability::AtSync);
        other.sync().unwrap();
        put(&*other, &given_up, Durability::AtSync);
        drop(other);
        let store = subject.store();
        assert_whole(store, &kept);
        let id = digest_for(store, &given_up).id;
        match read(store, &id).unwrap() {
            None => assert_absent(store, &id),
            Some(found) => assert!(found == given_up),
        }
    }
    subject.finish();
}
