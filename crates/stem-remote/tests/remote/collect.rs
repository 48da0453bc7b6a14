//! Collecting a bucket: what is needed stays, what is not goes a week after it was condemned, whatever happens in between.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use stem_hash::{Algorithm, Hasher, ObjectId};
use stem_pack::PackOptions;
use stem_pack::format::PackId;
use stem_remote::{CollectOptions, CollectStep, CollectWatch, Collected, Tally, Unwatched};
use stem_store::{ErrorKind, Maintain, ObjectStoreExt};
use stem_testkit::s3::{Fault, Injury, Match, ServerOptions};
use stem_testkit::source::noise;

use crate::bucket::{Bucket, Directory, Service, is, open};

pub(crate) const DAY: Duration = Duration::from_hours(24);
const ANNA: &str = "0000000000000000000000000000000a";
const BERT: &str = "0000000000000000000000000000000b";

/// A list as the page has it, made by hand.
pub(crate) fn list(magic: &[u8; 8], rows: &[&[u8]]) -> Vec<u8> {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    rows.dedup();
    let len = rows.first().map_or(0, |row| row.len());
    let mut head = magic.to_vec();
    head.extend_from_slice(&1u32.to_le_bytes());
    head.extend_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
    head.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    let body = rows.concat();
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(&head);
    hasher.update(&body);
    [&head[..], hasher.finish().id.as_bytes(), &body].concat()
}

pub(crate) fn roots(ids: &[ObjectId]) -> Vec<u8> {
    let rows: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
    list(b"STEMROOT", &rows)
}

/// The needs of all clients, and nothing else; a client without needs has no list.
pub(crate) fn need(service: &Service, clients: &[(&str, &[ObjectId])]) {
    for key in Bucket::keys(&service.server) {
        if key.starts_with("roots/") {
            service.server.set_object(&format!("studio/{key}"), None);
        }
    }
    for (number, (client, ids)) in clients.iter().enumerate().filter(|(_, (_, ids))| !ids.is_empty()) {
        service.server.set(&format!("roots/{client}/{number:032x}"), roots(ids));
    }
}

/// An entry's text in these tests: ids, one to a line.
pub(crate) fn ids_of(text: &[u8]) -> Result<Vec<ObjectId>, String> {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .map(|line| ObjectId::parse_bytes(line.as_bytes()).map_err(|error| error.to_string()))
        .collect()
}

fn collect_with(service: &Service, options: &CollectOptions) -> stem_store::Result<Collected> {
    service.bucket().collect(options, &ids_of, &Unwatched)
}

fn collect(service: &Service) -> Collected {
    let options = CollectOptions { even_if_nothing_is_needed: true, ..CollectOptions::default() };
    collect_with(service, &options).unwrap()
}

/// Puts one object in a pack of its own, by a client that knows nothing of before.
fn put(service: &Service, cache: &str, bytes: &[u8]) -> ObjectId {
    let id = service.client(cache, &[]).unwrap().put_bytes(bytes).unwrap().digest.id;
    // What the handle itself says it needs is not what is tested here.
    need(service, &[]);
    id
}

fn reads(service: &Service, id: &ObjectId, bytes: &[u8]) {
    let scratch = tempfile::tempdir().unwrap();
    let store = service.client(scratch.path().to_str().unwrap(), &[]).unwrap();
    assert!(store.get(id, u64::MAX).unwrap().is_some_and(|read| read == bytes), "{id} is lost");
}

fn keys_below(service: &Service, prefix: &str) -> Vec<String> {
    Bucket::keys(&service.server).into_iter().filter(|key| key.starts_with(prefix)).collect()
}

fn packs(service: &Service) -> usize {
    keys_below(service, "packs/").iter().filter(|key| is(key, "pack")).count()
}

