//! What is drawn and played: peaks of a recording, what is left of two, and short clips.

use std::io;
use std::ops::Range;

use rayon::prelude::*;

use crate::audio::pcm::Block;
use crate::audio::{AudioChange, AudioDifference, Opened, Pcm, damage_in, open};
use crate::limits::Limits;
use crate::source::ReadAt;

/// The most columns of a waveform; more are not drawn by anybody.
pub const MAX_COLUMNS: usize = 1 << 16;

/// A span of a recording as a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// A WAV file of 16 bits with one or two channels.
    pub wav: Vec<u8>,
    /// What it holds, in frames of the recording.
    pub frames: Range<u64>,
    /// Frames per second.
    pub rate: u32,
    /// Whether the span was longer than there was room for.
    pub cut: bool,
}

/// The lowest and the highest sample of each of `columns` equal parts of a span, all channels together, in [-1, 1];
/// `None` where there is no recording. Where there are fewer frames than columns, there are as many columns as frames.
///
/// # Errors
///
/// Those of the medium; the question was cancelled.
pub fn waveform(
    source: &dyn ReadAt,
    frames: Range<u64>,
    columns: usize,
    limits: &Limits,
) -> io::Result<Option<Vec<[f32; 2]>>> {
    let Opened::Audio(pcm) = open(source, limits)? else { return Ok(None) };
    let frames = frames.start.min(pcm.frames())..frames.end.min(pcm.frames());
    drawn(frames, columns, limits, (pcm.stride(), pcm.together()), |at, count, blocks, look| {
        pcm.read(at, count, &mut blocks[0])?;
        for plane in &blocks[0].planes {
            plane.iter().enumerate().for_each(|(number, &value)| look(number, value));
        }
        Ok(())
    })
    .or_else(|error| damage_in(&error).map(|_| None).ok_or(error))
}

/// The same of what is left when the first version is subtracted from the second, over `frames` of the second. What was
/// inserted is left whole; what was moved is subtracted from where it was.
///
/// # Errors
///
/// Those of the medium; the question was cancelled.
pub fn residual_waveform(
    before: &dyn ReadAt,
    after: &dyn ReadAt,
    difference: &AudioDifference,
    frames: Range<u64>,
    columns: usize,
    limits: &Limits,
) -> io::Result<Option<Vec<[f32; 2]>>> {
    let (Opened::Audio(old), Opened::Audio(new)) = (open(before, limits)?, open(after, limits)?) else {
        return Ok(None);
    };
    let frames = frames.start.min(new.frames())..frames.end.min(new.frames());
    let work = (old.stride().min(new.stride()), old.together().max(new.together()));
    drawn(frames, columns, limits, work, |at, count, blocks, look| {
        let [first, second] = blocks;
        new.read(at, count, second)?;
        let count = second.planes.first().map_or(0, Vec::len);
        for (range, from) in counterparts(difference, at..at + count as u64) {
            let (start, end) = (offset(range.start - at), offset(range.end - at));
            match from {
                Some(from) => old.read(from, end - start, first)?,
                None => first.planes.iter_mut().for_each(Vec::clear),
            }
            for (channel, plane) in second.planes.iter().enumerate() {
                let was = first.planes.get(channel).map_or(&[][..], Vec::as_slice);
                for (number, &value) in plane.get(start..end).unwrap_or_default().iter().enumerate() {
                    look(start + number, value - was.get(number).copied().unwrap_or(0.0));
                }
            }
        }
        Ok(())
    })
    .or_else(|error| damage_in(&error).map(|_| None).ok_or(error))
}

fn offset(frames: u64) -> usize {
    usize::try_from(frames).unwrap_or(usize::MAX)
}

/// Parts of a range of the second version, and where each begins in the first, if it is there.
fn counterparts(difference: &AudioDifference, range: Range<u64>) -> Vec<(Range<u64>, Option<u64>)> {
    let (mut parts, mut at, mut behind) = (Vec::new(), range.start, (0_u64, 0_u64));
    let edits: &[_] = if let AudioChange::Edited { edits } = &difference.change { edits } else { &[] };
    if let AudioChange::Shifted { frames } = difference.change {
        let begin = u64::try_from(frames).unwrap_or(0).clamp(range.start, range.end);
        parts.extend((range.start < begin).then_some((range.start..begin, None)));
        parts.extend((begin < range.end).then(|| (begin..range.end, begin.checked_add_signed(-frames))));
        return parts;
    }
    for edit in edits {
        // What lies between the edit before and this one is the same in both.
        let end = edit.after.start.min(range.end);
        if at < end {
            parts.push((at..end, (behind.0 + at).checked_sub(behind.1)));
            at = end;
        }
        let end = edit.after.end.min(range.end);
        if at < end {
            let same = edit.before.end - edit.before.start == edit.after.end - edit.after.start;
            parts.push((at..end, same.then(|| edit.before.start + (at - edit.after.start))));
            at = end;
        }
        behind = (edit.before.end, edit.after.end);
    }
    if at < range.end {
        parts.push((at..range.end, (behind.0 + at).checked_sub(behind.1)));
    }
    parts
}

