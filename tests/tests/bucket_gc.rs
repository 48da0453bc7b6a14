//! What nobody needs leaves a bucket after a week, by the program: repositories that say what they need, clients that are given up, kills.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use serde_json::Value;
use stem_testkit::s3::{Match, Moment};
use stem_testkit::source::noise;
use stemvault_tests::bucket::{Service, command, configure, run, run_killed};
use stemvault_tests::repo::Repo;

const DAY: Duration = Duration::from_hours(24);

/// A repository on a machine of its own whose store is the bucket.
fn repository(service: &Service, machine: &str) -> Repo {
    let repo = Repo::new();
    configure(repo.root(), &service.url(machine, ""));
    repo
}

/// Shelves a file with these bytes.
fn shelve(repo: &Repo, name: &str, seed: u64) {
    repo.write(name, noise(seed, 200_000));
    run(repo.root(), &["stash", "push", "-m", name]);
}

fn json(repo: &Repo, args: &[&str]) -> Value {
    let args: Vec<&str> = [&["--json"], args].concat();
    serde_json::from_slice(&run(repo.root(), &args).stdout).unwrap()
}

/// Collects the bucket through the machine's own eyes.
fn collect(service: &Service, repo: &Repo, more: &[&str]) -> Value {
    let url = service.url("collector", "");
    json(repo, &[&["gc", "--store", &url], more].concat())
}

fn packs(result: &Value, what: &str) -> u64 {
    result[what]["packs"].as_u64().unwrap()
}

#[test]
fn a_repository_says_what_it_needs_and_the_rest_goes_after_a_week() {
    let service = Service::default();
    let (one, other) = (repository(&service, "one"), repository(&service, "other"));
    shelve(&one, "takes/kept.wav", 1);
    shelve(&one, "takes/dropped.wav", 2);
    run(one.root(), &["stash", "drop", "0"]);
    // A dropped entry can be brought back until that is given up.
    let first = json(&one, &["gc"]);
    assert_eq!(packs(&first["store"], "newly_condemned"), 0, "{first}");
    let second = json(&one, &["gc", "--expire-undo", "0s", "--yes"]);
    assert_eq!(
        (packs(&second["store"], "newly_condemned"), packs(&second["store"], "removed")),
        (1, 0),
        "{second}"
    );

    // Somebody else stores the same bytes in the meantime, and relies on nothing that may go.
    shelve(&other, "mine.wav", 2);
    service.server.advance(6 * DAY);
    let early = json(&one, &["gc"]);
    assert_eq!(packs(&early["store"], "removed"), 0, "{early}");
    service.server.advance(2 * DAY);
    let late = json(&one, &["gc"]);
    assert_eq!(packs(&late["store"], "removed"), 1, "{late}");
    let nothing = json(&one, &["gc"]);
    assert_eq!(
        (packs(&nothing["store"], "removed"), packs(&nothing["store"], "condemned")),
        (0, 0),
        "{nothing}"
    );

    run(one.root(), &["stash", "pop"]);
    run(other.root(), &["stash", "pop"]);
    assert!(std::fs::read(one.path("takes/kept.wav")).unwrap() == noise(1, 200_000));
    assert!(std::fs::read(other.path("mine.wav")).unwrap() == noise(2, 200_000));
    run(one.root(), &["verify", "--store", &service.url("judge", "")]);
}

#[test]
fn a_client_that_is_gone_for_ever_is_given_up_when_somebody_says_so() {
    let service = Service::default();
    let (gone, here) = (repository(&service, "gone"), repository(&service, "here"));
    shelve(&gone, "a.wav", 1);
    shelve(&here, "b.wav", 2);
    let clients = |result: &Value| -> Vec<String> {
        let all = result["clients"].as_array().unwrap().iter();
        all.map(|client| client["client"].as_str().unwrap().to_owned()).collect()
    };
    let before = collect(&service, &here, &["--dry-run"]);
    assert_eq!((clients(&before).len(), packs(&before, "needed")), (2, 2), "{before}");
    let names = clients(&before);
    let url = service.url("collector", "");
    let refused =
        command(here.root(), &["gc", "--store", &url, "--forget", &names[0][..8]]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--yes"));
    assert_eq!(clients(&collect(&service, &here, &["--dry-run"])).len(), 2);
    let unknown = command(here.root(), &["gc", "--store", &url, "--forget", "zz", "--yes"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));

    let after = collect(&service, &here, &["--forget", &names[0][..8], "--yes"]);
    assert_eq!((clients(&after), packs(&after, "newly_condemned")), (vec![names[1].clone()], 1), "{after}");
    service.server.advance(8 * DAY);
    let last = collect(&service, &here, &[]);
    assert_eq!((packs(&last, "removed"), packs(&last, "needed")), (1, 1), "{last}");
    // The other one's file is there; the one that was given up is told so.
    let popped = |repo: &Repo| command(repo.root(), &["stash", "pop"]).output().unwrap().status.success();
    assert_eq!([popped(&gone), popped(&here)].iter().filter(|popped| **popped).count(), 1);
}

#[test]
fn what_only_an_entry_needed_goes_after_the_entry() {
    let service = Service::default();
    let repo = Repo::new();
    repo.write("handed.wav", noise(1, 200_000));
    let url = service.url("sender", "");
    run(repo.root(), &["stash", "push", "-m", "for you", "--to", &url]);
    let before = collect(&service, &repo, &[]);
    assert_eq!(
        (&before["entries"], packs(&before, "needed"), packs(&before, "newly_condemned")),
        (&1.into(), 1, 0),
        "{before}"
    );
    // The entry alone needs it: the sender says nothing any more.
    assert_eq!(before["clients"].as_array().unwrap().len(), 0, "{before}");
    run(repo.root(), &["stash", "drop", "0", "--remote", &url, "--yes"]);
    // Something else that is needed, or nothing would go without being told to.
    let other = repository(&service, "other");
    shelve(&other, "b.wav", 2);
    assert_eq!(packs(&collect(&service, &repo, &[]), "newly_condemned"), 1);
    service.server.advance(8 * DAY);
    let last = collect(&service, &repo, &[]);
    assert_eq!((packs(&last, "removed"), packs(&last, "needed")), (1, 1), "{last}");
    run(other.root(), &["stash", "pop"]);
}

#[test]
fn a_collection_that_is_killed_anywhere_costs_nothing_and_the_next_one_ends_it() {
    for round in 0..14 {
        let service = Service::default();
        let repo = repository(&service, "one");
        shelve(&repo, "kept.wav", 1);
        for (name, seed) in [("x.wav", 2), ("y.wav", 3)] {
            shelve(&repo, name, seed);
            run(repo.root(), &["stash", "drop", "0"]);
        }
        run(repo.root(), &["gc", "--expire-undo", "0s", "--yes"]);
        service.server.advance(8 * DAY);
        let url = service.url("collector", "");
        let moment = if round % 2 == 0 { Moment::Before } else { Moment::After };
        let of = if round < 8 { Match::Remove } else { Match::Any };
        let kill = command(repo.root(), &["gc", "--store", &url]);
        let _ended = run_killed(&service.server, (of, round / 2, moment), kill);
        let last = collect(&service, &repo, &[]);
        assert_eq!(
            (packs(&last, "condemned"), packs(&last, "present") - packs(&last, "removed")),
            (0, 1),
            "{round}: {last}"
        );
        run(repo.root(), &["stash", "pop"]);
        assert!(std::fs::read(repo.path("kept.wav")).unwrap() == noise(1, 200_000), "{round}");
    }
}
