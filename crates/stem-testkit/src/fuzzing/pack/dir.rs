//! A store that holds one pack of any bytes.

use std::io::Read;

use stem_hash::{IdPrefix, ObjectId};
use stem_pack::format::PackHeader;
use stem_pack::scan::{Payloads, Scan, rebuild_index};
use stem_pack::{PackOptions, PackStore, index_name, pack_name};
use stem_store::{Error, ErrorKind, Maintain, ObjectStore, ObjectStoreExt, RepackOptions, Verified};

use super::super::accepted;
use super::super::feed::Feed;
use super::check_error;
use super::seal::{Seal, hash, seal_pack};

/// How much of an object is read: an object may well be a few chunks many times over.
const LIMIT: usize = 2 << 20;
/// How many objects are asked for.
const MOST: usize = 24;

/// Opens a store with a pack that somebody made up, asks for everything, stores, removes and compacts.
///
/// # Panics
///
/// When bytes are given that do not have their id, ways of asking contradict each other, or something that could be read is
/// lost by storing or compacting.
pub fn check_pack_store(data: &[u8]) {
    let mut feed = Feed::new(data);
    let [flags, at, damage] = feed.array();
    let mut bytes = feed.rest().to_vec();
    match flags % 4 {
        0 => {}
        1 => seal_pack(&mut bytes, Seal::Checks),
        _ => seal_pack(&mut bytes, Seal::Truth),
    }
    let Ok(header) = PackHeader::decode(&bytes) else { return };
    let temp = accepted(tempfile::tempdir());
    let path = temp.path().join("packs");
    accepted(std::fs::create_dir(&path));
    accepted(std::fs::write(path.join(pack_name(header.id).to_path()), &bytes));
    if flags & 4 != 0 {
        let mut index = Vec::new();
        accepted(rebuild_index(&bytes[..], &mut index).map(drop));
        if flags & 8 != 0 {
            let at = usize::from(at) * index.len() / 256;
            index[at] ^= damage;
        }
        accepted(std::fs::write(path.join(index_name(header.id).to_path()), &index));
    }
    let claims: Vec<ObjectId> = accepted(Scan::open(&bytes[..], Payloads::Skip))
        .filter_map(|record| record.ok().map(|record| record.header.id))
        .collect();
    let mut ids: Vec<ObjectId> = claims.iter().take(MOST).copied().collect();
    ids.push(ObjectId::from_bytes([0xee; 32]));
    let options = PackOptions { cache: 1 << 20, ..PackOptions::default() };
    let store = match PackStore::open(&path, &options) {
        Ok(store) => store,
        Err(error) => return check_error(&error),
    };
    assert_eq!(store.capabilities().algorithm, header.algorithm);
    let before: Vec<Option<Vec<u8>>> = ids
        .iter()
        .map(|id| look(&store, id, claims.iter().filter(|claim| *claim == id).count() > 1))
        .collect();
    check_list(&store);
    let mut reports = 0;
    accepted(store.check_packs(&mut |report| {
        reports += 1;
        assert!(report.records <= bytes.len() as u64);
        std::ops::ControlFlow::Continue(())
    }));
    assert_eq!(reports, 1);
    check_changes(&store, &path, &options, &claims, &ids, &before);
}

