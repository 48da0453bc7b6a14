//! `stem stash apply` and `stem stash pop`.

use std::collections::HashSet;
use std::ffi::OsString;

use stemvault::{ApplyOptions, ApplyResult, LeftAlone, OnConflict, RelPath, Vault};

use super::planned;
use crate::args::{self, ApplyArgs};
use crate::failure::{Engine as _, Result};
use crate::human;
use crate::json::Json;
use crate::operands;
use crate::report::{NAME, Report, left_alone_json};
use crate::ui::Ui;

/// `paths` are those of `apply`; `pop` has none.
pub(super) fn apply(vault: &Vault, args: &ApplyArgs, paths: Option<&[OsString]>, ui: &Ui) -> Result<Report> {
    let verify = match (args.verify, args.no_verify) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let tree_path = |path: &OsString| operands::tree_path(path, vault);
    let options = ApplyOptions {
        drop: paths.is_none(),
        verify,
        force: args.force,
        on_conflict: match args.on_conflict {
            args::OnConflict::Overwrite => OnConflict::Overwrite,
            args::OnConflict::KeepBoth => OnConflict::KeepBoth,
            args::OnConflict::Fail => OnConflict::Fail,
        },
        exact: args.exact,
        dry_run: args.dry_run,
        paths: paths.unwrap_or_default().iter().map(tree_path).collect::<Result<_>>()?,
    };
    let (pop, dry_run) = (options.drop, options.dry_run);
    let result = vault.stash().apply(&args.reference, options, &ui.bars()).told()?;
    let mut report = Report::new(
        ui,
        || json(&result, dry_run),
        |report| if dry_run { foretell(&result, report) } else { text(&result, pop, report) },
    );
    // Whatever stands in the way of a file that was to come back, a link too, leaves the work incomplete.
    for LeftAlone { path, reason } in &result.left_alone {
        report.problem(format!("{path}: {reason}"));
    }
    let named: HashSet<&RelPath> = result.left_alone.iter().map(|LeftAlone { path, .. }| path).collect();
    report.each(result.missing.iter().filter(|path| !named.contains(path)), "its object is not in the store");
    if !dry_run {
        for (path, beside) in &result.kept_both {
            report.note(format!("{path}: newer work, left as it is; the stashed file is '{beside}'"));
        }
        if !result.overwritten.is_empty() {
            let files = human::count(result.overwritten.len(), "file", "files");
            report.note(format!(
                "newer work was written over, {files}: `stem stash undo` brings it back{}",
                if ui.verbose() { "" } else { "; -v names it" }
            ));
        }
        if ui.verbose() {
            for path in &result.overwritten {
                report.note(format!("{path}: newer work was written over"));
            }
        }
    }
    Ok(report)
}

fn text(result: &ApplyResult, pop: bool, report: &mut Report) {
    let files = human::files(result.files_applied, result.bytes_applied);
    let message = stemvault::format::text::PyStr::from(result.message.as_str());
    report.line(format_args!("Brought back {files} from {NAME}{}{NAME:#}: {message}", result.stash_ref));
    if !result.deleted.is_empty() {
        report.line(format_args!("Deleted {}.", human::count(result.deleted.len(), "file", "files")));
    }
    match (pop, result.dropped) {
        (_, true) => report.line(format_args!("The entry is dropped.")),
        (true, false) if result.is_partial() => report.line(format_args!(
            "The entry stays, because not all of it could be brought back; `stem stash pop --force` drops it nevertheless."
        )),
        (true, false) => report.line(format_args!("The entry stays.")),
        (false, false) => {}
    }
}

fn foretell(result: &ApplyResult, report: &mut Report) {
    let message = stemvault::format::text::PyStr::from(result.message.as_str());
    report.line(format_args!("Would bring back {NAME}{}{NAME:#}: {message}", result.stash_ref));
    planned::lines(&result.plan, report);
}

fn json(result: &ApplyResult, dry_run: bool) -> Json {
    let kept_both = result
        .kept_both
        .iter()
        .map(|(path, beside)| Json::object([("path", path.into()), ("beside", beside.into())]));
    let mut json = Json::object([
        ("stash_ref", (&result.stash_ref).into()),
        ("message", (&result.message).into()),
        ("files_applied", result.files_applied.into()),
        ("missing", Json::list(&result.missing)),
        ("dropped", result.dropped.into()),
        ("stash_id", (&result.stash_id).into()),
        ("bytes_applied", result.bytes_applied.into()),
        ("left_alone", left_alone_json(&result.left_alone)),
        ("overwritten", Json::list(&result.overwritten)),
        ("kept_both", Json::list(kept_both)),
        ("deleted", Json::list(&result.deleted)),
        ("bytes_saved", result.bytes_saved.into()),
    ]);
    if dry_run {
        planned::add(&mut json, &result.plan);
    }
    json
}
