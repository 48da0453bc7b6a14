//! Clause 6: memory does not grow with objects, and nothing is 32-bit.

use std::io::{self, Read};

use stem_hash::ObjectId;
use stem_store::{Durability, RestoreOptions, Verify};

use super::process::{child, serve};
use super::subject::{Run, Scratch, with};

const LEN: u64 = 192 << 20;
/// A few buffers and the test program itself; a store that keeps the object would need three times as much.
const LIMIT: u64 = 64 << 20;

/// Streams an object through a process of its own and watches its anonymous memory. Where the system does not tell
/// that, the streaming alone is tested.
pub fn clause_6_bounded_memory_does_not_grow_with_the_object(run: &Run<'_>) {
    if let Some(role) = serve() {
        let store = run.factory.attach(&role.location);
        let put = store.put(&mut Long::new(), &with(Durability::Immediate)).unwrap();
        assert_eq!(put.digest.len, LEN);
        let mut reader = store.open(&put.digest.id).unwrap().unwrap();
        let read = io::copy(&mut Watched(&mut reader), &mut io::sink()).unwrap();
        assert_eq!(read, LEN);
        let scratch = Scratch::new();
        let mut target = scratch.temp();
        let options = RestoreOptions { verify: Verify::Id, progress: None };
        store.restore_file(&put.digest.id, &mut target, &options).unwrap().unwrap();
        watch();
        return;
    }
    let subject = run.factory.create();
    if let Some(location) = subject.location() {
        assert!(child(run, "stream", &location).wait().unwrap().success());
    }
    subject.finish();
}

/// Fails when the process has too much anonymous memory.
fn watch() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib =
        line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    if let Some(kib) = kib {
        assert!(kib * 1024 < LIMIT, "{kib} KiB of anonymous memory");
    }
}

struct Watched<'a>(&'a mut dyn Read);

impl Read for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buf)?;
        if n > 0 && buf[0] == 1 {
            watch();
        }
        Ok(n)
    }
}

/// `LEN` bytes, a 1 at the beginning of every 16 MiB.
struct Long(u64);

impl Long {
    fn new() -> Self {
        Self(0)
    }
}

impl Read for Long {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let step = 16 << 20;
        let left = (LEN - self.0).min(step - self.0 % step);
        let n = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        buf[..n].fill(0);
        if self.0.is_multiple_of(step) && n > 0 {
            buf[0] = 1;
            watch();
        }
        self.0 += n as u64;
        Ok(n)
    }
}

/// An object of five gibibytes, most of which is a hole.
pub fn clause_6_bounded_sizes_and_offsets_have_64_bits(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let (id, size, tail) = (ObjectId::from_bytes([0x42; 32]), 5 << 30, b"the end of a long object");
    if subject.plant(&id, size, tail) {
        assert_eq!(store.stat(&id).unwrap().unwrap().size, size);
        assert_eq!(store.open(&id).unwrap().unwrap().len(), size);
        let mut buf = [1; 100];
        let at = size - tail.len() as u64 - 6;
        let n = store.read_range(&id, at, &mut buf).unwrap().unwrap();
        assert_eq!(n, tail.len() + 6);
        assert_eq!(buf[..6], [0; 6]);
        assert_eq!(buf[6..n], tail[..]);
        assert_eq!(store.read_range(&id, size, &mut buf).unwrap(), Some(0));
        assert!(store.remove(&id).unwrap());
    }
    subject.finish();
}
