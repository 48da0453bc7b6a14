//! How much distinct content there is.
//!
//! Files of one length are compared by hashes of a few places. Where all agree the files are taken for equal; where some
//! do (the takes of an evening, a stem with a punch-in), that share of the file is taken for shared, which is what chunks
//! make of it. Files of different lengths are never compared.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::material::{Found, Listing};
use crate::progress::Progress;

/// How many places of a file are looked at.
const PLACES: u64 = 16;
/// Bytes at each.
const PIECE: u64 = 4096;

/// What of each file is new, in the listing's order.
pub(super) struct Distinct {
    /// Bytes of each file that no file before it has: 0 or all of it where files are stored whole.
    whole: Vec<u64>,
    /// The same where files are cut into chunks.
    chunked: Vec<u64>,
    /// Whether all files were looked at that had to be.
    pub(super) complete: bool,
}

impl Distinct {
    /// Bytes of the file at `at` to store, in chunks or whole.
    pub(super) fn of(&self, at: usize, chunked: bool) -> u64 {
        let list = if chunked { &self.chunked } else { &self.whole };
        list.get(at).copied().unwrap_or(0)
    }

    /// Bytes to store where files are stored whole.
    pub(super) fn whole(&self) -> u64 {
        self.whole.iter().sum()
    }
}

pub(super) fn distinct(listing: &Listing, until: Instant, progress: &dyn Progress) -> Result<Distinct> {
    let mut sizes: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, file) in listing.files.iter().enumerate() {
        sizes.entry(file.stat.size).or_default().push(at);
    }
    let all: Vec<u64> = listing.files.iter().map(|file| file.stat.size).collect();
    let mut distinct = Distinct { whole: all.clone(), chunked: all, complete: true };
    // The largest first: they matter most if time runs out.
    for (&size, members) in sizes.iter().rev().filter(|(size, members)| **size > 0 && members.len() > 1) {
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
        if Instant::now() > until {
            distinct.complete = false;
            break;
        }
        let prints: Vec<Option<Vec<Print>>> = members
            .par_iter()
            .map(|&at| {
                let file = listing.files.get(at)?;
                (Instant::now() <= until).then(|| prints(listing, file)).flatten()
            })
            .collect();
        let mut equal: HashSet<Vec<blake3::Hash>> = HashSet::new();
        let mut seen: HashSet<(usize, blake3::Hash)> = HashSet::new();
        for (&at, prints) in members.iter().zip(prints) {
            let Some(prints) = prints else {
                distinct.complete = false;
                continue;
            };
            let hashes: Vec<blake3::Hash> = prints.iter().map(|print| print.hash).collect();
            if !equal.insert(hashes) {
                set(&mut distinct.whole, at, 0);
                set(&mut distinct.chunked, at, 0);
                continue;
            }
            let telling = prints.iter().enumerate().filter(|(_, print)| print.telling);
            let (mut all, mut shared) = (0_u64, 0_u64);
            for (place, print) in telling {
                all += 1;
                shared += u64::from(!seen.insert((place, print.hash)));
            }
            if let Some(rest) = (size * (all - shared)).checked_div(all) {
                set(&mut distinct.chunked, at, rest);
            }
        }
    }
    Ok(distinct)
}

fn set(list: &mut [u64], at: usize, value: u64) {
    if let Some(entry) = list.get_mut(at) {
        *entry = value;
    }
}

struct Print {
    hash: blake3::Hash,
    /// Whether it says anything about chunks: silence is equal everywhere, and costs nothing.
    telling: bool,
}

/// The hashes of some places of a file; `None` if it cannot be read.
fn prints(listing: &Listing, file: &Found) -> Option<Vec<Print>> {
    let open = listing.roots.get(file.root)?.open_file(&file.path).ok()??;
    let size = file.stat.size;
    let piece = PIECE.min(size);
    let mut buffer = vec![0; usize::try_from(piece).ok()?];
    let places = if size <= PIECE * PLACES { size.div_ceil(piece) } else { PLACES };
    let mut prints = Vec::new();
    for place in 0..places {
        let offset = if size <= PIECE * PLACES {
            place * piece
        } else {
            let last = u128::from(size - piece);
            u64::try_from(last * u128::from(place) / u128::from(places - 1)).ok()?
        };
        let count = open.read_at(&mut buffer, offset).ok()?;
        let bytes = buffer.get(..count)?;
        let constant = bytes.windows(2).all(|pair| pair.first() == pair.last());
        // Files of one length begin and end alike.
        let edge = place == 0 || place + 1 == places;
        prints.push(Print { hash: blake3::hash(bytes), telling: !constant && !edge && places > 4 });
    }
    Some(prints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::material::walk;
    use crate::progress::Silent;
    use std::time::Duration;

    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut random = crate::random::Random::new(seed);
        (0..len).map(|_| random.next().to_le_bytes()[0]).collect()
    }

    #[test]
    fn equal_files_count_once_and_edited_ones_in_part() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
        let first = noise(1, 1_000_000);
        let mut edited = first.clone();
        edited[250_000..500_000].copy_from_slice(&noise(2, 250_000));
        write("a", &first);
        write("b", &first);
        write("c", &edited);
        write("d", &noise(3, 1_000_000));
        write("e", &noise(4, 777));
        write("f", &noise(4, 777));
        write("g", &vec![0; 1_000_000]);
        let listing = walk(&[dir.path().to_path_buf()], None, &Silent).unwrap();
        let late = Instant::now() + Duration::from_mins(10);
        let found = distinct(&listing, late, &Silent).unwrap();
        assert!(found.complete);
        let whole: Vec<u64> = (0..7).map(|at| found.of(at, false)).collect();
        assert_eq!(whole, [1_000_000, 0, 1_000_000, 1_000_000, 777, 0, 1_000_000]);
        let part = found.of(2, true);
        assert!((150_000..400_000).contains(&part), "{part}");
        assert_eq!((found.of(0, true), found.of(1, true), found.of(3, true)), (1_000_000, 0, 1_000_000));
        let found =
            distinct(&listing, Instant::now().checked_sub(Duration::from_secs(1)).unwrap(), &Silent).unwrap();
        assert!(!found.complete);
        assert_eq!(found.of(1, false), 1_000_000);
    }
}
