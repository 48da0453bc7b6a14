//! Errors of stores: a kind to decide by, and context to read.
//!
//! The kinds are named after what the caller can do next. What happened where is in the message and in the chain of
//! sources; nothing needs to be parsed out of text.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use stem_fs::show_bytes;
use stem_hash::ObjectId;

use crate::file::Stopped;

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What is stored under the id is not the object. Fetch it from another copy; storing it again replaces it.
    Corrupt,
    /// The bytes given do not have the id that the caller expected. Nothing was stored; read the source again.
    WrongHash,
    /// The request makes no sense to this store. Correct it; trying again changes nothing.
    InvalidInput,
    /// The caller's source failed while it was read. The store is fine; nothing was stored.
    Source,
    /// The medium or a quota is full. Free space and try again.
    NoSpace,
    /// The process may not do this. Change permissions or the user.
    PermissionDenied,
    /// The store or its medium accepts no changes.
    ReadOnly,
    /// This store cannot do this at all. Use another way.
    Unsupported,
    /// The store cannot be reached now, or this handle of it is spent. Try again, with a new handle.
    Unavailable,
    /// Objects that a put found present, or that were relied on, are gone from a store that others use too. Put them again.
    Lost,
    /// The caller asked to stop. Nothing was stored.
    Interrupted,
    /// The medium failed. Look at the sources of the error.
    Io,
}

/// What the store was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening the store itself.
    OpenStore,
    /// Looking an object up.
    Stat,
    /// Reading an object from its beginning.
    Read,
    /// Reading a part of an object.
    ReadRange,
    /// Storing an object.
    Put,
    /// Writing an object into a file.
    Restore,
    /// Listing ids.
    List,
    /// Making everything durable.
    Sync,
    /// Checking an object.
    Verify,
    /// Deleting an object.
    Remove,
    /// Compacting the store.
    Repack,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenStore => "open",
            Self::Stat => "look up",
            Self::Read => "read",
            Self::ReadRange => "read a part of",
            Self::Put => "store",
            Self::Restore => "restore",
            Self::List => "list",
            Self::Sync => "make durable",
            Self::Verify => "verify",
            Self::Remove => "remove",
            Self::Repack => "compact",
        })
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failed store operation.
///
/// The message says what was tried, on which object, in which store and why it failed, but not what its sources say:
/// print the chain.
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    operation: Operation,
    store: String,
    id: Option<ObjectId>,
    path: Option<PathBuf>,
    reason: Option<Cow<'static, str>>,
    source: Option<Source>,
}

impl Error {
    /// An error of `operation` in the store named `store` (its URL, as the user knows it).
    pub fn new(kind: ErrorKind, operation: Operation, store: impl Into<String>) -> Self {
        let store = store.into();
        Self(Box::new(Inner { kind, operation, store, id: None, path: None, reason: None, source: None }))
    }

    /// An error of the medium; its kind follows from what the system answered.
    pub fn from_io(operation: Operation, store: impl Into<String>, source: io::Error) -> Self {
        if is_stopped(&source) {
            return Self::interrupted(operation, store);
        }
        Self::new(kind_of(source.kind()), operation, store).with_source(source)
    }

    /// An error of the file system; its kind follows from what the system answered, its path is taken over.
    pub fn from_fs(operation: Operation, store: impl Into<String>, source: stem_fs::Error) -> Self {
        if is_stopped(&source.source) {
            return Self::interrupted(operation, store);
        }
        Self::new(kind_of(source.kind()), operation, store).with_path(source.path.clone()).with_source(source)
    }

    /// An error of the source that the caller gave to be stored.
    ///
    /// A source that is another store's reader fails with that store's own error, which is passed on as it is.
    pub fn from_source(store: impl Into<String>, source: io::Error) -> Self {
        let stopped = is_stopped(&source);
        match Self::from_reader(source) {
            Ok(own) => own,
            Err(_) if stopped => Self::interrupted(Operation::Put, store),
            Err(other) => Self::new(ErrorKind::Source, Operation::Put, store).with_source(other),
        }
    }

    /// The store error inside an error that a [`std::io::Read`] of this crate gave, or the error back.
    pub fn from_reader(error: io::Error) -> std::result::Result<Self, io::Error> {
        error.downcast::<Self>()
    }

    /// `id` holds other bytes than its own.
    pub fn corrupt(operation: Operation, store: impl Into<String>, id: &ObjectId) -> Self {
        Self::new(ErrorKind::Corrupt, operation, store).with_id(id)
    }

    /// The bytes given have the id `found`, but the caller expected `expected`.
    pub fn wrong_hash(store: impl Into<String>, expected: &ObjectId, found: &ObjectId) -> Self {
        Self::new(ErrorKind::WrongHash, Operation::Put, store)
            .with_id(expected)
            .with_reason(format!("the bytes have the id {found}"))
    }

    /// These objects were found there, and are gone.
    pub fn lost_objects(operation: Operation, store: impl Into<String>, mut ids: Vec<ObjectId>) -> Self {
        ids.sort_unstable();
        let error = Self::new(ErrorKind::Lost, operation, store);
        let error = match ids.as_slice() {
            [one] => error.with_id(one),
            _ => error,
        };
        error.with_source(LostObjects(ids))
    }

    /// The objects that are to be put again, sorted; of an error of the kind [`ErrorKind::Lost`].
    pub fn lost(&self) -> &[ObjectId] {
        let source = self.0.source.as_ref().and_then(|source| source.downcast_ref::<LostObjects>());
        source.map_or(&[], |lost| &lost.0)
    }

