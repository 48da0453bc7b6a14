//! Frames to samples (RFC 9639, 9), from bytes that may be anything.
//!
//! The caller says what there must be, so nothing in the bytes sizes memory: planes are as long as the samples
//! asked for, and residuals are read where the samples will be. Every loop ends with the samples of the frame or the
//! bytes. Taken is what RFC 9639 permits for the format asked for; not taken, though valid: the difference of channels
//! of 31 or 32 bits.
//!
//! A frame that passes both checksums must also be the next one, of the expected format, within the bits it claims, and
//! padded with zeros. Two frames in the wrong order are an error.

use super::bitreader::BitReader;
use super::crc::crc16;
pub(super) use super::error::DecodeError;
use super::error::DecodeErrorKind;
use super::header::{self, Assignment};
use super::{Fit, Format, dispatch, fixed, predict};

/// Decodes frames.
#[derive(Debug, Default)]
pub struct Decoder {
    _private: (),
}

impl Decoder {
    /// A decoder. It keeps nothing from one call to the next.
    pub const fn new() -> Self {
        Self { _private: () }
    }

    /// Fills `planes`, one per channel, with exactly `frames` samples each from exactly `bytes`.
    ///
    /// The planes are resized; no other memory is reserved. The time is bounded by `bytes` and `frames`.
    ///
    /// # Errors
    ///
    /// The bytes are not frames of just these samples. The planes are then empty.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        format: &Format,
        frames: usize,
        planes: &mut [Vec<i32>],
    ) -> Result<(), DecodeError> {
        let decoded = decode_all(bytes, format, frames, planes);
        if decoded.is_err() {
            planes.iter_mut().for_each(Vec::clear);
        }
        decoded
    }
}

fn decode_all(
    bytes: &[u8],
    format: &Format,
    frames: usize,
    planes: &mut [Vec<i32>],
) -> Result<(), DecodeError> {
    if !format.is_valid() {
        return Err(DecodeErrorKind::Format.at(0));
    }
    if planes.len() != format.channels as usize {
        return Err(DecodeErrorKind::Planes.at(0));
    }
    // A frame has at least ten bytes, and at most 65,536 samples.
    if frames.div_ceil(1 << 16) > bytes.len() / 10 {
        return Err(DecodeErrorKind::Truncated.at(bytes.len()));
    }
    for plane in &mut *planes {
        plane.resize(frames, 0);
    }
    let (left, right) = match planes {
        [left] => (left.as_mut_slice(), Default::default()),
        [left, right] => (left.as_mut_slice(), right.as_mut_slice()),
        _ => return Err(DecodeErrorKind::Planes.at(0)),
    };
    let mut frame = Frame { bytes, format, start: 0, number: 0, position: 0, left, right };
    while frame.position < frames {
        dispatch::decode_frame(&mut frame)?;
    }
    if frame.start < bytes.len() { Err(DecodeErrorKind::Trailing.at(frame.start)) } else { Ok(()) }
}

/// The frame in hand, and where it is.
pub(super) struct Frame<'a, 'p> {
    bytes: &'a [u8],
    format: &'a Format,
    /// Its first byte.
    start: usize,
    number: u64,
    /// Its first sample.
    position: usize,
    /// All samples of the first channel.
    left: &'p mut [i32],
    /// Of the second; empty, if there is none.
    right: &'p mut [i32],
}

impl Frame<'_, '_> {
    /// Decodes it and goes on to the next.
    #[inline(always)]
    pub(super) fn decode(&mut self) -> Result<(), DecodeError> {
        let (bytes, format) = (self.bytes, self.format);
        let mut reader = BitReader::new(bytes, self.start);
        let header = header::read(&mut reader, bytes, format, self.number, self.position as u64)?;
        let end = self.position + header.samples;
        let Some(left) = self.left.get_mut(self.position..end) else {
            return Err(DecodeErrorKind::Mismatch("the number of samples").at(self.start));
        };
        // Empty without a second channel.
        let right = self.right.get_mut(self.position..end).unwrap_or_default();
        let bits = |subframe| format.bits + u32::from(header.assignment.is_side(subframe));
        read_subframe(&mut reader, bits(0), left)?;
        if format.channels == 2 {
            read_subframe(&mut reader, bits(1), right)?;
            if !join(header.assignment, format.bits, left, right) {
                return Err(reader.fault(DecodeErrorKind::Range));
            }
        }
        let unused = reader.skip_to_byte();
        let crc_at = reader.offset();
        let crc = reader.read(16);
        reader.check()?;
        if u32::from(bytes.get(self.start..crc_at).map(crc16).unwrap_or_default()) != crc {
            return Err(DecodeErrorKind::FrameChecksum.at(crc_at));
        }
        if unused != 0 {
            return Err(DecodeErrorKind::Forbidden("padding").at(crc_at));
        }
        self.start = reader.offset();
        self.position = end;
        self.number += 1;
        Ok(())
    }
}

