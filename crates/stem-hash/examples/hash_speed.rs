//! How fast this machine hashes the files named on the command line, by each strategy.
//!
//! ```text
//! cargo run --release -p stem-hash --example hash_speed -- FILE…
//! ```
//!
//! It prints the median of several interleaved rounds in MB/s, on one thread and on all, after
//! one round that fills the page cache and is not counted. Every strategy must arrive at the same ids. The
//! files must not be written to meanwhile, since some strategies map them.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use stem_hash::{Algorithm, Digest, FileJob, HashOptions, ObjectId, Silent, hash_file, hash_many};

type Outcome = Result<Vec<ObjectId>, Box<dyn Error + Send + Sync>>;

/// One way to hash all files.
struct Strategy {
    name: &'static str,
    run: fn(&[FileJob<'_>]) -> Outcome,
    /// Only strategies of the same group give the same ids.
    algorithm: Algorithm,
}

const STRATEGIES: &[Strategy] = &[
    Strategy { name: "sha2, read of 1 MiB", run: sha2_read, algorithm: Algorithm::Sha256 },
    Strategy { name: "sha2, mmap", run: sha2_mmap, algorithm: Algorithm::Sha256 },
    Strategy { name: "one stream, read", run: one_stream_read, algorithm: Algorithm::Sha256 },
    Strategy { name: "one stream, mmap", run: one_stream_mmap, algorithm: Algorithm::Sha256 },
    Strategy { name: "two streams, read", run: two_streams_read, algorithm: Algorithm::Sha256 },
    Strategy { name: "two streams, mmap", run: two_streams_mmap, algorithm: Algorithm::Sha256 },
    Strategy { name: "two streams + XXH3, read", run: fused_read, algorithm: Algorithm::Sha256 },
    Strategy { name: "two streams + XXH3, mmap", run: fused_mmap, algorithm: Algorithm::Sha256 },
    Strategy { name: "BLAKE3", run: blake3, algorithm: Algorithm::Blake3 },
    Strategy { name: "BLAKE3 + XXH3", run: blake3_fused, algorithm: Algorithm::Blake3 },
    Strategy { name: "BLAKE3, file by file", run: blake3_one_by_one, algorithm: Algorithm::Blake3 },
];

/// The same function for every file, on all threads of the pool.
fn each(jobs: &[FileJob<'_>], hash: impl Fn(&FileJob<'_>) -> std::io::Result<ObjectId> + Sync) -> Outcome {
    use rayon::prelude::*;
    jobs.par_iter().map(|job| hash(job).map_err(Into::into)).collect()
}

fn many(jobs: &[FileJob<'_>], options: HashOptions) -> Outcome {
    hash_many(jobs, &options, &Silent).into_iter().map(|digest| Ok(digest?.id)).collect()
}

fn id(digest: Digest) -> ObjectId {
    digest.id
}

fn sha2_read(jobs: &[FileJob<'_>]) -> Outcome {
    each(jobs, |job| {
        use std::os::unix::fs::FileExt;
        let (mut sha, mut offset, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            match job.file.read_at(&mut buffer, offset)? {
                0 => return Ok(ObjectId::from_bytes(sha.finalize().into())),
                count => {
                    sha.update(&buffer[..count]);
                    offset += count as u64;
                }
            }
        }
    })
}

#[expect(unsafe_code, reason = "the plain use of a mapping, to compare with")]
fn sha2_mmap(jobs: &[FileJob<'_>]) -> Outcome {
    each(jobs, |job| {
        // SAFETY: the user was told not to change the files.
        let map = unsafe { memmap2::Mmap::map(job.file) }?;
        Ok(ObjectId::from_bytes(Sha256::digest(&map).into()))
    })
}

const SHA256: HashOptions = HashOptions::new(Algorithm::Sha256);
const BLAKE3: HashOptions = HashOptions::new(Algorithm::Blake3);

const fn reading(options: HashOptions) -> HashOptions {
    HashOptions { mmap: false, ..options }
}

fn one_stream_read(jobs: &[FileJob<'_>]) -> Outcome {
    each(jobs, |job| hash_file(job, &reading(SHA256), &|_| ()).map(id))
}

fn one_stream_mmap(jobs: &[FileJob<'_>]) -> Outcome {
    each(jobs, |job| hash_file(job, &SHA256, &|_| ()).map(id))
}

fn two_streams_read(jobs: &[FileJob<'_>]) -> Outcome {
    many(jobs, reading(SHA256))
}

fn two_streams_mmap(jobs: &[FileJob<'_>]) -> Outcome {
    many(jobs, SHA256)
}

fn fused_read(jobs: &[FileJob<'_>]) -> Outcome {
    many(jobs, reading(SHA256.and_checksum()))
}

fn fused_mmap(jobs: &[FileJob<'_>]) -> Outcome {
    many(jobs, SHA256.and_checksum())
}

fn blake3(jobs: &[FileJob<'_>]) -> Outcome {
    many(jobs, BLAKE3)
}

fn blake3_fused(jobs: &[FileJob<'_>]) -> Outcome {
    many(jobs, BLAKE3.and_checksum())
}

/// Parallel within each file.
fn blake3_one_by_one(jobs: &[FileJob<'_>]) -> Outcome {
    jobs.iter().map(|job| Ok(hash_file(job, &BLAKE3, &|_| ()).map(id)?)).collect()
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    const ROUNDS: usize = 7;
    let files = std::env::args_os().skip(1).map(File::open).collect::<Result<Vec<File>, _>>()?;
    if files.is_empty() {
        return Err("name the files to hash".into());
    }
    let mut total = 0;
    let mut jobs = Vec::new();
    let mut end = [0; 1];
    for file in &files {
        let len = file.metadata()?.len();
        total += len;
        jobs.push(FileJob { file, len, safe_to_map: Some(&|| true) });
        // A directory opens but cannot be read; say so now.
        let _ = (&mut &*file).read(&mut end)?;
    }
    println!("{} files, {} MiB", files.len(), total >> 20);

    let all = std::thread::available_parallelism()?.get();
    let pools = [1, all].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build());
    let [single, parallel] = pools;
    let pools = [single?, parallel?];
    let mut times = vec![[vec![], vec![]]; STRATEGIES.len()];
    let mut expected: [Option<Vec<ObjectId>>; 2] = [None, None];
    for round in 0..=ROUNDS {
        for (strategy, times) in STRATEGIES.iter().zip(&mut times) {
            for (pool, times) in pools.iter().zip(times) {
                let start = Instant::now();
                let ids = pool.install(|| (strategy.run)(&jobs))?;
                let seconds = start.elapsed().as_secs_f64();
                if round > 0 {
                    times.push(seconds);
                }
                let group = usize::from(strategy.algorithm == Algorithm::Blake3);
                if expected[group].get_or_insert_with(|| ids.clone()) != &ids {
                    return Err(format!("{} gave other ids than the strategies before", strategy.name).into());
                }
            }
        }
    }

    println!("{:<28} {:>12} {:>12}", "MB/s, median", "1 thread", format!("{all} threads"));
    for (strategy, times) in STRATEGIES.iter().zip(&mut times) {
        let [one, many] = times;
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let speed = |times: &mut Vec<f64>| {
            times.sort_unstable_by(f64::total_cmp);
            total as f64 / 1e6 / times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        };
        println!("{:<28} {:>12.0} {:>12.0}", strategy.name, speed(one), speed(many));
    }
    Ok(())
}
