//! Stash entries for other machines (`docs/format/remote.md`, *Entries*): their names, and how they come and go.
//!
//! Their bytes are `stem_bundle::shelved`, and what an entry says is none of this crate's business either. Rejected: several requests for one entry (head and text as keys of their own), for then there would be halves.

use std::io;

use futures_util::StreamExt;
use stem_bundle::shelved::{BadEntry, MAX_ENTRY_LEN, Shelved, decode, decode_head, encode};
use stem_store::{Error, ErrorKind, Operation, Result};
use uuid::Uuid;

use crate::bucket::Bucket;
use crate::client::{Client, Shared};
use crate::error::told;
use crate::layout::ENTRIES;
use crate::wait::wait;

/// Entries that a store may have.
const MOST_ENTRIES: usize = 65_536;
/// Fetched at first of an entry whose head is wanted; nearly every head is shorter.
const FIRST: u64 = 1024;
/// Heads on their way at the same time.
const HEADS: usize = 16;
/// The same for whole entries, which may be large.
const WHOLE: usize = 4;
/// Damaged bytes are fetched so often before they are believed to lie so.
const READS: usize = 2;

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryKey {
    /// Its name: time, hyphen, random digits.
    pub name: String,
    /// How long it is as it is stored, in bytes.
    pub size: u64,
}

