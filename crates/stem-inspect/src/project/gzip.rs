//! What a gzip file holds, as long as that is bounded.

use std::io::Read as _;

use flate2::read::GzDecoder;

use crate::limits::Limits;

/// How many times longer than it is a file may become. XML of projects becomes 10 to 40 times as long; deflate could make it
/// a thousand times.
const MAX_RATIO: u64 = 256;
/// What every file may become.
const ALWAYS: u64 = 1 << 20;

/// Why a file is not unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Damaged,
    TooLong,
}

pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b\x08")
}

/// The first member; what follows it is ignored, as players of such files do.
pub(super) fn unpack(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, Trouble> {
    let most = (bytes.len() as u64).saturating_mul(MAX_RATIO).max(ALWAYS).min(limits.inflated);
    let mut unpacked = Vec::new();
    // One byte more than is allowed tells what is too long from what just fits.
    let mut reader = GzDecoder::new(bytes).take(most.saturating_add(1));
    reader.read_to_end(&mut unpacked).map_err(|_| Trouble::Damaged)?;
    if unpacked.len() as u64 > most { Err(Trouble::TooLong) } else { Ok(unpacked) }
}
