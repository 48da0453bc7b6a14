//! One scenario, crashed everywhere.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use stem_testkit::crash::{Disk, Event, Image, Loss, LostBytes, LostNames, Random, Recorder};
use stemvault::Vault;
use tempfile::TempDir;

use crate::check::{self, Before, Crash};
use crate::scenarios::Scenario;

/// How much is examined.
pub(crate) struct Settings {
    seeds: u64,
    only: Option<String>,
}

impl Settings {
    pub(crate) fn from_environment() -> Self {
        let seeds = std::env::var("STEM_CRASH_SEEDS").ok().and_then(|text| text.parse().ok());
        Self { seeds: seeds.unwrap_or(1), only: std::env::var("STEM_CRASH_ONLY").ok() }
    }

    pub(crate) fn includes(&self, scenario: &Scenario) -> bool {
        self.only.as_ref().is_none_or(|only| scenario.name.contains(only.as_str()))
    }

    pub(crate) fn is_partial(&self) -> bool {
        self.only.is_some() || self.seeds == 0
    }
}

/// What was examined, and what was wrong.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    changes: usize,
    killed: usize,
    lost_power: usize,
    twice: usize,
    wrong: Vec<String>,
}

impl Tally {
    pub(crate) fn points(&self) -> usize {
        self.killed + self.lost_power + self.twice
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.changes += other.changes;
        self.killed += other.killed;
        self.lost_power += other.lost_power;
        self.twice += other.twice;
        self.wrong.extend(other.wrong);
    }

    pub(crate) fn assert_clean(&self) {
        let shown = self.wrong.iter().take(40).map(String::as_str).collect::<Vec<_>>().join("\n\n");
        assert!(self.wrong.is_empty(), "{} images are wrong; the first:\n{shown}", self.wrong.len());
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:5} changes: {:6} points ({} killed, {} without power, {} stopped twice), {} wrong",
            self.changes,
            self.points(),
            self.killed,
            self.lost_power,
            self.twice,
            self.wrong.len()
        )
    }
}

/// A directory for a repository that nobody waits for.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in(Path::new("/dev/shm")).or_else(|_| tempfile::tempdir()).unwrap()
}

/// Everything that a run changes, and the disk before it.
pub(crate) struct Recorded {
    pub(crate) start: Disk,
    pub(crate) events: Vec<Event>,
}

/// Runs the scenario's verb on the repository at `root`, watched, on this thread alone.
pub(crate) fn record(
    scenario: &Scenario,
    root: &Path,
    before: &Before,
    unknown: bool,
) -> Result<Recorded, String> {
    let start = Image::read(root).map_err(|e| e.to_string())?;
    let recorder = Recorder::new(root, unknown);
    let dir = recorder.open().map_err(|e| e.to_string())?;
    let vault = Vault::from_dir(&dir).map_err(|e| e.to_string())?;
    (scenario.verb)(&vault, before).map_err(|e| format!("the verb failed: {e}"))?;
    drop((vault, dir));
    let recorded = Recorded { start: Disk::new(&start), events: recorder.events()? };
    let mut disk = recorded.start.clone();
    recorded.events.iter().try_for_each(|event| disk.apply(event))?;
    let (modelled, real) =
        (check::files(&disk.killed()), check::files(&Image::read(root).map_err(|e| e.to_string())?));
    if modelled != real {
        return Err(format!("the model does not end where the run does: {modelled:?}, {real:?}"));
    }
    Ok(recorded)
}

/// The losses that are looked at after change `at`.
fn losses(at: usize, seeds: u64) -> Vec<Loss> {
    let of = |names, bytes, n: u64| Loss { names, bytes, seed: (at as u64) << 16 | n };
    let mut losses = vec![
        of(LostNames::All, LostBytes::All, 0),
        of(LostNames::None, LostBytes::All, 0),
        of(LostNames::None, LostBytes::Zeros, 0),
        of(LostNames::All, LostBytes::None, 0),
    ];
    for n in 0..seeds {
        losses.push(of(LostNames::Later, LostBytes::Any, 2 * n));
        losses.push(of(LostNames::Any, LostBytes::Any, 2 * n + 1));
    }
    losses
}

/// One image and what is to be said when it is wrong.
struct Job {
    image: Image,
    crash: Crash,
    title: String,
}

