//! What packs are for: edits at the size of the edit, small files together, compaction, and other handles meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;

use super::sound::{Samples, sound, wav};
use stem_hash::{Algorithm, IdPrefix, ObjectId};
use stem_pack::{Chunking, Compression, PackOptions, PackStore};
use stem_store::{
    Durability, Maintain, ObjectStore, ObjectStoreExt, PutOptions, RepackOptions, Verified, Written,
};
use stem_testkit::source::{digest, noise};

const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };

fn open(root: &Path) -> PackStore {
    open_with(root, PackOptions { chunking: Chunking::Average(64 << 10), ..PackOptions::default() })
}

fn open_with(root: &Path, options: PackOptions) -> PackStore {
    PackStore::open(&root.join("store"), &options).unwrap()
}

fn stored(root: &Path) -> u64 {
    super::common::packs(&root.join("store")).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

fn put(store: &PackStore, bytes: &[u8]) -> ObjectId {
    let mut bytes = bytes;
    store.put(&mut bytes, &AT_SYNC).unwrap().digest.id
}

fn assert_whole(store: &PackStore, bytes: &[u8]) {
    let id = digest(Algorithm::Sha256, bytes).id;
    assert!(store.get(&id, u64::MAX).unwrap().unwrap() == bytes);
}

#[test]
fn a_punch_in_costs_about_its_chunks() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let stem = wav(5, 600_000, Samples::Int24);
    put(&store, &stem);
    store.sync().unwrap();
    let before = stored(root.path());
    assert!(before < stem.len() as u64 * 7 / 10, "{before}");
    let mut punched = stem.clone();
    let at = 44 + 6 * 200_000;
    let fresh = sound(77, 10_000, Samples::Int24);
    punched[at..at + fresh.len()].copy_from_slice(&fresh);
    put(&store, &punched);
    store.sync().unwrap();
    let added = stored(root.path()) - before;
    // Its own bytes, and up to a chunk on either side.
    assert!(added < fresh.len() as u64 + 4 * (64 << 10), "{added}");
    let mut inserted = stem.clone();
    inserted.splice(at..at, sound(78, 5_000, Samples::Int24));
    put(&store, &inserted);
    store.sync().unwrap();
    let added = stored(root.path()) - before - added;
    assert!(added < 30_000 + 6 * (64 << 10), "{added}");
    // The same bytes again cost nothing.
    let before = stored(root.path());
    assert_eq!(store.put(&mut &stem[..], &AT_SYNC).unwrap().written, Written::Present);
    store.sync().unwrap();
    assert_eq!(stored(root.path()), before);
    for bytes in [&stem, &punched, &inserted] {
        assert_whole(&store, bytes);
        assert_whole(&open(root.path()), bytes);
    }
}

#[test]
fn nothing_is_much_larger_than_raw() {
    for compression in [Compression::default(), Compression::Raw, Compression::Zstd(1)] {
        let root = tempfile::tempdir().unwrap();
        let store = open_with(root.path(), PackOptions { compression, ..PackOptions::default() });
        let bytes = noise(1, 9_000_000);
        put(&store, &bytes);
        store.sync().unwrap();
        let stored = stored(root.path());
        assert!(stored <= bytes.len() as u64 + bytes.len() as u64 / 1000, "{stored}");
        assert_whole(&store, &bytes);
    }
}

#[test]
fn small_files_of_a_kind_share_a_dictionary() {
    let files: Vec<Vec<u8>> = (0..400u64)
        .map(|n| {
            let mut text =
                format!("{{\"preset\": \"Warm Pad {n}\", \"engine\": \"wavetable\", \"oscillators\": [");
            for step in 0..6 {
                let value = (n * 7919 + step * 104_729) % 1000;
                write!(
                    text,
                    "{{\"shape\": \"saw\", \"detune\": 0.{value:03}, \"level\": 0.{:03}}},",
                    value / 2
                )
                .unwrap();
            }
            (text + "]}").into_bytes()
        })
        .collect();
    let raw: usize = files.iter().map(Vec::len).sum();
    let mut sizes = Vec::new();
    for dictionary in [true, false] {
        let root = tempfile::tempdir().unwrap();
        let store = open_with(root.path(), PackOptions { dictionary, ..PackOptions::default() });
        for file in &files {
            put(&store, file);
            assert_whole(&store, file);
        }
        store.sync().unwrap();
        sizes.push(stored(root.path()));
        let store = open(root.path());
        for file in &files {
            assert_whole(&store, file);
        }
        // In the order in which they were put.
        let ids: Vec<ObjectId> = files.iter().rev().map(|file| digest(Algorithm::Sha256, file).id).collect();
        let order = store.storage_order(&ids).unwrap();
        assert_eq!(order, (0..files.len()).rev().collect::<Vec<_>>());
        // A dictionary is taken along.
        store.repack(&RepackOptions { all: true, progress: None }).unwrap();
        for file in &files {
            assert_whole(&store, file);
            assert_whole(&open(root.path()), file);
        }
    }
    assert!(sizes[0] < sizes[1] && sizes[0] < raw as u64 * 6 / 10, "{sizes:?} of {raw}");
}

