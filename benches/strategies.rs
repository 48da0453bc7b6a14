//! The operations of `stem bench` on the strategies that it compares by default, by criterion: what a change of the code
//! does to each. `stem bench` itself is for people's files and disks, and for the choice between strategies.
//!
//! Stems of `STEM_BENCH_BYTES`, stored through the URL of each strategy and the facade; a second version of them as a
//! working day leaves it. What is brought back is compared with the corpus. Caches are warm.
#![expect(clippy::unwrap_used, reason = "a bench reports by panicking")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use bench_support::{Ground, check_tree, is_quick, largest, make_parents, stems};
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};
use rayon::prelude::*;
use stem_bench::{Strategy, Way};
use stem_corpus::{FileSpec, Session};
use stemvault::{
    AnyStore, Base, Dir, Durability, FileSource, IdPrefix, ObjectId, Publish, PutOptions, RelPath,
    RepackOptions, RestoreOptions, Verify, open_store,
};

/// Puts are durable at the sync that ends them.
const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };
/// What a range read asks for.
const RANGE: usize = 64 << 10;
/// What the quick run is content with.
const QUICK: &[&str] = &["sharded", "pack-raw", "pack-audio"];

/// One version of the stems.
struct Version {
    files: Vec<FileSpec>,
    paths: Vec<RelPath>,
    bytes: u64,
    dir: Dir,
}

impl Version {
    fn new(ground: &Ground, name: &str, session: Session) -> Self {
        let dir = Dir::open(&ground.write(name, &session).unwrap()).unwrap();
        let bytes = session.total_len();
        let files = session.into_files();
        let paths = files.iter().map(|file| RelPath::new(file.path.as_str()).unwrap()).collect();
        Self { files, paths, bytes, dir }
    }

    fn put(&self, store: &AnyStore, way: Way) -> Vec<ObjectId> {
        let put = self.paths.par_iter().map(|path| {
            let file = self.dir.open_file(path).unwrap().unwrap();
            let source = FileSource::new(&file, file.stat().unwrap());
            match way {
                Way::Stream => store.put(&mut source.reader(), &AT_SYNC).unwrap().digest.id,
                _ => store.put_file(&source, &AT_SYNC).unwrap().digest.id,
            }
        });
        let ids = put.collect();
        store.sync().unwrap();
        ids
    }

    fn restore(&self, store: &AnyStore, ids: &[ObjectId], to: &Path) {
        let target = Dir::open(to).unwrap();
        let options = RestoreOptions { verify: Verify::Id, ..RestoreOptions::default() };
        store.storage_order(ids).unwrap().into_par_iter().for_each(|at| {
            let mut temp = target.temp_file(0o600).unwrap();
            store.restore_file(&ids[at], &mut temp, &options).unwrap().unwrap();
            temp.persist(&target, &self.paths[at], Publish::Replace).unwrap();
        });
    }
}

/// A store with the first version in it.
struct Filled<'a> {
    strategy: &'a Strategy,
    store: AnyStore,
    ids: Vec<ObjectId>,
}

fn open(ground: &Ground, name: &str, strategy: &Strategy) -> AnyStore {
    open_store(&strategy.url, Base::Directory(&ground.fresh(name).unwrap())).unwrap()
}

fn group<'c>(criterion: &'c mut Criterion, what: &str, bytes: u64) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("strategies/{what}"));
    group.sampling_mode(SamplingMode::Flat);
    if bytes > 0 {
        group.throughput(Throughput::Bytes(bytes));
    }
    group
}

/// Each iteration in a store of its own: `prepare` makes it, and only `work` is on the clock.
fn timed<T>(
    rounds: u64,
    mut prepare: impl FnMut() -> T,
    mut work: impl FnMut(&T),
    mut check: impl FnMut(T),
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let prepared = prepare();
        let begun = Instant::now();
        work(&prepared);
        total += begun.elapsed();
        check(prepared);
    }
    total
}

