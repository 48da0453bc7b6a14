//! Files in two states as lines for people, in the groups of [`super::pairs`].
//!
//! A line begins with what became of the file. On a narrow terminal that is one letter, as in git, and what there is to
//! say goes below the path; on a wide one everything stands in columns.

use std::fmt::Write as _;
use std::ops::Range;

use anstyle::Style;
use stem_inspect::words::clock;
use stemvault::{PairChange, VersionPlace};
use unicode_width::UnicodeWidthStr as _;

use super::canvas::{Canvas, padded};
use super::look::Seen;
use super::pairs::{Group, Pair, Side};
use super::wave;
use crate::human;
use crate::report::{BAD, BOLD, DIM, GOOD, NAME, Report};

/// Lines of detail below a file.
const DETAILS: usize = 4;
/// Columns of words such as `modified`.
const WORD: usize = 8;
/// Spaces before what stands below a file.
const BELOW: usize = 6;

/// The pairs of each group, as ranges: they come sorted by group.
fn groups(pairs: &[Pair]) -> Vec<(&Group, Range<usize>)> {
    let mut groups: Vec<(&Group, Range<usize>)> = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        match groups.last_mut() {
            Some((group, range)) if **group == pair.group => range.end = index + 1,
            _ => groups.push((&pair.group, index..index + 1)),
        }
    }
    groups
}

/// Calls `each` for every file, under a heading for each group; where there is only what belongs nowhere, without.
fn grouped(report: &mut Report, pairs: &[Pair], mut each: impl FnMut(&mut Report, usize)) {
    let groups = groups(pairs);
    let bare = matches!(groups.as_slice(), [(Group::Other, _)]);
    for (group, range) in groups {
        if !bare {
            report.line(format_args!(""));
            report.line(format_args!("{BOLD}{}{BOLD:#}", group.title()));
        }
        range.for_each(|index| each(report, index));
    }
}

fn style(pair: &Pair) -> Style {
    match pair.change() {
        Some(PairChange::Added) => GOOD,
        Some(PairChange::Modified) => NAME,
        Some(PairChange::Deleted) => BAD,
        Some(PairChange::Same) => DIM,
        None if pair.file.problem.is_some() => BAD,
        None => Style::new(),
    }
}

/// What became of a file, as a word or a letter.
fn word(pair: &Pair, canvas: Canvas) -> &'static str {
    match (pair.change(), canvas.narrow()) {
        (Some(change), false) => change.name(),
        (Some(PairChange::Added), true) => "A",
        (Some(PairChange::Modified), true) => "M",
        (Some(PairChange::Deleted), true) => "D",
        (Some(PairChange::Same), true) => "=",
        (None, narrow) => match (pair.file.problem.is_some(), narrow) {
            (true, false) => "unread",
            (true, true) => "!",
            (false, _) => "",
        },
    }
}

/// How a list of files is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) canvas: Canvas,
    /// With the ids of objects.
    pub(crate) ids: bool,
}

/// Every file with its size: `stash show`.
pub(crate) fn files(report: &mut Report, pairs: &[Pair], seen: &[Seen], look: Look) {
    let canvas = look.canvas;
    let known = pairs.iter().any(|pair| pair.change().is_some());
    let word_width = match (known, canvas.narrow()) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => WORD,
    };
    let cells: Vec<[String; 2]> =
        pairs.iter().zip(seen).map(|(pair, seen)| cells(pair, seen, canvas)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [sizes, times] = [width(0), width(1)];
    let fixed: usize =
        [word_width, sizes, times].iter().filter(|&&width| width > 0).map(|width| width + 2).sum();
    let indent = if canvas.narrow() { 0 } else { 2 };
    let ids = if look.ids { 64 + 2 } else { 0 };
    let room = canvas.width().map(|width| width.saturating_sub(indent + fixed + ids).max(12));
    grouped(report, pairs, |report, index| {
        let (Some(pair), Some(seen), Some([size, time])) =
            (pairs.get(index), seen.get(index), cells.get(index))
        else {
            return;
        };
        let style = style(pair);
        // Writing into a string cannot fail.
        let mut line = format!("{:indent$}", "");
        if word_width > 0 {
            let _ = write!(line, "{style}{:<word_width$}{style:#}  ", word(pair, canvas));
        }
        let missing = if is_missing(pair) { BAD } else { Style::new() };
        let _ = write!(line, "{missing}{size:>sizes$}{missing:#}  ");
        if times > 0 {
            let _ = write!(line, "{DIM}{time:>times$}{DIM:#}  ");
        }
        if look.ids {
            let _ = write!(line, "{DIM}{:<64}{DIM:#}  ", id(pair));
        }
        let path = canvas.path(&pair.file.path.to_string(), room);
        let faint = if pair.change() == Some(PairChange::Same) { DIM } else { Style::new() };
        report.line(format_args!("{line}{faint}{path}{faint:#}"));
        if let Some(difference) = &seen.difference {
            let indent = if canvas.narrow() { 4 } else { BELOW };
            for line in canvas.wrap(&difference.summary(), canvas.drawing(indent)) {
                report.line(format_args!("{:indent$}{line}", ""));
            }
        }
        below(report, pair, seen, canvas);
    });
}

fn is_missing(pair: &Pair) -> bool {
    pair.file.after.is_some() && pair.size(Side::After).is_none()
}

/// Size and length in time.
fn cells(pair: &Pair, seen: &Seen, canvas: Canvas) -> [String; 2] {
    let size = match (&pair.file.after, pair.size(Side::After)) {
        (_, Some(size)) => human::size(size),
        (Some(_), None) => "missing".to_owned(),
        (None, None) => "-".to_owned(),
    };
    let time = seen.seconds.filter(|_| !canvas.narrow()).map(clock).unwrap_or_default();
    [size, time]
}