/// Cuts a span into columns and has them looked at in parallel.
fn drawn(
    frames: Range<u64>,
    columns: usize,
    limits: &Limits,
    (stride, groups): (usize, usize),
    read: impl Fn(u64, usize, &mut [Block; 2], &mut dyn FnMut(usize, f32)) -> io::Result<()> + Sync,
) -> io::Result<Option<Vec<[f32; 2]>>> {
    let count = frames.end.saturating_sub(frames.start);
    let columns = (columns.min(MAX_COLUMNS) as u64).min(count);
    if columns == 0 {
        return Ok(Some(Vec::new()));
    }
    // Where a column begins; the last ends at the end.
    let edge = |column: u64| {
        let offset = u128::from(count) * u128::from(column) / u128::from(columns);
        frames.start + u64::try_from(offset).unwrap_or(count)
    };
    // Columns are looked at together, as many as make a piece that is worth a read.
    let together = (stride as u64 * columns).div_ceil(count).clamp(1, columns);
    let drawn: Vec<Vec<[f32; 2]>> = (0..offset(columns.div_ceil(together)))
        .into_par_iter()
        .with_min_len(groups)
        .map_init(<[Block; 2]>::default, |blocks, group| {
            let group = group as u64 * together;
            let group = group..(group + together).min(columns);
            let mut found = vec![[f32::INFINITY, f32::NEG_INFINITY]; offset(group.end - group.start)];
            let edges: Vec<u64> = (group.start..=group.end).map(edge).collect();
            let (mut at, end) = (edge(group.start), edge(group.end));
            while at < end {
                limits.check()?;
                let count = offset(end - at).min(stride);
                let mut column = 0;
                read(at, count, blocks, &mut |number, value| {
                    let frame = at + number as u64;
                    // Frames come in order, channel after channel.
                    if edges.get(column).is_some_and(|&begin| frame < begin) {
                        column = 0;
                    }
                    while edges.get(column + 1).is_some_and(|&next| next <= frame) {
                        column += 1;
                    }
                    if let Some([low, high]) = found.get_mut(column) {
                        *low = low.min(value);
                        *high = high.max(value);
                    }
                })?;
                at += count as u64;
            }
            let shown = |[low, high]: [f32; 2]| {
                if low > high { [0.0; 2] } else { [low.clamp(-1.0, 1.0), high.clamp(-1.0, 1.0)] }
            };
            Ok(found.into_iter().map(shown).collect())
        })
        .collect::<io::Result<_>>()?;
    Ok(Some(drawn.into_iter().flatten().collect()))
}

/// A span as a WAV file of 16 bits that is at most `most` bytes long; `None` where there is no recording. Of more than two
/// channels the first two are taken.
///
/// # Errors
///
/// Those of the medium; the question was cancelled.
pub fn clip(
    source: &dyn ReadAt,
    frames: Range<u64>,
    most: usize,
    limits: &Limits,
) -> io::Result<Option<Clip>> {
    let Opened::Audio(pcm) = open(source, limits)? else { return Ok(None) };
    match clipped(&pcm, frames, most, limits) {
        Ok(clip) => Ok(Some(clip)),
        Err(error) => damage_in(&error).map(|_| None).ok_or(error),
    }
}

const HEAD: usize = 44;

fn clipped(pcm: &Pcm<'_>, frames: Range<u64>, most: usize, limits: &Limits) -> io::Result<Clip> {
    let channels = pcm.format().channels().min(2);
    let start = frames.start.min(pcm.frames());
    let wanted = frames.end.min(pcm.frames()).saturating_sub(start);
    // The sizes in the header have 32 bits.
    let room = most.min(i32::MAX as usize).saturating_sub(HEAD) / (2 * channels);
    let count = wanted.min(room as u64);
    let mut wav = head(count, channels, pcm.format().rate());
    let (mut block, mut at, end) = (Block::default(), start, start + count);
    while at < end {
        limits.check()?;
        let count = offset(end - at).min(pcm.stride());
        pcm.read(at, count, &mut block)?;
        let read = block.planes.first().map_or(0, Vec::len);
        for frame in 0..count {
            for plane in &block.planes[..channels.min(block.planes.len())] {
                let value = plane.get(frame).copied().unwrap_or(0.0);
                #[expect(clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
                let sample = (value * 32_768.0).round() as i16;
                wav.extend_from_slice(&sample.to_le_bytes());
            }
        }
        debug_assert!(read <= count, "no more than was asked for");
        at += count as u64;
    }
    Ok(Clip { wav, frames: start..end, rate: pcm.format().rate(), cut: count < wanted })
}

/// The header of a WAV file of 16-bit samples.
fn head(frames: u64, channels: usize, rate: u32) -> Vec<u8> {
    let frame = u32::try_from(2 * channels).unwrap_or(4);
    let data = u32::try_from(frames).unwrap_or(u32::MAX).saturating_mul(frame);
    let mut head = Vec::with_capacity(HEAD + data as usize);
    head.extend_from_slice(b"RIFF");
    head.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    head.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0");
    head.extend_from_slice(&u16::try_from(channels).unwrap_or(2).to_le_bytes());
    head.extend_from_slice(&rate.to_le_bytes());
    head.extend_from_slice(&rate.saturating_mul(frame).to_le_bytes());
    head.extend_from_slice(&u16::try_from(frame).unwrap_or(4).to_le_bytes());
    head.extend_from_slice(&[16, 0]);
    head.extend_from_slice(b"data");
    head.extend_from_slice(&data.to_le_bytes());
    head
}
