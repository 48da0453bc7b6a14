//! What stores make of a sample, kind by kind.
//!
//! A stratum is a class of files, the small ones (which packs put together) apart from the others. Of large files, spans
//! are taken at places that a low-discrepancy sequence spreads over all bytes of the stratum, so that a sample is a fair one
//! whenever time runs out: the probability of a file is its share of the bytes. A span goes into the store behind its
//! file's header, so that it is recognised as the audio that it is. Spans come in batches, each with stores of its own;
//! from how much batches differ follows how far the mean may be off.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use stem_odb::{Base, StoreUrl, open_store};
use stem_store::{Durability, PutOptions};

use super::twins::Distinct;
use crate::error::{Error, Result};
use crate::material::Listing;
use crate::model::{Amount, Class};
use crate::progress::Progress;
use crate::random::Random;
use crate::scratch::Scratch;
use crate::usage::{repeated, usage};

/// Below this a file is small: packs put such ones together.
const SMALL: u64 = 64 << 10;
/// Bytes of a span: many short ones tell more of music than a few long ones, but each is put as one that is not small.
const SPANS: std::ops::RangeInclusive<u64> = 80 << 10..=256 << 10;
/// Into how many spans a sample is divided at least, if they are not too short then.
const PLACES: u64 = 256;
/// A longer header does not go with every span.
const HEADER: u64 = 64 << 10;
/// Bytes and files of a batch.
const BATCH: u64 = 8 << 20;
const BATCH_FILES: usize = 1000;
/// A stratum of no more bytes is taken whole.
const WHOLE: u64 = 32 << 20;
/// What is worth reading of material of any size.
const MOST: u64 = 4 << 30;
/// Into how many batches a sample is divided at least.
const BATCHES: u64 = 24;
/// Of a stratum with less than this share of all bytes, nothing has to be known.
const NEGLIGIBLE: f64 = 0.001;
/// The error of a stratum of which only one batch is known, as a share.
const UNSURE: f64 = 0.25;

pub(super) struct Strata {
    all: Vec<Stratum>,
    limit: u64,
    batch: u64,
    span: u64,
    files: BTreeSet<usize>,
    bytes: u64,
    unread: Vec<String>,
}

struct Stratum {
    class: Class,
    /// Positions in the listing of files with something new in them.
    members: Vec<usize>,
    /// Where each ends when all bytes of the members stand in a row.
    ends: Vec<u64>,
    bytes: u64,
    /// Bytes to store, whole and in chunks.
    to_store: [u64; 2],
    how: How,
    /// For each batch: its bytes, and what each store made of it.
    batches: Vec<(u64, Vec<u64>)>,
    taken: Amount,
}

enum How {
    /// File by file, in the order of the members.
    Files { next: usize },
    /// Spans.
    Spans { next: u64, offset: u64 },
}

/// Bytes to put.
type Unit = Vec<u8>;

impl Strata {
    pub(super) fn new(listing: &Listing, distinct: &Distinct, seed: u64, limit: Option<u64>) -> Self {
        let mut found: BTreeMap<(Class, bool), Vec<usize>> = BTreeMap::new();
        for (at, file) in listing.files.iter().enumerate() {
            if distinct.of(at, false) > 0 {
                found.entry((file.class, file.stat.size < SMALL)).or_default().push(at);
            }
        }
        let limit = limit.unwrap_or(MOST);
        let span = (limit / PLACES).clamp(*SPANS.start(), *SPANS.end());
        let batch = (limit / BATCHES).clamp(span, BATCH);
        let mut random = Random::new(seed);
        let strata = found.into_iter().map(|((class, small), mut members)| {
            random.shuffle(&mut members);
            let size = |at: &usize| listing.files.get(*at).map_or(0, |file| file.stat.size);
            let mut bytes = 0;
            let ends = members
                .iter()
                .map(|at| {
                    bytes += size(at);
                    bytes
                })
                .collect();
            let to_store =
                [false, true].map(|chunked| members.iter().map(|&at| distinct.of(at, chunked)).sum());
            let whole = small || bytes <= WHOLE.min(limit / 4);
            let how =
                if whole { How::Files { next: 0 } } else { How::Spans { next: 0, offset: random.next() } };
            Stratum {
                class,
                members,
                ends,
                bytes,
                to_store,
                how,
                batches: Vec::new(),
                taken: Amount::default(),
            }
        });
        Self {
            all: strata.collect(),
            limit,
            batch,
            span,
            files: BTreeSet::new(),
            bytes: 0,
            unread: Vec::new(),
        }
    }

    fn bytes_of_all(&self) -> u64 {
        self.all.iter().map(|stratum| stratum.bytes).sum()
    }

    /// About how many bytes are read.
    pub(super) fn goal(&self) -> u64 {
        self.bytes_of_all().min(self.limit)
    }

