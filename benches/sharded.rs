//! The default store: put, open, restore, stat, list, for many small objects and for twelve stems.
//!
//! All files go through the store on all threads at once, as the stash drives it, and every put ends with the one `sync`
//! that makes it durable. `copy` streams the bytes, `adopt` renames the file into the store with an id that is known
//! already, `reflink` shares its blocks and is there only where the file system can (`STEM_BENCH_DIR` on XFS or btrfs).
#![expect(clippy::unwrap_used, reason = "a bench reports by panicking")]

use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use bench_support::{Ground, check_tree, copy_tree, largest, make_parents, small_files, stems};
use criterion::{Criterion, SamplingMode, Throughput};
use rayon::prelude::*;
use sha2::Digest as _;
use stem_corpus::{FileSpec, Session};
use stem_fs::{Dir, Publish, RelPath};
use stem_hash::{Algorithm, ChecksumHasher, Digest, IdPrefix, ObjectId};
use stem_sharded::{Options, ShardedStore};
use stem_store::{
    Durability, FileSource, ObjectStore, ObjectStoreExt, PutFile, PutMethod, PutOptions, RestoreOptions,
    Verify, Written,
};

/// Puts are durable at the sync that ends them.
const AT_SYNC: PutOptions =
    PutOptions { expected: None, durability: Durability::AtSync, metadata: None, checksum: false };

/// A corpus on the disk, and what its files hash to by the oracle.
struct Corpus {
    name: &'static str,
    files: Vec<FileSpec>,
    paths: Vec<RelPath>,
    digests: Vec<Digest>,
    bytes: u64,
    /// Where the files lie; they are never changed.
    pristine: Dir,
}

impl Corpus {
    fn new(ground: &Ground, name: &'static str, session: Session) -> Self {
        let dir = ground.write(&format!("corpus-{name}"), &session).unwrap();
        let bytes = session.total_len();
        let files = session.into_files();
        let digests: Vec<Digest> = files.par_iter().map(|file| oracle(&dir.join(&file.path))).collect();
        let paths = files.iter().map(|file| RelPath::new(file.path.as_str()).unwrap()).collect();
        Self { name, files, paths, digests, bytes, pristine: Dir::open(&dir).unwrap() }
    }

    fn ids(&self) -> Vec<ObjectId> {
        self.digests.iter().map(|digest| digest.id).collect()
    }

    /// What a figure is relative to: bytes for stems, objects for small files.
    fn throughput(&self) -> Throughput {
        match self.name {
            "stems" => Throughput::Bytes(self.bytes),
            _ => Throughput::Elements(self.files.len() as u64),
        }
    }

    /// A store with all of its files in it.
    fn stored(&self, root: &Path) -> ShardedStore {
        let store = open(root);
        self.put(&store, &self.pristine, Way::Copy);
        store
    }

    fn put(&self, store: &ShardedStore, dir: &Dir, way: Way) -> Vec<PutFile> {
        let all = self.paths.par_iter().zip(&self.digests);
        let put = all.map(|(path, digest)| {
            let file = dir.open_file(path).unwrap().unwrap();
            let source = FileSource::new(&file, file.stat().unwrap());
            match way {
                Way::Copy => {
                    let put = store.put(&mut source.reader(), &AT_SYNC).unwrap();
                    PutFile { digest: put.digest, written: put.written, method: PutMethod::Copied }
                }
                Way::Clone => store.put_file(&source, &AT_SYNC).unwrap(),
                Way::Adopt => {
                    let source =
                        FileSource { known: Some(*digest), place: Some((dir, path)), take: true, ..source };
                    store.put_file(&source, &AT_SYNC).unwrap()
                }
            }
        });
        let put = put.collect();
        store.sync().unwrap();
        put
    }

    fn check(&self, put: &[PutFile], way: Way) {
        for (done, digest) in put.iter().zip(&self.digests) {
            let as_asked = match way {
                Way::Copy => matches!(done.method, PutMethod::Copied),
                Way::Clone => matches!(done.method, PutMethod::Cloned),
                Way::Adopt => matches!(done.method, PutMethod::Adopted { .. }),
            };
            assert!(as_asked && done.written == Written::New, "{done:?}");
            assert_eq!((done.digest.id, done.digest.len), (digest.id, digest.len));
        }
    }
}

/// How files get into the store.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Copy,
    Clone,
    Adopt,
}

fn oracle(path: &Path) -> Digest {
    let (mut sha, mut checksum) = (sha2::Sha256::new(), ChecksumHasher::new());
    let (mut file, mut len) = (std::fs::File::open(path).unwrap(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            let id = ObjectId::from_bytes(sha.finalize().into());
            return Digest { id, checksum: Some(checksum.finish()), len };
        }
        sha.update(&buffer[..count]);
        checksum.update(&buffer[..count]);
        len += count as u64;
    }
}

fn open(root: &Path) -> ShardedStore {
    let options = Options { algorithm: Some(Algorithm::Sha256) };
    ShardedStore::open(&root.join("objects"), &options).unwrap()
}

