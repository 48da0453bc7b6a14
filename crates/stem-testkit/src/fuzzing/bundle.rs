//! Bundles, as they come from anybody.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use stem_bundle::{Error, FOOTER_LEN, HEADER_LEN, MAGIC, ROW_LEN, ReadError, Reader, Target, Writer};
use stem_hash::{Algorithm, Checksum, Hasher, ObjectId};
use stem_pack::format::RECORD_HEADER_LEN;
use stem_stash::format::entry;

use super::{accepted, check_shown};

/// More than this is read and counted, and not written again.
const KEPT: u64 = 4 << 20;

/// A bundle is read without a panic and within its limits, as it is and with every check sealed; one that is accepted has
/// the objects that its table names, with their lengths, and written again, also over itself, it reads the same.
pub fn check_bundle(bytes: &[u8]) {
    read(bytes);
    let mut sealed = bytes.to_vec();
    if seal(&mut sealed).is_some() {
        read(&sealed);
    }
}

fn read(bytes: &[u8]) {
    let reader = match Reader::open(bytes) {
        Ok(reader) => reader,
        Err(error) => return check_error(&error, bytes),
    };
    let front = reader.front().clone();
    if let Ok(decoded) = entry::decode(&front.entry) {
        let again = accepted(entry::encode(&decoded));
        assert_eq!(accepted(entry::decode(&again)), decoded);
    }
    let mut objects: BTreeMap<ObjectId, Vec<u8>> = BTreeMap::new();
    let mut total = 0;
    let done = reader.objects(&|_| true, |row, mut source| {
        assert!(!row.left_out, "what was left out is given");
        let mut kept = Vec::new();
        let len =
            (&mut source).take(KEPT).read_to_end(&mut kept)? as u64 + io::copy(&mut source, &mut io::sink())?;
        assert_eq!(len, row.len, "an object is not as long as the table says");
        total += len;
        objects.insert(row.id, kept);
        Ok::<_, io::Error>(())
    });
    match done {
        Ok(summary) => assert_eq!(summary.len, bytes.len() as u64, "something was not read"),
        Err(ReadError::Bundle(error)) => return check_error(&error, bytes),
        Err(ReadError::Taker(error)) => panic!("the taker failed by itself: {error}"),
    }
    assert_eq!(total, front.raw_len());
    if total > KEPT {
        return;
    }
    let fresh = write(Vec::new(), &front, &objects);
    // What is there already is kept where it is sound, and the result reads the same.
    let over = write(bytes.to_vec(), &front, &objects);
    for written in [fresh, over] {
        let reader = accepted(Reader::open(&written[..]));
        assert_eq!(*reader.front(), front);
        let again = reader.objects(&|_| true, |row, source| {
            let mut found = Vec::new();
            source.read_to_end(&mut found)?;
            assert_eq!(objects.get(&row.id), Some(&found));
            Ok::<_, io::Error>(())
        });
        accepted(again);
    }
}

fn check_error(error: &Error, bytes: &[u8]) {
    check_shown(error);
    if let Error::Truncated { offset, .. } = error {
        assert_eq!(*offset, bytes.len() as u64);
    }
}

struct Memory(Vec<u8>);

impl Target for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.0.get(offset..).unwrap_or_default().read(buf)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn write(there: Vec<u8>, front: &stem_bundle::Front, objects: &BTreeMap<ObjectId, Vec<u8>>) -> Vec<u8> {
    let mut target = Memory(there);
    let mut writer = accepted(Writer::begin(&mut target, front));
    while let Some(row) = writer.next_row() {
        accepted(writer.object(&row, &mut objects.get(&row.id).map_or(&[][..], |bytes| bytes)));
    }
    let written = accepted(writer.finish());
    assert_eq!(written.len, target.0.len() as u64);
    target.0
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let field: [u8; 8] = bytes.get(at..)?.first_chunk().copied()?;
    usize::try_from(u64::from_le_bytes(field)).ok()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..)?.get_mut(..value.len())?.copy_from_slice(value);
    Some(())
}

fn check64(bytes: &[u8]) -> [u8; 8] {
    let sum = Checksum::of(bytes).as_u128().to_le_bytes();
    sum.last_chunk().copied().unwrap_or_default()
}

fn blake3(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finish().id.as_bytes()
}

/// Computes every check anew, as far as the lengths in the bytes lead; `None` when they lead nowhere.
fn seal(bytes: &mut [u8]) -> Option<()> {
    put(bytes, 0, &MAGIC)?;
    put(bytes, 8, &1_u32.to_le_bytes())?;
    let table = number(bytes, 40)?.checked_mul(ROW_LEN)?;
    let front = HEADER_LEN.checked_add(number(bytes, 32)?)?.checked_add(table)?;
    let digest = blake3(&[bytes.get(HEADER_LEN..front)?]);
    put(bytes, 64, &digest)?;
    let id = blake3(&[bytes.get(..16)?, bytes.get(32..120)?]);
    put(bytes, 16, &id[..16])?;
    let check = check64(bytes.get(..120)?);
    put(bytes, 120, &check)?;
    let (mut at, mut records) = (front, 0_u64);
    while bytes.len().checked_sub(at)? > FOOTER_LEN {
        let stored = number(bytes, at + 8)?;
        let payload = at.checked_add(RECORD_HEADER_LEN)?;
        let end = payload.checked_add(stored)?;
        let check = check64(bytes.get(payload..end)?);
        put(bytes, at + 56, &check)?;
        let covered = [&id[..16], &(at as u64).to_le_bytes(), bytes.get(at..at + 64)?].concat();
        put(bytes, at + 64, &check64(&covered))?;
        (at, records) = (end, records + 1);
    }
    put(bytes, at, b"STEMBEND")?;
    put(bytes, at + 8, &records.to_le_bytes())?;
    put(bytes, at + 16, &(at as u64).to_le_bytes())?;
    let digest = blake3(&[bytes.get(..at)?]);
    put(bytes, at + 24, &digest)?;
    let check = check64(bytes.get(at..at + 56)?);
    put(bytes, at + 56, &check)
}
