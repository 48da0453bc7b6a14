//! The contract, over packs: bare and in a repository, with both kinds of ids, alone and under an overlay.

use std::fs;
use std::path::{Path, PathBuf};

use stem_fs::Dir;
use stem_hash::{Algorithm, Checksum, ObjectId};
use stem_layers::Overlay;
use stem_pack::format::{ChunkListBuilder, Codec, Kind, chunk_id};
use stem_pack::{Chunking, Compression, PackOptions, PackStore};
use stem_sharded::ShardedStore;
use stem_store::Maintain;
use stem_testkit::conformance::{Damage, Factory, Subject};

#[derive(Clone, Copy)]
enum Shape {
    Bare(Algorithm),
    Repository(Algorithm),
    /// Everything that can be switched off is off, packs are short.
    Plain,
}

impl Shape {
    fn open(self, root: &Path) -> PackStore {
        match self {
            Self::Bare(algorithm) => {
                let options = PackOptions { algorithm: Some(algorithm), ..PackOptions::default() };
                PackStore::open(&root.join("store"), &options).unwrap()
            }
            Self::Repository(algorithm) => {
                let options = PackOptions { algorithm: Some(algorithm), ..PackOptions::default() };
                PackStore::in_repository(&Dir::open(root).unwrap(), &options).unwrap()
            }
            Self::Plain => {
                let options = PackOptions {
                    compression: Compression::Raw,
                    chunking: Chunking::Whole,
                    dictionary: false,
                    pack_limit: 300_000,
                    cache: 0,
                    ..PackOptions::default()
                };
                PackStore::open(&root.join("store"), &options).unwrap()
            }
        }
    }

    fn packs(self, root: &Path) -> PathBuf {
        root.join(match self {
            Self::Bare(_) | Self::Plain => "store",
            Self::Repository(_) => "stem/packs",
        })
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Bare(algorithm) | Self::Repository(algorithm) => algorithm,
            Self::Plain => Algorithm::default(),
        }
    }
}

impl Factory for Shape {
    fn create(&self) -> Box<dyn Subject> {
        let root = tempfile::tempdir().unwrap();
        Box::new(OnDisk { store: self.open(root.path()), shape: *self, root })
    }

    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        Box::new(self.open(Path::new(location)))
    }
}

struct OnDisk {
    store: PackStore,
    shape: Shape,
    root: tempfile::TempDir,
}

impl Subject for OnDisk {
    fn store(&self) -> &dyn Maintain {
        &self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(Box::new(self.shape.open(self.root.path())))
    }

    fn location(&self) -> Option<String> {
        self.root.path().to_str().map(str::to_owned)
    }

    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        super::common::damage(&self.shape.packs(self.root.path()), id, damage);
        true
    }

    fn plant(&self, id: &ObjectId, size: u64, tail: &[u8]) -> bool {
        plant(&self.shape.packs(self.root.path()), self.shape.algorithm(), id, size, tail);
        true
    }

    fn finish(self: Box<Self>) {
        let Self { store, shape, root } = *self;
        drop(store);
        let packs = shape.packs(root.path());
        for name in names(&packs) {
            let known = name == "multi-pack-index"
                || name == "removed"
                || name == ".stem-hash"
                || stem_pack::pack_id(name.replace(".idx", ".pack").as_bytes()).is_some();
            assert!(known, "{name} was left in the store");
        }
        let mut left = names(root.path());
        left.retain(|name| name != "store");
        match shape {
            Shape::Bare(_) | Shape::Plain => assert!(left.is_empty(), "{left:?} were left beside the store"),
            Shape::Repository(_) => {
                assert!(left.is_empty() || left == ["stem"], "{left:?} were left in the repository");
                assert!(names(&root.path().join("stem/tmp")).is_empty());
            }
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A repository's two stores as one, objects hot.
struct Both;

impl Both {
    fn open(root: &Path) -> Overlay<ShardedStore, PackStore> {
        let muse = Dir::open(root).unwrap();
        let hot = ShardedStore::in_repository(&muse, &stem_sharded::Options::default()).unwrap();
        let cold = PackStore::in_repository(&muse, &PackOptions::default()).unwrap();
        Overlay::new(hot, cold).unwrap()
    }
}

impl Factory for Both {
    fn create(&self) -> Box<dyn Subject> {
        let root = tempfile::tempdir().unwrap();
        Box::new(Stacked { store: Self::open(root.path()), root })
    }

    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        Box::new(Self::open(Path::new(location)))
    }
}

struct Stacked {
    store: Overlay<ShardedStore, PackStore>,
    root: tempfile::TempDir,
}

impl Subject for Stacked {
    fn store(&self) -> &dyn Maintain {
        &self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(Box::new(Both::open(self.root.path())))
    }

    fn location(&self) -> Option<String> {
        self.root.path().to_str().map(str::to_owned)
    }

    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        let path = self.root.path().join("objects").join(stem_sharded::object_path(id).to_path());
        let mut bytes = fs::read(&path).unwrap();
        damage.apply(&mut bytes);
        fs::write(path, bytes).unwrap();
        true
    }
}

