//! What the definition of the arguments expects at a place of the command line.
//!
//! A reading of its own and not the parser's, because the line is not finished: whatever makes no sense yet is passed
//! over.

use clap::{Arg, ArgAction, Command, ValueHint};

use super::sources::{Place, directories, paths, references, remotes, schemes, tree_folders};
use super::{Answer, Candidate};

/// What has been read of the line.
struct Line<'a> {
    command: &'a Command,
    /// Names of the commands, from the outermost.
    names: Vec<&'a str>,
    /// Operands of the innermost command.
    operands: Vec<&'a str>,
    /// Options that were given.
    given: Vec<&'a str>,
    /// An option whose value the next word is.
    pending: Option<&'a Arg>,
    /// Whether `--` was typed.
    escaped: bool,
    repo: Option<&'a str>,
}

/// What belongs at the cursor.
pub(super) fn at(root: &Command, before: &[String], current: &str) -> Answer {
    let mut line = Line {
        command: root,
        names: Vec::new(),
        operands: Vec::new(),
        given: Vec::new(),
        pending: None,
        escaped: false,
        repo: None,
    };
    for word in before {
        line.read(word);
    }
    line.expects(current)
}

impl<'a> Line<'a> {
    fn read(&mut self, word: &'a str) {
        if let Some(option) = self.pending.take() {
            self.value(option, word);
        } else if self.escaped || word == "-" || !word.starts_with('-') {
            match self.command.find_subcommand(word).filter(|_| !self.escaped && self.operands.is_empty()) {
                Some(command) => {
                    self.command = command;
                    self.names.push(command.get_name());
                }
                None => self.operands.push(word),
            }
        } else if word == "--" {
            self.escaped = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let option = self.command.get_arguments().find(|arg| arg.get_long() == Some(name));
            self.option(option, value);
        } else {
            let mut letters = word.chars();
            letters.next();
            while let Some(letter) = letters.next() {
                let option = self.command.get_arguments().find(|arg| arg.get_short() == Some(letter));
                let rest = letters.as_str();
                if option.is_some_and(takes_value) {
                    self.option(option, Some(rest).filter(|rest| !rest.is_empty()));
                    break;
                }
                self.option(option, None);
            }
        }
    }

    fn option(&mut self, option: Option<&'a Arg>, value: Option<&'a str>) {
        let Some(option) = option else { return };
        self.given.push(option.get_id().as_str());
        if takes_value(option) {
            match value {
                Some(value) => self.value(option, value),
                None => self.pending = Some(option),
            }
        }
    }

    fn value(&mut self, option: &Arg, value: &'a str) {
        if option.get_id() == "repo" {
            self.repo = Some(value);
        }
    }

    fn expects(&self, current: &str) -> Answer {
        if let Some(option) = self.pending {
            return self.values(option, "", current);
        }
        if !self.escaped && current.starts_with('-') && current != "-" {
            if let Some((name, value)) = current.split_once('=') {
                let option =
                    self.command.get_arguments().find(|arg| arg.get_long() == name.strip_prefix("--"));
                return match option.filter(|option| takes_value(option)) {
                    Some(option) => self.values(option, &format!("{name}="), value),
                    None => Answer::Offer(Vec::new()),
                };
            }
            return Answer::Offer(self.options());
        }
        let mut offered = Vec::new();
        if !self.escaped && self.operands.is_empty() {
            offered.extend(self.command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(|sub| {
                let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
                Candidate::new(sub.get_name(), about)
            }));
        }
        if let Some(operand) = self.operand() {
            match self.values(operand, "", current) {
                Answer::Offer(more) => offered.extend(more),
                system if offered.is_empty() => return system,
                _ => {}
            }
        }
        Answer::Offer(offered)
    }

