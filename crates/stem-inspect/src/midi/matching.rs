//! Which note became which.
//!
//! In stages, from what is certain to what is likely; what one stage pairs, the next does not see. A shift that many notes
//! share goes before the nearest note, so that a part that was moved is moved as a whole and not note by note onto its
//! neighbours. Every stage sorts, and none compares each with each beyond a bound.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::facts::NoteChange;
use super::read::Note;

/// Pairs that are looked at to find a shift that many notes share.
const MAX_PAIRS: usize = 1 << 20;
/// Shifts that are looked for.
const MAX_SHIFTS: usize = 8;

/// What became of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) kind: NoteChange,
    pub(super) before: Option<Note>,
    pub(super) after: Option<Note>,
}

impl Change {
    fn place(&self) -> (Option<Note>, NoteChange) {
        (self.after.or(self.before), self.kind)
    }
}

/// The notes that differ, in order of time. `quarter` is the length of a quarter note, in the unit of the notes.
pub(super) fn changes(before: &[Note], after: &[Note], quarter: u64) -> Vec<Change> {
    let mut rest = Rest { before: before.to_vec(), after: after.to_vec(), found: Vec::new() };
    rest.join(None, |note| *note);
    rest.join(Some(NoteChange::Velocity), |note| (note.start, note.key, note.channel, note.length));
    rest.join(Some(NoteChange::Length), |note| (note.start, note.key, note.channel, note.velocity));
    rest.join(Some(NoteChange::Velocity), |note| (note.start, note.key, note.channel));
    rest.join(Some(NoteChange::Transposed), |note| (note.start, note.channel, note.length, note.velocity));
    for _ in 0..MAX_SHIFTS {
        let Some(shift) = rest.common_shift() else { break };
        let moved = |note: &Note, shift: i128| (identity(note), i128::from(note.start) + shift);
        rest.join_by(Some(NoteChange::Moved), |note| moved(note, shift), |note| moved(note, 0));
    }
    rest.nearest(identity, quarter.saturating_mul(4));
    rest.nearest(|note| (note.key, note.channel), quarter / 2);
    rest.only_ones();
    let gone =
        rest.before.iter().map(|note| Change { kind: NoteChange::Removed, before: Some(*note), after: None });
    let new =
        rest.after.iter().map(|note| Change { kind: NoteChange::Added, before: None, after: Some(*note) });
    rest.found.extend(gone.chain(new));
    rest.found.sort_by_key(Change::place);
    rest.found
}

/// What a note keeps when it is moved.
fn identity(note: &Note) -> (u8, u8, u8, u64) {
    (note.key, note.channel, note.velocity, note.length)
}

/// The notes that have no partner yet, and what was found.
struct Rest {
    before: Vec<Note>,
    after: Vec<Note>,
    found: Vec<Change>,
}

impl Rest {
    fn is_done(&self) -> bool {
        self.before.is_empty() || self.after.is_empty()
    }

    /// Pairs the notes with equal keys, in order.
    fn join<K: Ord>(&mut self, change: Option<NoteChange>, key: impl Fn(&Note) -> K) {
        self.join_by(change, &key, &key);
    }

    fn join_by<K: Ord>(
        &mut self,
        change: Option<NoteChange>,
        key_before: impl Fn(&Note) -> K,
        key_after: impl Fn(&Note) -> K,
    ) {
        if self.is_done() {
            return;
        }
        let mut left: Vec<(K, Note)> = self.before.drain(..).map(|note| (key_before(&note), note)).collect();
        let mut right: Vec<(K, Note)> = self.after.drain(..).map(|note| (key_after(&note), note)).collect();
        left.sort_unstable();
        right.sort_unstable();
        let mut right = right.into_iter().peekable();
        for (key, note) in left {
            while let Some((_, other)) = right.next_if(|(other, _)| *other < key) {
                self.after.push(other);
            }
            match right.next_if(|(other, _)| *other == key) {
                Some((_, other)) => self.note(change, note, other),
                None => self.before.push(note),
            }
        }
        self.after.extend(right.map(|(_, note)| note));
    }

    fn note(&mut self, change: Option<NoteChange>, before: Note, after: Note) {
        if let Some(change) = change {
            self.found.push(Change { kind: change, before: Some(before), after: Some(after) });
        }
    }

    /// The shift in time that most notes share, if two or more do.
    fn common_shift(&mut self) -> Option<i128> {
        if self.is_done() {
            return None;
        }
        self.before.sort_unstable_by_key(|note| (identity(note), *note));
        self.after.sort_unstable_by_key(|note| (identity(note), *note));
        let (mut shifts, mut looked) = (HashMap::<i128, u64>::new(), 0);
        let mut right = self.after.as_slice();
        for group in self.before.chunk_by(|a, b| identity(a) == identity(b)) {
            let Some(first) = group.first() else { continue };
            let (from, to) = (
                right.partition_point(|note| identity(note) < identity(first)),
                right.partition_point(|note| identity(note) <= identity(first)),
            );
            for note in group {
                for other in &right[from..to] {
                    looked += 1;
                    if looked > MAX_PAIRS {
                        break;
                    }
                    *shifts.entry(i128::from(other.start) - i128::from(note.start)).or_default() += 1;
                }
            }
            right = &right[to..];
        }
        let best =
            shifts.into_iter().max_by_key(|&(shift, count)| (count, Reverse(shift.unsigned_abs()), shift));
        best.filter(|&(_, count)| count > 1).map(|(shift, _)| shift)
    }