#[test]
fn what_nobody_needs_is_condemned_and_goes_a_week_later() {
    let service = Service::plain();
    let (kept, lost) = (noise(1, 5_000), noise(2, 6_000));
    let keep = put(&service, "one", &kept);
    let lose = put(&service, "two", &lost);
    need(&service, &[(ANNA, &[keep, lose])]);
    let all = collect(&service);
    assert_eq!((all.present.packs, all.needed.packs, all.newly.packs), (2, 2, 0));
    assert_eq!((all.clients.len(), all.clients[0].ids, all.objects), (1, 2, 2));

    need(&service, &[(ANNA, &[keep])]);
    let first = collect(&service);
    assert_eq!((first.newly.packs, first.condemned.packs, first.removed.packs), (1, 1, 0));
    assert!(first.next.is_some());
    assert_eq!(keys_below(&service, "condemned/").len(), 1);
    service.server.advance(6 * DAY);
    let wait = collect(&service);
    assert_eq!((wait.newly, wait.condemned.packs, wait.removed), (Tally::default(), 1, Tally::default()));
    assert_eq!(wait.next, first.next);
    reads(&service, &lose, &lost);

    service.server.advance(2 * DAY);
    let dry = collect_with(&service, &CollectOptions { dry_run: true, ..CollectOptions::default() }).unwrap();
    assert_eq!(dry.removed, Tally::default(), "by the clock of this machine no time has passed");
    let second = collect(&service);
    assert_eq!((second.removed.packs, second.condemned.packs), (1, 0));
    assert!(second.removed.bytes > 6_000);
    assert!(keys_below(&service, "condemned/").is_empty());
    assert_eq!(packs(&service), 1);
    assert!(service.client("three", &[]).unwrap().stat(&lose).unwrap().is_none());
    reads(&service, &keep, &kept);
    assert_eq!(collect(&service).condemned, Tally::default());
}

#[test]
fn what_is_needed_again_before_the_second_mark_stays_and_counts_again_later() {
    let service = Service::plain();
    let bytes = noise(1, 5_000);
    let id = put(&service, "one", &bytes);
    let other = put(&service, "two", b"kick");
    need(&service, &[(BERT, &[other])]);
    collect(&service);
    let before = keys_below(&service, "condemned/");
    need(&service, &[(BERT, &[other]), (ANNA, &[id])]);
    service.server.advance(8 * DAY);
    let spared = collect(&service);
    assert_eq!((spared.spared.packs, spared.removed.packs), (1, 0));
    // A collector who read the old list may still be at work: the pack stays condemned by another one.
    let after = keys_below(&service, "condemned/");
    assert_eq!(after.len(), 1);
    assert_ne!(before, after);
    collect(&service);
    assert_eq!(keys_below(&service, "condemned/"), after);
    service.server.advance(2 * DAY);
    collect(&service);
    assert!(keys_below(&service, "condemned/").is_empty());
    reads(&service, &id, &bytes);
    // Condemned again it has a week again.
    need(&service, &[(BERT, &[other])]);
    collect(&service);
    service.server.advance(6 * DAY);
    assert_eq!(collect(&service).removed.packs, 0);
    service.server.advance(2 * DAY);
    assert_eq!(collect(&service).removed.packs, 1);
}

#[test]
fn a_condemned_pack_is_not_kept_for_what_another_has_too() {
    let service = Service::plain();
    let bytes = noise(1, 5_000);
    let id = put(&service, "one", &bytes);
    let first = keys_below(&service, "packs/");
    collect(&service);
    // A client that may not rely on the pack stores the bytes again.
    service.server.hide(first.iter().map(|key| format!("studio/{key}")).collect());
    put(&service, "two", &bytes);
    service.server.hide(Vec::new());
    need(&service, &[(ANNA, &[id])]);
    assert_eq!(packs(&service), 2);
    service.server.advance(8 * DAY);
    let collected = collect(&service);
    assert_eq!((collected.removed.packs, collected.needed.packs), (1, 1));
    assert!(keys_below(&service, "packs/").iter().all(|key| !first.contains(key)));
    reads(&service, &id, &bytes);
}

