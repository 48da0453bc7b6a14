//! What was done to a recording between two versions of it.
//!
//! First what is the same, byte for byte, is looked for (`align`): insertions, deletions, punch-ins and shifts leave most
//! of a recording as it was. Where nothing is left, the whole was processed, and what was done shows in how the two relate
//! sample by sample: by a factor (gain), by a factor that changes slowly (fade), with channels exchanged, or otherwise.

use std::io;

use rayon::prelude::*;

use super::align::{Common, Run, common};
use super::change::{AudioChange, AudioDifference, Edit, EditKind, Residual, Treatment};
use super::level::Decibels;
use super::loudness::Metering;
use super::pcm::{Block, Pcm};
use crate::limits::Limits;
use crate::source::{ReadAt, read_full};
use crate::words::counted;

/// Frames whose relation is looked at together: 43 ms at 48 kHz.
const WINDOW: usize = 2048;
/// Windows of one channel that a thread reads at a time.
const WINDOWS: usize = 32;
/// Frames from which on what a thread reads at a time is one window, so that there are not too many: six hours.
const LONG: u64 = 1 << 30;
/// Of fewer frames of an edit nothing is said but that they are other ones: a factor explains any one sample.
const TOLD: u64 = 32;
/// A residual below this is what rounding leaves, dBFS.
const NULL: f64 = -90.0;
/// Two versions whose parts correlate at least so much are versions of the same.
const ALIKE: f64 = 0.5;
/// How many times the mean step between windows the largest step of a fade may be; an exponential fade to -60 dB has 7.
const FADE_STEPS: f64 = 10.0;
/// The mean square that rounding to 16 bits leaves in all channels of a frame, generously.
const ROUNDING: f64 = 1e-9;

/// Compares two versions of a recording.
///
/// # Errors
///
/// Those of reading; the question was cancelled.
pub fn difference(before: &Pcm<'_>, after: &Pcm<'_>, limits: &Limits) -> io::Result<AudioDifference> {
    Ok(AudioDifference {
        change: change(before, after, limits)?,
        rates: [before.format().rate(), after.format().rate()],
        frames: [before.frames(), after.frames()],
        note: before.note().or_else(|| after.note()).or_else(|| {
            let channels = [before.format().channels(), after.format().channels()];
            let [old, new] = channels.map(|count| counted(count as u64, "channel"));
            (channels[0] != channels[1])
                .then(|| format!("{old} before and {new} after; they are not compared"))
        }),
    })
}

fn change(before: &Pcm<'_>, after: &Pcm<'_>, limits: &Limits) -> io::Result<AudioChange> {
    if before.format().rate() != after.format().rate() {
        return resampled(before, after, limits);
    }
    // What lossy codecs make is nowhere the same, sample by sample, unless it is the same altogether.
    if before.format() != after.format() || before.is_sequential() || after.is_sequential() {
        if same_code(before, after)? {
            return same_samples(before, after);
        }
        let treatment = treatment(before, after, None, limits)?;
        let exact = before.format() == after.format() && before.frames() == after.frames();
        let exact = exact
            && matches!(treatment, Treatment::Gain { gain: Decibels(0.0), residual, .. } if residual.peak == Decibels::SILENCE);
        return Ok(if exact { AudioChange::Reencoded } else { AudioChange::Processed { treatment } });
    }
    let Common { runs, heard, heard_of } = common(before, after, limits)?;
    let total: u64 = runs.iter().map(|run| run.frames).sum();
    let longest = before.frames().max(after.frames());
    if total == longest && runs.len() <= 1 {
        return same_samples(before, after);
    }
    // Silence is the same everywhere: it is no sign that anything was left as it was.
    if heard * 10 < heard_of {
        return Ok(AudioChange::Processed { treatment: treatment(before, after, None, limits)? });
    }
    let edits = edits(&runs, before, after, limits)?;
    Ok(match shift(&edits, before, after)? {
        Some(frames) => AudioChange::Shifted { frames },
        None => AudioChange::Edited { edits },
    })
}

