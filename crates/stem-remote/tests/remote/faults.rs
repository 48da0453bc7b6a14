//! A network and a service that misbehave: nothing wrong is returned, nothing that was promised is lost, the next run goes on.

use std::time::Duration;

use stem_hash::IdPrefix;
use stem_pack::format::PackId;
use stem_store::{Durability, ErrorKind, ObjectStoreExt, PutOptions, Written};
use stem_testkit::s3::{Fault, Injury, Match, ServerOptions};
use stem_testkit::source::noise;

use crate::bucket::{Bucket, Service, is};

const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };

fn once(of: Match, after: u64, injury: Injury) -> Fault {
    Fault { of, after, times: 1, injury }
}

fn fault(of: Match, times: u64, injury: Injury) -> Fault {
    Fault { of, after: 0, times, injury }
}

/// Faults that pass.
fn passing() -> Vec<Fault> {
    let mut faults = Vec::new();
    for of in [Match::Get, Match::Put, Match::List, Match::Complete] {
        for status in [500, 503, 429] {
            faults.push(fault(of, 1, Injury::Status(status)));
        }
        for at in [0, 1, 40, 200] {
            faults.push(fault(of, 1, Injury::Cut(at)));
        }
        faults.push(fault(of, 1, Injury::CutRequest(10)));
        faults.push(fault(of, 1, Injury::Trickle));
    }
    for at in [1_000, 70_000, 400_000] {
        faults.push(fault(Match::Get, 1, Injury::Cut(at)));
    }
    faults
}

#[test]
fn what_passes_is_not_noticed() {
    let service = Service::plain();
    let small = noise(1, 700);
    let large = noise(2, 9 << 20);
    for (round, fault) in passing().into_iter().enumerate() {
        let seed = 100 + round as u64;
        let fresh = noise(seed, 9 << 20);
        let store = service.client(&format!("writer {round}"), &[]).unwrap();
        if round == 0 {
            store.put_bytes(&small).unwrap();
            store.put_bytes(&large).unwrap();
        }
        service.server.faults().set(&[fault]);
        // Long enough for parts in the first rounds only: an upload of one request meets the other faults.
        let fresh = if round % 3 == 0 { &fresh[..] } else { &fresh[..3_000] };
        let id = store.put(&mut &*fresh, &AT_SYNC).unwrap().digest.id;
        store.sync().unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        drop(store);
        let reader = service.client(&format!("reader {round}"), &[]).unwrap();
        service.server.faults().set(&[fault]);
        for (bytes, id) in [(fresh, id), (&small, id_of(&small)), (&large, id_of(&large))] {
            let got = reader.get(&id, u64::MAX).unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
            assert!(got.unwrap() == *bytes, "{fault:?}");
        }
        assert!(reader.ids(&IdPrefix::ALL).unwrap().contains(&id));
    }
    service.server.faults().set(&[]);
}

fn id_of(bytes: &[u8]) -> stem_hash::ObjectId {
    stem_testkit::source::digest(stem_hash::Algorithm::Sha256, bytes).id
}

#[test]
fn bits_that_flip_on_the_way_are_never_handed_out() {
    let service = Service::plain();
    let small = noise(1, 5_000);
    let large = noise(2, 3 << 20);
    let store = service.client("one", &[]).unwrap();
    let ids = [&small, &large].map(|bytes| store.put_bytes(bytes).unwrap().digest.id);
    drop(store);
    for part in [0, 1, 60, 128, 200, 255] {
        for times in [1, 2, 1000] {
            service.server.faults().set(&[]);
            let store = service.client(&format!("flip {part} {times}"), &[("retries", "1")]).unwrap();
            service.server.faults().set(&[fault(Match::Get, times, Injury::Flip(part))]);
            for (bytes, id) in [&small, &large].iter().zip(&ids) {
                match store.get(id, u64::MAX) {
                    Ok(Some(got)) => assert!(got == **bytes),
                    Ok(None) => panic!("an object disappeared"),
                    Err(error) => {
                        assert!(times == 1000, "{part} {times} {error:?}");
                        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
                    }
                }
            }
        }
    }
    // Also where the marker, a list or an index is what is damaged: an error or the truth.
    for (of, part) in [(Match::Get, 30), (Match::Get, 200), (Match::List, 100), (Match::List, 180)] {
        service.server.faults().set(&[fault(of, 1, Injury::Flip(part))]);
        let Ok(store) = service.client(&format!("opening {of:?} {part}"), &[]) else { continue };
        service.server.faults().set(&[]);
        assert!(store.get(&ids[0], u64::MAX).unwrap().is_none_or(|got| got == small));
    }
}

#[test]
fn short_bodies_are_continued() {
    let service = Service::plain();
    let bytes = noise(3, 6 << 20);
    let id = service.client("one", &[]).unwrap().put_bytes(&bytes).unwrap().digest.id;
    for short in [1, 1000, 900_000] {
        let store = service.client(&format!("short {short}"), &[]).unwrap();
        service.server.faults().set(&[fault(Match::Get, 3, Injury::Short(short))]);
        assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes, "{short}");
    }
}

