//! Hashing: MB/s per algorithm and per strategy, of one file and of many.
//!
//! `one` runs on one thread but for `parallel`, `many` on all of them but for `1-thread`. The files are in the page
//! cache: reading them for the oracle's ids put them there. `sha2` is the library alone over reads of 1 MiB, the figure
//! that everybody else starts from.
#![expect(clippy::unwrap_used, reason = "a bench reports by panicking")]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bench_support::{Ground, SEED, is_quick, largest};
use criterion::{
    AxisScale, BenchmarkGroup, BenchmarkId, Criterion, PlotConfiguration, SamplingMode, Throughput,
    measurement::WallTime,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use sha2::Digest as _;
use stem_corpus::preset::{Preset, Subject};
use stem_corpus::{FileSpec, Kind, Session, tree};
use stem_hash::{
    Algorithm, ChecksumHasher, Digest, FileJob, HashFile, HashOptions, HashSource, ObjectId, Silent,
    hash_file, hash_many,
};

/// Bytes that are read at a time where nothing else is said.
const BUFFER: usize = 1 << 20;

const SHA256: HashOptions = HashOptions::new(Algorithm::Sha256);
const BLAKE3: HashOptions = HashOptions::new(Algorithm::Blake3);

/// A file on the disk with the ids that other implementations give it.
struct Sample {
    path: PathBuf,
    len: u64,
    sha256: ObjectId,
    blake3: ObjectId,
    checksum: stem_hash::Checksum,
}

impl Sample {
    fn new(path: PathBuf) -> io::Result<Self> {
        let (mut sha256, mut blake3) = (sha2::Sha256::new(), blake3::Hasher::new());
        let (mut checksum, mut len) = (ChecksumHasher::new(), 0);
        each_piece(&path, |piece| {
            sha256.update(piece);
            blake3.update(piece);
            checksum.update(piece);
            len += piece.len() as u64;
        })?;
        Ok(Self {
            path,
            len,
            sha256: ObjectId::from_bytes(sha256.finalize().into()),
            blake3: ObjectId::from_bytes(blake3.finalize().into()),
            checksum: checksum.finish(),
        })
    }

    fn check(&self, digest: &Digest, options: &HashOptions) {
        let id = if options.algorithm == Algorithm::Sha256 { self.sha256 } else { self.blake3 };
        assert_eq!((digest.id, digest.len), (id, self.len), "{}", self.path.display());
        assert_eq!(digest.checksum, options.checksum.then_some(self.checksum), "{}", self.path.display());
    }
}

fn each_piece(path: &Path, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; BUFFER]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => piece(&buffer[..count]),
        }
    }
}

/// A sample that is opened when its turn comes, as the stash does it.
struct Late<'a> {
    sample: &'a Sample,
    map: bool,
}

struct Opened {
    file: File,
    map: bool,
}

impl HashFile for Opened {
    fn file(&self) -> &File {
        &self.file
    }

    // The samples belong to this bench alone, and it does not write to them.
    fn safe_to_map(&self) -> bool {
        self.map
    }
}

impl HashSource for Late<'_> {
    type Opened = Opened;

    fn expected_len(&self) -> u64 {
        self.sample.len
    }

    fn open(&self) -> io::Result<Opened> {
        Ok(Opened { file: File::open(&self.sample.path)?, map: self.map })
    }
}

/// Algorithms as they are named in reports.
const ALGORITHMS: [(&str, HashOptions); 4] = [
    ("sha256", SHA256),
    ("sha256+xxh3", SHA256.and_checksum()),
    ("blake3", BLAKE3),
    ("blake3+xxh3", BLAKE3.and_checksum()),
];

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn sizes() -> Vec<u64> {
    let largest = largest().unwrap();
    let all: &[u64] =
        if is_quick() { &[4 << 10, 1 << 20] } else { &[4 << 10, 64 << 10, 1 << 20, 16 << 20, 128 << 20] };
    let mut sizes: Vec<u64> = all.iter().copied().filter(|&size| size < largest).collect();
    sizes.push(largest);
    sizes
}

