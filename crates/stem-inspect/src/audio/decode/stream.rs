//! Decoded packets, one after the other.
//!
//! This is the one place where symphonia is called. It is safe code, and has panicked on damaged files before (arithmetic
//! that overflows, an assertion on the length of a packet); a file that makes it panic is damaged, and no reason to end
//! the program, so panics end here. What was being decoded is thrown away with the decoder, so nothing half-done is seen.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stem_audio::SampleFormat;
use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_MP3, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::{Error, Result};
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::packet::{Packet, PacketRef};
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::codecs::{FlacDecoder, MpaDecoder, VorbisDecoder};
use symphonia::default::formats::{FlacReader, MpaReader};

use super::damage::damage;
use super::find::{Codec, Found};
use super::view::{Failure, View, failed};
use super::{ogg, vorbis};
use crate::limits::Limits;

/// Packets in a row that cannot be decoded before the rest of a file is given up.
const MOST_BROKEN: u32 = 64;

/// What kind of samples a file decodes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signal {
    pub(super) rate: u32,
    pub(super) channels: usize,
    /// Bits of a sample; `None` for floating-point numbers.
    pub(super) bits: Option<u8>,
}

/// What there is to decode.
pub(super) struct Counted {
    pub(super) signal: Signal,
    pub(super) frames: u64,
    pub(super) note: Option<String>,
}

/// What became of a packet.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// There was none.
    pub(super) ended: bool,
    /// It is silence, because it could not be decoded.
    pub(super) damaged: bool,
}

/// A decoder on its way through a file.
pub(super) struct Stream<'a> {
    packets: Packets<'a>,
    decoder: Box<dyn AudioDecoder>,
    signal: Signal,
    broken: u32,
}

enum Packets<'a> {
    Framed { reader: Box<dyn FormatReader + 'a>, failure: Failure },
    Ogg { packets: ogg::Packets<'a>, packet: Vec<u8> },
}

/// Calls the library.
fn guarded<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(damage("the decoder cannot cope with it")))
}

/// What an error of the library means: the medium failed, or the content is damaged.
fn explained(error: &Error, failure: &Failure) -> io::Error {
    failed(failure).err().unwrap_or_else(|| damage(format!("it cannot be decoded: {error}")))
}

/// Opens a file and counts its frames without decoding them.
pub(super) fn count(found: &Found<'_>, limits: &Limits) -> io::Result<Counted> {
    let stream = Stream::open(found)?;
    let signal = stream.signal;
    match stream.packets {
        Packets::Ogg { .. } => {
            let length = ogg::length(found.file, || limits.check())?;
            let note = (!length.whole).then(|| "it is cut off".to_owned());
            Ok(Counted { signal, frames: length.frames, note })
        }
        Packets::Framed { reader, failure } => guarded(|| count_framed(reader, &failure, signal, limits)),
    }
}

fn count_framed(
    mut reader: Box<dyn FormatReader + '_>,
    failure: &Failure,
    signal: Signal,
    limits: &Limits,
) -> io::Result<Counted> {
    let announced = reader.tracks().first().and_then(|track| track.num_frames);
    let mut frames = 0_u64;
    let mut note = None;
    loop {
        limits.check()?;
        let packet = reader.next_packet();
        failed(failure)?;
        match packet {
            Ok(None) => break,
            // A gap: what follows is not where it was.
            Ok(Some(packet))
                if signal.bits.is_some() && packet.pts.get() != i64::try_from(frames).unwrap_or(-1) =>
            {
                note = Some("a part is missing; what follows it is not shown".to_owned());
                break;
            }
            Ok(Some(packet)) => frames = frames.saturating_add(valid(&packet, signal)),
            Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => {
                note = Some(format!("damaged: {error}; what follows is not shown"));
                break;
            }
        }
        if frames > limits.decoded {
            return Err(damage("it is too long to decode"));
        }
    }
    if note.is_none() && announced.is_some_and(|announced| frames < announced) {
        note = Some("it is cut off".to_owned());
    }
    if frames == 0 && announced != Some(0) {
        return Err(damage("nothing in it can be decoded"));
    }
    Ok(Counted { signal, frames, note })
}

