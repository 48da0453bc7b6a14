//! A comparison from start to end.
//!
//! The material is copied once. In each round every strategy stores it, gives it back, is asked for ranges, takes a second
//! version and tidies up, in a fresh place that is gone afterwards; the order turns from round to round, so that what
//! changes on the machine meanwhile does not always meet the same one. A strategy that fails is out, the others go on.

use std::path::{Path, PathBuf};
use std::time::Instant;

use stem_odb::StoreUrl;

use crate::copies::{self, Copies};
use crate::error::{Error, Result, chain, show, size};
use crate::job::{Answer, Item, Job, Put, Task};
use crate::machine;
use crate::material::{Listing, choose, follow, walk};
use crate::model::{Comparison, Material, Note, Round, StrategyResult, VERSION};
use crate::progress::Progress;
use crate::resume::{self, Key};
use crate::scratch::{self, Scratch};
use crate::store::{self, Placed};
use crate::strategy::{Strategy, Way, plain_url};
use crate::usage::{stored, usage};
use crate::worker::Worker;

/// How many ranges are read in a round.
const RANGES: u32 = 512;
/// Room for what comes back before it is compared, and for what is small.
const SPARE: u64 = 320 << 20;
/// Of a strategy whose rounds differ by more than this share of their median, that is noted.
const NOISE: f64 = 0.3;

const MATERIAL: &str = "material";
const SECOND: &str = "second";
const WORK: &str = "work";
const WORK_SECOND: &str = "work-second";
const RESTORED: &str = "restored";

/// What to compare, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directories with the files; they are never written to.
    pub directories: Vec<PathBuf>,
    /// The strategies; their names differ.
    pub strategies: Vec<Strategy>,
    /// Whether the user chose them; one that the file system cannot do is then shown as failed, else left out.
    pub chosen: bool,
    /// About how many bytes to work on; `None`: all.
    pub sample: Option<u64>,
    /// How often.
    pub rounds: u32,
    /// The second version of the directories.
    pub against: Option<PathBuf>,
    /// Where the scratch directory is made; `None`: on the file system of the first directory.
    pub scratch: Option<PathBuf>,
    /// What the sample and the ranges are chosen by.
    pub seed: u64,
    /// Where finished rounds are kept until the end.
    pub state: Option<PathBuf>,
    /// Whether to go on with what is kept there.
    pub resume: bool,
    /// Who does the work.
    pub worker: Worker,
    /// The program that compares, with its version.
    pub tool: String,
}

/// Compares. What was asked for in [`Options`] and cannot be is an error; what goes wrong with one strategy is in the
/// answer. When the progress asks to stop, the answer is what there is until then, marked as interrupted.
pub fn run(options: &Options, progress: &dyn Progress) -> Result<Comparison> {
    check(options)?;
    let begun = Instant::now();
    let place = scratch::place(&options.directories, options.scratch.as_deref())?;
    let found = begin(options, &place, progress);
    let (first, second, key, mut comparison) = match found {
        Ok(found) => found,
        Err(Error::Interrupted) => return Ok(stopped(options, &place)),
        Err(error) => return Err(error),
    };
    let before = comparison.seconds;
    let done = measure(options, &place, (&first, second.as_ref()), &key, &mut comparison, progress);
    comparison.seconds = before + begun.elapsed().as_secs_f64();
    match done {
        Ok(()) => {
            comparison.notes.extend(noise(&comparison));
            if let Some(state) = &options.state {
                resume::forget(state);
            }
            Ok(comparison)
        }
        Err(Error::Interrupted) => {
            comparison.interrupted = true;
            comparison.notes.push(Note {
                kind: "interrupted".into(),
                text: "it was stopped before its end; what was not finished has no figures".into(),
            });
            Ok(comparison)
        }
        Err(error) => Err(error),
    }
}

fn stopped(options: &Options, place: &Path) -> Comparison {
    Comparison { interrupted: true, ..empty(options, place) }
}

