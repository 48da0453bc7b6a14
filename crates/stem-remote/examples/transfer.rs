//! Takes the files of a directory into a bucket, or brings them back: what `benches/compare/remote.sh` measures.
//!
//! `transfer make DIR stems|small`, `transfer put DIR URL IDS`, `transfer get URL IDS DIR`, where URL is `s3://…` with its options and IDS
//! a file that the first writes and the second reads. Says how long it took, and how much memory.
#![expect(clippy::print_stdout, clippy::format_push_string, reason = "a program for measuring")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use stem_fs::{Dir, OpenFile, Publish, RelPath};
use stem_hash::ObjectId;
use stem_pack::PackOptions;
use stem_remote::Location;
use stem_store::{Durability, FileSource, Maintain, ObjectStore as _, PutOptions, RestoreOptions};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let started = Instant::now();
    let bytes = match words.as_slice() {
        ["make", dir, kind] => make(Path::new(dir), kind)?,
        ["put", dir, url, ids] => put(Path::new(dir), url, Path::new(ids))?,
        ["get", url, ids, dir] => get(url, Path::new(ids), Path::new(dir))?,
        _ => return Err("transfer make DIR stems|small, put DIR URL IDS, get URL IDS DIR".into()),
    };
    let seconds = started.elapsed().as_secs_f64();
    println!("{seconds:.2} s, {:.0} MB/s, peak {} MiB", mega(bytes) / seconds, peak());
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The most memory that this process had.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Writes something like stems, of 32 MiB, or 20,000 small files.
fn make(dir: &Path, kind: &str) -> Outcome<u64> {
    let dir = Dir::create_all(dir)?;
    let (count, samples) = if kind == "stems" { (12, 32 << 20) } else { (20_000, 0) };
    let mut all = 0;
    for number in 0..count {
        let bytes = if samples > 0 { stem(number, samples) } else { preset(number) };
        all += bytes.len() as u64;
        std::fs::write(dir.full(&RelPath::new(format!("{number:05}"))?), bytes)?;
    }
    Ok(all)
}

/// Numbers that look random.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// A WAV file of 16-bit stereo: tones with noise below them.
fn stem(number: u64, len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ (number + 1);
    let mut bytes = Vec::with_capacity(len + 44);
    let data = u32::try_from(len).unwrap_or(u32::MAX);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(data + 36).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    for half in [1u16, 2] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    bytes.extend_from_slice(&48_000u32.to_le_bytes());
    bytes.extend_from_slice(&192_000u32.to_le_bytes());
    for half in [4u16, 16] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    let step = 0.01 + f64::from(u32::try_from(number % 100).unwrap_or(0)) * 0.003;
    let mut phase = 0.0_f64;
    while bytes.len() < len + 44 {
        phase += step;
        let noise = i16::try_from(next(&mut state) % 512).unwrap_or(0) - 256;
        #[expect(clippy::cast_possible_truncation, reason = "at most 12,000")]
        let tone = (phase.sin() * 9_000.0 + (phase * 3.1).sin() * 3_000.0) as i16;
        for channel in [tone + noise, tone - noise] {
            bytes.extend_from_slice(&channel.to_le_bytes());
        }
    }
    bytes
}

/// Something like a preset, of 0.2 to 12 KiB.
fn preset(number: u64) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d ^ (number + 1);
    let mut text = format!("{{\"preset\": {number}");
    for parameter in 0..4 + next(&mut state) % 400 {
        text.push_str(&format!(", \"parameter{parameter}\": 0.{:05}", next(&mut state) % 100_000));
    }
    text.push('}');
    text.into_bytes()
}

fn open(url: &str) -> Outcome<std::sync::Arc<dyn Maintain>> {
    let (scheme, rest) = url.split_once(':').ok_or("a URL has a scheme")?;
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    let options: BTreeMap<String, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut options = options;
    let mut packs = PackOptions::default();
    // To see what coding costs.
    if options.remove("compression").is_some_and(|how| how == "raw") {
        packs.compression = stem_pack::Compression::Raw;
    }
    Ok(stem_remote::open(&Location { scheme, location, options: &options }, &packs)?)
}

/// Runs `work` on every number below `count`, on two threads, as the program's verbs do.
fn each(count: usize, work: impl Fn(usize) -> Outcome<()> + Sync) -> Outcome<()> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let run = || -> Result<(), String> {
        loop {
            let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            work(number).map_err(|error| error.to_string())?;
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(run);
        let own = run();
        own.and(other.join().unwrap_or_else(|_| Err("a thread panicked".into())))
    })?;
    Ok(())
}

fn put(dir: &Path, url: &str, ids: &Path) -> Outcome<u64> {
    let store = open(url)?;
    let dir = Dir::open(dir)?;
    let mut names: Vec<_> = dir.entries()?.into_iter().map(|entry| entry.name).collect();
    names.sort();
    let options = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };
    let stored = std::sync::Mutex::new((String::new(), 0));
    each(names.len(), |number| {
        let path = RelPath::new(names[number].clone())?;
        let file: OpenFile = dir.open_file(&path)?.ok_or("a file vanished")?;
        let put = store.put_file(&FileSource::new(&file, file.stat()?), &options)?;
        let mut stored = stored.lock().map_err(|_| "poisoned")?;
        stored.0.push_str(&format!("{} {path}\n", put.digest.id));
        stored.1 += put.digest.len;
        Ok(())
    })?;
    let (lines, all) = stored.into_inner().map_err(|_| "poisoned")?;
    store.sync()?;
    std::fs::write(ids, lines)?;
    Ok(all)
}

fn get(url: &str, ids: &Path, dir: &Path) -> Outcome<u64> {
    let store = open(url)?;
    let dir = Dir::create_all(dir)?;
    let text = std::fs::read_to_string(ids)?;
    let files: Vec<(ObjectId, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, name)| Ok((id.parse::<ObjectId>()?, name)))
        .collect::<Outcome<_>>()?;
    let wanted: Vec<ObjectId> = files.iter().map(|(id, _)| *id).collect();
    let order = store.storage_order(&wanted)?;
    let all = std::sync::atomic::AtomicU64::new(0);
    each(order.len(), |number| {
        let (id, name) = &files[order[number]];
        let mut target = dir.temp_file(0o644)?;
        // Compared with the id, not only chunk by chunk.
        let restored = store.restore_file(id, &mut target, &RestoreOptions::default())?;
        target.persist(&dir, &RelPath::new(*name)?, Publish::Replace)?;
        let len = restored.ok_or("an object is missing")?.len;
        all.fetch_add(len, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    })?;
    Ok(all.into_inner())
}
