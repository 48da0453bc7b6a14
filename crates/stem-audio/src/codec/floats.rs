//! Floats as integers that FLAC can code, and what is missing then.
//!
//! *Exact*: the floats of a recording are its integers divided by a power of two, so multiplying gives the integers back;
//! values beyond full scale need no care, there is room for eight bits more. *Split*: in what a mix produced every
//! float has 24 significant bits. At the scale of the loudest sample these are an integer and a fraction; FLAC codes the
//! integer, and the fraction is noise that nothing makes smaller. That takes a tenth to a quarter less than byte
//! planes, and a tenth less than `pco`.

use super::bits::{BitReader, BitWriter};
use super::exceptions::{self, Exceptions};
use super::layout::{self, FloatMapping, MAPPING_LEN};
use super::{CodecLevel, DecodeError, SampleCodec, Scratch, lanes, planes};
use crate::format::SampleFormat;
use crate::pcm;

/// The scale of 24-bit full scale, which is nearly always the one.
const USUAL_SCALE: i16 = 23;

/// Samples that are looked at before it is decided whether to go on.
const BLOCK: usize = 4096;

/// Bits of the significand, the leading one included.
const SIGNIFICAND: u32 = 24;

/// The exponent, as the float has it, of a number whose lowest significand bit is worth one.
const UNIT_EXPONENT: u32 = 150;

/// If more than this share of the bytes is left, byte planes are tried as well.
const POOR: (usize, usize) = (9, 10);

/// How a chunk is mapped.
#[derive(Clone, Copy)]
enum Mapping {
    Exact { scale: i16 },
    Split { scale: i16, low_bits: u32 },
}

