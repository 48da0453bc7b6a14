//! Linear prediction applied (RFC 9639, 9.2.6): samples to residuals, and back.
//!
//! Residuals are computed in `f64`, exactly: a sample has 32 bits, a coefficient 15, and 12 products are summed, so
//! every intermediate value is an integer below 2^51. The shift of the specification rounds down; here
//! that is a multiplication by a power of two and the addition of 1.5·2^52, which leaves the integer in
//! the low bits of the mantissa.
//!
//! Restoring is one long chain, each sample waits for the one before. Orders up to 12 have a loop of their own, in which
//! the history is registers and the product that waits comes last.

#![expect(
    clippy::cast_possible_truncation,
    reason = "what does not fit is noticed by `Fit`, or excluded by `is_narrow`"
)]

use super::Fit;
use super::lpc::Predictor;

/// The highest order that streams may have.
pub(super) const MAX_ORDER: usize = 32;

/// 1.5·2^52: added to a number of small magnitude, it leaves the nearest integer in the low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Whether every residual of samples of `bits` bits certainly fits 32 bits.
pub(super) fn is_narrow(predictor: &Predictor, bits: u32) -> bool {
    let gain: u64 = predictor.coefficients.iter().map(|c| u64::from(c.unsigned_abs())).sum();
    let sample = 1_u64 << (bits - 1);
    ((gain * sample) >> predictor.shift) + 1 + sample < 1 << 31
}

/// Writes the folded residuals of `samples` to `folded`, of which the first `order` become zero. `exact` are the same
/// samples.
///
/// False if a residual does not fit 32 bits: then nothing was written that may be used.
#[inline(always)]
pub(super) fn residual(
    predictor: &Predictor,
    bits: u32,
    samples: &[i32],
    exact: &[f64],
    folded: &mut [u32],
) -> bool {
    if !is_narrow(predictor, bits) {
        return wide_residual(predictor, samples, folded);
    }
    match predictor.order {
        1 => narrow_residual::<1>(predictor, samples, exact, folded),
        2 => narrow_residual::<2>(predictor, samples, exact, folded),
        3 => narrow_residual::<3>(predictor, samples, exact, folded),
        4 => narrow_residual::<4>(predictor, samples, exact, folded),
        5 => narrow_residual::<5>(predictor, samples, exact, folded),
        6 => narrow_residual::<6>(predictor, samples, exact, folded),
        7 => narrow_residual::<7>(predictor, samples, exact, folded),
        8 => narrow_residual::<8>(predictor, samples, exact, folded),
        9 => narrow_residual::<9>(predictor, samples, exact, folded),
        10 => narrow_residual::<10>(predictor, samples, exact, folded),
        11 => narrow_residual::<11>(predictor, samples, exact, folded),
        _ => narrow_residual::<12>(predictor, samples, exact, folded),
    }
    true
}

#[inline(always)]
fn narrow_residual<const ORDER: usize>(
    predictor: &Predictor,
    samples: &[i32],
    exact: &[f64],
    folded: &mut [u32],
) {
    let (Some((warm_up, folded)), Some(now)) = (folded.split_at_mut_checked(ORDER), samples.get(ORDER..))
    else {
        return;
    };
    warm_up.fill(0);
    let len = now.len();
    let folded = &mut folded[..len];
    let past: [&[f64]; ORDER] = std::array::from_fn(|tap| &exact[ORDER - 1 - tap..][..len]);
    let taps: [f64; ORDER] = std::array::from_fn(|tap| f64::from(predictor.coefficients[tap]));
    let scale = 1.0 / f64::from(1_u32 << predictor.shift);
    // Down is to the nearest, a half lower; half of the smallest fraction is given back, so that nothing is halfway.
    let down = 0.5 * scale - 0.5;
    for i in 0..len {
        let mut sum = 0.0;
        for tap in 0..ORDER {
            sum += taps[tap] * past[tap][i];
        }
        let prediction = (sum * scale + down + ROUNDER).to_bits() as i32;
        folded[i] = super::fold(now[i].wrapping_sub(prediction));
    }
}

