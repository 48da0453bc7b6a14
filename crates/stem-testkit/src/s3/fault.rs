//! What goes wrong between a client and the service.

use std::fmt;
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
    /// Those that ask for the length of an object.
    Head,
    /// Those that begin an upload in parts.
    Begin,
    /// Those that send a part.
    Part,
    /// Those that send an object as a whole.
    Whole,
    /// Those that give an upload in parts up.
    Abort,
    /// Those that remove an object.
    Remove,
}

impl Match {
    fn covers(self, kind: Self) -> bool {
        self == Self::Any || self == kind || self == Self::Put && matches!(kind, Self::Part | Self::Whole)
    }
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
    /// It is not carried out, and answered with 503 and the wish to be asked again after so many seconds.
    Busy(u8),
    /// It is sent elsewhere: to itself.
    RedirectHere,
    /// It is sent elsewhere: to a port where nobody listens.
    RedirectAway,
    /// It is sent elsewhere, and not told where.
    RedirectBare,
    /// The head of the answer says that the body is so many bytes longer than it is; then the connection ends.
    Long(usize),
    /// The answer says that its range begins so many bytes later than it does.
    OtherRange(u64),
    /// The wish for a range is not heeded: all bytes come, as 200.
    WholeBody,
    /// Nothing is answered for so many milliseconds.
    Stall(u64),
    /// It is refused with 500, and the connection closed, before the body of the request was read.
    Early,
    /// It is not carried out, and answered with 200 and this.
    Says(&'static str),
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

/// When something is done beside a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before its body is read; it is not carried out, and the connection ends.
    Before,
    /// When it was carried out; it is not answered, and the connection ends.
    After,
}

type Action = Box<dyn FnOnce() + Send>;

/// What is to be done at some request.
#[derive(Default)]
pub(crate) struct Hook(Mutex<Option<(Match, u64, Moment, Action)>>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl Hook {
    pub(super) fn set(&self, of: Match, after: u64, moment: Moment, action: Action) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((of, after, moment, action));
    }

    pub(super) fn clear(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    pub(super) fn strike(&self, kind: Match, now: Moment) -> Option<Action> {
        let mut hook = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match hook.as_mut() {
            Some((of, after, moment, _)) if *moment == now && of.covers(kind) => {
                if *after > 0 {
                    *after -= 1;
                    return None;
                }
            }
            _ => return None,
        }
        hook.take().map(|(_, _, _, action)| action)
    }
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
            if !fault.of.covers(kind) {
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