#[test]
fn a_service_that_stays_away_is_an_error_and_costs_nothing_that_was_there() {
    let service = Service::plain();
    let kept = noise(4, 10_000);
    let store = service.client("one", &[("retries", "1")]).unwrap();
    let kept_id = store.put_bytes(&kept).unwrap().digest.id;
    let lost = noise(5, 10_000);
    service.server.faults().set(&[fault(Match::Put, 1000, Injury::Status(503))]);
    let id = store.put(&mut &lost[..], &AT_SYNC).unwrap().digest.id;
    let error = store.sync().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    // The handle claims nothing any more, also when the service is back.
    service.server.faults().set(&[]);
    assert!(store.sync().is_err());
    assert!(store.put(&mut &lost[..], &AT_SYNC).is_err());
    assert_eq!(store.stat(&id).unwrap(), None);
    assert!(store.get(&kept_id, u64::MAX).unwrap().unwrap() == kept);
    // Another one goes on.
    let store = service.client("one", &[]).unwrap();
    assert_eq!(store.put(&mut &lost[..], &AT_SYNC).unwrap().written, Written::New);
    store.sync().unwrap();
    assert!(service.client("two", &[]).unwrap().get(&id, u64::MAX).unwrap().unwrap() == lost);
}

#[test]
fn no_pack_is_seen_before_those_that_it_needs() {
    // A large object in several packs, the service failing at every request that writes: whoever looks then sees the whole object or none.
    let bytes = noise(6, 3 << 20);
    for at in 0..12 {
        let service = Service::plain();
        let store = open_small_packs(&service);
        service.server.faults().set(&[Fault {
            of: Match::Put,
            after: at,
            times: 1000,
            injury: Injury::Status(500),
        }]);
        let put = store.put(&mut &bytes[..], &AT_SYNC).and_then(|_| store.sync());
        drop(store);
        service.server.faults().set(&[]);
        let id = id_of(&bytes);
        let reader = service.client("reader", &[]).unwrap();
        match reader.get(&id, u64::MAX).unwrap() {
            Some(got) => assert!(got == bytes),
            None => assert!(put.is_err(), "a sync that succeeded lost an object (fault at {at})"),
        }
        // The next run goes on.
        let store = service.client("again", &[]).unwrap();
        store.put(&mut &bytes[..], &AT_SYNC).unwrap();
        store.sync().unwrap();
        let reader = service.client("last", &[]).unwrap();
        assert!(reader.get(&id, u64::MAX).unwrap().unwrap() == bytes);
    }
}

fn open_small_packs(service: &Service) -> std::sync::Arc<dyn stem_store::Maintain> {
    let cache = service.scratch.path().join("small");
    let endpoint = service.server.endpoint();
    let options = [
        ("endpoint", endpoint.as_str()),
        ("anonymous", "true"),
        ("cache", cache.to_str().unwrap()),
        ("retries", "0"),
    ];
    let packs = stem_pack::PackOptions { pack_limit: 1 << 20, ..stem_pack::PackOptions::default() };
    crate::bucket::open("s3", "//bucket/studio", &options, &packs).unwrap()
}

#[test]
fn what_was_put_is_seen_while_its_packs_are_on_their_way() {
    let latency = Duration::from_millis(20);
    let service = Service::start(ServerOptions { latency, ..ServerOptions::default() });
    let store = open_small_packs(&service);
    let mut ids = Vec::new();
    // So many packs that the handle makes one index over several.
    for seed in 0..24 {
        ids.push(store.put(&mut &noise(seed, 700_000)[..], &AT_SYNC).unwrap().digest.id);
        let before = service.server.requests();
        for id in &ids {
            assert!(store.stat(id).unwrap().is_some(), "after {seed}");
        }
        let log = service.server.log();
        let lists = log.iter().skip(usize::try_from(before).unwrap()).filter(|line| *line == "GET /bucket");
        assert_eq!(lists.count(), 0, "what is known is not looked for");
    }
    store.sync().unwrap();
    let reader = service.client("reader", &[]).unwrap();
    for (seed, id) in ids.iter().enumerate() {
        assert!(reader.get(id, u64::MAX).unwrap().unwrap() == noise(seed as u64, 700_000));
    }
}

#[test]
fn lists_that_are_stale_hide_nothing_that_was_seen() {
    let service = Service::plain();
    let writer = service.client("writer", &[]).unwrap();
    let first = writer.put_bytes(&noise(1, 5_000)).unwrap().digest.id;
    let reader = service.client("reader", &[]).unwrap();
    assert!(reader.stat(&first).unwrap().is_some());
    service.server.hide_from_lists(true);
    let second = writer.put_bytes(&noise(2, 5_000)).unwrap().digest.id;
    // What a handle wrote or saw it knows, whatever lists say.
    for store in [&writer, &reader] {
        assert!(store.get(&first, u64::MAX).unwrap().is_some());
        assert!(store.get(&second, u64::MAX).unwrap().is_some());
    }
    // A client that sees nothing stores again, which is right too.
    let stale = service.client("stale", &[]).unwrap();
    assert_eq!(stale.put_bytes(&noise(1, 5_000)).unwrap().digest.id, first);
    service.server.hide_from_lists(false);
    assert_eq!(service.client("last", &[]).unwrap().ids(&IdPrefix::ALL).unwrap().len(), 2);
}

