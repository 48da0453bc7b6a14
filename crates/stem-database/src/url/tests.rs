use super::postgres::{Host, Roots, TlsMode};
use super::*;
use crate::secret::SecretText;
use TlsMode::{Disable, Prefer, Require, VerifyCa, VerifyFull};
use proptest::prelude::*;
use std::time::Duration;

fn parse(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse(text, Path::new("/base")).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

fn refused(text: &str) -> String {
    match DatabaseUrl::parse(text, Path::new("/base")) {
        Ok(url) => panic!("{text} is {url}"),
        Err(problem) => problem,
    }
}

fn postgres(text: &str) -> PostgresUrl {
    match parse(text).target {
        Target::Postgres(url) => *url,
        Target::Sqlite(path) => panic!("{}", path.display()),
    }
}

#[test]
fn files_as_sqlalchemy_writes_them() {
    for (text, path) in [
        ("sqlite:///muse.db", "/base/muse.db"),
        ("sqlite:///data/a b.db", "/base/data/a b.db"),
        ("sqlite:////var/lib/muse.db", "/var/lib/muse.db"),
        ("sqlite+aiosqlite:////var/muse.db", "/var/muse.db"),
        ("SQLite+pysqlite:///./muse.db", "/base/./muse.db"),
        ("sqlite:////var/a%20b@c.db", "/var/a%20b@c.db"),
        ("sqlite:////var/muse.db?timeout=15&check_same_thread=false", "/var/muse.db"),
        ("sqlite:///file:/var/a%20b.db?mode=rwc&uri=true", "/var/a b.db"),
        ("sqlite:///file:///var/x.db?uri=true&immutable=0", "/var/x.db"),
        ("sqlite:///file:x.db", "/base/file:x.db"),
    ] {
        let url = parse(text);
        assert!(matches!(url.target(), Target::Sqlite(found) if found == Path::new(path)), "{text} is {url}");
        assert_eq!(url.shown(), format!("sqlite:///{path}"));
    }
    for (text, says) in [
        ("sqlite://", "in memory"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file::memory:?uri=true", "in memory"),
        ("sqlite:///x?mode=memory", "in memory"),
        ("sqlite://x.db", "two slashes"),
        ("sqlite:///x.db?immutable=1", "immutable would hide"),
        ("sqlite:///x.db?vfs=unix-none", "'vfs' is not known"),
        ("sqlite+pysqlcipher://:pw@/x.db", "'pysqlcipher' of sqlite"),
        ("sqlite:///a\nb", "control"),
    ] {
        assert!(refused(text).contains(says), "{text}: {}", refused(text));
    }
}

#[test]
fn servers_as_sqlalchemy_and_libpq_write_them() {
    let url = postgres("postgresql+asyncpg://muse:p%40ss%2Fw@db.example:6432/mu%20se?ssl=require");
    assert!(matches!(&url.host, Host::Tcp(host) if host == "db.example"));
    assert_eq!((url.port, url.user.as_deref(), url.database.as_deref()), (6432, Some("muse"), Some("mu se")));
    assert_eq!(url.password, Some(SecretText::from("p@ss/w".to_owned())));
    assert_eq!((url.tls, url.connect_timeout), (TlsMode::Require, None));

    for text in [
        "postgresql://h/db",
        "postgres://h/db",
        "postgresql+psycopg2://h/db",
        "postgresql+psycopg://h/db",
        "PostgreSQL+AsyncPG://h/db",
        "postgresql://h:5432/db",
        "postgresql://h:/db?",
        "postgresql:///db?host=h",
        "postgresql:///?host=h:5432&dbname=db",
    ] {
        let url = postgres(text);
        assert!(matches!(&url.host, Host::Tcp(host) if host == "h"), "{text}");
        assert_eq!(
            (url.port, url.database.as_deref(), url.tls),
            (5432, Some("db"), TlsMode::Prefer),
            "{text}"
        );
        assert_eq!(parse(text).shown(), "postgresql://h/db");
    }
    for text in [
        "postgresql://me@/db?host=/run/pg",
        "postgresql://me@%2Frun%2Fpg/db",
        "postgresql+asyncpg:///db?host=/run/pg&user=me",
    ] {
        let url = postgres(text);
        assert!(matches!(&url.host, Host::Socket(dir) if dir == Path::new("/run/pg")), "{text}");
        assert_eq!(url.user.as_deref(), Some("me"), "{text}");
        assert_eq!(parse(text).shown(), "postgresql:///db?host=/run/pg");
    }
    let url = postgres("postgresql://u:a:b/c@[::1]:1/db");
    assert_eq!(url.password, Some(SecretText::from("a:b/c".to_owned())), "as SQLAlchemy splits");
    assert!(matches!(&url.host, Host::Tcp(host) if host == "::1"));
    assert_eq!(parse("postgresql://[::1]:1/db").shown(), "postgresql://[::1]:1/db");

    let url = postgres(
        "postgresql://h/db?sslmode=verify-full&sslrootcert=/ca.pem&options=-csearch_path%3Dmuse&application_name=a+b\
         &connect_timeout=3&password=x%26y",
    );
    assert_eq!(url.tls, TlsMode::VerifyFull);
    assert!(url.roots == Roots::File("/ca.pem".into()));
    assert_eq!(url.options.as_deref(), Some("-csearch_path=muse"));
    assert_eq!(url.application.as_deref(), Some("a b"));
    assert_eq!(url.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(url.password, Some(SecretText::from("x&y".to_owned())));
    let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    let modes = modes.map(|mode| postgres(&format!("postgresql://h/db?sslmode={mode}")).tls);
    assert_eq!(modes, [Disable, Prefer, Prefer, Require, VerifyCa, VerifyFull]);
    let url = postgres("postgresql://h/db?sslrootcert=system");
    assert!(url.tls == VerifyFull && url.roots == Roots::System);
}

#[test]
fn what_cannot_be_used_is_told_without_the_secret() {
    for (text, says) in [
        ("", "scheme"),
        ("u:hunter2@h/db", "scheme"),
        ("mysql://u:hunter2@h/db", "kind 'mysql'"),
        ("mysql+aiomysql://u:hunter2@h/db", "kind 'mysql'"),
        ("mssql+pyodbc://u:hunter2@h/db", "kind 'mssql'"),
        ("hunter2 is it://h", "scheme"),
        ("postgresql+oracle://u:hunter2@h/db", "driver 'oracle'"),
        ("postgresql://u:hunter2@h@i/db", "more than one @"),
        ("postgresql://u/x:hunter2@h/db", "user name"),
        ("postgresql://h:1/db?password=x@hunter2", "%40"),
        ("postgresql://u:hun%zzter2@h/db", "the password has a %"),
        ("postgresql://u:%ffhunter2@h/db", "not UTF-8"),
        ("postgresql://u:hunter2%00@h/db", "NUL"),
        ("postgresql://u:x@h:hunter2/db", "port"),
        ("postgresql://h:0/db", "port"),
        ("postgresql://h:70000/db", "port"),
        ("postgresql://[::1/db", "]"),
        ("postgresql://h,i/db", "several hosts"),
        ("postgresql:///db?host=a&host=b", "several hosts"),
        ("postgresql://hunter2!/db", "no name has"),
        ("postgresql://h/db?hunter2", "no ="),
        ("postgresql://h/db?hunter2=1", "an option is not known"),
        ("postgresql://h/db?sslmode=hunter2", "'sslmode' is none of"),
        ("postgresql://h/db?ssl=true", "'ssl' is none of"),
        ("postgresql://h/db?ssl=require&sslmode=disable", "contradict"),
        ("postgresql://h/db?password=hunter2&password=hunter2", "'password' stands twice"),
        ("postgresql://h/db?sslcert=hunter2", "'sslcert' is not supported"),
        ("postgresql://h/db?passfile=hunter2", "'passfile' is not supported"),
        ("postgresql://h/db?sslrootcert=system&sslmode=require", "needs sslmode=verify-full"),
        ("postgresql://h/db?connect_timeout=hunter2", "connect_timeout"),
    ] {
        let problem = refused(text);
        assert!(problem.contains(says), "{text}: {problem}");
        assert!(!problem.contains("hunter2"), "{text}: {problem}");
    }
    assert!(refused(&format!("sqlite:///{}", "x".repeat(1 << 20))).contains("bytes"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "(postgres(ql)?|sqlite)?(\\+asyncpg)?(://)?.{0,60}") {
        let _ = DatabaseUrl::parse(&text, Path::new("/base"));
    }

    #[test]
    fn no_bytes_of_a_query_panic(text in "[a-z=&%+/:@?\\[\\]0-9]{0,60}") {
        let _ = DatabaseUrl::parse(&format!("postgresql://{text}"), Path::new("/base"));
        let _ = DatabaseUrl::parse(&format!("sqlite:///{text}"), Path::new("/base"));
    }

    /// Whatever the password is, and wherever its writer forgot to encode it, nothing that is shown has it or half of it.
    #[test]
    fn no_password_is_ever_shown(
        first in "[A-Z]{8}",
        between in "[@:/?#&=%\\[\\] .,;!-]{0,3}",
        second in "[A-Z]{8}",
        shape in 0..5_usize,
        rest in "(/db)?(\\?ssl=require)?(&x=y)?",
    ) {
        let password = format!("{first}{between}{second}");
        let text = match shape {
            0 => format!("postgresql+asyncpg://muse:{password}@db.example:5432{rest}"),
            1 => format!("postgresql://muse@db.example/db?password={password}"),
            2 => format!("postgresql:///db?user=muse&password={password}&host=/run/pg"),
            3 => format!("postgresql://db.example:5432/db?password={password}"),
            _ => format!("mysql://muse:{password}@db.example{rest}"),
        };
        let told = match DatabaseUrl::parse(&text, Path::new("/base")) {
            Ok(url) => format!("{url} {url:?} {}", url.shown()),
            Err(problem) => problem,
        };
        // Behind a raw & the rest is the name of another option, and all capitals is not what options are called.
        prop_assert!(!told.contains(&first) && !told.contains(&second), "{}", told);
    }
}