/// Reads a subframe of samples of `bits` bits (9.2).
#[inline(always)]
fn read_subframe(reader: &mut BitReader<'_>, bits: u32, samples: &mut [i32]) -> Result<(), DecodeError> {
    let kind = reader.read(7);
    let wasted = if reader.read(1) == 0 { 0 } else { reader.read_unary()? + 1 };
    let Some(bits) =
        u32::try_from(wasted).ok().and_then(|wasted| bits.checked_sub(wasted)).filter(|bits| *bits > 0)
    else {
        return Err(reader.fault(DecodeErrorKind::Forbidden("wasted bits")));
    };
    match kind {
        0 => {
            let value = reader.read_signed(bits);
            samples.fill(value);
        }
        1 => {
            for sample in &mut *samples {
                *sample = reader.read_signed(bits);
            }
        }
        8..=12 => {
            let order = kind as usize - 8;
            let mut fit = Fit::default();
            read_warm_up(reader, bits, order, samples)?;
            read_residual(reader, order, samples)?;
            fixed::restore(samples, order, &mut fit);
            check_fit(reader, &fit, bits)?;
        }
        32..=63 => {
            let order = kind as usize - 31;
            let mut fit = Fit::default();
            read_warm_up(reader, bits, order, samples)?;
            let precision = reader.read(4) + 1;
            let shift = reader.read_signed(5);
            let Some(shift) = u32::try_from(shift).ok().filter(|_| precision < 16) else {
                return Err(reader.fault(DecodeErrorKind::Forbidden("precision or shift of a predictor")));
            };
            let mut coefficients = [0; predict::MAX_ORDER];
            for coefficient in coefficients.iter_mut().take(order) {
                *coefficient = reader.read_signed(precision);
            }
            read_residual(reader, order, samples)?;
            predict::restore(samples, order, shift, &coefficients, &mut fit);
            check_fit(reader, &fit, bits)?;
        }
        _ => return Err(reader.fault(DecodeErrorKind::Forbidden("subframe type"))),
    }
    reader.check()?;
    if wasted > 0 {
        for sample in samples {
            *sample <<= wasted;
        }
    }
    Ok(())
}

fn check_fit(reader: &BitReader<'_>, fit: &Fit, bits: u32) -> Result<(), DecodeError> {
    if fit.is_within(bits) { Ok(()) } else { Err(reader.fault(DecodeErrorKind::Range)) }
}

#[inline(always)]
fn read_warm_up(
    reader: &mut BitReader<'_>,
    bits: u32,
    order: usize,
    samples: &mut [i32],
) -> Result<(), DecodeError> {
    let Some(warm_up) = samples.get_mut(..order) else {
        return Err(reader.fault(DecodeErrorKind::Forbidden("a predictor longer than the block")));
    };
    for sample in warm_up {
        *sample = reader.read_signed(bits);
    }
    Ok(())
}

/// Reads the residuals behind the `order` first samples (9.2.7).
#[inline(always)]
fn read_residual(reader: &mut BitReader<'_>, order: usize, samples: &mut [i32]) -> Result<(), DecodeError> {
    let (parameter_bits, escape) = match reader.read(2) {
        0 => (4, 15),
        1 => (5, 31),
        _ => return Err(reader.fault(DecodeErrorKind::Forbidden("residual coding"))),
    };
    let partition_order = reader.read(4);
    let len = samples.len() >> partition_order;
    if !samples.len().is_multiple_of(1 << partition_order) || len < order || len == 0 {
        return Err(reader.fault(DecodeErrorKind::Forbidden("partition order")));
    }
    let mut rest = &mut samples[order..];
    let mut count = len - order;
    for _ in 0..1_u32 << partition_order {
        let Some((partition, after)) = std::mem::take(&mut rest).split_at_mut_checked(count) else { break };
        let parameter = reader.read(parameter_bits);
        if parameter == escape {
            let size = reader.read(5);
            for residual in partition {
                *residual = reader.read_signed(size);
            }
        } else {
            reader.rice(partition, parameter)?;
        }
        reader.check()?;
        rest = after;
        count = len;
    }
    Ok(())
}

/// Makes channels of what the subframes hold (4.2). False if a sample does not fit `bits`.
///
/// With differences, these are at most [`header::MAX_DECORRELATED`], so that nothing overflows.
#[inline(always)]
fn join(assignment: Assignment, bits: u32, first: &mut [i32], second: &mut [i32]) -> bool {
    let mut seen = 0;
    let mut see = |left: i32, right: i32| seen |= (left ^ left >> 31) | (right ^ right >> 31);
    let pairs = first.iter_mut().zip(second);
    match assignment {
        Assignment::Independent => return true,
        Assignment::LeftSide => pairs.for_each(|(left, side)| {
            *side = *left - *side;
            see(*left, *side);
        }),
        Assignment::SideRight => pairs.for_each(|(side, right)| {
            *side += *right;
            see(*side, *right);
        }),
        Assignment::MidSide => pairs.for_each(|(mid, side)| {
            // The sum has the parity of the difference.
            let sum = *mid << 1 | *side & 1;
            (*mid, *side) = ((sum + *side) >> 1, (sum - *side) >> 1);
            see(*mid, *side);
        }),
    }
    seen >> (bits - 1) == 0
}
