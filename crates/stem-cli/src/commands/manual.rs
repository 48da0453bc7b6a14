//! `man`: pages made from the definition of the arguments, with what holds for every command written out here.

use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::args::Cli;
use crate::failure::{Failure, Result};
use crate::human;
use crate::json::Json;
use crate::report::Report;
use crate::ui::Ui;

/// The contract of DESIGN with scripts, as `failure::exit` has it.
const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Done."),
    ("1", "An error of the user's: arguments, or a state of the repository that does not allow it."),
    ("2", "There is no repository."),
    ("3", "The system or stem itself failed."),
    ("4", "Done in part, or damage found; what is concerned is listed."),
    ("128+n", "Ended by signal n (130 after Ctrl-C); what state was left is said."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("MUSE_REPO_ROOT", "The repository, where --repo names none."),
    ("DATABASE_URL", "Muse's database, where --database-url names none."),
    (
        "STEM_PAGER, PAGER",
        "The pager for long answers on a terminal; empty or cat for none. Without them less, with LESS=FRX unless LESS is set.",
    ),
    ("NO_COLOR", "No colours, unless --color asks for them."),
    ("CLICOLOR_FORCE", "Colours also where the answer goes into a file or a pipe."),
    ("COLUMNS", "The width of the terminal."),
    ("TMPDIR", "Where stem demo works."),
];

pub(super) fn man(dir: Option<&Path>, ui: &Ui) -> Result<Report> {
    let Some(dir) = dir else {
        let mut out = Vec::new();
        page(Cli::command(), &mut out)
            .map_err(|error| Failure::internal(format!("the manual page cannot be made: {error}")))?;
        return super::shell::document("man", &out, ui);
    };
    let shown = human::path(dir);
    let failed =
        |error: io::Error| Failure::io(&format!("cannot write manual pages into '{shown}'"), dir, &error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    pages(&command, dir).map_err(failed)?;
    Ok(Report::new(
        ui,
        || Json::object([("dir", Json::path(dir))]),
        |report| report.line(format_args!("Wrote the manual pages into '{shown}'.")),
    ))
}

/// A page for the command and each below it.
fn pages(command: &Command, dir: &Path) -> io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        pages(sub, dir)?;
    }
    let mut out = Vec::new();
    page(command.clone(), &mut out)?;
    std::fs::write(dir.join(Man::new(command.clone()).get_filename()), out)
}

fn page(command: Command, out: &mut Vec<u8>) -> io::Result<()> {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let subcommands = command.has_subcommands();
    let outermost = command.get_name() == "stem";
    let man = Man::new(command).manual("stemvault").source(concat!("stem ", env!("CARGO_PKG_VERSION")));
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if subcommands {
        man.render_subcommands_section(out)?;
    }
    section(out, "EXIT STATUS", EXIT_STATUS)?;
    section(out, "ENVIRONMENT", ENVIRONMENT)?;
    writeln!(out, ".SH EXAMPLES")?;
    for line in examples.lines().skip(1) {
        let line = line.trim();
        // What an example is for stands behind two blanks.
        let (example, what) = line.split_once("  ").unwrap_or((line, ""));
        writeln!(out, ".TP\n\\fB{}\\fR\n{}", roff(example), roff(what.trim()))?;
    }
    if !outermost {
        writeln!(out, ".SH \"SEE ALSO\"\nstem(1)")?;
    }
    Ok(())
}

fn section(out: &mut Vec<u8>, title: &str, rows: &[(&str, &str)]) -> io::Result<()> {
    writeln!(out, ".SH \"{title}\"")?;
    for (name, what) in rows {
        writeln!(out, ".TP\n\\fB{}\\fR\n{}", roff(name), roff(what))?;
    }
    Ok(())
}

/// Text in which nothing is a request or an escape.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_how_it_ends_and_gives_two_examples() {
        let mut command = Cli::command();
        command.build();
        let pop = command.find_subcommand("stash").and_then(|stash| stash.find_subcommand("pop")).unwrap();
        let mut out = Vec::new();
        page(pop.clone(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(".TH stem-stash-pop 1") || text.contains(".TH \"stem-stash-pop\""), "{text}");
        for part in
            [".SH \"EXIT STATUS\"", ".SH \"ENVIRONMENT\"", ".SH EXAMPLES", "\\fBSTEM_PAGER, PAGER\\fR"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let (_, examples) = text.split_once(".SH EXAMPLES").unwrap();
        assert_eq!(examples.matches("\\fBstem ").count(), 2, "{examples}");
        assert!(!text.contains("EXTRA"));
    }

    #[test]
    fn no_text_is_taken_for_a_request() {
        assert_eq!(roff(".muse's a\\b --x"), "\\&.muse\\(aqs a\\eb \\-\\-x");
    }
}
