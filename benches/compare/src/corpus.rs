//! The files that are pushed around, and what is known of them.
//!
//! The pristine tree is made once and never handed to a contender. Each works on a copy whose bytes were written anew, so
//! that no contender finds files that are fragmented, linked or leased by the one before.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use stem_corpus::{Session, session, tree};

/// Makes the presets; the same in the benches, so that both measure the same bytes.
const SEED: u64 = 1;
/// Bytes that are read at a time.
pub(crate) const BUFFER: usize = 1 << 20;
/// Copying to set up is bound by memory: two threads do what more could.
pub(crate) const THREADS: usize = 2;

/// A file of a corpus.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Below the corpus.
    pub(crate) path: PathBuf,
    /// In bytes.
    pub(crate) len: u64,
}

/// A corpus on the disk.
#[derive(Debug)]
pub(crate) struct Corpus {
    /// As it stands in records: `a`, `c`, with its scale if that is not 1, or the name of a directory.
    pub(crate) name: String,
    /// The preset, if it is one: it has targets.
    pub(crate) preset: Option<char>,
    /// Sorted by path.
    pub(crate) files: Vec<Entry>,
    /// Of all files.
    pub(crate) bytes: u64,
    /// The SHA-256 of the files' SHA-256s, in their order.
    pub(crate) proof: String,
    /// A file that lists the files, for the bare loops.
    pub(crate) list: PathBuf,
    pristine: PathBuf,
}

impl Corpus {
    /// The preset or the directory that `name` means.
    pub(crate) fn get(name: &str, scale: f64, dir: &Path) -> Result<Self> {
        let (preset, session) = match name {
            "a" => ('a', Session::stems(SEED, scaled(session::STEM_BYTES, scale))),
            "c" => {
                let count = u32::try_from(scaled(u64::from(session::SMALL_FILES), scale))?;
                ('c', Session::small_files(SEED, count))
            }
            path => return Self::at(Path::new(path), dir),
        };
        let name = if scale < 1.0 { format!("{name} x {scale}") } else { name.to_owned() };
        let pristine = dir.join(format!("pristine-{}", name.replace(' ', "")));
        let listed =
            |entries: &[Entry]| entries.iter().map(|file| file.len).sum::<u64>() == session.total_len();
        if !pristine.is_dir() || !listed(&list(&pristine)?) {
            eprintln!("making corpus {name}: {} bytes", session.total_len());
            // Under another name until it is whole.
            let unfinished = dir.join("unfinished");
            for old in [&unfinished, &pristine] {
                remove(old)?;
            }
            tree::write_tree(&unfinished, session.files(), &mut |_| {})?;
            fs::rename(&unfinished, &pristine)?;
        }
        Self::new(name, Some(preset), pristine, dir)
    }

    fn at(path: &Path, dir: &Path) -> Result<Self> {
        let path = path.canonicalize().with_context(|| format!("there is no corpus {}", path.display()))?;
        let name = path.file_name().map_or_else(|| "root".into(), |name| name.to_string_lossy().into_owned());
        if dir.starts_with(&path) {
            bail!("--dir lies in the corpus");
        }
        Self::new(name, None, path, dir)
    }

    fn new(name: String, preset: Option<char>, pristine: PathBuf, dir: &Path) -> Result<Self> {
        let files = list(&pristine)?;
        if files.is_empty() {
            bail!("{} holds no files", pristine.display());
        }
        let ids: Vec<[u8; 32]> =
            files.par_iter().map(|file| sha256(&pristine.join(&file.path))).collect::<io::Result<_>>()?;
        let bytes = files.iter().map(|file| file.len).sum();
        let list = dir.join("list");
        write_list(&list, &files)?;
        Ok(Self { name, preset, bytes, proof: proof(ids), files, list, pristine })
    }

    /// Makes `to` a copy of the corpus. No blocks are shared with it.
    pub(crate) fn place(&self, to: &Path) -> Result<()> {
        let parents: BTreeSet<_> = self.files.iter().filter_map(|file| file.path.parent()).collect();
        parents.iter().try_for_each(|parent| fs::create_dir_all(to.join(parent)))?;
        in_parallel(&self.files, |_, file| {
            let mut source = File::open(self.pristine.join(&file.path))?;
            let mut target = File::create_new(to.join(&file.path))?;
            let mut buffer = vec![0; BUFFER.min(usize::try_from(file.len).unwrap_or(BUFFER) + 1)];
            loop {
                match source.read(&mut buffer)? {
                    0 => return Ok(()),
                    count => target.write_all(&buffer[..count])?,
                }
            }
        })
        .with_context(|| format!("cannot copy the corpus to {}", to.display()))
    }

