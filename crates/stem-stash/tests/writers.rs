//! A program writes to a file at every moment of its adoption: before the lease, while it is hashed and noted, between
//! its path lookup and its open, and after everything. What it writes is never lost and no object is wrong.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use stem_fs::{Change, Dir, Observer};
use stem_hash::IdPrefix;
use stem_sharded::{Options, ShardedStore};
use stem_stash::{ApplyOptions, PushOptions, PushResult, Reason, Repository, Settings, Silent, Stash};
use stem_store::{ObjectStore, ObjectStoreExt};

/// Runs a deed once, at the first change that fits.
struct At {
    fits: fn(&Change<'_>) -> bool,
    done: AtomicBool,
    deed: Mutex<Box<dyn FnMut() + Send>>,
}

impl std::fmt::Debug for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("At")
    }
}

impl Observer for At {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        if (self.fits)(&change) && !self.done.swap(true, Ordering::SeqCst) {
            (self.deed.lock().unwrap())();
        }
        Ok(())
    }
}

struct Session {
    _dir: tempfile::TempDir,
    root: PathBuf,
    stem: PathBuf,
}

const TAKE: &[u8] = b"the first take";

fn session() -> Session {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_path_buf();
    stem_stash::init(&root).unwrap();
    let stem = root.join("muse-work/kick.wav");
    fs::write(&stem, TAKE).unwrap();
    fs::write(root.join("muse-work/other.wav"), b"another file").unwrap();
    Session { _dir: dir, root, stem }
}

fn push(root: &Path, observer: Option<Arc<At>>) -> PushResult {
    let dir = match observer {
        Some(observer) => Dir::open_observed(root, observer),
        None => Dir::open(root),
    };
    let repository = Repository::from_dir(dir.unwrap(), Settings::default()).unwrap();
    let store = ShardedStore::in_repository(repository.muse(), &Options::default()).unwrap();
    Stash::new(&repository, &store, &[]).push(&PushOptions::default(), &Silent).unwrap()
}

/// Every object's bytes hash to its name, and what the newest entry has at `kick.wav`.
fn stashed_take(root: &Path) -> Vec<u8> {
    let repository = Repository::open(root, Settings::default()).unwrap();
    let store = ShardedStore::in_repository(repository.muse(), &Options::default()).unwrap();
    let mut ids = Vec::new();
    store
        .list(&IdPrefix::default(), &mut |id| {
            ids.push(id);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    for id in ids {
        // Reading to the end verifies.
        store.get(&id, 1 << 20).unwrap().unwrap();
    }
    let shown = Stash::new(&repository, &store, &[]).show("0").unwrap();
    let kick = shown.files.iter().find(|file| file.path.as_bytes() == b"kick.wav").unwrap();
    store.get(&kick.id, 1 << 20).unwrap().unwrap()
}

fn reason(result: &PushResult) -> Option<Reason> {
    let left = result.left_alone.iter().find(|left| left.path.as_bytes() == b"kick.wav");
    left.map(|left| left.reason.clone())
}

/// Opens for appending in another thread, since the open waits for the lease to go.
fn append_later(path: PathBuf, started: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        started.store(true, Ordering::SeqCst);
        OpenOptions::new().append(true).open(path).unwrap().write_all(b", and a second one").unwrap();
    })
}

/// The thread that appends, once it was started.
type Writer = Arc<Mutex<Option<JoinHandle<()>>>>;

