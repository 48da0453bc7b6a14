//! Medians and their intervals.
//!
//! Times on a shared machine have no known distribution and a long tail, so nothing here assumes one: the interval of a
//! median is read off the sorted values (order statistics), and covers the true median with at least 95 %. Rejected:
//! means (one stolen second moves them) and a bootstrap (at eleven values it is narrower than it should be).

/// A median with the interval that holds the true one with 95 % probability or more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Median {
    /// The middle value, or the mean of the two.
    pub(crate) value: f64,
    /// The lower end of the interval; the smallest value if there are too few for one.
    pub(crate) low: f64,
    /// The upper end; the largest value if there are too few.
    pub(crate) high: f64,
    /// Whether there were enough values (six) for an interval of 95 %.
    pub(crate) enough: bool,
}

/// The median of `values`, if there are any.
pub(crate) fn median(values: &[f64]) -> Option<Median> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (first, last) = (sorted.first()?, sorted.last()?);
    let half = sorted.len() / 2;
    let value =
        if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
    Some(match depth(sorted.len()) {
        Some(depth) => {
            Median { value, low: sorted[depth], high: sorted[sorted.len() - 1 - depth], enough: true }
        }
        None => Median { value, low: *first, high: *last, enough: false },
    })
}

/// How many values may be cut off at each end so that the rest covers the median with 95 %; `None` if not even all do.
fn depth(count: usize) -> Option<usize> {
    // The number of values below the true median is binomial(count, 1/2). Terms are built up one from another.
    let mut term = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut tail = term;
    let mut depth = None;
    for cut in 0..count / 2 {
        if 2.0 * tail > 0.05 {
            break;
        }
        depth = Some(cut);
        #[expect(clippy::cast_precision_loss, reason = "counts of rounds")]
        let next = term * (count - cut) as f64 / (cut + 1) as f64;
        term = next;
        tail += term;
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_is_that_of_the_tables() {
        // Order statistics of the median at 95 %, as textbooks of non-parametric statistics list them (0-based).
        for (count, expected) in [
            (1, None),
            (5, None),
            (6, Some(0)),
            (8, Some(0)),
            (9, Some(1)),
            (11, Some(1)),
            (12, Some(2)),
            (20, Some(5)),
        ] {
            assert_eq!(depth(count), expected, "{count}");
        }
    }

    #[test]
    fn medians_do_not_mind_the_order_or_one_outlier() {
        let values = [3.0, 1.0, 2.0, 900.0, 2.0, 1.5, 2.5];
        let found = median(&values).unwrap();
        assert_eq!((found.value, found.low, found.high, found.enough), (2.0, 1.0, 900.0, true));
        assert_eq!(median(&[1.0, 3.0]).unwrap(), Median { value: 2.0, low: 1.0, high: 3.0, enough: false });
        assert!(median(&[]).is_none());
    }
}
