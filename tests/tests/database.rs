//! HEAD and history from Muse's database in a file of SQLite. (`postgres.rs` has what differs on a server.)

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use stemvault::format::stamp::Stamp;
use stemvault::{
    DatabaseOrigin, GcOptions, Phase, Progress, PushOptions, SecretText, Silent, SnapshotOptions, Vault,
};
use stemvault_tests::database::{MuseFile, commit, quote, repo_id, set_ref, stem};
use stemvault_tests::repo::{Repo, head_manifest};

const DAY: i64 = 86_400 * 1_000_000;

/// What HEAD has in these tests.
const HEAD: &[(&str, &[u8])] = &[("tracks/kick.wav", b"kick one"), ("é \u{1f3b9}.mid", b"notes")];

fn named(repo: &mut Repo, url: &str) {
    repo.vault.use_database(&SecretText::from(url.to_owned()), DatabaseOrigin::Named).unwrap();
}

fn edit(repo: &Repo) {
    repo.write("tracks/kick.wav", "kick two");
    repo.write("new.wav", "new");
}

fn configure(repo: &Repo, text: &str) {
    fs::create_dir_all(repo.muse().join("stem")).unwrap();
    fs::write(repo.muse().join("stem/config.toml"), text).unwrap();
}

/// A push that must fail with this kind of error and these words, changing nothing.
fn push_fails(repo: &mut Repo, file: &MuseFile, kind: &str, words: &str) {
    named(repo, &file.url());
    fails(repo, kind, words);
}

fn fails(repo: &Repo, kind: &str, words: &str) {
    let before = repo.state();
    let error = repo.vault.stash().push(&PushOptions::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.to_string().contains("Nothing was changed"), "{error}");
    assert_eq!(error.name(), kind, "{error}");
    assert!(repo.state() == before, "the failed push changed something");
    assert!(repo.list().is_empty());
}

#[test]
fn a_push_brings_back_the_files_of_the_commit_in_the_database() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    named(&mut repo, &file.url());
    let pushed = repo.push();
    assert!(pushed.head_restored && pushed.missing_head.is_empty());
    assert_eq!(repo.texts().values().collect::<Vec<_>>(), ["kick one", "notes"]);
    assert!(repo.pop("0").dropped);
    assert_eq!(repo.texts()["tracks/kick.wav"], "kick two");
    repo.assert_sound();
}

#[test]
fn option_environment_and_configuration_each_name_the_database() {
    for how in 0..5 {
        let repo = Repo::new();
        let file = MuseFile::with_head(&repo, HEAD);
        edit(&repo);
        let url = file.url();
        let (code, out, err) = match how {
            0 => stem(&repo, None, &["stash", "push", "--database-url", &url]),
            1 => stem(&repo, None, &["stash", "--database-url", &url]),
            2 => stem(&repo, Some(&url), &["stash"]),
            // The option goes before the environment, and that before the configuration.
            3 => stem(&repo, Some("sqlite:////nowhere"), &["stash", "push", "--database-url", &url]),
            _ => {
                // Relative to the repository's root.
                fs::copy(file.path(), repo.root().join("muse.db")).unwrap();
                configure(&repo, "[database]\nurl = \"sqlite:///muse.db\"\n");
                stem(&repo, None, &["-C", "muse-work", "stash"])
            }
        };
        assert_eq!((code, err.as_str()), (0, ""), "{how}: {out}");
        assert_eq!(repo.texts().len(), 2, "{how}");
    }
    let repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    configure(&repo, "[database]\nurl = \"sqlite:////nowhere\"\n");
    edit(&repo);
    assert_eq!(stem(&repo, Some(&file.url()), &["stash"]).0, 0);
}