fn id(pair: &Pair) -> String {
    match pair.file.after.map(|version| version.place) {
        Some(VersionPlace::Object(id)) => id.to_string(),
        _ => String::new(),
    }
}

/// What differs, with what it is: `stash diff` and `status -v`.
pub(crate) fn changes(report: &mut Report, pairs: &[Pair], seen: &[Seen], canvas: Canvas) {
    let paths: Vec<String> = pairs.iter().map(|pair| pair.file.path.to_string()).collect();
    let longest = paths.iter().map(|path| path.width()).max().unwrap_or(0);
    let lead = if canvas.narrow() { 1 + 1 } else { 2 + WORD + 2 };
    // A little more than half of what is left is for the path, and none of it is wasted.
    let (column, room) = match canvas.width() {
        None => (longest, usize::MAX),
        Some(width) if canvas.narrow() => (width.saturating_sub(lead), width.saturating_sub(4)),
        Some(width) => {
            let left = width.saturating_sub(lead + 2);
            let column = longest.min(left * 11 / 20);
            (column, left - column)
        }
    };
    grouped(report, pairs, |report, index| {
        let (Some(pair), Some(seen), Some(path)) = (pairs.get(index), seen.get(index), paths.get(index))
        else {
            return;
        };
        let style = style(pair);
        let word = word(pair, canvas);
        let path = canvas.path(path, Some(column));
        let said = canvas.wrap(&said(pair, seen), room);
        let mut said = said.into_iter();
        if canvas.narrow() {
            report.line(format_args!("{style}{word:<1}{style:#} {path}"));
            said.for_each(|line| report.line(format_args!("    {line}")));
        } else {
            let first = said.next().unwrap_or_default();
            let path = padded(&path, column);
            let line = format!("  {style}{word:<WORD$}{style:#}  {path}  {first}");
            report.line(format_args!("{}", line.trim_end()));
            said.for_each(|line| report.line(format_args!("{:pad$}{line}", "", pad = lead + column + 2)));
        }
        below(report, pair, seen, canvas);
    });
}

/// What there is to say of a file in one line.
pub(crate) fn said(pair: &Pair, seen: &Seen) -> String {
    if let Some(problem) = &pair.file.problem {
        return problem.clone();
    }
    if let Some(difference) = &seen.difference {
        return difference.summary();
    }
    let size = |side| pair.size(side).map(human::size);
    match (pair.change(), size(Side::Before), size(Side::After)) {
        (Some(PairChange::Modified), Some(before), Some(after)) if before == after => after,
        (Some(PairChange::Modified), Some(before), Some(after)) => format!("{before} → {after}"),
        (Some(PairChange::Modified), None, Some(after)) => {
            format!("{after}; its earlier version is not in the store")
        }
        (_, before, after) => {
            let size = after.or(before).unwrap_or_default();
            match seen.seconds.filter(|_| !size.is_empty()) {
                Some(seconds) => format!("{size}, {}", clock(seconds)),
                None => size,
            }
        }
    }
}

/// What the file is like, its wave, and where exactly it differs.
fn below(report: &mut Report, pair: &Pair, seen: &Seen, canvas: Canvas) {
    let indent = if canvas.narrow() { 4 } else { BELOW };
    let room = canvas.drawing(indent);
    if let Some(description) = &seen.description {
        // The size of what is understood no further stands in the line above.
        if description.facts != stem_inspect::Facts::Other {
            for line in canvas.wrap(&description.summary(), room) {
                report.line(format_args!("{:indent$}{DIM}{line}{DIM:#}", ""));
            }
        }
        for line in description.note.iter().flat_map(|note| canvas.wrap(note, room)) {
            report.line(format_args!("{:indent$}{DIM}{line}{DIM:#}", ""));
        }
    }
    if let Some(wave) = &seen.wave {
        let lines = wave::draw(wave, canvas);
        let marks = if wave.spans.is_empty() { lines.len() } else { lines.len().saturating_sub(1) };
        for (number, line) in lines.iter().enumerate() {
            let style = if number < marks { style(pair) } else { BOLD };
            report.line(format_args!("{:indent$}{style}{line}{style:#}", ""));
        }
    }
    let (details, more) = seen.details();
    for detail in details.iter().take(DETAILS) {
        for line in canvas.wrap(detail, room) {
            report.line(format_args!("{:indent$}{DIM}{line}{DIM:#}", ""));
        }
    }
    let more = more.saturating_add(details.len().saturating_sub(DETAILS) as u64);
    if more > 0 {
        let more = human::count(more, "more place", "more places");
        report.line(format_args!("{:indent$}{DIM}and {more}{DIM:#}", ""));
    }
}

/// How many files are how: `1 added, 2 modified, 3 the same`.
pub(crate) fn counts(pairs: &[Pair]) -> String {
    let count = |change: PairChange| pairs.iter().filter(|pair| pair.change() == Some(change)).count();
    let unread = pairs.iter().filter(|pair| pair.file.problem.is_some()).count();
    let parts = [
        (count(PairChange::Added), "added"),
        (count(PairChange::Modified), "modified"),
        (count(PairChange::Deleted), "deleted"),
        (count(PairChange::Same), "the same"),
        (unread, "not compared"),
    ];
    let said = parts.iter().filter(|part| part.0 > 0);
    let said: Vec<String> = said.map(|(number, word)| human::count(*number, word, word)).collect();
    said.join(", ")
}
