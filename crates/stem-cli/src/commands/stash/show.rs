//! `stem stash show`: what an entry holds.
//!
//! Sizes and what became of each file come from the entry, its snapshot and one look at each object's metadata. Lengths in
//! time need a read of each file, so they are for entries that one can take in at a glance, and for `--long`.

use std::collections::HashMap;
use std::fmt::Write as _;

use stemvault::{PairChange, RelPath, ShownEntry, Vault};

use super::list::entry_fields;
use super::scope_words;
use crate::args::{PageArgs, ShowArgs};
use crate::failure::Result;
use crate::human;
use crate::inspect::canvas::Canvas;
use crate::inspect::json::{self, Fields};
use crate::inspect::look::{Seen, Wants, look};
use crate::inspect::pairs::{self, Pair, Pairs};
use crate::inspect::{page, stat, table, wave};
use crate::json::Json;
use crate::report::{BOLD, NAME, Report};
use crate::ui::Ui;

/// An entry of more files is shown without reading their headers.
const SMALL: usize = 200;
/// Spaces before a wave; the most that any layout puts there.
const INDENT: usize = 6;

pub(super) fn show(vault: &Vault, args: &ShowArgs, ui: &Ui) -> Result<Report> {
    if let Some(file) = &args.page.html {
        page::check(file)?;
    }
    let pairs = pairs::of_entry(vault, &args.reference)?;
    let Some(entry) = &pairs.entry else { return Ok(Report::nothing()) };
    let canvas = Canvas::of_stdout();
    let wants = Wants {
        seconds: args.long || args.view.waveform || (!args.view.stat && entry.files.len() <= SMALL),
        description: args.long,
        difference: args.view.waveform,
        wave: args.view.waveform.then(|| wave::samples(canvas, canvas.drawing(INDENT))),
    };
    let seen = look(vault, &pairs.pairs, wants, &ui.bars())?;
    if let Some(file) = &args.page.html {
        page::write(vault, &pairs, file, &ui.bars())?;
    }
    let mut report = Report::new(
        ui,
        || show_json(entry, &pairs, &seen),
        |report| {
            heading(report, entry, &pairs, canvas, ui);
            if args.view.stat {
                stat::stat(report, &pairs.pairs, canvas);
            } else {
                table::files(report, &pairs.pairs, &seen, table::Look { canvas, ids: ui.verbose() });
            }
            written(report, &args.page);
        },
    );
    let missing = entry.files.iter().filter(|file| file.size.is_none());
    report.each(missing.map(|file| &file.path), "its object is not in the store");
    problems(&mut report, &pairs.pairs, &seen);
    report.interrupted(vault);
    Ok(report)
}

/// Where the page is.
pub(super) fn written(report: &mut Report, args: &PageArgs) {
    if let Some(file) = &args.html {
        report.line(format_args!("Written: {NAME}{}{NAME:#}", human::path(file)));
    }
}

/// What could not be looked at; that an object is missing is said of the whole entry already.
pub(in crate::commands) fn problems(report: &mut Report, pairs: &[Pair], seen: &[Seen]) {
    for (pair, seen) in pairs.iter().zip(seen) {
        for problem in seen.problems.iter().chain(&pair.file.problem) {
            report.problem(format!("{}: {problem}", pair.file.path));
        }
    }
}

fn heading(report: &mut Report, entry: &ShownEntry, pairs: &Pairs, canvas: Canvas, ui: &Ui) {
    let ShownEntry { index, stash_id, entry, files } = entry;
    report.line(format_args!("{NAME}stash@{{{index}}}{NAME:#}: {BOLD}{}{BOLD:#}", entry.message));
    let scope = scope_words(entry.track.as_ref(), entry.section.as_ref());
    let scope = if scope.is_empty() { String::new() } else { format!(", {scope}") };
    let mut saved = format!("On branch {}{scope}, saved {}", entry.branch, human::age(entry.created()));
    if !canvas.narrow() {
        let time = entry.created().map_or_else(|| entry.created_at.to_string(), human::minute);
        // Writing into a string cannot fail.
        let _ = write!(saved, " ({time})");
    }
    canvas.prose(report, &saved);
    if ui.verbose() {
        report.line(format_args!("{stash_id}"));
    }
    let bytes = total(pairs);
    let all = human::files(files.len(), bytes);
    canvas.prose(
        report,
        &if pairs.known {
            format!("{all}, against HEAD then: {}", table::counts(&pairs.pairs))
        } else {
            format!("{all}; what HEAD had then is not recorded")
        },
    );
}

fn total(pairs: &Pairs) -> u64 {
    let files = pairs.entry.iter().flat_map(|entry| &entry.files);
    files.filter_map(|file| file.size).fold(0, u64::saturating_add)
}

fn show_json(entry: &ShownEntry, pairs: &Pairs, seen: &[Seen]) -> Json {
    let by_path: HashMap<&RelPath, usize> =
        pairs.pairs.iter().enumerate().map(|(index, pair)| (&pair.file.path, index)).collect();
    let files = entry.files.iter().map(|file| {
        let mut fields: Fields =
            vec![("path", (&file.path).into()), ("object_id", (&file.id).into()), ("size", file.size.into())];
        let found =
            by_path.get(&file.path).and_then(|&index| Some((pairs.pairs.get(index)?, seen.get(index)?)));
        if let Some((pair, seen)) = found {
            fields.push(("change", json::change_name(pair)));
            fields.extend(json::belonging(pair));
            fields.extend(json::content(seen));
        }
        json::object(fields)
    });
    let files = Json::list(files);
    let missing = entry.files.iter().filter(|file| file.size.is_none()).map(|file| &file.path);
    let gone = pairs.pairs.iter().filter(|pair| pair.change() == Some(PairChange::Deleted));
    let mut fields: Fields = entry_fields(entry.index, &entry.stash_id, &entry.entry).into();
    fields.extend([
        ("files", files),
        ("bytes", total(pairs).into()),
        ("missing", Json::list(missing)),
        ("inspect_version", json::VERSION.into()),
        ("head_snapshot", pairs.snapshot.as_ref().map(Json::display).into()),
        ("head_known", pairs.known.into()),
        ("deleted", Json::list(gone.map(|pair| &pair.file.path))),
    ]);
    json::object(fields)
}
