//! What the stash has to reach, as ratios of contenders of the same round.
//!
//! A target holds if it lies inside or above the interval of the measured median: noise does not fail it, and does not
//! pass anything that is clearly above it.

use crate::corpus::Corpus;
use crate::report::interval;
use crate::round::Row;
use crate::stats::median;

/// `contender` must take at most `limit` times `factor` x `floor` + `extra` seconds.
#[derive(Debug, Clone, Copy)]
struct Target {
    contender: &'static str,
    floor: &'static str,
    factor: f64,
    extra: f64,
    limit: f64,
}

const fn ratio(contender: &'static str, floor: &'static str, limit: f64) -> Target {
    Target { contender, floor, factor: 1.0, extra: 0.0, limit }
}

/// At most twice the walk and some time that does not grow with the tree.
const fn twice_the_walk(contender: &'static str, extra: f64) -> Target {
    Target { contender, floor: "walk", factor: 2.0, extra, limit: 1.0 }
}

const STEMS: [Target; 8] = [
    ratio("stem-push", "hash", 1.15),
    ratio("hash", "sha2", 1.0 / 1.4),
    ratio("stem-push", "cp", 0.6),
    ratio("stem-push", "python-push", 0.25),
    ratio("stem-push", "cacache-put", 0.25),
    ratio("stem-push-keep", "hash-write", 1.15),
    ratio("stem-pop", "cp", 1.1),
    ratio("stem-pop-no-verify", "cp", 1.0),
];

const SMALL_FILES: [Target; 17] = [
    twice_the_walk("stem-push-same", 0.060),
    twice_the_walk("stem-push-one", 0.080),
    twice_the_walk("stem-status", 0.020),
    ratio("stem-push", "cp", 1.0),
    ratio("stem-push", "python-push", 1.0),
    ratio("stem-push", "cacache-put", 1.0),
    ratio("stem-push", "git-push", 1.0),
    ratio("stem-push", "restic-backup", 1.0),
    ratio("stem-push", "borg-create", 1.0),
    ratio("stem-pop", "cp", 1.2),
    ratio("stem-pop", "python-pop", 1.0),
    ratio("stem-pop", "cacache-get", 1.0),
    ratio("stem-pop", "git-pop", 1.0),
    ratio("stem-pop", "restic-restore", 1.0),
    ratio("stem-pop", "borg-extract", 1.0),
    ratio("stem-pack", "git-add", 1.0),
    ratio("stem-unpack", "git-checkout", 1.0),
];

/// Prints the targets of the corpus; those whose contenders did not run are left out.
pub(crate) fn print(rows: &[Row], corpus: &Corpus) {
    let targets: &[Target] = match corpus.preset {
        Some('a') => &STEMS,
        Some('c') => &SMALL_FILES,
        _ => return,
    };
    println!("\n{:<52} {:>7} {:>8} {:>18}", "target", "limit", "median", "95 %");
    for target in targets {
        let Some(found) = median(&ratios(rows, target)) else { continue };
        let verdict = verdict(target.limit >= found.low);
        println!(
            "{:<52} {:>7.3} {:>8.3} {:>18}  {verdict}",
            title(target),
            target.limit,
            found.value,
            interval(found)
        );
    }
    print_peaks(rows, corpus);
    print_packs(rows, corpus);
}

/// Megabytes a second, and what the packs take.
#[expect(clippy::cast_precision_loss, reason = "rates and shares are shown")]
fn print_packs(rows: &[Row], corpus: &Corpus) {
    let stems = corpus.preset == Some('a');
    for (contender, least) in [("stem-pack", 250.0), ("stem-pop-packed", 500.0), ("stem-unpack", 500.0)] {
        let own = rows.iter().filter(|row| row.contender == contender);
        let rates: Vec<f64> = own.map(|row| corpus.bytes as f64 / 1e6 / row.sample.seconds).collect();
        let Some(found) = median(&rates) else { continue };
        let limit = if stems { format!("{least:.0}") } else { "-".into() };
        let verdict = if stems { verdict(found.high >= least) } else { "" };
        let what = format!("{contender}, MB/s without the flush");
        println!("{what:<52} {limit:>7} {:>8.0} {:>18}  {verdict}", found.value, interval(found));
    }
    let packed = rows.iter().filter(|row| row.contender == "stem-pack");
    if let Some(bytes) = packed.map(|row| row.sample.new_disk).max() {
        let share = bytes as f64 / corpus.bytes as f64;
        println!("{:<52} {:>7} {share:>8.3}", "new disk blocks of stem-pack / the data", "");
    }
}

