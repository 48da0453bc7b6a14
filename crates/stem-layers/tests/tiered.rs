//! The cache in front of a slower store: what is fetched, what waits, what leaves.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Barrier;
use std::time::Duration;

use proptest::prelude::*;
use stem_fs::{Dir, RelPath};
use stem_hash::{Algorithm, IdPrefix, ObjectId};
use stem_layers::{TierOptions, Tiered, Writing};
use stem_sharded::{Options, ShardedStore, object_path};
use stem_store::{
    Durability, Error, ErrorKind, Maintain, MemoryStore, ObjectStore, ObjectStoreExt, PutOptions,
    RestoreOptions, Result, Verified,
};
use stem_testkit::source::{digest, noise};
use stem_testkit::{FaultPlan, SlowStore};

type Far = Arc<SlowStore<MemoryStore>>;

/// A cache and its state on disk, and a store far away.
struct Ground {
    root: tempfile::TempDir,
    far: Far,
}

const BACK: TierOptions = TierOptions { writing: Writing::Back, size: None };

impl Ground {
    fn new(delay: Duration) -> Self {
        let far = Arc::new(SlowStore::new(MemoryStore::default(), delay));
        Self { root: tempfile::tempdir().unwrap(), far }
    }

    fn cache(&self) -> ShardedStore {
        ShardedStore::open(&self.root.path().join("cache"), &Options::default()).unwrap()
    }

    fn cached(&self, id: &ObjectId) -> PathBuf {
        self.root.path().join("cache").join(object_path(id).to_path())
    }

    fn state(&self) -> Dir {
        Dir::create_all(&self.root.path().join("state")).unwrap()
    }

    fn open(&self, options: TierOptions) -> Tiered {
        self.try_open(options).unwrap()
    }

    fn try_open(&self, options: TierOptions) -> Result<Tiered> {
        let far = Arc::clone(&self.far);
        // As a store that is reached over a network: opening it asks it something.
        let connect = Box::new(move || {
            far.stat_many(&[])?;
            Ok(Arc::clone(&far) as Arc<dyn Maintain>)
        });
        Tiered::new(Arc::new(self.cache()), "far:", connect, &self.state(), options)
    }

