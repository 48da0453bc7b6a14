//! `snapshot`: record the working tree as HEAD of the branch, in the JSON files that newer Muse reads.

use std::time::{SystemTime, UNIX_EPOCH};

use stem_fs::{LockKind, Publish, ReadLease, RelPath, Stat};
use stem_hash::Digest;
use stem_store::{Durability, ErrorKind, FileSource, PutOptions, Written};

use crate::Stash;
use crate::cache::StatCache;
use crate::error::{Error, LeftAlone, Reason, Result};
use crate::format::commit::{
    Commit, CommitId, RawJson, Snapshot, SnapshotId, encode_commit, encode_snapshot,
};
use crate::format::stamp::Stamp;
use crate::format::text::PyStr;
use crate::format::{FormatError, Manifest};
use crate::generation::generation_of_head;
use crate::history::{CommitFiles, HeadState, head_state, in_folder, ref_path};
use crate::journal::recover;
use crate::parallel;
use crate::progress::{Phase, Progress, Unstoppable};
use crate::repo::{LockName, Repository, fixed};
use crate::scope::Scope;
use crate::walk::{WorkFile, walk};

/// What the user reads after stopping a snapshot.
const INTERRUPTED: &str = "no snapshot was recorded; HEAD is as it was";

/// How to record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// The commit's message.
    pub message: Option<String>,
    /// Who commits; empty when `None`.
    pub author: Option<String>,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotResult {
    /// The commit, new or (if nothing changed) the old one.
    pub commit_id: CommitId,
    /// Its snapshot.
    pub snapshot_id: SnapshotId,
    /// The branch.
    pub branch: String,
    /// Number of files.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// Bytes of objects that the store did not have before.
    pub bytes_written: u64,
    /// The working tree equals HEAD, so nothing was recorded.
    pub unchanged: bool,
    /// Paths that are not part of the snapshot, with the reason.
    pub left_alone: Vec<LeftAlone>,
}

impl SnapshotResult {
    /// Whether something in the working tree could not be recorded.
    pub fn is_partial(&self) -> bool {
        self.left_alone.iter().any(|left| left.reason.is_partial())
    }
}

pub(crate) fn snapshot(
    stash: Stash<'_>,
    options: &SnapshotOptions,
    progress: &dyn Progress,
) -> Result<SnapshotResult> {
    let repository = stash.repository;
    let _work_lock = repository.lock(LockName::WorkTree, LockKind::Exclusive, progress)?;
    recover(stash, &Unstoppable(progress))?;
    let state = head_state(repository)?;
    let ref_path = ref_path(&state.head)?.ok_or_else(|| {
        Error::Refused(
            "HEAD names a commit, not a branch: check out a branch before taking a snapshot".into(),
        )
    })?;
    let parent = parent_of(repository, &state)?;

    let _store_lock = repository.lock(LockName::Store, LockKind::Shared, progress)?;
    let mut cache = StatCache::load(repository, stash.store.capabilities().algorithm);
    progress.begin(Phase::Scanning, 0, 0);
    let found = match repository.work()? {
        Some(work) => {
            let found = walk(&work, &Scope::default(), &repository.walk_rules()?)?;
            found.remove_leftovers(&work);
            found
        }
        None => crate::walk::Walk::default(),
    };
    let mut left_alone = found.left_alone;
    let rows = store_all(stash, &found.files, &mut cache, &mut left_alone, progress)?;
    cache.save(Some(&found.files));
    progress.begin(Phase::Syncing, 0, 0);
    stash.store.sync()?;

    let bytes = rows.iter().map(|row| row.digest.len).sum();
    let bytes_written = rows.iter().map(|row| row.written).sum();
    let rows = rows.into_iter().map(|row| (row.path, row.digest.id)).collect();
    let manifest =
        Manifest::new(rows).map_err(|e| Error::InvalidInput(format!("no snapshot can hold this: {e}")))?;
    let generation = generation_of_head(&state.head);
    let snapshot_id = generation.snapshot_id(&manifest);
    let files = manifest.len();
    let result = |commit_id, unchanged| SnapshotResult {
        commit_id,
        snapshot_id,
        branch: state.label.clone(),
        files,
        bytes,
        bytes_written,
        unchanged,
        left_alone,
    };
    if let Some(parent) = &parent
        && parent.snapshot_id == snapshot_id
    {
        return Ok(result(parent.commit_id, true));
    }

    let now = now()?;
    let snapshot = Snapshot { snapshot_id, manifest, created_at: now.clone(), extra: Vec::new() };
    let mut commit = Commit {
        commit_id: CommitId::from_bytes([0; 32]),
        repo_id: repository.repo_id()?,
        branch: PyStr::from(state.label.as_str()),
        parent: parent.map(|parent| parent.commit_id),
        parent2: None,
        snapshot_id,
        message: PyStr::from(options.message.as_deref().unwrap_or_default()),
        author: PyStr::from(options.author.as_deref().unwrap_or_default()),
        committed_at: now,
        metadata: RawJson::empty_object(),
        extra: Vec::new(),
    };
    let parents: Vec<CommitId> = commit.parent.into_iter().collect();
    commit.commit_id = generation.commit_id(&parents, &snapshot_id, &commit.message, &commit.committed_at);
    record(repository, &ref_path, &snapshot, &commit)?;
    Ok(result(commit.commit_id, false))
}

