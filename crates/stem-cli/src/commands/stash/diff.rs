//! `stem stash diff`: how the working tree differs from an entry, or an entry from what HEAD was.

use stemvault::{PairChange, Vault};

use super::show::{problems, written};
use crate::args::DiffArgs;
use crate::failure::{Result, exit};
use crate::human;
use crate::inspect::canvas::Canvas;
use crate::inspect::json::{self, Fields};
use crate::inspect::look::{Seen, Wants, look};
use crate::inspect::pairs::{self, Pairs};
use crate::inspect::{page, stat, table, wave};
use crate::json::Json;
use crate::operands;
use crate::report::{BOLD, NAME, Report};
use crate::ui::Ui;

/// Spaces before a wave; the most that any layout puts there.
const INDENT: usize = 6;

pub(super) fn diff(vault: &Vault, args: &DiffArgs, ui: &Ui) -> Result<Report> {
    if let Some(file) = &args.page.html {
        page::check(file)?;
    }
    let chosen: Vec<_> =
        args.paths.iter().map(|path| operands::tree_path(path, vault)).collect::<Result<_>>()?;
    let bars = ui.bars();
    let mut pairs = if args.head {
        let mut pairs = pairs::of_entry(vault, &args.reference)?;
        pairs::choose(&mut pairs, &chosen)?;
        pairs
    } else {
        pairs::of_tree(vault, &args.reference, &chosen, &bars)?
    };
    let same = pairs.count(PairChange::Same);
    pairs.pairs.retain(|pair| pair.change() != Some(PairChange::Same));
    let canvas = Canvas::of_stdout();
    // The page says what was done to each file; it need not be found out twice.
    let brief = args.view.stat || args.page.html.is_some();
    let wants = if brief { Wants::default() } else { wants(args.view.waveform, canvas) };
    let seen = look(vault, &pairs.pairs, wants, &bars)?;
    if let Some(file) = &args.page.html {
        page::write(vault, &pairs, file, &bars)?;
    }
    drop(bars);
    let mut report = Report::new(
        ui,
        || diff_json(&pairs, &seen, same),
        |report| {
            heading(report, &pairs, same, canvas);
            if brief {
                if !pairs.pairs.is_empty() {
                    stat::stat(report, &pairs.pairs, canvas);
                }
            } else {
                table::changes(report, &pairs.pairs, &seen, canvas);
            }
            written(report, &args.page);
        },
    );
    if args.exit_code && !pairs.pairs.is_empty() {
        report.exit = exit::USER;
    }
    if !pairs.known {
        report.problem(
            "what HEAD had when the entry was made is not recorded, so nothing can be compared with it; without --head the \
             working tree is compared with the entry",
        );
    }
    problems(&mut report, &pairs.pairs, &seen);
    report.interrupted(vault);
    Ok(report)
}

/// What a list of changes asks of each file.
pub(in crate::commands) fn wants(waveform: bool, canvas: Canvas) -> Wants {
    Wants {
        seconds: true,
        description: false,
        difference: true,
        wave: waveform.then(|| wave::samples(canvas, canvas.drawing(INDENT))),
    }
}

fn heading(report: &mut Report, pairs: &Pairs, same: usize, canvas: Canvas) {
    let message = pairs.entry.as_ref().map(|entry| entry.entry.message.to_string()).unwrap_or_default();
    let (before, after) = (&pairs.before, &pairs.after);
    let arrow = canvas.text("→");
    let states = format!("{NAME}{before}{NAME:#} {arrow} {NAME}{after}{NAME:#}");
    if canvas.narrow() {
        report.line(format_args!("{states}"));
        canvas.prose(report, &message);
    } else {
        report.line(format_args!("{states}: {BOLD}{message}{BOLD:#}"));
    }
    let alike = human::count(same, "file is the same", "files are the same");
    match (pairs.pairs.is_empty(), same) {
        (true, _) if !pairs.known => {}
        (true, _) => report.line(format_args!("Nothing differs: {alike}.")),
        (false, 0) => canvas.prose(report, &table::counts(&pairs.pairs)),
        (false, _) => canvas.prose(report, &format!("{}; {alike}", table::counts(&pairs.pairs))),
    }
}

fn diff_json(pairs: &Pairs, seen: &[Seen], same: usize) -> Json {
    let changes = pairs.pairs.iter().zip(seen).map(|(pair, seen)| json::change(pair, seen));
    let mut fields: Fields = vec![("inspect_version", json::VERSION.into())];
    if let Some(entry) = &pairs.entry {
        fields.push(("index", entry.index.into()));
        fields.push(("stash_id", (&entry.stash_id).into()));
        fields.push(("message", (&entry.entry.message).into()));
    }
    fields.extend([
        ("before", pairs.before.as_str().into()),
        ("after", pairs.after.as_str().into()),
        ("known", pairs.known.into()),
        ("changes", Json::list(changes)),
        ("same", same.into()),
    ]);
    json::object(fields)
}