#[test]
fn of_two_condemned_packs_with_the_same_neither_goes_while_it_is_needed() {
    let service = Service::plain();
    let bytes = noise(1, 5_000);
    let id = put(&service, "one", &bytes);
    let first = keys_below(&service, "packs/");
    service.server.hide(first.iter().map(|key| format!("studio/{key}")).collect());
    put(&service, "two", &bytes);
    service.server.hide(Vec::new());
    collect(&service);
    need(&service, &[(ANNA, &[id])]);
    for _ in 0..4 {
        service.server.advance(8 * DAY);
        assert_eq!(collect(&service).removed.packs, 0);
        reads(&service, &id, &bytes);
    }
}

#[test]
fn chunks_of_another_pack_keep_it() {
    let service = Service::plain();
    let first = noise(1, 9 << 20);
    let mut second = first.clone();
    second[100] ^= 1;
    let old = put(&service, "one", &first);
    let new = put(&service, "one", &second);
    assert_eq!(packs(&service), 2);
    need(&service, &[(ANNA, &[new])]);
    let collected = collect(&service);
    assert_eq!(collected.needed.packs, 2, "{collected:?}");
    service.server.advance(8 * DAY);
    collect(&service);
    reads(&service, &new, &second);
    need(&service, &[(ANNA, &[old])]);
    assert_eq!(collect(&service).newly.packs, 1);
}

