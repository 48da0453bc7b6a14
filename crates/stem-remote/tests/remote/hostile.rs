//! A service that answers nonsense, or means harm: every kind of request, in both layouts. What is read is right or an error, what was
//! acknowledged is there, and the next run goes on.

use std::io::Read;

use stem_hash::{Algorithm, IdPrefix, ObjectId};
use stem_store::{Durability, ErrorKind, ObjectStoreExt, PutOptions, Written};
use stem_testkit::s3::{Fault, Injury, Match, Moment, ServerOptions};
use stem_testkit::source::{digest, noise};

use crate::bucket::{Service, is};

const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };
const LAYOUTS: [&str; 2] = ["packs", "sharded"];
const FOREVER: u64 = u64::MAX;

fn fault(of: Match, after: u64, times: u64, injury: Injury) -> Fault {
    Fault { of, after, times, injury }
}

fn id_of(bytes: &[u8]) -> ObjectId {
    digest(Algorithm::Sha256, bytes).id
}

/// What a service or the network may do to one request, and whether a client has to get over it.
const INJURIES: [(Injury, bool); 14] = [
    (Injury::Busy(0), true),
    (Injury::Status(500), true),
    (Injury::Early, true),
    (Injury::Stall(20), true),
    (Injury::Cut(0), true),
    (Injury::CutRequest(10), true),
    (Injury::RedirectHere, false),
    (Injury::RedirectAway, false),
    (Injury::RedirectBare, false),
    (Injury::Status(404), false),
    (Injury::Status(412), false),
    (Injury::OtherRange(1), false),
    (Injury::Says(""), false),
    (Injury::Says("<html><body>Please log in to the hotel's network</body></html>"), false),
];

