//! What went wrong, on its way to an exception.
//!
//! The classes are Python code (`stemvault/_errors.py`), which has a table from the names of kinds to them. A kind that
//! the table does not know becomes the base class, so that the engine may learn new kinds first.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyModule;
use stem_store::ErrorKind as StoreErrorKind;
use stemvault::{ObjectId, StashError};

pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// An error of the engine, as its exception will have it.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: String,
    message: String,
    errno: Option<i32>,
    path: Option<PathBuf>,
    id: Option<ObjectId>,
}

impl Fault {
    /// A fault that no error of the engine stands for.
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), errno: None, path: None, id: None }
    }

    /// The system refused; `what` is the beginning of a sentence such as `cannot read 'x'`.
    pub(crate) fn io(what: &str, path: impl Into<PathBuf>, error: &io::Error) -> Self {
        let errno = error.raw_os_error();
        Self {
            errno,
            path: Some(path.into()),
            ..Self::new(io_kind(error.kind()), format!("{what}: {error}"))
        }
    }

    /// An id that is none.
    pub(crate) fn bad_id(text: &str, problem: &dyn std::fmt::Display) -> Self {
        Self::new("invalid_input", format!("'{}' is not an object id: {problem}", text.escape_default()))
    }

    /// The object was there a moment ago.
    pub(crate) fn vanished(id: &ObjectId, store: &str) -> Self {
        let message = format!("object {id} is not in '{store}' any more");
        Self { id: Some(*id), ..Self::new("no_such_object", message) }
    }

    /// The engine has a bug.
    pub(crate) fn panicked() -> Self {
        Self::new(
            "internal",
            "the engine failed in a way that it should not; what it said is on standard error",
        )
    }

    /// The words.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Names the object concerned.
    pub(crate) fn about(mut self, id: ObjectId) -> Self {
        self.id = Some(id);
        self
    }

    /// The exception.
    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        let make = || -> PyResult<PyErr> {
            let id = self.id.map(|id| id.to_string());
            let given = (&self.kind, &self.message, self.errno, &self.path, id);
            let error = py.import("stemvault._errors")?.getattr("make")?.call1(given)?;
            Ok(PyErr::from_value(error))
        };
        make().unwrap_or_else(|error| error)
    }
}

/// The package itself.
pub(crate) fn package(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("stemvault._types")
}

/// An id that a program gave.
pub(crate) fn parse_id(text: &str) -> Result<ObjectId> {
    text.parse().map_err(|problem| Fault::bad_id(text, &problem))
}

impl From<stemvault::Error> for Fault {
    fn from(error: stemvault::Error) -> Self {
        match error {
            stemvault::Error::Stash(error) => error.into(),
            stemvault::Error::Store(error) => error.into(),
            stemvault::Error::Fs(error) => error.into(),
            other => {
                let (errno, path) = (errno(&other), other.path());
                Self { errno, path, ..Self::new(other.name(), chain(&other)) }
            }
        }
    }
}

impl From<StashError> for Fault {
    fn from(error: StashError) -> Self {
        let words = match error {
            StashError::Store(error) => return error.into(),
            StashError::Fs(error) => return error.into(),
            // The engine's words name options of the program `stem`.
            StashError::NotARepository { ref start } => {
                format!("no repository at '{}': it has no directory .muse", start.display())
            }
            StashError::HeadUnknown { ref branch, ref commit, ref searched } => {
                let searched = searched.replace("--database-url URL", "database_url");
                format!(
                    "what files HEAD has is unknown: branch '{branch}' is at commit {commit}, which {searched}. \
                     Nothing was changed. Pass the files of that commit as head_manifest"
                )
            }
            ref other => chain(other),
        };
        let (errno, path) = (errno(&error), error.path());
        Self { errno, path, ..Self::new(error.name(), words) }
    }
}

impl From<stem_store::Error> for Fault {
    fn from(error: stem_store::Error) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::Corrupt => "corrupt_object",
            StoreErrorKind::WrongHash => "wrong_hash",
            StoreErrorKind::InvalidInput => "invalid_input",
            StoreErrorKind::Source => "source",
            StoreErrorKind::NoSpace => "no_space",
            StoreErrorKind::PermissionDenied => "permission_denied",
            StoreErrorKind::ReadOnly => "read_only",
            StoreErrorKind::Unsupported => "unsupported",
            StoreErrorKind::Unavailable => "unavailable",
            StoreErrorKind::Lost => "lost",
            StoreErrorKind::Interrupted => "interrupted",
            StoreErrorKind::Io => "io",
            _ => "store",
        };
        let (errno, path, id) = (errno(&error), error.path().map(PathBuf::from), error.id().copied());
        Self { errno, path, id, ..Self::new(kind, chain(&error)) }
    }
}

impl From<stem_fs::Error> for Fault {
    fn from(error: stem_fs::Error) -> Self {
        let path = Some(error.path.clone());
        Self { errno: errno(&error), path, ..Self::new(io_kind(error.kind()), chain(&error)) }
    }
}

fn io_kind(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => "no_space",
        io::ErrorKind::PermissionDenied => "permission_denied",
        io::ErrorKind::ReadOnlyFilesystem => "read_only",
        _ => "io",
    }
}

/// The number that the system gave, wherever in the chain it is.
fn errno(error: &(dyn StdError + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(number) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(number);
        }
        cause = error.source();
    }
    None
}

/// An error with its causes on one line; a cause that the text before names already is left out.
fn chain(error: &(dyn StdError + 'static)) -> String {
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