/// For samples of about 30 bits and more.
#[inline(never)]
fn wide_residual(predictor: &Predictor, samples: &[i32], folded: &mut [u32]) -> bool {
    let order = predictor.order;
    let Some((warm_up, folded)) = folded.split_at_mut_checked(order) else { return false };
    warm_up.fill(0);
    for (i, folded) in folded.iter_mut().enumerate() {
        let Some((now, past)) = samples.get(i..=i + order).and_then(|near| near.split_last()) else {
            return false;
        };
        let terms = predictor.coefficients.iter().zip(past.iter().rev());
        let sum: i64 = terms.map(|(c, sample)| i64::from(*c) * i64::from(*sample)).sum();
        // The smallest number of 32 bits is no residual (9.2.7.3).
        match i32::try_from(i64::from(*now) - (sum >> predictor.shift)) {
            Ok(residual) if residual != i32::MIN => *folded = super::fold(residual),
            _ => return false,
        }
    }
    true
}

/// Turns the residuals behind `order` samples into samples.
#[inline(always)]
pub(super) fn restore(
    samples: &mut [i32],
    order: usize,
    shift: u32,
    coefficients: &[i32; MAX_ORDER],
    fit: &mut Fit,
) {
    match order {
        1 => restore_by::<1>(samples, shift, coefficients, fit),
        2 => restore_by::<2>(samples, shift, coefficients, fit),
        3 => restore_by::<3>(samples, shift, coefficients, fit),
        4 => restore_by::<4>(samples, shift, coefficients, fit),
        5 => restore_by::<5>(samples, shift, coefficients, fit),
        6 => restore_by::<6>(samples, shift, coefficients, fit),
        7 => restore_by::<7>(samples, shift, coefficients, fit),
        8 => restore_by::<8>(samples, shift, coefficients, fit),
        9 => restore_by::<9>(samples, shift, coefficients, fit),
        10 => restore_by::<10>(samples, shift, coefficients, fit),
        11 => restore_by::<11>(samples, shift, coefficients, fit),
        12 => restore_by::<12>(samples, shift, coefficients, fit),
        _ => restore_any(samples, order, shift, coefficients, fit),
    }
}

#[inline(always)]
fn restore_by<const ORDER: usize>(
    samples: &mut [i32],
    shift: u32,
    coefficients: &[i32; MAX_ORDER],
    fit: &mut Fit,
) {
    let taps: [i64; ORDER] = std::array::from_fn(|tap| i64::from(coefficients[tap]));
    let Some(last) = samples.get(ORDER - 1) else { return };
    // The latest sample is in hand; those before it have had time to reach memory.
    let mut last = i64::from(*last);
    for i in ORDER..samples.len() {
        let mut sum = 0_i64;
        for tap in (1..ORDER).rev() {
            sum = sum.wrapping_add(taps[tap].wrapping_mul(i64::from(samples[i - 1 - tap])));
        }
        sum = sum.wrapping_add(taps[0].wrapping_mul(last));
        let restored = i64::from(samples[i]).wrapping_add(sum >> shift);
        fit.see(restored);
        samples[i] = restored as i32;
        last = i64::from(restored as i32);
    }
}

#[inline(never)]
fn restore_any(
    samples: &mut [i32],
    order: usize,
    shift: u32,
    coefficients: &[i32; MAX_ORDER],
    fit: &mut Fit,
) {
    for i in order..samples.len() {
        let (past, now) = samples.split_at_mut(i);
        let terms = past.iter().rev().zip(coefficients).take(order);
        let sum = terms
            .fold(0_i64, |sum, (sample, c)| sum.wrapping_add(i64::from(*sample).wrapping_mul(i64::from(*c))));
        let Some(sample) = now.first_mut() else { return };
        let restored = i64::from(*sample).wrapping_add(sum >> shift);
        fit.see(restored);
        *sample = restored as i32;
    }
}
