//! What can be known to fail before the first change: no room, a directory that may not be written to, names that the
//! file system takes for one.

use std::collections::{BTreeMap, HashMap};

use stem_fs::{Dir, MAX_COMPONENT, RelPath, available_space};

use super::{Act, Step, Transit};
use crate::error::{Error, Reason, Result};

impl Transit<'_> {
    /// Refuses what the disk has no room for.
    pub(crate) fn check_room(&self, steps: &[Step]) -> Result<()> {
        let written: u64 = steps.iter().map(Step::bytes).fold(0, u64::saturating_add);
        let risky = steps.iter().filter(|step| step.replaces()).filter_map(Step::present);
        let saved = risky
            .filter(|present| !present.safe)
            .map(|present| present.stat.size)
            .fold(0, u64::saturating_add);
        let muse = self.stash.repository.muse();
        let same_device = muse.stat_self()?.device == self.work.stat_self()?.device;
        let (in_work, in_muse) =
            if same_device { (written.saturating_add(saved), 0) } else { (written, saved) };
        for (dir, needed) in [(&self.work, in_work), (muse, in_muse)] {
            if let Some(available) = available_space(dir.path())
                && needed > available
                && !clones(dir)
            {
                return Err(Error::NoSpace { needed, available, path: dir.path().to_path_buf() });
            }
        }
        Ok(())
    }

    /// Leaves alone what lies in directories that may not be written to. A file is made in each, and removed again:
    /// permission bits do not tell.
    pub(crate) fn check_directories(&self, steps: &mut [Step]) -> Result<()> {
        let mut known: HashMap<Option<RelPath>, Option<Reason>> = HashMap::new();
        for step in steps.iter_mut().filter(|step| matches!(step.act, Act::Write | Act::Delete)) {
            let parent = step.wish.path.parent();
            let refused = if let Some(refused) = known.get(&parent) {
                refused.clone()
            } else {
                let refused = self.refused(parent.clone())?;
                known.insert(parent, refused.clone());
                refused
            };
            if let Some(reason) = refused {
                step.act = Act::Leave(reason);
            }
        }
        Ok(())
    }

    /// Why nothing can be made in the directory, or in the closest one above it that is there.
    fn refused(&self, mut at: Option<RelPath>) -> Result<Option<Reason>> {
        let dir = loop {
            let Some(path) = at else { break self.work.clone() };
            match self.work.sub(&path) {
                Ok(Some(dir)) => break dir,
                Ok(None) => at = path.parent(),
                Err(error) => return reason_of(error),
            }
        };
        match dir.temp_file(0o600) {
            Ok(_) => Ok(None),
            Err(error) => reason_of(error),
        }
    }

    /// Of paths that differ only in case, leaves all but the first alone where the file system takes them for one.
    pub(crate) fn check_twins(&self, steps: &mut [Step]) -> Result<()> {
        for (first, twin) in
            twins(steps.iter().filter(|step| step.wish.to.is_some()).map(|step| &step.wish.path))
        {
            let Some(step) = steps.iter_mut().find(|step| step.wish.path == twin) else { continue };
            if step.act == Act::Write && self.ignores_case(&twin)? {
                let reason = format!("this file system takes its name for that of '{first}'");
                step.act = Act::Leave(Reason::Blocked(reason));
            }
        }
        Ok(())
    }

    /// Whether upper and lower case are one in the directory of the path, or in the closest one above it that is there.
    fn ignores_case(&self, path: &RelPath) -> Result<bool> {
        let mut at = path.parent();
        let dir = loop {
            let Some(path) = at else { break self.work.clone() };
            match self.work.sub(&path)? {
                Some(dir) => break dir,
                None => at = path.parent(),
            }
        };
        let Ok(probe) = dir.temp_file(0o600) else { return Ok(false) };
        let name = probe.path().file_name().map(|name| name.as_encoded_bytes().to_ascii_uppercase());
        let Some(Ok(upper)) = name.map(RelPath::new) else { return Ok(false) };
        Ok(dir.stat(&upper)?.is_some())
    }
}

fn reason_of(error: stem_fs::Error) -> Result<Option<Reason>> {
    crate::restore::blocked::<()>(error).map(std::result::Result::err)
}