/// `count` files of `size` bytes: presets, exactly so long, and from 1 MiB on stems, shorter by some bytes.
fn make(ground: &Ground, size: u64, count: u64) -> Vec<Sample> {
    let dir = ground.path(&format!("{count}x{size}"));
    let specs: Vec<FileSpec> = if size < 1 << 20 {
        (0..count)
            .map(|n| {
                FileSpec::new(format!("{n}.json"), Kind::Json(Preset::new(SEED + n, size, Subject::Preset)))
            })
            .collect()
    } else {
        let all = (0..count.div_ceil(12)).flat_map(|group| {
            let stems = Session::stems(SEED + group, size).into_files().into_iter();
            stems.map(move |stem| FileSpec::new(format!("{group}/{}", stem.path), stem.kind))
        });
        all.take(usize::try_from(count).unwrap()).collect()
    };
    tree::write_tree(&dir, &specs, &mut |_| {}).unwrap();
    // Dirty pages are written out now, not while something is timed.
    bench_support::flush();
    specs.iter().map(|spec| Sample::new(dir.join(&spec.path)).unwrap()).collect()
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic));
    group
}

fn one_file(criterion: &mut Criterion, ground: &Ground) {
    let (alone, all) = (pool(1), pool(0));
    let mut group = group(criterion, "hash/one");
    for size in sizes() {
        let samples = make(ground, size, 1);
        let sample = &samples[0];
        let file = File::open(&sample.path).unwrap();
        group.throughput(Throughput::Bytes(sample.len));
        group.bench_function(BenchmarkId::new("sha2-read", size), |bencher| {
            bencher.iter(|| {
                let mut hasher = sha2::Sha256::new();
                each_piece(&sample.path, |piece| hasher.update(piece)).unwrap();
                assert_eq!(ObjectId::from_bytes(hasher.finalize().into()), sample.sha256);
            });
        });
        for (name, options) in ALGORITHMS {
            // BLAKE3 never maps: its rows would be the same.
            let strategies: &[(&str, bool, &ThreadPool)] = if options.algorithm == Algorithm::Sha256 {
                &[("read", false, &alone), ("mmap", true, &alone)]
            } else {
                &[("read", false, &alone), ("parallel", false, &all)]
            };
            for &(strategy, mmap, pool) in strategies {
                let options = HashOptions { mmap, ..options };
                let mapped: &(dyn Fn() -> bool + Sync) = &|| mmap;
                let job = FileJob { file: &file, len: sample.len, safe_to_map: Some(mapped) };
                let hash = || pool.install(|| hash_file(&job, &options, &|_| ())).unwrap();
                sample.check(&hash(), &options);
                group.bench_function(BenchmarkId::new(format!("{name}-{strategy}"), size), |bencher| {
                    bencher.iter(|| black_box(hash()));
                });
            }
        }
        std::fs::remove_file(&sample.path).unwrap();
    }
    group.finish();
}

fn many_files(criterion: &mut Criterion, ground: &Ground) {
    let (alone, all) = (pool(1), pool(0));
    let (most_bytes, most_files) = if is_quick() { (16 << 20, 200) } else { (1536 << 20, 20_000) };
    let total = largest().unwrap().min(most_bytes);
    let mut group = group(criterion, "hash/many");
    for size in sizes() {
        let count = (total / size).min(most_files);
        if count < 2 {
            continue;
        }
        let samples = make(ground, size, count);
        group.throughput(Throughput::Bytes(samples.iter().map(|sample| sample.len).sum()));
        for (name, options) in ALGORITHMS {
            let strategies: &[(&str, bool, &ThreadPool)] = if options.algorithm == Algorithm::Sha256 {
                &[
                    ("1-thread-read", false, &alone),
                    ("1-thread-mmap", true, &alone),
                    ("parallel-read", false, &all),
                    ("parallel-mmap", true, &all),
                ]
            } else {
                &[("1-thread-read", false, &alone), ("parallel-read", false, &all)]
            };
            for &(strategy, mmap, pool) in strategies {
                let options = HashOptions { mmap, ..options };
                let sources: Vec<Late<'_>> =
                    samples.iter().map(|sample| Late { sample, map: mmap }).collect();
                let hash = || pool.install(|| hash_many(&sources, &options, &Silent));
                for (sample, digest) in samples.iter().zip(hash()) {
                    sample.check(&digest.unwrap(), &options);
                }
                group.bench_function(BenchmarkId::new(format!("{name}-{strategy}"), size), |bencher| {
                    bencher.iter(|| black_box(hash()));
                });
            }
        }
        for sample in &samples {
            std::fs::remove_file(&sample.path).unwrap();
        }
    }
    group.finish();
}

fn main() {
    let ground = Ground::new(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut criterion = bench_support::criterion();
    one_file(&mut criterion, &ground);
    many_files(&mut criterion, &ground);
    criterion.final_summary();
}
