//! Reading the arguments, and what is said when they lead to no command.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use stemvault::format::text::PyStr;

use super::Cli;
use crate::failure::Failure;
use crate::json::Json;
use crate::report::Report;
use crate::ui::Ui;

/// Arguments that led to no command.
pub(crate) enum Unread {
    /// Help or the version was asked for.
    Told(Report),
    /// They make no sense.
    Usage(Failure),
}

impl Cli {
    /// Reads the arguments of the process.
    pub(crate) fn read(args: &[OsString], ui: &Ui) -> Result<Self, Unread> {
        let mut command = Self::command().color(ui.clap_color());
        command
            .try_get_matches_from_mut(args)
            .and_then(|matches| Ok(Self { long: is_long(&matches), ..Self::from_arg_matches(&matches)? }))
            .map_err(|error| unread(&error.format(&mut command), ui))
    }
}

/// Commands that tell much and ask nothing.
const LONG: [&[&str]; 5] =
    [&["status"], &["stash", "list"], &["stash", "show"], &["stash", "diff"], &["object", "list"]];

fn is_long(matches: &ArgMatches) -> bool {
    let (mut words, mut level) = (Vec::new(), Some(matches));
    while let Some((name, below)) = level.and_then(ArgMatches::subcommand) {
        words.push(name);
        level = Some(below);
    }
    LONG.contains(&words.as_slice())
}

fn unread(error: &clap::Error, ui: &Ui) -> Unread {
    // The parser quotes what it does not understand, also a URL with a password that has no place there.
    let rendered = error.render();
    let plain = stemvault::hide_passwords(&rendered.to_string());
    let key = match error.kind() {
        ErrorKind::DisplayHelp => "help",
        ErrorKind::DisplayVersion => "version",
        ErrorKind::UnknownArgument if let Some(message) = unknown_stash_command(error) => {
            return Unread::Usage(Failure::usage(stemvault::hide_passwords(&message)));
        }
        ErrorKind::InvalidSubcommand if let Some(message) = command_of_another(error) => {
            return Unread::Usage(Failure::usage(stemvault::hide_passwords(&message)));
        }
        _ => {
            let message = plain.strip_prefix("error: ").unwrap_or(&plain);
            let message = message.split("\n\nUsage:").next().unwrap_or(message).trim();
            let styled = Some(stemvault::hide_passwords(&rendered.ansi().to_string()));
            return Unread::Usage(Failure { styled, ..Failure::usage(message) });
        }
    };
    Unread::Told(Report::new(
        ui,
        || Json::object([(key, plain.trim_end().into())]),
        |report| report.out = rendered.ansi().to_string(),
    ))
}

/// `stem pop`, which people type who know the stash of another program.
fn command_of_another(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let command = Cli::command();
    if command.get_name() != error_command(error)? {
        return None;
    }
    let has = |sub: &&clap::Command| sub.get_subcommands().any(|below| below.get_name() == word);
    let above = command.get_subcommands().filter(has).map(clap::Command::get_name);
    let meant: Vec<String> = above.map(|above| format!("`stem {above} {word}`")).collect();
    let (last, rest) = meant.split_last()?;
    let meant = if rest.is_empty() { last.clone() } else { format!("{} or {last}", rest.join(", ")) };
    Some(format!("`stem {word}` is unknown: did you mean {meant}?"))
}

/// The outermost command, if the error is about a word right after it.
fn error_command(error: &clap::Error) -> Option<&'static str> {
    let usage = error.get(ContextKind::Usage)?.to_string();
    usage.contains("stem [").then_some("stem")
}

/// The parser takes a mistyped command of `stem stash` for a PATH in the wrong place, and has no suggestion for that.
fn unknown_stash_command(error: &clap::Error) -> Option<String> {
    let usage = error.get(ContextKind::Usage)?.to_string();
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    if !usage.contains("stem stash [") || word.starts_with('-') {
        return None;
    }
    let likeness = |name: &str| strsim::damerau_levenshtein(name, word);
    let mut command = Cli::command();
    let names = command.find_subcommand_mut("stash")?.get_subcommands().map(|sub| sub.get_name().to_owned());
    let closest = names.min_by_key(|name| likeness(name)).filter(|name| likeness(name) <= 2);
    let word = PyStr::from(word.as_str());
    let meant = closest.map(|name| format!("did you mean `stem stash {name}`? ")).unwrap_or_default();
    Some(format!("`stem stash {word}` is unknown: {meant}To save a PATH, write `stem stash push {word}`"))
}
