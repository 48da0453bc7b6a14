//! FLAC, MP3 and OGG Vorbis, decoded to be looked at and listened to.
//!
//! A coded file is shown to the rest of the crate as the samples that it decodes to, by position: whoever describes or
//! compares need not know that there is a decoder in between. What is decoded is not kept, so memory stays small; a place
//! that is behind a decoder is sought (FLAC) or decoded again from the beginning (the others, whose frames depend on those
//! before them). The work is bounded by [`Limits::decoded`].
//!
//! The decoders are symphonia's, which is kept up and has no `unsafe`. Its demuxers read tags and pictures of any size into
//! memory, so they see the audio alone: the tags are skipped here (`find`), OGG pages are walked here (`ogg`), and the
//! set-up of Vorbis, which can ask for gigabytes in a few bytes, is weighed before (`vorbis`). Rejected: `claxon` (no 32
//! bits, not maintained), `minimp3` and `lewton` (not maintained), decoding whole files into memory.

mod damage;
mod find;
mod ogg;
mod stream;
mod view;
mod vorbis;

use std::io;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stem_audio::{Encoding, SampleFormat};

use damage::damage;
pub use damage::damage_in;
pub(crate) use find::{Codec, Found, find};
use stream::Stream;

use crate::limits::Limits;
use crate::source::ReadAt;

/// Frames that are decoded and thrown away rather than sought.
const NEAR: u64 = 1 << 16;
/// Decoders that are kept for the next read of a file.
const KEPT: usize = 3;

/// A coded file as the samples that it decodes to.
pub(crate) struct Decoded<'a> {
    found: Found<'a>,
    format: SampleFormat,
    frames: u64,
    note: Option<String>,
    limits: Limits,
    cursors: Mutex<Vec<Cursor<'a>>>,
    spent: AtomicU64,
    /// Whether something could not be decoded and is silence instead.
    holes: AtomicBool,
}

/// A decoder and what it decoded last.
struct Cursor<'a> {
    stream: Stream<'a>,
    /// The frame that `ready` begins with.
    start: u64,
    ready: Vec<u8>,
    /// Whether there is nothing behind `ready`.
    ended: bool,
}

impl<'a> Decoded<'a> {
    /// Opens what was found, and counts its frames without decoding them.
    pub(crate) fn open(found: Found<'a>, limits: &Limits) -> io::Result<Self> {
        let counted = stream::count(&found, limits)?;
        let signal = counted.signal;
        let channels = u8::try_from(signal.channels).unwrap_or(u8::MAX);
        let format = match signal.bits {
            Some(bits) => {
                SampleFormat::new(Encoding::Signed, bits, bits.div_ceil(8), channels, false, signal.rate)
            }
            None => SampleFormat::new(Encoding::Float, 32, 4, channels, false, signal.rate),
        };
        let Some(format) = format.filter(|format| format.rate() > 0) else {
            return Err(damage("its samples are of no known kind"));
        };
        Ok(Self {
            found,
            format,
            frames: counted.frames,
            note: counted.note,
            limits: limits.clone(),
            cursors: Mutex::default(),
            spent: AtomicU64::new(0),
            holes: AtomicBool::new(false),
        })
    }

    pub(crate) fn format(&self) -> &SampleFormat {
        &self.format
    }

    /// How many bytes the samples are.
    pub(crate) fn bytes(&self) -> u64 {
        self.frames.saturating_mul(self.format.frame_len() as u64)
    }

    /// Valid bits of a sample, if there is such a thing.
    pub(crate) fn bits(&self) -> Option<u8> {
        (self.format.encoding() != Encoding::Float).then(|| self.format.bits())
    }

    pub(crate) fn codec(&self) -> Codec {
        self.found.codec
    }

    /// The bytes of the file that are coded samples; `None` where other things lie between them.
    pub(crate) fn coded(&self) -> Option<Range<u64>> {
        (self.found.codec != Codec::Vorbis).then(|| self.found.audio.clone())
    }

