//! Muse's tables as a source of HEAD and history.
//!
//! What is read is believed as little as a file: ids are parsed, manifests go through the reader that refuses duplicate
//! keys and paths that leave the working tree, and a snapshot's manifest must hash to its id. A commit counts only if its
//! `repo_id` is this repository's, because one database serves many.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use stem_hash::{Algorithm, Hasher};
use stem_stash::format::commit::{CommitId, Generation, SnapshotId};
use stem_stash::format::{Manifest, decode_head_manifest};
use stem_stash::{
    CommitRecord, CommitVisitor, DatabaseError, DatabaseErrorKind, Error, HeadFiles, HeadSource, Progress,
    RecordedFiles, Repository, Result, Silent, VisitedCommit,
};

use crate::SecretText;
use crate::session::{CommitRow, Failed, MAX_MANIFEST, Patience, Session, Text};
use crate::url::{DatabaseUrl, Target};

/// Most commits of a repository that are read: 32 bytes of memory each.
const MAX_COMMITS: u64 = 5_000_000;
/// How long a question may take unless configured otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Who named the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Whoever called: an option of the command line, a parameter.
    Named,
    /// The environment. `DATABASE_URL` is what many programs call theirs: one that cannot be Muse's is passed over where
    /// only more commits would be looked for.
    Environment,
    /// The repository's configuration.
    Configured,
}

impl Origin {
    fn words(self) -> &'static str {
        match self {
            Self::Named => "the database URL",
            Self::Environment => "DATABASE_URL",
            Self::Configured => "database.url in .muse/stem/config.toml",
        }
    }
}

/// How to ask.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// Who named it.
    pub origin: Origin,
    /// What a relative path of a file is relative to.
    pub base: PathBuf,
    /// How long connecting, and each question, may take.
    pub timeout: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { origin: Origin::Named, base: PathBuf::new(), timeout: DEFAULT_TIMEOUT }
    }
}

/// A database with Muse's tables, asked when it is needed.
pub struct Database {
    repository: Repository,
    url: std::result::Result<DatabaseUrl, String>,
    options: DatabaseOptions,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("url", &self.url)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// The commits of `repository` in the database of that URL. Nothing is looked at yet, not even the URL: one that
    /// cannot be used is an error when a commit is asked for. [`Self::check`] tells now.
    pub fn new(repository: &Repository, url: &SecretText, options: DatabaseOptions) -> Self {
        let url = DatabaseUrl::parse(url.reveal(), &options.base);
        Self { repository: repository.clone(), url, options }
    }

    /// Whether the URL can be used at all. Does not connect.
    pub fn check(&self) -> Result<()> {
        let url = self.url()?;
        self.supported(url).map_err(|failed| failed.about(url.shown()))
    }

    fn url(&self) -> Result<&DatabaseUrl> {
        self.url.as_ref().map_err(|problem| {
            let message = format!("{} cannot be used: {problem}", self.options.origin.words());
            DatabaseError::new(DatabaseErrorKind::InvalidUrl, None, message).into()
        })
    }

    #[expect(clippy::unused_self, reason = "a method beside the others, whatever features there are")]
    fn supported(&self, url: &DatabaseUrl) -> std::result::Result<(), Failed> {
        let missing = match url.target() {
            Target::Sqlite(_) if !cfg!(feature = "sqlite") => "SQLite",
            Target::Postgres(_) if !cfg!(feature = "postgres") => "Postgres",
            _ => return Ok(()),
        };
        let message = format!("cannot be read: this program was built without {missing}");
        Err(Failed::Because(DatabaseErrorKind::InvalidUrl, message))
    }

    /// Connects, asks, and disconnects.
    fn ask<T>(
        &self,
        progress: &dyn Progress,
        question: impl FnOnce(&mut dyn Session, &DatabaseUrl) -> Result<T>,
    ) -> Result<T> {
        let url = self.url()?;
        let about = |failed: Failed| failed.about(url.shown());
        self.supported(url).map_err(about)?;
        let patience = Patience { timeout: self.options.timeout, progress };
        let mut session = open(url, patience).map_err(about)?;
        question(&mut *session, url)
    }

    /// The repository's id, without which no commit can be told from another repository's.
    fn repo_id(&self) -> Result<String> {
        let id = self.repository.repo_id()?;
        id.as_str().filter(|id| !id.is_empty()).map(str::to_owned).ok_or_else(|| {
            let message = "'.muse/repo.json' has no repo_id, so nobody can tell which commits of a database are this \
                           repository's";
            DatabaseError::new(DatabaseErrorKind::Foreign, None, message).into()
        })
    }

