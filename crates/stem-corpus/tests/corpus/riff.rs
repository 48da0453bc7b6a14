//! A reader of RIFF files that shares nothing with the writer.

/// Chunks in order: id, offset of the body, length of the body.
#[derive(Debug)]
pub(crate) struct Riff {
    pub(crate) chunks: Vec<(String, usize, u64)>,
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

impl Riff {
    /// Parses a whole file; every byte must belong to a chunk.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        assert_eq!(&bytes[..4], b"RIFF");
        assert_eq!(&bytes[8..12], b"WAVE");
        assert_eq!(u32_at(bytes, 4) as usize, bytes.len() - 8, "the size of the RIFF chunk");
        let mut chunks = Vec::new();
        let mut at = 12;
        while at < bytes.len() {
            let id = String::from_utf8(bytes[at..at + 4].to_vec()).unwrap();
            let len = u32_at(bytes, at + 4);
            chunks.push((id, at + 8, u64::from(len)));
            at += 8 + len as usize + (len % 2) as usize;
        }
        assert_eq!(at, bytes.len(), "the last chunk ends with the file");
        Self { chunks }
    }

    pub(crate) fn chunk(&self, id: &str) -> Option<(usize, u64)> {
        self.chunks.iter().find(|chunk| chunk.0 == id).map(|chunk| (chunk.1, chunk.2))
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.chunks.iter().map(|chunk| chunk.0.as_str()).collect()
    }

    pub(crate) fn data<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let (start, len) = self.chunk("data").unwrap();
        &bytes[start..start + usize::try_from(len).unwrap()]
    }
}

/// The samples of a 24-bit file.
pub(crate) fn samples_24(data: &[u8]) -> Vec<i32> {
    data.chunks_exact(3).map(|b| i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8).collect()
}

/// The samples of a float file.
pub(crate) fn floats(data: &[u8]) -> Vec<f32> {
    data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}
