//! HEAD and history from Muse's database on a real server. `tests/servers/postgres.sh` starts one and runs these; without
//! it they are ignored. What does not depend on the kind of database is in `database.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use stemvault::format::stamp::Stamp;
use stemvault::{DatabaseOrigin, GcOptions, Progress, PushOptions, SecretText, Silent};
use stemvault_tests::database::{commit, quote, repo_id, schema, set_ref, stem};
use stemvault_tests::repo::Repo;

const DAY: i64 = 86_400 * 1_000_000;
const HEAD: &[(&str, &[u8])] = &[("tracks/kick.wav", b"kick one"), ("é \u{1f3b9}.mid", b"notes")];

/// A database of its own for each test.
struct Server {
    name: &'static str,
    /// `muse:PASSWORD`
    login: String,
    password: String,
    port: String,
    files: String,
}

impl Server {
    fn database(name: &'static str) -> Self {
        let url = std::env::var("STEM_TEST_POSTGRES_URL").unwrap();
        let files = std::env::var("STEM_TEST_POSTGRES_FILES").unwrap();
        let (login, place) = url.strip_prefix("postgresql://").unwrap().split_once('@').unwrap();
        let password = login.split_once(':').unwrap().1.to_owned();
        let port = place.split(['/', ':']).nth(1).unwrap().to_owned();
        let server = Self { name, login: login.to_owned(), password, port, files };
        server.psql("postgres", &format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}"));
        server.run(&schema("TIMESTAMP WITH TIME ZONE"));
        server
    }

    /// With one commit, where the branch of the repository stands.
    fn with_head(name: &'static str, repo: &Repo) -> Self {
        let server = Self::database(name);
        let recorded = commit(repo, "first", None, HEAD);
        server.run(&recorded.sql);
        set_ref(repo, &recorded.commit);
        repo.write("tracks/kick.wav", "kick two");
        repo.write("new.wav", "new");
        server
    }

    fn client(&self, database: &str) -> Command {
        let mut psql = Command::new("psql");
        let url = format!("postgresql://{}@localhost:{}/{database}?sslmode=require", self.login, self.port);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d"]).arg(url).stdin(Stdio::piped());
        psql
    }

    fn psql(&self, database: &str, sql: &str) {
        let mut child = self.client(database).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{sql}");
    }

    fn run(&self, sql: &str) {
        self.psql(self.name, sql);
    }

    /// As Muse writes it, with these options.
    fn url(&self, options: &str) -> String {
        self.url_of("localhost", options)
    }

    fn url_of(&self, host: &str, options: &str) -> String {
        format!("postgresql+asyncpg://{}@{host}:{}/{}{options}", self.login, self.port, self.name)
    }

    fn ca(&self, name: &str) -> String {
        format!("{}/{name}.crt", self.files)
    }
}

fn named(repo: &mut Repo, url: &str) {
    repo.vault.use_database(&SecretText::from(url.to_owned()), DatabaseOrigin::Named).unwrap();
}

/// Pushes, pops, and says whether HEAD was there in between.
fn succeeds(repo: &mut Repo, url: &str) {
    named(repo, url);
    let before = repo.texts();
    let pushed = repo.push();
    assert!(pushed.head_restored && pushed.missing_head.is_empty());
    assert_eq!(repo.texts().values().collect::<Vec<_>>(), ["kick one", "notes"]);
    assert!(repo.pop("0").dropped);
    fs::remove_file(repo.path("é \u{1f3b9}.mid")).unwrap();
    assert_eq!(repo.texts(), before);
}

fn fails(repo: &mut Repo, server: &Server, url: &str, kind: &str, words: &str) {
    named(repo, url);
    let before = repo.state();
    let error = repo.vault.stash().push(&PushOptions::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.name(), kind, "{error}");
    assert!(!format!("{error}{error:?}").contains(&server.password), "{error:?}");
    assert!(repo.state() == before && repo.list().is_empty(), "the failed push changed something");
}

