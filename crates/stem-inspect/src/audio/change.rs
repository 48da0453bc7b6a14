//! What can have been done to a recording, and how that is said in one line.

use std::ops::Range;

use serde::Serialize;

use super::level::Decibels;
use crate::words::{clock, counted, span};

/// How two versions of a recording differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioDifference {
    /// What was done.
    pub change: AudioChange,
    /// Frames per second before and after.
    pub rates: [u32; 2],
    /// Frames before and after.
    pub frames: [u64; 2],
    /// What hinders a better answer, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was done to a recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AudioChange {
    /// Every byte of the file is the same.
    Identical,
    /// The samples are the same; what is beside them is not.
    HeaderOnly,
    /// The samples are the same, coded differently.
    Reencoded,
    /// The same recording with these edits; everything else is the same, sample by sample.
    Edited {
        /// In order.
        edits: Vec<Edit>,
    },
    /// The same recording, later or earlier: positive frames were put before it.
    Shifted {
        /// By how many frames; negative where the beginning was cut off.
        frames: i64,
    },
    /// All of it was processed.
    Processed {
        /// How.
        treatment: Treatment,
    },
    /// Another sample rate.
    Resampled,
}

/// What was done to a span that has no sample in common with what it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Treatment {
    /// The same factor throughout.
    Gain {
        /// By how much.
        gain: Decibels,
        /// Whether the polarity was reversed as well.
        inverted: bool,
        /// What the null test leaves after the gain is undone.
        residual: Residual,
    },
    /// The factor changes slowly.
    Fade {
        /// The factor at the beginning and at the end.
        gains: [Decibels; 2],
        /// What the null test leaves.
        residual: Residual,
    },
    /// The first two channels were exchanged.
    ChannelsSwapped {
        /// What the null test leaves.
        residual: Residual,
    },
    /// The same samples in another format.
    Converted {
        /// What the null test leaves.
        residual: Residual,
    },
    /// The same music, made anew: alike, and nowhere the same.
    Rerendered {
        /// What the null test leaves.
        residual: Residual,
        /// How much alike, 0 to 1.
        correlation: f64,
    },
    /// Nothing in common.
    Unrelated {
        /// What the null test leaves.
        residual: Residual,
    },
}

/// One edit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edit {
    /// What was done.
    #[serde(flatten)]
    pub kind: EditKind,
    /// Where, in frames of the first version; empty for an insertion.
    pub before: Range<u64>,
    /// Where it is in the second; empty for what was removed.
    pub after: Range<u64>,
}

/// What an edit did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "edit", rename_all = "kebab-case")]
pub enum EditKind {
    /// Something is there that was not.
    Inserted,
    /// Something is gone.
    Removed,
    /// As much as before, and something else.
    Overwritten {
        /// What was done to the samples that were there.
        treatment: Treatment,
    },
    /// Something else, and not as much.
    Replaced,
}

/// What is left when one version is subtracted from the other: the null test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Residual {
    /// Its highest sample.
    pub peak: Decibels,
    /// Its mean power.
    pub power: Decibels,
    /// Its integrated loudness in LUFS; `None` where there is too little to hear.
    pub loudness: Option<f64>,
}

impl Residual {
    /// Of two versions that cannot be subtracted.
    pub(crate) const NONE: Self = Self { peak: Decibels::SILENCE, power: Decibels::SILENCE, loudness: None };
}

/// A span that changed, for drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedSpan {
    /// In frames of the first version.
    pub before: Range<u64>,
    /// In frames of the second.
    pub after: Range<u64>,
    /// The same in seconds.
    pub before_seconds: [f64; 2],
    /// The same in seconds.
    pub after_seconds: [f64; 2],
    /// What was done: `overwritten 0:12.0–0:15.5`.
    pub words: String,
}

impl AudioDifference {
    /// One short line: `overwritten 0:12.0–0:15.5`.
    pub fn summary(&self) -> String {
        match &self.change {
            AudioChange::Identical => "identical".into(),
            AudioChange::HeaderOnly => "header only".into(),
            AudioChange::Reencoded => "same audio, encoded differently".into(),
            AudioChange::Resampled => {
                format!("resampled from {} to {} Hz", self.rates[0], self.rates[1])
            }
            AudioChange::Shifted { frames } => {
                let way = if *frames < 0 { "earlier" } else { "later" };
                format!("shifted {} {way}", shift(frames.unsigned_abs(), self.rates[1]))
            }
            AudioChange::Processed { treatment } => treatment.words(),
            AudioChange::Edited { edits } => match edits.as_slice() {
                [] => "identical".into(),
                [edit] => self.words(edit),
                [first, rest @ ..] => {
                    format!("{}, and {} more", self.words(first), counted(rest.len() as u64, "edit"))
                }
            },
        }
    }

