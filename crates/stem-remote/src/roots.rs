//! What this client needs, and what nobody may rely on (`docs/format/remote.md`, *Roots, condemned packs, removal*).

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stem_fs::Timestamp;
use stem_hash::ObjectId;
use stem_pack::format::PackId;
use stem_pack::{Look, Moment};
use uuid::Uuid;

use crate::client::Shared;
use crate::error::told;
use crate::identity::Identity;
use crate::layout::{CONDEMNED, PACKS, PackKey, ROOTS, index_key, is_hex_name, parse_pack_name};
use crate::lists;
use crate::wait::wait;

/// A list is joined with older ones of this handle that have up to so many times as many rows: so there are few lists, and each id is
/// written few times.
const COMPARABLE: usize = 2;
/// Longer lists are left as they are, and forgotten.
const MOST_JOINED: usize = 1 << 17;
/// So many packs are asked for one by one, more by a list.
const ASKED: usize = 2;
/// A push may take so long by this machine's clocks without the service's being asked.
const SHORT: Duration = Duration::from_hours(1);
/// Half of the seven days.
const LONGEST: i64 = 7 * 86_400 / 2;
/// Condemned lists that a store may have.
const MOST_LISTS: usize = 1 << 16;

/// What one handle says and knows of roots.
#[derive(Debug)]
pub(crate) struct RemoteRoots {
    client: Shared,
    identity: Identity,
    /// Lists that this handle wrote and may join, the last one last.
    written: Mutex<Vec<Written>>,
    /// Condemned lists by name: none is ever changed.
    condemned: Mutex<HashMap<String, Vec<PackId>>>,
}

#[derive(Debug)]
struct Written {
    key: String,
    rows: Vec<ObjectId>,
}

impl RemoteRoots {
    pub(crate) fn new(client: Shared, identity: Identity) -> Self {
        Self { client, identity, written: Mutex::default(), condemned: Mutex::default() }
    }

    /// Writes lists of these rows, each under a new name.
    fn write(&self, rows: &[ObjectId]) -> io::Result<Vec<String>> {
        let id = self.identity.id()?;
        let mut keys = Vec::new();
        for list in lists::encode(rows) {
            let key = format!("{ROOTS}/{id}/{}", Uuid::new_v4().simple());
            self.client.put(&key, list)?;
            keys.push(key);
        }
        Ok(keys)
    }

    pub(crate) fn publish(&self, needed: &[ObjectId]) -> io::Result<()> {
        let mut written = self.written.lock();
        let mut rows = needed.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let mut kept = written.len();
        while let Some(before) = kept.checked_sub(1).and_then(|at| written.get(at))
            && before.rows.len() <= COMPARABLE * rows.len()
            && before.rows.len() + rows.len() <= MOST_JOINED
        {
            rows.extend(&before.rows);
            rows.sort_unstable();
            rows.dedup();
            kept -= 1;
        }
        let keys = self.write(&rows)?;
        let joined: Vec<String> = written.drain(kept..).map(|list| list.key).collect();
        if let [key] = keys.as_slice()
            && rows.len() <= MOST_JOINED
        {
            written.push(Written { key: key.clone(), rows });
        }
        if !joined.is_empty() {
            // One that stays, since this client may not delete or the network failed, keeps what it names and nothing else.
            let _ = self.client.remove(joined);
        }
        Ok(())
    }

    /// The new lists are there before the old ones go.
    pub(crate) fn replace(&self, needed: &[ObjectId]) -> io::Result<()> {
        let mut written = self.written.lock();
        let top = format!("{ROOTS}/{}", self.identity.id()?);
        let before = self.client.list(&top)?;
        self.write(needed)?;
        written.clear();
        let ours = before.iter().filter_map(|listed| match listed.parts.as_slice() {
            [name] if is_hex_name(name) => Some(format!("{top}/{name}")),
            _ => None,
        });
        self.client.remove(ours.collect())
    }

