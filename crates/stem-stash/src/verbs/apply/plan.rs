//! Deciding what an apply does at each path, before the first change.

use std::sync::OnceLock;

use stem_fs::RelPath;
use stem_hash::ObjectId;
use stem_store::ObjectStore as _;

use super::{ApplyOptions, OnConflict};
use crate::error::{Error, Reason, Result};
use crate::format::Manifest;
use crate::format::entry::StashEntry;
use crate::history::{HeadChoice, head_files, head_state};
use crate::scope::Scope;
use crate::transit::{Act, Seen, Step, Transit, Want, Wish, beside_name};

/// Similar paths that are named when one is unknown.
const NEAR: usize = 3;
/// How often another name is tried for a file beside newer work.
const TRIES: u32 = 1000;

/// What an apply will do.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Paths with newer work that will be replaced, or would be; sorted.
    pub(super) conflicts: Vec<RelPath>,
    /// Paths with newer work that stays, and the path beside it.
    pub(super) beside: Vec<(RelPath, RelPath)>,
}

/// HEAD's files, read when the first file of the working tree asks for them. Where HEAD is unknown every file that is not
/// the entry's is newer work.
struct Head<'t, 'a> {
    transit: &'t Transit<'a>,
    files: OnceLock<Manifest>,
}

impl Head<'_, '_> {
    fn object(&self, path: &RelPath) -> Option<ObjectId> {
        let load = || {
            let stash = self.transit.stash;
            let state = head_state(stash.repository)?;
            head_files(&state, &HeadChoice::Repository, &stash.head_sources())
        };
        let files =
            self.files.get_or_init(|| load().ok().flatten().map(|head| head.manifest).unwrap_or_default());
        files.get(path).copied()
    }
}

pub(super) fn make(transit: &Transit<'_>, entry: &StashEntry, options: &ApplyOptions) -> Result<Plan> {
    let wishes = wishes(entry, options)?;
    let head = Head { transit, files: OnceLock::new() };
    let known = |path: &RelPath| head.object(path).into_iter().collect();
    let seen = transit.look(&wishes, &known)?;
    let mut plan =
        Plan { steps: Vec::with_capacity(wishes.len()), conflicts: Vec::new(), beside: Vec::new() };
    for (wish, seen) in wishes.into_iter().zip(seen) {
        let is_newer = match &seen {
            Seen::Other(present) => present.id.is_none() || present.id != head.object(&wish.path),
            _ => false,
        };
        let step = Step::new(wish, seen);
        if !is_newer || !step.changes() {
            plan.steps.push(step);
            continue;
        }
        match options.on_conflict {
            OnConflict::KeepBoth if step.wish.to.is_none() => {}
            OnConflict::KeepBoth => {
                let path = step.wish.path.clone();
                let moved = beside(transit, entry, step.wish)?;
                plan.beside.push((path, moved.wish.path.clone()));
                plan.steps.push(moved);
            }
            OnConflict::Overwrite | OnConflict::Fail => {
                plan.conflicts.push(step.wish.path.clone());
                plan.steps.push(step);
            }
        }
    }
    plan.conflicts.sort_unstable();
    lacking(transit, &mut plan.steps)?;
    transit.check_twins(&mut plan.steps)?;
    transit.check_directories(&mut plan.steps)?;
    Ok(plan)
}

/// The entry's files that were asked for, and with `exact` what it knew as deleted.
fn wishes(entry: &StashEntry, options: &ApplyOptions) -> Result<Vec<Wish>> {
    let all: Vec<&RelPath> = entry.manifest.iter().map(|(path, _)| path).collect();
    let deleted = entry.stem.iter().filter(|_| options.exact).flat_map(|stem| &stem.deleted);
    for asked in &options.paths {
        let has = |path: &RelPath| path == asked || path.is_below(asked);
        if !all.iter().any(|path| has(path)) && !deleted.clone().any(has) {
            return Err(Error::NoSuchPath { path: asked.clone(), near: near(asked, &all) });
        }
    }
    let scope = Scope::new(None, None, &options.paths);
    let verify = options.verify.unwrap_or(options.drop);
    let files = entry.manifest.iter().enumerate().map(|(index, (path, id))| {
        let record = entry.file(index).copied();
        Wish { path: path.clone(), to: Some(Want { id: *id, record, verify }) }
    });
    let gone = deleted.map(|path| Wish { path: path.clone(), to: None });
    Ok(files.chain(gone).filter(|wish| scope.contains(&wish.path)).collect())
}

