//! The table of all contenders.

use crate::corpus::Corpus;
use crate::round::Row;
use crate::stats::{Median, median};

const MIB: f64 = 1_048_576.0;

/// Prints medians and intervals, in the order in which the contenders first ran.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn print(rows: &[Row], corpus: &Corpus) {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.contender) {
            names.push(row.contender);
        }
    }
    println!(
        "\n{:<20} {:>7} {:>9} {:>9} {:>7} {:>17} {:>8} {:>7} {:>8} {:>8} {:>9}  version",
        "contender",
        "rounds",
        "s",
        "s + sync",
        "/ cp",
        "95 %",
        "MB/s",
        "CPU s",
        "anon MiB",
        "RSS MiB",
        "disk MiB"
    );
    for name in names {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.contender == name).collect();
        let of = |value: &dyn Fn(&Row) -> f64| {
            median(&rows.iter().map(|row| value(row)).collect::<Vec<_>>())
                .map_or(f64::NAN, |median| median.value)
        };
        let most =
            |value: &dyn Fn(&Row) -> u64| rows.iter().map(|row| value(row)).max().unwrap_or(0) as f64 / MIB;
        let ratio = median(&rows.iter().filter_map(|row| row.ratio).collect::<Vec<_>>());
        println!(
            "{name:<20} {:>7} {:>9.4} {:>9.4} {:>7} {:>17} {:>8.0} {:>7.2} {:>8.1} {:>8.1} {:>9.2}  {}",
            rows.len(),
            of(&|row| row.sample.seconds),
            of(&|row| row.sample.seconds_with_sync),
            ratio.map_or("-".into(), |ratio| format!("{:.3}", ratio.value)),
            ratio.map_or("-".into(), interval),
            corpus.bytes as f64 / 1e6 / of(&Row::time),
            of(&|row| row.sample.cpu_seconds),
            most(&|row| row.sample.rss_anon),
            most(&|row| row.sample.rss),
            of(&|row| row.sample.new_disk as f64) / MIB,
            rows.first().map_or("", |row| row.version.as_str()),
        );
    }
    println!(
        "\n\"/ cp\" is the median of each round's time over that round's `cp -r` and flush; a contender that only reads\n\
         is counted without the flush. Memory is the peak of all rounds. A range instead of an interval has a ~."
    );
}

/// The interval as text; a mere range is marked.
pub(crate) fn interval(median: Median) -> String {
    let mark = if median.enough { "" } else { "~" };
    format!("{mark}[{:.3}, {:.3}]", median.low, median.high)
}
