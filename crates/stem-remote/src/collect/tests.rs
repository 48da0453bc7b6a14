//! What takes a clock of one's own: a collector that sleeps.

use std::cell::Cell;
use std::collections::BTreeMap;

use stem_store::ObjectStoreExt;
use stem_testkit::s3::{S3Server, ServerOptions};

use super::*;
use crate::Location;

const DAYS: Duration = Duration::from_hours(8 * 24);

fn options(server: &S3Server, cache: &std::path::Path) -> BTreeMap<String, String> {
    let pairs = [
        ("endpoint", server.endpoint()),
        ("anonymous", "true".into()),
        ("cache", cache.display().to_string()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Collects; `elapsed` tells how long ago the round began, by its number and how often it was asked.
fn collect(bucket: &Bucket, elapsed: fn(u32, u32) -> Duration) -> Result<Collected> {
    let rounds = Cell::new(0);
    let start = || -> Elapsed {
        rounds.set(rounds.get() + 1);
        let (round, asked) = (rounds.get(), Cell::new(0));
        Box::new(move || {
            asked.set(asked.get() + 1);
            elapsed(round, asked.get())
        })
    };
    let options = CollectOptions { even_if_nothing_is_needed: true, ..CollectOptions::default() };
    bucket.collect_by(&options, &|_| Ok(Vec::new()), &Unwatched, &start)
}

#[test]
fn nothing_goes_by_what_was_read_too_long_ago() {
    let server = S3Server::start(ServerOptions::default()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let options = options(&server, scratch.path());
    let location = Location { scheme: "s3", location: "//bucket/studio", options: &options };
    for bytes in [b"kick", b"hats"] {
        crate::open(&location, &PackOptions::default()).unwrap().put_bytes(bytes).unwrap();
    }
    for key in server.keys().iter().filter(|key| key.contains("/roots/")) {
        server.set_object(key, None);
    }
    let packs = || server.keys().iter().filter(|key| key.contains("/packs/")).count();
    let bucket = Bucket::open(&location).unwrap();
    assert_eq!(collect(&bucket, |_, _| Duration::ZERO).unwrap().newly.packs, 2);
    server.advance(DAYS);
    // It always takes too long: nothing goes, not one key.
    let slow = collect(&bucket, |_, _| HOUR).unwrap_err();
    assert_eq!(slow.kind(), ErrorKind::Unavailable);
    assert_eq!(packs(), 4);
    // It falls asleep after the first key: what was read is read again before the next.
    let asleep =
        collect(&bucket, |round, asked| if round == 1 && asked > 1 { DAYS } else { Duration::ZERO }).unwrap();
    assert_eq!((asleep.removed.packs, packs()), (2, 0));
    assert_eq!(asleep.newly.packs, 0);
    assert!(!server.keys().iter().any(|key| key.contains("/condemned/")));
}