/// Starts an append when `fits`, and gives it time to reach the lease.
fn at(fits: fn(&Change<'_>) -> bool, path: &Path) -> (Arc<At>, Writer) {
    let writer = Arc::new(Mutex::new(None));
    let (slot, path) = (Arc::clone(&writer), path.to_path_buf());
    let deed = move || {
        let started = Arc::new(AtomicBool::new(false));
        *slot.lock().unwrap() = Some(append_later(path.clone(), Arc::clone(&started)));
        while !started.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    (Arc::new(At { fits, done: AtomicBool::new(false), deed: Mutex::new(Box::new(deed)) }), writer)
}

fn is_intent(change: &Change<'_>) -> bool {
    matches!(change, Change::Rename { to, .. } if to.to_string_lossy().contains("journal"))
}

fn is_adoption(change: &Change<'_>) -> bool {
    matches!(change, Change::Rename { from, .. } if from.ends_with("kick.wav"))
}

#[test]
fn without_a_writer_the_file_itself_becomes_the_object() {
    use std::os::unix::fs::MetadataExt;
    let s = session();
    let inode = fs::metadata(&s.stem).unwrap().ino();
    let result = push(&s.root, None);
    assert!(!result.is_partial());
    assert!(!s.stem.exists());
    assert_eq!(stashed_take(&s.root), TAKE);
    let inodes: Vec<u64> = fs::read_dir(s.root.join(".muse/objects"))
        .unwrap()
        .flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap())
        .map(|object| object.unwrap().metadata().unwrap().ino())
        .collect();
    assert!(inodes.contains(&inode), "copied, not adopted");
}

#[test]
fn a_writer_before_the_lease_keeps_its_file() {
    let s = session();
    let mut writer = OpenOptions::new().append(true).open(&s.stem).unwrap();
    let result = push(&s.root, None);
    assert_eq!(reason(&result), Some(Reason::Busy));
    writer.write_all(b", and a second one").unwrap();
    assert_eq!(fs::read(&s.stem).unwrap(), b"the first take, and a second one");
    assert_eq!(stashed_take(&s.root), TAKE);
}

#[test]
fn a_writable_mapping_keeps_its_file() {
    let s = session();
    let file = OpenOptions::new().read(true).write(true).open(&s.stem).unwrap();
    // The mapping alone remains; the descriptor is closed.
    let map = unsafe_map::writable(&file);
    drop(file);
    let result = push(&s.root, None);
    assert_eq!(reason(&result), Some(Reason::Busy));
    unsafe_map::store(map, b'T');
    assert_eq!(fs::read(&s.stem).unwrap(), b"The first take");
    assert_eq!(stashed_take(&s.root), TAKE);
}

#[test]
fn a_writer_that_comes_while_the_file_is_leased_gets_it_back() {
    for fits in [is_intent as fn(&Change<'_>) -> bool, is_adoption] {
        let s = session();
        let (observer, writer) = at(fits, &s.stem);
        let result = push(&s.root, Some(observer));
        writer.lock().unwrap().take().expect("the moment came").join().unwrap();
        // Whether the writer is still at it when the copy is made is a matter of time.
        assert!(matches!(reason(&result), Some(Reason::Busy | Reason::Changed)), "{result:?}");
        assert_eq!(fs::read(&s.stem).unwrap(), b"the first take, and a second one");
        // What was stored is one state of the file, whole.
        let stored = stashed_take(&s.root);
        assert!(stored == TAKE || stored == fs::read(&s.stem).unwrap(), "{stored:?}");
        assert!(!s.root.join("muse-work/other.wav").exists());
    }
}

/// Whether the file was renamed: the flush after that is the second one, the first covers the intent.
static SEEN: AtomicBool = AtomicBool::new(false);

#[test]
fn a_writer_that_looked_the_path_up_and_opens_after_the_lease_gets_it_back() {
    for finishes in [false, true] {
        let s = session();
        // The path is resolved now and opened later, as between two halves of open(2).
        let resolved = OpenOptions::new().read(true).custom_flags(libc_o_path()).open(&s.stem).unwrap();
        let held: Arc<Mutex<Option<File>>> = Arc::default();
        let slot = Arc::clone(&held);
        let deed = move || {
            let path = format!("/proc/self/fd/{}", resolved.as_raw_fd());
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(b", and a second one").unwrap();
            if !finishes {
                *slot.lock().unwrap() = Some(file);
            }
        };
        SEEN.store(false, Ordering::SeqCst);
        let fits = |change: &Change<'_>| {
            if is_adoption(change) {
                SEEN.store(true, Ordering::SeqCst);
            }
            matches!(change, Change::SyncAll(_)) && SEEN.load(Ordering::SeqCst)
        };
        let observer = At { fits, done: AtomicBool::new(false), deed: Mutex::new(Box::new(deed)) };
        let result = push(&s.root, Some(Arc::new(observer)));
        let reason = reason(&result);
        assert!(matches!(reason, Some(Reason::Busy | Reason::Changed)), "{result:?}");
        assert_eq!(fs::read(&s.stem).unwrap(), b"the first take, and a second one");
        assert_eq!(stashed_take(&s.root), fs::read(&s.stem).unwrap());
        drop(held.lock().unwrap().take());
    }
}

#[test]
fn a_writer_after_the_push_makes_a_file_of_its_own() {
    let s = session();
    let result = push(&s.root, None);
    assert!(!result.is_partial());
    assert_eq!(OpenOptions::new().append(true).open(&s.stem).unwrap_err().kind(), io::ErrorKind::NotFound);
    fs::write(&s.stem, b"a new take").unwrap();
    assert_eq!(stashed_take(&s.root), TAKE);
}

#[test]
fn equal_files_survive_when_the_adopted_one_goes_back() {
    let s = session();
    fs::write(s.root.join("muse-work/twin.wav"), TAKE).unwrap();
    let adopted = |change: &Change<'_>| matches!(change, Change::Rename { from, .. } if from.ends_with("kick.wav") || from.ends_with("twin.wav"));
    let (observer, writer) = at(adopted, &s.stem);
    push(&s.root, Some(observer));
    writer.lock().unwrap().take().unwrap().join().unwrap();
    let repository = Repository::open(&s.root, Settings::default()).unwrap();
    let store = ShardedStore::in_repository(repository.muse(), &Options::default()).unwrap();
    let stash = Stash::new(&repository, &store, &[]);
    fs::remove_dir_all(s.root.join("muse-work")).unwrap();
    let pop = ApplyOptions { drop: true, ..ApplyOptions::default() };
    assert!(stash.apply("0", pop, &Silent).unwrap().dropped);
    assert_eq!(fs::read(s.root.join("muse-work/twin.wav")).unwrap(), TAKE);
}

/// As [`SEEN`], for the test below, which runs beside the other.
static MOVED: AtomicBool = AtomicBool::new(false);

#[test]
fn an_older_entry_keeps_its_object_when_an_equal_file_goes_back() {
    let s = session();
    push(&s.root, None);
    let repository = Repository::open(&s.root, Settings::default()).unwrap();
    let store = ShardedStore::in_repository(repository.muse(), &Options::default()).unwrap();
    let stash = Stash::new(&repository, &store, &[]);
    stash.apply("0", ApplyOptions::default(), &Silent).unwrap();

    let resolved = OpenOptions::new().read(true).custom_flags(libc_o_path()).open(&s.stem).unwrap();
    let deed = move || {
        let path = format!("/proc/self/fd/{}", resolved.as_raw_fd());
        OpenOptions::new().append(true).open(path).unwrap().write_all(b", and a second one").unwrap();
    };
    let fits = |change: &Change<'_>| {
        if is_adoption(change) {
            MOVED.store(true, Ordering::SeqCst);
        }
        matches!(change, Change::SyncAll(_)) && MOVED.load(Ordering::SeqCst)
    };
    let observer = Arc::new(At { fits, done: AtomicBool::new(false), deed: Mutex::new(Box::new(deed)) });
    push(&s.root, Some(observer.clone()));
    assert!(observer.done.load(Ordering::SeqCst));
    assert_eq!(fs::read(&s.stem).unwrap(), b"the first take, and a second one");
    let old = stash.show("1").unwrap();
    let kick = old.files.iter().find(|file| file.path.as_bytes() == b"kick.wav").unwrap();
    assert_eq!(store.get(&kick.id, 1 << 20).unwrap().as_deref(), Some(TAKE));
}

