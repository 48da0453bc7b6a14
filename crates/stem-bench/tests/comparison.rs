//! Whole comparisons, in this process: the figures against what can be counted by hand, and nothing left behind.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use stem_bench::model::{Amount, Class, Comparison};
use stem_bench::{ErrorKind, Options, Progress, Silent, Worker, from_url, predict, run, select};
use stem_corpus::{Session, tree};
use tempfile::TempDir;

/// A directory of files, and one to work in.
struct Ground {
    _root: TempDir,
    files: PathBuf,
    scratch: PathBuf,
}

impl Ground {
    fn new(session: &Session) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (files, scratch) = (root.path().join("files"), root.path().join("scratch"));
        tree::write_tree(&files, session.files(), &mut |_| {}).unwrap();
        fs::create_dir(&scratch).unwrap();
        Self { _root: root, files, scratch }
    }

    fn demo(bytes: u64) -> Self {
        Self::new(&Session::demo(5, bytes))
    }

    fn options(&self, strategies: &str) -> Options {
        let names: Vec<String> = strategies.split(',').map(str::to_owned).collect();
        Options {
            directories: vec![self.files.clone()],
            strategies: select(&names).unwrap(),
            chosen: true,
            sample: None,
            rounds: 1,
            against: None,
            scratch: Some(self.scratch.clone()),
            seed: 1,
            state: None,
            resume: false,
            worker: Worker::Here,
            tool: "test".into(),
        }
    }

    fn nothing_is_left(&self) {
        assert_eq!(fs::read_dir(&self.scratch).unwrap().count(), 0);
    }
}

/// Size, blocks and number of the files below a directory.
fn count(dir: &Path) -> (u64, u64, u64) {
    let mut sum = (0, 0, 0);
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let found = if meta.is_dir() { count(&entry.path()) } else { (meta.size(), meta.blocks() * 512, 1) };
        sum = (sum.0 + found.0, sum.1 + found.1, sum.2 + found.2);
    }
    sum
}

/// Every path with what tells whether somebody touched it.
fn listing(dir: &Path, into: &mut BTreeMap<PathBuf, (u64, i64, i64, i64, i64)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        into.insert(
            entry.path(),
            (meta.size(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()),
        );
        if meta.is_dir() {
            listing(&entry.path(), into);
        }
    }
}

/// Counts what strategies stored while it is there.
#[derive(Default)]
struct Counting(Mutex<BTreeMap<String, (u64, u64, u64)>>);

impl Progress for Counting {
    fn stored(&self, strategy: &str, place: &Path) {
        // The figures are those of the first round; packs of another may differ by some bytes, for threads race.
        self.0.lock().unwrap().entry(strategy.to_owned()).or_insert_with(|| count(place));
    }
}

fn of<'a>(comparison: &'a Comparison, name: &str) -> &'a stem_bench::model::StrategyResult {
    comparison.strategies.iter().find(|strategy| strategy.name == name).unwrap()
}

