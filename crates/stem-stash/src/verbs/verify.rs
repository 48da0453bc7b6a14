//! `verify`, as far as the repository is concerned: who needs which object, and whether the working tree is as HEAD and the
//! stat cache have it. The bytes of the objects are the store's to verify.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use stem_fs::{RelPath, Stat};
use stem_hash::{HashOptions, ObjectId};

use crate::Stash;
use crate::cache::StatCache;
use crate::error::{LeftAlone, Result};
use crate::format::idlist::{IdList, ListKind, MAX_LIST_BYTES, decode, encode, subject_of};
use crate::hashing::hash_files;
use crate::history::{HeadChoice, head_files, head_state};
use crate::merge::{Merge, rows_by_bytes};
use crate::progress::{Phase, Progress};
use crate::repo::{Repository, fixed};
use crate::roots::{Holder, Names, Reader, Sink};
use crate::scope::Scope;
use crate::verbs::status::{Change, ChangeKind};
use crate::walk::{WorkFile, is_there_untracked, walk};

/// What the user reads after stopping.
pub(crate) const INTERRUPTED: &str =
    "nothing was changed; `stem verify --resume` goes on with the objects that are left";
/// Where the objects are noted that a verification found sound before it was stopped.
const VERIFIED: &str = "stem/verified";
/// Most places that are listed for one object.
const MAX_PLACES: usize = 1000;

/// Who needs an object, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Who names it.
    pub holder: Holder,
    /// The path in the working tree, where it is known.
    pub path: Option<RelPath>,
}

/// The places of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The first of them.
    pub listed: Vec<Place>,
    /// How many there are.
    pub count: u64,
}

/// A file of the repository that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What the repository says of some objects.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// The objects that were asked for and are named.
    pub places: BTreeMap<ObjectId, Places>,
    /// Files that name objects, or should, and cannot be read.
    pub bad_records: Vec<BadRecord>,
    /// How many documents were read.
    pub documents: u64,
}

struct Asked<'a> {
    wanted: &'a dyn Fn(&ObjectId) -> bool,
    found: References,
}

impl Sink for Asked<'_> {
    fn named(&mut self, holder: &Holder, names: Names<'_>) -> Result<()> {
        self.found.documents += 1;
        let mut add = |path: Option<&RelPath>, id: &ObjectId| {
            if (self.wanted)(id) {
                let places = self.found.places.entry(*id).or_default();
                places.count += 1;
                if places.listed.len() < MAX_PLACES {
                    places.listed.push(Place { holder: holder.clone(), path: path.cloned() });
                }
            }
        };
        match names {
            Names::Paths(rows) => rows.iter().for_each(|(path, id)| add(Some(path), id)),
            Names::Ids(ids) => ids.iter().for_each(|id| add(None, id)),
        }
        Ok(())
    }

    fn trouble(&mut self, path: PathBuf, reason: String) -> Result<()> {
        self.found.bad_records.push(BadRecord { path, reason });
        Ok(())
    }
}

/// Who names the objects that are `wanted`, in the whole repository.
pub(crate) fn references(
    stash: Stash<'_>,
    wanted: &dyn Fn(&ObjectId) -> bool,
    progress: &dyn Progress,
) -> Result<References> {
    let mut asked = Asked { wanted, found: References::default() };
    Reader::new(stash, &mut asked, progress).read_all(None)?;
    let mut found = asked.found;
    // What was saved for undo is kept as a file of its own while no object holds it.
    if let Some(saved) = stash.repository.muse().sub(&fixed("stem/undo/saved"))? {
        for entry in saved.entries()? {
            if let Ok(id) = ObjectId::parse_bytes(&entry.name)
                && let Some(places) = found.places.get_mut(&id)
            {
                let before = places.listed.len();
                places.listed.retain(|place| !matches!(place.holder, Holder::Undo { .. }));
                places.count = places.count.saturating_sub((before - places.listed.len()) as u64);
            }
        }
        found.places.retain(|_, places| places.count > 0);
    }
    Ok(found)
}

