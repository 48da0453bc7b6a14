//! RIFF/WAVE containers as audio programs write them.
//!
//! Real files are not "44 bytes and samples": floats carry a `fact` chunk, broadcast files a `bext` chunk, editors
//! leave `JUNK` where a 64-bit size may later be needed, tags follow the samples, and chunks of odd size are padded.
//! Code that finds samples must survive all of it, so all of it is made here.
//! Sources: Microsoft "Multiple channel audio data and WAVE files", EBU Tech 3285 (`bext`), EBU Tech 3306 (RF64).

/// How one sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleFormat {
    /// Signed 16-bit integers.
    Pcm16,
    /// Signed 24-bit integers in three bytes.
    Pcm24,
    /// IEEE 754 single precision, full scale at ±1.0.
    Float32,
}

impl SampleFormat {
    /// Bytes per sample.
    pub const fn bytes(self) -> u16 {
        match self {
            Self::Pcm16 => 2,
            Self::Pcm24 => 3,
            Self::Float32 => 4,
        }
    }

    const fn code(self) -> u16 {
        match self {
            Self::Pcm16 | Self::Pcm24 => 1,
            Self::Float32 => 3,
        }
    }
}

/// Sampling rate, channels and sample type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    rate: u32,
    channels: u16,
    sample: SampleFormat,
}

impl Format {
    /// 48 kHz, stereo, 24 bits: what most stems are.
    pub const STUDIO: Self = Self { rate: 48_000, channels: 2, sample: SampleFormat::Pcm24 };
    /// 48 kHz, stereo, 32-bit float.
    pub const STUDIO_FLOAT: Self = Self { rate: 48_000, channels: 2, sample: SampleFormat::Float32 };
    /// 44.1 kHz, mono, 16 bits: a guide track.
    pub const GUIDE: Self = Self { rate: 44_100, channels: 1, sample: SampleFormat::Pcm16 };

    /// `None` unless the rate is 8,000 to 192,000 Hz and there are 1 to 8 channels.
    pub const fn new(rate: u32, channels: u16, sample: SampleFormat) -> Option<Self> {
        if rate < 8_000 || rate > 192_000 || channels == 0 || channels > 8 {
            return None;
        }
        Some(Self { rate, channels, sample })
    }

    /// Frames per second.
    pub const fn rate(self) -> u32 {
        self.rate
    }

    /// Samples per frame.
    pub const fn channels(self) -> u16 {
        self.channels
    }

    /// How one sample is stored.
    pub const fn sample(self) -> SampleFormat {
        self.sample
    }

    /// Bytes per frame.
    pub const fn frame_bytes(self) -> u16 {
        self.channels * self.sample.bytes()
    }
}

/// A chunk beside `fmt `, `fact` and `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extra {
    /// `JUNK` of so many zero bytes; 28 is what reserves room for `ds64`.
    Junk(u16),
    /// The broadcast extension, version 1, with a coding history.
    Bext,
    /// `LIST`/`INFO` with a title and the name of the software.
    Info,
}

/// More frames than this are cut: every size below fits 64 bits with room to spare.
const MAX_FRAMES: u64 = 1 << 48;
/// Body of `ds64` with an empty table.
const DS64_BODY: u64 = 28;

/// Everything of a file but its samples: [`head`](Self::head), then [`data_len`](Self::data_len) bytes of samples,
/// then [`tail`](Self::tail).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wave {
    format: Format,
    frames: u64,
    title: String,
    extensible: bool,
    before: Vec<Extra>,
    after: Vec<Extra>,
}