#[test]
fn a_manifest_and_the_commit_files_go_before_the_database() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    named(&mut repo, &file.url());
    let given = PushOptions { head: head_manifest("{}"), ..PushOptions::default() };
    repo.push_with(&given);
    assert!(repo.texts().is_empty());
    repo.pop("0");

    // Nobody looks at the database where the commit is in a file, not even at its URL.
    let repo = Repo::new();
    repo.write("a.wav", "recorded");
    repo.snapshot();
    for url in [
        "sqlite:////nowhere/muse.db",
        "mysql://u:hunter2@h/db",
        "no url at all",
        "postgresql://127.0.0.1:1/x",
    ] {
        repo.write("a.wav", "edited");
        let commands: [&[&str]; 10] = [
            &["status"],
            &["stash"],
            &["stash", "list"],
            &["stash", "show"],
            &["stash", "apply"],
            &["stash", "pop"],
            &["snapshot"],
            &["pack"],
            &["object", "list"],
            &["stash", "clear", "-y"],
        ];
        for command in commands {
            let (code, out, err) = stem(&repo, Some(url), command);
            assert_eq!(code, 0, "{url} {command:?}: {out}{err}");
            assert!(!format!("{out}{err}").contains("database"), "{url} {command:?}: {out}{err}");
        }
    }
}

#[test]
fn without_a_database_the_error_says_how_to_name_one() {
    let repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    fails(&repo, "head_unknown", "--database-url URL, or DATABASE_URL");
    let (code, _, err) = stem(&repo, None, &["gc"]);
    assert_eq!(code, 1);
    assert!(err.contains("--database-url URL, or DATABASE_URL"), "{err}");
    let (code, _, err) = stem(&repo, None, &["status"]);
    assert_eq!(code, 0);
    assert!(err.contains("--database-url URL"), "{err}");
    drop(file);
}

#[test]
fn a_database_without_the_commit_leaves_head_unknown() {
    let mut repo = Repo::new();
    let file = MuseFile::new();
    set_ref(&repo, &"ab".repeat(32));
    edit(&repo);
    push_fails(&mut repo, &file, "head_unknown", "is not in the database sqlite:////");
}

#[test]
fn what_is_not_muses_is_told() {
    for (sql, words) in [
        ("DROP TABLE muse_commits", "no such table: muse_commits"),
        ("PRAGMA foreign_keys=OFF; DROP TABLE muse_snapshots", "no such table: muse_snapshots"),
        (
            "DROP INDEX ix_muse_commits_parent2_commit_id; ALTER TABLE muse_commits DROP COLUMN parent2_commit_id",
            "no such column: parent2_commit_id",
        ),
        ("ALTER TABLE muse_snapshots DROP COLUMN manifest", "no such column: manifest"),
    ] {
        let mut repo = Repo::new();
        let file = MuseFile::with_head(&repo, HEAD);
        file.run(sql);
        edit(&repo);
        push_fails(&mut repo, &file, "not_a_muse_database", words);
    }
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    fs::write(
        file.path(),
        "this is no database, and long enough to be looked at as if it were one".repeat(20),
    )
    .unwrap();
    push_fails(&mut repo, &file, "not_a_muse_database", "is not a database of SQLite");
}

#[test]
fn what_cannot_be_opened_is_told_and_never_made() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    let missing = file.dir().join("missing.db");
    named(&mut repo, &format!("sqlite:///{}", missing.display()));
    fails(&repo, "database_unavailable", "does not exist");
    assert!(!missing.exists());
    named(&mut repo, &format!("sqlite:///{}", file.dir().display()));
    fails(&repo, "database_unavailable", "is not a file");
    let fifo = file.dir().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    named(&mut repo, &format!("sqlite:///{}", fifo.display()));
    fails(&repo, "database_unavailable", "is not a file");
    let (code, _, err) =
        stem(&repo, None, &["stash", "push", "--database-url", &format!("sqlite:///{}", missing.display())]);
    assert_eq!(code, 3, "{err}");
}

