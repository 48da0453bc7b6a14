//! What the terminal can show: its width, and whether it knows more than ASCII.
//!
//! Where nobody reads lines (a pipe, without `COLUMNS`), nothing is shortened: a program, or a pager, gets it all.

use unicode_width::UnicodeWidthStr as _;

use crate::human;
use crate::report::Report;

/// The widest that prose and waveforms are made.
const MOST: usize = 120;
/// Narrower terminals are not catered for; lines wrap there.
const LEAST: usize = 24;
/// Below this, a line has no room for words before the path.
const NARROW: usize = 72;

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Canvas {
    /// Columns; `None` where they do not matter.
    width: Option<usize>,
    /// Whether more than ASCII can be drawn.
    unicode: bool,
}

impl Canvas {
    /// That of standard output.
    pub(crate) fn of_stdout() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let dumb = var("TERM").is_some_and(|term| term == "dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| var(name)).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        let utf8 = cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8");
        let width = human::columns().map(|columns| usize::from(columns).max(LEAST));
        Self { width, unicode: utf8 && !dumb }
    }

    #[cfg(test)]
    pub(crate) fn new(width: Option<usize>, unicode: bool) -> Self {
        Self { width, unicode }
    }

    /// Columns; `None` where they do not matter.
    pub(crate) fn width(self) -> Option<usize> {
        self.width
    }

    /// Whether there is no room for words before a path.
    pub(crate) fn narrow(self) -> bool {
        self.width.is_some_and(|width| width < NARROW)
    }

    /// Whether more than ASCII can be drawn.
    pub(crate) fn unicode(self) -> bool {
        self.unicode
    }

    /// Columns for something that is drawn behind `indent`.
    pub(crate) fn drawing(self, indent: usize) -> usize {
        self.width.unwrap_or(80).min(MOST).saturating_sub(indent).max(8)
    }

    /// Text of the inspection, with nothing that cannot be shown.
    pub(crate) fn text(self, text: &str) -> String {
        if self.unicode {
            return text.to_owned();
        }
        let plain = |c: char| match c {
            '–' | '−' => "-".to_owned(),
            '…' => "...".to_owned(),
            '→' => "->".to_owned(),
            '×' => "x".to_owned(),
            other => other.to_string(),
        };
        text.chars().map(plain).collect()
    }

    /// A path in at most `room` columns, where they matter.
    pub(crate) fn path(self, path: &str, room: Option<usize>) -> String {
        match room.filter(|_| self.width.is_some()) {
            Some(room) => human::shorten(path, room, self.unicode),
            None => path.to_owned(),
        }
    }

    /// Adds a sentence, in as many lines as it needs.
    pub(crate) fn prose(self, report: &mut Report, text: &str) {
        for line in self.wrap(text, self.width.unwrap_or(usize::MAX)) {
            report.line(format_args!("{line}"));
        }
    }

    /// Lines of at most `room` columns, broken between words; words that are longer stand alone.
    pub(crate) fn wrap(self, text: &str, room: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in self.text(text).split(' ').filter(|word| !word.is_empty()) {
            match lines.last_mut() {
                Some(line) if self.width.is_none() || line.width() + 1 + word.width() <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }
}

/// `text` and the spaces that make it `width` columns wide; for names in any script.
pub(crate) fn padded(text: &str, width: usize) -> String {
    format!("{text}{:pad$}", "", pad = width.saturating_sub(text.width()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_into_lines_and_ascii_is_all_that_a_dumb_terminal_gets() {
        let dumb = Canvas::new(Some(40), false);
        assert_eq!(
            dumb.wrap("overwritten 0:12.0–0:15.5, and 2 edits more", 24),
            ["overwritten", "0:12.0-0:15.5, and 2", "edits more"]
        );
        assert_eq!(dumb.text("a → b…"), "a -> b...");
        assert_eq!(Canvas::new(None, true).wrap("one two three", 4), ["one two three"]);
        assert_eq!(padded("日本", 6), "日本  ");
    }
}