#[test]
fn a_clock_that_is_wrong_changes_nothing() {
    for clock in [-86_400 * 400, 86_400 * 400] {
        let service = Service::start(ServerOptions { clock, ..ServerOptions::default() });
        let bytes = noise(1, 5_000);
        let id = service.client("one", &[]).unwrap().put_bytes(&bytes).unwrap().digest.id;
        let store = service.client("two", &[]).unwrap();
        assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes);
        assert!(store.stat(&id).unwrap().unwrap().since.is_some());
    }
}

#[test]
fn packs_without_an_index_are_not_there_and_damaged_indices_are_computed_anew() {
    let service = Service::plain();
    let bytes = noise(1, 5_000);
    let id = service.client("one", &[]).unwrap().put_bytes(&bytes).unwrap().digest.id;
    let index = Bucket::keys(&service.server).into_iter().find(|key| is(key, "idx")).unwrap();
    let good = service.server.get(&index);
    service.server.set_object(&format!("studio/{index}"), None);
    assert_eq!(service.client("two", &[]).unwrap().stat(&id).unwrap(), None);
    for damage in 0..3 {
        let mut bad = good.clone();
        match damage {
            0 => bad[100] ^= 1,
            1 => bad.truncate(50),
            _ => bad.clear(),
        }
        service.server.set(&index, bad);
        let store = service.client(&format!("damaged {damage}"), &[]).unwrap();
        assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes, "{damage}");
    }
    // The same in a cache.
    service.server.set(&index, good);
    let store = service.client("cached", &[]).unwrap();
    assert!(store.stat(&id).unwrap().is_some());
    drop(store);
    for entry in walk(service.scratch.path().join("cached")) {
        if entry.extension().is_some_and(|extension| extension == "idx") {
            let mut permissions = std::fs::metadata(&entry).unwrap().permissions();
            #[expect(clippy::permissions_set_readonly_false, reason = "a file of the test")]
            permissions.set_readonly(false);
            std::fs::set_permissions(&entry, permissions).unwrap();
            std::fs::write(&entry, b"nonsense").unwrap();
        }
    }
    let store = service.client("cached", &[]).unwrap();
    assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes);
}

fn walk(dir: std::path::PathBuf) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(path)) } else { found.push(path) }
    }
    found
}

#[test]
fn foreign_keys_and_a_foreign_marker_are_left_alone() {
    let service = Service::plain();
    let hex = PackId::from_bytes([7; 16]).to_string();
    let foreign = [format!("packs/{hex}.pack"), "packs/readme.txt".to_owned(), "notes".to_owned()];
    for key in &foreign {
        service.server.set(key, b"foreign".to_vec());
    }
    // Packs without a marker: not ours to write beside.
    let store = service.client("one", &[]).unwrap();
    assert!(store.ids(&IdPrefix::ALL).unwrap().is_empty());
    assert!(store.put_bytes(b"kick").unwrap_err().to_string().contains("cannot store"));
    for key in &foreign {
        assert_eq!(service.server.get(key), b"foreign");
    }
    service.server.set("stemvault", b"{\"format\":\"stemvault-remote\",\"version\":2}".to_vec());
    assert!(service.client("two", &[]).is_err());
}

#[test]
fn two_clients_that_make_a_store_at_once_agree() {
    for conditional in [true, false] {
        let service = Service::start(ServerOptions {
            conditional,
            latency: Duration::from_millis(5),
            ..ServerOptions::default()
        });
        let stores: Vec<_> =
            (0..4).map(|client| service.client(&format!("client {client}"), &[]).unwrap()).collect();
        std::thread::scope(|scope| {
            for (client, store) in stores.iter().enumerate() {
                scope.spawn(move || store.put_bytes(&noise(client as u64, 3_000)).unwrap());
            }
        });
        drop(stores);
        assert_eq!(service.client("last", &[]).unwrap().ids(&IdPrefix::ALL).unwrap().len(), 4);
    }
}

#[test]
fn a_lost_answer_to_the_end_of_an_upload_is_not_a_lost_upload() {
    let service = Service::plain();
    let store = service.client("one", &[]).unwrap();
    store.put_bytes(b"first").unwrap();
    service.server.faults().set(&[once(Match::Complete, 0, Injury::Cut(0))]);
    let bytes = noise(1, 20 << 20);
    let id = store.put_bytes(&bytes).unwrap().digest.id;
    assert!(!service.server.faults().pending());
    assert!(service.client("two", &[]).unwrap().get(&id, u64::MAX).unwrap().unwrap() == bytes);
    assert_eq!(service.server.open_uploads(), 0);
}
