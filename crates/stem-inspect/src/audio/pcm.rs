//! The samples of a recording, read by position: where they lie in a WAV, RF64 or AIFF file, or decoded.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use stem_audio::{Audio, Encoding, HEAD_LEN, SampleFormat};

use super::decode::{self, Decoded};
use crate::limits::Limits;
use crate::source::{ReadAt, read_full};

/// Samples that are looked at together.
const STRIDE: usize = 1 << 16;

/// A file with samples.
#[derive(Clone)]
pub struct Pcm<'a> {
    file: &'a dyn ReadAt,
    /// What the samples come from where they are coded.
    decoded: Option<Arc<Decoded<'a>>>,
    audio: Audio,
    container: &'static str,
}

/// What a file turned out to be.
#[derive(Debug)]
pub enum Opened<'a> {
    /// A recording.
    Audio(Pcm<'a>),
    /// Something that is called a recording and cannot be read as one, and why.
    Damaged(String),
    /// No recording.
    None,
}

/// Looks whether a file is a recording.
///
/// # Errors
///
/// Those of the medium; the question was cancelled.
pub fn open<'a>(file: &'a dyn ReadAt, limits: &Limits) -> io::Result<Opened<'a>> {
    limits.check()?;
    if let Some(pcm) = Pcm::open(file)? {
        return Ok(Opened::Audio(pcm));
    }
    let Some(found) = decode::find(file)? else { return Ok(Opened::None) };
    let name = found.codec.name();
    match Decoded::open(found, limits) {
        Ok(decoded) => {
            let audio = Audio { format: *decoded.format(), samples: 0..decoded.bytes() };
            let container = decoded.codec().container();
            Ok(Opened::Audio(Pcm { file, decoded: Some(Arc::new(decoded)), audio, container }))
        }
        Err(error) => match decode::damage_in(&error) {
            Some(words) => Ok(Opened::Damaged(format!("{name}: {words}"))),
            None => Err(error),
        },
    }
}

impl std::fmt::Debug for Pcm<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pcm").field("audio", &self.audio).finish_non_exhaustive()
    }
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) raw: Vec<u8>,
    integers: Vec<Vec<i32>>,
    /// One plane for each channel; full scale is 1.
    pub(crate) planes: Vec<Vec<f32>>,
}

impl<'a> Pcm<'a> {
    /// Looks for samples in a file that are not coded; `None` where there are none that are understood.
    ///
    /// # Errors
    ///
    /// Those of reading.
    pub fn open(file: &'a dyn ReadAt) -> io::Result<Option<Self>> {
        let mut head = vec![0; HEAD_LEN.min(usize::try_from(file.len()).unwrap_or(HEAD_LEN))];
        let count = read_full(file, &mut head, 0)?;
        let audio = stem_audio::probe(head.get(..count).unwrap_or_default(), Some(file.len()));
        let container = match head.first_chunk() {
            Some(b"FORM") => "AIFF",
            Some(b"RF64" | b"BW64") => "RF64",
            _ => "WAV",
        };
        let audio = audio.filter(|audio| audio.format.rate() > 0);
        Ok(audio.map(|audio| Self { file, decoded: None, audio, container }))
    }

    /// How the samples lie in the file.
    pub fn format(&self) -> &SampleFormat {
        &self.audio.format
    }

    /// The number of frames: samples of all channels at one moment.
    pub fn frames(&self) -> u64 {
        (self.audio.samples.end - self.audio.samples.start) / self.audio.format.frame_len() as u64
    }

    /// How long the recording is, in seconds.
    pub fn seconds(&self) -> f64 {
        self.at(self.frames())
    }

    /// When a frame is heard, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "frames of years are exact")]
    pub fn at(&self, frame: u64) -> f64 {
        frame as f64 / f64::from(self.audio.format.rate())
    }

    /// The bytes of which [`Pcm::samples`] are a part.
    pub(crate) fn source(&self) -> &dyn ReadAt {
        match &self.decoded {
            Some(decoded) => decoded.as_ref(),
            None => self.file,
        }
    }

