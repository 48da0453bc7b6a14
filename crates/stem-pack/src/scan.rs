//! Walking the records of a pack from its bytes alone.
//!
//! A pack is the truth and its index a convenience: this is where a lost index comes from, and where verify begins. The walk
//! goes from header to header, each bound to its place by its check, so it cannot lose its way; it ends at the footer or,
//! in a torn pack, at the first header that is not sound. Looking for further headers behind that point was rejected: a
//! published pack is complete unless the medium damaged it, and then the records that can be reached through a surviving
//! index are still read by it.

use std::io::{self, Write};

use crate::format::{
    FOOTER_LEN, Footer, FooterBuilder, FormatError, Kind, MAX_PACK_LEN, PACK_HEADER_LEN, PackHeader,
    PayloadHasher, Place, RECORD_HEADER_LEN, RecordHeader, Structure,
};
use crate::index::{CoveredPack, IndexBuilder, IndexSummary};
use crate::source::{ReadAt, ReadError, read_exact_at, read_up_to};

/// How much is read at a time where records are short, and where they are long.
const WINDOW: usize = 64 * 1024;
const GLANCE: usize = 4 * 1024;

/// What is done about payloads on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payloads {
    /// They are passed over; only headers are read.
    Skip,
    /// They are read and compared with their checks.
    Check,
}

/// What is known of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadState {
    /// It was not read.
    Unchecked,
    /// It agrees with its check.
    Sound,
    /// It does not.
    Damaged,
}

/// A record of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// The offset of its header.
    pub offset: u64,
    /// Its header, which is sound.
    pub header: RecordHeader,
    /// Its payload.
    pub payload: PayloadState,
}

/// Where and why the records of a pack end before a footer that ends the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Where what is wrong begins.
    pub offset: u64,
    /// What is wrong.
    pub why: FormatError,
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanEnd {
    /// The pack as an index would cover it.
    pub covered: CoveredPack,
    /// The number of records.
    pub records: u64,
    /// What is wrong with the pack's end; `None` if it is complete.
    pub torn: Option<Torn>,
}

/// The records of a pack, in order, the footer left out.
///
/// Gives errors only where the system failed to read; what is wrong with the bytes ends the walk, and
/// [`end`](Self::end) then tells.
#[derive(Debug)]
pub struct Scan<'a, S: ?Sized> {
    source: &'a S,
    len: u64,
    header: PackHeader,
    payloads: Payloads,
    tally: FooterBuilder,
    window: Window,
    /// Whether the last record was long, so that reading ahead does not pay.
    long: bool,
    ended: bool,
    torn: Option<Torn>,
}

/// The part of the file that was read last.
#[derive(Debug, Default)]
struct Window {
    bytes: Vec<u8>,
    at: u64,
}

impl Window {
    /// The bytes from `offset` on, at least `N` if the file has them.
    fn get<'w, const N: usize, S: ReadAt + ?Sized>(
        &'w mut self,
        source: &S,
        offset: u64,
        ahead: usize,
    ) -> io::Result<Option<&'w [u8; N]>> {
        let inside = |at: u64, bytes: &[u8]| {
            let skip = usize::try_from(offset.checked_sub(at)?).ok()?;
            bytes.get(skip..)?.len().checked_sub(N).map(|_| skip)
        };
        let skip = if let Some(skip) = inside(self.at, &self.bytes) {
            skip
        } else {
            self.bytes.resize(ahead.max(N), 0);
            let count = read_up_to(source, &mut self.bytes, offset)?;
            self.bytes.truncate(count);
            self.at = offset;
            0
        };
        Ok(self.bytes.get(skip..).and_then(|rest| rest.first_chunk()))
    }
}

impl<'a, S: ReadAt + ?Sized> Scan<'a, S> {
    /// Begins at the header, which has to be sound: without it nothing in the file can be believed.
    pub fn open(source: &'a S, payloads: Payloads) -> Result<Self, ReadError> {
        let len = source.len()?;
        FormatError::bound(Structure::PackHeader, "length of the pack", len, MAX_PACK_LEN)?;
        let mut bytes = [0; PACK_HEADER_LEN];
        let count = read_up_to(source, &mut bytes, 0)?;
        let header = PackHeader::decode(bytes.get(..count).unwrap_or_default())?;
        let tally = FooterBuilder::new(&bytes);
        let window = Window::default();
        Ok(Self { source, len, header, payloads, tally, window, long: false, ended: false, torn: None })
    }

    /// The pack's header.
    pub fn header(&self) -> &PackHeader {
        &self.header
    }

    /// How far the walk is: the offset behind the last record given.
    pub fn offset(&self) -> u64 {
        self.tally.offset()
    }

