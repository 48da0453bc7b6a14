//! What HEAD is: the branch, its commit, and the files of that commit.
//!
//! Where the files of a commit are recorded differs: newer Muse and `stem snapshot` keep JSON files, the reference keeps
//! a database, and a caller may simply know. Each place is a [`HeadSource`]; they are asked in order.

use std::fmt;
use std::path::PathBuf;

use stem_fs::{Dir, RelPath};

use crate::error::{Error, Result};
use crate::format::commit::{
    Commit, CommitId, MAX_COMMIT_BYTES, MAX_SNAPSHOT_BYTES, Snapshot, SnapshotId, decode_commit,
    decode_snapshot,
};
use crate::format::head::{Head, MAX_REF_BYTES, parse_ref};
use crate::format::{FormatError, Manifest, decode_head_manifest};
use crate::progress::Progress;
use crate::repo::{Repository, fixed};

/// The branch and the commit that HEAD names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadState {
    /// What entries record as their branch: the whole branch name, or 12 digits of a detached commit.
    pub label: String,
    /// What HEAD says.
    pub head: Head,
    /// The commit, or `None` on a branch without commits.
    pub commit: Option<CommitId>,
}

/// The files of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadFiles {
    /// Paths and objects.
    pub manifest: Manifest,
    /// The snapshot that they are, if they come from one.
    pub snapshot: Option<SnapshotId>,
}

/// What a place records of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRecord {
    /// The commits before it; `None` when this place does not know. Without them nobody can tell what the history needs,
    /// and nothing is collected.
    pub parents: Option<Vec<CommitId>>,
    /// Its files.
    pub files: RecordedFiles,
}

/// Where the files of a commit stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedFiles {
    /// In `.muse/snapshots`, under this id.
    Snapshot(SnapshotId),
    /// Here.
    Manifest(Manifest),
}

/// A place where the files of commits are recorded.
pub trait HeadSource: fmt::Debug + Send + Sync {
    /// The files of `commit`, or `None` when this place does not know it.
    fn files_of(&self, commit: &CommitId) -> Result<Option<HeadFiles>>;

    /// Where this looks, to complete "which …" in an error: `is not in .muse/commits`.
    fn searched(&self) -> String;

    /// What this place records of `commit`, or `None` when it does not know it. For collecting garbage, which has to
    /// follow the history to its beginning; by default the files alone, and nothing is collected.
    fn record_of(&self, commit: &CommitId) -> Result<Option<CommitRecord>> {
        let record =
            |files: HeadFiles| CommitRecord { parents: None, files: RecordedFiles::Manifest(files.manifest) };
        Ok(self.files_of(commit)?.map(record))
    }

    /// Calls `visit` for every commit of this repository that is recorded here, whether or not a ref on disk reaches it:
    /// for collecting garbage. Of several commits with the same files, all but one may come without a manifest. By
    /// default none: then only what refs reach is needed on account of this place.
    ///
    /// # Errors
    ///
    /// When any of them cannot be read, and what `visit` returns.
    fn visit_commits(&self, progress: &dyn Progress, visit: &mut CommitVisitor<'_>) -> Result<()> {
        let _ = (progress, visit);
        Ok(())
    }

    /// A digest of which commits [`Self::visit_commits`] finds, to notice that there are others now. `None` where the
    /// repository's own files tell that.
    fn witness(&self, progress: &dyn Progress) -> Result<Option<[u8; 32]>> {
        let _ = progress;
        Ok(None)
    }
}

/// Called with each commit; an error ends the visit.
pub type CommitVisitor<'a> = dyn FnMut(VisitedCommit<'_>) -> Result<()> + 'a;

/// A commit that [`HeadSource::visit_commits`] found.
#[derive(Debug)]
pub struct VisitedCommit<'a> {
    /// Its id.
    pub id: CommitId,
    /// The commits before it.
    pub parents: &'a [CommitId],
    /// Its files, unless a commit before it had the same.
    pub manifest: Option<&'a Manifest>,
    /// What to call the place in errors, where a path is expected.
    pub place: &'a str,
}

/// `.muse/commits` and `.muse/snapshots`, as newer Muse and `stem snapshot` write them.
#[derive(Debug, Clone)]
pub struct CommitFiles {
    muse: Dir,
}

impl CommitFiles {
    /// The files of the repository.
    pub fn new(repository: &Repository) -> Self {
        Self { muse: repository.muse().clone() }
    }

    /// The commit's record, or `None` when there is none.
    pub fn commit(&self, id: &CommitId) -> Result<Option<Commit>> {
        let path = in_folder("commits", &id.file_name());
        let Some(bytes) = self.muse.read(&path, MAX_COMMIT_BYTES as u64)? else { return Ok(None) };
        let commit = decode_commit(&bytes).map_err(|source| self.damaged(&path, source))?;
        Ok(Some(commit))
    }

