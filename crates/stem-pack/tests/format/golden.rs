//! Packs and indices of released versions stay readable.

use stem_hash::{Algorithm, IdPrefix};
use stem_pack::format::{
    Attributes, ChunkList, Codec, Kind, Metadata, PACK_HEADER_LEN, RECORD_HEADER_LEN, Removed, chunk_id,
    encode_removed,
};
use stem_pack::index::{Index, IndexKind, Want, merge};
use stem_pack::scan::{PayloadState, Payloads, Scan, Scanned, rebuild_index};

const PACK: &[u8] = include_bytes!("../golden/small-v1.pack");
const INDEX: &[u8] = include_bytes!("../golden/small-v1.idx");
const MULTI: &[u8] = include_bytes!("../golden/small-v1.multi-pack-index");
const REMOVED: &[u8] = include_bytes!("../golden/small-v1.removed");

fn records() -> Vec<Scanned> {
    let mut scan = Scan::open(PACK, Payloads::Check).unwrap();
    assert_eq!(scan.header().algorithm, Algorithm::Sha256);
    let records = scan.by_ref().map(Result::unwrap).collect();
    assert_eq!(scan.end().torn, None);
    records
}

fn payload(record: &Scanned) -> &'static [u8] {
    let start = usize::try_from(record.offset).unwrap() + RECORD_HEADER_LEN;
    &PACK[start..start + usize::try_from(record.header.stored_len).unwrap()]
}

#[test]
fn the_golden_pack_reads_as_it_was_written() {
    let records = records();
    assert!(records.iter().all(|record| record.payload == PayloadState::Sound));
    let [metadata, empty, abc, zstd, dictionary, first, second, list] = records.as_slice() else {
        panic!("eight records");
    };
    assert_eq!(metadata.offset, PACK_HEADER_LEN as u64);
    assert_eq!(Metadata::decode(payload(metadata)).unwrap().writer, "golden 1");
    assert_eq!((empty.header.raw_len, empty.header.id), (0, crate::support::sha256(b"")));
    let (attributes, bytes) = Attributes::split(payload(abc)).unwrap();
    assert_eq!((attributes.metadata().mode, bytes), (0o640, &b"abc"[..]));
    assert_eq!(zstd.header.codec, Codec::Zstd);
    let text = zstd::bulk::decompress(payload(zstd), usize::try_from(zstd.header.raw_len).unwrap()).unwrap();
    assert_eq!(text, b"tracks and takes, ".repeat(20));
    assert_eq!(zstd.header.id, crate::support::sha256(&text));
    assert_eq!(dictionary.header.id, chunk_id(payload(dictionary)));
    let bytes = payload(list);
    let mut list = ChunkList::open(&list.header.id, bytes.len() as u64, list.header.raw_len, |buf, at| {
        let at = usize::try_from(at).unwrap();
        buf.copy_from_slice(&bytes[at..at + buf.len()]);
        Ok(())
    })
    .unwrap();
    let mut entries = Vec::new();
    list.entries(0, 9, &mut entries).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [first.header.id, second.header.id]);
    assert_eq!(list.find(11).unwrap(), Some(1));
    assert_eq!([payload(first), payload(second)].concat(), b"first chunksecond");
}

#[test]
fn the_golden_index_is_the_one_of_the_golden_pack() {
    let mut rebuilt = Vec::new();
    rebuild_index(PACK, &mut rebuilt).unwrap();
    assert_eq!(rebuilt, INDEX);
    let index = Index::from_bytes(INDEX.to_vec(), IndexKind::Pack).unwrap();
    index.verify().unwrap();
    for record in records().iter().filter(|record| record.header.kind != Kind::Metadata) {
        let hits: Vec<_> = index.find(&record.header.id, Want::Any).unwrap().collect();
        assert_eq!(hits.len(), 1);
        assert!(hits[0].offset == record.offset && hits[0].agrees_with(&record.header));
    }
    let mut multi = Vec::new();
    merge(&[&index], Algorithm::Sha256, &mut |_| true, &mut multi).unwrap();
    assert_eq!(multi, MULTI);
    let multi = Index::from_bytes(multi, IndexKind::Multi).unwrap();
    assert_eq!(multi.find_prefix(&IdPrefix::ALL).count(), 7);
    assert_eq!(multi.objects(), 4);
}

#[test]
fn the_golden_tombstones_are_read() {
    let removed = Removed::decode(REMOVED, Algorithm::Sha256).unwrap();
    assert_eq!(removed.len(), 2);
    assert!(removed.contains(&crate::support::sha256(b"abc")));
    assert_eq!(encode_removed(&removed.iter().collect::<Vec<_>>(), Algorithm::Sha256).unwrap(), REMOVED);
}

/// Run once for a new version of the format, never for an old one.
#[test]
#[ignore = "writes the golden files"]
fn write_the_golden_files() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let pack = crate::support::sample();
    std::fs::write(root.join("small-v1.pack"), &pack.bytes).unwrap();
    std::fs::write(root.join("small-v1.idx"), &pack.index).unwrap();
    let index = Index::from_bytes(pack.index, IndexKind::Pack).unwrap();
    let mut multi = Vec::new();
    merge(&[&index], Algorithm::Sha256, &mut |_| true, &mut multi).unwrap();
    std::fs::write(root.join("small-v1.multi-pack-index"), multi).unwrap();
    let mut ids = vec![crate::support::sha256(b"abc"), crate::support::sha256(b"gone")];
    ids.sort();
    let removed = encode_removed(&ids, Algorithm::Sha256).unwrap();
    std::fs::write(root.join("small-v1.removed"), removed).unwrap();
}