pub(crate) fn empty(options: &Options, place: &Path) -> Comparison {
    let now = jiff::Timestamp::now();
    let started = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    Comparison {
        version: VERSION,
        tool: options.tool.clone(),
        started: started.to_string(),
        seconds: 0.0,
        machine: machine::describe(place),
        material: Material::default(),
        second: None,
        rounds: options.rounds,
        strategies: options.strategies.iter().map(result_of).collect(),
        forecast: None,
        notes: Vec::new(),
        interrupted: false,
    }
}

fn result_of(strategy: &Strategy) -> StrategyResult {
    StrategyResult {
        name: strategy.name.clone(),
        about: strategy.about.clone(),
        url: plain_url(&strategy.url),
        failed: None,
        rounds: Vec::new(),
        stored: None,
    }
}

pub(crate) fn check(options: &Options) -> Result<()> {
    let invalid = |text: &str| Err(Error::Invalid(text.to_owned()));
    if options.directories.is_empty() {
        return invalid("name the directory that holds the files");
    }
    if options.rounds == 0 {
        return invalid("at least one round is needed: give --rounds 1 or more");
    }
    if options.sample == Some(0) {
        return invalid("a sample of nothing shows nothing: give --sample 64M or more");
    }
    if options.strategies.is_empty() {
        return invalid("no strategy is named");
    }
    for dir in options.directories.iter().chain(&options.against) {
        if !dir.is_dir() {
            return Err(Error::Invalid(format!(
                "'{}' is no directory: name the one that holds the files",
                show(dir)
            )));
        }
    }
    let mut names: Vec<&str> = options.strategies.iter().map(|strategy| strategy.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() != options.strategies.len() {
        return invalid("two strategies have the same name");
    }
    let all = options.directories.iter().chain(&options.against);
    if let Some(state) = &options.state {
        outside(all, state)?;
    }
    Ok(())
}

/// Refuses a file within directories that are never written to.
pub fn outside<'a>(directories: impl IntoIterator<Item = &'a PathBuf>, file: &Path) -> Result<()> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(parent) = parent.canonicalize() else { return Ok(()) };
    for dir in directories {
        if dir.canonicalize().is_ok_and(|dir| parent.starts_with(dir)) {
            return Err(Error::Invalid(format!(
                "'{}' lies within '{}', which is never written to: name another place",
                show(file),
                show(dir)
            )));
        }
    }
    Ok(())
}

type Begun = (Listing, Option<Listing>, Key, Comparison);

/// Looks at the files, and at what there is to go on with.
fn begin(options: &Options, place: &Path, progress: &dyn Progress) -> Result<Begun> {
    progress.begin("looking at the files", 0);
    let first = walk(&options.directories, None, progress)?;
    let second = match &options.against {
        Some(dir) => Some(walk(std::slice::from_ref(dir), None, progress)?),
        None => None,
    };
    let full = |url: &StoreUrl| url.to_string();
    let key = Key {
        directories: options
            .directories
            .iter()
            .map(|dir| show(&dir.canonicalize().unwrap_or_else(|_| dir.clone())))
            .collect(),
        listing: first.digest(),
        strategies: options
            .strategies
            .iter()
            // The URL of a store of the user's may hold secrets.
            .map(|s| (s.name.clone(), blake3::hash(full(&s.url).as_bytes()).to_hex().to_string()))
            .collect(),
        rounds: options.rounds,
        sample: options.sample,
        seed: options.seed,
        against: second.as_ref().map(|second| (second.directories().join(":"), second.digest())),
    };
    let kept = match &options.state {
        Some(state) if options.resume => Some(resume::load(state, &key)?),
        None if options.resume => {
            return Err(Error::Invalid("there is no place to go on from: name one by --save".into()));
        }
        _ => None,
    };
    let comparison = kept.unwrap_or_else(|| empty(options, place));
    let comparison = Comparison { interrupted: false, notes: Vec::new(), ..comparison };
    Ok((first, second, key, comparison))
}

