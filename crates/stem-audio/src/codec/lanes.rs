//! Planes of integers as FLAC frames, two channels at a time.

use super::frames;
use super::layout::{MAX_SHIFT, ROW_LEN, Row, WIDTHS};
use super::{CodecLevel, DecodeError, Scratch};
use crate::format::SampleFormat;

/// Channels of a lane: FLAC gains from what two channels share, and only looks for it between two.
const LANE: usize = 2;

/// How many lanes a format has.
pub(super) fn count(format: &SampleFormat) -> usize {
    format.channels().div_ceil(LANE)
}

/// Appends the rows and frames of `scratch.planes`. `None` where FLAC cannot code them. The planes may be shifted afterwards.
pub(super) fn encode(
    format: &SampleFormat,
    level: CodecLevel,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut row_at = out.len();
    out.resize(row_at + count(format) * ROW_LEN, 0);
    for lane in scratch.planes.chunks_mut(LANE) {
        let (shift, width) = narrow(lane);
        let start = out.len();
        frames::encode(lane, width, format.rate(), level, &mut scratch.encoders, out)?;
        let row = Row { frames_len: out.len() - start, shift, width }.to_bytes()?;
        out.get_mut(row_at..row_at + ROW_LEN)?.copy_from_slice(&row);
        row_at += ROW_LEN;
    }
    Some(())
}

/// Shifts the lane's samples right by as many bits as are zero in all of them; the shift, and the width of what is left.
fn narrow(lane: &mut [Vec<i32>]) -> (u8, u8) {
    let mut used = 0_u32;
    let mut extent = 0_u32;
    for plane in lane.iter() {
        let (bits, reach) =
            plane.iter().fold((0, 0), |(bits, reach), &value| (bits | value, reach | (value ^ value >> 31)));
        used |= bits.cast_unsigned();
        extent |= reach.cast_unsigned();
    }
    let shift = if used == 0 { 0 } else { used.trailing_zeros().min(u32::from(MAX_SHIFT)) };
    if shift > 0 {
        for value in lane.iter_mut().flatten() {
            *value >>= shift;
        }
    }
    // One bit for the sign; shifting takes the same from both ends.
    let width = (u32::BITS - extent.leading_zeros() + 1).saturating_sub(shift);
    let width = width.clamp(u32::from(*WIDTHS.start()), u32::from(*WIDTHS.end()));
    // Both are at most 32.
    (shift.to_le_bytes()[0], width.to_le_bytes()[0])
}

/// Decodes rows and frames into `scratch.planes`, and gives what follows them.
pub(super) fn decode<'a>(
    payload: &'a [u8],
    format: &SampleFormat,
    frames: usize,
    scratch: &mut Scratch,
) -> Result<&'a [u8], DecodeError> {
    let (rows, mut rest) = payload.split_at_checked(count(format) * ROW_LEN).ok_or(DecodeError::Truncated)?;
    let (rows, _) = rows.as_chunks::<ROW_LEN>();
    scratch.planes.resize_with(format.channels(), Vec::new);
    for (lane, row) in scratch.planes.chunks_mut(LANE).zip(rows) {
        let row = Row::from_bytes(row)?;
        let (coded, after) = rest.split_at_checked(row.frames_len).ok_or(DecodeError::Truncated)?;
        rest = after;
        frames::decode(coded, row.width, format.rate(), frames, &mut scratch.decoder, lane)?;
        if row.shift > 0 {
            for value in lane.iter_mut().flatten() {
                *value <<= row.shift;
            }
        }
    }
    Ok(rest)
}