#[test]
fn sizes_are_those_that_can_be_counted_by_hand_and_the_files_are_not_touched() {
    let ground = Ground::demo(8 << 20);
    let twin = ground.files.join("tracks/twin.wav");
    let stem = fs::read_dir(ground.files.join("tracks")).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::read_dir(path).unwrap().next().map(|e| e.unwrap().path()) } else { Some(path) }
    });
    let twin_size = fs::copy(stem.unwrap(), &twin).unwrap();
    let (raw, _, files) = count(&ground.files);
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    listing(&ground.files, &mut before);
    let counting = Counting::default();
    let mut options =
        ground.options("sharded,sharded-adopt,sharded-blake3,pack-raw,pack-audio,pack-zstd,memory");
    options.rounds = 2;
    let comparison = run(&options, &counting).unwrap();
    listing(&ground.files, &mut after);
    assert_eq!(before, after);
    ground.nothing_is_left();

    let counted = counting.0.into_inner().unwrap();
    assert!(!comparison.interrupted && comparison.forecast.is_none());
    let found: u64 = comparison.material.found.values().map(|amount| amount.bytes).sum();
    assert_eq!((found, &comparison.material.found), (raw, &comparison.material.sampled));
    for class in [Class::IntegerWav, Class::FloatWav, Class::Midi, Class::Project] {
        assert!(comparison.material.found.contains_key(&class), "{class:?}");
    }
    for strategy in &comparison.strategies {
        let name = strategy.name.as_str();
        assert_eq!((strategy.failed.as_deref(), strategy.rounds.len()), (None, 2), "{name}");
        let stored = strategy.stored.as_ref().unwrap();
        if name != "memory" {
            assert_eq!((stored.bytes, stored.blocks, stored.files), counted[name], "{name}");
        }
        assert_eq!((stored.raw, stored.unique), (raw, raw - twin_size), "{name}");
        assert!(stored.saved_by_dedup >= twin_size, "{name}");
        let rest = stored.raw - stored.saved_by_dedup - stored.saved_by_codec;
        // What indices and headers cost is no saving, and no more than that is missing.
        assert!(stored.bytes >= rest && stored.bytes - rest < raw / 50, "{name}: {stored:?}");
        let classes: u64 = stored.classes.values().map(|class| class.stored).sum();
        assert!(classes <= stored.bytes && stored.bytes - classes < raw / 50, "{name}: {stored:?}");
        for round in &strategy.rounds {
            for operation in [round.put, round.get] {
                let operation = operation.unwrap();
                assert_eq!((operation.bytes, operation.objects), (raw, files), "{name}");
                assert!(operation.seconds > 0.0);
            }
            assert_eq!(round.stat.unwrap().objects, files - 1, "{name}");
            assert_eq!(round.list.unwrap().objects, files - 1, "{name}");
            let ranges = round.ranges.as_ref().unwrap();
            assert!(ranges.bytes == 65536 && ranges.micros.len() >= 100 && ranges.micros.is_sorted());
            assert!(round.reclaim.unwrap().objects > 0 && round.put_second.is_none());
        }
    }
    let (raw_pack, audio) = (of(&comparison, "pack-raw"), of(&comparison, "pack-audio"));
    assert!(audio.stored.as_ref().unwrap().bytes * 10 < raw_pack.stored.as_ref().unwrap().bytes * 7);
    assert!(of(&comparison, "sharded").stored.as_ref().unwrap().saved_by_codec == 0);
}

#[test]
fn a_second_version_adds_what_changed() {
    let first = Session::stems(3, 1 << 20);
    let ground = Ground::new(&first);
    let day2 = ground.files.with_file_name("day2");
    tree::write_tree(&day2, first.edited().files(), &mut |_| {}).unwrap();
    let mut options = ground.options("sharded,pack-audio,sharded-adopt,memory");
    options.against = Some(day2.clone());
    let comparison = run(&options, &Silent).unwrap();
    ground.nothing_is_left();
    let known: std::collections::HashSet<Vec<u8>> =
        first.files().iter().map(|file| fs::read(ground.files.join(&file.path)).unwrap()).collect();
    let new: u64 = first
        .edited()
        .files()
        .iter()
        .map(|file| fs::read(day2.join(&file.path)).unwrap())
        .filter(|bytes| !known.contains(bytes))
        .map(|bytes| bytes.len() as u64)
        .sum();
    // Every file of every class was on the clock once, also where many are hashed together.
    for result in &comparison.strategies {
        let round = &result.rounds[0];
        for classes in [&round.put_classes, &round.get_classes] {
            assert!(classes.values().all(|class| class.thread_seconds > 0.0), "{}", result.name);
            let seen =
                classes.iter().map(|(class, time)| (*class, Amount { files: time.files, bytes: time.bytes }));
            assert_eq!(seen.collect::<BTreeMap<_, _>>(), comparison.material.sampled, "{}", result.name);
        }
    }
    for name in ["sharded", "sharded-adopt"] {
        assert_eq!(of(&comparison, name).stored.as_ref().unwrap().added_by_second, Some(new), "{name}");
    }
    let packed = of(&comparison, "pack-audio").stored.as_ref().unwrap();
    assert!(packed.added_by_second.unwrap() < new, "{packed:?}");
    let kept: u64 = first.edited().total_len();
    let sharded = of(&comparison, "sharded");
    assert_eq!(sharded.stored.as_ref().unwrap().after_reclaim, Some(kept));
    assert!(sharded.rounds[0].put_second.is_some());
    assert_eq!(comparison.second.unwrap().found.values().map(|amount| amount.bytes).sum::<u64>(), kept);
}

