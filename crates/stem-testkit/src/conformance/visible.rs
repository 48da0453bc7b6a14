//! Clause 4: what was put is seen, and what was not is not.

use std::ops::ControlFlow;

use stem_hash::{IdPrefix, ObjectId};
use stem_store::{Durability, ObjectStoreExt};

use super::subject::{DURABILITIES, Run, Scratch, assert_absent, assert_whole, digest_for, list, put};
use crate::source::noise;

/// Every method of the handle, as soon as `put` returned.
pub fn clause_4_visible_once_put_returned(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for (seed, durability) in DURABILITIES.into_iter().enumerate() {
        let bytes = noise(seed as u64, 20_000);
        let id = digest_for(store, &bytes).id;
        assert_absent(store, &id);
        put(store, &bytes, durability);
        assert_whole(store, &bytes);
        assert!(store.contains(&id).unwrap());
        let mut part = [0; 100];
        assert_eq!(store.read_range(&id, 1_000, &mut part).unwrap(), Some(100));
        assert_eq!(part, bytes[1_000..1_100]);
    }
    let other = run.factory.create();
    for id in list(store) {
        store.copy_to(other.store(), &id, &stem_store::PutOptions::default()).unwrap().unwrap();
    }
    assert_eq!(list(store), list(other.store()));
    store.sync().unwrap();
    other.finish();
    subject.finish();
}

/// Prefixes of every length, published and waiting objects alike; breaking off.
pub fn clause_4_visible_listing_knows_every_prefix(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    assert!(list(store).is_empty());
    let mut ids: Vec<ObjectId> =
        (0..150).map(|seed| put(store, &noise(seed, 33), Durability::AtSync).digest.id).collect();
    store.sync().unwrap();
    ids.extend((150..200).map(|seed| put(store, &noise(seed, 33), Durability::AtSync).digest.id));
    ids.sort_unstable();
    assert_eq!(list(store), ids);
    for id in ids.iter().step_by(7) {
        for digits in [0, 1, 2, 3, 4, 5, 63, 64] {
            let prefix: IdPrefix = id.hex()[..digits].parse().unwrap();
            let wanted: Vec<_> = ids.iter().copied().filter(|id| prefix.matches(id)).collect();
            assert_eq!(store.ids(&prefix).unwrap(), wanted);
            assert!(wanted.contains(id));
        }
    }
    let mut seen = 0;
    store
        .list(&IdPrefix::ALL, &mut |_| {
            seen += 1;
            if seen == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen, 10);
    let mut shuffled = ids.clone();
    shuffled.reverse();
    shuffled.insert(3, ObjectId::from_bytes([0; 32]));
    shuffled.extend_from_within(..5);
    for (id, stat) in shuffled.iter().zip(store.stat_many(&shuffled).unwrap()) {
        assert_eq!(stat, store.stat(id).unwrap());
        assert_eq!(stat.is_some(), ids.contains(id));
    }
    assert!(store.stat_many(&[]).unwrap().is_empty());
    store.sync().unwrap();
    subject.finish();
}

/// An empty store, and one that holds something else.
pub fn clause_4_visible_absence_is_none(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let ids = [[0; 32], [0xff; 32], [0x5a; 32]].map(ObjectId::from_bytes);
    for round in 0..2 {
        for id in &ids {
            assert_absent(store, id);
            assert!(!store.remove(id).unwrap());
            assert!(!store.contains(id).unwrap());
            assert_eq!(store.get(id, 10).unwrap(), None);
            let mut target = Scratch::new().temp();
            assert_eq!(
                store.restore_file(id, &mut target, &stem_store::RestoreOptions::default()).unwrap(),
                None
            );
        }
        if round == 0 {
            put(store, b"something else", Durability::Immediate);
        }
    }
    subject.finish();
}
