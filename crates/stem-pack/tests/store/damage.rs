//! Damage at every byte: detected, never passed off as an object, and never a panic.

use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::sound::{Samples, wav};
use stem_hash::{Algorithm, IdPrefix, ObjectId};
use stem_pack::format::{Codec, Kind, RECORD_HEADER_LEN, chunk_id};
use stem_pack::{Chunking, PackOptions, PackStore, index_name, pack_id};
use stem_store::{
    Durability, ErrorKind, FileMetadata, Maintain, ObjectStore, ObjectStoreExt, PutOptions, RepackOptions,
    Verified, Written,
};
use stem_testkit::source::{digest, noise};

/// A store of one small pack that has records of every kind.
struct Ground {
    root: tempfile::TempDir,
    objects: Vec<(ObjectId, Vec<u8>)>,
    pack: PathBuf,
    bytes: Vec<u8>,
}

fn options() -> PackOptions {
    PackOptions { chunking: Chunking::Average(32 << 10), ..PackOptions::default() }
}

fn open(root: &Path) -> PackStore {
    PackStore::open(&root.join("store"), &options()).unwrap()
}

/// Much that all have in common, and little that each has alone.
pub(crate) fn preset(number: u64) -> Vec<u8> {
    let mut text = String::from("{\"kind\": \"preset\", ");
    for (step, word) in noise(99, 400).chunks_exact(8).enumerate() {
        let word = u64::from_le_bytes(word.try_into().unwrap());
        write!(text, "\"{word:x}\": {}, ", (number * 31 + step as u64 * 7) % 997).unwrap();
    }
    (text + "\"end\": null}").into_bytes()
}

impl Ground {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path());
        let mut objects = vec![Vec::new(), b"x".to_vec(), noise(1, 300), vec![7; 70_000]];
        objects.push(wav(3, 20_000, Samples::Int16));
        objects.extend((0..60).map(preset));
        let mut put = Vec::new();
        for (number, bytes) in objects.into_iter().enumerate() {
            let mtime = stem_fs::Timestamp { secs: 7, nanos: 1 };
            let metadata = (number % 2 == 0).then_some(FileMetadata { mode: 0o644, mtime });
            let options = PutOptions { durability: Durability::AtSync, metadata, ..PutOptions::default() };
            put.push((store.put(&mut &bytes[..], &options).unwrap().digest.id, bytes));
        }
        store.sync().unwrap();
        drop(store);
        let packs = super::common::packs(&root.path().join("store"));
        assert_eq!(packs.len(), 1);
        let pack = packs[0].clone();
        let bytes = fs::read(&pack).unwrap();
        super::common::replace(&pack, &bytes);
        let records = super::common::records(&bytes);
        for kind in [Kind::Object, Kind::Chunk, Kind::ChunkList, Kind::Dictionary, Kind::Metadata] {
            assert!(records.iter().any(|record| record.header.kind == kind), "no {kind:?}");
        }
        let codecs: Vec<Codec> = records.iter().map(|record| record.header.codec).collect();
        for codec in [Codec::Raw, Codec::Zstd, Codec::ZstdDictionary, Codec::Sample(1)] {
            assert!(codecs.contains(&codec), "no {codec:?} in {codecs:?}");
        }
        Self { root, objects: put, pack, bytes }
    }

    fn index(&self) -> PathBuf {
        let id = pack_id(self.pack.file_name().unwrap().as_encoded_bytes()).unwrap();
        self.root.path().join("store").join(index_name(id).to_path())
    }

    /// Reads objects: each is right, or an error, or, only if `absence` is allowed, not there.
    fn assert_true(&self, which: impl Fn(usize) -> bool, absence: bool) -> usize {
        let store = match PackStore::open(&self.root.path().join("store"), &options()) {
            Ok(store) => store,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
                return 0;
            }
        };
        let mut sound = 0;
        for (number, (id, bytes)) in self.objects.iter().enumerate().filter(|(number, _)| which(*number)) {
            match store.get(id, u64::MAX) {
                Ok(Some(found)) => {
                    assert!(found == *bytes, "object {number} is wrong");
                    sound += 1;
                }
                Ok(None) => assert!(absence, "object {number} is called absent"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
            }
            let mut part = [0; 50];
            match store.read_range(id, 100, &mut part) {
                Ok(Some(n)) => {
                    let wanted = &bytes[bytes.len().min(100)..bytes.len().min(150)];
                    assert_eq!(part[..n], *wanted);
                }
                Ok(None) => assert!(absence),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
            }
        }
        sound
    }

    fn flip(path: &Path, at: usize, by: u8) {
        let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at as u64).unwrap();
        byte[0] ^= by;
        file.write_all_at(&byte, at as u64).unwrap();
    }
}

