//! `stem stash push`.

use std::ffi::OsString;
use std::path::Path;

use stemvault::{PushResult, RelPath, Vault};

use super::remote::{Remote, Sent, send};
use crate::args;
use crate::failure::{Engine as _, Result};
use crate::human;
use crate::json::Json;
use crate::operands;
use crate::report::{NAME, Report, left_alone_json};
use crate::ui::Ui;

pub(super) fn push(vault: &Vault, given: args::PushOptions, paths: &[OsString], ui: &Ui) -> Result<Report> {
    // Store and database were chosen when the repository was opened.
    let args::PushOptions {
        message,
        track,
        section,
        keep,
        head_manifest,
        no_head,
        keep_safe,
        store: _,
        to,
        database: _,
    } = given;
    // A remote that there is not is told before anything is touched.
    let remote = to.map(|text| Remote::named(&text, vault)).transpose()?;
    let paths: Vec<RelPath> =
        paths.iter().map(|path| operands::tree_path(path, vault)).collect::<Result<_>>()?;
    let head = operands::head_choice(head_manifest.as_deref(), no_head)?;
    let options = stemvault::PushOptions { message, track, section, paths, keep, head };
    let result = vault.stash().push(&options, &ui.bars()).told()?;
    let safe = match &result.stash_id {
        Some(id) if keep_safe => Some(vault.keep_safe(id, &ui.bars()).told()?),
        _ => None,
    };
    let sent = match (remote, &result.stash_id) {
        (Some(remote), Some(id)) => Some(send(vault, remote, id, ui)),
        _ => None,
    };
    let mut report = Report::new(
        ui,
        || json(&result, sent.as_ref()),
        |report| {
            text(&result, &options, vault, ui, report);
            if let Some(sent) = &sent {
                sent.text(ui, report);
            }
        },
    );
    if let Some(sent) = &sent {
        sent.problems(&result.stash_ref, ui, &mut report);
    }
    report.each(&result.missing_head, "HEAD's version is not in the store, so it was not brought back");
    report.left_alone(&result.left_alone, ui.verbose());
    if safe.is_some_and(|safe| safe.is_partial() || safe.stopped) {
        report.problem("the second copy is not whole: `stem verify` tells what is wrong, `stem stash show` what is saved");
    }
    Ok(report)
}

fn text(result: &PushResult, options: &stemvault::PushOptions, vault: &Vault, ui: &Ui, report: &mut Report) {
    if result.stash_ref.is_empty() {
        nothing(options, vault, report);
        return;
    }
    let files = human::files(result.files_stashed, result.bytes_stashed);
    report.line(format_args!(
        "Saved {files} as {NAME}{}{NAME:#}: {}",
        result.stash_ref,
        safe(&result.message)
    ));
    if ui.verbose() {
        report.line(format_args!("{} new in the store.", human::size(result.bytes_written)));
        report.line(format_args!("Its id is {}.", result.stash_id.as_deref().unwrap_or("unknown")));
    }
    let all = scopes(options).is_empty();
    let (tree, gone) = match (options.keep, result.head_restored, all) {
        (true, _, _) => ("The working tree stays as it is.", false),
        (_, true, true) => ("The working tree is back at HEAD.", true),
        (_, true, false) => ("What was saved is back at HEAD.", true),
        (_, false, true) => ("The working tree is empty, because there is no HEAD to go back to.", true),
        (_, false, false) => {
            ("The working tree stays as it is, because there is no HEAD to go back to.", false)
        }
    };
    let back = if gone { " `stem stash pop` brings the work back." } else { "" };
    report.line(format_args!("{tree}{back}"));
}

/// Why nothing was saved, and what the user may have meant.
fn nothing(options: &stemvault::PushOptions, vault: &Vault, report: &mut Report) {
    let scopes = scopes(options);
    if scopes.is_empty() {
        let tree = human::path(vault.repository().working_tree());
        report.line(format_args!("Nothing to save: there are no files in '{tree}'."));
    } else {
        report.line(format_args!("Nothing to save: there are no files in {}.", human::and(&scopes)));
    }
    for path in &options.paths {
        if let Some(meant) = meant(path, vault) {
            report.note(format!("PATHs are relative to the working tree: '{path}' is '{meant}' there"));
        }
    }
}

/// What a PATH would be if it was typed relative to the current directory, where such a file exists.
fn meant(path: &RelPath, vault: &Vault) -> Option<String> {
    let here = std::fs::canonicalize(path.to_path()).ok()?;
    let tree = std::fs::canonicalize(vault.repository().working_tree()).ok()?;
    let inside = here.strip_prefix(tree).ok()?;
    (inside != Path::new("") && inside != path.to_path()).then(|| human::path(inside))
}

fn scopes(options: &stemvault::PushOptions) -> Vec<String> {
    let named = |folder: &str, name: &Option<String>| {
        name.as_deref().filter(|name| !name.is_empty()).map(|name| format!("'{folder}/{}/'", safe(name)))
    };
    let scopes = [named("tracks", &options.track), named("sections", &options.section)].into_iter().flatten();
    scopes.chain(options.paths.iter().map(|path| format!("'{path}'"))).collect()
}

/// Text of the user's that cannot steer a terminal.
fn safe(text: &str) -> String {
    stemvault::format::text::PyStr::from(text).to_string()
}

fn json(result: &PushResult, sent: Option<&Sent>) -> Json {
    let fields = [
        ("stash_ref", (&result.stash_ref).into()),
        ("message", (&result.message).into()),
        ("branch", (&result.branch).into()),
        ("files_stashed", result.files_stashed.into()),
        ("head_restored", result.head_restored.into()),
        ("missing_head", Json::list(&result.missing_head)),
        ("stash_id", result.stash_id.as_deref().into()),
        ("bytes_stashed", result.bytes_stashed.into()),
        ("bytes_written", result.bytes_written.into()),
        ("left_alone", left_alone_json(&result.left_alone)),
    ];
    Json::object(fields.into_iter().chain(sent.map(|sent| ("sent", sent.json()))))
}
