//! Clause 1: an object is there whole or not at all.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

use stem_store::{Durability, ErrorKind, PutOptions};

use super::process::{Role, child, serve};
use super::subject::{DURABILITIES, Run, assert_absent, assert_whole, digest_for, kind, put, read, with};
use crate::source::{Awkward, noise};

/// A source that breaks in the middle, or at its very end.
pub fn clause_1_atomic_a_failed_source_leaves_nothing(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for (seed, len) in [0, 1, 5_000, 3 << 20].into_iter().enumerate() {
        let bytes = noise(seed as u64, len);
        for durability in DURABILITIES {
            let failed = store.put(&mut Awkward::failing(&bytes), &with(durability));
            assert_eq!(kind(failed), ErrorKind::Source);
            assert_absent(store, &digest_for(store, &bytes).id);
        }
        store.sync().unwrap();
        assert_absent(store, &digest_for(store, &bytes).id);
        put(store, &bytes, Durability::Immediate);
        assert_whole(store, &bytes);
    }
    subject.finish();
}

/// Bytes that are not those that the caller expected.
pub fn clause_1_atomic_a_wrong_expected_id_stores_nothing(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let (bytes, other) = (noise(1, 9_000), noise(2, 9_000));
    let (id, wrong) = (digest_for(store, &bytes).id, digest_for(store, &other).id);
    for durability in DURABILITIES {
        let options = PutOptions { expected: Some(wrong), ..with(durability) };
        assert_eq!(kind(store.put(&mut &bytes[..], &options)), ErrorKind::WrongHash);
        store.sync().unwrap();
        assert_absent(store, &id);
        assert_absent(store, &wrong);
    }
    let options = PutOptions { expected: Some(id), ..with(Durability::Immediate) };
    assert_eq!(store.put(&mut &bytes[..], &options).unwrap().digest.id, id);
    assert_whole(store, &bytes);
    // The right object being there makes wrong bytes no better.
    assert_eq!(kind(store.put(&mut &other[..], &options)), ErrorKind::WrongHash);
    assert_absent(store, &wrong);
    assert_whole(store, &bytes);
    subject.finish();
}

/// Readers during a put, through this handle and another one.
pub fn clause_1_atomic_readers_see_a_whole_object_or_none(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let other = subject.reopen();
    let objects: Vec<_> = (0..6).map(|seed| noise(seed, 700_000)).collect();
    let ids: Vec<_> = objects.iter().map(|bytes| digest_for(store, bytes).id).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for handle in [Some(store), other.as_deref()].into_iter().flatten() {
            let (ids, objects, done) = (&ids, &objects, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    for (id, bytes) in ids.iter().zip(objects) {
                        if let Some(found) = read(handle, id).unwrap() {
                            assert!(found == *bytes, "a torn object was seen");
                        }
                        if let Some(stat) = handle.stat(id).unwrap() {
                            assert_eq!(stat.size, bytes.len() as u64);
                        }
                    }
                }
            });
        }
        for (number, bytes) in objects.iter().enumerate() {
            let durability = DURABILITIES[number % 2];
            store.put(&mut Awkward::new(bytes), &with(durability)).unwrap();
            if number % 3 == 2 {
                store.sync().unwrap();
            }
        }
        done.store(true, Ordering::Release);
    });
    store.sync().unwrap();
    for bytes in &objects {
        assert_whole(store, bytes);
    }
    drop(other);
    subject.finish();
}

/// A process that dies in the middle of a put, and another one that puts the same afterwards.
pub fn clause_1_atomic_a_killed_put_leaves_nothing(run: &Run<'_>) {
    if let Some(Role { location, .. }) = serve() {
        let store = run.factory.attach(&location);
        let done = noise(1, 40_000);
        put(&*store, &done, Durability::Immediate);
        put(&*store, &noise(3, 40_000), Durability::AtSync);
        let mut dying = Dying(noise(2, 2 << 20));
        let _ = store.put(&mut dying, &with(Durability::Immediate));
        unreachable!("the source kills the process");
    }
    let subject = run.factory.create();
    if let Some(location) = subject.location() {
        let status = child(run, "die", &location).wait().unwrap();
        assert!(!status.success());
        let store = subject.store();
        assert_whole(store, &noise(1, 40_000));
        for seed in [2, 3] {
            let bytes = noise(seed, if seed == 2 { 2 << 20 } else { 40_000 });
            let id = digest_for(store, &bytes).id;
            // What waited for a sync may have been published early, but not torn.
            match read(store, &id).unwrap() {
                Some(found) => assert!(seed == 3 && found == bytes),
                None => assert_absent(store, &id),
            }
            put(store, &bytes, Durability::Immediate);
            assert_whole(store, &bytes);
        }
    }
    subject.finish();
}

/// Gives its bytes once and then ends the process, without any clean-up.
struct Dying(Vec<u8>);

impl Read for Dying {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            std::process::abort();
        }
        let n = buf.len().min(self.0.len()).min(300_000);
        buf[..n].copy_from_slice(&self.0[..n]);
        self.0.drain(..n);
        Ok(n)
    }
}
