//! What strategies would take for everything, from a part of it and within a minute.
//!
//! Three things are put together. *How much distinct content there is* follows from the sizes of all files and, where
//! sizes agree, from hashes of a few places in each (`twins`). *What a codec makes of it* is tried: spans of large files,
//! at places spread evenly over all bytes of a class, and whole small files go through real stores of the very options
//! (`strata`). *How far that may be off* follows from how much the parts of the sample differ.
//!
//! Rejected: a model of codecs (what FLAC makes of a file depends on the music, not on its header), and taking only a few
//! whole files (of a session of 40 stems of 2 GiB each, three are no sample). What this cannot see are chunks that files
//! of different lengths share; `docs/benchmarking.md` says so.

mod strata;
mod twins;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stem_odb::StoreUrl;

use crate::error::{Error, Result};
use crate::material::walk;
use crate::model::{Amount, Comparison, Forecast, Material, Note, Prediction};
use crate::progress::Progress;
use crate::run::{Options, check, empty};
use crate::scratch::{self, Scratch};
use crate::strategy::Strategy;
use strata::Strata;

/// From when on names must do to tell kinds of files.
const LOOK: Duration = Duration::from_secs(12);
/// From when on no more twins are looked for.
const TWINS: Duration = Duration::from_secs(22);
/// When the last of the sample should have been tried.
const SAMPLE: Duration = Duration::from_secs(52);
/// Room for what is tried.
const ROOM: u64 = 256 << 20;
/// What an estimate may be off by whatever the sample says: indices, dictionaries, the order of files.
const FLOOR: f64 = 0.01;
/// What chunks that files of different lengths share may take off it, besides.
const UNSEEN: f64 = 0.04;

/// How the size of a strategy is estimated.
enum Kind {
    /// Every content once, as it is.
    Raw,
    /// Packs with these options.
    Packs { url: StoreUrl, chunked: bool },
    /// Not at all.
    Unknown,
}

impl Kind {
    fn of(strategy: &Strategy) -> Self {
        let url = &strategy.url;
        match url.scheme.as_str() {
            "pack" => {
                let mut url = StoreUrl { location: "store".into(), ..url.clone() };
                // Names of objects are of one length.
                url.options.remove("hash");
                let chunked = url.options.get("chunk").is_none_or(|chunk| chunk != "whole");
                Self::Packs { url, chunked }
            }
            _ if url.options.values().any(|value| crate::strategy::inner_url(value).is_some()) => {
                Self::Unknown
            }
            _ => Self::Raw,
        }
    }
}

/// Forecasts what each strategy takes. Of the options, the rounds, the second version and the state are not looked at; a
/// sample is the most that is read, otherwise as much is read as there is time for.
pub fn predict(options: &Options, progress: &dyn Progress) -> Result<Comparison> {
    let begun = Instant::now();
    check(&Options { state: None, rounds: 1, ..options.clone() })?;
    let place = scratch::place(&options.directories, options.scratch.as_deref())?;
    let mut comparison = Comparison { rounds: 0, ..empty(options, &place) };
    let done = forecast(options, &place, begun, &mut comparison, progress);
    comparison.seconds = begun.elapsed().as_secs_f64();
    match done {
        Ok(()) => Ok(comparison),
        Err(Error::Interrupted) => {
            comparison.interrupted = true;
            Ok(comparison)
        }
        Err(error) => Err(error),
    }
}

fn forecast(
    options: &Options,
    place: &std::path::Path,
    begun: Instant,
    comparison: &mut Comparison,
    progress: &dyn Progress,
) -> Result<()> {
    progress.begin("looking at the files", 0);
    let listing = walk(&options.directories, Some(begun + LOOK), progress)?;
    let mut notes = listing.notes.clone();
    comparison.material = Material {
        directories: listing.directories(),
        found: listing.amounts(),
        sampled: BTreeMap::new(),
        seed: options.seed,
    };
    if listing.files.is_empty() {
        notes.say("empty", "there are no files, so there is nothing to forecast");
        comparison.notes = notes.finish();
        return Ok(());
    }
    progress.begin("looking for twins", 0);
    let distinct = twins::distinct(&listing, begun + TWINS, progress)?;
    if !distinct.complete {
        notes.say(
            "twins",
            "there was no time to look for equal files everywhere: the forecast may be too high",
        );
    }
    let mut packs: Vec<(StoreUrl, bool)> = Vec::new();
    for strategy in &options.strategies {
        if let Kind::Packs { url, chunked } = Kind::of(strategy)
            && !packs.iter().any(|(other, _)| *other == url)
        {
            packs.push((url, chunked));
        }
    }
    let urls: Vec<&StoreUrl> = packs.iter().map(|(url, _)| url).collect();
    let mut strata = Strata::new(&listing, &distinct, options.seed, options.sample);
    if !urls.is_empty() {
        scratch::check_room(place, ROOM)?;
        let scratch = Scratch::new(place)?;
        progress.begin("trying a sample", strata.goal());
        strata
            .try_out(&listing, &urls, &scratch, begun + SAMPLE, progress)
            .map_err(|error| error.in_scratch("a sample was tried", scratch.path()))?;
    }
    comparison.material.sampled = strata.sampled();
    let mut strategies = BTreeMap::new();
    for (strategy, result) in options.strategies.iter().zip(&mut comparison.strategies) {
        let prediction = match Kind::of(strategy) {
            Kind::Raw => Some(exact(distinct.whole(), distinct.complete)),
            Kind::Packs { url, chunked } => {
                let number = packs.iter().position(|(other, _)| *other == url).unwrap_or(usize::MAX);
                let (bytes, error) = strata.predict(number, chunked);
                Some(around(bytes, error, if chunked { UNSEEN } else { 0.0 }))
            }
            Kind::Unknown => None,
        };
        match prediction {
            Some(prediction) => {
                strategies.insert(strategy.name.clone(), prediction);
            }
            None => result.failed = Some("there is no forecast for this kind of store".into()),
        }
    }
    let whole = Amount { files: listing.files.len() as u64, bytes: listing.bytes() };
    comparison.forecast = Some(Forecast { whole, read: strata.read(), strategies });
    for unread in strata.unread() {
        notes.say("unreadable", unread);
    }
    comparison.notes = notes.finish();
    if comparison.notes.iter().all(|note| note.kind != "forecast") {
        comparison.notes.push(Note {
            kind: "forecast".into(),
            text: "chunks that files of different lengths share are not seen by a forecast: such material takes less".into(),
        });
    }
    Ok(())
}

fn exact(bytes: u64, complete: bool) -> Prediction {
    // Whatever is not known of twins can only make it less.
    Prediction { bytes, low: if complete { bytes } else { bytes / 2 }, high: bytes }
}

/// `error`: half the width of the interval, in bytes; `unseen`: the share by which it may be less besides.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no estimate is negative, and casts of floats saturate"
)]
fn around(bytes: f64, error: f64, unseen: f64) -> Prediction {
    let error = error + bytes * FLOOR;
    Prediction {
        bytes: bytes.round() as u64,
        low: (bytes - error - bytes * unseen).max(0.0).round() as u64,
        high: (bytes + error).round() as u64,
    }
}
