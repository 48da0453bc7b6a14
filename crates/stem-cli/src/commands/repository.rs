//! `init`, `status` and `snapshot`.

use std::path::Path;

use stemvault::{
    Change, ChangeKind, EntryRef, RelPath, SnapshotOptions, SnapshotResult, StatusResult, Vault,
};

use super::stash::{diff, show::problems};
use crate::args::{SnapshotArgs, ViewArgs};
use crate::failure::{Engine as _, Failure, Result};
use crate::human;
use crate::inspect::canvas::Canvas;
use crate::inspect::look::{Seen, Wants, look};
use crate::inspect::pairs::{self, Pairs};
use crate::inspect::{self, stat, table};
use crate::json::Json;
use crate::progress::Bars;
use crate::report::{BAD, DIM, GOOD, NAME, Report, left_alone_json};
use crate::ui::Ui;

/// Digits of a commit's id that people are shown.
const SHORT: usize = 12;

pub(super) fn init(dir: &Path, ui: &Ui) -> Result<Report> {
    let absolute = std::path::absolute(dir).map_err(|error| {
        Failure::io(&format!("cannot find the absolute path of '{}'", human::path(dir)), dir, &error)
    })?;
    let vault = Vault::init(&absolute).told()?;
    let repository = vault.repository();
    Ok(Report::new(
        ui,
        || {
            Json::object([
                ("root", Json::path(repository.root())),
                ("working_tree", Json::path(repository.working_tree())),
            ])
        },
        |report| {
            report.line(format_args!("Made a repository in '{}'.", human::path(repository.root())));
            report.line(format_args!(
                "The session goes into '{}'; `stem snapshot` records it.",
                human::path(repository.working_tree())
            ));
        },
    ))
}

pub(super) fn status(vault: &Vault, view: ViewArgs, ui: &Ui) -> Result<Report> {
    let bars = ui.bars();
    let status = vault.stash().status(&bars).told()?;
    let looked = Looked::new(vault, &status, view, ui, &bars)?;
    drop(bars);
    let mut report = Report::new(
        ui,
        || match &looked {
            None => status_json(&status),
            Some(looked) => looked.json(status_json(&status)),
        },
        |report| status_text(&status, looked.as_ref(), report),
    );
    if let Some(looked) = &looked {
        problems(&mut report, &looked.pairs.pairs, &looked.seen);
    }
    if !status.head_known {
        report.note(
            "HEAD's commit was not found: name Muse's database with --database-url URL, or give its files to `stem stash` \
             with --head-manifest FILE",
        );
    }
    report.left_alone(&status.left_alone, ui.verbose());
    report.interrupted(vault);
    Ok(report)
}

/// The changes, looked into: with -v, and with what only makes sense so.
struct Looked {
    pairs: Pairs,
    seen: Vec<Seen>,
    canvas: Canvas,
    stat: bool,
}

impl Looked {
    fn new(
        vault: &Vault,
        status: &StatusResult,
        view: ViewArgs,
        ui: &Ui,
        bars: &Bars,
    ) -> Result<Option<Self>> {
        let asked = ui.verbose() || view.waveform || view.stat;
        if !asked || status.changes.is_empty() {
            return Ok(None);
        }
        let pairs = pairs::of_head(vault, status)?;
        let canvas = Canvas::of_stdout();
        let wants = if view.stat { Wants::default() } else { diff::wants(view.waveform, canvas) };
        let seen = look(vault, &pairs.pairs, wants, bars)?;
        Ok(Some(Self { pairs, seen, canvas, stat: view.stat }))
    }

    /// The document of `status`, with more about each change.
    fn json(&self, document: Json) -> Json {
        let Json::Object(mut fields) = document else { return document };
        let mut changes: Vec<(&RelPath, Json)> = self
            .pairs
            .pairs
            .iter()
            .zip(&self.seen)
            .map(|(pair, seen)| (&pair.file.path, inspect::json::change_with_kind(pair, seen)))
            .collect();
        changes.sort_by(|a, b| a.0.cmp(b.0));
        for (key, value) in &mut fields {
            if key == "\"changes\"" {
                *value =
                    Json::List(std::mem::take(&mut changes).into_iter().map(|(_, change)| change).collect());
            }
        }
        fields.push(("\"inspect_version\"".to_owned(), inspect::json::VERSION.into()));
        Json::Object(fields)
    }

    fn text(&self, report: &mut Report) {
        if self.stat {
            stat::stat(report, &self.pairs.pairs, self.canvas);
        } else {
            table::changes(report, &self.pairs.pairs, &self.seen, self.canvas);
            report.line(format_args!(""));
        }
    }
}

