//! Why a command did not do what it was asked, as exit code, JSON and words.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use stemvault::{ErrorKind, StashError};

use crate::json::Json;
use crate::progress;

/// Exit codes; the contract with scripts.
pub(crate) mod exit {
    /// Done.
    pub(crate) const DONE: u8 = 0;
    /// The user's error: arguments, or a state of the repository that does not allow it.
    pub(crate) const USER: u8 = 1;
    /// No repository.
    pub(crate) const NO_REPOSITORY: u8 = 2;
    /// The system or the engine failed.
    pub(crate) const INTERNAL: u8 = 3;
    /// Done in part, or damage found.
    pub(crate) const PARTIAL: u8 = 4;
    /// Added to the number of the signal that ended the command.
    pub(crate) const SIGNAL: u8 = 128;
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A command that ended without a result.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: u8,
    /// A short stable name for JSON.
    pub(crate) kind: &'static str,
    /// What happened, where, and what to do.
    pub(crate) message: String,
    /// The path concerned.
    pub(crate) path: Option<PathBuf>,
    /// The same with colours and usage, where the parser of the arguments made one.
    pub(crate) styled: Option<String>,
    /// The stash entry that was asked for and does not exist.
    pub(crate) sought: Option<Box<Sought>>,
    /// What may help, beside a message whose words are a contract.
    pub(crate) hint: Option<Box<str>>,
}

/// A reference to no entry.
#[derive(Debug)]
pub(crate) enum Sought {
    /// A number that is too large.
    Index,
    /// Something else.
    Name(String),
}

impl Failure {
    /// The user can mend it.
    pub(crate) fn user(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit: exit::USER,
            kind,
            message: message.into(),
            path: None,
            styled: None,
            sought: None,
            hint: None,
        }
    }

    /// Arguments that make no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::user("usage", message)
    }

    /// Nobody but us can mend it.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { exit: exit::INTERNAL, ..Self::user("internal", message) }
    }

    /// The system refused; `what` is the beginning of a sentence such as `cannot read 'x'`.
    pub(crate) fn io(what: &str, path: &Path, error: &(dyn StdError + 'static)) -> Self {
        let message = format!("{what}: {}", chain(error));
        Self { exit: exit::INTERNAL, ..Self::user("io", message) }.at(path)
    }

    /// The user, or whoever sent the signal, stopped the command.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        let signal = progress::signal_caught().unwrap_or(2);
        Self { exit: exit::SIGNAL + signal, ..Self::user("interrupted", message) }
    }

    /// Names the path concerned.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.to_path_buf());
        self
    }

    /// The JSON document that stands for the result.
    pub(crate) fn to_json(&self) -> Json {
        let hint = self.hint.as_deref().map(|hint| ("hint", Json::from(hint)));
        let error = [
            ("kind", Json::from(self.kind)),
            ("message", Json::from(self.message.as_str())),
            ("path", self.path.as_deref().map(Json::path).into()),
        ];
        Json::object([("error", Json::object(error.into_iter().chain(hint)))])
    }
}

impl From<stemvault::Error> for Failure {
    fn from(error: stemvault::Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::User => exit::USER,
            ErrorKind::NoRepository => exit::NO_REPOSITORY,
            ErrorKind::Damaged => exit::PARTIAL,
            ErrorKind::Interrupted => return Self::interrupted(chain(&error)),
            _ => exit::INTERNAL,
        };
        let sought = match &error {
            stemvault::Error::Stash(StashError::NoSuchIndex { .. }) => Some(Box::new(Sought::Index)),
            stemvault::Error::Stash(StashError::NoSuchEntry { reference }) => {
                Some(Box::new(Sought::Name(reference.clone())))
            }
            _ => None,
        };
        let message = chain(&error);
        Self { exit, kind: error.name(), message, path: error.path(), styled: None, sought, hint: None }
    }
}

/// For results of the engine's parts, each of which has an error of its own that the facade's embraces.
pub(crate) trait Engine<T> {
    /// The value, or the failure that the user is told.
    fn told(self) -> Result<T>;
}

impl<T, E: Into<stemvault::Error>> Engine<T> for std::result::Result<T, E> {
    fn told(self) -> Result<T> {
        self.map_err(|error| error.into().into())
    }
}

/// An error with its causes on one line; a cause that the text before names already is left out.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Layer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    #[test]
    fn causes_follow_once() {
        let inner = Layer("no space left", None);
        let middle = Layer("cannot write 'x': no space left", Some(Box::new(inner)));
        let outer = Layer("cannot push", Some(Box::new(middle)));
        assert_eq!(chain(&outer), "cannot push: cannot write 'x': no space left");
    }

    #[test]
    fn the_document_of_a_failure_names_kind_message_and_path() {
        let failure = Failure::usage("what?").at(Path::new("a/b"));
        assert_eq!(
            failure.to_json().to_string(),
            "{\n  \"error\": {\n    \"kind\": \"usage\",\n    \"message\": \"what?\",\n    \"path\": \"a/b\"\n  }\n}"
        );
    }
}
