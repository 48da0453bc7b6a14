//! Chunks of floats: exact ones cost what their integers cost, all others come back.

use proptest::collection::vec;
use proptest::prelude::*;
use stem_audio::{CodecLevel, Encoding, SampleCodec, SampleFormat, Scratch, codec, pcm};

use crate::codecs::round_trip;
use crate::common::{Random, float_bytes, float_format, tone};

/// Interleaves planes.
fn interleaved(planes: &[Vec<i32>]) -> impl Iterator<Item = i32> + '_ {
    (0..planes[0].len()).flat_map(move |frame| planes.iter().map(move |plane| plane[frame]))
}

#[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
fn floats(planes: &[Vec<i32>], unit: f32) -> Vec<f32> {
    interleaved(planes).map(|value| value as f32 * unit).collect()
}

const UNIT: f32 = 1.0 / 8_388_608.0;

fn integer_size(planes: &[Vec<i32>], container: u8) -> usize {
    let channels = u8::try_from(planes.len()).unwrap();
    let format =
        SampleFormat::new(Encoding::Signed, 8 * container, container, channels, false, 48_000).unwrap();
    let mut raw = Vec::new();
    pcm::pack(planes, &format, &mut raw);
    round_trip(&raw, &format, &mut Scratch::new()).unwrap().1
}

fn coded(values: &[f32], channels: u8) -> Option<(SampleCodec, usize)> {
    round_trip(&float_bytes(values.iter().copied()), &float_format(channels), &mut Scratch::new())
}

/// Which mapping a payload of codec 2 has.
fn is_split(values: &[f32], channels: u8) -> bool {
    let mut payload = Vec::new();
    let raw = float_bytes(values.iter().copied());
    let format = float_format(channels);
    let chosen = codec::encode(&raw, &format, CodecLevel::Default, &mut Scratch::new(), &mut payload);
    assert_eq!(chosen, Some(SampleCodec::Floats));
    payload[12] == 1
}

#[test]
fn exact_floats_cost_what_their_integers_cost() {
    for channels in [1, 2, 5] {
        for bits in [16, 24] {
            let planes = tone(30_000, channels, bits, 11);
            let integers = integer_size(&planes, u8::try_from(bits / 8).unwrap());
            let channels = u8::try_from(channels).unwrap();
            // At the usual scale, at those of other full scales, and far from any.
            for unit in [UNIT, 1.0 / 32_768.0, 1.0, UNIT / 64.0, 2_f32.powi(-100), 2_f32.powi(80)] {
                let values = floats(&planes, unit);
                let (chosen, size) = coded(&values, channels).unwrap();
                assert_eq!(chosen, SampleCodec::Floats);
                assert!(!is_split(&values, channels));
                assert!(size * 50 <= integers * 51, "{size} for floats, {integers} for integers");
            }
        }
    }
}

#[test]
fn clipping_beyond_full_scale_is_exact() {
    let planes = tone(30_000, 2, 24, 12);
    // 6 dB louder after conversion: twice full scale, and still multiples of 2^-23.
    for gain in [2.0, 8.0, 64.0] {
        let values = floats(&planes, UNIT * gain);
        assert!(gain < 64.0 || values.iter().any(|value| value.abs() > 1.0));
        assert!(!is_split(&values, 2));
    }
    let mut values = floats(&planes, UNIT);
    values[1234] = 100.0 + 2.0 * UNIT * 64.0;
    assert!(!is_split(&values, 2), "a single peak");
}

#[test]
fn negative_zeros_are_noted_beside_the_integers() {
    let planes = tone(40_000, 2, 24, 13);
    let plain = floats(&planes, UNIT);
    let (_, without) = coded(&plain, 2).unwrap();
    // Inverted: all silence is -0.0.
    let inverted: Vec<f32> = plain.iter().map(|value| -value).collect();
    assert!(inverted.iter().filter(|value| value.to_bits() == 0x8000_0000).count() > 5_000);
    assert!(!is_split(&inverted, 2));
    let (_, with) = coded(&inverted, 2).unwrap();
    assert!(with * 50 <= without * 51, "{with}, without {without}");
    // A single one, and any of them.
    let mut single = plain.clone();
    single[3] = -0.0;
    assert!(coded(&single, 2).unwrap().1 < without + 64);
    let mut random = Random(5);
    let mixed: Vec<f32> =
        plain.iter().map(|&value| if value == 0.0 && random.below(2) == 1 { -0.0 } else { value }).collect();
    let (_, size) = coded(&mixed, 2).unwrap();
    assert!(size < without + without / 4, "{size}, without {without}");
    // Nothing but negative zeros.
    let (_, size) = coded(&vec![-0.0; 10_000], 2).unwrap();
    assert!(size < 1_000, "{size}");
}

