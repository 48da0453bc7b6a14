//! Finding a linear predictor: window, autocorrelation, Levinson-Durbin, quantisation.
//!
//! The window is Tukey's with a taper of a quarter of the block at both ends, the cosine replaced by the cubic that
//! looks the same: it costs nothing to make for any length and is the same number on every machine. The
//! autocorrelation runs in `f64`, because of a steady tone only what single precision drops is left to
//! predict from; four lanes, each lag its own accumulator, fill sixteen vector registers of 256 bits.

#![expect(clippy::cast_precision_loss, reason = "a block has few samples, an exponent 11 bits")]

use super::MAX_LPC;

/// The most lags of an autocorrelation: order 0 to 12.
pub(super) const MAX_LAGS: usize = MAX_LPC + 1;

/// The mean square of the weights of a whole block: 1/2 + 1/2 · 13/35.
pub(super) const ENERGY: f64 = 0.685_7;

const LANES: usize = 4;

/// What the windowed samples are followed by, so that no lag leaves the buffer.
const PADDING: usize = MAX_LAGS + LANES - 1;

/// The largest shift of a predictor (RFC 9639, 9.2.6: a negative one is forbidden, five bits with sign).
const MAX_SHIFT: i32 = 15;

/// A predictor of samples from those before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Predictor {
    pub(super) order: usize,
    /// Bits per coefficient, 1 to 15.
    pub(super) precision: u32,
    pub(super) shift: u32,
    /// The first belongs to the latest sample.
    pub(super) coefficients: [i32; MAX_LPC],
}

/// Which part of a block counts, for the predictor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    First,
    Second,
}

/// The windows of the block length last asked for.
#[derive(Debug, Default)]
pub(super) struct Window {
    weights: Vec<f64>,
    /// Windowed samples, and zeros.
    windowed: Vec<f64>,
}

impl Window {
    /// The autocorrelation of the windowed samples.
    #[inline(always)]
    pub(super) fn autocorrelation<const LAGS: usize>(&mut self, samples: &[i32], part: Part) -> [f64; LAGS] {
        let len = samples.len();
        let (from, to) = match part {
            Part::All => (0, len),
            Part::First => (0, len / 2),
            Part::Second => (len / 2, len),
        };
        let samples = samples.get(from..to).unwrap_or_default();
        self.apply(samples);
        autocorrelation(&self.windowed)
    }

    #[inline(always)]
    fn apply(&mut self, samples: &[i32]) {
        let len = samples.len();
        if self.weights.len() != len {
            self.weights.clear();
            self.weights.extend((0..len).map(|i| weight(i, len)));
        }
        let padded = len.next_multiple_of(LANES) + PADDING;
        self.windowed.resize(padded, 0.0);
        let (windowed, padding) = self.windowed.split_at_mut(len);
        padding.fill(0.0);
        for ((windowed, weight), sample) in windowed.iter_mut().zip(&self.weights).zip(samples) {
            *windowed = weight * f64::from(*sample);
        }
    }
}

/// The weight of sample `i` of `len`.
pub(super) fn weight(i: usize, len: usize) -> f64 {
    let taper = (len / 4).max(1);
    let from_edge = i.min(len - 1 - i);
    if from_edge >= taper {
        return 1.0;
    }
    let t = (from_edge as f64 + 0.5) / taper as f64;
    t * t * (3.0 - 2.0 * t)
}

/// `windowed` ends in [`PADDING`] zeros.
#[inline(always)]
fn autocorrelation<const LAGS: usize>(windowed: &[f64]) -> [f64; LAGS] {
    let mut sums = [[0_f64; LANES]; LAGS];
    let mut rest = windowed;
    while let Some(near) = rest.first_chunk::<{ PADDING + 1 }>() {
        for (lag, sums) in sums.iter_mut().enumerate() {
            for lane in 0..LANES {
                sums[lane] += near[lane] * near[lane + lag];
            }
        }
        rest = &rest[LANES..];
    }
    sums.map(|[a, b, c, d]| (a + b) + (c + d))
}

