//! `completions`: the script that a shell reads at its start.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::complete;
use crate::failure::Result;
use crate::json::Json;
use crate::report::Report;
use crate::ui::Ui;

pub(super) fn completions(shell: Shell, ui: &Ui) -> Result<Report> {
    if let Some(script) = complete::script(shell) {
        return document("completions", script.as_bytes(), ui);
    }
    // Elvish has none that asks: commands and options must do.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "stem", &mut script);
    document("completions", &script, ui)
}

/// Data, which `--quiet` does not silence, or its document.
pub(super) fn document(key: &str, bytes: &[u8], ui: &Ui) -> Result<Report> {
    if !ui.json() {
        Ui::raw(|out| out.write_all(bytes))?;
    }
    Ok(Report::new(ui, || Json::object([(key, String::from_utf8_lossy(bytes).as_ref().into())]), |_| {}))
}
