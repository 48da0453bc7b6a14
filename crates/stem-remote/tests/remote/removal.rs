//! The client's side of removal: what it publishes, what it does not rely on, and what it looks at again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use stem_fs::Dir;
use stem_hash::{Algorithm, Hasher, ObjectId};
use stem_pack::PackOptions;
use stem_remote::Location;
use stem_store::{Durability, ErrorKind, Maintain, ObjectStoreExt, PutOptions, Written};
use stem_testkit::s3::S3Server;
use stem_testkit::source::noise;

use crate::bucket::{Bucket, Service, is};

const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };

/// A list as the page describes it, written without the code that it is to test.
fn list(magic: &[u8; 8], mut rows: Vec<Vec<u8>>) -> Vec<u8> {
    rows.sort();
    let mut head = magic.to_vec();
    head.extend(1_u32.to_le_bytes());
    head.extend(u32::try_from(rows[0].len()).unwrap().to_le_bytes());
    head.extend((rows.len() as u64).to_le_bytes());
    let rows = rows.concat();
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(&head);
    hasher.update(&rows);
    [head, hasher.finish().id.as_bytes().to_vec(), rows].concat()
}

fn digits(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn packs(server: &S3Server) -> Vec<String> {
    let packs = Bucket::keys(server).into_iter().filter(|key| is(key, "pack"));
    packs.map(|key| key["packs/".len()..key.len() - ".pack".len()].to_owned()).collect()
}

fn condemn(server: &S3Server, packs: &[String], name: u8) {
    let rows = packs.iter().map(|hex| digits(hex)).collect();
    server.set(&format!("condemned/{}", format!("{name:02x}").repeat(16)), list(b"STEMDOOM", rows));
}

fn remove(server: &S3Server, packs: &[String]) {
    for pack in packs {
        server.set_object(&format!("studio/packs/{pack}.idx"), None);
        server.set_object(&format!("studio/packs/{pack}.pack"), None);
    }
}

/// What each list of roots names, by its key.
fn roots(server: &S3Server) -> BTreeMap<String, Vec<ObjectId>> {
    let keys = Bucket::keys(server).into_iter().filter(|key| key.starts_with("roots/"));
    keys.map(|key| {
        let bytes = server.get(&key);
        assert_eq!(&bytes[..8], b"STEMROOT");
        let rows: Vec<Vec<u8>> = bytes[56..].chunks(32).map(<[u8]>::to_vec).collect();
        assert_eq!(list(b"STEMROOT", rows.clone()), bytes, "{key}");
        (key, rows.into_iter().map(|row| ObjectId::from_bytes(row.try_into().unwrap())).collect())
    })
    .collect()
}

fn named(server: &S3Server) -> HashSet<ObjectId> {
    roots(server).into_values().flatten().collect()
}

fn put(store: &dyn Maintain, bytes: &[u8]) -> (ObjectId, Written) {
    let put = store.put(&mut &bytes[..], &AT_SYNC).unwrap();
    (put.digest.id, put.written)
}

/// A small object and one of several chunks.
fn two() -> [Vec<u8>; 2] {
    [b"a preset".to_vec(), noise(7, 5 << 20)]
}

fn reads(service: &Service, cache: &str, objects: &[Vec<u8>], ids: &[ObjectId]) {
    let store = service.client(cache, &[]).unwrap();
    for (id, bytes) in ids.iter().zip(objects) {
        assert!(store.get(id, 1 << 30).unwrap().unwrap() == *bytes);
    }
}

/// Puts both objects with another client and says their ids.
fn filled(service: &Service) -> Vec<ObjectId> {
    let store = service.client("first", &[]).unwrap();
    let ids = two().iter().map(|bytes| put(&*store, bytes).0).collect();
    store.sync().unwrap();
    ids
}

#[test]
fn what_is_put_is_published_before_sync_returns_also_what_was_there() {
    let service = Service::plain();
    let ids = filled(&service);
    assert_eq!(named(&service.server), ids.iter().copied().collect());
    let store = service.client("second", &[]).unwrap();
    assert_eq!(put(&*store, &two()[0]), (ids[0], Written::Present));
    assert_eq!(roots(&service.server).len(), 1, "nothing counts before the sync");
    store.sync().unwrap();
    let lists = roots(&service.server);
    let clients: HashSet<&str> = lists.keys().map(|key| key.split('/').nth(1).unwrap()).collect();
    assert_eq!((lists.len(), clients.len()), (2, 2));
    // One that is put alone, at once.
    let id = store.put_bytes(b"at once").unwrap().digest.id;
    assert!(named(&service.server).contains(&id));
    let before = service.server.requests();
    store.sync().unwrap();
    assert_eq!(service.server.requests(), before, "there is nothing to say");
}

#[test]
fn many_syncs_leave_few_lists_that_name_everything() {
    let service = Service::plain();
    let store = service.client("one", &[]).unwrap();
    let mut ids = HashSet::new();
    for number in 0..40_u32 {
        ids.insert(put(&*store, &number.to_le_bytes()).0);
        store.sync().unwrap();
        assert_eq!(named(&service.server), ids);
    }
    let lists = roots(&service.server).len();
    assert!(lists <= 6, "{lists} lists");
}

#[test]
fn a_sync_costs_two_requests_more() {
    let service = Service::plain();
    let store = service.client("one", &[]).unwrap();
    put(&*store, b"first");
    store.sync().unwrap();
    let before = service.server.log().len();
    put(&*store, b"second, which is longer");
    store.sync().unwrap();
    let log = service.server.log();
    let extra: Vec<_> = log[before..].iter().filter(|line| !line.contains("packs")).collect();
    // The list, one look for condemned packs, and the list that the new one replaces.
    assert!(extra.len() <= 3, "{extra:?}");
}

#[test]
fn nothing_is_relied_on_in_a_condemned_pack_and_reading_goes_on() {
    let service = Service::plain();
    let ids = filled(&service);
    let old = packs(&service.server);
    condemn(&service.server, &old, 1);
    reads(&service, "reader", &two(), &ids);
    let store = service.client("second", &[]).unwrap();
    for (bytes, id) in two().iter().zip(&ids) {
        let (found, written) = put(&*store, bytes);
        assert_eq!(found, *id);
        assert_ne!(written, Written::Present);
    }
    store.sync().unwrap();
    remove(&service.server, &old);
    reads(&service, "third", &two(), &ids);
}

#[test]
fn a_chunk_in_a_condemned_pack_is_stored_again_for_another_object() {
    let service = Service::plain();
    filled(&service);
    let old = packs(&service.server);
    condemn(&service.server, &old, 1);
    let longer = [&two()[1][..], &noise(9, 1 << 20)].concat();
    let store = service.client("second", &[]).unwrap();
    let (id, _) = put(&*store, &longer);
    store.sync().unwrap();
    remove(&service.server, &old);
    reads(&service, "third", &[longer], &[id]);
}

/// A client that put what was there already, with the ids of that and the packs that it lies in.
fn put_again(service: &Service) -> (Arc<dyn Maintain>, Vec<ObjectId>, Vec<String>) {
    let ids = filled(service);
    let old = packs(&service.server);
    let store = service.client("second", &[]).unwrap();
    for bytes in two() {
        assert_eq!(put(&*store, &bytes).1, Written::Present);
    }
    (store, ids, old)
}

#[test]
fn what_is_condemned_between_put_and_sync_is_stored_again_from_there() {
    let service = Service::plain();
    let (store, ids, old) = put_again(&service);
    condemn(&service.server, &old, 1);
    store.sync().unwrap();
    remove(&service.server, &old);
    reads(&service, "third", &two(), &ids);
}

#[test]
fn what_is_gone_between_put_and_sync_has_to_be_put_again() {
    let service = Service::plain();
    let (store, ids, old) = put_again(&service);
    let (other, _) = put(&*store, b"something else");
    remove(&service.server, &old);
    let error = store.sync().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
    assert_eq!(error.lost().iter().copied().collect::<HashSet<_>>(), ids.iter().copied().collect());
    // All else is durable, and the loss is told until it is made good.
    reads(&service, "third", &[b"something else".to_vec()], &[other]);
    assert_eq!(store.sync().unwrap_err().kind(), ErrorKind::Lost);
    for bytes in two() {
        assert_ne!(put(&*store, &bytes).1, Written::Present);
    }
    store.sync().unwrap();
    reads(&service, "fourth", &two(), &ids);
}

#[test]
fn what_is_relied_on_is_published_with_the_next_sync_and_looked_at_again() {
    let service = Service::plain();
    let ids = filled(&service);
    let absent = ObjectId::from_bytes([1; 32]);
    let store = service.client("second", &[]).unwrap();
    assert_eq!(store.rely_on(&[ids[0], absent, ids[1]]).unwrap(), [true, false, true]);
    assert_eq!(roots(&service.server).len(), 1);
    store.sync().unwrap();
    assert_eq!(roots(&service.server).len(), 2);
    // Gone before the sync.
    let store = service.client("third", &[]).unwrap();
    assert_eq!(store.rely_on(&ids).unwrap(), [true, true]);
    remove(&service.server, &packs(&service.server));
    assert_eq!(store.sync().unwrap_err().lost().len(), 2);
}

#[test]
fn what_lies_in_condemned_packs_in_part_is_not_relied_on() {
    let service = Service::plain();
    let ids = filled(&service);
    let old = packs(&service.server);
    // The same chunks, and a list of them in another pack.
    let longer = [&two()[1][..], &noise(9, 1 << 20)].concat();
    let store = service.client("second", &[]).unwrap();
    let (id, _) = put(&*store, &longer);
    store.sync().unwrap();
    drop(store);
    let store = service.client("third", &[]).unwrap();
    assert_eq!(store.rely_on(&[id, ids[0]]).unwrap(), [true, true]);
    condemn(&service.server, &old, 1);
    // Found in the sync, and brought into safety.
    store.sync().unwrap();
    let fourth = service.client("fourth", &[]).unwrap();
    assert_eq!(fourth.rely_on(&[id, ids[0], ids[1]]).unwrap(), [true, true, false]);
    remove(&service.server, &old);
    reads(&service, "fifth", &[longer], &[id]);
}

#[test]
fn a_list_that_cannot_be_read_ends_the_push() {
    let service = Service::plain();
    filled(&service);
    condemn(&service.server, &packs(&service.server), 1);
    let key = format!("condemned/{}", "01".repeat(16));
    let mut bytes = service.server.get(&key);
    bytes[60] ^= 1;
    service.server.set(&key, bytes);
    let store = service.client("second", &[]).unwrap();
    let error = store.put(&mut &b"a preset"[..], &AT_SYNC).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains(&key), "{why}");
}