/// By how much the recording is later or earlier, if that is all: as much is gone at one end as came at the other, where
/// silence may be before the one and behind the other.
fn shift(edits: &[Edit], before: &Pcm<'_>, after: &Pcm<'_>) -> io::Result<Option<i64>> {
    let [first, second] = edits else { return Ok(None) };
    let (came, gone) = match (first.kind, second.kind) {
        (EditKind::Inserted, EditKind::Removed) => (first, second),
        (EditKind::Removed, EditKind::Inserted) => (second, first),
        _ => return Ok(None),
    };
    let (later, frames) = (first.kind == EditKind::Inserted, came.after.end - came.after.start);
    if frames != gone.before.end - gone.before.start {
        return Ok(None);
    }
    let quiet =
        before.is_still(0..first.before.start)? && after.is_still(second.after.end..after.frames())?;
    let frames = i64::try_from(frames).unwrap_or(i64::MAX);
    Ok(quiet.then_some(if later { frames } else { -frames }))
}

/// What is between the runs.
fn edits(runs: &[Run], before: &Pcm<'_>, after: &Pcm<'_>, limits: &Limits) -> io::Result<Vec<Edit>> {
    let end = Run { before: before.frames(), after: after.frames(), frames: 0 };
    let (mut at, mut edits) = ((0, 0), Vec::new());
    for run in runs.iter().chain([&end]) {
        let (old, new) = (at.0..run.before, at.1..run.after);
        let kind = match (old.end - old.start, new.end - new.start) {
            (0, 0) => None,
            (0, _) => Some(EditKind::Inserted),
            (_, 0) => Some(EditKind::Removed),
            (a, b) if a == b => {
                let span = Span { before: old.start, after: new.start, frames: a };
                Some(EditKind::Overwritten { treatment: treatment(before, after, Some(span), limits)? })
            }
            _ => Some(EditKind::Replaced),
        };
        edits.extend(kind.map(|kind| Edit { kind, before: old, after: new }));
        at = (run.before + run.frames, run.after + run.frames);
    }
    Ok(edits)
}

/// What differs where no sample does.
fn same_samples(before: &Pcm<'_>, after: &Pcm<'_>) -> io::Result<AudioChange> {
    let (old, new) = (before.file(), after.file());
    if old.len() == new.len() && same_bytes(old, new, [0, 0], old.len())? {
        return Ok(AudioChange::Identical);
    }
    Ok(if same_code(before, after)? { AudioChange::HeaderOnly } else { AudioChange::Reencoded })
}

/// Whether the samples are the same before anything is decoded: as far as is known where they lie.
fn same_code(before: &Pcm<'_>, after: &Pcm<'_>) -> io::Result<bool> {
    let (Some(a), Some(b)) = (before.coded(), after.coded()) else {
        return same_bytes(before.file(), after.file(), [0, 0], before.file().len().max(after.file().len()));
    };
    let len = a.end - a.start;
    let alike =
        before.codec() == after.codec() && before.format() == after.format() && len == b.end - b.start;
    Ok(alike && same_bytes(before.file(), after.file(), [a.start, b.start], len)?)
}

fn same_bytes(a: &dyn ReadAt, b: &dyn ReadAt, starts: [u64; 2], len: u64) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut at = 0;
    while at < len {
        let count = usize::try_from(len - at).unwrap_or(left.len()).min(left.len());
        let n = read_full(a, &mut left[..count], starts[0] + at)?;
        let m = read_full(b, &mut right[..count], starts[1] + at)?;
        if n != m || left[..n] != right[..m] {
            return Ok(false);
        }
        if n == 0 {
            break;
        }
        at += n as u64;
    }
    Ok(true)
}

fn resampled(before: &Pcm<'_>, after: &Pcm<'_>, limits: &Limits) -> io::Result<AudioChange> {
    // A resampler may add or lose the length of its filter.
    if (before.seconds() - after.seconds()).abs() <= 0.05 {
        return Ok(AudioChange::Resampled);
    }
    Ok(AudioChange::Processed { treatment: treatment(before, after, None, limits)? })
}

/// As many frames from these positions on.
#[derive(Debug, Clone, Copy)]
struct Span {
    before: u64,
    after: u64,
    frames: u64,
}

