//! SQLite: a file that another process may be writing.
//!
//! Opened as `mode=ro`: never made, never changed. `immutable=1` was rejected although it would need no lock: it ignores
//! the write-ahead log, and with it the newest commits. The file may come from anywhere, so its schema is not trusted
//! (`trusted_schema`), values have a limit, and a query is ended by the clock however the tables are defined.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, params};
use stem_stash::format::commit::{CommitId, SnapshotId};

use crate::session::{CommitRow, Failed, MAX_MANIFEST, PAGE, Patience, Session, Text, plain};

/// Steps of SQLite's machine between two looks at the clock: some ten microseconds.
const STEPS: i32 = 1000;
/// Ids have 64 digits; whatever is longer is none, and not kept whole.
const LONGEST: usize = 100;
const COLUMNS: &str = "commit_id, repo_id, parent_commit_id, parent2_commit_id, snapshot_id";

/// An open file.
pub(crate) struct SqliteSession<'a> {
    connection: Connection,
    deadline: Arc<Mutex<Instant>>,
    late: Arc<AtomicBool>,
    patience: Patience<'a>,
}

pub(crate) fn open<'a>(path: &Path, patience: Patience<'a>) -> Result<SqliteSession<'a>, Failed> {
    // Also because opening a FIFO would wait for whoever writes to it.
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(Failed::unavailable("is not a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failed::unavailable("does not exist: it is never made here"));
        }
        Err(error) => return Err(Failed::unavailable(format!("cannot be looked at: {error}"))),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| told(&error, patience))?;
    let deadline = Arc::new(Mutex::new(deadline_of(patience)));
    let late = Arc::new(AtomicBool::new(false));
    let mut session = SqliteSession { connection, deadline, late, patience };
    let prepared = session.prepare();
    prepared.map_err(|error| session.failed(&error))?;
    Ok(session)
}

/// When patience ends, counted from now; an absurd time counts as a year.
fn deadline_of(patience: Patience<'_>) -> Instant {
    let now = Instant::now();
    now.checked_add(patience.timeout).unwrap_or_else(|| now + Duration::from_hours(366 * 24))
}

impl SqliteSession<'_> {
    fn prepare(&mut self) -> rusqlite::Result<()> {
        let connection = &mut self.connection;
        connection.busy_timeout(self.patience.timeout)?;
        let longest = i32::try_from(MAX_MANIFEST + (1 << 20)).unwrap_or(i32::MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        let (deadline, late) = (Arc::clone(&self.deadline), Arc::clone(&self.late));
        connection.progress_handler(
            STEPS,
            Some(move || {
                let over = Instant::now() > *deadline.lock().unwrap_or_else(PoisonError::into_inner);
                late.fetch_or(over, Ordering::Relaxed);
                over
            }),
        )?;
        connection.execute_batch("BEGIN")
    }

    /// Gives the next question its time.
    fn begin(&self) -> Result<(), Failed> {
        if self.patience.progress.cancelled() {
            return Err(Failed::Interrupted);
        }
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline_of(self.patience);
        Ok(())
    }

    fn failed(&self, error: &rusqlite::Error) -> Failed {
        if self.late.load(Ordering::Relaxed) {
            return Failed::unavailable(format!("did not answer within {:?}", self.patience.timeout));
        }
        told(error, self.patience)
    }

    fn rows(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<CommitRow>, Failed> {
        self.begin()?;
        let read = || -> rusqlite::Result<Result<Vec<CommitRow>, Failed>> {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query(values)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                match commit_row(row)? {
                    Ok(row) => found.push(row),
                    Err(failed) => return Ok(Err(failed)),
                }
            }
            Ok(Ok(found))
        };
        read().map_err(|error| self.failed(&error))?
    }
}

