//! Newer Muse's own stash, `.muse/stash.json`, as a part of the stack; `docs/format/muse-stash.md`.
//!
//! An element has what Muse knows of it and no more. What else a push knows (message, sizes, times, permissions, deleted
//! paths) lies in a side record, bound to the element by its fingerprint: a whole entry, so that nothing is lost with the
//! array. Further keys in the element were rejected, for Muse drops keys that it does not know when it writes the file.
//!
//! All of it happens under the lock on the stack: elements and files are one stack, and what comes and goes is recorded
//! together. A lock of its own would have to be taken with that one, always. Muse takes no lock. The file is compared once
//! more right before it is replaced.

use std::collections::HashMap;

use stem_fs::{Dir, Publish, RelPath};

use crate::error::{Error, Result};
use crate::format::commit::Generation;
use crate::format::entry::{self, MAX_ENTRY_BYTES, StashEntry};
use crate::format::muse::{
    MAX_MUSE_STASH_BYTES, MuseElement, MuseStashed, decode_muse_element, decode_muse_stash, encode_muse_stash,
};
use crate::format::stamp::{Stamp, StashId};
use crate::format::text::PyStr;
use crate::repo::{Repository, fixed};
use stem_hash::{Algorithm, Hasher};

/// The file, below `.muse`.
const FILE: &str = "stash.json";
/// Where the side records lie, below `.muse`.
pub(crate) const SIDES: &str = "stem/muse-stash";
/// How the names of held elements end.
pub(crate) const HELD_ENDING: &str = ".muse.json";
/// Largest file that Muse reads back, in bytes.
pub(crate) const MAX_MUSE_OBJECT: u64 = 256 << 20;
/// Digits of a fingerprint.
const FINGERPRINT: usize = 32;
/// Digits of it in the id of an element that has no other.
const SHORT: usize = 16;
/// How often the file is read anew because another program changed it meanwhile.
const TRIES: usize = 8;

/// One element.
#[derive(Debug, Clone)]
pub(crate) struct Shelved {
    /// What an entry's file would be called, unlike all others in the stack.
    pub(crate) name: RelPath,
    /// The name under which it is taken off: of elements that are alike, the newest goes.
    pub(crate) goes_as: RelPath,
    /// Its place in the array.
    pub(crate) at: usize,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) element: MuseElement,
    side: Option<RelPath>,
}

/// The file as it was read.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    bytes: Option<Vec<u8>>,
    pub(crate) elements: Vec<Shelved>,
}

/// Reads the file; none is an empty array. The inner error is for people: the file cannot be used.
pub(crate) fn load(repository: &Repository) -> Result<std::result::Result<Shelf, String>> {
    let muse = repository.muse();
    let bytes = match muse.read(&fixed(FILE), MAX_MUSE_STASH_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error.source.to_string())),
    };
    let Some(bytes) = bytes else { return Ok(Ok(Shelf::default())) };
    let elements = match decode_muse_stash(&bytes) {
        Ok(elements) => elements,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let sides = if elements.is_empty() { HashMap::new() } else { sides(repository)? };
    let mut shelved = Vec::with_capacity(elements.len());
    for element in elements {
        shelved.push(known(element, &sides)?);
    }
    name_all(&mut shelved)?;
    Ok(Ok(Shelf { bytes: Some(bytes), elements: shelved }))
}

/// As [`load`], where a file that cannot be used is an error.
fn load_whole(repository: &Repository) -> Result<Shelf> {
    load(repository)?.map_err(|reason| unusable(repository, reason))
}

/// Fails when the file cannot be used, so that nothing is begun that needs it.
pub(crate) fn check(repository: &Repository) -> Result<()> {
    load_whole(repository).map(drop)
}

pub(crate) fn unusable(repository: &Repository, reason: String) -> Error {
    Error::UnreadableMuseStash { path: repository.muse().full(&fixed(FILE)), reason }
}

/// Side records: their files and the ids of their entries, by fingerprint.
type Sides = HashMap<Vec<u8>, (RelPath, Vec<u8>)>;

