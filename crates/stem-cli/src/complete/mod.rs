//! Completions that know the repository.
//!
//! The script of a shell ([`shells::script`]) asks the program itself: `stem __complete SHELL …`. It answers from the
//! definition of the arguments ([`expect`]) and from the repository ([`sources`]): references with their messages,
//! tracks, sections, paths. It takes no lock, writes nothing, and has no errors: where something cannot be read there is
//! nothing to offer.
//!
//! Names of files and messages come from anybody. The scripts therefore never evaluate what they are told: in bash and
//! PowerShell, which insert a candidate as it is, [`shells`] quotes it; zsh and fish quote by themselves. The engine of
//! `clap_complete` was rejected for that: its bash script expands candidates (`$(rm -r .)` as the name of a track would
//! be typed in, ready to run), its PowerShell script evaluates the line that is being typed, and a completer of an
//! option does not get to know `-C`.

mod expect;
mod shells;
mod sources;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::CommandFactory as _;

use crate::args::Cli;

pub(crate) use shells::script;

/// The first argument by which a shell asks.
pub(crate) const ARGUMENT: &str = "__complete";

/// How much is offered at most; nobody reads more.
const MAX_OFFERED: usize = 1000;

/// Something to offer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    /// What is typed in, the part of the word that is there already included.
    value: String,
    /// What people are told of it.
    help: String,
    /// Whether the word goes on after it, as after the name of a directory.
    open: bool,
}

impl Candidate {
    fn new(value: impl Into<String>, help: impl Into<String>) -> Self {
        Self { value: value.into(), help: help.into(), open: false }
    }
}

/// What belongs where the cursor is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// One of these.
    Offer(Vec<Candidate>),
    /// A file of the system, which shells know best.
    Files,
    /// A directory of the system.
    Dirs,
}

/// Answers a shell. `words` are those after [`ARGUMENT`].
pub(crate) fn run(words: &[OsString]) {
    // A shell that waits for completions must not be told of a panic either.
    std::panic::set_hook(Box::new(|_| {}));
    let answer = catch_unwind(AssertUnwindSafe(|| {
        // What is no UTF-8 is nothing that is offered here.
        let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
        let (shell, rest) = words.as_deref()?.split_first().map(|(shell, rest)| (*shell, rest))?;
        shells::answer(shell, rest, &complete)
    }));
    if let Ok(Some(text)) = answer {
        // A shell that has gone away has no more wishes.
        let _ = crate::ui::Ui::raw(|out| out.write_all(text.as_bytes()));
    }
}

/// `before` are the words between the program and the cursor's, `current` is what is typed of that one.
fn complete(before: &[String], current: &str) -> Answer {
    let mut command = Cli::command();
    command.build();
    let mut answer = expect::at(&command, before, current);
    if let Answer::Offer(candidates) = &mut answer {
        candidates.retain(|candidate| candidate.value.starts_with(current));
        candidates.truncate(MAX_OFFERED);
    }
    answer
}