/// The predictors of every order that an autocorrelation gives, and the energy that each leaves.
#[derive(Debug)]
pub(super) struct Predictions {
    /// How many orders there are.
    pub(super) orders: usize,
    /// `errors[o]`: what order `o` leaves; the first is the energy of the signal.
    pub(super) errors: [f64; MAX_LAGS],
    /// `coefficients[o - 1]` are those of order `o`.
    coefficients: [[f64; MAX_LPC]; MAX_LPC],
}

impl Predictions {
    /// Levinson-Durbin recursion. No orders, if the signal is nothing.
    pub(super) fn new(autocorrelation: &[f64]) -> Self {
        let mut this = Self { orders: 0, errors: [0.0; MAX_LAGS], coefficients: [[0.0; MAX_LPC]; MAX_LPC] };
        let Some(&energy) = autocorrelation.first() else { return this };
        this.errors[0] = energy;
        let mut error = energy;
        let mut current = [0.0; MAX_LPC];
        for order in 1..autocorrelation.len().min(MAX_LAGS) {
            // What is left is rounding, and more orders would predict that.
            if error <= energy * 1e-15 || error <= 0.0 {
                break;
            }
            let mut sum = autocorrelation[order];
            for place in 0..order - 1 {
                sum -= current[place] * autocorrelation[order - 1 - place];
            }
            let reflection = sum / error;
            let before = current;
            for place in 0..order - 1 {
                current[place] = before[place] - reflection * before[order - 2 - place];
            }
            current[order - 1] = reflection;
            error *= 1.0 - reflection * reflection;
            this.errors[order] = error;
            this.coefficients[order - 1] = current;
            this.orders = order;
        }
        this
    }

    /// The predictor of `order` in integers; `None` if it does not fit them, or predicts nothing.
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, and is clamped")]
    pub(super) fn quantised(&self, order: usize, precision: u32) -> Option<Predictor> {
        let exact = self.coefficients.get(order.checked_sub(1)?)?.get(..order)?;
        let largest = exact.iter().fold(0.0_f64, |largest, c| largest.max(c.abs()));
        if order > self.orders || !largest.is_normal() {
            return None;
        }
        // `largest` is below 2^exponent.
        let exponent = i32::try_from(largest.to_bits() >> 52).ok()? - 1022;
        let shift = (precision.cast_signed() - 1 - exponent).min(MAX_SHIFT);
        let shift = u32::try_from(shift).ok()?;
        let limit = (1_i32 << (precision - 1)) - 1;
        let scale = f64::from(1_u32 << shift);
        let mut coefficients = [0; MAX_LPC];
        let mut carried = 0.0;
        for (quantised, exact) in coefficients.iter_mut().zip(exact) {
            // The rounding of one is made good by the next, which keeps the sum, the gain at 0 Hz.
            carried += exact * scale;
            *quantised = ((carried + if carried < 0.0 { -0.5 } else { 0.5 }) as i32).clamp(-limit - 1, limit);
            carried -= f64::from(*quantised);
        }
        if coefficients == [0; MAX_LPC] {
            return None;
        }
        Some(Predictor { order, precision, shift, coefficients })
    }
}

/// The binary logarithm, to about 0.0005: for estimates that shall be the same everywhere.
///
/// Anything not positive and normal counts as very small.
pub(super) fn log2(value: f64) -> f64 {
    if !(value.is_normal() && value > 0.0) {
        return -1000.0;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 52) as f64 - 1023.0;
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    // log2(m) = 2/ln 2 · artanh((m - 1) / (m + 1)), with m brought around 1.
    let (exponent, mantissa) = if mantissa > std::f64::consts::SQRT_2 {
        (exponent + 1.0, mantissa * 0.5)
    } else {
        (exponent, mantissa)
    };
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    exponent + t * (2.0 + t * t * (2.0 / 3.0)) * std::f64::consts::LOG2_E
}
