//! Takes the files of a directory into a bucket, or brings them back: what `benches/compare/remote.sh` measures.
//!
//! `transfer make DIR stems|small [MIB]`, `transfer put DIR URL IDS`, `transfer get URL IDS DIR`, where URL is `s3://…` with its options and IDS
//! a file that the first writes and the second reads. Says how long it took, how much processor time and how much memory.
//!
//! `transfer latency MIB ROUNDS MILLISECONDS [MBPS]`: a stem of that size from a service in this process that takes so long for each answer, over a line
//! of that many megabytes per second, with nothing in any cache, beside one plain request for as many bytes, in turns.
#![expect(clippy::print_stdout, clippy::format_push_string, reason = "a program for measuring")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use stem_fs::{Dir, OpenFile, Publish, RelPath};
use stem_hash::ObjectId;
use stem_pack::{CodecLevel, Compression, PackOptions};
use stem_remote::Location;
use stem_store::{Durability, FileSource, Maintain, ObjectStore as _, PutOptions, RestoreOptions};
use stem_testkit::s3::{S3Server, ServerOptions};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let started = Instant::now();
    let bytes = match words.as_slice() {
        ["make", dir, kind] => make(Path::new(dir), kind, 32)?,
        ["make", dir, kind, mib] => make(Path::new(dir), kind, mib.parse()?)?,
        ["put", dir, url, ids] => put(Path::new(dir), url, Path::new(ids))?,
        ["get", url, ids, dir] => get(url, Path::new(ids), Path::new(dir))?,
        ["latency", mib, rounds, wait] => return latency(mib, rounds, wait, None),
        ["latency", mib, rounds, wait, line] => return latency(mib, rounds, wait, Some(line)),
        _ => {
            return Err("transfer make DIR stems|small [MIB], put DIR URL IDS, get URL IDS DIR, \
                        latency MIB ROUNDS MILLISECONDS [MBPS]"
                .into());
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let rate = mega(bytes) / seconds;
    println!("{seconds:.2} s, {rate:.0} MB/s, processor {:.2} s, peak {} MiB", busy(), peak());
    Ok(())
}

/// Processor time of this process so far, in seconds.
fn busy() -> f64 {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, which may hold anything, ends with the last parenthesis.
    let fields = status.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    // In ticks of a hundredth of a second.
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
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

/// Writes 12 files like stems, each so many MiB, or 20,000 small files.
fn make(dir: &Path, kind: &str, mib: usize) -> Outcome<u64> {
    let dir = Dir::create_all(dir)?;
    let (count, samples) = if kind == "stems" { (12, mib << 20) } else { (20_000, 0) };
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
    match options.remove("compression").as_deref() {
        Some("raw") => packs.compression = Compression::Raw,
        Some("audio-fast") => packs.compression = Compression::Audio { samples: CodecLevel::Fast, zstd: 3 },
        _ => {}
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

fn latency(mib: &str, rounds: &str, wait: &str, line: Option<&str>) -> Outcome<()> {
    let (len, rounds): (usize, usize) = (mib.parse::<usize>()? << 20, rounds.parse()?);
    let line = line.map(str::parse::<u64>).transpose()?.map(|line| line * 1_000_000);
    let latency = Duration::from_millis(wait.parse()?);
    let server = S3Server::start(ServerOptions { latency, line, ..ServerOptions::default() })?;
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    let bytes = stem(1, len);
    std::fs::create_dir(at("from"))?;
    std::fs::write(at("from").join("stem"), &bytes)?;
    server.set_object("plain", Some(bytes.clone()));
    let url = |how: &str, cache: &str| {
        let cache = at(cache);
        let cache = cache.display();
        format!(
            "s3://bucket/{how}?endpoint={}&anonymous=true&compression={how}&cache={cache}",
            server.endpoint()
        )
    };
    for how in ["audio", "raw"] {
        put(&at("from"), &url(how, "there"), &at(how))?;
    }
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..rounds {
        for how in ["plain", "audio", "raw"] {
            let target = at("to");
            let started = Instant::now();
            if how == "plain" {
                std::fs::create_dir(&target)?;
                plain(&server.endpoint(), &target.join("stem"))?;
            } else {
                get(&url(how, &format!("cache-{how}-{round}")), &at(how), &target)?;
            }
            times.entry(how).or_default().push(started.elapsed().as_secs_f64());
            if std::fs::read(target.join("stem"))? != bytes {
                return Err("what came back differs".into());
            }
            std::fs::remove_dir_all(&target)?;
        }
    }
    for taken in times.values_mut() {
        taken.sort_by(f64::total_cmp);
    }
    let median =
        |how: &str| times.get(how).and_then(|taken| taken.get(taken.len() / 2)).copied().unwrap_or(0.0);
    let base = median("plain");
    let name = format!(
        "{mib} MiB, {wait} ms, {}",
        line.map_or("loopback".into(), |line| format!("{} MB/s", line / 1_000_000))
    );
    println!("{name}: plain request {base:.3} s");
    for how in ["audio", "raw"] {
        println!("{name}: stem, {how} {:.3} s, {:.2} x", median(how), median(how) / base);
    }
    Ok(())
}

/// One request, its body into a file.
fn plain(endpoint: &str, target: &Path) -> Outcome<()> {
    let host = endpoint.strip_prefix("http://").ok_or("an endpoint")?;
    let mut connection = std::net::TcpStream::connect(host)?;
    connection.write_all(format!("GET /bucket/plain HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes())?;
    let mut buffer = vec![0; 1 << 20];
    let mut head = 0;
    while !buffer[..head].ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut buffer[head..=head])?;
        head += 1;
    }
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut left: usize = length.ok_or("no length")?.trim().parse()?;
    let mut file = std::fs::File::create(target)?;
    while left > 0 {
        let room = left.min(buffer.len());
        let n = connection.read(&mut buffer[..room])?;
        if n == 0 {
            return Err("it ends too early".into());
        }
        file.write_all(&buffer[..n])?;
        left -= n;
    }
    Ok(())
}
