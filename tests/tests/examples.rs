//! The examples in `examples/rust`: each is run, and the backend among them keeps the contract.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::Path;

use custom_backend::backend;
use stem_testkit::conformance::{Damage, Factory, Subject};
use stemvault::{Maintain, ObjectId};

#[expect(dead_code, reason = "it is a program of its own, with a main()")]
#[path = "../../examples/rust/embedding.rs"]
mod embedding;

#[expect(dead_code, reason = "it is a program of its own, with a main()")]
#[path = "../../examples/rust/custom_backend.rs"]
mod custom_backend;

#[test]
fn embedding_runs() {
    embedding::run(tempfile::tempdir().unwrap().path()).unwrap();
}

#[test]
fn a_stash_over_the_custom_backend_runs() {
    custom_backend::run(tempfile::tempdir().unwrap().path()).unwrap();
}

#[test]
fn the_custom_backend_has_fewer_than_100_lines_of_code() {
    let lines = include_str!("../../examples/rust/backend.rs").lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!(code < 100, "{code} lines");
}

struct Flat;

struct OnDisk {
    store: backend::Flat,
    root: tempfile::TempDir,
}

fn open(root: &Path) -> backend::Flat {
    backend::Flat::open(&root.join("store")).unwrap()
}

impl Factory for Flat {
    fn create(&self) -> Box<dyn Subject> {
        let root = tempfile::tempdir().unwrap();
        Box::new(OnDisk { store: open(root.path()), root })
    }

    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        Box::new(open(Path::new(location)))
    }
}

impl Subject for OnDisk {
    fn store(&self) -> &dyn Maintain {
        &self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(Box::new(open(self.root.path())))
    }

    fn location(&self) -> Option<String> {
        self.root.path().to_str().map(str::to_owned)
    }

    fn damage(&self, id: &ObjectId, damage: Damage) -> bool {
        let path = self.root.path().join("store").join(id.to_string());
        let mut bytes = fs::read(&path).unwrap();
        damage.apply(&mut bytes);
        fs::write(path, bytes).unwrap();
        true
    }

    fn finish(self: Box<Self>) {
        // What a put left that was killed goes with the next handle.
        drop(open(self.root.path()));
        for entry in fs::read_dir(self.root.path().join("store")).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(ObjectId::parse_bytes(name.as_encoded_bytes()).is_ok(), "{} was left", name.display());
        }
    }
}

mod conformance {
    stem_testkit::conformance_suite!(super::Flat);
}
