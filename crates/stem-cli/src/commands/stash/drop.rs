//! `stem stash drop` and `stem stash clear`.

use stemvault::Vault;
use stemvault::format::text::PyStr;

use crate::failure::{Engine as _, Failure, Result};
use crate::human;
use crate::json::Json;
use crate::report::{NAME, Report};
use crate::ui::Ui;

/// How to get it back.
const UNDO: &str = "`stem stash undo` takes that back.";

pub(super) fn drop_entry(vault: &Vault, reference: &str, ui: &Ui) -> Result<Report> {
    vault.stash().recover(&ui.bars()).told()?;
    let result = vault.stash().drop_entry(reference).told()?;
    Ok(Report::new(
        ui,
        || {
            Json::object([
                ("index", result.index.into()),
                ("stash_id", (&result.stash_id).into()),
                ("message", (&result.message).into()),
            ])
        },
        |report| {
            let message = PyStr::from(result.message.as_str());
            // Only an entry that cannot be read has no message.
            let colon = if message.is_empty() { " (it could not be read)" } else { ": " };
            report.line(format_args!("Dropped {NAME}stash@{{{}}}{NAME:#}{colon}{message}", result.index));
            report.line(format_args!("{UNDO}"));
        },
    ))
}

pub(super) fn clear(vault: &Vault, yes: bool, ui: &Ui) -> Result<Report> {
    let entries = vault.stash().list().told()?.len();
    let number = human::count(entries, "stash entry", "stash entries");
    // What is dropped can be taken back, unless that is configured away; only then there is something to ask.
    let final_now = vault.repository().settings().undo_expire.is_some_and(|age| age.is_zero());
    if entries > 0 && !yes && final_now {
        match ui.confirm(&format!("Drop {number} for good?")) {
            Some(true) => {}
            Some(false) => return Err(Failure::user("refused", "nothing was dropped")),
            None => {
                let message = format!(
                    "this would drop {number} for good, because nothing can be undone here (undo.expire): say so with --yes"
                );
                return Err(Failure::user("refused", message));
            }
        }
    }
    vault.stash().recover(&ui.bars()).told()?;
    let count = vault.stash().clear().told()?.count;
    Ok(Report::new(
        ui,
        || Json::object([("count", count.into())]),
        |report| {
            if count == 0 {
                report.line(format_args!("The stash is empty."));
            } else {
                report.line(format_args!("Dropped {}.", human::count(count, "stash entry", "stash entries")));
                report.line(format_args!("{UNDO}"));
            }
        },
    ))
}
