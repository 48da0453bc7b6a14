//! Which files a comparison works on.
//!
//! Every class gets the share of the sample that it has of the whole, and something if it has anything, so that no class
//! is without figures. Files are taken whole, in an order that the seed decides; only a file that is larger than all that
//! its class gets is taken in part, from its beginning, where its header is.

use std::collections::{BTreeMap, BTreeSet};

use stem_fs::RelPath;

use super::Listing;
use crate::model::Class;
use crate::random::Random;

/// What even the smallest class gets, in bytes, if it has that much.
const LEAST: u64 = 256 << 10;

/// A file that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Its position in the listing.
    pub(crate) file: usize,
    /// How many of its bytes, from the beginning.
    pub(crate) bytes: u64,
}

/// The files that were chosen, in the listing's order.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) files: Vec<Chosen>,
}

impl Selection {
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Chooses about `limit` bytes, or everything.
pub(crate) fn choose(listing: &Listing, limit: Option<u64>, seed: u64) -> Selection {
    let all: Vec<usize> = (0..listing.files.len()).collect();
    choose_of(listing, &all, limit, seed)
}

fn choose_of(listing: &Listing, of: &[usize], limit: Option<u64>, seed: u64) -> Selection {
    let size = |file: usize| listing.files.get(file).map_or(0, |found| found.stat.size);
    let total: u64 = of.iter().map(|&file| size(file)).sum();
    let limit = limit.unwrap_or(u64::MAX);
    let mut files = Vec::new();
    if total <= limit {
        files.extend(of.iter().map(|&file| Chosen { file, bytes: size(file) }));
        return Selection { files };
    }
    let mut classes: BTreeMap<Class, Vec<usize>> = BTreeMap::new();
    for &file in of {
        if let Some(found) = listing.files.get(file) {
            classes.entry(found.class).or_default().push(file);
        }
    }
    for (class, mut members) in classes {
        let bytes: u64 = members.iter().map(|&file| size(file)).sum();
        let share = u128::from(limit) * u128::from(bytes) / u128::from(total.max(1));
        let quota = u64::try_from(share).unwrap_or(u64::MAX).max(LEAST).min(bytes);
        Random::new(seed ^ (class as u64).wrapping_mul(0x9E37)).shuffle(&mut members);
        let mut left = quota;
        let mut taken = 0;
        for &file in &members {
            if size(file) <= left {
                left -= size(file);
                taken += 1;
                files.push(Chosen { file, bytes: size(file) });
            }
            if left == 0 {
                break;
            }
        }
        // A class of which nothing, or next to nothing, fits: the first file of the order, in part.
        if taken == 0 || left > quota / 2 {
            let large = members.iter().copied().find(|&file| size(file) > left);
            if let Some(file) = large.filter(|_| left > 0) {
                files.push(Chosen { file, bytes: left });
            }
        }
    }
    files.sort_unstable_by_key(|chosen| chosen.file);
    Selection { files }
}

/// The files of a second version that belong to a sample of the first: those with the paths that were chosen, as much of
/// each, and of the new ones the same share.
pub(crate) fn follow(first: &Listing, selection: &Selection, second: &Listing, seed: u64) -> Selection {
    let whole = first.bytes() <= selection.bytes();
    if whole {
        return choose(second, None, seed);
    }
    let cut: BTreeMap<&RelPath, Option<u64>> = selection
        .files
        .iter()
        .filter_map(|chosen| {
            let file = first.files.get(chosen.file)?;
            Some((&file.path, (chosen.bytes < file.stat.size).then_some(chosen.bytes)))
        })
        .collect();
    let known: BTreeSet<&RelPath> = first.paths();
    let mut files = Vec::new();
    let mut new = Vec::new();
    for (at, file) in second.files.iter().enumerate() {
        match cut.get(&file.path) {
            Some(limit) => {
                let bytes = file.stat.size.min(limit.unwrap_or(u64::MAX));
                files.push(Chosen { file: at, bytes });
            }
            None if !known.contains(&file.path) => new.push(at),
            None => {}
        }
    }
    let bytes: u64 = new.iter().filter_map(|&at| second.files.get(at)).map(|file| file.stat.size).sum();
    let share = u128::from(bytes) * u128::from(selection.bytes()) / u128::from(first.bytes().max(1));
    let share = u64::try_from(share).unwrap_or(u64::MAX);
    files.extend(choose_of(second, &new, Some(share), seed).files);
    files.sort_unstable_by_key(|chosen| chosen.file);
    Selection { files }
}

#[cfg(test)]
mod tests {
    use super::super::{Found, Notes};
    use super::*;
    use crate::model::Amount;
    use stem_fs::{FileKind, Stat, Timestamp};

