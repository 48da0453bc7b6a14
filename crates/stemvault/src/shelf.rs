//! The entries of a store in a bucket, which machines hand to each other: `docs/format/remote.md`, *Entries*.
//!
//! `stem-remote` knows the bytes, `stem-stash` the entry and what is told of it; here they meet, and every entry is judged as that of
//! a bundle is. Objects come and go by [`copy()`](crate::copy()).

use stem_hash::Algorithm;
use stem_odb::{StoreUrl, hide_passwords};
use stem_stash::format::entry::{decode, encode};
use stem_stash::format::summary::{self, EntrySummary};
use stem_stash::{Phase, Progress, StashEntry};
use stem_store::ErrorKind;

use crate::error::{Error, Result};
use crate::exchange::{ExchangeError, some_of, unfit_paths};

#[cfg(feature = "remote")]
use stem_odb::open_bucket;
#[cfg(feature = "remote")]
use stem_remote::{Bucket, EntryKey, Shelved};

#[cfg(not(feature = "remote"))]
use self::none::{Bucket, EntryKey, Shelved, open_bucket};

/// Entries that are asked for at once; between them the user may stop.
const AT_ONCE: usize = 64;
/// Names that are told where a reference fits several.
const NAMED: usize = 3;
/// What the name of an entry begins with whose origin has no time.
const NO_TIME: &str = "00010101T000000000000Z";

/// The entries of a store in a bucket.
#[derive(Debug)]
pub struct Shelf {
    bucket: Bucket,
    name: String,
}

/// An entry of a list, readable or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelfEntry {
    /// Position, 0 = newest.
    pub index: usize,
    /// Its name there.
    pub name: String,
    /// What is told of it, or why that cannot be read.
    pub summary: std::result::Result<EntrySummary, String>,
}

impl Shelf {
    /// Opens the store that a URL names; nothing is written.
    ///
    /// # Errors
    ///
    /// [`stem_odb::Error::InvalidUrl`] for a store that is not in a bucket; what the service says.
    pub fn open(url: &StoreUrl) -> Result<Self> {
        Ok(Self { bucket: open_bucket(url)?, name: hide_passwords(&url.to_string()) })
    }