/// The commit that HEAD names. A commit that only a database knows belongs to Muse.
fn parent_of(repository: &Repository, state: &HeadState) -> Result<Option<Commit>> {
    let Some(id) = &state.commit else { return Ok(None) };
    CommitFiles::new(repository).commit(id)?.map(Some).ok_or_else(|| {
        Error::Refused(format!(
            "branch '{}' is at commit {}, which is not in .muse/commits: Muse keeps the commits of this repository in \
             its database, so commit with Muse. Nothing was changed",
            state.label,
            id.short()
        ))
    })
}

struct Row {
    path: RelPath,
    digest: Digest,
    written: u64,
    /// The file when it was hashed, if nobody could write to it meanwhile.
    fresh: Option<Stat>,
}

fn store_all(
    stash: Stash<'_>,
    files: &[WorkFile],
    cache: &mut StatCache<'_>,
    left_alone: &mut Vec<LeftAlone>,
    progress: &dyn Progress,
) -> Result<Vec<Row>> {
    let Some(work) = stash.repository.work()? else { return Ok(Vec::new()) };
    progress.begin(Phase::Saving, files.len() as u64, files.iter().map(|file| file.stat.size).sum());
    // What the cache knows and the store has need not be read.
    let cached = cache.get_all(files);
    let ids: Vec<_> = cached.iter().flatten().map(|digest| digest.id).collect();
    let mut stats = stash.store.stat_many(&ids)?;
    super::push::only_what_stays(stash.store, &ids, &mut stats)?;
    let mut stats = stats.into_iter();
    let mut present =
        |digest: Digest| stats.next().flatten().is_some_and(|stat| stat.size == digest.len).then_some(digest);
    let known: Vec<_> = cached.into_iter().map(|digest| digest.and_then(&mut present)).collect();
    let files: Vec<(&WorkFile, Option<Digest>)> = files.iter().zip(known).collect();
    let outcomes = parallel::map(
        &files,
        |(file, _)| file.stat.size,
        progress,
        INTERRUPTED,
        |(file, known)| {
            if let Some(digest) = known {
                progress.advance(1, digest.len);
                return Ok(Ok(Row { path: file.path.clone(), digest: *digest, written: 0, fresh: None }));
            }
            let opened = match work.open_file(&file.path) {
                Ok(Some(opened)) => opened,
                Ok(None) => return Ok(Err(Reason::Vanished)),
                Err(error) => return Ok(Err(Reason::Unreadable(error.source.to_string()))),
            };
            let lease = ReadLease::take(&opened);
            let stat = opened.stat()?;
            let tell = |bytes| {
                progress.advance(0, bytes);
                if progress.cancelled() {
                    std::ops::ControlFlow::Break(())
                } else {
                    std::ops::ControlFlow::Continue(())
                }
            };
            let source = FileSource { progress: Some(&tell), ..FileSource::new(&opened, stat) };
            let options =
                PutOptions { durability: Durability::AtSync, checksum: true, ..PutOptions::default() };
            let put = match stash.store.put_file(&source, &options) {
                Ok(put) => put,
                Err(error) if error.kind() == ErrorKind::Source => {
                    return Ok(Err(Reason::Unreadable(error.to_string())));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    return Err(Error::Interrupted(INTERRUPTED));
                }
                Err(error) => return Err(error.into()),
            };
            progress.advance(1, 0);
            let unchanged = put.digest.len == stat.size && opened.stat()?.same_version(&stat);
            if !unchanged {
                // Half of one version and half of another is nothing to remember as a commit.
                return Ok(Err(Reason::Changed));
            }
            let written = if put.written == Written::New { put.digest.len } else { 0 };
            let fresh = lease.is_ok_and(|lease| lease.held()).then_some(stat);
            Ok(Ok(Row { path: file.path.clone(), digest: put.digest, written, fresh }))
        },
    )?;
    let mut rows = Vec::with_capacity(files.len());
    for ((file, _), outcome) in files.iter().zip(outcomes) {
        match outcome {
            Ok(row) => {
                if let Some(stat) = &row.fresh {
                    cache.put(&row.path, stat, &row.digest);
                }
                rows.push(row);
            }
            Err(reason) => left_alone.push(LeftAlone { path: file.path.clone(), reason }),
        }
    }
    Ok(rows)
}

/// Snapshot, commit, ref: in this order, each durable before the next names it.
fn record(repository: &Repository, ref_path: &RelPath, snapshot: &Snapshot, commit: &Commit) -> Result<()> {
    let invalid = |e: FormatError| Error::InvalidInput(e.to_string());
    let (muse, tmp) = (repository.muse(), repository.tmp_dir()?);
    for (folder, name, bytes) in [
        ("snapshots", snapshot.snapshot_id.file_name(), encode_snapshot(snapshot).map_err(invalid)?),
        ("commits", commit.commit_id.file_name(), encode_commit(commit).map_err(invalid)?),
    ] {
        muse.ensure_dir(&fixed(folder))?;
        muse.write_durable(&in_folder(folder, &name), &bytes, &tmp, Publish::Replace)?;
    }
    if let Some(parent) = ref_path.parent() {
        muse.ensure_dir(&parent)?;
    }
    let id = format!("{}\n", commit.commit_id);
    muse.write_durable(ref_path, id.as_bytes(), &tmp, Publish::Replace)?;
    Ok(())
}

fn now() -> Result<PyStr> {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let stamp = Stamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
        .map_err(|e| Error::InvalidInput(format!("the system's clock cannot be used: {e}")))?;
    Ok(PyStr::from(stamp.to_iso().as_str()))
}
