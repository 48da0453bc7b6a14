//! One lane to and from frames of FLAC.

use super::{CodecLevel, DecodeError};
use crate::flac;

impl CodecLevel {
    const fn flac(self) -> flac::Level {
        match self {
            Self::Fast => flac::Level::Fast,
            Self::Default => flac::Level::Default,
            Self::High => flac::Level::High,
        }
    }
}

/// The encoder of the level that was last asked for; hardly anyone asks for two.
#[derive(Default)]
pub(super) struct Encoders(Option<(CodecLevel, flac::Encoder)>);

impl Encoders {
    fn at(&mut self, level: CodecLevel) -> &mut flac::Encoder {
        self.0.take_if(|(made_for, _)| *made_for != level);
        &mut self.0.get_or_insert_with(|| (level, flac::Encoder::new(level.flac()))).1
    }
}

fn format(lane: &[Vec<i32>], width: u8, rate: u32) -> flac::Format {
    // A lane is one plane or two.
    flac::Format { channels: if lane.len() == 1 { 1 } else { 2 }, bits: width.into(), rate }
}

/// Appends the frames of a lane whose samples fit `width` bits. `None` where FLAC cannot code them.
pub(super) fn encode(
    lane: &[Vec<i32>],
    width: u8,
    rate: u32,
    level: CodecLevel,
    encoders: &mut Encoders,
    out: &mut Vec<u8>,
) -> Option<()> {
    let format = format(lane, width, rate);
    let encoder = encoders.at(level);
    match lane {
        [plane] => encoder.encode(&format, &[plane], out),
        [left, right] => encoder.encode(&format, &[left, right], out),
        _ => return None,
    }
    .ok()
}

/// Replaces a lane's planes by what the frames hold.
pub(super) fn decode(
    coded: &[u8],
    width: u8,
    rate: u32,
    frames: usize,
    decoder: &mut flac::Decoder,
    lane: &mut [Vec<i32>],
) -> Result<(), DecodeError> {
    let format = format(lane, width, rate);
    decoder.decode(coded, &format, frames, lane).map_err(DecodeError::Frames)
}
