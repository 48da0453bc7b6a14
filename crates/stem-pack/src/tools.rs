//! Raw bytes to payloads and back.
//!
//! What a payload is made with is decided by trying: audio codecs on samples, zstd on everything else, first on a sample
//! where there is much; kept is only what is shorter, and only after it was decoded and compared. So a codec with a bug
//! costs space, not music.
//!
//! Contexts and buffers are large; a store keeps a few sets of them and lends one to whoever codes.

use parking_lot::Mutex;
use stem_audio::{CodecLevel, SampleCodec, SampleFormat, Scratch, codec};
use stem_hash::ObjectId;
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::{CCtx, DCtx, compress_bound};

use crate::format::{Codec, RecordHeader, chunk_id, dictionary_tag};
use crate::options::Compression;

/// Sets of contexts that are kept when nobody uses them.
const KEPT: usize = 4;
/// A buffer that grew beyond this is not kept.
const KEPT_BUFFER: usize = 5 << 20;
/// From how many bytes on zstd is tried on a part first.
const TRIAL_FROM: usize = 256 << 10;
/// How long that part is.
const TRIAL: usize = 32 << 10;

/// A trained dictionary.
pub(crate) struct Dictionary {
    /// BLAKE3 of its bytes.
    pub(crate) id: ObjectId,
    pub(crate) bytes: Vec<u8>,
    encoder: Option<EncoderDictionary<'static>>,
    decoder: DecoderDictionary<'static>,
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dictionary").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Dictionary {
    /// A dictionary to read with; `None` when zstd cannot use it.
    pub(crate) fn reading(bytes: Vec<u8>) -> Option<Self> {
        let decoder = DecoderDictionary::try_copy(&bytes).ok()?;
        Some(Self { id: chunk_id(&bytes), encoder: None, decoder, bytes })
    }

    /// A dictionary to read and write with.
    pub(crate) fn writing(bytes: Vec<u8>, level: i32) -> Option<Self> {
        let encoder = Some(EncoderDictionary::try_copy(&bytes, level).ok()?);
        Some(Self { encoder, ..Self::reading(bytes)? })
    }

    pub(crate) fn tag(&self) -> [u8; 4] {
        dictionary_tag(&self.id)
    }
}

/// A coded payload, or word that the raw bytes are the payload.
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) codec: Codec,
    pub(crate) dictionary: [u8; 4],
    /// Empty when the codec is [`Codec::Raw`].
    pub(crate) payload: Vec<u8>,
}

impl Coded {
    pub(crate) fn raw() -> Self {
        Self { codec: Codec::Raw, dictionary: [0; 4], payload: Vec::new() }
    }

    /// The payload of an object whose bytes are `raw`.
    pub(crate) fn payload<'a>(&'a self, raw: &'a [u8]) -> &'a [u8] {
        if self.codec == Codec::Raw { raw } else { &self.payload }
    }
}

/// One set of contexts and buffers.
#[derive(Default)]
pub(crate) struct Tool {
    samples: Scratch,
    compressor: Option<CCtx<'static>>,
    decompressor: Option<DCtx<'static>>,
    decoded: Vec<u8>,
    /// For whoever reads records.
    pub(crate) record: Vec<u8>,
}

/// The sets that are not in use.
#[derive(Default)]
pub(crate) struct Tools(Mutex<Vec<Tool>>);

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools").finish_non_exhaustive()
    }
}

impl Tools {
    /// Lends a set.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Tool) -> T) -> T {
        let mut tool = self.0.lock().pop().unwrap_or_default();
        let result = work(&mut tool);
        for buffer in [&mut tool.decoded, &mut tool.record] {
            if buffer.capacity() > KEPT_BUFFER {
                *buffer = Vec::new();
            }
        }
        let mut idle = self.0.lock();
        if idle.len() < KEPT {
            idle.push(tool);
        }
        result
    }
}

impl Tool {
    /// Codes bytes: samples if `format` says what they are, and with `dictionary` if there is one.
    pub(crate) fn encode(
        &mut self,
        raw: &[u8],
        format: Option<&SampleFormat>,
        dictionary: Option<&Dictionary>,
        compression: Compression,
    ) -> Coded {
        let coded = match (compression, format) {
            (Compression::Raw, _) => None,
            (Compression::Audio { samples, .. }, Some(format)) => self.samples(raw, format, samples),
            (Compression::Zstd(level) | Compression::Audio { zstd: level, .. }, _) => {
                self.zstd(raw, level, dictionary)
            }
        };
        coded.unwrap_or_else(Coded::raw)
    }

