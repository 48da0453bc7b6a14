//! `stem stash apply` and `stem stash pop`.

use std::collections::HashSet;

use stemvault::{ApplyOptions, ApplyResult, LeftAlone, RelPath, Vault};

use crate::args::ApplyArgs;
use crate::failure::{Engine as _, Result};
use crate::human;
use crate::json::Json;
use crate::report::{NAME, Report, left_alone_json};
use crate::ui::Ui;

pub(super) fn apply(vault: &Vault, args: &ApplyArgs, pop: bool, ui: &Ui) -> Result<Report> {
    let verify = match (args.verify, args.no_verify) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let options = ApplyOptions { drop: pop, verify, force: args.force };
    let result = vault.stash().apply(&args.reference, options, &ui.bars()).told()?;
    let mut report = Report::new(ui, || json(&result), |report| text(&result, pop, report));
    // Whatever stands in the way of a file that was to come back, a link too, leaves the work incomplete.
    for LeftAlone { path, reason } in &result.left_alone {
        report.problem(format!("{path}: {reason}"));
    }
    let named: HashSet<&RelPath> = result.left_alone.iter().map(|LeftAlone { path, .. }| path).collect();
    report.each(result.missing.iter().filter(|path| !named.contains(path)), "its object is not in the store");
    Ok(report)
}

fn text(result: &ApplyResult, pop: bool, report: &mut Report) {
    let files = human::files(result.files_applied, result.bytes_applied);
    let message = stemvault::format::text::PyStr::from(result.message.as_str());
    report.line(format_args!("Brought back {files} from {NAME}{}{NAME:#}: {message}", result.stash_ref));
    match (pop, result.dropped) {
        (_, true) => report.line(format_args!("The entry is dropped.")),
        (true, false) if result.is_partial() => report.line(format_args!(
            "The entry stays, because not all of it could be brought back; `stem stash pop --force` drops it nevertheless."
        )),
        (true, false) => report.line(format_args!("The entry stays.")),
        (false, false) => {}
    }
}

fn json(result: &ApplyResult) -> Json {
    Json::object([
        ("stash_ref", (&result.stash_ref).into()),
        ("message", (&result.message).into()),
        ("files_applied", result.files_applied.into()),
        ("missing", Json::list(&result.missing)),
        ("dropped", result.dropped.into()),
        ("stash_id", (&result.stash_id).into()),
        ("bytes_applied", result.bytes_applied.into()),
        ("left_alone", left_alone_json(&result.left_alone)),
    ])
}