fn sides(repository: &Repository) -> Result<Sides> {
    let mut found = Sides::new();
    let Some(dir) = repository.muse().sub(&fixed(SIDES))? else { return Ok(found) };
    for entry in dir.entries()? {
        let Some((fingerprint, id)) = split_side(&entry.name) else { continue };
        let (fingerprint, id) = (fingerprint.to_vec(), id.to_vec());
        if let Ok(name) = RelPath::new(entry.name) {
            found.insert(fingerprint, (name, id));
        }
    }
    Ok(found)
}

/// `<fingerprint>-<stash id>.json`.
fn split_side(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let (fingerprint, rest) = name.split_at_checked(FINGERPRINT)?;
    let id = rest.strip_prefix(b"-")?.strip_suffix(b".json")?;
    let id = StashId::from_file_name(&[id, b".json"].concat()).map(|_| id)?;
    fingerprint.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b)).then_some((fingerprint, id))
}

/// An element with its first name, which another that is alike may have too.
fn known(element: MuseElement, sides: &Sides) -> Result<Shelved> {
    let stamp = element.read.as_ref().ok().and_then(MuseStashed::stamp);
    let fingerprint = element.read.as_ref().ok().map(MuseStashed::fingerprint);
    let side = fingerprint.as_ref().and_then(|fingerprint| sides.get(fingerprint.as_bytes()));
    let id = match (side, &fingerprint) {
        (Some((_, id)), _) => id.clone(),
        (None, Some(fingerprint)) => {
            let time = stamp.map(|stamp| StashId::new(stamp, 0).to_string());
            let time = time.as_deref().and_then(|id| id.rsplit_once('-')).map(|(time, _)| time);
            let digits: String = fingerprint.chars().take(SHORT).collect();
            format!("{}-{digits}", time.unwrap_or("stash-muse")).into_bytes()
        }
        (None, None) => {
            let mut hasher = Hasher::new(Algorithm::Sha256);
            hasher.update(element.raw.as_bytes());
            let digits: String = hasher.finish().id.to_string().chars().take(SHORT).collect();
            format!("stash-unreadable-{digits}").into_bytes()
        }
    };
    let side = side.map(|(file, _)| file.clone());
    let name = json_name(&id)?;
    Ok(Shelved { goes_as: name.clone(), name, at: 0, stamp, element, side })
}

fn json_name(id: &[u8]) -> Result<RelPath> {
    RelPath::new([id, b".json"].concat()).map_err(|e| Error::InvalidInput(e.to_string()))
}

/// Gives each element its place and a name of its own: those that are alike are counted, the oldest first.
fn name_all(elements: &mut [Shelved]) -> Result<()> {
    let mut alike: HashMap<RelPath, Vec<usize>> = HashMap::new();
    for (at, shelved) in elements.iter_mut().enumerate().rev() {
        shelved.at = at;
        let id = shelved.goes_as.as_bytes().strip_suffix(b".json").unwrap_or_default().to_vec();
        let others = alike.entry(shelved.goes_as.clone()).or_default();
        shelved.name = match others.len() {
            0 => shelved.goes_as.clone(),
            n => json_name(&[&id[..], format!("-{n}").as_bytes()].concat())?,
        };
        others.push(at);
    }
    for places in alike.into_values().filter(|places| places.len() > 1) {
        let newest = places.last().and_then(|&at| elements.get(at)).map(|shelved| shelved.name.clone());
        for at in places {
            if let (Some(shelved), Some(newest)) = (elements.get_mut(at), &newest) {
                shelved.goes_as = newest.clone();
            }
        }
    }
    Ok(())
}

impl Shelved {
    /// The entry that it is: its side record, where that is of the same files, else what Muse knows of it.
    pub(crate) fn entry(&self, repository: &Repository) -> std::result::Result<StashEntry, String> {
        let stashed = self.element.read.as_ref().map_err(ToString::to_string)?;
        if let Some(entry) = self.side.as_ref().and_then(|side| read_side(repository, side)) {
            let id = self.name.as_bytes().strip_suffix(b".json").unwrap_or_default();
            let is_its_own =
                entry.manifest == stashed.manifest && id.starts_with(entry.stash_id.as_str().as_bytes());
            if is_its_own {
                return Ok(entry);
            }
        }
        let branch = stashed.branch.to_string_lossy();
        Ok(StashEntry {
            stash_id: StashId::from_file_name(self.name.as_bytes()).ok_or("it has no name")?,
            message: PyStr::from(format!("On {branch}: stash")),
            branch: stashed.branch.clone(),
            created_at: stashed.stashed_at.clone(),
            track: None,
            section: None,
            manifest: stashed.manifest.clone(),
            stem: None,
        })
    }
}