/// Puts `bytes` with a fault to come. What was acknowledged has to be there for another client; what was not, the next run puts.
fn put_under(service: &Service, layout: &str, bytes: &[u8], faults: &[Fault], passes: bool, what: &str) {
    let options = [("layout", layout), ("retries", "2")];
    let id = id_of(bytes);
    service.server.faults().set(&[]);
    let store = service.client("writer", &options).unwrap();
    service.server.faults().set(faults);
    let put = store.put(&mut &*bytes, &AT_SYNC).and_then(|_| store.sync());
    drop(store);
    service.server.faults().set(&[]);
    if passes {
        put.as_ref().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
    let there = service.client("looking", &options).unwrap().get(&id, u64::MAX).unwrap();
    match (&there, &put) {
        (Some(there), _) => assert!(there == bytes, "{what}: other bytes"),
        (None, Err(_)) => {
            let store = service.client("again", &options).unwrap();
            store.put(&mut &*bytes, &AT_SYNC).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            store.sync().unwrap_or_else(|error| panic!("{what}: {error:?}"));
            let reader = service.client("after", &options).unwrap();
            assert!(reader.get(&id, u64::MAX).unwrap().unwrap() == bytes, "{what}");
        }
        (None, Ok(())) => panic!("{what}: it was acknowledged and is not there"),
    }
}

#[test]
fn every_kind_of_request_that_writes_may_go_wrong() {
    for (layout, conditional) in [("packs", true), ("packs", false), ("sharded", true)] {
        let service = Service::start(ServerOptions { conditional, ..ServerOptions::default() });
        let mut seed = 0;
        for of in [Match::Whole, Match::Head, Match::List, Match::Get] {
            for (injury, passes) in INJURIES {
                seed += 1;
                let what = format!("{layout} {conditional} {of:?} {injury:?}");
                put_under(&service, layout, &noise(seed, 2_000), &[fault(of, 0, 1, injury)], passes, &what);
            }
        }
    }
}

#[test]
fn every_request_of_an_upload_in_parts_may_go_wrong() {
    for layout in LAYOUTS {
        let service = Service::plain();
        // Two parts; a few bytes differ each time, and no object is known.
        let mut bytes = noise(1, 9 << 20);
        let kinds = [Match::Begin, Match::Part, Match::Complete];
        for of in kinds.into_iter().skip(usize::from(layout == "sharded")) {
            for (injury, passes) in INJURIES {
                // Each costs an upload: one of a kind.
                let same =
                    [Injury::Status(500), Injury::Stall(20), Injury::RedirectBare, Injury::Status(412)];
                if matches!(injury, Injury::OtherRange(_) | Injury::RedirectHere) || same.contains(&injury) {
                    continue;
                }
                let digit = service.server.requests().to_le_bytes();
                bytes[(1 << 20)..(1 << 20) + 8].copy_from_slice(&digit);
                bytes[(8 << 20) + 5..(8 << 20) + 13].copy_from_slice(&digit);
                let what = format!("{layout} {of:?} {injury:?}");
                let after = u64::from(of == Match::Part);
                let mut faults = vec![fault(of, after, 1, injury)];
                if layout == "packs" {
                    // And giving up fails, too.
                    faults.push(fault(Match::Abort, 0, 1, Injury::Cut(0)));
                }
                put_under(&service, layout, &bytes, &faults, passes, &what);
            }
        }
    }
}

#[test]
fn every_kind_of_request_that_reads_may_go_wrong() {
    for layout in LAYOUTS {
        let service = Service::plain();
        let options = [("layout", layout), ("retries", "1")];
        let objects = [noise(1, 3_000), noise(2, 2 << 20)];
        let store = service.client("writer", &options).unwrap();
        let ids = objects.each_ref().map(|bytes| store.put_bytes(bytes).unwrap().digest.id);
        drop(store);
        let mut round = 0;
        // Packs are not asked for their length, nor keys of objects listed.
        for of in [Match::Get, if layout == "packs" { Match::List } else { Match::Head }] {
            let more = [
                (Injury::WholeBody, false),
                (Injury::Long(100), true),
                (Injury::Short(100), true),
                (Injury::Cut(300), true),
                (Injury::Trickle, true),
            ];
            for (injury, passes) in INJURIES.into_iter().chain(more) {
                round += 1;
                let what = format!("{layout} {of:?} {injury:?}");
                let lasts = of == Match::Get && !matches!(injury, Injury::Stall(_) | Injury::Trickle);
                for times in [1, FOREVER].into_iter().take(if lasts { 2 } else { 1 }) {
                    service.server.faults().set(&[]);
                    let again = if passes && times == 1 { "1" } else { "0" };
                    let options = [("layout", layout), ("retries", again)];
                    let store = service.client(&format!("reader {round} {times}"), &options).unwrap();
                    service.server.faults().set(&[fault(of, 0, times, injury)]);
                    let some = if times == 1 { 2 } else { 1 };
                    for (bytes, id) in objects.iter().zip(&ids).take(some) {
                        match store.get(id, u64::MAX) {
                            Ok(Some(got)) => assert!(got == *bytes, "{what}"),
                            // A service that says that there is no such key is believed.
                            Ok(None) => assert!(matches!(injury, Injury::Status(404)), "{what}: nothing"),
                            Err(error) if passes && times == 1 && of == Match::Get => {
                                panic!("{what}: {error:?}")
                            }
                            Err(_) => {}
                        }
                        let mut part = [0; 700];
                        match store.read_range(id, 1_234, &mut part) {
                            Ok(Some(n)) => assert!(n > 0 && part[..n] == bytes[1_234..1_234 + n], "{what}"),
                            Ok(None) => assert!(matches!(injury, Injury::Status(404)), "{what}: no range"),
                            Err(_) => {}
                        }
                    }
                    if let Ok(listed) = store.ids(&IdPrefix::ALL) {
                        let lies = matches!(injury, Injury::Says(_) | Injury::Status(404));
                        assert!(listed.iter().all(|id| ids.contains(id)), "{what}");
                        assert!(lies || listed.len() == 2, "{what}: {} listed", listed.len());
                    }
                    // And the handle is good still.
                    service.server.faults().set(&[]);
                    assert!(store.get(&ids[0], u64::MAX).unwrap().unwrap() == objects[0], "{what}");
                }
            }
        }
    }
}

#[test]
fn an_answer_may_end_at_any_byte() {
    for layout in LAYOUTS {
        let service = Service::plain();
        let options = [("layout", layout), ("retries", "3")];
        let bytes = noise(1, 300);
        let id = service.client("writer", &options).unwrap().put_bytes(&bytes).unwrap().digest.id;
        for of in [Match::Get, Match::List] {
            for at in (0..700).step_by(61) {
                service.server.faults().set(&[]);
                let store = service.client(&format!("{of:?} {at}"), &options).unwrap();
                service.server.faults().set(&[fault(of, 0, 1, Injury::Cut(at))]);
                let got = store.get(&id, u64::MAX).unwrap_or_else(|error| panic!("{of:?} {at}: {error:?}"));
                assert!(got.unwrap() == bytes);
                assert_eq!(store.ids(&IdPrefix::ALL).unwrap(), [id], "{layout} {of:?} {at}");
            }
        }
    }
}

#[test]
fn a_key_that_somebody_replaces_while_it_is_read_is_never_handed_out_mixed() {
    for layout in LAYOUTS {
        for change in [0_i64, -1_000_000] {
            let service = Service::plain();
            let options = [("layout", layout), ("retries", "1")];
            let bytes = noise(1, 24 << 20);
            let id = service.client("writer", &options).unwrap().put_bytes(&bytes).unwrap().digest.id;
            let store = service.client("reader", &options).unwrap();
            let mut reader = store.open(&id).unwrap().unwrap();
            let mut got = vec![0; 1 << 20];
            reader.read_exact(&mut got).unwrap();
            let ending = if layout == "packs" { "pack" } else { "" };
            let key = service.server.keys();
            let key = key.iter().find(|key| key.contains("/objects/") || is(key, ending)).unwrap();
            let len = service.server.object(key).unwrap().len();
            let len = usize::try_from(i64::try_from(len).unwrap() + change).unwrap();
            service.server.set_object(key, Some(noise(2, len)));
            let end = reader.read_to_end(&mut got);
            // What was fetched ahead may be all of it; then it is the right one.
            match end {
                Ok(_) => assert!(got == bytes, "{layout} {change}: other bytes"),
                Err(error) => {
                    let error = stem_store::Error::from_reader(error).unwrap();
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{layout} {change}: {error:?}");
                }
            }
            // The next run puts it again.
            let put = service.client("again", &options).unwrap().put_bytes(&bytes).unwrap();
            assert_ne!(put.written, Written::Present);
            assert!(service.client("last", &options).unwrap().get(&id, u64::MAX).unwrap().unwrap() == bytes);
        }
    }
}

#[test]
fn a_pack_that_goes_while_it_is_known_is_an_object_that_is_not_there_or_an_error() {
    let service = Service::plain();
    let bytes = noise(1, 50_000);
    let id = service.client("writer", &[]).unwrap().put_bytes(&bytes).unwrap().digest.id;
    let store = service.client("reader", &[("retries", "1")]).unwrap();
    assert!(store.stat(&id).unwrap().is_some());
    for key in service.server.keys().iter().filter(|key| is(key, "pack") || is(key, "idx")) {
        service.server.set_object(key, None);
    }
    assert!(!matches!(store.get(&id, u64::MAX), Ok(Some(_))));
    let store = service.client("again", &[]).unwrap();
    assert_ne!(store.put_bytes(&bytes).unwrap().written, Written::Present);
    assert!(service.client("last", &[]).unwrap().get(&id, u64::MAX).unwrap().unwrap() == bytes);
}

/// A page of a list with this inside.
macro_rules! page {
    ($inside:literal) => {
        concat!("<ListBucketResult>", $inside, "</ListBucketResult>")
    };
}

const PACK: &str = "studio/packs/00112233445566778899aabbccddeeff";

#[test]
fn lists_that_mean_harm() {
    let lists = [
        page!("<IsTruncated>true</IsTruncated>"),
        page!("<IsTruncated>perhaps</IsTruncated><NextContinuationToken></NextContinuationToken>"),
        page!("<Contents></Contents>"),
        page!(
            "<IsTruncated>false</IsTruncated><Contents><Key>studio/packs/00112233445566778899aabbccddeeff.pack</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>1</ETag><Size>18446744073709551615</Size></Contents><Contents><Key>studio/packs/00112233445566778899aabbccddeeff.idx</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>1</ETag><Size>18446744073709551615</Size></Contents>"
        ),
        page!(
            "<IsTruncated>false</IsTruncated><Contents><Key>studio/packs/00112233445566778899aabbccddeeff.pack</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>1</ETag><Size>0</Size></Contents><Contents><Key>studio/packs/00112233445566778899aabbccddeeff.idx</Key><LastModified>9999-99-99T00:00:00.000Z</LastModified><ETag>1</ETag><Size>-1</Size></Contents>"
        ),
        page!(
            "<IsTruncated>false</IsTruncated><Contents><Key>studio/packs/00112233445566778899aabbccddeeff.pack</Key><LastModified>+262142-12-31T23:59:59Z</LastModified><ETag>1</ETag><Size>4096</Size></Contents><Contents><Key>studio/packs/00112233445566778899aabbccddeeff.idx</Key><LastModified>-262143-01-01T00:00:00Z</LastModified><ETag>1</ETag><Size>99999999999999999999999</Size></Contents>"
        ),
        page!(
            "<IsTruncated>false</IsTruncated><Contents><Key>../../etc/passwd</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>1</ETag><Size>4096</Size></Contents><Contents><Key>elsewhere/packs/00112233445566778899aabbccddeeff.pack</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>1</ETag><Size>1</Size></Contents>"
        ),
        concat!(
            "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>",
            "<ListBucketResult><Contents><Key>&c;&c;&c;</Key></Contents></ListBucketResult>"
        ),
        "<ListBucketResult><Contents><Contents><Contents><Contents><Contents><Contents><Contents>",
        "\u{0}\u{1}\u{2}",
    ];
    for layout in LAYOUTS {
        let service = Service::plain();
        let options = [("layout", layout), ("retries", "0"), ("timeout", "1s")];
        let bytes = noise(1, 3_000);
        let id = service.client("writer", &options).unwrap().put_bytes(&bytes).unwrap().digest.id;
        for (round, list) in lists.into_iter().enumerate() {
            service.server.faults().set(&[fault(Match::List, 0, FOREVER, Injury::Says(list))]);
            if let Ok(store) = service.client(&format!("reader {round}"), &options) {
                if let Ok(listed) = store.ids(&IdPrefix::ALL) {
                    assert!(listed.iter().all(|listed| *listed == id), "{list}");
                }
                assert!(store.get(&id, u64::MAX).ok().flatten().is_none_or(|got| got == bytes), "{list}");
                assert!(store.stat(&ObjectId::from_bytes([3; 32])).ok().flatten().is_none(), "{list}");
            }
            // An object of a pack that is none does not count as stored.
            if let Ok(store) = service.client(&format!("writer {round}"), &options) {
                let more = noise(100 + round as u64, 2_000);
                let put = store.put_bytes(&more);
                service.server.faults().set(&[]);
                if put.is_ok() {
                    let reader = service.client(&format!("sees {round}"), &options).unwrap();
                    assert!(reader.get(&id_of(&more), u64::MAX).unwrap().unwrap() == more, "{list}");
                }
            }
            service.server.faults().set(&[]);
        }
        assert!(service.client("last", &options).unwrap().get(&id, u64::MAX).unwrap().unwrap() == bytes);
    }
}

#[test]
fn lists_without_an_end_end() {
    let service = Service::plain();
    let options = [("retries", "0"), ("timeout", "1s")];
    let store = service.client("one", &options).unwrap();
    store.put_bytes(&noise(1, 3_000)).unwrap();
    for list in [
        page!("<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"),
        page!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken><Contents><Key>studio/packs/a</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>1</ETag><Size>1</Size></Contents>"
        ),
    ] {
        service.server.faults().set(&[fault(Match::List, 0, FOREVER, Injury::Says(list))]);
        let error = store.stat(&ObjectId::from_bytes([3; 32])).unwrap_err();
        let words = format!("{error:?}");
        assert!(words.contains("begins again") || words.contains("shows nothing"), "{words}");
    }
}

