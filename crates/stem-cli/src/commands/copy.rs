//! `stem copy`.

use std::path::Path;

use stemvault::{CopyOptions, CopyPlace, CopyResult, StoreUrl};

use crate::args::CopyArgs;
use crate::failure::{Engine as _, Result, exit};
use crate::human;
use crate::json::Json;
use crate::report::{GOOD, NAME, Report};
use crate::ui::Ui;

/// Objects and paths that people are shown without `-v`.
const SHOWN: usize = 10;

pub(super) fn copy(args: &CopyArgs, ui: &Ui) -> Result<Report> {
    let CopyArgs { from, to, stash, all, verify, dry_run } = args;
    let from = CopyPlace::source(from, Path::new(".")).told()?;
    let to = CopyPlace::target(to, Path::new(".")).told()?;
    let options = CopyOptions { entries: stash.clone(), all: *all, verify: *verify, dry_run: *dry_run };
    let bars = ui.bars();
    let result = stemvault::copy(&from, &to, &options, &bars).told()?;
    drop(bars);
    let mut report = Report::new(
        ui,
        || json(&result, &from, &to, *dry_run),
        |report| text(&result, &from, &to, *dry_run, report),
    );
    let shown = if ui.verbose() { usize::MAX } else { SHOWN };
    for bad in result.bad.iter().take(shown) {
        report.problem(format!("object {} was not copied: {}", bad.id, bad.reason));
    }
    for id in result.absent.iter().take(shown) {
        report.problem(format!("object {id} was not copied: '{}' does not have it", from.name()));
    }
    let more = result.bad.len().saturating_sub(shown) + result.absent.len().saturating_sub(shown);
    if more > 0 {
        report.problem(format!(
            "{} more were not copied; -v names them",
            human::count(more, "object", "objects")
        ));
    }
    for refused in &result.refused {
        report.problem(refused.clone());
    }
    for entry in result.entries.iter().filter(|entry| !entry.lacking.is_empty()) {
        let mut line = format!("{} was not added: objects of its files were not copied", entry.stash_id);
        for path in entry.lacking.iter().take(shown) {
            line = format!("{line}\n  {path}");
        }
        let more = entry.lacking.len().saturating_sub(shown);
        if more > 0 {
            line = format!("{line}\n  and {more} more");
        }
        report.problem(line);
    }
    if matches!(to, CopyPlace::Repository { .. })
        && result.entries.is_empty()
        && result.objects > 0
        && !dry_run
    {
        report.note("nothing in that repository needs these objects yet: its `stem gc` removes what nothing has needed for 14 days");
    }
    if !dry_run && sends_later(&args.to) {
        report.note(
            "what the store behind the cache does not have yet is in the cache and in its queue; it is sent while a program              has this store open, or before the end with write=through",
        );
    }
    if !result.is_complete() {
        report.exit = exit::PARTIAL;
    }
    Ok(report)
}

/// Whether the store takes objects before they are where they belong.
fn sends_later(to: &str) -> bool {
    let url = to.parse::<StoreUrl>();
    url.is_ok_and(|url| {
        url.scheme == "tiered" && url.options.get("write").is_some_and(|write| write == "back")
    })
}

fn text(result: &CopyResult, from: &CopyPlace, to: &CopyPlace, dry_run: bool, report: &mut Report) {
    let objects = human::count(result.objects, "object", "objects");
    let verb = if dry_run { "Would copy" } else { "Copied" };
    let present = match result.present {
        0 => String::new(),
        number => format!("; {number} ({}) there already", human::size(result.present_bytes)),
    };
    report.line(format_args!(
        "{verb} {objects} ({}) from '{}' to '{}'{present}.",
        human::size(result.bytes),
        from.name(),
        to.name(),
    ));
    if result.replaced > 0 {
        let replaced = human::count(result.replaced, "object", "objects");
        let verb = if dry_run { "would be replaced" } else { "replaced" };
        report.line(format_args!("{replaced} damaged there: {verb}."));
    }
    for entry in result.entries.iter().filter(|entry| entry.lacking.is_empty()) {
        let files = human::count(entry.files, "file", "files");
        let message = stemvault::format::text::PyStr::from(entry.message.as_str());
        match (&entry.stash_ref, entry.added) {
            (Some(there), true) => {
                report.line(format_args!("Added {files} as {NAME}{there}{NAME:#}: {message}"));
            }
            (_, true) => report.line(format_args!("Would add {files}: {message}")),
            (there, false) => {
                let there = there.as_deref().unwrap_or_default();
                report.line(format_args!("There already as {NAME}{there}{NAME:#}: {message}"));
            }
        }
    }
    if !dry_run && result.is_complete() {
        report.line(format_args!("{GOOD}Everything is there.{GOOD:#}"));
    }
}

fn json(result: &CopyResult, from: &CopyPlace, to: &CopyPlace, dry_run: bool) -> Json {
    let bad = result.bad.iter().map(|bad| {
        Json::object([
            ("object_id", (&bad.id).into()),
            ("problem", if bad.denied { "unreadable" } else { "damaged" }.into()),
            ("reason", (&bad.reason).into()),
        ])
    });
    let entries = result.entries.iter().map(|entry| {
        Json::object([
            ("stash_id", (&entry.stash_id).into()),
            ("stash_ref", entry.stash_ref.as_deref().map(Json::from).into()),
            ("message", (&entry.message).into()),
            ("files", entry.files.into()),
            ("added", entry.added.into()),
            ("lacking", Json::list(&entry.lacking)),
        ])
    });
    Json::object([
        ("from", Json::from(from.name().as_str())),
        ("to", Json::from(to.name().as_str())),
        ("dry_run", dry_run.into()),
        ("complete", result.is_complete().into()),
        ("objects", result.objects.into()),
        ("bytes", result.bytes.into()),
        ("objects_present", result.present.into()),
        ("bytes_present", result.present_bytes.into()),
        ("objects_replaced", result.replaced.into()),
        ("missing", Json::list(&result.absent)),
        ("damaged", Json::list(bad)),
        ("entries", Json::list(entries)),
        ("refused", Json::list(&result.refused)),
    ])
}