impl Wave {
    /// The plainest header that is correct for `format`.
    pub const fn new(format: Format, frames: u64) -> Self {
        Self {
            format,
            frames: if frames > MAX_FRAMES { MAX_FRAMES } else { frames },
            title: String::new(),
            extensible: false,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Names the recording in `bext` and `INFO`.
    #[must_use]
    pub fn titled(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// Uses `WAVE_FORMAT_EXTENSIBLE`.
    #[must_use]
    pub const fn extensible(mut self) -> Self {
        self.extensible = true;
        self
    }

    /// Adds a chunk before the samples; `JUNK` and `bext` come before `fmt `, tags after it.
    #[must_use]
    pub fn with(mut self, extra: Extra) -> Self {
        self.before.push(extra);
        self
    }

    /// Adds a chunk after the samples.
    #[must_use]
    pub fn followed_by(mut self, extra: Extra) -> Self {
        self.after.push(extra);
        self
    }

    /// The same with as many frames as fit into a file of `len` bytes; none when not even the header fits.
    #[must_use]
    pub fn fitting(mut self, len: u64) -> Self {
        self.frames = 0;
        let room = len.saturating_sub(self.len());
        self.frames = (room / u64::from(self.format.frame_bytes())).min(MAX_FRAMES);
        // The pad byte and `ds64` appear only once there are samples.
        while self.frames > 0 && self.len() > len {
            self.frames -= 1;
        }
        self
    }

    /// The same with another number of frames.
    #[must_use]
    pub fn with_frames(mut self, frames: u64) -> Self {
        self.frames = frames.min(MAX_FRAMES);
        self
    }

    /// Rate, channels and sample type.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Frames of audio.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes of samples, without the pad byte.
    pub fn data_len(&self) -> u64 {
        self.frames * u64::from(self.format.frame_bytes())
    }

    /// Bytes of the whole file.
    pub fn len(&self) -> u64 {
        as_u64(self.head().len()) + self.data_len() + as_u64(self.tail().len())
    }

    /// Always false: even a file without frames has a header.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The bytes before the first sample.
    pub fn head(&self) -> Vec<u8> {
        let chunks = self.leading_chunks();
        let tail = as_u64(self.tail().len());
        // What follows the size field: "WAVE", the chunks, the header of `data`, the samples, the tail.
        let riff = 4 + as_u64(chunks.len()) + 8 + self.data_len() + tail;
        let mut out = Vec::with_capacity(chunks.len() + 64);
        if let (Ok(riff), Ok(data)) = (u32::try_from(riff), u32::try_from(self.data_len())) {
            out.extend_from_slice(b"RIFF");
            out.extend_from_slice(&riff.to_le_bytes());
            out.extend_from_slice(b"WAVE");
            out.extend_from_slice(&chunks);
            out.extend_from_slice(b"data");
            out.extend_from_slice(&data.to_le_bytes());
        } else {
            let mut sizes = Vec::with_capacity(28);
            sizes.extend_from_slice(&(riff + 8 + DS64_BODY).to_le_bytes());
            sizes.extend_from_slice(&self.data_len().to_le_bytes());
            sizes.extend_from_slice(&self.frames.to_le_bytes());
            sizes.extend_from_slice(&0_u32.to_le_bytes());
            out.extend_from_slice(b"RF64\xFF\xFF\xFF\xFFWAVE");
            chunk(&mut out, *b"ds64", &sizes);
            out.extend_from_slice(&chunks);
            out.extend_from_slice(b"data\xFF\xFF\xFF\xFF");
        }
        out
    }

    /// The bytes after the last sample: the pad byte of an odd `data` chunk, and the chunks that follow.
    pub fn tail(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.data_len().is_multiple_of(2) {
            out.push(0);
        }
        for extra in &self.after {
            self.extra(&mut out, *extra);
        }
        out
    }

    fn leading_chunks(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        for extra in self.before.iter().filter(|extra| !matches!(extra, Extra::Info)) {
            self.extra(&mut out, *extra);
        }
        chunk(&mut out, *b"fmt ", &self.fmt());
        if self.format.sample == SampleFormat::Float32 {
            chunk(&mut out, *b"fact", &u32::try_from(self.frames).unwrap_or(u32::MAX).to_le_bytes());
        }
        for extra in self.before.iter().filter(|extra| matches!(extra, Extra::Info)) {
            self.extra(&mut out, *extra);
        }
        out
    }

    fn fmt(&self) -> Vec<u8> {
        let Format { rate, channels, sample } = self.format;
        let frame = self.format.frame_bytes();
        let bits = sample.bytes() * 8;
        let mut out = Vec::with_capacity(40);
        let code = if self.extensible { 0xFFFE } else { sample.code() };
        out.extend_from_slice(&code.to_le_bytes());
        out.extend_from_slice(&channels.to_le_bytes());
        out.extend_from_slice(&rate.to_le_bytes());
        out.extend_from_slice(&(rate * u32::from(frame)).to_le_bytes());
        out.extend_from_slice(&frame.to_le_bytes());
        out.extend_from_slice(&bits.to_le_bytes());
        if self.extensible {
            out.extend_from_slice(&22_u16.to_le_bytes());
            out.extend_from_slice(&bits.to_le_bytes());
            // The first speaker positions in order: left, right, centre and so on.
            let speakers = if channels == 1 { 4 } else { (1_u32 << channels) - 1 };
            out.extend_from_slice(&speakers.to_le_bytes());
            out.extend_from_slice(&sample.code().to_le_bytes());
            out.extend_from_slice(b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71");
        } else if sample == SampleFormat::Float32 {
            out.extend_from_slice(&0_u16.to_le_bytes());
        }
        out
    }

    fn extra(&self, out: &mut Vec<u8>, extra: Extra) {
        match extra {
            Extra::Junk(len) => chunk(out, *b"JUNK", &vec![0; usize::from(len)]),
            Extra::Bext => chunk(out, *b"bext", &self.bext()),
            Extra::Info => {
                let mut body = b"INFO".to_vec();
                let mut title = self.title.clone().into_bytes();
                title.push(0);
                chunk(&mut body, *b"INAM", &title);
                chunk(&mut body, *b"ISFT", b"stemvault\0");
                chunk(out, *b"LIST", &body);
            }
        }
    }

    fn bext(&self) -> Vec<u8> {
        let Format { rate, channels, sample } = self.format;
        let mut out = Vec::with_capacity(680);
        field(&mut out, self.title.as_bytes(), 256);
        field(&mut out, b"stemvault", 32);
        field(&mut out, b"", 32);
        field(&mut out, b"2026-01-01", 10);
        field(&mut out, b"12:00:00", 8);
        // The usual start of a session: one hour after midnight.
        out.extend_from_slice(&(u64::from(rate) * 3600).to_le_bytes());
        out.extend_from_slice(&1_u16.to_le_bytes());
        // UMID and the reserved bytes.
        field(&mut out, b"", 64 + 190);
        let mode = if channels == 1 { "mono" } else { "stereo" };
        let bits = sample.bytes() * 8;
        out.extend_from_slice(format!("A=PCM,F={rate},W={bits},M={mode},T=stemvault\r\n").as_bytes());
        out
    }
}

/// Appends a chunk with its pad byte.
fn chunk(out: &mut Vec<u8>, id: [u8; 4], body: &[u8]) {
    out.extend_from_slice(&id);
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(body);
    if !body.len().is_multiple_of(2) {
        out.push(0);
    }
}

/// Appends `text` cut or zero-filled to `width` bytes.
fn field(out: &mut Vec<u8>, text: &[u8], width: usize) {
    let end = out.len() + width;
    out.extend(text.iter().take(width));
    out.resize(end, 0);
}

fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
