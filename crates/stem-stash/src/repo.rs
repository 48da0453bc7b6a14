//! A repository on disk: where its parts lie, and the locks between processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use stem_fs::{Dir, LockFile, LockKind, Publish, RelPath};

use crate::error::{Error, Result};
use crate::format::commit::Generation;
use crate::format::is_protected;
use crate::format::muse::{MAX_REPO_JSON_BYTES, read_domain};
use crate::format::text::PyStr;
use crate::generation::{generation_of, signs};
use crate::ignore::{DEFAULT_DOMAIN, Ignore, MAX_IGNORE_BYTES};
use crate::progress::{Phase, Progress};
use crate::walk::Rules;

/// The directory of the repository's own files.
pub const MUSE_DIR: &str = ".muse";
/// The working directory of the reference, unless configured otherwise.
pub const DEFAULT_WORK_DIR: &str = "muse-work";

/// A path that is known to be well-formed when the program is written.
pub(crate) fn fixed(path: &'static str) -> RelPath {
    #[expect(clippy::expect_used, reason = "only called with literals, each of which a test opens")]
    RelPath::new(path).expect("a literal path is plain")
}

/// Where the working tree is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WorkTree {
    /// Where the repository's generation has it: in `muse-work`, or newer Muse's in the root.
    #[default]
    OfGeneration,
    /// The root itself.
    Root,
    /// Below the root.
    Below(RelPath),
}

/// Where a push puts its entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StashFormat {
    /// Where the repository's generation has it: in a file of its own, or newer Muse's in `.muse/stash.json`.
    #[default]
    Auto,
    /// In a file of its own, `.muse/stash/stash-*.json`.
    Entries,
    /// In `.muse/stash.json`, unless that cannot say what the push has to say.
    Muse,
}

/// What a repository's configuration says about its layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the working tree is.
    pub work_tree: WorkTree,
    /// Where a push puts its entry.
    pub stash_format: StashFormat,
    /// Whether files may be mapped into memory for hashing.
    pub mmap: bool,
    /// How long what a verb did can be undone; `None` is for ever.
    pub undo_expire: Option<Duration>,
}

/// How long what a verb did can be undone unless configured otherwise: 30 days.
pub const DEFAULT_UNDO_EXPIRE: Duration = Duration::from_hours(30 * 24);

impl Default for Settings {
    fn default() -> Self {
        Self {
            work_tree: WorkTree::default(),
            stash_format: StashFormat::default(),
            mmap: true,
            undo_expire: Some(DEFAULT_UNDO_EXPIRE),
        }
    }
}

/// An open repository.
#[derive(Debug, Clone)]
pub struct Repository {
    root: Dir,
    muse: Dir,
    settings: Settings,
    generation: Generation,
    /// The working tree below the root; `None` is the root itself.
    work_tree: Option<RelPath>,
    work_path: PathBuf,
}

/// How long to wait before a lock that another process holds is tried again.
pub(crate) const PATIENCE: Duration = Duration::from_millis(20);

/// The name of the note in `.muse/stem`.
const RESTORING: &str = "restoring";

/// The note that the working tree holds temporary files.
#[derive(Debug)]
pub(crate) struct Restoring(Dir);

impl Drop for Restoring {
    fn drop(&mut self) {
        // A note that stays costs the next verb a walk.
        let _ = self.0.remove_file(&fixed(RESTORING));
    }
}

/// The locks between processes; each is a file in `.muse/stem`.
///
/// Taken in the order in which they stand here, so that no two processes wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockName {
    /// Held exclusively by a verb that changes the working tree, from start to end.
    WorkTree,
    /// Shared by a push from its first look into the store to its entry; exclusive for whoever deletes objects.
    Store,
    /// Held exclusively for the moment in which an entry is added or removed.
    Stack,
}

impl LockName {
    fn file(self) -> RelPath {
        fixed(match self {
            Self::WorkTree => "worktree.lock",
            Self::Store => "store.lock",
            Self::Stack => "stack.lock",
        })
    }
}

