//! What everybody needs: roots and entries, read whole or not at all.
//!
//! Keys come and go while they are listed and read. A client replaces its lists by newer ones, and whoever missed the new one on an
//! early page and the old one on a late page would believe that nothing is needed. So keys are listed until a list shows none that was not
//! read, and what was read once counts, whether it is still there or not.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use futures_util::{StreamExt, stream};
use stem_fs::Timestamp;
use stem_hash::ObjectId;
use stem_pack::format::PackId;
use stem_store::{Error, ErrorKind, Operation, Result};

use crate::bucket::Bucket;
use crate::client::{Client, Shared};
use crate::entries;
use crate::error::told;
use crate::layout::{CONDEMNED, ENTRIES, ROOTS, is_hex_name};
use crate::lists::{BadList, Row, decode, longest};
use crate::wait::wait;

/// Lists that a store may have, of each kind.
const MOST_LISTS: usize = 65_536;
/// Lists in memory and on their way at the same time; each has 32 MiB at most.
const AT_ONCE: usize = 4;
/// So often keys are listed until nothing new is among them.
const LOOKS: usize = 16;
/// What is damaged is fetched so often before it is believed to lie so.
const READS: usize = 3;
/// Ids that are collected: 4 GiB.
const MOST_IDS: usize = 1 << 27;
/// Ids that are collected before doubles are looked for.
const SORT_FROM: usize = 1 << 16;
/// Bytes of a list before its rows, and of a row of ids.
const LIST_HEAD: u64 = 56;
const ID: u64 = 32;

/// One that has published what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientNeeds {
    /// 32 hex digits.
    pub client: String,
    /// Its lists.
    pub lists: u64,
    /// Ids in them, doubles included.
    pub ids: u64,
    /// When the last of them was published, by the service's clock.
    pub changed: Timestamp,
}

/// A list of a client.
#[derive(Debug, Clone)]
pub(crate) struct RootKey {
    pub(crate) client: String,
    pub(crate) key: String,
    size: u64,
    pub(crate) since: Timestamp,
}

/// Packs that nobody may rely on, as one list has them.
#[derive(Debug, Clone)]
pub(crate) struct CondemnedList {
    pub(crate) key: String,
    pub(crate) since: Timestamp,
    pub(crate) packs: Vec<PackId>,
}

/// What is needed.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) ids: Vec<ObjectId>,
    room: usize,
    pub(crate) clients: Vec<ClientNeeds>,
    pub(crate) entries: u64,
    /// The newest time of modification that was seen.
    pub(crate) newest: Timestamp,
}

impl Needs {
    fn extend(&mut self, more: Vec<ObjectId>) -> io::Result<()> {
        self.ids.extend(more);
        if self.ids.len() >= self.room.max(SORT_FROM) {
            self.ids.sort_unstable();
            self.ids.dedup();
            self.room = self.ids.len() * 2;
        }
        if self.ids.len() > MOST_IDS {
            return Err(told(io::ErrorKind::InvalidData, format!("more than {MOST_IDS} objects are needed")));
        }
        Ok(())
    }
}

/// The rows of a list; `None`: it is gone.
async fn read_list<R: Row>(client: Shared, key: String) -> io::Result<Option<Vec<R>>> {
    let mut reads = 1;
    loop {
        let Some(bytes) = client.read_key(&key, longest::<R>()).await? else { return Ok(None) };
        match decode(&bytes) {
            Ok(rows) => return Ok(Some(rows)),
            // Perhaps on the way.
            Err(BadList::Damaged(_)) if reads < READS => reads += 1,
            Err(bad) => {
                let kind = match bad {
                    BadList::Version(_) => io::ErrorKind::Unsupported,
                    BadList::Damaged(_) => io::ErrorKind::InvalidData,
                };
                return Err(told(kind, format!("key '{key}': {bad}; nothing can go while it is there")));
            }
        }
    }
}

