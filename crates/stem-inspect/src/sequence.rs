//! Which parts of two sequences are the same: lines of a text, elements of an array, children of an element.
//!
//! Elements that occur once in each are anchors; between anchors Myers' algorithm finds the rest, as long as its work is
//! bounded. That work grows with the square of what differs, so what is too long is reported as different as a whole. A
//! deadline, which the library offers, was rejected: the same files would differ in one way today and in another tomorrow.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::ops::Range;

use similar::algorithms::{DiffHook, myers};

/// Steps that may still be taken; shared by all comparisons of two files.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u64,
    /// Whether something was reported as different because the steps did not suffice.
    pub(crate) spent: bool,
}

impl Budget {
    /// What two files may cost: less than a second.
    pub(crate) fn new() -> Self {
        Self { left: 1 << 28, spent: false }
    }

    fn take(&mut self, steps: u64) -> bool {
        let enough = steps <= self.left;
        if enough {
            self.left -= steps;
        } else {
            self.spent = true;
        }
        enough
    }
}

/// A part in which two sequences differ; one of the ranges may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) before: Range<usize>,
    pub(crate) after: Range<usize>,
}

/// The parts in which two sequences differ, in order, with something that is the same between each two.
pub(crate) fn regions(before: &[u64], after: &[u64], budget: &mut Budget) -> Vec<Region> {
    let whole = Region { before: 0..before.len(), after: 0..after.len() };
    let mut runs = Runs::default();
    let inner = trim(before, after, whole, &mut runs);
    let mut gap = inner.clone();
    for (a, b) in anchors(before, after, &inner) {
        gap.before.end = a;
        gap.after.end = b;
        fill(before, after, gap, &mut runs, budget);
        runs.push(a, b, 1);
        gap = Region { before: a + 1..a + 1, after: b + 1..b + 1 };
    }
    gap.before.end = inner.before.end;
    gap.after.end = inner.after.end;
    fill(before, after, gap, &mut runs, budget);
    runs.between(before.len(), after.len())
}

/// Looks between two anchors.
fn fill(before: &[u64], after: &[u64], gap: Region, runs: &mut Runs, budget: &mut Budget) {
    let gap = trim(before, after, gap, runs);
    let length = (gap.before.len() + gap.after.len()) as u64;
    if gap.before.is_empty() || gap.after.is_empty() || !budget.take(length.saturating_mul(length)) {
        return;
    }
    match myers::diff(runs, before, gap.before, after, gap.after) {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// What is left of a part when what is the same at its beginning and at its end is taken away.
fn trim(before: &[u64], after: &[u64], part: Region, runs: &mut Runs) -> Region {
    let Region { before: mut a, after: mut b } = part;
    let same = |(x, y): &(&u64, &u64)| x == y;
    let (left, right) = (&before[a.clone()], &after[b.clone()]);
    let lead = left.iter().zip(right).take_while(same).count();
    runs.push(a.start, b.start, lead);
    a.start += lead;
    b.start += lead;
    let tail = left[lead..].iter().rev().zip(right[lead..].iter().rev()).take_while(same).count();
    a.end -= tail;
    b.end -= tail;
    runs.push(a.end, b.end, tail);
    Region { before: a, after: b }
}

/// The longest series of elements that occur once in each part, in order in both.
fn anchors(before: &[u64], after: &[u64], part: &Region) -> Vec<(usize, usize)> {
    // Where each value is in each, and which occur more than once.
    let mut places: HashMap<u64, [Option<usize>; 2]> = HashMap::with_capacity(part.before.len().min(1 << 20));
    let mut twice: HashSet<u64> = HashSet::new();
    for (side, (values, range)) in [(before, &part.before), (after, &part.after)].into_iter().enumerate() {
        for number in range.clone() {
            let place = &mut places.entry(values[number]).or_default()[side];
            if place.is_some() {
                twice.insert(values[number]);
            }
            *place = Some(number);
        }
    }
    let once = places.iter().filter(|(value, _)| !twice.contains(value));
    let mut pairs: Vec<(usize, usize)> = once.filter_map(|(_, [a, b])| Some(((*a)?, (*b)?))).collect();
    pairs.sort_unstable();
    increasing(&pairs)
}

/// The longest part of the pairs whose second numbers rise, too.
pub(crate) fn increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length the pair that ends the best series of that length, and for each pair the one before it.
    let (mut ends, mut previous) = (Vec::<usize>::new(), Vec::with_capacity(pairs.len()));
    for (number, &(_, second)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].1 < second);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut chosen = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(number) = next {
        chosen.push(pairs[number]);
        next = previous[number];
    }
    chosen.reverse();
    chosen
}

/// Runs of equal elements: where they begin in each, and how many.
#[derive(Debug, Default)]
struct Runs(Vec<(usize, usize, usize)>);