    /// Lets the stores have samples until there is enough, or no more time.
    pub(super) fn try_out(
        &mut self,
        listing: &Listing,
        urls: &[&StoreUrl],
        scratch: &Scratch,
        until: Instant,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut slowest = Duration::ZERO;
        // A batch that would end too late is not begun; the first one is.
        while self.bytes < self.limit && Instant::now() + slowest < until {
            let begun = Instant::now();
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let open = self.all.iter().enumerate().filter(|(_, stratum)| !stratum.is_done());
            let next = open.max_by(|(_, a), (_, b)| a.wants().total_cmp(&b.wants()));
            let Some((at, _)) = next else { break };
            let room = self.batch.min(self.limit - self.bytes).max(self.span);
            let Some(stratum) = self.all.get_mut(at) else { break };
            let (units, files, unread) = stratum.draw(listing, room, self.span);
            self.unread.extend(unread);
            let bytes: u64 = units.iter().map(|unit| unit.len() as u64).sum();
            if bytes == 0 {
                continue;
            }
            let mut stored = Vec::with_capacity(urls.len());
            for url in urls {
                // A batch that not every store has seen would compare them by different music.
                stored.push(store(url, &units, scratch)?);
            }
            stratum.batches.push((bytes, stored));
            stratum.taken.bytes += bytes;
            let before = self.files.len();
            self.files.extend(files);
            stratum.taken.files += (self.files.len() - before) as u64;
            self.bytes += bytes;
            progress.advance(bytes);
            slowest = slowest.max(begun.elapsed());
        }
        Ok(())
    }

    /// Bytes that the store with this number takes, and half the width of the interval.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn predict(&self, number: usize, chunked: bool) -> (f64, f64) {
        let all = self.bytes_of_all() as f64;
        let (mut bytes, mut variance, mut batches) = (0.0, 0.0, 0_usize);
        for stratum in &self.all {
            let [whole, in_chunks] = stratum.to_store;
            let to_store = if chunked { in_chunks } else { whole } as f64;
            let (ratio, error) = match stratum.ratio(number) {
                Some(known) => known,
                None if (stratum.bytes as f64) < all * NEGLIGIBLE => (1.0, 0.0),
                // Nothing was read of it: as it is, or half of that.
                None => (0.75, UNSURE),
            };
            bytes += to_store * ratio;
            variance += (to_store * error).powi(2);
            batches += stratum.batches.len();
        }
        // Student's t for 95 %, roughly.
        let factor = match batches {
            0..=2 => 4.3,
            3..=5 => 2.8,
            6..=12 => 2.3,
            _ => 2.0,
        };
        (bytes, factor * variance.sqrt())
    }

    /// What was read, by class.
    pub(super) fn sampled(&self) -> BTreeMap<Class, Amount> {
        let mut sampled: BTreeMap<Class, Amount> = BTreeMap::new();
        for stratum in self.all.iter().filter(|stratum| stratum.taken.bytes > 0) {
            let amount = sampled.entry(stratum.class).or_default();
            amount.files += stratum.taken.files;
            amount.bytes += stratum.taken.bytes;
        }
        sampled
    }

    /// What was read.
    pub(super) fn read(&self) -> Amount {
        Amount { files: self.files.len() as u64, bytes: self.bytes }
    }

    /// What could not be read.
    pub(super) fn unread(&self) -> impl Iterator<Item = String> {
        let (count, first) = (self.unread.len(), self.unread.first());
        first
            .map(|first| format!("{count} files of the sample could not be read, the first is {first}"))
            .into_iter()
    }
}

impl Stratum {
    fn is_done(&self) -> bool {
        match self.how {
            How::Files { next } => next >= self.members.len(),
            // More would not say more.
            How::Spans { .. } => self.taken.bytes >= self.bytes,
        }
    }

    /// How much one more batch would say.
    #[expect(clippy::cast_precision_loss, reason = "a weight")]
    fn wants(&self) -> f64 {
        self.bytes as f64 / (self.batches.len() as f64 + 0.5)
    }

