//! Doing something in the middle of a verb, at a moment that does not depend on luck.

use std::sync::Mutex;

use stemvault::{Phase, Progress};

type Action<'a> = Box<dyn FnOnce() + Send + 'a>;

/// A progress that acts once, when a phase begins.
pub struct At<'a> {
    phase: Phase,
    action: Mutex<Option<Action<'a>>>,
}

impl<'a> At<'a> {
    /// Runs `action` when `phase` begins for the first time.
    pub fn new(phase: Phase, action: impl FnOnce() + Send + 'a) -> Self {
        Self { phase, action: Mutex::new(Some(Box::new(action))) }
    }

    /// Whether the moment came.
    pub fn came(&self) -> bool {
        self.action.lock().unwrap().is_none()
    }
}

impl Progress for At<'_> {
    fn begin(&self, phase: Phase, _files: u64, _bytes: u64) {
        if phase == self.phase
            && let Some(action) = self.action.lock().unwrap().take()
        {
            action();
        }
    }
}

/// A progress that ends the verb when a phase has begun.
#[derive(Debug)]
pub struct StopAt {
    phase: Phase,
    reached: std::sync::atomic::AtomicBool,
}

impl StopAt {
    /// Stops in `phase`.
    pub fn new(phase: Phase) -> Self {
        Self { phase, reached: false.into() }
    }
}

impl Progress for StopAt {
    fn begin(&self, phase: Phase, _files: u64, _bytes: u64) {
        if phase == self.phase {
            self.reached.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn cancelled(&self) -> bool {
        self.reached.load(std::sync::atomic::Ordering::Relaxed)
    }
}