    fn lists(&self, of: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.path().join("state").join(of)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn at_sync() -> PutOptions {
    PutOptions { durability: Durability::AtSync, ..PutOptions::default() }
}

fn put_all(store: &dyn ObjectStore, seeds: std::ops::Range<u64>, len: usize) -> Vec<ObjectId> {
    seeds.map(|seed| store.put(&mut &noise(seed, len)[..], &at_sync()).unwrap().digest.id).collect()
}

#[test]
fn what_many_want_at_once_is_fetched_once() {
    for len in [1_000, 5 << 20] {
        let ground = Ground::new(Duration::from_millis(40));
        let bytes = noise(1, len);
        let id = ground.far.inner().put_bytes(&bytes).unwrap().digest.id;
        let tier = ground.open(TierOptions::default());
        let start = Barrier::new(16);
        std::thread::scope(|scope| {
            for number in 0..16 {
                let (tier, start, bytes, root) = (&tier, &start, &bytes, ground.root.path());
                scope.spawn(move || {
                    start.wait();
                    if number % 2 == 0 {
                        assert!(tier.get(&id, 1 << 30).unwrap().unwrap() == *bytes);
                    } else {
                        let mut target = Dir::open(root).unwrap().temp_file(0o600).unwrap();
                        tier.restore_file(&id, &mut target, &RestoreOptions::default()).unwrap().unwrap();
                        assert!(fs::read(target.path()).unwrap() == *bytes);
                    }
                });
            }
        });
        assert_eq!(ground.far.requests().read, 1);
        // And stays, for other handles too, without a question to anybody.
        drop(tier);
        ground.far.set_offline(true);
        assert!(ground.open(TierOptions::default()).get(&id, 1 << 30).unwrap().unwrap() == bytes);
        assert_eq!(ground.far.requests().read, 1);
    }
}

#[test]
fn the_queue_survives_a_restart_and_a_store_that_is_away() {
    let ground = Ground::new(Duration::ZERO);
    ground.far.set_offline(true);
    let ids = {
        let tier = ground.open(BACK);
        let ids = put_all(&tier, 0..50, 500);
        tier.sync().unwrap();
        tier.put_bytes(b"at once").unwrap();
        ids
    };
    let tier = ground.open(BACK);
    let waiting = tier.waiting().unwrap();
    assert_eq!((waiting.objects, waiting.bytes), (51, 50 * 500 + 7));
    // What is here is read, what is not is said to be away, and more can be put.
    assert_eq!(tier.get(&ids[3], 1000).unwrap().unwrap(), noise(3, 500));
    let absent = digest(Algorithm::Sha256, b"never put").id;
    for error in [
        tier.stat(&absent).unwrap_err(),
        tier.open(&absent).unwrap_err(),
        tier.read_range(&absent, 0, &mut [0; 4]).unwrap_err(),
        tier.list(&IdPrefix::ALL, &mut |_| std::ops::ControlFlow::Continue(())).unwrap_err(),
        tier.remove(&ids[0]).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("'far:'"), "{error}");
    }
    assert!(tier.send().is_err());
    assert_eq!(tier.waiting().unwrap(), waiting);
    ground.far.set_offline(false);
    tier.send().unwrap();
    assert_eq!(tier.waiting().unwrap().objects, 0);
    for (seed, id) in ids.iter().enumerate() {
        assert_eq!(ground.far.inner().get(id, 1000).unwrap().unwrap(), noise(seed as u64, 500));
    }
    assert_eq!(tier.ids(&IdPrefix::ALL).unwrap().len(), 51);
}

#[test]
fn a_cache_that_is_not_there_forgets_nothing() {
    let ground = Ground::new(Duration::ZERO);
    ground.far.set_offline(true);
    let tier = ground.open(BACK);
    let ids = put_all(&tier, 0..5, 300);
    tier.sync().unwrap();
    // And one that is killed before it can queue what it put.
    drop(tier);
    let (cache, aside) = (ground.root.path().join("cache"), ground.root.path().join("aside"));
    fs::rename(&cache, &aside).unwrap();
    fs::write(ground.root.path().join("state/writers").join(format!("{0:016x}-{0:016x}", 1)), b"").unwrap();
    ground.far.set_offline(false);
    let tier = ground.open(TierOptions::default());
    assert_eq!(tier.send().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(tier.waiting().unwrap().objects, 5);
    assert_eq!(ground.lists("writers").len(), 1);
    drop(tier);
    fs::rename(&aside, &cache).unwrap();
    let tier = ground.open(TierOptions::default());
    assert_eq!(ground.lists("writers").len(), 0);
    tier.send().unwrap();
    assert!(ids.iter().all(|id| ground.far.inner().contains(id).unwrap()));
    // What is removed is not waited for.
    ground.far.set_offline(true);
    let tier = ground.open(BACK);
    let more = put_all(&tier, 10..12, 300);
    tier.sync().unwrap();
    ground.far.set_offline(false);
    for id in ids.iter().chain(&more) {
        assert!(tier.remove(id).unwrap());
    }
    assert_eq!(tier.waiting().unwrap().objects, 0);
    tier.send().unwrap();
    assert!(ground.far.inner().ids(&IdPrefix::ALL).unwrap().is_empty());
}

#[test]
fn the_thread_sends_by_itself() {
    let ground = Ground::new(Duration::ZERO);
    let tier = ground.open(BACK);
    let ids = put_all(&tier, 0..20, 100);
    tier.sync().unwrap();
    while tier.waiting().unwrap().objects > 0 {
        std::thread::yield_now();
    }
    assert!(ids.iter().all(|id| ground.far.inner().contains(id).unwrap()));
}

#[test]
fn a_sync_that_writes_through_fails_without_the_store_and_loses_nothing() {
    let ground = Ground::new(Duration::ZERO);
    let tier = ground.open(TierOptions::default());
    let ids = put_all(&tier, 0..5, 300);
    ground.far.set_offline(true);
    assert_eq!(tier.sync().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(tier.sync().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(tier.put_bytes(b"more").is_err(), "the handle is spent");
    drop(tier);
    ground.far.set_offline(false);
    let tier = ground.open(TierOptions::default());
    assert_eq!(tier.waiting().unwrap().objects, 5);
    // Whoever syncs next sends it.
    tier.sync().unwrap();
    assert!(ids.iter().all(|id| ground.far.inner().contains(id).unwrap()));
}

#[test]
fn what_has_not_arrived_never_leaves_the_cache() {
    let ground = Ground::new(Duration::ZERO);
    let small = TierOptions { size: Some(2_000), ..BACK };
    ground.far.set_offline(true);
    let tier = ground.open(small);
    let ids = put_all(&tier, 0..20, 500);
    let _ = tier.evict();
    tier.sync().unwrap();
    let _ = tier.evict();
    assert_eq!(ground.cache().ids(&IdPrefix::ALL).unwrap().len(), 20);
    ground.far.set_offline(false);
    tier.send().unwrap();
    tier.evict().unwrap();
    let left = ground.cache().ids(&IdPrefix::ALL).unwrap();
    assert!(left.len() <= 4, "{}", left.len());
    for (seed, id) in ids.iter().enumerate() {
        assert_eq!(tier.get(id, 1000).unwrap().unwrap(), noise(seed as u64, 500));
    }
    // A store that forgot it, or has something else of that name: it stays.
    let tier = ground.open(TierOptions { size: Some(1), ..BACK });
    ground.far.inner().remove(&left[0]).unwrap();
    let here = ground.cache().contains(&left[0]).unwrap();
    tier.evict().unwrap();
    assert_eq!(ground.cache().contains(&left[0]).unwrap(), here);
}

#[test]
fn what_was_used_last_stays() {
    let ground = Ground::new(Duration::ZERO);
    let options = TierOptions { size: Some(100_000), ..TierOptions::default() };
    let tier = ground.open(options);
    let ids = put_all(&tier, 0..10, 1_000);
    tier.sync().unwrap();
    for id in ids.iter().rev() {
        tier.get(id, 2_000).unwrap().unwrap();
    }
    drop(tier);
    // The uses are known to the next handle, through two lists that become one.
    ground.open(options).get(&ids[9], 2_000).unwrap().unwrap();
    assert_eq!(ground.lists("access").len(), 2);
    let tier = ground.open(TierOptions { size: Some(4_000), ..options });
    assert_eq!(tier.evict().unwrap(), 7_000);
    let mut left = vec![ids[9], ids[0], ids[1]];
    left.sort_unstable();
    assert_eq!(ground.cache().ids(&IdPrefix::ALL).unwrap(), left);
    assert_eq!(ground.lists("access").len(), 1);
    drop(tier);
    // Where nothing has to leave, the lists do not pile up either. A damaged one is no hindrance.
    fs::write(&ground.lists("access")[0], b"torn").unwrap();
    for _ in 0..40 {
        ground.open(options).get(&left[0], 2_000).unwrap().unwrap();
    }
    assert!(ground.lists("access").len() < 40);
}

#[test]
fn an_object_larger_than_the_cache_is_read_where_it_is() {
    let ground = Ground::new(Duration::ZERO);
    let bytes = noise(1, 50_000);
    let id = ground.far.inner().put_bytes(&bytes).unwrap().digest.id;
    let tier = ground.open(TierOptions { size: Some(10_000), ..TierOptions::default() });
    assert!(tier.get(&id, 1 << 20).unwrap().unwrap() == bytes);
    let mut part = [0; 100];
    assert_eq!(tier.read_range(&id, 7, &mut part).unwrap(), Some(100));
    assert_eq!(part, bytes[7..107]);
    assert!(ground.cache().ids(&IdPrefix::ALL).unwrap().is_empty());
}

#[test]
fn damage_behind_the_cache_does_not_get_in_and_damage_in_it_is_healed() {
    let ground = Ground::new(Duration::ZERO);
    let bytes = noise(1, 20_000);
    let id = ground.far.inner().put_bytes(&bytes).unwrap().digest.id;
    ground.far.inner().damage(&id, |bytes| bytes[9] ^= 1);
    let tier = ground.open(TierOptions::default());
    assert_eq!(tier.get(&id, 1 << 20).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(ground.cache().ids(&IdPrefix::ALL).unwrap().is_empty());
    assert!(matches!(tier.verify(&id).unwrap(), Some(Verified::Damaged { .. })));
    // Put again, it replaces what is there.
    tier.put_bytes(&bytes).unwrap();
    assert!(ground.far.inner().verify(&id).unwrap().unwrap().is_sound());
    let mut rotten = bytes.clone();
    rotten[77] ^= 1;
    fs::remove_file(ground.cached(&id)).unwrap();
    fs::write(ground.cached(&id), &rotten).unwrap();
    let mut target = ground.state().temp_file(0o600).unwrap();
    tier.restore_file(&id, &mut target, &RestoreOptions::default()).unwrap().unwrap();
    assert!(fs::read(target.path()).unwrap() == bytes);
    tier.sync().unwrap();
    assert!(fs::read(ground.cached(&id)).unwrap() == bytes);
    // A reader that has begun cannot be healed, the next one is.
    fs::remove_file(ground.cached(&id)).unwrap();
    fs::write(ground.cached(&id), &rotten).unwrap();
    let error = tier.open(&id).unwrap().unwrap().read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(Error::from_reader(error).unwrap().kind(), ErrorKind::Corrupt);
    assert!(tier.get(&id, 1 << 20).unwrap().unwrap() == bytes);
}

#[test]
fn an_object_that_rots_before_it_is_sent_waits_and_hinders_no_other() {
    let ground = Ground::new(Duration::ZERO);
    ground.far.set_offline(true);
    let tier = ground.open(BACK);
    let ids = put_all(&tier, 0..10, 400);
    tier.sync().unwrap();
    drop(tier);
    fs::write(ground.cached(&ids[4]), noise(99, 400)).unwrap();
    fs::write(ground.cached(&ids[5]), noise(99, 399)).unwrap();
    ground.far.set_offline(false);
    let tier = ground.open(TierOptions::default());
    assert_eq!(tier.send().unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(tier.waiting().unwrap().objects, 2);
    assert_eq!(ground.far.inner().ids(&IdPrefix::ALL).unwrap().len(), 8);
    // What others left there fails no put of something else.
    tier.put_bytes(b"something else").unwrap();
    tier.put_bytes(&noise(4, 400)).unwrap();
    assert_eq!(tier.waiting().unwrap().objects, 1);
    tier.put_bytes(&noise(5, 400)).unwrap();
    assert_eq!(tier.waiting().unwrap().objects, 0);
    assert_eq!(ground.far.inner().ids(&IdPrefix::ALL).unwrap().len(), 11);
}

#[test]
fn two_handles_share_a_cache_and_its_queue() {
    let ground = Ground::new(Duration::ZERO);
    let (one, other) = (ground.open(TierOptions::default()), ground.open(TierOptions::default()));
    std::thread::scope(|scope| {
        for (tier, seeds) in [(&one, 0..100), (&other, 50..150)] {
            scope.spawn(move || {
                for seed in seeds {
                    put_all(tier, seed..seed + 1, 200);
                    if seed % 10 == 0 {
                        tier.sync().unwrap();
                    }
                }
                tier.sync().unwrap();
            });
        }
    });
    assert_eq!(one.waiting().unwrap().objects, 0);
    assert_eq!(ground.far.inner().ids(&IdPrefix::ALL).unwrap().len(), 150);
    assert!(one.remove(&digest(Algorithm::Sha256, &noise(3, 200)).id).unwrap());
    assert_eq!(other.ids(&IdPrefix::ALL).unwrap().len(), 149);
}

/// One handle evicts everything; `meanwhile` runs when it has read the queue and asks the slower store.
fn evict_while(ground: &Ground, meanwhile: impl Fn() + Send + Sync + 'static) {
    let (far, asked) = (Arc::clone(&ground.far), std::sync::atomic::AtomicBool::new(false));
    let connect = Box::new(move || {
        if !asked.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, stem_store::Operation::OpenStore, "far:"));
        }
        meanwhile();
        Ok(Arc::clone(&far) as Arc<dyn Maintain>)
    });
    let options = TierOptions { size: Some(1), ..BACK };
    let tier = Tiered::new(Arc::new(ground.cache()), "far:", connect, &ground.state(), options).unwrap();
    tier.evict().unwrap();
}

#[test]
fn what_is_put_again_while_another_handle_evicts_stays_in_the_cache_or_comes_back_into_it() {
    let ground = Ground::new(Duration::ZERO);
    let setup = || {
        let tier = ground.open(TierOptions::default());
        let ids = put_all(&tier, 0..2, 300);
        tier.sync().unwrap();
        assert!(ids.iter().all(|id| ground.cached(id).exists()));
        ids
    };
    // Put and queued between the other one's look at the queue and its removal.
    let ids = setup();
    ground.far.inner().remove(&ids[0]).unwrap();
    ground.far.inner().put_bytes(&noise(0, 300)).unwrap();
    let (again, offline) = (Arc::new(ground.open(BACK)), Arc::clone(&ground.far));
    evict_while(&ground, move || {
        offline.set_offline(true);
        put_all(&*again, 0..1, 300);
        again.sync().unwrap();
        offline.set_offline(false);
    });
    assert!(ground.cached(&ids[0]).exists());
    assert!(!ground.cached(&ids[1]).exists());

    // Put before, queued after: it is fetched, and verified by that.
    let ids = setup();
    let other = ground.open(BACK);
    put_all(&other, 1..2, 300);
    evict_while(&ground, || ());
    assert!(!ground.cached(&ids[1]).exists());
    other.sync().unwrap();
    assert!(ground.cached(&ids[1]).exists());

    // And nothing is claimed when it cannot be.
    drop(other);
    let ids = setup();
    let other = ground.open(BACK);
    put_all(&other, 0..1, 300);
    evict_while(&ground, || ());
    assert!(!ground.cached(&ids[0]).exists());
    ground.far.set_offline(true);
    assert!(other.sync().is_err());
    ground.far.set_offline(false);
}

#[test]
fn a_cache_that_is_much_too_small_serves_everybody_all_the_same() {
    let ground = Ground::new(Duration::ZERO);
    let small = |writing| TierOptions { writing, size: Some(3_000) };
    let (one, other) = (ground.open(small(Writing::Through)), ground.open(small(Writing::Back)));
    let object = |seed: u64| noise(seed, 300 + usize::try_from(seed % 7).unwrap() * 100);
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (one, other) = (&one, &other);
            scope.spawn(move || {
                let tier = if worker % 2 == 0 { one } else { other };
                for round in 0..60 {
                    let seed = (round * 7 + worker * 13) % 40;
                    let id = tier.put(&mut &object(seed)[..], &at_sync()).unwrap().digest.id;
                    assert!(tier.get(&id, 10_000).unwrap().unwrap() == object(seed));
                    if round % 5 == worker {
                        tier.sync().unwrap();
                        let _ = tier.evict();
                        assert!(tier.get(&id, 10_000).unwrap().unwrap() == object(seed));
                    }
                }
                tier.sync().unwrap();
            });
        }
    });
    one.send().unwrap();
    one.evict().unwrap();
    drop((one, other));
    let tier = ground.open(small(Writing::Through));
    assert_eq!(tier.waiting().unwrap().objects, 0);
    for seed in 0..40 {
        let id = digest(Algorithm::Sha256, &object(seed)).id;
        assert!(ground.far.inner().get(&id, 10_000).unwrap().unwrap() == object(seed));
        assert!(tier.get(&id, 10_000).unwrap().unwrap() == object(seed));
        assert!(tier.stat(&id).unwrap().is_some());
    }
}

