//! Payloads of released versions, one for each codec and mapping: they stay readable.

use std::path::PathBuf;

use stem_audio::{CodecLevel, Encoding, SampleCodec, SampleFormat, Scratch, codec, pcm};

use crate::common::{Random, float_bytes, tone};

/// A chunk that can be made again.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) format: SampleFormat,
    pub(crate) raw: Vec<u8>,
    codec: SampleCodec,
}

impl Case {
    pub(crate) fn encoded(&self) -> (SampleCodec, Vec<u8>) {
        let mut payload = Vec::new();
        let chosen =
            codec::encode(&self.raw, &self.format, CodecLevel::Default, &mut Scratch::new(), &mut payload);
        assert_eq!(chosen, Some(self.codec), "{}", self.name);
        (self.codec, payload)
    }

    fn path(&self) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "tests", "golden", &format!("{}.bin", self.name)].iter().collect()
    }
}

fn integers(
    name: &'static str,
    encoding: Encoding,
    container: u8,
    channels: u8,
    big_endian: bool,
    bits: u32,
) -> Case {
    let format = SampleFormat::new(encoding, 8 * container, container, channels, big_endian, 48_000).unwrap();
    let mut planes = tone(2_000, channels.into(), bits, 21);
    // Integers of fewer bits than the container lie at its top, as WAV wants them.
    for value in planes.iter_mut().flatten() {
        *value <<= 8 * u32::from(container) - bits;
    }
    let mut raw = Vec::new();
    pcm::pack(&planes, &format, &mut raw);
    Case { name, format, raw, codec: SampleCodec::Integers }
}

#[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
fn floats(name: &'static str, big_endian: bool, map: impl Fn(usize, f32) -> f32) -> Case {
    let format = SampleFormat::new(Encoding::Float, 32, 4, 3, big_endian, 44_100).unwrap();
    let planes = tone(2_000, 3, 24, 22);
    let values = (0..6_000).map(|index| map(index, planes[index % 3][index / 3] as f32 / 8_388_608.0));
    let raw = if big_endian { values.flat_map(f32::to_be_bytes).collect() } else { float_bytes(values) };
    Case { name, format, raw, codec: SampleCodec::Floats }
}

/// Every codec and every mapping.
pub(crate) fn cases() -> Vec<Case> {
    let mut random = Random(23);
    let noise: Vec<f32> =
        (0..3_000).map(|_| f32::from_bits(random.signed(32).cast_unsigned() & 0xFFFF_FF00)).collect();
    let format = SampleFormat::new(Encoding::Float, 32, 4, 3, false, 44_100).unwrap();
    vec![
        integers("integers-u8-mono", Encoding::Unsigned, 1, 1, false, 8),
        integers("integers-s16le-stereo", Encoding::Signed, 2, 2, false, 16),
        integers("integers-s24be-5-channels", Encoding::Signed, 3, 5, true, 24),
        integers("integers-20-in-24", Encoding::Signed, 3, 2, false, 20),
        integers("integers-s32le-stereo", Encoding::Signed, 4, 2, false, 32),
        floats("floats-exact", false, |_, value| value),
        floats("floats-exact-big-endian-loud", true, |_, value| value * 4.0),
        floats("floats-exact-negative-zeros", false, |_, value| -value),
        floats("floats-exact-other-scale", false, |_, value| value / 65_536.0),
        floats("floats-split", false, |_, value| value * 0.813_571_9),
        floats("floats-split-few-low-bits", false, |index, value| {
            value + if index > 3_000 { 1.5 } else { 2_f32.powi(-30) }
        }),
        floats("floats-split-exceptions", false, |index, value| match index % 1_000 {
            1 => f32::NAN,
            2 => f32::NEG_INFINITY,
            3 => -0.0,
            4 => 1e-40,
            5 => 1e-20,
            _ => value * 0.7,
        }),
        Case { name: "byte-planes", format, raw: float_bytes(noise), codec: SampleCodec::BytePlanes },
    ]
}

#[test]
fn golden_payloads_decode() {
    for case in cases() {
        let payload = std::fs::read(case.path()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let mut raw = Vec::new();
        codec::decode(case.codec, &payload, case.raw.len(), &mut Scratch::new(), &mut raw).unwrap();
        assert!(raw == case.raw, "{}", case.name);
        let (_, now) = case.encoded();
        assert!(now.len() <= payload.len() + payload.len() / 50, "{} has grown", case.name);
    }
}

/// Writes the golden payloads of cases that have none; those that are there belong to a released version.
#[test]
#[ignore = "writes into the source tree"]
fn write_golden_payloads() {
    for case in cases() {
        let path = case.path();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !path.exists() {
            std::fs::write(path, case.encoded().1).unwrap();
        }
    }
}