#[test]
fn a_forecast_from_a_part_agrees_with_what_is_stored() {
    let ground = Ground::demo(96 << 20);
    fs::copy(ground.files.join("project.json"), ground.files.join("project-2.json")).unwrap();
    let names = "sharded,pack-raw,pack-zstd,pack-audio-fast";
    let options = ground.options(names);
    let measured = run(&options, &Silent).unwrap();
    let (raw, _, files) = count(&ground.files);
    for seed in 1..5 {
        let asked = Options { sample: Some(20 << 20), seed, ..ground.options(names) };
        let predicted = predict(&asked, &Silent).unwrap();
        ground.nothing_is_left();
        let forecast = predicted.forecast.unwrap();
        assert_eq!((forecast.whole.bytes, forecast.whole.files), (raw, files));
        assert!(forecast.read.bytes <= 21 << 20, "{:?}", forecast.read);
        for strategy in &measured.strategies {
            let stored = strategy.stored.as_ref().unwrap().bytes;
            let told = forecast.strategies[&strategy.name];
            assert!(
                told.bytes.abs_diff(stored) * 10 <= stored,
                "{} with seed {seed}: {told:?}, stored {stored}",
                strategy.name
            );
            assert!(told.low <= told.bytes && told.bytes <= told.high);
        }
    }
}

#[test]
fn a_strategy_that_fails_is_out_and_the_others_go_on() {
    let ground = Ground::demo(1 << 20);
    let mut options = ground.options("sharded,sharded-reflink");
    let here = tempfile::tempdir().unwrap();
    options.strategies.push(
        from_url(&format!("pack:{}?compression=none", here.path().display()).parse().unwrap(), &[]).unwrap(),
    );
    options
        .strategies
        .push(from_url(&"pack:/nowhere/at/all".parse().unwrap(), &["store-pack".into()]).unwrap());
    let comparison = run(&options, &Silent).unwrap();
    assert_eq!(of(&comparison, "sharded").failed, None);
    assert!(of(&comparison, "store-pack").failed.as_ref().unwrap().contains("none"));
    assert!(of(&comparison, "store-pack-2").failed.as_ref().unwrap().contains("no directory"));
    assert!(comparison.notes.iter().any(|note| note.kind == "failed"));
    let reflink = of(&comparison, "sharded-reflink");
    assert!(reflink.failed.is_some() || !reflink.rounds.is_empty());
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    ground.nothing_is_left();
}

#[test]
fn a_store_of_the_user_s_is_measured_beside_what_is_there() {
    let ground = Ground::demo(1 << 20);
    let theirs = tempfile::tempdir().unwrap();
    fs::write(theirs.path().join("mine"), "mine").unwrap();
    let mut options = ground.options("sharded");
    options.strategies =
        vec![from_url(&format!("pack:{}", theirs.path().display()).parse().unwrap(), &[]).unwrap()];
    let comparison = run(&options, &Silent).unwrap();
    let result = of(&comparison, "store-pack");
    assert_eq!((result.failed.as_deref(), result.rounds.len()), (None, 1));
    assert!(result.stored.as_ref().unwrap().bytes > 0);
    assert!(!result.url.contains('/'));
    let left: Vec<_> = fs::read_dir(theirs.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["mine"]);
}

/// Asks to stop after some strategies have stored.
struct StopAfter(AtomicUsize);

impl Progress for StopAfter {
    fn stored(&self, _: &str, _: &Path) {
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(1)));
    }
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

