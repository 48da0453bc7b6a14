//! The clock: one process from its start to its end, what it used, and the flush after it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};

/// Between two looks at a process's memory. A look takes some 30 µs of the other core.
const LOOK: Duration = Duration::from_millis(2);

/// What one run of a contender took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// From the start of the process to its end.
    pub(crate) seconds: f64,
    /// The same with a flush of the file system.
    pub(crate) seconds_with_sync: f64,
    /// User and system time of the process and of those that it waited for.
    pub(crate) cpu_seconds: f64,
    /// Peak of resident memory, mapped files included, in bytes; of the process alone.
    pub(crate) rss: u64,
    /// Peak of anonymous resident memory, in bytes, as far as looks every 2 ms see it.
    pub(crate) rss_anon: u64,
    /// Bytes of blocks that were allocated in the scene.
    pub(crate) new_disk: u64,
}

/// Runs `command`, which works in `scene`, by the clock; returns what it printed too.
pub(crate) fn clock(mut command: Command, scene: &Path) -> Result<(Sample, String)> {
    let directory = File::open(scene)?;
    // Beside the scene, whose blocks are counted.
    let (out, err) = (scene.with_extension("out"), scene.with_extension("err"));
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
    let before = blocks(scene)?;
    let finished = AtomicBool::new(false);

    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let pid = child.id();
    let (ended, rss_anon) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look(pid, &finished));
        let ended = wait(pid);
        let seconds = start.elapsed().as_secs_f64();
        finished.store(true, Ordering::Relaxed);
        (ended.map(|ended| (ended, seconds)), looking.join().unwrap_or(0))
    });
    let (ended, seconds) = ended.context("cannot wait for the contender")?;
    rustix::fs::syncfs(&directory)?;
    let seconds_with_sync = start.elapsed().as_secs_f64();

    if !ended.status.success() {
        let told = fs::read_to_string(&err).unwrap_or_default();
        bail!("{command:?} ended with {}\n{}", ended.status, told.trim_end());
    }
    let told = fs::read_to_string(&out).unwrap_or_default();
    let new_disk = newly_allocated(scene, &before)?;
    let Ended { cpu_seconds, rss, .. } = ended;
    Ok((Sample { seconds, seconds_with_sync, cpu_seconds, rss, rss_anon, new_disk }, told))
}

/// Runs a command that belongs to the set-up.
pub(crate) fn unclocked(mut command: Command) -> Result<()> {
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    if !done.status.success() {
        bail!("{command:?} ended with {}\n{}", done.status, String::from_utf8_lossy(&done.stderr).trim_end());
    }
    Ok(())
}

/// Flushes the file system that `dir` lies on.
pub(crate) fn flush(dir: &Path) -> Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

/// Peak of anonymous memory until `finished`.
fn look(pid: u32, finished: &AtomicBool) -> u64 {
    let path = format!("/proc/{pid}/status");
    let mut peak = 0;
    while !finished.load(Ordering::Relaxed) {
        if let Ok(status) = fs::read_to_string(&path) {
            let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0) << 10);
        }
        std::thread::sleep(LOOK);
    }
    peak
}

struct Ended {
    status: ExitStatus,
    cpu_seconds: f64,
    rss: u64,
}

/// Waits for a child that nobody else waits for.
#[expect(
    unsafe_code,
    reason = "the standard library does not tell what a child used, nor do safe wrappers per child"
)]
fn wait(pid: u32) -> io::Result<Ended> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: all fields of `rusage` are integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live variables of the types that the call writes.
        let done = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if done == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds and microseconds of a process")]
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Ended {
        status: ExitStatus::from_raw(status),
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        rss: u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10,
    })
}

/// A file by its inode and its birth: inodes are given to new files as soon as old ones are gone.
type Identity = (u64, Option<SystemTime>);

/// Bytes of the blocks of every file below `dir`; what has several names counts once.
fn blocks(dir: &Path) -> Result<HashMap<Identity, u64>> {
    let mut found = HashMap::new();
    crate::corpus::visit(dir, &mut |_, meta| {
        found.insert((meta.ino(), meta.created().ok()), meta.blocks() * 512);
        Ok(())
    })?;
    Ok(found)
}

/// Bytes of the blocks that files have now and had not before. What was freed meanwhile is not subtracted, and a file that
/// moved is not new.
fn newly_allocated(dir: &Path, before: &HashMap<Identity, u64>) -> Result<u64> {
    let now = blocks(dir)?;
    Ok(now.iter().map(|(file, bytes)| bytes.saturating_sub(before.get(file).copied().unwrap_or(0))).sum())
}