/// A side record; `None` when it is gone or damaged, for the element is whole without it.
fn read_side(repository: &Repository, name: &RelPath) -> Option<StashEntry> {
    let dir = repository.muse().sub(&fixed(SIDES)).ok()??;
    entry::decode(&dir.read(name, MAX_ENTRY_BYTES as u64).ok()??).ok()
}

/// Why Muse could not do with this entry in its array.
pub(crate) fn unfit(entry: &StashEntry) -> Option<&'static str> {
    let sizes = entry.stem.iter().flat_map(|stem| &stem.files);
    if sizes.into_iter().any(|file| file.size > MAX_MUSE_OBJECT) {
        return Some("Muse reads no file of more than 256 MiB back");
    }
    as_element(entry).to_json().is_none().then_some("Muse cannot write names that are not UTF-8")
}

/// What Muse knows of an entry.
fn as_element(entry: &StashEntry) -> MuseStashed {
    // As Python's isoformat has it.
    let at = entry.created_at.to_string_lossy();
    let stashed_at = at.replacen(".000000+", "+", 1);
    MuseStashed {
        snapshot_id: PyStr::from(Generation::Newer.snapshot_id(&entry.manifest).to_string()),
        manifest: entry.manifest.clone(),
        branch: entry.branch.clone(),
        stashed_at: PyStr::from(stashed_at),
    }
}

/// Whether the file has room for the entry.
pub(crate) fn has_room(repository: &Repository, entry: &StashEntry) -> Result<bool> {
    let shelf = load_whole(repository)?;
    let Some(raw) = as_element(entry).to_json() else { return Ok(false) };
    let raws = shelf.elements.iter().map(|shelved| shelved.element.raw.as_str());
    Ok(encode_muse_stash(std::iter::once(raw.as_str()).chain(raws)).is_ok())
}

/// Puts an entry on top of the array, durably: its side record, then `first`, then the element. The caller holds the lock
/// on the stack.
pub(crate) fn push(
    repository: &Repository,
    entry: &StashEntry,
    bytes: &[u8],
    first: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stashed = as_element(entry);
    let raw = stashed.to_json().ok_or_else(|| Error::InvalidInput("the entry is not UTF-8".into()))?;
    let dir = repository.muse().ensure_dir(&fixed(SIDES))?;
    let side = RelPath::new(format!("{}-{}.json", stashed.fingerprint(), entry.stash_id))
        .map_err(|e| Error::InvalidInput(format!("the entry cannot be named: {e}")))?;
    dir.write_durable(&side, bytes, &repository.tmp_dir()?, Publish::Replace)?;
    first()?;
    let name = json_name(entry.stash_id.as_str().as_bytes())?;
    rewrite(repository, |elements| {
        insert(elements, decode_muse_element(&raw), name.clone());
        Ok(true)
    })
}

/// Adds an element where its time belongs, above those as old as itself.
fn insert(elements: &mut Vec<Shelved>, element: MuseElement, name: RelPath) {
    let stamp = element.read.as_ref().ok().and_then(MuseStashed::stamp);
    let at = elements.iter().position(|other| other.stamp <= stamp).unwrap_or(elements.len());
    elements.insert(at, Shelved { goes_as: name.clone(), name, at, stamp, element, side: None });
}

