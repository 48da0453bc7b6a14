//! What is looked after beside single objects: packs and indices as files, damaged copies put aside, temporaries.

use std::io::Write;
use std::ops::ControlFlow;

use stem_fs::{Dir, FileKind, Publish, RelPath, TEMP_PREFIX, TempFile, is_left_over};
use stem_hash::ObjectId;
use stem_store::{Error, Operation, Result, StructureDamage, Tidied, TidyOptions};

use crate::files::{index_name, pack_name};
use crate::format::{Kind, PackId};
use crate::handle::Core;
use crate::index::{Access, Index, IndexKind, Want};
use crate::lane::Held;
use crate::lookup::{OBJECTS, Purpose};
use crate::record::{Bad, Record};
use crate::scan::{PayloadState, Payloads, Scan};

/// What looking through a pack showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackReport {
    /// The pack.
    pub pack: PackId,
    /// The number of its records.
    pub records: u64,
    /// Records whose payload is damaged, by their ids, whether or not anything needs them.
    pub damaged: Vec<ObjectId>,
    /// Why it does not end as a complete pack does: it was torn, or something in it is damaged so that what follows cannot
    /// be reached.
    pub torn: Option<String>,
    /// What is wrong with its index, which is rebuilt when it is needed.
    pub index: Option<String>,
}

impl PackReport {
    /// Whether nothing is wrong with the pack.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.torn.is_none() && self.index.is_none()
    }
}