#[test]
fn compaction_joins_packs_and_drops_what_was_removed() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let objects: Vec<Vec<u8>> =
        (0..20).map(|seed| noise(seed, 40_000 + 7_000 * usize::try_from(seed).unwrap())).collect();
    for bytes in &objects {
        store.put_bytes(bytes).unwrap();
    }
    assert_eq!(super::common::packs(&root.path().join("store")).len(), 20);
    for bytes in objects.iter().step_by(2) {
        assert!(store.remove(&digest(Algorithm::Sha256, bytes).id).unwrap());
    }
    let other = open(root.path());
    let mut reading = other.open(&digest(Algorithm::Sha256, &objects[19]).id).unwrap().unwrap();
    let mut start = [0; 1000];
    reading.read_exact(&mut start).unwrap();
    let done = store.repack(&RepackOptions::default()).unwrap();
    assert_eq!((done.packs.0, done.packs.1, done.rewritten), (20, 1, 10));
    assert!(done.bytes.1 < done.bytes.0 * 6 / 10);
    assert!(!root.path().join("store/removed").exists());
    for handle in [&store, &other, &open(root.path())] {
        for (number, bytes) in objects.iter().enumerate() {
            let id = digest(Algorithm::Sha256, bytes).id;
            if number % 2 == 0 {
                assert!(!handle.contains(&id).unwrap());
            } else {
                assert_whole(handle, bytes);
            }
        }
        assert_eq!(handle.ids(&IdPrefix::ALL).unwrap().len(), 10);
    }
    // Whoever was reading reads on.
    let mut rest = Vec::new();
    reading.read_to_end(&mut rest).unwrap();
    assert!(rest == objects[19][1000..]);
    let again = store.repack(&RepackOptions::default()).unwrap();
    assert_eq!((again.packs, again.rewritten), ((1, 1), 0));
}

#[test]
fn compaction_keeps_a_pack_whose_living_object_is_damaged() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let (good, bad) = (noise(1, 300_000), noise(2, 300_000));
    store.put_bytes(&good).unwrap();
    let id = store.put_bytes(&bad).unwrap().digest.id;
    super::common::damage(&root.path().join("store"), &id, stem_testkit::conformance::Damage::Flip);
    store.repack(&RepackOptions { all: true, progress: None }).unwrap();
    assert_whole(&store, &good);
    assert!(matches!(store.verify(&id).unwrap(), Some(Verified::Damaged { .. })));
    assert_eq!(store.put_bytes(&bad).unwrap().written, Written::Replaced);
    store.repack(&RepackOptions { all: true, progress: None }).unwrap();
    for bytes in [&good, &bad] {
        assert_whole(&open(root.path()), bytes);
    }
}

#[test]
fn what_was_removed_and_put_again_is_there() {
    let root = tempfile::tempdir().unwrap();
    let (store, other) = (open(root.path()), open(root.path()));
    let bytes = noise(1, 50_000);
    for durability in [Durability::Immediate, Durability::AtSync] {
        let id = store.put_bytes(&bytes).unwrap().digest.id;
        assert!(other.contains(&id).unwrap());
        assert!(store.remove(&id).unwrap());
        store.sync().unwrap();
        assert!(!open(root.path()).contains(&id).unwrap());
        // The other handle does not know of the removal until it looks; putting looks.
        let again = other.put(&mut &bytes[..], &PutOptions { durability, ..PutOptions::default() }).unwrap();
        assert_eq!(again.written, Written::New, "{durability:?}");
        other.sync().unwrap();
        assert_whole(&store, &bytes);
        assert_whole(&open(root.path()), &bytes);
        // Removed while it waits for a sync, with and without a record in the growing pack.
        let waiting = noise(2, 70_000);
        for large in [false, true] {
            let waiting = if large { &waiting[..] } else { &waiting[..500] };
            let id = put(&store, waiting);
            assert!(store.remove(&id).unwrap());
            store.sync().unwrap();
            assert!(!store.contains(&id).unwrap() && !open(root.path()).contains(&id).unwrap());
            put(&store, waiting);
            store.remove(&id).unwrap();
            put(&store, waiting);
            store.sync().unwrap();
            assert_whole(&open(root.path()), waiting);
            assert!(store.remove(&id).unwrap());
        }
    }
}

