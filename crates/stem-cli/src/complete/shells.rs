//! The scripts of the shells, and the form in which each takes its answer.

use super::sources::shown;
use super::{Answer, Candidate};

/// Characters that need no quotes in any shell, in the middle of a word.
const PLAIN: &str = "_./,+-";

/// The script that a shell reads at its start; `None` for one that has none here.
pub(crate) fn script(shell: clap_complete::Shell) -> Option<&'static str> {
    match shell {
        clap_complete::Shell::Bash => Some(include_str!("scripts/stem.bash")),
        clap_complete::Shell::Zsh => Some(include_str!("scripts/stem.zsh")),
        clap_complete::Shell::Fish => Some(include_str!("scripts/stem.fish")),
        clap_complete::Shell::PowerShell => Some(include_str!("scripts/stem.ps1")),
        _ => None,
    }
}

/// What a shell is answered. `words` are those that its script gives.
pub(super) fn answer(
    shell: &str,
    words: &[&str],
    complete: &dyn Fn(&[String], &str) -> Answer,
) -> Option<String> {
    match shell {
        "bash" => bash(words, complete),
        "zsh" | "fish" => {
            let (current, before) = words.split_last()?;
            let answer = complete(&owned(before), current);
            Some(records(answer, shell == "zsh"))
        }
        "powershell" => {
            let (count, words) = words.split_first()?;
            // An older PowerShell drops an empty word on its way to a program.
            let (current, before) = match words.split_last() {
                Some((current, before)) if Ok(words.len()) == count.parse() => (*current, before),
                _ => ("", words),
            };
            Some(powershell(complete(&owned(before), current)))
        }
        _ => None,
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// `0  WIP chorus, 3 hours ago`.
fn labelled(candidate: &Candidate, width: usize) -> String {
    let value = shown(&candidate.value);
    if candidate.help.is_empty() {
        return value;
    }
    let room = width.saturating_sub(value.chars().count());
    format!("{value}{:room$}  {}", "", shown(&candidate.help))
}

fn width(candidates: &[Candidate]) -> usize {
    candidates.iter().map(|candidate| shown(&candidate.value).chars().count()).max().unwrap_or(0)
}

/// For zsh and fish, which quote what they insert: what kind of answer it is, then for each candidate the value and what
/// is shown, each ended by NUL. zsh wants to know which ones go on; fish adds no space after a slash or colon.
fn records(answer: Answer, zsh: bool) -> String {
    let candidates = match answer {
        Answer::Files => return "files\0".to_owned(),
        Answer::Dirs => return "dirs\0".to_owned(),
        Answer::Offer(candidates) => candidates,
    };
    let width = width(&candidates);
    let mut out = "offer\0".to_owned();
    for candidate in candidates.iter().filter(|candidate| !candidate.value.contains('\0')) {
        if zsh {
            let open = if candidate.open { "open" } else { "" };
            let label = labelled(candidate, width);
            out.extend([&candidate.value, "\0", &label, "\0", open, "\0"]);
        } else if !candidate.value.contains(['\t', '\n', '\r']) {
            // To fish a tab begins what is shown.
            out.extend([&candidate.value, "\t", &shown(&candidate.help), "\0"]);
        }
    }
    out
}

fn powershell(answer: Answer) -> String {
    let Answer::Offer(candidates) = answer else { return String::new() };
    let mut out = String::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.value.contains(char::is_control)) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_./-:=".contains(c);
        let value = if candidate.value.chars().all(plain) {
            candidate.value.clone()
        } else {
            // All of these end a string in single quotes, and all are doubled within one.
            let doubled: String = candidate
                .value
                .chars()
                .flat_map(|c| std::iter::repeat_n(c, if "'‘’‚‛".contains(c) { 2 } else { 1 }))
                .collect();
            format!("'{doubled}'")
        };
        out.extend([&value, "\t", &labelled(candidate, 0), "\n"]);
    }
    out
}

/// The state of quoting at a place of a line of bash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// A line of bash up to the cursor, without its quotes; nothing in it is expanded.
struct BashLine<'a> {
    words: Vec<String>,
    /// The last word as it is typed.
    raw: &'a str,
}

fn read_bash(line: &str) -> BashLine<'_> {
    let (mut words, mut word, mut begun) = (Vec::new(), String::new(), 0);
    let mut quote = Quote::None;
    let mut letters = line.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Quote::None, ' ' | '\t' | '\n') => {
                // Between words there may be more than one blank, and `''` is a word.
                if at > begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = at + letter.len_utf8();
            }
            (Quote::None, '\'') => quote = Quote::Single,
            (Quote::None, '"') => quote = Quote::Double,
            (Quote::Single, '\'') | (Quote::Double, '"') => quote = Quote::None,
            (Quote::None, '\\') => word.extend(letters.next().map(|(_, next)| next)),
            (Quote::Double, '\\') => match letters.peek() {
                Some(&(_, next)) if "\"\\$`".contains(next) => {
                    word.extend(letters.next().map(|(_, next)| next));
                }
                _ => word.push('\\'),
            },
            (_, letter) => word.push(letter),
        }
    }
    words.push(word);
    BashLine { words, raw: &line[begun..] }
}

