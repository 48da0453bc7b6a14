//! Indices against a naive table, and damaged in every way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stem_fs::{Dir, OpenFile, Publish, RelPath};
use stem_hash::{Algorithm, Checksum, IdPrefix, ObjectId};
use stem_pack::ReadError;
use stem_pack::format::{Codec, Kind, PackId, PayloadCheck, RecordHeader};
use stem_pack::index::{
    Access, CoveredPack, Index, IndexBuilder, IndexEntry, IndexKind, IndexSummary, Want, merge,
};

/// The records of a pack: header and offset.
type Records = Vec<(RecordHeader, u64)>;

const WANTS: [Want; 4] = [Want::Any, Want::Object, Want::Chunk, Want::Dictionary];

fn header(id: ObjectId, kind: Kind, len: u64) -> RecordHeader {
    RecordHeader {
        kind,
        codec: Codec::Raw,
        attributes: false,
        dictionary: [0; 4],
        stored_len: len,
        raw_len: len,
        id,
        payload_check: PayloadCheck::of(b""),
    }
}

fn covered(number: u8) -> CoveredPack {
    CoveredPack {
        id: PackId::from_bytes([number; 16]),
        len: 1 << 30,
        end: 1 << 29,
        headers: Checksum::of(&[number]),
    }
}

fn build(records: &Records, number: u8) -> Vec<u8> {
    let mut builder = IndexBuilder::new(Algorithm::Sha256);
    for (header, offset) in records {
        builder.push(header, *offset).unwrap();
    }
    builder.to_bytes(&covered(number)).unwrap()
}

fn open(bytes: &[u8]) -> Index {
    Index::from_bytes(bytes.to_vec(), IndexKind::Pack).unwrap()
}

/// Ids of which many share their first bits, some all but the last byte, and some everything.
fn ids() -> impl Strategy<Value = ObjectId> {
    (prop_oneof![Just(0u8), Just(0x7f), Just(0xff), any::<u8>()], 0u8..4, 0u8..3).prop_map(|(a, b, c)| {
        let mut bytes = [b; 32];
        bytes[0] = a;
        bytes[31] = c;
        ObjectId::from_bytes(bytes)
    })
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Object),
        Just(Kind::Chunk),
        Just(Kind::ChunkList),
        Just(Kind::Dictionary),
        Just(Kind::Metadata)
    ]
}

fn records(most: usize) -> impl Strategy<Value = Records> {
    proptest::collection::vec((ids(), kinds(), 1u64..9), 0..most).prop_map(|rows| {
        (0u64..).zip(rows).map(|(at, (id, kind, len))| (header(id, kind, len), 48 + at * 100)).collect()
    })
}

/// What an index over these packs has to answer.
#[derive(Default)]
struct Naive(BTreeMap<(ObjectId, Kind, u16, u64), IndexEntry>);

impl Naive {
    fn of(packs: &[Records]) -> Self {
        let mut naive = Self::default();
        for (number, records) in (0..).zip(packs) {
            for (header, offset) in records.iter().filter(|(header, _)| header.kind.is_indexed()) {
                let entry = IndexEntry::new(header, number, *offset);
                naive.0.insert((entry.id, entry.kind, number, *offset), entry);
            }
        }
        naive
    }

    fn find(&self, id: &ObjectId, want: Want) -> Vec<IndexEntry> {
        self.0.values().filter(|entry| entry.id == *id && want.accepts(entry.kind)).copied().collect()
    }
}

