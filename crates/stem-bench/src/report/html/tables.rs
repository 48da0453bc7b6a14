//! The tables of the page.

use std::fmt::Write as _;

use crate::model::{Comparison, StrategyResult};

use super::super::judge::{Standing, places};
use super::super::measure::{Measure, Unit, Way, float};
use super::super::stats::quantile;
use super::super::{units, words};
use super::{escape, name};

/// A table that scrolls sideways within the page, also by keyboard.
pub(super) fn table(title: &str, head: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<p class=\"swipe\">Swipe or scroll the table sideways for all of it.</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\"><table><caption><span>{title}</span></caption>\
         <thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>\n"
    )
}

/// A heading of a column, with its unit.
pub(super) fn heading(title: &str, unit: &str) -> String {
    let unit =
        if unit.is_empty() { String::new() } else { format!("<span class=\"unit\">{}</span>", escape(unit)) };
    format!("<th scope=\"col\">{}{unit}</th>", escape(title))
}

/// The heading of a strategy's row.
pub(super) fn strategy(result: &StrategyResult, about: bool) -> String {
    let mut out = format!("<th scope=\"row\">{}", name(&words::name(&result.name)));
    if result.failed.is_some() {
        out.push_str(" <span class=\"failed\">failed</span>");
    }
    if about && !result.about.is_empty() {
        let _ = write!(out, "<span class=\"about\">{}</span>", name(&units::clean(&result.about, 200)));
    }
    out.push_str("</th>");
    out
}

/// The figures of all strategies by some measures; empty when none of them was measured.
pub(super) fn figures(comparison: &Comparison, title: &str, measures: &[Measure], about: bool) -> String {
    let mut head = String::from("<th scope=\"col\">Strategy</th>");
    let mut rows = vec![String::new(); comparison.strategies.len()];
    let mut any = false;
    for &measure in measures {
        let places = places(comparison, measure);
        let largest = places.iter().map(|place| place.spread.median).fold(0.0, f64::max);
        if places.is_empty() || (largest <= 0.0 && measure.more_is_better().is_none()) {
            continue;
        }
        any = true;
        let (divisor, unit) = measure.unit().scale(places.iter().map(|place| place.spread.median));
        head.push_str(&heading(measure.heading(), &unit));
        for (index, row) in rows.iter_mut().enumerate() {
            let Some(place) = places.iter().find(|place| place.index == index) else {
                row.push_str("<td>–</td>");
                continue;
            };
            let figure = units::number(place.spread.median / divisor);
            let range = if place.spread.rounds > 1 && !measure.is_exact() {
                let [low, high] =
                    [place.spread.low, place.spread.high].map(|end| units::number(end / divisor));
                format!("<span class=\"range\">{low}–{high}</span>")
            } else {
                String::new()
            };
            let (class, mark) = match place.standing {
                Standing::Best => (" class=\"best\"", said("★", "best: ")),
                Standing::Level(_) => (" class=\"level\"", said("≈", "not to be told from the best: ")),
                _ => ("", String::new()),
            };
            let _ = write!(row, "<td{class}>{mark}{figure}{range}</td>");
        }
    }
    if !any {
        return String::new();
    }
    let body = comparison.strategies.iter().zip(rows).fold(String::new(), |mut body, (result, row)| {
        let _ = writeln!(body, "<tr>{}{row}</tr>", strategy(result, about));
        body
    });
    table(title, &head, &body)
}

/// A mark, and what a screen reader says in its place.
fn said(mark: &str, words: &str) -> String {
    format!("<span class=\"mark\" aria-hidden=\"true\">{mark}</span><span class=\"hidden\">{words}</span>")
}

/// What the measures that were taken mean.
pub(super) fn meanings(comparison: &Comparison, measures: &[Measure]) -> String {
    let mut out = String::from("<dl>");
    for measure in measures.iter().filter(|&&measure| !places(comparison, measure).is_empty()) {
        let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", escape(measure.heading()), escape(measure.meaning()));
    }
    out.push_str("</dl>\n");
    out
}

/// How fast the files of each class were stored, or taken back.
pub(super) fn class_speeds(comparison: &Comparison, way: Way) -> String {
    let mut head = String::from("<th scope=\"col\">Strategy</th>");
    let mut rows = vec![String::new(); comparison.strategies.len()];
    let mut any = false;
    for class in words::CLASSES {
        let speeds: Vec<_> = comparison.strategies.iter().map(|result| way.speed(result, class)).collect();
        if speeds.iter().all(Option::is_none) {
            continue;
        }
        any = true;
        let (divisor, unit) = Unit::Speed.scale(speeds.iter().flatten().map(|speed| speed.median));
        head.push_str(&heading(words::class(class), &unit));
        for (row, speed) in rows.iter_mut().zip(speeds) {
            let show = |value: f64| units::number(value / divisor);
            match speed {
                None => row.push_str("<td>–</td>"),
                Some(speed) => {
                    let _ = write!(
                        row,
                        "<td>{}<span class=\"range\">{}–{}</span></td>",
                        show(speed.median),
                        show(speed.low),
                        show(speed.high)
                    );
                }
            }
        }
    }
    if !any {
        return String::new();
    }
    let body = comparison.strategies.iter().zip(rows).fold(String::new(), |mut body, (result, row)| {
        let _ = writeln!(body, "<tr>{}{row}</tr>", strategy(result, false));
        body
    });
    table(way.title(), &head, &body)
}

