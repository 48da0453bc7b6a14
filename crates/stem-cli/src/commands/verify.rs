//! `stem verify`.

use std::path::Path;

use stemvault::{
    Affected, Base, DamagedObject, Problem, StoreUrl, Vault, VerifyOptions, VerifyResult, WorkTreeCheck,
};

use crate::args::VerifyArgs;
use crate::failure::{Engine as _, Failure, Result};
use crate::human;
use crate::json::Json;
use crate::report::{BAD, GOOD, Report, left_alone_json};
use crate::ui::Ui;

/// Places of one object that people are shown without `-v`.
const SHOWN: usize = 5;

pub(super) fn verify(vault: &Vault, args: &VerifyArgs, ui: &Ui) -> Result<Report> {
    let url = |text: &Option<String>| text.as_deref().map(str::parse::<StoreUrl>).transpose().told();
    let options = VerifyOptions {
        repair: args.repair,
        worktree: args.worktree,
        resume: args.resume,
        store: url(&args.store)?,
        from: url(&args.from)?,
    };
    let result = vault.verify(&options, &ui.bars()).told()?;
    let mut report = tell(&result, ui);
    report.interrupted(vault);
    Ok(report)
}

/// A store, where there is no repository.
pub(super) fn verify_store(args: &VerifyArgs, ui: &Ui) -> Result<Report> {
    if args.repair || args.worktree || args.resume {
        return Err(Failure::usage(
            "--repair, --worktree and --resume need a repository: run it in one, or name one with --repo",
        ));
    }
    let url: StoreUrl = args.store.as_deref().unwrap_or_default().parse().told()?;
    let store = stemvault::open_existing(&url, Base::Directory(Path::new("."))).told()?;
    let result = stemvault::verify_store(&*store, &ui.bars()).told()?;
    Ok(tell(&result, ui))
}

fn tell(result: &VerifyResult, ui: &Ui) -> Report {
    let mut report = Report::new(ui, || json(result), |report| text(result, report));
    for object in &result.damaged {
        let line = describe(object, ui.verbose());
        if object.healed_from.is_some() { report.note(line) } else { report.problem(line) }
    }
    for record in &result.records {
        let path = record.path.as_deref().map(|path| format!("'{}': ", human::path(path)));
        report.problem(format!("{}{}", path.unwrap_or_default(), record.reason));
    }
    if let Some(check) = &result.worktree {
        for path in &check.rotten {
            report.problem(format!("{path}: its bytes changed, though neither its size nor a time did"));
        }
        for change in &check.changes {
            report.problem(format!(
                "{}: {} since HEAD",
                change.path,
                super::repository::kind_name(change.kind)
            ));
        }
        report.left_alone(&check.left_alone, ui.verbose());
    }
    if let Some(hint) = result.hint {
        report.note(hint);
    }
    report
}

/// An object, what is wrong with it, what became of it, and where it is needed.
fn describe(object: &DamagedObject, verbose: bool) -> String {
    let what = match &object.problem {
        Problem::Damaged(why) => format!("is damaged ({why})"),
        Problem::Denied(why) => format!("cannot be read ({why})"),
        Problem::Missing => "is missing".to_owned(),
    };
    let mut line = format!("object {} {what}", object.id);
    if let Some(from) = &object.healed_from {
        line = format!("{line}; healed from {from}");
    }
    if let Some(path) = &object.quarantined {
        line = format!("{line}; the damaged bytes are in '{}'", human::path(path));
    }
    if let (None, Some(why)) = (&object.healed_from, &object.unrepaired) {
        line = format!("{line}; not repaired: {why}");
    }
    let shown = if verbose { object.affected.listed.len() } else { SHOWN };
    for Affected { holder, path } in object.affected.listed.iter().take(shown) {
        let path = path.as_ref().map(|path| format!("{path} in ")).unwrap_or_default();
        line = format!("{line}\n  {path}{holder}");
    }
    let more = object.affected.count.saturating_sub(object.affected.listed.len().min(shown) as u64);
    if more > 0 {
        line = format!("{line}\n  and {} more", human::count(more, "place", "places"));
    }
    line
}

