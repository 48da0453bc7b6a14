//! Looking many paths up in a list, both sorted by bytes, in one pass.
//!
//! A binary search for each of twenty thousand paths, or a hash of each, costs more than the `lstat` of the file.

use stem_fs::RelPath;
use stem_hash::ObjectId;

use crate::format::Manifest;

/// A list that is asked for ascending paths.
pub(crate) struct Merge<'a, T> {
    rest: &'a [T],
}

impl<'a, T> Merge<'a, T> {
    /// `items` are sorted by the bytes of their paths.
    pub(crate) fn new(items: &'a [T]) -> Self {
        Self { rest: items }
    }

    /// The item at `path`, which is not less than the one asked for before.
    pub(crate) fn find(&mut self, path: &[u8], path_of: impl Fn(&T) -> &[u8]) -> Option<&'a T> {
        let passed = self.rest.iter().take_while(|item| path_of(item) < path).count();
        self.rest = &self.rest[passed..];
        self.rest.first().filter(|item| path_of(item) == path)
    }
}

/// One path of a manifest and its object.
pub(crate) type Row = (RelPath, ObjectId);

/// The rows of a manifest by the bytes of their paths; it is sorted by code points, which is nearly always the same.
pub(crate) fn rows_by_bytes(manifest: &Manifest) -> Vec<&Row> {
    let mut rows: Vec<&Row> = manifest.as_slice().iter().collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn finds_what_a_search_finds(
            items in proptest::collection::btree_set("[a-d]{1,3}", 0..30),
            asked in proptest::collection::btree_set("[a-d]{1,3}", 0..30),
        ) {
            let list: Vec<&String> = items.iter().collect();
            let mut merge = Merge::new(&list);
            let found: BTreeSet<&String> =
                asked.iter().filter(|path| merge.find(path.as_bytes(), |item| item.as_bytes()).is_some()).collect();
            prop_assert_eq!(found, items.intersection(&asked).collect::<BTreeSet<_>>());
        }
    }
}
