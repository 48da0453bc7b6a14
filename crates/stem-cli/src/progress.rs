//! Progress bars, and the signals that stop a command.
//!
//! One bar is shown, for the phase that runs, on standard error and only when the command lasts: what is done within
//! [`DELAY`] leaves no trace. A thread of its own reveals the bar, because a phase that waits (for a disk, for another
//! process) is the one that most needs a sign of life and the one that calls nothing here.
//!
//! The first Ctrl-C or `SIGTERM` asks the engine to stop at the next point where everything is consistent; a second one
//! ends the process at once, which is safe too, only untidy. Handlers are installed when the first bar is made, so that
//! commands that only look, and prompts, end at the first Ctrl-C as everything else does.

use std::borrow::Cow;
use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anstream::ColorChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};
use stemvault::{Phase, Progress};

use crate::ui;

/// How long nothing is shown.
const DELAY: Duration = Duration::from_millis(300);
/// How often a bar that nobody advances moves.
const TICK: Duration = Duration::from_millis(120);

/// A phase of so many bytes.
const BY_BYTES: &str =
    "{prefix:>10} {wide_bar} {bytes:>10}/{total_bytes}  {bytes_per_sec:>12}  {eta:>4} left";
/// A phase of so many files.
const BY_FILES: &str = "{prefix:>10} {wide_bar} {files} files";
/// A phase of which nobody knows how long it will be.
const UNMEASURED: &str = "{spinner} {prefix} {files}";

struct Signals {
    any: Arc<AtomicBool>,
    number: Arc<AtomicUsize>,
    /// What ends the process at the second signal.
    ends: Vec<SigId>,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();

impl Signals {
    /// Installs the handlers, once. Where the system refuses, signals do what they always do.
    fn install() -> &'static Self {
        SIGNALS.get_or_init(|| {
            let mut signals = Self { any: Arc::default(), number: Arc::default(), ends: Vec::new() };
            for signal in [SIGINT, SIGTERM] {
                // The order matters: the first of these acts on what the others left from the signal before.
                let end = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&signals.any));
                signals.ends.extend(end);
                let _ = flag::register(signal, Arc::clone(&signals.any));
                if let Ok(number) = usize::try_from(signal) {
                    let _ = flag::register_usize(signal, Arc::clone(&signals.number), number);
                }
            }
            // What waits for a network calls no progress.
            #[cfg(feature = "remote")]
            stemvault::stop_remote_when(|| signal_caught().is_some());
            signals
        })
    }
}

/// From here on Ctrl-C is the business of another program that has the terminal: this one takes no notice.
pub(crate) fn leave_interrupts() {
    for end in SIGNALS.get().into_iter().flat_map(|signals| &signals.ends) {
        low_level::unregister(*end);
    }
    // A handler that does nothing, in place of the system's, which would end the process. Without one it ends as ever.
    let _ = flag::register(SIGINT, Arc::default());
}

/// The number of the signal that asked to stop.
pub(crate) fn signal_caught() -> Option<u8> {
    let number = SIGNALS.get()?.number.load(Ordering::Relaxed);
    u8::try_from(number).ok().filter(|&number| number > 0)
}

/// Shows what a verb is doing, and tells it to stop.
pub(crate) struct Bars {
    signals: &'static Signals,
    told: AtomicBool,
    quiet: bool,
    color: ColorChoice,
    bar: ProgressBar,
    by_bytes: AtomicBool,
    files: Arc<AtomicU64>,
    all_files: Arc<AtomicU64>,
    revealer: Option<Revealer>,
}

struct Revealer {
    done: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

impl Bars {
    /// A bar that appears after a while if `shown`.
    pub(crate) fn new(shown: bool, quiet: bool, color: ColorChoice) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        Self {
            signals: Signals::install(),
            told: AtomicBool::new(false),
            quiet,
            color,
            revealer: if shown { Revealer::start(bar.clone()) } else { None },
            bar,
            by_bytes: AtomicBool::new(true),
            files: Arc::default(),
            all_files: Arc::default(),
        }
    }

