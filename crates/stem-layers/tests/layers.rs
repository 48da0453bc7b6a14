//! What each layer adds.

use std::io::Read;
use std::time::Duration;

use stem_fs::Dir;
use stem_hash::{Algorithm, IdPrefix};
use stem_layers::{Metrics, Overlay, ReadOnly, Retry, RetryPolicy, Verifying};
use stem_store::{
    ErrorKind, FileSource, Maintain, MemoryStore, ObjectStore, ObjectStoreExt, PutOptions, RepackOptions,
    RestoreOptions, Verified, Verify,
};
use stem_testkit::source::noise;
use stem_testkit::{Fault, FaultyStore};

#[test]
fn an_overlay_reads_both_sides_and_lists_a_twin_once() {
    let both = Overlay::new(MemoryStore::default(), MemoryStore::default()).unwrap();
    let (hot, cold, twin) = (noise(1, 100), noise(2, 200), noise(3, 300));
    let hot = both.primary().put_bytes(&hot).unwrap().digest.id;
    let cold = both.secondary().put_bytes(&cold).unwrap().digest.id;
    both.primary().put_bytes(&twin).unwrap();
    let twin = both.secondary().put_bytes(&twin).unwrap().digest.id;
    let mut all = vec![hot, cold, twin];
    all.sort_unstable();
    assert_eq!(both.ids(&IdPrefix::ALL).unwrap(), all);
    for (id, len) in [(hot, 100), (cold, 200), (twin, 300)] {
        assert_eq!(both.get(&id, 1000).unwrap().unwrap().len(), len);
        assert_eq!(both.stat(&id).unwrap().unwrap().size, len as u64);
        assert_eq!(both.read_range(&id, 1, &mut [0; 7]).unwrap(), Some(7));
        assert_eq!(both.stat_many(&[id]).unwrap()[0].unwrap().size, len as u64);
        assert_eq!(both.ids(&IdPrefix::from(id)).unwrap(), [id]);
        assert!(both.verify(&id).unwrap().unwrap().is_sound());
    }
    assert!(both.remove(&twin).unwrap() && !both.contains(&twin).unwrap());
    assert!(both.remove(&cold).unwrap() && !both.remove(&cold).unwrap());
}

