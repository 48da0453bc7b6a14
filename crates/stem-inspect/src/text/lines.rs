//! Texts, line by line.

use std::collections::HashMap;

use super::MAX_LISTED;
use super::facts::{Change, LineEnds, LineSpan, TextDifference, TextFacts};
use crate::plain::{self, SHORT};
use crate::sequence::{Budget, regions};
use crate::words::counted;

/// Lines of a text that is looked into.
const MAX_LINES: usize = 1 << 20;

struct Text<'a> {
    lines: Vec<&'a str>,
    facts: TextFacts,
}

/// The text without its byte order mark, and whether it has one; `None` where this is no text.
pub(super) fn decode(bytes: &[u8]) -> Option<(&str, bool)> {
    let text = std::str::from_utf8(bytes).ok().filter(|_| !bytes.contains(&0))?;
    Some(text.strip_prefix('\u{feff}').map_or((text, false), |text| (text, true)))
}

fn read(bytes: &[u8]) -> Option<Text<'_>> {
    let (text, byte_order_mark) = decode(bytes)?;
    let (mut lines, mut with, mut without) = (Vec::new(), 0_u64, 0_u64);
    for line in text.split_inclusive('\n') {
        if lines.len() == MAX_LINES {
            return None;
        }
        lines.push(match (line.strip_suffix("\r\n"), line.strip_suffix('\n')) {
            (Some(line), _) => {
                with += 1;
                line
            }
            (None, Some(line)) => {
                without += 1;
                line
            }
            (None, None) => line,
        });
    }
    let line_ends = match (with, without) {
        (0, 0) => LineEnds::None,
        (0, _) => LineEnds::Lf,
        (_, 0) => LineEnds::CrLf,
        _ => LineEnds::Mixed,
    };
    let facts = TextFacts { lines: lines.len() as u64, line_ends, byte_order_mark };
    Some(Text { lines, facts })
}

pub(super) fn describe(bytes: &[u8]) -> Option<TextFacts> {
    Some(read(bytes)?.facts)
}

pub(super) fn difference(before: &[u8], after: &[u8]) -> Option<TextDifference> {
    let (before, after) = (read(before)?, read(after)?);
    let mut numbers = HashMap::new();
    let left = numbered(&before.lines, &mut numbers);
    let right = numbered(&after.lines, &mut numbers);
    let mut budget = Budget::new();
    let mut found = TextDifference {
        added: 0,
        removed: 0,
        changed: 0,
        spans: Vec::new(),
        more: 0,
        line_ends: pair(before.facts.line_ends, after.facts.line_ends),
        byte_order_mark: pair(before.facts.byte_order_mark, after.facts.byte_order_mark),
        rough: false,
    };
    for region in regions(&left, &right, &mut budget) {
        let (gone, new) = (region.before.len() as u64, region.after.len() as u64);
        let both = gone.min(new);
        found.changed += both;
        found.removed += gone - both;
        found.added += new - both;
        if found.spans.len() == MAX_LISTED {
            found.more += 1;
            continue;
        }
        let change = match (gone, new) {
            (0, _) => Change::Added,
            (_, 0) => Change::Removed,
            _ => Change::Changed,
        };
        let span = |start: usize, count: u64| (count > 0).then(|| [start as u64 + 1, start as u64 + count]);
        let text = |lines: &[&str], start: usize, count: u64| {
            let line = lines.get(start).filter(|_| count > 0)?;
            Some(plain::shown(line, SHORT))
        };
        found.spans.push(LineSpan {
            change,
            before: span(region.before.start, gone),
            after: span(region.after.start, new),
            text_before: text(&before.lines, region.before.start, gone),
            text_after: text(&after.lines, region.after.start, new),
        });
    }
    found.rough = budget.spent;
    Some(found)
}

/// A number for each line, the same for the same lines.
fn numbered<'a>(lines: &[&'a str], numbers: &mut HashMap<&'a str, u64>) -> Vec<u64> {
    let mut of = |line: &&'a str| {
        let next = numbers.len() as u64;
        *numbers.entry(*line).or_insert(next)
    };
    lines.iter().map(&mut of).collect()
}

fn pair<T: PartialEq>(before: T, after: T) -> Option<[T; 2]> {
    (before != after).then_some([before, after])
}

impl LineEnds {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lf => "LF",
            Self::CrLf => "CRLF",
            Self::Mixed => "mixed",
        }
    }
}

impl TextFacts {
    /// One line for people: `12 lines`.
    pub fn summary(&self) -> String {
        counted(self.lines, "line")
    }
}

impl TextDifference {
    /// One line for people: `3 lines changed, 2 added, lines 12–40`. Lines are numbered as in the second text.
    pub fn summary(&self) -> String {
        let mut phrases = Vec::new();
        for (number, what) in [(self.changed, "changed"), (self.added, "added"), (self.removed, "removed")] {
            match (number, phrases.is_empty()) {
                (0, _) => {}
                (number, true) => phrases.push(format!("{} {what}", counted(number, "line"))),
                (number, false) => phrases.push(format!("{number} {what}")),
            }
        }
        // What is only gone has its place in the first text.
        let place = |span: &LineSpan| span.after.or(span.before);
        let first = self.spans.first().and_then(place);
        let last = self.spans.last().and_then(place);
        if let (Some([first, _]), Some([_, last]), 0) = (first, last, self.more) {
            phrases.push(if first >= last {
                format!("line {first}")
            } else {
                format!("lines {first}–{last}")
            });
        }
        if let Some([before, after]) = self.line_ends
            && (phrases.is_empty() || !before.is_none() && !after.is_none())
        {
            phrases.push(format!("line ends {} → {}", before.name(), after.name()));
        }
        if let Some([_, after]) = self.byte_order_mark {
            phrases.push(format!("byte order mark {}", if after { "added" } else { "removed" }));
        }
        if phrases.is_empty() { "same lines, other line ends".into() } else { phrases.join(", ") }
    }
}

impl LineEnds {
    fn is_none(self) -> bool {
        self == Self::None
    }
}
