//! What may be seen of each object, by the handle and after it.

use stem_store::{Error, ErrorKind};

use super::blobs::COUNT;

/// What looking for an object may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Nothing.
    No,
    /// The object, whole.
    Whole,
    /// One of these two.
    Perhaps,
    /// Anything but other bytes: its file was damaged.
    Doubt,
}

impl Sight {
    /// What is left of it when it is unclear whether something was done.
    fn unclear(self) -> Self {
        if self == Self::Doubt { Self::Doubt } else { Self::Perhaps }
    }
}

/// One object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    /// For this handle.
    pub(super) here: Sight,
    /// For the next one, if this process died now.
    pub(super) later: Sight,
}

/// All objects.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) fates: [Fate; COUNT],
    /// Whether bytes were changed behind the store's back.
    pub(super) damaged: bool,
    /// Whether that was done to an index, which can be made anew.
    pub(super) index_lost: bool,
    /// Whether it was done to a pack behind its header.
    pub(super) records_damaged: bool,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            fates: [Fate { here: Sight::No, later: Sight::No }; COUNT],
            damaged: false,
            index_lost: false,
            records_damaged: false,
        }
    }

    /// Clauses 3 and 4.
    pub(super) fn put(&mut self, blob: usize, durable: bool) {
        let fate = &mut self.fates[blob];
        fate.here = Sight::Whole;
        if durable {
            fate.later = Sight::Whole;
        } else if fate.later == Sight::No {
            fate.later = Sight::Perhaps;
        }
    }

    /// A removal, which the next sync makes durable at the latest.
    pub(super) fn removed(&mut self, blob: usize) {
        let fate = &mut self.fates[blob];
        fate.here = Sight::No;
        if fate.later != Sight::No {
            fate.later = fate.later.unclear();
        }
    }

    /// A change of this object that failed half-way.
    pub(super) fn unclear(&mut self, blob: usize) {
        let fate = &mut self.fates[blob];
        fate.here = fate.here.unclear();
        fate.later = fate.later.unclear();
    }

    /// A put that a fault struck. What was there before stays there.
    pub(super) fn put_failed(&mut self, blob: usize) {
        let fate = &mut self.fates[blob];
        for sight in [&mut fate.here, &mut fate.later] {
            if *sight == Sight::No {
                *sight = Sight::Perhaps;
            }
        }
    }

    pub(super) fn synced(&mut self) {
        for fate in &mut self.fates {
            fate.later = fate.here;
        }
    }

    /// Clause 3: a sync that fails gives up what was put since the last one that did not.
    pub(super) fn sync_failed(&mut self) {
        for fate in &mut self.fates {
            if fate.here != fate.later {
                fate.here = if fate.here == Sight::Doubt || fate.later == Sight::Doubt {
                    Sight::Doubt
                } else {
                    Sight::Perhaps
                };
                fate.later = fate.here;
            }
        }
    }

    /// The handle is gone.
    pub(super) fn reopened(&mut self) {
        for fate in &mut self.fates {
            fate.here = fate.later;
        }
    }

    /// The file of this object, or of all, was damaged.
    pub(super) fn doubt(&mut self, blob: Option<usize>) {
        self.damaged = true;
        for (number, fate) in self.fates.iter_mut().enumerate() {
            if blob.is_none_or(|blob| blob == number) && (fate.here, fate.later) != (Sight::No, Sight::No) {
                *fate = Fate { here: Sight::Doubt, later: Sight::Doubt };
            }
        }
    }

    /// Compares an answer with what may be seen; what is learnt by it holds from then on.
    pub(super) fn saw<T>(&mut self, blob: usize, answer: Result<Option<T>, &Error>, how: &str) -> Option<T> {
        let fate = &mut self.fates[blob];
        match (fate.here, answer) {
            (Sight::No | Sight::Perhaps | Sight::Doubt, Ok(None)) => {
                // What could not be seen once may be seen later only if it is in doubt.
                if fate.here == Sight::Perhaps {
                    fate.here = Sight::No;
                }
                None
            }
            (Sight::Whole | Sight::Perhaps | Sight::Doubt, Ok(Some(seen))) => {
                if fate.here == Sight::Perhaps {
                    fate.here = Sight::Whole;
                }
                Some(seen)
            }
            (Sight::Doubt, Err(error)) if error.kind() == ErrorKind::Corrupt => None,
            // A damaged pack may hold anything.
            (Sight::No | Sight::Perhaps, Err(error))
                if self.damaged && error.kind() == ErrorKind::Corrupt =>
            {
                None
            }
            (Sight::No, Ok(Some(_))) => panic!("{how}: object {blob} is there and should not be"),
            (Sight::Whole, Ok(None)) => panic!("{how}: object {blob} is lost"),
            (sight, Err(error)) => panic!("{how}: object {blob}, {sight:?}: {error}, {error:?}"),
        }
    }
}