#[test]
fn a_client_says_what_it_needs_and_nothing_of_another() {
    let service = Service::plain();
    let ids = filled(&service);
    let other = service.client("second", &[]).unwrap();
    let (kept, _) = put(&*other, b"of another client");
    other.sync().unwrap();
    let store = service.client("first", &[]).unwrap();
    store.needs_only(&ids[..1]).unwrap();
    assert_eq!(named(&service.server), [ids[0], kept].into());
    store.needs_only(&[]).unwrap();
    assert_eq!(named(&service.server), [kept].into());
    // Nothing is removed by that.
    reads(&service, "third", &two(), &ids);
    // And what is put later is needed again.
    assert_eq!(put(&*store, &two()[0]).1, Written::Present);
    store.sync().unwrap();
    assert_eq!(named(&service.server), [ids[0], kept].into());
}

#[test]
fn a_copied_repository_takes_nothing_from_the_original() {
    let service = Service::plain();
    let endpoint = service.server.endpoint();
    let cache = service.scratch.path().join("cache");
    let options: BTreeMap<String, String> =
        [("endpoint", endpoint.as_str()), ("anonymous", "true"), ("cache", cache.to_str().unwrap())]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
    let open = |name: &str| {
        let muse = service.scratch.path().join(name).join(".muse");
        std::fs::create_dir_all(&muse).unwrap();
        let location = Location { scheme: "s3", location: "//bucket/studio", options: &options };
        stem_remote::open_own(&location, &PackOptions::default(), &Dir::open(&muse).unwrap()).unwrap()
    };
    let original = open("original");
    let (id, _) = put(&*original, b"of the original");
    original.sync().unwrap();
    let stem = service.scratch.path().join("copy/.muse/stem");
    std::fs::create_dir_all(&stem).unwrap();
    std::fs::copy(service.scratch.path().join("original/.muse/stem/client"), stem.join("client")).unwrap();
    open("copy").needs_only(&[]).unwrap();
    assert_eq!(named(&service.server), [id].into());
    // The original itself, opened again, does replace what it said.
    open("original").needs_only(&[]).unwrap();
    assert!(named(&service.server).is_empty());
}

#[test]
fn what_is_entrusted_is_no_longer_said_and_what_stands_with_others_is() {
    let service = Service::plain();
    let (store, other) = (service.client("a", &[]).unwrap(), service.client("b", &[]).unwrap());
    let (first, _) = put(&*store, b"first");
    store.sync().unwrap();
    let (second, _) = put(&*other, b"second");
    other.sync().unwrap();
    // Only lists of this handle go, and only those that name nothing else.
    let mut both = vec![first, second];
    both.sort_unstable();
    store.entrust(&[second]).unwrap();
    assert_eq!(roots(&service.server).len(), 2);
    store.entrust(&both).unwrap();
    let left: Vec<ObjectId> = roots(&service.server).into_values().flatten().collect();
    assert_eq!(left, [second]);
    // A list that was joined with what is not entrusted stays whole.
    let (third, _) = put(&*other, b"third");
    other.sync().unwrap();
    other.entrust(&[third]).unwrap();
    let left: HashSet<ObjectId> = roots(&service.server).into_values().flatten().collect();
    assert_eq!(left, HashSet::from([second, third]));
}
