//! Stops the process, and fails the file system, at every change that a put makes (clauses 1 and 3).
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::fs;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stem_fs::{Dir, RelPath};
use stem_hash::Algorithm;
use stem_sharded::{Options, ShardedStore, object_id, object_path};
use stem_store::{
    Durability, ErrorKind, FileMetadata, FileSource, Maintain, ObjectStore, ObjectStoreExt, PutOptions,
    Result, Verified,
};
use stem_testkit::source::{digest, noise};
use stem_testkit::{FaultPlan, Made};

/// What is put: two objects in one shard or two, one of them over a rotten twin.
fn objects() -> [Vec<u8>; 3] {
    [noise(1, 10), noise(2, 5_000), noise(3, 1_300_000)]
}

struct Ground {
    root: tempfile::TempDir,
}

impl Ground {
    /// A store that holds a rotten twin of the second object.
    fn new() -> Self {
        let ground = Self { root: tempfile::tempdir().unwrap() };
        let mut twin = objects()[1].clone();
        let path = ground.object(&twin);
        twin[17] ^= 1;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, twin).unwrap();
        ground
    }

    fn object(&self, bytes: &[u8]) -> PathBuf {
        let path = object_path(&digest(Algorithm::Sha256, bytes).id);
        self.root.path().join("store").join(path.to_path())
    }

    fn open(&self) -> ShardedStore {
        ShardedStore::open(&self.root.path().join("store"), &Options::default()).unwrap()
    }

    fn open_watched(&self, plan: &Arc<FaultPlan>) -> ShardedStore {
        let parent = Dir::open_observed(self.root.path(), plan.clone()).unwrap();
        ShardedStore::open_in(&parent, &RelPath::new("store").unwrap(), &Options::default()).unwrap()
    }

    /// Objects whole or absent (but for the twin that was rotten before), and nothing foreign among them.
    fn assert_sound(&self) {
        let store = self.open();
        for (number, bytes) in objects().iter().enumerate() {
            let id = digest(Algorithm::Sha256, bytes).id;
            match store.verify(&id).unwrap() {
                None => assert_ne!(number, 1, "the twin's name is gone"),
                Some(Verified::Sound { size }) => assert_eq!(size, bytes.len() as u64),
                Some(Verified::Damaged { reason }) => assert_eq!(number, 1, "{reason}"),
            }
        }
        for shard in fs::read_dir(self.root.path().join("store")).unwrap() {
            let shard = shard.unwrap();
            for name in fs::read_dir(shard.path()).unwrap() {
                let (shard, name) = (shard.file_name(), name.unwrap().file_name());
                assert!(
                    object_id(shard.as_encoded_bytes(), name.as_encoded_bytes()).is_some(),
                    "{}",
                    name.display()
                );
            }
        }
    }

    fn assert_complete(&self) {
        let store = self.open();
        for bytes in objects() {
            let id = digest(Algorithm::Sha256, &bytes).id;
            assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes);
        }
    }
}

fn put_all(store: &ShardedStore, durability: Durability) -> Result<()> {
    let metadata = Some(FileMetadata { mode: 0o600, mtime: stem_fs::Timestamp { secs: 7, nanos: 0 } });
    for (number, bytes) in objects().iter().enumerate() {
        let metadata = metadata.filter(|_| number == 1);
        store.put(&mut &bytes[..], &PutOptions { durability, metadata, ..PutOptions::default() })?;
    }
    store.sync()
}

/// As `put_all`, from files, one of which is taken.
fn put_files(
    store: &ShardedStore,
    work: &Path,
    durability: Durability,
    plan: Option<&Arc<FaultPlan>>,
) -> Result<()> {
    let dir = match plan {
        Some(plan) => Dir::open_observed(work, plan.clone()).unwrap(),
        None => Dir::open(work).unwrap(),
    };
    for (number, bytes) in objects().iter().enumerate() {
        let name = RelPath::new(format!("file{number}")).unwrap();
        let Some(file) = dir.open_file(&name).unwrap() else { continue };
        let source = FileSource {
            known: Some(digest(Algorithm::Sha256, bytes)),
            take: number != 0,
            place: Some((&dir, &name)),
            ..FileSource::new(&file, file.stat().unwrap())
        };
        store.put_file(&source, &PutOptions { durability, ..PutOptions::default() })?;
    }
    store.sync()
}