    /// Fails unless `dir` holds the corpus, byte for byte, and no other file.
    pub(crate) fn check(&self, dir: &Path) -> Result<()> {
        let found = list(dir)?;
        if found != self.files {
            let wrong = found.iter().find(|file| self.files.binary_search(file).is_err());
            let lost = self.files.iter().find(|file| found.binary_search(file).is_err());
            bail!("{} is not the corpus: {wrong:?} is there, {lost:?} is not", dir.display());
        }
        in_parallel(&self.files, |_, file| {
            if same(&self.pristine.join(&file.path), &dir.join(&file.path))? {
                Ok(())
            } else {
                Err(io::Error::other(format!("{} has other bytes", file.path.display())))
            }
        })
        .with_context(|| format!("{} is not the corpus", dir.display()))
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "a rough size"
)]
fn scaled(full: u64, scale: f64) -> u64 {
    (full as f64 * scale).ceil() as u64
}

/// The regular files below `dir`, sorted; hidden ones at its top (a tool's own) are not its content.
pub(crate) fn list(dir: &Path) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    visit(dir, &mut |path, meta| {
        if meta.is_file() {
            let path = path.strip_prefix(dir)?.to_path_buf();
            found.push(Entry { path, len: meta.len() });
        }
        Ok(())
    })
    .with_context(|| format!("cannot list {}", dir.display()))?;
    let own = |file: &Entry| file.path.as_os_str().as_encoded_bytes().first() == Some(&b'.');
    found.retain(|file| !own(file));
    found.sort_unstable();
    Ok(found)
}

/// Calls `each` for everything below `dir`.
pub(crate) fn visit(dir: &Path, each: &mut dyn FnMut(&Path, &fs::Metadata) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let meta = fs::symlink_metadata(&path)?;
        each(&path, &meta)?;
        if meta.is_dir() {
            visit(&path, each)?;
        }
    }
    Ok(())
}

/// Reads every file below `dir` once, so that it is in the page cache.
pub(crate) fn warm(dir: &Path) -> Result<()> {
    let mut files = Vec::new();
    visit(dir, &mut |path, meta| {
        if meta.is_file() {
            files.push(Entry { path: path.to_path_buf(), len: meta.len() });
        }
        Ok(())
    })?;
    in_parallel(&files, |_, file| each_piece(&file.path, |_| ()))
        .with_context(|| format!("cannot read {}", dir.display()))
}

/// Removes whatever is at `path`.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Hands the bytes of a file over in pieces.
pub(crate) fn each_piece(path: &Path, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => piece(&buffer[..count]),
        }
    }
}

pub(crate) fn sha256(path: &Path) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    each_piece(path, |piece| hasher.update(piece))?;
    Ok(hasher.finalize().into())
}

/// What a contender that hashes prints, to show that it did.
pub(crate) fn proof(ids: impl IntoIterator<Item = [u8; 32]>) -> String {
    let mut all = Sha256::new();
    ids.into_iter().for_each(|id| all.update(id));
    stem_hash::ObjectId::from_bytes(all.finalize().into()).to_string()
}

/// Runs `work` over all files on [`THREADS`] threads, the longest file first.
pub(crate) fn in_parallel(
    files: &[Entry],
    work: impl Fn(usize, &Entry) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let mut order: Vec<(usize, &Entry)> = files.iter().enumerate().collect();
    order.sort_by_key(|(_, file)| std::cmp::Reverse(file.len));
    let next = std::sync::atomic::AtomicUsize::new(0);
    let one = || loop {
        let Some((index, file)) = order.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) else {
            return Ok(());
        };
        work(*index, file)?;
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

fn same(left: &Path, right: &Path) -> io::Result<bool> {
    let mut right = File::open(right)?;
    let (mut equal, mut failed, mut other) = (true, None, vec![0; BUFFER]);
    each_piece(left, |piece| {
        if equal && failed.is_none() {
            match right.read_exact(&mut other[..piece.len()]) {
                Ok(()) => equal = other[..piece.len()] == *piece,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => equal = false,
                Err(error) => failed = Some(error),
            }
        }
    })?;
    failed.map_or(Ok(equal), Err)
}

/// One line per file: its length, a tab, its path.
fn write_list(path: &Path, files: &[Entry]) -> Result<()> {
    let mut out = Vec::new();
    for file in files {
        let name = file.path.as_os_str().as_encoded_bytes();
        if name.contains(&b'\n') {
            bail!("{} has a line break in its name; the list of files cannot hold it", file.path.display());
        }
        write!(out, "{}\t", file.len)?;
        out.extend_from_slice(name);
        out.push(b'\n');
    }
    fs::write(path, out)?;
    Ok(())
}

/// Reads what [`Corpus::list`] names.
pub(crate) fn read_list(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path)?;
    text.lines()
        .map(|line| {
            let (len, path) = line.split_once('\t').context("the list of files is damaged")?;
            Ok(Entry { path: path.into(), len: len.parse()? })
        })
        .collect()
}
