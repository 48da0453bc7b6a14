//! `stem stash list` and `stem stash show`.

use stemvault::{EntryRef, ShownEntry, StashEntry, Vault};

use super::scope_words;
use crate::failure::{Engine as _, Result, exit};
use crate::human;
use crate::json::Json;
use crate::report::{BAD, BOLD, DIM, NAME, Report};
use crate::ui::Ui;

/// Room for a size: `1023.9 MiB`.
const SIZE_WIDTH: usize = 10;

pub(super) fn list(vault: &Vault, ui: &Ui) -> Result<Report> {
    let entries = vault.stash().list().told()?;
    let mut report = Report::new(
        ui,
        || Json::object([("entries", Json::list(entries.iter().map(entry_json)))]),
        |report| list_text(&entries, ui, report),
    );
    if entries.iter().any(|entry| entry.entry.is_err()) {
        report.exit = exit::PARTIAL;
    }
    report.interrupted(vault);
    Ok(report)
}

fn list_text(entries: &[EntryRef], ui: &Ui, report: &mut Report) {
    if entries.is_empty() {
        report.line(format_args!("The stash is empty. `stem stash -m TEXT` saves work in progress."));
        return;
    }
    // Everything that is padded is ASCII; names in the user's own script come last.
    let rows = entries.iter().map(|listed| {
        let name = format!("stash@{{{}}}", listed.index);
        match &listed.entry {
            Ok(entry) => {
                let files = human::count(entry.manifest.len(), "file", "files");
                let bytes = bytes(entry).map(human::size).unwrap_or_default();
                [name, human::age(entry.created()), files, bytes]
            }
            Err(_) => [name, String::new(), String::new(), String::new()],
        }
    });
    let rows: Vec<[String; 4]> = rows.collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [w0, w1, w2, w3] = [width(0), width(1), width(2), width(3)];
    for ([name, age, files, bytes], listed) in rows.iter().zip(entries) {
        match &listed.entry {
            Ok(entry) => {
                let scope = scope_words(entry.track.as_ref(), entry.section.as_ref());
                let scope = if scope.is_empty() { scope } else { format!(", {scope}") };
                report.line(format_args!(
                    "{NAME}{name:<w0$}{NAME:#}  {DIM}{age:<w1$}  {files:>w2$}  {bytes:>w3$}{DIM:#}  {}  {DIM}({}{scope}){DIM:#}",
                    entry.message, entry.branch
                ));
                if ui.verbose() {
                    report.line(format_args!("{:w0$}  {DIM}{}{DIM:#}", "", listed.stash_id));
                }
            }
            Err(reason) => {
                let id = &listed.stash_id;
                report
                    .line(format_args!("{NAME}{name:<w0$}{NAME:#}  {BAD}unreadable:{BAD:#} {reason} ({id})"));
            }
        }
    }
}

/// The bytes of an entry's files, where the entry says so.
fn bytes(entry: &StashEntry) -> Option<u64> {
    let files = &entry.stem.as_ref()?.files;
    let complete = files.len() == entry.manifest.len();
    complete.then(|| files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size)))
}

fn entry_json(listed: &EntryRef) -> Json {
    match &listed.entry {
        Ok(entry) => Json::object(entry_fields(listed.index, &listed.stash_id, entry)),
        Err(reason) => Json::object([
            ("index", listed.index.into()),
            ("stash_id", (&listed.stash_id).into()),
            ("branch", Json::Null),
            ("message", Json::Null),
            ("created_at", Json::Null),
            ("track", Json::Null),
            ("section", Json::Null),
            ("manifest", Json::Null),
            ("unreadable", reason.into()),
            ("path", Json::path(&listed.file)),
        ]),
    }
}

fn entry_fields(index: usize, stash_id: &str, entry: &StashEntry) -> [(&'static str, Json); 8] {
    [
        ("index", index.into()),
        ("stash_id", stash_id.into()),
        ("branch", (&entry.branch).into()),
        ("message", (&entry.message).into()),
        ("created_at", (&entry.created_at).into()),
        ("track", entry.track.as_ref().into()),
        ("section", entry.section.as_ref().into()),
        ("manifest", Json::by_path(entry.manifest.iter().map(|(path, id)| (path, id.into())))),
    ]
}

pub(super) fn show(vault: &Vault, reference: &str, ui: &Ui) -> Result<Report> {
    let shown = vault.stash().show(reference).told()?;
    let mut report = Report::new(ui, || show_json(&shown), |report| show_text(&shown, ui, report));
    let missing = shown.files.iter().filter(|file| file.size.is_none());
    report.each(missing.map(|file| &file.path), "its object is not in the store");
    report.interrupted(vault);
    Ok(report)
}

fn show_text(shown: &ShownEntry, ui: &Ui, report: &mut Report) {
    let ShownEntry { index, stash_id, entry, files } = shown;
    report.line(format_args!("{NAME}stash@{{{index}}}{NAME:#}: {BOLD}{}{BOLD:#}", entry.message));
    let time = entry.created().map_or_else(|| entry.created_at.to_string(), human::minute);
    let scope = scope_words(entry.track.as_ref(), entry.section.as_ref());
    let scope = if scope.is_empty() { String::new() } else { format!(", {scope}") };
    report.line(format_args!(
        "On branch {}{scope}, saved {} ({time})",
        entry.branch,
        human::age(entry.created())
    ));
    if ui.verbose() {
        report.line(format_args!("{stash_id}"));
    }
    for file in files {
        let id = if ui.verbose() { format!("{DIM}{}{DIM:#}  ", file.id) } else { String::new() };
        match file.size {
            Some(size) => report.line(format_args!("{:>SIZE_WIDTH$}  {id}{}", human::size(size), file.path)),
            None => report.line(format_args!("{BAD}{:>SIZE_WIDTH$}{BAD:#}  {id}{}", "missing", file.path)),
        }
    }
    report.line(format_args!("{}", human::files(files.len(), total(shown))));
}

fn total(shown: &ShownEntry) -> u64 {
    shown.files.iter().filter_map(|file| file.size).fold(0, u64::saturating_add)
}

fn show_json(shown: &ShownEntry) -> Json {
    let files = shown.files.iter().map(|file| {
        Json::object([
            ("path", (&file.path).into()),
            ("object_id", (&file.id).into()),
            ("size", file.size.into()),
        ])
    });
    let missing = shown.files.iter().filter(|file| file.size.is_none()).map(|file| &file.path);
    let mut fields: Vec<(String, Json)> = Vec::new();
    let more =
        [("files", Json::list(files)), ("bytes", total(shown).into()), ("missing", Json::list(missing))];
    for (key, value) in entry_fields(shown.index, &shown.stash_id, &shown.entry).into_iter().chain(more) {
        fields.push((format!("\"{key}\""), value));
    }
    Json::Object(fields)
}
