//! Samples to frames: blocks, channel modes, and the frame around the subframes (RFC 9639, 9).

use super::bitwriter::{BitWriter, SLACK};
use super::crc::crc16;
use super::header::{self, Assignment};
use super::subframe::{Effort, Subframe, Workspace};
use super::{BLOCK, EncodeError, FRAME_OVERHEAD, Format, Level, dispatch};

/// Room for the longest frame.
const MAX_FRAME: usize = 2 * 4 * BLOCK + FRAME_OVERHEAD + SLACK;

/// Codes samples as frames.
///
/// It keeps about 300 KiB of buffers: one per thread, for many chunks, is the way to use it. Nothing else is kept from
/// one call to the next; what comes out depends on the samples, their format and the level alone.
#[derive(Debug)]
pub struct Encoder {
    effort: Effort,
    /// Left, right, mid, side.
    subframes: [Subframe; 4],
    workspace: Workspace,
    frame: Vec<u8>,
}

/// The frame in hand.
pub(super) struct Block<'a> {
    pub(super) format: &'a Format,
    /// Its samples.
    pub(super) planes: [&'a [i32]; 2],
    pub(super) number: u64,
}

impl Assignment {
    /// Those of left, right, mid and side that are stored.
    fn subframes(self, [left, right, mid, side]: &mut [Subframe; 4]) -> [&mut Subframe; 2] {
        match self {
            Self::Independent => [left, right],
            Self::LeftSide => [left, side],
            Self::SideRight => [side, right],
            Self::MidSide => [mid, side],
        }
    }
}

impl Encoder {
    /// An encoder that makes so much effort.
    pub fn new(level: Level) -> Self {
        Self {
            effort: Effort::of(level),
            subframes: Default::default(),
            workspace: Workspace::default(),
            frame: vec![0; MAX_FRAME],
        }
    }

    /// Appends the frames of all samples of `planes`, one plane per channel, to `out`.
    ///
    /// They take at most [`FRAME_OVERHEAD`] bytes per block more than the samples at their bits.
    ///
    /// # Errors
    ///
    /// The format is none that frames hold, the planes are not as many as its channels and equally long, or a sample
    /// does not fit its bits. `out` is then as it was.
    pub fn encode(
        &mut self,
        format: &Format,
        planes: &[&[i32]],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let &Format { channels, bits, .. } = format;
        if !format.is_valid() {
            return Err(EncodeError::Format { channels, bits });
        }
        let planes = match (channels, planes) {
            (1, [mono]) => [*mono, &[]],
            (2, [left, right]) if left.len() == right.len() => [*left, *right],
            (2, [left, right]) => {
                return Err(EncodeError::Lengths { first: left.len(), second: right.len() });
            }
            _ => return Err(EncodeError::Planes { planes: planes.len(), channels }),
        };
        let frames = planes[0].len();
        if frames.div_ceil(BLOCK) as u64 > header::MAX_NUMBER {
            return Err(EncodeError::TooLong { frames });
        }
        let before = out.len();
        let rights = planes[1].chunks(BLOCK).chain(std::iter::repeat(&[][..]));
        for (number, (left, right)) in planes[0].chunks(BLOCK).zip(rights).enumerate() {
            let block = Block { format, planes: [left, right], number: number as u64 };
            if let Err(channel) = dispatch::encode_block(self, &block, out) {
                out.truncate(before);
                return Err(EncodeError::Range { channel, block: number * BLOCK, bits });
            }
        }
        Ok(())
    }

    /// Appends a frame; or says which channel has a sample that does not fit.
    #[expect(clippy::cast_precision_loss, reason = "a block has few samples")]
    #[inline(always)]
    pub(super) fn encode_block(&mut self, block: &Block<'_>, out: &mut Vec<u8>) -> Result<(), usize> {
        let &Block { format, planes, number } = block;
        let channels = if format.channels == 2 { 2 } else { 1 };
        for (channel, (subframe, plane)) in self.subframes.iter_mut().zip(planes).take(channels).enumerate() {
            subframe.samples.clear();
            subframe.samples.extend_from_slice(plane);
            if !subframe.prepare(format.bits) {
                return Err(channel);
            }
        }
        let mut assignment = Assignment::Independent;
        if channels == 2 {
            assignment = self.choose_assignment(format.bits);
            // An estimate may be wrong, and the difference has a bit more: that must not make noise grow beyond its bits
            // and a byte per subframe.
            let raw = 2.0 * f64::from(format.bits) * planes[0].len() as f64;
            if self.plan(assignment, channels) > raw + 16.0 && assignment != Assignment::Independent {
                assignment = Assignment::Independent;
                self.plan(assignment, channels);
            }
        } else {
            let [mono, ..] = &mut self.subframes;
            mono.estimate(&self.effort, &mut self.workspace);
            self.plan(assignment, channels);
        }
        let mut writer = BitWriter::new(&mut self.frame);
        header::write(&mut writer, format, assignment, planes[0].len(), number);
        for subframe in assignment.subframes(&mut self.subframes).into_iter().take(channels) {
            subframe.write(&mut writer);
        }
        writer.align();
        // There is room for verbatim subframes, and no other is longer.
        let frame = writer.written().unwrap_or_default();
        out.extend_from_slice(frame);
        out.extend_from_slice(&crc16(frame).to_be_bytes());
        Ok(())
    }

    /// Plans the subframes in full; returns their bits.
    #[inline(always)]
    fn plan(&mut self, assignment: Assignment, channels: usize) -> f64 {
        let mut bits = 0.0;
        for subframe in assignment.subframes(&mut self.subframes).into_iter().take(channels) {
            subframe.plan(&self.effort, &mut self.workspace);
            bits += subframe.cost;
        }
        bits
    }

    /// Estimates, or at a high effort plans, the channels, their sum and their difference, and takes the two that are
    /// cheapest together.
    #[inline(always)]
    fn choose_assignment(&mut self, bits: u32) -> Assignment {
        let Self { effort, subframes: [left, right, mid, side], workspace, .. } = self;
        let mut cost = |subframe: &mut Subframe| {
            subframe.estimate(effort, workspace);
            if effort.all_modes {
                subframe.plan(effort, workspace);
            }
            subframe.cost
        };
        let (left_cost, right_cost) = (cost(left), cost(right));
        // With different low bits missing, the channels are of different origin.
        if bits > header::MAX_DECORRELATED || left.wasted != right.wasted {
            return Assignment::Independent;
        }
        // What the channels lack, the difference lacks, too. Of the sum, halved, that is one bit less: the bit which
        // halving would drop, and the difference give back, is then stored.
        let shared = left.wasted;
        let halving = u32::from(shared == 0);
        mid.samples.clear();
        mid.samples
            .extend(left.samples.iter().zip(&right.samples).map(|(left, right)| (left + right) >> halving));
        side.samples.clear();
        side.samples.extend(left.samples.iter().zip(&right.samples).map(|(left, right)| left - right));
        // They fit because the channels do.
        mid.prepare(bits - shared + 1 - halving);
        side.prepare(bits - shared + 1);
        mid.wasted += shared.saturating_sub(1);
        side.wasted += shared;
        let (mid_cost, side_cost) = (cost(mid), cost(side));
        let modes = [
            (left_cost + right_cost, Assignment::Independent),
            (left_cost + side_cost, Assignment::LeftSide),
            (side_cost + right_cost, Assignment::SideRight),
            (mid_cost + side_cost, Assignment::MidSide),
        ];
        modes.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map_or(Assignment::Independent, |mode| mode.1)
    }
}
