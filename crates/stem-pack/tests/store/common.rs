//! Packs seen from outside: found by their names, walked by their records, spoilt byte by byte.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stem_hash::{Algorithm, ObjectId};
use stem_pack::format::{
    ChunkList, Codec, FooterBuilder, Kind, PackHeader, PackId, PayloadCheck, Place, RECORD_HEADER_LEN,
    RecordHeader,
};
use stem_pack::scan::{PayloadState, Payloads, Scan, Scanned};
use stem_pack::{pack_id, pack_name};
use stem_testkit::conformance::Damage;

/// The packs in a directory.
pub(crate) fn packs(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut packs: Vec<_> =
        paths.filter(|path| pack_id(path.file_name().unwrap().as_encoded_bytes()).is_some()).collect();
    packs.sort();
    packs
}

/// The records of a pack, as far as they can be reached.
pub(crate) fn records(bytes: &[u8]) -> Vec<Scanned> {
    let Ok(scan) = Scan::open(bytes, Payloads::Check) else { return Vec::new() };
    scan.map(Result::unwrap).collect()
}

/// The bytes of a record's payload.
pub(crate) fn payload<'a>(bytes: &'a [u8], record: &Scanned) -> &'a [u8] {
    let start = usize::try_from(record.offset).unwrap() + RECORD_HEADER_LEN;
    &bytes[start..start + usize::try_from(record.header.stored_len).unwrap()]
}

/// The chunks that a chunk list names.
pub(crate) fn chunks_of(bytes: &[u8], record: &Scanned) -> Vec<ObjectId> {
    let payload = payload(bytes, record).to_vec();
    let read = |buf: &mut [u8], at: u64| {
        let at = usize::try_from(at).unwrap();
        let part = payload.get(at..at + buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(part);
        Ok(())
    };
    let header = &record.header;
    let Ok(mut list) = ChunkList::open(&header.id, header.stored_len, header.raw_len, read) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    list.entries(0, u64::MAX, &mut entries).unwrap();
    entries.iter().map(|entry| entry.id).collect()
}

/// Spoils every copy of an object's bytes: of one chunk in its middle, if it has some.
pub(crate) fn damage(dir: &Path, id: &ObjectId, damage: Damage) {
    let mut ids = HashSet::from([*id]);
    for path in packs(dir) {
        let bytes = fs::read(path).unwrap();
        for record in records(&bytes) {
            if record.header.id == *id && record.header.kind == Kind::ChunkList {
                let chunks = chunks_of(&bytes, &record);
                ids.extend(chunks.get(chunks.len() / 2));
            }
        }
    }
    for path in packs(dir) {
        let mut bytes = fs::read(&path).unwrap();
        // From the end, because a byte too many moves what follows.
        for record in records(&bytes).iter().rev() {
            let kind = record.header.kind;
            // Spoiling twice might mend.
            let sound = record.payload == PayloadState::Sound;
            if !sound || !ids.contains(&record.header.id) || !matches!(kind, Kind::Object | Kind::Chunk) {
                continue;
            }
            let start = usize::try_from(record.offset).unwrap() + RECORD_HEADER_LEN;
            let middle = start + usize::try_from(record.header.stored_len).unwrap() / 2;
            match damage {
                Damage::Flip => bytes[middle] ^= 0x10,
                Damage::Truncate => bytes.truncate(middle),
                Damage::Grow => bytes.insert(middle, 0x5a),
            }
        }
        replace(&path, &bytes);
    }
}

/// Writes into a file that is read-only, in place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = fs::metadata(path).unwrap().permissions();
    permissions.set_mode(0o644);
    fs::set_permissions(path, permissions).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A record to be written by hand: kind, codec, id, raw length, payload.
pub(crate) type Draft = (Kind, Codec, ObjectId, u64, Vec<u8>);

/// Writes a complete pack of these records, true or not.
pub(crate) fn write_pack(dir: &Path, algorithm: Algorithm, number: u8, records: &[Draft]) -> PathBuf {
    let pack = PackId::from_bytes([number; 16]);
    let mut bytes = PackHeader { id: pack, algorithm }.encode().unwrap().to_vec();
    let mut footer = FooterBuilder::new(bytes[..].try_into().unwrap());
    for (kind, codec, id, raw_len, payload) in records {
        let header = RecordHeader {
            kind: *kind,
            codec: *codec,
            attributes: false,
            dictionary: [0; 4],
            stored_len: payload.len() as u64,
            raw_len: *raw_len,
            id: *id,
            payload_check: PayloadCheck::of(payload),
        };
        let encoded = header.encode(&Place { pack, offset: bytes.len() as u64 }).unwrap();
        footer.push(&header, &encoded).unwrap();
        bytes.extend_from_slice(&encoded);
        bytes.extend_from_slice(payload);
    }
    bytes.extend_from_slice(&footer.footer().encode(pack).unwrap());
    fs::create_dir_all(dir).unwrap();
    let path = dir.join(pack_name(pack).to_path());
    fs::write(&path, bytes).unwrap();
    path
}