impl<'a> Stream<'a> {
    /// Begins at the beginning.
    pub(super) fn open(found: &Found<'a>) -> io::Result<Self> {
        guarded(|| match found.codec {
            Codec::Flac | Codec::Mp3 => Self::framed(found),
            Codec::Vorbis => Self::ogg(found),
        })
    }

    fn framed(found: &Found<'a>) -> io::Result<Self> {
        let failure = Failure::default();
        // The reader of MP3 guesses the length of what it can seek, and cuts off what is behind that.
        let view = View::new(found, found.codec == Codec::Flac, failure.clone());
        let stream = MediaSourceStream::new(Box::new(view), MediaSourceStreamOptions::default());
        let reader: Result<Box<dyn FormatReader + 'a>> = match found.codec {
            Codec::Flac => {
                FlacReader::try_new(stream, FormatOptions::default()).map(|reader| Box::new(reader) as _)
            }
            _ => MpaReader::try_new(stream, FormatOptions::default()).map(|reader| Box::new(reader) as _),
        };
        let reader = reader.map_err(|error| explained(&error, &failure))?;
        let Some(CodecParameters::Audio(parameters)) =
            reader.tracks().first().and_then(|track| track.codec_params.clone())
        else {
            return Err(damage("it holds no audio"));
        };
        if found.codec == Codec::Mp3 && parameters.codec != CODEC_ID_MP3 {
            return Err(damage("it is of another layer than it seemed"));
        }
        let signal = Signal::of(&parameters, found.codec == Codec::Flac)?;
        let options = AudioDecoderOptions::default();
        let decoder: Result<Box<dyn AudioDecoder>> = match found.codec {
            Codec::Flac => FlacDecoder::try_new(&parameters, &options).map(|decoder| Box::new(decoder) as _),
            _ => MpaDecoder::try_new(&parameters, &options).map(|decoder| Box::new(decoder) as _),
        };
        let decoder = decoder.map_err(|error| explained(&error, &failure))?;
        Ok(Self { packets: Packets::Framed { reader, failure }, decoder, signal, broken: 0 })
    }

    fn ogg(found: &Found<'a>) -> io::Result<Self> {
        let mut packets = ogg::Packets::new(found.file);
        let (mut identification, mut packet) = (Vec::new(), Vec::new());
        let headers =
            packets.next(&mut identification)? && packets.next(&mut packet)? && packets.next(&mut packet)?;
        let Some(&[channels, r0, r1, r2, r3]) = identification.get(11..16).filter(|_| headers) else {
            return Err(damage("its headers are cut off"));
        };
        if !vorbis::is_modest(&packet) {
            return Err(damage("its set-up asks for more than any encoder does"));
        }
        let signal =
            Signal { rate: u32::from_le_bytes([r0, r1, r2, r3]), channels: channels.into(), bits: None };
        identification.truncate(30);
        identification.extend_from_slice(&packet);
        let mut parameters = AudioCodecParameters::new();
        parameters
            .for_codec(CODEC_ID_VORBIS)
            .with_sample_rate(signal.rate)
            .with_extra_data(identification.into_boxed_slice());
        let decoder = VorbisDecoder::try_new(&parameters, &AudioDecoderOptions::default())
            .map_err(|error| explained(&error, &Failure::default()))?;
        packet.clear();
        Ok(Self { packets: Packets::Ogg { packets, packet }, decoder: Box::new(decoder), signal, broken: 0 })
    }

    /// Goes to the packet that holds a frame and says with which frame it begins; `None` where that cannot be done.
    pub(super) fn seek(&mut self, frame: u64) -> io::Result<Option<u64>> {
        let Self { packets: Packets::Framed { reader, failure }, decoder, .. } = self else {
            return Ok(None);
        };
        let Ok(ts) = Timestamp::try_from(frame) else { return Ok(None) };
        guarded(|| {
            let sought = reader.seek(SeekMode::Accurate, SeekTo::Timestamp { ts, track_id: 0 });
            failed(failure)?;
            decoder.reset();
            Ok(sought.ok().and_then(|sought| u64::try_from(sought.actual_ts.get()).ok()))
        })
    }

    /// Decodes the next packet and appends its frames.
    pub(super) fn next(&mut self, format: &SampleFormat, out: &mut Vec<u8>) -> io::Result<Taken> {
        let taken = guarded(|| self.next_unguarded(format, out))?;
        self.broken = if taken.damaged { self.broken + 1 } else { 0 };
        if self.broken > MOST_BROKEN {
            return Err(damage("nothing in it can be decoded"));
        }
        Ok(taken)
    }

    fn next_unguarded(&mut self, format: &SampleFormat, out: &mut Vec<u8>) -> io::Result<Taken> {
        const ENDED: Taken = Taken { ended: true, damaged: false };
        let channels = self.signal.channels;
        let (decoded, frames) = match &mut self.packets {
            Packets::Framed { reader, failure } => {
                let packet = reader.next_packet();
                failed(failure)?;
                let Ok(Some(packet)) = packet else { return Ok(ENDED) };
                let frames = usize::try_from(valid(&packet, self.signal)).unwrap_or(usize::MAX);
                (self.decoder.decode(&packet), Some(frames))
            }
            Packets::Ogg { packets, packet } => {
                if !packets.next(packet)? {
                    return Ok(ENDED);
                }
                let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, packet);
                (self.decoder.decode_ref(&packet), None)
            }
        };
        // The length of a packet that cannot be decoded is known of those that stand in frames.
        let silence = |frames: usize, out: &mut Vec<u8>| {
            out.resize(out.len() + frames.min(1 << 16) * format.frame_len(), 0);
        };
        match decoded {
            Ok(buffer) if buffer.num_planes() == channels => {
                let there = buffer.frames().min(frames.unwrap_or(usize::MAX));
                pack(&buffer, there, format, out)?;
                silence(frames.map_or(0, |frames| frames - there), out);
                Ok(Taken::default())
            }
            Ok(_) | Err(Error::DecodeError(_) | Error::IoError(_)) => {
                silence(frames.unwrap_or(0), out);
                Ok(Taken { damaged: true, ended: false })
            }
            Err(_) => Ok(ENDED),
        }
    }
}

