//! Small packs made by hand, record by record.

use stem_hash::{Algorithm, Checksum, Hasher, ObjectId};
use stem_pack::format::{
    Attributes, ChunkListBuilder, Codec, FooterBuilder, Kind, PackHeader, PackId, PayloadCheck, Place,
    RecordHeader, chunk_id,
};
use stem_pack::index::{CoveredPack, IndexBuilder};

pub(crate) struct PackWriter {
    header: PackHeader,
    bytes: Vec<u8>,
    tally: FooterBuilder,
    index: IndexBuilder,
}

pub(crate) struct SmallPack {
    pub(crate) bytes: Vec<u8>,
    pub(crate) index: Vec<u8>,
    /// Where the records begin, the footer's own last.
    pub(crate) offsets: Vec<u64>,
}

pub(crate) fn record(kind: Kind, codec: Codec, id: ObjectId, raw_len: u64, payload: &[u8]) -> RecordHeader {
    RecordHeader {
        kind,
        codec,
        attributes: false,
        dictionary: [0; 4],
        stored_len: payload.len() as u64,
        raw_len,
        id,
        payload_check: PayloadCheck::of(payload),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish().id
}

impl PackWriter {
    pub(crate) fn new(id: PackId) -> Self {
        let header = PackHeader { id, algorithm: Algorithm::Sha256 };
        let bytes = header.encode().unwrap();
        let index = IndexBuilder::new(header.algorithm);
        Self { header, bytes: bytes.to_vec(), tally: FooterBuilder::new(&bytes), index }
    }

    pub(crate) fn push(&mut self, header: &RecordHeader, payload: &[u8]) {
        let offset = self.tally.offset();
        let bytes = header.encode(&Place { pack: self.header.id, offset }).unwrap();
        self.tally.push(header, &bytes).unwrap();
        self.index.push(header, offset).unwrap();
        self.bytes.extend_from_slice(&bytes);
        self.bytes.extend_from_slice(payload);
    }

    pub(crate) fn object(&mut self, bytes: &[u8], attributes: Option<Attributes>) -> ObjectId {
        let mut payload = attributes.map_or_else(Vec::new, |attributes| attributes.as_bytes().to_vec());
        payload.extend_from_slice(bytes);
        let header = record(Kind::Object, Codec::Raw, sha256(bytes), bytes.len() as u64, &payload);
        self.push(&RecordHeader { attributes: attributes.is_some(), ..header }, &payload);
        header.id
    }

    pub(crate) fn zstd_object(&mut self, bytes: &[u8]) -> ObjectId {
        let payload = zstd::bulk::compress(bytes, 3).unwrap();
        let header = record(Kind::Object, Codec::Zstd, sha256(bytes), bytes.len() as u64, &payload);
        self.push(&header, &payload);
        header.id
    }

    pub(crate) fn chunk(&mut self, bytes: &[u8]) -> ObjectId {
        let header = record(Kind::Chunk, Codec::Raw, chunk_id(bytes), bytes.len() as u64, bytes);
        self.push(&header, bytes);
        header.id
    }

    pub(crate) fn chunked(&mut self, chunks: &[&[u8]], attributes: Option<Attributes>) -> ObjectId {
        let whole = chunks.concat();
        let mut list = ChunkListBuilder::new();
        for chunk in chunks {
            let id = self.chunk(chunk);
            list.push(id, chunk.len() as u64).unwrap();
        }
        let id = sha256(&whole);
        let payload = list.finish(&id, Algorithm::Sha256, Checksum::of(&whole), attributes).unwrap().to_vec();
        self.push(&record(Kind::ChunkList, Codec::Raw, id, whole.len() as u64, &payload), &payload);
        id
    }

    pub(crate) fn finish(mut self) -> SmallPack {
        let footer = self.tally.footer();
        self.bytes.extend_from_slice(&footer.encode(self.header.id).unwrap());
        assert_eq!(self.bytes.len() as u64, footer.pack_len());
        let covered = CoveredPack {
            id: self.header.id,
            len: footer.pack_len(),
            end: footer.offset,
            headers: footer.headers,
        };
        let index = self.index.to_bytes(&covered).unwrap();
        let mut offsets: Vec<u64> =
            stem_pack::scan::Scan::open(&self.bytes[..], stem_pack::scan::Payloads::Skip)
                .unwrap()
                .map(|record| record.unwrap().offset)
                .collect();
        offsets.push(footer.offset);
        SmallPack { bytes: self.bytes, index, offsets }
    }
}

/// One record of each kind that is indexed, and metadata.
pub(crate) fn sample() -> SmallPack {
    let mut pack = PackWriter::new(PackId::from_bytes(*b"a small pack ..."));
    let metadata = stem_pack::format::Metadata {
        writer: "golden 1".into(),
        created: 1_700_000_000,
        chunk_sizes: [1, 2, 3],
        settings: vec![("name".into(), "value".into())],
    }
    .encode()
    .unwrap();
    let none = ObjectId::from_bytes([0; 32]);
    pack.push(&record(Kind::Metadata, Codec::Raw, none, metadata.len() as u64, &metadata), &metadata);
    let attributes = Attributes::new(&stem_store::FileMetadata {
        mode: 0o640,
        mtime: stem_fs::Timestamp { secs: 1_700_000_001, nanos: 5 },
    });
    pack.object(b"", None);
    pack.object(b"abc", Some(attributes));
    pack.zstd_object(&b"tracks and takes, ".repeat(20));
    let dictionary = b"a dictionary";
    let header = record(Kind::Dictionary, Codec::Raw, chunk_id(dictionary), 12, dictionary);
    pack.push(&header, dictionary);
    pack.chunked(&[b"first chunk", b"second"], Some(attributes));
    pack.finish()
}