fn measure(
    options: &Options,
    place: &Path,
    (first, second): (&Listing, Option<&Listing>),
    key: &Key,
    comparison: &mut Comparison,
    progress: &dyn Progress,
) -> Result<()> {
    let mut notes = first.notes.clone();
    comparison.material = material(options, first);
    if let Some(second) = second {
        notes.append(second.notes.clone());
        comparison.second = Some(material(options, second));
    }
    comparison.notes = notes.finish();
    if first.files.is_empty() {
        notes.say("empty", "there are no files, so there is nothing to compare");
        comparison.notes = notes.finish();
        return Ok(());
    }
    let selection = choose(first, options.sample, options.seed);
    let follows = second.map(|second| (second, follow(first, &selection, second, options.seed)));
    let bytes = [selection.bytes(), follows.as_ref().map_or(0, |(_, selection)| selection.bytes())];
    let both = bytes[0].saturating_add(bytes[1]);
    // The copies, the store, and the store once more while it is compacted.
    scratch::check_room(place, both.saturating_mul(3).saturating_add(both / 20).saturating_add(SPARE))?;
    let scratch = Scratch::new(place)?;
    let in_scratch = |doing: &'static str| {
        let path = scratch.path().to_path_buf();
        move |error: Error| error.in_scratch(doing, &path)
    };
    let copying = "the files were copied";
    progress.begin("copying", both);
    let to = scratch.fresh(MATERIAL)?;
    let material = copies::copy(first, &selection, &to, progress).map_err(in_scratch(copying))?;
    let to = scratch.fresh(SECOND)?;
    let day2 = match &follows {
        Some((listing, selection)) => {
            copies::copy(listing, selection, &to, progress).map_err(in_scratch(copying))?
        }
        None => Copies::default(),
    };
    comparison.material.sampled = material.amounts();
    if let Some(second) = &mut comparison.second {
        second.sampled = day2.amounts();
    }
    notes.append(material.notes.clone());
    notes.append(day2.notes.clone());
    let clones = scratch.can_clone();
    let mut run = Run { options, scratch: &scratch, material, day2, progress, notes };
    for (strategy, result) in options.strategies.iter().zip(&mut comparison.strategies) {
        if strategy.way == Way::Clone && !clones && result.failed.is_none() {
            result.failed = Some("the file system of the scratch directory cannot share blocks".into());
        }
    }
    if !options.chosen {
        let cannot = |result: &StrategyResult| {
            let strategy = options.strategies.iter().find(|strategy| strategy.name == result.name);
            strategy.is_some_and(|strategy| strategy.way == Way::Clone) && !clones
        };
        comparison.strategies.retain(|result| !cannot(result));
    }
    let done = run.rounds(key, comparison);
    comparison.notes = run.notes.finish();
    done
}

fn material(options: &Options, listing: &Listing) -> Material {
    Material {
        directories: listing.directories(),
        found: listing.amounts(),
        sampled: std::collections::BTreeMap::new(),
        seed: options.seed,
    }
}

struct Run<'a> {
    options: &'a Options,
    scratch: &'a Scratch,
    material: Copies,
    day2: Copies,
    progress: &'a dyn Progress,
    notes: crate::material::Notes,
}

/// The figures of a round as they come in.
#[derive(Default)]
struct Gathered {
    round: Round,
    stored: Option<crate::model::Stored>,
    /// What the store took before the second version.
    before: u64,
    added: Option<u64>,
    after: Option<u64>,
}

/// How a strategy's round ended.
enum Ended {
    Measured(Box<Round>, Option<crate::model::Stored>),
    Failed(String),
}

