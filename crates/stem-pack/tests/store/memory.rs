//! An object of five gigabytes in bounded memory. The suite watches a smaller one in every run (clause 6).
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{self, Read};

use stem_fs::Dir;
use stem_hash::{Algorithm, Hasher};
use stem_pack::{PackOptions, PackStore};
use stem_store::{Durability, Maintain, ObjectStore, PutOptions, RestoreOptions, Verify};

use super::sound::{Samples, sound, wav};

const SIZE: u64 = 5 << 30;
const LIMIT: u64 = 100 << 20;
/// A part of so many bytes is played, then it is silent three times as long.
const PART: usize = 3 << 20;

/// A long recording: a header, and samples of which each part is a little different.
struct Long {
    /// The lengths in it are 0, as a recorder leaves them that was cut off.
    header: Vec<u8>,
    part: Vec<u8>,
    at: u64,
}

impl Long {
    fn new() -> Self {
        let header = wav(1, 0, Samples::Int24);
        Self { header, part: sound(1, PART / 6, Samples::Int24), at: 0 }
    }

    /// Fills `buf` with bytes from `at` on, to the end of a section at most; says how many.
    fn fill(&self, at: u64, buf: &mut [u8]) -> usize {
        let header = self.header.len() as u64;
        let part = PART as u64;
        let copy = |from: &[u8], buf: &mut [u8]| {
            let n = from.len().min(buf.len());
            buf[..n].copy_from_slice(&from[..n]);
            n
        };
        if at < header {
            return copy(&self.header[usize::try_from(at).unwrap()..], buf);
        }
        let (number, inside) = ((at - header) / (4 * part), (at - header) % (4 * part));
        if inside >= part {
            let n = buf.len().min(usize::try_from(4 * part - inside).unwrap());
            buf[..n].fill(0);
            return n;
        }
        let start = usize::try_from(inside).unwrap();
        let n = copy(&self.part[start..], buf);
        let low = u8::try_from(number & 7).unwrap();
        // The lowest bits differ from part to part.
        buf[..n].iter_mut().skip((3 - start % 3) % 3).step_by(3).for_each(|byte| *byte ^= low);
        n
    }
}

impl Read for Long {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(SIZE - self.at).unwrap_or(usize::MAX).min(buf.len());
        let n = if left == 0 { 0 } else { self.fill(self.at, &mut buf[..left]) };
        self.at += n as u64;
        watch();
        Ok(n)
    }
}

fn watch() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kib: u64 = line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap();
    assert!(kib * 1024 < LIMIT, "{kib} KiB of anonymous memory");
}

#[test]
#[ignore = "takes minutes; run it alone and in a release build"]
fn five_gigabytes_go_through_bounded_memory() {
    let root = tempfile::tempdir().unwrap();
    let store = PackStore::open(&root.path().join("store"), &PackOptions::default()).unwrap();
    let options = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };
    let put = store.put(&mut Long::new(), &options).unwrap();
    store.sync().unwrap();
    assert_eq!(put.digest.len, SIZE);
    let id = put.digest.id;
    let mut reader = store.open(&id).unwrap().unwrap();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
        watch();
    }
    assert_eq!(hasher.finish().id, id);
    let mut part = [0; 64];
    assert_eq!(store.read_range(&id, (4 << 30) + 7, &mut part).unwrap(), Some(64));
    let mut wanted = [0; 64];
    assert_eq!(Long::new().fill((4 << 30) + 7, &mut wanted), 64);
    assert_eq!(part, wanted);
    let dir = Dir::open(root.path()).unwrap();
    let mut target = dir.temp_file(0o600).unwrap();
    let restored =
        store.restore_file(&id, &mut target, &RestoreOptions { verify: Verify::Id, progress: None });
    assert_eq!(restored.unwrap().unwrap().len, SIZE);
    watch();
    assert!(target.stat().unwrap().is_sparse());
    assert!(store.verify(&id).unwrap().unwrap().is_sound());
    watch();
}
