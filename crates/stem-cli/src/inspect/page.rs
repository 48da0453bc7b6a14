//! The page of an entry: the files of a list, looked at one after the other, in one HTML file.
//!
//! `stem-inspect` says what is on the page and how it looks; here files are opened, progress is shown, and what cannot be read
//! is said. One file at a time: each is analysed on all cores already, and two versions of one need not wait in memory for
//! those of the next.

use std::path::Path;

use stem_inspect::page::{Bounds, Entry, File, Opened, Page, Status, embed, examine, html};
use stem_inspect::{Limits, ReadAt};
use stemvault::{PairChange, Progress as _, Vault};

use super::pairs::{Bytes, Group, Pair, Pairs, Side, Unopened};
use crate::failure::{Failure, Result};
use crate::human;
use crate::progress::Bars;
use crate::target;

const SIDES: [Side; 2] = [Side::Before, Side::After];
const NOTHING: &str = "interrupted; nothing was written";

/// Refuses a file that cannot or must not be written, before anything is read for it.
pub(crate) fn check(file: &Path) -> Result<()> {
    target::check(file)?;
    target::outside_of_repositories(file)
}

/// Looks at all files and writes the page.
pub(crate) fn write(vault: &Vault, pairs: &Pairs, file: &Path, bars: &Bars) -> Result<()> {
    let bounds = Bounds::default();
    let page = page(vault, pairs, &bounds, bars)?;
    target::write(file, html(&page, &bounds).as_bytes())
}

fn page(vault: &Vault, pairs: &Pairs, bounds: &Bounds, bars: &Bars) -> Result<Page> {
    let limits = Limits { cancelled: Some(bars.cancel_flag()), ..Limits::default() };
    let interrupted = || Failure::interrupted(NOTHING);
    let shown: Vec<&Pair> = pairs.pairs.iter().take(bounds.files).collect();
    let bytes = shown.iter().map(|pair| work(pair)).fold(0, u64::saturating_add);
    bars.phase("Looking", shown.len() as u64, bytes);
    let mut drawn = 0;
    let mut files = Vec::with_capacity(shown.len());
    for pair in &shown {
        let file = look(vault, pair, drawn < bounds.drawn, bounds, &limits, bars);
        if bars.cancelled() {
            return Err(interrupted());
        }
        drawn += usize::from(file.recording.is_some());
        files.push(file);
        bars.advance(1, work(pair));
    }
    let mut open = |index: usize, side: usize| {
        // It was verified when it was looked at. What has vanished since is not heard.
        let bytes =
            shown.get(index).zip(SIDES.get(side)).and_then(|(pair, side)| pair.peek(vault, *side).ok());
        Ok(bytes.map(|bytes| Box::new(bytes) as Box<dyn ReadAt + '_>) as Opened<'_>)
    };
    let embedded = embed(&mut files, bounds, &limits, &mut open);
    if bars.cancelled() {
        return Err(interrupted());
    }
    let mut notes = Vec::new();
    if let Err(error) = embedded {
        notes.push(format!("Not all sounds could be embedded: {error}"));
    }
    if !pairs.known {
        notes.push("What the files were before is not recorded, so they are shown as they are.".to_owned());
    }
    Ok(Page {
        entry: entry(pairs),
        versions: [pairs.before.clone(), pairs.after.clone()],
        files,
        more_files: pairs.pairs.len().saturating_sub(bounds.files) as u64,
        notes,
        tool: concat!("stem ", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

fn entry(pairs: &Pairs) -> Entry {
    let Some(shown) = &pairs.entry else { return Entry::default() };
    Entry {
        reference: format!("stash@{{{}}}", shown.index),
        message: shown.entry.message.to_string(),
        branch: shown.entry.branch.to_string(),
        time: shown.entry.created().map_or_else(|| shown.entry.created_at.to_string(), human::minute),
    }
}

/// Bytes that have to be read for a file.
fn work(pair: &Pair) -> u64 {
    if pair.change() == Some(PairChange::Same) {
        return 0;
    }
    SIDES.iter().filter_map(|side| pair.size(*side)).fold(0, u64::saturating_add)
}

/// What the page shows of a file. What cannot be read is a note on it.
fn look(vault: &Vault, pair: &Pair, draw: bool, bounds: &Bounds, limits: &Limits, bars: &Bars) -> File {
    let named = || File {
        path: stemvault::show_bytes(pair.file.path.as_bytes()),
        group: group(&pair.group),
        status: status(pair),
        bytes: SIDES.map(|side| pair.size(side)),
        ..File::default()
    };
    if pair.change() == Some(PairChange::Same) {
        return named();
    }
    let mut notes: Vec<String> = pair.file.problem.iter().cloned().collect();
    let opened: [Option<Bytes<'_>>; 2] = SIDES.map(|side| match pair.open(vault, side, bars) {
        Ok(bytes) => Some(bytes),
        Err(Unopened::Absent) => None,
        Err(reason) => {
            notes.extend(reason.problem(side));
            None
        }
    });
    let sources = opened.each_ref().map(|bytes| bytes.as_ref().map(|bytes| bytes as &dyn ReadAt));
    if sources.iter().all(Option::is_none) {
        return File { notes, ..named() };
    }
    match examine(pair.file.path.as_bytes(), "", sources, draw, bounds, limits) {
        Ok(found) => {
            notes.extend(found.notes);
            let File { path, group, status, bytes, .. } = named();
            File { path, group, status, bytes, notes, ..found }
        }
        Err(error) => {
            notes.push(format!("it cannot be read: {error}"));
            File { notes, ..named() }
        }
    }
}

fn status(pair: &Pair) -> Status {
    match pair.change() {
        Some(PairChange::Same) => Status::Same,
        Some(PairChange::Added) => Status::Added,
        Some(PairChange::Modified) => Status::Changed,
        Some(PairChange::Deleted) => Status::Removed,
        None => Status::Unknown,
    }
}

fn group(group: &Group) -> String {
    match group {
        Group::Track(name) => format!("Track {}", stemvault::show_bytes(name)),
        Group::Section(name) => format!("Section {}", stemvault::show_bytes(name)),
        Group::Other => String::new(),
    }
}
