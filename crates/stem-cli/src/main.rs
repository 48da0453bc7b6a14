//! `stem`: shelve and restore work in progress in audio repositories.
//!
//! The binary is a thin shell around the facade crate `stemvault`: [`args`] says what can be typed, [`commands`] calls
//! the engine and turns what it answers into a [`report::Report`], and [`ui`] prints that. A command therefore never
//! writes to the terminal itself (but for the two that hand out raw data), and whether people or programs read the
//! answer is decided in one place.

mod args;
mod commands;
mod complete;
mod failure;
mod human;
mod inspect;
mod json;
mod operands;
mod pager;
mod progress;
mod report;
mod target;
mod ui;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::args::Cli;
use crate::failure::Failure;
use crate::ui::Ui;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|word| word == complete::ARGUMENT) {
        // Not for people: the scripts of `stem completions` ask it.
        complete::run(args.get(2..).unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    let ui = Ui::scan(&args);
    if args.get(1).is_some_and(|word| word == stem_bench::WORKER_ARGUMENT) {
        // Not for people: `stem bench` starts this program once more for each operation.
        return match stem_bench::work() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => ui.fail(&Failure::internal(error.to_string())),
        };
    }
    // A panic has been printed by the hook; what is left to do is the exit code and the JSON document of the contract.
    let run = AssertUnwindSafe(|| run(&args, ui));
    catch_unwind(run).unwrap_or_else(|_| {
        ui.fail(&Failure::internal(
            "stem stopped because of an error in itself; please report what stands above",
        ))
    })
}

fn run(args: &[OsString], ui: Ui) -> ExitCode {
    let cli = match Cli::read(args, &ui) {
        Ok(cli) => cli,
        Err(args::Unread::Told(report)) => return ui.long().tell(report),
        Err(args::Unread::Usage(failure)) => return ui.fail(&failure),
    };
    let ui = if cli.long { Ui::new(&cli.global).long() } else { Ui::new(&cli.global) };
    match commands::run(cli, &ui) {
        Ok(report) => ui.tell(report),
        Err(failure) => ui.fail(&failure),
    }
}