/// The working tree beside HEAD and the stat cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkTreeCheck {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What differs from HEAD.
    pub changes: Vec<Change>,
    /// Files whose bytes changed although nothing else did, neither size nor a time: the medium, or a program that writes
    /// behind the system's back.
    pub rotten: Vec<RelPath>,
    /// What cannot be read, and what is never looked at.
    pub left_alone: Vec<LeftAlone>,
}

/// Reads every file of the working tree.
pub(crate) fn check_work_tree(stash: Stash<'_>, progress: &dyn Progress) -> Result<WorkTreeCheck> {
    let state = head_state(stash.repository)?;
    let head = head_files(&state, &HeadChoice::Repository, &stash.head_sources())?;
    let manifest = head.map(|head| head.manifest).unwrap_or_default();
    let mut check = WorkTreeCheck::default();
    let work = stash.repository.work()?;
    let rules = stash.repository.walk_rules()?;
    let found =
        work.as_ref().map(|work| walk(work, &Scope::default(), &rules)).transpose()?.unwrap_or_default();
    check.left_alone = found.left_alone;
    let cache = StatCache::load(stash.repository, stash.store.capabilities().algorithm);
    let cached = cache.get_all(&found.files);
    let hashed = hash_tree(stash, &found.files, progress)?;
    let rows = rows_by_bytes(&manifest);
    let mut in_head = Merge::new(&rows);
    for ((file, cached), hashed) in found.files.iter().zip(cached).zip(hashed) {
        let head = in_head.find(file.path.as_bytes(), |row| row.0.as_bytes());
        let hashed = match hashed {
            Ok(hashed) => hashed,
            Err(reason) => {
                check.left_alone.push(LeftAlone { path: file.path.clone(), reason });
                continue;
            }
        };
        check.files += 1;
        check.bytes += hashed.digest.len;
        let unchanged = hashed.stat.same_version(&file.stat);
        if unchanged && cached.is_some_and(|cached| cached.id != hashed.digest.id) {
            check.rotten.push(file.path.clone());
        }
        let kind = match head {
            None => ChangeKind::Added,
            Some(row) if row.1 != hashed.digest.id => ChangeKind::Modified,
            Some(_) => continue,
        };
        check.changes.push(Change { path: file.path.clone(), kind });
    }
    let mut in_tree = Merge::new(&found.files);
    let unread: Vec<&RelPath> = check.left_alone.iter().map(|left| &left.path).collect();
    for (path, _) in rows {
        let is_gone = in_tree.find(path.as_bytes(), |file| file.path.as_bytes()).is_none();
        if is_gone && !unread.contains(&path) && !is_there_untracked(work.as_ref(), &rules, path) {
            check.changes.push(Change { path: path.clone(), kind: ChangeKind::Deleted });
        }
    }
    check.changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(check)
}

type HashedFile = std::result::Result<crate::hashing::Hashed, crate::error::Reason>;

fn hash_tree(stash: Stash<'_>, files: &[WorkFile], progress: &dyn Progress) -> Result<Vec<HashedFile>> {
    let Some(work) = stash.repository.work()? else { return Ok(Vec::new()) };
    let algorithm = stash.store.capabilities().algorithm;
    let options = HashOptions { algorithm, checksum: false, mmap: stash.repository.settings().mmap };
    progress.begin(Phase::Hashing, files.len() as u64, files.iter().map(|file| file.stat.size).sum());
    let files: Vec<&WorkFile> = files.iter().collect();
    hash_files(&work, &files, options, progress, INTERRUPTED)
}