    /// Pairs notes of one kind that are at most so far from each other, in order.
    fn nearest<K: Ord + Copy>(&mut self, kind: impl Fn(&Note) -> K, window: u64) {
        if self.is_done() {
            return;
        }
        self.before.sort_unstable_by_key(|note| (kind(note), *note));
        self.after.sort_unstable_by_key(|note| (kind(note), *note));
        let (left, right) = (std::mem::take(&mut self.before), std::mem::take(&mut self.after));
        let mut right = right.into_iter().peekable();
        for note in left {
            let earlier = |other: &Note| {
                (kind(other), other.start.saturating_add(window)) < (kind(&note), note.start)
                    || kind(other) < kind(&note)
            };
            while let Some(other) = right.next_if(earlier) {
                self.after.push(other);
            }
            let near =
                |other: &Note| kind(other) == kind(&note) && other.start.abs_diff(note.start) <= window;
            match right.next_if(near) {
                Some(other) => self.note(Some(NoteChange::Moved), note, other),
                None => self.before.push(note),
            }
        }
        self.after.extend(right);
    }

    /// Pairs what is left of a kind where there is one before and one after.
    fn only_ones(&mut self) {
        let mut kinds: HashMap<_, [Vec<Note>; 2]> = HashMap::new();
        for (side, notes) in [&self.before, &self.after].into_iter().enumerate() {
            for note in notes {
                kinds.entry(identity(note)).or_default()[side].push(*note);
            }
        }
        self.before.clear();
        self.after.clear();
        for [before, after] in kinds.into_values() {
            if let ([one], [other]) = (before.as_slice(), after.as_slice()) {
                self.note(Some(NoteChange::Moved), *one, *other);
            } else {
                self.before.extend(before);
                self.after.extend(after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(start: u64, key: u8, velocity: u8) -> Note {
        Note { start, key, velocity, channel: 0, length: 120 }
    }

    fn kinds(before: &[Note], after: &[Note]) -> Vec<NoteChange> {
        changes(before, after, 480).iter().map(|change| change.kind).collect()
    }

    #[test]
    fn equal_notes_do_not_differ() {
        let notes = [note(0, 60, 100), note(0, 60, 100), note(480, 64, 90)];
        assert_eq!(kinds(&notes, &notes), []);
        assert_eq!(kinds(&notes, &notes[1..]), [NoteChange::Removed]);
    }

    #[test]
    fn a_part_that_was_moved_is_moved_as_a_whole() {
        let before: Vec<Note> = (0..8).map(|n| note(n * 480, 36, 100)).collect();
        let after: Vec<Note> = before.iter().map(|note| Note { start: note.start + 17, ..*note }).collect();
        let found = changes(&before, &after, 480);
        assert_eq!(found.len(), 8);
        let shift = |change: &Change| change.after.unwrap().start - change.before.unwrap().start;
        assert!(found.iter().all(|change| change.kind == NoteChange::Moved && shift(change) == 17));
    }

    #[test]
    fn each_kind_of_edit_has_its_name() {
        use NoteChange::{Added, Length, Moved, Removed, Transposed, Velocity};
        let one = [note(480, 60, 100)];
        assert_eq!(kinds(&one, &[note(480, 60, 80)]), [Velocity]);
        assert_eq!(kinds(&one, &[note(480, 62, 100)]), [Transposed]);
        assert_eq!(kinds(&one, &[note(500, 60, 100)]), [Moved]);
        assert_eq!(kinds(&one, &[note(48_000, 60, 100)]), [Moved]);
        assert_eq!(kinds(&one, &[Note { length: 240, ..one[0] }]), [Length]);
        assert_eq!(kinds(&one, &[]), [Removed]);
        assert_eq!(kinds(&[], &one), [Added]);
        assert_eq!(kinds(&one, &[note(48_000, 72, 30)]), [Removed, Added]);
    }

    #[test]
    fn quantised_notes_are_moved_even_where_their_length_changes() {
        let before: Vec<Note> =
            (0..20).map(|n| note(n * 480 + n * 7 % 13, 60 + u8::try_from(n).unwrap(), 90)).collect();
        let after: Vec<Note> =
            before.iter().map(|note| Note { start: note.start / 120 * 120, length: 110, ..*note }).collect();
        assert!(
            kinds(&before, &after)
                .iter()
                .all(|change| matches!(change, NoteChange::Moved | NoteChange::Length))
        );
    }
}