    /// A phase with a name of its own, counted in bytes.
    pub(crate) fn phase(&self, label: impl Into<Cow<'static, str>>, files: u64, bytes: u64) {
        let layout = match (files, bytes) {
            (0, 0) => UNMEASURED,
            (_, 0) => BY_FILES,
            _ => BY_BYTES,
        };
        // Back to the start before anything else, so that no tick shows the old position in the new measure.
        self.bar.reset();
        self.files.store(0, Ordering::Relaxed);
        self.all_files.store(files, Ordering::Relaxed);
        self.by_bytes.store(bytes > 0, Ordering::Relaxed);
        self.bar.set_style(self.style(layout));
        self.bar.set_prefix(label);
        self.bar.set_length(if bytes > 0 { bytes } else { files });
    }

    /// Another name for the phase that runs.
    pub(crate) fn label(&self, label: impl Into<Cow<'static, str>>) {
        self.bar.set_prefix(label);
    }

    fn style(&self, template: &str) -> ProgressStyle {
        let (done, all) = (Arc::clone(&self.files), Arc::clone(&self.all_files));
        let files = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let done = done.load(Ordering::Relaxed);
            // Writing into the bar's own line cannot fail in a way that matters.
            let _ = match all.load(Ordering::Relaxed) {
                0 if done == 0 => Ok(()),
                0 => write!(out, "{done} files"),
                all => write!(out, "{done}/{all}"),
            };
        };
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("files", files)
            .progress_chars("=> ")
            .tick_chars("|/-\\ ")
    }

    /// What becomes true when the user wants to stop.
    pub(crate) fn cancel_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.signals.any)
    }

    /// For callbacks of the store: counts the bytes and says whether to go on.
    pub(crate) fn step(&self, bytes: u64) -> ControlFlow<()> {
        self.advance(0, bytes);
        if self.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Progress for Bars {
    fn begin(&self, phase: Phase, files: u64, bytes: u64) {
        self.phase(phase.label(), files, bytes);
    }

    fn advance(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        let by_bytes = self.by_bytes.load(Ordering::Relaxed);
        self.bar.inc(if by_bytes { bytes } else { files });
    }

    fn warn(&self, message: &str) {
        if !self.quiet {
            self.bar.suspend(|| ui::warn(self.color, message));
        }
    }

    fn cancelled(&self) -> bool {
        let cancelled = self.signals.any.load(Ordering::Relaxed);
        if cancelled && !self.told.swap(true, Ordering::Relaxed) && std::io::stderr().is_terminal() {
            self.warn("stopping where everything is consistent; press Ctrl-C again to stop at once");
        }
        cancelled
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        if let Some(Revealer { done, thread }) = self.revealer.take() {
            *done.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            done.1.notify_all();
            // The thread only waits and reveals; it has nothing to report.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

impl Revealer {
    /// `None` where no thread can be had: then there is no bar.
    fn start(bar: ProgressBar) -> Option<Self> {
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let shared = Arc::clone(&done);
        let thread = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || {
                let waiting = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = shared.1.wait_timeout_while(waiting, DELAY, |done| !*done);
                let (done, _) = waited.unwrap_or_else(PoisonError::into_inner);
                if !*done {
                    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
                    bar.enable_steady_tick(TICK);
                }
            })
            .ok()?;
        Some(Self { done, thread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_is_one_that_the_library_reads() {
        for layout in [BY_BYTES, BY_FILES, UNMEASURED] {
            ProgressStyle::with_template(layout).unwrap();
        }
    }

    #[test]
    fn a_bar_counts_what_its_phase_is_measured_in() {
        let bars = Bars::new(false, true, ColorChoice::Never);
        bars.begin(Phase::Saving, 2, 100);
        bars.advance(1, 60);
        assert_eq!((bars.bar.position(), bars.files.load(Ordering::Relaxed)), (60, 1));
        bars.begin(Phase::Clearing, 2, 0);
        bars.advance(2, 60);
        assert_eq!(bars.bar.position(), 2);
        assert_eq!(bars.step(1), ControlFlow::Continue(()));
    }
}
