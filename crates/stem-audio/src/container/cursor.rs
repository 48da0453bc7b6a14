//! Reading numbers out of a head, and walking the chunks of an IFF-like file.

/// The bytes at `offset`, if they are all there.
pub(super) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// Byte order of a container's own numbers.
#[derive(Clone, Copy)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, bytes: &[u8], offset: usize) -> Option<u16> {
        let bytes = array(bytes, offset)?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    pub(super) fn u32(self, bytes: &[u8], offset: usize) -> Option<u32> {
        let bytes = array(bytes, offset)?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }
}

/// One chunk: its name, what its header calls its size, and what of its body lies in the head.
pub(super) struct Chunk<'a> {
    pub(super) name: [u8; 4],
    pub(super) size: u32,
    /// The offset of the body in the file.
    pub(super) start: usize,
    /// The body; shorter than `size` where the head ends.
    pub(super) body: &'a [u8],
}

/// The chunks that follow a file's first twelve bytes, as far as their headers lie in the head.
pub(super) struct Chunks<'a> {
    head: &'a [u8],
    order: Order,
    at: usize,
    /// Names that are believed where a padding byte should be.
    unpadded: &'static [[u8; 4]],
}

impl<'a> Chunks<'a> {
    pub(super) fn new(head: &'a [u8], order: Order, unpadded: &'static [[u8; 4]]) -> Self {
        Self { head, order, at: 12, unpadded }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let name = array(self.head, self.at)?;
        let size = self.order.u32(self.head, self.at + 4)?;
        let start = self.at + 8;
        let rest = self.head.get(start..)?;
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let body = rest.get(..length).unwrap_or(rest);
        // An odd body is followed by a byte of padding, which some writers forget.
        let end = start.saturating_add(length);
        let forgotten = array(self.head, end).is_some_and(|name| self.unpadded.contains(&name));
        self.at = end.saturating_add(usize::from(length % 2 == 1 && !forgotten));
        // Room for the additions above; a head is never this long.
        self.at = self.at.min(usize::MAX / 2);
        Some(Chunk { name, size, start, body })
    }
}