fn impatient(repo: &mut Repo, timeout: &str) {
    fs::create_dir_all(repo.muse().join("stem")).unwrap();
    fs::write(repo.muse().join("stem/config.toml"), format!("[database]\ntimeout = \"{timeout}\"\n"))
        .unwrap();
    repo.reopen();
}

#[test]
#[ignore = "needs a server: tests/servers/postgres.sh"]
fn head_comes_from_a_server_by_every_spelling_of_its_url() {
    let mut repo = Repo::new();
    let server = Server::with_head("spellings", &repo);
    server.run("DROP ROLE IF EXISTS tlsonly");
    server.run(&format!(
        "CREATE ROLE tlsonly LOGIN PASSWORD {}; GRANT SELECT ON muse_commits, muse_snapshots TO tlsonly",
        quote(&server.password)
    ));
    let ca = server.ca("ca");
    let (login, port, name) = (&server.login, &server.port, server.name);
    let url = server.url("");
    let tls_only = |options: &str| server.url_of("127.0.0.1", options).replace("//muse:", "//tlsonly:");
    for url in [
        url.replace("+asyncpg", ""),
        url.replace("+asyncpg", "+psycopg2"),
        url.replace("postgresql+asyncpg", "postgres"),
        server.url("?ssl=require"),
        server.url("?sslmode=disable"),
        server.url("?sslmode=prefer"),
        server.url(&format!("?sslmode=verify-full&sslrootcert={ca}")),
        server.url(&format!("?ssl=verify-ca&sslrootcert={ca}")),
        // The certificate names no address.
        server.url_of("127.0.0.1", &format!("?sslmode=verify-ca&sslrootcert={ca}")),
        server.url_of("127.0.0.1", &format!("?sslmode=require&sslrootcert={ca}")),
        server.url("?application_name=muse&options=-csearch_path%3Dpublic&connect_timeout=9"),
        format!("postgresql+asyncpg://{login}@/{name}?host={}&port={port}", server.files),
        format!("postgresql://{login}@{}:{port}/{name}", server.files.replace('/', "%2F")),
        tls_only(""),
        tls_only("?ssl=require"),
    ] {
        succeeds(&mut repo, &url);
        let (code, out, err) = stem(&repo, Some(&url), &["-v", "status"]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains("modified  tracks/kick.wav"), "{out}");
        assert!(!out.contains(&server.password));
    }
    fails(&mut repo, &server, &tls_only("?sslmode=disable"), "database_unavailable", "refuses: ");
    server.run("REVOKE ALL ON muse_commits, muse_snapshots FROM tlsonly; DROP ROLE tlsonly");
}

#[test]
#[ignore = "needs a server: tests/servers/postgres.sh"]
fn a_server_that_is_not_the_right_one_is_refused() {
    let mut repo = Repo::new();
    let server = Server::with_head("imposters", &repo);
    let (ca, other) = (server.ca("ca"), server.ca("other"));
    let kind = "database_unavailable";
    for mode in ["verify-full", "verify-ca", "require"] {
        let url = server.url(&format!("?sslmode={mode}&sslrootcert={other}"));
        fails(&mut repo, &server, &url, kind, "UnknownIssuer");
    }
    let url = server.url_of("127.0.0.1", &format!("?sslmode=verify-full&sslrootcert={ca}"));
    fails(&mut repo, &server, &url, kind, "not valid for");
    let url = server.url("?sslmode=verify-full&sslrootcert=/nowhere/ca.pem");
    fails(&mut repo, &server, &url, kind, "sslrootcert '/nowhere/ca.pem'");
    let url = server.url(&format!("?sslmode=verify-full&sslrootcert={}/password", server.files));
    fails(&mut repo, &server, &url, kind, "sslrootcert");
    // The authorities of the system do not know ours.
    named(&mut repo, &server.url("?sslrootcert=system"));
    assert!(repo.vault.stash().push(&PushOptions::default(), &Silent).is_err());
}

