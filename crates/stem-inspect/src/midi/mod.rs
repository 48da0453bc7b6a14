//! Standard MIDI files: tracks and notes, and what was done to them.
//!
//! Notes are what is compared, not events: running status, a note's end written as a strike without force, or a file
//! saved with finer ticks are no difference. Bars are counted from 1, as the meter has them.

mod chunks;
mod clock;
mod difference;
mod facts;
mod matching;
mod read;
mod summary;

use std::io;

pub use facts::{
    Division, Meter, MeterChange, MidiDifference, MidiFacts, NoteChange, NoteCounts, NoteDifference,
    NoteFacts, Tempo, TempoChange, TrackChange, TrackDifference, TrackFacts,
};

use crate::limits::Limits;
use read::{Song, Wanted};

/// Entries of any list; what is left out is counted.
pub const MAX_LISTED: usize = 1000;

/// What a MIDI file is like; `None` where it is none.
///
/// # Errors
///
/// The question was cancelled.
pub fn describe(bytes: &[u8], limits: &Limits) -> io::Result<Option<MidiFacts>> {
    limits.check()?;
    Ok(read::read(bytes, Wanted::Counts).map(|song| facts(&song)))
}

/// How two MIDI files differ; `None` where one is none, or has more than a million notes.
///
/// # Errors
///
/// The question was cancelled.
pub fn difference(before: &[u8], after: &[u8], limits: &Limits) -> io::Result<Option<MidiDifference>> {
    limits.check()?;
    let Some(before) = read::read(before, Wanted::Events) else { return Ok(None) };
    limits.check()?;
    let Some(after) = read::read(after, Wanted::Events) else { return Ok(None) };
    limits.check()?;
    Ok(Some(difference::difference(before, after)))
}

fn facts(song: &Song) -> MidiFacts {
    let clock = &song.clock;
    let more = |count: usize| count.saturating_sub(MAX_LISTED) as u64;
    let end = song.tracks.iter().map(|track| track.end).max().unwrap_or(0);
    let tracks = song.tracks.iter().take(MAX_LISTED).map(|track| TrackFacts {
        number: track.number,
        name: track.name.clone(),
        notes: track.channels.iter().map(|channel| channel.notes).sum(),
        channels: (1..)
            .zip(&track.channels)
            .filter(|(_, channel)| channel.notes > 0)
            .map(|(number, _)| number)
            .collect(),
        range: track
            .channels
            .iter()
            .filter_map(|channel| channel.range)
            .reduce(|[low, high], [lower, higher]| [low.min(lower), high.max(higher)]),
    });
    MidiFacts {
        format: song.format,
        division: song.division,
        tracks: tracks.collect(),
        more_tracks: more(song.tracks.len()),
        notes: song.tracks.iter().flat_map(|track| &track.channels).map(|channel| channel.notes).sum(),
        tempos: clock.tempos().take(MAX_LISTED).collect(),
        more_tempos: more(clock.tempos().count()),
        meters: clock.meters().take(MAX_LISTED).collect(),
        more_meters: more(clock.meters().count()),
        bars: match end.checked_sub(1) {
            Some(last) => clock.bar(last),
            None => clock.quarter().map(|_| 0),
        },
        seconds: clock.seconds(end),
        damaged: song.damaged,
    }
}
