//! The contract, over every layer and some stacks of them.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use stem_fs::Dir;
use stem_hash::ObjectId;
use stem_layers::{Metrics, Mirror, Overlay, Retry, RetryPolicy, TierOptions, Tiered, Verifying, Writing};
use stem_sharded::{Options, ShardedStore, object_path};
use stem_store::{Maintain, MemoryStore};
use stem_testkit::conformance::{Damage, Factory, Subject};

/// Which stack is tested.
#[derive(Clone, Copy)]
enum Stack {
    Overlay,
    OverlayOfMemory,
    Verifying,
    Metrics,
    Retry,
    All,
    Through,
    Back,
    Mirror,
}

fn sharded(root: &Path, name: &str) -> ShardedStore {
    ShardedStore::open(&root.join(name), &Options::default()).unwrap()
}

fn tiered(root: &Path, options: TierOptions) -> Tiered {
    let state = Dir::create_all(&root.join("store.tier")).unwrap();
    let behind = root.to_path_buf();
    let connect = Box::new(move || Ok(Arc::new(sharded(&behind, "cold")) as Arc<dyn Maintain>));
    Tiered::new(Arc::new(sharded(root, "store")), "sharded:cold", connect, &state, options).unwrap()
}

impl Stack {
    fn open(self, root: &Path) -> Box<dyn Maintain> {
        let store = sharded(root, "store");
        match self {
            Self::Overlay => Box::new(Overlay::new(store, sharded(root, "cold")).unwrap()),
            Self::OverlayOfMemory => Box::new(Overlay::new(store, MemoryStore::default()).unwrap()),
            Self::Verifying => Box::new(Verifying::new(store)),
            Self::Metrics => Box::new(Metrics::new(store)),
            Self::Retry => Box::new(Retry::new(store, RetryPolicy::default())),
            // With a size, so that uses are noted and the cache is looked through.
            Self::Through => {
                Box::new(tiered(root, TierOptions { size: Some(1 << 30), ..TierOptions::default() }))
            }
            Self::Mirror => {
                let others: Vec<Arc<dyn Maintain>> = vec![Arc::new(sharded(root, "cold"))];
                Box::new(Mirror::new(Arc::new(store), others).unwrap())
            }
            Self::Back => {
                Box::new(tiered(root, TierOptions { writing: Writing::Back, ..TierOptions::default() }))
            }
            Self::All => {
                let both = Overlay::new(store, sharded(root, "cold")).unwrap();
                Box::new(Metrics::new(Retry::new(Verifying::new(both), RetryPolicy::default())))
            }
        }
    }
}

impl Factory for Stack {
    fn create(&self) -> Box<dyn Subject> {
        let root = tempfile::tempdir().unwrap();
        Box::new(OnDisk { store: self.open(root.path()), stack: *self, root })
    }

    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        self.open(Path::new(location))
    }
}

struct OnDisk {
    store: Box<dyn Maintain>,
    stack: Stack,
    root: tempfile::TempDir,
}

impl Subject for OnDisk {
    fn store(&self) -> &dyn Maintain {
        &*self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(self.stack.open(self.root.path()))
    }

    fn location(&self) -> Option<String> {
        self.root.path().to_str().map(str::to_owned)
    }

    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        // A tier heals one copy from the other; while a thread sends, nobody knows which there are.
        let places: &[&str] = match self.stack {
            Stack::Back => return false,
            Stack::Through | Stack::Mirror => &["store", "cold"],
            _ => &["store"],
        };
        for place in places {
            let path = self.root.path().join(place).join(object_path(id).to_path());
            let mut bytes = fs::read(&path).unwrap();
            damage.apply(&mut bytes);
            fs::write(path, bytes).unwrap();
        }
        true
    }

    fn finish(self: Box<Self>) {
        let Self { store, root, .. } = *self;
        drop(store);
        for entry in fs::read_dir(root.path()).unwrap() {
            let name = entry.unwrap().file_name();
            let ours = name == "store" || name == "cold" || name == "store.tier";
            assert!(ours, "{} was left", name.display());
        }
    }
}

mod overlay {
    stem_testkit::conformance_suite!(super::Stack::Overlay);
}

mod overlay_of_memory {
    stem_testkit::conformance_suite!(super::Stack::OverlayOfMemory);
}

mod verifying {
    stem_testkit::conformance_suite!(super::Stack::Verifying);
}

mod metrics {
    stem_testkit::conformance_suite!(super::Stack::Metrics);
}

mod retry {
    stem_testkit::conformance_suite!(super::Stack::Retry);
}

mod tiered_through {
    stem_testkit::conformance_suite!(super::Stack::Through);
}

mod mirror {
    stem_testkit::conformance_suite!(super::Stack::Mirror);
}

mod tiered_back {
    stem_testkit::conformance_suite!(super::Stack::Back);
}

mod all {
    stem_testkit::conformance_suite!(super::Stack::All);
}

/// Over stores in memory, whose defaulted methods are the trait's own.
struct InMemory;

impl Factory for InMemory {
    fn create(&self) -> Box<dyn Subject> {
        let both = Overlay::new(MemoryStore::default(), MemoryStore::default()).unwrap();
        Box::new(Held(Metrics::new(Verifying::new(Retry::new(both, RetryPolicy::default())))))
    }
}

struct Held<S>(S);

impl<S: Maintain> Subject for Held<S> {
    fn store(&self) -> &dyn Maintain {
        &self.0
    }
}

mod in_memory {
    stem_testkit::conformance_suite!(super::InMemory);
}
