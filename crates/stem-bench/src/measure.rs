//! The clock: wall time, processor time and memory of the part of an operation that counts.
//!
//! Memory is what the process has for itself (`RssAnon`), looked at every few milliseconds by a thread of its own; the
//! kernel's own peak counts mapped files too, which are cache. Without `/proc` it is not known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::model::Operation;

/// Between two looks at memory.
const LOOK: Duration = Duration::from_millis(2);

/// A clock that can be stopped and started again.
pub(crate) struct Meter {
    running: Option<(Instant, Option<Duration>)>,
    wall: Duration,
    processor: Duration,
    before: u64,
    watch: Option<Watch>,
}

struct Watch {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    end: AtomicBool,
    active: AtomicBool,
    peak: AtomicU64,
}

impl Meter {
    /// A clock that stands still.
    pub(crate) fn new() -> Self {
        let before = memory().unwrap_or(0);
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let watch = (before > 0)
            .then(|| std::thread::Builder::new().name("memory".into()).spawn(move || look(&of_thread)).ok())
            .flatten()
            .map(|thread| Watch { shared, thread });
        Self { running: None, wall: Duration::ZERO, processor: Duration::ZERO, before, watch }
    }

    pub(crate) fn start(&mut self) {
        self.active(true);
        self.running = Some((Instant::now(), stem_fs::processor_time()));
    }

    pub(crate) fn stop(&mut self) {
        if let Some((begun, processor)) = self.running.take() {
            self.wall += begun.elapsed();
            if let (Some(before), Some(now)) = (processor, stem_fs::processor_time()) {
                self.processor += now.saturating_sub(before);
            }
        }
        if let Some(watch) = &self.watch {
            watch.shared.peak.fetch_max(memory().unwrap_or(0), Ordering::Relaxed);
        }
        self.active(false);
    }

    fn active(&self, active: bool) {
        if let Some(watch) = &self.watch {
            watch.shared.active.store(active, Ordering::Relaxed);
        }
    }

    /// What was measured, of work on so many bytes and objects.
    pub(crate) fn finish(mut self, bytes: u64, objects: u64) -> Operation {
        self.stop();
        let peak = self.watch.as_ref().map_or(0, |watch| watch.shared.peak.load(Ordering::Relaxed));
        Operation {
            seconds: self.wall.as_secs_f64(),
            cpu_seconds: self.processor.as_secs_f64(),
            bytes,
            objects,
            peak_memory: peak.saturating_sub(self.before),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.shared.end.store(true, Ordering::Relaxed);
            // It only looks; there is nothing that it could report.
            let _ = watch.thread.join();
        }
    }
}

fn look(shared: &Shared) {
    while !shared.end.load(Ordering::Relaxed) {
        if shared.active.load(Ordering::Relaxed) {
            shared.peak.fetch_max(memory().unwrap_or(0), Ordering::Relaxed);
        }
        std::thread::sleep(LOOK);
    }
}

/// Bytes of memory that belong to this process alone.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_held_while_the_clock_runs_is_seen() {
        let mut meter = Meter::new();
        meter.start();
        let held = vec![1_u8; 64 << 20];
        meter.stop();
        assert_eq!(held.iter().map(|&byte| u64::from(byte)).sum::<u64>(), 64 << 20);
        let found = meter.finish(5, 2);
        assert_eq!((found.bytes, found.objects), (5, 2));
        if cfg!(target_os = "linux") {
            assert!(found.peak_memory >= 60 << 20, "{found:?}");
            assert!(found.cpu_seconds > 0.0, "{found:?}");
        }
    }
}