#[test]
#[ignore = "needs a server: tests/servers/postgres.sh"]
fn refusals_are_told_without_the_password() {
    let mut repo = Repo::new();
    let server = Server::with_head("refusals", &repo);
    let kind = "database_unavailable";
    let wrong = server.url("").replace(&server.password, "hunter2");
    fails(&mut repo, &server, &wrong, kind, "password authentication failed");
    let (code, out, err) = stem(&repo, Some(&wrong), &["--json", "-v", "stash"]);
    assert!(code == 3 && out.contains("database_unavailable"), "{out}{err}");
    assert!(!format!("{out}{err}").contains("hunter2"), "{out}{err}");
    let none = server.url("").replace(&format!(":{}@", server.password), "@");
    fails(&mut repo, &server, &none, kind, "password");
    let missing = server.url("").replace("/refusals", "/nowhere");
    fails(&mut repo, &server, &missing, kind, "does not exist");
    let down = server.url("").replace(&format!(":{}/", server.port), ":1/");
    fails(&mut repo, &server, &down, kind, "cannot be reached");
    fails(&mut repo, &server, &server.url("?host=/nowhere"), kind, "cannot be reached");
    server.run("DROP ROLE IF EXISTS nobody_here");
    server.run(&format!("CREATE ROLE nobody_here LOGIN PASSWORD {}", quote(&server.password)));
    let powerless = server.url("").replace("//muse:", "//nobody_here:");
    fails(&mut repo, &server, &powerless, kind, "permission denied for table muse_commits");
    server.run("DROP ROLE nobody_here");
}

#[test]
#[ignore = "needs a server: tests/servers/postgres.sh"]
fn rows_that_cannot_be_used_are_told() {
    for (sql, kind, words) in [
        ("DROP TABLE muse_commits", "not_a_muse_database", "\"muse_commits\" does not exist"),
        ("DROP TABLE muse_snapshots CASCADE", "not_a_muse_database", "\"muse_snapshots\" does not exist"),
        (
            "ALTER TABLE muse_commits DROP parent2_commit_id",
            "not_a_muse_database",
            "\"parent2_commit_id\" does not exist",
        ),
        ("ALTER TABLE muse_snapshots DROP manifest", "not_a_muse_database", "\"manifest\" does not exist"),
        ("DELETE FROM muse_commits", "head_unknown", "is not in the database postgresql://localhost:"),
        ("UPDATE muse_commits SET repo_id = 'other'", "foreign_commit", "belongs to repository other"),
        ("UPDATE muse_snapshots SET manifest = 'null'", "damaged_database", "cannot be used"),
        ("UPDATE muse_snapshots SET manifest = '{\"../x\": \"y\"}'", "damaged_database", ".."),
        ("UPDATE muse_snapshots SET manifest = '{}'", "damaged_database", "another id"),
        (
            "ALTER TABLE muse_snapshots ALTER manifest DROP NOT NULL; UPDATE muse_snapshots SET manifest = NULL",
            "damaged_database",
            "manifest is NULL",
        ),
        (
            "ALTER TABLE muse_snapshots ALTER manifest TYPE integer USING 7",
            "damaged_database",
            "cannot be used",
        ),
        (
            "ALTER TABLE muse_commits DROP CONSTRAINT muse_commits_snapshot_id_fkey; DELETE FROM muse_snapshots",
            "damaged_database",
            "but not its snapshot",
        ),
        // A query that writes is refused: the transaction only reads.
        (
            "ALTER TABLE muse_commits RENAME TO c; CREATE FUNCTION written() RETURNS SETOF c LANGUAGE sql AS 'INSERT INTO c SELECT * FROM c WHERE false RETURNING *'; CREATE VIEW muse_commits AS SELECT * FROM written()",
            "database_unavailable",
            "read-only transaction",
        ),
    ] {
        let mut repo = Repo::new();
        let server = Server::with_head("damage", &repo);
        server.run(sql);
        fails(&mut repo, &server, &server.url(""), kind, words);
    }
    // Types that other migrations may have chosen are read all the same.
    let mut repo = Repo::new();
    let server = Server::with_head("types", &repo);
    server.run(
        "ALTER TABLE muse_snapshots ALTER manifest TYPE jsonb; ALTER TABLE muse_commits ALTER repo_id TYPE uuid USING repo_id::uuid, ALTER message TYPE varchar(9), ALTER commit_id TYPE char(64)",
    );
    succeeds(&mut repo, &server.url(""));
}

