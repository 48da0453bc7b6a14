//! One channel of one block on its way into a frame (RFC 9639, 9.2): what is known of it, what it will cost, how it
//! is predicted, and writing that.

#![expect(clippy::cast_precision_loss, reason = "bits of a block: far below 2^52")]

use super::bitwriter::BitWriter;
use super::lpc::{self, Part, Predictions, Predictor, Window};
use super::rice::Partitions;
use super::{Level, fixed, predict};

/// What the levels differ in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// The highest order of linear prediction; 0 for none.
    lpc_order: usize,
    /// Whether halves of the block, too, make predictors.
    halves: bool,
    /// The highest order of Rice partitions.
    partition_order: u32,
    /// Whether every channel mode is planned in full, not only the one with the best estimate.
    pub(super) all_modes: bool,
}

impl Effort {
    pub(super) const fn of(level: Level) -> Self {
        match level {
            Level::Fast => Self { lpc_order: 0, halves: false, partition_order: 4, all_modes: false },
            Level::Default => Self { lpc_order: 8, halves: false, partition_order: 6, all_modes: false },
            Level::High => Self { lpc_order: 12, halves: true, partition_order: 8, all_modes: true },
        }
    }
}

/// Blocks shorter than this are not worth the coefficients of a predictor.
const MIN_LPC_BLOCK: usize = 64;

/// How the samples of a subframe are written.
#[derive(Debug, Clone)]
enum Method {
    Constant,
    Verbatim,
    Fixed(usize, Box<Partitions>),
    Linear(Predictor, Box<Partitions>),
}

/// A channel, or sum or difference of channels, of the current block.
#[derive(Debug)]
pub(super) struct Subframe {
    pub(super) samples: Vec<i32>,
    /// Bits per sample, without those that are wasted.
    bits: u32,
    /// Low bits that are zero in all samples, and shifted out.
    pub(super) wasted: u32,
    constant: bool,
    /// About how many bits the subframe takes; after [`Subframe::plan`], exactly.
    pub(super) cost: f64,
    predictions: Option<Predictions>,
    /// The best order of them, about.
    lpc_order: usize,
    /// About what linear prediction costs.
    lpc_cost: f64,
    /// Whether `method` is chosen.
    planned: bool,
    method: Method,
    /// The residuals of `method`.
    folded: Vec<u32>,
}

/// What subframes share while they are worked on.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    window: Window,
    /// The samples as floats.
    exact: Vec<f64>,
    /// The residuals of a method that may turn out better.
    trial: Vec<u32>,
}

impl Default for Subframe {
    fn default() -> Self {
        Self {
            samples: Vec::new(),
            bits: 0,
            wasted: 0,
            constant: false,
            cost: 0.0,
            predictions: None,
            lpc_order: 0,
            lpc_cost: f64::INFINITY,
            planned: false,
            method: Method::Verbatim,
            folded: Vec::new(),
        }
    }
}

/// Bits per residual, were they spread as music's are, at this mean magnitude.
fn bits_per_sample(magnitude: f64) -> f64 {
    1.0 + lpc::log2(2.0 * magnitude + 1.0)
}

impl Subframe {
    /// Takes the samples in `self.samples`, of `bits` bits: finds wasted bits and constancy. False if one does not fit.
    #[inline(always)]
    pub(super) fn prepare(&mut self, bits: u32) -> bool {
        let first = self.samples.first().copied().unwrap_or_default();
        let (mut union, mut magnitude, mut change) = (0, 0, 0);
        for sample in &self.samples {
            union |= *sample;
            magnitude |= *sample ^ *sample >> 31;
            change |= *sample ^ first;
        }
        self.constant = change == 0;
        self.wasted = if self.constant { 0 } else { union.trailing_zeros() };
        self.bits = bits - self.wasted.min(bits - 1);
        if self.wasted > 0 {
            for sample in &mut self.samples {
                *sample >>= self.wasted;
            }
        }
        self.predictions = None;
        self.lpc_cost = f64::INFINITY;
        self.planned = false;
        magnitude >> (bits - 1) == 0
    }

    /// Estimates the cost, and prepares what [`Self::plan`] needs.
    #[inline(always)]
    pub(super) fn estimate(&mut self, effort: &Effort, workspace: &mut Workspace) {
        self.cost = f64::from(self.bits);
        if self.constant {
            return;
        }
        if effort.lpc_order == 0 || self.samples.len() < MIN_LPC_BLOCK {
            self.cost = self.cheapest_fixed().1;
            return;
        }
        self.predict(effort, workspace, Part::All);
        self.cost = self.lpc_cost;
    }

    /// Makes `predictions`, and estimates which order is best and what it costs.
    #[inline(always)]
    fn predict(&mut self, effort: &Effort, workspace: &mut Workspace, part: Part) {
        let samples = &self.samples;
        let predictions = if effort.lpc_order <= 8 {
            Predictions::new(&workspace.window.autocorrelation::<9>(samples, part))
        } else {
            Predictions::new(&workspace.window.autocorrelation::<{ lpc::MAX_LAGS }>(samples, part))
        };
        let count = samples.len() as f64;
        self.lpc_cost = f64::INFINITY;
        for order in 1..=predictions.orders {
            // A normal distribution's mean magnitude is 0.8, a Laplacian's 0.7 of the deviation.
            let magnitude = 0.75 * (predictions.errors[order] / (count * lpc::ENERGY)).sqrt();
            let bits = bits_per_sample(magnitude) * (count - order as f64)
                + order as f64 * f64::from(self.bits + self.precision());
            if bits < self.lpc_cost {
                self.lpc_cost = bits;
                self.lpc_order = order;
            }
        }
        self.predictions = Some(predictions);
    }

