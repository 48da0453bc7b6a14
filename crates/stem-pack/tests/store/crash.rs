//! Stops the process, and fills the disk, at every change that a put, a removal and a compaction make.

use std::fs;
use std::io::ErrorKind as Io;
use std::path::Path;
use std::sync::Arc;

use super::sound::{Samples, wav};
use stem_fs::{Dir, RelPath};
use stem_hash::Algorithm;
use stem_pack::{Chunking, PackOptions, PackStore};
use stem_store::{
    Durability, ErrorKind, Maintain, ObjectStore, ObjectStoreExt, PutOptions, RepackOptions, Result, Verified,
};
use stem_testkit::source::{digest, noise};
use stem_testkit::{FaultPlan, Made};

/// What is put: small ones, large ones, and one that has chunks of another.
fn objects() -> Vec<Vec<u8>> {
    let large = noise(3, 400_000);
    let edited = [&large[..300_000], b"an edit", &large[300_000..]].concat();
    vec![noise(1, 10), noise(2, 5_000), large, wav(1, 30_000, Samples::Int24), edited]
}

fn options() -> PackOptions {
    // Short packs: several are published before the sync.
    PackOptions { chunking: Chunking::Average(64 << 10), pack_limit: 250_000, ..PackOptions::default() }
}

struct Ground {
    root: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> std::path::PathBuf {
        self.root.path().join("store")
    }

    fn open(&self) -> PackStore {
        PackStore::open(&self.store(), &options()).unwrap()
    }

    fn open_watched(&self, plan: &Arc<FaultPlan>) -> Result<PackStore> {
        let parent = Dir::open_observed(self.root.path(), plan.clone()).unwrap();
        PackStore::open_in(&parent, &RelPath::new("store").unwrap(), &options())
    }

    /// Every object whole or absent, and nothing foreign in the directory.
    fn assert_sound(&self) {
        let store = self.open();
        for bytes in objects() {
            let id = digest(Algorithm::Sha256, &bytes).id;
            match store.verify(&id).unwrap() {
                None => {}
                Some(Verified::Sound { size }) => assert_eq!(size, bytes.len() as u64),
                Some(Verified::Damaged { reason }) => panic!("{reason}"),
            }
        }
        for entry in fs::read_dir(self.store()).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name.starts_with("pack-") || name == "removed" || name == "multi-pack-index", "{name}");
        }
    }

    fn assert_complete(&self, removed: &[usize]) {
        let store = self.open();
        for (number, bytes) in objects().iter().enumerate() {
            let id = digest(Algorithm::Sha256, bytes).id;
            let found = store.get(&id, u64::MAX).unwrap();
            assert!(found.as_ref() == (!removed.contains(&number)).then_some(bytes), "object {number}");
        }
    }
}

fn put_all(store: &PackStore, durability: Durability) -> Result<()> {
    for bytes in objects() {
        store.put(&mut &bytes[..], &PutOptions { durability, ..PutOptions::default() })?;
    }
    store.sync()
}

/// Runs the scenario with a fault at every change until it comes through without reaching the fault.
fn at_every_change(mut scenario: impl FnMut(u64) -> Arc<FaultPlan>) {
    for n in 0.. {
        let plan = scenario(n);
        if !plan.struck() {
            assert!(n > 10, "only {n} changes were seen");
            return;
        }
    }
}

#[test]
fn clause_1_a_process_killed_at_any_change_leaves_objects_whole_or_absent() {
    for durability in [Durability::Immediate, Durability::AtSync] {
        at_every_change(|n| {
            let ground = Ground::new();
            let plan = FaultPlan::kill_at(n);
            let done = ground.open_watched(&plan).and_then(|store| put_all(&store, durability)).is_ok();
            ground.assert_sound();
            if done {
                ground.assert_complete(&[]);
            }
            put_all(&ground.open(), durability).unwrap();
            ground.assert_complete(&[]);
            plan
        });
    }
}