    /// The file.
    pub(crate) fn file(&self) -> &'a dyn ReadAt {
        self.file
    }

    /// The bytes of the file that are the samples, coded; `None` where that is not known.
    pub(crate) fn coded(&self) -> Option<Range<u64>> {
        match &self.decoded {
            Some(decoded) => decoded.coded(),
            None => Some(self.samples()),
        }
    }

    /// Whether reading backwards means decoding from the beginning.
    pub(crate) fn is_sequential(&self) -> bool {
        self.decoded.as_ref().is_some_and(|decoded| decoded.is_sequential())
    }

    /// How many pieces of work one thread should take together: all of them where only one can go on without decoding
    /// again what is before its piece.
    pub(crate) fn together(&self) -> usize {
        if self.is_sequential() { usize::MAX } else { 1 }
    }

    /// What holds the samples.
    pub fn container(&self) -> &'static str {
        self.container
    }

    /// How they are coded.
    pub fn codec(&self) -> &'static str {
        self.decoded.as_ref().map_or("PCM", |decoded| decoded.codec().name())
    }

    /// Valid bits of a sample; `None` where the codec has no such thing.
    pub fn bits(&self) -> Option<u8> {
        match &self.decoded {
            Some(decoded) => decoded.bits(),
            None => Some(self.audio.format.bits()),
        }
    }

    /// What hinders a better answer, in words; grows while a file is decoded.
    pub fn note(&self) -> Option<String> {
        self.decoded.as_ref().and_then(|decoded| decoded.note())
    }

    pub(crate) fn samples(&self) -> Range<u64> {
        self.audio.samples.clone()
    }

    /// Frames that are read at a time: fewer where there are many channels, so that buffers stay small.
    pub(crate) fn stride(&self) -> usize {
        (STRIDE / self.audio.format.channels()).max(1 << 9)
    }

    /// Reads the bytes of `count` frames from `start` on, fewer where the recording ends.
    pub(crate) fn read_raw(&self, start: u64, count: usize, raw: &mut Vec<u8>) -> io::Result<()> {
        let frame = self.audio.format.frame_len();
        let left = usize::try_from(self.frames().saturating_sub(start)).unwrap_or(usize::MAX);
        raw.resize(count.min(left) * frame, 0);
        let filled = read_full(self.source(), raw, self.audio.samples.start + start * frame as u64)?;
        raw.truncate(filled - filled % frame);
        Ok(())
    }

    /// Whether every frame in a range is the same, as in silence.
    pub(crate) fn is_still(&self, range: Range<u64>) -> io::Result<bool> {
        let step = self.audio.format.frame_len();
        let (mut raw, mut at, mut first) = (Vec::new(), range.start, Vec::new());
        while at < range.end {
            let count = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(self.stride());
            self.read_raw(at, count, &mut raw)?;
            let Some(frame) = raw.get(..step) else { break };
            if first.is_empty() {
                first = frame.to_vec();
            }
            if frame != first || raw.get(step..) != raw.get(..raw.len() - step) {
                return Ok(false);
            }
            at += count as u64;
        }
        Ok(true)
    }

    /// Reads `count` frames from `start` on as numbers, fewer where the recording ends.
    pub(crate) fn read(&self, start: u64, count: usize, block: &mut Block) -> io::Result<()> {
        let mut raw = std::mem::take(&mut block.raw);
        let read = self.read_raw(start, count, &mut raw);
        stem_audio::pcm::unpack(&raw, &self.audio.format, &mut block.integers);
        block.raw = raw;
        read?;
        block.planes.resize_with(block.integers.len(), Vec::new);
        let bits = 8 * self.audio.format.container() - 1;
        #[expect(clippy::cast_precision_loss, reason = "24 bits are exact, and more are not heard")]
        let convert: &dyn Fn(&[i32], &mut Vec<f32>) = match self.audio.format.encoding() {
            Encoding::Float => &|from, to| {
                to.extend(from.iter().map(|&bits| {
                    let value = f32::from_bits(bits.cast_unsigned());
                    if value.is_finite() { value } else { 0.0 }
                }));
            },
            Encoding::Signed | Encoding::Unsigned => &|from, to| {
                let scale = 1.0 / (1_u64 << bits) as f32;
                to.extend(from.iter().map(|&value| value as f32 * scale));
            },
        };
        for (from, to) in block.integers.iter().zip(&mut block.planes) {
            to.clear();
            convert(from, to);
        }
        Ok(())
    }
}
