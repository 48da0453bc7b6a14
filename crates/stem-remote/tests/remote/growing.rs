//! Packs that are uploaded while they grow: early, and visible in order or not at all.

use std::time::Duration;

use stem_hash::IdPrefix;
use stem_pack::PackOptions;
use stem_store::{Durability, ObjectStoreExt, PutOptions};
use stem_testkit::s3::{Fault, Injury, Match, ServerOptions};
use stem_testkit::source::noise;

use crate::bucket::{Bucket, Service, is, open};

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
    let sent =
        || service.server.log().iter().filter(|line| line.starts_with("PUT") && is(line, "pack")).count();
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
    // So slow that the second pack is handed over before the first one fails.
    let latency = Duration::from_millis(150);
    let service = Service::start(ServerOptions { latency, ..ServerOptions::default() });
    let cache = service.scratch.path().join("small packs");
    let endpoint = service.server.endpoint();
    let cache = cache.to_str().unwrap();
    let options = [("endpoint", endpoint.as_str()), ("anonymous", "true"), ("cache", cache)];
    let two = PackOptions { pack_limit: 12 << 20, ..PackOptions::default() };
    let store = open("s3", "//bucket/studio", &options, &two).unwrap();
    // The first has parts, which nobody puts together; the second is short.
    let refused = Fault { of: Match::Complete, after: 0, times: 1, injury: Injury::Status(403) };
    service.server.faults().set(&[refused]);
    let bytes = noise(1, 18 << 20);
    assert!(store.put(&mut &bytes[..], &AT_SYNC).and_then(|_| store.sync()).is_err());
    let ends = |end: &str| packs(&service).iter().any(|key| key.ends_with(end));
    assert!(comes(|| ends(".pack")), "the second pack was not sent: {:?}", service.server.log());
    let visible = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        ends(".idx")
    });
    assert!(!visible, "{:?}", packs(&service));
    drop(store);
    service.server.faults().set(&[]);
    let id = service.client("two", &[]).unwrap().put_bytes(&bytes).unwrap().digest.id;
    assert!(service.client("three", &[]).unwrap().get(&id, u64::MAX).unwrap().unwrap() == bytes);
}
