//! The contract, and a large push, on a service that is named by `STEM_TEST_REMOTE="SCHEME BUCKET ENDPOINT [ACCOUNT]"`, with credentials from
//! the usual variables. `tests/servers/ceph.sh` and `tests/servers/azurite.sh` start one and run this; `cargo test` ignores it.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stem_pack::PackOptions;
use stem_remote::Location;
use stem_store::{Durability, Maintain, ObjectStoreExt, PutOptions};
use stem_testkit::conformance::{self, Factory, Run, Subject};
use stem_testkit::source::noise;

static NEXT: AtomicU64 = AtomicU64::new(0);

struct Server {
    layout: &'static str,
}

impl Server {
    fn open(&self, prefix: &str, cache: &std::path::Path) -> Arc<dyn Maintain> {
        let named = std::env::var("STEM_TEST_REMOTE").unwrap();
        let mut words = named.split_whitespace();
        let (scheme, bucket, endpoint) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let mut options = BTreeMap::from([
            ("endpoint".to_owned(), endpoint.to_owned()),
            ("layout".to_owned(), self.layout.to_owned()),
            ("cache".to_owned(), cache.to_str().unwrap().to_owned()),
        ]);
        if let Some(account) = words.next() {
            options.insert("account".to_owned(), account.to_owned());
        }
        let location = format!("//{bucket}/{prefix}");
        let location = Location { scheme, location: &location, options: &options };
        stem_remote::open(&location, &PackOptions::default()).unwrap()
    }
}

impl Factory for Server {
    fn create(&self) -> Box<dyn Subject> {
        let cache = tempfile::tempdir().unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{}-{}-{number}", self.layout, std::process::id());
        let store = self.open(&prefix, cache.path());
        Box::new(OnServer { store, prefix, cache, server: Server { layout: self.layout } })
    }
}

struct OnServer {
    store: Arc<dyn Maintain>,
    prefix: String,
    cache: tempfile::TempDir,
    server: Server,
}

impl Subject for OnServer {
    fn store(&self) -> &dyn Maintain {
        &*self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(Box::new(self.server.open(&self.prefix, self.cache.path())))
    }

    fn removes(&self) -> bool {
        false
    }
}

/// The clauses that need no second process and no damage behind the service's back.
fn clauses(layout: &'static str) {
    let all: &[fn(&Run<'_>)] = &[
        conformance::clause_1_atomic_a_failed_source_leaves_nothing,
        conformance::clause_1_atomic_a_wrong_expected_id_stores_nothing,
        conformance::clause_1_atomic_readers_see_a_whole_object_or_none,
        conformance::clause_2_true_what_comes_out_is_what_went_in,
        conformance::clause_2_true_ranges_are_those_of_the_bytes,
        conformance::clause_3_durable_put_reaches_other_handles,
        conformance::clause_3_durable_sync_reaches_other_handles,
        conformance::clause_3_durable_without_sync_an_object_is_whole_or_absent,
        conformance::clause_4_visible_once_put_returned,
        conformance::clause_4_visible_listing_knows_every_prefix,
        conformance::clause_4_visible_absence_is_none,
        conformance::clause_5_idempotent_a_second_put_leaves_one_object,
        conformance::clause_7_concurrent_threads,
        conformance::files_are_stored_and_restored_whole,
        conformance::files_that_stop_leave_nothing,
        conformance::maintain_verify_and_remove,
        conformance::maintain_a_store_at_rest_is_in_order,
    ];
    for test in all {
        test(&Run { factory: &Server { layout }, test: "" });
    }
}

#[test]
#[ignore = "needs a service: tests/servers/ceph.sh"]
fn the_contract_in_packs() {
    clauses("packs");
}

#[test]
#[ignore = "needs a service: tests/servers/ceph.sh"]
fn the_contract_sharded() {
    clauses("sharded");
}

#[test]
#[ignore = "needs a service: tests/servers/ceph.sh"]
fn several_clients_push_large_and_small_objects_at_once() {
    let server = Server { layout: "packs" };
    let cache = tempfile::tempdir().unwrap();
    let prefix = format!("push-{}", std::process::id());
    let at_sync = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };
    let ids: Vec<_> = std::thread::scope(|scope| {
        let pushes: Vec<_> = (0..3)
            .map(|client| {
                let (server, prefix, cache) = (&server, &prefix, cache.path().join(format!("{client}")));
                scope.spawn(move || {
                    let store = server.open(prefix, &cache);
                    let mut ids = Vec::new();
                    for number in 0..300 {
                        let bytes = noise(number * 10 + client, 2_000);
                        ids.push(store.put(&mut &bytes[..], &at_sync).unwrap().digest.id);
                    }
                    // Long enough for several parts.
                    let bytes = noise(9_000 + client, 30 << 20);
                    ids.push(store.put(&mut &bytes[..], &at_sync).unwrap().digest.id);
                    store.sync().unwrap();
                    ids
                })
            })
            .collect();
        pushes.into_iter().flat_map(|push| push.join().unwrap()).collect()
    });
    let store = server.open(&prefix, &cache.path().join("reader"));
    assert!(store.stat_many(&ids).unwrap().iter().all(Option::is_some));
    for id in &ids {
        assert!(store.get(id, u64::MAX).unwrap().is_some());
    }
}