#[test]
fn entries_and_all_clients_count_and_one_can_be_forgotten() {
    let service = Service::plain();
    let bytes: Vec<Vec<u8>> = (1..=4).map(|seed| noise(seed, 5_000)).collect();
    let ids: Vec<ObjectId> = bytes.iter().map(|bytes| put(&service, "one", bytes)).collect();
    need(&service, &[(ANNA, &ids[..1]), (BERT, &ids[1..2])]);
    let bucket = service.bucket();
    let name = bucket.publish_entry("20261122T083413597654Z", b"{}", ids[2].to_string().as_bytes()).unwrap();
    let collected = collect(&service);
    assert_eq!((collected.needed.packs, collected.newly.packs, collected.entries), (3, 1, 1));
    service.server.advance(8 * DAY);
    assert_eq!(collect(&service).removed.packs, 1);
    for at in 0..3 {
        reads(&service, &ids[at], &bytes[at]);
    }
    assert_eq!(bucket.clients().unwrap().len(), 2);
    let forget = |client: &str, dry_run| CollectOptions {
        forget: Some(client.to_owned()),
        dry_run,
        ..CollectOptions::default()
    };
    assert_eq!(
        collect_with(&service, &forget(&"f".repeat(32), false)).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let dry = collect_with(&service, &forget(ANNA, true)).unwrap();
    assert_eq!((dry.forgotten, dry.newly.packs, dry.clients.len()), (1, 1, 1));
    assert_eq!(keys_below(&service, "roots/").len(), 2);
    assert_eq!(collect_with(&service, &forget(ANNA, false)).unwrap().newly.packs, 1);
    assert_eq!(keys_below(&service, "roots/").len(), 1);
    assert!(bucket.remove_entry(&name).unwrap());
    collect(&service);
    service.server.advance(8 * DAY);
    collect(&service);
    assert_eq!(packs(&service), 1);
    reads(&service, &ids[1], &bytes[1]);
}

#[test]
fn what_may_name_objects_and_cannot_be_read_ends_the_work() {
    let service = Service::plain();
    let id = put(&service, "one", &noise(1, 5_000));
    put(&service, "one", &noise(2, 5_000));
    need(&service, &[(ANNA, &[id])]);
    collect(&service);
    service.server.advance(8 * DAY);
    let hex = "1234567890abcdef1234567890abcdef";
    let good = roots(&[id]);
    let mut newer = good.clone();
    newer[8] = 2;
    let mut damaged = good.clone();
    damaged[60] ^= 1;
    let entry = format!("entries/20261122T083413597654Z-{hex}");
    for (key, bytes, kind) in [
        (format!("roots/{ANNA}/{hex}"), damaged.clone(), ErrorKind::Corrupt),
        (format!("roots/{hex}/{hex}"), Vec::new(), ErrorKind::Corrupt),
        (format!("roots/{hex}/{hex}"), newer, ErrorKind::Unsupported),
        (format!("condemned/{hex}"), good.clone(), ErrorKind::Corrupt),
        (format!("condemned/{hex}"), good[..30].to_vec(), ErrorKind::Corrupt),
        (entry.clone(), b"STEMSHLF".to_vec(), ErrorKind::Corrupt),
    ] {
        service.server.set(&key, bytes);
        let before = service.server.keys();
        let error = collect_with(&service, &CollectOptions::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{key}: {error:?}");
        let told = format!("{error:?}");
        assert!(told.contains(key.rsplit('/').next().unwrap()), "{told}");
        assert_eq!(service.server.keys(), before, "{key}");
        service.server.set_object(&format!("studio/{key}"), None);
    }
    // An entry that is whole, and whose text says nothing that is understood.
    let name = service.bucket().publish_entry("20261122T083413597654Z", b"{}", b"what?").unwrap();
    let before = service.server.keys();
    let error = collect_with(&service, &CollectOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(format!("{error:?}").contains(&name));
    assert_eq!(service.server.keys(), before);
    service.bucket().remove_entry(&name).unwrap();
    // Foreign names are nobody's needs, and stay.
    let foreign = [
        format!("roots/{ANNA}/x"),
        format!("roots/{hex}"),
        "condemned/x".into(),
        "entries/x".into(),
        "probe/x".into(),
    ];
    for key in &foreign {
        service.server.set(key, b"foreign".to_vec());
    }
    assert_eq!(collect(&service).removed.packs, 1);
    for key in &foreign {
        assert_eq!(service.server.get(key), b"foreign");
    }
}

#[test]
fn a_chunk_list_that_cannot_be_read_ends_the_work() {
    let service = Service::plain();
    let id = put(&service, "one", &noise(1, 9 << 20));
    put(&service, "one", &noise(2, 5_000));
    need(&service, &[(ANNA, &[id])]);
    let key = keys_below(&service, "packs/").into_iter().filter(|key| is(key, "pack"));
    let key = key.max_by_key(|key| service.server.get(key).len()).unwrap();
    let mut bytes = service.server.get(&key);
    // The list is the last record: what follows it is the footer.
    let from = bytes.len() - 700;
    for byte in &mut bytes[from..from + 400] {
        *byte ^= 0xff;
    }
    service.server.set(&key, bytes);
    let before = service.server.keys();
    let error = collect_with(&service, &CollectOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert_eq!(service.server.keys(), before);
}

#[test]
fn a_dry_run_only_reads() {
    let service = Service::plain();
    put(&service, "one", &noise(1, 5_000));
    need(&service, &[(ANNA, &[ObjectId::from_bytes([7; 32])])]);
    let asked = service.server.log().len();
    let dry = CollectOptions { dry_run: true, ..CollectOptions::default() };
    let collected = collect_with(&service, &dry).unwrap();
    assert_eq!((collected.newly.packs, collected.absent), (1, 1));
    assert_eq!(collected.some_absent, [ObjectId::from_bytes([7; 32])]);
    let log = service.server.log();
    assert!(log[asked..].iter().all(|line| line.starts_with("GET") || line.starts_with("HEAD")), "{log:?}");
}

#[test]
fn nothing_goes_where_nobody_says_what_they_need() {
    let service = Service::plain();
    let bytes = noise(1, 5_000);
    let id = put(&service, "one", &bytes);
    collect_with(&service, &CollectOptions::default()).unwrap();
    service.server.advance(8 * DAY);
    let collected = collect_with(&service, &CollectOptions::default()).unwrap();
    assert_eq!((collected.held.packs, collected.removed.packs), (1, 0));
    assert_eq!(keys_below(&service, "condemned/").len(), 1);
    reads(&service, &id, &bytes);
    assert_eq!(collect(&service).removed.packs, 1);
}

#[test]
fn other_stores_are_refused_and_an_empty_one_is_left_alone() {
    let service = Service::plain();
    let collected = collect(&service);
    assert!(!collected.exists);
    assert!(service.server.keys().is_empty());
    service.client("one", &[("layout", "sharded")]).unwrap().put_bytes(b"kick").unwrap();
    let error = collect_with(&service, &CollectOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("sharded"), "{error}");
}

#[test]
fn halves_of_packs_and_old_probes_go() {
    let service = Service::plain();
    let id = put(&service, "one", &noise(1, 5_000));
    need(&service, &[(ANNA, &[id])]);
    for (number, extension) in [(1, "pack"), (2, "idx")] {
        service
            .server
            .set(&format!("packs/{}.{extension}", PackId::from_bytes([number; 16])), b"torn".to_vec());
    }
    service.server.set(&format!("probe/{ANNA}"), b"probe".to_vec());
    assert_eq!((collect(&service).newly.packs, keys_below(&service, "probe/").len()), (2, 1));
    service.server.advance(8 * DAY);
    let collected = collect(&service);
    assert_eq!((collected.removed.packs, collected.leftovers), (2, 1));
    assert_eq!((keys_below(&service, "packs/").len(), keys_below(&service, "probe/").len()), (2, 0));
    // While something needed is nowhere, it may be in a pack that lost its index.
    let index = keys_below(&service, "packs/").into_iter().find(|key| is(key, "idx")).unwrap();
    service.server.set_object(&format!("studio/{index}"), None);
    for _ in 0..3 {
        collect(&service);
        service.server.advance(8 * DAY);
    }
    assert_eq!(packs(&service), 1);
}

#[test]
fn clocks_that_are_wrong_change_nothing() {
    for clock in [-86_400 * 400, 86_400 * 400] {
        let service = Service::start(ServerOptions { clock, ..ServerOptions::default() });
        let id = put(&service, "one", &noise(1, 5_000));
        put(&service, "one", &noise(2, 5_000));
        need(&service, &[(ANNA, &[id])]);
        assert_eq!((collect(&service).newly.packs, collect(&service).removed.packs), (1, 0));
        service.server.advance(6 * DAY);
        assert_eq!(collect(&service).removed.packs, 0);
        service.server.advance(2 * DAY);
        assert_eq!(collect(&service).removed.packs, 1);
    }
}

/// Condemned and unneeded, condemned and needed again, needed, and new and unneeded.
fn busy(service: &Service) -> Vec<(ObjectId, Vec<u8>)> {
    let bytes: Vec<Vec<u8>> = (1..=4).map(|seed| noise(seed, 5_000)).collect();
    let mut ids: Vec<ObjectId> = bytes[..3].iter().map(|bytes| put(service, "one", bytes)).collect();
    need(service, &[(ANNA, &ids[2..])]);
    collect(service);
    service.server.advance(8 * DAY);
    ids.push(put(service, "one", &bytes[3]));
    need(service, &[(ANNA, &ids[2..3]), (BERT, &ids[1..2])]);
    ids.into_iter().zip(bytes).collect()
}

#[test]
fn a_collection_that_dies_anywhere_loses_nothing_and_is_finished_by_the_next() {
    let service = Service::plain();
    let all = busy(&service);
    let snapshot = service.server.snapshot();
    // Not carried out, or carried out and the answer lost; nothing after it.
    for injury in [Injury::Status(403), Injury::Cut(0)] {
        for after in 0.. {
            service.server.restore(&snapshot);
            let bucket = service.bucket();
            let rest = Fault { of: Match::Any, after, times: u64::MAX, injury: Injury::Status(403) };
            service.server.faults().set(&[Fault { times: 1, injury, ..rest }, rest]);
            let died = bucket.collect(&CollectOptions::default(), &ids_of, &Unwatched);
            service.server.faults().set(&[]);
            for (id, bytes) in &all[1..3] {
                reads(&service, id, bytes);
            }
            if died.is_ok() {
                assert!(after > 10, "{after}");
                break;
            }
            collect_with(&service, &CollectOptions::default()).unwrap();
            // What was written before the end may be written again; nothing but time is lost.
            for _ in 0..2 {
                service.server.advance(8 * DAY);
                collect_with(&service, &CollectOptions::default()).unwrap();
            }
            for (id, bytes) in &all[1..3] {
                reads(&service, id, bytes);
            }
            assert_eq!(packs(&service), 2, "{injury:?} after {after}");
        }
    }
}

/// Runs another collection in the middle of one.
struct Meanwhile<'a>(&'a Service, CollectStep);

impl CollectWatch for Meanwhile<'_> {
    fn step(&self, step: CollectStep) {
        if std::mem::discriminant(&step) == std::mem::discriminant(&self.1) {
            collect(self.0);
        }
    }
}

#[test]
fn two_collectors_at_once_do_not_disturb_each_other() {
    for step in [CollectStep::Reading, CollectStep::Marking(0), CollectStep::Removing(0)] {
        let service = Service::plain();
        let all = busy(&service);
        service.bucket().collect(&CollectOptions::default(), &ids_of, &Meanwhile(&service, step)).unwrap();
        for _ in 0..3 {
            for (id, bytes) in &all[1..3] {
                reads(&service, id, bytes);
            }
            service.server.advance(8 * DAY);
            collect(&service);
        }
        assert_eq!(packs(&service), 2);
    }
}

/// Replaces a client's list while roots are read: once they have been listed, by a list that an early page would have had.
struct Replacing<'a>(&'a Service, ObjectId, std::cell::Cell<bool>);

impl CollectWatch for Replacing<'_> {
    fn cancelled(&self) -> bool {
        if !self.2.replace(true) {
            self.0.server.set(&format!("roots/{ANNA}/{:032x}", 0), roots(&[self.1]));
            self.0.server.set_object(&format!("studio/roots/{ANNA}/{:032x}", 9), None);
        }
        false
    }
}

