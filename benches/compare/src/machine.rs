//! What a figure was measured on.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Result;

/// The machine, as far as it explains a figure.
#[derive(Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    file_system: String,
}

impl Machine {
    /// This one, with the file system of `dir`.
    pub(crate) fn look(dir: &Path) -> Result<Self> {
        let uname = rustix::system::uname();
        let kernel = format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy());
        let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".into());
        let cores = std::thread::available_parallelism()?.get();
        let memory_gib = kib("MemTotal").unwrap_or(0) >> 20;
        let file_system = file_system(dir).unwrap_or_else(|| "unknown".into());
        Ok(Self { cpu, cores, memory_gib, kernel, file_system })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, memory_gib, kernel, file_system } = self;
        write!(f, "{cpu}; {cores} cores; {memory_gib} GiB; {kernel}; {file_system}")
    }
}

/// Bytes that processes may still have without anything being swapped out.
pub(crate) fn available_memory() -> u64 {
    kib("MemAvailable").unwrap_or(0) << 10
}

fn kib(name: &str) -> Option<u64> {
    field("/proc/meminfo", name)?.split_whitespace().next()?.parse().ok()
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The type of the file system that `dir` lies on: that of the mount point with the longest path above it.
fn file_system(dir: &Path) -> Option<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = text.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?;
        dir.starts_with(point).then(|| (point.len(), after.split(' ').next().unwrap_or_default().to_owned()))
    });
    // Of two on one point the later one is what is seen.
    mounts.max_by_key(|(len, _)| *len).map(|(_, kind)| kind)
}