fn text(result: &VerifyResult, report: &mut Report) {
    let objects = human::count(result.objects, "object", "objects");
    let skipped = match result.skipped {
        0 => String::new(),
        n => format!(" ({} before)", human::count(n, "object", "objects")),
    };
    report.line(format_args!(
        "Verified {objects} ({}){skipped}, compared with {}.",
        human::size(result.bytes),
        human::count(result.documents, "manifest", "manifests"),
    ));
    if let Some(check) = &result.worktree {
        report.line(format_args!(
            "Working tree: {} ({}) read, {} from HEAD.",
            human::count(check.files, "file", "files"),
            human::size(check.bytes),
            human::count(check.changes.len(), "difference", "differences"),
        ));
    }
    let healed = result.damaged.iter().filter(|object| object.healed_from.is_some()).count();
    let bad = result.damaged.len() - healed;
    if healed > 0 {
        let healed = human::count(healed, "object is", "objects are");
        report.line(format_args!("{GOOD}{healed} whole again.{GOOD:#}"));
    }
    if bad > 0 {
        let bad = human::count(bad, "object", "objects");
        report.line(format_args!("{BAD}{bad} damaged or missing.{BAD:#}"));
    }
    if !result.records.is_empty() {
        let records = human::count(result.records.len(), "file", "files");
        report.line(format_args!("{BAD}{records} of the repository damaged.{BAD:#}"));
    }
    if !result.is_damaged() && healed == 0 {
        report.line(format_args!("{GOOD}All is well.{GOOD:#}"));
    }
}

fn json(result: &VerifyResult) -> Json {
    let records = result.records.iter().map(|record| {
        Json::object([
            ("path", record.path.as_deref().map(Json::path).into()),
            ("reason", (&record.reason).into()),
        ])
    });
    Json::object([
        ("damaged", result.is_damaged().into()),
        ("objects", result.objects.into()),
        ("bytes", result.bytes.into()),
        ("skipped", result.skipped.into()),
        ("documents", result.documents.into()),
        ("damaged_objects", Json::list(result.damaged.iter().map(object_json))),
        ("damaged_records", Json::list(records)),
        ("worktree", result.worktree.as_ref().map(tree_json).into()),
        ("hint", result.hint.map(Json::from).into()),
    ])
}

fn object_json(object: &DamagedObject) -> Json {
    let (problem, reason) = match &object.problem {
        Problem::Damaged(why) => ("damaged", Some(why)),
        Problem::Denied(why) => ("unreadable", Some(why)),
        Problem::Missing => ("missing", None),
    };
    let affected = object.affected.listed.iter().map(|place| {
        Json::object([
            ("kind", place.holder.kind().into()),
            ("name", Json::display(place.holder.name())),
            ("path", place.path.as_ref().map(Json::from).into()),
        ])
    });
    Json::object([
        ("object_id", (&object.id).into()),
        ("problem", problem.into()),
        ("reason", reason.map(Json::from).into()),
        ("affected", Json::list(affected)),
        ("affected_count", object.affected.count.into()),
        ("healed_from", object.healed_from.as_ref().map(Json::from).into()),
        ("quarantined", object.quarantined.as_deref().map(Json::path).into()),
        ("unrepaired", object.unrepaired.as_ref().map(Json::from).into()),
    ])
}

fn tree_json(check: &WorkTreeCheck) -> Json {
    let changes = check.changes.iter().map(|change| {
        Json::object([
            ("path", (&change.path).into()),
            ("kind", super::repository::kind_name(change.kind).into()),
        ])
    });
    Json::object([
        ("files", check.files.into()),
        ("bytes", check.bytes.into()),
        ("changes", Json::list(changes)),
        ("rotten", Json::list(&check.rotten)),
        ("left_alone", left_alone_json(&check.left_alone)),
    ])
}