    /// The commit's row, or `None` when there is none.
    fn commit(&self, session: &mut dyn Session, place: &str, id: &CommitId) -> Result<Option<Commit>> {
        let mut rows = session.commit(id).map_err(|failed| failed.about(place))?;
        let Some(row) = rows.pop() else { return Ok(None) };
        if !rows.is_empty() {
            return Err(damaged(place, format!("has commit {id} more than once")));
        }
        let ours = self.repo_id()?;
        if row.repo.as_deref() != Some(&*ours) {
            let theirs = row
                .repo
                .as_deref()
                .map_or("no repository".to_owned(), |id| format!("repository {}", shown(id)));
            let message = format!(
                "has commit {id}, but says that it belongs to {theirs}; this is repository {}: was the database of \
                 another one named, or a .muse copied?",
                shown(&ours)
            );
            return Err(Failed::Because(DatabaseErrorKind::Foreign, message).about(place));
        }
        Commit::of(&row, place).map(Some)
    }

    /// Calls `visit` with every commit of the repository.
    fn each(
        &self,
        session: &mut dyn Session,
        place: &str,
        progress: &dyn Progress,
        visit: &mut dyn FnMut(&mut dyn Session, &Commit) -> Result<()>,
    ) -> Result<()> {
        let repo = self.repo_id()?;
        let mut after = String::new();
        let mut count = 0_u64;
        loop {
            let page = session.page(&repo, &after).map_err(|failed| failed.about(place))?;
            let Some(last) = page.last() else { return Ok(()) };
            if last.commit == after {
                return Err(damaged(place, "has a commit more than once".into()));
            }
            after.clone_from(&last.commit);
            for row in &page {
                if progress.cancelled() {
                    return Err(Failed::Interrupted.about(place));
                }
                count += 1;
                if count > MAX_COMMITS {
                    return Err(damaged(
                        place,
                        format!("has more than {MAX_COMMITS} commits of this repository"),
                    ));
                }
                visit(session, &Commit::of(row, place)?)?;
            }
        }
    }

    /// Whether an error only means that the environment's database is not Muse's.
    fn is_none_of_ours(&self, error: &Error) -> bool {
        use DatabaseErrorKind::{InvalidUrl, NotMuse};
        self.options.origin == Origin::Environment
            && matches!(error, Error::Database(error) if matches!(error.kind(), InvalidUrl | NotMuse))
    }
}

impl HeadSource for Database {
    fn files_of(&self, commit: &CommitId) -> Result<Option<HeadFiles>> {
        self.ask(&Silent, |session, url| {
            let Some(commit) = self.commit(session, url.shown(), commit)? else { return Ok(None) };
            let manifest = manifest(session, url.shown(), &commit)?;
            Ok(Some(HeadFiles { manifest, snapshot: Some(commit.snapshot) }))
        })
    }

    fn searched(&self) -> String {
        match &self.url {
            Ok(url) => format!("is not in the database {url}"),
            Err(_) => format!("is not in the database of {}", self.options.origin.words()),
        }
    }

    fn record_of(&self, commit: &CommitId) -> Result<Option<CommitRecord>> {
        self.ask(&Silent, |session, url| {
            let Some(commit) = self.commit(session, url.shown(), commit)? else { return Ok(None) };
            let files = RecordedFiles::Manifest(manifest(session, url.shown(), &commit)?);
            Ok(Some(CommitRecord { parents: Some(commit.parents), files }))
        })
    }

    fn visit_commits(&self, progress: &dyn Progress, visit: &mut CommitVisitor<'_>) -> Result<()> {
        let visited = self.ask(progress, |session, url| {
            let mut told: HashSet<SnapshotId> = HashSet::new();
            self.each(session, url.shown(), progress, &mut |session, commit| {
                let manifest = if told.contains(&commit.snapshot) {
                    None
                } else {
                    Some(manifest(session, url.shown(), commit)?)
                };
                told.insert(commit.snapshot);
                let (parents, manifest, place) = (&commit.parents[..], manifest.as_ref(), url.shown());
                visit(VisitedCommit { id: commit.id, parents, manifest, place })
            })
        });
        match visited {
            Err(error) if self.is_none_of_ours(&error) => {
                if let Error::Database(error) = &error {
                    progress.warn(&format!("{}: no commits are looked for there", error.message()));
                }
                Ok(())
            }
            other => other,
        }
    }

