//! Levels.

use std::fmt;

use serde::Serialize;

/// A level or a gain in decibels; of levels 0 is full scale (dBFS). Silence is minus infinity, `null` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Decibels(pub f64);

impl Decibels {
    /// Silence.
    pub const SILENCE: Self = Self(f64::NEG_INFINITY);

    /// Of an amplitude, 1 being full scale.
    pub fn of_amplitude(amplitude: f64) -> Self {
        Self(20.0 * amplitude.abs().log10())
    }

    /// Of a mean square, 1 being that of a square wave at full scale.
    pub fn of_power(power: f64) -> Self {
        Self(10.0 * power.max(0.0).log10())
    }
}

impl fmt::Display for Decibels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == f64::NEG_INFINITY { f.write_str("-∞ dB") } else { write!(f, "{:.1} dB", self.0) }
    }
}
