//! What a recording is like.

use std::io;
use std::ops::Range;

use ebur128::EbuR128;
use rayon::prelude::*;
use serde::Serialize;

use super::level::Decibels;
use super::loudness::{self, Metering};
use super::pcm::{Block, Pcm};
use crate::limits::Limits;
use crate::words::clock;

/// What is quieter is silence: half a step of 16 bits.
const SILENT: f32 = 1.0 / 65_536.0;

/// What a recording is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioFacts {
    /// What holds the samples: `WAV`, `AIFF`, `FLAC`, `MP3` or `OGG`.
    pub container: &'static str,
    /// How they are coded: `PCM`, `FLAC`, `MP3` or `Vorbis`.
    pub codec: &'static str,
    /// Frames: samples of all channels at one moment.
    pub frames: u64,
    /// Frames per second.
    pub rate: u32,
    /// How long it is, in seconds.
    pub seconds: f64,
    /// Valid bits of a sample; `None` where the codec has no such thing.
    pub bits: Option<u8>,
    /// Whether samples are floating-point numbers.
    pub float: bool,
    /// Channels.
    pub channels: usize,
    /// The highest sample of each channel.
    pub peaks: Vec<Decibels>,
    /// Integrated loudness by EBU R 128, in LUFS; `None` where there is too little to hear.
    pub loudness: Option<f64>,
    /// Silence before the first sound and after the last, in frames.
    pub silence: Silence,
}

/// Where nothing is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Silence {
    /// Frames before the first sound; all of them where there is none.
    pub leading: u64,
    /// Frames after the last sound.
    pub trailing: u64,
}

impl AudioFacts {
    /// The highest sample of all channels.
    pub fn peak(&self) -> Decibels {
        self.peaks.iter().copied().fold(Decibels::SILENCE, |most, peak| if peak > most { peak } else { most })
    }

    /// Whether nothing is heard.
    pub fn is_silent(&self) -> bool {
        self.silence.leading >= self.frames
    }

    /// One short line: `3:45.0, 48 kHz, 24 bit, stereo, -14.2 LUFS, peak -0.3 dB`.
    pub fn summary(&self) -> String {
        let mut parts = vec![clock(self.seconds), format!("{} kHz", f64::from(self.rate) / 1000.0)];
        match self.bits {
            Some(bits) if self.float => parts.push(format!("{bits} bit float")),
            Some(bits) => parts.push(format!("{bits} bit")),
            None => parts.push(self.codec.to_owned()),
        }
        parts.push(match self.channels {
            1 => "mono".to_owned(),
            2 => "stereo".to_owned(),
            many => format!("{many} channels"),
        });
        if self.is_silent() {
            parts.push("silent".to_owned());
        } else {
            parts.extend(self.loudness.map(|lufs| format!("{lufs:.1} LUFS")));
            parts.push(format!("peak {}", self.peak()));
        }
        parts.join(", ")
    }
}

/// Reads all of a recording and says what it is like.
///
/// # Errors
///
/// Those of reading.
pub fn describe(pcm: &Pcm<'_>, limits: &Limits) -> io::Result<AudioFacts> {
    let format = pcm.format();
    let metering = Metering {
        frames: pcm.frames(),
        stride: pcm.stride(),
        sequential: pcm.is_sequential(),
        channels: format.channels(),
        rate: format.rate(),
    };
    let measured: Vec<Part> = metering
        .parts()
        .into_par_iter()
        .map(|part| measure(pcm, &metering, part, limits))
        .collect::<io::Result<_>>()?;
    let mut peaks = vec![0.0_f32; format.channels()];
    let (mut first, mut last) = (None, None);
    for part in &measured {
        for (peak, of_part) in peaks.iter_mut().zip(&part.peaks) {
            *peak = peak.max(*of_part);
        }
        first = first.or(part.first);
        last = part.last.or(last);
    }
    let loudness = loudness::loudness(measured.iter().filter_map(|part| part.meter.as_ref()));
    let silence = match (first, last) {
        (Some(first), Some(last)) => Silence { leading: first, trailing: pcm.frames() - last - 1 },
        _ => Silence { leading: pcm.frames(), trailing: 0 },
    };
    Ok(AudioFacts {
        frames: pcm.frames(),
        container: pcm.container(),
        codec: pcm.codec(),
        seconds: pcm.seconds(),
        rate: format.rate(),
        bits: pcm.bits(),
        float: format.encoding() == stem_audio::Encoding::Float,
        channels: format.channels(),
        peaks: peaks.into_iter().map(|peak| Decibels::of_amplitude(peak.into())).collect(),
        loudness,
        silence,
    })
}

/// A part of a recording.
struct Part {
    peaks: Vec<f32>,
    first: Option<u64>,
    last: Option<u64>,
    meter: Option<EbuR128>,
}

fn measure(pcm: &Pcm<'_>, metering: &Metering, range: Range<u64>, limits: &Limits) -> io::Result<Part> {
    let peaks = vec![0.0; pcm.format().channels()];
    let mut part = Part { peaks, first: None, last: None, meter: metering.meter() };
    let mut block = Block::default();
    hear(pcm, metering.before(&range), &mut block, &mut part.meter, limits, |_, _| ())?;
    let Part { peaks, first, last, meter } = &mut part;
    hear(pcm, range, &mut block, meter, limits, |at, planes| {
        for (plane, peak) in planes.iter().zip(peaks.iter_mut()) {
            *peak = plane.iter().fold(*peak, |peak, value| peak.max(value.abs()));
            let loud = |value: &f32| value.abs() >= SILENT;
            if let Some(position) = plane.iter().position(loud) {
                let frame = at + position as u64;
                *first = Some(first.map_or(frame, |first: u64| first.min(frame)));
            }
            if let Some(position) = plane.iter().rposition(loud) {
                let frame = at + position as u64;
                *last = Some(last.map_or(frame, |last: u64| last.max(frame)));
            }
        }
    })?;
    Ok(part)
}

fn hear(
    pcm: &Pcm<'_>,
    range: Range<u64>,
    block: &mut Block,
    meter: &mut Option<EbuR128>,
    limits: &Limits,
    mut look: impl FnMut(u64, &[Vec<f32>]),
) -> io::Result<()> {
    let Range { start: mut at, end } = range;
    while at < end {
        limits.check()?;
        let count = usize::try_from(end - at).unwrap_or(usize::MAX).min(pcm.stride());
        pcm.read(at, count, block)?;
        if block.planes.first().is_none_or(Vec::is_empty) {
            break;
        }
        look(at, &block.planes);
        if let Some(meter) = meter {
            loudness::hear(meter, &block.planes);
        }
        at += count as u64;
    }
    Ok(())
}