/// Reads lists, several at a time, and shows each in this order.
fn read_lists<R: Row + Send + 'static>(
    client: &Shared,
    keys: &[String],
    mut show: impl FnMut(usize, Option<Vec<R>>) -> io::Result<()>,
) -> io::Result<()> {
    for (group, keys) in keys.chunks(AT_ONCE).enumerate() {
        let (client, keys) = (client.clone(), keys.to_vec());
        let lists = wait(async move {
            let read = keys.into_iter().map(|key| read_list::<R>(client.clone(), key));
            let lists: Vec<_> = stream::iter(read).buffered(AT_ONCE).collect().await;
            lists.into_iter().collect::<io::Result<Vec<_>>>()
        })?;
        for (at, rows) in lists.into_iter().enumerate() {
            show(group * AT_ONCE + at, rows)?;
        }
    }
    Ok(())
}

/// What a list of keys shows that is gone already: it is older than the keys.
fn stale(key: &str) -> io::Error {
    let words = format!(
        "the service lists key '{key}', which is gone: its lists are older than what it holds. Try again later"
    );
    told(io::ErrorKind::TimedOut, words)
}

fn restless(what: &str) -> io::Error {
    told(io::ErrorKind::TimedOut, format!("what is under '{what}/' changes too fast. Try again later"))
}

/// Fails when there are more than a store may have.
fn bounded<T>(keys: Vec<T>, what: &str) -> io::Result<Vec<T>> {
    if keys.len() > MOST_LISTS {
        let words = format!("there are more than {MOST_LISTS} keys under '{what}/'");
        return Err(told(io::ErrorKind::InvalidData, words));
    }
    Ok(keys)
}

/// The lists of all clients.
pub(crate) fn root_keys(client: &Client) -> io::Result<Vec<RootKey>> {
    let keys = client.list(ROOTS)?.into_iter().filter_map(|listed| match &listed.parts[..] {
        [name, list] if is_hex_name(name) && is_hex_name(list) => Some(RootKey {
            client: name.clone(),
            key: format!("{ROOTS}/{name}/{list}"),
            size: listed.size,
            since: listed.since,
        }),
        _ => None,
    });
    bounded(keys.collect(), ROOTS)
}

/// The clients of these lists.
pub(crate) fn clients_of(keys: &[RootKey]) -> Vec<ClientNeeds> {
    let mut clients = BTreeMap::<&str, ClientNeeds>::new();
    for key in keys {
        let needs = clients.entry(&key.client).or_insert_with(|| ClientNeeds {
            client: key.client.clone(),
            lists: 0,
            ids: 0,
            changed: key.since,
        });
        needs.lists += 1;
        needs.ids += key.size.saturating_sub(LIST_HEAD) / ID;
        needs.changed = needs.changed.max(key.since);
    }
    clients.into_values().collect()
}

/// The condemned lists, all of them as they were at one instant.
pub(crate) fn condemned_lists(client: &Shared) -> io::Result<Vec<CondemnedList>> {
    let mut gone = BTreeSet::new();
    for _ in 0..LOOKS {
        let listed = client.list(CONDEMNED)?.into_iter().filter_map(|listed| match &listed.parts[..] {
            [name] if is_hex_name(name) => Some((format!("{CONDEMNED}/{name}"), listed.since)),
            _ => None,
        });
        // What is gone was never more than a list: no name is used twice.
        let listed: Vec<_> = bounded(listed.filter(|(key, _)| !gone.contains(key)).collect(), CONDEMNED)?;
        let keys: Vec<String> = listed.iter().map(|(key, _)| key.clone()).collect();
        let (mut lists, mut whole) = (Vec::new(), true);
        read_lists::<PackId>(client, &keys, |at, packs| {
            let Some((key, since)) = listed.get(at) else { return Ok(()) };
            if let Some(packs) = packs {
                lists.push(CondemnedList { key: key.clone(), since: *since, packs });
            } else {
                gone.insert(key.clone());
                whole = false;
            }
            Ok(())
        })?;
        if whole {
            return Ok(lists);
        }
    }
    Err(restless(CONDEMNED))
}

/// What the texts of entries name.
pub(crate) type NeedsOfEntry<'a> = &'a dyn Fn(&[u8]) -> std::result::Result<Vec<ObjectId>, String>;

