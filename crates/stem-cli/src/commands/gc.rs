//! `stem gc`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stemvault::format::stamp::Stamp;
use stemvault::{GcOptions, GcResult, UndoItem, Unneeded, Vault};

use crate::args::GcArgs;
use crate::failure::{Engine as _, Failure, Result, exit};
use crate::human;
use crate::json::Json;
use crate::report::{BAD, DIM, Report};
use crate::ui::Ui;

/// What the repository's own store is called where it is a bucket.
#[cfg(feature = "remote")]
const STORE: &str = "the repository's store";

pub(super) fn gc(vault: &Vault, args: &GcArgs, ui: &Ui) -> Result<Report> {
    let options = GcOptions {
        dry_run: args.dry_run,
        grace: args.grace,
        expire_undo: args.expire_undo,
        ..GcOptions::default()
    };
    confirm(vault, args, ui)?;
    let result = vault.gc(&options, &ui.bars()).told()?;
    let mut report = Report::new(ui, || json(&result), |report| text(&result, ui, report));
    #[cfg(feature = "remote")]
    if let Some(bucket) = &result.bucket {
        if !ui.json() {
            super::gc_store::text(bucket, STORE, ui, &mut report);
        }
        super::gc_store::notes(bucket, args.dry_run, &mut report);
    }
    if let Some(why) = &result.postponed {
        report.problem(why);
        report.exit = exit::PARTIAL;
    }
    Ok(report)
}

/// Asks before something goes that could be brought back until now.
fn confirm(vault: &Vault, args: &GcArgs, ui: &Ui) -> Result<()> {
    let Some(age) = args.expire_undo.filter(|_| !args.dry_run && !args.yes) else { return Ok(()) };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(age);
    let expires = |item: &&UndoItem| item.at.is_none_or(|at| i128::from(at.as_micros()) <= micros(since));
    if !vault.stash().undo_list().told()?.items.iter().any(|item| expires(&item)) {
        return Ok(());
    }
    let message = match ui.confirm("Give up what `stem stash undo` could take back until now?") {
        Some(true) => return Ok(()),
        Some(false) => "nothing was changed",
        None => "this would give up what `stem stash undo` could take back until now: say so with --yes",
    };
    Err(Failure::user("refused", message))
}

fn micros(time: Duration) -> i128 {
    i128::try_from(time.as_micros()).unwrap_or(i128::MAX)
}

fn text(result: &GcResult, ui: &Ui, report: &mut Report) {
    let objects = |list: &[Unneeded]| human::count(list.len(), "object", "objects");
    if result.dry_run || ui.verbose() {
        for Unneeded { id, size, .. } in &result.removed {
            report.line(format_args!("{BAD}{id}{BAD:#}  {:>10}", human::size(*size)));
        }
        for Unneeded { id, size, since } in &result.waiting {
            let since = Stamp::from_micros(*since).map_or_else(|_| String::new(), human::minute);
            report.line(format_args!("{id}  {:>10}  {DIM}since {since}{DIM:#}", human::size(*size)));
        }
    }
    let verb = if result.dry_run { "Would remove" } else { "Removed" };
    let kept = result.objects.saturating_sub((result.removed.len() + result.waiting.len()) as u64);
    report.line(format_args!(
        "{verb} {} ({}) of {}; {} needed.",
        objects(&result.removed),
        human::size(result.removed_bytes()),
        result.objects,
        human::count(kept, "is", "are"),
    ));
    if !result.waiting.is_empty() {
        let next = result.next.and_then(|next| Stamp::from_micros(next).ok()).map(human::minute);
        let next = next.map_or_else(String::new, |next| format!("; the first may go on {next}"));
        report.line(format_args!(
            "{} ({}) not needed, but not for long enough yet{next}.",
            objects(&result.waiting),
            human::size(result.waiting_bytes()),
        ));
    }
    if result.temporaries.0 > 0 {
        let (files, bytes) = result.temporaries;
        let files = human::count(files, "temporary file", "temporary files");
        report.line(format_args!("{verb} {files} ({}) that dead processes left.", human::size(bytes)));
    }
    if let Some(needed) = result.needed {
        let verb = if result.dry_run { "would be" } else { "is" };
        let objects = human::count(needed, "object", "objects");
        report.line(format_args!("The repository's bucket {verb} told that {objects} in it may be needed."));
    }
    if result.undo_expired > 0 {
        let records = human::count(result.undo_expired, "step", "steps");
        report.line(format_args!("{records} can no longer be undone."));
    }
}

fn json(result: &GcResult) -> Json {
    let objects = |list: &[Unneeded]| {
        Json::list(list.iter().map(|object| {
            Json::object([
                ("object_id", (&object.id).into()),
                ("size", object.size.into()),
                ("since", time(Some(object.since))),
            ])
        }))
    };
    let roots = result.roots.iter().map(|(kind, count)| (format!("\"{kind}\""), Json::from(*count)));
    let all = [
        ("dry_run", result.dry_run.into()),
        ("objects", result.objects.into()),
        ("removed", objects(&result.removed)),
        ("removed_bytes", result.removed_bytes().into()),
        ("waiting", objects(&result.waiting)),
        ("waiting_bytes", result.waiting_bytes().into()),
        ("next", time(result.next)),
        ("temporaries", result.temporaries.0.into()),
        ("temporary_bytes", result.temporaries.1.into()),
        ("undo_expired", result.undo_expired.into()),
        ("roots", Json::Object(roots.collect())),
        ("postponed", result.postponed.as_deref().map(Json::from).into()),
    ];
    Json::object(all.into_iter().chain(store_json(result).map(|store| ("store", store))))
}

/// What collecting the bucket did, where the repository's store is one.
#[cfg(feature = "remote")]
fn store_json(result: &GcResult) -> Option<Json> {
    result.bucket.as_ref().map(|bucket| super::gc_store::json(bucket, STORE))
}

#[cfg(not(feature = "remote"))]
fn store_json(_: &GcResult) -> Option<Json> {
    None
}

fn time(micros: Option<i64>) -> Json {
    micros.and_then(|micros| Stamp::from_micros(micros).ok()).map(Json::display).into()
}