#[test]
fn damaged_rows_are_told() {
    let wrong = "0".repeat(64);
    let manifest = |json: &str| format!("UPDATE muse_snapshots SET manifest = {}", quote(json));
    let kick = stemvault_tests::golden::hex(b"kick one");
    for (sql, words) in [
        ("PRAGMA foreign_keys=OFF; DELETE FROM muse_snapshots".to_owned(), "but not its snapshot"),
        (manifest("{"), "cannot be used"),
        (manifest("null"), "cannot be used"),
        (manifest("[]"), "cannot be used"),
        (manifest(&format!("{{\"a\": \"{kick}\", \"a\": \"{kick}\"}}")), "twice"),
        (manifest(&format!("{{\"../a\": \"{kick}\"}}")), ".."),
        (manifest(&format!("{{\".muse/HEAD\": \"{kick}\"}}")), ".muse"),
        (manifest(&format!("{{\"/etc/passwd\": \"{kick}\"}}")), "absolute"),
        (manifest("{\"a\": \"b\"}"), "object id"),
        (manifest(&format!("{{\"a\": \"{kick}\"}}")), "another id"),
        (manifest("{}"), "another id"),
        ("UPDATE muse_snapshots SET manifest = 7".to_owned(), "whose manifest is Integer"),
        ("UPDATE muse_snapshots SET manifest = x'7b7d'".to_owned(), "whose manifest is Blob"),
        ("UPDATE muse_commits SET parent_commit_id = 'x'".to_owned(), "parent 'x' is no id"),
        ("PRAGMA foreign_keys=OFF; UPDATE muse_commits SET snapshot_id = char(27) || '[31m'".to_owned(), "is no id"),
        ("PRAGMA foreign_keys=OFF; UPDATE muse_commits SET snapshot_id = x'00'".to_owned(), "snapshot_id is Blob"),
        (
            format!("PRAGMA foreign_keys=OFF; UPDATE muse_commits SET snapshot_id = {}", quote(&wrong)),
            "but not its snapshot",
        ),
        // What the schema forbids, a view can show.
        (
            "ALTER TABLE muse_snapshots RENAME TO s; CREATE VIEW muse_snapshots AS SELECT snapshot_id, NULL AS manifest FROM s"
                .to_owned(),
            "whose manifest is Null",
        ),
        (
            "ALTER TABLE muse_snapshots RENAME TO s; CREATE VIEW muse_snapshots AS SELECT * FROM s UNION ALL SELECT * FROM s"
                .to_owned(),
            "more than once",
        ),
        (
            "ALTER TABLE muse_commits RENAME TO c; CREATE VIEW muse_commits AS SELECT * FROM c UNION ALL SELECT * FROM c"
                .to_owned(),
            "more than once",
        ),
    ] {
        let mut repo = Repo::new();
        let file = MuseFile::with_head(&repo, HEAD);
        file.run(&sql);
        edit(&repo);
        push_fails(&mut repo, &file, "damaged_database", words);
        let (code, out, err) = stem(&repo, Some(&file.url()), &["--json", "stash"]);
        assert_eq!(code, 4, "{sql}: {out}{err}");
        assert!(!out.contains('\u{1b}'), "{out}");
    }
}

#[test]
fn a_commit_of_another_repository_is_not_taken() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    file.run("UPDATE muse_commits SET repo_id = 'other'");
    edit(&repo);
    push_fails(&mut repo, &file, "foreign_commit", "belongs to repository other");
    file.run(&format!("UPDATE muse_commits SET repo_id = {}", quote(&repo_id(&repo))));
    fs::write(repo.muse().join("repo.json"), "{\"schema_version\": \"1\"}").unwrap();
    fails(&repo, "foreign_commit", "no repo_id");
}

#[test]
fn rows_that_are_only_in_the_write_ahead_log_are_seen() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, &[]);
    let mode: String = file.connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    file.connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let newest = commit(&repo, "newest", None, HEAD);
    file.run(&newest.sql);
    set_ref(&repo, &newest.commit);
    let main = fs::read(file.path()).unwrap();
    assert!(!main.windows(64).any(|bytes| bytes == newest.commit.as_bytes()), "the row is in the log only");
    edit(&repo);
    named(&mut repo, &file.url());
    assert!(repo.push().head_restored);
    assert_eq!(repo.texts().len(), 2);
    assert_eq!(fs::read(file.path()).unwrap(), main, "nothing was written");
}

#[test]
fn a_locked_database_is_waited_for_and_then_told() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    configure(&repo, "[database]\ntimeout = \"1s\"\n");
    repo.reopen();
    edit(&repo);
    file.run("BEGIN EXCLUSIVE");
    push_fails(&mut repo, &file, "database_unavailable", "is locked by another program");
    file.run("COMMIT");
    assert!(repo.push().head_restored);
}

#[test]
fn a_query_without_end_is_ended() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    configure(&repo, "[database]\ntimeout = \"1s\"\n");
    repo.reopen();
    edit(&repo);
    file.run(
        "ALTER TABLE muse_commits RENAME TO c; CREATE VIEW muse_commits AS \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM c, n WHERE i < 0",
    );
    push_fails(&mut repo, &file, "database_unavailable", "did not answer within 1s");
}