impl Repository {
    /// The root of the repository that holds `start`: the closest directory, upwards, with a `.muse` in it.
    pub fn find_root(start: &Path) -> Result<PathBuf> {
        let absolute = std::path::absolute(start)
            .map_err(|e| stem_fs::Error::new("find the absolute path of", start, e))?;
        absolute
            .ancestors()
            .find(|dir| dir.join(MUSE_DIR).is_dir())
            .map(Path::to_path_buf)
            .ok_or(Error::NotARepository { start: absolute.clone() })
    }

    /// Opens the repository at `root`.
    pub fn open(root: &Path, settings: Settings) -> Result<Self> {
        if !root.join(MUSE_DIR).is_dir() {
            return Err(Error::NotARepository { start: root.to_path_buf() });
        }
        Self::from_dir(Dir::open(root)?, settings)
    }

    /// Opens the repository at an open directory; a test passes one with an observer.
    pub fn from_dir(root: Dir, settings: Settings) -> Result<Self> {
        if let WorkTree::Below(path) = &settings.work_tree
            && is_protected(path)
        {
            return Err(Error::Refused(format!(
                "the configured working tree '{path}' lies inside .muse or .git, which no verb may touch: change \
                 worktree.path in .muse/stem/config.toml"
            )));
        }
        let muse = root
            .sub(&fixed(MUSE_DIR))?
            .ok_or_else(|| Error::NotARepository { start: root.path().to_path_buf() })?;
        let generation = generation_of(signs(&root, &muse));
        let work_tree = match (&settings.work_tree, generation) {
            (WorkTree::Below(path), _) => Some(path.clone()),
            (WorkTree::OfGeneration, Generation::Reference) => Some(fixed(DEFAULT_WORK_DIR)),
            (WorkTree::OfGeneration, Generation::Newer) | (WorkTree::Root, _) => None,
        };
        let work_path = match &work_tree {
            Some(path) => root.full(path),
            None => root.path().to_path_buf(),
        };
        Ok(Self { root, muse, settings, generation, work_tree, work_path })
    }

    /// The root.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The working tree; it need not exist.
    pub fn working_tree(&self) -> &Path {
        &self.work_path
    }

    /// The generation of Muse that it belongs to, as it was when it was opened.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether a push puts its entry into newer Muse's `.muse/stash.json`.
    pub fn uses_muse_stash(&self) -> bool {
        match self.settings.stash_format {
            StashFormat::Auto => self.generation == Generation::Newer,
            StashFormat::Entries => false,
            StashFormat::Muse => true,
        }
    }

    /// What the walk of the working tree takes.
    pub(crate) fn walk_rules(&self) -> Result<Rules> {
        if self.generation == Generation::Reference {
            return Ok(Rules::Reference);
        }
        let repo_json = fixed("repo.json");
        let damaged = |source| Error::BadRepositoryFile { path: self.muse.full(&repo_json), source };
        let described = self.muse.read(&repo_json, MAX_REPO_JSON_BYTES as u64)?;
        let domain = described.map(|bytes| read_domain(&bytes)).transpose().map_err(damaged)?.flatten();
        let domain = domain.as_deref().unwrap_or(DEFAULT_DOMAIN);
        let path = fixed(".museignore");
        let unusable = |problem: String| Error::BadIgnoreFile { path: self.root.full(&path), problem };
        let Some(bytes) = self
            .root
            .read(&path, MAX_IGNORE_BYTES as u64)
            .map_err(|error| unusable(error.source.to_string()))?
        else {
            return Ok(Rules::Newer(Ignore::default()));
        };
        Ignore::parse(&bytes, domain).map(Rules::Newer).map_err(unusable)
    }

    /// What the configuration says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// `.muse`.
    pub fn muse(&self) -> &Dir {
        &self.muse
    }

    /// `repo_id` of `.muse/repo.json`; empty when the file lacks it, or is missing.
    pub fn repo_id(&self) -> Result<PyStr> {
        #[derive(serde::Deserialize)]
        struct RepoJson {
            #[serde(default)]
            repo_id: String,
        }
        let name = fixed("repo.json");
        let Some(bytes) = self.muse.read(&name, MAX_REPO_JSON_BYTES as u64)? else {
            return Ok(PyStr::default());
        };
        let parsed: RepoJson = serde_json::from_slice(&bytes)
            .map_err(|e| Error::Refused(format!("'{}' is damaged: {e}", self.muse.full(&name).display())))?;
        Ok(PyStr::from(parsed.repo_id.as_str()))
    }