#[test]
fn lists_that_are_replaced_while_they_are_read_are_not_missed() {
    let service = Service::plain();
    let id = put(&service, "one", &noise(1, 5_000));
    service.server.set(&format!("roots/{ANNA}/{:032x}", 9), roots(&[id]));
    let watch = Replacing(&service, id, false.into());
    let collected = service.bucket().collect(&CollectOptions::default(), &ids_of, &watch).unwrap();
    assert!(watch.2.get());
    assert_eq!(collected.newly.packs, 0);
}

#[test]
fn a_directory_is_collected_like_a_bucket() {
    let scratch = tempfile::tempdir().unwrap();
    let bucket = scratch.path().join("bucket");
    let cache = scratch.path().join("cache");
    let location = format!("//{}", bucket.display());
    let options = [("cache", cache.to_str().unwrap())];
    let store = || -> std::sync::Arc<dyn Maintain> {
        open("file", &location, &options, &PackOptions::default()).unwrap()
    };
    let (kept, lost) = (noise(1, 5_000), noise(2, 5_000));
    let (keep, lose) =
        (store().put_bytes(&kept).unwrap().digest.id, store().put_bytes(&lost).unwrap().digest.id);
    let _ = fs::remove_dir_all(bucket.join("roots"));
    fs::create_dir_all(bucket.join("roots").join(ANNA)).unwrap();
    fs::write(bucket.join("roots").join(ANNA).join(BERT), roots(&[keep])).unwrap();
    let all = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let place = stem_remote::Location { scheme: "file", location: &location, options: &all };
    let collect = |dry_run| {
        let options = CollectOptions { dry_run, ..CollectOptions::default() };
        stem_remote::Bucket::open(&place).unwrap().collect(&options, &ids_of, &Unwatched).unwrap()
    };
    assert_eq!(collect(false).newly.packs, 1);
    assert_eq!(collect(false).removed.packs, 0);
    for key in Directory(bucket.clone()).keys() {
        let file = fs::File::options().append(true).open(bucket.join(&key)).unwrap();
        file.set_modified(SystemTime::now() - 8 * DAY).unwrap();
    }
    let before: BTreeSet<String> = Directory(bucket.clone()).keys().into_iter().collect();
    assert_eq!(collect(true).removed.packs, 1);
    assert_eq!(before, Directory(bucket.clone()).keys().into_iter().collect());
    assert_eq!(collect(false).removed.packs, 1);
    assert!(store().stat(&lose).unwrap().is_none());
    assert!(store().get(&keep, u64::MAX).unwrap().unwrap() == kept);
}