#[test]
fn a_directory_that_cannot_be_written_is_no_matter() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    let mode = |mode| fs::set_permissions(file.dir(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    named(&mut repo, &file.url());
    let pushed = repo.push();
    mode(0o755);
    assert!(pushed.head_restored);
    let left: Vec<_> = fs::read_dir(file.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["muse.db"], "nothing is left beside the database");
}

fn on(day: i64) -> GcOptions {
    let now = Stamp::from_micros(Stamp::now().unwrap().as_micros() + day * DAY).unwrap();
    GcOptions { now: Some(now), ..GcOptions::default() }
}

fn collect(vault: &Vault) -> Vec<String> {
    vault.gc(&on(0), &Silent).unwrap();
    let result = vault.gc(&on(15), &Silent).unwrap();
    assert_eq!(result.postponed, None);
    result.removed.iter().map(|object| object.id.to_string()).collect()
}

#[test]
fn every_commit_of_the_repository_is_a_root() {
    let mut repo = Repo::new();
    let file = MuseFile::new();
    let first = commit(&repo, "first", None, &[("a", b"of the first")]);
    let second = commit(&repo, "second", Some(&first.commit), &[("a", b"of the second")]);
    let same = commit(&repo, "the same files", Some(&second.commit), &[("a", b"of the second")]);
    let loose = commit(&repo, "no ref reaches it", None, &[("a", b"of nobody's branch")]);
    let foreign = commit(&repo, "another's", None, &[("a", b"of another repository")]);
    for recorded in [&first, &second, &same, &loose, &foreign] {
        file.run(&recorded.sql);
    }
    file.run(&format!(
        "UPDATE muse_commits SET repo_id = 'other' WHERE commit_id = {}",
        quote(&foreign.commit)
    ));
    set_ref(&repo, &same.commit);
    let garbage = repo.plant_object(b"nobody needs this");
    named(&mut repo, &file.url());
    let result = repo.vault.gc(&on(0), &Silent).unwrap();
    assert_eq!(result.roots["commit"], 3, "each snapshot once");
    let mut gone = collect(&repo.vault);
    gone.sort();
    let mut expected = vec![garbage, stemvault_tests::golden::hex(b"of another repository")];
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(repo.objects().len(), 3);
}

#[test]
fn many_commits_are_read_page_by_page() {
    let mut repo = Repo::new();
    let file = MuseFile::new();
    file.run("BEGIN");
    let mut parent: Option<String> = None;
    for n in 0..1234 {
        let recorded =
            commit(&repo, &n.to_string(), parent.as_deref(), &[("a", &[u8::try_from(n % 7).unwrap()])]);
        file.run(&recorded.sql);
        parent = Some(recorded.commit);
    }
    file.run("COMMIT");
    set_ref(&repo, &parent.unwrap());
    named(&mut repo, &file.url());
    let result = repo.vault.gc(&on(0), &Silent).unwrap();
    assert_eq!((result.roots["commit"], result.objects), (7, 7));
    assert!(result.waiting.is_empty());
}

#[test]
fn a_collection_refuses_what_it_cannot_read() {
    let cases: [(&str, &str); 5] = [
        ("DROP TABLE muse_commits", "no such table"),
        ("UPDATE muse_snapshots SET manifest = '{'", "cannot be used"),
        ("PRAGMA foreign_keys=OFF; DELETE FROM muse_snapshots", "but not its snapshot"),
        (
            "UPDATE muse_commits SET parent_commit_id = '0000000000000000000000000000000000000000000000000000000000000000'",
            "names commit 0000",
        ),
        ("UPDATE muse_commits SET repo_id = 'other'", "belongs to repository other"),
    ];
    for (sql, words) in cases {
        let mut repo = Repo::new();
        let file = MuseFile::with_head(&repo, HEAD);
        repo.plant_object(b"nobody needs this");
        named(&mut repo, &file.url());
        repo.vault.gc(&on(0), &Silent).unwrap();
        file.run(sql);
        let before = repo.objects();
        let error = repo.vault.gc(&on(15), &Silent).unwrap_err();
        assert_eq!(error.name(), "root_unreadable", "{error}");
        assert!(error.to_string().contains(words), "{sql}: {error}");
        assert_eq!(repo.objects(), before);
    }
    // Also where all that refs name is in files.
    let mut repo = Repo::new();
    repo.write("a", "a");
    repo.snapshot();
    named(&mut repo, "sqlite:////nowhere/muse.db");
    let error = repo.vault.gc(&on(0), &Silent).unwrap_err();
    assert!(error.to_string().contains("sqlite:////nowhere/muse.db"), "{error}");
    let (code, _, err) = stem(&repo, Some("sqlite:////nowhere/muse.db"), &["gc"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("does not exist"), "{err}");
    // What cannot be Muse's is passed over, if only the environment names it.
    let other = MuseFile::new();
    other.run("DROP TABLE muse_commits");
    for url in [other.url().as_str(), "mysql://u:hunter2@h/db"] {
        let (code, out, err) = stem(&repo, Some(url), &["gc"]);
        assert_eq!(code, 0, "{err}");
        assert!(err.contains("no commits are looked for there") && !err.contains("hunter2"), "{out}{err}");
        let (code, _, err) = stem(&repo, None, &["gc", "--database-url", url]);
        assert_eq!(code, 1, "{err}");
        assert!(!err.contains("hunter2"), "{err}");
    }
}

/// Makes a commit when those that there are have been read, and what refs reach too.
struct Meanwhile {
    file: std::path::PathBuf,
    sql: String,
    marked: AtomicUsize,
}

impl Progress for Meanwhile {
    fn begin(&self, phase: Phase, _: u64, _: u64) {
        // The second time is for the snapshots in files, which come last.
        if phase == Phase::Marking && self.marked.fetch_add(1, Ordering::SeqCst) == 1 {
            Connection::open(&self.file).unwrap().execute_batch(&self.sql).unwrap();
        }
    }
}

#[test]
fn a_commit_made_during_the_collection_postpones_it() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    fs::create_dir(repo.muse().join("snapshots")).unwrap();
    named(&mut repo, &file.url());
    let garbage = repo.plant_object(b"needed in a moment");
    repo.vault.gc(&on(0), &Silent).unwrap();
    let late = commit(&repo, "late", None, &[("late", b"needed in a moment")]);
    let meanwhile = Meanwhile { file: file.path(), sql: late.sql, marked: AtomicUsize::new(0) };
    let result = repo.vault.gc(&on(15), &meanwhile).unwrap();
    assert!(result.removed.is_empty() && result.waiting.len() == 1, "{result:?}");
    assert!(result.postponed.unwrap().contains("another program"));
    assert!(repo.object_path(&garbage).exists());
    let result = repo.vault.gc(&on(16), &Silent).unwrap();
    assert!(result.removed.is_empty() && result.waiting.is_empty(), "{result:?}");
}

#[test]
fn a_snapshot_is_muses_where_only_the_database_has_the_commit() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    named(&mut repo, &file.url());
    let before = repo.state();
    let error = repo.vault.stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.name(), "refused");
    assert!(error.to_string().contains("commit with Muse"), "{error}");
    assert!(repo.state() == before);
}

