//! The index over several packs, merged from indices that are there already.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::io::Write;

use stem_hash::Algorithm;

use super::entry::IndexEntry;
use super::error::{Result, contradiction};
use super::layout::{CoveredPack, IndexKind, MAX_INDEX_PACKS};
use super::lookup::{Entries, Index};
use super::write::{IndexSummary, IndexWriter};
use crate::format::{FormatError, PackId, Structure};

/// One input: its entries, and what its packs are called in the result.
struct Input<'a> {
    entries: Entries<'a>,
    /// By number in the input; `None` for packs that are left out.
    renumbered: Vec<Option<u16>>,
}

impl Input<'_> {
    /// The next entry of a pack that is kept.
    fn next(&mut self) -> Result<Option<IndexEntry>> {
        for entry in self.entries.by_ref() {
            let entry = entry?;
            if let Some(pack) = self.renumbered.get(usize::from(entry.pack)).copied().flatten() {
                return Ok(Some(entry.in_pack(pack)));
            }
        }
        Ok(None)
    }
}

/// An entry and the number of the input that it came from, ordered as in the index.
struct Head(IndexEntry, usize);

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Head {}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.key().cmp(&other.0.key())
    }
}

/// Merges indices of single packs and multi-pack indices into one multi-pack index, over those packs for which
/// `keep` is true. A pack that several inputs cover is taken from the first of them.
///
/// Streams from its inputs to `out`: memory grows with the number of packs and with a hundredth of the entries' bytes
/// (the fan-out), and with the fan-outs of inputs that are not mapped. Damage in an input is an error; what was written by
/// then is no index.
pub fn merge(
    inputs: &[&Index],
    algorithm: Algorithm,
    keep: &mut dyn FnMut(&CoveredPack) -> bool,
    out: &mut dyn Write,
) -> Result<IndexSummary> {
    let mut packs: Vec<CoveredPack> = Vec::new();
    let mut seen: HashSet<PackId> = HashSet::new();
    let mut sources = Vec::with_capacity(inputs.len());
    let mut expected = 0u64;
    for index in inputs {
        if index.algorithm() != algorithm {
            return Err(contradiction("an index of other ids is among those to be merged"));
        }
        let mut renumbered = Vec::with_capacity(index.packs().len());
        for pack in index.packs() {
            let taken = seen.insert(pack.id) && keep(&pack);
            let number = u16::try_from(packs.len()).ok().filter(|_| taken);
            if taken {
                FormatError::bound(
                    Structure::Index,
                    "number of packs",
                    packs.len() as u64 + 1,
                    MAX_INDEX_PACKS,
                )?;
                packs.push(pack);
            }
            renumbered.push(number);
        }
        if renumbered.iter().any(Option::is_some) {
            expected = expected.saturating_add(index.len());
            sources.push(Input { entries: index.iter(), renumbered });
        }
    }
    let mut writer = IndexWriter::new(out, IndexKind::Multi, algorithm, expected)?;
    let mut heads = BinaryHeap::with_capacity(sources.len());
    for (number, source) in sources.iter_mut().enumerate() {
        heads.extend(source.next()?.map(|entry| Reverse(Head(entry, number))));
    }
    while let Some(mut top) = heads.peek_mut() {
        let Reverse(Head(entry, number)) = &mut *top;
        writer.push(entry)?;
        match sources.get_mut(*number).map_or(Ok(None), Input::next)? {
            // Changing the top in place costs one sift where popping and pushing cost two.
            Some(next) => *entry = next,
            None => {
                std::collections::binary_heap::PeekMut::pop(top);
            }
        }
    }
    writer.finish(&packs)
}
