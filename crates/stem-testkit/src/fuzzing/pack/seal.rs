//! Makes the checks of a pack right, whatever it says; docs/format/pack.md has the offsets.

use stem_hash::{Algorithm, Checksum, ChecksumHasher, Hasher, ObjectId};

pub(super) const HEADER_LEN: usize = 48;
pub(super) const RECORD_LEN: usize = 72;
const FOOTER_LEN: usize = 48;
const LIST_HEADER_LEN: usize = 64;
const ENTRY_LEN: usize = 48;
const OBJECT: u8 = 1;
const CHUNK: u8 = 2;
const CHUNK_LIST: u8 = 3;
const METADATA: u8 = 5;
const FOOTER: u8 = 6;
/// The longest object whose id is worth being made right.
const LONGEST: usize = 1 << 20;

/// XXH3-64h.
pub(super) fn check64(bytes: &[u8]) -> [u8; 8] {
    let upper = u64::try_from(Checksum::of(bytes).as_u128() >> 64).unwrap_or(0);
    upper.to_le_bytes()
}

/// The number at `at`, if it is there.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn set(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The check of the first bytes of a pack.
pub(super) fn seal_header(pack: &mut [u8]) {
    if let Some(covered) = pack.get(..40) {
        set(pack, 40, &check64(covered));
    }
}

/// The check of a record header at this place.
pub(super) fn seal_record(header: &mut [u8], pack: &[u8], offset: u64) {
    if let Some(covered) = header.get(..64) {
        let check = check64(&[pack, &offset.to_le_bytes(), covered].concat());
        set(header, 64, &check);
    }
}

/// The checks of a chunk list of this object.
pub(super) fn seal_list(list: &mut [u8], object: &[u8]) {
    if let Some(covered) = list.get(..56) {
        let check = check64(&[object, covered].concat());
        set(list, 56, &check);
    }
    let mut start = 0_u64.to_le_bytes();
    let entries = list.get_mut(LIST_HEADER_LEN..).unwrap_or_default();
    for (index, entry) in (0_u64..).zip(entries.chunks_exact_mut(ENTRY_LEN)) {
        let check = check64(&[object, &index.to_le_bytes(), &start, &entry[..40]].concat());
        start.copy_from_slice(&entry[32..40]);
        entry[40..].copy_from_slice(&check);
    }
}

/// The check of a list of tombstones.
pub(super) fn seal_removed(bytes: &mut [u8]) {
    let end = bytes.len().saturating_sub(16);
    let check = Checksum::of(&bytes[..end]).as_u128().to_le_bytes();
    set(bytes, end, &check);
}

/// The check of a metadata block, and its length.
pub(super) fn seal_metadata(bytes: &mut [u8]) {
    let Some(rest) = bytes.get(48..) else { return };
    let (len, id) = (u32::try_from(rest.len()).unwrap_or(u32::MAX), hash(Algorithm::Blake3, rest));
    set(bytes, 12, &len.to_le_bytes());
    set(bytes, 16, id.as_bytes());
}

pub(super) fn hash(algorithm: Algorithm, bytes: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish().id
}

/// How far a pack is made right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    /// Checks only: ids may lie.
    Checks,
    /// Ids of what is stored as it is, and lists of chunks that are there, too.
    Truth,
}

/// The checks of a whole pack, from its header to its footer or to where it stops to be one.
pub(super) fn seal_pack(bytes: &mut [u8], seal: Seal) {
    if bytes.len() < HEADER_LEN {
        return;
    }
    seal_header(bytes);
    let (header, records) = bytes.split_at_mut(HEADER_LEN);
    let algorithm = if header[12] == 2 { Algorithm::Blake3 } else { Algorithm::Sha256 };
    let mut pack = [0; 16];
    pack.copy_from_slice(&header[16..32]);
    let mut walk = Walk {
        pack,
        algorithm,
        seal,
        headers: ChecksumHasher::new(),
        chunks: Vec::new(),
        records: 0,
        objects: 0,
    };
    walk.headers.update(header);
    let mut offset = HEADER_LEN as u64;
    let mut rest = records;
    while let Some(len) = walk.record(rest, offset) {
        rest = &mut rest[len..];
        offset += len as u64;
    }
}

struct Walk {
    pack: [u8; 16],
    algorithm: Algorithm,
    seal: Seal,
    headers: ChecksumHasher,
    /// Chunks so far, by number: id and bytes.
    chunks: Vec<(ObjectId, Vec<u8>)>,
    records: u64,
    objects: u64,
}

impl Walk {
    /// Seals the record that `bytes` begin with; the length of it, unless it is the last.
    fn record(&mut self, bytes: &mut [u8], offset: u64) -> Option<usize> {
        let stored = usize::try_from(number(bytes, 8)?).ok()?;
        let (header, rest) = bytes.split_at_mut_checked(RECORD_LEN)?;
        let payload = rest.get_mut(..stored)?;
        let kind = header[1];
        match (kind, self.seal) {
            (FOOTER, _) if stored == FOOTER_LEN => {
                let headers = self.headers.finish().as_u128().to_le_bytes();
                for (at, number) in [(0, self.records), (8, self.objects), (16, offset)] {
                    set(payload, at, &number.to_le_bytes());
                }
                set(payload, 24, &headers);
                set(payload, 40, b"STEMTAIL");
            }
            (METADATA, _) => seal_metadata(payload),
            (CHUNK_LIST, seal) => {
                if seal == Seal::Truth {
                    self.relink(header, payload);
                }
                seal_list(payload, &header[24..56]);
            }
            (OBJECT | CHUNK, Seal::Truth) if header[2] == 0 => {
                let skip = if header[3] & 1 == 1 { 16.min(payload.len()) } else { 0 };
                let raw = &payload[skip..];
                let algorithm = if kind == OBJECT { self.algorithm } else { Algorithm::Blake3 };
                let id = hash(algorithm, raw);
                set(header, 16, &(raw.len() as u64).to_le_bytes());
                set(header, 24, id.as_bytes());
                if kind == CHUNK {
                    self.chunks.push((id, raw.to_vec()));
                }
            }
            _ => {}
        }
        set(header, 56, &check64(payload));
        seal_record(header, &self.pack, offset);
        self.headers.update(header);
        self.records += 1;
        self.objects += u64::from(matches!(kind, OBJECT | CHUNK_LIST));
        (kind != FOOTER).then_some(RECORD_LEN + stored)
    }

    /// Makes a list one of chunks that are there, and the id that of the object which they make up.
    fn relink(&self, header: &mut [u8], list: &mut [u8]) {
        let Some((top, entries)) = list.split_at_mut_checked(LIST_HEADER_LEN) else { return };
        if self.chunks.is_empty() {
            return;
        }
        let mut object = Vec::new();
        let mut count = 0_u64;
        for entry in entries.chunks_exact_mut(ENTRY_LEN) {
            let (id, raw) = &self.chunks[usize::from(entry[0]) % self.chunks.len()];
            object.extend_from_slice(raw);
            if object.len() > LONGEST {
                return;
            }
            set(entry, 0, id.as_bytes());
            set(entry, 32, &(object.len() as u64).to_le_bytes());
            count += 1;
        }
        let len = (object.len() as u64).to_le_bytes();
        set(top, 0, &len);
        set(top, 8, &count.to_le_bytes());
        set(top, 16, &Checksum::of(&object).as_u128().to_le_bytes());
        top[48] = if self.algorithm == Algorithm::Blake3 { 2 } else { 1 };
        set(header, 16, &len);
        set(header, 24, hash(self.algorithm, &object).as_bytes());
    }
}
