//! The saved form, `docs/format/bench.md`: read with bounds, written so that it can be read.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use serde::Deserialize;

use super::strict;
use crate::model::{
    Amount, Class, ClassTime, Comparison, Forecast, Material, Operation, Round, StrategyResult, VERSION,
};

/// Bytes of a file.
const MAX_FILE: usize = 256 << 20;
const MAX_DEPTH: u32 = 32;
const MAX_STRATEGIES: usize = 256;
const MAX_ROUNDS: usize = 1000;
const MAX_RANGES: usize = 1_000_000;
const MAX_DIRECTORIES: usize = 4096;
const MAX_NOTES: usize = 10_000;
const MAX_NAME: usize = 120;
const MAX_TEXT: usize = 16 << 10;
const MAX_SECONDS: f64 = 1e9;
const MAX_MICROS: f64 = 1e15;
const MAX_COUNT: u64 = 1 << 60;

/// Why a saved comparison was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is larger than any comparison.
    #[error("a saved comparison has at most {MAX_FILE} bytes, this one has {0}: it is something else")]
    TooLarge(usize),
    /// It is no JSON, or not of this form.
    #[error("this is no comparison that `stem bench --save` wrote: {}", super::units::clean(&.0.to_string(), 300))]
    Malformed(#[source] serde_json::Error),
    /// Another version wrote it.
    #[error(
        "the saved comparison has version {0}, and this program reads versions 1 to {VERSION}: use a newer stem"
    )]
    Version(u64),
    /// It says what cannot be.
    #[error("the saved comparison is damaged: {}", super::units::clean(.0, 300))]
    Invalid(String),
}

/// Reads a saved comparison.
///
/// # Errors
///
/// [`LoadError`] for bytes that are not a comparison of a known version, or that break a limit of `docs/format/bench.md`.
pub fn load(bytes: &[u8]) -> Result<Comparison, LoadError> {
    /// All that must be there whatever the version.
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }

    if bytes.len() > MAX_FILE {
        return Err(LoadError::TooLarge(bytes.len()));
    }
    strict::check(bytes, MAX_DEPTH).map_err(LoadError::Malformed)?;
    let Versioned { version } = serde_json::from_slice(bytes).map_err(LoadError::Malformed)?;
    if version == 0 || version > u64::from(VERSION) {
        return Err(LoadError::Version(version));
    }
    let mut comparison: Comparison = serde_json::from_slice(bytes).map_err(LoadError::Malformed)?;
    let newer = |round: &Round| !round.put_classes.is_empty() || !round.get_classes.is_empty();
    if version == 1 && comparison.strategies.iter().flat_map(|result| &result.rounds).any(newer) {
        return Err(LoadError::Invalid(
            "it has keys of version 2 and says that it is of version 1".to_owned(),
        ));
    }
    comparison.version = VERSION;
    check(&comparison).map_err(LoadError::Invalid)?;
    Ok(comparison)
}

/// Writes a comparison, with a line feed at its end.
///
/// # Errors
///
/// Those of `to`; `InvalidInput` for what [`load`] would refuse, of which nothing is written then.
pub fn save(comparison: &Comparison, to: &mut dyn Write) -> io::Result<()> {
    let refuse = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    if comparison.version != VERSION {
        return Err(refuse(format!("only version {VERSION} is written, not {}", comparison.version)));
    }
    check(comparison).map_err(refuse)?;
    let mut bytes = serde_json::to_vec(comparison)?;
    bytes.push(b'\n');
    if bytes.len() > MAX_FILE {
        return Err(refuse(format!(
            "the comparison takes {} bytes, at most {MAX_FILE} are written",
            bytes.len()
        )));
    }
    to.write_all(&bytes)
}

/// A limit that is broken, for people.
type Checked = Result<(), String>;

fn check(comparison: &Comparison) -> Checked {
    for (what, value) in [("tool", &comparison.tool), ("started", &comparison.started)] {
        text(what, value)?;
    }
    time("seconds", comparison.seconds, MAX_SECONDS)?;
    let machine = &comparison.machine;
    for value in [&machine.processor, &machine.system, &machine.file_system] {
        text("machine", value)?;
    }
    count("machine.memory", machine.memory)?;
    material("material", &comparison.material)?;
    if let Some(second) = &comparison.second {
        material("second", second)?;
    }
    many("strategies", comparison.strategies.len(), MAX_STRATEGIES)?;
    let mut names = HashSet::new();
    for result in &comparison.strategies {
        strategy(result)?;
        if !names.insert(&result.name) {
            return Err(format!("two strategies are called {:?}", result.name));
        }
    }
    if let Some(forecast) = &comparison.forecast {
        self::forecast(forecast)?;
    }
    many("notes", comparison.notes.len(), MAX_NOTES)?;
    for note in &comparison.notes {
        text("notes.kind", &note.kind)?;
        text("notes.text", &note.text)?;
    }
    Ok(())
}

