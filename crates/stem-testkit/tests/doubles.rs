//! The doubles do what they say.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::io::{ErrorKind as Io, Read, Write};

use stem_fs::{Dir, Publish, RelPath};
use stem_hash::{Algorithm, IdPrefix};
use stem_store::{ErrorKind, MemoryStore, ObjectStore, ObjectStoreExt};
use stem_testkit::source::{Awkward, digest, noise};
use stem_testkit::{Fault, FaultPlan, FaultyStore, Made};

#[test]
fn a_faulty_store_fails_where_it_is_told_to() {
    let store = FaultyStore::new(MemoryStore::default());
    store.set(Some(Fault::Call(1, ErrorKind::NoSpace)));
    store.put_bytes(b"one").unwrap();
    let error = store.put_bytes(b"two").unwrap_err();
    assert_eq!((error.kind(), error.store()), (ErrorKind::NoSpace, "memory:"));
    store.put_bytes(b"two").unwrap();
    assert_eq!(store.calls(), 3);
    store.set(Some(Fault::From(1, ErrorKind::Unavailable)));
    assert_eq!(store.inner().ids(&IdPrefix::ALL).unwrap().len(), 2);
    store.sync().unwrap();
    for _ in 0..3 {
        assert_eq!(store.sync().unwrap_err().kind(), ErrorKind::Unavailable);
    }
    store.set(None);
    store.sync().unwrap();
}

#[test]
fn a_put_that_fails_has_taken_some_of_its_source() {
    let store = FaultyStore::new(MemoryStore::default());
    store.set(Some(Fault::Call(0, ErrorKind::NoSpace)));
    let bytes = noise(1, 100);
    let mut source = &bytes[..];
    store.put(&mut source, &stem_store::PutOptions::default()).unwrap_err();
    assert!(source.len() < bytes.len());
}

#[test]
fn an_awkward_source_gives_all_its_bytes() {
    let bytes = noise(3, 500_000);
    let mut out = Vec::new();
    Awkward::new(&bytes).read_to_end(&mut out).unwrap();
    assert!(out == bytes);
    assert!(Awkward::failing(&bytes).read_to_end(&mut Vec::new()).is_err());
    assert_eq!(digest(Algorithm::Sha256, &out), digest(Algorithm::Sha256, &bytes));
}

fn write(dir: &Dir) -> stem_fs::Result<()> {
    let mut temp = dir.temp_file(0o600)?;
    temp.write_all(b"abc").map_err(|error| stem_fs::Error::new("write", temp.path(), error))?;
    temp.sync()?;
    temp.persist(dir, &RelPath::new("file").unwrap(), Publish::New)?;
    dir.sync()
}

#[test]
fn a_plan_records_fails_once_or_kills() {
    let root = tempfile::tempdir().unwrap();
    let fresh = |name: &str, plan: &std::sync::Arc<FaultPlan>| {
        let path = root.path().join(name);
        std::fs::create_dir(&path).unwrap();
        Dir::open_observed(&path, plan.clone()).unwrap()
    };
    let watch = FaultPlan::watch();
    write(&fresh("watch", &watch)).unwrap();
    assert_eq!(watch.announced(), 5);
    assert!(!watch.struck());
    let made = watch.made();
    assert!(matches!(
        made[..],
        [Made::Create(_), Made::Write(_), Made::SyncFile(_), Made::Rename(..), Made::SyncDir(_)]
    ));

    let full = FaultPlan::fail_at(1, Io::StorageFull);
    let dir = fresh("full", &full);
    assert_eq!(write(&dir).unwrap_err().kind(), Io::StorageFull);
    assert!(full.struck());
    assert!(dir.entries().unwrap().is_empty(), "the temporary file was not removed");
    write(&dir).unwrap();

    let killed = FaultPlan::kill_at(3);
    let dir = fresh("killed", &killed);
    write(&dir).unwrap_err();
    assert_eq!(dir.entries().unwrap().len(), 1, "a killed process cleans nothing up");
    write(&dir).unwrap_err();
    assert_eq!(dir.entries().unwrap().len(), 1);
}