/// Records the scenario on a known and on an unknown file system, and examines every crash.
pub(crate) fn run(scenario: &Scenario, settings: &Settings) -> Tally {
    let mut tally = Tally::default();
    for unknown in [false, true] {
        let home = scratch();
        (scenario.setup)(home.path());
        let before = Before::read(scenario, home.path());
        let pool = single();
        let recorded = pool.install(|| record(scenario, home.path(), &before, unknown));
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(problem) => {
                tally.wrong.push(format!("{}: {problem}", scenario.name));
                continue;
            }
        };
        let after = check::files(&Image::read(&home.path().join("muse-work")).unwrap());
        tally.changes += recorded.events.len();
        let jobs = jobs(scenario, &recorded, settings, unknown);
        for job in &jobs {
            match job.crash {
                Crash::Killed => tally.killed += 1,
                Crash::LostPower | Crash::LostUnsynced => tally.lost_power += 1,
            }
        }
        let (twice, wrong) = examine(scenario, &before, &after, &jobs, unknown);
        tally.twice += twice;
        tally.wrong.extend(wrong);
    }
    tally
}

/// The different images of all crashes of one run.
fn jobs(scenario: &Scenario, recorded: &Recorded, settings: &Settings, unknown: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |image: Image, crash: Crash, at: usize, what: &str| {
        let mut hasher = DefaultHasher::new();
        (&image, crash).hash(&mut hasher);
        if seen.insert(hasher.finish()) {
            let last = last(&recorded.events, at);
            let kind = if unknown { "unknown" } else { "known" };
            let title = format!("{} ({kind} file system), change {at}, {what}, after {last}", scenario.name);
            jobs.push(Job { image, crash, title });
        }
    };
    let mut disk = recorded.start.clone();
    // The same, but the user's files were written a moment ago.
    let mut unsynced = disk.clone();
    unsynced.forget_bytes_below(Path::new("muse-work"));
    for at in 0..=recorded.events.len() {
        if let Some(event) = at.checked_sub(1).and_then(|at| recorded.events.get(at)) {
            // Was done once already, by `record`.
            let _ = (disk.apply(event), unsynced.apply(event));
        }
        add(disk.killed(), Crash::Killed, at, "killed");
        for loss in losses(at, settings.seeds) {
            add(disk.lost_power(loss), Crash::LostPower, at, &format!("{loss:?}"));
        }
        // Only verbs that save files have to do with that.
        let of_unsynced = if scenario.walks { losses(at, settings.seeds.min(1)) } else { Vec::new() };
        for loss in of_unsynced.into_iter().skip(1) {
            add(unsynced.lost_power(loss), Crash::LostUnsynced, at, &format!("unsynced work, {loss:?}"));
        }
    }
    jobs
}

fn last(events: &[Event], at: usize) -> String {
    at.checked_sub(1).and_then(|at| events.get(at)).map_or("nothing".to_owned(), Event::to_string)
}

fn single() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap()
}

/// Examines all images on all processors; returns how many further ones came from stopping a second time, and what was
/// wrong.
fn examine(
    scenario: &Scenario,
    before: &Before,
    after: &check::Files,
    jobs: &[Job],
    unknown: bool,
) -> (usize, Vec<String>) {
    let (next, twice) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let tell = |problem: String| wrong.lock().unwrap().push(format!("{}:\n  {problem}", job.title));
            if let Err(problem) = check::check(scenario, before, after, &job.image, job.crash) {
                tell(problem);
            } else if job.crash != Crash::LostUnsynced {
                match again(scenario, before, after, job, unknown) {
                    Ok(examined) => drop(twice.fetch_add(examined, Ordering::Relaxed)),
                    Err(problem) => tell(format!("stopped twice: {problem}")),
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| single().install(work));
        }
    });
    (twice.into_inner(), wrong.into_inner().unwrap())
}

/// The user runs the verb again, and it crashes again, at one change and in one way.
fn again(
    scenario: &Scenario,
    before: &Before,
    after: &check::Files,
    job: &Job,
    unknown: bool,
) -> Result<usize, String> {
    let mut hasher = DefaultHasher::new();
    job.title.hash(&mut hasher);
    let mut random = Random::new(hasher.finish());
    // Every fourth image: the others differ from it in little.
    if random.below(4) != 0 {
        return Ok(0);
    }
    let home = scratch();
    job.image.build(home.path()).map_err(|e| e.to_string())?;
    let recorded = record(scenario, home.path(), before, unknown)?;
    let at = random.below(recorded.events.len() + 1);
    let mut disk = recorded.start;
    recorded.events.iter().take(at).try_for_each(|event| disk.apply(event))?;
    let loss = Loss { names: LostNames::Any, bytes: LostBytes::Any, seed: random.draw() };
    let (image, crash, what) = if random.coin() {
        (disk.killed(), Crash::Killed, "killed".to_owned())
    } else {
        (disk.lost_power(loss), Crash::LostPower, format!("{loss:?}"))
    };
    let last = last(&recorded.events, at);
    // What the first crash may leave is still there after the second.
    let worst = if job.crash == Crash::LostPower { job.crash } else { crash };
    check::check(scenario, before, after, &image, worst)
        .map_err(|problem| format!("{problem}\n  (the second time at change {at}, {what}, after {last})"))?;
    Ok(1)
}
