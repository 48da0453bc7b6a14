//! The fixed predictors (RFC 9639, 9.2.5): polynomials through the last 0 to 4 samples.
//!
//! The residual of order `o` is the `o`-th difference of the samples. Restoring sums it up `o` times, in 64 bits:
//! what overflows 32 is found by [`Fit`], and the rest of a damaged block may be anything.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "sums are estimates, and `Fit` notices samples that are cut"
)]

use super::Fit;

/// The highest order.
pub(super) const MAX_ORDER: usize = 4;

/// How many samples are taken at once.
const LANES: usize = 8;

/// The sums of the absolute residuals of every order, over all samples from [`MAX_ORDER`] on.
///
/// Only to compare, so single precision is enough. `samples` have at most 27 bits, or the higher orders overflow and
/// their sums mean nothing.
#[inline(always)]
pub(super) fn sums(samples: &[i32]) -> [f32; MAX_ORDER + 1] {
    let mut sums = [[0_f32; LANES]; MAX_ORDER + 1];
    let count = samples.len().saturating_sub(MAX_ORDER) / LANES * LANES;
    let mut from = 0;
    while from < count {
        let Some(near) =
            samples.get(from..).and_then(|samples| samples.first_chunk::<{ LANES + MAX_ORDER }>())
        else {
            break;
        };
        for lane in 0..LANES {
            let differences =
                differences([near[lane], near[lane + 1], near[lane + 2], near[lane + 3], near[lane + 4]]);
            for (sums, difference) in sums.iter_mut().zip(differences) {
                sums[lane] += difference.wrapping_abs() as f32;
            }
        }
        from += LANES;
    }
    let mut totals = sums.map(|lanes| lanes.iter().sum());
    for near in samples.get(from..).unwrap_or_default().array_windows::<5>() {
        for (total, difference) in totals.iter_mut().zip(differences(*near)) {
            *total += difference.wrapping_abs() as f32;
        }
    }
    totals
}

/// The differences of order 0 to 4 at the last of these samples.
#[inline(always)]
fn differences(near: [i32; MAX_ORDER + 1]) -> [i32; MAX_ORDER + 1] {
    let at = |place: usize| near[place].wrapping_sub(near[place - 1]);
    let first = [at(4), at(3), at(2), at(1)];
    let second =
        [first[0].wrapping_sub(first[1]), first[1].wrapping_sub(first[2]), first[2].wrapping_sub(first[3])];
    let third = [second[0].wrapping_sub(second[1]), second[1].wrapping_sub(second[2])];
    [near[4], first[0], second[0], third[0], third[0].wrapping_sub(third[1])]
}

/// Writes the folded residual of `order` to `folded`, of which the first `order` become zero.
#[inline(always)]
pub(super) fn residual(samples: &[i32], order: usize, folded: &mut [u32]) {
    match order {
        0 => by_taps(samples, [], folded),
        1 => by_taps(samples, [1], folded),
        2 => by_taps(samples, [2, -1], folded),
        3 => by_taps(samples, [3, -3, 1], folded),
        _ => by_taps(samples, [4, -6, 4, -1], folded),
    }
}

#[inline(always)]
fn by_taps<const ORDER: usize>(samples: &[i32], taps: [i32; ORDER], folded: &mut [u32]) {
    let (Some((warm_up, folded)), Some(now)) = (folded.split_at_mut_checked(ORDER), samples.get(ORDER..))
    else {
        return;
    };
    warm_up.fill(0);
    let len = now.len();
    let past: [&[i32]; ORDER] = std::array::from_fn(|tap| &samples[ORDER - 1 - tap..][..len]);
    let folded = &mut folded[..len];
    for i in 0..len {
        let mut prediction = 0_i32;
        for tap in 0..ORDER {
            prediction = prediction.wrapping_add(taps[tap].wrapping_mul(past[tap][i]));
        }
        folded[i] = super::fold(now[i].wrapping_sub(prediction));
    }
}

/// Turns the residuals behind `order` samples into samples.
#[inline(always)]
pub(super) fn restore(samples: &mut [i32], order: usize, fit: &mut Fit) {
    match order {
        0 => {
            for sample in samples {
                fit.see(i64::from(*sample));
            }
        }
        1 => by_sums::<1>(samples, fit),
        2 => by_sums::<2>(samples, fit),
        3 => by_sums::<3>(samples, fit),
        _ => by_sums::<4>(samples, fit),
    }
}

#[inline(always)]
fn by_sums<const ORDER: usize>(samples: &mut [i32], fit: &mut Fit) {
    let Some((warm_up, rest)) = samples.split_first_chunk_mut::<ORDER>() else { return };
    // The last sample and its differences of every order below.
    let mut state = [0_i64; ORDER];
    let mut row = warm_up.map(i64::from);
    for (order, state) in state.iter_mut().enumerate() {
        *state = row[ORDER - 1];
        for place in (order + 1..ORDER).rev() {
            row[place] = row[place].wrapping_sub(row[place - 1]);
        }
    }
    for sample in rest {
        let mut sum = i64::from(*sample);
        for state in state.iter_mut().rev() {
            sum = state.wrapping_add(sum);
            *state = sum;
        }
        fit.see(sum);
        *sample = sum as i32;
    }
}
