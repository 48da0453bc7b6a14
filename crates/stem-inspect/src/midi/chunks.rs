//! The chunks of a MIDI file: what its header says, and the bytes of its tracks.
//!
//! Read here and not by `midly`, which gives events but whose reading of headers overflows where ticks are said to be
//! frames of film and are not (0x80 in the upper byte of the division), in the first header and in any that follows.

use super::facts::Division;

/// A header, and what follows it.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    pub(super) format: u8,
    pub(super) division: Division,
    /// The number of tracks as the header has it.
    pub(super) announced: usize,
    rest: &'a [u8],
}

/// An identifier of four bytes, a length, and so many bytes or as many as there are.
fn split(bytes: &[u8], length: fn([u8; 4]) -> u32) -> Option<([u8; 4], &[u8], &[u8])> {
    let (id, rest) = bytes.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(length(*len)).unwrap_or(usize::MAX).min(rest.len());
    let (content, rest) = rest.split_at(len);
    Some((*id, content, rest))
}

/// What a RIFF file of the kind RMID has around its MIDI file is taken away.
fn without_riff(bytes: &[u8]) -> Option<&[u8]> {
    if !bytes.starts_with(b"RIFF") {
        return Some(bytes);
    }
    let (_, content, _) = split(bytes, u32::from_le_bytes)?;
    let mut chunks = content.strip_prefix(b"RMID")?;
    loop {
        let (id, content, rest) = split(chunks, u32::from_le_bytes)?;
        if &id == b"data" {
            return Some(content);
        }
        // Chunks begin at even places.
        chunks = rest.get(content.len() % 2..)?;
    }
}

impl<'a> Chunks<'a> {
    /// `None` where this is no MIDI file.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        let (id, header, rest) = split(without_riff(bytes)?, u32::from_be_bytes)?;
        let [f0, format @ 0..=2, a, b, upper, lower, ..] = *header else { return None };
        if &id != b"MThd" || f0 != 0 {
            return None;
        }
        let division = if upper < 0x80 {
            Division::TicksPerQuarter(u16::from_be_bytes([upper, lower]).max(1))
        } else {
            // The frames per second, negated.
            let per_second = upper.wrapping_neg();
            matches!(per_second, 24 | 25 | 29 | 30)
                .then_some(Division::Frames { per_second, ticks: lower.max(1) })?
        };
        Some(Self { format, division, announced: usize::from(u16::from_be_bytes([a, b])), rest })
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    /// The content of the next track; other chunks are passed over.
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (id, content, rest) = split(self.rest, u32::from_be_bytes)?;
            self.rest = rest;
            if &id == b"MTrk" {
                return Some(content);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_lies_about_film_is_refused() {
        for upper in 0..=255_u8 {
            let header = [&b"MThd\0\0\0\x06\0\x01\0\x01"[..], &[upper, 40]].concat();
            assert_eq!(
                Chunks::open(&header).is_some(),
                upper < 0x80 || [0xe8, 0xe7, 0xe3, 0xe2].contains(&upper)
            );
        }
    }

    #[test]
    fn chunks_that_are_not_known_or_too_long_are_no_hindrance() {
        let file = b"MThd\0\0\0\x08\0\x01\0\x03\x01\xe0??XFIH\0\0\0\x02abMTrk\0\0\0\x01xMThd\0\0\0\x06\0\0\0\0\x80\0MTrk\xff\xff\xff\xffyz";
        let mut chunks = Chunks::open(file).unwrap();
        assert_eq!((chunks.announced, chunks.division), (3, Division::TicksPerQuarter(480)));
        assert_eq!(chunks.by_ref().collect::<Vec<_>>(), [&b"x"[..], b"yz"]);
        let riff = [&b"RIFF\xff\xff\xff\xffRMIDdisp\x01\0\0\0x\0data\xff\xff\xff\xff"[..], file].concat();
        assert_eq!(Chunks::open(&riff).unwrap().count(), 2);
        assert!(Chunks::open(b"RIFF\x04\0\0\0WAVE").is_none());
    }
}
