//! What a store takes on the disk, and what of the saving is due to what.
//!
//! The sizes are those of the files in the store's directory, counted here and not by the store: the figures agree with
//! `find` and `stat`. In packs, every record says how long it was before it was coded, and every large object is a list of
//! chunks; from that follow the shares of the classes and how much was saved by which means.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use stem_fs::{Dir, FileKind, OpenFile, RelPath};
use stem_hash::ObjectId;
use stem_pack::format::{Kind, RECORD_HEADER_LEN};
use stem_pack::scan::{Payloads, Scan};

use crate::error::{Error, Result};
use crate::job::Item;
use crate::model::{Class, Stored, StoredClass};

/// Entries of a chunk list that are read at once.
const ENTRIES: u64 = 4096;

/// The files below a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    pub(crate) files: u64,
}

/// Calls `visit` for every regular file below `dir`. What vanishes meanwhile is not there.
pub(crate) fn each_file(
    dir: &Dir,
    visit: &mut dyn FnMut(&Dir, &RelPath) -> stem_fs::Result<()>,
) -> stem_fs::Result<()> {
    let mut dirs = vec![dir.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in dir.entries()? {
            let Ok(name) = RelPath::new(entry.name) else { continue };
            match entry.kind {
                FileKind::Dir => dirs.extend(dir.sub(&name)?),
                FileKind::File => visit(&dir, &name)?,
                FileKind::Symlink | FileKind::Special => {}
            }
        }
    }
    Ok(())
}

/// What the files below some directories take.
pub(crate) fn usage(places: &[&Path]) -> Result<Usage> {
    let mut usage = Usage::default();
    for place in places {
        each_file(&Dir::open(place)?, &mut |dir, name| {
            if let Some(stat) = dir.stat(name)? {
                usage.bytes += stat.size;
                usage.blocks += stat.blocks.saturating_mul(512);
                usage.files += 1;
            }
            Ok(())
        })?;
    }
    Ok(usage)
}

/// What is kept of one object: where it is, and whose it is.
#[derive(Debug, Default)]
struct Parts {
    /// Bytes of distinct content that the records stand for.
    content: u64,
    /// By class.
    classes: BTreeMap<Class, u64>,
    /// Bytes of chunks, coded, that would be there once more if none were shared.
    repeated: u64,
}

/// What a strategy stored. `bytes` is what the store says itself, for one that has no directory.
pub(crate) fn stored(
    items: &[Item],
    classes: &[Class],
    places: &[&Path],
    usage: Option<Usage>,
    bytes: Option<u64>,
) -> Result<Stored> {
    let mut stored = Stored::default();
    let mut owner: HashMap<ObjectId, Class> = HashMap::new();
    let mut sizes: BTreeMap<Class, u64> = BTreeMap::new();
    for (item, class) in items.iter().zip(classes) {
        stored.raw += item.size;
        stored.classes.entry(*class).or_default().raw += item.size;
        if let Some(named) = &item.digest
            && !owner.contains_key(&named.id)
        {
            owner.insert(named.id, *class);
            stored.unique += item.size;
            *sizes.entry(*class).or_default() += item.size;
        }
    }
    let mut parts = packs(places, &owner)?;
    if parts.content == 0 {
        // No packs: every content is there once, as it is.
        parts = Parts { content: stored.unique, classes: sizes, repeated: 0 };
    }
    let usage = usage.unwrap_or_else(|| {
        let bytes = bytes.unwrap_or(stored.unique);
        Usage { bytes, blocks: bytes, files: owner.len() as u64 }
    });
    stored.bytes = usage.bytes;
    stored.blocks = usage.blocks;
    stored.files = usage.files;
    stored.saved_by_dedup = stored.raw.saturating_sub(parts.content);
    stored.saved_by_codec = parts.content.saturating_sub(stored.bytes);
    for (class, bytes) in parts.classes {
        let entry: &mut StoredClass = stored.classes.entry(class).or_default();
        entry.stored = bytes;
    }
    Ok(stored)
}

/// What the chunks that objects share, or have more than once, would take if each were there as often as it is used.
pub(crate) fn repeated(places: &[&Path]) -> Result<u64> {
    packs(places, &HashMap::new()).map(|parts| parts.repeated)
}

/// Looks through all packs below the directories.
fn packs(places: &[&Path], owner: &HashMap<ObjectId, Class>) -> Result<Parts> {
    let mut found = Vec::new();
    for place in places {
        each_file(&Dir::open(place)?, &mut |dir, name| {
            if stem_pack::pack_id(name.file_name()).is_some() {
                found.extend(dir.open_file(name)?);
            }
            Ok(())
        })?;
    }
    let mut parts = Parts::default();
    let mut chunks: HashMap<ObjectId, u64> = HashMap::new();
    let mut lists: Vec<(usize, u64, ObjectId, u64, u64)> = Vec::new();
    let mut seen: HashSet<ObjectId> = HashSet::new();
    for (number, file) in found.iter().enumerate() {
        let unreadable = |error: std::io::Error| Error::io("read the pack", file.path(), error);
        let scan = Scan::open(file, Payloads::Skip).map_err(|e| unreadable(std::io::Error::other(e)))?;
        for record in scan {
            let record = record.map_err(unreadable)?;
            let header = record.header;
            match header.kind {
                Kind::Object if seen.insert(header.id) => {
                    parts.content += header.raw_len;
                    if let Some(class) = owner.get(&header.id) {
                        *parts.classes.entry(*class).or_default() += header.record_len();
                    }
                }
                Kind::Chunk if chunks.insert(header.id, header.record_len()).is_none() => {
                    parts.content += header.raw_len;
                }
                Kind::ChunkList if seen.insert(header.id) => {
                    let at =
                        record.offset + RECORD_HEADER_LEN as u64 + (header.stored_len - header.coded_len());
                    lists.push((number, at, header.id, header.coded_len(), header.raw_len));
                }
                _ => {}
            }
        }
    }
    let lens = chunks.clone();
    let mut used = 0;
    for (number, at, id, coded, raw) in lists {
        let Some(file) = found.get(number) else { continue };
        let mut own = coded + RECORD_HEADER_LEN as u64;
        entries(file, at, &id, coded, raw, &mut |chunk| {
            own += chunks.remove(chunk).unwrap_or(0);
            used += lens.get(chunk).copied().unwrap_or(0);
        })?;
        if let Some(class) = owner.get(&id) {
            *parts.classes.entry(*class).or_default() += own;
        }
    }
    let once: u64 = lens.values().sum::<u64>() - chunks.values().sum::<u64>();
    parts.repeated = used - once;
    Ok(parts)
}

/// Calls `each` for every chunk of an object whose list stands at `at`.
fn entries(
    file: &OpenFile,
    at: u64,
    id: &ObjectId,
    coded: u64,
    raw: u64,
    each: &mut dyn FnMut(&ObjectId),
) -> Result<()> {
    let unreadable = |error: std::io::Error| Error::io("read the pack", file.path(), error);
    let read = |buffer: &mut [u8], offset: u64| {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at + offset + filled as u64)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(())
    };
    let mut list = stem_pack::format::ChunkList::open(id, coded, raw, read).map_err(unreadable)?;
    let (mut number, mut entries) = (0, Vec::new());
    loop {
        list.entries(number, ENTRIES, &mut entries).map_err(unreadable)?;
        if entries.is_empty() {
            return Ok(());
        }
        number += entries.len() as u64;
        for entry in &entries {
            each(&entry.id);
        }
    }
}