#[test]
fn keys_with_strange_names_are_passed_over() {
    let service = Service::plain();
    let bytes = noise(1, 3_000);
    let id = service.client("one", &[]).unwrap().put_bytes(&bytes).unwrap().digest.id;
    let hex = "00112233445566778899AABBCCDDEEFF";
    for key in [
        "studio/packs".to_owned(),
        "studio/packs/".into(),
        format!("studio/packs/{hex}.pack"),
        format!("studio/packs/{hex}.idx"),
        format!("{PACK}.pack.tmp"),
        format!("{PACK}.idx/more"),
        format!("{PACK}.idx"),
        PACK.to_owned(),
        "studio/packs/%2e%2e%2fup.pack".into(),
        "studio/packs/ä ö#?+.pack".into(),
        format!("studio/packs/{}", "n".repeat(900)),
        "studio/objects/zz/00".into(),
        "studio".into(),
        "studio-other/packs/x.pack".into(),
    ] {
        service.server.set_object(&key, Some(b"foreign".to_vec()));
        let store = service.client("two", &[]).unwrap();
        assert_eq!(store.ids(&IdPrefix::ALL).unwrap(), [id], "{key}");
        assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes, "{key}");
        store.put_bytes(key.as_bytes()).unwrap();
        assert_eq!(service.server.object(&key).unwrap(), b"foreign");
        // The same number for the next name.
        for key in service.server.keys().iter().filter(|key| is(key, "pack") || is(key, "idx")) {
            let foreign = service.server.object(key).unwrap() == b"foreign";
            if !foreign && service.server.object(key).is_some() && !first_pack(&service, &id, key) {
                service.server.set_object(key, None);
            }
        }
    }
}

