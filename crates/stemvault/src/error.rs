//! One error for whoever embeds the engine.

use std::path::PathBuf;

use stem_stash::ErrorKind;
use thiserror::Error;

/// The result of an operation of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// Anything that the engine reports.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The stash or the repository.
    #[error(transparent)]
    Stash(#[from] stem_stash::Error),
    /// The exchange of entries with other repositories.
    #[error(transparent)]
    Exchange(#[from] crate::exchange::ExchangeError),
    /// A store URL or a configuration.
    #[error(transparent)]
    Odb(#[from] stem_odb::Error),
    /// A store.
    #[error(transparent)]
    Store(#[from] stem_store::Error),
    /// A store that others are copied into.
    #[error("{source}. {objects} objects were copied and stay there; the same command goes on from there")]
    Copy {
        /// Objects that were copied before.
        objects: u64,
        /// What the store says.
        source: stem_store::Error,
    },
    /// The file system.
    #[error(transparent)]
    Fs(#[from] stem_fs::Error),
}

impl Error {
    /// What a caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Stash(error) => error.kind(),
            Self::Exchange(error) => error.kind(),
            Self::Odb(stem_odb::Error::InvalidUrl { .. } | stem_odb::Error::InvalidConfig { .. }) => {
                ErrorKind::User
            }
            Self::Odb(stem_odb::Error::Store(error))
            | Self::Store(error)
            | Self::Copy { source: error, .. } => store_kind(error),
            Self::Odb(_) | Self::Fs(_) => ErrorKind::Internal,
        }
    }

    /// A short name of the kind of error, stable, for JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stash(error) => error.name(),
            Self::Exchange(error) => error.name(),
            Self::Odb(stem_odb::Error::InvalidUrl { .. }) => "invalid_url",
            Self::Odb(stem_odb::Error::InvalidConfig { .. }) => "invalid_config",
            Self::Odb(stem_odb::Error::Store(error))
            | Self::Store(error)
            | Self::Copy { source: error, .. } => match store_kind(error) {
                _ if error.kind() == stem_store::ErrorKind::NoSpace => "no_space",
                ErrorKind::Damaged => "corrupt_object",
                _ => "store",
            },
            Self::Odb(_) | Self::Fs(_) => "io",
        }
    }

    /// The path that the error is about, where there is one.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Stash(error) => error.path(),
            Self::Exchange(error) => error.path(),
            Self::Odb(stem_odb::Error::InvalidConfig { path, .. }) => Some(path.clone()),
            Self::Odb(stem_odb::Error::Store(error))
            | Self::Store(error)
            | Self::Copy { source: error, .. } => error.path().map(PathBuf::from),
            Self::Odb(stem_odb::Error::Fs(error)) | Self::Fs(error) => Some(error.path.clone()),
            Self::Odb(_) => None,
        }
    }
}

fn store_kind(error: &stem_store::Error) -> ErrorKind {
    match error.kind() {
        stem_store::ErrorKind::Corrupt => ErrorKind::Damaged,
        stem_store::ErrorKind::WrongHash | stem_store::ErrorKind::InvalidInput => ErrorKind::User,
        stem_store::ErrorKind::Interrupted => ErrorKind::Interrupted,
        _ => ErrorKind::Internal,
    }
}
