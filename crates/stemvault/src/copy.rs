//! Objects, and stash entries with them, from one store or repository to another.
//!
//! What is there already is not sent: the two are compared by id and size, and what is missing goes in batches that are durable
//! one after the other. So a copy that was killed goes on where it was by being started again, without a file that says so.
//! Every object is verified by the reader that it comes from and by the store that takes it. An entry is added last,
//! when everything that it names is there and durable; an object that could not be copied keeps its entry back and nothing else.
//!
//! Repositories have entries on their stack, stores in buckets have them beside their objects ([`Shelf`]); the other stores have none.
//! Into a repository objects go under the store's lock, shared, from the first look to the entry: no collection takes away
//! what the look found there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use stem_fs::{RelPath, show_bytes};
use stem_hash::{IdPrefix, ObjectId};
use stem_odb::transfer::{self, Copied, Missing};
use stem_odb::verify::BadObject;
use stem_odb::{AnyStore, Base, StoreUrl, hide_passwords, is_remote, open_existing, open_store};
use stem_stash::{Phase, Progress, ShownEntry, StashEntry, StoreLock};
use stem_store::{ErrorKind, ObjectStoreExt as _, Verified};

use crate::error::{Error, Result};
use crate::exchange::{ExchangeError, paths_of, some_of, unfit_paths};
use crate::shelf::Shelf;
use crate::vault::Vault;

/// One end of a copy.
#[derive(Debug)]
pub enum CopyPlace {
    /// A repository: objects and entries.
    Repository {
        /// As the user wrote it.
        name: String,
        /// The repository, open.
        vault: Box<Vault>,
    },
    /// A store: objects.
    Store {
        /// As the user wrote it, without secrets.
        name: String,
        /// The store.
        store: AnyStore,
    },
    /// A store in a bucket: objects, and entries for other machines.
    Bucket {
        /// As the user wrote it.
        name: String,
        /// What it was opened by.
        url: StoreUrl,
        /// The store.
        store: AnyStore,
    },
}

impl CopyPlace {
    /// A directory with a repository, or the URL of a store (relative to `base`) that is to be read.
    pub fn source(text: &str, base: &Path) -> Result<Self> {
        Self::open(text, base, open_existing)
    }

    /// A directory with a repository, or the URL of a store, which is made if it is not there.
    pub fn target(text: &str, base: &Path) -> Result<Self> {
        Self::open(text, base, open_store)
    }

    fn open(
        text: &str,
        base: &Path,
        open: fn(&StoreUrl, Base<'_>) -> stem_odb::Result<AnyStore>,
    ) -> Result<Self> {
        let path = base.join(text);
        if path.is_dir() {
            let name = show_bytes(text.as_bytes());
            return Ok(Self::Repository { name, vault: Box::new(Vault::open(&path)?) });
        }
        let url: StoreUrl = text.parse().map_err(|error| match error {
            // No URL at all: most likely a directory that is not there.
            stem_odb::Error::InvalidUrl { url, .. } if !text.contains(':') => stem_odb::Error::InvalidUrl {
                url,
                problem: "there is no such directory: name a repository, or a store as in sharded:DIR".into(),
            },
            other => other,
        })?;
        Self::opened(url, base, open)
    }

    /// The store of a URL, relative to `base`, that is to be read.
    pub fn source_store(url: &StoreUrl, base: &Path) -> Result<Self> {
        Self::opened(url.clone(), base, open_existing)
    }

    /// The store of a URL, relative to `base`, which is made if it is not there.
    pub fn target_store(url: &StoreUrl, base: &Path) -> Result<Self> {
        Self::opened(url.clone(), base, open_store)
    }

    fn opened(
        url: StoreUrl,
        base: &Path,
        open: fn(&StoreUrl, Base<'_>) -> stem_odb::Result<AnyStore>,
    ) -> Result<Self> {
        let store = open(&url, Base::Directory(base))?;
        let name = hide_passwords(&url.to_string());
        Ok(if is_remote(&url) { Self::Bucket { name, url, store } } else { Self::Store { name, store } })
    }

    /// For people.
    pub fn name(&self) -> String {
        self.end().name()
    }

    fn end(&self) -> End<'_> {
        match self {
            Self::Repository { name, vault } => End::Repository(vault, Some(name)),
            Self::Store { name, store } => End::Store { name, store, url: None },
            Self::Bucket { name, url, store } => End::Store { name, store, url: Some(url) },
        }
    }
}

/// A borrowed [`CopyPlace`].
#[derive(Clone, Copy)]
enum End<'a> {
    /// With its name, if somebody gave it one.
    Repository(&'a Vault, Option<&'a str>),
    Store {
        name: &'a str,
        store: &'a AnyStore,
        /// Of one that has entries.
        url: Option<&'a StoreUrl>,
    },
}