    /// How the walk ended; so far, if it has not.
    pub fn end(&self) -> ScanEnd {
        let footer = self.tally.footer();
        ScanEnd {
            covered: CoveredPack {
                id: self.header.id,
                len: self.len,
                end: footer.offset,
                headers: footer.headers,
            },
            records: footer.records,
            torn: self.torn.clone(),
        }
    }

    /// Ends the walk because of what stands at `offset`.
    fn tear(&mut self, offset: u64, why: FormatError) {
        self.torn = Some(Torn { offset, why });
    }

    fn advance(&mut self) -> io::Result<Option<Scanned>> {
        let offset = self.tally.offset();
        let place = Place { pack: self.header.id, offset };
        let ahead = if self.long { GLANCE } else { WINDOW };
        let Some(&bytes) = self.window.get::<RECORD_HEADER_LEN, _>(self.source, offset, ahead)? else {
            let found = self.len.saturating_sub(offset);
            self.tear(
                offset,
                match found {
                    0 => FormatError::Magic { structure: Structure::Footer },
                    _ => FormatError::Length {
                        structure: Structure::RecordHeader,
                        found,
                        expected: RECORD_HEADER_LEN as u64,
                    },
                },
            );
            return Ok(None);
        };
        let header = match RecordHeader::decode(&bytes, &place) {
            Ok(header) => header,
            Err(why) => {
                self.tear(offset, why);
                return Ok(None);
            }
        };
        let room = self.len.saturating_sub(offset).saturating_sub(RECORD_HEADER_LEN as u64);
        if header.stored_len > room {
            let expected = header.stored_len;
            let why = FormatError::Length { structure: Structure::Payload, found: room, expected };
            self.tear(offset, why);
            return Ok(None);
        }
        if header.kind == Kind::Footer {
            self.finish(&header, &place)?;
            return Ok(None);
        }
        let payload = match self.payloads {
            Payloads::Skip => PayloadState::Unchecked,
            Payloads::Check => self.check(&header, offset)?,
        };
        if let Err(why) = self.tally.push(&header, &bytes) {
            self.tear(offset, why);
            return Ok(None);
        }
        self.long = header.stored_len > WINDOW as u64 / 4;
        Ok(Some(Scanned { offset, header, payload }))
    }

    fn check(&mut self, header: &RecordHeader, offset: u64) -> io::Result<PayloadState> {
        let mut hasher = PayloadHasher::new();
        let mut at = offset + RECORD_HEADER_LEN as u64;
        let end = offset.saturating_add(header.record_len());
        // Short payloads are in the window already.
        let inside = usize::try_from(at - self.window.at).unwrap_or(usize::MAX);
        let rest = self.window.bytes.get(inside..).unwrap_or_default();
        let part = rest.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        hasher.update(rest.get(..part).unwrap_or_default());
        at += part as u64;
        let mut buffer = Vec::new();
        while at < end {
            let part = usize::try_from(end - at).map_or(WINDOW, |left| left.min(WINDOW));
            buffer.resize(part, 0);
            read_exact_at(self.source, &mut buffer, at)?;
            hasher.update(&buffer);
            at += part as u64;
        }
        let sound = hasher.finish() == header.payload_check;
        Ok(if sound { PayloadState::Sound } else { PayloadState::Damaged })
    }

    /// Compares the footer with what was seen.
    fn finish(&mut self, header: &RecordHeader, place: &Place) -> io::Result<()> {
        let mut payload = [0; FOOTER_LEN];
        read_exact_at(self.source, &mut payload, place.offset + RECORD_HEADER_LEN as u64)?;
        let why = match Footer::decode(&payload, header, place) {
            Err(why) => why,
            Ok(footer) if footer != self.tally.footer() => {
                FormatError::contradiction(Structure::Footer, "it counts other records than there are")
            }
            Ok(footer) if footer.pack_len() != self.len => {
                let why = FormatError::contradiction(Structure::Footer, "something follows it");
                self.tear(footer.pack_len(), why);
                return Ok(());
            }
            Ok(_) => return Ok(()),
        };
        self.tear(place.offset, why);
        Ok(())
    }
}

impl<S: ReadAt + ?Sized> Iterator for Scan<'_, S> {
    type Item = io::Result<Scanned>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Writes the index of a pack, made from the pack alone: for a complete pack, byte for byte what its writer wrote.
///
/// Only headers are read. Records whose payload turns out to be damaged are indexed too: "damaged" is the better answer
/// than "absent". Memory: as for [`IndexBuilder`].
pub fn rebuild_index<S: ReadAt + ?Sized>(
    source: &S,
    out: &mut dyn Write,
) -> Result<(IndexSummary, ScanEnd), ReadError> {
    let mut scan = Scan::open(source, Payloads::Skip)?;
    let mut builder = IndexBuilder::new(scan.header().algorithm);
    for record in scan.by_ref() {
        let record = record?;
        builder.push(&record.header, record.offset)?;
    }
    let end = scan.end();
    Ok((builder.write(&end.covered, out)?, end))
}
