//! `stem bench`: ways of storing, compared on the user's files.
//!
//! All the work is done by `stem-bench`; here arguments become options, and what was found becomes an answer
//! ([`output`]). The program measures by starting itself once more for each operation.

mod output;

use std::path::Path;

use stem_bench::model::Comparison;
use stem_bench::{ErrorKind, Options, Strategy, Worker};
use stemvault::Progress as _;

use crate::args::BenchArgs;
use crate::failure::{Failure, Result, chain, exit};
use crate::human;
use crate::json::Json;
use crate::progress::Bars;
use crate::report::{DIM, NAME, Report};
use crate::target;
use crate::ui::Ui;

/// What a first run works on: with the usual strategies it ends in minutes.
const SAMPLE: u64 = 512 << 20;

pub(super) fn run(args: &BenchArgs, ui: &Ui) -> Result<Report> {
    if args.list_strategies {
        return Ok(list(ui));
    }
    let all = args.dirs.iter().chain(&args.against);
    for file in args.save.iter().chain(&args.html) {
        stem_bench::outside(all.clone(), file).map_err(failure)?;
        target::check(file)?;
    }
    let options = options(args)?;
    let bars = ui.bars();
    let comparison = {
        let follow = Follow(&bars);
        let done = if args.predict {
            stem_bench::predict(&options, &follow)
        } else {
            stem_bench::run(&options, &follow)
        };
        done.map_err(failure)?
    };
    drop(bars);
    // What was not even begun is worth no file.
    let found = comparison.forecast.is_some() || comparison.strategies.iter().any(|s| !s.rounds.is_empty());
    if !comparison.interrupted || found {
        if let Some(file) = &args.save {
            output::save(&comparison, file)?;
        }
        if let Some(file) = args.html.as_ref().filter(|_| !comparison.interrupted) {
            output::html(&comparison, file)?;
        }
    }
    if comparison.interrupted {
        return Err(interrupted(&comparison, &options));
    }
    report(&comparison, args, ui)
}

fn options(args: &BenchArgs) -> Result<Options> {
    let strategies = strategies(args)?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::io("cannot find this program itself", Path::new("stem"), &error))?;
    let sample = match (args.all, args.predict) {
        (true, _) => None,
        (false, true) => args.sample,
        (false, false) => Some(args.sample.unwrap_or(SAMPLE)),
    };
    Ok(Options {
        directories: args.dirs.clone(),
        strategies,
        chosen: !args.strategies.is_empty(),
        sample,
        rounds: args.rounds,
        against: args.against.clone(),
        scratch: args.scratch.clone(),
        seed: args.seed,
        state: stem_bench::state_file(args.save.as_deref(), &args.dirs),
        resume: args.resume,
        worker: Worker::Child(program),
        tool: concat!("stem ", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

/// Those that were named; the usual ones when none is; and the stores of `--store`.
fn strategies(args: &BenchArgs) -> Result<Vec<Strategy>> {
    let mut strategies = if args.strategies.is_empty() {
        stem_bench::default_strategies()
    } else {
        stem_bench::select(&args.strategies).map_err(failure)?
    };
    for url in &args.store {
        let taken: Vec<String> = strategies.iter().map(|strategy| strategy.name.clone()).collect();
        strategies.push(stem_bench::from_url(url, &taken).map_err(failure)?);
    }
    Ok(strategies)
}

/// The progress of a comparison on the bars of the program.
struct Follow<'a>(&'a Bars);

impl stem_bench::Progress for Follow<'_> {
    fn begin(&self, stage: &str, bytes: u64) {
        self.0.phase(stage.to_owned(), 0, bytes);
    }

    fn doing(&self, what: &str) {
        self.0.label(what.to_owned());
    }

    fn advance(&self, bytes: u64) {
        self.0.advance(0, bytes);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failure(error: stem_bench::Error) -> Failure {
    let message = chain(&error);
    let path = error.path().map(Path::to_path_buf);
    let failure = match error.kind() {
        ErrorKind::User => Failure::user("invalid_input", message),
        ErrorKind::NoSpace => Failure::user("no_space", message),
        ErrorKind::Interrupted => Failure::interrupted(message),
        ErrorKind::Internal => Failure { exit: exit::INTERNAL, ..Failure::user("io", message) },
    };
    Failure { path, ..failure }
}

fn interrupted(comparison: &Comparison, options: &Options) -> Failure {
    let rounds: usize = comparison.strategies.iter().map(|strategy| strategy.rounds.len()).sum();
    let kept = options.state.as_ref().filter(|state| rounds > 0 && state.exists());
    let message = match kept {
        Some(state) => format!(
            "interrupted; {} kept in '{}', and the same command with --resume goes on",
            human::count(rounds, "finished round is", "finished rounds are"),
            human::path(state)
        ),
        None => "interrupted; nothing was finished, and nothing is left behind".to_owned(),
    };
    Failure::interrupted(message)
}

fn report(comparison: &Comparison, args: &BenchArgs, ui: &Ui) -> Result<Report> {
    let mut report = Report::nothing();
    if ui.json() {
        report.json = Some(Json::document(output::document(comparison)?.trim_end().to_owned()));
    } else {
        report.out = output::text(comparison);
        for file in args.save.iter().chain(&args.html) {
            report.line(format_args!("Written: {NAME}{}{NAME:#}", human::path(file)));
        }
    }
    // The text has them below its tables.
    if ui.json() {
        for note in &comparison.notes {
            report.note(note.text.clone());
        }
    }
    for strategy in &comparison.strategies {
        if let Some(reason) = &strategy.failed {
            report.problem(format!("{}: {reason}", strategy.name));
        }
    }
    Ok(report)
}

fn list(ui: &Ui) -> Report {
    let strategies = stem_bench::strategies();
    Report::new(
        ui,
        || {
            Json::object([(
                "strategies",
                Json::list(strategies.iter().map(|strategy| {
                    Json::object([
                        ("name", Json::from(&strategy.name)),
                        ("about", Json::from(&strategy.about)),
                        ("url", Json::display(&strategy.url)),
                        ("default", strategy.default.into()),
                    ])
                })),
            )])
        },
        |report| {
            let width = strategies.iter().map(|strategy| strategy.name.len()).max().unwrap_or(0);
            for strategy in &strategies {
                let mark = if strategy.default { '*' } else { ' ' };
                report
                    .line(format_args!("{mark} {NAME}{:width$}{NAME:#}  {}", strategy.name, strategy.about));
            }
            report.line(format_args!("{DIM}* compared when --strategies does not say which{DIM:#}"));
        },
    )
}