fn compare(index: &Index, naive: &Naive, asked: &[ObjectId]) {
    index.verify().unwrap();
    assert_eq!(index.len(), naive.0.len() as u64);
    let all: Vec<IndexEntry> = index.iter().map(Result::unwrap).collect();
    assert_eq!(all, naive.0.values().copied().collect::<Vec<_>>());
    let mut objects: Vec<ObjectId> =
        all.iter().filter(|entry| entry.kind.is_object()).map(|entry| entry.id).collect();
    objects.dedup();
    assert_eq!(index.objects(), objects.len() as u64);
    for id in asked.iter().chain(all.iter().map(|entry| &entry.id)) {
        for want in WANTS {
            let hits = index.find(id, want).unwrap();
            let expected = naive.find(id, want);
            assert_eq!((hits.len(), hits.is_empty()), (expected.len(), expected.is_empty()));
            assert_eq!(hits.collect::<Vec<_>>(), expected);
        }
        for digits in [0, 1, 2, 3, 7, 63, 64] {
            let prefix = IdPrefix::parse_bytes(&id.hex().as_bytes()[..digits]).unwrap();
            let found: Vec<IndexEntry> = index.find_prefix(&prefix).map(Result::unwrap).collect();
            let expected = naive.0.values().filter(|entry| prefix.matches(&entry.id));
            assert_eq!(found, expected.copied().collect::<Vec<_>>());
        }
    }
}

fn merged(inputs: &[&Index], keep: &mut dyn FnMut(&CoveredPack) -> bool) -> (Vec<u8>, IndexSummary) {
    let mut bytes = Vec::new();
    let summary = merge(inputs, Algorithm::Sha256, keep, &mut bytes).unwrap();
    assert_eq!(summary.len, bytes.len() as u64);
    (bytes, summary)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_index_answers_as_a_naive_table(records in records(150), asked in proptest::collection::vec(ids(), 1..8)) {
        let index = open(&build(&records, 1));
        prop_assert_eq!(index.packs().collect::<Vec<_>>(), vec![covered(1)]);
        compare(&index, &Naive::of(&[records]), &asked);
    }

    #[test]
    fn a_merged_index_answers_as_a_naive_table_of_all(
        packs in proptest::collection::vec(records(60), 0..5),
        asked in proptest::collection::vec(ids(), 1..4),
        split in 0usize..5,
        left_out in 0usize..6,
    ) {
        let indices: Vec<Index> =
            (0..).zip(&packs).map(|(number, records)| open(&build(records, number))).collect();
        let indices: Vec<&Index> = indices.iter().collect();
        let (bytes, summary) = merged(&indices, &mut |_| true);
        let index = Index::from_bytes(bytes.clone(), IndexKind::Multi).unwrap();
        compare(&index, &Naive::of(&packs), &asked);
        prop_assert_eq!(summary.entries, index.len());

        // Merging in two steps, and meeting a pack twice, makes no difference.
        let (first, rest) = indices.split_at(split.min(indices.len()));
        let step = Index::from_bytes(merged(first, &mut |_| true).0, IndexKind::Multi).unwrap();
        let mut inputs = vec![&step];
        inputs.extend(rest);
        inputs.extend(first);
        let (twice, _) = merged(&inputs, &mut |_| true);
        let twice = Index::from_bytes(twice, IndexKind::Multi).unwrap();
        compare(&twice, &Naive::of(&packs), &asked);
        prop_assert!(twice.packs().eq(index.packs()));

        // Packs may be left out.
        let kept: Vec<Records> =
            (0..).zip(&packs).filter(|(number, _)| *number != left_out).map(|(_, records)| records.clone()).collect();
        let left = u8::try_from(left_out).unwrap();
        let (bytes, _) = merged(&[&index], &mut |pack| pack.id != covered(left).id);
        compare(&Index::from_bytes(bytes, IndexKind::Multi).unwrap(), &Naive::of(&kept), &asked);
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for kind in [IndexKind::Pack, IndexKind::Multi] {
            prop_assert!(Index::from_bytes(bytes.clone(), kind).is_err());
        }
    }
}

/// So many records that there are several buckets, with a repeated id.
fn some_records() -> Records {
    let mut records: Records = (0u64..40)
        .map(|number| {
            let id = crate::support::sha256(&number.to_le_bytes());
            (header(id, if number % 3 == 0 { Kind::Chunk } else { Kind::Object }, number + 1), number * 200)
        })
        .collect();
    records.push((records[3].0, 9000));
    records
}