fn put(criterion: &mut Criterion, ground: &Ground, corpus: &Corpus) {
    let mut group = criterion.benchmark_group(format!("sharded/put/{}", corpus.name));
    group.sampling_mode(SamplingMode::Flat).throughput(corpus.throughput());
    let mut ways = vec![("copy", Way::Copy), ("adopt", Way::Adopt)];
    if ground.can_clone().unwrap() {
        ways.push(("reflink", Way::Clone));
    }
    for (name, way) in ways {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut sum = Duration::ZERO;
                for _ in 0..iterations {
                    let root = ground.fresh("put").unwrap();
                    let work = root.join("work");
                    copy_tree(corpus.pristine.path(), &work, &corpus.files).unwrap();
                    let dir = Dir::open(&work).unwrap();
                    let store = open(&root);
                    let start = Instant::now();
                    let done = corpus.put(&store, &dir, way);
                    sum += start.elapsed();
                    corpus.check(&done, way);
                }
                sum
            });
        });
    }
    group.finish();
    ground.fresh("put").unwrap();
}

fn open_objects(criterion: &mut Criterion, ground: &Ground, corpus: &Corpus) {
    let store = corpus.stored(&ground.fresh("stored").unwrap());
    let ids = corpus.ids();
    let mut group = criterion.benchmark_group(format!("sharded/open/{}", corpus.name));
    group.sampling_mode(SamplingMode::Flat).throughput(corpus.throughput());
    group.bench_function("read verified", |bencher| {
        bencher.iter(|| {
            let read: u64 = ids.par_iter().map(|id| drain(&store, id)).sum();
            assert_eq!(read, corpus.bytes);
        });
    });
    group.finish();
}

fn drain(store: &ShardedStore, id: &ObjectId) -> u64 {
    let mut reader = store.open(id).unwrap().unwrap();
    stem_store::with_buffer(|buffer| {
        let mut read = 0;
        loop {
            match reader.read(buffer).unwrap() {
                0 => return read,
                count => read += count as u64,
            }
        }
    })
}

fn restore(criterion: &mut Criterion, ground: &Ground, corpus: &Corpus) {
    let store = corpus.stored(&ground.fresh("stored").unwrap());
    let mut group = criterion.benchmark_group(format!("sharded/restore/{}", corpus.name));
    group.sampling_mode(SamplingMode::Flat).throughput(corpus.throughput());
    for name in ["unverified", "by checksum", "by id"] {
        let verify = |digest: &Digest| match name {
            "unverified" => Verify::No,
            "by checksum" => Verify::Checksum(digest.checksum.unwrap()),
            _ => Verify::Id,
        };
        let all = || {
            let root = ground.fresh("restored").unwrap();
            make_parents(&root, &corpus.files).unwrap();
            let dir = Dir::open(&root).unwrap();
            let start = Instant::now();
            corpus.paths.par_iter().zip(&corpus.digests).for_each(|(path, digest)| {
                let mut target = dir.temp_file(0o644).unwrap();
                let options = RestoreOptions { verify: verify(digest), progress: None };
                let restored = store.restore_file(&digest.id, &mut target, &options).unwrap().unwrap();
                assert_eq!(restored.len, digest.len);
                assert!(restored.verified || name == "unverified");
                target.persist(&dir, path, Publish::New).unwrap();
            });
            (start.elapsed(), root)
        };
        check_tree(&all().1, &corpus.files).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| all().0).sum());
        });
    }
    group.finish();
    ground.fresh("restored").unwrap();
}

fn look(criterion: &mut Criterion, ground: &Ground, corpus: &Corpus) {
    let store = corpus.stored(&ground.fresh("stored").unwrap());
    let ids = corpus.ids();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(store.ids(&IdPrefix::ALL).unwrap(), sorted);
    let mut group = criterion.benchmark_group(format!("sharded/look/{}", corpus.name));
    group.throughput(Throughput::Elements(ids.len() as u64));
    group.bench_function("stat", |bencher| {
        bencher.iter(|| {
            let bytes: u64 = ids.iter().map(|id| store.stat(id).unwrap().unwrap().size).sum();
            assert_eq!(bytes, corpus.bytes);
        });
    });
    group.bench_function("stat_many", |bencher| {
        bencher.iter(|| {
            let stats = store.stat_many(&ids).unwrap();
            assert_eq!(stats.iter().map(|stat| stat.unwrap().size).sum::<u64>(), corpus.bytes);
        });
    });
    group.bench_function("stat of absent", |bencher| {
        let absent: Vec<_> =
            ids.iter().map(|id| ObjectId::from_bytes(id.as_bytes().map(|byte| !byte))).collect();
        bencher.iter(|| assert!(absent.iter().all(|id| store.stat(id).unwrap().is_none())));
    });
    group.bench_function("list", |bencher| {
        bencher.iter(|| assert_eq!(black_box(store.ids(&IdPrefix::ALL).unwrap()).len(), sorted.len()));
    });
    group.finish();
}

fn main() {
    let ground = Ground::new(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut criterion = bench_support::criterion();
    for (name, session) in [
        ("small", small_files()),
        ("stems", stems(largest().unwrap().min(12 * stem_corpus::session::STEM_BYTES))),
    ] {
        let corpus = Corpus::new(&ground, name, session);
        put(&mut criterion, &ground, &corpus);
        open_objects(&mut criterion, &ground, &corpus);
        restore(&mut criterion, &ground, &corpus);
        look(&mut criterion, &ground, &corpus);
    }
    criterion.final_summary();
}