/// The special objects every time, presets in turn.
fn some(at: usize) -> impl Fn(usize) -> bool {
    move |number| number < 5 || number == 5 + at % 60
}

#[test]
fn a_flipped_bit_anywhere_in_a_pack_is_noticed() {
    let ground = Ground::new();
    let records = super::common::records(&ground.bytes);
    let in_header = |at: usize| {
        let at = at as u64;
        records.iter().any(|record| (record.offset..record.offset + RECORD_HEADER_LEN as u64).contains(&at))
    };
    let mut harmless = 0;
    for at in 0..ground.bytes.len() {
        // Payloads are all alike: one bit of each seventh byte will do.
        if !in_header(at) && at > 300 && at % 7 != 0 {
            continue;
        }
        Ground::flip(&ground.pack, at, 1 << (at % 8));
        harmless += ground.assert_true(some(at), false);
        Ground::flip(&ground.pack, at, 1 << (at % 8));
    }
    assert!(harmless > 0);
    assert_eq!(ground.assert_true(|_| true, false), ground.objects.len());
}

#[test]
fn a_pack_cut_off_anywhere_never_gives_wrong_bytes() {
    let ground = Ground::new();
    for (round, with_index) in [true, false].into_iter().enumerate() {
        for len in (round..ground.bytes.len()).step_by(37) {
            fs::write(&ground.pack, &ground.bytes[..len]).unwrap();
            if !with_index {
                let _ = fs::remove_file(ground.index());
            }
            ground.assert_true(some(len), !with_index);
        }
        fs::write(&ground.pack, &ground.bytes).unwrap();
        let _ = fs::remove_file(ground.index());
        assert_eq!(ground.assert_true(|_| true, false), ground.objects.len());
    }
}

#[test]
fn a_damaged_or_missing_index_is_rebuilt() {
    let ground = Ground::new();
    let index = fs::read(ground.index()).unwrap();
    super::common::replace(&ground.index(), &index);
    for at in (0..index.len()).step_by(7) {
        super::common::replace(&ground.index(), &index);
        Ground::flip(&ground.index(), at, 0x40);
        assert_eq!(ground.assert_true(some(at), false), 6, "byte {at}");
    }
    for len in [0, 1, index.len() / 2, index.len() - 1] {
        super::common::replace(&ground.index(), &index[..len]);
        assert_eq!(ground.assert_true(|_| true, false), ground.objects.len());
    }
    fs::remove_file(ground.index()).unwrap();
    assert_eq!(ground.assert_true(|_| true, false), ground.objects.len());
    assert_eq!(fs::read(ground.index()).unwrap(), index);
}

#[test]
fn a_damaged_list_of_tombstones_hides_nothing() {
    let ground = Ground::new();
    let store = open(ground.root.path());
    let (id, bytes) = &ground.objects[2];
    assert!(store.remove(id).unwrap());
    store.sync().unwrap();
    assert!(!open(ground.root.path()).contains(id).unwrap());
    let removed = ground.root.path().join("store/removed");
    let mut damaged = fs::read(&removed).unwrap();
    damaged[30] ^= 1;
    fs::write(&removed, damaged).unwrap();
    assert_eq!(open(ground.root.path()).get(id, 1000).unwrap().as_ref(), Some(bytes));
}

