//! Packs that are uploaded while they grow: early, and visible in order or not at all.

use std::time::Duration;

use stem_hash::IdPrefix;
use stem_pack::PackOptions;
use stem_store::{Durability, ObjectStoreExt, PutOptions};
use stem_testkit::s3::{Fault, Injury, Match};
use stem_testkit::source::noise;

use crate::bucket::{Bucket, Service, open};

const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };

/// Waits for what happens in the background; whoever asks says what is wrong if it never does.
fn comes(what: impl Fn() -> bool) -> bool {
    (0..3_000).any(|_| {
        let here = what();
        if !here {
            std::thread::sleep(Duration::from_millis(10));
        }
        here
    })
}

fn packs(service: &Service) -> Vec<String> {
    Bucket::keys(&service.server).into_iter().filter(|key| key.starts_with("packs/")).collect()
}

#[test]
fn a_pack_is_on_its_way_before_it_is_whole_and_seen_by_nobody() {
    let service = Service::plain();
    let store = service.client("one", &[]).unwrap();
    let bytes = noise(1, 20 << 20);
    let id = store.put(&mut &bytes[..], &AT_SYNC).unwrap().digest.id;
    let sent = || {
        service.server.log().iter().filter(|line| line.starts_with("PUT") && line.ends_with(".pack")).count()
    };
    assert!(comes(|| sent() >= 2), "nothing was sent before the sync: {:?}", service.server.log());
    assert!(packs(&service).is_empty());
    let other = service.client("two", &[]).unwrap();
    assert!(other.ids(&IdPrefix::ALL).unwrap().is_empty());
    store.sync().unwrap();
    assert!(other.get(&id, u64::MAX).unwrap().unwrap() == bytes);
    assert_eq!(service.server.open_uploads(), 0);
}

#[test]
fn what_is_never_whole_is_given_up() {
    let service = Service::plain();
    let store = service.client("one", &[]).unwrap();
    store.put(&mut &noise(1, 20 << 20)[..], &AT_SYNC).unwrap();
    assert!(comes(|| service.server.open_uploads() == 1));
    drop(store);
    assert!(comes(|| service.server.open_uploads() == 0), "an upload that nobody will finish stays");
    assert!(packs(&service).is_empty());
}

#[test]
fn no_pack_is_there_before_the_one_that_it_may_need() {
    let service = Service::plain();
    let cache = service.scratch.path().join("small packs");
    let endpoint = service.server.endpoint();
    let options = [
        ("endpoint", endpoint.as_str()),
        ("anonymous", "true"),
        ("retries", "1"),
        ("cache", cache.to_str().unwrap()),
    ];
    let packs_of = PackOptions { pack_limit: 10 << 20, ..PackOptions::default() };
    let store = open("s3", "//bucket/studio", &options, &packs_of).unwrap();
    // Whichever is completed first is not: often enough that trying again does not help.
    let refused = |times| Fault { of: Match::Complete, after: 0, times, injury: Injury::Status(500) };
    service.server.faults().set(&[refused(8)]);
    let put = store.put(&mut &noise(1, 40 << 20)[..], &AT_SYNC);
    assert!(put.and_then(|_| store.sync()).is_err());
    drop(store);
    assert!(comes(|| service.server.open_uploads() == 0));
    // A pack without its index is not there; of indices there is none before the first one's.
    assert!(!packs(&service).iter().any(|key| key.ends_with(".idx")), "{:?}", packs(&service));
    service.server.faults().set(&[]);
    let store = service.client("two", &[]).unwrap();
    assert!(store.ids(&IdPrefix::ALL).unwrap().is_empty());
    let id = store.put_bytes(&noise(1, 40 << 20)).unwrap().digest.id;
    assert!(service.client("three", &[]).unwrap().get(&id, u64::MAX).unwrap().is_some());
}
