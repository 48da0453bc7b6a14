//! What is in the files: asked of `stem-inspect` for many pairs at once, on all cores, until the user stops it.
//!
//! An object is verified before anything is said of its content, because a description of damaged bytes looks like one of
//! sound ones. Only a length from a header is taken unverified: it costs one read, and nothing is decided by it.

use std::io;

use rayon::prelude::*;
use stem_inspect::midi::TrackDifference;
use stem_inspect::text::{LineSpan, ValueChange};
use stem_inspect::{Description, Difference, Facts, Limits, ReadAt as _, audio, compare, describe, waveform};
use stemvault::{PairChange, Progress as _, Vault};

use super::pairs::{Bytes, Pair, Side, Unopened};
use super::wave::Wave;
use crate::failure::{Failure, Result};
use crate::progress::Bars;

/// The longest file that is read for its length in time, where no header says it, in bytes.
const SMALL: u64 = 1 << 20;
/// What the user is told who stops it.
const NOTHING: &str = "nothing was changed";

/// What is asked of each file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// How long it sounds, by its header.
    pub(crate) seconds: bool,
    /// What it is like.
    pub(crate) description: bool,
    /// How its two states differ.
    pub(crate) difference: bool,
    /// Its wave, in so many columns of samples.
    pub(crate) wave: Option<usize>,
}

impl Wants {
    fn nothing(self) -> bool {
        self == Self::default()
    }

    fn content(self) -> bool {
        self.description || self.difference || self.wave.is_some()
    }
}

/// What is known of a file's content.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Seen {
    /// How long it sounds.
    pub(crate) seconds: Option<f64>,
    /// What it is like.
    pub(crate) description: Option<Description>,
    /// How its two states differ.
    pub(crate) difference: Option<Difference>,
    /// Its wave.
    pub(crate) wave: Option<Wave>,
    /// Why something is not known.
    pub(crate) problems: Vec<String>,
}

impl Seen {
    /// Lines below the summary: where exactly it differs, as far as the summary does not say it; the second number is how
    /// many more there would be.
    pub(crate) fn details(&self) -> (Vec<String>, u64) {
        let (all, more): (Vec<String>, u64) = match &self.difference {
            Some(Difference::Audio(difference)) => {
                (difference.spans().into_iter().map(|span| span.words).collect(), 0)
            }
            Some(Difference::Midi(difference)) => {
                (difference.tracks.iter().map(TrackDifference::summary).collect(), difference.more_tracks)
            }
            Some(Difference::Json(difference)) => {
                return (difference.changes.iter().map(value).collect(), difference.more);
            }
            Some(Difference::Project(difference)) => {
                return (difference.changes.iter().map(value).collect(), difference.more);
            }
            Some(Difference::Text(difference)) => {
                return (difference.spans.iter().map(lines).collect(), difference.more);
            }
            Some(Difference::Identical | Difference::Other(_)) | None => return (Vec::new(), 0),
        };
        // The summary says what one place, or one track, is about.
        if all.len() > 1 { (all, more) } else { (Vec::new(), 0) }
    }
}

/// A key of JSON or an element of a project: `cutoff: 0.5 → 0.7`.
fn value(change: &ValueChange) -> String {
    let path = &change.path;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{path}: {before} → {after}"),
        (None, Some(after)) => format!("{path}: {after} (new)"),
        (Some(before), None) => format!("{path}: {before} (gone)"),
        (None, None) => path.clone(),
    }
}

/// Lines of a text: `line 2: two → two!`.
fn lines(span: &LineSpan) -> String {
    let place = |[first, last]: [u64; 2]| {
        if first == last { format!("line {first}") } else { format!("lines {first}–{last}") }
    };
    let place = span.after.or(span.before).map(place).unwrap_or_default();
    match (&span.text_before, &span.text_after) {
        (Some(before), Some(after)) => format!("{place}: {before} → {after}"),
        (None, Some(after)) => format!("{place}: {after} (new)"),
        (Some(before), None) => format!("{place}: {before} (gone)"),
        (None, None) => place,
    }
}

