//! Looking at every byte of a store.
//!
//! Largest objects first, one on each thread: what a store can read in parallel it does, and no large object is left over
//! for a single thread at the end. What was found sound before (a run that was stopped) can be left out.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use stem_hash::{IdPrefix, ObjectId};
use stem_store::{Error, ErrorKind, Maintain, Result, StructureDamage, Verified};

/// Follows a verification; called from any thread.
pub trait Observer: Sync {
    /// So many objects with so many bytes are to be looked at.
    fn begin(&self, objects: u64, bytes: u64) {
        let _ = (objects, bytes);
    }

    /// This object was looked at; `sound` if there is nothing wrong with it.
    fn looked_at(&self, id: &ObjectId, size: u64, sound: bool) {
        let _ = (id, size, sound);
    }

    /// Whether to stop before the next object.
    fn cancelled(&self) -> bool {
        false
    }
}

/// An object that is not what its id says, or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadObject {
    /// Its id.
    pub id: ObjectId,
    /// What is wrong, for people.
    pub reason: String,
    /// Whether it could not be read at all for want of permission, so that nobody knows whether it is damaged.
    pub denied: bool,
}

/// What a verification showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// The ids of all objects, sorted.
    pub ids: Vec<ObjectId>,
    /// Objects looked at.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Damaged objects, by id.
    pub bad: Vec<BadObject>,
    /// What else is wrong with the store.
    pub structure: Vec<StructureDamage>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// Verifies every object of the store but those in `skip`, which is sorted, and then the store's own structure.
pub fn verify_all(store: &dyn Maintain, skip: &[ObjectId], observer: &dyn Observer) -> Result<Checked> {
    let mut checked = Checked::default();
    for first in IdPrefix::ALL.first_bytes() {
        list_shard(store, first, &mut checked)?;
    }
    checked.ids.sort_unstable();
    checked.ids.dedup();
    let mut todo: Vec<(ObjectId, u64)> = Vec::new();
    for id in checked.ids.iter().filter(|id| skip.binary_search(id).is_err()) {
        // What has no size is damaged in a way that looking at it will tell.
        todo.push((*id, store.stat(id).ok().flatten().map_or(0, |stat| stat.size)));
    }
    // Stable, so that small objects keep the order in which a disk may have them.
    todo.sort_by_key(|(_, size)| Reverse(*size));
    observer.begin(todo.len() as u64, todo.iter().map(|(_, size)| size).sum());
    look(store, &todo, observer, &mut checked)?;
    if !checked.stopped {
        store.check_structure(&mut |damage| {
            if !checked.structure.contains(&damage) {
                checked.structure.push(damage);
            }
        })?;
    }
    Ok(checked)
}

/// The ids that begin with this byte. A part of the store that cannot be listed is damage of its own, and no reason to
/// look at nothing else.
fn list_shard(store: &dyn Maintain, first: u8, checked: &mut Checked) -> Result<()> {
    let Ok(prefix) = IdPrefix::parse_bytes(format!("{first:02x}").as_bytes()) else { return Ok(()) };
    let listed = store.list(&prefix, &mut |id| {
        checked.ids.push(id);
        ControlFlow::Continue(())
    });
    match listed {
        Err(error) if is_damage(error.kind()) => {
            let path = error.path().map(std::path::Path::to_path_buf);
            checked.structure.push(StructureDamage { path, reason: words(&error) });
            Ok(())
        }
        other => other,
    }
}

/// Whether an error speaks of one object rather than of the whole store.
fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::PermissionDenied | ErrorKind::InvalidInput)
}

pub(crate) fn words(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

fn look(
    store: &dyn Maintain,
    todo: &[(ObjectId, u64)],
    observer: &dyn Observer,
    checked: &mut Checked,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let found = Mutex::new((&mut *checked, None::<Error>));
    let work = || {
        while !stopped.load(Ordering::Relaxed) {
            let Some((id, size)) = todo.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            if observer.cancelled() {
                stopped.store(true, Ordering::Relaxed);
                return;
            }
            let answer = store.verify(id);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let sound = match answer {
                Ok(Some(Verified::Sound { size })) => {
                    found.0.bytes += size;
                    true
                }
                Ok(Some(Verified::Damaged { reason })) => {
                    found.0.bad.push(BadObject { id: *id, reason, denied: false });
                    false
                }
                // Removed since it was listed; whoever still needs it will miss it.
                Ok(None) => continue,
                Err(error) if is_damage(error.kind()) => {
                    let denied = error.kind() == ErrorKind::PermissionDenied;
                    found.0.bad.push(BadObject { id: *id, reason: words(&error), denied });
                    false
                }
                Err(error) => {
                    found.1 = Some(error);
                    stopped.store(true, Ordering::Relaxed);
                    return;
                }
            };
            found.0.objects += 1;
            drop(found);
            observer.looked_at(id, *size, sound);
        }
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(todo.len()) {
            scope.spawn(|_| work());
        }
    });
    let (_, error) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = error {
        return Err(error);
    }
    checked.stopped = stopped.into_inner();
    checked.bad.sort_by_key(|bad| bad.id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stem_hash::Algorithm;
    use stem_store::{MemoryStore, ObjectStoreExt};

    struct Counts {
        stop_after: usize,
        seen: Mutex<Vec<(ObjectId, u64, bool)>>,
    }

    impl Counts {
        fn new(stop_after: usize) -> Self {
            Self { stop_after, seen: Mutex::default() }
        }
    }

    impl Observer for Counts {
        fn looked_at(&self, id: &ObjectId, size: u64, sound: bool) {
            self.seen.lock().unwrap().push((*id, size, sound));
        }
        fn cancelled(&self) -> bool {
            self.seen.lock().unwrap().len() >= self.stop_after
        }
    }

    fn filled() -> (MemoryStore, Vec<ObjectId>) {
        let store = MemoryStore::new(Algorithm::Sha256);
        let bytes = |n: usize| vec![b'x'; 1 + n * 10];
        let ids = (0..100).map(|n| store.put_bytes(&bytes(n)).unwrap().digest.id).collect();
        (store, ids)
    }

    #[test]
    fn every_object_is_looked_at_once_and_damage_is_found() {
        let (store, ids) = filled();
        store.damage(&ids[7], |bytes| bytes[0] ^= 1);
        let counts = Counts::new(usize::MAX);
        let checked = verify_all(&store, &[], &counts).unwrap();
        assert_eq!((checked.objects, checked.ids.len(), checked.stopped), (100, 100, false));
        assert_eq!(checked.bad.iter().map(|bad| bad.id).collect::<Vec<_>>(), [ids[7]]);
        assert_eq!(counts.seen.lock().unwrap().iter().filter(|(_, _, sound)| !sound).count(), 1);
    }

    #[test]
    fn a_run_that_was_stopped_goes_on_where_it_was() {
        let (store, _) = filled();
        let counts = Counts::new(40);
        let checked = verify_all(&store, &[], &counts).unwrap();
        assert!(checked.stopped);
        let mut done: Vec<ObjectId> = counts.seen.lock().unwrap().iter().map(|(id, ..)| *id).collect();
        assert!((40..100).contains(&done.len()), "{}", done.len());
        done.sort_unstable();
        let rest = verify_all(&store, &done, &Counts::new(usize::MAX)).unwrap();
        assert_eq!(rest.objects, 100 - done.len() as u64);
    }
}
