//! For the scripts in `tests/scripts`: notes what a repository holds, and checks later that nothing was lost.
//!
//! `stemvault-check tree ROOT` and `stemvault-check all ROOT` print what the contents of the working tree, or all that
//! can be had, hash to. `stemvault-check check ROOT LIST` says whether the repository is sound and holds what the file
//! LIST names.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it has no other way to say something")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use stemvault_tests::holdings;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let done = match &arguments[..] {
        [what, root] if what.as_os_str() == "tree" => Ok(holdings::in_tree(root)),
        [what, root] if what.as_os_str() == "all" => Ok(holdings::all(root)),
        [what, root, list] if what.as_os_str() == "check" => std::fs::read_to_string(list)
            .map_err(|e| format!("{}: {e}", list.display()))
            .and_then(|list| holdings::check(root, &list.lines().map(str::to_owned).collect()))
            .map(|()| BTreeSet::new()),
        _ => Err("usage: stemvault-check (tree ROOT | all ROOT | check ROOT LIST)".to_owned()),
    };
    match done {
        Ok(ids) => {
            for id in ids {
                println!("{id}");
            }
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
