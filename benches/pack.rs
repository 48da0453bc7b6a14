//! Packs: what audio and small files cost to store, to bring back and to read in part, and a large index.
//!
//! Every put ends with the `sync` that publishes the pack. What is restored is compared with the corpus. The sizes that
//! were stored are printed once for each corpus and compression, because they are figures too.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a bench reports by panicking, and its sizes on stderr"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bench_support::{Ground, check_tree, is_quick, largest, make_parents, small_files, stems};
use criterion::{Criterion, SamplingMode, Throughput};
use rayon::prelude::*;
use stem_corpus::{FileSpec, Session};
use stem_fs::{Dir, OpenFile, Publish, RelPath};
use stem_hash::{Algorithm, Checksum, ObjectId};
use stem_pack::format::{Codec, Kind, MAX_PACK_RECORDS, PackId, PayloadCheck, RecordHeader, chunk_id};
use stem_pack::index::{Access, CoveredPack, Index, IndexBuilder, IndexKind, Want, merge};
use stem_pack::{Compression, PackOptions, PackStore};
use stem_store::{
    Durability, FileSource, Maintain as _, ObjectStore as _, PutOptions, RepackOptions, RestoreOptions,
    Verify,
};

const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };
/// What a range read asks for.
const RANGE: usize = 64 << 10;
/// Bytes of the stretch that each made-up record stands for.
const RECORD: u64 = 1000;

struct Corpus {
    name: &'static str,
    files: Vec<FileSpec>,
    paths: Vec<RelPath>,
    bytes: u64,
    dir: Dir,
}

impl Corpus {
    fn new(ground: &Ground, name: &'static str, session: Session) -> Self {
        let dir = ground.write(&format!("corpus-{name}"), &session).unwrap();
        let bytes = session.total_len();
        let files = session.into_files();
        let paths = files.iter().map(|file| RelPath::new(file.path.as_str()).unwrap()).collect();
        Self { name, files, paths, bytes, dir: Dir::open(&dir).unwrap() }
    }

    /// Large files one after the other, since the store codes the parts of each in parallel; small ones at once.
    fn put(&self, store: &PackStore) -> Vec<ObjectId> {
        let one = |path: &RelPath| {
            let file = self.dir.open_file(path).unwrap().unwrap();
            let source = FileSource::new(&file, file.stat().unwrap());
            store.put_file(&source, &AT_SYNC).unwrap().digest.id
        };
        let ids = match self.name {
            "stems" => self.paths.iter().map(one).collect(),
            _ => self.paths.par_iter().map(one).collect(),
        };
        store.sync().unwrap();
        ids
    }

    /// Brings everything back, verified, in the order of the packs.
    fn restore(&self, store: &PackStore, ids: &[ObjectId], to: &Path) {
        let target = Dir::open(to).unwrap();
        let verified = RestoreOptions { verify: Verify::Id, ..RestoreOptions::default() };
        let one = |at: usize| {
            let mut temp = target.temp_file(0o600).unwrap();
            store.restore_file(&ids[at], &mut temp, &verified).unwrap().unwrap();
            let path = &self.paths[at];
            let parent = path.parent().map_or(target.clone(), |parent| target.sub(&parent).unwrap().unwrap());
            let name = RelPath::new(path.file_name()).unwrap();
            temp.persist(&parent, &name, Publish::Replace).unwrap();
        };
        let order = store.storage_order(ids).unwrap();
        match self.name {
            "stems" => order.into_iter().for_each(one),
            _ => order.into_par_iter().for_each(one),
        }
    }

    fn throughput(&self) -> Throughput {
        match self.name {
            "stems" => Throughput::Bytes(self.bytes),
            _ => Throughput::Elements(self.files.len() as u64),
        }
    }
}

fn open(root: &Path, compression: Compression) -> PackStore {
    PackStore::open(&root.join("packs"), &PackOptions { compression, ..PackOptions::default() }).unwrap()
}

fn ways() -> [(&'static str, Compression); 3] {
    [("audio", Compression::default()), ("zstd", Compression::Zstd(3)), ("raw", Compression::Raw)]
}

#[expect(clippy::cast_precision_loss, reason = "a share is printed")]
fn put(criterion: &mut Criterion, ground: &Ground, corpus: &Corpus) {
    let mut group = criterion.benchmark_group(format!("pack/put/{}", corpus.name));
    group.sampling_mode(SamplingMode::Flat).throughput(corpus.throughput());
    for (name, compression) in ways() {
        let mut stored = 0;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut total = Duration::ZERO;
                for _ in 0..rounds {
                    let store = open(&ground.fresh("put").unwrap(), compression);
                    let begun = Instant::now();
                    let ids = corpus.put(&store);
                    total += begun.elapsed();
                    assert_eq!(ids.len(), corpus.files.len());
                    stored = store.stored_bytes().unwrap().unwrap();
                }
                total
            });
        });
        if stored > 0 {
            let share = stored as f64 / corpus.bytes as f64;
            eprintln!("pack/stored/{}/{name}: {stored} of {} bytes, {share:.4}", corpus.name, corpus.bytes);
        }
    }
    group.finish();
}

