//! A repository with its store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stem_database::{Database, DatabaseOptions, NoDatabase, Origin, SecretText};
use stem_fs::Dir;
use stem_hash::ObjectId;
use stem_odb::{AnyStore, Config, Remotes, RepositoryStores, StashChoice, StoreUrl, WorkTreePath};
use stem_stash::{
    CommitFiles, HeadSource, Progress, Repository, Settings, Stash, StashFormat, StoreLock, WorkTree,
};

use crate::error::Result;

/// Where the database stands among the sources.
const DATABASE: usize = 1;

/// Who named a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseOrigin {
    /// The user or the program, for this use: a URL that cannot be understood is an error at once.
    Named,
    /// The environment: nothing is said before the database is needed. `DATABASE_URL` may be another program's.
    Environment,
}

/// An open repository, its store as configured, and its stash.
#[derive(Debug)]
pub struct Vault {
    repository: Repository,
    stores: RepositoryStores,
    /// The commit files, the database ([`DATABASE`]), and what was added.
    sources: Vec<Arc<dyn HeadSource>>,
    database_timeout: Duration,
    /// How the store is written in the configuration; the same wherever the repository is opened from.
    pub(crate) store_url: String,
    pub(crate) gc_grace: Duration,
    remotes: Remotes,
}

impl Vault {
    /// Opens the repository that holds `start`: the closest directory, upwards, with a `.muse` in it.
    pub fn discover(start: &Path) -> Result<Self> {
        Self::open(&Repository::find_root(start)?)
    }

    /// Opens the repository at `root`.
    pub fn open(root: &Path) -> Result<Self> {
        // Says that there is no repository before anything is read of one.
        Repository::open(root, Settings::default())?;
        Self::from_dir(&Dir::open(root)?)
    }

    /// Opens the repository at `root`, and writes to this one of its stores instead of the configured one: `pack:` or
    /// `sharded:.muse/objects`. Both are read in any case.
    ///
    /// # Errors
    ///
    /// [`stem_odb::Error::InvalidUrl`] for any other store, where nobody would find again what is put there.
    pub fn open_writing_to(root: &Path, store: &StoreUrl) -> Result<Self> {
        if !stem_odb::is_within_repository(store) {
            let problem = "the repository does not read from there, and what is stashed there would not be found again: \
                           write pack: or sharded:.muse/objects, or choose it for good in .muse/stem/config.toml";
            let url = store.to_string();
            return Err(stem_odb::Error::InvalidUrl { url, problem: problem.into() }.into());
        }
        Repository::open(root, Settings::default())?;
        Self::with_store(&Dir::open(root)?, Some(store))
    }

    /// Opens the repository at an open directory; a test passes one with an observer.
    pub fn from_dir(root: &Dir) -> Result<Self> {
        Self::with_store(root, None)
    }

    fn with_store(root: &Dir, store: Option<&StoreUrl>) -> Result<Self> {
        let muse = Repository::from_dir(root.clone(), Settings::default())?.muse().clone();
        let config = Config::load(&muse)?;
        let written = store.unwrap_or(&config.store);
        let settings = Settings {
            work_tree: match config.work_tree {
                WorkTreePath::Unsaid => WorkTree::OfGeneration,
                WorkTreePath::Root => WorkTree::Root,
                WorkTreePath::Below(path) => WorkTree::Below(path),
            },
            stash_format: match config.stash_format {
                // Muse reads loose objects alone: its pop would miss what is in a pack, and be done with the entry.
                StashChoice::Auto if *written != Config::default_for_muse().store => StashFormat::Entries,
                StashChoice::Auto => StashFormat::Auto,
                StashChoice::Entries => StashFormat::Entries,
                StashChoice::Muse => StashFormat::Muse,
            },
            mmap: config.mmap,
            undo_expire: config.undo_expire,
        };
        let repository = Repository::from_dir(root.clone(), settings)?;
        let stores = stem_odb::open_repository(written, root)?;
        let database: Arc<dyn HeadSource> = match &config.database {
            None => Arc::new(NoDatabase),
            Some(url) => {
                let base = repository.root().to_path_buf();
                let options =
                    DatabaseOptions { origin: Origin::Configured, base, timeout: config.database_timeout };
                Arc::new(Database::new(&repository, &SecretText::from(url.reveal().to_owned()), options))
            }
        };
        let sources = vec![Arc::new(CommitFiles::new(&repository)), database];
        let store_url = config.store.to_string();
        let Config { gc_grace, database_timeout, remotes, .. } = config;
        Ok(Self { repository, stores, sources, database_timeout, store_url, gc_grace, remotes })
    }

    /// Makes a repository at `root`, in Muse's layout, and opens it.
    pub fn init(root: &Path) -> Result<Self> {
        stem_stash::init(root)?;
        Self::open(root)
    }

    /// Looks for commits that are not in the repository's files in the database of this URL, instead of the one that is
    /// configured. It is asked when it is needed, not before. A relative path in the URL is relative to the current
    /// directory.
    ///
    /// # Errors
    ///
    /// With [`DatabaseOrigin::Named`], a URL that cannot be understood or names a kind of database that this program was
    /// built without. No error shows the password.
    pub fn use_database(&mut self, url: &SecretText, origin: DatabaseOrigin) -> Result<()> {
        let base = std::path::absolute(".")
            .map_err(|e| stem_fs::Error::new("find the current directory", ".", e))?;
        let origin = match origin {
            DatabaseOrigin::Named => Origin::Named,
            DatabaseOrigin::Environment => Origin::Environment,
        };
        let options = DatabaseOptions { origin, base, timeout: self.database_timeout };
        let database = Database::new(&self.repository, url, options);
        if origin == Origin::Named {
            database.check()?;
        }
        if let Some(place) = self.sources.get_mut(DATABASE) {
            *place = Arc::new(database);
        }
        Ok(())
    }

    /// Adds a place that knows the files of commits; it is asked after those that are there already.
    pub fn add_head_source(&mut self, source: Arc<dyn HeadSource>) {
        self.sources.push(source);
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The store of its objects: loose ones and packs as one.
    pub fn store(&self) -> &AnyStore {
        &self.stores.all
    }

    /// The loose objects alone, which Muse reads too.
    pub fn loose(&self) -> &AnyStore {
        &self.stores.loose
    }

    /// The packs alone.
    pub fn packs(&self) -> &AnyStore {
        &self.stores.packs
    }

    /// Stores that this repository has names for, to hand entries over by.
    pub fn remotes(&self) -> &Remotes {
        &self.remotes
    }

    /// What lies in the repository itself.
    pub(crate) fn here(&self) -> &AnyStore {
        &self.stores.here
    }

    /// The repository's own store, if it is a bucket, whose objects are not the repository's to remove.
    pub(crate) fn bucket(&self) -> Option<&AnyStore> {
        self.stores.bucket.as_ref()
    }

    /// Says that these objects were stored just now, which nothing names yet: a collection counts them as young, whatever
    /// it found before. The lock is [`Stash::share_store`]'s, held since before they were stored.
    pub fn reprieve(&self, lock: &StoreLock, ids: &[ObjectId], progress: &dyn Progress) -> Result<()> {
        Ok(self.stash().reprieve(lock, &self.store_url, ids, progress)?)
    }

    /// Its stash.
    pub fn stash(&self) -> Stash<'_> {
        Stash::new(&self.repository, &*self.stores.all, &self.sources)
    }
}