/// Writes the file anew with what `edit` makes of its elements, unless that says that nothing changed.
fn rewrite(repository: &Repository, mut edit: impl FnMut(&mut Vec<Shelved>) -> Result<bool>) -> Result<()> {
    use std::io::Write as _;
    let (muse, file) = (repository.muse(), fixed(FILE));
    for _ in 0..TRIES {
        let Shelf { bytes: before, mut elements } = load_whole(repository)?;
        if !edit(&mut elements)? {
            return Ok(());
        }
        let raws = elements.iter().map(|shelved| shelved.element.raw.as_str());
        let bytes = encode_muse_stash(raws).map_err(|error| {
            let path = muse.full(&file);
            Error::Refused(format!("'{}' would be too large for Muse: {error}", path.display()))
        })?;
        let mut temp = repository.tmp_dir()?.temp_file(0o666)?;
        temp.write_all(&bytes).map_err(|e| stem_fs::Error::new("write", temp.path(), e))?;
        if let Some(found) = muse.stat(&file)? {
            temp.set_mode(found.mode)?;
        }
        temp.sync()?;
        if muse.read(&file, MAX_MUSE_STASH_BYTES as u64)? != before {
            continue;
        }
        temp.persist(muse, &file, Publish::Replace)?;
        if let Err(error) = muse.sync() {
            // It may not be durable, so it must not count. What cannot be put back is looked at by recovery.
            let _ = put_back(repository, muse, &file, before.as_deref());
            return Err(error.into());
        }
        return Ok(());
    }
    Err(Error::Refused(format!(
        "another program changes '{}' all the time: try again when it is done",
        muse.full(&file).display()
    )))
}

fn put_back(repository: &Repository, muse: &Dir, file: &RelPath, before: Option<&[u8]>) -> Result<()> {
    match before {
        Some(bytes) => muse.write_durable(file, bytes, &repository.tmp_dir()?, Publish::Replace)?,
        None => drop(muse.remove_file(file)?),
    }
    Ok(())
}

/// One element that comes or goes: its name, and its text where it is held.
pub(crate) struct Move<'m> {
    pub(crate) name: &'m RelPath,
    pub(crate) held: &'m RelPath,
    pub(crate) added: bool,
}

/// Whether the element is in the array.
pub(crate) fn has(repository: &Repository, name: &RelPath) -> Result<bool> {
    Ok(load_whole(repository)?.elements.iter().any(|shelved| shelved.name == *name))
}

/// Makes the array what the moves say, durably, and says for each whether that was a change. What goes is in `held` before
/// it leaves the array; what comes is in the array before it leaves `held`.
pub(crate) fn move_all(repository: &Repository, held: &Dir, moves: &[Move<'_>]) -> Result<Vec<bool>> {
    let mut changed = vec![false; moves.len()];
    if moves.is_empty() {
        return Ok(changed);
    }
    let mut texts: Vec<Option<String>> = Vec::with_capacity(moves.len());
    let shelf = load_whole(repository)?;
    for one in moves {
        let there = shelf.elements.iter().find(|shelved| shelved.name == *one.name);
        texts.push(match (one.added, there) {
            (false, Some(shelved)) => {
                let raw = &shelved.element.raw;
                held.write_durable(one.held, raw.as_bytes(), &repository.tmp_dir()?, Publish::Replace)?;
                Some(raw.clone())
            }
            (true, None) => read_held(held, one.held)?,
            // It is as it should be, whoever made it so.
            (false, None) | (true, Some(_)) => None,
        });
    }
    rewrite(repository, |elements| {
        changed.fill(false);
        for ((one, text), changed) in moves.iter().zip(&texts).zip(&mut changed) {
            let Some(text) = text else { continue };
            let there = elements.iter().position(|shelved| shelved.name == *one.name);
            match there {
                Some(at) if !one.added => {
                    let raw = elements.remove(at).element.raw;
                    if raw != *text {
                        // Muse has spelled it anew since.
                        held.write_durable(
                            one.held,
                            raw.as_bytes(),
                            &repository.tmp_dir()?,
                            Publish::Replace,
                        )?;
                    }
                    *changed = true;
                }
                None if one.added => {
                    insert(elements, decode_muse_element(text), one.name.clone());
                    *changed = true;
                }
                _ => {}
            }
        }
        Ok(changed.contains(&true))
    })?;
    for (one, _) in moves.iter().zip(&changed).filter(|(one, changed)| one.added && **changed) {
        held.remove_file(one.held)?;
    }
    Ok(changed)
}

/// The text of an element that is held.
pub(crate) fn read_held(held: &Dir, name: &RelPath) -> Result<Option<String>> {
    let Some(bytes) = held.read(name, MAX_MUSE_STASH_BYTES as u64)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::Refused(format!("'{}' is damaged: it is not UTF-8", held.full(name).display()))
    })?;
    Ok(Some(text))
}

