//! The only place that prints.
//!
//! Standard output carries the answer, as text or as exactly one JSON document; everything said on the way goes to
//! standard error. Colours follow `--color`, and without it the terminal, `NO_COLOR` and `CLICOLOR_FORCE`. A reader of
//! standard output that has gone away is no error: what was to be done is done, only nobody wants to read of it.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::process::ExitCode;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::args::{Color, Global};
use crate::failure::{Failure, Result, exit};
use crate::pager;
use crate::progress::Bars;
use crate::report::Report;

/// `error:`
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// How to speak to whoever called.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that the user gives or not")]
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
    verbose: bool,
    progress: bool,
    color: ColorChoice,
    pager: bool,
    /// Whether the answer is one that people read page by page.
    long: bool,
}

impl Ui {
    /// What the raw arguments say, for errors that come before they can be read.
    pub(crate) fn scan(args: &[OsString]) -> Self {
        let mut ui = Self {
            json: false,
            quiet: false,
            verbose: false,
            progress: false,
            color: ColorChoice::Auto,
            pager: true,
            long: false,
        };
        let mut words = args.iter().skip(1).take_while(|arg| *arg != "--").peekable();
        while let Some(word) = words.next() {
            let color = match word.to_str() {
                Some("--json") => {
                    ui.json = true;
                    None
                }
                Some("--no-pager") => {
                    ui.pager = false;
                    None
                }
                Some("--color") => words.peek().and_then(|next| next.to_str()),
                Some(other) => other.strip_prefix("--color="),
                None => None,
            };
            match color {
                Some("always") => ui.color = ColorChoice::Always,
                Some("never") => ui.color = ColorChoice::Never,
                _ => {}
            }
        }
        ui
    }

    /// What the arguments say now that they have been read.
    pub(crate) fn new(global: &Global) -> Self {
        let color = match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let progress = !global.no_progress && !global.quiet && !dumb && io::stderr().is_terminal();
        let pager = !global.no_pager;
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            progress,
            color,
            pager,
            long: false,
        }
    }

    /// For an answer that may be long.
    pub(crate) fn long(self) -> Self {
        Self { long: true, ..self }
    }

    /// Whether a program reads the answer.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Whether only errors are wanted.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether more is wanted.
    pub(crate) fn verbose(&self) -> bool {
        self.verbose
    }

    /// The colours of the parser's own messages.
    pub(crate) fn clap_color(&self) -> clap::ColorChoice {
        match self.color {
            ColorChoice::Always | ColorChoice::AlwaysAnsi => clap::ColorChoice::Always,
            ColorChoice::Never => clap::ColorChoice::Never,
            ColorChoice::Auto => clap::ColorChoice::Auto,
        }
    }

    /// Progress bars where they are wanted; signals are heeded from here on.
    pub(crate) fn bars(&self) -> Bars {
        Bars::new(self.progress, self.quiet, self.color)
    }

    /// Raw bytes to standard output, for data that is no report.
    pub(crate) fn raw(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let written = write(&mut out).and_then(|()| out.flush());
        // What is still in the buffer was refused once; trying again on drop would only fail again.
        let _ = out.into_parts();
        accept_closed(written).map_err(|error| closed(&error))
    }

    /// A line of a report that grows while the command runs; silent where a document follows.
    pub(crate) fn live(&self, line: fmt::Arguments<'_>) -> Result<()> {
        if self.json || self.quiet { Ok(()) } else { self.print(&format!("{line}\n")) }
    }

    /// Asks a question on the terminal; `None` when there is nobody to ask.
    pub(crate) fn confirm(&self, question: &str) -> Option<bool> {
        if self.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        self.say_error(format_args!("{question} [y/N] "));
        let mut answer = String::new();
        // End of input, or an input that cannot be read, is a no.
        let _ = io::stdin().lock().read_line(&mut answer);
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Prints what a command reports and returns its exit code.
    pub(crate) fn tell(&self, report: Report) -> ExitCode {
        let Report { out, problems, json, exit } = report;
        let written = match json {
            Some(json) => Self::raw(|out| writeln!(out, "{json}")),
            None if self.quiet => Ok(()),
            None => self.print(&out),
        };
        for problem in problems {
            if !(self.quiet && problem.harmless) {
                let (style, word) =
                    if problem.harmless { (Style::new(), "note") } else { (WARNING, "warning") };
                self.say_error(format_args!("{style}{word}:{style:#} {}\n", problem.text));
            }
        }
        match written {
            Ok(()) => exit.into(),
            Err(failure) => self.fail(&failure),
        }
    }

    /// Prints why a command failed and returns its exit code.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        if self.json {
            // When this cannot be printed there is no one left to tell.
            let _ = Self::raw(|out| writeln!(out, "{}", failure.to_json()));
        } else if let Some(styled) = &failure.styled {
            self.say_error(format_args!("{styled}"));
        } else {
            let hint = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            self.say_error(format_args!("{ERROR}error:{ERROR:#} {}{hint}\n", failure.message));
        }
        failure.exit.into()
    }

    fn print(&self, text: &str) -> Result<()> {
        if self.long && self.pager && io::stdout().is_terminal() {
            let plain = self.choice(&io::stdout()) == ColorChoice::Never;
            let shown = if plain { strip_str(text).to_string() } else { text.to_owned() };
            if pager::show(&shown) {
                return Ok(());
            }
        }
        let mut out = AutoStream::new(io::stdout().lock(), self.choice(&io::stdout()));
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        accept_closed(written).map_err(|error| closed(&error))
    }

    /// Messages on standard error are for whoever looks; that nobody does is no reason to fail.
    fn say_error(&self, message: fmt::Arguments<'_>) {
        let mut err = AutoStream::new(io::stderr().lock(), self.choice(&io::stderr()));
        let _ = err.write_fmt(message).and_then(|()| err.flush());
    }

    fn choice(&self, stream: &impl anstream::stream::RawStream) -> ColorChoice {
        match self.color {
            ColorChoice::Auto => AutoStream::choice(stream),
            told => told,
        }
    }
}

/// A warning while a command runs.
pub(crate) fn warn(color: ColorChoice, message: &str) {
    let ui = Ui { color, ..Ui::scan(&[]) };
    ui.say_error(format_args!("{WARNING}warning:{WARNING:#} {message}\n"));
}

fn accept_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn closed(error: &io::Error) -> Failure {
    Failure {
        exit: exit::INTERNAL,
        ..Failure::user("io", format!("the answer could not be written to standard output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(words: &[&str]) -> Ui {
        let args: Vec<OsString> = std::iter::once(&"stem").chain(words).map(OsString::from).collect();
        Ui::scan(&args)
    }

    #[test]
    fn the_wish_for_json_is_known_before_the_arguments_are_read() {
        assert!(scan(&["stash", "frobnicate", "--json"]).json);
        assert!(!scan(&["object", "put", "--", "--json"]).json);
        assert_eq!(scan(&["--color", "never", "x"]).color, ColorChoice::Never);
        assert_eq!(scan(&["x", "--color=always"]).color, ColorChoice::Always);
        assert_eq!(scan(&["--color"]).color, ColorChoice::Auto);
    }
}
