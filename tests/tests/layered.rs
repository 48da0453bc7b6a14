//! Repositories whose own store is made of stores: a cache before a bucket, several copies, guards.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use stem_testkit::s3::{Fault, Injury, Match, ServerOptions};
use stemvault::format::stamp::Stamp;
use stemvault::{
    Base, CopyOptions, CopyPlace, GcOptions, IdPrefix, ObjectStoreExt as _, PackingOptions, PushOptions,
    Silent, UndoOptions, Vault, VerifyOptions, copy, open_store,
};
use stemvault_tests::bucket::{Service, configure, inner};
use stemvault_tests::repo::Repo;
use stemvault_tests::tree::Tree;

const DAY: i64 = 86_400 * 1_000_000;

/// A repository with this store and some files, with permission bits and times that are not those of new files.
fn filled(url: &str) -> (Repo, Tree) {
    let mut repo = Repo::new();
    configure(repo.root(), url);
    repo.reopen();
    for n in 0..12 {
        let path = repo.write(format!("takes/{n}.wav"), format!("take {n} ").repeat(1 + 300 * (n % 4)));
        fs::set_permissions(&path, fs::Permissions::from_mode(if n % 2 == 0 { 0o640 } else { 0o755 }))
            .unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000 + n as u64)).unwrap();
    }
    let tree = repo.tree();
    (repo, tree)
}

/// The stores, by what they are called here.
fn stacks(service: &Service, far: &Path) -> Vec<(&'static str, String)> {
    let far = |name: &str| far.join(name).display().to_string();
    let s3 = inner(&service.url("client", ""));
    let deep = inner(&format!("retry:?tries=2&store={s3}"));
    let tier = "tiered:.muse/stem/tier/state?cache=sharded:.muse/stem/tier/objects";
    vec![
        ("tier", format!("{tier}&remote=sharded:{}", far("one"))),
        ("tier, back", format!("{tier}&remote=pack:{}&write=back", far("two"))),
        ("small tier", format!("{tier}&remote=sharded:{}&size=2K", far("three"))),
        ("tier of a bucket", format!("{tier}&remote={s3}")),
        ("tier of a bucket, back", format!("{tier}&remote={s3}&write=back")),
        ("tier of a guarded bucket", format!("{tier}&remote={deep}&size=3K")),
        ("mirror", format!("mirror:?a=sharded:.muse/objects&b=pack:{}", far("four"))),
        ("mirror with a bucket", format!("mirror:?a=sharded:{}&b={s3}", far("five"))),
        ("retry", format!("retry:?store={s3}")),
        ("retry of its own", "retry:?store=sharded:.muse/objects".into()),
    ]
}

#[test]
fn what_is_pushed_comes_back_as_it_was() {
    let far = tempfile::tempdir().unwrap();
    for at in 0.. {
        let service = Service::default();
        let Some((name, url)) = stacks(&service, far.path()).into_iter().nth(at) else { break };
        let (mut repo, work) = filled(&url);
        let stash = |repo: &Repo| repo.vault.stash().list().unwrap().len();
        let pushed = repo.push();
        assert_eq!((pushed.files_stashed, pushed.is_partial()), (12, false), "{name}");
        assert!(repo.texts().is_empty(), "{name}");
        // Another process brings it back, and takes that back, and forward again.
        repo.reopen();
        let popped = repo.pop("0");
        assert!(popped.dropped, "{name}: {popped:?}");
        assert!(repo.tree() == work, "{name}: it came back otherwise");
        repo.reopen();
        repo.vault.stash().undo(UndoOptions::default(), &Silent).unwrap();
        assert_eq!((repo.texts().len(), stash(&repo)), (0, 1), "{name}");
        // Partly packed beside it, where there is something loose.
        let packed = repo.vault.pack(&PackingOptions { all: true, ..PackingOptions::default() }, &Silent);
        assert_eq!(packed.is_err(), name == "mirror", "{name}: a copy of a mirror would leave it");
        repo.apply("0");
        assert!(repo.tree() == work, "{name}");
        let verified = repo.vault.verify(&VerifyOptions::default(), &Silent).unwrap();
        assert!(!verified.is_damaged() && verified.objects >= 12, "{name}: {verified:?}");
        assert_eq!(repo.push().files_stashed, 12, "{name}");
    }
}

/// Something like a preset.
fn preset(number: u32) -> String {
    format!("{{\"preset\":{number},\"name\":\"Bass {number}\",\"cutoff\":0.5}}")
}

fn presets(repo: &Repo, count: u32) {
    for number in 0..count {
        repo.write(format!("presets/{}/{number}.json", number / 100), preset(number));
    }
}

