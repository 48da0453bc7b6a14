//! `stem stash list`.

use stemvault::{EntryRef, StashEntry, Vault};

use super::scope_words;
use crate::failure::{Engine as _, Result, exit};
use crate::human;
use crate::json::Json;
use crate::report::{BAD, DIM, NAME, Report};
use crate::ui::Ui;

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

/// The fields of an entry that the reference has.
pub(super) fn entry_fields(index: usize, stash_id: &str, entry: &StashEntry) -> [(&'static str, Json); 8] {
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
