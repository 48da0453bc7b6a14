//! Whole files, one and many, against the libraries.

use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::common::{all_options, bytes, file, oracle, pool};
use proptest::prelude::*;
use stem_hash::{
    Cancelled, Digest, FileJob, HashFile, HashObserver, HashOptions, HashSource, MAP_WINDOW, Silent,
    hash_file, hash_many,
};

/// Lengths at which a block, a buffer, a part or a window ends, and their neighbours.
fn adversarial_lengths() -> Vec<usize> {
    let mut lengths = vec![0, 1, 55, 56, 57, 63, 64, 65];
    lengths.extend(119..=129);
    for edge in [4096, 16 << 10, 256 << 10, 1 << 20, 2 << 20, 4 << 20, MAP_WINDOW, MAP_WINDOW + (2 << 20)] {
        lengths.extend([edge - 1, edge, edge + 1]);
    }
    lengths.extend([(2 << 20) + 63, (2 << 20) + 64, (2 << 20) + 65]);
    lengths
}

/// Counts what it hears.
#[derive(Default)]
struct Count {
    bytes: AtomicU64,
    finished: Mutex<Vec<usize>>,
    /// Cancels once so many bytes were reported.
    cancel_at: Option<u64>,
}

impl HashObserver for Count {
    fn progress(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn finished(&self, index: usize, _: &io::Result<Digest>) {
        self.finished.lock().unwrap().push(index);
    }

    fn cancelled(&self) -> bool {
        self.cancel_at.is_some_and(|limit| self.bytes.load(Ordering::Relaxed) >= limit)
    }
}

#[test]
fn one_file_of_every_adversarial_length() {
    let directory = tempfile::tempdir().unwrap();
    for len in adversarial_lengths() {
        let message = bytes(len as u64, len);
        let file = file(directory.path(), "f", &message);
        for options in all_options() {
            let polls = AtomicUsize::new(0);
            let safe = || {
                polls.fetch_add(1, Ordering::Relaxed);
                true
            };
            let job = FileJob { file: &file, len: len as u64, safe_to_map: Some(&safe) };
            let heard = AtomicU64::new(0);
            let digest = hash_file(&job, &options, &|bytes| {
                heard.fetch_add(bytes, Ordering::Relaxed);
            });
            assert_eq!(digest.unwrap(), oracle(&message, &options), "{len} bytes, {options:?}");
            assert_eq!(heard.into_inner(), len as u64);
            if !options.mmap {
                assert_eq!(polls.into_inner(), 0, "mapping is switched off");
            }
        }
    }
}

#[test]
fn many_files_of_adversarial_lengths_on_any_pool() {
    let directory = tempfile::tempdir().unwrap();
    let messages: Vec<Vec<u8>> =
        adversarial_lengths().into_iter().map(|len| bytes(len as u64, len)).collect();
    let files: Vec<File> = (0..)
        .zip(&messages)
        .map(|(index, message): (usize, _)| file(directory.path(), &index.to_string(), message))
        .collect();
    let safe = || true;
    let jobs: Vec<FileJob<'_>> = files
        .iter()
        .zip(&messages)
        .map(|(file, message)| FileJob { file, len: message.len() as u64, safe_to_map: Some(&safe) })
        .collect();
    for options in all_options() {
        let expected: Vec<Digest> = messages.iter().map(|message| oracle(message, &options)).collect();
        for threads in [1, 2, 5] {
            let count = Count::default();
            let results = pool(threads).install(|| hash_many(&jobs, &options, &count));
            let digests: Vec<Digest> = results.into_iter().map(Result::unwrap).collect();
            assert_eq!(digests, expected, "{threads} threads, {options:?}");
            assert_eq!(count.bytes.into_inner(), expected.iter().map(|digest| digest.len).sum::<u64>());
            let mut finished = count.finished.into_inner().unwrap();
            finished.sort_unstable();
            assert_eq!(finished, (0..jobs.len()).collect::<Vec<_>>());
        }
    }
}

#[test]
fn no_files_at_all() {
    assert!(hash_many::<FileJob<'_>>(&[], &HashOptions::default(), &Silent).is_empty());
}

#[test]
fn the_expected_length_is_only_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let message = bytes(5, 3 << 20);
    let file = file(directory.path(), "f", &message);
    let safe = || true;
    for options in all_options() {
        for len in [0, 1, 64, (3 << 20) - 1, (3 << 20) + 1, 100 << 20, u64::MAX] {
            let job = FileJob { file: &file, len, safe_to_map: Some(&safe) };
            assert_eq!(hash_file(&job, &options, &|_| ()).unwrap(), oracle(&message, &options));
            for result in hash_many(&[job, job, job], &options, &Silent) {
                assert_eq!(result.unwrap(), oracle(&message, &options));
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_says_it_is_empty_and_is_not() {
    let file = File::open("/proc/version").unwrap();
    let message = std::fs::read("/proc/version").unwrap();
    for options in all_options() {
        let digest = hash_file(&FileJob::new(&file, 0), &options, &|_| ()).unwrap();
        assert_eq!(digest, oracle(&message, &options));
    }
}

#[test]
fn errors_belong_to_their_file() {
    let directory = tempfile::tempdir().unwrap();
    let message = bytes(6, 100_000);
    let good = file(directory.path(), "good", &message);
    let unreadable = File::create(directory.path().join("write-only")).unwrap();
    for options in all_options() {
        let jobs =
            [FileJob::new(&good, 100_000), FileJob::new(&unreadable, 5 << 20), FileJob::new(&good, 100_000)];
        let results = hash_many(&jobs, &options, &Silent);
        assert_eq!(results[0].as_ref().unwrap(), &oracle(&message, &options));
        assert!(results[1].is_err());
        assert_eq!(results[2].as_ref().unwrap(), &oracle(&message, &options));
        assert!(hash_file(&jobs[1], &options, &|_| ()).is_err());
    }
}

#[test]
fn cancelling_ends_every_file() {
    let directory = tempfile::tempdir().unwrap();
    let message = bytes(7, 4 << 20);
    let file = file(directory.path(), "f", &message);
    let jobs = vec![FileJob::new(&file, 4 << 20); 20];
    for options in all_options() {
        for cancel_at in [0, 1, 10 << 20] {
            let count = Count { cancel_at: Some(cancel_at), ..Count::default() };
            let results = pool(2).install(|| hash_many(&jobs, &options, &count));
            let cancelled = results.iter().filter_map(|result| result.as_ref().err());
            assert!(cancelled.clone().all(Cancelled::is));
            assert!(cancelled.count() > 10);
            assert_eq!(count.finished.into_inner().unwrap().len(), 20);
            assert!(results.iter().flatten().all(|digest| *digest == oracle(&message, &options)));
        }
    }
}

/// Opens late, counts how many are open, and fails for some.
struct Lazy<'a> {
    path: std::path::PathBuf,
    len: u64,
    open: &'a AtomicUsize,
    most: &'a AtomicUsize,
}

struct Opened<'a>(File, &'a AtomicUsize);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

impl HashFile for Opened<'_> {
    fn file(&self) -> &File {
        &self.0
    }
}

impl<'a> HashSource for Lazy<'a> {
    type Opened = Opened<'a>;

    fn expected_len(&self) -> u64 {
        self.len
    }

    fn open(&self) -> io::Result<Opened<'a>> {
        let file = File::open(&self.path)?;
        self.most.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Ok(Opened(file, self.open))
    }

    fn close(&self, opened: Opened<'a>, result: &io::Result<Digest>) {
        assert!(result.is_ok());
        drop(opened);
    }
}

#[test]
fn open_files_are_bounded_by_the_lanes() {
    let directory = tempfile::tempdir().unwrap();
    let (open, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut expected = Vec::new();
    let sources: Vec<Lazy<'_>> = (0..300)
        .map(|index| {
            let message = bytes(index, usize::try_from(index * 37 % 9000).unwrap());
            let path = directory.path().join(index.to_string());
            // Every tenth is missing.
            if index % 10 != 3 {
                std::fs::write(&path, &message).unwrap();
            }
            let len = message.len() as u64;
            expected.push(message);
            Lazy { path, len, open: &open, most: &most }
        })
        .collect();
    for options in all_options() {
        let results = pool(2).install(|| hash_many(&sources, &options, &Silent));
        for (index, (result, message)) in results.into_iter().zip(&expected).enumerate() {
            match result {
                Ok(digest) => assert_eq!(digest, oracle(message, &options)),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::NotFound);
                    assert_eq!(index % 10, 3);
                }
            }
        }
    }
    assert_eq!(open.load(Ordering::SeqCst), 0);
    assert!(most.into_inner() <= 4, "two files on each of two threads");
}

