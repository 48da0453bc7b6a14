//! Pushes, drops, collections and time in any order, by several clients that keep to the protocol: what anybody needs can be read at every
//! moment, byte for byte.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stem_hash::ObjectId;
use stem_pack::format::PackId;
use stem_remote::{CollectOptions, CollectStep, CollectWatch};
use stem_store::ObjectStoreExt;
use stem_testkit::s3::Snapshot;
use stem_testkit::source::noise;

use crate::bucket::{Bucket, Service, is};
use crate::collect::{DAY, ids_of, roots};

/// Interleavings; `STEM_MODEL_SEEDS` asks for more.
const SEEDS: u64 = 12;
const STEPS: usize = 40;
const CLIENTS: usize = 3;
/// Contents that clients store, so few that they meet.
const CONTENTS: u64 = 6;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A push on its way.
#[derive(Debug, Clone)]
struct Push {
    contents: Vec<u64>,
    /// Packs that it relies on, or made.
    relied: BTreeSet<String>,
    /// Seconds since its first step.
    age: u64,
    published: bool,
}

#[derive(Debug, Default)]
struct Client {
    /// What it says that it needs, and so has to be there.
    needs: BTreeSet<u64>,
    push: Option<Push>,
}

struct World<'a> {
    service: &'a Service,
    random: Random,
    clients: Vec<Client>,
    ids: BTreeMap<u64, ObjectId>,
    lists: u64,
    log: Vec<String>,
}

fn content(number: u64) -> Vec<u8> {
    noise(1_000 + number, 2_000)
}

/// Packs that condemned lists name.
fn condemned(service: &Service) -> BTreeSet<String> {
    let lists = Bucket::keys(&service.server).into_iter().filter(|key| key.starts_with("condemned/"));
    let rows = lists.flat_map(|key| {
        let bytes = service.server.get(&key);
        bytes[56..]
            .chunks(16)
            .map(|row| PackId::from_bytes(row.try_into().unwrap()).to_string())
            .collect::<Vec<_>>()
    });
    rows.collect()
}

impl World<'_> {
    fn packs(&self) -> BTreeSet<String> {
        let keys = Bucket::keys(&self.service.server).into_iter().filter(|key| is(key, "pack"));
        keys.map(|key| key["packs/".len()..key.len() - ".pack".len()].to_owned()).collect()
    }

    /// Stores contents, relying on no condemned pack; says on which packs it relies.
    fn store(&mut self, contents: &[u64]) -> BTreeSet<String> {
        let hidden = condemned(self.service);
        let server = &self.service.server;
        let keys = hidden
            .iter()
            .flat_map(|pack| [format!("studio/packs/{pack}.pack"), format!("studio/packs/{pack}.idx")]);
        server.hide(keys.collect());
        // A cache of its own: a handle relies on what it saw.
        let scratch = tempfile::tempdir_in(self.service.scratch.path()).unwrap();
        let store = self.service.client(scratch.path().to_str().unwrap(), &[]).unwrap();
        for &number in contents {
            let id = store.put_bytes(&content(number)).unwrap().digest.id;
            self.ids.insert(number, id);
        }
        drop(store);
        server.hide(Vec::new());
        self.publish();
        // Any of those that are there now may be the one.
        self.packs().difference(&hidden).cloned().collect()
    }

    /// Publishes what all clients need, each list under a new name, and removes the old ones.
    fn publish(&mut self) {
        let old: Vec<String> =
            Bucket::keys(&self.service.server).into_iter().filter(|key| key.starts_with("roots/")).collect();
        for (number, client) in self.clients.iter().enumerate() {
            let mut needs = client.needs.clone();
            needs.extend(client.push.iter().filter(|push| push.published).flat_map(|push| &push.contents));
            let ids: Vec<ObjectId> = needs.iter().map(|number| self.ids[number]).collect();
            if !ids.is_empty() {
                self.lists += 1;
                self.service.server.set(&format!("roots/{number:032x}/{:032x}", self.lists), roots(&ids));
            }
        }
        for key in old {
            self.service.server.set_object(&format!("studio/{key}"), None);
        }
    }

    fn advance(&mut self, time: Duration) {
        self.service.server.advance(time);
        for client in &mut self.clients {
            if let Some(push) = &mut client.push {
                push.age += time.as_secs();
            }
        }
    }

    /// One step of one client.
    fn client(&mut self) {
        let at = usize::try_from(self.random.below(CLIENTS as u64)).unwrap();
        let half = 7 * 86_400 / 2;
        if self.clients[at].push.as_ref().is_some_and(|push| push.age > half) {
            self.log.push(format!("{at} gives its push up: too old"));
            self.clients[at].push = None;
            self.publish();
        }
        let Some(mut push) = self.clients[at].push.take() else {
            if self.random.below(3) == 0 {
                let needs = std::mem::take(&mut self.clients[at].needs);
                let keep = self.random.below(2);
                self.clients[at].needs = needs.into_iter().filter(|number| number % 2 == keep).collect();
                self.log.push(format!("{at} drops all but {:?}", self.clients[at].needs));
                self.publish();
            } else {
                let contents: Vec<u64> =
                    (0..=self.random.below(2)).map(|_| self.random.below(CONTENTS)).collect();
                let relied = self.store(&contents);
                self.log.push(format!("{at} stores {contents:?}"));
                self.clients[at].push = Some(Push { contents, relied, age: 0, published: false });
            }
            return;
        };
        if !push.published {
            push.published = true;
            self.log.push(format!("{at} publishes {:?}", push.contents));
            self.clients[at].push = Some(push);
            self.publish();
            return;
        }
        // What lies in a pack that is gone or condemned is stored again: here, all of it.
        let (there, doomed) = (self.packs(), condemned(self.service));
        if push.relied.iter().all(|pack| there.contains(pack) && !doomed.contains(pack)) {
            self.log.push(format!("{at} is done with {:?}", push.contents));
            self.clients[at].needs.extend(push.contents);
        } else {
            self.log.push(format!("{at} stores {:?} again", push.contents));
            push.relied = self.store(&push.contents);
            self.clients[at].push = Some(push);
        }
        self.publish();
    }

    fn check(&mut self) {
        let scratch = tempfile::tempdir_in(self.service.scratch.path()).unwrap();
        let store = self.service.client(scratch.path().to_str().unwrap(), &[]).unwrap();
        let needs: BTreeSet<u64> =
            self.clients.iter().flat_map(|client| client.needs.iter().copied()).collect();
        for number in needs {
            let read = store.get(&self.ids[&number], u64::MAX).unwrap();
            assert!(
                read.is_some_and(|read| read == content(number)),
                "{number} is lost:\n{}",
                self.log.join("\n")
            );
        }
    }
}