#[test]
fn clause_1_a_full_disk_at_any_change_is_said_and_leaves_objects_whole_or_absent() {
    for durability in [Durability::Immediate, Durability::AtSync] {
        at_every_change(|n| {
            let ground = Ground::new();
            let plan = FaultPlan::fail_at(n, Io::StorageFull);
            let store = ground.open_watched(&plan).unwrap();
            if let Err(error) = put_all(&store, durability) {
                assert!(matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Unavailable), "{error:?}");
                // The handle goes on, unless it was the sync that failed.
                if put_all(&store, durability).is_ok() {
                    ground.assert_complete(&[]);
                }
            }
            drop(store);
            ground.assert_sound();
            put_all(&ground.open(), durability).unwrap();
            ground.assert_complete(&[]);
            plan
        });
    }
}

#[test]
fn a_removal_and_a_compaction_stopped_at_any_change_lose_nothing() {
    for kill in [true, false] {
        at_every_change(|n| {
            let ground = Ground::new();
            put_all(&ground.open(), Durability::Immediate).unwrap();
            let store = ground.open();
            assert!(store.remove(&digest(Algorithm::Sha256, &objects()[2]).id).unwrap());
            drop(store);
            let plan = if kill { FaultPlan::kill_at(n) } else { FaultPlan::fail_at(n, Io::StorageFull) };
            if let Ok(store) = ground.open_watched(&plan) {
                let all = RepackOptions { all: true, progress: None };
                let _ = store.repack(&all);
                drop(store);
            }
            ground.assert_complete(&[2]);
            let store = ground.open();
            let done = store.repack(&RepackOptions { all: true, progress: None }).unwrap();
            assert!(done.packs.1 <= done.packs.0 && done.bytes.1 <= done.bytes.0, "{done:?}");
            drop(store);
            ground.assert_complete(&[2]);
            plan
        });
    }
}

/// No pack gets its name before its bytes are durable; and when a put or sync returns, the name is.
#[test]
fn clause_3_bytes_are_durable_before_names_and_names_before_the_return() {
    for durability in [Durability::Immediate, Durability::AtSync] {
        let ground = Ground::new();
        let plan = FaultPlan::watch();
        let store = ground.open_watched(&plan).unwrap();
        put_all(&store, durability).unwrap();
        let made = plan.made();
        let mut published = 0;
        for (at, change) in made.iter().enumerate() {
            let Made::Rename(from, to) = change else { continue };
            if to.extension().is_none_or(|extension| extension != "pack") {
                continue;
            }
            published += 1;
            let wrote = |m: &Made| matches!(m, Made::Write(path) if path == from);
            let last_write = made[..at].iter().rposition(wrote).unwrap();
            let synced = |m: &Made| matches!(m, Made::SyncFile(path) if path == from);
            assert!(made[last_write..at].iter().any(synced), "{} was named too early", to.display());
            let dir: &Path = to.parent().unwrap();
            assert!(made[at..].iter().any(|m| matches!(m, Made::SyncDir(path) if path == dir)));
        }
        assert!(published > 2, "{published}");
        assert!(made.iter().any(|m| matches!(m, Made::SyncDir(path) if path == ground.root.path())));
    }
}

#[test]
fn clause_3_after_a_failed_sync_the_handle_is_spent_and_nothing_of_it_remains() {
    let bytes = noise(9, 1_000);
    let id = digest(Algorithm::Sha256, &bytes).id;
    let options = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };
    let ground = Ground::new();
    let watch = FaultPlan::watch();
    ground.open_watched(&watch).unwrap().put(&mut &bytes[..], &options).unwrap();
    let ground = Ground::new();
    let plan = FaultPlan::fail_at(watch.announced() + 1, Io::Other);
    let store = ground.open_watched(&plan).unwrap();
    store.put(&mut &bytes[..], &options).unwrap();
    assert!(store.contains(&id).unwrap());
    assert_eq!(store.sync().unwrap_err().kind(), ErrorKind::Io);
    assert!(plan.struck());
    assert!(!store.contains(&id).unwrap());
    assert_eq!(store.sync().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.put(&mut &bytes[..], &options).unwrap_err().kind(), ErrorKind::Unavailable);
    // What is durable by itself still can be put, and another handle can do everything.
    store.put_bytes(&bytes).unwrap();
    let fresh = ground.open();
    assert!(fresh.contains(&id).unwrap());
    fresh.put(&mut &noise(10, 50)[..], &options).unwrap();
    fresh.sync().unwrap();
}