/// Whether this is how a name begins: `20261122T083413597654Z`.
fn is_time(text: &str) -> bool {
    text.len() == 22
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            21 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether this is the name of an entry.
fn is_name(name: &str) -> bool {
    let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.split_once('-')
        .is_some_and(|(time, digits)| is_time(time) && digits.len() == 32 && digits.bytes().all(lower))
}

fn key_of(name: &str) -> String {
    format!("{ENTRIES}/{name}")
}

/// The entries that a list shows, by name; newest first.
fn listed(client: &Client) -> io::Result<Vec<EntryKey>> {
    let mut found: Vec<EntryKey> = client
        .list(ENTRIES)?
        .into_iter()
        .filter_map(|listed| match &listed.parts[..] {
            [name] if is_name(name) => Some(EntryKey { name: name.clone(), size: listed.size }),
            _ => None,
        })
        .collect();
    if found.len() > MOST_ENTRIES {
        let words =
            format!("it has {} entries, and at most {MOST_ENTRIES} are read: remove some", found.len());
        return Err(told(io::ErrorKind::InvalidData, words));
    }
    found.sort_unstable_by(|a, b| b.name.cmp(&a.name));
    Ok(found)
}

/// The names of all entries, newest first.
pub(crate) fn names(client: &Client) -> io::Result<Vec<String>> {
    Ok(listed(client)?.into_iter().map(|key| key.name).collect())
}

/// The text of an entry, whole and as its checksums say.
pub(crate) fn text(client: &Client, name: &str) -> io::Result<Vec<u8>> {
    let words = || told(io::ErrorKind::NotFound, format!("entry '{name}' is gone"));
    let work = read(Shared::new(client.clone()), name.to_owned());
    Ok(wait(work)?.ok_or_else(words)?.text)
}

/// What is wrong with an entry, with its name.
fn bad(name: &str, problem: BadEntry) -> io::Error {
    let kind = match problem {
        BadEntry::Version(_) => io::ErrorKind::Unsupported,
        BadEntry::Damaged(_) | BadEntry::TooLarge => io::ErrorKind::InvalidData,
    };
    told(kind, format!("entry '{name}' cannot be used: {problem}"))
}

/// A whole entry; `None` if it is not there. What is damaged is fetched again: it may have been damaged on the way.
async fn read(client: Shared, name: String) -> io::Result<Option<Shelved>> {
    if !is_name(&name) {
        return Ok(None);
    }
    let mut reads = 1;
    loop {
        let Some(bytes) = client.read_key(&key_of(&name), MAX_ENTRY_LEN).await? else { return Ok(None) };
        match decode(&bytes) {
            Ok(shelved) => return Ok(Some(shelved)),
            Err(BadEntry::Damaged(_)) if reads < READS => reads += 1,
            Err(problem) => return Err(bad(&name, problem)),
        }
    }
}

/// The head of an entry alone, by a range.
async fn read_head(client: Shared, key: EntryKey) -> io::Result<Vec<u8>> {
    let EntryKey { name, size } = &key;
    let mut reads = 1;
    let mut end = (*size).min(FIRST);
    let mut bytes = Vec::new();
    loop {
        let from = bytes.len() as u64;
        if end > from {
            bytes.extend(client.fetch_all(&key_of(name), from..end).await?);
        }
        let problem = match decode_head(&bytes) {
            Ok(Ok(head)) => return Ok(head.to_vec()),
            Ok(Err(needed)) if needed as u64 <= *size && (bytes.len() as u64) == end => {
                end = needed as u64;
                continue;
            }
            Ok(Err(_)) => BadEntry::SHORT,
            Err(problem) => problem,
        };
        if reads >= READS || matches!(problem, BadEntry::Version(_)) {
            return Err(bad(name, problem));
        }
        reads += 1;
        bytes.clear();
        end = (*size).min(FIRST);
    }
}

/// Uploads an entry under a name of its own; says the name when the service has all of it.
fn publish(client: &Client, time: &str, head: &[u8], text: &[u8]) -> io::Result<String> {
    if !is_time(time) {
        return Err(told(io::ErrorKind::InvalidInput, format!("'{time}' is no time of an entry")));
    }
    let bytes =
        encode(head, text).map_err(|problem| told(io::ErrorKind::InvalidInput, problem.to_string()))?;
    client.probe()?;
    let name = format!("{time}-{}", Uuid::new_v4().simple());
    let (client, key) = (client.clone(), key_of(&name));
    // Compares what the service then has, in length.
    wait(async move { client.put_new(&key, bytes).await })?;
    Ok(name)
}

impl Bucket {
    fn unread(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::InvalidData {
            return Error::new(ErrorKind::Corrupt, Operation::Read, self.name()).with_source(error);
        }
        self.failed(Operation::Read, error)
    }

    /// The entries, newest first.
    ///
    /// # Errors
    ///
    /// What the service says; more entries than the format allows.
    pub fn entries(&self) -> Result<Vec<EntryKey>> {
        listed(&self.client).map_err(|error| self.failed(Operation::List, error))
    }

    /// The heads of entries, in this order, several requests at the same time. One that cannot be had says why.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Interrupted`] when the program asked to stop.
    pub fn entry_heads(&self, keys: &[EntryKey]) -> Result<Vec<Result<Vec<u8>>>> {
        let (client, keys) = (self.client.clone(), keys.to_vec());
        let heads = wait(async move {
            let heads = keys.into_iter().map(move |key| read_head(Shared::clone(&client), key));
            Ok(futures_util::stream::iter(heads).buffered(HEADS).collect::<Vec<_>>().await)
        });
        let heads = heads.map_err(|error| self.unread(error))?;
        Ok(heads.into_iter().map(|head| head.map_err(|error| self.unread(error))).collect())
    }

    /// Whole entries, as their checksums say, several requests at the same time; `None` where there is none of this name. One that
    /// cannot be had says why: [`ErrorKind::Corrupt`], [`ErrorKind::Unsupported`] for a newer version, or what the service says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Interrupted`] when the program asked to stop.
    pub fn whole_entries(&self, names: &[String]) -> Result<Vec<Result<Option<Shelved>>>> {
        let (client, names) = (self.client.clone(), names.to_vec());
        let entries = wait(async move {
            let entries = names.into_iter().map(move |name| read(Shared::clone(&client), name));
            Ok(futures_util::stream::iter(entries).buffered(WHOLE).collect::<Vec<_>>().await)
        });
        let entries = entries.map_err(|error| self.failed(Operation::Read, error))?;
        Ok(entries.into_iter().map(|entry| entry.map_err(|error| self.unread(error))).collect())
    }

    /// Publishes an entry whose objects are durable here, and says its name. `time` is that of the name, as in
    /// `20261122T083413597654Z`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] where nothing was ever stored, and for an entry beyond the limits; what the service says. Then
    /// the entry is there whole or not at all.
    pub fn publish_entry(&self, time: &str, head: &[u8], text: &[u8]) -> Result<String> {
        if self.marker.is_none() {
            return Err(Error::new(ErrorKind::InvalidInput, Operation::Put, self.name())
                .with_reason("there are no objects here, and so nothing that an entry could name"));
        }
        publish(&self.client, time, head, text).map_err(|error| self.failed(Operation::Put, error))
    }

    /// Removes an entry. Its objects stay until they are collected.
    ///
    /// # Errors
    ///
    /// What the service says. `false`: there was none of this name.
    pub fn remove_entry(&self, name: &str) -> Result<bool> {
        if !is_name(name) {
            return Ok(false);
        }
        let (client, key) = (self.client.clone(), key_of(name));
        let work = || {
            let (asked, wanted) = (client.clone(), key.clone());
            let there = wait(async move { asked.size(&wanted).await })?.is_some();
            client.remove(vec![key.clone()]).map(|()| there)
        };
        work().map_err(|error| self.failed(Operation::Remove, error))
    }
}

#[cfg(test)]
mod tests;