#[test]
fn ten_thousand_small_files_are_a_handful_of_requests_each_way() {
    // 40 ms for each request: an hour, if each file cost some.
    let service =
        Service::start(ServerOptions { latency: Duration::from_millis(40), ..ServerOptions::default() });
    let mut repo = Repo::in_memory();
    configure(repo.root(), &service.url("writer", ""));
    repo.reopen();
    presets(&repo, 10_000);
    let before = service.server.requests();
    assert_eq!(repo.push().files_stashed, 10_000);
    let pushed = service.server.requests() - before;
    // A marker, a probe, lists, and a pack or two with their indices.
    assert!(pushed <= 60, "{pushed} requests for a push");
    // Another machine, which has nothing but the configuration and the entry.
    configure(repo.root(), &service.url("reader", ""));
    let before = service.server.requests();
    repo.reopen();
    assert!(repo.pop("0").dropped);
    let popped = service.server.requests() - before;
    // The marker, a list, the indices; the packs hold two megabytes, which come by the mebibyte.
    assert!(popped <= 60, "{popped} requests for a pop");
    assert_eq!(repo.texts().len(), 10_000);

    let local = format!("sharded:{}", service.scratch.path().join("local").display());
    let all = CopyOptions::default();
    let place = |url: &str, source: bool| {
        let here = Path::new(".");
        if source { CopyPlace::source(url, here) } else { CopyPlace::target(url, here) }.unwrap()
    };
    let s3 = service.url("reader", "");
    let before = service.server.requests();
    let copied = copy(&place(&s3, true), &place(&local, false), &all, &Silent).unwrap();
    let down = service.server.requests() - before;
    assert!(copied.is_complete() && down <= 60, "{down} requests for a copy down: {copied:?}");
    let upward = service.url("third", "").replace("bucket/studio", "bucket/mirror");
    let before = service.server.requests();
    let copied = copy(&place(&local, true), &place(&upward, false), &all, &Silent).unwrap();
    let up = service.server.requests() - before;
    assert!(copied.is_complete() && up <= 60, "{up} requests for a copy up: {copied:?}");
    let there = open_store(&upward.parse().unwrap(), Base::Directory(Path::new("."))).unwrap();
    assert_eq!(there.ids(&IdPrefix::ALL).unwrap().len(), 10_000);
    // One of them, by a client that has only its indices.
    let id = there.ids(&IdPrefix::ALL).unwrap()[4_321];
    let before = service.server.requests();
    assert!(there.get(&id, 1 << 20).unwrap().is_some());
    let one = service.server.requests() - before;
    assert!(one <= 3, "{one} requests for one small object");
}

fn away(service: &Service) {
    service.server.faults().set(&[Fault {
        of: Match::Any,
        after: 0,
        times: u64::MAX,
        injury: Injury::Status(503),
    }]);
}

fn back(service: &Service) {
    service.server.faults().set(&[]);
}

fn tier(service: &Service, options: &str) -> String {
    let remote = inner(&service.url("client", ""));
    format!("tiered:.muse/stem/tier/state?cache=sharded:.muse/stem/tier/objects&remote={remote}{options}")
}

#[test]
fn a_guard_refuses_a_push_before_anything_is_touched_and_lets_entries_be_read() {
    let service = Service::default();
    for plain in ["sharded:.muse/objects".to_owned(), service.url("client", "")] {
        let (mut repo, work) = filled(&plain);
        repo.push();
        repo.apply("0");
        let named = inner(&plain);
        for guarded in [
            format!("readonly:?store={named}"),
            format!("retry:?store={}", inner(&format!("readonly:?store={named}"))),
        ] {
            configure(repo.root(), &guarded);
            repo.reopen();
            repo.write("new.wav", "new");
            let before = repo.state();
            let error = repo.vault.stash().push(&PushOptions::default(), &Silent).unwrap_err();
            assert!(error.to_string().contains("reading only"), "{error}");
            let error = repo.vault.pack(&PackingOptions { all: true, ..PackingOptions::default() }, &Silent);
            assert!(error.is_err() || !plain.starts_with("sharded"), "{error:?}");
            assert!(repo.state() == before, "something was changed");
            fs::remove_file(repo.path("new.wav")).unwrap();
            assert!(!repo.vault.verify(&VerifyOptions::default(), &Silent).unwrap().is_damaged());
            fs::remove_dir_all(repo.path("takes")).unwrap();
            repo.apply("0");
            assert!(repo.tree() == work);
        }
    }
}

