//! Files that are truncated, extended or withdrawn while they are hashed under a mapping: no signal, and the
//! digest of what was there.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::{all_options, bytes, file, oracle, pool};
use stem_hash::{Algorithm, Digest, FileJob, HashObserver, HashOptions, MAP_WINDOW, hash_file, hash_many};

const LEN: usize = 2 * MAP_WINDOW + (3 << 20) + 17;

fn sha256() -> impl Iterator<Item = HashOptions> {
    all_options().into_iter().filter(|options| options.mmap && options.algorithm == Algorithm::Sha256)
}

/// Hashes a file of `LEN` bytes; at the poll number `at`, `change` happens. Returns also the number of polls.
fn with_change(
    at: usize,
    change: impl Fn(&mut File) -> bool + Sync,
    options: &HashOptions,
) -> (Digest, usize) {
    let directory = tempfile::tempdir().unwrap();
    let file = file(directory.path(), "f", &bytes(1, LEN));
    let writer = OpenOptions::new().write(true).open(directory.path().join("f")).unwrap();
    let polls = AtomicUsize::new(0);
    let safe = || polls.fetch_add(1, Ordering::SeqCst) + 1 != at || change(&mut writer.try_clone().unwrap());
    let job = FileJob { file: &file, len: LEN as u64, safe_to_map: Some(&safe) };
    let digest = hash_file(&job, options, &|_| ()).unwrap();
    (digest, polls.into_inner())
}

#[test]
fn windows_are_polled_one_by_one() {
    for options in sha256() {
        let (digest, polls) = with_change(0, |_| true, &options);
        assert_eq!(digest, oracle(&bytes(1, LEN), &options));
        assert_eq!(polls, 3);
    }
}

#[test]
fn truncated_between_windows() {
    for options in sha256() {
        for (at, to) in
            [(1, 0), (1, 1), (1, 5 << 20), (2, 0), (2, 1 << 20), (2, MAP_WINDOW), (2, MAP_WINDOW + 100)]
        {
            for still_safe in [true, false] {
                let change = |file: &mut File| {
                    file.set_len(to as u64).unwrap();
                    still_safe
                };
                let (digest, _) = with_change(at, change, &options);
                // What was hashed before stays; nothing comes after.
                let expected = to.max((at - 1) * MAP_WINDOW);
                assert_eq!(digest, oracle(&bytes(1, LEN)[..expected], &options), "at {at} to {to}");
            }
        }
    }
}

#[test]
fn extended_between_windows() {
    use std::io::{Seek, SeekFrom};
    let extension = bytes(2, 3 << 20);
    let mut expected = bytes(1, LEN);
    expected.extend_from_slice(&extension);
    for options in sha256() {
        for at in 1..=3 {
            let change = |file: &mut File| {
                file.seek(SeekFrom::End(0)).unwrap();
                file.write_all(&extension).unwrap();
                true
            };
            let (digest, _) = with_change(at, change, &options);
            assert_eq!(digest, oracle(&expected, &options));
        }
    }
}

#[test]
fn a_lost_lease_ends_the_mapping_and_nothing_else() {
    for options in sha256() {
        for at in 1..=3 {
            let (digest, polls) = with_change(at, |_| false, &options);
            assert_eq!(digest, oracle(&bytes(1, LEN), &options));
            assert_eq!(polls, at, "not asked again after a no");
        }
    }
}

/// While one lane's callback runs, the other lane's file loses its lease and its bytes, in the middle of a
/// mapped window. Its next byte must come from a read.
#[test]
fn truncated_during_the_callback_of_another_file() {
    struct Truncate<'a>(&'a File, &'a AtomicBool);
    impl HashObserver for Truncate<'_> {
        fn finished(&self, index: usize, _: &io::Result<Digest>) {
            if index == 1 {
                self.1.store(false, Ordering::SeqCst);
                self.0.set_len(1000).unwrap();
            }
        }
    }
    for options in sha256() {
        let directory = tempfile::tempdir().unwrap();
        let message = bytes(1, LEN);
        let large = file(directory.path(), "large", &message);
        let writer = OpenOptions::new().write(true).open(directory.path().join("large")).unwrap();
        let small = file(directory.path(), "small", &bytes(2, 200_000));
        let leased = AtomicBool::new(true);
        let safe = || leased.load(Ordering::SeqCst);
        let jobs = [
            FileJob { file: &large, len: LEN as u64, safe_to_map: Some(&safe) },
            FileJob::new(&small, 200_000),
        ];
        // One thread, so that both files share its lanes.
        let results = pool(1).install(|| hash_many(&jobs, &options, &Truncate(&writer, &leased)));
        let digest = results[0].as_ref().unwrap();
        let len = usize::try_from(digest.len).unwrap();
        assert!((1000..LEN).contains(&len), "stopped in the middle, at {len}");
        assert_eq!(*digest, oracle(&message[..len], &options));
        assert_eq!(results[1].as_ref().unwrap(), &oracle(&bytes(2, 200_000), &options));
    }
}
