//! What text and JSON are like, and how two differ: the types.

use serde::Serialize;

/// What a text is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextFacts {
    /// Its lines; a last one without an end counts.
    pub lines: u64,
    /// How they end.
    pub line_ends: LineEnds,
    /// Whether it begins with a byte order mark.
    pub byte_order_mark: bool,
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnds {
    /// There is none.
    None,
    /// With a line feed.
    Lf,
    /// With a carriage return and a line feed.
    CrLf,
    /// Some so and some so.
    Mixed,
}

/// How two texts differ, line by line. Ends of lines and the byte order mark are compared by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextDifference {
    /// Lines that are new.
    pub added: u64,
    /// Lines that are gone.
    pub removed: u64,
    /// Lines that are other ones now.
    pub changed: u64,
    /// Where that is, in order, at most [`MAX_LISTED`](super::MAX_LISTED).
    pub spans: Vec<LineSpan>,
    /// Places that are not in the list.
    pub more: u64,
    /// How lines end, before and after, where that differs.
    pub line_ends: Option<[LineEnds; 2]>,
    /// Whether there is a byte order mark, before and after, where that differs.
    pub byte_order_mark: Option<[bool; 2]>,
    /// Whether the texts differ in so much that the places are rough.
    pub rough: bool,
}

/// Lines that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineSpan {
    /// What was done.
    pub change: Change,
    /// The first and the last line in the first text, from 1; `None` where all are new.
    pub before: Option<[u64; 2]>,
    /// The first and the last line in the second text, from 1; `None` where all are gone.
    pub after: Option<[u64; 2]>,
    /// The first of these lines before, cut short and fit to be shown.
    pub text_before: Option<String>,
    /// The first of these lines after, likewise.
    pub text_after: Option<String>,
}

/// What was done to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another one now.
    Changed,
}

/// What a JSON document is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonFacts {
    /// What it is.
    pub root: JsonKind,
    /// Keys in all objects.
    pub keys: u64,
    /// How deep values are nested; 0 for a document that is neither an object nor an array.
    pub depth: u64,
    /// The keys of the outermost object, fit to be shown, at most 20.
    pub outermost: Vec<String>,
}

/// A kind of JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonKind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `1.5`
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

/// How two JSON documents differ, key by key. The order of keys and the space between them are no difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonDifference {
    /// Keys and elements that are new.
    pub added: u64,
    /// Keys and elements that are gone.
    pub removed: u64,
    /// Keys and elements that have another value. Numbers are compared as they are written.
    pub changed: u64,
    /// Which ones, in the order of the second document; what is gone from an object stands before its other keys. At most
    /// [`MAX_LISTED`](super::MAX_LISTED).
    pub changes: Vec<ValueChange>,
    /// Changes that are not in the list.
    pub more: u64,
}

/// How a value differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueChange {
    /// What was done to it.
    pub change: Change,
    /// Where it is: `tracks[3].volume` in JSON, counted from 0; `LiveSet/Tracks/AudioTrack[3]/Name` in XML, counted from
    /// 1, with `@` before the name of an attribute. In the second file, or in the first where it is gone.
    pub path: String,
    /// The value before, cut short and fit to be shown.
    pub before: Option<String>,
    /// The value after, likewise.
    pub after: Option<String>,
}
