//! Sine and powers of two without the maths library, whose results differ between systems.

use std::sync::LazyLock;

/// Entries per cycle, a power of two; one more repeats the first, so that interpolation needs no wrap.
pub(super) const CYCLE: usize = 1 << CYCLE_BITS;
const CYCLE_BITS: u32 = 11;
/// Bits of a 32-bit phase below the table index.
const FRACTION_BITS: u32 = 32 - CYCLE_BITS;

/// One cycle of a waveform.
pub(super) type Cycle = [f32; CYCLE + 1];

static SINE: LazyLock<Cycle> = LazyLock::new(|| {
    let mut table = [0.0; CYCLE + 1];
    for (turn, entry) in (0_u16..).zip(&mut table) {
        *entry = sine_of_turn(f64::from(turn) / 2048.0);
    }
    table
});

pub(super) fn sine() -> &'static Cycle {
    &SINE
}

/// The sum of the first `count` harmonics with amplitude `1 / n^slope`, peak at 1.
pub(super) fn harmonics(first: u16, count: u16, slope: u32) -> Cycle {
    let mut table = [0.0_f32; CYCLE + 1];
    for number in first..first.saturating_add(count) {
        let amplitude = (0..slope).fold(1.0_f32, |amplitude, _| amplitude / f32::from(number));
        for (position, entry) in table.iter_mut().enumerate() {
            *entry += amplitude * sine()[(position * usize::from(number)) % CYCLE];
        }
    }
    let peak = table.iter().fold(f32::MIN_POSITIVE, |peak, value| peak.max(value.abs()));
    for entry in &mut table {
        *entry /= peak;
    }
    table
}

/// The waveform at `phase`, where 2^32 is a whole turn.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "21 bits fit the mantissa")]
pub(super) fn look_up(cycle: &Cycle, phase: u32) -> f32 {
    // A shift by 21 leaves 0..=2047, so that both entries are there and the compiler drops the checks.
    let index = (phase >> FRACTION_BITS) as usize;
    let fraction = (phase & ((1 << FRACTION_BITS) - 1)) as f32 * (1.0 / (1_u32 << FRACTION_BITS) as f32);
    let (left, right) = (cycle[index], cycle[index + 1]);
    left + (right - left) * fraction
}

/// `sin(2 pi t)` for `t` in `0..=1`.
#[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is what is wanted")]
fn sine_of_turn(t: f64) -> f32 {
    let (t, sign) = if t >= 0.5 { (t - 0.5, -1.0) } else { (t, 1.0) };
    let t = if t > 0.25 { 0.5 - t } else { t };
    let x = t * std::f64::consts::TAU;
    let square = x * x;
    // Horner's form of the Taylor series up to x^19; x is at most pi / 2, the error below 1e-15.
    let series = (1..10_u8)
        .rev()
        .map(f64::from)
        .fold(1.0, |sum, k| 1.0 - square / ((2.0 * k) * (2.0 * k + 1.0)) * sum);
    (sign * x * series) as f32
}

/// `2^x` for `x` in `0..=31`: a product of square roots of two, which IEEE 754 rounds the same everywhere.
pub(crate) fn exp2(x: f64) -> f64 {
    let mut rest = x.clamp(0.0, 31.0);
    let mut result = 1.0;
    while rest >= 1.0 {
        result *= 2.0;
        rest -= 1.0;
    }
    let mut root: f64 = 2.0;
    for _ in 0..40 {
        root = root.sqrt();
        rest *= 2.0;
        if rest >= 1.0 {
            result *= root;
            rest -= 1.0;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_powers_agree_with_the_maths_library() {
        for (position, value) in sine().iter().enumerate() {
            let exact = (f64::from(u32::try_from(position).unwrap()) / 2048.0 * std::f64::consts::TAU).sin();
            assert!((f64::from(*value) - exact).abs() < 1e-7, "{position}: {value} for {exact}");
        }
        for step in 0..310_u16 {
            let x = f64::from(step) / 10.0;
            assert!((exp2(x) / x.exp2() - 1.0).abs() < 1e-10, "2^{x}");
        }
        assert!((look_up(sine(), 1 << 30) - 1.0).abs() < 1e-6);
        assert!((look_up(sine(), u32::MAX)).abs() < 1e-5);
    }
}