impl Core {
    /// Looks through every pack, all payloads included.
    pub(crate) fn check_packs(&self, told: &mut dyn FnMut(PackReport) -> ControlFlow<()>) -> Result<()> {
        let failed = |bad| self.bad_store(Operation::Verify, bad);
        self.refresh().map_err(failed)?;
        let snapshot = self.catalog.current();
        for (id, pack) in &snapshot.packs {
            let file = match pack.file(&self.catalog.open_files) {
                Ok(file) => file,
                Err(Bad::Vanished) => continue,
                Err(bad) => return Err(failed(bad)),
            };
            let index = self.check_index(*id)?;
            let mut report = PackReport { pack: *id, records: 0, damaged: Vec::new(), torn: None, index };
            match Scan::open(&file.file, Payloads::Check) {
                Err(error) => report.torn = Some(error.to_string()),
                Ok(mut scan) => {
                    for record in scan.by_ref() {
                        let record = record
                            .map_err(|error| Error::from_io(Operation::Verify, self.name.as_str(), error))?;
                        if record.payload == PayloadState::Damaged {
                            report.damaged.push(record.header.id);
                        }
                    }
                    let end = scan.end();
                    report.records = end.records;
                    report.torn = end.torn.map(|torn| format!("at byte {}: {}", torn.offset, torn.why));
                }
            }
            if told(report).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// What is wrong with the index of a pack, if it has one.
    fn check_index(&self, pack: PackId) -> Result<Option<String>> {
        let failed = |error| Error::from_fs(Operation::Verify, self.name.as_str(), error);
        let Some(dir) = self.place.packs().map_err(failed)? else { return Ok(None) };
        let Some(file) = dir.open_file(&index_name(pack)).map_err(failed)? else { return Ok(None) };
        let checked = Index::open(file, IndexKind::Pack, Access::Read).and_then(|index| index.verify());
        Ok(checked.err().map(|error| error.to_string()))
    }

    pub(crate) fn check_structure(&self, found: &mut dyn FnMut(StructureDamage)) -> Result<()> {
        let dir = self
            .place
            .packs()
            .map_err(|error| Error::from_fs(Operation::Verify, self.name.as_str(), error))?;
        let Some(dir) = dir.cloned() else { return Ok(()) };
        self.check_packs(&mut |report| {
            let path = dir.full(&pack_name(report.pack));
            if let Some(why) = report.torn {
                let reason =
                    format!("the pack is torn or damaged, {why}; {} records can be read", report.records);
                found(StructureDamage { path: Some(path.clone()), reason });
            }
            if let Some(first) = report.damaged.first() {
                let count = report.damaged.len();
                let reason = format!("{count} damaged records, the first one of id {first}");
                found(StructureDamage { path: Some(path), reason });
            }
            if let Some(why) = report.index {
                let reason = format!("{why}; it is rebuilt when it is needed");
                found(StructureDamage { path: Some(dir.full(&index_name(report.pack))), reason });
            }
            ControlFlow::Continue(())
        })
    }

    /// Writes what can be read of an object into a file of its own, zeros for the rest, and removes the object.
    pub(crate) fn set_aside(&self, id: &ObjectId, into: &Dir, name: &RelPath) -> Result<bool> {
        let failed = |error| Error::from_fs(Operation::Remove, self.name.as_str(), error).with_id(id);
        let mut temp = into.temp_file(0o600).map_err(failed)?;
        match self.salvage(id, &mut temp) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(bad) => return Err(self.bad(Operation::Remove, id, bad)),
        }
        temp.sync().map_err(failed)?;
        temp.persist(into, name, Publish::New).map_err(failed)?;
        into.sync().map_err(failed)?;
        self.remove_object(id)
    }

    fn salvage(&self, id: &ObjectId, out: &mut TempFile) -> std::result::Result<bool, Bad> {
        if let Some(Held::Memory(small)) = self.pending.held(id) {
            return write(out, &small.bytes).map(|()| true);
        }
        let mut found = false;
        let read = self.each_copy(id, Want::Object, Purpose::Read, |spot, _| {
            found = true;
            let record = spot.open(id, OBJECTS)?;
            if record.header.kind == Kind::ChunkList {
                self.salvage_list(&record, out)
            } else {
                salvage_payload(&record, out)
            }
        });
        match read {
            Ok(None) => Ok(found),
            // Perhaps not even a header: then what is put aside is empty, and says as much.
            Ok(Some(())) | Err(Bad::Damaged(_) | Bad::Misled(_)) => Ok(true),
            Err(bad) => Err(bad),
        }
    }

    fn salvage_list(&self, record: &Record, out: &mut TempFile) -> std::result::Result<(), Bad> {
        let mut walk = record.chunk_list()?;
        let mut chunk = Vec::new();
        while let Some(entry) = walk.next()? {
            if self.read_chunk(&entry, Purpose::Read, &mut chunk).is_err() {
                chunk.clear();
                // A chunk is at most 16 MiB long: its entry was checked.
                chunk.resize(usize::try_from(entry.len()).unwrap_or(0), 0);
            }
            write(out, &chunk)?;
        }
        Ok(())
    }

    /// Temporaries of a bare store. Those of a repository lie where all of its parts have theirs.
    pub(crate) fn collect_temporaries(&self, options: &TidyOptions) -> Result<Tidied> {
        let failed = |error| Error::from_fs(Operation::Remove, self.name.as_str(), error);
        let mut tidied = Tidied::default();
        for dir in self.place.own_staging().map_err(failed)? {
            for entry in dir.entries().map_err(failed)? {
                let Ok(name) = RelPath::new(entry.name) else { continue };
                let Some(stat) = dir.stat(&name).map_err(failed)?.filter(|stat| stat.kind == FileKind::File)
                else {
                    continue;
                };
                let told = name.file_name().starts_with(TEMP_PREFIX.as_bytes());
                let dead = is_left_over(name.file_name(), TEMP_PREFIX);
                if !dead && (told || stat.ctime >= options.before) {
                    continue;
                }
                if options.dry_run || dir.remove_file(&name).map_err(failed)? {
                    tidied.files += 1;
                    tidied.bytes += stat.size;
                }
            }
        }
        Ok(tidied)
    }
}

fn salvage_payload(record: &Record, out: &mut TempFile) -> std::result::Result<(), Bad> {
    record.payload_pieces(|piece| write(out, piece))
}

fn write(out: &mut TempFile, bytes: &[u8]) -> std::result::Result<(), Bad> {
    out.write_all(bytes).map_err(|error| Bad::Unreadable(stem_fs::Error::new("write", out.path(), error)))
}
