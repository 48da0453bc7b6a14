//! What a project is like, and how two differ: the types.

use serde::Serialize;

use crate::text::ValueChange;

/// What a project is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProjectFacts {
    /// Which program wrote it, as the file says, fit to be shown.
    pub program: Option<String>,
    /// The name of the root element.
    pub root: String,
    /// Whether the file is compressed.
    pub compressed: bool,
    /// The length of the XML in bytes.
    pub xml_bytes: u64,
    /// Its elements.
    pub elements: u64,
    /// The tracks, where they are understood (Ableton Live), at most [`MAX_LISTED`](super::MAX_LISTED).
    pub tracks: Vec<ProjectTrack>,
    /// Tracks that are not in the list.
    pub more_tracks: u64,
    /// The tempo, as it is written there.
    pub tempo: Option<String>,
}

/// A track of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectTrack {
    /// What it carries.
    pub kind: TrackKind,
    /// Its name, fit to be shown.
    pub name: String,
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// Recordings.
    Audio,
    /// Notes.
    Midi,
    /// What others send to it.
    Return,
    /// Other tracks.
    Group,
    /// Something else.
    Other,
}

/// How two projects differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProjectDifference {
    /// Whether the XML is the same to the byte, compressed anew.
    pub same_content: bool,
    /// The program before and after, where that differs.
    pub program: Option<[String; 2]>,
    /// The tempo before and after, where that differs.
    pub tempo: Option<[String; 2]>,
    /// Tracks that are new, at most [`MAX_LISTED`](super::MAX_LISTED).
    pub tracks_added: Vec<ProjectTrack>,
    /// Tracks that are gone, likewise.
    pub tracks_removed: Vec<ProjectTrack>,
    /// Names of tracks before and after, where they differ, likewise.
    pub tracks_renamed: Vec<[String; 2]>,
    /// Elements that are new; those within them are not counted.
    pub added: u64,
    /// Elements that are gone, likewise.
    pub removed: u64,
    /// Attributes and texts that are other ones now, or new, or gone.
    pub values: u64,
    /// Those of the values that belong to names of tracks.
    pub track_name_values: u64,
    /// The changes, in order, at most [`MAX_LISTED`](super::MAX_LISTED).
    pub changes: Vec<ValueChange>,
    /// Changes that are not in the list.
    pub more: u64,
}
