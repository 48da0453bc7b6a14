//! `stem pack` and `stem unpack`.

use stemvault::{IdPrefix, Moved, PackingOptions, UnpackingOptions, Vault};

use crate::args::PackArgs;
use crate::failure::{Engine as _, Failure, Result};
use crate::human;
use crate::json::Json;
use crate::report::Report;
use crate::ui::Ui;

pub(super) fn pack(vault: &Vault, args: &PackArgs, ui: &Ui) -> Result<Report> {
    let options = PackingOptions { all: args.all, older_than: args.older_than, ..PackingOptions::default() };
    let moved = vault.pack(&options, &ui.bars()).told()?;
    let mut report = done(vault, &moved, "Packed", "Nothing to pack.", ui)?;
    if args.all && moved.objects > 0 {
        report.note(
            "Muse reads no packs: its pop would call these objects missing and drop the entry. `stem unpack` brings them \
             back",
        );
    }
    Ok(report)
}

pub(super) fn unpack(vault: &Vault, ids: &[String], ui: &Ui) -> Result<Report> {
    let ids: Vec<IdPrefix> = ids
        .iter()
        .map(|id| id.parse().map_err(|error| Failure::usage(format!("'{id}' is no object id: {error}"))))
        .collect::<Result<_>>()?;
    let options = UnpackingOptions { ids, ..UnpackingOptions::default() };
    let moved = vault.unpack(&options, &ui.bars()).told()?;
    done(vault, &moved, "Unpacked", "Nothing to unpack.", ui)
}

fn done(vault: &Vault, moved: &Moved, verb: &str, nothing: &str, ui: &Ui) -> Result<Report> {
    let stored = vault.packs().stored_bytes().map_err(stemvault::Error::from).told()?;
    let mut report = Report::new(
        ui,
        || json(moved, stored),
        |report| {
            if moved.objects == 0 && moved.bad.is_empty() {
                report.line(format_args!("{nothing}"));
            } else {
                let objects = human::count(moved.objects, "object", "objects");
                report.line(format_args!("{verb} {objects}, {}.", human::size(moved.bytes)));
            }
            if moved.named > 0 {
                let objects = human::count(moved.named, "object stays", "objects stay");
                report
                    .line(format_args!("{objects} loose for Muse: the stash or a branch's head names them."));
            }
            if moved.young > 0 {
                let objects = human::count(moved.young, "object is", "objects are");
                report.line(format_args!("{objects} too young."));
            }
            if let Some(stored) = stored.filter(|stored| *stored > 0) {
                report.line(format_args!("The packs take {}.", human::size(stored)));
            }
        },
    );
    for bad in &moved.bad {
        report.problem(format!("object {} stays where it is: {}", bad.id, bad.reason));
    }
    if moved.is_partial() {
        report.exit = crate::failure::exit::PARTIAL;
    }
    if moved.stopped {
        return Err(Failure::interrupted(
            "stopped; what was moved until then is whole where it is now, and the next run goes on",
        ));
    }
    Ok(report)
}

fn json(moved: &Moved, stored: Option<u64>) -> Json {
    let bad = moved
        .bad
        .iter()
        .map(|bad| Json::object([("object_id", (&bad.id).into()), ("reason", bad.reason.as_str().into())]));
    Json::object([
        ("objects", moved.objects.into()),
        ("bytes", moved.bytes.into()),
        ("named", moved.named.into()),
        ("young", moved.young.into()),
        ("damaged", Json::list(bad)),
        ("packs_bytes", stored.map(Json::from).into()),
    ])
}
