//! Postgres: one connection, on a thread of its own.
//!
//! The client is `tokio-postgres` on a runtime of one thread, rather than its wrapper `postgres`: that one bounds the
//! time of a TCP connect alone, so a server that accepts and says nothing would be waited for without end, and it panics
//! in a program that is itself inside of a runtime. Here a thread does the waiting, each step has its time, and whoever
//! asked can stop waiting at once.
//!
//! A session is one transaction, `READ ONLY` and `REPEATABLE READ`; limits are set in it rather than as options of the
//! connection, which poolers refuse, and statements are not named, for a pooler may give the next one to another server.

mod tls;

use std::error::Error as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use stem_stash::DatabaseErrorKind;
use stem_stash::format::commit::{CommitId, SnapshotId};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, Connection, NoTls, Row};

use crate::session::{CommitRow, Failed, MAX_MANIFEST, PAGE, Patience, Session, Text, plain};
use crate::url::postgres::{Host, PostgresUrl, TlsMode};

/// How often a caller looks whether the answer is still wanted.
const TICK: Duration = Duration::from_millis(50);
/// How much longer than the server we wait for it to give up, so that it is the one to say why.
const LENIENCE: Duration = Duration::from_secs(1);
/// What is fetched of a commit. Ids have 64 digits; whatever is longer is none, and not fetched whole.
const COLUMNS: &str = "left(commit_id::text, 100), left(repo_id::text, 100), left(parent_commit_id::text, 100), \
                       left(parent2_commit_id::text, 100), left(snapshot_id::text, 100)";

enum Question {
    Commit(String),
    Page { repo: String, after: String },
    Manifest(String),
}

enum Answer {
    Connected,
    Commits(Vec<CommitRow>),
    Manifests(Vec<Text>),
}

/// An open connection.
pub(crate) struct PostgresSession<'a> {
    questions: Option<Sender<Question>>,
    answers: Receiver<Result<Answer, Failed>>,
    thread: Option<JoinHandle<()>>,
    patience: Patience<'a>,
}

pub(crate) fn open<'a>(url: &PostgresUrl, patience: Patience<'a>) -> Result<PostgresSession<'a>, Failed> {
    let (questions, asked) = channel();
    let (answering, answers) = channel();
    let (url, time) = (url.clone(), patience.timeout);
    let thread = std::thread::Builder::new()
        .name("stem-database".into())
        .spawn(move || serve(&url, time, &asked, &answering))
        .map_err(|error| {
            Failed::unavailable(format!("cannot be asked, for no thread can be made: {error}"))
        })?;
    let mut session = PostgresSession { questions: Some(questions), answers, thread: Some(thread), patience };
    session.wait()?;
    Ok(session)
}

impl PostgresSession<'_> {
    fn ask(&mut self, question: Question) -> Result<Answer, Failed> {
        if let Some(questions) = &self.questions {
            // Where the other side is gone, waiting says so.
            let _ = questions.send(question);
        }
        self.wait()
    }

    fn wait(&mut self) -> Result<Answer, Failed> {
        loop {
            match self.answers.recv_timeout(TICK) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if self.patience.progress.cancelled() => {
                    // It ends by itself, within its time, and nobody waits for it.
                    self.thread = None;
                    return Err(Failed::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failed::unavailable("cannot be asked: the connection ended without a word"));
                }
            }
        }
    }
}

impl Drop for PostgresSession<'_> {
    fn drop(&mut self) {
        self.questions = None;
        // It only has to say goodbye, for which it has LENIENCE.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Session for PostgresSession<'_> {
    fn commit(&mut self, id: &CommitId) -> Result<Vec<CommitRow>, Failed> {
        commits(self.ask(Question::Commit(id.to_string()))?)
    }

    fn page(&mut self, repo: &str, after: &str) -> Result<Vec<CommitRow>, Failed> {
        commits(self.ask(Question::Page { repo: repo.to_owned(), after: after.to_owned() })?)
    }

    fn manifest(&mut self, id: &SnapshotId) -> Result<Vec<Text>, Failed> {
        match self.ask(Question::Manifest(id.to_string()))? {
            Answer::Manifests(found) => Ok(found),
            _ => Err(out_of_step()),
        }
    }
}