#[test]
fn a_list_that_is_damaged_costs_a_look_and_one_of_later_makes_refuses() {
    let ground = Ground::new(Duration::ZERO);
    ground.far.set_offline(true);
    let tier = ground.open(BACK);
    let ids = put_all(&tier, 0..9, 100);
    tier.sync().unwrap();
    drop(tier);
    let list = ground.lists("queue").pop().unwrap();
    let whole = fs::read(&list).unwrap();
    fs::write(&list, &whole[..whole.len() - 1]).unwrap();
    ground.far.inner().put_bytes(&noise(0, 100)).unwrap();
    let tier = ground.open(BACK);
    assert_eq!(tier.waiting().unwrap().objects, 9);
    ground.far.set_offline(false);
    tier.send().unwrap();
    assert!(ids.iter().all(|id| ground.far.inner().contains(id).unwrap()));
    drop(tier);
    let mut later = whole;
    later[8] = 2;
    fs::write(&list, later).unwrap();
    let error = ground.try_open(BACK).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("newer"), "{error}");
    assert!(list.exists());
}

#[test]
fn hostile_files_in_the_state_reserve_nothing_and_lose_nothing() {
    let ground = Ground::new(Duration::ZERO);
    ground.far.set_offline(true);
    let tier = ground.open(BACK);
    put_all(&tier, 0..3, 100);
    tier.sync().unwrap();
    drop(tier);
    let state = ground.root.path().join("state");
    let name = |n: u32| format!("{n:016x}-{n:016x}");
    for (n, dir) in [(1, "queue"), (2, "access")] {
        let huge = fs::File::create(state.join(dir).join(name(n))).unwrap();
        huge.set_len(1 << 40).unwrap();
        // Names of others are left alone, whatever they are.
        fs::write(state.join(dir).join("foreign"), b"x").unwrap();
        fs::create_dir(state.join(dir).join(name(n + 10))).unwrap();
        fs::write(state.join(dir).join(name(n + 20)), b"").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", state.join(dir).join(name(n + 30))).unwrap();
    }
    let options = TierOptions { size: Some(50), ..BACK };
    let tier = ground.open(options);
    assert_eq!(tier.waiting().unwrap().objects, 3);
    assert!(!state.join("queue").join(name(1)).exists() && state.join("queue/foreign").exists());
    ground.far.set_offline(false);
    tier.send().unwrap();
    tier.evict().unwrap();
    assert_eq!(ground.far.inner().ids(&IdPrefix::ALL).unwrap().len(), 3);
    drop(tier);
    for bytes in [vec![b'x'; 100_000], b"stem-tier 9\n".to_vec(), Vec::new()] {
        fs::write(state.join("tier"), bytes).unwrap();
        let error = ground.try_open(BACK).unwrap_err();
        assert!(error.path().is_some_and(|path| path.ends_with("tier")), "{error}");
    }
}