fn writing(criterion: &mut Criterion, ground: &Ground, strategy: &Strategy, day: &Version, next: &Version) {
    let name = strategy.name.as_str();
    group(criterion, "put", day.bytes).bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let prepare = || open(ground, "put", strategy);
            let check = |store: AnyStore| {
                let mut found = 0;
                store
                    .list(&IdPrefix::ALL, &mut |_| {
                        found += 1;
                        ControlFlow::Continue(())
                    })
                    .unwrap();
                assert_eq!(found, day.files.len());
            };
            timed(
                rounds,
                prepare,
                |store| {
                    black_box(day.put(store, strategy.way));
                },
                check,
            )
        });
    });
    let filled = || {
        let store = open(ground, "put", strategy);
        let ids = day.put(&store, strategy.way);
        (store, ids)
    };
    group(criterion, "second version", next.bytes).bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            timed(
                rounds,
                filled,
                |(store, _)| {
                    black_box(next.put(store, strategy.way));
                },
                |_| (),
            )
        });
    });
    group(criterion, "reclaim", 0).bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let prepare = || {
                let (store, first) = filled();
                let second: BTreeSet<ObjectId> = next.put(&store, strategy.way).into_iter().collect();
                let gone: Vec<ObjectId> = first.into_iter().filter(|id| !second.contains(id)).collect();
                (store, gone, second)
            };
            let work = |(store, gone, _): &(AnyStore, Vec<ObjectId>, _)| {
                for id in gone {
                    assert!(store.remove(id).unwrap());
                }
                store.sync().unwrap();
                store.repack(&RepackOptions::default()).unwrap();
            };
            let check = |(store, _, second): (AnyStore, _, BTreeSet<ObjectId>)| {
                assert!(second.iter().all(|id| store.stat(id).unwrap().is_some()));
            };
            timed(rounds, prepare, work, check)
        });
    });
    ground.fresh("put").unwrap();
}

fn reading(criterion: &mut Criterion, ground: &Ground, filled: &Filled<'_>, day: &Version) {
    let Filled { strategy, store, ids } = filled;
    let name = strategy.name.as_str();
    group(criterion, "get", day.bytes).bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let prepare = || {
                let to = ground.fresh("restored").unwrap();
                make_parents(&to, &day.files).unwrap();
                to
            };
            let check = |to: std::path::PathBuf| check_tree(&to, &day.files).unwrap();
            timed(rounds, prepare, |to| day.restore(store, ids, to), check)
        });
    });
    let (mut number, mut buffer) = (0_u64, vec![0; RANGE]);
    group(criterion, "range of 64 KiB", 0).bench_function(name, |bencher| {
        bencher.iter(|| {
            // Knuth's linear congruential generator: its high bits are random enough to choose with.
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(number >> 33).unwrap() % ids.len();
            let offset = (number >> 7) % day.files[at].len.saturating_sub(RANGE as u64).max(1);
            let read = store.read_range(&ids[at], offset, &mut buffer).unwrap().unwrap();
            assert!(read > 0);
            black_box(&buffer);
        });
    });
    let mut at = 0;
    group(criterion, "stat", 0).bench_function(name, |bencher| {
        bencher.iter(|| {
            at = (at + 1) % ids.len();
            assert!(store.stat(&ids[at]).unwrap().is_some());
        });
    });
    group(criterion, "list", 0).bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut found = 0;
            store
                .list(&IdPrefix::ALL, &mut |_| {
                    found += 1;
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!(found, ids.len());
        });
    });
}

fn main() {
    let mut criterion = bench_support::criterion();
    let ground = Ground::new(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let session = stems(largest().unwrap());
    let next = Version::new(&ground, "day2", session.edited());
    let day = Version::new(&ground, "day1", session);
    // Files that are moved away, and blocks that are shared, are measured by `sharded`.
    let strategies = stem_bench::default_strategies().into_iter().filter(|strategy| {
        matches!(strategy.way, Way::Stream | Way::File)
            && (!is_quick() || QUICK.contains(&strategy.name.as_str()))
    });
    for strategy in strategies {
        writing(&mut criterion, &ground, &strategy, &day, &next);
        let store = open(&ground, "stored", &strategy);
        let ids = day.put(&store, strategy.way);
        reading(&mut criterion, &ground, &Filled { strategy: &strategy, store, ids }, &day);
    }
    criterion.final_summary();
}
