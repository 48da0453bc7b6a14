//! What a dry run says.

use stemvault::{Planned, PlannedAction};

use crate::human;
use crate::json::Json;
use crate::report::{BAD, DIM, GOOD, Report};

/// One line for each path at which something would happen.
pub(super) fn lines(plan: &[Planned], report: &mut Report) {
    let width = 8;
    let mut same = 0;
    for planned in plan {
        let path = &planned.path;
        let newer = if planned.conflict { " (newer work, saved first)" } else { "" };
        let size = human::size(planned.bytes);
        match &planned.action {
            PlannedAction::Create => {
                report.line(format_args!("{GOOD}{:<width$}{GOOD:#} {path}  {DIM}{size}{DIM:#}", "create"));
            }
            PlannedAction::Replace => {
                report.line(format_args!(
                    "{BAD}{:<width$}{BAD:#} {path}  {DIM}{size}{DIM:#}{newer}",
                    "replace"
                ));
            }
            PlannedAction::Touch => report.line(format_args!("{:<width$} {path}", "touch")),
            PlannedAction::Beside(other) => {
                report.line(format_args!(
                    "{GOOD}{:<width$}{GOOD:#} {path}  {DIM}'{other}' stays{DIM:#}",
                    "create"
                ));
            }
            PlannedAction::Delete => {
                report.line(format_args!("{BAD}{:<width$}{BAD:#} {path}{newer}", "delete"));
            }
            PlannedAction::Nothing => same += 1,
            // Said among the problems, with the reason.
            PlannedAction::Leave(_) => {}
        }
    }
    if same > 0 {
        report
            .line(format_args!("{} as they should be already.", human::count(same, "file is", "files are")));
    }
    report.line(format_args!("Nothing was changed."));
}

/// The plan, for programs.
pub(super) fn add(json: &mut Json, plan: &[Planned]) {
    let row = |planned: &Planned| {
        let newer = match &planned.action {
            PlannedAction::Beside(path) => path.into(),
            _ => Json::Null,
        };
        Json::object([
            ("path", (&planned.path).into()),
            ("action", planned.action.name().into()),
            ("bytes", planned.bytes.into()),
            ("conflict", planned.conflict.into()),
            ("newer", newer),
        ])
    };
    if let (Json::Object(fields), Json::Object(more)) =
        (json, Json::object([("dry_run", true.into()), ("plan", Json::list(plan.iter().map(row)))]))
    {
        fields.extend(more);
    }
}
