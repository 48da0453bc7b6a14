//! Packs of released versions stay readable: one with every codec, opened as a store.
//!
//! The pack was written by `the_golden_pack_is_written` and is never written again. What it holds is made anew by the
//! functions here, which must not change either.

use std::collections::HashSet;
use std::fs;

use stem_hash::{Algorithm, IdPrefix};
use stem_pack::format::Codec;
use stem_pack::{PackOptions, PackStore, pack_name};
use stem_store::{Durability, FileMetadata, Maintain, ObjectStore, ObjectStoreExt, PutOptions};
use stem_testkit::source::{digest, noise};

use super::common::{packs, records};
use super::sound::{Samples, wav};

const PACK: &[u8] = include_bytes!("../golden/codecs-v1.pack");

const METADATA: FileMetadata =
    FileMetadata { mode: 0o640, mtime: stem_fs::Timestamp { secs: 1_700_000_000, nanos: 123_456_789 } };

fn objects() -> Vec<Vec<u8>> {
    let mut objects = vec![
        Vec::new(),
        noise(1, 200),
        b"a project file, ".repeat(100),
        b"a long project file, ".repeat(5_000),
        wav(1, 18_000, Samples::Int16),
        wav(2, 12_000, Samples::Int24),
        wav(3, 9_000, Samples::Exact),
        wav(4, 9_000, Samples::Mixed),
        wild(9_000),
    ];
    objects.extend((0..60).map(super::damage::preset));
    objects
}

/// Floats of all sizes that have few significant bits: no scale is common to them.
fn wild(frames: usize) -> Vec<u8> {
    let mut bytes = wav(5, frames, Samples::Mixed);
    let dice = noise(6, frames * 8);
    for (sample, dice) in bytes[44..].chunks_exact_mut(4).zip(dice.chunks_exact(4)) {
        sample.copy_from_slice(&[0, 0, dice[0], 0x20 | (dice[1] & 0x3f)]);
    }
    bytes
}

fn put_all(store: &PackStore) {
    for (number, bytes) in objects().iter().enumerate() {
        let metadata = (number % 3 == 0).then_some(METADATA);
        let options = PutOptions { durability: Durability::AtSync, metadata, ..PutOptions::default() };
        store.put(&mut &bytes[..], &options).unwrap();
    }
    store.sync().unwrap();
}

fn codecs(bytes: &[u8]) -> HashSet<Codec> {
    records(bytes).iter().map(|record| record.header.codec).collect()
}

#[test]
fn the_golden_pack_is_read_by_this_version() {
    let every = [
        Codec::Raw,
        Codec::Zstd,
        Codec::ZstdDictionary,
        Codec::Sample(1),
        Codec::Sample(2),
        Codec::Sample(3),
    ];
    assert_eq!(codecs(PACK), HashSet::from(every));
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("store");
    fs::create_dir(&store).unwrap();
    let header = stem_pack::format::PackHeader::decode(PACK).unwrap();
    fs::write(store.join(pack_name(header.id).to_path()), PACK).unwrap();
    let store = PackStore::open(&store, &PackOptions::default()).unwrap();
    let objects = objects();
    assert_eq!(store.ids(&IdPrefix::ALL).unwrap().len(), objects.len());
    for (number, bytes) in objects.iter().enumerate() {
        let id = digest(Algorithm::Sha256, bytes).id;
        assert!(store.get(&id, u64::MAX).unwrap().unwrap() == *bytes, "object {number}");
        let stat = store.stat(&id).unwrap().unwrap();
        assert_eq!(stat.metadata, (number % 3 == 0).then_some(METADATA));
        assert!(store.verify(&id).unwrap().unwrap().is_sound());
    }
}

#[test]
#[ignore = "writes the golden pack of this version into the directory named by STEM_GOLDEN; it is written once"]
fn the_golden_pack_is_written() {
    let Some(goal) = std::env::var_os("STEM_GOLDEN") else { return };
    let root = tempfile::tempdir().unwrap();
    let store = PackStore::open(&root.path().join("store"), &PackOptions::default()).unwrap();
    put_all(&store);
    let packs = packs(&root.path().join("store"));
    assert_eq!(packs.len(), 1);
    fs::copy(&packs[0], std::path::Path::new(&goal).join("codecs-v1.pack")).unwrap();
}