    /// Bits per coefficient: more for fine samples; for coarse ones their cost shows.
    fn precision(&self) -> u32 {
        if self.bits > 18 { 15 } else { 13 }
    }

    /// The best fixed order, and about what it costs.
    #[inline(always)]
    fn cheapest_fixed(&self) -> (usize, f64) {
        let sums = fixed::sums(&self.samples);
        let count = self.samples.len() as f64;
        let counted = (count - fixed::MAX_ORDER as f64).max(1.0);
        let mut best = (0, f64::INFINITY);
        for (order, sum) in sums.into_iter().enumerate() {
            // The differences must fit 32 bits, and a block be longer than its warm-up.
            if order >= self.samples.len() || order > 0 && self.bits as usize + order > 32 {
                break;
            }
            let cost = bits_per_sample(f64::from(sum) / counted) * (count - order as f64)
                + order as f64 * f64::from(self.bits);
            if cost < best.1 {
                best = (order, cost);
            }
        }
        best
    }

    /// Chooses how the subframe is written; `cost` is exact afterwards.
    #[inline(always)]
    pub(super) fn plan(&mut self, effort: &Effort, workspace: &mut Workspace) {
        if std::mem::replace(&mut self.planned, true) {
            return;
        }
        let len = self.samples.len();
        self.method = Method::Verbatim;
        let mut bits = len as u64 * u64::from(self.bits);
        if self.constant {
            self.method = Method::Constant;
            bits = u64::from(self.bits);
        } else {
            self.folded.resize(len, 0);
            workspace.trial.resize(len, 0);
            let (order, fixed_cost) = self.cheapest_fixed();
            if self.lpc_cost.is_finite() {
                workspace.exact.clear();
                workspace.exact.extend(self.samples.iter().map(|sample| f64::from(*sample)));
                self.try_linear(effort, workspace, &mut bits);
                if effort.halves {
                    for part in [Part::First, Part::Second] {
                        self.predict(effort, workspace, part);
                        self.try_linear(effort, workspace, &mut bits);
                    }
                }
            }
            // Estimates of the two kinds differ by less than this.
            if fixed_cost < bits as f64 * 1.05 {
                self.try_fixed(order, effort, workspace, &mut bits);
            }
        }
        self.cost = (bits + 8 + u64::from(self.wasted)) as f64;
    }

    #[inline(always)]
    fn try_fixed(&mut self, order: usize, effort: &Effort, workspace: &mut Workspace, bits: &mut u64) {
        fixed::residual(&self.samples, order, &mut workspace.trial);
        let partitions = Partitions::choose(&workspace.trial, order, effort.partition_order);
        let total = partitions.bits + order as u64 * u64::from(self.bits);
        if total < *bits {
            *bits = total;
            self.method = Method::Fixed(order, Box::new(partitions));
            std::mem::swap(&mut self.folded, &mut workspace.trial);
        }
    }

    #[inline(always)]
    fn try_linear(&mut self, effort: &Effort, workspace: &mut Workspace, bits: &mut u64) {
        let precision = self.precision();
        let predictions = self.predictions.as_ref();
        let Some(predictor) = predictions.and_then(|p| p.quantised(self.lpc_order, precision)) else {
            return;
        };
        let Workspace { exact, trial, .. } = workspace;
        if !predict::residual(&predictor, self.bits, &self.samples, exact, trial) {
            return;
        }
        let partitions = Partitions::choose(trial, predictor.order, effort.partition_order);
        // The precision and the shift are stored, too.
        let total = partitions.bits + predictor.order as u64 * u64::from(self.bits + precision) + 9;
        if total < *bits {
            *bits = total;
            self.method = Method::Linear(predictor, Box::new(partitions));
            std::mem::swap(&mut self.folded, trial);
        }
    }

    /// Writes the subframe as planned.
    #[inline(always)]
    pub(super) fn write(&self, writer: &mut BitWriter<'_>) {
        let kind = match &self.method {
            Method::Constant => 0,
            Method::Verbatim => 1,
            Method::Fixed(order, _) => 8 + *order as u64,
            Method::Linear(predictor, _) => 31 + predictor.order as u64,
        };
        writer.put(kind << 1 | u64::from(self.wasted > 0), 8);
        if self.wasted > 0 {
            writer.put_unary(self.wasted - 1);
        }
        let verbatim = |writer: &mut BitWriter<'_>, count: usize| {
            for sample in self.samples.iter().take(count) {
                writer.put_signed(*sample, self.bits);
            }
        };
        match &self.method {
            Method::Constant => verbatim(writer, 1),
            Method::Verbatim => verbatim(writer, self.samples.len()),
            Method::Fixed(order, partitions) => {
                verbatim(writer, *order);
                partitions.write(writer, &self.folded, *order);
            }
            Method::Linear(predictor, partitions) => {
                verbatim(writer, predictor.order);
                writer.put(u64::from(predictor.precision - 1), 4);
                writer.put(u64::from(predictor.shift), 5);
                for coefficient in predictor.coefficients.iter().take(predictor.order) {
                    writer.put_signed(*coefficient, predictor.precision);
                }
                partitions.write(writer, &self.folded, predictor.order);
            }
        }
    }
}
