//! The vectorised passes against what they are defined to be, and damage that the checksums do not hide.

#![expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]

use super::encode::Block;
use super::lpc::{Part, Predictions, Predictor, Window};
use super::*;

fn noise(bits: u32, len: usize, seed: u64) -> Vec<i32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i32::try_from(state.cast_signed() >> (64 - bits)).unwrap()
    };
    (0..len).map(|_| next()).collect()
}

/// Something that a predictor predicts.
fn tone(bits: u32, len: usize) -> Vec<i32> {
    let noise = noise(bits.saturating_sub(9).max(1), len, 5);
    let mut samples = vec![0_i32; len];
    for i in 2..len {
        // A resonance, kept within its bits.
        let next = (i64::from(samples[i - 1]) * 31 - i64::from(samples[i - 2]) * 16) / 16 * 31 / 32;
        let limit = 1_i64 << (bits - 2);
        samples[i] = i32::try_from((next + i64::from(noise[i])).clamp(-limit, limit - 1)).unwrap();
    }
    samples
}

fn unfold(value: u32) -> i64 {
    if value.is_multiple_of(2) { i64::from(value / 2) } else { -i64::from(value / 2) - 1 }
}

fn predictor_of(samples: &[i32], order: usize, precision: u32) -> Predictor {
    let autocorrelation = Window::default().autocorrelation::<{ lpc::MAX_LAGS }>(samples, Part::All);
    Predictions::new(&autocorrelation).quantised(order, precision).unwrap()
}

#[test]
fn fixed_residuals_are_differences_and_come_back() {
    for bits in [4, 16, 24, 28] {
        for len in [5, 6, 13, 64, 101] {
            let samples = noise(bits, len, 1);
            let mut expected: Vec<i64> = samples.iter().map(|sample| i64::from(*sample)).collect();
            for order in 0..=fixed::MAX_ORDER {
                let mut folded = vec![9; len];
                fixed::residual(&samples, order, &mut folded);
                assert!(folded[..order].iter().all(|value| *value == 0));
                let residual: Vec<i64> = folded[order..].iter().map(|value| unfold(*value)).collect();
                assert_eq!(residual, expected, "{bits} bits, order {order}");
                let sum: i64 = residual[fixed::MAX_ORDER - order..].iter().map(|value| value.abs()).sum();
                let estimate = f64::from(fixed::sums(&samples)[order]);
                assert!((sum as f64 - estimate).abs() <= sum as f64 * 1e-5);

                let mut restored = samples.clone();
                for (sample, residual) in restored[order..].iter_mut().zip(residual) {
                    *sample = i32::try_from(residual).unwrap();
                }
                let mut fit = Fit::default();
                fixed::restore(&mut restored, order, &mut fit);
                assert_eq!(restored, samples);
                assert!(fit.is_within(bits));
                expected = expected.windows(2).map(|pair| pair[1] - pair[0]).collect();
            }
        }
    }
}

#[test]
fn linear_residuals_are_what_they_are_defined_to_be_and_come_back() {
    for bits in [8, 16, 24, 25, 30, 32] {
        for order in 1..=MAX_LPC {
            let samples = tone(bits, 300);
            let predictor = predictor_of(&samples, order, 15);
            let exact: Vec<f64> = samples.iter().map(|sample| f64::from(*sample)).collect();
            let mut folded = vec![9; samples.len()];
            assert!(predict::residual(&predictor, bits, &samples, &exact, &mut folded));
            let mut restored = samples.clone();
            for i in order..samples.len() {
                let sum: i128 = (0..order)
                    .map(|tap| i128::from(predictor.coefficients[tap]) * i128::from(samples[i - 1 - tap]))
                    .sum();
                let residual = i128::from(samples[i]) - (sum >> predictor.shift);
                assert_eq!(i128::from(unfold(folded[i])), residual, "{bits} bits, order {order}, sample {i}");
                restored[i] = i32::try_from(residual).unwrap();
            }
            let mut coefficients = [0; predict::MAX_ORDER];
            coefficients[..MAX_LPC].copy_from_slice(&predictor.coefficients);
            let mut fit = Fit::default();
            predict::restore(&mut restored, order, predictor.shift, &coefficients, &mut fit);
            assert!(restored == samples && fit.is_within(bits));
        }
    }
}

#[test]
fn residuals_beyond_32_bits_are_refused() {
    let mut coefficients = [0; MAX_LPC];
    coefficients[0] = -16_000;
    let predictor = Predictor { order: 1, precision: 15, shift: 0, coefficients };
    assert!(!predict::is_narrow(&predictor, 24));
    let loud = vec![1 << 22; 40];
    assert!(!predict::residual(&predictor, 24, &loud, &[], &mut [0; 40]));
    let quiet = vec![1 << 10; 40];
    let mut folded = vec![0; 40];
    assert!(predict::residual(&predictor, 24, &quiet, &[], &mut folded));
    assert_eq!(unfold(folded[1]), 1024 + 16_000 * 1024);
}

