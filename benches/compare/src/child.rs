//! Contenders that are loops of our own, each run as a process: `stem-compare child <name> …`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use stem_hash::{Algorithm, HashFile, HashOptions, HashSource, Hasher, hash_many};
use stemvault::{
    ApplyOptions, PackingOptions, PushOptions, Silent, SnapshotOptions, UnpackingOptions, Vault,
};

use crate::corpus::{BUFFER, Entry, in_parallel, proof, read_list, sha256};
use crate::stem::Verb;

/// The first argument that makes this program a contender.
pub(crate) const WORD: &str = "child";

/// This program as the contender `name`.
pub(crate) fn command(name: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([WORD, name]);
    Ok(command)
}

/// Runs one.
pub(crate) fn main(args: Vec<OsString>) -> Result<()> {
    let args: Vec<String> = args
        .into_iter()
        .map(|arg| arg.into_string().map_err(|arg| anyhow::anyhow!("{} is not UTF-8", arg.display())))
        .collect::<Result<_>>()?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hash", dir, list] => hash(Path::new(dir), &read_list(Path::new(list))?),
        ["sha2", dir, list] => sha2(Path::new(dir), &read_list(Path::new(list))?),
        ["hash-write", dir, list, to] => {
            hash_and_write(Path::new(dir), &read_list(Path::new(list))?, Path::new(to))
        }
        ["walk", dir] => walk(Path::new(dir)),
        ["cacache-put", dir, list, cache] => {
            cacache_put(Path::new(dir), &read_list(Path::new(list))?, Path::new(cache))
        }
        ["cacache-get", list, cache, to] => {
            cacache_get(&read_list(Path::new(list))?, Path::new(cache), Path::new(to))
        }
        ["touch", bytes] => {
            touch(bytes.parse()?);
            Ok(())
        }
        ["stem", ..] => stem(&args[1..]),
        _ => bail!("there is no contender {words:?}"),
    }
}

fn print(line: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// A file that is opened when its turn comes. The corpus is this process's alone, so it may be mapped.
struct Late(PathBuf, u64);

struct Mine(File);

impl HashFile for Mine {
    fn file(&self) -> &File {
        &self.0
    }

    fn safe_to_map(&self) -> bool {
        true
    }
}

impl HashSource for Late {
    type Opened = Mine;

    fn expected_len(&self) -> u64 {
        self.1
    }

    fn open(&self) -> io::Result<Mine> {
        File::open(&self.0).map(Mine)
    }
}

/// The engine's own hashing, SHA-256 and XXH3 fused, on all cores, and nothing else: the floor of a push.
fn hash(dir: &Path, files: &[Entry]) -> Result<()> {
    let sources: Vec<Late> = files.iter().map(|file| Late(dir.join(&file.path), file.len)).collect();
    let options = HashOptions::new(Algorithm::Sha256).and_checksum();
    let digests = hash_many(&sources, &options, &stem_hash::Silent);
    let ids = digests.into_iter().map(|digest| Ok(*digest?.id.as_bytes())).collect::<io::Result<Vec<_>>>()?;
    print(&proof(ids))
}

/// The `sha2` crate over reads of 1 MiB, two threads.
fn sha2(dir: &Path, files: &[Entry]) -> Result<()> {
    print(&proof(ids(files, |file| sha256(&dir.join(&file.path)))?))
}

/// What `work` says of each file, on two threads.
fn ids(files: &[Entry], work: impl Fn(&Entry) -> io::Result<[u8; 32]> + Sync) -> io::Result<Vec<[u8; 32]>> {
    let ids: Vec<OnceLock<[u8; 32]>> = files.iter().map(|_| OnceLock::new()).collect();
    in_parallel(files, |index, file| {
        // Each file is visited once.
        let _ = ids[index].set(work(file)?);
        Ok(())
    })?;
    Ok(ids.into_iter().filter_map(OnceLock::into_inner).collect())
}

/// Two threads that read, hash (SHA-256 and XXH3 fused) and write: the floor of a push that copies.
fn hash_and_write(dir: &Path, files: &[Entry], to: &Path) -> Result<()> {
    make_parents(files, to)?;
    let ids = ids(files, |file| {
        let mut hasher = Hasher::with_checksum(Algorithm::Sha256);
        let mut source = File::open(dir.join(&file.path))?;
        let mut target = File::create_new(to.join(&file.path))?;
        // One byte more than the file has, so that the end is seen without another megabyte.
        let mut buffer = vec![0; usize::try_from(file.len).map_or(BUFFER, |len| BUFFER.min(len + 1))];
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            target.write_all(&buffer[..count])?;
        }
        Ok(*hasher.finish().id.as_bytes())
    })?;
    print(&proof(ids))
}