#[test]
fn a_hard_linked_file_is_copied_and_its_other_name_stays_apart() {
    let s = session();
    let elsewhere = s.root.join("library.wav");
    fs::hard_link(&s.stem, &elsewhere).unwrap();
    let result = push(&s.root, None);
    assert!(!result.is_partial(), "{result:?}");
    assert!(!s.stem.exists());
    OpenOptions::new().append(true).open(&elsewhere).unwrap().write_all(b" changed").unwrap();
    assert_eq!(stashed_take(&s.root), TAKE);
}

/// What an audio program does to its files: it records at their end, cuts them, writes them anew in place or by rename,
/// and draws in them through a mapping. Each file's last saved version is what it is about.
struct Workstation<'a> {
    work: &'a Path,
    random: stem_testkit::crash::Random,
    saved: Vec<Option<Vec<u8>>>,
}

impl Workstation<'_> {
    const STEMS: usize = 5;

    fn path(&self, n: usize) -> PathBuf {
        self.work.join(format!("stem-{n}.wav"))
    }

    /// Large enough to be mapped for hashing, and different every time.
    fn audio(&mut self) -> Vec<u8> {
        let seed = self.random.draw().to_le_bytes();
        seed.repeat(2_000 + self.random.below(60_000))
    }

    fn save_by_rename(&mut self, n: usize) {
        let bytes = self.audio();
        let hidden = self.work.join(format!(".saving-{n}"));
        fs::write(&hidden, &bytes).unwrap();
        fs::rename(hidden, self.path(n)).unwrap();
        self.saved[n] = Some(bytes);
    }

    /// One edit. A file that was pushed away meanwhile is saved anew, as programs do.
    fn edit(&mut self) {
        let n = self.random.below(Self::STEMS);
        let what = self.random.below(5);
        let opened = OpenOptions::new().read(true).write(true).open(self.path(n));
        let (Ok(mut file), true) = (opened, what > 0) else { return self.save_by_rename(n) };
        // A push may have brought an older state to the path, for a HEAD or an entry: what the file holds now counts.
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        match what {
            1 => {
                let more = self.audio();
                file.write_all(&more).unwrap();
                bytes.extend(more);
            }
            2 => {
                bytes.truncate(bytes.len() / 2 + 1);
                file.set_len(bytes.len() as u64).unwrap();
            }
            3 => {
                bytes = self.audio();
                file.set_len(0).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
            }
            _ if bytes.is_empty() => {}
            _ => {
                let drawn = self.random.draw().to_le_bytes()[0];
                bytes[0] = drawn;
                let map = unsafe_map::writable(&file);
                drop(file);
                unsafe_map::store(map, drawn);
            }
        }
        self.saved[n] = Some(bytes);
    }
}

