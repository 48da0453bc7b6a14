//! What may have been meant by a reference to an entry that does not exist.

use stemvault::format::text::PyStr;
use stemvault::{EntryRef, Vault};

use crate::commands::Place;
use crate::failure::{Failure, Sought};
use crate::human;

/// Entries that are named where none was found.
const NAMED: usize = 3;
/// Characters of a message that are shown.
const MAX_MESSAGE: usize = 40;

/// Adds to a failure what entries there are, or which one was meant.
pub(super) fn explain(failure: Failure, place: &Place) -> Failure {
    let Some(sought) = &failure.sought else { return failure };
    let Some(entries) = place.open().ok().and_then(|vault: Vault| vault.stash().list().ok()) else {
        return failure;
    };
    if entries.is_empty() {
        return failure;
    }
    let message = match &**sought {
        Sought::Name(reference) => meant(reference, &entries).map(|entry| {
            // How references are written is known to whoever gets one.
            let reference = PyStr::from(reference.as_str());
            format!("no stash entry is called '{reference}': did you mean {}?", named(entry))
        }),
        Sought::Index => None,
    };
    match message {
        Some(message) => Failure { message, ..failure },
        // Programs may look for the reference's words, so these stand beside them.
        None => Failure { hint: Some(there_are(&entries).into()), ..failure },
    }
}

/// `there are stash@{0} (WIP chorus) and stash@{1} (bass)`.
fn there_are(entries: &[EntryRef]) -> String {
    let names: Vec<String> = entries.iter().take(NAMED).map(named).collect();
    let are = if entries.len() == 1 { "is" } else { "are" };
    match entries.len().saturating_sub(NAMED) {
        0 => format!("there {are} {}", human::and(&names)),
        more => format!("there are {} and {more} more: `stem stash list` shows them", names.join(", ")),
    }
}

fn named(entry: &EntryRef) -> String {
    let name = format!("stash@{{{}}}", entry.index);
    match &entry.entry {
        Ok(found) => {
            let message = found.message.to_string();
            let short: String = message.chars().take(MAX_MESSAGE).collect();
            let dots = if short.len() < message.len() { "…" } else { "" };
            format!("{name} ({short}{dots})")
        }
        Err(_) => format!("{name} (unreadable)"),
    }
}

/// The entry that a misspelt number or words of a message mean, where only one fits best.
fn meant<'a>(reference: &str, entries: &'a [EntryRef]) -> Option<&'a EntryRef> {
    // `stash@1`, `stash{1}`, `@{1}`, `#1`
    let digits: String = reference.chars().filter(char::is_ascii_digit).collect();
    let frame: String = reference.chars().filter(|c| !c.is_ascii_digit()).collect();
    let numbered = strsim::damerau_levenshtein(&frame, "stash@{}") <= 4 || frame.len() <= 2;
    if !digits.is_empty() && numbered {
        let index: usize = digits.parse().ok()?;
        return entries.iter().find(|entry| entry.index == index);
    }
    let wanted = PyStr::from(reference).to_string().to_lowercase();
    let mut best: Vec<(usize, &EntryRef)> = entries
        .iter()
        .filter_map(|entry| {
            let message = entry.entry.as_ref().ok()?.message.to_string().to_lowercase();
            Some((distance(&wanted, &message)?, entry))
        })
        .collect();
    best.sort_by_key(|(distance, entry)| (*distance, entry.index));
    match best[..] {
        [(first, _), (second, _), ..] if first == second => None,
        [(_, entry), ..] => Some(entry),
        [] => None,
    }
}

/// How far words are from a message, or from one of its words; `None` where they have nothing in common.
fn distance(wanted: &str, message: &str) -> Option<usize> {
    if wanted.is_empty() {
        return None;
    }
    if message.contains(wanted) {
        return Some(0);
    }
    // One letter in three may be wrong.
    let allowed = (wanted.chars().count() / 3).min(4);
    let candidates = message.split_whitespace().chain([message]);
    // A message of a book is no name of anything, and would take its time.
    let near = candidates
        .filter(|words| words.len() <= 200 && wanted.len() <= 200)
        .map(|words| strsim::damerau_levenshtein(wanted, words));
    near.min().filter(|near| *near <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_near_where_few_letters_are_wrong() {
        assert_eq!(distance("chorus", "wip chorus"), Some(0));
        assert_eq!(distance("chours", "wip chorus"), Some(1));
        assert_eq!(distance("wip chours", "wip chorus"), Some(1));
        assert_eq!(distance("drums", "wip chorus"), None);
        assert_eq!(distance("", "wip chorus"), None);
        assert_eq!(distance("x", "y"), None);
    }
}
