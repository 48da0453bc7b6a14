//! How a verb tells what it is doing, and is told to stop.

/// What a verb is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for another process that changes this repository.
    Waiting,
    /// Looking at the files of the working tree.
    Scanning,
    /// Hashing files that may be unchanged.
    Hashing,
    /// Bringing files into the store.
    Saving,
    /// Making everything durable.
    Syncing,
    /// Writing files into the working tree.
    Restoring,
    /// Removing saved files from the working tree.
    Clearing,
    /// Reading everything that names objects.
    Marking,
    /// Removing objects that nothing needs.
    Sweeping,
    /// Reading objects to see whether they are whole.
    Verifying,
    /// Bringing damaged objects back from other copies.
    Repairing,
    /// Writing an entry and its objects into a bundle.
    Exporting,
    /// Reading the objects of a bundle.
    Importing,
    /// Comparing two stores.
    Comparing,
    /// Copying objects from one store into another.
    Copying,
    /// Reading the entries of a bucket.
    Listing,
}

impl Phase {
    /// A word for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for another stem",
            Self::Scanning => "scanning",
            Self::Hashing => "hashing",
            Self::Saving => "saving",
            Self::Syncing => "syncing",
            Self::Restoring => "restoring",
            Self::Clearing => "clearing",
            Self::Marking => "marking",
            Self::Sweeping => "sweeping",
            Self::Verifying => "verifying",
            Self::Repairing => "repairing",
            Self::Exporting => "exporting",
            Self::Importing => "importing",
            Self::Comparing => "comparing",
            Self::Copying => "copying",
            Self::Listing => "listing",
        }
    }
}

/// Receives progress, from any thread. All methods have defaults that do nothing.
pub trait Progress: Sync {
    /// A phase begins that will handle so many files and bytes (0: not known).
    fn begin(&self, phase: Phase, files: u64, bytes: u64) {
        let _ = (phase, files, bytes);
    }

    /// So many more files and bytes are done.
    fn advance(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }

    /// Something that the user should read although the verb goes on.
    fn warn(&self, message: &str) {
        let _ = message;
    }

    /// Whether the user wants to stop. Asked between files; the verb then ends in a consistent state with
    /// [`crate::Error::Interrupted`].
    fn cancelled(&self) -> bool {
        false
    }
}

/// Progress that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// Passes everything on but the wish to stop: for work that must be ended once it was begun.
pub(crate) struct Unstoppable<'a>(pub(crate) &'a dyn Progress);

impl Progress for Unstoppable<'_> {
    fn begin(&self, phase: Phase, files: u64, bytes: u64) {
        self.0.begin(phase, files, bytes);
    }

    fn advance(&self, files: u64, bytes: u64) {
        self.0.advance(files, bytes);
    }

    fn warn(&self, message: &str) {
        self.0.warn(message);
    }
}