fn commits(answer: Answer) -> Result<Vec<CommitRow>, Failed> {
    match answer {
        Answer::Commits(rows) => Ok(rows),
        _ => Err(out_of_step()),
    }
}

fn out_of_step() -> Failed {
    Failed::unavailable("answered another question")
}

/// The thread: connects, answers until nobody asks any more, says goodbye.
fn serve(
    url: &PostgresUrl,
    time: Duration,
    questions: &Receiver<Question>,
    answers: &Sender<Result<Answer, Failed>>,
) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = answers.send(Err(Failed::unavailable(format!("cannot be asked: {error}"))));
            return;
        }
    };
    answer_all(&runtime, url, time, questions, answers);
    // Looking up a host name cannot be stopped; nobody waits for that either.
    runtime.shutdown_background();
}

fn answer_all(
    runtime: &Runtime,
    url: &PostgresUrl,
    time: Duration,
    questions: &Receiver<Question>,
    answers: &Sender<Result<Answer, Failed>>,
) {
    let connected = runtime.block_on(connect(url, time));
    let client = match connected {
        Ok(client) => client,
        Err(failed) => {
            let _ = answers.send(Err(failed));
            return;
        }
    };
    let mut heard = answers.send(Ok(Answer::Connected)).is_ok();
    while heard && let Ok(question) = questions.recv() {
        heard = answers.send(runtime.block_on(answer(&client, &question, time))).is_ok();
    }
    runtime.block_on(async {
        let _ = timeout(LENIENCE, client.batch_execute("COMMIT")).await;
        drop(client);
        // The task of the connection sends what is left to be sent.
        let _ = timeout(Duration::from_millis(10), std::future::pending::<()>()).await;
    });
}

/// Connects and begins the transaction.
async fn connect(url: &PostgresUrl, time: Duration) -> Result<Client, Failed> {
    let time = url.connect_timeout.map_or(time, |asked| asked.min(time));
    let late = || Failed::unavailable(format!("did not answer within {time:?}"));
    let mut config = Config::new();
    config
        .port(url.port)
        .connect_timeout(time)
        .application_name(url.application.as_deref().unwrap_or("stem"));
    if let Some(user) = &url.user {
        config.user(user.as_str());
    }
    if let Some(password) = &url.password {
        config.password(password.reveal());
    }
    if let Some(database) = &url.database {
        config.dbname(database.as_str());
    }
    if let Some(options) = &url.options {
        config.options(options.as_str());
    }
    let encrypted = match &url.host {
        Host::Tcp(name) => {
            config.host(name.as_str());
            url.tls != TlsMode::Disable
        }
        Host::Socket(dir) => {
            #[cfg(unix)]
            config.host_path(dir);
            #[cfg(not(unix))]
            return Err(Failed::unavailable(format!(
                "is named by a socket, {}, which this system has not",
                dir.display()
            )));
            // As libpq: nobody listens in on a socket of the same machine.
            #[cfg(unix)]
            false
        }
    };
    config.ssl_mode(match url.tls {
        _ if !encrypted => SslMode::Disable,
        TlsMode::Prefer => SslMode::Prefer,
        _ => SslMode::Require,
    });
    let work = async {
        let client = if encrypted {
            let tls = tls::connector(url.tls, &url.roots)?;
            let (client, connection) = config.connect(tls).await.map_err(|error| refused(&error))?;
            keep(connection);
            client
        } else {
            let (client, connection) = config.connect(NoTls).await.map_err(|error| refused(&error))?;
            keep(connection);
            client
        };
        let begin = format!(
            "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = {}",
            time.as_millis().clamp(1, 2_000_000_000)
        );
        client.batch_execute(&begin).await.map_err(|error| failed(&error, time))?;
        Ok(client)
    };
    timeout(time, work).await.unwrap_or_else(|_| Err(late()))
}