    /// The spans that changed, in order; one that holds everything where all was processed, and none where nothing is
    /// heard to differ.
    pub fn spans(&self) -> Vec<ChangedSpan> {
        match &self.change {
            AudioChange::Identical | AudioChange::HeaderOnly | AudioChange::Reencoded => Vec::new(),
            AudioChange::Edited { edits } => edits
                .iter()
                .map(|edit| self.span(edit.before.clone(), edit.after.clone(), self.words(edit)))
                .collect(),
            AudioChange::Shifted { .. } | AudioChange::Processed { .. } | AudioChange::Resampled => {
                vec![self.span(0..self.frames[0], 0..self.frames[1], self.summary())]
            }
        }
    }

    /// What the null test leaves, at its loudest; `None` where nothing was subtracted.
    pub fn residual(&self) -> Option<Residual> {
        match &self.change {
            AudioChange::Processed { treatment } => Some(treatment.residual()),
            AudioChange::Edited { edits } => edits
                .iter()
                .filter_map(|edit| match &edit.kind {
                    EditKind::Overwritten { treatment } => Some(treatment.residual()),
                    _ => None,
                })
                .max_by(|a, b| a.peak.0.total_cmp(&b.peak.0)),
            _ => None,
        }
    }

    fn span(&self, before: Range<u64>, after: Range<u64>, words: String) -> ChangedSpan {
        let seconds = |range: &Range<u64>, rate| [seconds(range.start, rate), seconds(range.end, rate)];
        ChangedSpan {
            before_seconds: seconds(&before, self.rates[0]),
            after_seconds: seconds(&after, self.rates[1]),
            before,
            after,
            words,
        }
    }

    fn words(&self, edit: &Edit) -> String {
        let was = || span(seconds(edit.before.start, self.rates[0]), seconds(edit.before.end, self.rates[0]));
        let is = || span(seconds(edit.after.start, self.rates[1]), seconds(edit.after.end, self.rates[1]));
        match &edit.kind {
            EditKind::Inserted => format!("inserted {}", is()),
            EditKind::Removed => format!("removed {}", was()),
            EditKind::Replaced => format!("replaced {} by {}", was(), is()),
            EditKind::Overwritten { treatment } => match treatment {
                Treatment::Rerendered { .. } | Treatment::Unrelated { .. } => format!("overwritten {}", is()),
                _ => format!("{} in {}", treatment.words(), is()),
            },
        }
    }
}

impl Treatment {
    /// What the null test leaves.
    pub fn residual(&self) -> Residual {
        match *self {
            Self::Gain { residual, .. }
            | Self::Fade { residual, .. }
            | Self::ChannelsSwapped { residual }
            | Self::Converted { residual }
            | Self::Rerendered { residual, .. }
            | Self::Unrelated { residual } => residual,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Gain { gain, inverted, .. } => {
                let inverted = if *inverted { ", polarity reversed" } else { "" };
                format!("{:+.1} dB{inverted}", gain.0)
            }
            Self::Fade { gains: [first, last], .. } => {
                format!("{} from {first} to {last}", if first < last { "fade in" } else { "fade out" })
            }
            Self::ChannelsSwapped { .. } => "channels swapped".into(),
            Self::Converted { .. } => "same samples in another format".into(),
            Self::Rerendered { .. } => "re-rendered".into(),
            Self::Unrelated { .. } => "different audio".into(),
        }
    }
}

/// When a frame is heard, in seconds.
#[expect(clippy::cast_precision_loss, reason = "frames of years are exact")]
pub(crate) fn seconds(frame: u64, rate: u32) -> f64 {
    frame as f64 / f64::from(rate.max(1))
}

/// How long a shift is: in milliseconds where it is short.
fn shift(frames: u64, rate: u32) -> String {
    let seconds = seconds(frames, rate);
    if seconds < 10.0 { format!("{:.1} ms", seconds * 1000.0) } else { clock(seconds) }
}