#[test]
fn autocorrelation_and_logarithm() {
    for len in [64, 65, 66, 67, 1000] {
        let samples = tone(20, len);
        let found = Window::default().autocorrelation::<{ lpc::MAX_LAGS }>(&samples, Part::All);
        let windowed: Vec<f64> =
            samples.iter().enumerate().map(|(i, s)| lpc::weight(i, len) * f64::from(*s)).collect();
        for (lag, found) in found.into_iter().enumerate() {
            let expected: f64 = windowed.iter().zip(&windowed[lag..]).map(|(a, b)| a * b).sum();
            assert!((found - expected).abs() <= expected.abs() * 1e-9 + 1e-3, "{len} samples, lag {lag}");
        }
    }
    let energy: f64 = (0..4096).map(|i| lpc::weight(i, 4096).powi(2)).sum::<f64>() / 4096.0;
    assert!((energy - lpc::ENERGY).abs() < 1e-3, "{energy}");
    for value in [1e-9, 0.1, 0.9, 1.0, 1.3, 1.5, 2.0, 1e5, 3e17] {
        assert!((lpc::log2(value) - f64::log2(value)).abs() < 1e-3, "{value}");
    }
    assert!([0.0, -1.0, f64::NAN, f64::INFINITY].map(lpc::log2).iter().all(|value| *value < -900.0));
}

#[test]
fn a_resonance_is_predicted() {
    let samples = tone(16, 4096);
    let predictor = predictor_of(&samples, 2, 13);
    let scale = f64::from(1 << predictor.shift);
    let [first, second] = [0, 1].map(|tap| f64::from(predictor.coefficients[tap]) / scale);
    assert!((first - 1.877).abs() < 0.03 && (second + 0.969).abs() < 0.03, "{first}, {second}");
    let autocorrelation = Window::default().autocorrelation::<9>(&vec![0; 4096], Part::All);
    assert_eq!(Predictions::new(&autocorrelation).orders, 0);
}

#[test]
fn partitions_take_the_bits_they_say() {
    for (seed, len) in (0..).zip([1, 5, 16, 96, 1000, 4096, 4096, 4096]) {
        for bits in [1, 3, 12, 24, 32] {
            for warm_up in [0, 1, 4] {
                if warm_up >= len {
                    continue;
                }
                let mut folded: Vec<u32> = noise(bits, len, seed).into_iter().map(fold).collect();
                folded[..warm_up].fill(0);
                if len > 90 {
                    folded[40..90].fill(0);
                }
                let partitions = rice::Partitions::choose(&folded, warm_up, 8);
                let mut out = vec![0; len * 9 + 64];
                let mut writer = bitwriter::BitWriter::new(&mut out);
                partitions.write(&mut writer, &folded, warm_up);
                writer.align();
                let written = writer.written().unwrap().len();
                assert_eq!(written as u64, partitions.bits.div_ceil(8), "{len} values of {bits} bits");
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_bytes() {
    for (bits, len) in [(8, 4096), (16, 4096), (24, 4096), (24, 1001), (32, 4096)] {
        let (left, right) = (tone(bits, len), noise(bits - 2, len, 3));
        let right: Vec<i32> = left.iter().zip(&right).map(|(a, b)| a / 2 + b / 2).collect();
        for level in [Level::Fast, Level::Default, Level::High] {
            let format = Format { channels: 2, bits, rate: 48_000 };
            let block = Block { format: &format, planes: [&left, &right], number: 3 };
            let (mut dispatched, mut portable) = (Vec::new(), Vec::new());
            dispatch::encode_block(&mut Encoder::new(level), &block, &mut dispatched).unwrap();
            Encoder::new(level).encode_block(&block, &mut portable).unwrap();
            assert!(dispatched == portable, "{level:?}, {bits} bits");
        }
    }
}

/// Damage below valid checksums, so that everything behind them meets it.
#[test]
fn damage_with_valid_checksums_is_harmless() {
    let mut random = noise(31, 400_000, 77).into_iter().map(i32::unsigned_abs);
    let mut next = move || random.next().unwrap_or(0) as usize;
    let (mut refused, mut accepted) = (0, 0);
    for round in 0..30_000 {
        let bits = [8, 16, 24, 32][round % 4];
        let len = 40 + round % 300;
        let samples = if round % 3 == 0 { noise(bits, len, 1) } else { tone(bits, len) };
        let half: Vec<i32> = samples.iter().map(|sample| sample / 2 + 1).collect();
        let format = Format { channels: 2, bits, rate: 48_000 };
        let mut bytes = Vec::new();
        let level = [Level::Fast, Level::Default][round % 2];
        Encoder::new(level).encode(&format, &[&samples, &half], &mut bytes).unwrap();
        let end = bytes.len() - 2;
        for _ in 0..=next() % 4 {
            // Mostly in what steers the decoder: the beginning.
            let place = 3 + next() % if next() % 2 == 0 { end - 3 } else { 30.min(end - 3) };
            bytes[place] ^= if next() % 2 == 0 { 1 << (next() % 8) } else { next().to_le_bytes()[0] };
        }
        // Sync, codes, number, size of one or two bytes, checksum.
        let header = if bytes[2] >> 4 == 7 { 7 } else { 6 };
        bytes[header] = crc::crc8(&bytes[..header]);
        let crc = crc::crc16(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_be_bytes());
        let mut planes = [Vec::new(), Vec::new()];
        match Decoder::new().decode(&bytes, &format, len, &mut planes) {
            Ok(()) => {
                let range = i32::MIN >> (32 - bits)..=i32::MAX >> (32 - bits);
                assert!(planes.iter().flatten().all(|sample| range.contains(sample)), "beyond {bits} bits");
                accepted += 1;
            }
            Err(error) => {
                assert!(error.offset <= bytes.len());
                refused += 1;
            }
        }
    }
    assert!(refused > 1000 && accepted > 100, "{refused} refused, {accepted} accepted");
}
