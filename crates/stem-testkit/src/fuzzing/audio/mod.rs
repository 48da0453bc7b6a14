//! Audio: containers, chunking, the codecs of samples, and FLAC.

mod chunks;
mod container;
mod flac;
mod samples;

pub use chunks::check_chunker;
pub use container::check_audio_probe;
pub use flac::check_flac;
pub use samples::check_sample_codec;

use stem_audio::{Encoding, SampleFormat};

use super::feed::{Feed, pick};

/// A format chosen by the next bytes.
fn format(feed: &mut Feed<'_>) -> SampleFormat {
    let encoding = pick([Encoding::Signed, Encoding::Float, Encoding::Unsigned], feed.byte());
    let float = encoding == Encoding::Float;
    let container = if float { 4 } else { feed.byte() % 4 + 1 };
    let bits = if float { 32 } else { container * 8 - feed.byte() % 8 };
    // Mostly few channels.
    let channels = match feed.byte() {
        many @ 250.. => many - 191,
        few => few % 9 + 1,
    };
    let big_endian = feed.byte() % 2 == 1;
    match SampleFormat::new(encoding, bits, container, channels, big_endian, feed.u32()) {
        Some(format) => format,
        None => panic!("{encoding:?} of {bits} bits in {container} bytes, {channels} channels, is a format"),
    }
}
