//! Entries as they lie in buckets, where anybody may have put them.

use stem_bundle::shelved::{FRONT_LEN, MAX_HEAD, MAX_TEXT, decode, decode_head, encode};
use stem_hash::{Algorithm, Hasher};
use stem_stash::format::entry;
use stem_stash::format::summary::{self, EntrySummary};

use super::{accepted, check_shown};

/// An entry is read without a panic and within its limits, as it is and with both checks sealed. What is accepted is written again to
/// something that reads the same, and its head is read alone as it is read with the rest. A head that is accepted is
/// written again as it was, and that of an entry is always accepted.
pub fn check_shelved_entry(bytes: &[u8]) {
    check_summary(bytes);
    read(bytes);
    let mut sealed = bytes.to_vec();
    if seal(&mut sealed).is_some() {
        read(&sealed);
    }
}

fn read(bytes: &[u8]) {
    if let Err(error) = decode_head(bytes) {
        check_shown(&error);
    }
    let shelved = match decode(bytes) {
        Ok(shelved) => shelved,
        Err(error) => return check_shown(&error),
    };
    assert!(shelved.head.len() <= MAX_HEAD && shelved.text.len() as u64 <= MAX_TEXT);
    assert_eq!(decode_head(bytes), Ok(Ok(&shelved.head[..])));
    assert_eq!(accepted(decode(&accepted(encode(&shelved.head, &shelved.text)))), shelved);
    check_summary(&shelved.head);
    if let Ok(entry) = entry::decode(&shelved.text) {
        let head = EntrySummary::of(&entry);
        assert_eq!(accepted(summary::decode(&summary::encode(&head))), head);
    }
}

fn check_summary(bytes: &[u8]) {
    match summary::decode(bytes) {
        Ok(summary) => assert_eq!(summary::encode(&summary), bytes),
        Err(error) => check_shown(&error),
    }
}

/// Computes both checks over what the bytes say.
fn seal(bytes: &mut [u8]) -> Option<()> {
    let digest = |parts: [&[u8]; 2]| {
        let mut hasher = Hasher::new(Algorithm::Blake3);
        for part in parts {
            hasher.update(part);
        }
        *hasher.finish().id.as_bytes()
    };
    let head = u32::from_le_bytes(bytes.get(12..16)?.try_into().ok()?) as usize;
    let end = FRONT_LEN.checked_add(head).filter(|end| *end <= bytes.len())?;
    let stored = (bytes.len() - end) as u64;
    bytes.get_mut(16..24)?.copy_from_slice(&stored.to_le_bytes());
    let check = digest([bytes.get(..32)?, bytes.get(FRONT_LEN..end)?]);
    bytes.get_mut(32..64)?.copy_from_slice(&check);
    let check = digest([bytes.get(end..)?, &[]]);
    bytes.get_mut(64..96)?.copy_from_slice(&check);
    Some(())
}