    /// Its URL, without secrets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the ids of its objects are made with; `None` where nothing was ever stored.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.bucket.algorithm()
    }

    /// The entries, newest first. Of each only the head is read.
    ///
    /// # Errors
    ///
    /// What the service says. An entry that cannot be read is no error.
    pub fn list(&self, progress: &dyn Progress) -> Result<Vec<ShelfEntry>> {
        let keys = self.bucket.entries()?;
        self.summaries(&keys, progress)
    }

    fn summaries(&self, keys: &[EntryKey], progress: &dyn Progress) -> Result<Vec<ShelfEntry>> {
        progress.begin(Phase::Listing, keys.len() as u64, 0);
        let mut found = Vec::with_capacity(keys.len());
        for part in keys.chunks(AT_ONCE) {
            go_on(progress)?;
            for (key, head) in part.iter().zip(self.bucket.entry_heads(part)?) {
                let summary = match head {
                    Ok(head) => summary::decode(&head).map_err(|error| error.to_string()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error.into()),
                    Err(error) => Err(words(&error)),
                };
                found.push(ShelfEntry { index: found.len(), name: key.name.clone(), summary });
            }
            progress.advance(part.len() as u64, 0);
        }
        Ok(found)
    }

    /// The one entry that a reference means: `N` or `remote@{N}`, 0 being the newest, or the beginning of its name, its `stash_id`
    /// or its origin.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::NoShelved`] and [`ExchangeError::AmbiguousShelved`]; what the service says.
    pub fn find(&self, reference: &str, progress: &dyn Progress) -> Result<ShelfEntry> {
        let keys = self.bucket.entries()?;
        let at = self.position(&keys, reference, progress)?;
        let key = keys.get(at..=at).unwrap_or_default();
        let mut found = self.summaries(key, progress)?;
        let entry = found.pop().ok_or_else(|| self.no_entry(reference, keys.len()))?;
        Ok(ShelfEntry { index: at, ..entry })
    }

    fn position(&self, keys: &[EntryKey], reference: &str, progress: &dyn Progress) -> Result<usize> {
        let numbered = reference.split_once("@{").and_then(|(_, rest)| rest.strip_suffix('}'));
        let text = numbered.unwrap_or(reference);
        if !text.is_empty() && text.len() < 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let at = text.parse().unwrap_or(usize::MAX);
            if at < keys.len() {
                return Ok(at);
            }
        }
        let fits: Vec<usize> = if reference.starts_with("stash-") {
            let listed = self.summaries(keys, progress)?;
            let fits = |summary: &EntrySummary| {
                summary.stash_id.as_str().starts_with(reference)
                    || summary.origin.as_str().starts_with(reference)
            };
            let fitting = listed.iter().filter(|entry| entry.summary.as_ref().is_ok_and(fits));
            fitting.map(|entry| entry.index).collect()
        } else {
            // Three digits are a number that is too large rather than the beginning of a year.
            let fits = |key: &EntryKey| reference.len() >= 4 && key.name.starts_with(reference);
            keys.iter().enumerate().filter(|(_, key)| fits(key)).map(|(at, _)| at).collect()
        };
        match fits[..] {
            [at] => Ok(at),
            [] => Err(self.no_entry(reference, keys.len())),
            _ => {
                let names =
                    fits.iter().take(NAMED).filter_map(|&at| Some(keys.get(at)?.name.clone())).collect();
                let (reference, place) = (reference.to_owned(), self.name.clone());
                let number = fits.len();
                Err(ExchangeError::AmbiguousShelved { reference, place, names, number }.into())
            }
        }
    }

    fn no_entry(&self, reference: &str, entries: usize) -> Error {
        ExchangeError::NoShelved { reference: reference.to_owned(), place: self.name.clone(), entries }.into()
    }

    /// Removes an entry for everybody; its objects stay until they are collected. `false`: it was gone.
    pub fn remove(&self, name: &str) -> Result<bool> {
        Ok(self.bucket.remove_entry(name)?)
    }

    /// The names of all entries, newest first.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        Ok(self.bucket.entries()?.into_iter().map(|key| key.name).collect())
    }

    /// The entries of these names, each if nothing is wrong with it.
    pub(crate) fn read(&self, names: &[String], progress: &dyn Progress) -> Result<Vec<Result<StashEntry>>> {
        progress.begin(Phase::Listing, names.len() as u64, 0);
        let mut found = Vec::with_capacity(names.len());
        for part in names.chunks(AT_ONCE) {
            go_on(progress)?;
            for (name, entry) in part.iter().zip(self.bucket.whole_entries(part)?) {
                found.push(match entry {
                    Ok(Some(shelved)) => self.checked(name, &shelved),
                    Ok(None) => Err(self.refused(name, "it is gone: somebody removed it".into())),
                    Err(error) => match error.kind() {
                        ErrorKind::Interrupted => return Err(error.into()),
                        ErrorKind::Corrupt | ErrorKind::Unsupported => Err(self.refused(name, words(&error))),
                        _ => Err(error.into()),
                    },
                });
            }
            progress.advance(part.len() as u64, 0);
        }
        Ok(found)
    }

    fn refused(&self, name: &str, problem: String) -> Error {
        ExchangeError::Shelved { name: name.to_owned(), place: self.name.clone(), problem }.into()
    }

    /// The entry, if nothing is wrong with it.
    fn checked(&self, name: &str, shelved: &Shelved) -> Result<StashEntry> {
        let refused = |problem: String| self.refused(name, problem);
        let entry = decode(&shelved.text).map_err(|error| refused(error.to_string()))?;
        if encode(&entry).ok().as_deref() != Some(&*shelved.text) {
            let problem = "it is not written as this program writes entries: use a newer one";
            return Err(refused(problem.into()));
        }
        if summary::encode(&EntrySummary::of(&entry)) != shelved.head {
            return Err(refused("its head is not that of its body".into()));
        }
        let unfit = unfit_paths(&entry);
        if unfit.is_empty() {
            Ok(entry)
        } else {
            Err(refused(format!("control characters in the name of {}", some_of(&unfit))))
        }
    }

    /// The name of this entry, if it is there: it has the same origin and the same manifest.
    pub(crate) fn find_published(
        &self,
        entry: &StashEntry,
        progress: &dyn Progress,
    ) -> Result<Option<String>> {
        let time = time_of(entry);
        let mut names = self.names()?;
        names.retain(|name| name.split_once('-').is_some_and(|(begins, _)| begins == time));
        for (name, there) in names.iter().zip(self.read(&names, progress)?) {
            // One that cannot be read is none.
            if there.is_ok_and(|there| there.origin() == entry.origin() && there.manifest == entry.manifest) {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// Publishes an entry whose objects are durable there, unless it is there. Says its name, and whether it is new.
    pub(crate) fn publish(&self, entry: &StashEntry, progress: &dyn Progress) -> Result<(String, bool)> {
        if let Some(name) = self.find_published(entry, progress)? {
            return Ok((name, false));
        }
        go_on(progress)?;
        let text = encode(entry).map_err(stem_stash::Error::from)?;
        let head = summary::encode(&EntrySummary::of(entry));
        Ok((self.bucket.publish_entry(&time_of(entry), &head, &text)?, true))
    }
}

/// How the entry's name begins: by the time in the id that it keeps, so that it is found again by whoever has it.
fn time_of(entry: &StashEntry) -> String {
    entry.origin().stamp().map_or_else(|| NO_TIME.to_owned(), stem_stash::format::stamp::Stamp::to_name)
}

fn go_on(progress: &dyn Progress) -> Result<()> {
    if progress.cancelled() {
        return Err(stem_stash::Error::Interrupted("nothing was changed").into());
    }
    Ok(())
}

/// What a store says, with its cause.
fn words(error: &stem_store::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// What stands for buckets in a program that was built without them: nothing can be opened.
#[cfg(not(feature = "remote"))]
mod none {
    use stem_hash::Algorithm;
    use stem_odb::{Error, Result, StoreUrl};

    type Told<T> = stem_store::Result<T>;

    #[derive(Debug)]
    pub(super) enum Bucket {}

    #[derive(Debug, Clone)]
    pub(super) struct EntryKey {
        pub(super) name: String,
    }

    pub(super) struct Shelved {
        pub(super) head: Vec<u8>,
        pub(super) text: Vec<u8>,
    }

    pub(super) fn open_bucket(url: &StoreUrl) -> Result<Bucket> {
        let problem = "this program was built without remote stores (the feature 'remote')".to_owned();
        Err(Error::InvalidUrl { url: url.to_string(), problem })
    }

    impl Bucket {
        pub(super) fn algorithm(&self) -> Option<Algorithm> {
            match *self {}
        }

        pub(super) fn entries(&self) -> Told<Vec<EntryKey>> {
            match *self {}
        }

        pub(super) fn entry_heads(&self, _: &[EntryKey]) -> Told<Vec<Told<Vec<u8>>>> {
            match *self {}
        }

        pub(super) fn whole_entries(&self, _: &[String]) -> Told<Vec<Told<Option<Shelved>>>> {
            match *self {}
        }

        pub(super) fn publish_entry(&self, _: &str, _: &[u8], _: &[u8]) -> Told<String> {
            match *self {}
        }

        pub(super) fn remove_entry(&self, _: &str) -> Told<bool> {
            match *self {}
        }
    }
}
