//! The sentences at the top: which strategy suits which goal.
//!
//! They claim what the figures hold and no more: a best that cannot be told from others shares its place with them, a
//! figure of one round is called that, and what failed is never recommended.

use std::fmt::Write as _;

use crate::model::Comparison;

use super::judge::{Place, Standing, places};
use super::measure::{Measure, float, is_baseline};
use super::stats::{Difference, Spread};
use super::{units, words};

/// What somebody may want of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Goal {
    /// As little disk as possible.
    SmallestOnDisk,
    /// Storing as fast as possible.
    FastestToStore,
    /// Taking back as fast as possible.
    FastestToTakeBack,
    /// As little as possible more for a second version.
    SmallestAddition,
    /// As little memory as possible.
    LeastMemory,
    /// As little disk as possible for everything that the measured files were a sample of, by the forecast.
    SmallestForecast,
    /// No goal: something to know before the others are believed.
    Caution,
}

/// One sentence of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// What it is about.
    pub goal: Goal,
    /// The strategies that suit the goal, the best median first; several when they cannot be told apart. Names as they are
    /// in the comparison.
    pub strategies: Vec<String>,
    /// What suits the goal, in a few words: `sharded or pack-raw`.
    pub headline: String,
    /// The figures, as one sentence that can stand alone. Safe for a terminal; not escaped for HTML.
    pub text: String,
}

impl Goal {
    /// A heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::SmallestOnDisk => "Smallest on disk",
            Self::FastestToStore => "Fastest to store",
            Self::FastestToTakeBack => "Fastest to take back",
            Self::SmallestAddition => "Smallest addition for a second version",
            Self::LeastMemory => "Least memory",
            Self::SmallestForecast => "Smallest for everything, by the forecast",
            Self::Caution => "Before you read on",
        }
    }

    fn measure(self) -> Option<Measure> {
        match self {
            Self::SmallestOnDisk => Some(Measure::OnDisk),
            Self::FastestToStore => Some(Measure::Put),
            Self::FastestToTakeBack => Some(Measure::Get),
            Self::SmallestAddition => Some(Measure::Added),
            Self::LeastMemory => Some(Measure::Memory),
            Self::SmallestForecast | Self::Caution => None,
        }
    }
}

/// The goals, in the order of the sentences.
const GOALS: [Goal; 5] = [
    Goal::SmallestOnDisk,
    Goal::FastestToStore,
    Goal::FastestToTakeBack,
    Goal::SmallestAddition,
    Goal::LeastMemory,
];

/// Which strategy suits which goal, as far as the figures say.
pub fn summary(comparison: &Comparison) -> Vec<Sentence> {
    let mut sentences: Vec<Sentence> = cautions(comparison).collect();
    sentences.extend(GOALS.into_iter().filter_map(|goal| suits(comparison, goal)));
    sentences.extend(smallest_forecast(comparison));
    sentences
}

fn cautions(comparison: &Comparison) -> impl Iterator<Item = Sentence> {
    let compared: Vec<_> = comparison
        .strategies
        .iter()
        .filter(|one| {
            one.failed.is_none() && !is_baseline(one) && (one.stored.is_some() || !one.rounds.is_empty())
        })
        .collect();
    let stopped = comparison.interrupted.then(|| {
        "The comparison was stopped before its end; what follows is what was finished by then.".to_owned()
    });
    let alone = match compared.as_slice() {
        [] if words::is_forecast_alone(comparison) => Some(
            "Nothing was stored: this is a forecast of sizes alone, and says nothing of speed.".to_owned(),
        ),
        [] => Some("No strategy has figures, so there is nothing to compare.".to_owned()),
        [one] => Some(format!(
            "Only {} has figures, so there is nothing to compare it with.",
            words::name(&one.name)
        )),
        _ => None,
    };
    let once = (alone.is_none() && compared.iter().all(|one| one.rounds.len() == 1)).then(|| {
        "Everything was measured once: how much of a difference in speed or memory is noise cannot be told. \
         Sizes are exact."
            .to_owned()
    });
    [stopped, alone, once].into_iter().flatten().map(|text| Sentence {
        goal: Goal::Caution,
        strategies: Vec::new(),
        headline: String::new(),
        text,
    })
}