#[test]
fn an_audio_program_that_goes_on_working_loses_nothing_that_it_saved() {
    for round in 0..12 {
        let s = session();
        let work = s.root.join("muse-work");
        let stop = AtomicBool::new(false);
        let saved = std::thread::scope(|scope| {
            let program = scope.spawn(|| {
                let random = stem_testkit::crash::Random::new(round);
                let mut program = Workstation { work: &work, random, saved: vec![None; Workstation::STEMS] };
                (0..Workstation::STEMS).for_each(|n| program.save_by_rename(n));
                while !stop.load(Ordering::SeqCst) {
                    program.edit();
                }
                program.saved
            });
            for _ in 0..6 {
                push(&s.root, None);
            }
            stop.store(true, Ordering::SeqCst);
            program.join().unwrap()
        });
        let repository = Repository::open(&s.root, Settings::default()).unwrap();
        let store = ShardedStore::in_repository(repository.muse(), &Options::default()).unwrap();
        let stash = Stash::new(&repository, &store, &[]);
        let mut held: Vec<Vec<u8>> = fs::read_dir(&work)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| fs::read(path).unwrap())
            .collect();
        for entry in stash.list().unwrap() {
            for (path, id) in entry.entry.unwrap().manifest.iter() {
                // Reading to the end verifies: no object holds anything but what its name says.
                let bytes = store.get(id, 1 << 30).unwrap();
                held.push(
                    bytes.unwrap_or_else(|| panic!("round {round}: the object of '{path}' is missing")),
                );
            }
        }
        for (n, bytes) in saved.iter().enumerate() {
            let bytes = bytes.as_ref().unwrap();
            assert!(
                held.contains(bytes),
                "round {round}: what was saved of stem {n} is lost, {} bytes",
                bytes.len()
            );
        }
    }
}

/// `O_PATH`: `open(2)`.
fn libc_o_path() -> i32 {
    0o10_000_000
}

/// The one thing that a safe crate cannot do here: keep a writable mapping after its descriptor is closed.
mod unsafe_map {
    #![expect(unsafe_code, reason = "a writable mapping is what the test is about")]

    use std::fs::File;

    pub(super) fn writable(file: &File) -> memmap2::MmapMut {
        // SAFETY: nobody truncates the file while the mapping lives.
        unsafe { memmap2::MmapMut::map_mut(file).unwrap() }
    }

    pub(super) fn store(mut map: memmap2::MmapMut, byte: u8) {
        map[0] = byte;
    }
}
