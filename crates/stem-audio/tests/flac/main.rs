//! The FLAC coder: against itself, against other decoders, against damage, and against its past.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "test code: signals are made of small numbers, and what fails shall panic"
)]

mod golden;
mod hostile;
mod oracle;
mod round_trip;
mod signals;
