//! Where the user stands: the two stacks that the order of the records makes.

use super::{UndoLog, unreadable};
use crate::error::Result;
use crate::format::undo::{Peek, UndoId, UndoKind};
use crate::progress::Progress;

/// The history of a repository, each list oldest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// What can be undone.
    pub(crate) undo: Vec<UndoId>,
    /// What can be done again: records of undos.
    pub(crate) redo: Vec<UndoId>,
    /// What cannot be reached any more.
    pub(crate) past: Vec<UndoId>,
}

impl History {
    /// The history that these records make, in their order.
    fn replay(records: impl IntoIterator<Item = (UndoId, Peek)>) -> Self {
        let mut history = Self::default();
        for (id, Peek { kind, of }) in records {
            match kind {
                UndoKind::Verb => {
                    history.past.append(&mut history.redo);
                    history.undo.push(id);
                }
                // The record may have expired; then only its undo is left.
                UndoKind::Undo => {
                    history.retire(of.as_ref(), |history| &mut history.undo);
                    history.redo.push(id);
                }
                UndoKind::Redo => {
                    history.retire(of.as_ref(), |history| &mut history.redo);
                    history.undo.push(id);
                }
            }
        }
        history.past.sort_unstable();
        history
    }

    fn retire(&mut self, id: Option<&UndoId>, from: fn(&mut Self) -> &mut Vec<UndoId>) {
        let stack = from(self);
        if let Some(at) = stack.iter().rposition(|other| Some(other) == id) {
            let id = stack.remove(at);
            self.past.push(id);
        }
    }
}

impl UndoLog<'_> {
    /// Reads the history. Records that cannot be read are told and passed over.
    pub(crate) fn history(&self, progress: &dyn Progress) -> Result<History> {
        let Some(dir) = self.dir()? else { return Ok(History::default()) };
        let mut records = Vec::new();
        for (id, open) in self.ids()? {
            if open {
                continue;
            }
            match Self::peek(&dir, &id) {
                Ok(Some(peeked)) => records.push((id, peeked)),
                other => {
                    let path = dir.path().join(id.file_name(false));
                    let why = other.err().map_or_else(|| "it is damaged".to_owned(), |e| e.to_string());
                    progress.warn(&unreadable(&path, &why));
                }
            }
        }
        Ok(History::replay(records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::stamp::Stamp;

    fn id(n: i64) -> UndoId {
        UndoId::new(Stamp::from_micros(n).unwrap(), 0)
    }

    fn replay(records: &[(i64, UndoKind, Option<i64>)]) -> [Vec<i64>; 3] {
        let record = |&(n, kind, of): &(i64, UndoKind, Option<i64>)| (id(n), Peek { kind, of: of.map(id) });
        let History { undo, redo, past } = History::replay(records.iter().map(record));
        [undo, redo, past].map(|ids| ids.iter().map(|id| id.stamp().unwrap().as_micros()).collect())
    }

    #[test]
    fn undo_and_redo_walk_and_a_new_verb_ends_the_way_forward() {
        use UndoKind::{Redo, Undo, Verb};
        let mut records = vec![(1, Verb, None), (2, Verb, None), (3, Undo, Some(2))];
        assert_eq!(replay(&records), [vec![1], vec![3], vec![2]]);
        records.push((4, Undo, Some(1)));
        assert_eq!(replay(&records), [vec![], vec![3, 4], vec![1, 2]]);
        records.push((5, Redo, Some(4)));
        assert_eq!(replay(&records), [vec![5], vec![3], vec![1, 2, 4]]);
        records.push((6, Verb, None));
        assert_eq!(replay(&records), [vec![5, 6], vec![], vec![1, 2, 3, 4]]);
        // Half of it has expired.
        assert_eq!(replay(&records[2..]), [vec![5, 6], vec![], vec![3, 4]]);
        // A drop came between the look at the history and the undo.
        let crossed = [(1, Verb, None), (2, Verb, None), (3, Undo, Some(1))];
        assert_eq!(replay(&crossed), [vec![2], vec![3], vec![1]]);
    }
}
