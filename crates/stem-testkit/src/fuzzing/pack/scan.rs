//! Walking whole pack files, and making their indices anew.

use stem_pack::format::PACK_HEADER_LEN;
use stem_pack::index::{Index, IndexKind, Want};
use stem_pack::scan::{PayloadState, Payloads, Scan, Scanned, rebuild_index};

use super::super::accepted;
use super::check_error;
use super::seal::{Seal, seal_pack};

/// A pack file as it is, with right checks, and with right ids too.
///
/// # Panics
///
/// When a walk leaves the file or does not end, when two walks differ, or an index that is made anew does not verify or
/// does not find a record.
pub fn check_pack_scan(data: &[u8]) {
    check_file(data);
    let mut sealed = data.to_vec();
    for seal in [Seal::Checks, Seal::Truth] {
        seal_pack(&mut sealed, seal);
        check_file(&sealed);
    }
}

fn check_file(bytes: &[u8]) {
    let mut walks = Vec::new();
    for payloads in [Payloads::Skip, Payloads::Check] {
        let mut scan = match Scan::open(bytes, payloads) {
            Ok(scan) => scan,
            Err(error) => return check_error(&error),
        };
        let mut end = PACK_HEADER_LEN as u64;
        let mut records: Vec<Scanned> = Vec::new();
        for record in scan.by_ref() {
            let record = accepted(record);
            assert_eq!(record.offset, end, "records follow each other");
            end += record.header.record_len();
            assert!(end <= bytes.len() as u64, "a record leaves the file");
            assert_eq!(record.payload == PayloadState::Unchecked, payloads == Payloads::Skip);
            records.push(record);
        }
        assert_eq!(scan.offset(), end);
        assert!(scan.next().is_none(), "a walk that ended goes on");
        let ended = scan.end();
        assert_eq!((ended.records, ended.covered.end), (records.len() as u64, end));
        assert_eq!(ended.covered.len, bytes.len() as u64);
        if let Some(torn) = &ended.torn {
            check_error(&torn.why);
            assert!(torn.offset >= end && torn.offset <= bytes.len() as u64);
        } else {
            assert_eq!(end + 120, ended.covered.len, "a complete pack ends with its footer");
        }
        let headers: Vec<_> = records.iter().map(|record| (record.offset, record.header)).collect();
        walks.push((headers, ended));
    }
    assert_eq!(walks[0], walks[1], "payloads change the walk");
    let (records, ended) = walks.swap_remove(0);
    check_rebuilt(bytes, &records, &ended);
}

fn check_rebuilt(
    bytes: &[u8],
    records: &[(u64, stem_pack::format::RecordHeader)],
    ended: &stem_pack::scan::ScanEnd,
) {
    let mut file = Vec::new();
    let (summary, end) = match rebuild_index(bytes, &mut file) {
        Ok(rebuilt) => rebuilt,
        Err(error) => panic!("a pack that can be walked cannot be indexed: {error}"),
    };
    assert_eq!(end, *ended);
    let index = accepted(Index::from_bytes(file, IndexKind::Pack));
    accepted(index.verify());
    let indexed = records.iter().filter(|(_, header)| header.kind.is_indexed());
    assert_eq!(index.len(), summary.entries);
    assert_eq!(indexed.clone().count() as u64, summary.entries);
    for (offset, header) in indexed.take(100) {
        let mut hits = accepted(index.find(&header.id, Want::Any));
        let Some(hit) = hits.find(|hit| hit.offset == *offset) else {
            panic!("the record at {offset} is not in the index");
        };
        assert!(hit.agrees_with(header));
    }
}
