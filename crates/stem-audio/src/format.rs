//! How one sample lies in memory.
//!
//! What counts is the container: the mapping to integers covers every bit of it, so a file that says 20 bits and
//! sets all 24 survives like any other. The valid bits are kept for whoever describes the file.

use std::num::NonZeroU8;

/// The largest number of channels that is taken for audio; files with more are just bytes.
pub const MAX_CHANNELS: u8 = 64;

/// What the bits of a sample mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Offset binary, as WAV has it for 8 bits: the middle of the container is silence.
    Unsigned,
    /// Two's complement.
    Signed,
    /// IEEE 754 binary32.
    Float,
}

/// The layout of interleaved samples. A value of this type is always one that the codecs can map.
///
/// ```
/// # use stem_audio::{Encoding, SampleFormat};
/// let format = SampleFormat::new(Encoding::Signed, 24, 3, 2, false, 48_000).unwrap();
/// assert_eq!(format.frame_len(), 6);
/// assert!(SampleFormat::new(Encoding::Float, 64, 8, 2, false, 48_000).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SampleFormat {
    encoding: Encoding,
    bits: u8,
    container: u8,
    channels: NonZeroU8,
    big_endian: bool,
    rate: u32,
}

impl SampleFormat {
    /// A format of `channels` interleaved samples of `bits` valid bits, each in `container` bytes, at `rate` frames
    /// per second (any number: nothing depends on it).
    ///
    /// `None` unless the container has 1 to 4 bytes and holds the bits, floats have 32 bits in 4 bytes, and there
    /// are 1 to [`MAX_CHANNELS`] channels.
    pub fn new(
        encoding: Encoding,
        bits: u8,
        container: u8,
        channels: u8,
        big_endian: bool,
        rate: u32,
    ) -> Option<Self> {
        let fits = match encoding {
            Encoding::Float => container == 4 && bits == 32,
            Encoding::Unsigned | Encoding::Signed => {
                (1..=4).contains(&container) && (1..=8 * container).contains(&bits)
            }
        };
        let channels = NonZeroU8::new(channels).filter(|channels| channels.get() <= MAX_CHANNELS)?;
        // One byte has no order; one spelling of each format keeps equal formats equal.
        fits.then_some(Self {
            encoding,
            bits,
            container,
            channels,
            big_endian: big_endian && container > 1,
            rate,
        })
    }

    /// What the bits mean.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How many bits of a sample the file calls valid, 1 to 32.
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Bytes of one sample of one channel, 1 to 4.
    pub const fn container(&self) -> usize {
        self.container as usize
    }

    /// The number of channels, 1 to [`MAX_CHANNELS`].
    pub const fn channels(&self) -> usize {
        self.channels.get() as usize
    }

    /// Whether a sample's first byte is its most significant one.
    pub const fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// Frames per second as the file says; may be zero.
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Bytes of one frame, that is one sample of every channel: 1 to 256.
    pub const fn frame_len(&self) -> usize {
        self.container() * self.channels()
    }
}
