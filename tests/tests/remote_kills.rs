//! The program, killed at each request that it makes of a bucket, in the way that nothing can catch: before the service carries the request
//! out, and after. Every file is in the working tree or can be brought back, the second run comes to its end, and the store is sound.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::{Path, PathBuf};

use stem_testkit::s3::{Match, Moment};
use stem_testkit::source::noise;
use stemvault_tests::bucket::{Service, command, configure, inner, run, run_killed};
use stemvault_tests::repo::Repo;
use stemvault_tests::tree::{self, Tree};

/// Moments to kill at: each request once, the first ones and those that write at both moments.
fn moments() -> impl Iterator<Item = (Match, u64, Moment)> {
    let any = (0..24).step_by(3).map(|at| (Match::Any, at, Moment::Before));
    let put = (0..5).map(|at| (Match::Put, at, Moment::After));
    let parts = [Match::Begin, Match::Part, Match::Complete].map(|of| (of, 0, Moment::After));
    any.chain(put).chain(parts)
}

/// Some small files, and one that is uploaded in parts.
fn fill(repo: &Repo) -> Tree {
    for n in 0..8 {
        repo.write(format!("presets/{n}.json"), format!("{{\"preset\":{n}}}"));
    }
    repo.write("takes/long.wav", noise(1, 9 << 20));
    repo.tree()
}

/// A repository whose store is this.
fn repository(url: &str) -> (Repo, Tree) {
    let repo = Repo::new();
    configure(repo.root(), url);
    let work = fill(&repo);
    (repo, work)
}

/// A copy of a directory.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Pushes, killed at this moment; then pushes what is left, brings everything back and compares.
fn push_killed(url: &str, service: &Service, moment: (Match, u64, Moment), what: &str) -> bool {
    let (repo, work) = repository(url);
    let ended = run_killed(&service.server, moment, command(repo.root(), &["stash", "push"]));
    // The next command of all recovers; then the push comes to its end.
    run(repo.root(), &["stash", "push"]);
    // What was pushed before the kill is one entry, what was pushed after it another.
    for _ in 0..entries(repo.root()).len() {
        run(repo.root(), &["stash", "pop"]);
    }
    assert!(same(&repo.tree(), &work), "{what}: files are missing or differ");
    ended.is_none()
}