/// Files of the working tree that have the bytes of one of these objects.
pub(crate) fn find_in_work_tree(
    stash: Stash<'_>,
    ids: &[ObjectId],
    progress: &dyn Progress,
) -> Result<HashMap<ObjectId, (RelPath, Stat)>> {
    let mut found = HashMap::new();
    let Some(work) = stash.repository.work()? else { return Ok(found) };
    let walked = walk(&work, &Scope::default(), &stash.repository.walk_rules()?)?;
    let hashed = hash_tree(stash, &walked.files, progress)?;
    for (file, hashed) in walked.files.into_iter().zip(hashed) {
        if let Ok(hashed) = hashed
            && ids.contains(&hashed.digest.id)
        {
            found.insert(hashed.digest.id, (file.path, hashed.stat));
        }
    }
    Ok(found)
}

/// What a verification of the store of this name found sound before it was stopped, sorted; empty when there is none.
pub(crate) fn load_verified(repository: &Repository, store: &str) -> Result<Vec<ObjectId>> {
    let Some(bytes) = repository.muse().read(&fixed(VERIFIED), MAX_LIST_BYTES as u64)? else {
        return Ok(Vec::new());
    };
    let list = decode(ListKind::Verified, &bytes).ok().filter(|list| list.subject == subject_of(store));
    Ok(list.map(|list| list.rows.into_iter().map(|(id, _)| id).collect()).unwrap_or_default())
}

/// Notes what was found sound; an empty list removes the note.
pub(crate) fn save_verified(
    repository: &Repository,
    store: &str,
    now: i64,
    mut ids: Vec<ObjectId>,
) -> Result<()> {
    let path = fixed(VERIFIED);
    if ids.is_empty() {
        repository.muse().remove_file(&path)?;
        return Ok(());
    }
    ids.sort_unstable();
    ids.dedup();
    let rows = ids.into_iter().map(|id| (id, 0)).collect();
    let list = IdList { time: now, subject: subject_of(store), rows };
    let bytes = encode(ListKind::Verified, &list).map_err(|e| crate::Error::InvalidInput(e.to_string()))?;
    repository.stem_dir()?;
    let publish = stem_fs::Publish::Replace;
    repository.muse().write_durable(&path, &bytes, &repository.tmp_dir()?, publish)?;
    Ok(())
}

/// The directory for damaged objects, made when it is missing.
pub(crate) fn quarantine(repository: &Repository) -> Result<stem_fs::Dir> {
    Ok(repository.muse().ensure_dir(&fixed("stem/quarantine"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{CommitFiles, HeadSource};
    use crate::repo::Settings;
    use crate::walk::Rules;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};
    use stem_hash::{Algorithm, Hasher};
    use stem_store::MemoryStore;

    #[test]
    fn bytes_that_change_although_nothing_else_does_are_rot() {
        let dir = tempfile::tempdir().unwrap();
        crate::init(dir.path()).unwrap();
        let repository = Repository::open(dir.path(), Settings::default()).unwrap();
        let work = repository.work().unwrap().unwrap();
        for name in ["rotten", "sound"] {
            let path = work.path().join(name);
            std::fs::write(&path, b"bits").unwrap();
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
        }
        // The file system's clock moves on; then the cache remembers other bytes of one of the files.
        std::thread::sleep(Duration::from_millis(30));
        let found = walk(&work, &Scope::default(), &Rules::Reference).unwrap();
        let mut cache = StatCache::load(&repository, Algorithm::Sha256);
        for (file, bytes) in found.files.iter().zip([b"bitz", b"bits"]) {
            let mut hasher = Hasher::with_checksum(Algorithm::Sha256);
            hasher.update(bytes);
            cache.put(&file.path, &file.stat, &hasher.finish());
        }
        cache.save(Some(&found.files));
        let store = MemoryStore::default();
        let sources: Vec<Arc<dyn HeadSource>> = vec![Arc::new(CommitFiles::new(&repository))];
        let stash = Stash::new(&repository, &store, &sources);
        let check = check_work_tree(stash, &crate::Silent).unwrap();
        assert_eq!(check.rotten, [RelPath::new("rotten").unwrap()]);
        assert_eq!((check.files, check.changes.len()), (2, 2));
    }
}