#[test]
fn checking_tells_of_damage_that_nothing_needs() {
    let ground = Ground::new();
    let store = open(ground.root.path());
    let mut reports = Vec::new();
    let mut check = |store: &PackStore| {
        reports.clear();
        store
            .check_packs(&mut |report| {
                reports.push(report);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(reports.len(), 1);
        reports[0].clone()
    };
    assert!(check(&store).is_sound());
    let records = super::common::records(&ground.bytes);
    let dictionary = records.iter().find(|record| record.header.kind == Kind::Dictionary).unwrap();
    let inside = usize::try_from(dictionary.offset).unwrap() + RECORD_HEADER_LEN + 5;
    Ground::flip(&ground.pack, inside, 1);
    let report = check(&store);
    assert_eq!((report.damaged, report.torn), (vec![dictionary.header.id], None));
    let mut told = 0;
    store.check_structure(&mut |_| told += 1).unwrap();
    assert_eq!(told, 1);
    fs::write(&ground.pack, &ground.bytes[..ground.bytes.len() - 1]).unwrap();
    assert!(check(&store).torn.is_some());
}

#[test]
fn a_damaged_object_can_be_put_aside_and_stored_again() {
    let ground = Ground::new();
    let (id, bytes) = &ground.objects[4];
    super::common::damage(&ground.root.path().join("store"), id, stem_testkit::conformance::Damage::Flip);
    let store = open(ground.root.path());
    assert!(matches!(store.verify(id).unwrap(), Some(Verified::Damaged { .. })));
    let aside = tempfile::tempdir().unwrap();
    let into = stem_fs::Dir::open(aside.path()).unwrap();
    assert!(store.quarantine(id, &into, &"bad".try_into().unwrap()).unwrap());
    let kept = fs::read(aside.path().join("bad")).unwrap();
    assert_eq!(kept.len(), bytes.len());
    let same = kept.iter().zip(bytes).filter(|(a, b)| a == b).count();
    assert!(same > bytes.len() / 20 && same < bytes.len(), "{same}");
    assert!(!store.contains(id).unwrap());
    assert!(!store.quarantine(id, &into, &"again".try_into().unwrap()).unwrap());
    store.put_bytes(bytes).unwrap();
    assert!(store.verify(id).unwrap().unwrap().is_sound());
    assert_eq!(store.ids(&IdPrefix::ALL).unwrap().len(), ground.objects.len());
    assert_eq!(digest(Algorithm::Sha256, bytes).id, *id);
}

/// The only pack of a store, and its index.
fn only_pack(root: &Path) -> (PathBuf, PathBuf) {
    let packs = super::common::packs(&root.join("store"));
    assert_eq!(packs.len(), 1);
    let id = pack_id(packs[0].file_name().unwrap().as_encoded_bytes()).unwrap();
    (packs[0].clone(), root.join("store").join(index_name(id).to_path()))
}

fn flip_in(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    super::common::replace(path, &bytes);
}

#[test]
fn compaction_heals_a_damaged_index() {
    let ground = Ground::new();
    let index = fs::read(ground.index()).unwrap();
    for at in (0..index.len()).step_by(501) {
        let (_, path) = only_pack(ground.root.path());
        let len = fs::read(&path).unwrap().len();
        flip_in(&path, at % len);
        let all = RepackOptions { all: true, progress: None };
        open(ground.root.path()).repack(&all).unwrap();
        assert_eq!(ground.assert_true(|_| true, false), ground.objects.len());
    }
}

#[test]
fn a_put_does_not_rely_on_a_pack_without_a_header() {
    let root = tempfile::tempdir().unwrap();
    for bytes in [noise(1, 5_000), noise(2, 300_000)] {
        let root = root.path().join(bytes.len().to_string());
        fs::create_dir(&root).unwrap();
        let store = open(&root);
        store.put_bytes(&bytes).unwrap();
        let (pack, index) = only_pack(&root);
        flip_in(&pack, 20);
        // It can still be read, by its index; but when that is lost, so is the object.
        assert!(store.get(&digest(Algorithm::Sha256, &bytes).id, 1 << 20).unwrap().is_some());
        assert_eq!(store.put_bytes(&bytes).unwrap().written, Written::Replaced);
        fs::remove_file(index).unwrap();
        let _ = fs::remove_file(root.join("store/multi-pack-index"));
        // What cannot be looked into at all hides nothing that is elsewhere.
        let fresh = open(&root);
        assert!(fresh.get(&digest(Algorithm::Sha256, &bytes).id, 1 << 20).unwrap().unwrap() == bytes);
        let absent = fresh.stat(&ObjectId::from_bytes([9; 32]));
        assert_eq!(absent.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn compaction_does_not_rely_on_a_pack_without_a_header() {
    let root = tempfile::tempdir().unwrap();
    // Which of two copies comes first is decided by names that are drawn.
    for round in 0..12 {
        for (bytes, twice) in [(noise(1, 5_000), true), (noise(2, 110_000), true), (noise(3, 110_000), false)]
        {
            let root = root.path().join(format!("{round}-{}-{twice}", bytes.len()));
            fs::create_dir(&root).unwrap();
            let store = open(&root);
            let id = store.put_bytes(&bytes).unwrap().digest.id;
            let (pack, index) = only_pack(&root);
            flip_in(&pack, 20);
            if twice {
                assert_eq!(store.put_bytes(&bytes).unwrap().written, Written::Replaced);
            }
            assert!(store.get(&id, 1 << 20).unwrap().is_some());
            fs::remove_file(index).unwrap();
            store.repack(&RepackOptions { all: false, progress: None }).unwrap();
            drop(store);
            let fresh = open(&root);
            assert!(fresh.get(&id, 1 << 20).unwrap().unwrap() == bytes, "round {round}, twice: {twice}");
            assert!(!pack.exists(), "what is left behind a damaged header is in nobody's way");
        }
    }
}

#[test]
fn what_waits_for_a_sync_is_read_beside_a_pack_that_cannot_be() {
    let root = tempfile::tempdir().unwrap();
    open(root.path()).put_bytes(&noise(1, 5_000)).unwrap();
    let (pack, index) = only_pack(root.path());
    flip_in(&pack, 20);
    fs::remove_file(index).unwrap();
    let _ = fs::remove_file(root.path().join("store/multi-pack-index"));
    let store = open(root.path());
    for bytes in [noise(2, 5_000), noise(3, 300_000)] {
        let options = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };
        let id = store.put(&mut &bytes[..], &options).unwrap().digest.id;
        assert!(store.get(&id, 1 << 20).unwrap().unwrap() == bytes);
    }
    store.sync().unwrap();
}

#[test]
fn a_copy_that_lies_never_displaces_a_true_one() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let (small, large) = (noise(1, 5_000), noise(2, 500_000));
    let store = open(root.path());
    store.put_bytes(&small).unwrap();
    store.put_bytes(&large).unwrap();
    drop(store);
    // For every object and chunk a record that agrees with its check and holds other bytes, in a longer pack.
    let mut lies = vec![(Kind::Chunk, Codec::Raw, chunk_id(b"filler"), 8 << 20, noise(5, 8 << 20))];
    for path in super::common::packs(&dir) {
        let bytes = fs::read(path).unwrap();
        for record in super::common::records(&bytes) {
            let header = record.header;
            if matches!(header.kind, Kind::Object | Kind::Chunk) {
                let lie = noise(7, usize::try_from(header.raw_len).unwrap());
                lies.push((header.kind, Codec::Raw, header.id, header.raw_len, lie));
            }
        }
    }
    super::common::write_pack(&dir, Algorithm::Sha256, 0, &lies);
    super::common::write_pack(&dir, Algorithm::Sha256, 255, &lies);
    for round in 0..2 {
        let store = open(root.path());
        for bytes in [&small, &large] {
            let id = digest(Algorithm::Sha256, bytes).id;
            assert!(store.get(&id, 1 << 20).unwrap().unwrap() == *bytes, "round {round}");
            assert!(store.verify(&id).unwrap().unwrap().is_sound());
            let mut part = [0; 100];
            assert_eq!(store.read_range(&id, 2_000, &mut part).unwrap(), Some(100));
            assert_eq!(part, bytes[2_000..2_100]);
        }
        store.repack(&RepackOptions { all: true, progress: None }).unwrap();
        let report = store.verify(&digest(Algorithm::Sha256, &large).id).unwrap();
        assert!(report.unwrap().is_sound());
    }
    // The lies are gone.
    let left: u64 = super::common::packs(&dir).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(left < 600_000, "{left}");
}
