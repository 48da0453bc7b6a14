//! What a call that works tells the one who waits for it, and is told.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use stem_hash::HashObserver;
use stemvault::{Phase, Progress};

/// Phases that ended and were not told yet. A push in many batches has many; nobody needs them all.
const UNTOLD: usize = 32;

/// How far a phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    /// What is done.
    pub(crate) phase: &'static str,
    /// Files done.
    pub(crate) files: u64,
    /// All files of the phase; 0 when nobody knows.
    pub(crate) files_total: u64,
    /// Bytes done.
    pub(crate) bytes: u64,
    /// All bytes of the phase; 0 when nobody knows.
    pub(crate) bytes_total: u64,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Report>,
    ended: VecDeque<Report>,
    warnings: Vec<String>,
    told: Option<Report>,
}

/// The line between the threads that work and the one that waits.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    cancelled: AtomicBool,
    /// Whether the call waits for another process, and has done nothing yet.
    waiting: AtomicBool,
    files: AtomicU64,
    bytes: AtomicU64,
    state: Mutex<State>,
}

impl Watch {
    /// Asks the work to stop where everything is consistent.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the work was asked to stop.
    pub(crate) fn stopped(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Whether the work waits for a lock of another process.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// For callbacks of stores: counts the bytes and says whether to go on.
    pub(crate) fn step(&self, bytes: u64) -> ControlFlow<()> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Begins a phase of something else than a verb.
    pub(crate) fn phase(&self, phase: &'static str, files: u64, bytes: u64) {
        let mut state = self.state.lock();
        if let Some(current) = state.current.take() {
            let ended = self.filled(current);
            if state.ended.len() == UNTOLD {
                state.ended.pop_front();
            }
            state.ended.push_back(ended);
        }
        self.files.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        state.current = Some(Report { phase, files: 0, files_total: files, bytes: 0, bytes_total: bytes });
    }

    /// What is new since the last time: phases that ended, and the one that runs.
    pub(crate) fn news(&self) -> (Vec<Report>, Vec<String>) {
        let mut state = self.state.lock();
        let mut reports: Vec<Report> = state.ended.drain(..).collect();
        if let Some(current) = state.current.map(|current| self.filled(current)) {
            reports.push(current);
        }
        if let Some(told) = &state.told {
            reports.retain(|report| report != told);
        }
        if let Some(last) = reports.last() {
            state.told = Some(*last);
        }
        (reports, std::mem::take(&mut state.warnings))
    }

    fn filled(&self, report: Report) -> Report {
        let (files, bytes) = (self.files.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        Report { files, bytes, ..report }
    }
}

impl Progress for Watch {
    fn begin(&self, phase: Phase, files: u64, bytes: u64) {
        self.waiting.store(phase == Phase::Waiting, Ordering::Relaxed);
        self.phase(name(phase), files, bytes);
    }

    fn advance(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn warn(&self, message: &str) {
        self.state.lock().warnings.push(message.to_owned());
    }

    fn cancelled(&self) -> bool {
        self.stopped()
    }
}

impl HashObserver for Watch {
    fn progress(&self, bytes: u64) {
        self.advance(0, bytes);
    }

    fn finished(&self, _index: usize, _result: &std::io::Result<stemvault::Digest>) {
        self.advance(1, 0);
    }

    fn cancelled(&self) -> bool {
        self.stopped()
    }
}

/// One word for each phase, for programs.
fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        other => other.label(),
    }
}
