//! Projects and their differences on one line.

use super::facts::{ProjectDifference, ProjectFacts, ProjectTrack};
use crate::words::{bytes, counted};

impl ProjectFacts {
    /// One line for people: `Ableton Live 11.3.4, 12 tracks, 124 bpm`.
    pub fn summary(&self) -> String {
        let mut parts = vec![self.program.clone().unwrap_or_else(|| format!("{} project", self.root))];
        let tracks = self.tracks.len() as u64 + self.more_tracks;
        if tracks > 0 {
            parts.push(counted(tracks, "track"));
        } else {
            parts.push(format!("{} of XML", bytes(self.xml_bytes)));
        }
        parts.extend(self.tempo.as_ref().map(|tempo| format!("{tempo} bpm")));
        parts.join(", ")
    }
}

impl ProjectDifference {
    /// One line for people: `tempo 120 → 124, 2 tracks added, 14 other values`.
    pub fn summary(&self) -> String {
        if self.same_content {
            return "same content, compressed anew".into();
        }
        let mut parts = Vec::new();
        parts.extend(self.program.as_ref().map(|[before, after]| format!("{before} → {after}")));
        parts.extend(self.tempo.as_ref().map(|[before, after]| format!("tempo {before} → {after}")));
        let tracks = |tracks: &[ProjectTrack], what: &str| match tracks {
            [] => None,
            [one] => Some(format!("track {} {what}", one.name)),
            many => Some(format!("{} {what}", counted(many.len() as u64, "track"))),
        };
        parts.extend(tracks(&self.tracks_added, "added"));
        parts.extend(tracks(&self.tracks_removed, "removed"));
        match self.tracks_renamed.as_slice() {
            [] => {}
            [[before, after]] => parts.push(format!("track {before} renamed {after}")),
            many => parts.push(format!("{} renamed", counted(many.len() as u64, "track"))),
        }
        // What is said already is no other value.
        let said = u64::from(self.tempo.is_some()) + u64::from(self.program.is_some());
        let named = if self.tracks_renamed.is_empty() { 0 } else { self.track_name_values };
        let values = self.values.saturating_sub(said + named);
        let tracks = (self.tracks_added.len() + self.tracks_removed.len()) as u64;
        let elements = (self.added + self.removed).saturating_sub(tracks);
        let other = if parts.is_empty() { "" } else { "other " };
        if values > 0 {
            parts.push(counted(values, &format!("{other}value")));
        }
        if elements > 0 {
            parts.push(format!("{} added or removed", counted(elements, &format!("{other}element"))));
        }
        if parts.is_empty() { "same content, written anew".into() } else { parts.join(", ") }
    }
}