/// Whether files of this file system can share their blocks: then nothing is known of the room that is needed.
fn clones(dir: &Dir) -> bool {
    let try_it = || {
        use std::io::Write as _;
        let mut source = dir.temp_file(0o600).ok()?;
        source.write_all(&[0; 4096]).ok()?;
        let source = source.close();
        dir.temp_file(0o600).ok()?.clone_from(&source.open().ok()??).ok()
    };
    try_it().unwrap_or(false)
}

/// Pairs of paths that differ only in case, the one that stands first and another.
fn twins<'p>(paths: impl Iterator<Item = &'p RelPath>) -> Vec<(RelPath, RelPath)> {
    let mut seen: BTreeMap<String, &RelPath> = BTreeMap::new();
    let mut twins = Vec::new();
    for path in paths {
        let folded = String::from_utf8_lossy(path.as_bytes()).to_lowercase();
        match seen.get(&folded) {
            Some(first) => twins.push(((*first).clone(), path.clone())),
            None => drop(seen.insert(folded, path)),
        }
    }
    twins
}

/// The name of a file beside one that stays: `kick.wav` → `kick (stash 1a2b3c4d).wav`, the `n`th that is tried.
pub(crate) fn beside_name(path: &RelPath, tag: &str, n: u32) -> Option<RelPath> {
    let tag = if n == 1 { format!(" (stash {tag})") } else { format!(" (stash {tag} {n})") };
    let name = path.file_name();
    // A dot in front makes no extension, and neither does one in a sentence.
    let is_extension = |&at: &usize| at > 0 && name.len() - at <= 16 && !name[at..].contains(&b' ');
    let dot = name.iter().rposition(|&b| b == b'.').filter(is_extension);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let room = MAX_COMPONENT.checked_sub(tag.len() + extension.len())?;
    let mut keep = stem.len().min(room);
    // A character is not cut in two.
    while keep > 0 && keep < stem.len() && stem[keep] & 0xC0 == 0x80 {
        keep -= 1;
    }
    let name = [&stem[..keep], tag.as_bytes(), extension].concat();
    match path.parent() {
        Some(parent) => parent.join(&name).ok(),
        None => RelPath::new(name).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: impl Into<Vec<u8>>) -> RelPath {
        RelPath::new(bytes).unwrap()
    }

    #[test]
    fn a_name_beside_another_keeps_its_ending() {
        for (from, n, to) in [
            ("a/kick.wav", 1, "a/kick (stash 1a2b3c4d).wav"),
            ("kick.wav", 2, "kick (stash 1a2b3c4d 2).wav"),
            ("kick", 1, "kick (stash 1a2b3c4d)"),
            (".peaks", 1, ".peaks (stash 1a2b3c4d)"),
            ("mix.v2.final", 1, "mix.v2 (stash 1a2b3c4d).final"),
            ("say no. to everything", 1, "say no. to everything (stash 1a2b3c4d)"),
        ] {
            assert_eq!(beside_name(&path(from), "1a2b3c4d", n), Some(path(to)), "{from}");
        }
        let long = path(format!("{}.wav", "ä".repeat(125)));
        let beside = beside_name(&long, "1a2b3c4d", 1).unwrap();
        assert!(
            beside.as_bytes().len() <= MAX_COMPONENT
                && beside.to_string().ends_with("ä (stash 1a2b3c4d).wav")
        );
    }

    #[test]
    fn twins_differ_only_in_case() {
        let paths = ["A/kick.wav", "a/Kick.wav", "a/kick.wav", "Ärger", "ärger", "b"].map(path);
        let found: Vec<(String, String)> =
            twins(paths.iter()).into_iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            found,
            [pair("A/kick.wav", "a/Kick.wav"), pair("A/kick.wav", "a/kick.wav"), pair("Ärger", "ärger")]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_name_has_one_beside_it(name in proptest::collection::vec(1u8.., 1..=255), n in 1u32..2000) {
            if let Ok(path) = RelPath::new(name) {
                let beside = beside_name(&path, "1a2b3c4d", n).unwrap();
                proptest::prop_assert_ne!(beside.as_bytes(), path.as_bytes());
                proptest::prop_assert_eq!(beside.parent(), path.parent());
            }
        }
    }
}