fn get(criterion: &mut Criterion, ground: &Ground, corpus: &Corpus) {
    let mut group = criterion.benchmark_group(format!("pack/restore/{}", corpus.name));
    group.sampling_mode(SamplingMode::Flat).throughput(corpus.throughput());
    let root = ground.fresh("stored").unwrap();
    let store = open(&root, Compression::default());
    let ids = corpus.put(&store);
    group.bench_function("verified", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let to = ground.fresh("restored").unwrap();
                make_parents(&to, &corpus.files).unwrap();
                let begun = Instant::now();
                corpus.restore(&store, &ids, &to);
                total += begun.elapsed();
                check_tree(&to, &corpus.files).unwrap();
            }
            total
        });
    });
    group.finish();

    if corpus.name == "stems" {
        let mut group = criterion.benchmark_group("pack/range");
        let mut number = 0_u64;
        let mut buffer = vec![0; RANGE];
        let longest = store.stat(&ids[0]).unwrap().unwrap().size;
        group.bench_function("64 KiB at random", |bencher| {
            bencher.iter(|| {
                number = next(number);
                let at = usize::try_from(number >> 33).unwrap() % ids.len();
                let offset = (number >> 7) % (longest - RANGE as u64);
                let read = store.read_range(&ids[at], offset, &mut buffer).unwrap().unwrap();
                assert!(read > 0);
                black_box(&buffer);
            });
        });
        group.finish();
    } else {
        let mut group = criterion.benchmark_group("pack/repack");
        group.sampling_mode(SamplingMode::Flat).throughput(corpus.throughput());
        group.bench_function("all small files", |bencher| {
            bencher.iter_custom(|rounds| {
                let mut total = Duration::ZERO;
                for _ in 0..rounds {
                    let store = open(&ground.fresh("repack").unwrap(), Compression::default());
                    corpus.put(&store);
                    let begun = Instant::now();
                    let done = store.repack(&RepackOptions { all: true, progress: None }).unwrap();
                    total += begun.elapsed();
                    assert!(done.rewritten > 0);
                }
                total
            });
        });
        group.finish();
    }
}

/// Knuth's linear congruential generator: its high bits are random enough to choose with.
fn next(number: u64) -> u64 {
    number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// A multi-pack index of made-up packs.
fn index(criterion: &mut Criterion, ground: &Ground) {
    let entries: u64 = if is_quick() { 20_000 } else { 10_000_000 };
    let root = ground.fresh("index").unwrap();
    let dir = Dir::open(&root).unwrap();
    make_index(entries, &root, &dir);
    let open = || {
        let file: OpenFile = dir.open_file(&RelPath::new("multi-pack-index").unwrap()).unwrap().unwrap();
        Index::open(file, IndexKind::Multi, Access::Map).unwrap()
    };
    let mut group = criterion.benchmark_group(format!("pack/index/{entries}"));
    group.bench_function("open", |bencher| bencher.iter(&open));
    let index = open();
    for (what, first, there) in [("find", 0, 1), ("find none", entries, 0)] {
        let mut number = 0_u64;
        group.bench_function(what, |bencher| {
            bencher.iter_batched(
                || {
                    number = next(number);
                    chunk_id(&(first + (number >> 20) % entries).to_le_bytes())
                },
                |id| assert_eq!(index.find(&id, Want::Any).unwrap().count(), there),
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn make_index(entries: u64, root: &Path, dir: &Dir) {
    let mut names: Vec<PathBuf> = Vec::new();
    let mut first = 0;
    while first < entries {
        let count = (entries - first).min(MAX_PACK_RECORDS);
        let mut builder = IndexBuilder::new(Algorithm::Sha256);
        for number in 0..count {
            let header = RecordHeader {
                kind: Kind::Chunk,
                codec: Codec::Raw,
                attributes: false,
                dictionary: [0; 4],
                stored_len: RECORD,
                raw_len: RECORD,
                id: chunk_id(&(first + number).to_le_bytes()),
                payload_check: PayloadCheck::of(b""),
            };
            builder.push(&header, 64 + number * RECORD).unwrap();
        }
        let pack = CoveredPack {
            id: PackId::from_bytes(u128::from(first).to_le_bytes()),
            len: 64 + (count + 1) * RECORD,
            end: 64 + count * RECORD,
            headers: Checksum::of(b"headers"),
        };
        let path = root.join(format!("{first}.idx"));
        builder.write(&pack, &mut std::fs::File::create(&path).unwrap()).unwrap();
        names.push(path);
        first += count;
    }
    let indices: Vec<Index> = names
        .iter()
        .map(|path| {
            let name = RelPath::from_path(Path::new(path.file_name().unwrap())).unwrap();
            let file = dir.open_file(&name).unwrap().unwrap();
            Index::open(file, IndexKind::Pack, Access::Map).unwrap()
        })
        .collect();
    let mut out = std::io::BufWriter::new(std::fs::File::create(root.join("multi-pack-index")).unwrap());
    merge(&indices.iter().collect::<Vec<_>>(), Algorithm::Sha256, &mut |_| true, &mut out).unwrap();
    std::io::Write::flush(&mut out).unwrap();
}

fn main() {
    let mut criterion = bench_support::criterion();
    let ground = Ground::new(env!("CARGO_TARGET_TMPDIR")).unwrap();
    index(&mut criterion, &ground);
    for (name, session) in [("small", small_files()), ("stems", stems(largest().unwrap()))] {
        let corpus = Corpus::new(&ground, name, session);
        put(&mut criterion, &ground, &corpus);
        get(&mut criterion, &ground, &corpus);
    }
    criterion.final_summary();
}
