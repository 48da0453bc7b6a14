//! What a verb would do, for dry runs.

use std::collections::HashMap;

use stem_fs::RelPath;

use crate::error::Reason;
use crate::transit::{Act, Ran, Seen, Step};

/// What would happen at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The path in the working tree.
    pub path: RelPath,
    /// What would happen there.
    pub action: PlannedAction,
    /// Bytes that would be written.
    pub bytes: u64,
    /// Whether newer work stands there.
    pub conflict: bool,
}

/// What would happen at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedAction {
    /// A file would come where nothing is.
    Create,
    /// A file would take the place of another.
    Replace,
    /// The bytes are right; permissions or time would change.
    Touch,
    /// A file would come beside the newer work at this path.
    Beside(RelPath),
    /// What stands there would be deleted.
    Delete,
    /// It is as it should be.
    Nothing,
    /// It would be left as it is.
    Leave(Reason),
}

impl PlannedAction {
    /// A short name, stable, for JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Touch => "touch",
            Self::Beside(_) => "beside",
            Self::Delete => "delete",
            Self::Nothing => "nothing",
            Self::Leave(_) => "leave",
        }
    }
}

/// What the steps would do. `conflicts` is sorted; `beside` has pairs of newer work and the path beside it.
pub(crate) fn of(steps: &[Step], conflicts: &[RelPath], beside: &[(RelPath, RelPath)]) -> Vec<Planned> {
    let beside: HashMap<&RelPath, &RelPath> = beside.iter().map(|(path, beside)| (beside, path)).collect();
    let planned = |step: &Step| {
        let path = &step.wish.path;
        let action = match (&step.act, beside.get(path)) {
            (Act::Leave(reason), _) => PlannedAction::Leave(reason.clone()),
            (Act::Write, Some(newer)) => PlannedAction::Beside((*newer).clone()),
            (Act::Write, None) if matches!(step.seen, Seen::Absent) => PlannedAction::Create,
            (Act::Write, None) => PlannedAction::Replace,
            (Act::Touch, _) => PlannedAction::Touch,
            (Act::Delete, _) => PlannedAction::Delete,
            (Act::Nothing, _) => PlannedAction::Nothing,
        };
        let conflict = beside.contains_key(path) || conflicts.binary_search(path).is_ok();
        Planned { path: path.clone(), action, bytes: step.bytes(), conflict }
    };
    steps.iter().map(planned).collect()
}

/// The outcome of steps that are not carried out, as far as it can be known.
pub(crate) fn foresee(steps: &[Step]) -> Ran {
    let outcome = |step: &Step| match &step.act {
        Act::Leave(reason) => Err(reason.clone()),
        Act::Write => Ok(step.bytes()),
        Act::Delete => Ok(0),
        Act::Touch | Act::Nothing => Ok(step.present().map_or(0, |present| present.stat.size)),
    };
    Ran { outcomes: steps.iter().map(outcome).collect(), late: Vec::new() }
}