impl Bucket {
    /// Who has published what they need.
    ///
    /// # Errors
    ///
    /// What the service says.
    pub fn clients(&self) -> Result<Vec<ClientNeeds>> {
        if self.marker.is_none() {
            return Ok(Vec::new());
        }
        let keys = root_keys(&self.client).map_err(|error| self.failed(Operation::List, error))?;
        Ok(clients_of(&keys))
    }

    /// Everything that anybody needs, but for `without`.
    pub(crate) fn needs(
        &self,
        without: Option<&str>,
        of_entry: NeedsOfEntry<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Needs> {
        let mut needs = Needs::default();
        self.read_roots(&mut needs, without, go_on)?;
        self.read_entries(&mut needs, of_entry, go_on)?;
        needs.ids.sort_unstable();
        needs.ids.dedup();
        Ok(needs)
    }

    fn stopped(&self) -> Error {
        Error::interrupted(Operation::Repack, self.name())
    }

    fn read_roots(&self, needs: &mut Needs, without: Option<&str>, go_on: &dyn Fn() -> bool) -> Result<()> {
        let failed = |error| self.unreadable(error);
        let (mut seen, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for look in 0..LOOKS {
            let keys = root_keys(&self.client).map_err(failed)?;
            let keys: Vec<RootKey> = keys.into_iter().filter(|key| without != Some(&*key.client)).collect();
            if let Some(key) = keys.iter().find(|key| gone.contains(&key.key)) {
                return Err(failed(stale(&key.key)));
            }
            let fresh: Vec<String> =
                keys.iter().filter(|key| !seen.contains(&key.key)).map(|key| key.key.clone()).collect();
            if look > 0 && fresh.is_empty() {
                needs.newest = keys.iter().map(|key| key.since).fold(needs.newest, Timestamp::max);
                needs.clients = clients_of(&keys);
                return Ok(());
            }
            for group in fresh.chunks(AT_ONCE) {
                if !go_on() {
                    return Err(self.stopped());
                }
                let read = read_lists::<ObjectId>(&self.client, group, |at, ids| {
                    match (ids, group.get(at)) {
                        (Some(ids), _) => needs.extend(ids)?,
                        (None, Some(key)) => drop(gone.insert(key.clone())),
                        (None, None) => {}
                    }
                    Ok(())
                });
                read.map_err(failed)?;
            }
            seen.extend(fresh);
        }
        Err(failed(restless(ROOTS)))
    }

    fn read_entries(
        &self,
        needs: &mut Needs,
        of_entry: NeedsOfEntry<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<()> {
        let failed = |error| self.unreadable(error);
        let mut seen = BTreeSet::new();
        for look in 0..LOOKS {
            let names = entries::names(&self.client).map_err(failed)?;
            let fresh: Vec<String> = names.into_iter().filter(|name| !seen.contains(name)).collect();
            if look > 0 && fresh.is_empty() {
                return Ok(());
            }
            for name in &fresh {
                if !go_on() {
                    return Err(self.stopped());
                }
                match entries::text(&self.client, name) {
                    // A person took it away.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        let words =
                            format!("key '{ENTRIES}/{name}': {error}; nothing can go while it is there");
                        return Err(failed(told(error.kind(), words)));
                    }
                    Ok(text) => {
                        let ids = of_entry(&text).map_err(|problem| {
                            let words = format!(
                                "key '{ENTRIES}/{name}': {problem}; nothing can go while it is there"
                            );
                            failed(told(io::ErrorKind::InvalidData, words))
                        })?;
                        needs.entries += 1;
                        needs.extend(ids).map_err(failed)?;
                    }
                }
            }
            seen.extend(fresh);
        }
        Err(failed(restless(ENTRIES)))
    }

    /// What was read is no list, no entry, or could not be read.
    pub(crate) fn unreadable(&self, error: io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::InvalidData => ErrorKind::Corrupt,
            io::ErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => return self.failed(Operation::Repack, error),
        };
        Error::new(kind, Operation::Repack, self.name()).with_source(error)
    }
}