/// Paths that a mistyped one may have meant: files, and the directories that they lie in.
fn near(asked: &RelPath, all: &[&RelPath]) -> Vec<RelPath> {
    let text = asked.to_string();
    let mut likely: Vec<(usize, RelPath)> = Vec::new();
    for path in all {
        let mut at = Some((*path).clone());
        while let Some(path) = at {
            at = path.parent();
            let name = String::from_utf8_lossy(path.file_name()).into_owned();
            // The same file elsewhere, or nearly the same path.
            let distance = if path.file_name() == asked.file_name() {
                1
            } else {
                strsim::damerau_levenshtein(&path.to_string(), &text)
                    .min(1 + strsim::damerau_levenshtein(&name, &text))
            };
            if distance <= 1 + text.chars().count() / 4 && !likely.iter().any(|(_, other)| *other == path) {
                likely.push((distance, path));
            }
        }
    }
    likely.sort();
    likely.into_iter().take(NEAR).map(|(_, path)| path).collect()
}

/// The step that puts the file beside newer work: at a name that is free, or has the very file already.
fn beside(transit: &Transit<'_>, entry: &StashEntry, wish: Wish) -> Result<Step> {
    let id = entry.stash_id.as_str();
    let tag = id.rsplit_once('-').map_or(id, |(_, token)| token);
    for n in 1..=TRIES {
        let Some(path) = beside_name(&wish.path, tag, n) else { break };
        let wish = Wish { path, ..wish.clone() };
        let seen = transit.look(std::slice::from_ref(&wish), &|_| Vec::new())?;
        let is_taken = entry.manifest.contains(&wish.path);
        match seen.into_iter().next() {
            Some(seen @ (Seen::Absent | Seen::There(_))) if !is_taken => return Ok(Step::new(wish, seen)),
            _ => {}
        }
    }
    let reason = Reason::Blocked("no name beside it is free".into());
    Ok(Step::new(wish, Seen::Blocked(reason)))
}

/// Leaves alone what cannot come, because its object is not there or has another size than the entry says.
fn lacking(transit: &Transit<'_>, steps: &mut [Step]) -> Result<()> {
    let writes: Vec<(usize, Want)> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.act == Act::Write)
        .filter_map(|(index, step)| Some((index, step.wish.to?)))
        .collect();
    let ids: Vec<ObjectId> = writes.iter().map(|(_, want)| want.id).collect();
    for ((index, want), stat) in writes.into_iter().zip(transit.store.stat_many(&ids)?) {
        let reason = match (stat, want.record) {
            (None, _) => Reason::Missing,
            (Some(stat), Some(record)) if stat.size != record.size => {
                Reason::Corrupt(format!("it has {} bytes, the entry says {}", stat.size, record.size))
            }
            (Some(stat), _) => {
                steps[index].size = stat.size;
                continue;
            }
        };
        steps[index].act = Act::Leave(reason);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn a_mistyped_path_finds_what_was_meant() {
        let all = ["tracks/drums/kick.wav", "tracks/drums/snare.wav", "mix.wav"].map(path);
        let all: Vec<&RelPath> = all.iter().collect();
        for (asked, meant) in [
            ("tracks/drums/kik.wav", "tracks/drums/kick.wav"),
            ("kick.wav", "tracks/drums/kick.wav"),
            ("track/drums", "tracks/drums"),
            ("drums", "tracks/drums"),
            ("Mix.wav", "mix.wav"),
        ] {
            assert_eq!(near(&path(asked), &all).first(), Some(&path(meant)), "{asked}");
        }
        assert!(near(&path("something/else"), &all).is_empty());
    }
}