impl Run<'_> {
    fn rounds(&mut self, key: &Key, comparison: &mut Comparison) -> Result<()> {
        let count = comparison.strategies.len();
        let work = self.material.bytes() * 2 + self.day2.bytes();
        let total = u64::from(self.options.rounds);
        let left: u64 = comparison
            .strategies
            .iter()
            .filter(|result| result.failed.is_none())
            .map(|result| total.saturating_sub(result.rounds.len() as u64))
            .sum();
        self.progress.begin("measuring", work.saturating_mul(left));
        for round in 0..self.options.rounds {
            for turn in 0..count {
                let at = turned(turn, round, count);
                let Some(result) = comparison.strategies.get_mut(at) else { continue };
                if result.failed.is_some() || result.rounds.len() as u64 > u64::from(round) {
                    continue;
                }
                let strategies = &self.options.strategies;
                let Some(strategy) = strategies.iter().find(|s| s.name == result.name) else { continue };
                let doing = format!("{}/{} {}", round + 1, self.options.rounds, strategy.name);
                match self.round(strategy, &doing, result.stored.is_none())? {
                    Ended::Measured(figures, stored) => {
                        result.rounds.push(*figures);
                        if stored.is_some() {
                            result.stored = stored;
                        }
                    }
                    Ended::Failed(reason) => {
                        self.notes.say("failed", format!("{}: {reason}", strategy.name));
                        result.failed = Some(reason);
                    }
                }
                comparison.notes = self.notes.finish();
                if let Some(state) = &self.options.state {
                    let kept = Comparison { interrupted: true, ..comparison.clone() };
                    if let Err(error) = resume::keep(state, key, &kept) {
                        self.notes.say(
                            "interrupted",
                            format!("what is finished could not be kept for --resume: {}", chain(&error)),
                        );
                    }
                }
            }
        }
        Ok(())
    }

    /// One round of one strategy, and its traces removed.
    fn round(&mut self, strategy: &Strategy, doing: &str, first: bool) -> Result<Ended> {
        let ended = self.attempt(strategy, doing, first);
        for name in ["place", WORK, WORK_SECOND, RESTORED] {
            self.scratch.remove(name)?;
        }
        match ended {
            Ok(ended) => Ok(ended),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) if error.is_full() => {
                Err(error.in_scratch(&format!("{doing} was measured"), self.scratch.path()))
            }
            Err(error) => Ok(Ended::Failed(chain(&error))),
        }
    }

    fn attempt(&mut self, strategy: &Strategy, doing: &str, first: bool) -> Result<Ended> {
        let placed = store::place(strategy, self.scratch)?;
        if placed.passing && !self.fits_memory() {
            let needed = size(self.material.bytes() + self.day2.bytes());
            return Ok(Ended::Failed(format!("{needed} do not fit into the memory of this machine")));
        }
        self.scratch.fresh(RESTORED)?;
        let mut gathered = Gathered::default();
        let mut failed = None;
        for tasks in steps(placed.passing, !self.day2.items.is_empty(), !store::mentions_bucket(&placed.url))
        {
            let step = self.step(strategy, doing, &placed, &tasks);
            let taken = step.and_then(|answers| {
                answers.into_iter().try_for_each(|answer| {
                    self.take(answer, &mut gathered, &placed, first.then_some(strategy), &tasks)
                })
            });
            if let Err(error) = taken {
                failed = Some(error);
                break;
            }
            if tasks.contains(&Task::Put)
                && let Some(place) = placed.dirs.first()
            {
                self.progress.stored(&strategy.name, place);
            }
        }
        if placed.elsewhere {
            let cleared = self.step(strategy, doing, &placed, &[Task::Clear]);
            if let Err(error) = cleared {
                let text = format!(
                    "{}: objects of the comparison may be left in the store, below '{}': {}",
                    strategy.name,
                    self.scratch
                        .path()
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .trim_start_matches('.'),
                    chain(&error)
                );
                self.notes.say("failed", text);
            }
        }
        for item in self.material.items.iter_mut().chain(&mut self.day2.items) {
            item.digest = None;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let Gathered { round, mut stored, added, after, .. } = gathered;
        if !placed.passing && !round.cold {
            self.notes.say("cache", "the system's cache could not be emptied: reads are from memory (warm)");
        }
        if let Some(stored) = &mut stored {
            stored.added_by_second = added;
            stored.after_reclaim = after;
        }
        Ok(Ended::Measured(Box::new(round), stored))
    }

    /// Notes an answer; what is stored is looked into when `first` says whose it is.
    fn take(
        &mut self,
        answer: Answer,
        gathered: &mut Gathered,
        placed: &Placed,
        first: Option<&Strategy>,
        tasks: &[Task],
    ) -> Result<()> {
        let round = &mut gathered.round;
        match answer {
            Answer::Stored(put) if put.task == Task::Put => {
                round.put = Some(put.operation);
                let found = look(placed)?;
                gathered.before = found.map_or(put.bytes.unwrap_or(0), |found| found.bytes);
                note_ids(&mut self.material.items, &put);
                if first.is_some() {
                    let dirs: Vec<&Path> = placed.dirs.iter().map(PathBuf::as_path).collect();
                    let (items, classes) = (&self.material.items, &self.material.classes);
                    gathered.stored = Some(stored(items, classes, &dirs, found, put.bytes)?);
                }
            }
            Answer::Stored(put) => {
                round.put_second = Some(put.operation);
                note_ids(&mut self.day2.items, &put);
                let now = look(placed)?.map_or(put.bytes.unwrap_or(gathered.before), |found| found.bytes);
                gathered.added = Some(now.saturating_sub(gathered.before));
            }
            Answer::Done(Task::Get, operation) => round.get = Some(operation),
            Answer::Done(Task::Stat, operation) => round.stat = Some(operation),
            Answer::Done(Task::List, operation) => round.list = Some(operation),
            Answer::Done(Task::Reclaim, operation) => {
                round.reclaim = Some(operation);
                gathered.after = look(placed)?.map(|found| found.bytes);
            }
            Answer::Read(latencies) => round.ranges = Some(latencies),
            Answer::Cooled(cold) => {
                round.cold = cold && (round.cold || tasks.first() == Some(&Task::Get));
            }
            Answer::Done(..) | Answer::Progress(_) | Answer::Failed { .. } => {}
        }
        Ok(())
    }

    fn fits_memory(&self) -> bool {
        let memory = machine::describe(self.scratch.path()).memory;
        memory == 0 || (self.material.bytes() + self.day2.bytes()) < memory / 2
    }

    /// Some operations, in one process.
    fn step(&self, strategy: &Strategy, doing: &str, placed: &Placed, tasks: &[Task]) -> Result<Vec<Answer>> {
        if self.progress.cancelled() {
            return Err(Error::Interrupted);
        }
        let does = |task| tasks.contains(&task);
        let (mut from, mut second_from) = (MATERIAL, SECOND);
        if strategy.way == Way::Adopt {
            let copy = |items: &[Item], from: &str, to: &str| {
                let target = self.scratch.fresh(to)?;
                copies::again(items, &self.scratch.path().join(from), &target, self.progress)
            };
            if does(Task::Put) {
                self.progress.doing(&format!("{doing}: a copy to move away"));
                copy(&self.material.items, MATERIAL, WORK)?;
                from = WORK;
            }
            if does(Task::PutSecond) {
                copy(&self.day2.items, SECOND, WORK_SECOND)?;
                second_from = WORK_SECOND;
            }
        }
        if !(does(Task::Ranges) || does(Task::Stat)) {
            self.scratch.flush();
        }
        self.progress.doing(&format!("{doing}: {}", words(tasks)));
        let cold = (does(Task::Get) || does(Task::Ranges)) && !placed.passing;
        let relative = |dir: &PathBuf| {
            let below = dir.strip_prefix(self.scratch.path()).unwrap_or(dir);
            below.to_str().map(ToOwned::to_owned)
        };
        let needed = |used: bool, items: &[Item]| if used { items.to_vec() } else { Vec::new() };
        let job = Job {
            url: placed.url.to_string(),
            base: placed.base.clone(),
            way: strategy.way,
            operations: tasks.to_vec(),
            from: from.to_owned(),
            pristine: MATERIAL.to_owned(),
            items: needed(!does(Task::PutSecond) || placed.passing, &self.material.items),
            second_from: second_from.to_owned(),
            second: needed(does(Task::PutSecond) || does(Task::Reclaim), &self.day2.items),
            restored: RESTORED.to_owned(),
            cool: if cold { placed.dirs.iter().filter_map(relative).collect() } else { Vec::new() },
            ranges: RANGES,
            seed: self.options.seed,
        };
        let mut answers = Vec::new();
        let mut failed = None;
        self.options.worker.run(&job, self.scratch.path(), self.progress, &mut |answer| match answer {
            Answer::Failed { reason, full } => failed = Some((reason, full)),
            other => answers.push(other),
        })?;
        match failed {
            None => Ok(answers),
            // A place of the user's that is full is the strategy's failure.
            Some((_, true)) if !strategy.placed => {
                Err(Error::Full { doing: format!("{doing} ran"), path: self.scratch.path().to_path_buf() })
            }
            Some((reason, _)) => Err(Error::Worker(reason)),
        }
    }
}

