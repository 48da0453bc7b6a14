//! Collecting a store in a bucket: `stem-remote` knows keys and times, `stem-stash` what an entry names.

use stem_hash::ObjectId;
use stem_odb::{StoreUrl, open_bucket};
use stem_remote::{ClientNeeds, CollectOptions, CollectStep, CollectWatch, Collected};
use stem_stash::format::entry::decode;
use stem_stash::{Phase, Progress};

use crate::error::Result;

/// Passes progress on.
struct Watch<'a>(&'a dyn Progress);

impl CollectWatch for Watch<'_> {
    fn step(&self, step: CollectStep) {
        match step {
            CollectStep::Reading => self.0.begin(Phase::Marking, 0, 0),
            CollectStep::Marking(packs) => self.0.begin(Phase::Marking, packs, 0),
            CollectStep::Removing(packs) => self.0.begin(Phase::Sweeping, packs, 0),
        }
    }

    fn advance(&self, packs: u64) {
        self.0.advance(packs, 0);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// What the text of an entry names.
fn needs_of(text: &[u8]) -> std::result::Result<Vec<ObjectId>, String> {
    let entry = decode(text).map_err(|error| format!("its text is no stash entry: {error}"))?;
    Ok(entry.manifest.into_entries().into_iter().map(|(_, id)| id).collect())
}

/// Removes packs of a store in a bucket that no client and no entry has needed for a week, and condemns those that nobody needs now. Any
/// number of clients may use the store meanwhile, and collect it too.
///
/// # Errors
///
/// [`stem_odb::Error::InvalidUrl`] for a store that is not in a bucket; a store's error when something that may name objects cannot be
/// read: then nothing was condemned or removed.
pub fn collect_bucket(
    url: &StoreUrl,
    options: &CollectOptions,
    progress: &dyn Progress,
) -> Result<Collected> {
    Ok(open_bucket(url)?.collect(options, &needs_of, &Watch(progress))?)
}

/// Who has published what they need of a store in a bucket.
///
/// # Errors
///
/// As [`collect_bucket`].
pub fn bucket_clients(url: &StoreUrl) -> Result<Vec<ClientNeeds>> {
    Ok(open_bucket(url)?.clients()?)
}
