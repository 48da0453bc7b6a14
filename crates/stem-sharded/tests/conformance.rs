//! The contract, over the sharded store: bare and in a repository, with both kinds of ids.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use stem_fs::Dir;
use stem_hash::{Algorithm, ObjectId};
use stem_sharded::{Options, ShardedStore, object_id, object_path};
use stem_store::Maintain;
use stem_testkit::conformance::{Damage, Factory, Subject};

#[derive(Clone, Copy)]
enum Kind {
    Bare(Algorithm),
    Repository(Algorithm),
}

impl Kind {
    fn open(self, root: &Path) -> ShardedStore {
        match self {
            Self::Bare(algorithm) => {
                ShardedStore::open(&root.join("store"), &Options { algorithm: Some(algorithm) }).unwrap()
            }
            Self::Repository(algorithm) => {
                let muse = Dir::open(root).unwrap();
                ShardedStore::in_repository(&muse, &Options { algorithm: Some(algorithm) }).unwrap()
            }
        }
    }

    fn objects(self, root: &Path) -> PathBuf {
        root.join(match self {
            Self::Bare(_) => "store",
            Self::Repository(_) => "objects",
        })
    }
}

impl Factory for Kind {
    fn create(&self) -> Box<dyn Subject> {
        let root = tempfile::tempdir().unwrap();
        Box::new(OnDisk { store: self.open(root.path()), kind: *self, root })
    }

    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        Box::new(self.open(Path::new(location)))
    }
}

struct OnDisk {
    store: ShardedStore,
    kind: Kind,
    root: tempfile::TempDir,
}

impl OnDisk {
    fn path(&self, id: &ObjectId) -> PathBuf {
        self.kind.objects(self.root.path()).join(object_path(id).to_path())
    }
}

impl Subject for OnDisk {
    fn store(&self) -> &dyn Maintain {
        &self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(Box::new(self.kind.open(self.root.path())))
    }

    fn location(&self) -> Option<String> {
        self.root.path().to_str().map(str::to_owned)
    }

    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        let path = self.path(id);
        let mut bytes = fs::read(&path).unwrap();
        damage.apply(&mut bytes);
        fs::write(path, bytes).unwrap();
        true
    }

    fn plant(&self, id: &ObjectId, size: u64, tail: &[u8]) -> bool {
        let path = self.path(id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::File::create(path).unwrap();
        file.seek(SeekFrom::Start(size - tail.len() as u64)).unwrap();
        file.write_all(tail).unwrap();
        true
    }

    fn finish(self: Box<Self>) {
        let Self { store, kind, root } = *self;
        drop(store);
        let objects = kind.objects(root.path());
        if objects.exists() {
            assert_only_objects(&objects);
        }
        let mut left = names(root.path());
        left.retain(|name| name != "store" && name != "objects");
        match kind {
            Kind::Bare(_) => assert!(left.is_empty(), "{left:?} were left beside the store"),
            Kind::Repository(_) => {
                assert!(left.is_empty() || left == ["stem"], "{left:?} were left in the repository");
                let temporaries = root.path().join("stem/tmp");
                assert!(!temporaries.exists() || names(&temporaries).is_empty());
            }
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn assert_only_objects(objects: &Path) {
    for shard in names(objects) {
        if shard == stem_sharded::BARE_MARKER {
            continue;
        }
        for name in names(&objects.join(&shard)) {
            assert!(object_id(shard.as_bytes(), name.as_bytes()).is_some(), "{shard}/{name} is no object");
        }
    }
}

mod bare_sha256 {
    stem_testkit::conformance_suite!(super::Kind::Bare(super::Algorithm::Sha256));
}

mod bare_blake3 {
    stem_testkit::conformance_suite!(super::Kind::Bare(super::Algorithm::Blake3));
}

mod repository_sha256 {
    stem_testkit::conformance_suite!(super::Kind::Repository(super::Algorithm::Sha256));
}

mod repository_blake3 {
    stem_testkit::conformance_suite!(super::Kind::Repository(super::Algorithm::Blake3));
}
