//! What goes wrong between a client and the service.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// All.
    Any,
    /// Those that fetch an object.
    Get,
    /// Those that send bytes.
    Put,
    /// Those that end an upload in parts.
    Complete,
    /// Lists.
    List,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injury {
    /// It is not carried out and answered with this status.
    Status(u16),
    /// The connection is cut after so many bytes of the answer, its head included; it was carried out.
    Cut(usize),
    /// The connection is cut after so many bytes of the request; it is not carried out.
    CutRequest(usize),
    /// The body of the answer is so many bytes shorter, and its length says so.
    Short(usize),
    /// One bit of the body of the answer is another one, this part of it (of 256) in.
    Flip(u8),
    /// The answer comes in small pieces.
    Trickle,
}

/// Injures some requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which ones.
    pub of: Match,
    /// So many that would be injured are left alone first.
    pub after: u64,
    /// So many are injured.
    pub times: u64,
    /// How.
    pub injury: Injury,
}

/// The faults to come.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    fn list(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces all of them.
    pub fn set(&self, faults: &[Fault]) {
        *self.list() = faults.to_vec();
    }

    /// Whether any is still to come.
    pub fn pending(&self) -> bool {
        self.list().iter().any(|fault| fault.times > 0)
    }

    pub(super) fn strike(&self, kind: Match) -> Option<Injury> {
        for fault in self.list().iter_mut() {
            if fault.of != Match::Any && fault.of != kind {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            if fault.times > 0 {
                fault.times -= 1;
                return Some(fault.injury);
            }
        }
        None
    }
}
