//! Asking an index.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use stem_fs::OpenFile;
use stem_hash::{Algorithm, Checksum, IdPrefix, ObjectId};

use super::entry::{INDEX_ENTRY_LEN, IndexEntry, Want};
use super::error::{Result, check, contradiction};
use super::layout::{CoveredPack, IndexKind, Layout, Row, bucket_check, bucket_of};
use super::source::{Access, Opened, Source};

/// An index of one pack or of several, opened for reading.
///
/// Answers are true to the file: bytes that do not agree with their check are an error, for ids that are there and for
/// ids that are not. Every read is bounded by what the file has, whatever it says.
#[derive(Debug)]
pub struct Index {
    source: Source,
    layout: Layout,
    algorithm: Algorithm,
}

impl Index {
    /// Opens an index file. Time in the size of the fan-out, not of the entries. The file is never written to while the
    /// index lives: it is the store's own and has its final name. It is closed unless it is read by position.
    pub fn open(file: OpenFile, kind: IndexKind, access: Access) -> Result<Self> {
        Source::open(file, kind, access).map(Self::new)
    }

    /// The index of these bytes.
    pub fn from_bytes(bytes: Vec<u8>, kind: IndexKind) -> Result<Self> {
        Source::memory(bytes, kind).map(Self::new)
    }

    fn new(opened: Opened) -> Self {
        Self { source: opened.source, layout: opened.layout, algorithm: opened.algorithm }
    }

    /// What the object ids were made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.layout.entries
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of different objects.
    pub fn objects(&self) -> u64 {
        self.layout.objects
    }

    /// Whether the file is mapped, rather than read by position.
    pub fn is_mapped(&self) -> bool {
        matches!(self.source, Source::Mapped(_))
    }

    /// The packs that the index covers, by their numbers.
    pub fn packs(&self) -> impl ExactSizeIterator<Item = CoveredPack> + '_ {
        let (_, packs) = self.layout.split(self.source.tail(&self.layout));
        packs.iter().map(CoveredPack::decode)
    }

    /// The pack with this number.
    pub fn pack(&self, number: u16) -> Option<CoveredPack> {
        let (_, packs) = self.layout.split(self.source.tail(&self.layout));
        packs.get(usize::from(number)).map(CoveredPack::decode)
    }

    /// Where records with this id are.
    pub fn find(&self, id: &ObjectId, want: Want) -> Result<Hits> {
        let bucket = self.bucket(bucket_of(id.as_bytes(), self.layout.bits))?;
        let (rows, _) = bucket.as_chunks::<INDEX_ENTRY_LEN>();
        let first = rows.partition_point(|row| IndexEntry::id_of(row) < *id.as_bytes());
        let mut hits = Hits::default();
        let same = rows.iter().skip(first).take_while(|row| IndexEntry::id_of(row) == *id.as_bytes());
        for row in same {
            let entry = IndexEntry::decode(row, self.layout.packs)?;
            if want.accepts(entry.kind) {
                hits.push(entry);
            }
        }
        Ok(hits)
    }

    /// The entries whose ids begin with these digits, in the order of the index.
    pub fn find_prefix(&self, prefix: &IdPrefix) -> Entries<'_> {
        Entries::new(self, prefix.range())
    }

    /// All entries, in the order of the index: by id, kind, pack and offset.
    pub fn iter(&self) -> Entries<'_> {
        self.find_prefix(&IdPrefix::ALL)
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The entries of a bucket, whose check agrees.
    pub(super) fn bucket(&self, number: u32) -> Result<Cow<'_, [u8]>> {
        let (rows, _) = self.layout.split(self.source.tail(&self.layout));
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        // All rows were checked when the file was opened, but a mapped page may have been read again since.
        let row = rows.get(number).map(Row::decode).ok_or_else(check)?;
        let before = number.checked_sub(1).and_then(|before| rows.get(before)).map(Row::decode);
        let start = before.map_or(0, |row| row.end);
        if start > row.end || u64::from(row.end) > self.layout.entries {
            return Err(contradiction("the fan-out falls"));
        }
        let bytes = self.source.entries(start..row.end)?;
        if bucket_check(Checksum::of(&bytes)) == row.check { Ok(bytes) } else { Err(check()) }
    }
}

impl<'a> IntoIterator for &'a Index {
    type Item = Result<IndexEntry>;
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

/// The records found under one id: almost always one or none, and then nothing is allocated.
#[derive(Debug, Clone, Default)]
pub struct Hits {
    first: Option<IndexEntry>,
    /// Those after the first.
    rest: std::collections::VecDeque<IndexEntry>,
}

impl Hits {
    fn push(&mut self, entry: IndexEntry) {
        if self.first.is_none() {
            self.first = Some(entry);
        } else {
            self.rest.push_back(entry);
        }
    }

    /// Whether there are none (left).
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl Iterator for Hits {
    type Item = IndexEntry;

    fn next(&mut self) -> Option<IndexEntry> {
        std::mem::replace(&mut self.first, self.rest.pop_front())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = usize::from(self.first.is_some()) + self.rest.len();
        (len, Some(len))
    }
}

impl ExactSizeIterator for Hits {}

/// The entries of a range of ids, in order. Ends after the first error.
#[derive(Debug)]
pub struct Entries<'a> {
    index: &'a Index,
    range: RangeInclusive<ObjectId>,
    /// The bucket that is read next, and the last one.
    next: u32,
    last: u32,
    bucket: Cow<'a, [u8]>,
    /// How many entries of the bucket were given.
    given: usize,
    ended: bool,
}

impl<'a> Entries<'a> {
    fn new(index: &'a Index, range: RangeInclusive<ObjectId>) -> Self {
        let bits = index.layout.bits;
        let (next, last) =
            (bucket_of(range.start().as_bytes(), bits), bucket_of(range.end().as_bytes(), bits));
        Self { index, range, next, last, bucket: Cow::Borrowed(&[]), given: 0, ended: false }
    }

    fn advance(&mut self) -> Result<Option<IndexEntry>> {
        loop {
            let (rows, _) = self.bucket.as_chunks::<INDEX_ENTRY_LEN>();
            if let Some(row) = rows.get(self.given) {
                self.given += 1;
                let id = ObjectId::from_bytes(IndexEntry::id_of(row));
                if id > *self.range.end() {
                    return Ok(None);
                }
                if id >= *self.range.start() {
                    return IndexEntry::decode(row, self.index.layout.packs).map(Some);
                }
            } else if self.next > self.last {
                return Ok(None);
            } else {
                self.bucket = self.index.bucket(self.next)?;
                self.next += 1;
                self.given = 0;
            }
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<IndexEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