#[test]
fn what_is_finished_survives_an_interruption_and_is_not_done_again() {
    let ground = Ground::demo(2 << 20);
    let mut options = ground.options("sharded,pack-raw,pack-audio");
    options.rounds = 2;
    let state = ground.files.with_file_name("saved.json.partial");
    options.state = Some(state.clone());
    let nothing = run(&Options { resume: true, ..options.clone() }, &Silent).unwrap_err();
    assert!(nothing.to_string().contains("nothing to go on with"), "{nothing}");

    let stopped = run(&options, &StopAfter(AtomicUsize::new(3))).unwrap();
    ground.nothing_is_left();
    assert!(stopped.interrupted && stopped.notes.iter().any(|note| note.kind == "interrupted"));
    let rounds: Vec<usize> = stopped.strategies.iter().map(|strategy| strategy.rounds.len()).collect();
    assert_eq!(rounds, [1, 1, 0]);

    for (changed, word) in [
        (Options { seed: 2, ..options.clone() }, "seed"),
        (Options { rounds: 3, ..options.clone() }, "rounds"),
        (Options { sample: Some(1 << 20), ..options.clone() }, "sample"),
        (Options { strategies: select(&["sharded".into()]).unwrap(), ..options.clone() }, "strategies"),
    ] {
        let refused = run(&Options { resume: true, ..changed }, &Silent).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::User);
        assert!(refused.to_string().contains(word), "{refused}");
    }
    let resumed = run(&Options { resume: true, ..options.clone() }, &Silent).unwrap();
    assert!(!resumed.interrupted && !state.exists());
    for (before, after) in stopped.strategies.iter().zip(&resumed.strategies) {
        assert_eq!((after.rounds.len(), after.failed.as_deref()), (2, None));
        assert_eq!(before.rounds, after.rounds[..before.rounds.len()]);
    }
    assert_eq!(resumed.started, stopped.started);

    run(&options, &StopAfter(AtomicUsize::new(2))).unwrap();
    fs::write(ground.files.join("new.mid"), "MThd").unwrap();
    let refused = run(&Options { resume: true, ..options.clone() }, &Silent).unwrap_err();
    assert!(refused.to_string().contains("files were added"), "{refused}");
    fs::write(&state, "{").unwrap();
    assert_eq!(run(&Options { resume: true, ..options }, &Silent).unwrap_err().kind(), ErrorKind::User);
}

#[test]
fn odd_directories_give_notes_and_no_failure() {
    let ground = Ground::new(&Session::small_files(1, 0));
    fs::create_dir_all(&ground.files).unwrap();
    let empty = run(&ground.options("sharded"), &Silent).unwrap();
    assert!(empty.notes.iter().any(|note| note.text.contains("nothing to compare")));
    let empty = predict(&ground.options("sharded"), &Silent).unwrap();
    assert!(empty.forecast.is_none());
    fs::write(ground.files.join("nothing.wav"), "").unwrap();
    fs::create_dir(ground.files.join("hollow")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", ground.files.join("link.wav")).unwrap();
    let comparison = run(&ground.options("sharded,pack-audio,memory,sharded-adopt"), &Silent).unwrap();
    for strategy in &comparison.strategies {
        assert_eq!((strategy.failed.as_deref(), strategy.rounds.len()), (None, 1), "{}", strategy.name);
    }
    for kind in ["link", "empty"] {
        assert!(comparison.notes.iter().any(|note| note.kind == kind), "{kind}: {:?}", comparison.notes);
    }
    assert!(predict(&ground.options("pack-audio"), &Silent).unwrap().forecast.is_some());
    ground.nothing_is_left();
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_done() {
    let ground = Ground::demo(1 << 20);
    let options = ground.options("sharded");
    let twice = [options.strategies.clone(), options.strategies.clone()].concat();
    for wrong in [
        Options { rounds: 0, ..options.clone() },
        Options { sample: Some(0), ..options.clone() },
        Options { strategies: Vec::new(), ..options.clone() },
        Options { strategies: twice, ..options.clone() },
        Options { directories: Vec::new(), ..options.clone() },
        Options { directories: vec![ground.files.join("absent")], ..options.clone() },
        Options { scratch: Some(ground.files.clone()), ..options.clone() },
        Options { state: Some(ground.files.join("state")), ..options.clone() },
        Options { resume: true, ..options.clone() },
    ] {
        let error = run(&wrong, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::User, "{error}");
        ground.nothing_is_left();
    }
}