/// What was done to a span, or to all of it.
fn treatment(
    before: &Pcm<'_>,
    after: &Pcm<'_>,
    span: Option<Span>,
    limits: &Limits,
) -> io::Result<Treatment> {
    let frames = before.frames().min(after.frames());
    let short = span.is_some_and(|span| span.frames < TOLD);
    let span = span.unwrap_or(Span { before: 0, after: 0, frames });
    if before.format().channels() != after.format().channels() || span.frames == 0 {
        return Ok(Treatment::Unrelated { residual: Residual::NONE });
    }
    let sums = Sums::over(before, after, span, 1.0, limits)?;
    let heard = || -> io::Result<Residual> {
        let loudness = residual_loudness(before, after, span, limits)?;
        Ok(Residual { loudness, ..sums.residual() })
    };
    if short {
        return Ok(Treatment::Unrelated { residual: heard()? });
    }
    if sums.swapped && sums.stereo {
        return Ok(Treatment::ChannelsSwapped { residual: heard()? });
    }
    let all = sums.windows.iter().fold(Relation::default(), Relation::add);
    let left = Decibels::of_power(all.rest() / sums.samples);
    // Two files of silence, or silence made of something, are no gain.
    if left.0 <= NULL && all.aa > 0.0 && Decibels::of_power(all.bb / sums.samples).0 > NULL {
        let factor = all.factor();
        // What is left is below what counts as loud at all, so it has no loudness.
        if before.format() != after.format() && (factor - 1.0).abs() < 1e-3 {
            return Ok(Treatment::Converted { residual: sums.residual() });
        }
        let residual = Sums::over(before, after, span, factor, limits)?.residual();
        return Ok(Treatment::Gain {
            gain: Decibels::of_amplitude(factor),
            inverted: factor < 0.0,
            residual,
        });
    }
    if let Some(gains) = fade(&sums.windows) {
        return Ok(Treatment::Fade { gains, residual: heard()? });
    }
    let residual = heard()?;
    let correlation =
        if all.aa > 0.0 && all.bb > 0.0 { (all.ab / (all.aa * all.bb).sqrt()).abs() } else { 0.0 };
    Ok(if correlation >= ALIKE {
        Treatment::Rerendered { residual, correlation }
    } else {
        Treatment::Unrelated { residual }
    })
}

/// The integrated loudness of what is left when a span of the first is subtracted from that of the second.
fn residual_loudness(
    before: &Pcm<'_>,
    after: &Pcm<'_>,
    span: Span,
    limits: &Limits,
) -> io::Result<Option<f64>> {
    let sequential = before.is_sequential() || after.is_sequential();
    let stride = before.stride().min(after.stride());
    let meter = Metering {
        frames: span.frames,
        stride,
        sequential,
        channels: after.format().channels(),
        rate: after.format().rate(),
    };
    meter.integrated(limits, |at, count, a, b| {
        before.read(span.before + at, count, a)?;
        after.read(span.after + at, count, b)?;
        for (was, is) in a.planes.iter().zip(&mut b.planes) {
            is.truncate(was.len());
            is.iter_mut().zip(was).for_each(|(is, was)| *is -= was);
        }
        Ok(())
    })
}

/// The factors at the beginning and at the end, if a factor that only rises or only falls explains the span.
#[expect(clippy::cast_precision_loss, reason = "the length of a window is exact")]
fn fade(windows: &[Relation]) -> Option<[Decibels; 2]> {
    let heard: Vec<&Relation> = windows.iter().filter(|window| window.aa > 1e-6 * WINDOW as f64).collect();
    let (first, last) = (heard.first()?, heard.last()?);
    if heard.len() < 4 {
        return None;
    }
    // Within a window the factor goes on changing: that much may be left, and what rounding leaves. What was played anew
    // at another level leaves more.
    let factors: Vec<f64> = heard.iter().map(|window| window.factor()).collect();
    let steps: Vec<f64> = factors.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let step_at = |number: usize| {
        let around = [number.checked_sub(1), Some(number)].into_iter().flatten();
        around.filter_map(|number| steps.get(number)).fold(0.0, |most: f64, step| most.max(step.abs()))
    };
    let rest: f64 = heard.iter().map(|window| window.rest()).sum();
    let explained: f64 =
        heard.iter().enumerate().map(|(number, window)| window.aa * step_at(number).powi(2)).sum();
    let rounding = ROUNDING * (heard.len() * WINDOW) as f64;
    if rest > explained + rounding {
        return None;
    }
    let (begin, end) = (first.factor(), last.factor());
    let range = (begin - end).abs();
    // A fade moves all the time, if not evenly. Notes that were played louder or softer jump.
    #[expect(clippy::cast_precision_loss, reason = "windows are few")]
    let largest = range * FADE_STEPS / steps.len() as f64;
    let jumps = steps.iter().any(|step| step.abs() > largest);
    let against = steps.iter().filter(|&&step| step * (end - begin) < 0.0 && step.abs() > 0.02 * range);
    let steady = against.count() * 50 <= heard.len();
    (range > 0.02 && begin >= 0.0 && end >= 0.0 && steady && !jumps)
        .then(|| [Decibels::of_amplitude(begin), Decibels::of_amplitude(end)])
}