    /// The snapshot's record, or `None` when there is none.
    pub fn snapshot(&self, id: &SnapshotId) -> Result<Option<Snapshot>> {
        let path = in_folder("snapshots", &id.file_name());
        let Some(bytes) = self.muse.read(&path, MAX_SNAPSHOT_BYTES as u64)? else { return Ok(None) };
        let snapshot = decode_snapshot(&bytes).map_err(|source| self.damaged(&path, source))?;
        Ok(Some(snapshot))
    }

    fn damaged(&self, path: &RelPath, source: FormatError) -> Error {
        Error::BadRepositoryFile { path: self.muse.full(path), source }
    }
}

impl HeadSource for CommitFiles {
    fn files_of(&self, id: &CommitId) -> Result<Option<HeadFiles>> {
        let Some(commit) = self.commit(id)? else { return Ok(None) };
        let snapshot = self.snapshot(&commit.snapshot_id)?.ok_or_else(|| {
            Error::Refused(format!(
                "commit {id} names snapshot {}, which is not in '{}': what files HEAD has is unknown, nothing was changed",
                commit.snapshot_id,
                self.muse.path().join("snapshots").display()
            ))
        })?;
        Ok(Some(HeadFiles { manifest: snapshot.manifest, snapshot: Some(commit.snapshot_id) }))
    }

    fn searched(&self) -> String {
        "is not in .muse/commits".into()
    }

    fn record_of(&self, id: &CommitId) -> Result<Option<CommitRecord>> {
        let Some(commit) = self.commit(id)? else { return Ok(None) };
        if commit.commit_id != *id {
            return Err(Error::Refused(format!("the file of commit {id} holds commit {}", commit.commit_id)));
        }
        let parents = commit.parent.into_iter().chain(commit.parent2).collect();
        let files = RecordedFiles::Snapshot(commit.snapshot_id);
        Ok(Some(CommitRecord { parents: Some(parents), files }))
    }
}

/// Where a push learns what files HEAD has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HeadChoice {
    /// From the repository: its commit files, and further sources that the caller configured.
    #[default]
    Repository,
    /// From the bytes of a JSON object `{path: object id}`.
    Manifest {
        /// The JSON text.
        bytes: Vec<u8>,
        /// What to call it in messages.
        name: String,
    },
    /// There is no commit, whatever the branch's ref says.
    None,
}

/// A path in a folder of `.muse`, from a name that was checked when it was parsed.
pub(crate) fn in_folder(folder: &'static str, name: &str) -> RelPath {
    #[expect(clippy::expect_used, reason = "ids are hex or plain names by their own parsers")]
    fixed(folder).join(name.as_bytes()).expect("an id is a plain name")
}

/// The path of a branch's ref below `.muse`.
pub(crate) fn ref_path(head: &Head) -> Result<Option<RelPath>> {
    match head {
        Head::Detached(_) => Ok(None),
        Head::Branch { name, .. } => RelPath::new(format!("refs/heads/{name}"))
            .map(Some)
            .map_err(|e| Error::InvalidInput(format!("the branch '{name}' in HEAD cannot be a file: {e}"))),
    }
}

/// Reads `.muse/HEAD` and the ref that it names.
pub(crate) fn head_state(repository: &Repository) -> Result<HeadState> {
    let muse = repository.muse();
    let head_path = fixed("HEAD");
    let bytes = muse.read(&head_path, MAX_REF_BYTES as u64)?.ok_or_else(|| {
        Error::Refused(format!(
            "'{}' is missing, so this is no usable repository: `stem init` in a new directory makes one",
            muse.full(&head_path).display()
        ))
    })?;
    let damaged = |path: PathBuf| move |source| Error::BadRepositoryFile { path, source };
    let head = Head::parse(&bytes).map_err(damaged(muse.full(&head_path)))?;
    let commit = match (&head, ref_path(&head)?) {
        (Head::Detached(commit), _) => Some(*commit),
        (_, None) => None,
        (_, Some(path)) => match muse.read(&path, MAX_REF_BYTES as u64)? {
            Some(bytes) => parse_ref(&bytes).map_err(damaged(muse.full(&path)))?,
            None => None,
        },
    };
    Ok(HeadState { label: head.label(), head, commit })
}

/// The files of HEAD, or `None` when there is no commit. Not knowing is an error, never an empty HEAD.
pub(crate) fn head_files(
    state: &HeadState,
    choice: &HeadChoice,
    sources: &[&dyn HeadSource],
) -> Result<Option<HeadFiles>> {
    match choice {
        HeadChoice::None => Ok(None),
        HeadChoice::Manifest { bytes, name } => {
            let manifest = decode_head_manifest(bytes)
                .map_err(|source| Error::BadInputFile { path: name.clone(), source })?;
            Ok(Some(HeadFiles { manifest, snapshot: None }))
        }
        HeadChoice::Repository => {
            let Some(commit) = &state.commit else { return Ok(None) };
            for source in sources {
                if let Some(files) = source.files_of(commit)? {
                    return Ok(Some(files));
                }
            }
            let searched: Vec<String> = sources.iter().map(|source| source.searched()).collect();
            Err(Error::HeadUnknown {
                branch: state.label.clone(),
                commit: commit.short(),
                searched: searched.join(" and "),
            })
        }
    }
}
