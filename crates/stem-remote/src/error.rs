//! What a service or the network said, in words that hold no secret.
//!
//! The client's own errors quote requests and replies: URLs with signatures in them, bodies that repeat what was signed. None
//! of that is passed on, not even as a source. What is kept: the kind, the status, the service's code (`AccessDenied`), the
//! system's error where there is one.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Words for people in an [`io::Error`].
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Told {}

/// An error with these words.
pub(crate) fn told(kind: io::ErrorKind, words: impl Into<String>) -> io::Error {
    io::Error::new(kind, Told(words.into()))
}

/// A word of the service that may be shown: letters and digits, not many.
fn code(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("<Code>")?;
    let (code, _) = after.split_once("</Code>")?;
    (!code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(code)
}

/// The status of a reply, as the client's words have it.
fn status(text: &str) -> Option<u16> {
    let (_, after) = text.split_once("status code: ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).take(3).collect();
    digits.parse().ok()
}

/// The first error of the system in a chain.
fn system(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && !matches!(io.kind(), io::ErrorKind::Other)
        {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}

/// What a status asks of whoever sees it.
fn kind_of(status: u16) -> io::ErrorKind {
    match status {
        401 | 403 => io::ErrorKind::PermissionDenied,
        404 => io::ErrorKind::NotFound,
        507 => io::ErrorKind::StorageFull,
        408 | 425 | 429 | 500..=599 => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    }
}

/// An error of the client about `key`.
pub(crate) fn from_client(error: &object_store::Error, key: &str) -> io::Error {
    use object_store::Error as Client;
    let text = error.to_string();
    let code = code(&text).map(|code| format!(" ({code})")).unwrap_or_default();
    let status = status(&text);
    let (kind, words) = match error {
        Client::NotFound { .. } if code.contains("NoSuchBucket") => {
            (io::ErrorKind::Other, "there is no such bucket; make it first".to_owned())
        }
        Client::NotFound { .. } => (io::ErrorKind::NotFound, "there is no such key".to_owned()),
        Client::AlreadyExists { .. } | Client::Precondition { .. } => {
            (io::ErrorKind::AlreadyExists, "the key exists already".to_owned())
        }
        Client::PermissionDenied { .. } | Client::Unauthenticated { .. } => (
            io::ErrorKind::PermissionDenied,
            "the service refuses access; check credentials, bucket and region".to_owned(),
        ),
        Client::NotSupported { .. } | Client::NotImplemented { .. } => {
            (io::ErrorKind::Unsupported, "the service cannot do that".to_owned())
        }
        _ => match (status, system(error)) {
            (Some(status), _) => (kind_of(status), format!("the service answered {status}")),
            (None, Some(kind)) => (network(kind), format!("the network failed: {kind}")),
            (None, None) => (
                io::ErrorKind::TimedOut,
                "the service cannot be reached, or its answer is not understood; check endpoint and network"
                    .to_owned(),
            ),
        },
    };
    let key: String = key.chars().flat_map(char::escape_default).take(200).collect();
    told(kind, format!("{words}{code} (key '{key}')"))
}

/// A refused or broken connection is one that may work later; a file that cannot be had is not.
fn network(kind: io::ErrorKind) -> io::ErrorKind {
    match kind {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::Interrupted => {
            io::ErrorKind::ConnectionAborted
        }
        other => other,
    }
}

/// Whether trying again may help.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
    )
}

/// The same once more, for whoever comes later.
pub(crate) fn again(error: &io::Error) -> io::Error {
    if error.get_ref().and_then(|inner| inner.downcast_ref::<stem_store::Stopped>()).is_some() {
        return io::Error::other(stem_store::Stopped);
    }
    told(error.kind(), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn nothing_of_a_reply_is_shown_but_status_and_code() {
        let body = "Server returned non-2xx status code: 403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code><StringToSign>hunter2</StringToSign></Error>";
        let error = from_client(&generic(body), "packs/x");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("403") && shown.contains("SignatureDoesNotMatch"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let url =
            from_client(&generic("error sending request for url (https://h/b?sig=hunter2)"), "a\u{1b}b");
        assert!(!format!("{url} {url:?}").contains("hunter2"));
        assert!(!url.to_string().contains('\u{1b}'));
        let hostile = generic("<Code>hunter2 and more</Code>");
        assert!(!from_client(&hostile, "k").to_string().contains("hunter2"));
    }

    #[test]
    fn kinds_follow_from_the_status() {
        for (status, kind) in
            [(503, io::ErrorKind::TimedOut), (429, io::ErrorKind::TimedOut), (404, io::ErrorKind::NotFound)]
        {
            assert_eq!(from_client(&generic(&format!("x status code: {status} y")), "k").kind(), kind);
        }
        let missing =
            object_store::Error::NotFound { path: "x".into(), source: "<Code>NoSuchBucket</Code>".into() };
        assert_eq!(from_client(&missing, "k").kind(), io::ErrorKind::Other);
    }
}
