//! The rounds: each strategy in its turn, one process a step, its traces removed behind it.

use std::path::{Path, PathBuf};

use super::{MATERIAL, Options, SECOND};
use crate::copies::{self, Copies};
use crate::error::{Error, Result, chain, size};
use crate::job::{Answer, Item, Job, Put, Task};
use crate::machine;
use crate::model::{Comparison, Round};
use crate::progress::Progress;
use crate::resume::{self, Key};
use crate::scratch::Scratch;
use crate::store::{self, Placed};
use crate::strategy::{Strategy, Way};
use crate::usage::{stored, usage};

/// How many ranges are read in a round.
const RANGES: u32 = 512;

const WORK: &str = "work";
const WORK_SECOND: &str = "work-second";
const RESTORED: &str = "restored";

pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    pub(super) scratch: &'a Scratch,
    pub(super) material: Copies,
    pub(super) day2: Copies,
    pub(super) progress: &'a dyn Progress,
    pub(super) notes: crate::material::Notes,
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
    pub(super) fn rounds(&mut self, key: &Key, comparison: &mut Comparison) -> Result<()> {
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
            Answer::Classes(Task::Put, classes) => round.put_classes = classes,
            Answer::Classes(Task::Get, classes) => round.get_classes = classes,
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
            Answer::Done(..) | Answer::Classes(..) | Answer::Progress(_) | Answer::Failed { .. } => {}
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
