//! `stem stash undo`.

use std::collections::HashSet;

use stemvault::format::stamp::Stamp;
use stemvault::format::text::PyStr;
use stemvault::{LeftAlone, RelPath, UndoItem, UndoList, UndoOptions, UndoResult, Vault};

use super::planned;
use crate::args::UndoArgs;
use crate::failure::{Engine as _, Result, exit};
use crate::human;
use crate::json::Json;
use crate::report::{DIM, NAME, Report, left_alone_json};
use crate::ui::Ui;

pub(super) fn undo(vault: &Vault, args: &UndoArgs, ui: &Ui) -> Result<Report> {
    if args.list {
        return list(vault, ui);
    }
    let options = UndoOptions { force: args.force, dry_run: args.dry_run };
    let bars = ui.bars();
    let stash = vault.stash();
    let result = if args.redo { stash.redo(options, &bars) } else { stash.undo(options, &bars) }.told()?;
    let mut report = Report::new(
        ui,
        || json(&result, args.dry_run),
        |report| if args.dry_run { foretell(&result, report) } else { text(&result, report) },
    );
    for LeftAlone { path, reason } in &result.left_alone {
        report.problem(format!("{path}: {reason}"));
    }
    let named: HashSet<&RelPath> = result.left_alone.iter().map(|LeftAlone { path, .. }| path).collect();
    let missing = result.missing.iter().filter(|path| !named.contains(path));
    report.each(missing, "what stood there is not in the store any more");
    if result.entries_kept && !args.dry_run {
        report.problem("the entry stays on the stack, because not all of it could be brought back");
    }
    if result.is_partial() && !args.dry_run {
        report.note("to go back all the way: `stem stash undo --redo`, then `stem stash undo --force`");
    }
    Ok(report)
}

/// `the pop of 'chorus WIP'`.
fn name(result: &UndoResult) -> String {
    let message = PyStr::from(result.message.as_str());
    let of = if message.is_empty() { String::new() } else { format!(" of '{message}'") };
    format!("the {}{of}", result.verb)
}

fn text(result: &UndoResult, report: &mut Report) {
    let done = if result.redo { "Did again" } else { "Undid" };
    report.line(format_args!("{done} {}, {}.", name(result), human::age(result.done_at)));
    if result.files_restored > 0 {
        let files = human::files(result.files_restored, result.bytes_restored);
        report.line(format_args!("{files} {}.", are(result.files_restored, "as before")));
    }
    if result.files_removed > 0 {
        let files = human::count(result.files_removed, "file", "files");
        report.line(format_args!(
            "{files} {}, for nothing was there before.",
            are(result.files_removed, "gone")
        ));
    }
    for on_stack in [true, false] {
        let number = result.entries.iter().filter(|entry| entry.on_stack == on_stack).count();
        if number > 0 {
            let entries = human::count(number, "stash entry", "stash entries");
            let state = if on_stack { "back on the stack" } else { "off the stack" };
            report.line(format_args!("{entries} {}.", are(number, state)));
        }
    }
    let back = if result.redo { "stem stash undo" } else { "stem stash undo --redo" };
    report.line(format_args!("{DIM}`{back}` takes that back.{DIM:#}"));
}

fn are(number: usize, state: &str) -> String {
    format!("{} {state}", if number == 1 { "is" } else { "are" })
}

fn foretell(result: &UndoResult, report: &mut Report) {
    let would = if result.redo { "Would do again" } else { "Would undo" };
    report.line(format_args!("{would} {}, {}.", name(result), human::age(result.done_at)));
    for entry in &result.entries {
        let verb = if entry.on_stack { "put back on the stack" } else { "taken off the stack" };
        report.line(format_args!("{NAME}{}{NAME:#} would be {verb}.", entry.stash_id));
    }
    planned::lines(&result.plan, report);
}

fn json(result: &UndoResult, dry_run: bool) -> Json {
    let entries = result.entries.iter().map(|entry| {
        Json::object([("stash_id", (&entry.stash_id).into()), ("on_stack", entry.on_stack.into())])
    });
    let mut json = Json::object([
        ("id", (&result.id).into()),
        ("verb", result.verb.name().into()),
        ("redo", result.redo.into()),
        ("message", (&result.message).into()),
        ("done_at", time(result.done_at)),
        ("files_restored", result.files_restored.into()),
        ("bytes_restored", result.bytes_restored.into()),
        ("files_removed", result.files_removed.into()),
        ("entries", Json::list(entries)),
        ("entries_kept", result.entries_kept.into()),
        ("missing", Json::list(&result.missing)),
        ("left_alone", left_alone_json(&result.left_alone)),
        ("bytes_saved", result.bytes_saved.into()),
    ]);
    if dry_run {
        planned::add(&mut json, &result.plan);
    }
    json
}

fn time(at: Option<Stamp>) -> Json {
    at.map_or(Json::Null, |at| Json::from(at.to_iso().as_str()))
}

fn list(vault: &Vault, ui: &Ui) -> Result<Report> {
    let list = vault.stash().undo_list().told()?;
    let mut report = Report::new(ui, || list_json(&list), |report| list_text(&list, ui, report));
    for problem in &list.unreadable {
        report.problem(problem.clone());
    }
    if !list.unreadable.is_empty() {
        report.exit = exit::PARTIAL;
    }
    report.interrupted(vault);
    Ok(report)
}

fn list_text(list: &UndoList, ui: &Ui, report: &mut Report) {
    if list.items.is_empty() {
        report.line(format_args!("There is nothing to undo."));
        return;
    }
    let what = |item: &UndoItem| {
        let part =
            |number: usize, one: &str, many: &str| (number > 0).then(|| human::count(number, one, many));
        let parts = [part(item.files, "file", "files"), part(item.entries, "entry", "entries")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let age = |item: &UndoItem| human::age(item.at);
    let width =
        |of: &dyn Fn(&UndoItem) -> String| list.items.iter().map(|item| of(item).len()).max().unwrap_or(0);
    let (ages, whats) = (width(&age), width(&what));
    for item in &list.items {
        let (sign, word) = if item.undone { ('+', "redo") } else { ('-', "undo") };
        let name = format!("{word} {sign}{}", item.steps);
        let message = PyStr::from(item.message.as_str());
        let expires = item.expires.map_or_else(|| "never".to_owned(), human::minute);
        report.line(format_args!(
            "{NAME}{name:<9}{NAME:#} {:<5}  {DIM}{:<ages$}  {:<whats$}{DIM:#}  {message}  {DIM}(until {expires}){DIM:#}",
            item.verb.name(),
            age(item),
            what(item),
        ));
        if ui.verbose() {
            report.line(format_args!("{:9} {DIM}{}{DIM:#}", "", item.id));
        }
    }
}

fn list_json(list: &UndoList) -> Json {
    let items = list.items.iter().map(|item| {
        Json::object([
            ("id", (&item.id).into()),
            ("undone", item.undone.into()),
            ("steps", item.steps.into()),
            ("at", time(item.at)),
            ("verb", item.verb.name().into()),
            ("message", (&item.message).into()),
            ("files", item.files.into()),
            ("entries", item.entries.into()),
            ("expires", time(item.expires)),
        ])
    });
    let unreadable = list.unreadable.iter().map(|text| Json::from(text.as_str()));
    Json::object([("items", Json::list(items)), ("unreadable", Json::list(unreadable))])
}