    /// The working tree, or `None` when there is none yet.
    pub fn work(&self) -> Result<Option<Dir>> {
        match &self.work_tree {
            None => Ok(Some(self.root.clone())),
            Some(path) => Ok(self.root.sub(path)?),
        }
    }

    /// The working tree, made when it is missing.
    pub(crate) fn ensure_work(&self) -> Result<Dir> {
        match &self.work_tree {
            None => Ok(self.root.clone()),
            Some(path) => Ok(self.root.ensure_dir(path)?),
        }
    }

    /// `.muse/stem`, where everything lies that Muse does not know of.
    pub(crate) fn stem_dir(&self) -> Result<Dir> {
        Ok(self.muse.ensure_dir(&fixed("stem"))?)
    }

    /// `.muse/stem/tmp`, for files on their way to their final names.
    pub(crate) fn tmp_dir(&self) -> Result<Dir> {
        Ok(self.muse.ensure_dir(&fixed("stem/tmp"))?)
    }

    /// Where files wait that are on their way into or out of the working tree: `.muse/stem/tmp`, or the working tree's
    /// own root (under names that no walk takes) when that is on another file system, across which nothing is renamed.
    pub(crate) fn tmp_for(&self, work: &Dir) -> Result<Dir> {
        let tmp = self.tmp_dir()?;
        Ok(if tmp.stat_self()?.device == work.stat_self()?.device { tmp } else { work.clone() })
    }

    /// Notes that temporary files are about to be made in the working tree, until the note is dropped.
    pub(crate) fn note_restoring(&self) -> Result<Restoring> {
        let stem = self.stem_dir()?;
        let mut note = self.tmp_dir()?.temp_file(0o600)?;
        note.persist(&stem, &fixed(RESTORING), Publish::Replace)?;
        Ok(Restoring(stem))
    }

    /// Whether a process died while it had temporary files in the working tree. Only under the lock on it.
    pub(crate) fn was_restoring(&self) -> Result<Option<Restoring>> {
        let stem = self.stem_dir()?;
        Ok(stem.stat(&fixed(RESTORING))?.is_some().then_some(Restoring(stem)))
    }

    /// Takes a lock exclusively if nobody else holds it.
    pub(crate) fn try_lock(&self, name: LockName) -> Result<Option<LockFile>> {
        Ok(LockFile::try_acquire(&self.stem_dir()?, &name.file(), LockKind::Exclusive)?)
    }

    /// Takes a lock, waiting for other processes and telling the user so, who may not want to wait: except for the stack,
    /// which nobody holds for long and which a verb takes when most of its work is done.
    pub(crate) fn lock(&self, name: LockName, kind: LockKind, progress: &dyn Progress) -> Result<LockFile> {
        let (dir, file) = (self.stem_dir()?, name.file());
        let mut waiting = || progress.begin(Phase::Waiting, 0, 0);
        if name == LockName::Stack {
            return Ok(LockFile::acquire(&dir, &file, kind, &mut waiting)?);
        }
        let mut told = false;
        loop {
            if let Some(lock) = LockFile::try_acquire(&dir, &file, kind)? {
                return Ok(lock);
            }
            if !std::mem::replace(&mut told, true) {
                waiting();
            }
            if progress.cancelled() {
                return Err(Error::Interrupted("it waited for another stem, and nothing was changed"));
            }
            std::thread::sleep(PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_path_is_plain() {
        for name in [LockName::WorkTree, LockName::Store, LockName::Stack] {
            let _ = name.file();
        }
        let _ = Settings::default();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(MUSE_DIR)).unwrap();
        let repo = Repository::open(dir.path(), Settings::default()).unwrap();
        repo.tmp_dir().unwrap();
        assert!(repo.work().unwrap().is_none());
        repo.ensure_work().unwrap();
        assert!(repo.work().unwrap().is_some());
    }

    #[test]
    fn the_root_is_found_from_below_and_not_from_beside() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/muse-work/tracks");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(dir.path().join("a/.muse")).unwrap();
        assert_eq!(Repository::find_root(&deep).unwrap(), dir.path().join("a"));
        assert!(matches!(Repository::find_root(dir.path()), Err(Error::NotARepository { .. })));
    }
}
