//! AIFF 1.3 and AIFF-C.

use super::Found;
use super::cursor::{Chunks, Order, array};
use crate::format::{Encoding, SampleFormat};

/// The chunks that matter.
static NAMES: [[u8; 4]; 2] = [*b"COMM", *b"SSND"];

/// Lengths that say "unknown".
const UNKNOWN: [u32; 2] = [0, u32::MAX];

pub(super) fn find(head: &[u8]) -> Option<Found> {
    let compressed = match &array(head, 8)? {
        b"AIFF" => false,
        b"AIFC" => true,
        _ => return None,
    };
    let order = Order::Big;
    let mut format = None;
    for chunk in Chunks::new(head, order, &NAMES) {
        match &chunk.name {
            b"COMM" => {
                let this = read_format(chunk.body, compressed)?;
                if format.replace(this).is_some_and(|before| before != this) {
                    return None;
                }
            }
            b"SSND" => {
                // Offset and block size come first, whatever the size of the chunk says.
                let skip = 8 + u64::from(order.u32(head, chunk.start)?);
                order.u32(head, chunk.start + 4)?;
                let length = match chunk.size {
                    size if UNKNOWN.contains(&size) => None,
                    size => Some(u64::from(size).checked_sub(skip)?),
                };
                return Some(Found { format: format?, start: chunk.start as u64 + skip, length });
            }
            _ => (),
        }
    }
    None
}

fn read_format(body: &[u8], compressed: bool) -> Option<SampleFormat> {
    let order = Order::Big;
    let channels = u8::try_from(order.u16(body, 0)?).ok()?;
    let bits = u8::try_from(order.u16(body, 6)?).ok()?;
    let rate = whole_rate(array(body, 8)?);
    let (encoding, big_endian) = if compressed {
        match &array(body, 18)? {
            b"NONE" | b"twos" => (Encoding::Signed, true),
            b"sowt" => (Encoding::Signed, false),
            b"fl32" | b"FL32" => (Encoding::Float, true),
            _ => return None,
        }
    } else {
        (Encoding::Signed, true)
    };
    let (bits, container) = match encoding {
        // Some writers leave the size of the integers that the floats came from.
        Encoding::Float => (32, 4),
        Encoding::Signed | Encoding::Unsigned => (bits, bits.div_ceil(8)),
    };
    SampleFormat::new(encoding, bits, container, channels, big_endian, rate)
}

/// The sampling rate, which is an 80-bit extended float; 0 if it is not a number that fits.
fn whole_rate(extended: [u8; 10]) -> u32 {
    let [sign_exponent_high, exponent_low, mantissa @ ..] = extended;
    let exponent = u16::from_be_bytes([sign_exponent_high, exponent_low]);
    let mantissa = u64::from_be_bytes(mantissa);
    // The mantissa has its point after the first bit, the bias is 16383.
    let shift = (16383_u32 + 63).checked_sub(u32::from(exponent));
    shift.and_then(|shift| mantissa.checked_shr(shift)).and_then(|rate| u32::try_from(rate).ok()).unwrap_or(0)
}