fn make_parents(files: &[Entry], to: &Path) -> io::Result<()> {
    let parents: std::collections::BTreeSet<_> = files.iter().filter_map(|file| file.path.parent()).collect();
    parents.iter().try_for_each(|parent| fs::create_dir_all(to.join(parent)))
}

/// Looks at every file with `lstat`, a directory per task: the floor of whatever has to see what changed.
fn walk(dir: &Path) -> Result<()> {
    let (files, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = OnceLock::new();
    let totals = Totals { files: &files, bytes: &bytes, failed: &failed };
    rayon::scope(|scope| walk_one(scope, dir.to_path_buf(), &totals));
    match failed.into_inner() {
        Some(error) => Err(error).with_context(|| format!("cannot walk {}", dir.display())),
        None => print(&format!("{} {}", files.into_inner(), bytes.into_inner())),
    }
}

#[derive(Clone, Copy)]
struct Totals<'a> {
    files: &'a AtomicU64,
    bytes: &'a AtomicU64,
    failed: &'a OnceLock<io::Error>,
}

fn walk_one<'a>(scope: &rayon::Scope<'a>, dir: PathBuf, totals: &Totals<'a>) {
    let totals = *totals;
    scope.spawn(move |scope| {
        let look = || -> io::Result<()> {
            let opened = openat(
                rustix::fs::CWD,
                &dir,
                OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            let (mut files, mut bytes) = (0, 0);
            for entry in Dir::read_from(&opened)? {
                let entry = entry?;
                let name = entry.file_name();
                if matches!(name.to_bytes(), b"." | b"..") {
                    continue;
                }
                let stat = statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    walk_one(scope, dir.join(std::ffi::OsStr::from_bytes(name.to_bytes())), &totals);
                } else {
                    files += 1;
                    bytes += stat.st_size.cast_unsigned();
                }
            }
            totals.files.fetch_add(files, Ordering::Relaxed);
            totals.bytes.fetch_add(bytes, Ordering::Relaxed);
            Ok(())
        };
        if let Err(error) = look() {
            // The first error is told.
            let _ = totals.failed.set(error);
        }
    });
}

/// cacache by its streaming interface: SHA-256, one key per file, hashed on the way in.
fn cacache_put(dir: &Path, files: &[Entry], cache: &Path) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    for file in files {
        let options = cacache::WriteOpts::new().algorithm(cacache::Algorithm::Sha256);
        let mut writer =
            options.size(usize::try_from(file.len)?).open_sync(cache, file.path.to_string_lossy())?;
        let mut source = File::open(dir.join(&file.path))?;
        loop {
            match source.read(&mut buffer)? {
                0 => break,
                count => writer.write_all(&buffer[..count])?,
            }
        }
        writer.commit()?;
    }
    Ok(())
}

/// Verified copies out of the cache.
fn cacache_get(files: &[Entry], cache: &Path, to: &Path) -> Result<()> {
    make_parents(files, to)?;
    for file in files {
        cacache::copy_sync(cache, file.path.to_string_lossy(), to.join(&file.path))?;
    }
    Ok(())
}

/// Writes to memory that is not written to yet, and gives it back. On a guest whose host takes free memory away, the
/// first write to a page is slow; the contender that comes next shall not pay for that.
fn touch(bytes: usize) {
    let mut memory = vec![0_u8; bytes];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
}

/// The library's verbs, with what the command-line program does around them.
fn stem(words: &[String]) -> Result<()> {
    // Leases and mappings of many files are open at once.
    let _ = stemvault::raise_open_file_limit();
    let root = std::env::current_dir()?;
    let verb = Verb::parse(words).with_context(|| format!("there is no verb {words:?}"))?;
    if verb == Verb::Init {
        Vault::init(&root)?;
        return Ok(());
    }
    let vault = Vault::discover(&root)?;
    let stash = vault.stash();
    let partial = match verb {
        Verb::Init => false,
        Verb::Snapshot => stash.snapshot(&SnapshotOptions::default(), &Silent)?.is_partial(),
        Verb::Push | Verb::PushKeep => {
            let options = PushOptions { keep: verb == Verb::PushKeep, ..PushOptions::default() };
            stash.push(&options, &Silent)?.is_partial()
        }
        Verb::Pop | Verb::PopNoVerify => {
            let options = ApplyOptions { verify: Some(verb == Verb::Pop), ..ApplyOptions::pop() };
            stash.apply("0", options, &Silent)?.is_partial()
        }
        Verb::Pack => {
            vault.pack(&PackingOptions { all: true, ..PackingOptions::default() }, &Silent)?.is_partial()
        }
        Verb::Unpack => vault.unpack(&UnpackingOptions::default(), &Silent)?.is_partial(),
        Verb::Status => {
            let status = stash.status(&Silent)?;
            print(&format!("{} changes, {} files", status.changes.len(), status.files))?;
            false
        }
    };
    if partial {
        bail!("something was left undone");
    }
    Ok(())
}
