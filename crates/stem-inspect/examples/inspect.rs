//! Describes a file, or says how two differ: `inspect FILE [FILE]`.
//!
//! Prints the answer as JSON, and to the standard error how long it took and how much memory.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use stem_inspect::{Limits, ReadAt, compare, describe};

struct OnDisk {
    file: File,
    len: u64,
}

impl ReadAt for OnDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }
}

fn open(path: &std::ffi::OsStr) -> io::Result<OnDisk> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok(OnDisk { file, len })
}

fn main() -> io::Result<()> {
    let paths: Vec<_> = std::env::args_os().skip(1).collect();
    let limits = Limits::default();
    let began = Instant::now();
    let (summary, json) = match paths.as_slice() {
        [path] => {
            let found = describe(path.as_bytes(), &open(path)?, &limits)?;
            (found.summary(), serde_json::to_string_pretty(&found))
        }
        [before, after] => {
            let found = compare(after.as_bytes(), &open(before)?, &open(after)?, &limits)?;
            (found.summary(), serde_json::to_string_pretty(&found))
        }
        _ => return Err(io::Error::other("usage: inspect FILE [FILE]")),
    };
    let took = began.elapsed();
    println!("{}", json.map_err(io::Error::other)?);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("RssAnon"));
    eprintln!("{summary}\n{:.3} s; {}", took.as_secs_f64(), memory.collect::<Vec<_>>().join("; "));
    Ok(())
}
