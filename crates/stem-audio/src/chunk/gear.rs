//! The rolling hash: gear, over a window of 64 bytes.
//!
//! Each byte shifts the hash left by one and adds the byte's word of the table, so after 64 bytes nothing older is left
//! in it. The scan is the `gearhash` crate's, which is vectorised; the table is our own, made by a rule of two lines, because
//! boundaries are a contract and a table of somebody else's may change with a release.

use gearhash::{Hasher, Table};

/// How many bytes a hash depends on.
pub(super) const WINDOW: usize = 64;

/// `TABLE[b]` is the `b`-th number (from 0) that `SplitMix64` gives from this seed: "stemgear" in ASCII, as a big-endian number.
const SEED: u64 = u64::from_be_bytes(*b"stemgear");

pub(super) static TABLE: Table = table();

const fn table() -> Table {
    let mut table = [0; 256];
    let mut state = SEED;
    let mut index = 0;
    while index < table.len() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        table[index] = word ^ word >> 31;
        index += 1;
    }
    table
}

/// The first `p > from` at which the hash of the [`WINDOW`] bytes before `p` has only zeros in `mask`, if there is one up
/// to the end of `data`. `from` is at least [`WINDOW`].
pub(super) fn find(data: &[u8], from: usize, mask: u64) -> Option<usize> {
    let mut hasher = Hasher::new(&TABLE);
    hasher.update(data.get(from - WINDOW..from)?);
    Some(from + hasher.next_match(data.get(from..)?, mask)?)
}
