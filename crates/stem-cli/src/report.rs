//! What a command has to say when it has done its work.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use stemvault::{LeftAlone, RelPath, Vault};

use crate::failure::exit;
use crate::human;
use crate::json::Json;
use crate::ui::Ui;

/// References and ids.
pub(crate) const NAME: Style = AnsiColor::Yellow.on_default();
/// What is less important.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Additions, and good ends.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Deletions, and bad ends.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// Headings.
pub(crate) const BOLD: Style = Style::new().bold();

/// The answer of a command.
#[derive(Debug)]
pub(crate) struct Report {
    /// For people, with styles; the printer removes these where they are not wanted.
    pub(crate) out: String,
    /// For people, on standard error.
    pub(crate) problems: Vec<Problem>,
    /// For programs, in place of `out`.
    pub(crate) json: Option<Json>,
    /// The exit code.
    pub(crate) exit: u8,
}

/// Something that the user should know beside the answer.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) text: String,
    /// Whether the command is complete nevertheless; `--quiet` hides it.
    pub(crate) harmless: bool,
}

impl Report {
    /// Nothing more to say.
    pub(crate) fn nothing() -> Self {
        Self { out: String::new(), problems: Vec::new(), json: None, exit: exit::DONE }
    }

    /// The answer in the form that was asked for; the other one is not made.
    pub(crate) fn new(ui: &Ui, json: impl FnOnce() -> Json, text: impl FnOnce(&mut Self)) -> Self {
        let mut report = Self::nothing();
        if ui.json() {
            report.json = Some(json());
        } else {
            text(&mut report);
        }
        report
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.out, "{line}");
    }

    /// Adds a problem that makes the command incomplete.
    pub(crate) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(Problem { text: text.into(), harmless: false });
        self.exit = exit::PARTIAL;
    }

    /// Adds something to know.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.problems.push(Problem { text: text.into(), harmless: true });
    }

    /// Says that a command died, if one did.
    pub(crate) fn interrupted(&mut self, vault: &Vault) {
        if vault.stash().is_interrupted().unwrap_or(false) {
            self.note(
                "a command was interrupted: the next one that writes finishes it or takes it back first",
            );
        }
    }

    /// Adds the paths that a verb left alone. Links and special files are listed only when `verbose`, else counted.
    pub(crate) fn left_alone(&mut self, paths: &[LeftAlone], verbose: bool) {
        let (partial, usual): (Vec<_>, Vec<_>) = paths.iter().partition(|left| left.reason.is_partial());
        for left in partial {
            self.problem(format!("{}: {}", left.path, left.reason));
        }
        if verbose {
            for left in usual {
                self.note(format!("{}: {}", left.path, left.reason));
            }
        } else if !usual.is_empty() {
            let number = human::count(usual.len(), "link or special file", "links or special files");
            self.note(format!("{number} left as they are; -v names them"));
        }
    }

    /// Adds one problem for each path, with the same explanation.
    pub(crate) fn each<'a>(&mut self, paths: impl IntoIterator<Item = &'a RelPath>, why: &str) {
        for path in paths {
            self.problem(format!("{path}: {why}"));
        }
    }
}

/// The paths that a verb left alone, for programs.
pub(crate) fn left_alone_json(paths: &[LeftAlone]) -> Json {
    Json::list(paths.iter().map(|left| {
        Json::object([
            ("path", (&left.path).into()),
            ("reason", left.reason.name().into()),
            ("message", Json::display(&left.reason)),
        ])
    }))
}
