//! What each step of the demo took: a table that grows line by line, and its JSON.

use std::time::{Duration, Instant};

use crate::failure::Result;
use crate::human;
use crate::json::Json;
use crate::progress::Bars;
use crate::report::BOLD;
use crate::ui::Ui;

/// Width of the first column; the table fits a terminal of 80.
const WIDTH: usize = 38;

/// What a step handled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amount {
    /// Bytes that went through it.
    pub(super) bytes: u64,
    /// Bytes that the store grew by, where it could.
    pub(super) stored: Option<u64>,
}

struct Step {
    what: String,
    time: Duration,
    amount: Amount,
}

/// The steps so far.
pub(super) struct Steps<'a> {
    ui: &'a Ui,
    steps: Vec<Step>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(ui: &'a Ui) -> Result<Self> {
        ui.live(format_args!(
            "{BOLD}{:<WIDTH$}{:>9}{:>11}{:>11}{:>11}{BOLD:#}",
            "step", "time", "data", "speed", "stored"
        ))?;
        Ok(Self { ui, steps: Vec::new() })
    }

    /// Runs a step, measures it and prints its line.
    pub(super) fn run<T>(
        &mut self,
        what: impl Into<String>,
        work: impl FnOnce(&Bars) -> Result<(T, Amount)>,
    ) -> Result<T> {
        let bars = self.ui.bars();
        let start = Instant::now();
        let (value, amount) = work(&bars)?;
        let step = Step { what: what.into(), time: start.elapsed(), amount };
        // The bar leaves the line before the table takes it.
        drop(bars);
        let data = if amount.bytes > 0 { human::size(amount.bytes) } else { String::new() };
        let speed = step.megabytes_per_second().map(|speed| format!("{speed:.0} MB/s")).unwrap_or_default();
        let stored = amount.stored.map(human::size).unwrap_or_default();
        let time = human::seconds(step.time);
        let line = format!("{:<WIDTH$}{time:>9}{data:>11}{speed:>11}{stored:>11}", step.what);
        self.ui.live(format_args!("{}", line.trim_end()))?;
        self.steps.push(step);
        Ok(value)
    }

    pub(super) fn to_json(&self) -> Json {
        Json::list(self.steps.iter().map(|step| {
            Json::object([
                ("step", step.what.as_str().into()),
                ("seconds", Json::Decimal(step.time.as_secs_f64())),
                ("bytes", step.amount.bytes.into()),
                ("megabytes_per_second", step.megabytes_per_second().map_or(Json::Null, Json::Decimal)),
                ("bytes_stored", step.amount.stored.into()),
            ])
        }))
    }
}

impl Step {
    /// Millions of bytes a second, where there were bytes and time.
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn megabytes_per_second(&self) -> Option<f64> {
        let seconds = self.time.as_secs_f64();
        (self.amount.bytes > 0 && seconds > 0.0).then(|| self.amount.bytes as f64 / 1e6 / seconds)
    }
}
