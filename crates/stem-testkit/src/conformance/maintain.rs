//! Verification and deletion.

use stem_store::{Durability, Verified, Written};

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
