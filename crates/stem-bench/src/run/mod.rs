//! A comparison from start to end.
//!
//! The material is copied once. In each round every strategy stores it, gives it back, is asked for ranges, takes a second
//! version and tidies up, in a fresh place that is gone afterwards; the order turns from round to round, so that what
//! changes on the machine meanwhile does not always meet the same one. A strategy that fails is out, the others go on.

mod begin;
mod rounds;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::copies::{self, Copies};
use crate::error::{Error, Result};
use crate::material::{Listing, choose, follow};
use crate::model::{Comparison, Material, Note, StrategyResult};
use crate::progress::Progress;
use crate::resume::{self, Key};
use crate::scratch::{self, Scratch};
use crate::strategy::{Strategy, Way};
use crate::worker::Worker;

use begin::begin;
pub use begin::outside;
pub(crate) use begin::{check, empty};
use rounds::Run;

/// Room for what comes back before it is compared, and for what is small.
const SPARE: u64 = 320 << 20;
/// Of a strategy whose rounds differ by more than this share of their median, that is noted.
const NOISE: f64 = 0.3;

const MATERIAL: &str = "material";
const SECOND: &str = "second";

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
