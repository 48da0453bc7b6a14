//! `--stat`: what changed, in bytes, with a bar. Nothing is read for it.
//!
//! A change is as large as the larger of the two versions, because what of a modified file is new is not known without
//! reading both; the bar says how it is made up: `+` came, `-` went, `~` is there in both, with other bytes.

use stemvault::PairChange;
use unicode_width::UnicodeWidthStr as _;

use super::canvas::{Canvas, padded};
use super::pairs::{Pair, Side};
use crate::human;
use crate::report::{BAD, GOOD, NAME, Report};

/// The longest bar.
const BAR: usize = 40;

/// One line a file that differs.
pub(crate) fn stat(report: &mut Report, pairs: &[Pair], canvas: Canvas) {
    let differ: Vec<&Pair> = pairs.iter().filter(|pair| pair.change() != Some(PairChange::Same)).collect();
    let paths: Vec<String> = differ.iter().map(|pair| pair.file.path.to_string()).collect();
    let sizes: Vec<String> = differ.iter().map(|pair| size_words(pair)).collect();
    let sizes: Vec<String> = sizes.iter().map(|words| canvas.text(words)).collect();
    let size_width = sizes.iter().map(|size| size.width()).max().unwrap_or(0);
    let longest = paths.iter().map(|path| path.width()).max().unwrap_or(0);
    let room = canvas.width().map_or(usize::MAX, |width| width.saturating_sub(1 + 3 + size_width));
    // The bar may be given up on a narrow terminal, the path may not.
    let column = longest.min(if room > longest + 2 + BAR { longest } else { (room * 3 / 4).max(12) });
    let bar = room.saturating_sub(column + 2).min(BAR);
    let most = differ.iter().map(|pair| weight(pair)).max().unwrap_or(0);
    for ((pair, path), size) in differ.iter().zip(&paths).zip(&sizes) {
        let path = padded(&canvas.path(path, Some(column)), column);
        let pad = size_width - size.width().min(size_width);
        let line = format!(" {path} | {:pad$}{size}  {}", "", drawn(pair, most, bar));
        report.line(format_args!("{}", line.trim_end()));
    }
}

fn sizes(pair: &Pair) -> (u64, u64) {
    (pair.size(Side::Before).unwrap_or(0), pair.size(Side::After).unwrap_or(0))
}

fn weight(pair: &Pair) -> u64 {
    let (before, after) = sizes(pair);
    before.max(after)
}

fn size_words(pair: &Pair) -> String {
    let (before, after) = (pair.size(Side::Before).map(human::size), pair.size(Side::After).map(human::size));
    match (before, after) {
        (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
        (_, Some(size)) | (Some(size), None) => size,
        (None, None) => "?".to_owned(),
    }
}

fn drawn(pair: &Pair, most: u64, bar: usize) -> String {
    let (before, after) = sizes(pair);
    let part = |bytes: u64| {
        let cells = u128::from(bytes) * bar as u128 / u128::from(most.max(1));
        // Whatever changed is seen.
        usize::try_from(cells).unwrap_or(bar).max(usize::from(bytes > 0 && bar > 0))
    };
    let (both, came, went) = match pair.change() {
        Some(PairChange::Modified) => {
            (before.min(after), after.saturating_sub(before), before.saturating_sub(after))
        }
        _ => (0, after, before),
    };
    let bars = [(NAME, '~', both), (GOOD, '+', came), (BAD, '-', went)];
    let drawn = bars.iter().map(|(style, sign, bytes)| match part(*bytes) {
        0 => String::new(),
        cells => format!("{style}{}{style:#}", sign.to_string().repeat(cells)),
    });
    drawn.collect()
}
