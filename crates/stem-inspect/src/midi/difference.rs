//! How two MIDI files differ.

use std::collections::HashMap;

use super::MAX_LISTED;
use super::clock::{Clock, bpm};
use super::facts::{
    MeterChange, MidiDifference, NoteChange, NoteCounts, NoteDifference, NoteFacts, TempoChange, TrackChange,
    TrackDifference,
};
use super::matching::{Change, changes};
use super::read::{Note, Song, Track};

pub(super) fn difference(mut before: Song, mut after: Song) -> MidiDifference {
    let division = (before.division != after.division).then_some([before.division, after.division]);
    if division.is_some() {
        to_common_ticks(&mut before, &mut after);
    }
    let mut room = MAX_LISTED;
    let (mut tracks, mut more_tracks) = (Vec::new(), 0);
    for pair in pairs(&before.tracks, &after.tracks) {
        let sides = Sides { before: &before, after: &after };
        let Some(track) = sides.compare(pair, &mut room) else { continue };
        if tracks.len() < MAX_LISTED {
            tracks.push(track);
        } else {
            more_tracks += 1;
        }
    }
    let tempos = before.clock.tempo_changes(&after.clock);
    let meters = before.clock.meter_changes(&after.clock);
    let end = |song: &Song| song.clock.seconds(song.tracks.iter().map(|track| track.end).max().unwrap_or(0));
    let ends = [end(&before), end(&after)];
    MidiDifference {
        tracks,
        more_tracks,
        tempo: tempos.first().map(|&(tick, [old, new])| TempoChange {
            bpm: [bpm(old), bpm(new)],
            bar: after.clock.bar(tick),
            places: tempos.len() as u64,
        }),
        meter: meters.first().map(|&(tick, meter)| MeterChange {
            meter,
            bar: after.clock.bar(tick),
            places: meters.len() as u64,
        }),
        division,
        seconds: ((ends[0] - ends[1]).abs() > 0.001).then_some(ends),
    }
}

fn clock_of<'a>(song: &'a Song, track: &'a Track) -> &'a Clock {
    track.clock.as_ref().unwrap_or(&song.clock)
}

/// Makes the ticks of both songs equally long, so that a song that was saved with finer ticks is the same.
fn to_common_ticks(before: &mut Song, after: &mut Song) {
    if let (Some(a), Some(b)) = (before.clock.quarter(), after.clock.quarter()) {
        let common = gcd(a, b);
        make_finer(before, b / common);
        make_finer(after, a / common);
    } else {
        // Musical time and the time of film have only real time in common.
        make_real(before);
        make_real(after);
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

fn make_finer(song: &mut Song, factor: u64) {
    for track in &mut song.tracks {
        for note in &mut track.notes {
            note.start = note.start.saturating_mul(factor);
            note.length = note.length.saturating_mul(factor);
        }
        track.others.iter_mut().for_each(|other| other.0 = other.0.saturating_mul(factor));
        track.end = track.end.saturating_mul(factor);
        track.clock = track.clock.as_ref().map(|clock| clock.finer(factor));
    }
    song.clock = song.clock.finer(factor);
}

fn make_real(song: &mut Song) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
    let micros = |clock: &Clock, tick: u64| (clock.seconds(tick) * 1e6).round() as u64;
    let shared = song.clock.clone();
    for track in &mut song.tracks {
        let clock = track.clock.take().unwrap_or_else(|| shared.clone());
        for note in &mut track.notes {
            let end = micros(&clock, note.start.saturating_add(note.length));
            note.start = micros(&clock, note.start);
            note.length = end.saturating_sub(note.start);
        }
        track.others.iter_mut().for_each(|other| other.0 = micros(&clock, other.0));
        track.end = micros(&clock, track.end);
    }
    song.clock = Clock::of_micros();
}

/// Which track became which: by name, then by notes, then by place.
fn pairs(before: &[Track], after: &[Track]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut partner: Vec<Option<usize>> = vec![None; after.len()];
    let mut left: Vec<usize> = (0..before.len()).collect();
    let mut take = |partner: &mut Vec<Option<usize>>, find: &mut dyn FnMut(usize) -> Option<usize>| {
        left.retain(|&old| match find(old) {
            Some(new) => {
                partner[new] = Some(old);
                false
            }
            None => true,
        });
    };
    // The second track of a name is the second one of that name.
    let mut names: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, track) in after.iter().enumerate().rev() {
        if let Some(name) = &track.name {
            names.entry(name).or_default().push(number);
        }
    }
    take(&mut partner, &mut |old| names.get_mut(before[old].name.as_deref()?)?.pop());
    let mut notes: HashMap<&[Note], Vec<usize>> = HashMap::new();
    for (number, track) in after.iter().enumerate().rev() {
        if partner[number].is_none() && !track.notes.is_empty() {
            notes.entry(&track.notes).or_default().push(number);
        }
    }
    take(&mut partner, &mut |old| notes.get_mut(before[old].notes.as_slice())?.pop());
    let free: Vec<bool> = partner.iter().map(Option::is_none).collect();
    take(&mut partner, &mut |old| {
        let track = after.get(old).filter(|_| free.get(old) == Some(&true))?;
        may_be_the_same(&before[old], track).then_some(old)
    });
    let mut pairs: Vec<_> = partner.iter().enumerate().map(|(new, old)| (*old, Some(new))).collect();
    pairs.extend(left.into_iter().map(|old| (Some(old), None)));
    pairs.sort_by_key(|&(old, new)| (new.or(old), new.is_some()));
    pairs
}

