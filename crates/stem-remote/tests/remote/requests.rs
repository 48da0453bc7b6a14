//! What a store costs in requests.

use std::time::Duration;

use stem_hash::{IdPrefix, ObjectId};
use stem_store::{Durability, ObjectStoreExt, PutOptions, RestoreOptions};
use stem_testkit::s3::ServerOptions;
use stem_testkit::source::noise;

use crate::bucket::{Service, is};

/// Something like a preset.
fn preset(number: u64) -> Vec<u8> {
    let mut bytes = format!("{{\"preset\":{number},\"name\":\"Bass {number}\",\"cutoff\":0.5}}").into_bytes();
    bytes.extend(noise(number, 40));
    bytes
}

const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };

#[test]
fn ten_thousand_small_files_are_a_handful_of_requests_each_way() {
    let service =
        Service::start(ServerOptions { latency: Duration::from_millis(40), ..ServerOptions::default() });
    let store = service.client("one", &[]).unwrap();
    let ids: Vec<ObjectId> =
        (0..10_000).map(|number| store.put(&mut &preset(number)[..], &AT_SYNC).unwrap().digest.id).collect();
    store.sync().unwrap();
    let pushed = service.server.requests();
    assert!(pushed <= 60, "{pushed} requests: {:?}", service.server.log());
    drop(store);

    let store = service.client("two", &[]).unwrap();
    assert!(store.stat_many(&ids).unwrap().iter().all(Option::is_some));
    assert_eq!(store.ids(&IdPrefix::ALL).unwrap().len(), 10_000);
    let order = store.storage_order(&ids).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let dir = stem_fs::Dir::open(dir.path()).unwrap();
    for position in order {
        let mut target = dir.temp_file(0o600).unwrap();
        let restored = store.restore_file(&ids[position], &mut target, &RestoreOptions::default()).unwrap();
        assert_eq!(restored.unwrap().len, preset(position as u64).len() as u64);
    }
    let fetched = service.server.requests() - pushed;
    assert!(fetched <= 60, "{fetched} requests: {:?}", service.server.log());
}

#[test]
fn a_second_handle_finds_its_indices_in_the_cache() {
    let service = Service::plain();
    let store = service.client("one", &[]).unwrap();
    for number in 0..5 {
        store.put_bytes(&noise(number, 100_000)).unwrap();
    }
    drop(store);
    let count = |service: &Service| service.server.log().iter().filter(|line| is(line, "idx")).count();
    let before = count(&service);
    let store = service.client("one", &[]).unwrap();
    assert_eq!(store.ids(&IdPrefix::ALL).unwrap().len(), 5);
    assert_eq!(count(&service), before);
}

#[test]
fn readers_that_ask_at_once_share_a_request() {
    let service =
        Service::start(ServerOptions { latency: Duration::from_millis(30), ..ServerOptions::default() });
    let bytes = noise(1, 50_000);
    let id = service.client("one", &[]).unwrap().put_bytes(&bytes).unwrap().digest.id;
    let store = service.client("two", &[]).unwrap();
    let before = service.server.requests();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert!(store.get(&id, 1 << 20).unwrap().unwrap() == bytes));
        }
    });
    assert_eq!(service.server.requests() - before, 1);
}

#[test]
fn misses_that_ask_at_once_share_lists() {
    let service =
        Service::start(ServerOptions { latency: Duration::from_millis(30), ..ServerOptions::default() });
    let store = service.client("one", &[]).unwrap();
    store.put_bytes(b"something").unwrap();
    let before = service.server.requests();
    let absent = ObjectId::from_bytes([7; 32]);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(store.stat(&absent).unwrap(), None));
        }
    });
    let asked = service.server.requests() - before;
    assert!(asked <= 4, "{asked} lists for 16 readers");
}

#[test]
fn a_large_object_is_fetched_in_long_ranges() {
    let service = Service::plain();
    let bytes = noise(9, 40 << 20);
    let id = service.client("one", &[]).unwrap().put_bytes(&bytes).unwrap().digest.id;
    let store = service.client("two", &[]).unwrap();
    let before = service.server.requests();
    assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes);
    let asked = service.server.requests() - before;
    assert!(asked <= 24, "{asked} requests for 40 MiB: {:?}", service.server.log());
}

#[test]
fn small_files_that_two_threads_bring_back_share_requests() {
    let service = Service::plain();
    let store = service.client("one", &[]).unwrap();
    // Nothing to be coded: long packs.
    let ids: Vec<ObjectId> = (0..4_000)
        .map(|number| store.put(&mut &noise(number, 6_000)[..], &AT_SYNC).unwrap().digest.id)
        .collect();
    store.sync().unwrap();
    let store = service.client("two", &[]).unwrap();
    let order = store.storage_order(&ids).unwrap();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let before = service.server.requests();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(position) = order.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    assert!(store.get(&ids[*position], 1 << 20).unwrap().is_some());
                }
            });
        }
    });
    let asked = service.server.requests() - before;
    assert!(
        asked <= 24,
        "{asked} requests for 24 MB: {:?}",
        &service.server.log()[usize::try_from(before).unwrap()..]
    );
}

#[test]
fn a_store_that_was_made_to_be_measured_can_be_erased_and_nothing_else_goes() {
    let root = tempfile::tempdir().unwrap();
    let (bucket, cache) = (root.path().join("bucket"), root.path().join("cache"));
    std::fs::create_dir(&bucket).unwrap();
    let location = format!("//{}/part", bucket.display());
    let options = [("cache", cache.to_str().unwrap())];
    for layout in ["packs", "sharded"] {
        let mut options = options.to_vec();
        options.push(("layout", layout));
        let store =
            crate::bucket::open("file", &location, &options, &stem_pack::PackOptions::default()).unwrap();
        store.put_bytes(&noise(1, 5_000)).unwrap();
        drop(store);
        std::fs::write(bucket.join("part/foreign"), b"foreign").unwrap();
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        stem_remote::erase(&stem_remote::Location { scheme: "file", location: &location, options: &options })
            .unwrap();
        let left: Vec<_> =
            std::fs::read_dir(bucket.join("part")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["foreign"], "{layout}");
        assert!(std::fs::read_dir(&cache).unwrap().next().is_none());
    }
}
