//! Where one recording goes on in another: runs of frames that are the same, byte for byte.
//!
//! Both are cut by content, and chunks that occur once in each are anchors. An anchor that stands in order with the others
//! is extended in both directions, sample by sample, to where the recordings part. Silence, which occurs everywhere, is
//! never an anchor; it is found by extension. Rejected: comparing at fixed positions (nothing after an insertion would
//! match), and cross-correlation (it finds what sounds alike, not what is the same).

use std::collections::HashMap;
use std::io;

use super::pcm::Pcm;
use crate::limits::Limits;
use crate::sequence::increasing;

/// Bytes that are compared at a time while a run is extended: few at first, for most runs end soon.
const STRIDES: [usize; 2] = [16 << 10, 1 << 20];

/// Frames that are the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where they begin in the first recording.
    pub(crate) before: u64,
    /// Where they begin in the second.
    pub(crate) after: u64,
    pub(crate) frames: u64,
}

struct Chunk {
    hash: u128,
    start: u64,
    frames: u64,
    /// Whether every frame is the same, as in silence.
    still: bool,
}

/// What two recordings have in common.
#[derive(Debug)]
pub(crate) struct Common {
    /// The same frames, in order in both.
    pub(crate) runs: Vec<Run>,
    /// Which of them are not silent, in frames of the first, roughly; and how many frames are not silent in all of it.
    pub(crate) heard: u64,
    pub(crate) heard_of: u64,
}

/// What both have in common. Their formats are equal.
pub(crate) fn common(before: &Pcm<'_>, after: &Pcm<'_>, limits: &Limits) -> io::Result<Common> {
    let length = |pcm: &Pcm<'_>| pcm.samples().end - pcm.samples().start;
    let longest = length(before).max(length(after));
    let (first, second) = rayon::join(|| chunks(before, longest, limits), || chunks(after, longest, limits));
    let (first, second) = (first?, second?);
    let runs = common_runs(before, after, &first, &second)?;
    let heard_of = first.iter().filter(|chunk| !chunk.still).map(|chunk| chunk.frames).sum();
    let heard = runs.iter().map(|run| heard_in(&first, run)).sum();
    Ok(Common { runs, heard, heard_of })
}

/// The frames of a run that belong to chunks that are not silent.
fn heard_in(chunks: &[Chunk], run: &Run) -> u64 {
    let end = run.before + run.frames;
    let from = chunks.partition_point(|chunk| chunk.start + chunk.frames <= run.before);
    let inside = chunks[from..].iter().take_while(|chunk| chunk.start < end).filter(|chunk| !chunk.still);
    inside.map(|chunk| (chunk.start + chunk.frames).min(end) - chunk.start.max(run.before)).sum()
}

fn common_runs(before: &Pcm<'_>, after: &Pcm<'_>, first: &[Chunk], second: &[Chunk]) -> io::Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    // What is the same at the beginning needs no anchor.
    let lead = extend(before, after, 0, 0, Direction::Forward, before.frames().min(after.frames()))?;
    if lead > 0 {
        runs.push(Run { before: 0, after: 0, frames: lead });
    }
    for (a, b) in increasing(&anchors(first, second)) {
        let (a, b) = (&first[a], &second[b]);
        if let Some(last) = runs.last()
            && a.start < last.before + last.frames
        {
            continue;
        }
        let (floor_a, floor_b) =
            runs.last().map_or((0, 0), |run| (run.before + run.frames, run.after + run.frames));
        if b.start < floor_b {
            continue;
        }
        let room = (a.start - floor_a).min(b.start - floor_b);
        let back = extend(before, after, a.start, b.start, Direction::Backward, room)?;
        let (from_a, from_b) = (a.start + a.frames, b.start + b.frames);
        let room = before.frames().saturating_sub(from_a).min(after.frames().saturating_sub(from_b));
        let on = extend(before, after, from_a, from_b, Direction::Forward, room)?;
        runs.push(Run { before: a.start - back, after: b.start - back, frames: back + a.frames + on });
    }
    // And neither does what is the same at the end.
    let (floor_a, floor_b) =
        runs.last().map_or((0, 0), |run| (run.before + run.frames, run.after + run.frames));
    let room = before.frames().saturating_sub(floor_a).min(after.frames().saturating_sub(floor_b));
    let tail = extend(before, after, before.frames(), after.frames(), Direction::Backward, room)?;
    if tail > 0 {
        runs.push(Run { before: before.frames() - tail, after: after.frames() - tail, frames: tail });
    }
    Ok(joined(runs))
}

/// Runs that follow each other without a gap in either are one.
fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut all: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        match all.last_mut() {
            Some(last)
                if last.before + last.frames == run.before && last.after + last.frames == run.after =>
            {
                last.frames += run.frames;
            }
            _ => all.push(run),
        }
    }
    all
}

/// The chunks of a recording's samples, cut as if they began the file.
fn chunks(pcm: &Pcm<'_>, longest: u64, limits: &Limits) -> io::Result<Vec<Chunk>> {
    let frame = pcm.format().frame_len() as u64;
    let cut = crate::chunks::cut(pcm.source(), pcm.samples(), Some(pcm.format()), longest, limits)?;
    let chunk = |chunk: crate::chunks::Chunk| Chunk {
        hash: chunk.hash,
        still: chunk.still,
        start: chunk.start / frame,
        frames: u64::from(chunk.len) / frame,
    };
    Ok(cut.into_iter().map(chunk).collect())
}

/// Pairs of chunks that occur once in each, in the order of the first.
fn anchors(first: &[Chunk], second: &[Chunk]) -> Vec<(usize, usize)> {
    let once = |chunks: &[Chunk]| {
        let mut seen: HashMap<u128, Option<usize>> = HashMap::with_capacity(chunks.len());
        for (number, chunk) in chunks.iter().enumerate().filter(|(_, chunk)| !chunk.still) {
            seen.entry(chunk.hash).and_modify(|place| *place = None).or_insert(Some(number));
        }
        seen
    };
    let (in_first, in_second) = (once(first), once(second));
    let mut pairs: Vec<(usize, usize)> =
        in_first.iter().filter_map(|(hash, place)| Some(((*place)?, (*in_second.get(hash)?)?))).collect();
    pairs.sort_unstable();
    pairs
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// How many frames are the same from these positions on (or up to them), at most `room`.
fn extend(
    before: &Pcm<'_>,
    after: &Pcm<'_>,
    a: u64,
    b: u64,
    direction: Direction,
    room: u64,
) -> io::Result<u64> {
    let frame = before.format().frame_len();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let [first, largest] = STRIDES.map(|bytes| (bytes / frame).max(1));
    let (mut same, mut stride) = (0, first);
    while same < room {
        let count = usize::try_from(room - same).unwrap_or(usize::MAX).min(stride);
        let at = |from: u64| match direction {
            Direction::Forward => from + same,
            Direction::Backward => from - same - count as u64,
        };
        before.read_raw(at(a), count, &mut left)?;
        after.read_raw(at(b), count, &mut right)?;
        if left.len() != right.len() || left.is_empty() {
            break;
        }
        if left != right {
            let differs = |(x, y): (&[u8], &[u8])| x != y;
            let mut frames = left.chunks_exact(frame).zip(right.chunks_exact(frame));
            let equal = match direction {
                Direction::Forward => frames.position(differs),
                Direction::Backward => frames.rev().position(differs),
            };
            return Ok(same + equal.unwrap_or(0) as u64);
        }
        same += count as u64;
        stride = (stride * 2).min(largest);
    }
    Ok(same)
}
