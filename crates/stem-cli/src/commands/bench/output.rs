//! What was found, as text and as files.

use std::fmt::Write as _;
use std::path::Path;

use stem_bench::model::{Comparison, Operation, Round, StrategyResult};
use stemvault::{Dir, Publish, RelPath};

use super::parent;
use crate::failure::{Failure, Result};
use crate::human;

/// Refuses a file that cannot be written, before an hour is spent on what is to be in it.
pub(super) fn check(file: &Path) -> Result<()> {
    let dir = parent(file);
    let usable = dir.is_dir() && file.file_name().is_some() && !file.is_dir();
    if !usable {
        let message =
            format!("'{}' cannot be written: name a file in a directory that exists", human::path(file));
        return Err(Failure::user("invalid_input", message).at(file));
    }
    let dir = Dir::open(&dir).map_err(|error| Failure::io("cannot open its directory", file, &error))?;
    dir.temp_file(0o600).map(drop).map_err(|error| Failure::io("cannot write", file, &error))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::io("cannot write", file, error);
    let dir = Dir::open(&parent(file)).map_err(|error| failed(&error))?;
    let name = Path::new(file.file_name().unwrap_or_default());
    let name = RelPath::from_path(name).map_err(|error| failed(&error))?;
    dir.write_durable(&name, bytes, &dir, Publish::Replace).map_err(|error| failed(&error))
}

/// All figures.
pub(super) fn document(comparison: &Comparison) -> Result<String> {
    serde_json::to_string_pretty(comparison).map_err(|error| Failure::internal(error.to_string()))
}

/// Writes all figures.
pub(super) fn save(comparison: &Comparison, file: &Path) -> Result<()> {
    let mut text = document(comparison)?;
    text.push('\n');
    write(file, text.as_bytes())
}

/// Writes a report.
pub(super) fn html(comparison: &Comparison, file: &Path) -> Result<()> {
    let escaped = table(comparison).replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>stem bench</title>\n<pre>{escaped}</pre></html>\n"
    );
    write(file, page.as_bytes())
}

/// A line for each strategy, medians of its rounds.
pub(super) fn table(comparison: &Comparison) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    if let Some(forecast) = &comparison.forecast {
        let _ = writeln!(
            text,
            "Of {} in {}, read {}:",
            human::size(forecast.whole.bytes),
            human::count(forecast.whole.files, "file", "files"),
            human::size(forecast.read.bytes)
        );
        for strategy in &comparison.strategies {
            let Some(found) = forecast.strategies.get(&strategy.name) else { continue };
            let (bytes, low, high) =
                (human::size(found.bytes), human::size(found.low), human::size(found.high));
            let _ = writeln!(text, "{:20} {bytes:>12}   ({low} to {high})", strategy.name);
        }
        return text;
    }
    let _ = writeln!(
        text,
        "{:20} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "strategy", "stored", "put MiB/s", "get MiB/s", "put CPU s", "put memory"
    );
    for strategy in comparison.strategies.iter().filter(|strategy| !strategy.rounds.is_empty()) {
        let stored = strategy.stored.as_ref().map(|stored| human::size(stored.bytes)).unwrap_or_default();
        let speed = |operation: fn(&Round) -> Option<Operation>| {
            median(strategy, |round| operation(round).map(|done| rate(&done)))
        };
        let cpu = median(strategy, |round| round.put.map(|put| put.cpu_seconds));
        let memory = strategy.rounds.iter().filter_map(|round| Some(round.put?.peak_memory)).max();
        let _ = writeln!(
            text,
            "{:20} {stored:>12} {:>12.0} {:>12.0} {cpu:>12.2} {:>12}",
            strategy.name,
            speed(|round| round.put),
            speed(|round| round.get),
            human::size(memory.unwrap_or(0))
        );
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown")]
fn rate(done: &Operation) -> f64 {
    if done.seconds > 0.0 { done.bytes as f64 / done.seconds / f64::from(1 << 20) } else { 0.0 }
}

fn median(strategy: &StrategyResult, figure: impl Fn(&Round) -> Option<f64>) -> f64 {
    let mut figures: Vec<f64> = strategy.rounds.iter().filter_map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}
