//! RIFF/WAVE and its 64-bit forms.
//!
//! Multimedia Programming Interface and Data Specifications 1.0 (RIFF), `WAVEFORMATEXTENSIBLE` of mmreg.h, EBU Tech 3306
//! (RF64) and ITU-R BS.2088 (BW64).

use super::Found;
use super::cursor::{Chunks, Order, array};
use crate::format::{Encoding, SampleFormat};

/// The chunks that matter.
static NAMES: [[u8; 4]; 2] = [*b"fmt ", *b"data"];

const PCM: u16 = 1;
const IEEE_FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// What follows the format tag in the sub-format of `WAVEFORMATEXTENSIBLE`: plain audio, and Ambisonic B-format.
const SUBFORMATS: [[u8; 14]; 2] = [
    [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71],
    [0, 0, 0x21, 0x07, 0xD3, 0x11, 0x86, 0x44, 0xC8, 0xC1, 0xCA, 0, 0, 0],
];

/// Lengths that say "unknown": what recorders write before they know, and RF64's sign that `ds64` knows.
const UNKNOWN: [u32; 2] = [0, u32::MAX];

pub(super) fn find(head: &[u8], len: Option<u64>) -> Option<Found> {
    if array(head, 8)? != *b"WAVE" {
        return None;
    }
    let wide = !head.starts_with(b"RIFF");
    let mut format = None;
    let mut long_size = None;
    for chunk in Chunks::new(head, Order::Little, &NAMES) {
        match &chunk.name {
            b"ds64" if wide && long_size.is_none() => {
                long_size = array(chunk.body, 8).map(u64::from_le_bytes).filter(|&size| size != 0);
            }
            b"fmt " => {
                let this = read_format(chunk.body)?;
                if format.replace(this).is_some_and(|before| before != this) {
                    return None;
                }
            }
            b"data" => {
                let start = chunk.start as u64;
                let length = if wide && chunk.size == u32::MAX {
                    long_size
                } else {
                    (!UNKNOWN.contains(&chunk.size)).then(|| unwrap(u64::from(chunk.size), start, len))
                };
                return Some(Found { format: format?, start, length });
            }
            _ => (),
        }
    }
    None
}

/// The size of samples of which a RIFF header could only hold the lower 32 bits.
///
/// Some programs write files of more than 4 GiB and let the size wrap. If whole 4 GiB are left after the samples, they
/// are samples too.
fn unwrap(size: u64, start: u64, len: Option<u64>) -> u64 {
    let rest = len.unwrap_or(0).saturating_sub(start).saturating_sub(size);
    size + (rest >> 32 << 32)
}

fn read_format(body: &[u8]) -> Option<SampleFormat> {
    let order = Order::Little;
    let mut tag = order.u16(body, 0)?;
    let channels = order.u16(body, 2)?;
    let rate = order.u32(body, 4)?;
    let frame = order.u16(body, 12)?;
    let mut bits = order.u16(body, 14)?;
    if channels == 0 || frame % channels != 0 {
        return None;
    }
    let container = u8::try_from(frame / channels).ok()?;
    if tag == EXTENSIBLE {
        // Here the field before means the container, and the valid bits follow; zero in older files.
        if bits != u16::from(container) * 8 {
            return None;
        }
        bits = match order.u16(body, 18)? {
            0 => bits,
            valid => valid,
        };
        tag = order.u16(body, 24)?;
        if !SUBFORMATS.contains(&array(body, 26)?) {
            return None;
        }
    }
    let encoding = match tag {
        PCM if container == 1 => Encoding::Unsigned,
        PCM => Encoding::Signed,
        IEEE_FLOAT => Encoding::Float,
        _ => return None,
    };
    SampleFormat::new(
        encoding,
        u8::try_from(bits).ok()?,
        container,
        u8::try_from(channels).ok()?,
        false,
        rate,
    )
}
