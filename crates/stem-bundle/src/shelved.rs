//! An entry on its way through a bucket, without its objects: head, and text compressed. `docs/format/remote.md`, *Entries*.
//!
//! What an entry says is none of this crate's business: head and text are bytes here. Whoever reads them compares one with the other.

use std::fmt;
use std::io::Read;

use stem_hash::{Algorithm, Hasher};

/// How an entry begins.
pub const MAGIC: &[u8; 8] = b"STEMSHLF";
const VERSION: u32 = 1;
/// Bytes before the head.
pub const FRONT_LEN: usize = 96;
/// Bytes that a head may have.
pub const MAX_HEAD: usize = 16_384;
/// Bytes that a text may have, and as it is stored.
pub const MAX_TEXT: u64 = 512 << 20;
/// Bytes that an entry may have.
pub const MAX_ENTRY_LEN: u64 = FRONT_LEN as u64 + MAX_HEAD as u64 + MAX_TEXT;
/// A fast level: what is saved is small beside the objects.
const LEVEL: i32 = 3;
/// zstd's own bound for readers that were told nothing else, 128 MiB: a frame cannot ask for a larger window.
const MAX_WINDOW_LOG: u32 = 27;

/// What an entry is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// What lists show, JSON.
    pub head: Vec<u8>,
    /// The entry itself.
    pub text: Vec<u8>,
}

/// Why something is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadEntry {
    /// It is one of a version that this program does not know.
    Version(u32),
    /// It is none, or not whole.
    Damaged(&'static str),
    /// It is larger than the format allows.
    TooLarge,
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(
                    f,
                    "it has version {version}, and this program knows version {VERSION}: use a newer one"
                )
            }
            Self::TooLarge => {
                write!(f, "an entry may have {MAX_TEXT} bytes, and its head 1 to {MAX_HEAD}")
            }
            Self::Damaged(why) => write!(f, "it is no whole entry: {why}"),
        }
    }
}

impl std::error::Error for BadEntry {}

impl BadEntry {
    /// There is less of it than it says.
    pub const SHORT: Self = Self::Damaged("it is cut short");
}

const SHORT: BadEntry = BadEntry::SHORT;

/// What the first bytes say.
#[derive(Debug, Clone, Copy)]
struct Front {
    head: usize,
    stored: u64,
    text: u64,
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], BadEntry> {
    bytes.get(at..at + N).and_then(|field| field.try_into().ok()).ok_or(SHORT)
}

/// Reads what says how long everything is; nothing is believed before the checks.
fn front(bytes: &[u8]) -> Result<Front, BadEntry> {
    if field(bytes, 0)? != *MAGIC {
        return Err(BadEntry::Damaged("it begins otherwise"));
    }
    let version = u32::from_le_bytes(field(bytes, 8)?);
    if version != VERSION {
        return Err(BadEntry::Version(version));
    }
    let head = u32::from_le_bytes(field(bytes, 12)?) as usize;
    let stored = u64::from_le_bytes(field(bytes, 16)?);
    let text = u64::from_le_bytes(field(bytes, 24)?);
    if head == 0 || head > MAX_HEAD || stored > MAX_TEXT || text > MAX_TEXT {
        return Err(BadEntry::Damaged("a length is beyond its limit"));
    }
    Ok(Front { head, stored, text })
}

fn digest(parts: [&[u8]; 2]) -> [u8; 32] {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finish().id.as_bytes()
}

/// The bytes of an entry.
///
/// # Errors
///
/// [`BadEntry::TooLarge`]; also where there is no memory to compress it.
pub fn encode(head: &[u8], text: &[u8]) -> Result<Vec<u8>, BadEntry> {
    let head_len = u32::try_from(head.len()).map_err(|_| BadEntry::TooLarge)?;
    if head.is_empty() || head.len() > MAX_HEAD || text.len() as u64 > MAX_TEXT {
        return Err(BadEntry::TooLarge);
    }
    let body = zstd::bulk::compress(text, LEVEL).map_err(|_| BadEntry::TooLarge)?;
    if body.len() as u64 > MAX_TEXT {
        return Err(BadEntry::TooLarge);
    }
    let mut bytes = Vec::with_capacity(FRONT_LEN + head.len() + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&head_len.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    let check = digest([&bytes, head]);
    bytes.extend_from_slice(&check);
    bytes.extend_from_slice(&digest([&body, &[]]));
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The head of an entry of which at least the beginning is given. `Ok(Err(length))`: so many bytes are needed.
///
/// # Errors
///
/// What is wrong with it.
pub fn decode_head(bytes: &[u8]) -> Result<Result<&[u8], usize>, BadEntry> {
    let front = front(bytes)?;
    let end = FRONT_LEN + front.head;
    let Some(head) = bytes.get(FRONT_LEN..end) else { return Ok(Err(end)) };
    let begin = bytes.get(..32).unwrap_or_default();
    if field(bytes, 32)? != digest([begin, head]) {
        return Err(BadEntry::Damaged("the checksum of its head does not agree"));
    }
    Ok(Ok(head))
}

/// Reads a whole entry.
///
/// # Errors
///
/// What is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Shelved, BadEntry> {
    let front = front(bytes)?;
    let Ok(head) = decode_head(bytes)? else { return Err(SHORT) };
    let body = bytes.get(FRONT_LEN + front.head..).unwrap_or_default();
    if body.len() as u64 != front.stored {
        return Err(BadEntry::Damaged("its length is not what it says"));
    }
    if field(bytes, 64)? != digest([body, &[]]) {
        return Err(BadEntry::Damaged("the checksum of its body does not agree"));
    }
    let text = unpack(body, front.text)
        .ok_or(BadEntry::Damaged("its body is not one zstd frame of the length that it says"))?;
    Ok(Shelved { head: head.to_vec(), text })
}

/// The plain text of a frame: exactly so long, and nothing after it. Memory grows with what comes out, and never beyond `len`.
fn unpack(body: &[u8], len: u64) -> Option<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).ok()?.single_frame();
    decoder.window_log_max(MAX_WINDOW_LOG).ok()?;
    let mut text = Vec::new();
    let taken = (&mut decoder).take(len.saturating_add(1)).read_to_end(&mut text).ok()?;
    (taken as u64 == len && decoder.finish().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
