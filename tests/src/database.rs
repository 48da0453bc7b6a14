//! Muse's database, made as SQLAlchemy makes it: the schema is what it prints for Muse's models, and rows look as it
//! writes them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::golden::hex;
use crate::repo::Repo;

/// The tables; the word for a point in time is the dialect's.
pub fn schema(time: &str) -> String {
    format!(
        "CREATE TABLE muse_objects (
	object_id VARCHAR(64) NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	created_at {time} NOT NULL, 
	PRIMARY KEY (object_id)
);
CREATE TABLE muse_snapshots (
	snapshot_id VARCHAR(64) NOT NULL, 
	manifest JSON NOT NULL, 
	created_at {time} NOT NULL, 
	PRIMARY KEY (snapshot_id)
);
CREATE TABLE muse_commits (
	commit_id VARCHAR(64) NOT NULL, 
	repo_id VARCHAR(36) NOT NULL, 
	branch VARCHAR(255) NOT NULL, 
	parent_commit_id VARCHAR(64), 
	parent2_commit_id VARCHAR(64), 
	snapshot_id VARCHAR(64) NOT NULL, 
	message TEXT NOT NULL, 
	author VARCHAR(255) NOT NULL, 
	committed_at {time} NOT NULL, 
	created_at {time} NOT NULL, 
	metadata JSON, 
	PRIMARY KEY (commit_id), 
	FOREIGN KEY(snapshot_id) REFERENCES muse_snapshots (snapshot_id) ON DELETE RESTRICT
);
CREATE INDEX ix_muse_commits_parent_commit_id ON muse_commits (parent_commit_id);
CREATE INDEX ix_muse_commits_parent2_commit_id ON muse_commits (parent2_commit_id);
CREATE INDEX ix_muse_commits_repo_id ON muse_commits (repo_id);
"
    )
}

/// A text as SQL.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A commit as rows, and its id.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The statements that make the rows.
    pub sql: String,
    /// The commit.
    pub commit: String,
    /// Its snapshot.
    pub snapshot: String,
}

/// A commit of these files, whose objects are put into the repository's store.
pub fn commit(repo: &Repo, message: &str, parent: Option<&str>, files: &[(&str, &[u8])]) -> Recorded {
    let mut manifest = Map::new();
    let mut rows = Vec::new();
    for (path, bytes) in files {
        let id = repo.plant_object(bytes);
        rows.push(format!("{path}:{id}"));
        manifest.insert((*path).to_owned(), Value::from(id));
    }
    rows.sort();
    let snapshot = hex(rows.join("|").as_bytes());
    let commit = hex(format!("{}|{snapshot}|{message}", parent.unwrap_or_default()).as_bytes());
    let mut sql = String::new();
    let time = quote("2026-11-22 17:49:26.860351");
    let parent = parent.map_or("NULL".to_owned(), quote);
    writeln!(
        sql,
        "INSERT INTO muse_snapshots VALUES ({}, {}, {time}) ON CONFLICT DO NOTHING;",
        quote(&snapshot),
        quote(&json!(manifest).to_string())
    )
    .unwrap();
    writeln!(
        sql,
        "INSERT INTO muse_commits VALUES ({}, {}, 'main', {parent}, NULL, {}, {}, '', {time}, {time}, NULL);",
        quote(&commit),
        quote(&repo_id(repo)),
        quote(&snapshot),
        quote(message),
    )
    .unwrap();
    Recorded { sql, commit, snapshot }
}

/// The repository's id.
pub fn repo_id(repo: &Repo) -> String {
    let json: Value = serde_json::from_slice(&fs::read(repo.muse().join("repo.json")).unwrap()).unwrap();
    json["repo_id"].as_str().unwrap().to_owned()
}

/// Makes the branch `main` stand at a commit, as Muse does.
pub fn set_ref(repo: &Repo, commit: &str) {
    fs::create_dir_all(repo.muse().join("refs/heads")).unwrap();
    fs::write(repo.muse().join("refs/heads/main"), commit).unwrap();
}

/// Muse's database in a file outside of the repository.
#[derive(Debug)]
pub struct MuseFile {
    dir: tempfile::TempDir,
    /// Open for writing.
    pub connection: Connection,
}

impl MuseFile {
    /// With empty tables.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("muse.db")).unwrap();
        connection.execute_batch(&schema("DATETIME")).unwrap();
        Self { dir, connection }
    }

    /// With one commit, where the branch of the repository stands.
    pub fn with_head(repo: &Repo, files: &[(&str, &[u8])]) -> Self {
        let made = Self::new();
        let recorded = commit(repo, "first", None, files);
        made.run(&recorded.sql);
        set_ref(repo, &recorded.commit);
        made
    }

    /// Runs statements.
    pub fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("muse.db")
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("sqlite+aiosqlite:///{}", self.path().display())
    }
}

impl Default for MuseFile {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs `stem` in the repository with nothing of the environment that it looks at; returns exit code, answer and what
/// it said beside.
pub fn stem(repo: &Repo, environment: Option<&str>, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(crate::binary::stem());
    command.args(args).current_dir(repo.root()).env_remove("MUSE_REPO_ROOT").env_remove("DATABASE_URL");
    if let Some(url) = environment {
        command.env("DATABASE_URL", url);
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
