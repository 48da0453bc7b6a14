//! What is asked for, checked, and what there is to go on with.

use std::path::{Path, PathBuf};

use stem_odb::StoreUrl;

use super::Options;
use crate::error::{Error, Result, show};
use crate::machine;
use crate::material::{Listing, walk};
use crate::model::{Comparison, Material, StrategyResult, VERSION};
use crate::progress::Progress;
use crate::resume::{self, Key};
use crate::strategy::{Strategy, plain_url};

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

pub(super) type Begun = (Listing, Option<Listing>, Key, Comparison);

/// Looks at the files, and at what there is to go on with.
pub(super) fn begin(options: &Options, place: &Path, progress: &dyn Progress) -> Result<Begun> {
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