    fn listing(files: &[(&str, u64, Class)]) -> Listing {
        let files = files
            .iter()
            .map(|&(path, size, class)| Found {
                root: 0,
                path: RelPath::new(path).unwrap(),
                stat: Stat {
                    kind: FileKind::File,
                    size,
                    mode: 0o644,
                    mtime: Timestamp::default(),
                    ctime: Timestamp::default(),
                    inode: 0,
                    device: 0,
                    links: 1,
                    blocks: 0,
                },
                class,
            })
            .collect();
        Listing { roots: Vec::new(), files, notes: Notes::default() }
    }

    fn amounts(selection: &Selection, listing: &Listing) -> BTreeMap<Class, Amount> {
        let mut amounts: BTreeMap<Class, Amount> = BTreeMap::new();
        for chosen in &selection.files {
            let amount = amounts.entry(listing.files[chosen.file].class).or_default();
            amount.files += 1;
            amount.bytes += chosen.bytes;
        }
        amounts
    }

    fn session() -> Listing {
        let names: Vec<String> = (0..1000).map(|n| format!("{n:04}")).collect();
        let mut files: Vec<(&str, u64, Class)> = Vec::new();
        for (n, name) in names.iter().enumerate() {
            files.push(match n % 10 {
                0..6 => (name, 10 << 20, Class::IntegerWav),
                6..9 => (name, 5 << 20, Class::FloatWav),
                _ => (name, 1 << 10, Class::Midi),
            });
        }
        listing(&files)
    }

    #[test]
    fn classes_keep_their_shares_and_none_is_left_out() {
        let listing = session();
        let selection = choose(&listing, Some(500 << 20), 7);
        let taken = amounts(&selection, &listing);
        let total = listing.bytes();
        for (class, found) in listing.amounts() {
            let fair = (500 << 20) * found.bytes / total;
            let got = taken[&class].bytes;
            assert!(got > 0);
            if class != Class::Midi {
                assert!(got.abs_diff(fair) <= 10 << 20, "{class:?}: {got} of {fair}");
            }
        }
        assert_eq!(choose(&listing, Some(500 << 20), 7).files, selection.files);
        assert_ne!(choose(&listing, Some(500 << 20), 8).files, selection.files);
        assert_eq!(choose(&listing, None, 7).files.len(), 1000);
        assert_eq!(choose(&listing, Some(u64::MAX), 7).bytes(), listing.bytes());
    }

    #[test]
    fn a_file_that_is_larger_than_the_sample_is_taken_in_part() {
        let listing = listing(&[("one", 8 << 30, Class::IntegerWav), ("two", 9 << 30, Class::IntegerWav)]);
        let selection = choose(&listing, Some(1 << 30), 1);
        assert_eq!(selection.files.len(), 1);
        assert_eq!(selection.bytes(), 1 << 30);
    }

    #[test]
    fn a_second_version_follows_the_paths_of_the_sample() {
        let first = session();
        let selection = choose(&first, Some(200 << 20), 3);
        let mut second = session();
        second.files.push(Found { path: RelPath::new("new").unwrap(), ..second.files[0].clone() });
        let followed = follow(&first, &selection, &second, 3);
        let paths = |listing: &Listing, selection: &Selection| -> Vec<String> {
            selection.files.iter().map(|c| listing.files[c.file].path.to_string()).collect()
        };
        let mine = paths(&first, &selection);
        assert!(paths(&second, &followed).iter().filter(|path| *path != "new").eq(mine.iter()));
        let everything = choose(&first, None, 3);
        assert_eq!(follow(&first, &everything, &second, 3).files.len(), 1001);
    }
}