#[test]
fn an_overlay_restores_from_the_good_copy_and_reports_the_bad_one() {
    let both = Overlay::new(Verifying::new(MemoryStore::default()), MemoryStore::default()).unwrap();
    let bytes = noise(1, 3_000_000);
    let id = both.put_bytes(&bytes).unwrap().digest.id;
    both.secondary().put_bytes(&bytes).unwrap();
    both.secondary().damage(&id, |bytes| bytes[5] ^= 1);
    assert!(matches!(both.verify(&id).unwrap(), Some(Verified::Damaged { .. })));
    assert!(both.get(&id, 1 << 30).unwrap().unwrap() == bytes);

    let swapped = Overlay::new(both.secondary(), both.primary()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let mut target = Dir::open(place.path()).unwrap().temp_file(0o600).unwrap();
    let restored = swapped.restore_file(&id, &mut target, &RestoreOptions::default()).unwrap().unwrap();
    assert!(restored.verified && std::fs::read(target.path()).unwrap() == bytes);
    // With one copy that is bad, that is the answer.
    both.primary().remove(&id).unwrap();
    let mut target = Dir::open(place.path()).unwrap().temp_file(0o600).unwrap();
    let error = swapped.restore_file(&id, &mut target, &RestoreOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn an_overlay_of_stores_with_different_ids_is_refused() {
    let error = Overlay::new(MemoryStore::default(), MemoryStore::new(Algorithm::Blake3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_read_only_store_reads_and_refuses_the_rest() {
    let inner = MemoryStore::default();
    let id = inner.put_bytes(b"abc").unwrap().digest.id;
    let guarded = ReadOnly::new(&inner);
    assert_eq!(guarded.get(&id, 10).unwrap().unwrap(), b"abc");
    assert_eq!(guarded.ids(&IdPrefix::ALL).unwrap(), [id]);
    assert!(guarded.verify(&id).unwrap().unwrap().is_sound());
    guarded.sync().unwrap();
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("file"), b"x").unwrap();
    let dir = Dir::open(place.path()).unwrap();
    let file = dir.open_file(&"file".try_into().unwrap()).unwrap().unwrap();
    let source = FileSource::new(&file, file.stat().unwrap());
    let refused = [
        guarded.put_bytes(b"new").unwrap_err().kind(),
        guarded.put_file(&source, &PutOptions::default()).unwrap_err().kind(),
        guarded.remove(&id).unwrap_err().kind(),
        guarded.repack(&RepackOptions::default()).unwrap_err().kind(),
    ];
    assert_eq!(refused, [ErrorKind::ReadOnly; 4]);
    assert!(inner.contains(&id).unwrap());
}

#[test]
fn a_verifying_store_gives_no_damaged_range_and_no_damaged_file() {
    let inner = MemoryStore::default();
    let bytes = noise(1, 2_500_000);
    let id = inner.put_bytes(&bytes).unwrap().digest.id;
    let guarded = Verifying::new(&inner);
    let mut part = [0; 5000];
    assert_eq!(guarded.read_range(&id, (1 << 20) - 100, &mut part).unwrap(), Some(5000));
    assert!(part == bytes[(1 << 20) - 100..][..5000]);
    inner.damage(&id, |bytes| bytes[2_400_000] ^= 1);
    assert_eq!(guarded.read_range(&id, 0, &mut part).unwrap_err().kind(), ErrorKind::Corrupt);
    let place = tempfile::tempdir().unwrap();
    let mut target = Dir::open(place.path()).unwrap().temp_file(0o600).unwrap();
    let options = RestoreOptions { verify: Verify::No, progress: None };
    assert_eq!(guarded.restore_file(&id, &mut target, &options).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn metrics_count_calls_bytes_and_failures() {
    let counted = Metrics::new(FaultyStore::new(MemoryStore::default()));
    let id = counted.put_bytes(&noise(1, 1000)).unwrap().digest.id;
    assert_eq!(counted.get(&id, 1000).unwrap().unwrap().len(), 1000);
    counted.stat(&id).unwrap();
    counted.stat(&stem_hash::ObjectId::from_bytes([1; 32])).unwrap();
    counted.inner().set(Some(Fault::From(0, ErrorKind::Unavailable)));
    counted.sync().unwrap_err();
    let seen = counted.snapshot();
    assert_eq!((seen.put.calls, seen.put.bytes), (1, 1000));
    assert_eq!((seen.open.calls, seen.read.bytes), (1, 1000));
    assert_eq!((seen.stat.calls, seen.stat.absent, seen.stat.failures), (2, 1, 0));
    assert_eq!((seen.sync.calls, seen.sync.failures), (1, 1));
    assert!(seen.each().iter().all(|(_, m)| m.latencies.iter().sum::<u64>() == m.calls));
}

#[test]
fn retry_asks_again_only_what_can_be_asked_again() {
    let policy = RetryPolicy { tries: 3, ..RetryPolicy::default() };
    let patient = Retry::waiting_with(FaultyStore::new(MemoryStore::default()), policy, |_: Duration| ());
    let faulty = |fault| {
        let store = FaultyStore::new(MemoryStore::default());
        store.put_bytes(&noise(1, 1000)).unwrap();
        store.set(Some(fault));
        Retry::waiting_with(store, policy, |_: Duration| ())
    };
    let id = patient.put_bytes(&noise(1, 1000)).unwrap().digest.id;
    let once = Fault::Call(0, ErrorKind::Unavailable);
    assert!(faulty(once).stat(&id).unwrap().is_some());
    assert!(faulty(once).verify(&id).unwrap().is_some());
    assert_eq!(faulty(once).read_range(&id, 0, &mut [0; 10]).unwrap(), Some(10));
    assert_eq!(faulty(once).ids(&IdPrefix::ALL).unwrap(), [id]);
    let mut all = Vec::new();
    faulty(once).open(&id).unwrap().unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 1000);
    // Not for ever, not for other reasons, and not what cannot be undone.
    let always = Fault::From(0, ErrorKind::Unavailable);
    assert_eq!(faulty(always).stat(&id).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(faulty(Fault::Call(0, ErrorKind::Io)).stat(&id).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(faulty(once).sync().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(faulty(once).put_bytes(b"x").unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(faulty(once).remove(&id).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn an_object_that_moves_between_the_stores_is_never_absent() {
    let both = Overlay::new(MemoryStore::default(), MemoryStore::default()).unwrap();
    let ids: Vec<_> = (0..300).map(|seed| both.put_bytes(&noise(seed, 50)).unwrap().digest.id).collect();
    let (hot, cold) = (both.primary(), both.secondary());
    let moved = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (from, to) in [(hot, cold), (cold, hot)] {
                for id in &ids {
                    from.copy_to(to, id, &PutOptions::default()).unwrap().unwrap();
                    assert!(from.remove(id).unwrap());
                }
            }
            moved.store(true, std::sync::atomic::Ordering::Release);
        });
        while !moved.load(std::sync::atomic::Ordering::Acquire) {
            assert!(both.stat_many(&ids).unwrap().iter().all(Option::is_some));
            for id in &ids {
                assert_eq!(both.get(id, 50).unwrap().unwrap().len(), 50);
            }
            assert_eq!(both.ids(&IdPrefix::ALL).unwrap().len(), ids.len());
        }
    });
}
