//! Verification and deletion.

use stem_fs::{Dir, RelPath, Timestamp};
use stem_store::{Durability, ErrorKind, TidyOptions, Verified, Written};

use super::subject::{DURABILITIES, Damage, Run, assert_absent, assert_whole, digest_for, put};
use crate::source::noise;

/// Sound, damaged, removed, put again; published and waiting objects.
pub fn maintain_verify_and_remove(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for (seed, durability) in DURABILITIES.into_iter().enumerate() {
        let bytes = noise(seed as u64, 123_456);
        let id = digest_for(store, &bytes).id;
        put(store, &bytes, durability);
        assert_eq!(store.verify(&id).unwrap(), Some(Verified::Sound { size: 123_456 }));
        if !subject.removes() {
            store.sync().unwrap();
            assert_eq!(store.remove(&id).unwrap_err().kind(), ErrorKind::Unsupported);
            assert_whole(store, &bytes);
            if subject.damage(&id, Damage::Flip) {
                store.sync().unwrap();
                assert!(!store.verify(&id).unwrap().unwrap().is_sound());
                put(store, &bytes, Durability::Immediate);
            }
            assert_whole(store, &bytes);
            continue;
        }
        assert!(store.remove(&id).unwrap());
        assert!(!store.remove(&id).unwrap());
        assert_absent(store, &id);
        store.sync().unwrap();
        assert_absent(store, &id);
        assert_eq!(put(store, &bytes, Durability::Immediate).written, Written::New);
        if subject.damage(&id, Damage::Flip) {
            let Some(Verified::Damaged { reason }) = store.verify(&id).unwrap() else {
                panic!("damage was not found");
            };
            assert!(!reason.is_empty());
            assert!(store.remove(&id).unwrap());
            assert_absent(store, &id);
            put(store, &bytes, Durability::Immediate);
        }
        assert_whole(store, &bytes);
    }
    subject.finish();
}

/// What is put aside is gone from the store, is in the directory, and can be stored again.
pub fn maintain_quarantine_takes_an_object_out(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let aside = tempfile::tempdir().unwrap();
    let into = Dir::open(aside.path()).unwrap();
    let name = RelPath::new("aside").unwrap();
    let bytes = noise(7, 123_456);
    let id = digest_for(store, &bytes).id;
    put(store, &bytes, Durability::Immediate);
    subject.damage(&id, Damage::Flip);
    match store.quarantine(&id, &into, &name) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        answer => {
            assert!(answer.unwrap());
            assert_absent(store, &id);
            assert!(aside.path().join("aside").exists());
            match store.quarantine(&id, &into, &RelPath::new("again").unwrap()) {
                // Of layers, one may be able and another not.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
                Ok(taken) => assert!(!taken),
            }
            assert_eq!(put(store, &bytes, Durability::Immediate).written, Written::New);
            assert_whole(store, &bytes);
        }
    }
    subject.finish();
}

/// A store at rest has nothing wrong with its structure, and nothing to tidy up.
pub fn maintain_a_store_at_rest_is_in_order(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for (seed, durability) in DURABILITIES.into_iter().enumerate() {
        put(store, &noise(seed as u64, 100_000), durability);
    }
    store.sync().unwrap();
    store.check_structure(&mut |damage| panic!("{damage:?}")).unwrap();
    for dry_run in [true, false] {
        let before = Timestamp { secs: i64::MAX, nanos: 0 };
        assert_eq!(store.tidy(&TidyOptions { before, dry_run }).unwrap().files, 0);
    }
    for seed in 0..DURABILITIES.len() {
        assert_whole(store, &noise(seed as u64, 100_000));
    }
    subject.finish();
}