/// How the samples of a window relate: sums of products over all its channels.
#[derive(Debug, Clone, Copy, Default)]
struct Relation {
    aa: f64,
    bb: f64,
    ab: f64,
}

impl Relation {
    fn add(self, other: &Self) -> Self {
        Self { aa: self.aa + other.aa, bb: self.bb + other.bb, ab: self.ab + other.ab }
    }

    /// The factor by which the first comes closest to the second.
    fn factor(&self) -> f64 {
        if self.aa > 0.0 { self.ab / self.aa } else { 1.0 }
    }

    /// The energy that this factor leaves.
    fn rest(&self) -> f64 {
        if self.aa > 0.0 { (self.bb - self.ab * self.ab / self.aa).max(0.0) } else { self.bb }
    }
}

/// What one pass over both recordings tells.
#[derive(Debug)]
struct Sums {
    windows: Vec<Relation>,
    /// Whether the first two channels are exchanged, exactly, and whether that makes a difference.
    swapped: bool,
    stereo: bool,
    /// The highest sample of the difference, and its energy.
    peak: f64,
    energy: f64,
    samples: f64,
}

impl Sums {
    /// Compares `after` with `factor` times `before`.
    fn over(before: &Pcm<'_>, after: &Pcm<'_>, span: Span, factor: f64, limits: &Limits) -> io::Result<Self> {
        let together = WINDOW * (WINDOWS / before.format().channels()).max(1);
        let window = if span.frames > LONG { together } else { WINDOW };
        let step = together as u64;
        let parts: Vec<Self> = (0..usize::try_from(span.frames.div_ceil(step)).unwrap_or(usize::MAX))
            .into_par_iter()
            .with_min_len(before.together().max(after.together()))
            .map_init(<(Block, Block)>::default, |(a, b), number| {
                limits.check()?;
                let start = number as u64 * step;
                let count = usize::try_from((span.frames - start).min(step)).unwrap_or(together);
                before.read(span.before + start, count, a)?;
                after.read(span.after + start, count, b)?;
                Ok(Self::of(&a.planes, &b.planes, factor, window))
            })
            .collect::<io::Result<_>>()?;
        let swapped = !parts.is_empty();
        let none = Self { windows: Vec::new(), swapped, stereo: false, peak: 0.0, energy: 0.0, samples: 0.0 };
        Ok(parts.into_iter().fold(none, |mut all, part| {
            all.windows.extend(part.windows);
            all.swapped &= part.swapped;
            all.stereo |= part.stereo;
            all.peak = all.peak.max(part.peak);
            all.energy += part.energy;
            all.samples += part.samples;
            all
        }))
    }

    #[expect(clippy::cast_precision_loss, reason = "the samples of one part are few")]
    fn of(a: &[Vec<f32>], b: &[Vec<f32>], factor: f64, window: usize) -> Self {
        let frames = a.iter().chain(b).map(Vec::len).min().unwrap_or(0);
        let mut sums = Self {
            windows: vec![Relation::default(); frames.div_ceil(window)],
            swapped: a.len() > 1
                && a.first() == b.get(1)
                && a.get(1) == b.first()
                && a.get(2..) == b.get(2..),
            stereo: a.first() != a.get(1),
            peak: 0.0,
            energy: 0.0,
            samples: (frames * a.len()) as f64,
        };
        for (a, b) in a.iter().zip(b) {
            let windows = a.chunks(window).zip(b.chunks(window));
            for (relation, (a, b)) in sums.windows.iter_mut().zip(windows) {
                for (&a, &b) in a.iter().zip(b) {
                    let (a, b) = (f64::from(a), f64::from(b));
                    relation.aa += a * a;
                    relation.bb += b * b;
                    relation.ab += a * b;
                    let rest = b - factor * a;
                    sums.peak = sums.peak.max(rest.abs());
                    sums.energy += rest * rest;
                }
            }
        }
        sums
    }

    fn residual(&self) -> Residual {
        Residual {
            peak: Decibels::of_amplitude(self.peak),
            power: Decibels::of_power(self.energy / self.samples.max(1.0)),
            loudness: None,
        }
    }
}