/// Holds the table until it is dropped.
struct Lock(Child);

impl Lock {
    fn take(server: &Server) -> Self {
        let mut child = server.client(server.name).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"BEGIN; LOCK TABLE muse_commits IN ACCESS EXCLUSIVE MODE;\n\\echo locked\nSELECT pg_sleep(3600);\n").unwrap();
        drop(stdin);
        let mut said = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut said)
            .unwrap();
        assert_eq!(said, "locked\n");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs a server: tests/servers/postgres.sh"]
fn a_question_that_takes_too_long_is_given_up() {
    let mut repo = Repo::new();
    let server = Server::with_head("patience", &repo);
    impatient(&mut repo, "1s");
    let lock = Lock::take(&server);
    fails(&mut repo, &server, &server.url(""), "database_unavailable", "did not answer within 1s");
    drop(lock);
}

#[test]
#[ignore = "needs a server: tests/servers/postgres.sh"]
fn whoever_waits_for_an_answer_can_stop() {
    struct Later(AtomicBool);
    impl Progress for Later {
        fn cancelled(&self) -> bool {
            // The first time is while it connects.
            self.0.swap(true, Ordering::SeqCst)
        }
    }
    let mut repo = Repo::new();
    let server = Server::with_head("stopping", &repo);
    impatient(&mut repo, "1h");
    let _lock = Lock::take(&server);
    named(&mut repo, &server.url(""));
    let options = GcOptions { dry_run: true, ..GcOptions::default() };
    let error = repo.vault.gc(&options, &Later(AtomicBool::new(false))).unwrap_err();
    assert_eq!(error.name(), "interrupted", "{error}");
}

#[test]
#[ignore = "needs a server: tests/servers/postgres.sh"]
fn every_commit_on_the_server_is_a_root() {
    let mut repo = Repo::new();
    let server = Server::with_head("roots", &repo);
    let mut sql = String::new();
    let mut parent: Option<String> = None;
    for n in 0..1234_u32 {
        let recorded =
            commit(&repo, &n.to_string(), parent.as_deref(), &[("a", &[u8::try_from(n % 7).unwrap()])]);
        sql.push_str(&recorded.sql);
        parent = Some(recorded.commit);
    }
    let foreign = commit(&repo, "another's", None, &[("a", b"of another repository")]);
    sql.push_str(&foreign.sql.replace(&repo_id(&repo), "other"));
    server.run(&sql);
    let garbage = repo.plant_object(b"nobody needs this");
    named(&mut repo, &server.url(""));
    let now = Stamp::now().unwrap().as_micros();
    let on = |day: i64| GcOptions {
        now: Some(Stamp::from_micros(now + day * DAY).unwrap()),
        ..GcOptions::default()
    };
    let result = repo.vault.gc(&on(0), &Silent).unwrap();
    assert_eq!((result.roots["commit"], result.objects), (8, 11));
    let result = repo.vault.gc(&on(15), &Silent).unwrap();
    let mut gone: Vec<_> = result.removed.iter().map(|object| object.id.to_string()).collect();
    gone.sort();
    let mut expected = vec![garbage, stemvault_tests::golden::hex(b"of another repository")];
    expected.sort();
    assert_eq!(gone, expected);
    server.run("UPDATE muse_snapshots SET manifest = '{}'");
    let error = repo.vault.gc(&on(30), &Silent).unwrap_err();
    assert_eq!(error.name(), "root_unreadable", "{error}");
}