    pub(crate) fn entrust(&self, ids: &[ObjectId]) -> io::Result<()> {
        let mut written = self.written.lock();
        let covered = |list: &Written| list.rows.iter().all(|id| ids.binary_search(id).is_ok());
        let (done, kept) = written.drain(..).partition(covered);
        *written = kept;
        let keys: Vec<String> = Vec::into_iter(done).map(|list: Written| list.key).collect();
        if keys.is_empty() { Ok(()) } else { self.client.remove(keys) }
    }

    pub(crate) fn look(&self) -> io::Result<Look> {
        // Before, not after: what is condemned while this reads is not older than that.
        let at = Moment::now(self.client.dated()?);
        let mut known = self.condemned.lock();
        let mut there = HashMap::new();
        for listed in self.client.list(CONDEMNED)? {
            let [name] = listed.parts.as_slice() else { continue };
            if !is_hex_name(name) {
                continue;
            }
            if there.len() >= MOST_LISTS {
                return Err(told(
                    io::ErrorKind::InvalidData,
                    format!("there are more than {MOST_LISTS} condemned lists"),
                ));
            }
            let rows = match known.remove(name) {
                Some(rows) => rows,
                None => match self.fetch(name)? {
                    Some(rows) => rows,
                    // It went while this looked.
                    None => continue,
                },
            };
            there.insert(name.clone(), rows);
        }
        let condemned: HashSet<PackId> = there.values().flatten().copied().collect();
        *known = there;
        Ok(Look { condemned: Arc::new(condemned), at })
    }

    fn fetch(&self, name: &str) -> io::Result<Option<Vec<PackId>>> {
        let key = format!("{CONDEMNED}/{name}");
        let Some(bytes) = self.client.read(&key, lists::longest::<PackId>())? else { return Ok(None) };
        lists::decode(&bytes).map(Some).map_err(|bad| {
            told(
                io::ErrorKind::InvalidData,
                format!("key '{key}': {bad}; so nobody can say which packs may be relied on"),
            )
        })
    }

    /// A pack is there as long as its index is, which goes first.
    pub(crate) fn gone(&self, packs: &[PackId]) -> io::Result<Vec<PackId>> {
        let mut open = packs.to_vec();
        if packs.len() > ASKED {
            let mut there = HashSet::new();
            for listed in self.client.list(PACKS)? {
                if let [name] = listed.parts.as_slice()
                    && let Some(PackKey::Index(id)) = parse_pack_name(name)
                {
                    there.insert(id);
                }
            }
            open.retain(|id| !there.contains(id));
        }
        // A list may be stale: whoever is not in it is asked for.
        let client = self.client.clone();
        wait(async move {
            let mut gone = Vec::new();
            for id in open {
                if client.size(&index_key(id)).await?.is_none() {
                    gone.push(id);
                }
            }
            Ok(gone)
        })
    }

    pub(crate) fn is_timely(&self, since: &Moment) -> io::Result<bool> {
        if since.age().is_some_and(|age| age <= SHORT) {
            return Ok(true);
        }
        let now = self.client.service_time()?;
        Ok(is_within(since.depot, now))
    }
}

/// Whether a push that began then may end now, by the service's clock.
fn is_within(began: Option<Timestamp>, now: Timestamp) -> bool {
    began.is_some_and(|began| now.secs.saturating_sub(began.secs) < LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/format/remote.md");

    fn at(secs: i64) -> Timestamp {
        Timestamp { secs, nanos: 0 }
    }

    #[test]
    fn a_push_may_take_three_and_a_half_days_of_the_services_time() {
        assert!(DOCUMENT.contains("3.5 days"));
        assert!(is_within(Some(at(1000)), at(1000 + 302_399)));
        assert!(!is_within(Some(at(1000)), at(1000 + 302_400)));
        // Nobody knows when it began.
        assert!(!is_within(None, at(0)));
        assert!(!is_within(Some(at(i64::MIN)), at(i64::MAX)));
    }
}
