//! Integrated loudness by EBU R 128, on all cores.
//!
//! A recording is measured in parts, each by a meter of its own that has heard a little of what comes before, so that its
//! filters and gates are where one meter for all would have them; the gating of the whole is done over the blocks of all
//! parts. The peak of samples stands for the true peak, which takes four times as long as everything else together.

use std::io;
use std::ops::Range;

use ebur128::{EbuR128, Mode};
use rayon::prelude::*;

use super::pcm::Block;
use crate::limits::Limits;

/// What a part hears before its own: the length of a gating block.
const PRE_ROLL_MS: u64 = 400;

/// Samples of all channels in a second that are metered: 32 channels at 192 kHz. A meter keeps 0.4 s of them.
const MOST: u64 = 32 * 192_000;

/// What is to be measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metering {
    pub(super) frames: u64,
    /// Frames that are read at a time.
    pub(super) stride: usize,
    /// Whether it has to be read from the beginning to the end.
    pub(super) sequential: bool,
    pub(super) channels: usize,
    pub(super) rate: u32,
}

impl Metering {
    /// The parts that are measured by themselves.
    pub(super) fn parts(&self) -> Vec<Range<u64>> {
        let parts = if self.sequential { 1 } else { rayon::current_num_threads().clamp(1, 8) as u64 };
        let length = self.frames.div_ceil(parts).max(1);
        (0..parts)
            .map(|part| (part * length).min(self.frames)..((part + 1) * length).min(self.frames))
            .collect()
    }

    /// What is heard before a part.
    pub(super) fn before(&self, part: &Range<u64>) -> Range<u64> {
        let roll = u64::from(self.rate) * PRE_ROLL_MS / 1000;
        let from = if part.is_empty() { part.start } else { part.start.saturating_sub(roll) };
        from..part.start
    }

    /// A meter, unless there are more channels, or a higher or lower rate, than anybody listens to.
    pub(super) fn meter(&self) -> Option<EbuR128> {
        if u64::from(self.rate).saturating_mul(self.channels as u64) > MOST {
            return None;
        }
        EbuR128::new(u32::try_from(self.channels).ok()?, self.rate, Mode::I).ok()
    }

    /// The loudness, in LUFS, of what `read` puts into its second block; `None` where there is too little to hear.
    pub(super) fn integrated(
        &self,
        limits: &Limits,
        read: impl Fn(u64, usize, &mut Block, &mut Block) -> io::Result<()> + Sync,
    ) -> io::Result<Option<f64>> {
        let meters: Vec<Option<EbuR128>> = self
            .parts()
            .into_par_iter()
            .map(|part| {
                let Some(mut meter) = self.meter() else { return Ok(None) };
                let (mut first, mut second) = <(Block, Block)>::default();
                let mut at = self.before(&part).start;
                while at < part.end {
                    limits.check()?;
                    let count = usize::try_from(part.end - at).unwrap_or(usize::MAX).min(self.stride);
                    read(at, count, &mut first, &mut second)?;
                    hear(&mut meter, &second.planes);
                    at += count as u64;
                }
                Ok(Some(meter))
            })
            .collect::<io::Result<_>>()?;
        Ok(loudness(meters.iter().flatten()))
    }
}

/// Has a meter listen.
pub(super) fn hear(meter: &mut EbuR128, planes: &[Vec<f32>]) {
    let planes: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
    // It refuses only planes of unequal length, which there are none of.
    let _ = meter.add_frames_planar_f32(&planes);
}

/// The loudness of what some meters heard, in LUFS.
pub(super) fn loudness<'m>(meters: impl Iterator<Item = &'m EbuR128>) -> Option<f64> {
    EbuR128::loudness_global_multiple(meters).ok().filter(|lufs| lufs.is_finite())
}
