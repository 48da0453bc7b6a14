//! The codecs of samples: what is coded comes back, and a payload may be anything.

use stem_audio::{CodecLevel, Encoding, SampleCodec, SampleFormat, Scratch, codec};

use super::super::feed::{Feed, pick};
use super::format;

/// The longest chunk that is made or asked for; what a payload may claim is more.
const LONGEST: usize = 1 << 15;

/// A chunk that is coded and decoded, or a payload that is only decoded.
///
/// # Panics
///
/// When a chunk does not come back, a buffer is not as it was after a refusal, or a payload gives another length than was
/// asked for.
pub fn check_sample_codec(data: &[u8]) {
    thread_local! {
        // One for all inputs, as a thread has one for all chunks: nothing may be left in it that counts.
        static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::new(Scratch::new());
    }
    let mut feed = Feed::new(data);
    SCRATCH.with_borrow_mut(|scratch| {
        if feed.byte().is_multiple_of(2) {
            check_coding(feed, scratch);
        } else {
            let codec = pick(SampleCodec::ALL, feed.byte());
            let raw_len = u32::from_le_bytes([feed.byte(), feed.byte(), feed.byte() % 8, 0]);
            check_decoding(codec, feed.rest(), raw_len as usize, scratch);
        }
    });
}

fn check_coding(mut feed: Feed<'_>, scratch: &mut Scratch) {
    let level = pick([CodecLevel::Default, CodecLevel::Fast, CodecLevel::High], feed.byte());
    let format = format(&mut feed);
    let [how, shift, damage] = feed.array();
    let at = feed.u32() as usize;
    let raw = chunk(feed, &format, how, shift);
    let mut payload = b"before".to_vec();
    let coded = codec::encode(&raw, &format, level, scratch, &mut payload);
    assert!(payload.starts_with(b"before"));
    let Some(codec) = coded else {
        assert_eq!(payload, b"before", "a refusal leaves something behind");
        return;
    };
    let payload = &payload[6..];
    assert!(payload.len() < raw.len(), "coding makes it larger");
    assert_eq!(SampleCodec::from_id(codec.id()), Some(codec));
    let mut back = b"before".to_vec();
    match codec::decode(codec, payload, raw.len(), scratch, &mut back) {
        Ok(()) => assert!(back.strip_prefix(b"before") == Some(&raw), "another chunk comes back"),
        Err(error) => panic!("what was coded is refused: {error}"),
    }
    assert!(codec::decodes_to(codec, payload, &raw, scratch));
    if raw.len().is_multiple_of(5) {
        let mut again = Vec::new();
        assert_eq!(codec::encode(&raw, &format, level, &mut Scratch::new(), &mut again), Some(codec));
        assert!(again == payload, "coding depends on what was coded before");
    }
    let mut damaged = payload.to_vec();
    let at = at % damaged.len();
    damaged[at] = damaged[at].wrapping_add(damage);
    for len in [raw.len(), raw.len() + format.frame_len(), raw.len() - 1] {
        check_decoding(codec, &damaged, len, scratch);
    }
}

fn check_decoding(codec: SampleCodec, payload: &[u8], raw_len: usize, scratch: &mut Scratch) {
    let mut out = b"before".to_vec();
    match codec::decode(codec, payload, raw_len, scratch, &mut out) {
        Ok(()) => {
            assert_eq!(out.len(), raw_len + 6, "another length than was asked for");
            assert!(out.starts_with(b"before"));
            let mut again = Vec::new();
            assert!(codec::decode(codec, payload, raw_len, &mut Scratch::new(), &mut again).is_ok());
            assert!(again == out[6..], "decoding depends on what was decoded before");
        }
        Err(error) => {
            assert_eq!(out, b"before", "an error leaves something behind");
            super::super::check_shown(&error);
        }
    }
}

/// A chunk of this format: bytes as they are, or as steps of a signal, which is what codecs are made for.
fn chunk(feed: Feed<'_>, format: &SampleFormat, how: u8, shift: u8) -> Vec<u8> {
    let bytes = feed.rest();
    let channels = format.channels();
    let container = format.container();
    // Few bytes make many frames.
    let repeats = 1 + usize::from(how >> 4) * 4;
    let wide = how & 8 != 0;
    let kind = how % 8 % 4;
    let mut state = vec![0_i32; channels];
    let mut raw = Vec::new();
    if kind == 0 {
        raw = bytes.repeat(repeats);
    } else {
        let steps = bytes.iter().cycle().take(bytes.len() * repeats);
        for (number, &step) in steps.enumerate() {
            let state = &mut state[number % channels];
            let step = i32::from(step.cast_signed()) << if wide { shift % 24 } else { 0 };
            *state = if kind == 2 { step } else { state.wrapping_add(step) };
            let value = *state;
            let sample = if format.encoding() == Encoding::Float {
                // The power of two of what a DAW exports, or something that no integer stands behind.
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a signal for tests, whatever it is rounded to"
                )]
                let float = value as f32 * (-f32::from(shift % 40)).exp2();
                if kind == 3 { float * 1.1 } else { float }.to_bits()
            } else {
                let value = value.cast_unsigned();
                if kind == 3 { value << (shift % 16) } else { value }
            };
            let [a, b, c, d] = sample.to_le_bytes();
            let mut sample = [a, b, c, d];
            if format.big_endian() {
                sample[..container].reverse();
            }
            raw.extend_from_slice(&sample[..container]);
            if raw.len() > LONGEST {
                break;
            }
        }
    }
    raw.truncate(LONGEST);
    raw.truncate(raw.len() - raw.len() % format.frame_len());
    raw
}
