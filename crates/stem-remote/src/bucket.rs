//! What a remote store holds beside objects, for whoever looks after it: entries, roots, condemned packs.

use std::io;

use stem_hash::Algorithm;
use stem_store::{Error, ErrorKind, Operation, Result};

use crate::client::{Client, Shared};
use crate::marker::{self, Marker};
use crate::settings::{Layout, Settings, plain_name};
use crate::{Location, connect};

/// A remote store without its objects: what is in it for other machines, and what it may lose.
#[derive(Debug)]
pub struct Bucket {
    pub(crate) client: Shared,
    /// `None`: nothing was ever stored here.
    pub(crate) marker: Option<Marker>,
    pub(crate) settings: Settings,
    name: String,
}

impl Bucket {
    /// Asks the service for the marker; writes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a location that is none; what the service says.
    pub fn open(location: &Location<'_>) -> Result<Self> {
        let invalid = |problem: String| {
            Error::new(ErrorKind::InvalidInput, Operation::OpenStore, plain_name(location))
                .with_reason(problem)
        };
        let settings = Settings::read(location, &|name| std::env::var(name).ok()).map_err(invalid)?;
        let name = settings.name.clone();
        let service = connect::connect(&settings).map_err(invalid)?;
        let client = Shared::new(Client::new(service, &settings));
        let marker = marker::fetch(&client)
            .map_err(|error| Error::from_io(Operation::OpenStore, name.as_str(), error))?;
        Ok(Self { client, marker, settings, name })
    }

    /// What errors call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its ids are made with; `None` where nothing was ever stored.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.marker.as_ref().map(|marker| marker.algorithm)
    }

    /// Whether its objects lie in packs; an empty store's will.
    pub(crate) fn has_packs(&self) -> bool {
        self.marker.as_ref().is_none_or(|marker| marker.layout == Layout::Packs)
    }

    /// What went wrong, in the words of the contract.
    pub(crate) fn failed(&self, operation: Operation, error: io::Error) -> Error {
        Error::from_io(operation, self.name.as_str(), error)
    }
}
