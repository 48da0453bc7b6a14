//! The structures of a pack, one at a time.

use std::io;

use stem_hash::{Algorithm, ObjectId};
use stem_pack::format::{
    ATTRIBUTES_LEN, Attributes, ChunkEntry, ChunkList, FOOTER_LEN, Footer, MAX_CHUNK, MAX_METADATA, Metadata,
    PackHeader, PackId, PayloadCheck, Place, RECORD_HEADER_LEN, RecordHeader, Removed, encode_removed,
};

use super::super::accepted;
use super::super::feed::Feed;
use super::{check_error, seal};

/// The object whose chunk list is read.
const OBJECT: ObjectId = ObjectId::from_bytes([7; 32]);

/// Pack header, record header, footer, chunk list, tombstones, metadata block and attributes: as they are, and sealed.
///
/// # Panics
///
/// When one that is accepted is not what would be written, or a search in a list finds something else than a walk.
pub fn check_pack_structures(data: &[u8]) {
    let mut feed = Feed::new(data);
    let which = feed.byte() % 7;
    let place =
        Place { pack: PackId::from_bytes(feed.array()), offset: u64::from(feed.u32()) << (feed.byte() % 32) };
    let bytes = feed.rest();
    let mut sealed = bytes.to_vec();
    match which {
        0 => seal::seal_header(&mut sealed),
        1 => seal::seal_record(&mut sealed, place.pack.as_bytes(), place.offset),
        3 => seal::seal_list(&mut sealed, OBJECT.as_bytes()),
        4 => seal::seal_removed(&mut sealed),
        5 => seal::seal_metadata(&mut sealed),
        _ => {}
    }
    for bytes in [bytes, &sealed] {
        match which {
            0 => pack_header(bytes),
            1 => record_header(bytes, &place),
            2 => footer(bytes, &place),
            3 => chunk_list(bytes),
            4 => removed(bytes),
            5 => metadata(bytes),
            _ => attributes(bytes),
        }
    }
}

fn pack_header(bytes: &[u8]) {
    match PackHeader::decode(bytes) {
        Ok(header) => {
            let encoded = accepted(header.encode());
            assert_eq!(encoded[..], bytes[..encoded.len()]);
            let name = header.id.to_string();
            assert_eq!(PackId::parse_bytes(name.as_bytes()), Ok(header.id));
            assert_eq!(stem_pack::pack_id(stem_pack::pack_name(header.id).as_bytes()), Some(header.id));
        }
        Err(error) => check_error(&error),
    }
    if let Ok(id) = PackId::parse_bytes(bytes) {
        assert_eq!(id.to_string().as_bytes(), bytes);
    }
    if let Some(id) = stem_pack::pack_id(bytes) {
        assert_eq!(stem_pack::pack_name(id).as_bytes(), bytes);
    }
}

fn record_header(bytes: &[u8], place: &Place) {
    let Some(bytes) = bytes.first_chunk::<RECORD_HEADER_LEN>() else { return };
    match RecordHeader::decode(bytes, place) {
        Ok(header) => {
            assert_eq!(accepted(header.encode(place)), *bytes);
            assert!(header.coded_len() <= header.stored_len && header.record_len() > header.stored_len);
            // Whoever reads a payload reserves this much.
            if header.kind != stem_pack::format::Kind::ChunkList {
                assert!(
                    header.raw_len <= MAX_CHUNK && header.stored_len <= MAX_CHUNK + ATTRIBUTES_LEN as u64
                );
            }
            let elsewhere = Place { offset: place.offset ^ 1, ..*place };
            assert!(RecordHeader::decode(bytes, &elsewhere).is_err(), "it stands in two places");
        }
        Err(error) => check_error(&error),
    }
}

