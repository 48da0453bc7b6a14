//! Packs a directory, restores it, compares, and says how fast and how small that was.
//!
//! `cargo run --release -p stem-pack --example pack_speed -- DIR [WORK]` packs the files of DIR into a store below WORK (a
//! temporary directory by default), restores them beside it in the order in which they lie there, compares them byte by
//! byte, and packs them again.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::error::Error;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stem_fs::{Dir, RelPath};
use stem_hash::ObjectId;
use stem_pack::{PackOptions, PackStore};
use stem_store::{Durability, FileSource, ObjectStore, PutOptions, RestoreOptions};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(source) = arguments.next().map(PathBuf::from) else {
        return Err("usage: pack_speed DIR [WORK]".into());
    };
    let work = arguments.next().map_or_else(
        || std::env::temp_dir().join(format!("pack-speed-{}", std::process::id())),
        PathBuf::from,
    );
    fs::create_dir_all(&work)?;
    let store = work.join("store");
    let mut files = Vec::new();
    walk(&source, Path::new(""), &mut files)?;
    files.sort();
    let from = Dir::open(&source)?;
    let options = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };

    let mut first = Vec::new();
    for round in ["pack", "pack again"] {
        let packs = PackStore::open(&store, &PackOptions::default())?;
        let ((ids, raw), time, peak) = measured(|| put_all(&packs, &from, &files, &options))?;
        let stored = size(&store)?;
        println!(
            "{round:<11} {:>8.1} MB/s  {:>7.2} s  {} files, {:.1} MiB -> {:.1} MiB ({:.3})  peak {:.0} MiB",
            mb(raw) / time.as_secs_f64(),
            time.as_secs_f64(),
            files.len(),
            mib(raw),
            mib(stored),
            mib(stored) / mib(raw),
            mib(peak)
        );
        first = ids;
    }

    let packs = PackStore::open(&store, &PackOptions::default())?;
    let target = work.join("restored");
    let to = Dir::create_all(&target)?;
    let (restored, time, peak) = measured(|| {
        let mut restored = 0;
        for at in packs.storage_order(&first)? {
            let mut file = to.temp_file(0o644)?;
            let done = packs.restore_file(&first[at], &mut file, &RestoreOptions::default())?;
            let done = done.ok_or("an object is missing")?;
            restored += done.len;
            file.persist(&to, &RelPath::new(format!("{at}"))?, stem_fs::Publish::Replace)?;
        }
        Ok(restored)
    })?;
    println!(
        "{:<11} {:>8.1} MB/s  {:>7.2} s  peak {:.0} MiB",
        "restore",
        mb(restored) / time.as_secs_f64(),
        time.as_secs_f64(),
        mib(peak)
    );
    for (at, path) in files.iter().enumerate() {
        if !same(&source.join(path), &target.join(at.to_string()))? {
            return Err(format!("{} came back differently", path.display()).into());
        }
    }
    println!("all {} files are the same", files.len());
    drop(packs);
    fs::remove_dir_all(&target)?;
    fs::remove_dir_all(&store)?;
    let _ = fs::remove_dir(&work);
    Ok(())
}

fn put_all(
    packs: &PackStore,
    from: &Dir,
    files: &[PathBuf],
    options: &PutOptions,
) -> Result<(Vec<ObjectId>, u64)> {
    let (mut ids, mut raw) = (Vec::new(), 0);
    for path in files {
        let name = RelPath::from_path(path)?;
        let file = from.open_file(&name)?.ok_or("a file is gone")?;
        let put = packs.put_file(&FileSource::new(&file, file.stat()?), options)?;
        raw += put.digest.len;
        ids.push(put.digest.id);
    }
    packs.sync()?;
    Ok((ids, raw))
}

fn walk(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &path, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn size(dir: &Path) -> Result<u64> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

fn same(one: &Path, other: &Path) -> Result<bool> {
    let mut files = [fs::File::open(one)?, fs::File::open(other)?];
    let mut buffers = [vec![0; 1 << 20], vec![0; 1 << 20]];
    loop {
        let mut parts = Vec::new();
        for (file, buffer) in files.iter_mut().zip(&mut buffers) {
            let count = fill(file, buffer)?;
            parts.push(&buffer[..count]);
        }
        if parts[0] != parts[1] {
            return Ok(false);
        }
        if parts[0].is_empty() {
            return Ok(true);
        }
    }
}

fn fill(file: &mut fs::File, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Runs `work`; gives the time it took and the most anonymous memory in use meanwhile.
fn measured<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration, u64)> {
    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(anonymous(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let started = Instant::now();
        let value = work();
        let time = started.elapsed();
        done.store(true, Ordering::Relaxed);
        Ok((value?, time, peak.load(Ordering::Relaxed)))
    })
}

/// Anonymous memory in use, where the system tells.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
