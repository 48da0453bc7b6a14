//! The contract, over the memory store and over a stack on it.

use stem_hash::{Algorithm, ObjectId};
use stem_store::{Maintain, MemoryStore};
use stem_testkit::FaultyStore;
use stem_testkit::conformance::{Damage, Factory, Subject};

struct Memory(Algorithm);

impl Factory for Memory {
    fn create(&self) -> Box<dyn Subject> {
        Box::new(Bare(MemoryStore::new(self.0)))
    }
}

struct Bare(MemoryStore);

impl Subject for Bare {
    fn store(&self) -> &dyn Maintain {
        &self.0
    }

    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        self.0.damage(id, |bytes| damage.apply(bytes))
    }
}

/// The wrapper of the fault tests must itself keep the contract while nothing fails.
struct Wrapped;

impl Factory for Wrapped {
    fn create(&self) -> Box<dyn Subject> {
        Box::new(Stack(FaultyStore::new(MemoryStore::default())))
    }
}

struct Stack(FaultyStore<MemoryStore>);

impl Subject for Stack {
    fn store(&self) -> &dyn Maintain {
        &self.0
    }

    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        self.0.inner().damage(id, |bytes| damage.apply(bytes))
    }
}

mod memory_sha256 {
    stem_testkit::conformance_suite!(super::Memory(super::Algorithm::Sha256));
}

mod memory_blake3 {
    stem_testkit::conformance_suite!(super::Memory(super::Algorithm::Blake3));
}

mod faulty_without_faults {
    stem_testkit::conformance_suite!(super::Wrapped);
}
