//! The packets of the first logical stream of an OGG file (RFC 3533), one after the other.
//!
//! Other streams in the file are skipped, and what follows the end of the first one. Memory holds one page and one packet.

use std::io;

use super::damage::{damage, damage_in};
use crate::source::{ReadAt, read_full};

/// The longest packet: set-up headers of encoders are below 10 KiB, those with pictures in the comments below this.
const MOST: usize = 16 << 20;
const HEADER: usize = 27;
/// The most frames that a packet of Vorbis decodes to: half of the longest block.
const PACKET_FRAMES: u64 = 1 << 12;

const CONTINUED: u8 = 1;
const LAST: u8 = 4;

/// Whether a file begins with a page of Vorbis.
pub(super) fn is_vorbis(file: &dyn ReadAt) -> io::Result<bool> {
    let mut packets = Packets::new(file);
    let mut first = Vec::new();
    match packets.next_into(&mut first, 64) {
        Ok(there) => Ok(there && first.starts_with(b"\x01vorbis")),
        // A longer packet is another codec's.
        Err(error) if damage_in(&error).is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// A page.
struct Page {
    flags: u8,
    /// Frames up to the last packet that ends in it; all ones where none does.
    granule: u64,
    serial: u32,
    /// Where its body is, and the lengths of its segments.
    body: u64,
    segments: Vec<u8>,
}

impl Page {
    fn read(file: &dyn ReadAt, at: u64) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER + 255];
        let count = read_full(file, &mut header, at)?;
        let Some((head, segments)) =
            header.get(..count).and_then(|header| header.split_first_chunk::<HEADER>())
        else {
            return Ok(None);
        };
        let Some(segments) = segments.get(..usize::from(head[26])).filter(|_| head.starts_with(b"OggS\0"))
        else {
            return Ok(None);
        };
        let [_, _, _, _, _, flags, g0, g1, g2, g3, g4, g5, g6, g7, s0, s1, s2, s3, ..] = *head;
        let page = Self {
            flags,
            granule: u64::from_le_bytes([g0, g1, g2, g3, g4, g5, g6, g7]),
            serial: u32::from_le_bytes([s0, s1, s2, s3]),
            body: at + (HEADER + segments.len()) as u64,
            segments: segments.to_vec(),
        };
        Ok(Some(page).filter(|page| page.end() <= file.len()))
    }

    fn end(&self) -> u64 {
        self.body + self.segments.iter().map(|&len| u64::from(len)).sum::<u64>()
    }
}

/// What the pages of the first stream say about it.
pub(super) struct Length {
    pub(super) frames: u64,
    /// Whether the stream has its last page.
    pub(super) whole: bool,
}

/// How long the first stream is, from its pages alone.
pub(super) fn length(file: &dyn ReadAt, check: impl Fn() -> io::Result<()>) -> io::Result<Length> {
    let (mut at, mut serial, mut packets, mut frames, mut whole) = (0, None, 0_u64, 0, false);
    while let Some(page) = Page::read(file, at)? {
        check()?;
        at = page.end();
        if *serial.get_or_insert(page.serial) != page.serial {
            continue;
        }
        packets += page.segments.iter().filter(|&&len| len < 255).count() as u64;
        if page.granule != u64::MAX {
            // A page cannot hold more than its packets decode to.
            frames = page.granule.min(packets * PACKET_FRAMES);
        }
        if page.flags & LAST != 0 {
            whole = true;
            break;
        }
    }
    Ok(Length { frames, whole })
}

/// The packets of the first stream.
pub(super) struct Packets<'a> {
    file: &'a dyn ReadAt,
    at: u64,
    serial: Option<u32>,
    page: Option<Page>,
    /// The next segment of the page, and where it is.
    segment: usize,
    place: u64,
}

impl<'a> Packets<'a> {
    pub(super) fn new(file: &'a dyn ReadAt) -> Self {
        Self { file, at: 0, serial: None, page: None, segment: 0, place: 0 }
    }

    /// Reads the next packet; `false` at the end.
    pub(super) fn next(&mut self, packet: &mut Vec<u8>) -> io::Result<bool> {
        self.next_into(packet, MOST)
    }

    fn next_into(&mut self, packet: &mut Vec<u8>, most: usize) -> io::Result<bool> {
        packet.clear();
        loop {
            let Some(page) = &self.page else {
                if !self.turn()? {
                    return Ok(false);
                }
                let continued = self.page.as_ref().is_some_and(|page| page.flags & CONTINUED != 0);
                if !continued {
                    packet.clear();
                }
                continue;
            };
            let Some(&len) = page.segments.get(self.segment) else {
                if page.flags & LAST != 0 {
                    return Ok(false);
                }
                self.page = None;
                continue;
            };
            let from = packet.len();
            if from + usize::from(len) > most {
                return Err(damage("a packet is too long"));
            }
            packet.resize(from + usize::from(len), 0);
            let read = read_full(self.file, &mut packet[from..], self.place)?;
            if read < usize::from(len) {
                return Ok(false);
            }
            self.place += u64::from(len);
            self.segment += 1;
            if len < 255 {
                return Ok(true);
            }
        }
    }

    /// Goes on to the next page of the stream.
    fn turn(&mut self) -> io::Result<bool> {
        while let Some(page) = Page::read(self.file, self.at)? {
            self.at = page.end();
            if *self.serial.get_or_insert(page.serial) == page.serial {
                (self.segment, self.place) = (0, page.body);
                self.page = Some(page);
                return Ok(true);
            }
        }
        Ok(false)
    }
}
