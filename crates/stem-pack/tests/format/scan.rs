//! Walking whole, torn and damaged packs.

use crate::support::{PackWriter, SmallPack, sample};
use stem_pack::format::{Kind, PACK_HEADER_LEN, PackId};
use stem_pack::scan::{PayloadState, Payloads, Scan, ScanEnd, Scanned, rebuild_index};

fn walk(bytes: &[u8], payloads: Payloads) -> (Vec<Scanned>, ScanEnd) {
    let mut scan = Scan::open(bytes, payloads).unwrap();
    let records = scan.by_ref().map(Result::unwrap).collect();
    (records, scan.end())
}

fn rebuilt(pack: &SmallPack) -> Vec<u8> {
    let mut index = Vec::new();
    let (summary, end) = rebuild_index(&pack.bytes[..], &mut index).unwrap();
    assert_eq!(summary.len, index.len() as u64);
    assert_eq!(end.torn, None);
    index
}

#[test]
fn a_whole_pack_is_walked_to_its_footer() {
    let pack = sample();
    let (records, end) = walk(&pack.bytes, Payloads::Check);
    assert_eq!(end.torn, None);
    assert_eq!(end.records, 8);
    assert_eq!(end.covered.end, *pack.offsets.last().unwrap());
    assert!(records.iter().all(|record| record.payload == PayloadState::Sound));
    let kinds: Vec<Kind> = records.iter().map(|record| record.header.kind).collect();
    assert_eq!(kinds.iter().map(|kind| kind.number()).collect::<Vec<_>>(), [5, 1, 1, 1, 4, 2, 2, 3]);
}

#[test]
fn a_rebuilt_index_is_the_one_that_was_written() {
    let pack = sample();
    assert_eq!(rebuilt(&pack), pack.index);
    // Long and short records, so that headers lie inside and outside of what was read ahead.
    let mut writer = PackWriter::new(PackId::from_bytes([5; 16]));
    for number in 0..300u32 {
        let len = [0, 10, 100, 16_000, 70_000, 4000][number as usize % 6];
        let bytes: Vec<u8> = number.to_le_bytes().into_iter().cycle().take(len + 4).collect();
        writer.object(&bytes, None);
    }
    let pack = writer.finish();
    assert_eq!(rebuilt(&pack), pack.index);
    let (records, end) = walk(&pack.bytes, Payloads::Check);
    assert_eq!((records.len(), end.torn), (300, None));
    assert!(records.iter().all(|record| record.payload == PayloadState::Sound));
}

#[test]
fn an_empty_pack_has_an_empty_index() {
    let pack = PackWriter::new(PackId::from_bytes([1; 16])).finish();
    assert_eq!(rebuilt(&pack), pack.index);
}

#[test]
fn a_pack_cut_anywhere_keeps_the_records_before_the_cut() {
    let pack = sample();
    let (whole, _) = walk(&pack.bytes, Payloads::Check);
    for len in 0..pack.bytes.len() {
        let cut = &pack.bytes[..len];
        if len < PACK_HEADER_LEN {
            assert!(Scan::open(cut, Payloads::Check).is_err());
            continue;
        }
        let (records, end) = walk(cut, Payloads::Check);
        // Record `n` is whole when what follows it has begun, or could.
        let expected = pack.offsets.iter().skip(1).filter(|&&offset| offset <= len as u64).count();
        assert_eq!(records, whole[..expected], "{len}");
        let torn = end.torn.expect("a cut pack is torn");
        assert_eq!(torn.offset, pack.offsets[expected], "{len}");
        assert_eq!(end.covered.end, torn.offset);
        // An index of what is left can be made and says how far it goes.
        let mut index = Vec::new();
        let (summary, _) = rebuild_index(cut, &mut index).unwrap();
        assert_eq!(summary.entries, expected.saturating_sub(1) as u64);
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let pack = sample();
    let (whole, _) = walk(&pack.bytes, Payloads::Check);
    for bit in 0..pack.bytes.len() * 8 {
        let mut damaged = pack.bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let Ok(mut scan) = Scan::open(&damaged[..], Payloads::Check) else {
            assert!(bit / 8 < PACK_HEADER_LEN);
            continue;
        };
        let records: Vec<Scanned> = scan.by_ref().map(Result::unwrap).collect();
        let broken = records.iter().filter(|record| record.payload == PayloadState::Damaged).count();
        assert_eq!(usize::from(scan.end().torn.is_some()) + broken, 1, "bit {bit}");
        for (record, original) in records.iter().zip(&whole) {
            assert_eq!(record.header, original.header);
        }
    }
}

#[test]
fn what_follows_the_footer_is_reported() {
    let pack = sample();
    let mut longer = pack.bytes.clone();
    longer.push(0);
    let (records, end) = walk(&longer, Payloads::Skip);
    assert_eq!(records.len(), 8);
    assert_eq!(end.torn.unwrap().offset, pack.bytes.len() as u64);
}

#[test]
fn records_of_another_pack_are_not_taken_for_ones_of_this() {
    let pack = sample();
    let mut writer = PackWriter::new(PackId::from_bytes([6; 16]));
    writer.object(b"one", None);
    let other = writer.finish();
    let mut mixed = other.bytes[..PACK_HEADER_LEN].to_vec();
    mixed.extend_from_slice(&pack.bytes[PACK_HEADER_LEN..]);
    let (records, end) = walk(&mixed, Payloads::Skip);
    assert!(records.is_empty());
    assert_eq!(end.torn.unwrap().offset, PACK_HEADER_LEN as u64);
}

#[test]
fn a_record_in_the_middle_that_is_missing_is_noticed() {
    let pack = sample();
    let [from, to] = [pack.offsets[2], pack.offsets[3]].map(|offset| usize::try_from(offset).unwrap());
    let shorter = [&pack.bytes[..from], &pack.bytes[to..]].concat();
    let (records, end) = walk(&shorter, Payloads::Skip);
    assert_eq!((records.len(), end.torn.unwrap().offset), (2, from as u64));
}