fn lay_out(work: &Path) {
    for (number, bytes) in objects().iter().enumerate() {
        fs::write(work.join(format!("file{number}")), bytes).unwrap();
    }
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
            let store = ground.open_watched(&plan);
            let done = put_all(&store, durability).is_ok();
            drop(store);
            ground.assert_sound();
            if done {
                // Only the clean-up was cut off.
                ground.assert_complete();
            }
            put_all(&ground.open(), durability).unwrap();
            ground.assert_complete();
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
            let store = ground.open_watched(&plan);
            if let Err(error) = put_all(&store, durability) {
                assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
                let said = error.to_string();
                assert!(said.contains("no space left") && said.contains("store"), "{said}");
            }
            drop(store);
            ground.assert_sound();
            assert!(!ground.root.path().join(".store.stem-tmp").exists() || plan.struck());
            put_all(&ground.open(), durability).unwrap();
            ground.assert_complete();
            plan
        });
    }
}

#[test]
fn clause_1_a_process_killed_while_it_takes_files_loses_none() {
    for durability in [Durability::Immediate, Durability::AtSync] {
        at_every_change(|n| {
            let ground = Ground::new();
            let work = tempfile::tempdir_in(ground.root.path()).unwrap();
            lay_out(work.path());
            let plan = FaultPlan::kill_at(n);
            let store = ground.open_watched(&plan);
            let _ = put_files(&store, work.path(), durability, Some(&plan));
            drop(store);
            ground.assert_sound();
            for (number, bytes) in objects().iter().enumerate() {
                // In the working tree or in the store, at every instant.
                let here =
                    fs::read(work.path().join(format!("file{number}"))).is_ok_and(|found| found == *bytes);
                let there = fs::read(ground.object(bytes)).is_ok_and(|found| found == *bytes);
                assert!(here || there, "file{number} is lost");
            }
            put_files(&ground.open(), work.path(), durability, None).unwrap();
            ground.assert_complete();
            plan
        });
    }
}

/// No object's name is made durable, or even visible, before its bytes are; and when the put returns, the names are.
#[test]
fn clause_3_bytes_are_durable_before_names_and_names_before_the_return() {
    for durability in [Durability::Immediate, Durability::AtSync] {
        let ground = Ground::new();
        let plan = FaultPlan::watch();
        let store = ground.open_watched(&plan);
        put_all(&store, durability).unwrap();
        let made = plan.made();
        let mut published = 0;
        for (at, change) in made.iter().enumerate() {
            let Made::Rename(from, to) = change else { continue };
            published += 1;
            let last_write = made[..at]
                .iter()
                .rposition(|m| matches!(m, Made::Write(path) | Made::Metadata(path) if path == from))
                .unwrap();
            assert!(
                made[last_write..at].iter().any(|m| match m {
                    Made::SyncFile(path) => path == from,
                    Made::SyncAll(_) => true,
                    _ => false,
                }),
                "{} was named before its bytes were durable",
                to.display()
            );
            let shard = to.parent().unwrap();
            let durable = |from: usize, dir: &Path| {
                made[from..].iter().any(|m| match m {
                    Made::SyncDir(path) => path == dir,
                    Made::SyncAll(_) => true,
                    _ => false,
                })
            };
            assert!(durable(at, shard), "{} was never made durable", to.display());
            // The way there was made before, if it was made at all.
            let way = made[..at].iter().rposition(|m| matches!(m, Made::CreateDir(dir) if dir == shard));
            assert!(durable(way.unwrap_or(0), shard.parent().unwrap()) && durable(0, ground.root.path()));
        }
        assert_eq!(published, 3);
        if durability == Durability::AtSync {
            let flushes = made.iter().filter(|m| matches!(m, Made::SyncAll(_))).count();
            let single = made.iter().filter(|m| matches!(m, Made::SyncFile(_))).count();
            assert!(flushes == 0 || (flushes, single) == (2, 0), "{flushes} flushes, {single} single ones");
        }
    }
}

#[test]
fn clause_3_after_a_failed_sync_the_handle_is_spent_and_nothing_of_it_remains() {
    let bytes = noise(9, 1_000);
    let id = digest(Algorithm::Sha256, &bytes).id;
    let options = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };
    let count = {
        let ground = Ground::new();
        let plan = FaultPlan::watch();
        let store = ground.open_watched(&plan);
        store.put(&mut &bytes[..], &options).unwrap();
        plan.announced()
    };
    let ground = Ground::new();
    let plan = FaultPlan::fail_at(count, Io::Other);
    let store = ground.open_watched(&plan);
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