#[test]
fn written_through_a_push_fails_while_the_bucket_is_away_and_nothing_leaves_the_tree() {
    let service = Service::default();
    let (mut repo, work) = filled(&tier(&service, ""));
    away(&service);
    let error = repo.vault.stash().push(&PushOptions::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains("cannot"), "{error}");
    assert!(repo.tree() == work);
    assert!(repo.list().is_empty());
    // Also by a program that has never seen it.
    repo.reopen();
    assert!(repo.vault.stash().push(&PushOptions::default(), &Silent).is_err());
    assert!(repo.tree() == work);
    back(&service);
    repo.reopen();
    assert_eq!(repo.push().files_stashed, 12);
    // All of it is in the bucket: the cache may go.
    fs::remove_dir_all(repo.muse().join("stem/tier")).unwrap();
    repo.reopen();
    assert!(repo.pop("0").dropped);
    assert!(repo.tree() == work);
}

#[test]
fn written_back_a_push_is_safe_in_the_cache_until_the_bucket_has_it() {
    let service = Service::default();
    let url = tier(&service, "&write=back&size=1K");
    let (mut repo, work) = filled(&url);
    away(&service);
    repo.reopen();
    assert_eq!(repo.push().files_stashed, 12);
    // Restarted, with the bucket still away: everything is read, and nothing that waits leaves the small cache.
    repo.reopen();
    assert!(repo.pop("0").dropped);
    assert!(repo.tree() == work);
    assert_eq!(repo.push().files_stashed, 12);
    let queue = repo.muse().join("stem/tier/state/queue");
    assert!(fs::read_dir(&queue).unwrap().next().is_some(), "it has to wait somewhere");
    back(&service);
    // Whoever writes through sends what waits.
    let through = url.replace("&write=back", "");
    let url = through.parse().unwrap();
    let root = stemvault::Dir::open(repo.root()).unwrap();
    open_store(&url, Base::Repository(&root)).unwrap().sync().unwrap();
    assert!(fs::read_dir(&queue).unwrap().next().is_none());
    let there = open_store(&service.url("other", "").parse().unwrap(), Base::Directory(Path::new(".")));
    assert_eq!(there.unwrap().ids(&IdPrefix::ALL).unwrap().len(), 12);
    fs::remove_dir_all(repo.muse().join("stem/tier")).unwrap();
    repo.reopen();
    assert!(repo.pop("0").dropped);
    assert!(repo.tree() == work);
}

#[test]
fn what_nothing_needs_leaves_all_parts_of_a_store_and_nothing_else_does() {
    let service = Service::default();
    let far = tempfile::tempdir().unwrap();
    for (name, url) in stacks(&service, far.path()) {
        if url.contains("s3:") {
            continue;
        }
        let (mut repo, _) = filled(&url);
        repo.push();
        repo.write("needed.wav", "needed");
        repo.push();
        repo.vault.stash().drop_entry("1").unwrap();
        repo.reopen();
        let start = Stamp::now().unwrap().as_micros();
        let gc = |repo: &Repo, day: i64| {
            let now = Some(Stamp::from_micros(start + day * DAY).unwrap());
            let expire_undo = Some(Duration::ZERO);
            repo.vault.gc(&GcOptions { now, expire_undo, ..GcOptions::default() }, &Silent).unwrap()
        };
        assert_eq!(gc(&repo, 0).removed.len(), 0, "{name}");
        assert_eq!(gc(&repo, 15).removed.len(), 12, "{name}");
        assert_eq!(repo.vault.store().ids(&IdPrefix::ALL).unwrap().len(), 1, "{name}");
        repo.reopen();
        assert_eq!(repo.vault.store().ids(&IdPrefix::ALL).unwrap().len(), 1, "{name}");
        repo.pop("0");
        assert_eq!(repo.texts().len(), 1, "{name}");
    }
}

#[test]
fn stores_that_cannot_be_a_repository_s_own_are_named() {
    let repo = Repo::new();
    for (url, word) in [
        ("tiered:?cache=sharded:.muse/objects&remote=pack:/nonexistent/x", ".muse/stem/tier"),
        ("tiered:?cache=sharded:cache&remote=pack:/nonexistent/x", ".muse/stem/tier"),
        ("tiered:state?cache=sharded:/nonexistent/cache&remote=pack:/nonexistent/x", ".muse/stem/tier"),
        ("retry:?store=tiered:%3Fcache=sharded:./cache%26remote=pack:/nonexistent/x", ".muse/stem/tier"),
        ("mirror:?a=sharded:.muse/objects&b=pack:", "read in any case"),
        ("mirror:?a=sharded:.muse/objects&b=memory:", "end with the process"),
        ("memory:", "end with the process"),
    ] {
        configure(repo.root(), url);
        let error = Vault::open(repo.root()).unwrap_err().to_string();
        assert!(error.contains(word), "{url}: {error}");
    }
    assert!(!repo.root().join("cache").exists());
}
