//! What a page shows. Texts may be anything: they are made harmless when they are written.

/// Everything that a page shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Which entry, and whose it is.
    pub entry: Entry,
    /// What the two versions are called: `HEAD` and `stash@{0}`.
    pub versions: [String; 2],
    /// The files, in the order in which they are shown; those of one group follow each other.
    pub files: Vec<File>,
    /// Files that are not among them.
    pub more_files: u64,
    /// What else the reader should know.
    pub notes: Vec<String>,
    /// Which program made the page.
    pub tool: String,
}

/// A stash entry, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// How it is referred to: `stash@{0}`.
    pub reference: String,
    /// Its message; may be empty.
    pub message: String,
    /// The branch on which it was made; may be empty.
    pub branch: String,
    /// When it was made, for people: `2026-11-01 18:20 UTC`; may be empty.
    pub time: String,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// It is in both versions, the same.
    #[default]
    Same,
    /// It is in both versions and differs.
    Changed,
    /// It is in the second version only.
    Added,
    /// It is in the first version only.
    Removed,
    /// It cannot be told, because one of the versions is not known.
    Unknown,
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct File {
    /// Its path.
    pub path: String,
    /// The track, section or directory that it belongs to: `Track drums`.
    pub group: String,
    /// What became of it.
    pub status: Status,
    /// Its length in bytes, before and after.
    pub bytes: [Option<u64>; 2],
    /// What was done, in one line: `−3.0 dB`.
    pub headline: String,
    /// What hinders a better answer.
    pub notes: Vec<String>,
    /// What it is like, before and after.
    pub facts: Vec<Fact>,
    /// What can be seen and heard of it.
    pub recording: Option<Recording>,
    /// What differs, line by line.
    pub lists: Vec<List>,
    /// How much of it is the same, where nothing better is known.
    pub share: Option<Share>,
}

/// A property of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fact {
    /// What it is called.
    pub name: &'static str,
    /// Its value before and after.
    pub values: [Option<String>; 2],
}

/// A drawing of samples: the lowest and the highest of each column, full scale being 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// How long it is.
    pub seconds: f64,
    /// Column by column.
    pub columns: Vec<[f32; 2]>,
}

/// What is left when one version is subtracted from the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rest {
    /// Over the time of the second version.
    pub shape: Shape,
    /// What was subtracted from what, where that is not obvious.
    pub words: String,
}

/// What can be seen and heard of a recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// Before and after.
    pub shapes: [Option<Shape>; 2],
    /// Frames per second, before and after; 0 where there is none.
    pub rates: [u32; 2],
    /// Channels, before and after; 0 where there is none.
    pub channels: [usize; 2],
    /// What is left of the difference.
    pub rest: Option<Rest>,
    /// Where it changed.
    pub marks: Vec<Mark>,
    /// Marks that are not among them.
    pub more_marks: u64,
}

/// A span of a recording, usually one that changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mark {
    /// From when to when in the two versions, in seconds; empty for what is not there, `None` where there is no version.
    pub spans: [Option<[f64; 2]>; 2],
    /// What it is: `overwritten 0:12.0–0:15.5`.
    pub words: String,
    /// Whether it is drawn: a span that holds everything, or is merely played, is not.
    pub shaded: bool,
    /// How it sounds, before and after.
    pub clips: [Option<Clip>; 2],
}

/// A short piece of a recording that can be played.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clip {
    /// From when to when, in seconds.
    pub span: [f64; 2],
    /// A WAV file with 16 bits.
    pub wav: Vec<u8>,
}

/// What an item of a list says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ItemKind {
    /// Something is there that was not.
    Added,
    /// Something is gone.
    Removed,
    /// Something is another.
    #[default]
    Changed,
}

/// One difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// What was done.
    pub kind: ItemKind,
    /// Where: `tempo`, `bar 9`, `line 12`.
    pub place: String,
    /// What stood there, and what stands there.
    pub values: [Option<String>; 2],
}

/// Differences of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// What is listed: `Notes of track drums`.
    pub title: String,
    /// The differences.
    pub items: Vec<Item>,
    /// Differences that are not among them.
    pub more: u64,
}

/// How much two files have in common, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Bytes of the second version that are in the first as well.
    pub common: u64,
    /// Bytes of the second version.
    pub of: u64,
}