#[test]
fn a_state_directory_belongs_to_one_store() {
    let ground = Ground::new(Duration::ZERO);
    drop(ground.open(TierOptions::default()));
    let far = Arc::clone(&ground.far);
    let connect = move || Ok(Arc::clone(&far) as Arc<dyn Maintain>);
    let other =
        |cache, name, connect| Tiered::new(cache, name, connect, &ground.state(), TierOptions::default());
    let cache: Arc<dyn Maintain> = Arc::new(ground.cache());
    let error = other(Arc::clone(&cache), "nearer:", Box::new(connect.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("'far:'"), "{error}");
    let blake = || Ok(Arc::new(MemoryStore::new(Algorithm::Blake3)) as Arc<dyn Maintain>);
    assert_eq!(other(cache, "far:", Box::new(blake)).unwrap_err().kind(), ErrorKind::Unsupported);
    let cache: Arc<dyn Maintain> = Arc::new(MemoryStore::new(Algorithm::Blake3));
    assert_eq!(other(cache, "far:", Box::new(connect)).unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// What a run claimed: ids whose put or sync returned.
fn scenario(root: &Path, plan: &Arc<FaultPlan>, options: TierOptions, away: bool) -> Vec<(u64, ObjectId)> {
    let parent = Dir::open_observed(root, plan.clone()).unwrap();
    let name = |name: &str| RelPath::new(name).unwrap();
    let open = |parent: &Dir, at: &str| ShardedStore::open_in(parent, &name(at), &Options::default());
    let mut claimed = Vec::new();
    let Ok(state) = parent.ensure_dir(&name("state")) else { return claimed };
    let behind = parent.clone();
    let connect = Box::new(move || {
        if away {
            let away = Error::new(ErrorKind::Unavailable, stem_store::Operation::OpenStore, "far:");
            return Err(away);
        }
        let remote = ShardedStore::open_in(&behind, &RelPath::new("remote").unwrap(), &Options::default())?;
        Ok(Arc::new(remote) as Arc<dyn Maintain>)
    });
    let cache = Arc::new(open(&parent, "cache").unwrap());
    let Ok(tier) = Tiered::new(cache, "far:", connect, &state, options) else { return claimed };
    let put = |seed: u64, durability| {
        let options = PutOptions { durability, ..PutOptions::default() };
        tier.put(&mut &noise(seed, 700)[..], &options).ok().map(|put| (seed, put.digest.id))
    };
    claimed.extend(put(1, Durability::Immediate));
    let pending: Vec<_> = [2, 3].into_iter().filter_map(|seed| put(seed, Durability::AtSync)).collect();
    if tier.sync().is_ok() {
        claimed.extend(pending);
    }
    let _ = tier.evict();
    let _ = put(4, Durability::AtSync);
    claimed
}

#[test]
fn killed_at_any_change_nothing_that_was_claimed_is_lost_and_everything_arrives() {
    for (writing, away) in [(Writing::Through, false), (Writing::Back, true)] {
        let options = TierOptions { writing, size: Some(1_000) };
        let watch = FaultPlan::watch();
        let whole = tempfile::tempdir().unwrap();
        assert_eq!(scenario(whole.path(), &watch, options, away).len(), 3);
        for change in 0..watch.announced() {
            let ground = Ground::new(Duration::ZERO);
            let root = ground.root.path();
            let claimed = scenario(root, &FaultPlan::kill_at(change), options, away);
            let remote = || ShardedStore::open(&root.join("remote"), &Options::default()).unwrap();
            let behind = root.to_path_buf();
            let connect = Box::new(move || {
                let remote = ShardedStore::open(&behind.join("remote"), &Options::default())?;
                Ok(Arc::new(remote) as Arc<dyn Maintain>)
            });
            let again = TierOptions { size: Some(1_000), ..TierOptions::default() };
            let tier =
                Tiered::new(Arc::new(ground.cache()), "far:", connect, &ground.state(), again).unwrap();
            for (seed, id) in &claimed {
                assert!(tier.get(id, 1_000).unwrap() == Some(noise(*seed, 700)), "change {change}");
            }
            // Whatever is visible arrives, also what nobody was promised.
            tier.send().unwrap();
            assert_eq!(tier.waiting().unwrap().objects, 0);
            for id in ground.cache().ids(&IdPrefix::ALL).unwrap() {
                assert!(remote().verify(&id).unwrap().unwrap().is_sound(), "change {change}");
            }
            tier.evict().unwrap();
            for (seed, id) in &claimed {
                assert!(remote().get(id, 1_000).unwrap() == Some(noise(*seed, 700)), "change {change}");
                assert!(tier.get(id, 1_000).unwrap() == Some(noise(*seed, 700)), "change {change}");
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u64, bool),
    Sync,
    Read(u64),
    Away(bool),
    Send,
    Evict,
    Reopen(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..12, any::<bool>()).prop_map(|(seed, now)| Step::Put(seed, now)),
        2 => Just(Step::Sync),
        3 => (0_u64..12).prop_map(Step::Read),
        1 => any::<bool>().prop_map(Step::Away),
        1 => Just(Step::Send),
        2 => Just(Step::Evict),
        1 => (0_u64..2_000).prop_map(Step::Reopen),
    ]
}

fn object(seed: u64) -> Vec<u8> {
    noise(seed, 50 + usize::try_from(seed).unwrap() * 40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Against a model that only knows what was promised: it is here or there, whole; what is not there is here.
    #[test]
    fn no_sequence_of_steps_loses_what_was_promised(steps in proptest::collection::vec(step(), 1..60)) {
        let ground = Ground::new(Duration::ZERO);
        let cache: Arc<MemoryStore> = Arc::default();
        let open = |size| {
            let far = Arc::clone(&ground.far);
            let connect = Box::new(move || Ok(Arc::clone(&far) as Arc<dyn Maintain>));
            let options = TierOptions { writing: Writing::Back, size: Some(size) };
            Tiered::new(Arc::clone(&cache) as _, "far:", connect, &ground.state(), options).unwrap()
        };
        let mut limit = 600;
        let mut tier = open(limit);
        let (mut promised, mut pending) = (BTreeMap::new(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Put(seed, now) => {
                    let durability = if now { Durability::Immediate } else { Durability::AtSync };
                    let options = PutOptions { durability, ..PutOptions::default() };
                    let put = tier.put(&mut &object(seed)[..], &options).unwrap();
                    if now { &mut promised } else { &mut pending }.insert(put.digest.id, seed);
                }
                Step::Sync => {
                    tier.sync().unwrap();
                    promised.append(&mut pending);
                }
                Step::Read(seed) => {
                    let id = digest(Algorithm::Sha256, &object(seed)).id;
                    match tier.get(&id, 10_000) {
                        Ok(Some(bytes)) => prop_assert!(bytes == object(seed)),
                        Ok(None) => prop_assert!(!promised.contains_key(&id)),
                        Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Unavailable),
                    }
                }
                Step::Away(away) => ground.far.set_offline(away),
                Step::Send => {
                    let _ = tier.send();
                }
                Step::Evict => {
                    let _ = tier.evict();
                }
                Step::Reopen(size) => {
                    drop(tier);
                    pending.clear();
                    limit = size;
                    tier = open(limit);
                }
            }
            for (id, seed) in &promised {
                let there = ground.far.inner().get(id, 10_000).unwrap();
                let here = cache.get(id, 10_000).unwrap();
                prop_assert!(here.or(there) == Some(object(*seed)));
            }
        }
        ground.far.set_offline(false);
        tier.sync().unwrap();
        tier.send().unwrap();
        tier.evict().unwrap();
        let sizes = cache.ids(&IdPrefix::ALL).unwrap().len();
        let mut total = 0;
        cache.list(&IdPrefix::ALL, &mut |id| {
            total += cache.stat(&id).unwrap().unwrap().size;
            std::ops::ControlFlow::Continue(())
        }).unwrap();
        prop_assert!(total <= limit, "{} bytes in {} objects, and room for {}", total, sizes, limit);
        for (id, seed) in &promised {
            prop_assert!(ground.far.inner().get(id, 10_000).unwrap() == Some(object(*seed)));
        }
    }
}