fn footer(bytes: &[u8], place: &Place) {
    let Some(payload) = bytes.first_chunk::<FOOTER_LEN>() else { return };
    // The header is one that a writer makes, for these bytes.
    let header = RecordHeader {
        kind: stem_pack::format::Kind::Footer,
        codec: stem_pack::format::Codec::Raw,
        attributes: false,
        dictionary: [0; 4],
        stored_len: FOOTER_LEN as u64,
        raw_len: FOOTER_LEN as u64,
        id: ObjectId::from_bytes([0; 32]),
        payload_check: PayloadCheck::of(payload),
    };
    let place = Place { offset: seal::number(payload, 16).unwrap_or(0), ..*place };
    match Footer::decode(payload, &header, &place) {
        Ok(footer) => {
            let record = accepted(footer.encode(place.pack));
            assert_eq!(record[RECORD_HEADER_LEN..], payload[..]);
            assert_eq!(record[..RECORD_HEADER_LEN], accepted(header.encode(&place)));
            assert!(footer.objects <= footer.records && footer.pack_len() > footer.offset);
        }
        Err(error) => check_error(&error),
    }
}

fn removed(bytes: &[u8]) {
    for algorithm in Algorithm::ALL {
        match Removed::decode(bytes, algorithm) {
            Ok(removed) => {
                let ids: Vec<ObjectId> = removed.iter().collect();
                assert_eq!(ids.len(), removed.len());
                assert!(ids.is_sorted_by(|a, b| a < b) && ids.iter().all(|id| removed.contains(id)));
                assert_eq!(removed.contains(&OBJECT), ids.contains(&OBJECT));
                assert_eq!(accepted(encode_removed(&ids, algorithm)), bytes);
            }
            Err(error) => check_error(&error),
        }
    }
}

fn metadata(bytes: &[u8]) {
    match Metadata::decode(bytes) {
        Ok(metadata) => {
            assert!(bytes.len() <= MAX_METADATA + 48);
            assert_eq!(accepted(metadata.encode()), bytes);
        }
        Err(error) => check_error(&error),
    }
}

fn attributes(bytes: &[u8]) {
    match Attributes::split(bytes) {
        Ok((attributes, rest)) => {
            assert_eq!(rest.len() + ATTRIBUTES_LEN, bytes.len());
            let metadata = attributes.metadata();
            assert!(metadata.mode <= 0o7777 && metadata.mtime.nanos < 1_000_000_000);
            assert_eq!(Attributes::new(&metadata), attributes);
            assert_eq!(attributes.as_bytes()[..], bytes[..ATTRIBUTES_LEN]);
        }
        Err(error) => check_error(&error),
    }
}

type Read<'a> = Box<dyn FnMut(&mut [u8], u64) -> io::Result<()> + 'a>;

fn chunk_list(bytes: &[u8]) {
    let read: Read<'_> = Box::new(|buffer, offset| {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let part = bytes.get(at..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    });
    let raw_len = seal::number(bytes, 0).unwrap_or(0);
    let mut list = match ChunkList::open(&OBJECT, bytes.len() as u64, raw_len, read) {
        Ok(list) => list,
        Err(error) => return check_error(&error),
    };
    let header = *list.header();
    assert_eq!(accepted(header.encode(&OBJECT))[..], bytes[..64]);
    assert_eq!(header.list_len(), bytes.len() as u64);
    let mut all = Vec::new();
    let whole = list.entries(0, u64::MAX, &mut all);
    if whole.is_ok() && header.count <= 65_536 {
        check_entries(&all, header.len, header.count);
    }
    let mut some = Vec::new();
    let positions = (0..20).map(|part| header.len / 20 * part).chain([header.len - 1, header.len, u64::MAX]);
    for position in positions {
        match list.find(position) {
            Ok(None) => assert!(position >= header.len),
            Ok(Some(number)) => {
                accepted(list.entries(number, 1, &mut some));
                let [entry] = some[..] else { panic!("entry {number} was found and is not there") };
                assert!((entry.start..entry.end).contains(&position));
                if whole.is_ok() {
                    assert_eq!(all.get(usize::try_from(number).unwrap_or(usize::MAX)), Some(&entry));
                }
            }
            Err(error) => {
                check_error(&error);
                assert!(whole.is_err(), "a search fails in a sound list");
            }
        }
    }
}

fn check_entries(entries: &[ChunkEntry], len: u64, count: u64) {
    assert_eq!(entries.len() as u64, count);
    let mut end = 0;
    for entry in entries {
        assert!(
            entry.start == end && entry.end > entry.start && entry.len() <= MAX_CHUNK && !entry.is_empty()
        );
        end = entry.end;
    }
    assert_eq!(end, len, "the chunks make up the object");
}