/// Looks into the files, in their order.
pub(crate) fn look(vault: &Vault, pairs: &[Pair], wants: Wants, bars: &Bars) -> Result<Vec<Seen>> {
    if wants.nothing() {
        return Ok(vec![Seen::default(); pairs.len()]);
    }
    let limits = Limits { cancelled: Some(bars.cancel_flag()), ..Limits::default() };
    if wants.content() {
        let bytes = pairs.iter().map(|pair| work(pair, wants)).fold(0, u64::saturating_add);
        bars.phase("Looking", pairs.len() as u64, bytes);
    }
    let eye = Eye { vault, wants, limits: &limits, bars };
    let seen: Vec<Seen> = pairs
        .par_iter()
        .map(|pair| {
            let seen = if bars.cancelled() { Seen::default() } else { eye.look(pair) };
            bars.advance(1, work(pair, wants));
            seen
        })
        .collect();
    if bars.cancelled() {
        return Err(Failure::interrupted(NOTHING));
    }
    Ok(seen)
}

/// Bytes that have to be read for a file.
fn work(pair: &Pair, wants: Wants) -> u64 {
    let sides = pair.size(Side::Before).unwrap_or(0).saturating_add(pair.size(Side::After).unwrap_or(0));
    if wants.content() { sides } else { 0 }
}

struct Eye<'a> {
    vault: &'a Vault,
    wants: Wants,
    limits: &'a Limits,
    bars: &'a Bars,
}

impl Eye<'_> {
    fn look(&self, pair: &Pair) -> Seen {
        let mut seen = Seen::default();
        // What the later state is, or what the file was when it is gone.
        let main = if pair.file.after.is_some() { Side::After } else { Side::Before };
        if !self.wants.content() {
            // A missing object is told by whoever lists the files.
            if let Ok(bytes) = pair.peek(self.vault, main) {
                seen.seconds = self.seconds(pair, &bytes);
            }
            return seen;
        }
        let modified = pair.change() == Some(PairChange::Modified);
        let needed =
            self.wants.description || self.wants.wave.is_some() || (self.wants.difference && modified);
        let opened =
            if needed { pair.open(self.vault, main, self.bars) } else { pair.peek(self.vault, main) };
        let bytes = match opened {
            Ok(bytes) => bytes,
            Err(reason) => {
                seen.problems.extend(reason.problem(main));
                return seen;
            }
        };
        if self.wants.seconds {
            seen.seconds = self.seconds(pair, &bytes);
        }
        if self.wants.difference && modified {
            match pair.open(self.vault, Side::Before, self.bars) {
                Ok(before) => {
                    let path = pair.file.path.as_bytes();
                    let answer = compare(path, &before, &bytes, self.limits);
                    seen.difference = told(answer, &mut seen.problems);
                }
                Err(Unopened::Absent) => {}
                Err(reason) => seen.problems.extend(reason.problem(Side::Before)),
            }
        }
        if self.wants.description {
            let answer = describe(pair.file.path.as_bytes(), &bytes, self.limits);
            seen.description = told(answer, &mut seen.problems);
        }
        if let Some(columns) = self.wants.wave {
            seen.wave = self.wave(&bytes, columns, &mut seen);
        }
        seen
    }

    /// How long a file sounds, as far as that is cheap to know.
    fn seconds(&self, pair: &Pair, bytes: &Bytes<'_>) -> Option<f64> {
        if let Ok(audio::Opened::Audio(pcm)) = audio::open(bytes, self.limits) {
            return Some(pcm.seconds());
        }
        let name = pair.file.path.file_name().to_ascii_lowercase();
        if bytes.len() > SMALL || !(name.ends_with(b".mid") || name.ends_with(b".midi")) {
            return None;
        }
        match describe(pair.file.path.as_bytes(), bytes, self.limits).ok()?.facts {
            Facts::Midi(facts) => Some(facts.seconds),
            _ => None,
        }
    }

    fn wave(&self, bytes: &Bytes<'_>, columns: usize, seen: &mut Seen) -> Option<Wave> {
        let frames = match audio::open(bytes, self.limits) {
            Ok(audio::Opened::Audio(pcm)) => pcm.frames(),
            _ => return None,
        };
        let drawn = told(waveform(bytes, 0..frames, columns, self.limits), &mut seen.problems)??;
        let mut spans = Vec::new();
        if let Some(Difference::Audio(difference)) = &seen.difference {
            #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
            let part = |frame: u64| if frames == 0 { 0.0 } else { frame as f64 / frames as f64 };
            for span in difference.spans() {
                // Where the samples have another rate, the span is still in frames of this version.
                spans.push([part(span.after.start), part(span.after.end)]);
            }
        }
        Some(Wave { columns: drawn, spans })
    }
}

/// The answer; what went wrong is kept for the report, unless it is that the user stops.
fn told<T>(answer: io::Result<T>, problems: &mut Vec<String>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            if !Limits::was_cancelled(&error) {
                problems.push(format!("it cannot be looked at: {error}"));
            }
            None
        }
    }
}
