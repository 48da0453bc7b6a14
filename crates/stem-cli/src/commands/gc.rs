//! `stem gc`.

use stemvault::format::stamp::Stamp;
use stemvault::{GcOptions, GcResult, Unneeded, Vault};

use crate::args::GcArgs;
use crate::failure::{Engine as _, Result, exit};
use crate::human;
use crate::json::Json;
use crate::report::{BAD, DIM, Report};
use crate::ui::Ui;

pub(super) fn gc(vault: &Vault, args: &GcArgs, ui: &Ui) -> Result<Report> {
    let options = GcOptions {
        dry_run: args.dry_run,
        grace: args.grace,
        expire_undo: args.expire_undo,
        ..GcOptions::default()
    };
    let result = vault.gc(&options, &ui.bars()).told()?;
    let mut report = Report::new(ui, || json(&result), |report| text(&result, ui, report));
    if let Some(why) = &result.postponed {
        report.problem(why);
        report.exit = exit::PARTIAL;
    }
    Ok(report)
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
    Json::object([
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
    ])
}

fn time(micros: Option<i64>) -> Json {
    micros.and_then(|micros| Stamp::from_micros(micros).ok()).map(Json::display).into()
}