/// Whether two tracks in the same place are one that was renamed.
fn may_be_the_same(before: &Track, after: &Track) -> bool {
    let unnamed = before.name.is_none() || after.name.is_none();
    unnamed || after.notes.iter().any(|note| before.notes.binary_search(note).is_ok())
}

/// Events that are in one of the files only.
fn other_events(before: &[(u64, u64)], after: &[(u64, u64)]) -> u64 {
    let (mut left, mut right) = (before.to_vec(), after.to_vec());
    left.sort_unstable();
    right.sort_unstable();
    let (mut right, mut only) = (right.into_iter().peekable(), 0);
    for event in left {
        while right.next_if(|other| *other < event).is_some() {
            only += 1;
        }
        if right.next_if(|other| *other == event).is_none() {
            only += 1;
        }
    }
    only + right.count() as u64
}

struct Sides<'a> {
    before: &'a Song,
    after: &'a Song,
}

impl Sides<'_> {
    /// `None` where nothing differs; `room` is how many notes may still be listed.
    fn compare(&self, pair: (Option<usize>, Option<usize>), room: &mut usize) -> Option<TrackDifference> {
        let old = pair.0.and_then(|number| self.before.tracks.get(number));
        let new = pair.1.and_then(|number| self.after.tracks.get(number));
        let one = new.or(old)?;
        let (old_notes, old_others) = old.map_or((&[][..], &[][..]), |track| (&track.notes, &track.others));
        let (new_notes, new_others) = new.map_or((&[][..], &[][..]), |track| (&track.notes, &track.others));
        let clock_before = old.map_or(&self.before.clock, |track| clock_of(self.before, track));
        let clock_after = new.map_or(&self.after.clock, |track| clock_of(self.after, track));
        let quarter = clock_after.quarter().unwrap_or(500_000);
        let found = changes(old_notes, new_notes, quarter);
        let name = |track: &Track| track.name.clone().unwrap_or_else(|| format!("track {}", track.number));
        let mut difference = TrackDifference {
            number: one.number,
            name: name(one),
            renamed_from: match (old, new) {
                (Some(old), Some(new)) if old.name != new.name => Some(name(old)),
                _ => None,
            },
            change: match (old, new) {
                (None, _) => TrackChange::Added,
                (_, None) => TrackChange::Removed,
                _ => TrackChange::Changed,
            },
            notes: NoteCounts::default(),
            other_events: other_events(old_others, new_others),
            bars: None,
            changes: Vec::new(),
            more: 0,
        };
        for change in &found {
            *difference.notes.of(change.kind) += 1;
            let bar = match (change.after, change.before) {
                (Some(note), _) => clock_after.bar(note.start),
                (None, Some(note)) => clock_before.bar(note.start),
                (None, None) => None,
            };
            if let Some(bar) = bar {
                let [first, last] = difference.bars.unwrap_or([bar, bar]);
                difference.bars = Some([first.min(bar), last.max(bar)]);
            }
            if *room > 0 {
                *room -= 1;
                difference.changes.push(shown(change, clock_before, clock_after));
            } else {
                difference.more += 1;
            }
        }
        let same = difference.change == TrackChange::Changed
            && found.is_empty()
            && difference.other_events == 0
            && difference.renamed_from.is_none();
        (!same).then_some(difference)
    }
}

fn shown(change: &Change, before: &Clock, after: &Clock) -> NoteDifference {
    let facts = |note: Note, clock: &Clock| NoteFacts {
        key: note.key,
        velocity: note.velocity,
        channel: note.channel + 1,
        bar: clock.bar(note.start),
        start: clock.seconds(note.start),
        end: clock.seconds(note.start.saturating_add(note.length)),
    };
    NoteDifference {
        change: change.kind,
        before: change.before.map(|note| facts(note, before)),
        after: change.after.map(|note| facts(note, after)),
    }
}

impl NoteCounts {
    fn of(&mut self, change: NoteChange) -> &mut u64 {
        match change {
            NoteChange::Added => &mut self.added,
            NoteChange::Removed => &mut self.removed,
            NoteChange::Moved => &mut self.moved,
            NoteChange::Transposed => &mut self.transposed,
            NoteChange::Velocity => &mut self.velocity,
            NoteChange::Length => &mut self.length,
        }
    }
}