impl<'a> End<'a> {
    fn store(self) -> &'a AnyStore {
        match self {
            Self::Repository(vault, _) => vault.store(),
            Self::Store { store, .. } => store,
        }
    }

    fn vault(self) -> Option<&'a Vault> {
        match self {
            Self::Repository(vault, _) => Some(vault),
            Self::Store { .. } => None,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Repository(_, Some(name)) | Self::Store { name, .. } => name.to_owned(),
            Self::Repository(vault, None) => {
                show_bytes(vault.repository().root().as_os_str().as_encoded_bytes())
            }
        }
    }

    fn url(self) -> Option<&'a StoreUrl> {
        match self {
            Self::Repository(..) => None,
            Self::Store { url, .. } => url,
        }
    }

    fn root(self) -> Option<PathBuf> {
        self.vault().and_then(|vault| vault.repository().root().canonicalize().ok())
    }
}

/// What to copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// These entries, and the objects that they name. Without any, all objects. How entries of a bucket are named says
    /// [`Shelf::find`].
    pub entries: Vec<String>,
    /// All entries too.
    pub all: bool,
    /// Read what the target has already, and replace what is damaged there.
    pub verify: bool,
    /// Only compare.
    pub dry_run: bool,
}

/// An entry that was to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedEntry {
    /// Its id where it comes from.
    pub stash_id: String,
    /// Its label.
    pub message: String,
    /// Number of its files.
    pub files: usize,
    /// Where it stands now: `stash@{N}` as the stack was when it was added, or its name in a bucket. `None` when it was not, or
    /// would be.
    pub stash_ref: Option<String>,
    /// Whether it was added, or would be; else it was there.
    pub added: bool,
    /// Files whose objects could not be copied: then it was not added.
    pub lacking: Vec<RelPath>,
}

/// What a copy did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyResult {
    /// Objects that the target did not have and has now; in a dry run those that it lacks.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that it had.
    pub present: u64,
    /// Their bytes.
    pub present_bytes: u64,
    /// How many of them were damaged there and are replaced; only where that was looked for.
    pub replaced: u64,
    /// Objects that entries name and the source does not have.
    pub absent: Vec<ObjectId>,
    /// Objects that the source cannot give.
    pub bad: Vec<BadObject>,
    /// The entries, oldest first.
    pub entries: Vec<CopiedEntry>,
    /// Entries of a bucket that were to be copied with all others and are refused: why, with their names.
    pub refused: Vec<String>,
}

impl CopyResult {
    /// Whether everything that was to be copied is there.
    pub fn is_complete(&self) -> bool {
        self.absent.is_empty()
            && self.bad.is_empty()
            && self.refused.is_empty()
            && self.entries.iter().all(|entry| entry.lacking.is_empty())
    }
}

/// Passes progress on.
struct Watch<'a>(&'a dyn Progress);