#[test]
fn a_key_with_a_name_that_the_client_refuses_hides_nothing_that_is_known_and_damages_nothing() {
    for strange in ["studio/packs//x", "studio/packs/../x", "studio/packs/./x", "studio/packs/a//b"] {
        let service = Service::plain();
        let bytes = noise(1, 3_000);
        let store = service.client("one", &[]).unwrap();
        let id = store.put_bytes(&bytes).unwrap().digest.id;
        service.server.set_object(strange, Some(b"foreign".to_vec()));
        // Nobody can list by now, and that is said; an empty list would be a lie.
        match service.client("two", &[]) {
            Ok(two) => {
                assert!(two.ids(&IdPrefix::ALL).is_err() || two.stat(&id).unwrap().is_some(), "{strange}");
            }
            Err(error) => assert_ne!(error.kind(), ErrorKind::Corrupt, "{strange}"),
        }
        assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes, "{strange}");
        service.server.set_object(strange, None);
        assert!(service.client("three", &[]).unwrap().get(&id, u64::MAX).unwrap().unwrap() == bytes);
    }
}

/// Whether this is the pack that has the object, or its index: the only ones of `service` before.
fn first_pack(service: &Service, id: &ObjectId, key: &str) -> bool {
    let needle = id.as_bytes();
    let stem = key.trim_end_matches(".pack").trim_end_matches(".idx");
    service.server.object(&format!("{stem}.pack")).is_some_and(|pack| pack.windows(32).any(|at| at == needle))
}

