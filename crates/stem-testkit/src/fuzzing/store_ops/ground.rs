//! The stores of a program, opened and opened again over one directory, with a plan of faults below.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stem_fs::{Dir, RelPath};
use stem_hash::Algorithm;
use stem_layers::Overlay;
use stem_pack::{Chunking, PackOptions, PackStore};
use stem_sharded::{Options, ShardedStore};
use stem_store::{Maintain, MemoryStore, Result};

use super::super::accepted;
use crate::FaultPlan;

/// What kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Memory,
    Sharded,
    Pack,
    /// Sharded over packs.
    Overlay,
}

/// An open store, and its sides if it has two.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Maintain>,
    pub(super) sides: Option<(Arc<ShardedStore>, Arc<PackStore>)>,
}

/// Where it all happens.
pub(super) struct Ground {
    pub(super) backend: Backend,
    pub(super) algorithm: Algorithm,
    root: tempfile::TempDir,
    memory: Arc<MemoryStore>,
}

impl Ground {
    pub(super) fn new(backend: Backend, algorithm: Algorithm) -> Self {
        let root = accepted(tempfile::tempdir());
        accepted(fs::create_dir(root.path().join("work")));
        accepted(fs::create_dir(root.path().join("stores")));
        Self { backend, algorithm, root, memory: Arc::new(MemoryStore::new(algorithm)) }
    }

    /// For files of the program's own.
    pub(super) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    fn stores(&self) -> PathBuf {
        self.root.path().join("stores")
    }

    pub(super) fn open(&self, plan: &Arc<FaultPlan>) -> Result<Opened> {
        let parent = accepted(Dir::open_observed(&self.stores(), plan.clone()));
        let name = |text: &str| accepted(RelPath::new(text));
        let sharded = || {
            let options = Options { algorithm: Some(self.algorithm) };
            ShardedStore::open_in(&parent, &name("loose"), &options).map(Arc::new)
        };
        let packs = || {
            let options = PackOptions {
                algorithm: Some(self.algorithm),
                chunking: Chunking::Average(64 << 10),
                pack_limit: 250_000,
                cache: 100_000,
                ..PackOptions::default()
            };
            PackStore::open_in(&parent, &name("packs"), &options).map(Arc::new)
        };
        let one = |store: Arc<dyn Maintain>| Opened { store, sides: None };
        Ok(match self.backend {
            Backend::Memory => one(self.memory.clone()),
            Backend::Sharded => one(sharded()?),
            Backend::Pack => one(packs()?),
            Backend::Overlay => {
                let (loose, packs) = (sharded()?, packs()?);
                let store = Arc::new(Overlay::new(loose.clone(), packs.clone())?);
                Opened { store, sides: Some((loose, packs)) }
            }
        })
    }

    /// Everything that was published, by length, for names of packs are drawn anew in each run.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for store in ["loose", "packs"] {
            collect(&self.stores().join(store), &mut files);
        }
        files.sort_by_cached_key(|path| (fs::metadata(path).map_or(0, |file| file.len()), path.clone()));
        files
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = accepted(entry).path();
        // Not what is under way: temporaries.
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