impl transfer::Observer for Watch<'_> {
    fn advance(&self, objects: u64, bytes: u64) {
        self.0.advance(objects, bytes);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

fn stopped() -> Error {
    stem_stash::Error::Interrupted(
        "what was copied stays, and the same command goes on from there; no entry was added",
    )
    .into()
}

fn user(problem: impl Into<String>) -> Error {
    stem_stash::Error::InvalidInput(problem.into()).into()
}

/// Copies objects, and entries where that is asked for.
///
/// # Errors
///
/// What the target says: it is full, may not be written, makes its ids otherwise. What was copied until then stays. An object
/// that the source cannot give is no error but a part of the result.
pub fn copy(
    from: &CopyPlace,
    to: &CopyPlace,
    options: &CopyOptions,
    progress: &dyn Progress,
) -> Result<CopyResult> {
    between(from.end(), to.end(), options, progress)
}

impl Vault {
    /// Copies into this repository; see [`copy`].
    pub fn copy_from(
        &self,
        from: &CopyPlace,
        options: &CopyOptions,
        progress: &dyn Progress,
    ) -> Result<CopyResult> {
        between(from.end(), End::Repository(self, None), options, progress)
    }

    /// Copies from this repository; see [`copy`].
    pub fn copy_to(
        &self,
        to: &CopyPlace,
        options: &CopyOptions,
        progress: &dyn Progress,
    ) -> Result<CopyResult> {
        between(End::Repository(self, None), to.end(), options, progress)
    }
}

/// An entry that is to be copied, and what it is called where it comes from.
struct Chosen {
    stash_id: String,
    entry: StashEntry,
}

fn between(from: End<'_>, to: End<'_>, options: &CopyOptions, progress: &dyn Progress) -> Result<CopyResult> {
    let with_entries = options.all || !options.entries.is_empty();
    if from.root().is_some() && from.root() == to.root() {
        return Err(user(format!("'{}' is both ends of the copy", from.name())));
    }
    if from.url().is_some() && from.url() == to.url() {
        return Err(user(format!("'{}' is both ends of the copy", from.name())));
    }
    let mut result = CopyResult::default();
    let mut entries = Vec::new();
    if with_entries {
        has_entries(from, "name the repository's directory, or the bucket itself")?;
        has_entries(to, "name a repository's directory or a bucket itself, or copy objects only")?;
        same_ids(from, to)?;
        entries = match (from.vault(), from.url()) {
            (None, Some(url)) => fetched(&Shelf::open(url)?, options, &mut result, progress)?,
            (Some(vault), _) => chosen(vault, options)?,
            (None, None) => Vec::new(),
        };
    }
    let target = to.vault();
    let lock = match target {
        Some(vault) if !options.dry_run => {
            vault.stash().recover(progress)?;
            Some((vault, vault.stash().share_store(progress)?))
        }
        _ => None,
    };
    progress.begin(Phase::Comparing, 0, 0);
    let ids = if options.entries.is_empty() {
        let mut ids = from.store().ids(&IdPrefix::ALL)?;
        // Also those that are named and not there: they are told.
        ids.extend(named(&entries));
        sorted(ids)
    } else {
        sorted(named(&entries).collect())
    };
    let watch = Watch(progress);
    let mut found = transfer::missing(&**from.store(), &**to.store(), &ids, &watch)?;
    if found.stopped {
        return Err(stopped());
    }
    if options.verify {
        look_again(from, to, &mut found, &mut result, progress)?;
    }
    if !options.dry_run {
        rely_on(from, to, &mut found)?;
    }
    result.present = found.present.len() as u64;
    result.present_bytes = found.present_bytes;
    result.absent.clone_from(&found.absent);
    if options.dry_run {
        result.objects = found.rows.len() as u64;
        result.bytes = found.bytes();
        finish(&mut result, entries, to, None, true, progress)?;
        return Ok(result);
    }
    progress.begin(Phase::Copying, found.rows.len() as u64, found.bytes());
    let mut copied = Copied::default();
    let done = transfer::replicate(&**from.store(), &**to.store(), &found.rows, &watch, &mut copied);
    // Nothing names them yet, and whatever a collection found before, they are young.
    let noted = lock.as_ref().map_or(Ok(()), |(vault, lock)| vault.reprieve(lock, &copied.ids, progress));
    done.map_err(|error| told(error, &copied))?;
    noted?;
    if copied.stopped {
        return Err(stopped());
    }
    if found.rows.is_empty() {
        // Where a store sends later what it has taken, this is when.
        transfer::settle(&**from.store(), &**to.store())?;
    }
    result.objects = copied.ids.len() as u64;
    result.bytes = copied.bytes;
    result.absent = sorted(result.absent.into_iter().chain(copied.absent).collect());
    if entries.is_empty() {
        // Removed since it was listed, which is nobody's loss.
        result.absent.clear();
    }
    result.bad = copied.bad;
    finish(&mut result, entries, to, lock.as_ref().map(|(_, lock)| lock), false, progress)?;
    Ok(result)
}

/// That a place is one that has entries.
fn has_entries(end: End<'_>, what_to_do: &str) -> Result<()> {
    if end.vault().is_some() || end.url().is_some() {
        return Ok(());
    }
    let problem =
        "is a store, and only repositories and stores in buckets (s3:, gs:, az:, file:) have entries";
    Err(user(format!("'{}' {problem}: {what_to_do}", end.name())))
}

/// That both make their ids the same way, before anything is sent.
fn same_ids(from: End<'_>, to: End<'_>) -> Result<()> {
    let [ours, theirs] = [from, to].map(|end| end.store().capabilities().algorithm);
    if ours == theirs {
        return Ok(());
    }
    Err(ExchangeError::OtherStore { from: from.name(), ours, to: to.name(), theirs }.into())
}

/// The entries of a stack that are asked for, oldest first, so that they stand in the target as they stand here.
fn chosen(source: &Vault, options: &CopyOptions) -> Result<Vec<Chosen>> {
    let stash = source.stash();
    let mut entries = BTreeMap::new();
    if options.all {
        for listed in stash.list()? {
            let shown = stash.show(&listed.stash_id)?;
            entries.insert(shown.index, shown);
        }
    }
    for reference in &options.entries {
        let shown = stash.show(reference)?;
        entries.insert(shown.index, shown);
    }
    for shown in entries.values() {
        let unfit = unfit_paths(&shown.entry);
        if !unfit.is_empty() {
            let problem = format!(
                "{} has control characters in the name of {}: rename it",
                shown.stash_id,
                some_of(&unfit)
            );
            return Err(ExchangeError::Unfit(problem).into());
        }
    }
    let entries = entries.into_values().rev();
    Ok(entries.map(|ShownEntry { stash_id, entry, .. }| Chosen { stash_id, entry }).collect())
}

/// The entries of a bucket that are asked for, oldest first. One that is refused ends the work where it was named; else it is told, and
/// the others are copied.
fn fetched(
    shelf: &Shelf,
    options: &CopyOptions,
    result: &mut CopyResult,
    progress: &dyn Progress,
) -> Result<Vec<Chosen>> {
    let mut names = BTreeSet::new();
    if options.all {
        names.extend(shelf.names()?);
    }
    for reference in &options.entries {
        names.insert(shelf.find(reference, progress)?.name);
    }
    let names: Vec<String> = names.into_iter().collect();
    let mut entries = Vec::with_capacity(names.len());
    for entry in shelf.read(&names, progress)? {
        match entry {
            Ok(entry) => entries.push(Chosen { stash_id: entry.stash_id.to_string(), entry }),
            Err(Error::Exchange(refused)) if options.all => result.refused.push(refused.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

fn named(entries: &[Chosen]) -> impl Iterator<Item = ObjectId> + '_ {
    entries.iter().flat_map(|chosen| chosen.entry.manifest.iter().map(|(_, id)| *id))
}

fn sorted(mut ids: Vec<ObjectId>) -> Vec<ObjectId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Says to the target what is counted on. What is about to go there, as it may where other machines collect, counts as missing.
fn rely_on(from: End<'_>, to: End<'_>, found: &mut Missing) -> Result<()> {
    let kept = to.store().rely_on(&found.present)?;
    let (present, going): (Vec<_>, Vec<_>) =
        std::mem::take(&mut found.present).into_iter().zip(kept).partition(|(_, kept)| *kept);
    found.present = present.into_iter().map(|(id, _)| id).collect();
    for (id, _) in going {
        let size = from.store().stat(&id)?.map_or(0, |stat| stat.size);
        found.present_bytes = found.present_bytes.saturating_sub(size);
        found.rows.push((id, size));
    }
    Ok(())
}

/// Reads what the target has. What is damaged there counts as missing.
fn look_again(
    from: End<'_>,
    to: End<'_>,
    found: &mut Missing,
    result: &mut CopyResult,
    progress: &dyn Progress,
) -> Result<()> {
    progress.begin(Phase::Verifying, found.present.len() as u64, found.present_bytes);
    let mut sound = Vec::with_capacity(found.present.len());
    for id in std::mem::take(&mut found.present) {
        if progress.cancelled() {
            return Err(stopped());
        }
        let verified = match to.store().verify(&id) {
            Ok(verified) => verified,
            Err(error) if error.kind() == ErrorKind::Io => {
                Some(Verified::Damaged { reason: error.to_string() })
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(Verified::Sound { size }) = verified {
            sound.push(id);
            progress.advance(1, size);
            continue;
        }
        let size = from.store().stat(&id)?.map_or(0, |stat| stat.size);
        found.present_bytes = found.present_bytes.saturating_sub(size);
        found.rows.push((id, size));
        result.replaced += 1;
        progress.advance(1, size);
    }
    found.present = sound;
    Ok(())
}

/// Adds the entries whose objects are all there.
fn finish(
    result: &mut CopyResult,
    entries: Vec<Chosen>,
    to: End<'_>,
    lock: Option<&StoreLock>,
    dry_run: bool,
    progress: &dyn Progress,
) -> Result<()> {
    let lost = sorted(result.absent.iter().copied().chain(result.bad.iter().map(|bad| bad.id)).collect());
    // Not before now: what was stored first has made the store.
    let shelf = match to.url() {
        Some(url) if !entries.is_empty() => Some(Shelf::open(url)?),
        _ => None,
    };
    let mut published = Vec::new();
    for Chosen { stash_id, entry } in entries {
        let mut copied = CopiedEntry {
            message: entry.message.to_string_lossy().into_owned(),
            files: entry.manifest.len(),
            stash_id,
            stash_ref: None,
            added: false,
            lacking: paths_of(&entry, &lost),
        };
        if copied.lacking.is_empty() {
            (copied.stash_ref, copied.added) = match (&shelf, to.vault(), lock) {
                (Some(shelf), _, _) if dry_run => there(shelf.find_published(&entry, progress)?),
                (Some(shelf), _, _) => {
                    let (name, new) = shelf.publish(&entry, progress)?;
                    // One that was found may be in a stale list only.
                    if new {
                        published.extend(entry.manifest.iter().map(|(_, id)| *id));
                    }
                    (Some(name), new)
                }
                (None, Some(vault), Some(lock)) => {
                    let added = vault.stash().add_imported(lock, entry, false, progress)?;
                    (Some(format!("stash@{{{}}}", added.index)), added.added)
                }
                (None, Some(vault), None) => {
                    let found = vault.stash().find_imported(&entry)?;
                    there(found.map(|found| format!("stash@{{{}}}", found.index)))
                }
                (None, None, _) => (None, false),
            };
        }
        result.entries.push(copied);
    }
    if shelf.is_some() && !dry_run {
        published.sort_unstable();
        published.dedup();
        // The entries say that now. What stays said besides costs space, and somebody may not be allowed to remove anything.
        let _ = to.store().entrust(&published);
    }
    Ok(())
}

/// Where an entry stands, and whether it would be added.
fn there(found: Option<String>) -> (Option<String>, bool) {
    let new = found.is_none();
    (found, new)
}

/// An error of the target, with what is there already.
fn told(error: stem_store::Error, copied: &Copied) -> Error {
    if error.kind() == ErrorKind::Interrupted {
        return stopped();
    }
    Error::Copy { objects: copied.ids.len() as u64, source: error }
}