fn title(target: &Target) -> String {
    let Target { contender, floor, factor, extra, .. } = target;
    if *extra > 0.0 {
        format!("{contender} / ({factor} x {floor} + {:.0} ms)", extra * 1e3)
    } else {
        format!("{contender} / {floor}")
    }
}

/// One ratio for each round that has both.
fn ratios(rows: &[Row], target: &Target) -> Vec<f64> {
    let time = |name: &str, round: usize| {
        rows.iter().find(|row| row.contender == name && row.round == round).map(Row::time)
    };
    let rounds = rows.iter().filter(|row| row.contender == target.contender);
    rounds
        .filter_map(|row| {
            let floor = time(target.floor, row.round)?;
            Some(row.time() / (target.factor * floor + target.extra))
        })
        .collect()
}

/// Memory and disk space: the worst round counts.
#[expect(clippy::cast_precision_loss, reason = "shares and mebibytes are shown")]
fn print_peaks(rows: &[Row], corpus: &Corpus) {
    let ours: Vec<&Row> = rows.iter().filter(|row| row.contender.starts_with("stem-")).collect();
    let most = |value: &dyn Fn(&Row) -> u64| ours.iter().map(|row| (value(row), row.contender)).max();
    let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
    let anon_limit = (64 << 20) + 300 * corpus.files.len() as u64;
    let peaks = [
        ("RssAnon, MiB: 64 MiB + 300 bytes per file", most(&|row| row.sample.rss_anon), anon_limit),
        ("RSS, MiB", most(&|row| row.sample.rss), 256 << 20),
    ];
    for (what, found, limit) in peaks {
        if let Some((bytes, worst)) = found {
            let verdict = verdict(bytes <= limit);
            let (limit, bytes) = (mebibytes(limit), mebibytes(bytes));
            println!("{what:<52} {limit:>7.1} {bytes:>8.1} {:>18}  {verdict}", format!("by {worst}"));
        }
    }
    let pushes = ours.iter().filter(|row| row.contender == "stem-push");
    if corpus.preset == Some('a')
        && let Some(bytes) = pushes.map(|row| row.sample.new_disk).max()
    {
        let share = bytes as f64 / corpus.bytes as f64 * 100.0;
        println!(
            "{:<52} {:>7.1} {share:>8.3} {:>18}  {}",
            "new disk blocks of stem-push, % of the data",
            1.0,
            "",
            verdict(share < 1.0)
        );
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "holds" } else { "NOT REACHED" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;
    use crate::round::Kind;

    fn row(contender: &'static str, round: usize, seconds: f64, kind: Kind) -> Row {
        let sample = Sample {
            seconds,
            seconds_with_sync: seconds + 1.0,
            cpu_seconds: 0.0,
            rss: 0,
            rss_anon: 0,
            new_disk: 0,
        };
        Row { contender, version: String::new(), round, kind, sample, ratio: None }
    }

    #[test]
    fn ratios_pair_the_rounds_and_leave_out_what_lacks_a_partner() {
        let rows = [
            row("walk", 1, 0.1, Kind::Reads),
            row("stem-status", 1, 0.22, Kind::Reads),
            row("stem-status", 2, 0.3, Kind::Reads),
            row("cp", 2, 1.0, Kind::Writes),
            row("stem-push", 2, 0.5, Kind::Writes),
        ];
        let found = ratios(&rows, &twice_the_walk("stem-status", 0.02));
        assert_eq!(found.len(), 1);
        assert!((found[0] - 1.0).abs() < 1e-9);
        assert_eq!(ratios(&rows, &ratio("stem-push", "cp", 1.0)), [0.75]);
    }
}