impl Runs {
    fn push(&mut self, before: usize, after: usize, count: usize) {
        if count > 0 {
            self.0.push((before, after, count));
        }
    }

    /// The parts between the runs.
    fn between(mut self, before: usize, after: usize) -> Vec<Region> {
        self.0.sort_unstable();
        self.0.push((before, after, 0));
        let (mut a, mut b, mut parts) = (0, 0, Vec::new());
        for (next_a, next_b, count) in self.0 {
            if next_a > a || next_b > b {
                parts.push(Region { before: a..next_a, after: b..next_b });
            }
            (a, b) = (next_a + count, next_b + count);
        }
        parts
    }
}

impl DiffHook for Runs {
    type Error = Infallible;

    fn equal(&mut self, before: usize, after: usize, count: usize) -> Result<(), Infallible> {
        self.push(before, after, count);
        Ok(())
    }
}

/// A member of a sequence whose members have insides of their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    /// Equal where all of it is.
    pub(crate) content: u64,
    /// Equal where it is the same member, perhaps with other content.
    pub(crate) label: u64,
}

/// What became of the members of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    /// The same member with other content: its places before and after.
    Both(usize, usize),
    /// It is gone: its place before.
    Removed(usize),
    /// It is new: its place after.
    Added(usize),
}

/// The members that differ, in order.
pub(crate) fn pairs(before: &[Item], after: &[Item], budget: &mut Budget) -> Vec<Pair> {
    let contents = |items: &[Item]| items.iter().map(|item| item.content).collect::<Vec<_>>();
    let labels = |items: &[Item]| items.iter().map(|item| item.label).collect::<Vec<_>>();
    let mut pairs = Vec::new();
    for part in regions(&contents(before), &contents(after), budget) {
        let (left, right) = (&before[part.before.clone()], &after[part.after.clone()]);
        let (mut a, mut b) = (part.before.start, part.after.start);
        let mut inner = regions(&labels(left), &labels(right), budget);
        // What follows the last region has the same labels.
        inner.push(Region { before: left.len()..left.len(), after: right.len()..right.len() });
        for region in inner {
            let (to_a, to_b) =
                (part.before.start + region.before.start, part.after.start + region.after.start);
            pairs.extend((a..to_a).zip(b..to_b).map(|(a, b)| Pair::Both(a, b)));
            (a, b) = (part.before.start + region.before.end, part.after.start + region.after.end);
            pairs.extend((to_a..a).map(Pair::Removed));
            pairs.extend((to_b..b).map(Pair::Added));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Vec<u64> {
        text.chars().map(u64::from).collect()
    }

    fn parts(before: &str, after: &str) -> Vec<(String, String)> {
        let show = |text: &str, range: &Range<usize>| text[range.clone()].to_owned();
        let regions = regions(&of(before), &of(after), &mut Budget::new());
        regions.iter().map(|region| (show(before, &region.before), show(after, &region.after))).collect()
    }

    #[test]
    fn parts_that_differ_are_found() {
        assert_eq!(parts("abc", "abc"), []);
        assert_eq!(parts("", "abc"), [(String::new(), "abc".into())]);
        assert_eq!(parts("abcdef", "abXdef"), [("c".into(), "X".into())]);
        assert_eq!(parts("aaaa", "aaaaa"), [(String::new(), "a".into())]);
        assert_eq!(
            parts("the quick fox", "the slow fox!"),
            [("quick".into(), "slow".into()), (String::new(), "!".into())]
        );
    }

    #[test]
    fn what_is_too_long_differs_as_a_whole() {
        let before: Vec<u64> = (0..20_000).map(|number| number % 2).collect();
        let after: Vec<u64> = (0..20_000).map(|number| 2 - number % 2 * 2).collect();
        let mut budget = Budget::new();
        let found = regions(&before, &after, &mut budget);
        assert!(budget.spent);
        assert!(found.iter().map(|region| region.before.len()).sum::<usize>() >= 10_000);
    }

    proptest! {
        #[test]
        fn regions_make_the_one_of_the_other(
            before in prop::collection::vec(0_u64..6, 0..60),
            after in prop::collection::vec(0_u64..6, 0..60),
        ) {
            let (mut made, mut at) = (Vec::new(), 0);
            for region in regions(&before, &after, &mut Budget::new()) {
                prop_assert!(!region.before.is_empty() || !region.after.is_empty());
                made.extend_from_slice(&before[at..region.before.start]);
                prop_assert_eq!(made.len(), region.after.start);
                made.extend_from_slice(&after[region.after]);
                at = region.before.end;
            }
            made.extend_from_slice(&before[at..]);
            prop_assert_eq!(made, after);
        }
    }
}
