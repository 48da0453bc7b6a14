//! The contract, over every layer and some stacks of them.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::fs;
use std::path::Path;

use stem_hash::ObjectId;
use stem_layers::{Metrics, Overlay, Retry, RetryPolicy, Verifying};
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
}

fn sharded(root: &Path, name: &str) -> ShardedStore {
    ShardedStore::open(&root.join(name), &Options::default()).unwrap()
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
        let path = self.root.path().join("store").join(object_path(id).to_path());
        let mut bytes = fs::read(&path).unwrap();
        damage.apply(&mut bytes);
        fs::write(path, bytes).unwrap();
        true
    }

    fn finish(self: Box<Self>) {
        let Self { store, root, .. } = *self;
        drop(store);
        for entry in fs::read_dir(root.path()).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(name == "store" || name == "cold", "{} was left", name.display());
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
