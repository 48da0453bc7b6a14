//! The events of a MIDI file, as notes.
//!
//! `midly` gives the events of a track one by one, allocates nothing and knows running status. It is lenient (its feature
//! `strict` is off): a track that ends in the midst of an event ends there without a word, so what tells of damage is that
//! its end mark is missing.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use midly::{EventIter, MetaMessage, MidiMessage, TrackEventKind};

use super::chunks::Chunks;
use super::clock::{Clock, Marks};
use super::facts::Division;
use crate::plain::{self, SHORT};

/// Notes of a file that is compared.
const MAX_NOTES: usize = 1 << 20;
/// Other events of a file that is compared.
const MAX_OTHERS: usize = 1 << 21;
/// Tracks that are looked at: as many as a header can announce.
const MAX_TRACKS: usize = 1 << 16;

/// A note: first what it is found by, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Note {
    /// In ticks, as is the length.
    pub(super) start: u64,
    pub(super) key: u8,
    /// From 0.
    pub(super) channel: u8,
    pub(super) velocity: u8,
    pub(super) length: u64,
}

/// What the notes of one channel are like.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stats {
    pub(super) notes: u64,
    pub(super) range: Option<[u8; 2]>,
}

impl Stats {
    fn add(&mut self, key: u8) {
        self.notes += 1;
        self.range = Some(self.range.map_or([key, key], |[low, high]| [low.min(key), high.max(key)]));
    }
}

#[derive(Debug)]
pub(super) struct Track {
    /// From 1.
    pub(super) number: u64,
    pub(super) name: Option<String>,
    pub(super) channels: [Stats; 16],
    /// Sorted; empty where only counts were asked for.
    pub(super) notes: Vec<Note>,
    /// One number for each event that is neither note, tempo, meter, name nor end, and when it is; empty as above.
    pub(super) others: Vec<(u64, u64)>,
    /// When it ends, in ticks.
    pub(super) end: u64,
    /// Of format 2 its own.
    pub(super) clock: Option<Clock>,
}

#[derive(Debug)]
pub(super) struct Song {
    pub(super) format: u8,
    pub(super) division: Division,
    pub(super) tracks: Vec<Track>,
    pub(super) clock: Clock,
    pub(super) damaged: bool,
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What notes are like, not the notes.
    Counts,
    /// The notes and the other events.
    Events,
}

/// Reads a file; `None` where it is none, or has more than can be compared.
pub(super) fn read(bytes: &[u8], wanted: Wanted) -> Option<Song> {
    let chunks = Chunks::open(bytes)?;
    let (format, division, announced) = (chunks.format, chunks.division, chunks.announced);
    let mut song = Song {
        format,
        division,
        tracks: Vec::new(),
        clock: Clock::new(division, Marks::default()),
        damaged: false,
    };
    let (mut marks, mut room) = (Marks::default(), Room { notes: MAX_NOTES, others: MAX_OTHERS });
    for track in chunks {
        if song.tracks.len() == MAX_TRACKS {
            song.damaged = true;
            break;
        }
        let mut reader = Reader::new(song.tracks.len() as u64 + 1, wanted);
        let whole = reader.read(EventIter::new(track), &mut room)?;
        song.damaged |= !whole;
        if format == 2 {
            reader.track.clock = Some(Clock::new(division, std::mem::take(&mut reader.marks)));
        } else {
            marks.append(reader.marks);
        }
        song.tracks.push(reader.track);
    }
    song.damaged |= song.tracks.len() < announced;
    song.clock = match song.tracks.iter().max_by_key(|track| track.end).and_then(|track| track.clock.clone())
    {
        Some(longest) => longest,
        None => Clock::new(division, marks),
    };
    if format == 0 {
        song.tracks = song.tracks.into_iter().flat_map(by_channel).collect();
    }
    Some(song)
}

/// What a file may still have.
struct Room {
    notes: usize,
    others: usize,
}

impl Room {
    fn take(of: &mut usize) -> Option<()> {
        *of = of.checked_sub(1)?;
        Some(())
    }
}

struct Reader {
    track: Track,
    marks: Marks,
    wanted: Wanted,
    /// The notes that sound, by channel and key, in the order in which they began.
    open: HashMap<(u8, u8), VecDeque<usize>>,
}