#[test]
fn status_verify_and_pack_know_the_commits_of_the_database() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    let url = file.url();
    let (code, out, err) = stem(&repo, Some(&url), &["status"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("modified  tracks/kick.wav") && out.contains("added     new.wav"), "{out}");
    // One that is down costs the comparison, not the rest.
    let (code, out, err) = stem(&repo, None, &["status", "--database-url", "sqlite:////nowhere"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("what files HEAD has is unknown") && err.contains("does not exist"), "{out}{err}");

    let (_, out, _) = stem(&repo, None, &["verify", "--worktree", "--database-url", &url]);
    assert!(out.contains("compared with 1 manifest") && out.contains("3 differences from HEAD"), "{out}");
    let kick = repo.object_path(&stemvault_tests::golden::hex(b"kick one"));
    fs::remove_file(&kick).unwrap();
    let (code, out, err) = stem(&repo, None, &["--json", "verify", "--database-url", &url]);
    assert_eq!(code, 4, "{err}");
    assert!(out.contains("\"kind\": \"commit\"") && out.contains("tracks/kick.wav"), "{out}");
    let (code, out, _) = stem(&repo, None, &["--json", "verify", "--database-url", "sqlite:////nowhere"]);
    assert_eq!(code, 4);
    assert!(out.contains("does not exist") && out.contains("damaged_records"), "{out}");
    repo.plant_object(b"kick one");

    repo.plant_object(b"old and cold");
    let (code, out, err) = stem(&repo, Some(&url), &["pack"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Packed 1 object,") && out.contains("2 objects stay loose"), "{out}");
    named(&mut repo, &url);
}

#[test]
fn no_password_is_told() {
    let repo = Repo::new();
    set_ref(&repo, &"ab".repeat(32));
    repo.write("a.wav", "a");
    for url in [
        "postgresql+asyncpg://muse:hunter2@127.0.0.1:1/muse",
        "postgresql://muse:hunter2@127.0.0.1:1/muse?sslmode=require",
        "postgresql://muse@127.0.0.1:1/muse?password=hunter2",
        "postgresql:///muse?host=/nowhere&password=hunter2",
        "postgresql://muse:hunter2@h@127.0.0.1/muse",
        "postgresql://muse:hun%zzhunter2@127.0.0.1/muse",
        "postgresql://muse:hunter2@127.0.0.1/muse?sslrootcert=/nowhere&sslmode=verify-full",
        "postgresql://muse:hunter2@127.0.0.1:99999/muse",
        "mysql+pymysql://muse:hunter2@127.0.0.1/muse",
        "sqlite://muse:hunter2@/x.db",
        "muse:hunter2@127.0.0.1/muse",
    ] {
        for args in [
            ["-v", "stash"].as_slice(),
            &["--json", "stash"],
            &["-v", "status"],
            &["gc"],
            &["--json", "verify"],
            &["pack"],
        ] {
            for environment in [true, false] {
                let mut args = args.to_vec();
                if !environment {
                    args.extend(["--database-url", url]);
                }
                let before = repo.state();
                let (code, out, err) = stem(&repo, environment.then_some(url), &args);
                let said = format!("{out}{err}");
                assert!(!said.contains("hunter2"), "{url} {args:?}: {said}");
                assert!(code != 0 || args.contains(&"status"), "{url} {args:?}: {said}");
                assert!(repo.state() == before, "{url} {args:?}");
            }
        }
        configure(&repo, &format!("[database]\nurl = \"{url}\"\ntimeout = \"2s\"\n"));
        let (code, out, err) = stem(&repo, None, &["-v", "stash"]);
        assert!(code != 0 && !format!("{out}{err}").contains("hunter2"), "{out}{err}");
        let mut vault = Vault::open(repo.root()).unwrap();
        assert!(!format!("{vault:?}").contains("hunter2"));
        let _ = vault.use_database(&SecretText::from(url.to_owned()), DatabaseOrigin::Environment);
        assert!(!format!("{vault:?}").contains("hunter2"));
        fs::remove_file(repo.muse().join("stem/config.toml")).unwrap();
    }
}

/// A server that takes connections and never says a word, and its URL.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgresql://muse:hunter2@{}/muse", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let mut repo = Repo::new();
    set_ref(&repo, &"ab".repeat(32));
    configure(&repo, "[database]\ntimeout = \"1s\"\n");
    repo.reopen();
    edit(&repo);
    let (_listener, url) = silent_server();
    named(&mut repo, &url);
    fails(&repo, "database_unavailable", "did not answer within 1s");
    named(&mut repo, &format!("{url}?sslmode=disable"));
    fails(&repo, "database_unavailable", "did not answer within 1s");
}

struct Stopped;

impl Progress for Stopped {
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn whoever_waits_for_a_server_can_stop() {
    let mut repo = Repo::new();
    // Without the wish to stop this test would last for an hour.
    configure(&repo, "[database]\ntimeout = \"1h\"\n");
    repo.reopen();
    let (_listener, url) = silent_server();
    named(&mut repo, &url);
    let options = GcOptions { dry_run: true, ..on(0) };
    let error = repo.vault.gc(&options, &Stopped).unwrap_err();
    assert_eq!(error.name(), "interrupted", "{error}");
}

#[test]
fn a_reader_beside_a_writer_sees_one_state() {
    let mut repo = Repo::new();
    let file = MuseFile::with_head(&repo, HEAD);
    edit(&repo);
    // A transaction that has written and not committed.
    let other = Connection::open(file.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE muse_commits SET repo_id = 'other'").unwrap();
    named(&mut repo, &file.url());
    assert!(repo.push().head_restored);
    other.execute_batch("ROLLBACK").unwrap();
}
