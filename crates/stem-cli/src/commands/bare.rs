//! `stem` alone: where one is, and what can be done now.

use stemvault::EntryRef;

use super::Place;
use super::repository::{newest_line, status_json};
use crate::failure::{Engine as _, Result, exit};
use crate::human;
use crate::json::Json;
use crate::report::{DIM, NAME, Report};
use crate::ui::Ui;

/// A command and what it does now.
type Hint = (&'static str, &'static str);

pub(super) fn run(place: &Place, ui: &Ui) -> Result<Report> {
    let vault = match place.open() {
        Ok(vault) => vault,
        Err(failure) if failure.exit == exit::NO_REPOSITORY => return Ok(outside(ui)),
        Err(failure) => return Err(failure),
    };
    let status = vault.stash().status(&ui.bars()).told()?;
    let mut hints: Vec<Hint> = Vec::new();
    if !status.changes.is_empty() {
        hints.push(("stem status", "show what differs"));
        hints.push(("stem stash -m TEXT", "put the changes on the shelf"));
        hints.push(("stem snapshot -m TEXT", "record them as HEAD"));
    }
    if status.entries > 0 {
        if status.newest.as_ref().is_some_and(|newest| newest.entry.is_ok()) {
            hints.push(("stem stash pop", "bring the newest entry back"));
        }
        hints.push(("stem stash list", "show all entries"));
    }
    if vault.stash().undo_list().is_ok_and(|list| list.items.iter().any(|item| !item.undone)) {
        hints.push(("stem stash undo", "take back what the stash did last"));
    }
    hints.push(("stem --help", "everything else"));
    let mut report = Report::new(
        ui,
        || {
            Json::object([
                ("repository", Json::path(vault.repository().root())),
                ("status", status_json(&status)),
                ("next", hints_json(&hints)),
            ])
        },
        |report| {
            let changes = match status.changes.len() {
                _ if !status.head_known => "what files HEAD has is unknown".to_owned(),
                _ if status.commit.is_none() => {
                    format!("{}, nothing recorded yet", human::count(status.files, "file", "files"))
                }
                0 => "nothing changed since HEAD".to_owned(),
                number => format!("{} since HEAD", human::count(number, "change", "changes")),
            };
            report.line(format_args!("On branch {NAME}{}{NAME:#}: {changes}", status.branch));
            if let Some(newest) = &status.newest {
                report.line(format_args!("{}", stack_line(status.entries, newest)));
            }
            print_hints(report, &hints);
        },
    );
    report.interrupted(&vault);
    Ok(report)
}

fn outside(ui: &Ui) -> Report {
    let hints: &[Hint] = &[
        ("stem demo", "see the whole job on a generated session"),
        ("stem init", "make this directory a repository"),
        ("stem --help", "everything else"),
    ];
    Report::new(
        ui,
        || Json::object([("repository", Json::Null), ("status", Json::Null), ("next", hints_json(hints))]),
        |report| {
            report.line(format_args!("There is no repository here."));
            print_hints(report, hints);
        },
    )
}

fn stack_line(entries: usize, newest: &EntryRef) -> String {
    format!("{} on the shelf, newest: {}", human::count(entries, "entry", "entries"), newest_line(newest))
}

fn print_hints(report: &mut Report, hints: &[Hint]) {
    let width = hints.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    for (command, what) in hints {
        report.line(format_args!("  {command:width$}  {DIM}{what}{DIM:#}"));
    }
}

fn hints_json(hints: &[Hint]) -> Json {
    Json::list(
        hints
            .iter()
            .map(|&(command, what)| Json::object([("command", command.into()), ("what", what.into())])),
    )
}