/// Whether a row's element, rather than a file, is held under this name.
pub(crate) fn is_held_element(held: &RelPath) -> bool {
    held.as_bytes().ends_with(HELD_ENDING.as_bytes())
}

/// The side records whose elements are neither in the array nor among these names of entries; none when the array cannot
/// be read.
pub(crate) fn forgotten_sides(
    repository: &Repository,
    named: &std::collections::HashSet<Vec<u8>>,
) -> Result<Vec<(Dir, RelPath)>> {
    let Some(dir) = repository.muse().sub(&fixed(SIDES))? else { return Ok(Vec::new()) };
    let Ok(shelf) = load(repository)? else { return Ok(Vec::new()) };
    let mut forgotten = Vec::new();
    for entry in dir.entries()? {
        let Some((_, id)) = split_side(&entry.name) else { continue };
        let file = [id, b".json"].concat();
        let Ok(name) = RelPath::new(entry.name) else { continue };
        let used = shelf.elements.iter().any(|shelved| shelved.side.as_ref() == Some(&name));
        if !used && !named.contains(&file) {
            forgotten.push((dir.clone(), name));
        }
    }
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Manifest;

    fn entry(at: &str) -> StashEntry {
        let path = RelPath::new("a.mid").unwrap();
        StashEntry {
            stash_id: StashId::new(Stamp::parse_iso(at).unwrap(), 7),
            branch: PyStr::from("main"),
            message: PyStr::from("x"),
            created_at: PyStr::from(Stamp::parse_iso(at).unwrap().to_iso()),
            track: None,
            section: None,
            manifest: Manifest::new(vec![(path, "ab".repeat(32).parse().unwrap())]).unwrap(),
            stem: None,
        }
    }

    #[test]
    fn times_are_spelled_as_python_does() {
        for (at, expected) in [
            ("2026-03-16T12:00:00Z", "2026-03-16T12:00:00+00:00"),
            ("2026-03-16T12:00:00.000001Z", "2026-03-16T12:00:00.000001+00:00"),
            ("2026-03-16T12:00:00.5Z", "2026-03-16T12:00:00.500000+00:00"),
        ] {
            assert_eq!(as_element(&entry(at)).stashed_at, expected);
        }
    }

    #[test]
    fn names_of_side_records_are_taken_apart_and_others_passed_over() {
        let fingerprint = as_element(&entry("2026-03-16T12:00:00Z")).fingerprint();
        let name = format!("{fingerprint}-stash-2026-03-16T120000000000Z0000-00000007.json");
        let (found, id) = split_side(name.as_bytes()).unwrap();
        assert_eq!(found, fingerprint.as_bytes());
        assert_eq!(id, b"stash-2026-03-16T120000000000Z0000-00000007");
        for other in ["", "x", "stash-1.json", &name[1..], &name.to_uppercase(), &name.replace(".json", "")] {
            assert!(split_side(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn elements_that_are_alike_are_counted_from_the_oldest() {
        let raw = as_element(&entry("2026-03-16T12:00:00Z")).to_json().unwrap();
        let mut elements = Vec::new();
        for raw in [&raw, "{}", &raw, "{}", &raw] {
            elements.push(known(decode_muse_element(raw), &Sides::new()).unwrap());
        }
        name_all(&mut elements).unwrap();
        let ends: Vec<String> =
            elements.iter().map(|one| one.name.to_string().rsplit('-').next().unwrap().to_owned()).collect();
        assert_eq!((ends[0].as_str(), ends[2].as_str(), ends[1].as_str()), ("2.json", "1.json", "1.json"));
        assert!([0, 2, 4].iter().all(|&at| elements[at].goes_as == elements[0].name));
        assert!([1, 3].iter().all(|&at| elements[at].goes_as == elements[1].name));
        assert_eq!(elements.iter().map(|one| one.at).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}