fn material(what: &str, material: &Material) -> Checked {
    many(what, material.directories.len(), MAX_DIRECTORIES)?;
    material.directories.iter().try_for_each(|directory| text(what, directory))?;
    let amounts = |amounts: &BTreeMap<Class, Amount>| amounts.values().try_for_each(|one| amount(what, one));
    amounts(&material.found)?;
    amounts(&material.sampled)
}

fn strategy(result: &StrategyResult) -> Checked {
    name("strategies.name", &result.name)?;
    let what = &result.name;
    text(what, &result.about)?;
    text(what, &result.url)?;
    result.failed.iter().try_for_each(|why| text(what, why))?;
    many(what, result.rounds.len(), MAX_ROUNDS)?;
    result.rounds.iter().try_for_each(|one| round(what, one))?;
    let Some(stored) = &result.stored else { return Ok(()) };
    let sizes = [
        stored.raw,
        stored.unique,
        stored.bytes,
        stored.blocks,
        stored.files,
        stored.saved_by_dedup,
        stored.saved_by_codec,
    ];
    let rest = [stored.added_by_second, stored.after_reclaim].into_iter().flatten();
    let classes = stored.classes.values().flat_map(|class| [class.raw, class.stored]);
    sizes.into_iter().chain(rest).chain(classes).try_for_each(|value| count(what, value))
}

fn round(what: &str, round: &Round) -> Checked {
    let operations = [&round.put, &round.get, &round.stat, &round.list, &round.put_second, &round.reclaim];
    for &Operation { seconds, cpu_seconds, bytes, objects, peak_memory } in operations.into_iter().flatten() {
        time(what, seconds, MAX_SECONDS)?;
        time(what, cpu_seconds, MAX_SECONDS)?;
        [bytes, objects, peak_memory].into_iter().try_for_each(|value| count(what, value))?;
    }
    for &ClassTime { files, bytes, thread_seconds } in
        round.put_classes.values().chain(round.get_classes.values())
    {
        time(what, thread_seconds, MAX_SECONDS)?;
        [files, bytes].into_iter().try_for_each(|value| count(what, value))?;
    }
    if let Some(ranges) = &round.ranges {
        count(what, ranges.bytes)?;
        many(what, ranges.micros.len(), MAX_RANGES)?;
        ranges.micros.iter().try_for_each(|&micros| time(what, micros, MAX_MICROS))?;
        if !ranges.micros.is_sorted() {
            return Err(format!("{what}: the times of range reads are not in ascending order"));
        }
    }
    Ok(())
}

fn forecast(forecast: &Forecast) -> Checked {
    amount("forecast", &forecast.whole)?;
    amount("forecast", &forecast.read)?;
    many("forecast", forecast.strategies.len(), MAX_STRATEGIES)?;
    for (strategy, prediction) in &forecast.strategies {
        name("forecast.strategies", strategy)?;
        count(strategy, prediction.high)?;
        if prediction.low > prediction.bytes || prediction.bytes > prediction.high {
            return Err(format!("the forecast for {strategy:?} lies outside of its own bounds"));
        }
    }
    Ok(())
}

fn amount(what: &str, amount: &Amount) -> Checked {
    count(what, amount.files)?;
    count(what, amount.bytes)
}

fn name(what: &str, name: &str) -> Checked {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(format!("{what}: a name has 1 to {MAX_NAME} bytes, this one has {}", name.len()));
    }
    Ok(())
}

fn text(what: &str, text: &str) -> Checked {
    many(what, text.len(), MAX_TEXT)
}

fn many(what: &str, number: usize, most: usize) -> Checked {
    if number > most {
        return Err(format!("{what}: {number} where at most {most} are taken"));
    }
    Ok(())
}

fn count(what: &str, value: u64) -> Checked {
    if value > MAX_COUNT {
        return Err(format!("{what}: {value} is larger than anything that can be stored"));
    }
    Ok(())
}

fn time(what: &str, value: f64, most: f64) -> Checked {
    // Neither holds for what is no number.
    if !(0.0..=most).contains(&value) {
        return Err(format!("{what}: {value} is no time that can have been measured"));
    }
    Ok(())
}