    /// Whether reading backwards means decoding from the beginning.
    pub(crate) fn is_sequential(&self) -> bool {
        self.found.codec != Codec::Flac
    }

    pub(crate) fn note(&self) -> Option<String> {
        let holes = self.holes.load(Ordering::Relaxed);
        self.note.clone().or_else(|| holes.then(|| "parts are damaged and taken for silence".to_owned()))
    }

    /// A decoder that can go on to a frame, or is there.
    fn cursor_for(&self, frame: u64) -> io::Result<Cursor<'a>> {
        let kept = {
            let mut kept = self.cursors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let nearest = kept
                .iter()
                .enumerate()
                .filter(|(_, cursor)| cursor.start <= frame)
                .max_by_key(|(_, cursor)| cursor.start)
                .map(|(number, _)| number);
            // A decoder that can seek may as well come from behind.
            let any = (!self.is_sequential() && !kept.is_empty()).then_some(0);
            nearest.or(any).map(|number| kept.swap_remove(number))
        };
        let mut cursor = match kept {
            Some(cursor) => cursor,
            None => self.begin()?,
        };
        let step = self.format.frame_len() as u64;
        let end = cursor.start + cursor.ready.len() as u64 / step;
        if cursor.start <= frame && frame <= end.saturating_add(NEAR) {
            return Ok(cursor);
        }
        if !self.is_sequential()
            && let Some(start) = cursor.stream.seek(frame)?
            && start <= frame
        {
            return Ok(Cursor { stream: cursor.stream, start, ready: Vec::new(), ended: false });
        }
        if cursor.start <= frame { Ok(cursor) } else { self.begin() }
    }

    fn begin(&self) -> io::Result<Cursor<'a>> {
        let stream = Stream::open(&self.found)?;
        Ok(Cursor { stream, start: 0, ready: Vec::new(), ended: false })
    }

    fn keep(&self, cursor: Cursor<'a>) {
        let mut kept = self.cursors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push(cursor);
    }

    /// Decodes the next packet of a cursor.
    fn advance(&self, cursor: &mut Cursor<'a>) -> io::Result<()> {
        self.limits.check()?;
        let step = self.format.frame_len();
        cursor.start += (cursor.ready.len() / step) as u64;
        cursor.ready.clear();
        let step_taken = cursor.stream.next(&self.format, &mut cursor.ready)?;
        cursor.ended = step_taken.ended;
        if step_taken.damaged {
            self.holes.store(true, Ordering::Relaxed);
        }
        let frames = (cursor.ready.len() / step) as u64;
        // A packet without frames is work as well.
        let spent = self.spent.fetch_add(frames.max(1), Ordering::Relaxed);
        if spent > self.limits.decoded {
            return Err(damage("it takes too long to decode"));
        }
        Ok(())
    }
}

impl ReadAt for Decoded<'_> {
    fn len(&self) -> u64 {
        self.bytes()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buf.len().min(left);
        let Some(buf) = buf.get_mut(..count).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        let step = self.format.frame_len() as u64;
        let mut cursor = self.cursor_for(offset / step)?;
        let mut filled = 0;
        while filled < buf.len() {
            let at = offset + filled as u64;
            let inside = usize::try_from(at.saturating_sub(cursor.start * step)).unwrap_or(usize::MAX);
            if let Some(ready) = cursor.ready.get(inside..).filter(|ready| !ready.is_empty()) {
                let count = ready.len().min(buf.len() - filled);
                buf[filled..filled + count].copy_from_slice(&ready[..count]);
                filled += count;
            } else if cursor.ended {
                // Less was decoded than was announced.
                buf[filled..].fill(0);
                self.holes.store(true, Ordering::Relaxed);
                break;
            } else {
                self.advance(&mut cursor)?;
            }
        }
        self.keep(cursor);
        Ok(count)
    }
}
