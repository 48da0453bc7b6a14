//! MIDI files and their differences on one line.

use super::facts::{MidiDifference, MidiFacts, TrackChange, TrackDifference};
use crate::plain::Plain;
use crate::words::{clock, counted};

/// Tracks of which a summary speaks by name.
const NAMED: usize = 3;

impl MidiFacts {
    /// One line for people: `4 tracks, 312 notes, 124 bpm, 32 bars, 1:02.0`.
    pub fn summary(&self) -> String {
        let tracks = self.tracks.len() as u64 + self.more_tracks;
        let mut parts = vec![counted(tracks, "track"), counted(self.notes, "note")];
        match self.tempos.as_slice() {
            [] => {}
            [one] if self.more_tempos == 0 => parts.push(format!("{} bpm", Plain(one.bpm))),
            many => parts.push(format!("{} tempos", many.len() as u64 + self.more_tempos)),
        }
        if let [one] = self.meters.as_slice()
            && self.more_meters == 0
        {
            parts.push(format!("{}/{}", one.beats, one.unit));
        }
        parts.extend(self.bars.map(|bars| counted(bars, "bar")));
        parts.push(clock(self.seconds));
        if self.damaged {
            parts.push("damaged".into());
        }
        parts.join(", ")
    }
}

impl MidiDifference {
    /// One line for people: `tempo 120 → 124; 12 notes added in drums, bars 9–12`.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        let place = |bar: Option<u64>, places: u64| match (bar, places) {
            (_, 2..) => format!(" in {}", counted(places, "place")),
            (Some(2..), _) => format!(" from bar {}", bar.unwrap_or(1)),
            _ => String::new(),
        };
        if let Some(tempo) = &self.tempo {
            let [before, after] = tempo.bpm.map(Plain);
            parts.push(format!("tempo {before} → {after}{}", place(tempo.bar, tempo.places)));
        }
        if let Some(change) = &self.meter {
            let [[beats, unit], [new_beats, new_unit]] = change.meter;
            let place = place(change.bar, change.places);
            parts.push(format!("meter {beats}/{unit} → {new_beats}/{new_unit}{place}"));
        }
        parts.extend(self.tracks.iter().take(NAMED).map(TrackDifference::summary));
        let rest = self.tracks.len().saturating_sub(NAMED) as u64 + self.more_tracks;
        if rest > 0 {
            parts.push(format!("{} more", counted(rest, "track")));
        }
        if parts.is_empty() {
            parts.push(match self.seconds {
                Some([before, after]) => format!("same notes, length {} → {}", clock(before), clock(after)),
                None => "same notes, written anew".into(),
            });
        }
        parts.join("; ")
    }
}

impl TrackDifference {
    /// One line for people: `12 notes added, 1 moved in drums, bars 9–12`.
    pub fn summary(&self) -> String {
        let name = &self.name;
        match self.change {
            TrackChange::Added => {
                return format!("track {name} added ({})", counted(self.notes.added, "note"));
            }
            TrackChange::Removed => {
                return format!("track {name} removed ({})", counted(self.notes.removed, "note"));
            }
            TrackChange::Changed => {}
        }
        let notes = &self.notes;
        let kinds = [
            (notes.added, "added"),
            (notes.removed, "removed"),
            (notes.moved, "moved"),
            (notes.transposed, "transposed"),
            (notes.velocity, "louder or softer"),
            (notes.length, "longer or shorter"),
        ];
        let mut parts = Vec::new();
        for (number, what) in kinds.into_iter().filter(|(number, _)| *number > 0) {
            parts.push(if parts.is_empty() {
                format!("{} {what}", counted(number, "note"))
            } else {
                format!("{number} {what}")
            });
        }
        let mut line = if parts.is_empty() && self.other_events > 0 {
            format!("{} changed in {name}", counted(self.other_events, "other event"))
        } else if parts.is_empty() {
            String::new()
        } else {
            format!("{} in {name}", parts.join(", "))
        };
        match self.bars {
            Some([first, last]) if first == last => line.extend([", bar ", &first.to_string()]),
            Some([first, last]) => line.extend([", bars ", &first.to_string(), "–", &last.to_string()]),
            None => {}
        }
        match (&self.renamed_from, line.is_empty()) {
            (Some(old), true) => format!("track {old} renamed {name}"),
            (Some(old), false) => format!("{line} (was {old})"),
            (None, _) => line,
        }
    }
}