/// What the object's bytes are, if they can be had, by every way of asking.
///
/// `twice` says that the id may stand in two records. One of them may then lie with a check that is right: its bytes are
/// never given, but its length may be, by whoever does not look at bytes.
fn look(store: &PackStore, id: &ObjectId, twice: bool) -> Option<Vec<u8>> {
    let stat = store.stat(id);
    let read = read(store, id);
    match (&stat, &read) {
        (Ok(Some(stat)), Ok(Some(bytes))) if bytes.len() < LIMIT => {
            let same = stat.size == bytes.len() as u64;
            assert!(same || twice, "{id} has {} bytes, not {}", bytes.len(), stat.size);
            let algorithm = store.capabilities().algorithm;
            assert_eq!(hash(algorithm, bytes), *id, "bytes that do not have their id");
        }
        (Ok(None), Ok(found)) => assert!(found.is_none(), "an object that is not there is read"),
        (Ok(Some(_)), Ok(None)) => panic!("an object that is there cannot be opened"),
        _ => {}
    }
    for error in [stat.as_ref().err(), read.as_ref().err()].into_iter().flatten() {
        check_kind(error);
    }
    let Ok(Some(stat)) = stat else { return None };
    let whole = match &read {
        Ok(Some(bytes)) if bytes.len() < LIMIT => Some(bytes),
        _ => None,
    };
    let size = whole.map_or(stat.size, |bytes| bytes.len() as u64);
    let mut buffer = vec![0; 5000];
    for offset in [0, 1, size / 2, size.saturating_sub(100), size, u64::MAX] {
        match store.read_range(id, offset, &mut buffer) {
            Ok(Some(count)) => {
                let rest = size.saturating_sub(offset).min(buffer.len() as u64);
                assert!(count as u64 == rest || whole.is_none() && twice, "a range is short");
                if let Ok(Some(bytes)) = &read
                    && let Ok(at) = usize::try_from(offset)
                    && let Some(part) = bytes.get(at..at.saturating_add(count))
                {
                    assert!(buffer[..count] == *part, "a range has other bytes than the object");
                }
            }
            Ok(None) => panic!("a range of an object that is there is not"),
            Err(error) => check_kind(&error),
        }
    }
    // Only what is short is looked at as a whole.
    if size < LIMIT as u64 && stat.size < LIMIT as u64 {
        match store.verify(id) {
            Ok(Some(Verified::Sound { size: found })) => {
                assert_eq!(found, size);
                assert!(whole.is_some(), "sound, but it cannot be read: {read:?}");
            }
            Ok(Some(Verified::Damaged { reason })) => {
                check_error(&reason);
                assert!(whole.is_none(), "damaged ({reason}), but it can be read");
            }
            Ok(None) => panic!("an object that is there is not when it is verified"),
            Err(error) => check_kind(&error),
        }
    }
    whole.cloned()
}

/// The object's bytes up to the limit; `Ok` only if the reader did not complain.
fn read(store: &PackStore, id: &ObjectId) -> Result<Option<Vec<u8>>, Error> {
    let Some(reader) = store.open(id)? else { return Ok(None) };
    let len = reader.len();
    let mut bytes = Vec::new();
    match reader.take(LIMIT as u64).read_to_end(&mut bytes) {
        Ok(_) => {
            assert!(bytes.len() == LIMIT || bytes.len() as u64 == len);
            Ok(Some(bytes))
        }
        Err(error) => match Error::from_reader(error) {
            Ok(error) => Err(error),
            Err(error) => panic!("a reader fails with a foreign error: {error}"),
        },
    }
}

fn check_kind(error: &Error) {
    check_error(error);
    assert!(
        matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
        "{error} is of kind {:?}",
        error.kind()
    );
}

fn check_list(store: &PackStore) {
    match store.ids(&IdPrefix::ALL) {
        Ok(ids) => assert!(ids.is_sorted_by(|a, b| a < b), "an id is listed twice"),
        Err(error) => check_kind(&error),
    }
}

fn check_changes(
    store: &PackStore,
    path: &std::path::Path,
    options: &PackOptions,
    claims: &[ObjectId],
    ids: &[ObjectId],
    before: &[Option<Vec<u8>>],
) {
    let fresh = crate::source::noise(77, 3000);
    let put = accepted(store.put_bytes(&fresh));
    assert!(accepted(store.get(&put.digest.id, 4000)).as_ref() == Some(&fresh));
    // What was damaged is mended by being stored again: the first object that could be read is stored over itself.
    if let Some(bytes) = before.iter().flatten().next() {
        let again = accepted(store.put_bytes(bytes));
        assert!(accepted(store.get(&again.digest.id, LIMIT as u64)).as_ref() == Some(bytes));
    }
    match store.repack(&RepackOptions { all: true, progress: None }) {
        Ok(_) => {}
        Err(error) => check_kind(&error),
    }
    let unchanged = |store: &PackStore, when: &str| {
        let fresh = (&put.digest.id, Some(&fresh));
        let known = ids.iter().zip(before.iter().map(Option::as_ref)).chain([fresh]);
        for (id, bytes) in known {
            assert!(
                bytes.is_none() || look(store, id, claims.contains(id)).as_ref() == bytes,
                "{id} is lost {when}: {:?}, {:?}",
                store.stat(id),
                read(store, id).map(|_| ())
            );
        }
    };
    unchanged(store, "by compacting");
    unchanged(&accepted(PackStore::open(path, options)), "for another handle");
    assert!(accepted(store.remove(&put.digest.id)));
    assert!(accepted(store.stat(&put.digest.id)).is_none());
    assert!(!accepted(store.remove(&put.digest.id)));
    accepted(store.sync());
    assert!(accepted(accepted(PackStore::open(path, options)).stat(&put.digest.id)).is_none());
}
