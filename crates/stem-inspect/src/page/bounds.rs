//! How much a page holds.

/// What a page holds at most. What is more is left out, and the page says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Files that are named.
    pub files: usize,
    /// Recordings that are drawn.
    pub drawn: usize,
    /// Columns of a waveform.
    pub columns: usize,
    /// Lines of one list of differences.
    pub items: usize,
    /// Changed spans of one recording that are numbered and listed.
    pub marks: usize,
    /// Clips that can be played.
    pub clips: usize,
    /// Seconds of a clip.
    pub clip_seconds: u32,
    /// Bytes of all clips together, before they are written as text, which makes them a third longer.
    pub clip_bytes: usize,
    /// Bytes of the page without its clips; a file that would begin behind is only named.
    pub text: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            files: 5000,
            drawn: 200,
            columns: 600,
            items: 100,
            marks: 24,
            clips: 12,
            clip_seconds: 10,
            clip_bytes: 8 << 20,
            text: 12 << 20,
        }
    }
}
