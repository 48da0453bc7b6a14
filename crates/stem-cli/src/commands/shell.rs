//! `completions` and `man`, both made from the definition of the arguments.

use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::{Failure, Result};
use crate::human;
use crate::json::Json;
use crate::report::Report;
use crate::ui::Ui;

pub(super) fn completions(shell: Shell, ui: &Ui) -> Result<Report> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "stem", &mut script);
    document("completions", &script, ui)
}

pub(super) fn man(dir: Option<&Path>, ui: &Ui) -> Result<Report> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
        rendered.map_err(|error| Failure::internal(format!("the manual page cannot be made: {error}")))?;
        return document("man", &page, ui);
    };
    let shown = human::path(dir);
    let failed =
        |error: io::Error| Failure::io(&format!("cannot write manual pages into '{shown}'"), dir, &error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)?;
    Ok(Report::new(
        ui,
        || Json::object([("dir", Json::path(dir))]),
        |report| report.line(format_args!("Wrote the manual pages into '{shown}'.")),
    ))
}

/// Data, which `--quiet` does not silence, or its document.
fn document(key: &str, bytes: &[u8], ui: &Ui) -> Result<Report> {
    if !ui.json() {
        Ui::raw(|out| out.write_all(bytes))?;
    }
    Ok(Report::new(ui, || Json::object([(key, String::from_utf8_lossy(bytes).as_ref().into())]), |_| {}))
}