/// The stored size of each class.
pub(super) fn classes(comparison: &Comparison) -> String {
    let stored = |result: &StrategyResult, class| {
        result
            .stored
            .as_ref()
            .and_then(|stored| stored.classes.get(&class).copied())
            .filter(|one| one.raw > 0)
    };
    let present: Vec<_> = words::CLASSES
        .into_iter()
        .filter(|&class| comparison.strategies.iter().any(|result| stored(result, class).is_some()))
        .collect();
    if present.is_empty() {
        return String::new();
    }
    let head = present.iter().fold(String::from("<th scope=\"col\">Strategy</th>"), |mut head, &class| {
        head.push_str(&heading(words::class(class), ""));
        head
    });
    let mut body = String::new();
    for result in comparison.strategies.iter().filter(|result| result.stored.is_some()) {
        let _ = write!(body, "<tr>{}", strategy(result, false));
        for &class in &present {
            let cell = stored(result, class).map_or_else(
                || "–".to_owned(),
                |one| {
                    format!(
                        "{}<span class=\"range\">{}</span>",
                        units::percent(float(one.stored) / float(one.raw)),
                        escape(&units::size(float(one.stored)))
                    )
                },
            );
            let _ = write!(body, "<td>{cell}</td>");
        }
        body.push_str("</tr>\n");
    }
    table("Size in the store by kind of file, as a share of the files", &head, &body)
}

/// Every read of all rounds, sorted: seconds.
pub(super) fn reads(result: &StrategyResult) -> Vec<f64> {
    let mut all: Vec<f64> = result
        .rounds
        .iter()
        .filter_map(|round| round.ranges.as_ref())
        .flat_map(|ranges| &ranges.micros)
        .map(|micros| micros / 1e6)
        .filter(|time| time.is_finite() && *time >= 0.0)
        .collect();
    all.sort_by(f64::total_cmp);
    all
}

/// Quantiles of the short reads.
pub(super) fn latencies(reads: &[(&StrategyResult, Vec<f64>)]) -> String {
    let mut head = String::from("<th scope=\"col\">Strategy</th>");
    for (title, unit) in [
        ("reads", ""),
        ("fastest", ""),
        ("half within", "p50"),
        ("9 of 10", "p90"),
        ("99 of 100", "p99"),
        ("slowest", ""),
    ] {
        head.push_str(&heading(title, unit));
    }
    let mut body = String::new();
    for (result, times) in reads {
        let _ = write!(body, "<tr>{}<td>{}</td>", strategy(result, false), units::digits(times.len()));
        for q in [0.0, 0.5, 0.9, 0.99, 1.0] {
            let _ = write!(
                body,
                "<td>{}</td>",
                quantile(times, q).map_or_else(|| "–".to_owned(), units::seconds)
            );
        }
        body.push_str("</tr>\n");
    }
    table("Time of one short read, all rounds together", &head, &body)
}

/// The forecast in figures.
pub(super) fn forecast(comparison: &Comparison) -> String {
    let Some(forecast) = &comparison.forecast else { return String::new() };
    let whole = float(forecast.whole.bytes).max(1.0);
    let head = ["Strategy", "expected", "at least", "at most", "of the files"]
        .into_iter()
        .fold(String::new(), |head, title| head + &heading(title, ""));
    let body =
        words::in_order(comparison, forecast).into_iter().fold(String::new(), |mut body, (strategy, one)| {
            let [bytes, low, high] = [one.bytes, one.low, one.high].map(|bytes| units::size(float(bytes)));
            let _ = writeln!(
                body,
                "<tr><th scope=\"row\">{}</th><td>{bytes}</td><td>{low}</td><td>{high}</td><td>{}</td></tr>",
                name(&words::name(strategy)),
                units::percent(float(one.bytes) / whole)
            );
            body
        });
    table("Expected size on disk of everything; 19 times of 20 it lies within the bounds", &head, &body)
}

/// What was found and what was taken of it.
pub(super) fn material(comparison: &Comparison) -> String {
    let material = &comparison.material;
    let head = ["Kind of file", "files found", "size found", "files measured", "size measured"]
        .into_iter()
        .fold(String::new(), |head, title| head + &heading(title, ""));
    let mut body = String::new();
    for class in words::CLASSES {
        let found = material.found.get(&class).copied().unwrap_or_default();
        let taken = material.sampled.get(&class).copied().unwrap_or_default();
        if found.files == 0 && taken.files == 0 {
            continue;
        }
        let _ = writeln!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            words::class(class),
            units::digits(found.files),
            units::size(float(found.bytes)),
            units::digits(taken.files),
            units::size(float(taken.bytes)),
        );
    }
    if body.is_empty() { body } else { table("The files that were measured", &head, &body) }
}
