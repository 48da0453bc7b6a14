//! The tables of the document against the constants.

use super::{entry, layout};
use crate::format::document_tests::{assert_dense, table};

const PAGE: &str = include_str!("../../../../docs/format/pack-index.md");

#[test]
fn the_offsets_are_those_of_the_document() {
    for (heading, constants, len) in [
        ("### Index header", layout::HEADER_TABLE, layout::HEADER_LEN),
        ("### Entry", entry::TABLE, entry::INDEX_ENTRY_LEN),
        ("### Fan-out row", layout::ROW_TABLE, layout::ROW_LEN),
        ("### Pack table row", layout::PACK_TABLE, layout::PACK_ROW_LEN),
        ("### Trailer", layout::TRAILER_TABLE, layout::TRAILER_LEN),
    ] {
        assert_eq!(table(PAGE, heading), constants, "{heading}");
        assert_dense(constants, len);
    }
}

#[test]
fn the_limits_are_those_of_the_document() {
    for said in [
        format!("0 to {}", layout::MAX_FAN_OUT_BITS),
        "number of packs, at most 65,535".to_owned(),
        "number of entries, at most 2^32 - 1".to_owned(),
        "at most 16 entries to a bucket".to_owned(),
    ] {
        assert!(PAGE.contains(&said), "docs/format/pack-index.md does not say {said}");
    }
    assert_eq!(layout::MAX_INDEX_PACKS, 65_535);
    assert_eq!(layout::MAX_INDEX_ENTRIES, (1 << 32) - 1);
}

#[test]
fn buckets_go_by_the_first_bits() {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&[0b1010_0000, 0, 0, 1]);
    assert_eq!(layout::bucket_of(&id, 0), 0);
    assert_eq!(layout::bucket_of(&id, 1), 1);
    assert_eq!(layout::bucket_of(&id, 3), 0b101);
    assert_eq!(layout::bucket_of(&id, 24), 0b1010_0000 << 16);
    assert_eq!(layout::bucket_of(&[0xff; 32], 24), (1 << 24) - 1);
}

#[test]
fn buckets_are_small() {
    assert_eq!(layout::fan_out_bits(0), 0);
    assert_eq!(layout::fan_out_bits(16), 0);
    assert_eq!(layout::fan_out_bits(17), 1);
    assert_eq!(layout::fan_out_bits(10_000_000), 20);
    assert_eq!(layout::fan_out_bits(u64::MAX), layout::MAX_FAN_OUT_BITS);
}