#[test]
fn two_writers_at_once_and_many_packs() {
    let root = tempfile::tempdir().unwrap();
    let object = |n: u64| noise(n % 60, 3_000 + usize::try_from(n % 60).unwrap() * 900);
    std::thread::scope(|scope| {
        for writer in 0..2u64 {
            let root = root.path();
            scope.spawn(move || {
                let store = open(root);
                for step in 0..60 {
                    let bytes = object(step * 7 + writer * 30);
                    if step % 2 == writer {
                        store.put_bytes(&bytes).unwrap();
                    } else {
                        put(&store, &bytes);
                    }
                    assert_whole(&store, &bytes);
                    if step % 10 == 0 {
                        store.sync().unwrap();
                    }
                }
                store.sync().unwrap();
            });
        }
    });
    // Many packs answer through one index.
    assert!(root.path().join("store/multi-pack-index").exists());
    let store = open(root.path());
    assert_eq!(store.ids(&IdPrefix::ALL).unwrap().len(), 60);
    for n in 0..60 {
        assert_whole(&store, &object(n));
    }
    let damaged = fs::read(root.path().join("store/multi-pack-index")).unwrap();
    for at in [20, damaged.len() / 2, damaged.len() - 30] {
        let mut bytes = damaged.clone();
        bytes[at] ^= 4;
        super::common::replace(&root.path().join("store/multi-pack-index"), &bytes);
        let store = open(root.path());
        for n in 0..60 {
            assert_whole(&store, &object(n));
        }
    }
}

#[test]
fn every_choice_of_options_reads_what_every_other_wrote() {
    let root = tempfile::tempdir().unwrap();
    let choices = [
        PackOptions::default(),
        PackOptions { compression: Compression::Raw, chunking: Chunking::Whole, ..PackOptions::default() },
        PackOptions {
            compression: Compression::Zstd(9),
            chunking: Chunking::Average(4096),
            ..PackOptions::default()
        },
        PackOptions { pack_limit: 10_000, cache: 0, dictionary: false, ..PackOptions::default() },
    ];
    let kinds = [Samples::Int16, Samples::Int24, Samples::Exact, Samples::Mixed];
    for (number, options) in choices.into_iter().enumerate() {
        let store = open_with(root.path(), options);
        put(&store, &wav(number as u64, 150_000, kinds[number]));
        store.sync().unwrap();
    }
    for options in choices {
        let store = open_with(root.path(), options);
        for (number, kind) in kinds.into_iter().enumerate() {
            let bytes = wav(number as u64, 150_000, kind);
            assert_whole(&store, &bytes);
            let id = digest(Algorithm::Sha256, &bytes).id;
            let mut part = vec![0; 100_000];
            for at in [0, 44, 65_535, bytes.len() - 50_000] {
                let n = store.read_range(&id, at as u64, &mut part).unwrap().unwrap();
                assert!(part[..n] == bytes[at..(at + 100_000).min(bytes.len())]);
            }
        }
    }
}

#[test]
fn a_store_says_what_makes_its_ids() {
    let root = tempfile::tempdir().unwrap();
    let blake3 = PackOptions { algorithm: Some(Algorithm::Blake3), ..PackOptions::default() };
    let store = open_with(root.path(), blake3);
    let id = put(&store, b"abc");
    store.sync().unwrap();
    assert_eq!(id, digest(Algorithm::Blake3, b"abc").id);
    assert!(open(root.path()).contains(&id).unwrap());
    fs::remove_file(root.path().join("store/.stem-hash")).unwrap();
    assert!(open(root.path()).contains(&id).unwrap());
    let sha256 = PackOptions { algorithm: Some(Algorithm::Sha256), ..PackOptions::default() };
    assert!(PackStore::open(&root.path().join("store"), &sha256).is_err());
}