#[test]
fn a_service_that_is_slow_to_begin_is_waited_for_and_one_that_is_silent_is_not() {
    let service = Service::plain();
    let options = [("retries", "1"), ("timeout", "1s")];
    let bytes = noise(1, 3_000);
    let id = service.client("one", &options).unwrap().put_bytes(&bytes).unwrap().digest.id;
    service.server.faults().set(&[fault(Match::Any, 0, 6, Injury::Stall(200))]);
    assert!(service.client("two", &options).unwrap().get(&id, u64::MAX).unwrap().unwrap() == bytes);
    let store = service.client("three", &options).unwrap();
    service.server.faults().set(&[fault(Match::Get, 0, 1, Injury::Stall(1_500))]);
    assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes);
}

#[test]
fn whoever_goes_between_the_pack_and_its_index_leaves_what_the_next_run_replaces() {
    // The client is cut off for good at each request in turn, as by a kill.
    for at in 0..10 {
        let service = Service::plain();
        let options = [("retries", "0")];
        let bytes = noise(1, 9 << 20);
        let store = service.client("one", &options).unwrap();
        service.server.faults().set(&[fault(Match::Any, at, FOREVER, Injury::Cut(0))]);
        let put = store.put(&mut &bytes[..], &AT_SYNC).and_then(|_| store.sync());
        drop(store);
        service.server.faults().set(&[]);
        let id = id_of(&bytes);
        let looked = service.client("two", &options).unwrap().get(&id, u64::MAX).unwrap();
        assert!(looked.as_ref().is_none_or(|got| *got == bytes), "{at}");
        assert!(put.is_err() || looked.is_some(), "{at}: acknowledged and not there");
        let store = service.client("one", &options).unwrap();
        store.put(&mut &bytes[..], &AT_SYNC).and_then(|_| store.sync()).unwrap();
        assert!(service.client("three", &options).unwrap().get(&id, u64::MAX).unwrap().unwrap() == bytes);
    }
}

#[test]
fn what_is_done_at_a_request_is_done_once() {
    // The hook of the service itself, which tests with kills rely on.
    let service = Service::plain();
    let (send, receive) = std::sync::mpsc::channel();
    let store = service.client("one", &[]).unwrap();
    service.server.when(Match::Whole, 1, Moment::Before, move || send.send(()).unwrap());
    store.put_bytes(&noise(1, 100)).unwrap();
    receive.recv().unwrap();
    assert!(receive.recv().is_err());
    assert!(!service.server.forget());
}
