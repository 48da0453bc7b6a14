//! What was measured, in words.

use std::collections::BTreeMap;

use crate::model::{Amount, Class, Comparison, Forecast, Material, Prediction};

use super::measure::float;
use super::units;

/// How much of a strategy's name is shown.
const NAME_WIDTH: usize = 40;
/// How much of any other text is shown.
const TEXT_WIDTH: usize = 2000;

/// Every class, in the order in which it is shown.
pub(super) const CLASSES: [Class; 7] = [
    Class::IntegerWav,
    Class::FloatWav,
    Class::Aiff,
    Class::CompressedAudio,
    Class::Midi,
    Class::Project,
    Class::Other,
];

/// The name of a class, for people.
pub(super) fn class(class: Class) -> &'static str {
    match class {
        Class::IntegerWav => "WAV",
        Class::FloatWav => "float WAV",
        Class::Aiff => "AIFF",
        Class::CompressedAudio => "FLAC/MP3/OGG",
        Class::Midi => "MIDI",
        Class::Project => "projects",
        Class::Other => "other",
    }
}

/// A strategy's name as it is shown.
pub(super) fn name(name: &str) -> String {
    units::clean(name, NAME_WIDTH)
}

/// The names of the strategies at `indices`.
pub(super) fn names(comparison: &Comparison, indices: impl IntoIterator<Item = usize>) -> Vec<String> {
    indices.into_iter().filter_map(|index| Some(name(&comparison.strategies.get(index)?.name))).collect()
}

/// The sum of all classes.
pub(super) fn total(amounts: &BTreeMap<Class, Amount>) -> Amount {
    amounts.values().fold(Amount::default(), |sum, one| Amount {
        files: sum.files.saturating_add(one.files),
        bytes: sum.bytes.saturating_add(one.bytes),
    })
}

/// `2.00 GiB in 412 files`.
pub(super) fn amount(amount: Amount) -> String {
    format!("{} in {}", units::size(float(amount.bytes)), units::count(amount.files, "file", "files"))
}

/// How much of the material was measured: `all of 2.00 GiB in 412 files`, `2.00 GiB in 412 files, sampled from …`.
pub(super) fn sampled(material: &Material) -> String {
    let (found, taken) = (total(&material.found), total(&material.sampled));
    if material.sampled.is_empty() {
        format!("{} found, nothing stored", amount(found))
    } else if material.found == material.sampled {
        format!("all of {}", amount(taken))
    } else {
        format!("{}, sampled by kind of file from {}", amount(taken), amount(found))
    }
}

/// Whether nothing was stored and there is nothing but a forecast.
pub(super) fn is_forecast_alone(comparison: &Comparison) -> bool {
    comparison.forecast.as_ref().is_some_and(|forecast| !forecast.strategies.is_empty())
        && comparison.strategies.iter().all(|one| one.rounds.is_empty() && one.stored.is_none())
}

/// The directories, shortened.
pub(super) fn directories(material: &Material) -> String {
    const SHOWN: usize = 6;
    let mut shown: Vec<String> =
        material.directories.iter().take(SHOWN).map(|directory| units::clean(directory, 200)).collect();
    if let Some(more) = material.directories.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        shown.push(format!("{more} more"));
    }
    units::and(&shown)
}

/// `WAV 1.20 GiB (60 %), MIDI …`: what was measured, the most first.
pub(super) fn classes(material: &Material) -> String {
    let whole = float(total(&material.sampled).bytes).max(1.0);
    let mut classes: Vec<(&Class, &Amount)> =
        material.sampled.iter().filter(|(_, amount)| amount.files > 0).collect();
    classes.sort_by_key(|(_, amount)| std::cmp::Reverse(amount.bytes));
    let parts: Vec<String> = classes
        .into_iter()
        .map(|(&kind, amount)| {
            format!(
                "{} {} ({})",
                class(kind),
                units::size(float(amount.bytes)),
                units::percent(float(amount.bytes) / whole)
            )
        })
        .collect();
    parts.join(", ")
}

/// The day and minute of an RFC 3339 time: `2026-11-22 17:20 UTC`; anything else as it is.
pub(super) fn minute(time: &str) -> String {
    let shown = units::clean(time, 40);
    match (
        shown.get(..10),
        shown.get(10..11),
        shown.get(11..16),
        shown.ends_with('Z') || shown.ends_with("+00:00"),
    ) {
        (Some(day), Some("T" | "t" | " "), Some(minute), true) => format!("{day} {minute} UTC"),
        _ => shown,
    }
}

/// The machine in a line.
pub(super) fn machine(comparison: &Comparison) -> String {
    let machine = &comparison.machine;
    let mut parts = Vec::new();
    let mut text = |text: &str| {
        if !text.is_empty() {
            parts.push(units::clean(text, 200));
        }
    };
    text(&machine.processor);
    if machine.cores > 0 {
        text(&units::count(u64::from(machine.cores), "core", "cores"));
    }
    if machine.memory > 0 {
        text(&format!("{} of memory", units::size(float(machine.memory))));
    }
    text(&machine.system);
    text(&machine.file_system);
    if parts.is_empty() { "not known".to_owned() } else { parts.join(", ") }
}

/// How many rounds, of how many, over all strategies: `5 rounds`, `3 of 5 rounds`, `3 to 5 of 5 rounds`; or that there are
/// none because it is a forecast.
pub(super) fn rounds(comparison: &Comparison) -> String {
    let finished =
        || comparison.strategies.iter().filter(|one| one.failed.is_none()).map(|one| one.rounds.len());
    let asked = usize::try_from(comparison.rounds).unwrap_or(usize::MAX);
    if asked == 0 {
        return "a forecast".to_owned();
    }
    let (low, high) = (finished().min().unwrap_or(0), finished().max().unwrap_or(0));
    let word = if asked == 1 { "round" } else { "rounds" };
    if low == asked && high == asked {
        format!("{asked} {word}")
    } else if low == high {
        format!("{low} of {asked} {word}")
    } else {
        format!("{low} to {high} of {asked} {word}")
    }
}

/// The notes as they are shown, and why strategies failed.
pub(super) fn notes(comparison: &Comparison) -> Vec<(String, String)> {
    comparison
        .notes
        .iter()
        .map(|note| (units::clean(&note.kind, 30), units::clean(&note.text, TEXT_WIDTH)))
        .collect()
}

/// The strategies that failed, and why.
pub(super) fn failures(comparison: &Comparison) -> Vec<(String, String)> {
    comparison
        .strategies
        .iter()
        .filter_map(|result| Some((name(&result.name), units::clean(result.failed.as_ref()?, TEXT_WIDTH))))
        .collect()
}

/// The strategies of a forecast in the order of the comparison; those that it does not know last.
pub(super) fn in_order<'a>(
    comparison: &Comparison,
    forecast: &'a Forecast,
) -> Vec<(&'a str, &'a Prediction)> {
    let place = |name: &str| {
        comparison
            .strategies
            .iter()
            .position(|result| result.name == name)
            .unwrap_or(comparison.strategies.len())
    };
    let mut all: Vec<_> = forecast.strategies.iter().map(|(name, one)| (name.as_str(), one)).collect();
    all.sort_by_key(|(name, _)| place(name));
    all
}
