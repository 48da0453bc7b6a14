//! What strategies are compared by: each figure's name, unit, direction, and where it comes from.
//!
//! One list for the table, the page and the judgement, so that they cannot differ. Adding a figure is one variant and its
//! arms.

use crate::model::{Class, Comparison, Operation, Round, StrategyResult};

use super::stats::{Spread, quantile};
use super::units;

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    OnDisk,
    Share,
    Put,
    Get,
    RangeMedian,
    RangeTail,
    Added,
    ByDedup,
    ByCodec,
    PutCpu,
    GetCpu,
    Memory,
    Stat,
    List,
    PutSecond,
    Reclaim,
    AfterReclaim,
}

/// What a figure is a number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Share,
    Seconds,
    /// Bytes in a second.
    Speed,
    /// Processor seconds for a GiB of files.
    Effort,
}

impl Measure {
    pub(super) const ALL: [Self; 17] = [
        Self::OnDisk,
        Self::Share,
        Self::Put,
        Self::Get,
        Self::Added,
        Self::RangeMedian,
        Self::RangeTail,
        Self::Memory,
        Self::PutCpu,
        Self::GetCpu,
        Self::ByDedup,
        Self::ByCodec,
        Self::PutSecond,
        Self::Reclaim,
        Self::AfterReclaim,
        Self::Stat,
        Self::List,
    ];

    /// Short, for the head of a column.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::OnDisk => "on disk",
            Self::Share => "of the files",
            Self::Put => "store",
            Self::Get => "take back",
            Self::RangeMedian => "short read p50",
            Self::RangeTail => "short read p99",
            Self::Added => "new version",
            Self::ByDedup => "saved: repeats",
            Self::ByCodec => "saved: coding",
            Self::PutCpu => "store, cpu",
            Self::GetCpu => "take back, cpu",
            Self::Memory => "memory",
            Self::Stat => "look up",
            Self::List => "list",
            Self::PutSecond => "store new",
            Self::Reclaim => "clean up",
            Self::AfterReclaim => "cleaned up",
        }
    }

    /// In a sentence, for whoever meets it for the first time.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::OnDisk => "what the stored files take on the disk, as du counts",
            Self::Share => "the same, as a share of the files' own size",
            Self::Put => "bytes of your files stored in a second, until they would survive a power cut",
            Self::Get => "bytes of your files brought back to the disk in a second, each byte compared",
            Self::RangeMedian => {
                "how long it takes to read a short piece from anywhere, as when scrubbing; half of the reads were faster"
            }
            Self::RangeTail => "the same for the slowest of a hundred such reads",
            Self::Added => "what the second version of the files takes beside the first",
            Self::ByDedup => "bytes that were not stored because they were there already",
            Self::ByCodec => "bytes saved by compressing what was stored",
            Self::PutCpu => "processor time for storing 1 GiB of your files, all cores together",
            Self::GetCpu => "processor time for bringing 1 GiB of your files back, all cores together",
            Self::Memory => "the most memory that was in use at a time",
            Self::Stat => "time to look up one file in the store",
            Self::List => "time for each file when the whole store is listed",
            Self::PutSecond => "bytes of the second version stored in a second",
            Self::Reclaim => "time to remove what only the first version needs",
            Self::AfterReclaim => "what is left in the store after that",
        }
    }

    pub(super) fn unit(self) -> Unit {
        match self {
            Self::OnDisk
            | Self::Added
            | Self::ByDedup
            | Self::ByCodec
            | Self::Memory
            | Self::AfterReclaim => Unit::Bytes,
            Self::Share => Unit::Share,
            Self::Put | Self::Get | Self::PutSecond => Unit::Speed,
            Self::RangeMedian | Self::RangeTail | Self::Stat | Self::List | Self::Reclaim => Unit::Seconds,
            Self::PutCpu | Self::GetCpu => Unit::Effort,
        }
    }

    /// Whether more of it is better. `None` where it is neither, by itself: where savings come from.
    pub(super) fn more_is_better(self) -> Option<bool> {
        match self {
            Self::Put | Self::Get | Self::PutSecond => Some(true),
            Self::ByDedup | Self::ByCodec => None,
            _ => Some(false),
        }
    }

    /// Whether every round must find the same.
    pub(super) fn is_exact(self) -> bool {
        matches!(
            self,
            Self::OnDisk | Self::Share | Self::Added | Self::ByDedup | Self::ByCodec | Self::AfterReclaim
        )
    }

    /// Two figures that are no further apart than this share of the larger one are alike.
    pub(super) fn tolerance(self) -> f64 {
        if self.is_exact() { 0.005 } else { 0.02 }
    }

    /// The figure of one strategy.
    pub(super) fn of(self, result: &StrategyResult) -> Option<Spread> {
        if self.is_exact() {
            return Spread::of(self.stored(result));
        }
        Spread::of(result.rounds.iter().filter_map(|round| self.in_round(round)))
    }

    fn stored(self, result: &StrategyResult) -> Option<f64> {
        let stored = result.stored.as_ref()?;
        let on_disk = if stored.blocks > 0 { stored.blocks } else { stored.bytes };
        Some(match self {
            Self::OnDisk if on_disk > 0 => float(on_disk),
            Self::Share if stored.raw > 0 && on_disk > 0 => float(on_disk) / float(stored.raw),
            Self::Added => float(stored.added_by_second?),
            Self::ByDedup => float(stored.saved_by_dedup),
            Self::ByCodec => float(stored.saved_by_codec),
            Self::AfterReclaim => float(stored.after_reclaim?),
            _ => return None,
        })
    }

    fn in_round(self, round: &Round) -> Option<f64> {
        let speed = |operation: Option<Operation>| over(float(operation?.bytes), operation?.seconds);
        let effort = |operation: Option<Operation>| {
            over(operation?.cpu_seconds, float(operation?.bytes) / f64::from(1 << 30))
        };
        let each = |operation: Option<Operation>| over(operation?.seconds, float(operation?.objects));
        let reads = |q| Some(quantile(&round.ranges.as_ref()?.micros, q)? / 1e6);
        match self {
            Self::Put => speed(round.put),
            Self::Get => speed(round.get),
            Self::PutSecond => speed(round.put_second),
            Self::PutCpu => effort(round.put),
            Self::GetCpu => effort(round.get),
            Self::RangeMedian => reads(0.5),
            Self::RangeTail => reads(0.99),
            Self::Stat => each(round.stat),
            Self::List => each(round.list),
            Self::Reclaim => round.reclaim.map(|operation| operation.seconds),
            Self::Memory => [round.put, round.get, round.put_second, round.reclaim]
                .into_iter()
                .flatten()
                .map(|operation| operation.peak_memory)
                .max()
                .filter(|&bytes| bytes > 0)
                .map(float),
            _ => None,
        }
    }
}