    /// The caller's progress callback asked to stop.
    pub fn interrupted(operation: Operation, store: impl Into<String>) -> Self {
        Self::new(ErrorKind::Interrupted, operation, store)
    }

    /// Names the object.
    #[must_use]
    pub fn with_id(mut self, id: &ObjectId) -> Self {
        self.0.id = Some(*id);
        self
    }

    /// Names the file or directory.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    /// Says why, in place of the general words for the kind.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// Chains the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The store, by the name that the user knows it by.
    pub fn store(&self) -> &str {
        &self.0.store
    }

    /// The object concerned, if it is one.
    pub fn id(&self) -> Option<&ObjectId> {
        self.0.id.as_ref()
    }

    /// The file or directory concerned, if it is one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }
}

/// Objects that are gone.
#[derive(Debug)]
struct LostObjects(Vec<ObjectId>);

impl fmt::Display for LostObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Ids that are named.
        const NAMED: usize = 8;
        write!(f, "{} of them:", self.0.len())?;
        self.0.iter().take(NAMED).try_for_each(|id| write!(f, " {id}"))?;
        if self.0.len() > NAMED { f.write_str(" …") } else { Ok(()) }
    }
}

impl std::error::Error for LostObjects {}

/// Whether the caller asked for the end of it: no fault of the medium.
fn is_stopped(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Stopped>()).is_some()
}

/// The kind that an answer of the system calls for.
fn kind_of(kind: io::ErrorKind) -> ErrorKind {
    use io::ErrorKind as Io;
    match kind {
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::NoSpace,
        Io::PermissionDenied => ErrorKind::PermissionDenied,
        Io::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        Io::Unsupported => ErrorKind::Unsupported,
        Io::Interrupted => ErrorKind::Interrupted,
        Io::InvalidInput | Io::InvalidFilename => ErrorKind::InvalidInput,
        Io::StaleNetworkFileHandle
        | Io::TimedOut
        | Io::NotConnected
        | Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::BrokenPipe
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown
        | Io::WouldBlock
        | Io::ResourceBusy => ErrorKind::Unavailable,
        _ => ErrorKind::Io,
    }
}

/// The general words for a kind.
fn words(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Corrupt => "the stored bytes are damaged; storing the object again repairs it",
        ErrorKind::WrongHash => "the bytes have another id than expected",
        ErrorKind::InvalidInput => "the request is not valid",
        ErrorKind::Source => "the source could not be read",
        ErrorKind::NoSpace => "there is no space left; free some and try again",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::ReadOnly => "the store cannot be changed",
        ErrorKind::Unsupported => "this store cannot do that",
        ErrorKind::Unavailable => "the store is not available now",
        ErrorKind::Lost => "objects that were found there are gone; store them again",
        ErrorKind::Interrupted => "interrupted",
        ErrorKind::Io => "the medium failed",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, store, id, path, reason, .. } = &*self.0;
        write!(f, "cannot {operation} ")?;
        match (operation, id) {
            (Operation::OpenStore, _) => write!(f, "the store '{store}'")?,
            (_, Some(id)) => write!(f, "object {id} in '{store}'")?,
            (Operation::List | Operation::Sync | Operation::Repack, None) => {
                write!(f, "the objects of '{store}'")?;
            }
            (_, None) => write!(f, "an object in '{store}'")?,
        }
        if let Some(path) = path {
            write!(f, " (at '{}')", show_bytes(path.as_os_str().as_encoded_bytes()))?;
        }
        write!(f, ": {}", reason.as_deref().unwrap_or_else(|| words(*kind)))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

/// For implementing [`std::io::Read`]; [`Error::from_reader`] undoes it.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Corrupt | ErrorKind::WrongHash => io::ErrorKind::InvalidData,
            ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
            // Never `Interrupted`: by convention readers try that again.
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn kinds_follow_from_the_answer_of_the_system() {
        let kind = |kind: io::ErrorKind| Error::from_io(Operation::Put, "s", kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::NoSpace);
        assert_eq!(kind(io::ErrorKind::QuotaExceeded), ErrorKind::NoSpace);
        assert_eq!(kind(io::ErrorKind::PermissionDenied), ErrorKind::PermissionDenied);
        assert_eq!(kind(io::ErrorKind::ReadOnlyFilesystem), ErrorKind::ReadOnly);
        assert_eq!(kind(io::ErrorKind::Interrupted), ErrorKind::Interrupted);
        assert_eq!(kind(io::ErrorKind::Other), ErrorKind::Io);
    }

    #[test]
    fn the_message_names_operation_object_store_path_and_reason_and_leaves_sources_to_the_chain() {
        let id = ObjectId::from_bytes([0xab; 32]);
        let source = io::Error::from(io::ErrorKind::StorageFull);
        let error = Error::from_io(Operation::Put, "sharded:x", source).with_id(&id).with_path("x/ab\n");
        assert_eq!(
            error.to_string(),
            format!(
                "cannot store object {id} in 'sharded:x' (at 'x/ab\\n'): there is no space left; free some and try again"
            )
        );
        assert!(error.source().is_some());
    }

    #[test]
    fn an_error_survives_the_way_through_a_reader() {
        let id = ObjectId::from_bytes([1; 32]);
        let through: io::Error = Error::corrupt(Operation::Read, "a", &id).into();
        assert_eq!(through.kind(), io::ErrorKind::InvalidData);
        let error = Error::from_source("b", through);
        assert_eq!((error.kind(), error.store(), error.id()), (ErrorKind::Corrupt, "a", Some(&id)));
        let other = Error::from_source("b", io::ErrorKind::UnexpectedEof.into());
        assert_eq!((other.kind(), other.store()), (ErrorKind::Source, "b"));
    }
}