/// What the store takes now; `None` where no directory holds it.
fn look(placed: &Placed) -> Result<Option<crate::usage::Usage>> {
    if placed.dirs.is_empty() {
        return Ok(None);
    }
    let dirs: Vec<&Path> = placed.dirs.iter().map(PathBuf::as_path).collect();
    usage(&dirs).map(Some)
}

/// Which operations share a process. A store that passes with its process has one for all; else writing, reading cold and
/// looking up are kept apart, and each begins with a store that was just opened.
/// Where nothing can be removed, nothing is reclaimed.
fn steps(passing: bool, second: bool, removes: bool) -> Vec<Vec<Task>> {
    let mut steps = vec![vec![Task::Put], vec![Task::Get], vec![Task::Ranges], vec![Task::Stat, Task::List]];
    if second {
        steps.push(vec![Task::PutSecond]);
    }
    if removes {
        steps.push(vec![Task::Reclaim]);
    }
    if passing { vec![steps.concat()] } else { steps }
}

fn note_ids(items: &mut [Item], put: &Put) {
    for (item, named) in items.iter_mut().zip(&put.digests) {
        item.digest = Some(*named);
    }
}

/// Which strategy has its turn: the list forwards, then backwards, then both again one place on.
fn turned(turn: usize, round: u32, count: usize) -> usize {
    let forth = if round % 2 == 1 { (count.max(1) - 1).saturating_sub(turn) } else { turn };
    (forth + usize::try_from(round / 2).unwrap_or(0)) % count.max(1)
}

