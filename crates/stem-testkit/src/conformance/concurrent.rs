//! Clause 7: any number of threads and processes.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use stem_hash::IdPrefix;
use stem_store::{Durability, Maintain};

use super::process::{Role, child, serve};
use super::subject::{DURABILITIES, Run, assert_whole, digest_for, list, put, read, with};
use crate::source::{Awkward, noise};

const SHARED: u64 = 40;

/// Objects of all sizes that matter, the same for every thread and process.
fn object(seed: u64) -> Vec<u8> {
    let len = [0, 10, 4_000, 70_000, 300_000][usize::try_from(seed % 5).unwrap_or(0)];
    noise(seed, len + usize::try_from(seed).unwrap_or(0))
}

/// Puts the shared objects in an order of its own, half of them waiting for a sync now and then.
fn work(store: &dyn Maintain, worker: u64) {
    for step in 0..SHARED {
        let seed = (step * 7 + worker * 11) % SHARED;
        let bytes = object(seed);
        let durability = DURABILITIES[usize::from(step % 4 != worker % 4)];
        let done = store.put(&mut Awkward::new(&bytes), &with(durability)).unwrap();
        assert_eq!(done.digest.id, digest_for(store, &bytes).id);
        assert!(read(store, &done.digest.id).unwrap().unwrap() == bytes);
        if step % 9 == worker % 9 {
            store.sync().unwrap();
        }
        let absent = digest_for(store, &noise(1_000_000 + seed, 50)).id;
        assert!(store.stat(&absent).unwrap().is_none());
    }
    store.sync().unwrap();
}

fn check(store: &dyn Maintain) {
    assert_eq!(list(store).len(), usize::try_from(SHARED).unwrap_or(0));
    for seed in 0..SHARED {
        assert_whole(store, &object(seed));
    }
}

/// Writers of the same objects, readers, and one who removes and puts again, all at once.
pub fn clause_7_concurrent_threads(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let fleeting = noise(77, 50_000);
    let id = digest_for(store, &fleeting).id;
    let running = AtomicUsize::new(4);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let running = &running;
            scope.spawn(move || {
                // Counted down also when the work fails, so that the test ends.
                let _ended = Ended(running);
                work(store, worker);
            });
        }
        scope.spawn(|| {
            while running.load(Ordering::Acquire) > 0 {
                for id in list(store) {
                    // It may be gone by now, but never torn.
                    let _ = read(store, &id).unwrap();
                }
            }
        });
        while subject.removes() && running.load(Ordering::Acquire) > 0 {
            for durability in DURABILITIES {
                put(store, &fleeting, durability);
                store.remove(&id).unwrap();
                assert!(read(store, &id).unwrap().is_none());
            }
        }
    });
    check(store);
    subject.finish();
}

struct Ended<'a>(&'a AtomicUsize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// The visitor of a listing is called without a lock.
pub fn clause_7_concurrent_listing_may_use_the_store(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for seed in 0..20 {
        put(store, &noise(seed, 100), DURABILITIES[usize::from(seed % 2 == 0)]);
    }
    let mut visited = 0;
    store
        .list(&IdPrefix::ALL, &mut |id| {
            visited += 1;
            assert!(store.stat(&id).unwrap().is_some());
            assert!(read(store, &id).unwrap().is_some());
            if visited <= 20 {
                put(store, &noise(id.as_bytes()[1].into(), 100), Durability::AtSync);
                store.sync().unwrap();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(visited >= 20);
    subject.finish();
}

/// Processes that put the same objects at the same time.
pub fn clause_7_concurrent_processes(run: &Run<'_>) {
    if let Some(Role { role, location }) = serve() {
        let store = run.factory.attach(&location);
        work(&*store, role.parse().unwrap());
        check(&*store);
        return;
    }
    let subject = run.factory.create();
    if let Some(location) = subject.location() {
        let children: Vec<_> = (0..3).map(|worker| child(run, &worker.to_string(), &location)).collect();
        work(subject.store(), 3);
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        check(subject.store());
    }
    subject.finish();
}