impl Signal {
    fn of(parameters: &AudioCodecParameters, integers: bool) -> io::Result<Self> {
        let bits = parameters.bits_per_sample.and_then(|bits| u8::try_from(bits).ok());
        let (Some(rate), Some(channels)) = (parameters.sample_rate, parameters.channels.as_ref()) else {
            return Err(damage("it does not say what its samples are"));
        };
        if integers && bits.is_none() {
            return Err(damage("it does not say what its samples are"));
        }
        Ok(Self { rate, channels: channels.count(), bits: bits.filter(|_| integers) })
    }
}

/// The frames of a packet without what the encoder put before the recording and behind it.
fn valid(packet: &Packet, signal: Signal) -> u64 {
    if signal.bits.is_some() {
        return packet.dur.get();
    }
    // symphonia 0.6.1 leaves these in the duration that it says is without them. A frame of layer III has 1152, and half of
    // that at the rates that MPEG 2 added.
    let frame: u64 = if signal.rate >= 32_000 { 1152 } else { 576 };
    let trimmed = packet.trim_start.get().saturating_add(packet.trim_end.get());
    packet.dur.get().min(frame.saturating_sub(trimmed))
}

/// Appends frames as they lie in a WAV file.
fn pack(
    buffer: &GenericAudioBufferRef<'_>,
    frames: usize,
    format: &SampleFormat,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let (step, size) = (format.frame_len(), format.container());
    let start = out.len();
    out.resize(start + frames * step, 0);
    let out = &mut out[start..];
    match buffer {
        GenericAudioBufferRef::S32(buffer) => {
            for (channel, plane) in buffer.iter_planes().enumerate() {
                for (frame, value) in out.chunks_exact_mut(step).zip(plane) {
                    // The highest bits of the 32 are the sample, whatever its size.
                    let bytes = value.to_le_bytes();
                    frame[channel * size..][..size].copy_from_slice(&bytes[4 - size..]);
                }
            }
        }
        GenericAudioBufferRef::F32(buffer) => {
            for (channel, plane) in buffer.iter_planes().enumerate() {
                for (frame, value) in out.chunks_exact_mut(step).zip(plane) {
                    frame[channel * size..][..size].copy_from_slice(&value.to_le_bytes());
                }
            }
        }
        _ => return Err(damage("the decoder gave samples of another kind")),
    }
    Ok(())
}