/// Lets clients go on while a collector works.
struct Crowd<'a, 'b>(&'a RefCell<World<'b>>);

impl CollectWatch for Crowd<'_, '_> {
    fn step(&self, step: CollectStep) {
        let mut world = self.0.borrow_mut();
        for _ in 0..world.random.below(3) {
            world.log.push(format!("meanwhile ({step:?})"));
            world.client();
            world.advance(Duration::from_mins(5));
        }
    }
}

fn run(service: &Service, empty: &Snapshot, seed: u64) -> u64 {
    service.server.restore(empty);
    let world = RefCell::new(World {
        service,
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        clients: (0..CLIENTS).map(|_| Client::default()).collect(),
        ids: BTreeMap::new(),
        lists: 0,
        log: vec![format!("seed {seed}")],
    });
    let mut removed = 0;
    for _ in 0..STEPS {
        let choice = world.borrow_mut().random.below(10);
        let mut gone = false;
        match choice {
            0..=4 => world.borrow_mut().client(),
            5..=6 => {
                let hours = world.borrow_mut().random.below(96);
                world.borrow_mut().log.push(format!("{hours} hours go by"));
                world.borrow_mut().advance(DAY * u32::try_from(hours).unwrap() / 24);
            }
            _ => {
                let options = CollectOptions { even_if_nothing_is_needed: true, ..CollectOptions::default() };
                world.borrow_mut().log.push("collects".into());
                let collected = service.bucket().collect(&options, &ids_of, &Crowd(&world)).unwrap();
                removed += collected.removed.packs;
                gone = collected.removed.packs > 0;
                world.borrow_mut().log.push(format!(
                    "removed {}, condemned {}",
                    collected.removed.packs, collected.newly.packs
                ));
            }
        }
        // Nothing else takes anything away.
        if gone {
            world.borrow_mut().check();
        }
    }
    world.borrow_mut().check();
    removed
}

#[test]
fn whatever_the_order_nothing_that_is_needed_is_lost() {
    let service = Service::plain();
    let empty = service.server.snapshot();
    let seeds = std::env::var("STEM_MODEL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let removed: u64 = (1..=seeds).map(|seed| run(&service, &empty, seed)).sum();
    // A model in which nothing ever goes shows nothing.
    assert!(removed > seeds / 2, "{removed}");
}
