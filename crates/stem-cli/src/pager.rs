//! Long answers, page by page, as git shows them.
//!
//! Only where standard output is a terminal. `STEM_PAGER`, else `PAGER`, else `less`, which ends by itself when the answer
//! fits on the screen (`LESS=FRX`, unless `LESS` says otherwise). An empty name or `cat` means none, and so does
//! `TERM=dumb` where nobody chose a pager. A pager that cannot be started is none: the answer is printed.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use crate::progress;

/// What a shell would make something of; a command without any of it is started directly.
const SHELL: &str = "|&;<>()$`\\\"' \t\n*?[#~=%";

/// Shows `text`, which is ready for a terminal, in the pager. `false` when nobody has seen it.
pub(crate) fn show(text: &str) -> bool {
    let Some(mut command) = command(|name| std::env::var_os(name)) else { return false };
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    if std::env::var_os("LV").is_none() {
        command.env("LV", "-c");
    }
    let Ok(mut child) = command.stdin(Stdio::piped()).spawn() else { return false };
    // To a pager Ctrl-C means something else than to go away, and it must not be left behind without its program.
    progress::leave_interrupts();
    feed(&mut child, text);
    match child.wait() {
        // What a shell says of a command that it cannot find or start.
        Ok(status) => !matches!(status.code(), Some(126 | 127)),
        // It was started; whatever it showed is all there will be.
        Err(_) => true,
    }
}

fn feed(child: &mut Child, text: &str) {
    if let Some(mut input) = child.stdin.take() {
        // Whoever has seen enough leaves the pager before its end; what else goes wrong there, the pager says.
        let _ = input.write_all(text.as_bytes()).and_then(|()| input.flush());
    }
}

fn command(variable: impl Fn(&str) -> Option<OsString>) -> Option<Command> {
    let chosen = variable("STEM_PAGER").or_else(|| variable("PAGER"));
    let dumb = variable("TERM").is_none_or(|term| term == "dumb");
    if chosen.is_none() && dumb {
        return None;
    }
    let chosen = chosen.unwrap_or_else(|| "less".into());
    let words = chosen.to_str().map(str::trim);
    if chosen.is_empty() || matches!(words, Some("" | "cat")) {
        return None;
    }
    if cfg!(unix) && words.is_none_or(|words| words.contains(|c| SHELL.contains(c))) {
        let mut command = Command::new("sh");
        command.arg("-c").arg(chosen);
        return Some(command);
    }
    let mut words = words?.split_whitespace();
    let mut command = Command::new(words.next()?);
    command.args(words);
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> Option<String> {
        let command = command(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })?;
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        Some(words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn the_pager_is_chosen_as_by_git() {
        let xterm = ("TERM", "xterm");
        assert_eq!(chosen(&[xterm]).as_deref(), Some("less"));
        assert_eq!(chosen(&[xterm, ("PAGER", "more")]).as_deref(), Some("more"));
        assert_eq!(chosen(&[xterm, ("PAGER", "more"), ("STEM_PAGER", "most")]).as_deref(), Some("most"));
        for none in ["", " ", "cat"] {
            assert_eq!(chosen(&[xterm, ("PAGER", "more"), ("STEM_PAGER", none)]), None, "{none:?}");
        }
        assert_eq!(chosen(&[("TERM", "dumb")]), None);
        assert_eq!(chosen(&[("TERM", "dumb"), ("PAGER", "more")]).as_deref(), Some("more"));
    }

    #[cfg(unix)]
    #[test]
    fn a_pager_with_options_is_a_command_of_the_shell() {
        let less = [("PAGER", "less -S | cat")];
        assert_eq!(chosen(&less).as_deref(), Some("sh|-c|less -S | cat"));
    }
}
