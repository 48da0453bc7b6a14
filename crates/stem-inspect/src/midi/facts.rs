//! What a MIDI file is like, and how two differ: the types.

use serde::Serialize;

/// What a MIDI file is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MidiFacts {
    /// 0: one track; 1: tracks that sound together; 2: patterns that do not.
    pub format: u8,
    /// What a tick is.
    pub division: Division,
    /// The tracks, at most [`MAX_LISTED`](super::MAX_LISTED). Of a file of format 0 with several channels, the channels.
    pub tracks: Vec<TrackFacts>,
    /// Tracks that are not in the list.
    pub more_tracks: u64,
    /// Notes in all tracks.
    pub notes: u64,
    /// Where the tempo is set, at most [`MAX_LISTED`](super::MAX_LISTED) places. Empty where the file leaves it at 120.
    pub tempos: Vec<Tempo>,
    /// Places that are not in the list.
    pub more_tempos: u64,
    /// Where the meter is set, as above. Empty where the file leaves it at 4/4.
    pub meters: Vec<Meter>,
    /// Places that are not in the list.
    pub more_meters: u64,
    /// Bars from the beginning to the end of the last track, the last one counted whole; `None` where time is counted in
    /// frames of film.
    pub bars: Option<u64>,
    /// Seconds from the beginning to the end of the last track; of format 2 those of the longest pattern.
    pub seconds: f64,
    /// Whether a track ends in the midst of its events, or more is announced than there is.
    pub damaged: bool,
}

/// What a tick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Division {
    /// So many ticks are a quarter note.
    TicksPerQuarter(u16),
    /// So many ticks are a frame of film.
    Frames {
        /// Frames per second: 24, 25, 29 (which means 29.97) or 30.
        per_second: u8,
        /// Ticks of one frame.
        ticks: u8,
    },
}

/// What a track is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrackFacts {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its name, fit to be shown.
    pub name: Option<String>,
    /// Its notes.
    pub notes: u64,
    /// The channels of its notes, 1 to 16.
    pub channels: Vec<u8>,
    /// Its lowest and its highest note, 0 to 127; 60 is the middle C.
    pub range: Option<[u8; 2]>,
}

/// A tempo and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tempo {
    /// In which bar, from 1.
    pub bar: Option<u64>,
    /// When, in seconds.
    pub seconds: f64,
    /// Quarter notes per minute.
    pub bpm: f64,
}

/// A meter and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Meter {
    /// In which bar, from 1.
    pub bar: Option<u64>,
    /// When, in seconds.
    pub seconds: f64,
    /// Beats of a bar.
    pub beats: u8,
    /// What a beat is: 4 for a quarter note.
    pub unit: u8,
}

/// How two MIDI files differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MidiDifference {
    /// The tracks that differ, at most [`MAX_LISTED`](super::MAX_LISTED).
    pub tracks: Vec<TrackDifference>,
    /// Tracks that differ and are not in the list.
    pub more_tracks: u64,
    /// The tempo before and after at the first place where it differs.
    pub tempo: Option<TempoChange>,
    /// The meter before and after at the first place where it differs.
    pub meter: Option<MeterChange>,
    /// What a tick is, before and after, where that differs; notes are compared by their musical time all the same.
    pub division: Option<[Division; 2]>,
    /// The length in seconds, before and after, where that differs.
    pub seconds: Option<[f64; 2]>,
}

/// A tempo that is another one now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TempoChange {
    /// Quarter notes per minute, before and after.
    pub bpm: [f64; 2],
    /// In which bar, from 1, by the meter of the second file.
    pub bar: Option<u64>,
    /// Places where the tempo differs.
    pub places: u64,
}

/// A meter that is another one now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MeterChange {
    /// Beats and unit, before and after.
    pub meter: [[u8; 2]; 2],
    /// In which bar, from 1, by the meter of the second file.
    pub bar: Option<u64>,
    /// Places where the meter differs.
    pub places: u64,
}

/// What was done to a track as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is in both files.
    Changed,
}

/// How a track differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackDifference {
    /// Its number, from 1, in the second file, or in the first where it is gone.
    pub number: u64,
    /// Its name, fit to be shown, or `track 3` where it has none.
    pub name: String,
    /// Its name before, where that was another one.
    pub renamed_from: Option<String>,
    /// What was done to it as a whole.
    pub change: TrackChange,
    /// How many notes differ, and how.
    pub notes: NoteCounts,
    /// Other events (controllers, programs, lyrics, …) that are in only one of the files.
    pub other_events: u64,
    /// The first and the last bar in which notes differ, from 1.
    pub bars: Option<[u64; 2]>,
    /// The notes that differ, in order of time, at most [`MAX_LISTED`](super::MAX_LISTED) of all tracks together.
    pub changes: Vec<NoteDifference>,
    /// Notes that differ and are not in the list.
    pub more: u64,
}

/// How many notes differ, and how. A note is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct NoteCounts {
    /// Notes that are new.
    pub added: u64,
    /// Notes that are gone.
    pub removed: u64,
    /// Notes that sound at another time.
    pub moved: u64,
    /// Notes that have another pitch at the same time.
    pub transposed: u64,
    /// Notes that are as they were but louder or softer.
    pub velocity: u64,
    /// Notes that last longer or shorter.
    pub length: u64,
}

/// What was done to a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It sounds at another time.
    Moved,
    /// It has another pitch.
    Transposed,
    /// It is louder or softer.
    Velocity,
    /// It lasts longer or shorter.
    Length,
}

/// How a note differs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NoteDifference {
    /// What was done to it.
    pub change: NoteChange,
    /// As it was; `None` where it is new.
    pub before: Option<NoteFacts>,
    /// As it is; `None` where it is gone.
    pub after: Option<NoteFacts>,
}

/// A note.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NoteFacts {
    /// Its pitch, 0 to 127; 60 is the middle C.
    pub key: u8,
    /// How hard it is struck, 1 to 127.
    pub velocity: u8,
    /// Its channel, 1 to 16.
    pub channel: u8,
    /// In which bar it begins, from 1.
    pub bar: Option<u64>,
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
}