/// The index opened in every way, from a file with these bytes.
fn open_all_ways(bytes: &[u8], kind: IndexKind) -> Vec<Result<Index, ReadError>> {
    let root = tempfile::tempdir().unwrap();
    let dir = Dir::open(root.path()).unwrap();
    let name = RelPath::new(&b"x.idx"[..]).unwrap();
    dir.write_durable(&name, bytes, &dir, Publish::New).unwrap();
    let file = || -> OpenFile { dir.open_file(&name).unwrap().unwrap() };
    vec![
        Index::open(file(), kind, Access::Map),
        Index::open(file(), kind, Access::Read),
        Index::from_bytes(bytes.to_vec(), kind),
    ]
}

#[test]
fn every_way_of_reading_gives_the_same() {
    let records = some_records();
    let bytes = build(&records, 1);
    let naive = Naive::of(&[records]);
    let absent = [crate::support::sha256(b"absent")];
    let opened: Vec<Index> = open_all_ways(&bytes, IndexKind::Pack).into_iter().map(Result::unwrap).collect();
    assert_eq!(opened.iter().map(Index::is_mapped).collect::<Vec<_>>(), [true, false, false]);
    for index in &opened {
        compare(index, &naive, &absent);
    }
}

#[test]
fn an_index_of_the_other_kind_is_refused() {
    let bytes = build(&some_records(), 1);
    assert!(Index::from_bytes(bytes.clone(), IndexKind::Multi).is_err());
    let (multi, _) = merged(&[&open(&bytes)], &mut |_| true);
    assert!(Index::from_bytes(multi, IndexKind::Pack).is_err());
}

#[test]
fn a_cut_index_is_refused() {
    let bytes = build(&some_records(), 1);
    for len in 0..bytes.len() {
        assert!(Index::from_bytes(bytes[..len].to_vec(), IndexKind::Pack).is_err(), "{len}");
    }
    for len in [0, 1, 15, 16, 72, 73, bytes.len() / 2, bytes.len() - 1] {
        for opened in open_all_ways(&bytes[..len], IndexKind::Pack) {
            assert!(opened.is_err(), "{len}");
        }
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(Index::from_bytes(longer, IndexKind::Pack).is_err());
}

#[test]
fn no_flipped_bit_makes_a_wrong_answer() {
    let records = some_records();
    let bytes = build(&records, 1);
    let naive = Naive::of(std::slice::from_ref(&records));
    let mut asked: Vec<ObjectId> = records.iter().map(|(header, _)| header.id).collect();
    asked.push(crate::support::sha256(b"absent"));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let Ok(index) = Index::from_bytes(damaged, IndexKind::Pack) else { continue };
        assert!(index.verify().is_err(), "bit {bit}");
        let mut noticed = 0;
        for id in &asked {
            match index.find(id, Want::Any) {
                Ok(hits) => assert_eq!(hits.collect::<Vec<_>>(), naive.find(id, Want::Any), "bit {bit}"),
                Err(error) => {
                    assert!(error.is_damage());
                    noticed += 1;
                }
            }
        }
        assert!(noticed > 0 || index.iter().any(|entry| entry.is_err()), "bit {bit}");
    }
}

#[test]
fn damage_in_an_input_ends_a_merge() {
    let mut bytes = build(&some_records(), 1);
    bytes[16 + 5 * 56] ^= 1;
    let result = merge(&[&open(&bytes)], Algorithm::Sha256, &mut |_| true, &mut Vec::new());
    assert!(result.unwrap_err().is_damage());
}