    fn samples(&mut self, raw: &[u8], format: &SampleFormat, level: CodecLevel) -> Option<Coded> {
        let mut payload = Vec::new();
        let codec = codec::encode(raw, format, level, &mut self.samples, &mut payload)?;
        if payload.len() >= raw.len() || !codec::decodes_to(codec, &payload, raw, &mut self.samples) {
            return None;
        }
        payload.shrink_to_fit();
        Some(Coded { codec: Codec::Sample(codec.id()), dictionary: [0; 4], payload })
    }

    fn zstd(&mut self, raw: &[u8], level: i32, dictionary: Option<&Dictionary>) -> Option<Coded> {
        if raw.is_empty() || (raw.len() >= TRIAL_FROM && !self.promises(raw)) {
            return None;
        }
        let encoder = dictionary.and_then(|dictionary| Some((dictionary, dictionary.encoder.as_ref()?)));
        let mut payload = Vec::new();
        self.compress(raw, &mut payload, level, encoder.map(|(_, encoder)| encoder))?;
        if payload.len() >= raw.len() {
            return None;
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        let dictionary = encoder.map(|(dictionary, _)| dictionary);
        let same = self.decompress(&payload, raw.len(), dictionary, &mut decoded) && decoded == raw;
        self.decoded = decoded;
        let codec = if dictionary.is_some() { Codec::ZstdDictionary } else { Codec::Zstd };
        same.then(|| Coded { codec, dictionary: dictionary.map_or([0; 4], Dictionary::tag), payload })
    }

    /// Whether a part from the middle gets smaller, fast.
    fn promises(&mut self, raw: &[u8]) -> bool {
        let start = raw.len() / 2;
        let part = raw.get(start..start + TRIAL).unwrap_or(raw);
        let head = raw.get(..TRIAL).unwrap_or(raw);
        let mut payload = std::mem::take(&mut self.decoded);
        let promising = [part, head].into_iter().any(|part| {
            self.compress(part, &mut payload, 1, None).is_some()
                && payload.len() < part.len() - part.len() / 32
        });
        self.decoded = payload;
        promising
    }

    fn compress(
        &mut self,
        raw: &[u8],
        payload: &mut Vec<u8>,
        level: i32,
        encoder: Option<&EncoderDictionary<'static>>,
    ) -> Option<()> {
        if self.compressor.is_none() {
            self.compressor = CCtx::try_create();
        }
        let context = self.compressor.as_mut()?;
        payload.clear();
        payload.reserve(compress_bound(raw.len()));
        let done = match encoder {
            Some(encoder) => context.compress_using_cdict(payload, raw, encoder.as_cdict()),
            None => context.compress(payload, raw, level),
        };
        done.ok().map(drop)
    }

    /// Whether `payload` is a frame of exactly `len` bytes, which then are in `out`.
    fn decompress(
        &mut self,
        payload: &[u8],
        len: usize,
        dictionary: Option<&Dictionary>,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.decompressor.is_none() {
            self.decompressor = DCtx::try_create();
        }
        let Some(context) = self.decompressor.as_mut() else { return false };
        out.clear();
        out.resize(len, 0);
        let room = &mut out[..];
        let done = match dictionary {
            Some(dictionary) => context.decompress_using_ddict(room, payload, dictionary.decoder.as_ddict()),
            None => context.decompress(room, payload),
        };
        done == Ok(len)
    }

    /// Decodes the coded part of a payload into `out`, whose length is then the header's raw length. Says what is wrong
    /// otherwise. Memory is bounded by the header, which was validated.
    pub(crate) fn decode(
        &mut self,
        header: &RecordHeader,
        coded: &[u8],
        dictionary: Option<&Dictionary>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let len = usize::try_from(header.raw_len).map_err(|error| error.to_string())?;
        match header.codec {
            Codec::Raw => {
                out.clear();
                out.extend_from_slice(coded);
                if coded.len() == len { Ok(()) } else { Err("its length is not that of the bytes".into()) }
            }
            Codec::Zstd | Codec::ZstdDictionary => {
                let needed = header.codec == Codec::ZstdDictionary;
                if needed && dictionary.is_none() {
                    return Err("its dictionary is not there".into());
                }
                let frame = self.decompress(coded, len, dictionary.filter(|_| needed), out);
                if frame { Ok(()) } else { Err("it is no zstd frame of that length".into()) }
            }
            Codec::Sample(number) => {
                let Some(codec) = SampleCodec::from_id(number) else {
                    return Err(format!("its samples are coded by codec {number}; use a newer program"));
                };
                out.clear();
                codec::decode(codec, coded, len, &mut self.samples, out)
                    .map_err(|error| error.to_string())?;
                if out.len() == len { Ok(()) } else { Err("its samples have another length".into()) }
            }
            Codec::Other(number) => Err(format!("it is coded by codec {number}; use a newer program")),
        }
    }
}
