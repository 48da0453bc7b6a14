//! The part of a URL behind `postgresql://`, and its options in libpq's and asyncpg's spelling.

use std::path::PathBuf;
use std::time::Duration;

use super::{decode, named, pairs, unknown};
use crate::secret::SecretText;

/// The port of a server that says nothing else.
const PORT: u16 = 5432;

/// Where a server listens.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name or an address.
    Tcp(String),
    /// The directory of its socket.
    Socket(PathBuf),
}

/// How far the connection is encrypted and the server verified; libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted where the server can; its certificate is not looked at.
    Prefer,
    /// Encrypted; the certificate is verified only where authorities are named.
    Require,
    /// The certificate must come from one of the authorities.
    VerifyCa,
    /// And it must be for this host.
    VerifyFull,
}

/// The authorities that a server's certificate may come from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Where libpq looks: `~/.postgresql/root.crt`.
    Usual,
    /// This file.
    File(PathBuf),
    /// Those that the system trusts.
    System,
}

/// A database on a server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresUrl {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<SecretText>,
    pub(crate) database: Option<String>,
    pub(crate) tls: TlsMode,
    pub(crate) roots: Roots,
    pub(crate) options: Option<String>,
    pub(crate) application: Option<String>,
    /// How long connecting may take, if the URL says less than is configured.
    pub(crate) connect_timeout: Option<Duration>,
}

impl PostgresUrl {
    /// What may be shown: where the server is, and the name of the database.
    pub(super) fn shown(&self) -> String {
        let show = |text: &str| stem_fs::show_bytes(text.as_bytes());
        let database = self.database.as_deref().map(show).unwrap_or_default();
        let port = if self.port == PORT { String::new() } else { format!(":{}", self.port) };
        match &self.host {
            Host::Tcp(host) if host.contains(':') => {
                format!("postgresql://[{}]{port}/{database}", show(host))
            }
            Host::Tcp(host) => format!("postgresql://{}{port}/{database}", show(host)),
            Host::Socket(dir) => {
                let dir = stem_fs::show_bytes(dir.as_os_str().as_encoded_bytes());
                format!("postgresql://{port}/{database}?host={dir}")
            }
        }
    }
}

/// What stands before the `@`, if anything, and what stands behind it.
fn split_user(rest: &str) -> Result<(Option<&str>, Option<&str>, &str), String> {
    let Some((login, place)) = rest.split_once('@') else { return Ok((None, None, rest)) };
    if place.contains('@') {
        return Err("it has more than one @: write %40 for one in a password or an option".into());
    }
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    // Otherwise `h:1/db?password=a@b` would have the host `b`.
    if user.contains('/') || login.contains('?') {
        return Err("the @ does not end a user name and a password: write %40 for one in an option, %2F for / in a user \
                    name, %3F for ? in a password"
            .into());
    }
    Ok((Some(user), password, place))
}