impl Session for SqliteSession<'_> {
    fn commit(&mut self, id: &CommitId) -> Result<Vec<CommitRow>, Failed> {
        let sql = format!("SELECT {COLUMNS} FROM muse_commits WHERE commit_id = ?1 LIMIT 2");
        self.rows(&sql, params![id.to_string()])
    }

    fn page(&mut self, repo: &str, after: &str) -> Result<Vec<CommitRow>, Failed> {
        let sql = format!(
            "SELECT {COLUMNS} FROM muse_commits WHERE repo_id = ?1 AND commit_id > ?2 ORDER BY commit_id LIMIT {PAGE}"
        );
        self.rows(&sql, params![repo, after])
    }

    fn manifest(&mut self, id: &SnapshotId) -> Result<Vec<Text>, Failed> {
        self.begin()?;
        let read = || -> rusqlite::Result<Vec<Text>> {
            let sql = "SELECT manifest FROM muse_snapshots WHERE snapshot_id = ?1 LIMIT 2";
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query(params![id.to_string()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(match row.get_ref(0)? {
                    ValueRef::Text(text) if text.len() > MAX_MANIFEST => Text::TooLong(text.len() as u64),
                    ValueRef::Text(text) => Text::Is(text.to_vec()),
                    other => Text::IsNot(other.data_type().to_string()),
                });
            }
            Ok(found)
        };
        read().map_err(|error| match error {
            rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::TooBig => Failed::Because(
                stem_stash::DatabaseErrorKind::Damaged,
                format!("has snapshot {id} with a manifest of more than {MAX_MANIFEST} bytes, which are the most that are read"),
            ),
            error => self.failed(&error),
        })
    }
}

/// A row, if all of its values are text or NULL.
fn commit_row(row: &Row<'_>) -> rusqlite::Result<Result<CommitRow, Failed>> {
    let mut values: [Option<String>; 5] = Default::default();
    for (index, value) in values.iter_mut().enumerate() {
        *value = match row.get_ref(index)? {
            ValueRef::Null => None,
            ValueRef::Text(text) => {
                let text = text.get(..LONGEST).unwrap_or(text);
                Some(String::from_utf8_lossy(text).into_owned())
            }
            other => {
                let column = COLUMNS.split(", ").nth(index).unwrap_or_default();
                let message = format!("has a commit whose {column} is {}, not text", other.data_type());
                return Ok(Err(Failed::Because(stem_stash::DatabaseErrorKind::Damaged, message)));
            }
        };
    }
    let [commit, repo, parent, parent2, snapshot] = values;
    Ok(Ok(CommitRow { commit: commit.unwrap_or_default(), repo, parents: [parent, parent2], snapshot }))
}

/// SQLite's words, with what they mean here.
fn told(error: &rusqlite::Error, patience: Patience<'_>) -> Failed {
    let (code, words) = match error {
        rusqlite::Error::SqliteFailure(code, words) => (code, words.as_deref().unwrap_or_default()),
        rusqlite::Error::SqlInputError { error, msg, .. } => (error, msg.as_str()),
        other => return Failed::unavailable(format!("cannot be read: {}", plain(&other.to_string()))),
    };
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Failed::unavailable(format!(
            "is locked by another program, and was for {:?}: try again when that is done",
            patience.timeout
        )),
        ErrorCode::NotADatabase => Failed::not_muse("is not a database of SQLite"),
        ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            Failed::unavailable(format!(
                "cannot be opened ({}). A database with a write-ahead log needs a directory in which its -shm file can be \
             made, and one that a program left behind in the middle of writing has to be opened by that program first",
                plain(&error.to_string())
            ))
        }
        ErrorCode::DatabaseCorrupt => Failed::Because(
            stem_stash::DatabaseErrorKind::Damaged,
            format!("is damaged: {}", plain(&error.to_string())),
        ),
        ErrorCode::Unknown => missing(words),
        _ => Failed::unavailable(format!("cannot be read: {}", plain(&error.to_string()))),
    }
}

/// An error of a query that never changes: the tables are not Muse's.
fn missing(words: &str) -> Failed {
    if words.starts_with("no such table") || words.starts_with("no such column") {
        Failed::not_muse(format!("is not one of Muse, or of another version: {}", plain(words)))
    } else {
        Failed::unavailable(format!("cannot be read: {}", plain(words)))
    }
}