    /// The operand that comes next.
    fn operand(&self) -> Option<&'a Arg> {
        // What is read only after `--` counts from there.
        let mut places = self.command.get_positionals().filter(|arg| !arg.is_last_set() || self.escaped);
        let mut left = self.operands.len();
        places.find(|arg| {
            let many = matches!(arg.get_action(), ArgAction::Append);
            let here = many || left == 0;
            left = left.saturating_sub(1);
            here
        })
    }

    fn options(&self) -> Vec<Candidate> {
        let fresh = |arg: &&Arg| {
            let again = matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
            !arg.is_hide_set() && (again || !self.given.contains(&arg.get_id().as_str()))
        };
        let named = |arg: &Arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.get_long().map(|long| Candidate::new(format!("--{long}"), help))
        };
        self.command.get_arguments().filter(fresh).filter_map(named).collect()
    }

    /// Values of an option or operand, each behind `prefix`.
    fn values(&self, arg: &Arg, prefix: &str, current: &str) -> Answer {
        let place = Place { repo: self.repo };
        let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let candidates = match (arg.get_id().as_str(), name) {
            // Nothing is asked over the network while somebody types.
            ("remote_reference", _) => remotes(&place, "@{0}"),
            ("reference", _) if self.given.contains(&"remote") => Vec::new(),
            (_, "REF") => references(&place, current),
            (_, "REMOTE") => remotes(&place, ""),
            ("track", _) => tree_folders(&place, "tracks"),
            ("section", _) => tree_folders(&place, "sections"),
            // The first operand of these is the REF; what follows are paths of that entry.
            ("paths", "PATH") if matches!(self.names.last(), Some(&("apply" | "diff"))) => {
                paths(&place, self.operands.first().copied().unwrap_or("0"), current)
            }
            ("paths", "PATH") => directories(&place, current),
            ("database_url", _) => schemes(["sqlite:///", "postgresql://"].map(|scheme| (scheme, ""))),
            (_, "URL") => schemes(stemvault::backends()),
            _ => {
                let possible = arg.get_possible_values();
                let shown = possible.iter().filter(|value| !value.is_hide_set());
                if possible.is_empty() || !takes_value(arg) {
                    return match arg.get_value_hint() {
                        // The system's names stand behind no `=`.
                        ValueHint::FilePath | ValueHint::AnyPath if prefix.is_empty() => Answer::Files,
                        ValueHint::DirPath if prefix.is_empty() => Answer::Dirs,
                        _ => Answer::Offer(Vec::new()),
                    };
                }
                shown
                    .map(|value| {
                        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                        Candidate::new(value.get_name(), help)
                    })
                    .collect()
            }
        };
        let option = !arg.is_positional() && prefix.is_empty();
        Answer::Offer(
            candidates
                .into_iter()
                // As a word of its own it would be read as an option.
                .filter(|candidate| !(option && candidate.value.starts_with('-')))
                .map(|candidate| Candidate { value: format!("{prefix}{}", candidate.value), ..candidate })
                .collect(),
        )
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    fn offered(words: &[&str], current: &str) -> Answer {
        let mut command = Cli::command();
        command.build();
        // Nothing of the tests' own surroundings is looked at.
        let mut before = vec!["-C".to_owned(), "/nowhere".to_owned()];
        before.extend(words.iter().map(|word| (*word).to_owned()));
        match at(&command, &before, current) {
            Answer::Offer(list) => {
                Answer::Offer(list.into_iter().filter(|one| one.value.starts_with(current)).collect())
            }
            other => other,
        }
    }

    fn values(words: &[&str], current: &str) -> Vec<String> {
        match offered(words, current) {
            Answer::Offer(list) => list.into_iter().map(|candidate| candidate.value).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_options_and_their_values_are_known() {
        assert_eq!(values(&[], "sta"), ["status", "stash"]);
        assert_eq!(values(&["stash"], "po"), ["pop"]);
        assert_eq!(values(&["stash", "pop"], "--on"), ["--on-conflict"]);
        assert_eq!(values(&["stash", "pop", "--on-conflict"], ""), ["overwrite", "keep-both", "fail"]);
        assert_eq!(values(&["stash", "pop"], "--on-conflict=k"), ["--on-conflict=keep-both"]);
        assert_eq!(values(&["--color"], "al"), ["always"]);
        assert_eq!(values(&["completions"], "ba"), ["bash"]);
        assert_eq!(values(&["stash", "pop", "--force"], "--fo"), [""; 0], "once is enough");
        assert_eq!(values(&["stash", "push", "--store"], "p"), ["pack:"]);
        assert_eq!(values(&["nonsense", "more"], ""), [""; 0]);
        assert_eq!(values(&["stash", "pop"], "--nonsense=x"), [""; 0]);
    }

    #[test]
    fn files_of_the_system_are_left_to_the_shell() {
        assert_eq!(offered(&["init"], ""), Answer::Dirs);
        assert_eq!(offered(&["object", "put", "a.wav"], ""), Answer::Files);
        assert_eq!(offered(&["stash", "import"], "x"), Answer::Files);
        assert_eq!(offered(&["status", "-C"], ""), Answer::Dirs);
    }
}