impl Reader {
    fn new(number: u64, wanted: Wanted) -> Self {
        let track = Track {
            number,
            name: None,
            channels: [Stats::default(); 16],
            notes: Vec::new(),
            others: Vec::new(),
            end: 0,
            clock: None,
        };
        Self { track, marks: Marks::default(), wanted, open: HashMap::new() }
    }

    /// Whether the track has its end mark; `None` where it has more than can be compared.
    fn read(&mut self, events: EventIter<'_>, room: &mut Room) -> Option<bool> {
        let (mut tick, mut whole) = (0_u64, false);
        for event in events {
            let Ok(event) = event else { break };
            tick = tick.saturating_add(u64::from(event.delta.as_int()));
            match event.kind {
                TrackEventKind::Midi { channel, message } => match message {
                    // Struck with no force is how most programs write the end of a note.
                    MidiMessage::NoteOn { key, vel } if vel.as_int() > 0 => {
                        self.begin(tick, channel.as_int(), key.as_int(), vel.as_int(), room)?;
                    }
                    MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
                        self.finish(tick, channel.as_int(), key.as_int());
                    }
                    _ => self.other(tick, event.kind, room)?,
                },
                TrackEventKind::Meta(MetaMessage::Tempo(micros)) => self.marks.tempo(tick, micros.as_int()),
                TrackEventKind::Meta(MetaMessage::TimeSignature(beats, power, ..)) => {
                    self.marks.meter(tick, beats, power);
                }
                TrackEventKind::Meta(MetaMessage::TrackName(name)) if self.track.name.is_none() => {
                    let name = plain::shown_bytes(name, SHORT);
                    self.track.name = Some(name).filter(|name| !name.trim().is_empty());
                }
                TrackEventKind::Meta(MetaMessage::EndOfTrack) => {
                    whole = true;
                    break;
                }
                _ => self.other(tick, event.kind, room)?,
            }
        }
        self.track.end = tick;
        // What never ends sounds as long as the track.
        for (_, notes) in self.open.drain() {
            for number in notes {
                if let Some(note) = self.track.notes.get_mut(number) {
                    note.length = tick - note.start;
                }
            }
        }
        self.track.notes.sort_unstable();
        Some(whole)
    }

    fn begin(&mut self, start: u64, channel: u8, key: u8, velocity: u8, room: &mut Room) -> Option<()> {
        if let Some(stats) = self.track.channels.get_mut(usize::from(channel)) {
            stats.add(key);
        }
        if self.wanted == Wanted::Events {
            Room::take(&mut room.notes)?;
            self.open.entry((channel, key)).or_default().push_back(self.track.notes.len());
            self.track.notes.push(Note { start, key, channel, velocity, length: 0 });
        }
        Some(())
    }

    fn finish(&mut self, tick: u64, channel: u8, key: u8) {
        let first = self.open.get_mut(&(channel, key)).and_then(VecDeque::pop_front);
        if let Some(note) = first.and_then(|number| self.track.notes.get_mut(number)) {
            note.length = tick - note.start;
        }
    }

    fn other(&mut self, tick: u64, kind: TrackEventKind<'_>, room: &mut Room) -> Option<()> {
        if self.wanted == Wanted::Events {
            Room::take(&mut room.others)?;
            let mut hasher = DefaultHasher::new();
            kind.hash(&mut hasher);
            self.track.others.push((tick, hasher.finish()));
        }
        Some(())
    }
}

/// Where all is in one track, what sounds together is on one channel.
fn by_channel(track: Track) -> Vec<Track> {
    let used: Vec<u8> = (0..16_u8)
        .filter(|&channel| track.channels.get(usize::from(channel)).is_some_and(|stats| stats.notes > 0))
        .collect();
    if used.len() < 2 {
        return vec![track];
    }
    let part = |(number, &channel): (usize, &u8)| {
        let mut channels = [Stats::default(); 16];
        if let (Some(to), Some(from)) =
            (channels.get_mut(usize::from(channel)), track.channels.get(usize::from(channel)))
        {
            *to = *from;
        }
        Track {
            number: track.number,
            name: Some(format!("channel {}", channel + 1)),
            channels,
            notes: track.notes.iter().filter(|note| note.channel == channel).copied().collect(),
            // Of which channel they are is not known of all; they are counted once.
            others: if number == 0 { track.others.clone() } else { Vec::new() },
            end: track.end,
            clock: None,
        }
    };
    used.iter().enumerate().map(part).collect()
}
