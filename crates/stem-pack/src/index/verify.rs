//! Reading a whole index and believing nothing.

use super::entry::{INDEX_ENTRY_LEN, IndexEntry};
use super::error::{Result, contradiction};
use super::layout::{CoveredPack, bucket_of};
use super::lookup::Index;

impl Index {
    /// Checks every bucket, the order of the entries, that each lies in its bucket, and that it points into the indexed
    /// part of its pack. Whether a record stands there, only the packs tell.
    pub fn verify(&self) -> Result<()> {
        let layout = *self.layout();
        let packs: Vec<CoveredPack> = self.packs().collect();
        let (mut last, mut last_object, mut objects) = (None, None, 0u64);
        for number in 0..(1u32 << layout.bits) {
            let bucket = self.bucket(number)?;
            let (rows, _) = bucket.as_chunks::<INDEX_ENTRY_LEN>();
            for row in rows {
                let entry = IndexEntry::decode(row, layout.packs)?;
                let key = Some(entry.key());
                if bucket_of(entry.id.as_bytes(), layout.bits) != number || last >= key {
                    return Err(contradiction("its entries are not in order"));
                }
                last = key;
                let end = packs.get(usize::from(entry.pack)).map_or(0, |pack| pack.end);
                if entry.offset >= end {
                    return Err(contradiction("an entry points beyond the records of its pack"));
                }
                if entry.kind.is_object() && last_object != Some(entry.id) {
                    last_object = Some(entry.id);
                    objects += 1;
                }
            }
        }
        if objects == layout.objects {
            Ok(())
        } else {
            Err(contradiction("it has another number of objects than it says"))
        }
    }
}
