//! Indices of packs: of any bytes, of any entries with right checks, and of any records.

use stem_fs::{Dir, RelPath};
use stem_hash::{Algorithm, Checksum, ChecksumHasher, IdPrefix, ObjectId};
use stem_pack::format::{Codec, Kind, PackId, PayloadCheck, RecordHeader};
use stem_pack::index::{
    Access, CoveredPack, INDEX_ENTRY_LEN, Index, IndexBuilder, IndexEntry, IndexKind, Want, merge,
};

use super::super::accepted;
use super::super::feed::{Feed, pick};
use super::check_error;

const WANTS: [Want; 4] = [Want::Any, Want::Object, Want::Chunk, Want::Dictionary];
const KINDS: [Kind; 4] = [Kind::Object, Kind::Chunk, Kind::ChunkList, Kind::Dictionary];
/// The most entries that are made.
const MOST: usize = 70;

/// The index of one pack and of several.
///
/// # Panics
///
/// When a lookup gives something else than a walk over an index that was verified, or a hit that was not asked for; when the
/// same file answers otherwise mapped and read; when a merge loses or invents an entry.
pub fn check_pack_index(data: &[u8]) {
    let mut feed = Feed::new(data);
    match feed.byte() % 4 {
        0 => {
            let bytes = feed.rest();
            for kind in [IndexKind::Pack, IndexKind::Multi] {
                check_bytes(bytes, kind, false);
            }
        }
        1 => {
            let (kind, bytes) = sealed(&mut feed);
            check_bytes(&bytes, kind, false);
        }
        2 => {
            let (kind, bytes) = sealed(&mut feed);
            check_bytes(&bytes, kind, true);
        }
        _ => check_built(&mut feed),
    }
}

fn check_bytes(bytes: &[u8], kind: IndexKind, as_file: bool) {
    let index = match Index::from_bytes(bytes.to_vec(), kind) {
        Ok(index) => index,
        Err(error) => return check_error(&error),
    };
    assert!(index.objects() <= index.len() && index.len() * (INDEX_ENTRY_LEN as u64) < bytes.len() as u64);
    let answers = ask(&index, bytes);
    if !as_file {
        return;
    }
    thread_local! {
        static DIR: tempfile::TempDir = accepted(tempfile::tempdir());
    }
    DIR.with(|temp| {
        // Mapped files must not change, so the name is made free first.
        let (path, name) = (temp.path().join("index"), accepted(RelPath::new(*b"index")));
        let _ = std::fs::remove_file(&path);
        accepted(std::fs::write(path, bytes));
        let dir = accepted(Dir::open(temp.path()));
        for access in [Access::Map, Access::Read] {
            let Some(file) = accepted(dir.open_file(&name)) else { panic!("the index is gone") };
            let same = accepted(Index::open(file, kind, access));
            assert_eq!(ask(&same, bytes), answers, "other answers by {access:?}");
        }
    });
}

/// What an index says; `None` for damage.
type Answers = Vec<Option<Vec<IndexEntry>>>;

/// Asks for ids that are there, that are nearly there and that are not, and compares with a walk.
fn ask(index: &Index, bytes: &[u8]) -> Answers {
    let mut entries = Vec::new();
    let mut whole = true;
    for entry in index {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                check_error(&error);
                whole = false;
            }
        }
        assert!(entries.len() as u64 <= index.len(), "a walk without end");
    }
    let verified = index.verify();
    if let Err(error) = &verified {
        check_error(error);
    } else {
        assert!(whole && entries.len() as u64 == index.len());
        assert!(entries.is_sorted_by(|a, b| key(a) < key(b)));
        for entry in &entries {
            assert!(index.pack(entry.pack).is_some_and(|pack| entry.offset < pack.end));
        }
    }
    let mut ids: Vec<ObjectId> = entries.iter().map(|entry| entry.id).take(12).collect();
    // Also those that a walk did not reach.
    let rows = bytes.get(16..).unwrap_or_default().chunks_exact(INDEX_ENTRY_LEN);
    ids.extend(rows.take(12).filter_map(|row| row.first_chunk().map(|id| ObjectId::from_bytes(*id))));
    ids.extend([[0; 32], [0x80; 32], [0xff; 32]].map(ObjectId::from_bytes));
    let neighbours: Vec<ObjectId> = ids.iter().map(neighbour).collect();
    ids.extend(neighbours);
    let mut answers = Vec::new();
    for id in &ids {
        for want in WANTS {
            let found = index.find(id, want).ok().map(Iterator::collect::<Vec<_>>);
            if let Some(hits) = &found {
                assert!(hits.iter().all(|hit| hit.id == *id && want.accepts(hit.kind)));
            }
            if verified.is_ok() {
                let naive =
                    entries.iter().filter(|entry| entry.id == *id && want.accepts(entry.kind)).copied();
                assert_eq!(found.as_deref(), Some(&naive.collect::<Vec<_>>()[..]), "{id}, {want:?}");
            }
            answers.push(found);
        }
    }
    for (number, id) in ids.iter().enumerate().take(12) {
        let prefix = accepted(IdPrefix::parse_bytes(&id.to_string().as_bytes()[..number % 9]));
        let found: Result<Vec<IndexEntry>, _> = index.find_prefix(&prefix).collect();
        if verified.is_ok() {
            let naive: Vec<IndexEntry> =
                entries.iter().filter(|entry| prefix.matches(&entry.id)).copied().collect();
            assert_eq!(found.as_ref().ok(), Some(&naive), "{prefix}");
        }
        answers.push(found.ok());
    }
    answers
}

