//! Listing several stores as one: each id once, part by part, so that what is remembered to find twins stays small.

use std::collections::HashSet;
use std::ops::ControlFlow;

use stem_hash::{IdPrefix, ObjectId};
use stem_store::Result;

/// Who is told the ids.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(ObjectId) -> ControlFlow<()>;
/// The listing of one store.
pub(crate) type List<'a> = &'a dyn Fn(&IdPrefix, Visit<'_>) -> Result<()>;

/// The parts of the id space that are listed one after the other.
pub(crate) fn parts(prefix: &IdPrefix) -> Vec<IdPrefix> {
    if prefix.digits() >= 2 {
        return vec![*prefix];
    }
    // Two digits are always a prefix.
    prefix.first_bytes().filter_map(|byte| format!("{byte:02x}").parse().ok()).collect()
}

/// Lists the stores in this order; the visitor may use them.
pub(crate) fn list_once(prefix: &IdPrefix, lists: &[List<'_>], visit: Visit<'_>) -> Result<()> {
    let mut seen = HashSet::new();
    for part in parts(prefix) {
        seen.clear();
        let mut broken = false;
        for list in lists {
            list(&part, &mut |id| {
                if seen.insert(id) && visit(id).is_break() {
                    broken = true;
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            if broken {
                return Ok(());
            }
        }
    }
    Ok(())
}
