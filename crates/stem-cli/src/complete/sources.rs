//! What the repository has to offer. Everything here only reads, and an error is an empty list.

use std::collections::BTreeMap;
use std::path::Path;

use stemvault::format::text::PyStr;
use stemvault::{EntryRef, Vault, hide_passwords};

use super::Candidate;
use crate::{commands, human};

/// How many names of a directory are looked at.
const MAX_NAMES: usize = 20_000;
/// Characters of a message that are shown.
const MAX_MESSAGE: usize = 60;

/// Where to look for the repository.
pub(super) struct Place<'a> {
    /// What `-C` says.
    pub(super) repo: Option<&'a str>,
}

impl Place<'_> {
    fn open(&self) -> Option<Vault> {
        // The shell would have made a path of it; nothing else of what is typed is expanded.
        let home = self.repo.and_then(|repo| repo.strip_prefix("~/")).zip(std::env::home_dir());
        let named = match home {
            Some((below, home)) => Some(home.join(below)),
            None => self.repo.map(Into::into),
        };
        commands::find(named.as_deref()).ok()
    }

    fn entries(&self) -> Vec<EntryRef> {
        self.open().and_then(|vault| vault.stash().list().ok()).unwrap_or_default()
    }
}

/// The entries, by number; by their longer names when one of these is being typed.
pub(super) fn references(place: &Place<'_>, current: &str) -> Vec<Candidate> {
    place
        .entries()
        .into_iter()
        .map(|listed| {
            let help = match &listed.entry {
                Ok(entry) => {
                    let message = entry.message.to_string();
                    let mut short: String = message.chars().take(MAX_MESSAGE).collect();
                    if short.len() < message.len() {
                        short.push('…');
                    }
                    format!("{short}, {}", human::age(entry.created()))
                }
                Err(_) => "unreadable".to_owned(),
            };
            let index = listed.index;
            let value = match current {
                _ if current.starts_with("stash-") => listed.stash_id,
                _ if current.starts_with('s') => format!("stash@{{{index}}}"),
                _ => index.to_string(),
            };
            Candidate::new(value, help)
        })
        .collect()
}

/// The directories in a directory of the working tree: its tracks, its sections.
pub(super) fn tree_folders(place: &Place<'_>, folder: &str) -> Vec<Candidate> {
    let Some(vault) = place.open() else { return Vec::new() };
    let names = names(&vault.repository().working_tree().join(folder));
    names.into_iter().filter(|(_, dir)| *dir).map(|(name, _)| Candidate::new(name, "")).collect()
}

/// The next names on the way to a file of the working tree.
pub(super) fn directories(place: &Place<'_>, current: &str) -> Vec<Candidate> {
    let Some(vault) = place.open() else { return Vec::new() };
    let (above, _) = split(current);
    if above.split('/').any(|part| part == "..") || above.starts_with('/') {
        return Vec::new();
    }
    let hidden = |name: &str| name.eq_ignore_ascii_case(".muse") || name.eq_ignore_ascii_case(".git");
    let names = names(&vault.repository().working_tree().join(above));
    names
        .into_iter()
        .filter(|(name, _)| !hidden(name))
        .map(|(name, dir)| operand(format!("{above}{name}"), dir))
        .collect()
}

/// The next names on the way to a file of an entry.
pub(super) fn paths(place: &Place<'_>, reference: &str, current: &str) -> Vec<Candidate> {
    let Some(entry) = place.open().and_then(|vault| {
        let entries = vault.stash().list().ok()?;
        let number = reference.strip_prefix("stash@{").and_then(|rest| rest.strip_suffix('}'));
        let index: Option<usize> = number.unwrap_or(reference).parse().ok();
        let fits = |listed: &EntryRef| match index {
            Some(index) => listed.index == index,
            None => reference.len() > "stash-".len() && listed.stash_id.starts_with(reference),
        };
        entries.into_iter().find(fits)?.entry.ok()
    }) else {
        return Vec::new();
    };
    let (above, _) = split(current);
    let plain = above.strip_prefix("./").unwrap_or(above);
    let mut found = BTreeMap::new();
    for (path, _) in entry.manifest.iter() {
        let Some(rest) = std::str::from_utf8(path.as_bytes()).ok().and_then(|path| path.strip_prefix(plain))
        else {
            continue;
        };
        let (name, dir) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
        found.insert(name.to_owned(), dir);
    }
    found.into_iter().map(|(name, dir)| operand(format!("{above}{name}"), dir)).collect()
}

/// The remotes that the repository has names for, each with something behind its name.
pub(super) fn remotes(place: &Place<'_>, behind: &str) -> Vec<Candidate> {
    let Some(vault) = place.open() else { return Vec::new() };
    let named = vault.remotes().iter();
    named
        .map(|(name, url)| Candidate::new(format!("{name}{behind}"), hide_passwords(&url.to_string())))
        .collect()
}

/// Beginnings of URLs, which go on.
pub(super) fn schemes<'a>(schemes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Candidate> {
    let begun = |scheme: &str| if scheme.contains(':') { scheme.to_owned() } else { format!("{scheme}:") };
    schemes
        .into_iter()
        .map(|(scheme, form)| Candidate { open: true, ..Candidate::new(begun(scheme), form) })
        .collect()
}

/// A path as an operand; one that would be read as an option is written so that it is not.
fn operand(path: String, dir: bool) -> Candidate {
    let path = if path.starts_with('-') { format!("./{path}") } else { path };
    let value = if dir { format!("{path}/") } else { path };
    Candidate { open: dir, ..Candidate::new(value, "") }
}

/// A path as the directory that is there already, with its slash, and the beginning of a name.
fn split(current: &str) -> (&str, &str) {
    current.rfind('/').map_or(("", current), |slash| current.split_at(slash + 1))
}

/// The files and directories in a directory, in order; links are not followed and not offered.
fn names(dir: &Path) -> Vec<(String, bool)> {
    let Ok(listed) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<(String, bool)> = listed
        .take(MAX_NAMES)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let kind = entry.file_type().ok()?;
            // A name that is no text cannot be handed to every shell.
            let name = entry.file_name().into_string().ok()?;
            (kind.is_dir() || kind.is_file()).then(|| (name, kind.is_dir()))
        })
        .collect();
    names.sort();
    names
}

/// A value or an explanation on one line, safe for a terminal.
pub(super) fn shown(text: &str) -> String {
    PyStr::from(text).to_string()
}