/// A callback that uses the same pool must neither hang nor disturb the lanes.
#[test]
fn callbacks_may_use_the_pool() {
    struct Busy(AtomicU64);
    impl HashObserver for Busy {
        fn finished(&self, _: usize, _: &io::Result<Digest>) {
            let sum: u64 = (0..1000u64).into_par_iter().sum();
            self.0.fetch_add(sum, Ordering::Relaxed);
        }
    }
    use rayon::prelude::*;
    let directory = tempfile::tempdir().unwrap();
    let message = bytes(8, 700_000);
    let file = file(directory.path(), "f", &message);
    for options in all_options() {
        for threads in [1, 2, 4] {
            let jobs = vec![FileJob::new(&file, 700_000); 9];
            let busy = Busy(AtomicU64::new(0));
            for result in pool(threads).install(|| hash_many(&jobs, &options, &busy)) {
                assert_eq!(result.unwrap(), oracle(&message, &options));
            }
            assert_eq!(busy.0.into_inner(), 9 * 499_500);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any number of messages of unequal lengths, through any number of lanes.
    #[test]
    fn many_files_equal_the_oracle(
        seed: u64,
        lengths in proptest::collection::vec(
            prop_oneof![4 => 0usize..300, 2 => 0usize..70_000, 1 => 0usize..3_000_000],
            0..14,
        ),
        threads in 1usize..5,
        wrong in -70i64..70,
        which in 0usize..8,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let options = all_options()[which];
        let messages: Vec<Vec<u8>> =
            (0..).zip(&lengths).map(|(index, &len)| bytes(seed ^ index, len)).collect();
        let files: Vec<File> = (0..)
            .zip(&messages)
            .map(|(index, message): (usize, _)| file(directory.path(), &index.to_string(), message))
            .collect();
        let safe = || true;
        let jobs: Vec<FileJob<'_>> = files
            .iter()
            .zip(&lengths)
            .map(|(file, &len)| FileJob {
                file,
                len: (len as u64).saturating_add_signed(wrong),
                safe_to_map: Some(&safe),
            })
            .collect();
        let results = pool(threads).install(|| hash_many(&jobs, &options, &Silent));
        for (result, message) in results.into_iter().zip(&messages) {
            prop_assert_eq!(result.unwrap(), oracle(message, &options));
        }
    }
}
