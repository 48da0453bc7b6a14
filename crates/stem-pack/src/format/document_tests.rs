//! The tables of the documents against the constants.

use super::{attributes, chunk_list, footer, header, meta, record, removed};

pub(crate) const PACK: &str = include_str!("../../../../docs/format/pack.md");

/// Offset and size of each row of the first table that begins with `| offset | size |` under the heading `heading`.
pub(crate) fn table(page: &str, heading: &str) -> Vec<(usize, usize)> {
    let (_, section) = page.split_once(&format!("{heading}\n")).expect("the page has this heading");
    section
        .lines()
        .skip_while(|line| !line.starts_with("| offset | size |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let mut number = || cells.next().unwrap().parse().expect("a number");
            (number(), number())
        })
        .collect()
}

/// No gap and no overlap, and the length of the structure.
pub(crate) fn assert_dense(table: &[(usize, usize)], len: usize) {
    let end = table.iter().fold(0, |end, &(at, size)| {
        assert_eq!(at, end);
        at + size
    });
    assert_eq!(end, len);
}

#[test]
fn the_offsets_are_those_of_the_document() {
    for (heading, constants, len) in [
        ("### Header", header::TABLE, super::PACK_HEADER_LEN),
        ("### Record header", record::TABLE, super::RECORD_HEADER_LEN),
        ("### Attributes", attributes::TABLE, super::ATTRIBUTES_LEN),
        ("### Chunk list", chunk_list::TABLE, super::CHUNK_LIST_HEADER_LEN),
        ("### Chunk list entry", chunk_list::ENTRY_TABLE, super::CHUNK_ENTRY_LEN),
        ("### Metadata block", meta::TABLE, super::METADATA_HEADER_LEN),
        ("### Footer", footer::TABLE, super::FOOTER_LEN),
        ("## Tombstones: `removed`", removed::TABLE, 24),
    ] {
        assert_eq!(table(PACK, heading), constants, "{heading}");
        assert_dense(constants, len);
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[test]
fn the_limits_and_numbers_are_those_of_the_document() {
    use super::{Codec, Kind};
    for said in [
        format!("| records in a pack, the footer not counted | {} |", grouped(super::MAX_PACK_RECORDS)),
        format!("| length of a pack | 2^{} bytes |", super::MAX_PACK_LEN.trailing_zeros()),
        format!("| raw bytes of an object record or chunk | {} MiB |", super::MAX_CHUNK >> 20),
        format!("| dictionary | {} MiB |", super::MAX_DICTIONARY >> 20),
        format!("| metadata | {} bytes |", grouped(super::MAX_METADATA as u64)),
        format!("| tombstones | {} |", grouped(super::MAX_REMOVED)),
        format!("| `{}` | object |", Kind::Object.number()),
        format!("| `{}` | chunk |", Kind::Chunk.number()),
        format!("| `{}` | chunk list |", Kind::ChunkList.number()),
        format!("| `{}` | dictionary |", Kind::Dictionary.number()),
        format!("| `{}` | metadata |", Kind::Metadata.number()),
        format!("| `{}` | footer |", Kind::Footer.number()),
        format!("| `{}` | raw |", Codec::Raw.number().unwrap()),
        format!("| `{}` | zstd |", Codec::Zstd.number().unwrap()),
        format!("| `{}` | zstd with dictionary |", Codec::ZstdDictionary.number().unwrap()),
        format!(
            "| `{}` to `{}` | samples |",
            Codec::Sample(0).number().unwrap(),
            Codec::Sample(15).number().unwrap()
        ),
    ] {
        assert!(PACK.contains(&said), "docs/format/pack.md does not say {said}");
    }
    assert_eq!(super::MAX_CHUNKS, (1 << 32) - 1);
    assert_eq!(super::MAX_OBJECT, (1 << 63) - 1);
    assert_eq!(Codec::Sample(16).number(), None);
    for number in 0..=u8::MAX {
        assert_eq!(Codec::from_number(number).number(), Some(number));
        assert!(Kind::from_number(number).is_none_or(|kind| kind.number() == number));
    }
}