    /// The next batch: what to put, of which files, and what could not be read.
    fn draw(&mut self, listing: &Listing, room: u64, span: u64) -> (Vec<Unit>, Vec<usize>, Vec<String>) {
        let mut wanted: Vec<(usize, Option<u64>)> = Vec::new();
        match &mut self.how {
            How::Files { next } => {
                let mut bytes = 0;
                while let Some(&at) = self.members.get(*next)
                    && bytes < room
                    && wanted.len() < BATCH_FILES
                {
                    bytes += listing.files.get(at).map_or(0, |file| file.stat.size);
                    wanted.push((at, None));
                    *next += 1;
                }
            }
            How::Spans { next, offset } => {
                for _ in 0..(room / span).max(1) {
                    // Multiples of the golden ratio, in fractions of 2^64.
                    let fraction = offset.wrapping_add(next.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    *next += 1;
                    let position = (u128::from(fraction) * u128::from(self.bytes)) >> 64;
                    let position = u64::try_from(position).unwrap_or(0);
                    let at = self.ends.partition_point(|&end| end <= position);
                    let before = at.checked_sub(1).and_then(|at| self.ends.get(at)).copied().unwrap_or(0);
                    if let Some(&member) = self.members.get(at) {
                        wanted.push((member, Some(position - before)));
                    }
                }
            }
        }
        let read: Vec<(usize, std::result::Result<Unit, String>)> = wanted
            .into_par_iter()
            .map(|(at, position)| (at, unit(listing, at, position.map(|position| (position, span)))))
            .collect();
        let (mut units, mut files, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for (at, unit) in read {
            match unit {
                Ok(unit) => {
                    units.push(unit);
                    files.push(at);
                }
                Err(path) => unread.push(path),
            }
        }
        (units, files, unread)
    }

    /// What the store with this number makes of a byte, and the standard error of that.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn ratio(&self, number: usize) -> Option<(f64, f64)> {
        let pairs: Vec<(f64, f64)> = self
            .batches
            .iter()
            .filter_map(|(raw, stored)| Some((*raw as f64, *stored.get(number)? as f64)))
            .collect();
        let raw: f64 = pairs.iter().map(|(raw, _)| raw).sum();
        let stored: f64 = pairs.iter().map(|(_, stored)| stored).sum();
        if raw <= 0.0 {
            return None;
        }
        let ratio = stored / raw;
        let share = (raw / self.bytes.max(1) as f64).min(1.0);
        if matches!(self.how, How::Files { .. }) && self.is_done() {
            return Some((ratio, 0.0));
        }
        let count = pairs.len() as f64;
        if pairs.len() < 2 {
            return Some((ratio, ratio * UNSURE));
        }
        let squares: f64 = pairs.iter().map(|(raw, stored)| (stored - ratio * raw).powi(2)).sum();
        let error = (squares / (count - 1.0) / count).sqrt() / (raw / count);
        Some((ratio, error * (1.0 - share).max(0.0).sqrt()))
    }
}

/// Reads what is to be put: a whole file, or the span around a position behind the file's header.
fn unit(listing: &Listing, at: usize, span: Option<(u64, u64)>) -> std::result::Result<Unit, String> {
    let Some(found) = listing.files.get(at) else { return Ok(Vec::new()) };
    let Some(root) = listing.roots.get(found.root) else { return Ok(Vec::new()) };
    let failed = || crate::error::show(&root.full(&found.path));
    let file = root.open_file(&found.path).ok().flatten().ok_or_else(failed)?;
    let read = |offset: u64, len: u64| -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        bytes.truncate(filled);
        Some(bytes)
    };
    let size = found.stat.size;
    // A file that grew since is taken as it was.
    let Some((position, span)) = span.filter(|(_, span)| size > span + span / 2) else {
        return read(0, size.min(WHOLE)).ok_or_else(failed);
    };
    let head = read(0, HEADER).ok_or_else(failed)?;
    let audio = stem_audio::probe(&head, Some(size)).filter(|audio| audio.samples.start <= HEADER);
    let (start, end, frame) = audio.map_or((0, size, 1), |audio| {
        (audio.samples.start, audio.samples.end.min(size), audio.format.frame_len() as u64)
    });
    let all = end.saturating_sub(start) / frame * frame;
    let len = span.min(all) / frame * frame;
    // A span that reaches beyond the end goes on at the beginning, so that every byte is as likely as any other: stems
    // like to begin and to end with silence.
    let offset = position.saturating_sub(start).min(all.saturating_sub(frame)) / frame * frame;
    let first = len.min(all - offset);
    let header = usize::try_from(start).unwrap_or(0);
    let mut unit = head.get(..header).unwrap_or_default().to_vec();
    unit.extend(read(start + offset, first).ok_or_else(failed)?);
    unit.extend(read(start, len - first).ok_or_else(failed)?);
    Ok(unit)
}

/// What a fresh store takes for these objects.
fn store(url: &StoreUrl, units: &[Unit], scratch: &Scratch) -> Result<u64> {
    let place = scratch.fresh("forecast")?;
    let store = open_store(url, Base::Directory(&place)).map_err(|error| match error {
        stem_odb::Error::Store(error) => Error::Store(error),
        stem_odb::Error::Fs(error) => Error::Fs(error),
        other => Error::Invalid(crate::error::chain(&other)),
    })?;
    let options = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };
    units
        .par_iter()
        .try_for_each(|unit| store.put(&mut unit.as_slice(), &options).map(drop).map_err(Error::Store))?;
    store.sync()?;
    drop(store);
    // Spans of silence are equal, and the store keeps one of them; in their files they are not of one length.
    Ok(usage(&[&place])?.bytes + repeated(&[&place])?)
}