    fn witness(&self, progress: &dyn Progress) -> Result<Option<[u8; 32]>> {
        let mut hasher = Hasher::new(Algorithm::Blake3);
        let read = self.ask(progress, |session, url| {
            self.each(session, url.shown(), progress, &mut |_, commit| {
                hasher.update(commit.id.as_bytes());
                hasher.update(commit.snapshot.as_bytes());
                hasher.update(&[u8::try_from(commit.parents.len()).unwrap_or(u8::MAX)]);
                commit.parents.iter().for_each(|parent| hasher.update(parent.as_bytes()));
                Ok(())
            })
        });
        match read {
            Err(error) if !self.is_none_of_ours(&error) => Err(error),
            _ => Ok(Some(*hasher.finish().id.as_bytes())),
        }
    }
}

/// Stands where a database could be named and none is, so that errors can say so.
#[derive(Debug, Clone, Copy)]
pub struct NoDatabase;

impl HeadSource for NoDatabase {
    fn files_of(&self, _commit: &CommitId) -> Result<Option<HeadFiles>> {
        Ok(None)
    }

    fn searched(&self) -> String {
        "no database was named that may have it (--database-url URL, or DATABASE_URL)".into()
    }
}

/// A commit's row, checked.
struct Commit {
    id: CommitId,
    parents: Vec<CommitId>,
    snapshot: SnapshotId,
}

impl Commit {
    fn of(row: &CommitRow, place: &str) -> Result<Self> {
        let commit = |text: &str, what: &str| {
            let bad = |error| {
                damaged(place, format!("has a commit whose {what} '{}' is no id: {error}", shown(text)))
            };
            CommitId::parse_bytes(text.as_bytes()).map_err(bad)
        };
        let id = commit(&row.commit, "commit_id")?;
        // An empty string is what some writers put for no parent.
        let parents = row.parents.iter().flatten().filter(|parent| !parent.is_empty());
        let parents = parents.map(|parent| commit(parent, "parent")).collect::<Result<_>>()?;
        let snapshot = row
            .snapshot
            .as_deref()
            .ok_or_else(|| damaged(place, format!("has commit {id} without a snapshot")))?;
        let snapshot = SnapshotId::parse_bytes(snapshot.as_bytes()).map_err(|error| {
            damaged(
                place,
                format!("has commit {id} with the snapshot '{}', which is no id: {error}", shown(snapshot)),
            )
        })?;
        Ok(Self { id, parents, snapshot })
    }
}

/// The files of a commit.
fn manifest(session: &mut dyn Session, place: &str, commit: &Commit) -> Result<Manifest> {
    let Commit { id, snapshot, .. } = commit;
    let mut found = session.manifest(snapshot).map_err(|failed| failed.about(place))?;
    let text = match (found.pop(), found.is_empty()) {
        (None, _) => {
            let message =
                format!("has commit {id}, but not its snapshot {snapshot}: what files it has is unknown");
            return Err(damaged(place, message));
        }
        (Some(_), false) => return Err(damaged(place, format!("has snapshot {snapshot} more than once"))),
        (Some(text), true) => text,
    };
    let bytes = match text {
        Text::Is(bytes) => bytes,
        Text::TooLong(bytes) => {
            let message = format!(
                "has snapshot {snapshot} with a manifest of {bytes} bytes; at most {MAX_MANIFEST} are read"
            );
            return Err(damaged(place, message));
        }
        Text::IsNot(what) => {
            return Err(damaged(
                place,
                format!("has snapshot {snapshot}, whose manifest is {what}, not JSON text"),
            ));
        }
    };
    let manifest = decode_head_manifest(&bytes).map_err(|error| {
        damaged(
            place,
            format!("has snapshot {snapshot} with a manifest that cannot be used: {}", error.message()),
        )
    })?;
    if Generation::ALL.into_iter().any(|generation| generation.snapshot_id(&manifest) == *snapshot) {
        Ok(manifest)
    } else {
        Err(damaged(
            place,
            format!("has snapshot {snapshot}, but its manifest has another id: it was changed"),
        ))
    }
}

fn damaged(place: &str, what: String) -> Error {
    Failed::Because(DatabaseErrorKind::Damaged, what).about(place)
}

/// A value of the database for messages.
fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", stem_fs::show_bytes(cut.as_bytes()))
}

fn open<'a>(url: &DatabaseUrl, patience: Patience<'a>) -> std::result::Result<Box<dyn Session + 'a>, Failed> {
    match url.target() {
        #[cfg(feature = "sqlite")]
        Target::Sqlite(path) => Ok(Box::new(crate::sqlite::open(path, patience)?)),
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => Ok(Box::new(crate::postgres::open(url, patience)?)),
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => {
            let _ = patience;
            Err(Failed::unavailable("cannot be read by this program"))
        }
    }
}