/// By the forecast; its bounds are taken as the ranges of rounds are.
fn smallest_forecast(comparison: &Comparison) -> Option<Sentence> {
    let forecast = comparison.forecast.as_ref()?;
    let out = |name: &str| {
        comparison.strategies.iter().any(|one| one.name == name && (one.failed.is_some() || is_baseline(one)))
    };
    let mut all: Vec<(&str, Spread)> = words::in_order(comparison, forecast)
        .into_iter()
        .filter(|(name, _)| !out(name))
        .map(|(name, one)| {
            let [median, low, high] = [one.bytes, one.low, one.high].map(float);
            (name, Spread { median, low, high, rounds: 2 })
        })
        .collect();
    // Stable: equal forecasts stay in the order of the comparison.
    all.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    let (&(best, spread), rest) = all.split_first()?;
    let is_level =
        |other: &Spread| spread.difference(other, Measure::OnDisk.tolerance()) != Difference::Clear;
    let level: Vec<&(&str, Spread)> = rest.iter().filter(|(_, other)| is_level(other)).collect();
    let next = rest.iter().find(|(_, other)| !is_level(other));
    let whole = float(forecast.whole.bytes);
    let (divisor, unit) = Measure::OnDisk.unit().scale([spread.low, spread.high]);
    let [low, high] = [spread.low, spread.high].map(|end| units::number(end / divisor));
    let mut text = format!(
        "{} is expected to take {} ({low} to {high} {unit}) for {} of files",
        words::name(best),
        units::size(spread.median),
        units::size(whole)
    );
    if whole > 0.0 {
        let _ = write!(text, ", {}", units::percent(spread.median / whole));
    }
    if !level.is_empty() {
        let listed = level
            .iter()
            .map(|(name, other)| format!("{} ({})", words::name(name), units::size(other.median)));
        let _ = write!(text, "; {} cannot be told from it", units::and(&few(listed.collect())));
    }
    if let Some((name, other)) = next {
        let _ = write!(text, "; next comes {} with {}", words::name(name), units::size(other.median));
    }
    text.push('.');
    let strategies: Vec<String> =
        std::iter::once(best).chain(level.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
    let names = few(strategies.iter().map(|name| words::name(name)).collect());
    Some(Sentence { goal: Goal::SmallestForecast, strategies, headline: units::or(&names), text })
}

fn suits(comparison: &Comparison, goal: Goal) -> Option<Sentence> {
    let measure = goal.measure()?;
    let places = places(comparison, measure);
    let best = places.iter().find(|place| place.standing == Standing::Best)?;
    let mut level: Vec<&Place> =
        places.iter().filter(|place| matches!(place.standing, Standing::Level(_))).collect();
    let sign = if measure.more_is_better() == Some(true) { -1.0 } else { 1.0 };
    let rank = |place: &Place| sign * place.spread.median;
    level.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    let others: Vec<&Place> = places
        .iter()
        .filter(|place| matches!(place.standing, Standing::Behind | Standing::Perhaps))
        .collect();

    let winners: Vec<usize> =
        std::iter::once(best.index).chain(level.iter().map(|place| place.index)).collect();
    let (headline, text) = if others.is_empty() {
        (nothing_between(measure).to_owned(), all_level(measure, best, &level))
    } else {
        (
            units::or(&few(words::names(comparison, winners.iter().copied()))),
            told(comparison, measure, best, &level, &others),
        )
    };
    Some(Sentence {
        goal,
        strategies: winners
            .into_iter()
            .filter_map(|index| Some(comparison.strategies.get(index)?.name.clone()))
            .collect(),
        headline,
        text,
    })
}

/// When every strategy is as good as the best.
fn all_level(measure: Measure, best: &Place, level: &[&Place]) -> String {
    let worst = level.last().map_or(best.spread.median, |place| place.spread.median);
    let (from, to) = (best.spread.median.min(worst), best.spread.median.max(worst));
    let unit = measure.unit();
    let range = if unit.show(from) == unit.show(to) {
        format!("all {} come to {}", level.len() + 1, unit.show(from))
    } else {
        format!("all {} lie between {} and {}", level.len() + 1, unit.show(from), unit.show(to))
    };
    let why = if is_noise(level) {
        ", and the rounds of each vary as much as that: there is no difference to tell."
    } else {
        ": that is as good as the same."
    };
    let mut text = format!("{}: {range}{why}", about(measure));
    capitalise(&mut text);
    text
}

fn told(
    comparison: &Comparison,
    measure: Measure,
    best: &Place,
    level: &[&Place],
    others: &[&Place],
) -> String {
    let name = |place: &Place| words::names(comparison, [place.index]).concat();
    let mut text = format!("{} {} {}", name(best), verb(measure), figure(comparison, measure, best));
    if best.spread.rounds == 1 && !measure.is_exact() {
        text.push_str(", measured once");
    }
    if !level.is_empty() {
        let listed: Vec<String> = level
            .iter()
            .map(|place| format!("{} ({})", name(place), measure.unit().show(place.spread.median)))
            .collect();
        let why = if is_noise(level) { "cannot be told from it" } else { "are as good as the same" };
        let why = if level.len() == 1 { why.replace("are ", "is ") } else { why.to_owned() };
        let _ = write!(text, "; {} {why}", units::and(&few(listed)));
    }
    let sign = if measure.more_is_better() == Some(true) { -1.0 } else { 1.0 };
    let next = others.iter().min_by(|a, b| (sign * a.spread.median).total_cmp(&(sign * b.spread.median)));
    if let Some(next) = next {
        let _ = write!(text, "; next comes {} with {}", name(next), measure.unit().show(next.spread.median));
    }
    if let Some(against) = against_copy(comparison, measure, &best.spread) {
        let _ = write!(text, ". {against}");
    }
    text.push('.');
    text
}

/// The best figure with its range, and what it is of.
fn figure(comparison: &Comparison, measure: Measure, place: &Place) -> String {
    let Spread { median, low, high, rounds } = place.spread;
    let unit = measure.unit();
    let mut text = unit.show(median);
    if measure == Measure::OnDisk {
        let stored = comparison.strategies.get(place.index).and_then(|result| result.stored.as_ref());
        if let Some(stored) = stored.filter(|stored| stored.raw > 0) {
            let raw = float(stored.raw);
            let _ = write!(text, " for {} of files ({})", units::size(raw), units::percent(median / raw));
        }
    }
    if let Some(second) = comparison.second.as_ref().filter(|_| measure == Measure::Added) {
        let _ = write!(text, " for {} of files", units::size(float(words::total(&second.sampled).bytes)));
    }
    if rounds > 1 && !measure.is_exact() {
        // In one unit, as long as both ends can be read in it.
        let (divisor, name) = unit.scale([low, high]);
        let [low, high] = [low, high].map(|end| units::number(end / divisor));
        let ends = format!("{low} to {high} {name}");
        let _ = write!(text, " ({ends} in {rounds} rounds)");
    }
    text
}

/// How the best compares with copying the files, if that was measured.
fn against_copy(comparison: &Comparison, measure: Measure, best: &Spread) -> Option<String> {
    let copy = comparison.strategies.iter().find(|result| is_baseline(result) && result.failed.is_none())?;
    let name = words::name(&copy.name);
    let other = measure.of(copy)?;
    match best.difference(&other, measure.tolerance()) {
        Difference::Untold if !measure.is_exact() => return None,
        Difference::Noise if !measure.is_exact() => {
            return Some(format!("There is no difference to tell from a plain copy ({name})"));
        }
        Difference::Negligible => return Some(format!("A plain copy ({name}) comes to the same")),
        _ => {}
    }
    let (low, high) = (best.median.min(other.median), best.median.max(other.median));
    if low <= 0.0 {
        return None;
    }
    let factor = units::times(high / low);
    let best_is_low = best.median < other.median;
    Some(match (measure, best_is_low) {
        (Measure::OnDisk | Measure::Added, true) => {
            format!("That is {} less than a plain copy ({name})", units::percent(1.0 - low / high))
        }
        (Measure::OnDisk | Measure::Added, false) => {
            format!("A plain copy ({name}) takes {} less", units::percent(1.0 - low / high))
        }
        (Measure::Memory, true) => format!("A plain copy ({name}) needs {factor} as much"),
        (Measure::Memory, false) => format!("That is {factor} as much as a plain copy ({name})"),
        (_, false) => format!("That is {factor} the speed of a plain copy ({name})"),
        (_, true) => format!("A plain copy ({name}) has {factor} that speed"),
    })
}

fn is_noise(level: &[&Place]) -> bool {
    level.iter().any(|place| place.standing == Standing::Level(Difference::Noise))
}

fn about(measure: Measure) -> &'static str {
    match measure {
        Measure::OnDisk => "the size on disk",
        Measure::Put => "the speed of storing",
        Measure::Get => "the speed of taking back",
        Measure::Added => "what a second version adds",
        _ => "memory",
    }
}

fn nothing_between(measure: Measure) -> &'static str {
    if measure.is_exact() { "all the same" } else { "no difference to tell" }
}

fn verb(measure: Measure) -> &'static str {
    match measure {
        Measure::OnDisk => "takes",
        Measure::Put => "stores",
        Measure::Get => "brings back",
        Measure::Added => "adds",
        _ => "needs",
    }
}

/// At most four of them, and how many more there are.
fn few(mut items: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 4;
    if items.len() > SHOWN {
        let more = items.len() - (SHOWN - 1);
        items.truncate(SHOWN - 1);
        items.push(format!("{more} others"));
    }
    items
}

fn capitalise(text: &mut str) {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
}
