//! Medians, quantiles, ranges, and whether two of them differ.
//!
//! Order statistics alone: times of storage are skewed and have outliers, and a mean with a standard deviation would say
//! of five rounds more than they know. The range is a confidence interval of the median that assumes no distribution;
//! with fewer than six rounds there is none of 95 %, and the range is from the lowest to the highest round. The rules are
//! those of `docs/format/bench.md`.

/// The confidence that a range should have where the number of rounds permits.
const CONFIDENCE: f64 = 0.95;

/// What the rounds of one figure say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The figure in the middle.
    pub median: f64,
    /// The lower end of the range.
    pub low: f64,
    /// The upper end of the range.
    pub high: f64,
    /// How many rounds.
    pub rounds: usize,
}

/// Whether two figures differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// They do.
    Clear,
    /// Their ranges overlap.
    Noise,
    /// They are so close that it does not matter.
    Negligible,
    /// One of them was measured once: the figures are apart, but nobody knows how far they move by themselves.
    Untold,
}

impl Spread {
    /// Of figures in any order; what is no finite number is left out. `None` without figures.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let edge = edge(sorted.len());
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            low: *sorted.get(edge)?,
            high: *sorted.get(sorted.len().checked_sub(edge + 1)?)?,
            rounds: sorted.len(),
        })
    }

    /// Whether this and another figure differ, when medians that are `tolerance` (a share) apart or less do not matter.
    pub fn difference(&self, other: &Self, tolerance: f64) -> Difference {
        let larger = self.median.abs().max(other.median.abs());
        if (self.median - other.median).abs() <= tolerance * larger {
            Difference::Negligible
        } else if self.rounds < 2 || other.rounds < 2 {
            Difference::Untold
        } else if self.low <= other.high && other.low <= self.high {
            Difference::Noise
        } else {
            Difference::Clear
        }
    }
}

/// The quantile `q` (0 to 1) of sorted figures, between two of them in proportion. `None` without figures.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a position in a vector, clamped to it; 2^52 figures do not fit into memory"
)]
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = (place.floor() as usize).min(last);
    let (from, to) = (sorted.get(below)?, sorted.get((below + 1).min(last))?);
    let part = place - place.floor();
    // Not `from + part * (to - from)`, which overflows for figures that are far apart.
    Some(if part == 0.0 { *from } else { from * (1.0 - part) + to * part })
}

/// How many figures at each end lie outside of the range: as many as leave [`CONFIDENCE`] that the median is inside. The
/// number of rounds below the true median is binomial with ½.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of rounds; the result is at most half of one"
)]
fn edge(rounds: usize) -> usize {
    // Beyond it 2^-rounds is no longer a number; the normal distribution is exact enough long before.
    if rounds > 1000 {
        return ((rounds as f64 / 2.0) - 0.98 * (rounds as f64).sqrt()).floor() as usize;
    }
    let mut term = 0.5_f64.powi(i32::try_from(rounds).unwrap_or(i32::MAX));
    let (mut outside, mut edge) = (2.0 * term, 0);
    while edge < rounds / 2 {
        term *= (rounds - edge) as f64 / (edge + 1) as f64;
        if outside + 2.0 * term > 1.0 - CONFIDENCE {
            break;
        }
        outside += 2.0 * term;
        edge += 1;
    }
    edge
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), Some(2.5));
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), Some(99.0));
        assert_eq!(quantile(&hundred, 2.0), Some(100.0));
        assert_eq!(quantile(&[-f64::MAX, f64::MAX], 0.5), Some(0.0));
    }

    #[test]
    fn few_rounds_range_from_the_lowest_to_the_highest() {
        let five = spread(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((five.low, five.median, five.high, five.rounds), (1.0, 3.0, 5.0, 5));
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, f64::INFINITY]), None);
        assert_eq!(spread(&[f64::NAN, 2.0]).rounds, 1);
    }

    /// The table of order statistics for the median that textbooks print: ranks of the 95 % interval.
    #[test]
    fn many_rounds_leave_outliers_outside() {
        for (rounds, outside) in [
            (1, 0),
            (5, 0),
            (6, 0),
            (8, 0),
            (9, 1),
            (11, 1),
            (12, 2),
            (15, 3),
            (20, 5),
            (25, 7),
            (30, 9),
            (50, 17),
        ] {
            assert_eq!(edge(rounds), outside, "{rounds} rounds");
        }
        assert_eq!(edge(1000), 468);
        assert_eq!(edge(1002), 469);
        for rounds in 1..3000 {
            assert!(edge(rounds) * 2 < rounds);
        }
    }

    #[test]
    fn differences() {
        let (slow, fast) = (spread(&[1.0, 1.1, 0.9]), spread(&[2.0, 2.1, 1.9]));
        assert_eq!(slow.difference(&fast, 0.02), Difference::Clear);
        assert_eq!(fast.difference(&slow, 0.02), Difference::Clear);
        assert_eq!(spread(&[1.0, 1.95, 0.9]).difference(&fast, 0.02), Difference::Noise);
        assert_eq!(spread(&[1.0]).difference(&fast, 0.02), Difference::Untold);
        assert_eq!(spread(&[100.0]).difference(&spread(&[101.0]), 0.02), Difference::Negligible);
        assert_eq!(
            spread(&[100.0, 100.0]).difference(&spread(&[101.0, 101.0]), 0.02),
            Difference::Negligible
        );
        assert_eq!(spread(&[0.0]).difference(&spread(&[0.0]), 0.0), Difference::Negligible);
        // Ranges that touch overlap.
        assert_eq!(spread(&[1.0, 3.0]).difference(&spread(&[3.0, 6.0]), 0.02), Difference::Noise);
    }
}