fn words(tasks: &[Task]) -> &'static str {
    match tasks {
        [Task::Put] => "storing",
        [Task::Get] => "reading back",
        [Task::Ranges] => "reading ranges",
        [Task::PutSecond] => "storing the second version",
        [Task::Reclaim] => "compacting",
        [Task::Clear] => "removing",
        [Task::Stat, ..] => "looking things up",
        _ => "working",
    }
}

/// Says of which strategies the rounds differ much.
fn noise(comparison: &Comparison) -> Option<Note> {
    let spread = |result: &StrategyResult| {
        let mut seconds: Vec<f64> =
            result.rounds.iter().filter_map(|r| r.put.map(|put| put.seconds)).collect();
        seconds.sort_by(f64::total_cmp);
        let (least, most) = (*seconds.first()?, *seconds.last()?);
        let median = *seconds.get(seconds.len() / 2)?;
        (seconds.len() > 1 && median > 0.0).then(|| (most - least) / median)
    };
    let noisy: Vec<&str> = comparison
        .strategies
        .iter()
        .filter(|result| spread(result).is_some_and(|spread| spread > NOISE))
        .map(|result| result.name.as_str())
        .collect();
    (!noisy.is_empty()).then(|| Note {
        kind: "noise".into(),
        text: format!(
            "the times of rounds differ by more than {:.0} % for {}: smaller differences between strategies mean nothing; close other programs, or give more --rounds",
            NOISE * 100.0,
            noisy.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_has_its_turn_in_every_round_and_not_always_at_the_same_time() {
        for count in 1..9 {
            let mut last = Vec::new();
            for round in 0..5 {
                let mut order: Vec<usize> = (0..count).map(|turn| turned(turn, round, count)).collect();
                if count > 2 {
                    assert_ne!(order, last, "{count} {round}");
                }
                last.clone_from(&order);
                order.sort_unstable();
                assert_eq!(order, (0..count).collect::<Vec<_>>());
            }
        }
    }
}