/// The same the other way round: what is put goes into packs.
struct Cold;

impl Cold {
    fn open(root: &Path) -> Overlay<PackStore, ShardedStore> {
        let (hot, cold) = Both::open(root).into_parts();
        Overlay::new(cold, hot).unwrap()
    }
}

impl Factory for Cold {
    fn create(&self) -> Box<dyn Subject> {
        let root = tempfile::tempdir().unwrap();
        Box::new(Packing { store: Self::open(root.path()), root })
    }

    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        Box::new(Self::open(Path::new(location)))
    }
}

struct Packing {
    store: Overlay<PackStore, ShardedStore>,
    root: tempfile::TempDir,
}

impl Subject for Packing {
    fn store(&self) -> &dyn Maintain {
        &self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(Box::new(Cold::open(self.root.path())))
    }

    fn location(&self) -> Option<String> {
        self.root.path().to_str().map(str::to_owned)
    }

    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        super::common::damage(&self.root.path().join("stem/packs"), id, damage);
        true
    }
}

/// A pack with an object of zeros and an end: two chunks, one of which is named again and again.
fn plant(dir: &Path, algorithm: Algorithm, id: &ObjectId, size: u64, tail: &[u8]) {
    let step = 16 << 20;
    let zeros = vec![0; step];
    let mut list = ChunkListBuilder::new();
    let mut left = size;
    let mut records = vec![(Kind::Chunk, Codec::Zstd, chunk_id(&zeros), step as u64, zstd(&zeros))];
    while left > 2 * step as u64 {
        list.push(chunk_id(&zeros), step as u64).unwrap();
        left -= step as u64;
    }
    let mut last = vec![0; usize::try_from(left).unwrap() - tail.len()];
    last.extend_from_slice(tail);
    for part in last.chunks(step) {
        records.push((Kind::Chunk, Codec::Raw, chunk_id(part), part.len() as u64, part.to_vec()));
        list.push(chunk_id(part), part.len() as u64).unwrap();
    }
    let list = list.finish(id, algorithm, Checksum::of(b"of no use"), None).unwrap().to_vec();
    records.push((Kind::ChunkList, Codec::Raw, *id, size, list));
    super::common::write_pack(dir, algorithm, 7, &records);
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

mod bare_sha256 {
    stem_testkit::conformance_suite!(super::Shape::Bare(super::Algorithm::Sha256));
}

mod bare_blake3 {
    stem_testkit::conformance_suite!(super::Shape::Bare(super::Algorithm::Blake3));
}

mod repository_sha256 {
    stem_testkit::conformance_suite!(super::Shape::Repository(super::Algorithm::Sha256));
}

mod sharded_over_packs {
    stem_testkit::conformance_suite!(super::Both);
}

mod packs_over_sharded {
    stem_testkit::conformance_suite!(super::Cold);
}

mod plain {
    stem_testkit::conformance_suite!(super::Shape::Plain);
}
