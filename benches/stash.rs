//! The stash: push, push that keeps, pop, and what they cost when little or nothing changed.
//!
//! `stems` are twelve stems of `STEM_BENCH_BYTES` together, `small` are 20,000 files. Whatever changes the working tree
//! starts from a repository of its own whose files were copied and flushed before the clock, and is checked after it.
#![expect(clippy::unwrap_used, reason = "a bench reports by panicking")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bench_support::{Ground, check_tree, copy_tree, largest, small_files, stems};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use stem_corpus::{FileSpec, Session};
use stemvault::{ApplyOptions, PushOptions, PushResult, Silent, SnapshotOptions, Vault};

/// A session on the disk, and the repository that it is stashed in.
struct Studio<'a> {
    ground: &'a Ground,
    name: &'static str,
    pristine: PathBuf,
    files: Vec<FileSpec>,
    bytes: u64,
}

impl<'a> Studio<'a> {
    fn new(ground: &'a Ground, name: &'static str, session: Session) -> Self {
        let pristine = ground.write(&format!("corpus-{name}"), &session).unwrap();
        Self { ground, name, pristine, bytes: session.total_len(), files: session.into_files() }
    }

    /// A new repository with the session in its working tree.
    fn repository(&self) -> Vault {
        let vault = Vault::init(&self.ground.fresh("repository").unwrap()).unwrap();
        copy_tree(&self.pristine, vault.repository().working_tree(), &self.files).unwrap();
        vault
    }

    /// The same, recorded as HEAD.
    fn recorded(&self) -> Vault {
        let vault = self.repository();
        let done = vault.stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap();
        assert_eq!((done.files, done.bytes), (self.files.len(), self.bytes));
        bench_support::flush();
        vault
    }

    /// Every file is in the entry, and nothing was left behind.
    fn check_push(&self, pushed: &PushResult) {
        assert!(!pushed.is_partial() && pushed.left_alone.is_empty(), "{pushed:?}");
        assert_eq!(pushed.files_stashed, self.files.len());
    }

    fn check_tree(&self, vault: &Vault) {
        check_tree(vault.repository().working_tree(), &self.files).unwrap();
    }

    fn group<'c>(&self, criterion: &'c mut Criterion) -> BenchmarkGroup<'c, WallTime> {
        let mut group = criterion.benchmark_group(format!("stash/{}", self.name));
        group.sampling_mode(SamplingMode::Flat).throughput(match self.name {
            "stems" => Throughput::Bytes(self.bytes),
            _ => Throughput::Elements(self.files.len() as u64),
        });
        group
    }
}

/// Times `work` alone; `prepare` gives it what it works on, `check` looks at what it did.
fn timed<P, T>(
    iterations: u64,
    mut prepare: impl FnMut() -> P,
    work: impl Fn(&P) -> T,
    check: impl Fn(&P, T),
) -> Duration {
    let mut sum = Duration::ZERO;
    for _ in 0..iterations {
        let prepared = prepare();
        let start = Instant::now();
        let done = work(&prepared);
        sum += start.elapsed();
        check(&prepared, done);
    }
    sum
}

fn push(vault: &Vault, keep: bool) -> PushResult {
    vault.stash().push(&PushOptions { keep, ..PushOptions::default() }, &Silent).unwrap()
}

fn pushes(criterion: &mut Criterion, studio: &Studio<'_>) {
    let mut group = studio.group(criterion);
    group.bench_function("push", |bencher| {
        bencher.iter_custom(|iterations| {
            timed(
                iterations,
                || studio.repository(),
                |vault| push(vault, false),
                |vault, pushed| {
                    studio.check_push(&pushed);
                    assert_eq!(pushed.bytes_stashed, studio.bytes);
                    // The next one replaces the tree, so this one must have emptied it.
                    let first = vault.repository().working_tree().join(&studio.files[0].path);
                    assert!(!first.exists());
                },
            )
        });
    });
    group.bench_function("push --keep", |bencher| {
        bencher.iter_custom(|iterations| {
            timed(
                iterations,
                || studio.repository(),
                |vault| push(vault, true),
                |vault, pushed| {
                    studio.check_push(&pushed);
                    studio.check_tree(vault);
                },
            )
        });
    });
    group.finish();
}

fn pops(criterion: &mut Criterion, studio: &Studio<'_>) {
    let mut group = studio.group(criterion);
    for (name, verify) in [("pop", true), ("pop --no-verify", false)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let prepare = || {
                    let vault = studio.repository();
                    studio.check_push(&push(&vault, false));
                    bench_support::flush();
                    vault
                };
                let options = ApplyOptions { verify: Some(verify), ..ApplyOptions::pop() };
                let pop = |vault: &Vault| vault.stash().apply("0", options.clone(), &Silent).unwrap();
                timed(iterations, prepare, pop, |vault, popped| {
                    assert!(popped.dropped && !popped.is_partial(), "{popped:?}");
                    assert_eq!(
                        (popped.files_applied, popped.bytes_applied),
                        (studio.files.len(), studio.bytes)
                    );
                    studio.check_tree(vault);
                })
            });
        });
    }
    group.finish();
}

/// HEAD is what the working tree holds, but for at most one file.
fn nothing_new(criterion: &mut Criterion, studio: &Studio<'_>) {
    let vault = studio.recorded();
    // The first push after a snapshot may find the stat cache too young to be trusted; the second is the usual one.
    studio.check_push(&push(&vault, false));
    vault.stash().drop_entry("0").unwrap();
    let mut group = studio.group(criterion);
    let forget = |(): &(), pushed: PushResult| {
        studio.check_push(&pushed);
        vault.stash().drop_entry("0").unwrap();
    };
    group.bench_function("push, nothing changed", |bencher| {
        bencher.iter_custom(|iterations| timed(iterations, || (), |()| push(&vault, false), forget));
    });
    let changed = vault.repository().working_tree().join(&studio.files[studio.files.len() / 2].path);
    let mut count = 0_u64;
    group.bench_function("push, one file changed", |bencher| {
        bencher.iter_custom(|iterations| {
            let change = || {
                count += 1;
                std::fs::write(&changed, format!("{{\"take\": {count}}}")).unwrap();
            };
            timed(iterations, change, |()| push(&vault, false), forget)
        });
    });
    studio.check_tree(&vault);
    group.bench_function("status", |bencher| {
        bencher.iter(|| {
            let status = vault.stash().status(&Silent).unwrap();
            assert!(status.head_known && status.changes.is_empty());
            assert_eq!((status.files, status.entries), (studio.files.len(), 0));
        });
    });
    group.finish();
    studio.check_tree(&vault);
}

fn main() {
    let ground = Ground::new(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut criterion = bench_support::criterion();
    for (name, session) in [("small", small_files()), ("stems", stems(largest().unwrap()))] {
        let studio = Studio::new(&ground, name, session);
        pushes(&mut criterion, &studio);
        pops(&mut criterion, &studio);
        nothing_new(&mut criterion, &studio);
    }
    criterion.final_summary();
}