fn neighbour(id: &ObjectId) -> ObjectId {
    let mut bytes = *id.as_bytes();
    bytes[31] ^= 1;
    ObjectId::from_bytes(bytes)
}

fn key(entry: &IndexEntry) -> (ObjectId, Kind, u16, u64) {
    (entry.id, entry.kind, entry.pack, entry.offset)
}

/// An id of which few bytes matter, so that ids and their beginnings meet.
fn id(feed: &mut Feed<'_>) -> ObjectId {
    let [a, b] = feed.array();
    let mut bytes = [a & 0xf0; 32];
    bytes[1] = b & 0xc0;
    bytes[31] = b & 0x03;
    ObjectId::from_bytes(bytes)
}

/// An index file put together with right checks. Everything else in it may be wrong; docs/format/pack-index.md has the
/// offsets.
fn sealed(feed: &mut Feed<'_>) -> (IndexKind, Vec<u8>) {
    let flags = feed.byte();
    let is = |bit: u8| flags >> bit & 1 == 1;
    let kind = if is(0) { IndexKind::Multi } else { IndexKind::Pack };
    let bits = u32::from(feed.byte() % 7);
    let packs = if kind == IndexKind::Pack && !is(7) { 1 } else { usize::from(feed.byte() % 4) };
    let count = feed.below(MOST);
    let mut rows: Vec<[u8; INDEX_ENTRY_LEN]> = (0..count)
        .map(|_| {
            let mut row = [0; INDEX_ENTRY_LEN];
            row[..32].copy_from_slice(id(feed).as_bytes());
            row[32..36].copy_from_slice(&feed.array::<4>());
            row[40..44].copy_from_slice(&feed.array::<4>());
            row[48..50].copy_from_slice(&feed.array::<2>());
            let [number, codec, pack] = feed.array();
            row[52] = if is(1) { number } else { number % 4 + 1 };
            row[53] = codec;
            row[54] = if is(1) { pack } else { pack % u8::try_from(packs.max(1)).unwrap_or(1) };
            row
        })
        .collect();
    if !is(2) {
        rows.sort_unstable_by_key(|row| {
            let offset =
                u64::from_le_bytes([row[32], row[33], row[34], row[35], row[36], row[37], row[38], row[39]]);
            (row[..32].to_vec(), row[52], row[54], offset)
        });
        rows.dedup();
    }
    let bucket = |row: &[u8; INDEX_ENTRY_LEN]| {
        let high = u64::from(u32::from_be_bytes([row[0], row[1], row[2], row[3]]));
        high >> (32 - bits)
    };
    let mut file = if kind == IndexKind::Multi { *b"STEMMIDX" } else { *b"STEMPIDX" }.to_vec();
    file.extend_from_slice(&1_u32.to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    let mut covered = ChecksumHasher::new();
    covered.update(&file);
    file.extend_from_slice(rows.as_flattened());
    let tail = file.len();
    let mut end = 0;
    for number in 0..1_u64 << bits {
        let begin = end;
        end = match is(3) {
            // In any order, ids are where they are.
            true if number + 1 < 1 << bits => (begin + feed.below(8)).min(rows.len()),
            true => rows.len(),
            false => rows.iter().filter(|row| bucket(row) <= number).count().max(begin),
        };
        let check = Checksum::of(rows[begin..end].as_flattened()).as_u128().to_le_bytes();
        file.extend_from_slice(&u32::try_from(end).unwrap_or(0).to_le_bytes());
        file.extend_from_slice(&check[..4]);
    }
    for number in 0..packs {
        let mut row = [u8::try_from(number).unwrap_or(0); 48];
        row[16..24].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        let end = if is(4) { feed.u32().into() } else { 1_u64 << 33 };
        row[24..32].copy_from_slice(&end.to_le_bytes());
        file.extend_from_slice(&row);
    }
    let objects = if is(5) { feed.byte().into() } else { objects(&rows) };
    let trailer = file.len();
    file.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    file.extend_from_slice(&objects.to_le_bytes());
    file.extend_from_slice(&bits.to_le_bytes());
    file.extend_from_slice(&u32::try_from(packs).unwrap_or(0).to_le_bytes());
    file.extend_from_slice(&[0; 8]);
    covered.update(&file[tail..]);
    debug_assert_eq!(file.len(), trailer + 32);
    file.extend_from_slice(&covered.finish().as_u128().to_le_bytes());
    file.extend_from_slice(b"STEMIEND");
    if is(6) {
        // Damage behind the checks' back.
        let at = feed.u16() as usize % file.len();
        file[at] ^= feed.byte();
    }
    (kind, file)
}

fn objects(rows: &[[u8; INDEX_ENTRY_LEN]]) -> u64 {
    let mut ids: Vec<&[u8]> =
        rows.iter().filter(|row| matches!(row[52], 1 | 3)).map(|row| &row[..32]).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len() as u64
}

/// Indices of records that the bytes choose, merged.
fn check_built(feed: &mut Feed<'_>) {
    let mut naive = Vec::new();
    let mut indices = Vec::new();
    for number in 0..=feed.byte() % 3 {
        let pack = CoveredPack {
            id: PackId::from_bytes([number; 16]),
            len: 1 << 41,
            end: 1 << 40,
            headers: Checksum::of(&[number]),
        };
        let mut builder = IndexBuilder::new(Algorithm::Sha256);
        let mut offset = 48;
        for _ in 0..feed.below(MOST) {
            let header = header(feed);
            offset += u64::from(feed.u16()) + 1;
            accepted(builder.push(&header, offset));
            naive.push(IndexEntry::new(&header, u16::from(number), offset));
        }
        let bytes = accepted(builder.to_bytes(&pack));
        let index = accepted(Index::from_bytes(bytes.clone(), IndexKind::Pack));
        accepted(index.verify());
        assert_eq!(index.packs().collect::<Vec<_>>(), [pack]);
        let _ = ask(&index, &bytes);
        indices.push(index);
    }
    let left_out = feed.byte();
    let mut bytes = Vec::new();
    let inputs: Vec<&Index> = indices.iter().collect();
    let mut keep = |pack: &CoveredPack| *pack.id.as_bytes() != [left_out; 16];
    let summary = accepted(merge(&inputs, Algorithm::Sha256, &mut keep, &mut bytes));
    let merged = accepted(Index::from_bytes(bytes.clone(), IndexKind::Multi));
    accepted(merged.verify());
    assert_eq!(
        (summary.entries, summary.objects, summary.len),
        (merged.len(), merged.objects(), bytes.len() as u64)
    );
    naive.retain(|entry| u8::try_from(entry.pack) != Ok(left_out));
    let mut walked: Vec<(ObjectId, Kind, PackId, u64)> = Vec::new();
    for entry in &merged {
        let entry = accepted(entry);
        let Some(pack) = merged.pack(entry.pack) else { panic!("an entry of no pack") };
        walked.push((entry.id, entry.kind, pack.id, entry.offset));
    }
    let named = |entry: &IndexEntry| PackId::from_bytes([u8::try_from(entry.pack).unwrap_or(0); 16]);
    let mut expected: Vec<_> =
        naive.iter().map(|entry| (entry.id, entry.kind, named(entry), entry.offset)).collect();
    walked.sort_unstable();
    expected.sort_unstable();
    assert_eq!(walked, expected, "the merge has other entries");
    let _ = ask(&merged, &bytes);
    // Merging what was merged changes nothing.
    let mut again = Vec::new();
    accepted(merge(&[&merged], Algorithm::Sha256, &mut |_| true, &mut again));
    assert!(again == bytes, "a second merge is another one");
}

fn header(feed: &mut Feed<'_>) -> RecordHeader {
    let kind = pick(KINDS, feed.byte());
    let len = u64::from(feed.u16()) + 1;
    RecordHeader {
        kind,
        codec: Codec::Raw,
        attributes: false,
        dictionary: [0; 4],
        stored_len: len,
        raw_len: len,
        id: id(feed),
        payload_check: PayloadCheck::of(&[]),
    }
}
