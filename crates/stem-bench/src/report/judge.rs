//! Which strategy is best by a figure, and which others cannot be told from it.

use crate::model::Comparison;

use super::measure::{Measure, is_baseline};
use super::stats::{Difference, Spread};

/// Where a strategy stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The best median.
    Best,
    /// Not to be told from the best, or as good.
    Level(Difference),
    /// Behind the best.
    Behind,
    /// Behind the best in a single round, or a single round of the best.
    Perhaps,
    /// Not judged: the baseline, a strategy that failed, or the only one with the figure.
    Apart,
}

/// One strategy's place by one figure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its index in the comparison.
    pub(super) index: usize,
    pub(super) spread: Spread,
    pub(super) standing: Standing,
}

/// Every strategy that has the figure, in the order of the comparison.
pub(super) fn places(comparison: &Comparison, measure: Measure) -> Vec<Place> {
    let mut places: Vec<Place> = comparison
        .strategies
        .iter()
        .enumerate()
        .filter_map(|(index, result)| {
            Some(Place { index, spread: measure.of(result)?, standing: Standing::Apart })
        })
        .collect();
    let Some(more) = measure.more_is_better() else { return places };
    let judged = |place: &&Place| {
        comparison
            .strategies
            .get(place.index)
            .is_some_and(|result| result.failed.is_none() && !is_baseline(result))
    };
    let rank = |place: &&Place| if more { -place.spread.median } else { place.spread.median };
    let candidates = || places.iter().filter(judged);
    let Some(best) = candidates().min_by(|a, b| rank(a).total_cmp(&rank(b))).copied() else { return places };
    if candidates().count() < 2 {
        return places;
    }
    let indices: Vec<usize> = candidates().map(|place| place.index).collect();
    for place in places.iter_mut().filter(|place| indices.contains(&place.index)) {
        place.standing = if place.index == best.index {
            Standing::Best
        } else {
            standing(measure, &best.spread, &place.spread)
        };
    }
    places
}

fn standing(measure: Measure, best: &Spread, other: &Spread) -> Standing {
    match best.difference(other, measure.tolerance()) {
        // Sizes do not move: one figure of them is as good as many.
        Difference::Untold | Difference::Noise if measure.is_exact() => Standing::Behind,
        Difference::Clear => Standing::Behind,
        Difference::Untold => Standing::Perhaps,
        level => Standing::Level(level),
    }
}
