//! The same objects in several stores.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::io::Read as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use stem_fs::Dir;
use stem_hash::{Algorithm, IdPrefix, ObjectId};
use stem_layers::Mirror;
use stem_store::{
    Error, ErrorKind, Maintain, MemoryStore, ObjectStore, ObjectStoreExt, RestoreOptions, Verified,
};
use stem_testkit::source::noise;
use stem_testkit::{Fault, FaultyStore};

type Part = Arc<FaultyStore<MemoryStore>>;

fn parts() -> [Part; 3] {
    std::array::from_fn(|_| Arc::new(FaultyStore::new(MemoryStore::default())))
}

fn mirror(parts: &[Part; 3], repair: bool) -> Mirror {
    let [first, others @ ..] = parts.clone();
    let others = others.into_iter().map(|part| part as Arc<dyn Maintain>).collect();
    if repair { Mirror::repairing(first, others) } else { Mirror::new(first, others) }.unwrap()
}

fn have(parts: &[Part; 3], id: &ObjectId) -> [bool; 3] {
    parts.each_ref().map(|part| part.inner().verify(id).unwrap().is_some_and(|verified| verified.is_sound()))
}

#[test]
fn what_is_put_is_in_all_of_them() {
    let parts = parts();
    let both = mirror(&parts, false);
    let id = both.put_bytes(&noise(1, 3_000_000)).unwrap().digest.id;
    assert_eq!(have(&parts, &id), [true; 3]);
    // One that cannot take it fails the put, whichever it is.
    for part in &parts {
        part.set(Some(Fault::From(0, ErrorKind::NoSpace)));
        assert_eq!(both.put_bytes(b"other").unwrap_err().kind(), ErrorKind::NoSpace);
        part.set(None);
    }
    parts[2].set(Some(Fault::From(0, ErrorKind::Io)));
    assert!(both.sync().is_err());
}

#[test]
fn a_read_goes_on_with_another_copy_where_one_is_damaged() {
    let parts = parts();
    let both = mirror(&parts, false);
    let bytes = noise(1, 2_500_000);
    let id = both.put_bytes(&bytes).unwrap().digest.id;
    // The damage is at the very end, of which the reader of the first copy hands out nothing.
    parts[0].inner().damage(&id, |bytes| *bytes.last_mut().unwrap() ^= 1);
    parts[1].inner().remove(&id).unwrap();
    assert!(both.get(&id, 1 << 30).unwrap().unwrap() == bytes);
    let place = tempfile::tempdir().unwrap();
    let mut target = Dir::open(place.path()).unwrap().temp_file(0o600).unwrap();
    both.restore_file(&id, &mut target, &RestoreOptions::default()).unwrap().unwrap();
    assert!(std::fs::read(target.path()).unwrap() == bytes);
    assert_eq!(have(&parts, &id), [false, false, true], "nobody asked for a repair");
    let Some(Verified::Damaged { reason }) = both.verify(&id).unwrap() else { panic!("it is damaged") };
    assert!(reason.contains("missing"), "{reason}");
    // Bytes that were handed out and are wrong cannot be taken back: the reader fails.
    parts[0].inner().damage(&id, |bytes| bytes[0] ^= 1);
    let error = both.open(&id).unwrap().unwrap().read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(Error::from_reader(error).unwrap().kind(), ErrorKind::Corrupt);
    // Without a whole copy that is the answer.
    parts[2].inner().damage(&id, |bytes| bytes[0] ^= 1);
    assert_eq!(both.get(&id, 1 << 30).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn repair_replaces_what_is_damaged_or_missing() {
    for restore in [false, true] {
        let parts = parts();
        let both = mirror(&parts, true);
        let bytes = noise(1, 2_500_000);
        let id = both.put_bytes(&bytes).unwrap().digest.id;
        parts[0].inner().damage(&id, |bytes| *bytes.last_mut().unwrap() ^= 1);
        if restore {
            let place = tempfile::tempdir().unwrap();
            let mut target = Dir::open(place.path()).unwrap().temp_file(0o600).unwrap();
            both.restore_file(&id, &mut target, &RestoreOptions::default()).unwrap().unwrap();
        } else {
            both.get(&id, 1 << 30).unwrap().unwrap();
        }
        assert_eq!(have(&parts, &id), [true; 3]);
        parts[0].inner().remove(&id).unwrap();
        both.read_range(&id, 0, &mut [0; 5]).unwrap().unwrap();
        assert_eq!(have(&parts, &id), [true; 3]);
        parts[1].inner().remove(&id).unwrap();
        parts[2].inner().damage(&id, |bytes| bytes[7] ^= 1);
        assert!(both.verify(&id).unwrap().unwrap().is_sound());
        assert_eq!(have(&parts, &id), [true; 3]);
    }
}

#[test]
fn a_store_that_is_away_hides_nothing_and_a_listing_without_it_is_no_listing() {
    let parts = parts();
    let both = mirror(&parts, false);
    let id = both.put_bytes(b"kick").unwrap().digest.id;
    parts[0].set(Some(Fault::From(0, ErrorKind::Unavailable)));
    assert_eq!(both.get(&id, 10).unwrap().unwrap(), b"kick");
    assert!(both.stat(&id).unwrap().is_some());
    assert!(both.stat_many(&[id]).unwrap()[0].is_some());
    let absent = ObjectId::from_bytes([1; 32]);
    assert_eq!(both.stat(&absent).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(both.stat_many(&[id, absent]).unwrap_err().kind(), ErrorKind::Unavailable);
    let listed = both.list(&IdPrefix::ALL, &mut |_| ControlFlow::Continue(()));
    assert_eq!(listed.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(both.remove(&id).is_err());
    parts[0].set(None);
    assert!(both.remove(&id).unwrap());
    assert_eq!(both.ids(&IdPrefix::ALL).unwrap(), []);
    let other: Arc<dyn Maintain> = Arc::new(MemoryStore::new(Algorithm::Blake3));
    assert_eq!(Mirror::new(parts[0].clone(), vec![other]).unwrap_err().kind(), ErrorKind::Unsupported);
}