/// Appends the payload of a chunk of floats in the smallest way. `None` where there is none; what was appended is then for the
/// caller to remove.
pub(super) fn encode(
    raw: &[u8],
    format: &SampleFormat,
    level: CodecLevel,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Option<SampleCodec> {
    let start = out.len();
    pcm::unpack(raw, format, &mut scratch.planes);
    let mapped = encode_mapped(format, level, scratch, out).map(|()| SampleCodec::Floats);
    if mapped.is_some() && (out.len() - start) * POOR.1 < raw.len() * POOR.0 {
        return mapped;
    }
    let middle = out.len();
    let by_planes = planes::encode(raw, format, scratch, out).map(|()| SampleCodec::BytePlanes);
    if mapped.is_some() && (by_planes.is_none() || out.len() - middle >= middle - start) {
        out.truncate(middle);
        return mapped;
    }
    out.drain(start..middle);
    by_planes
}

fn encode_mapped(
    format: &SampleFormat,
    level: CodecLevel,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Option<()> {
    scratch.mapped.resize_with(scratch.planes.len(), Vec::new);
    scratch.low.clear();
    scratch.exceptions.clear();
    let (mapping, excepted) = map(scratch)?;
    if excepted {
        let Scratch { planes, mapped, zstd, bytes, exceptions, .. } = scratch;
        exceptions::encode(planes, mapped, zstd, bytes, exceptions)?;
    }
    let (split, scale, low_bits) = match mapping {
        Mapping::Exact { scale } => (false, scale, 0),
        Mapping::Split { scale, low_bits } => (true, scale, low_bits),
    };
    let (exceptions_len, low_len) = (scratch.exceptions.len(), scratch.low.len());
    layout::write_header(SampleCodec::Floats, format, out);
    out.extend(FloatMapping { split, low_bits, scale, exceptions_len, low_len }.to_bytes()?);
    std::mem::swap(&mut scratch.planes, &mut scratch.mapped);
    lanes::encode(format, level, scratch, out)?;
    out.extend_from_slice(&scratch.exceptions);
    out.extend_from_slice(&scratch.low);
    Some(())
}

/// Maps the floats of `planes` to the integers of `mapped` (and to `low`), and says how, and whether there are exceptions.
fn map(scratch: &mut Scratch) -> Option<(Mapping, bool)> {
    let Scratch { planes, mapped, low, .. } = scratch;
    if let Some(excepted) = to_exact(USUAL_SCALE, planes, mapped) {
        return Some((Mapping::Exact { scale: USUAL_SCALE }, excepted));
    }
    let mapping = survey(planes)?;
    let excepted = match mapping {
        Mapping::Exact { scale } => to_exact(scale, planes, mapped)?,
        Mapping::Split { scale, low_bits } => to_split(scale, low_bits, planes, mapped, low),
    };
    Some((mapping, excepted))
}

/// 2 to the power of `exponent`, which is in -126..=127.
fn power_of_two(exponent: i16) -> f32 {
    f32::from_bits(u32::from((exponent + 127).cast_unsigned()) << 23)
}

/// The float that an integer stands for in an exact chunk; `unit` is 2^-scale.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "an integer that a float was has no more than its bits")]
fn from_exact(integer: i32, unit: f32) -> u32 {
    (integer as f32 * unit).to_bits()
}

/// The integers of the floats at `scale`, and whether there is a -0.0 among them; `None` at the first float that has none.
fn to_exact(scale: i16, floats: &[Vec<i32>], integers: &mut [Vec<i32>]) -> Option<bool> {
    let (factor, unit) = (power_of_two(scale), power_of_two(-scale));
    let mut excepted = 0;
    for (floats, integers) in floats.iter().zip(integers) {
        integers.resize(floats.len(), 0);
        for (floats, integers) in floats.chunks(BLOCK).zip(integers.chunks_mut(BLOCK)) {
            let mut different = 0;
            for (float, integer) in floats.iter().zip(integers) {
                let bits = float.cast_unsigned();
                #[expect(clippy::cast_possible_truncation, reason = "what is lost shows in the next line")]
                let whole = (f32::from_bits(bits) * factor) as i32;
                different |= bits ^ from_exact(whole, unit);
                *integer = whole;
            }
            // Equal but for the sign: that is a -0.0, whose integer is zero.
            if different << 1 != 0 {
                return None;
            }
            excepted |= different;
        }
    }
    Some(excepted != 0)
}

/// The exponent of a normal number, 0 for anything else; and that of its lowest bit that is set, the maximum for anything else.
#[inline]
fn exponents_of(float: i32) -> (u32, u32) {
    let bits = float.cast_unsigned();
    let exponent = bits >> 23 & 0xFF;
    let significand = bits & 0x7F_FFFF | 0x80_0000;
    if exponent == 0 || exponent == 0xFF {
        (0, u32::MAX)
    } else {
        (exponent, exponent + significand.trailing_zeros())
    }
}

/// Looks for the mapping by the exponents: of the largest value, and of the lowest bit that is set anywhere.
fn survey(floats: &[Vec<i32>]) -> Option<Mapping> {
    let (mut highest, mut lowest, mut odd) = (0_u32, u32::MAX, 0);
    for float in floats.iter().flatten() {
        let (exponent, lowest_bit) = exponents_of(*float);
        highest = highest.max(exponent);
        lowest = lowest.min(lowest_bit);
        // Subnormals, infinities and NaNs have no integer; either zero is nothing odd.
        odd |= if exponent == 0 { float << 1 } else { 0 };
    }
    if highest == 0 {
        return None;
    }
    let mut low_bits = highest.saturating_sub(lowest);
    let scale = |exponent: u32| i16::try_from(i64::from(UNIT_EXPONENT) - i64::from(exponent)).ok();
    if odd == 0
        && low_bits <= EXACT_LOW_BITS
        && let Some(scale) = scale(lowest)
        && layout::EXACT_SCALES.contains(&scale)
    {
        return Some(Mapping::Exact { scale });
    }
    if low_bits >= SIGNIFICAND {
        // Values too small for the scale are exceptions, and their low bits are not asked for.
        let kept = floats
            .iter()
            .flatten()
            .map(|&float| exponents_of(float))
            .filter(|&(exponent, _)| exponent + SIGNIFICAND > highest);
        low_bits = highest.saturating_sub(kept.map(|(_, lowest)| lowest).min()?);
    }
    Some(Mapping::Split { scale: scale(highest)?, low_bits: low_bits.min(SIGNIFICAND - 1) })
}

/// Up to so many bits beyond the 24 of a float an integer is still coded as one.
const EXACT_LOW_BITS: u32 = 2;

/// Integers at a scale that suits the largest float, and the bits below; whether there are exceptions.
fn to_split(
    scale: i16,
    low_bits: u32,
    floats: &[Vec<i32>],
    integers: &mut [Vec<i32>],
    low: &mut Vec<u8>,
) -> bool {
    let highest = highest_exponent(scale);
    let mut excepted = false;
    let mut writer = BitWriter::new(low);
    for (floats, integers) in floats.iter().zip(integers) {
        integers.resize(floats.len(), 0);
        for (float, integer) in floats.iter().zip(integers) {
            let bits = float.cast_unsigned();
            let exponent = bits >> 23 & 0xFF;
            let depth = highest.wrapping_sub(exponent);
            // An infinity is above the highest, which wraps.
            if exponent == 0 || depth >= SIGNIFICAND {
                excepted |= bits != 0;
                *integer = 0;
                continue;
            }
            let significand = bits & 0x7F_FFFF | 0x80_0000;
            let whole = (significand >> depth).cast_signed();
            *integer = if *float < 0 { -whole } else { whole };
            let kept = depth.min(low_bits);
            writer.put(significand >> (depth - kept) & !(u32::MAX << kept), kept);
        }
    }
    writer.finish();
    excepted
}

/// The biased exponent of a number of 24 bits at a scale of a split chunk, 1 to 254.
fn highest_exponent(scale: i16) -> u32 {
    UNIT_EXPONENT.wrapping_add_signed(-i32::from(scale))
}

/// Decodes what follows the header into `scratch.planes`, as the bits of floats.
pub(super) fn decode(
    payload: &[u8],
    format: &SampleFormat,
    frames: usize,
    scratch: &mut Scratch,
) -> Result<(), DecodeError> {
    let (mapping, rest) = payload.split_first_chunk::<MAPPING_LEN>().ok_or(DecodeError::Truncated)?;
    let mapping = FloatMapping::from_bytes(mapping)?;
    let rest = lanes::decode(rest, format, frames, scratch)?;
    let (coded, low) = rest.split_at_checked(mapping.exceptions_len).ok_or(DecodeError::Truncated)?;
    if low.len() != mapping.low_len {
        return Err(DecodeError::Damaged("length of the low bits"));
    }
    let Scratch { planes, zstd, exceptions: buffer, .. } = scratch;
    let zeros =
        if coded.is_empty() { 0 } else { planes.iter().flatten().filter(|&&integer| integer == 0).count() };
    let mut exceptions = Exceptions::read(coded, zeros, zstd, buffer)?;
    if mapping.split {
        return join_split(&mapping, low, &mut exceptions, planes);
    }
    if !low.is_empty() {
        return Err(DecodeError::Damaged("low bits of exact floats"));
    }
    let unit = power_of_two(-mapping.scale);
    for value in planes.iter_mut().flatten() {
        *value = from_exact(*value, unit).cast_signed();
    }
    if zeros > 0 {
        for value in planes.iter_mut().flatten().filter(|value| **value == 0) {
            *value = exceptions.next();
        }
    }
    Ok(())
}

fn join_split(
    mapping: &FloatMapping,
    low: &[u8],
    exceptions: &mut Exceptions<'_>,
    planes: &mut [Vec<i32>],
) -> Result<(), DecodeError> {
    let highest = highest_exponent(mapping.scale);
    let mut reader = BitReader::new(low);
    for value in planes.iter_mut().flatten() {
        let whole = value.unsigned_abs();
        if whole == 0 {
            *value = exceptions.next();
            continue;
        }
        let significant = u32::BITS - whole.leading_zeros();
        let depth = SIGNIFICAND.wrapping_sub(significant);
        if depth >= highest.min(SIGNIFICAND) {
            return Err(DecodeError::Damaged("integer of a float"));
        }
        let kept = depth.min(mapping.low_bits);
        let significand = (whole << kept | reader.get(kept)) << (depth - kept);
        let sign = value.cast_unsigned() & 0x8000_0000;
        *value = (sign | (highest - depth) << 23 | significand & 0x7F_FFFF).cast_signed();
    }
    if reader.finished() { Ok(()) } else { Err(DecodeError::Damaged("low bits of floats")) }
}
