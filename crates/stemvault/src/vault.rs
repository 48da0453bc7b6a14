//! A repository with its store.

use std::path::Path;
use std::sync::Arc;

use stem_fs::Dir;
use stem_odb::{AnyStore, Base, Config};
use stem_stash::{CommitFiles, HeadSource, Repository, Settings, Stash};

use crate::error::Result;

/// An open repository, its store as configured, and its stash.
#[derive(Debug)]
pub struct Vault {
    repository: Repository,
    store: AnyStore,
    sources: Vec<Arc<dyn HeadSource>>,
}

impl Vault {
    /// Opens the repository that holds `start`: the closest directory, upwards, with a `.muse` in it.
    pub fn discover(start: &Path) -> Result<Self> {
        Self::open(&Repository::find_root(start)?)
    }

    /// Opens the repository at `root`.
    pub fn open(root: &Path) -> Result<Self> {
        // Says that there is no repository before anything is read of one.
        let muse = Repository::open(root, Settings::default())?.muse().clone();
        let config = Config::load(&muse)?;
        let settings = Settings { work_tree: config.work_tree, mmap: config.mmap };
        let repository = Repository::open(root, settings)?;
        let store = stem_odb::open_store(&config.store, Base::Repository(&Dir::open(root)?))?;
        let sources: Vec<Arc<dyn HeadSource>> = vec![Arc::new(CommitFiles::new(&repository))];
        Ok(Self { repository, store, sources })
    }

    /// Makes a repository at `root`, in Muse's layout, and opens it.
    pub fn init(root: &Path) -> Result<Self> {
        stem_stash::init(root)?;
        Self::open(root)
    }

    /// Adds a place that knows the files of commits; it is asked after those that are there already.
    pub fn add_head_source(&mut self, source: Arc<dyn HeadSource>) {
        self.sources.push(source);
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The store of its objects.
    pub fn store(&self) -> &AnyStore {
        &self.store
    }

    /// Its stash.
    pub fn stash(&self) -> Stash<'_> {
        Stash::new(&self.repository, &*self.store, &self.sources)
    }
}