pub(super) fn parse(rest: &str) -> Result<PostgresUrl, String> {
    let (user, password, place) = split_user(rest)?;
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = match authority.strip_prefix('[') {
        Some(address) => {
            let (address, port) = address.split_once(']').ok_or("the address of the host has no ]")?;
            let port = if port.is_empty() {
                None
            } else {
                port.strip_prefix(':').map(Some).ok_or("what follows the address of the host is no port")?
            };
            (address, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let some = |text: &str, what| -> Result<Option<String>, String> {
        let text = decode(text, false, what)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    };
    let mut url = PostgresUrl {
        host: Host::Tcp("localhost".into()),
        port: PORT,
        user: some(user.unwrap_or_default(), "the user name")?,
        password: some(password.unwrap_or_default(), "the password")?.map(SecretText::from),
        database: some(database, "the name of the database")?,
        tls: TlsMode::Prefer,
        roots: Roots::Usual,
        options: None,
        application: None,
        connect_timeout: None,
    };
    if let Some(port) = port.filter(|port| !port.is_empty()) {
        url.port = parse_port(port)?;
    }
    if let Some(host) = some(host, "the name of the host")? {
        url.host = parse_host(host)?;
    }
    options(&mut url, query)?;
    Ok(url)
}

fn parse_port(text: &str) -> Result<u16, String> {
    // The text may be the end of a password whose : was not written as %3A.
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| "the port is not a number from 1 to 65535".into())
}

fn parse_host(host: String) -> Result<Host, String> {
    if host.starts_with('/') {
        return Ok(Host::Socket(host.into()));
    }
    if host.contains(',') {
        return Err("it names several hosts: name the one to be asked".into());
    }
    // An abstract socket (@name) is of no server that Debian or Docker starts; anything else is no name of a host.
    let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if !host.chars().all(known) {
        return Err("the name of the host holds a sign that no name has".into());
    }
    Ok(Host::Tcp(host))
}

fn options(url: &mut PostgresUrl, query: &str) -> Result<(), String> {
    let mut mode = None;
    for (key, value) in pairs(query)? {
        match key.as_str() {
            "host" => {
                // SQLAlchemy lets the port follow; the path of a socket has no colon.
                let split =
                    value.rsplit_once(':').filter(|(host, _)| !host.contains(':') && !host.starts_with('/'));
                url.host = parse_host(split.map_or(value.as_str(), |(host, _)| host).to_owned())?;
                if let Some((_, port)) = split {
                    url.port = parse_port(port)?;
                }
            }
            "port" => url.port = parse_port(&value)?,
            "user" => url.user = Some(value),
            "password" => url.password = Some(value.into()),
            "dbname" | "database" => url.database = Some(value),
            "ssl" | "sslmode" => {
                let parsed = tls_mode(&value).ok_or_else(|| {
                    format!(
                        "{} is none of disable, allow, prefer, require, verify-ca, verify-full",
                        named(&key)
                    )
                })?;
                if mode.replace(parsed).is_some_and(|other| other != parsed) {
                    return Err("ssl and sslmode contradict each other".into());
                }
            }
            "sslrootcert" if value == "system" => url.roots = Roots::System,
            "sslrootcert" => url.roots = Roots::File(value.into()),
            "options" => url.options = Some(value),
            "application_name" => url.application = Some(value),
            "connect_timeout" => {
                let seconds: u32 =
                    value.parse().map_err(|_| "connect_timeout is not a number of seconds".to_owned())?;
                url.connect_timeout =
                    Some(Duration::from_secs(seconds.into())).filter(|time| !time.is_zero());
            }
            // What it says is how drivers work, or is kept here in any case.
            "async_fallback"
            | "prepared_statement_cache_size"
            | "prepared_statement_name_func"
            | "statement_cache_size"
            | "max_cached_statement_lifetime"
            | "max_cacheable_statement_size"
            | "command_timeout"
            | "timeout"
            | "keepalives"
            | "keepalives_idle"
            | "keepalives_interval"
            | "keepalives_count"
            | "tcp_user_timeout"
            | "fallback_application_name"
            | "client_encoding"
            | "target_session_attrs"
            | "sslcompression"
            | "sslsni"
            | "prepare_threshold" => {}
            "channel_binding" if matches!(value.as_str(), "disable" | "prefer") => {}
            "gssencmode" if matches!(value.as_str(), "disable" | "prefer") => {}
            "sslcert"
            | "sslkey"
            | "sslpassword"
            | "sslcrl"
            | "sslcrldir"
            | "ssl_min_protocol_version"
            | "ssl_max_protocol_version"
            | "channel_binding"
            | "gssencmode"
            | "krbsrvname"
            | "requirepeer"
            | "require_auth"
            | "passfile"
            | "service"
            | "hostaddr"
            | "server_settings"
            | "direct_tls" => {
                return Err(format!("the option '{key}' is not supported"));
            }
            _ => return Err(unknown(&key)),
        }
    }
    if let Some(mode) = mode {
        url.tls = mode;
    }
    if url.roots == Roots::System {
        // As libpq: whoever the whole world trusts proves nothing without the name.
        if mode.is_some_and(|mode| mode != TlsMode::VerifyFull) {
            return Err("sslrootcert=system needs sslmode=verify-full".into());
        }
        url.tls = TlsMode::VerifyFull;
    }
    Ok(())
}

fn tls_mode(word: &str) -> Option<TlsMode> {
    Some(match word {
        "disable" => TlsMode::Disable,
        // It asks for encryption only when the server insists; asking first is the safer half of the same.
        "allow" | "prefer" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        _ => return None,
    })
}