#[test]
fn the_output_of_a_mixer_is_split() {
    let planes = tone(60_000, 2, 24, 14);
    let values: Vec<f32> = floats(&planes, UNIT).into_iter().map(|value| value * 0.813_571_9).collect();
    assert!(is_split(&values, 2));
    let (_, size) = coded(&values, 2).unwrap();
    let raw = 4 * values.len();
    let mut shuffled: Vec<u8> = Vec::new();
    for byte in 0..4 {
        shuffled.extend(values.iter().map(|value| value.to_le_bytes()[byte]));
    }
    let by_planes = zstd::bulk::compress(&shuffled, 3).unwrap().len();
    assert!(size < by_planes, "{size} of {raw}; byte planes take {by_planes}");
}

#[test]
fn odd_floats_among_others_do_not_spoil_the_chunk() {
    let planes = tone(60_000, 2, 24, 15);
    let plain = floats(&planes, UNIT);
    let (_, without) = coded(&plain, 2).unwrap();
    for odd in [f32::NAN, f32::from_bits(0xFFC1_2345), f32::INFINITY, f32::NEG_INFINITY, 1e-42, -1e-38, 3e-20]
    {
        let mut values = plain.clone();
        values[777] = odd;
        let (chosen, size) = coded(&values, 2).unwrap();
        assert_eq!(chosen, SampleCodec::Floats, "{odd}");
        assert!(size < without + without / 50, "{odd}: {size}, without {without}");
    }
    // A value so large that all others are nothing beside it.
    let mut values = plain;
    values[777] = 1e30;
    assert!(coded(&values, 2).is_some());
}

#[test]
fn floats_without_order_come_back() {
    let mut scratch = Scratch::new();
    let mut random = Random(6);
    for channels in [1, 2, 3, 64] {
        let format = float_format(channels);
        for frames in [1, 5, 300, 3000] {
            let length = frames * format.frame_len();
            round_trip(&random.bytes(length), &format, &mut scratch);
            // The same exponent, any sign and mantissa.
            let values = (0..length / 4)
                .map(|_| f32::from_bits(0x3F00_0000 | random.signed(32).cast_unsigned() & 0x807F_FFFF));
            round_trip(&float_bytes(values), &format, &mut scratch);
            round_trip(&float_bytes(vec![f32::NAN; length / 4]), &format, &mut scratch);
            round_trip(&float_bytes(vec![f32::MIN_POSITIVE / 2.0; length / 4]), &format, &mut scratch);
            round_trip(&float_bytes(vec![f32::MAX; length / 4]), &format, &mut scratch);
        }
    }
    let mut random = Random(7);
    let exponents: Vec<f32> = (0..9000)
        .map(|i| f32::from_bits((i % 256) << 23 | random.signed(32).cast_unsigned() & 0x8000_0003))
        .collect();
    round_trip(&float_bytes(exponents), &float_format(2), &mut scratch);
}

#[test]
fn both_byte_orders_are_floats() {
    let planes = tone(10_000, 2, 24, 16);
    let format = SampleFormat::new(Encoding::Float, 32, 4, 2, true, 48_000).unwrap();
    let raw: Vec<u8> = floats(&planes, UNIT).into_iter().flat_map(f32::to_be_bytes).collect();
    let (chosen, size) = round_trip(&raw, &format, &mut Scratch::new()).unwrap();
    assert_eq!(Some((chosen, size)), coded(&floats(&planes, UNIT), 2));
}

/// Numbers of one exponent range, with some of everything that is special.
fn any_floats() -> impl Strategy<Value = Vec<f32>> {
    let special = prop::sample::select(vec![
        0.0,
        -0.0,
        f32::NAN,
        f32::INFINITY,
        f32::MIN_POSITIVE,
        1e-45,
        -1e-45,
        f32::MAX,
        1.0,
        -1.0,
    ]);
    (1..255_u32, 0..40_u32, 0..24_u32, 0..30_u32).prop_flat_map(move |(top, range, low, often)| {
        let normal = (any::<u32>(), 0..=range).prop_map(move |(bits, down)| {
            let mantissa = bits & 0x7F_FFFF & (u32::MAX << low);
            f32::from_bits(bits & 0x8000_0000 | top.saturating_sub(down) << 23 | mantissa)
        });
        vec(prop_oneof![60 => normal, often => special.clone()], 0..600)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_floats_come_back(mut values in any_floats(), channels in 1..=5_u8) {
        values.truncate(values.len() / usize::from(channels) * usize::from(channels));
        round_trip(&float_bytes(values), &float_format(channels), &mut Scratch::new());
    }
}