impl Unit {
    /// What figures are divided by, and the unit then, when they are shown under one heading: the unit in which the
    /// smallest has a digit before the point, unless the largest becomes too long then.
    pub(super) fn scale(self, figures: impl IntoIterator<Item = f64>) -> (f64, String) {
        const LONG: f64 = 99_999.5;
        let (mut largest, mut smallest) = (0.0_f64, f64::INFINITY);
        for figure in figures.into_iter().filter(|&figure| figure > 0.0) {
            (largest, smallest) = (largest.max(figure), smallest.min(figure));
        }
        let unit: fn(f64) -> (f64, &'static str) = match self {
            Self::Bytes => units::size_unit,
            Self::Speed => units::speed_unit,
            Self::Seconds => units::time_unit,
            Self::Share => return (0.01, "%".to_owned()),
            Self::Effort => return (1.0, "s/GiB".to_owned()),
        };
        let (mut divisor, mut name) = unit(smallest.min(largest));
        if largest / divisor > LONG {
            (divisor, name) = unit(largest);
        }
        (divisor, if self == Self::Speed { format!("{name}/s") } else { name.to_owned() })
    }

    /// One figure with its unit.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Bytes => units::size(value),
            Self::Share => units::percent(value),
            Self::Seconds => units::seconds(value),
            Self::Speed => units::speed(value),
            Self::Effort => format!("{} s/GiB", units::number(value)),
        }
    }
}

/// Where the time of a class of files is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Way {
    pub(super) const ALL: [Self; 2] = [Self::In, Self::Out];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::In => "Stored in a second by one thread, by kind of file",
            Self::Out => "Taken back in a second by one thread, by kind of file",
        }
    }

    /// Bytes of a class in a second of one thread.
    pub(super) fn speed(self, result: &StrategyResult, class: Class) -> Option<Spread> {
        Spread::of(result.rounds.iter().filter_map(|round| {
            let classes = match self {
                Self::In => &round.put_classes,
                Self::Out => &round.get_classes,
            };
            let of = classes.get(&class).filter(|of| of.bytes > 0)?;
            over(float(of.bytes), of.thread_seconds)
        }))
    }
}

/// Whether caches were empty when files were read back, in the rounds of all strategies.
pub(super) fn cache(comparison: &Comparison) -> &'static str {
    let mut rounds =
        comparison.strategies.iter().flat_map(|result| &result.rounds).filter(|round| round.get.is_some());
    let Some(first) = rounds.next() else { return "" };
    match (first.cold, rounds.all(|round| round.cold == first.cold)) {
        (true, true) => "cold cache",
        (false, true) => "warm cache",
        _ => "cold and warm cache mixed",
    }
}

/// Whether a strategy is a plain copy: what others are compared with, and no way to store.
pub(super) fn is_baseline(result: &StrategyResult) -> bool {
    result.name == "cp" || result.name.starts_with("cp-")
}

fn over(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor).filter(|value| value.is_finite())
}

/// A number of bytes or files for arithmetic that need not be exact.
#[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
pub(super) fn float(value: u64) -> f64 {
    value as f64
}
