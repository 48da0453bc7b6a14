//! Record headers and footers of any content: accepted only if they were written so.

use proptest::prelude::*;
use stem_hash::ObjectId;

use super::*;

const PLACE: Place = Place { pack: PackId::from_bytes([3; 16]), offset: 48 };

fn object(len: u64) -> RecordHeader {
    RecordHeader {
        kind: Kind::Object,
        codec: Codec::Raw,
        attributes: false,
        dictionary: [0; 4],
        stored_len: len,
        raw_len: len,
        id: ObjectId::from_bytes([9; 32]),
        payload_check: PayloadCheck::of(b"payload"),
    }
}

#[test]
fn a_record_header_survives_and_damage_does_not() {
    let header = object(7);
    let bytes = header.encode(&PLACE).unwrap();
    assert_eq!(RecordHeader::decode(&bytes, &PLACE), Ok(header));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes;
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(RecordHeader::decode(&damaged, &PLACE).is_err(), "{bit}");
    }
}

#[test]
fn a_record_of_another_place_is_refused() {
    let bytes = object(7).encode(&PLACE).unwrap();
    let elsewhere = Place { offset: 49, ..PLACE };
    let other = Place { pack: PackId::from_bytes([4; 16]), ..PLACE };
    assert_eq!(
        RecordHeader::decode(&bytes, &elsewhere),
        Err(FormatError::Check { structure: Structure::RecordHeader })
    );
    assert!(RecordHeader::decode(&bytes, &other).is_err());
}

#[test]
fn impossible_records_are_neither_written_nor_read() {
    let list = RecordHeader { kind: Kind::ChunkList, stored_len: 64 + 48, raw_len: 1 << 40, ..object(0) };
    assert!(list.encode(&PLACE).is_ok());
    let zstd = RecordHeader { codec: Codec::Zstd, stored_len: 3, ..object(7) };
    assert!(zstd.encode(&PLACE).is_ok());
    let with_attributes = RecordHeader { attributes: true, stored_len: 16, ..object(0) };
    assert!(with_attributes.encode(&PLACE).is_ok());
    for header in [
        RecordHeader { stored_len: 6, ..object(7) },
        RecordHeader { stored_len: 8, ..zstd },
        RecordHeader { stored_len: 15, ..with_attributes },
        RecordHeader { attributes: true, kind: Kind::Chunk, stored_len: 23, ..object(7) },
        RecordHeader { dictionary: [1; 4], ..zstd },
        RecordHeader { kind: Kind::Chunk, ..object(0) },
        RecordHeader { kind: Kind::Dictionary, ..object(MAX_DICTIONARY + 1) },
        RecordHeader { kind: Kind::Dictionary, ..zstd },
        RecordHeader { stored_len: 64, ..list },
        RecordHeader { stored_len: 64 + 47, ..list },
        RecordHeader { stored_len: 64 + 48 * (MAX_CHUNKS + 1), ..list },
        RecordHeader { stored_len: u64::MAX, ..list },
        RecordHeader { raw_len: MAX_OBJECT + 1, ..list },
        RecordHeader { codec: Codec::Zstd, ..list },
        RecordHeader { codec: Codec::Sample(16), ..zstd },
        object(MAX_CHUNK + 1),
        object(u64::MAX),
    ] {
        assert!(header.encode(&PLACE).is_err(), "{header:?}");
    }
}

#[test]
fn the_check_of_a_payload_may_be_computed_in_pieces() {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let mut hasher = PayloadHasher::new();
    for piece in bytes.chunks(7) {
        hasher.update(piece);
    }
    assert_eq!(hasher.finish(), PayloadCheck::of(&bytes));
}

#[test]
fn a_footer_survives_and_damage_does_not() {
    let pack = PackHeader { id: PLACE.pack, algorithm: stem_hash::Algorithm::Sha256 };
    let mut builder = FooterBuilder::new(&pack.encode().unwrap());
    let header = object(7);
    builder.push(&header, &header.encode(&PLACE).unwrap()).unwrap();
    let footer = builder.footer();
    assert_eq!((footer.records, footer.objects, footer.offset), (1, 1, 48 + 72 + 7));
    let record = footer.encode(PLACE.pack).unwrap();
    assert_eq!(footer.pack_len(), footer.offset + record.len() as u64);
    let place = Place { offset: footer.offset, ..PLACE };
    let read = |record: &[u8]| {
        let header = RecordHeader::decode(record.first_chunk().unwrap(), &place)?;
        Footer::decode(record.last_chunk().unwrap(), &header, &place)
    };
    assert_eq!(read(&record), Ok(footer));
    for at in 0..record.len() {
        let mut damaged = record;
        damaged[at] ^= 2;
        assert!(read(&damaged).is_err(), "{at}");
    }
}

#[test]
fn a_full_pack_takes_no_more() {
    let pack = PackHeader { id: PLACE.pack, algorithm: stem_hash::Algorithm::Sha256 };
    let mut builder = FooterBuilder::new(&pack.encode().unwrap());
    let list = RecordHeader {
        kind: Kind::ChunkList,
        stored_len: 64 + 48 * MAX_CHUNKS,
        raw_len: 1 << 40,
        ..object(0)
    };
    let bytes = [0; RECORD_HEADER_LEN];
    let taken = (0..2000).take_while(|_| builder.push(&list, &bytes).is_ok()).count();
    assert_eq!(taken, usize::try_from(MAX_PACK_LEN / (64 + 48 * MAX_CHUNKS)).unwrap());
    assert!(builder.footer().encode(PLACE.pack).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        record in any::<[u8; RECORD_HEADER_LEN / 2]>(),
    ) {
        let mut header = [0; RECORD_HEADER_LEN];
        header[..RECORD_HEADER_LEN / 2].copy_from_slice(&record);
        prop_assert!(RecordHeader::decode(&header, &PLACE).is_err());
        prop_assert!(PackHeader::decode(&bytes).is_err());
        prop_assert!(Metadata::decode(&bytes).is_err());
        prop_assert!(ChunkListHeader::decode(&bytes, &ObjectId::from_bytes([0; 32])).is_err());
        prop_assert!(Removed::decode(&bytes, stem_hash::Algorithm::Sha256).is_err());
        let _ = Attributes::split(&bytes);
    }

    #[test]
    fn record_headers_survive(
        kind in 1u8..=6, codec in 0u8..40, attributes: bool, dictionary: [u8; 4],
        stored_len in 0u64..200, raw_len in 0u64..200, id: [u8; 32], offset: u64,
    ) {
        let header = RecordHeader {
            kind: Kind::from_number(kind).unwrap(),
            codec: Codec::from_number(codec),
            attributes,
            dictionary,
            stored_len,
            raw_len,
            id: ObjectId::from_bytes(id),
            payload_check: PayloadCheck::of(&id),
        };
        let place = Place { offset, ..PLACE };
        if let Ok(bytes) = header.encode(&place) {
            prop_assert_eq!(RecordHeader::decode(&bytes, &place), Ok(header));
        }
    }
}