fn status_text(status: &StatusResult, looked: Option<&Looked>, report: &mut Report) {
    let commit = match &status.commit {
        Some(commit) => format!("commit {}", short(commit)),
        None => "no commits yet".to_owned(),
    };
    report.line(format_args!("On branch {NAME}{}{NAME:#}, {commit}", status.branch));
    let files = human::count(status.files, "file", "files");
    if !status.head_known {
        report.line(format_args!(
            "{files} in the working tree; what files HEAD has is unknown, so nothing can be compared."
        ));
    } else if status.commit.is_none() && status.changes.is_empty() {
        report.line(format_args!("There are no files yet."));
    } else if status.changes.is_empty() {
        report.line(format_args!("Nothing changed since HEAD ({files})."));
    } else {
        let changes = human::count(status.changes.len(), "change", "changes");
        if status.commit.is_none() {
            report.line(format_args!("{files}, not recorded yet:"));
        } else {
            report.line(format_args!("{changes} since HEAD ({files}):"));
        }
        let plain = if looked.is_some() { &[][..] } else { &status.changes };
        for Change { path, kind } in plain {
            let style = match kind {
                ChangeKind::Added => GOOD,
                ChangeKind::Deleted => BAD,
                ChangeKind::Modified => NAME,
            };
            report.line(format_args!("  {style}{:<9}{style:#} {path}", kind_name(*kind)));
        }
        if let Some(looked) = looked {
            looked.text(report);
        }
    }
    match &status.newest {
        Some(newest) => {
            let entries = human::count(status.entries, "entry", "entries");
            report.line(format_args!("Stash: {entries}, newest: {}", newest_line(newest)));
        }
        None => report.line(format_args!("Stash: empty")),
    }
    let objects = human::count(status.objects, "object", "objects");
    report.line(format_args!("Store: {objects}, {}", human::size(status.object_bytes)));
}

/// The newest entry in a few words.
pub(super) fn newest_line(newest: &EntryRef) -> String {
    match &newest.entry {
        Ok(entry) => format!("{} {DIM}({}){DIM:#}", entry.message, human::age(entry.created())),
        Err(_) => format!("{} {DIM}(unreadable){DIM:#}", newest.stash_id),
    }
}

pub(super) fn status_json(status: &StatusResult) -> Json {
    let newest = status.newest.as_ref().map(|newest| {
        let message = newest.entry.as_ref().ok().map(|entry| Json::from(&entry.message));
        Json::object([
            ("index", newest.index.into()),
            ("stash_id", (&newest.stash_id).into()),
            ("message", message.unwrap_or(Json::Null)),
        ])
    });
    Json::object([
        ("branch", (&status.branch).into()),
        ("commit", status.commit.as_ref().map_or(Json::Null, Json::display)),
        ("head_known", status.head_known.into()),
        ("files", status.files.into()),
        (
            "changes",
            Json::list(status.changes.iter().map(|change| {
                Json::object([("path", (&change.path).into()), ("kind", kind_name(change.kind).into())])
            })),
        ),
        (
            "stash",
            Json::object([("entries", status.entries.into()), ("newest", newest.unwrap_or(Json::Null))]),
        ),
        ("store", Json::object([("objects", status.objects.into()), ("bytes", status.object_bytes.into())])),
        ("left_alone", left_alone_json(&status.left_alone)),
    ])
}

pub(super) fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Modified => "modified",
        ChangeKind::Deleted => "deleted",
    }
}

fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(SHORT).collect()
}

pub(super) fn snapshot(vault: &Vault, args: SnapshotArgs, ui: &Ui) -> Result<Report> {
    let options = SnapshotOptions { message: args.message, author: args.author };
    let result = vault.stash().snapshot(&options, &ui.bars()).told()?;
    let mut report = Report::new(ui, || snapshot_json(&result), |report| snapshot_text(&result, report));
    report.left_alone(&result.left_alone, ui.verbose());
    Ok(report)
}

fn snapshot_text(result: &SnapshotResult, report: &mut Report) {
    let commit = short(&result.commit_id);
    if result.unchanged {
        report.line(format_args!(
            "Nothing to record: the working tree is what commit {NAME}{commit}{NAME:#} has."
        ));
        return;
    }
    let files = human::count(result.files, "file", "files");
    let (size, new) = (human::size(result.bytes), human::size(result.bytes_written));
    let branch = &result.branch;
    report.line(format_args!(
        "Recorded {files} ({size}, {new} of it new) as commit {NAME}{commit}{NAME:#} on branch {branch}."
    ));
}

fn snapshot_json(result: &SnapshotResult) -> Json {
    Json::object([
        ("commit_id", Json::display(result.commit_id)),
        ("snapshot_id", Json::display(result.snapshot_id)),
        ("branch", (&result.branch).into()),
        ("files", result.files.into()),
        ("bytes", result.bytes.into()),
        ("bytes_written", result.bytes_written.into()),
        ("unchanged", result.unchanged.into()),
        ("left_alone", left_alone_json(&result.left_alone)),
    ])
}