/// Writes the trailer's checksum anew, as somebody would who means it.
fn reseal(bytes: &mut [u8], entries: u64) {
    let len = bytes.len();
    let trailer = len - 56;
    let tail = usize::try_from(16 + entries * 56).unwrap_or(len).min(trailer);
    let covered = [&bytes[..16], &bytes[tail..trailer + 32]].concat();
    let sum = Checksum::of(&covered).as_u128().to_le_bytes();
    bytes[trailer + 32..trailer + 48].copy_from_slice(&sum);
}

#[test]
fn hostile_counts_reserve_nothing_and_read_nothing_beyond() {
    let bytes = build(&some_records(), 1);
    let trailer = bytes.len() - 56;
    let visit = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut hostile = bytes.clone();
        change(&mut hostile);
        if hostile == bytes {
            return;
        }
        for opened in open_all_ways(&hostile, IndexKind::Pack) {
            let Ok(index) = opened else { continue };
            assert!(index.verify().is_err());
            for id in 0..=255u8 {
                let _ = index.find(&ObjectId::from_bytes([id; 32]), Want::Any);
            }
            let _ = index.iter().filter(Result::is_err).count();
        }
    };
    for value in [0, 1, 40, 42, 1 << 31, u64::from(u32::MAX), u64::MAX] {
        visit(&|bytes| bytes[trailer..trailer + 8].copy_from_slice(&value.to_le_bytes()));
        visit(&|bytes| {
            bytes[trailer..trailer + 8].copy_from_slice(&value.to_le_bytes());
            reseal(bytes, value.min(41));
        });
        visit(&|bytes| {
            bytes[trailer + 8..trailer + 16].copy_from_slice(&value.to_le_bytes());
            reseal(bytes, 41);
        });
    }
    for value in [0u32, 1, 3, 24, 25, 31, 32, 63, 64, u32::MAX] {
        for at in [16, 20] {
            visit(&|bytes| {
                bytes[trailer + at..trailer + at + 4].copy_from_slice(&value.to_le_bytes());
                reseal(bytes, 41);
            });
        }
    }
    // Fan-out rows that fall, or lead beyond the entries, under a checksum that agrees.
    let fan_out = 16 + 41 * 56;
    for row in 0..4 {
        for value in [0u32, 41, 42, u32::MAX] {
            visit(&|bytes| {
                let at = fan_out + row * 8;
                if bytes[at..at + 4] == value.to_le_bytes() {
                    bytes[at] ^= 1;
                } else {
                    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
                }
                reseal(bytes, 41);
            });
        }
    }
}

#[test]
fn entries_that_lie_are_noticed_at_the_record() {
    let records = some_records();
    let index = open(&build(&records, 1));
    let (header, offset) = records[0];
    let hit = index.find(&header.id, Want::Any).unwrap().next().unwrap();
    assert_eq!(hit.offset, offset);
    assert!(hit.agrees_with(&header));
    assert!(!hit.agrees_with(&RecordHeader { raw_len: 2, ..header }));
    assert!(!hit.agrees_with(&records[1].0));
    assert_eq!(hit.stored_len(), Some(1));
    let long = RecordHeader { kind: Kind::ChunkList, stored_len: 1 << 40, ..header };
    assert_eq!(IndexEntry::new(&long, 0, 0).stored_len(), None);
    assert!(IndexEntry::new(&long, 0, 0).agrees_with(&long));
}

#[test]
fn a_long_bucket_is_written_and_found() {
    // All ids fall into one bucket of more than 64 KiB.
    let records: Records = (0u64..3000)
        .map(|number| {
            let mut id = [0; 32];
            id[24..].copy_from_slice(&number.to_be_bytes());
            (header(ObjectId::from_bytes(id), Kind::Chunk, 1), number * 100)
        })
        .collect();
    let index = open(&build(&records, 1));
    index.verify().unwrap();
    for (header, offset) in records.iter().step_by(97) {
        let hits: Vec<IndexEntry> = index.find(&header.id, Want::Chunk).unwrap().collect();
        assert_eq!(hits, [IndexEntry::new(header, 0, *offset)]);
    }
}