/// Moves what is sent and received, as long as there is a client.
fn keep<S, T>(connection: Connection<S, T>)
where
    Connection<S, T>: Future + Send + 'static,
    <Connection<S, T> as Future>::Output: Send,
{
    drop(tokio::spawn(connection));
}

async fn answer(client: &Client, question: &Question, time: Duration) -> Result<Answer, Failed> {
    let work = async {
        match question {
            Question::Commit(id) => {
                let sql = format!("SELECT {COLUMNS} FROM muse_commits WHERE commit_id::text = $1 LIMIT 2");
                let rows = client.query_typed(&sql, &[(id, Type::TEXT)]).await?;
                Ok(Answer::Commits(rows.iter().map(commit_row).collect::<Result<_, _>>()?))
            }
            Question::Page { repo, after } => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM muse_commits WHERE repo_id::text = $1 AND commit_id::text > $2 \
                     ORDER BY commit_id::text LIMIT {PAGE}"
                );
                let rows = client.query_typed(&sql, &[(repo, Type::TEXT), (after, Type::TEXT)]).await?;
                Ok(Answer::Commits(rows.iter().map(commit_row).collect::<Result<_, _>>()?))
            }
            Question::Manifest(id) => {
                let sql = format!(
                    "SELECT CASE WHEN octet_length(manifest::text) <= {MAX_MANIFEST} THEN manifest::text END, \
                     octet_length(manifest::text)::bigint FROM muse_snapshots WHERE snapshot_id::text = $1 LIMIT 2"
                );
                let rows = client.query_typed(&sql, &[(id, Type::TEXT)]).await?;
                Ok(Answer::Manifests(rows.iter().map(text).collect::<Result<_, _>>()?))
            }
        }
    };
    match timeout(time.saturating_add(LENIENCE), work).await {
        Ok(answered) => answered.map_err(|error| failed(&error, time)),
        Err(_) => Err(late(time)),
    }
}

fn commit_row(row: &Row) -> Result<CommitRow, tokio_postgres::Error> {
    let get = |index: usize| row.try_get::<_, Option<String>>(index);
    let (commit, repo, snapshot) = (get(0)?.unwrap_or_default(), get(1)?, get(4)?);
    Ok(CommitRow { commit, repo, parents: [get(2)?, get(3)?], snapshot })
}

fn text(row: &Row) -> Result<Text, tokio_postgres::Error> {
    let (text, bytes): (Option<String>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(match (text, bytes) {
        (Some(text), _) => Text::Is(text.into_bytes()),
        (None, Some(bytes)) => Text::TooLong(u64::try_from(bytes).unwrap_or(u64::MAX)),
        (None, None) => Text::IsNot("NULL".into()),
    })
}

fn late(time: Duration) -> Failed {
    Failed::unavailable(format!("did not answer within {time:?}"))
}

/// Why there is no connection.
fn refused(error: &tokio_postgres::Error) -> Failed {
    match error.as_db_error() {
        Some(said) => Failed::unavailable(format!("refuses: {}", plain(said.message()))),
        None => Failed::unavailable(format!("cannot be reached: {}", words(error))),
    }
}

/// Why there is no answer.
fn failed(error: &tokio_postgres::Error, time: Duration) -> Failed {
    let Some(said) = error.as_db_error() else {
        return Failed::unavailable(format!("did not answer: {}", words(error)));
    };
    let message = plain(said.message());
    let code = said.code();
    if [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::INVALID_SCHEMA_NAME].contains(code) {
        return Failed::not_muse(format!("is not one of Muse, or of another version: {message}"));
    }
    if *code == SqlState::QUERY_CANCELED {
        return late(time);
    }
    if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
        return Failed::Because(DatabaseErrorKind::Damaged, format!("is damaged: {message}"));
    }
    Failed::unavailable(format!("refuses: {message}"))
}

/// An error and what is behind it, each thing said once.
fn words(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    plain(&text)
}