/// `words` are `COMP_TYPE`, the line up to the cursor, and the part of the last word that bash replaces.
fn bash(words: &[&str], complete: &dyn Fn(&[String], &str) -> Answer) -> Option<String> {
    let [kind, line, replaced] = words else { return None };
    let BashLine { words, raw } = read_bash(line);
    let (current, before) = words.split_last()?;
    let candidates = match complete(before.get(1..)?, current) {
        Answer::Files => return Some("files\n".to_owned()),
        Answer::Dirs => return Some("dirs\n".to_owned()),
        Answer::Offer(candidates) => candidates,
    };
    // What bash keeps: it breaks words at colons, equals signs and quotes as well.
    let kept = raw.strip_suffix(replaced).unwrap_or("");
    let there = read_bash(kept).words.pop().unwrap_or_default();
    let quote = quote_after(kept);
    let mut rows: Vec<(String, &Candidate)> = candidates
        .iter()
        .filter(|candidate| !candidate.value.contains('\0'))
        .filter_map(|candidate| Some((quoted(candidate.value.strip_prefix(&there)?, quote), candidate)))
        .collect();
    let open = matches!(&rows[..], [(_, only)] if only.open);
    // Explanations are shown where bash lists; where it inserts they would be inserted too.
    let listing = matches!(*kind, "63" | "33" | "64") && rows.len() > 1;
    if listing && rows.iter().any(|(_, candidate)| !candidate.help.is_empty()) {
        let width = rows.iter().map(|(value, _)| value.chars().count()).max().unwrap_or(0);
        for (value, candidate) in &mut rows {
            if !candidate.help.is_empty() {
                let room = width - value.chars().count();
                *value = format!("{value}{:room$}  {}", "", shown(&candidate.help));
            }
        }
    }
    let mut out = if open { "open\n" } else { "offer\n" }.to_owned();
    for (value, _) in rows {
        out += &value;
        out.push('\n');
    }
    Some(out)
}

fn quote_after(text: &str) -> Quote {
    let mut quote = Quote::None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        quote = match (quote, letter) {
            (Quote::None, '\'') => Quote::Single,
            (Quote::None, '"') => Quote::Double,
            (Quote::Single, '\'') | (Quote::Double, '"') => Quote::None,
            (Quote::None | Quote::Double, '\\') => {
                letters.next();
                quote
            }
            _ => quote,
        };
    }
    quote
}

/// A text as bash reads it back, in a word whose quotes are in that state.
fn quoted(text: &str, quote: Quote) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if letter.is_control() {
            // Closes the quotes, if there are any, and opens them again.
            let around = match quote {
                Quote::None => "",
                Quote::Single => "'",
                Quote::Double => "\"",
            };
            let mut buffer = [0; 4];
            let bytes = letter.encode_utf8(&mut buffer).bytes();
            out.extend([around, "$'"]);
            for byte in bytes {
                let octal = |shift: u8| char::from(b'0' + (byte >> shift & 7));
                out.extend(['\\', octal(6), octal(3), octal(0)]);
            }
            out.extend(["'", around]);
            continue;
        }
        match quote {
            Quote::None
                if letter.is_ascii() && !letter.is_ascii_alphanumeric() && !PLAIN.contains(letter) =>
            {
                out.push('\\');
                out.push(letter);
            }
            Quote::Single if letter == '\'' => out += "'\\''",
            // Within double quotes nothing keeps the history from being searched.
            Quote::Double if letter == '!' => out += "\"'!'\"",
            Quote::Double if "\"\\$`".contains(letter) => {
                out.push('\\');
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_bash_is_read_without_being_expanded() {
        let line = read_bash(r#"stem  'a b' c\ d "e \" $f \g" '' $(touch x) tr'ac"#);
        assert_eq!(
            line.words,
            ["stem", "a b", "c d", "e \" $f \\g", "", "$(touch", "x)", "trac"],
            "as typed"
        );
        assert_eq!(line.raw, "tr'ac");
        assert_eq!(read_bash("stem ").words, ["stem", ""]);
    }

    #[test]
    fn what_bash_is_offered_fits_the_quotes_that_are_open() {
        assert_eq!(quoted("a b$(c)'d\n", Quote::None), r"a\ b\$\(c\)\'d$'\012'");
        assert_eq!(quoted("a b$(c)'d\n", Quote::Single), r"a b$(c)'\''d'$'\012''");
        assert_eq!(quoted("a b$(c)'d!\n", Quote::Double), "a b\\$(c)'d\"'!'\"\"$'\\012'\"");
    }

    #[test]
    fn bash_is_offered_only_what_it_replaces() {
        let offer = |_: &[String], _: &str| Answer::Offer(vec![Candidate::new("--track=a b", "")]);
        assert_eq!(bash(&["9", "stem stash push --track=a", "a"], &offer).unwrap(), "offer\na\\ b\n");
        let words = &["9", "stem stash push --track=\"a", "a"];
        assert_eq!(bash(words, &offer).unwrap(), "offer\na b\n");
    }

    #[test]
    fn explanations_are_listed_and_never_inserted() {
        let offer = |_: &[String], _: &str| {
            Answer::Offer(vec![Candidate::new("0", "WIP\u{1b}[31m, just now"), Candidate::new("10", "")])
        };
        assert_eq!(bash(&["9", "stem stash pop ", ""], &offer).unwrap(), "offer\n0\n10\n");
        let listed = bash(&["63", "stem stash pop ", ""], &offer).unwrap();
        assert!(listed.starts_with("offer\n0   WIP") && !listed.contains('\u{1b}'), "{listed:?}");
    }

    #[test]
    fn powershell_gets_one_string_whatever_a_name_is() {
        let offer = Answer::Offer(vec![
            Candidate::new("it's ‘$(calc)’", ""),
            Candidate::new("a\nb", ""),
            Candidate::new("0", "WIP"),
        ]);
        assert_eq!(powershell(offer), "'it''s ‘‘$(calc)’’'\tit's ‘$(calc)’\n0\t0  WIP\n");
    }
}
