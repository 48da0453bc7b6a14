//! Where the bytes of an index come from: a mapping, memory, or reads by position.

use std::borrow::Cow;
use std::ops::Range;

use stem_fs::OpenFile;
use stem_hash::Mapping;

use super::entry::INDEX_ENTRY_LEN;
use super::error::{Result, contradiction};
use super::layout::{HEADER_LEN, IndexKind, Layout, TRAILER_LEN, decode_header, header_of};
use crate::format::{FormatError, Structure};
use crate::source::{ReadAt, ReadError, read_exact_at};
use stem_hash::Algorithm;

/// How an index is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// Mapped, or by position where that does not work.
    #[default]
    Map,
    /// By position only: no failing medium can end the process, lookups cost a system call each, and the fan-out is kept in
    /// memory.
    Read,
}

/// The largest bucket that is read into memory, in bytes. Only whoever makes millions of ids with the same first bits
/// gets a bucket like that.
const MAX_BUCKET: u64 = 64 << 20;

#[derive(Debug)]
pub(super) enum Source {
    Mapped(Mapping),
    Memory(Vec<u8>),
    /// The file, and everything behind its entries.
    File(OpenFile, Vec<u8>),
}

/// A source that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub source: Source,
    pub layout: Layout,
    pub algorithm: Algorithm,
}

impl Source {
    pub(super) fn open(file: OpenFile, kind: IndexKind, access: Access) -> Result<Opened> {
        if access == Access::Map
            && let Ok(map) = Mapping::of_immutable(file.as_std())
        {
            let (layout, algorithm) = examine(&map, kind)?;
            let tail = usize::try_from(layout.tail_offset()).unwrap_or(usize::MAX);
            // Where the medium cannot deliver the fan-out, reading says so, and touching it would kill.
            if map.populate(tail..map.len()).is_ok() {
                check_tail(&map, &layout, kind)?;
                return Ok(Opened { source: Self::Mapped(map), layout, algorithm });
            }
        }
        Self::read(file, kind)
    }

    pub(super) fn memory(bytes: Vec<u8>, kind: IndexKind) -> Result<Opened> {
        let (layout, algorithm) = examine(&bytes, kind)?;
        check_tail(&bytes, &layout, kind)?;
        Ok(Opened { source: Self::Memory(bytes), layout, algorithm })
    }

    fn read(file: OpenFile, kind: IndexKind) -> Result<Opened> {
        let len = file.len()?;
        let trailer_at = len.checked_sub((HEADER_LEN + TRAILER_LEN) as u64).ok_or_else(|| too_short(len))?
            + HEADER_LEN as u64;
        let mut header = [0; HEADER_LEN];
        read_exact_at(&file, &mut header, 0)?;
        let algorithm = decode_header(&header, kind)?;
        let mut trailer = [0; TRAILER_LEN];
        read_exact_at(&file, &mut trailer, trailer_at)?;
        let layout = Layout::decode(&trailer, len)?;
        // Bounded: 128 MiB of fan-out and 3 MiB of packs at most, and no more than the file has.
        let mut tail = vec![0; usize::try_from(layout.tail_len()).map_err(|_| too_short(len))?];
        read_exact_at(&file, &mut tail, layout.tail_offset())?;
        layout.check(&header, &tail, kind)?;
        Ok(Opened { source: Self::File(file, tail), layout, algorithm })
    }

    /// Everything behind the entries.
    pub(super) fn tail(&self, layout: &Layout) -> &[u8] {
        let whole: &[u8] = match self {
            Self::Mapped(map) => map,
            Self::Memory(bytes) => bytes,
            Self::File(_, tail) => return tail,
        };
        tail_of(whole, layout)
    }

    /// The bytes of these entries.
    pub(super) fn entries(&self, range: Range<u32>) -> Result<Cow<'_, [u8]>> {
        let start = u64::from(range.start) * INDEX_ENTRY_LEN as u64 + HEADER_LEN as u64;
        let len = u64::from(range.end.saturating_sub(range.start)) * INDEX_ENTRY_LEN as u64;
        let whole: &[u8] = match self {
            Self::Mapped(map) => map,
            Self::Memory(bytes) => bytes,
            Self::File(file, _) => {
                FormatError::bound(Structure::Index, "length of a bucket", len, MAX_BUCKET)?;
                let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
                read_exact_at(file, &mut bytes, start)?;
                return Ok(Cow::Owned(bytes));
            }
        };
        let part = usize::try_from(start).ok().zip(usize::try_from(start + len).ok());
        let part = part.and_then(|(start, end)| whole.get(start..end));
        part.map(Cow::Borrowed).ok_or_else(|| contradiction("a bucket lies beyond the entries"))
    }
}

fn too_short(len: u64) -> ReadError {
    let expected = (HEADER_LEN + TRAILER_LEN) as u64;
    FormatError::Length { structure: Structure::Index, found: len, expected }.into()
}

fn examine(whole: &[u8], kind: IndexKind) -> Result<(Layout, Algorithm)> {
    let len = whole.len() as u64;
    let algorithm = decode_header(header_of(whole)?, kind)?;
    let trailer = whole.get(HEADER_LEN..).and_then(|rest| rest.last_chunk()).ok_or_else(|| too_short(len))?;
    Ok((Layout::decode(trailer, len)?, algorithm))
}

fn check_tail(whole: &[u8], layout: &Layout, kind: IndexKind) -> Result<()> {
    layout.check(header_of(whole)?, tail_of(whole, layout), kind)
}

fn tail_of<'a>(whole: &'a [u8], layout: &Layout) -> &'a [u8] {
    usize::try_from(layout.tail_offset()).ok().and_then(|at| whole.get(at..)).unwrap_or_default()
}