/// The files of the entries on the stack.
fn entries(root: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(root.join(".muse/stash")).into_iter().flatten();
    let all = all.map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

/// Whether all files are there with their bytes, permission bits and times.
fn same(found: &Tree, work: &Tree) -> bool {
    found == work
}

#[test]
fn a_push_into_a_bucket_may_be_killed_at_every_request() {
    let mut killed = 0;
    for (round, moment) in moments().enumerate().filter(|(round, _)| round % 2 == 0 || *round > 8) {
        let service = Service::default();
        let what = format!("round {round} {moment:?}");
        killed += u32::from(push_killed(&service.url("client", ""), &service, moment, &what));
        run(service.scratch.path(), &["verify", "--store", &service.url("verifier", "")]);
    }
    assert!(killed >= 6, "only {killed} were killed");
}

#[test]
fn a_push_into_a_cache_before_a_bucket_may_be_killed_and_sends_the_rest_later() {
    let mut killed = 0;
    for write in ["through", "back"] {
        for (round, moment) in moments().enumerate().step_by(4) {
            let service = Service::default();
            let remote = inner(&service.url("client", ""));
            let url = format!(
                "tiered:.muse/stem/tier/state?cache=sharded:.muse/stem/tier/objects&remote={remote}&write={write}"
            );
            let what = format!("{write} {round} {moment:?}");
            killed += u32::from(push_killed(&url, &service, moment, &what));
        }
    }
    assert!(killed >= 4, "only {killed} were killed");
}

#[test]
fn a_pop_from_a_bucket_may_be_killed_at_every_request() {
    let service = Service::default();
    let (repo, work) = repository(&service.url("writer", ""));
    run(repo.root(), &["stash", "push"]);
    let kept = service.scratch.path().join("kept");
    copy(repo.root(), &kept);
    let mut killed = 0;
    for at in 0..12 {
        // A cold cache each time.
        let root = service.scratch.path().join(format!("copy {at}"));
        copy(&kept, &root);
        configure(&root, &service.url(&format!("reader {at}"), ""));
        let moment = (Match::Any, at, if at % 2 == 0 { Moment::Before } else { Moment::After });
        let ended = run_killed(&service.server, moment, command(&root, &["stash", "pop"]));
        if ended.is_none() {
            killed += 1;
            let there = tree::bytes(&root.join("muse-work"));
            let whole = tree::bytes(&kept.join("muse-work"));
            assert!(there.len() >= whole.len());
            run(&root, &["stash", "pop"]);
        }
        assert!(same(&tree::read(&root.join("muse-work")), &work), "{at}: it came back otherwise");
        if ended.is_some() {
            break;
        }
    }
    assert!(killed >= 3, "only {killed} were killed");
    run(service.scratch.path(), &["verify", "--store", &service.url("verifier", "")]);
}

#[test]
fn a_copy_may_be_killed_at_every_request_both_ways() {
    let source = Repo::new();
    fill(&source);
    source.push();
    let from = source.root().to_str().unwrap();
    let objects = source.objects();
    let mut killed = 0;
    for (round, moment) in moments().enumerate().step_by(3) {
        let service = Service::default();
        let url = service.url("client", "");
        let dir = service.scratch.path();
        let ended = run_killed(&service.server, moment, command(dir, &["copy", from, &url]));
        killed += u32::from(ended.is_none());
        run(dir, &["copy", from, &url]);
        run(dir, &["verify", "--store", &url]);
        if round != 0 {
            continue;
        }
        for at in 0..6 {
            let (url, to) = (service.url(&format!("down {at}"), ""), format!("sharded:there {at}"));
            let moment = (Match::Any, at, if at % 2 == 0 { Moment::Before } else { Moment::After });
            let ended = run_killed(&service.server, moment, command(dir, &["copy", &url, &to]));
            killed += u32::from(ended.is_none());
            run(dir, &["copy", &url, &to]);
            for (id, bytes) in &objects {
                let path = dir.join(format!("there {at}")).join(&id[..2]).join(&id[2..]);
                assert!(fs::read(path).unwrap() == *bytes, "{round} {at}");
            }
            if ended.is_some() {
                break;
            }
        }
    }
    assert!(killed >= 6, "only {killed} were killed");
}

#[test]
fn an_entry_on_its_way_to_another_machine_may_be_stopped_by_kills_on_both() {
    let mut killed = 0;
    for at in (0..40).step_by(5) {
        let service = Service::default();
        let (repo, other) = (Repo::new(), Repo::new());
        let work = fill(&repo);
        let to = service.url("sender", "");
        let moment = (Match::Any, at, if at % 2 == 0 { Moment::Before } else { Moment::After });
        let ended =
            run_killed(&service.server, moment, command(repo.root(), &["stash", "push", "--to", &to]));
        if ended.is_none() {
            killed += 1;
            // Pushed here or not; sent now in any case.
            if entries(repo.root()).is_empty() {
                run(repo.root(), &["stash", "push"]);
            }
            run(repo.root(), &["copy", ".", &to, "--all"]);
        }
        run(service.scratch.path(), &["verify", "--store", &service.url("verifier", "")]);
        let from = service.url("receiver", "");
        let args = ["stash", "fetch", "0", "--from", from.as_str()];
        let stopped = run_killed(&service.server, moment, command(other.root(), &args));
        if stopped.is_none() {
            killed += 1;
            run(other.root(), &args);
        }
        assert_eq!(entries(other.root()).len(), 1, "{at}: fetched twice, or not");
        run(other.root(), &["stash", "pop"]);
        assert!(same(&other.tree(), &work), "{at}: the other machine has something else");
        run(repo.root(), &["stash", "pop"]);
        assert!(same(&repo.tree(), &work), "{at}");
        if ended.is_some() && stopped.is_some() {
            break;
        }
    }
    assert!(killed >= 3, "only {killed} were killed");
}
