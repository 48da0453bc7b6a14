//! How a multi-pack index of many entries behaves: opening, lookups, memory.
//!
//! `cargo run --release -p stem-pack --example index_scale -- [ENTRIES] [DIRECTORY]`: generates indices of full packs,
//! merges them, opens the result and looks up ids that are there and ids that are not. Ids are BLAKE3 of a counter, so
//! every answer is checked. Needs 120 bytes of disk for each entry; 10,000,000 entries unless told otherwise.

#![expect(clippy::print_stdout, reason = "the figures are what the example is for")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stem_fs::{Dir, OpenFile, RelPath};
use stem_hash::{Algorithm, Checksum, ObjectId};
use stem_pack::format::{Codec, Kind, MAX_PACK_RECORDS, PackId, PayloadCheck, RecordHeader, chunk_id};
use stem_pack::index::{Access, CoveredPack, Index, IndexBuilder, IndexKind, Want, merge};

const LOOKUPS: u64 = 1_000_000;
const OPENS: usize = 15;
const RECORD: u64 = 1000;

type Failure = Box<dyn Error>;

fn id_of(number: u64) -> ObjectId {
    chunk_id(&number.to_le_bytes())
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let entries = arguments.next().map_or(Ok(10_000_000), |text| text.replace(['_', ','], "").parse())?;
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let root = parent.join(format!("stem-index-scale-{}", std::process::id()));
    fs::create_dir_all(&root)?;
    let result = measure(entries, &root);
    fs::remove_dir_all(&root)?;
    result
}

fn measure(entries: u64, root: &Path) -> Result<(), Failure> {
    let dir = Dir::open(root)?;
    let begun = Instant::now();
    let packs = write_packs(entries, root)?;
    println!("built {packs} pack indices in {:.1} s", seconds(begun));

    let begun = Instant::now();
    let inputs: Vec<Index> = (0..packs)
        .map(|pack| Ok(Index::open(open(&dir, &pack_name(pack))?, IndexKind::Pack, Access::Map)?))
        .collect::<Result<_, Failure>>()?;
    let file = File::create(root.join("multi-pack-index"))?;
    let mut out = Watched { file, writes: 0, peak: 0 };
    let summary = merge(&inputs.iter().collect::<Vec<_>>(), Algorithm::Sha256, &mut |_| true, &mut out)?;
    drop(inputs);
    println!(
        "merged {} entries ({} MiB) in {:.1} s; anonymous memory at most {} KiB",
        summary.entries,
        summary.len >> 20,
        seconds(begun),
        out.peak
    );

    for access in [Access::Map, Access::Read] {
        let mut opens: Vec<Duration> = Vec::with_capacity(OPENS);
        for _ in 0..OPENS {
            let begun = Instant::now();
            let index = Index::open(open(&dir, "multi-pack-index")?, IndexKind::Multi, access)?;
            opens.push(begun.elapsed());
            drop(index);
        }
        opens.sort_unstable();
        let index = Index::open(open(&dir, "multi-pack-index")?, IndexKind::Multi, access)?;
        println!("{access:?}: open {:.2} ms (median of {OPENS})", millis(opens[OPENS / 2]));
        // The first round touches the pages; the figures are those of a warm index.
        look_up(&index, entries, 0, true)?;
        for (what, first, expected) in [("present", 0, true), ("absent", entries, false)] {
            let (median, p99) = look_up(&index, entries, first, expected)?;
            println!("  {what}: median {median} ns, p99 {p99} ns");
        }
        println!("  anonymous memory {} KiB", anonymous());
        if access == Access::Map {
            let begun = Instant::now();
            index.verify()?;
            println!("  verify {:.2} s", seconds(begun));
        }
    }
    Ok(())
}

fn write_packs(entries: u64, root: &Path) -> Result<u64, Failure> {
    let packs = entries.div_ceil(MAX_PACK_RECORDS);
    for pack in 0..packs {
        let first = pack * MAX_PACK_RECORDS;
        let count = MAX_PACK_RECORDS.min(entries - first);
        let mut builder = IndexBuilder::new(Algorithm::Sha256);
        for at in 0..count {
            let header = RecordHeader {
                kind: if at % 2 == 0 { Kind::Object } else { Kind::Chunk },
                codec: Codec::Raw,
                attributes: false,
                dictionary: [0; 4],
                stored_len: RECORD,
                raw_len: RECORD,
                id: id_of(first + at),
                payload_check: PayloadCheck::of(b""),
            };
            builder.push(&header, at * RECORD)?;
        }
        if pack == 0 {
            println!("anonymous memory with a pack's entries collected: {} KiB", anonymous());
        }
        let covered = CoveredPack {
            id: PackId::from_bytes(u128::from(pack).to_le_bytes()),
            len: count * RECORD,
            end: count * RECORD,
            headers: Checksum::of(b""),
        };
        builder.write(&covered, &mut File::create(root.join(pack_name(pack)))?)?;
    }
    Ok(packs)
}

/// Median and 99th percentile of lookups of pseudo-random ids from `first` on, each compared with what it has to be.
fn look_up(index: &Index, entries: u64, first: u64, expected: bool) -> Result<(u128, u128), Failure> {
    let mut times = Vec::with_capacity(usize::try_from(LOOKUPS)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..LOOKUPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let number = first + state % entries;
        let id = id_of(number);
        let begun = Instant::now();
        let hit = index.find(&id, Want::Any)?.next();
        times.push(u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX));
        let right = match hit {
            Some(hit) => {
                expected
                    && hit.offset == number % MAX_PACK_RECORDS * RECORD
                    && index.pack(hit.pack).is_some_and(|pack| {
                        *pack.id.as_bytes() == u128::from(number / MAX_PACK_RECORDS).to_le_bytes()
                    })
            }
            None => !expected,
        };
        if !right {
            return Err(format!("a wrong answer for {id}").into());
        }
    }
    times.sort_unstable();
    Ok((times[times.len() / 2].into(), times[times.len() / 100 * 99].into()))
}

fn pack_name(pack: u64) -> String {
    format!("pack-{pack}.idx")
}

fn open(dir: &Dir, name: &str) -> Result<OpenFile, Failure> {
    let name = RelPath::new(name.as_bytes())?;
    dir.open_file(&name)?.ok_or_else(|| "the index has vanished".into())
}

fn seconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// `RssAnon` of this process in KiB; 0 where the system does not tell.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|value| value.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// A file that looks at the memory of the process while it is written.
struct Watched {
    file: File,
    writes: u64,
    peak: u64,
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.writes.is_multiple_of(64) {
            self.peak = self.peak.max(anonymous());
        }
        self.writes += 1;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.peak = self.peak.max(anonymous());
        self.file.flush()
    }
}
