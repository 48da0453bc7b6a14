//! A backend of one's own: objects as files in one directory, named by their ids.

use std::io::{Read, Seek as _, SeekFrom};
use std::{ops::ControlFlow, path::Path};

use stemvault::store_error::{Error, Operation};
use stemvault::{
    Algorithm, Capabilities, Dir, FsError, HashOptions, IdPrefix, Maintain, ObjectId, ObjectRead, ObjectStat,
    ObjectStore, Publish, Put, PutOptions, RelPath, Verified, VerifyingReader, Written, hash_reader,
};

type Result<T, E = Error> = std::result::Result<T, E>;

/// The directory, and what to call the store.
#[derive(Debug)]
pub(crate) struct Flat(Dir, String);

impl Flat {
    /// Opens the store in `path`, which is made when it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, FsError> {
        let dir = Dir::create_all(path)?;
        stemvault::collect_leftovers(&dir); // of puts that were killed
        Ok(Self(dir, format!("flat:{}", path.display())))
    }
    fn told<T>(&self, operation: Operation, result: Result<T, FsError>) -> Result<T> {
        result.map_err(|error| Error::from_fs(operation, &self.1, error))
    }
}

#[expect(clippy::expect_used, reason = "64 hex digits are a plain file name")]
fn name(id: &ObjectId) -> RelPath {
    RelPath::new(id.to_string()).expect("a plain name")
}

impl ObjectStore for Flat {
    fn name(&self) -> &str {
        &self.1
    }
    fn capabilities(&self) -> Capabilities {
        let algorithm = Algorithm::Sha256;
        Capabilities { algorithm, verified_ranges: false, keeps_metadata: false, adopts_files: false }
    }
    fn stat(&self, id: &ObjectId) -> Result<Option<ObjectStat>> {
        let stat = self.told(Operation::Stat, self.0.stat(&name(id)))?;
        Ok(stat.map(|stat| ObjectStat { size: stat.size, metadata: None, since: Some(stat.ctime) }))
    }
    fn open(&self, id: &ObjectId) -> Result<Option<Box<dyn ObjectRead>>> {
        let opened = self.told(Operation::Read, self.0.open_file(&name(id)))?;
        let Some(file) = opened else { return Ok(None) };
        let len = self.told(Operation::Read, file.stat())?.size;
        Ok(Some(Box::new(VerifyingReader::new(file, len, id, Algorithm::Sha256, &self.1))))
    }
    fn read_range(&self, id: &ObjectId, offset: u64, buf: &mut [u8]) -> Result<Option<usize>> {
        let opened = self.told(Operation::ReadRange, self.0.open_file(&name(id)))?;
        let Some(opened) = opened else { return Ok(None) };
        let size = self.told(Operation::ReadRange, opened.stat())?.size;
        let (mut file, start) = (opened.as_std(), SeekFrom::Start(offset.min(size)));
        let len = buf.len() as u64;
        let read = file.seek(start).and_then(|_| std::io::copy(&mut file.take(len), &mut &mut buf[..]));
        let read = read.map_err(|error| Error::from_io(Operation::ReadRange, &self.1, error))?;
        Ok(usize::try_from(read).ok())
    }
    fn put(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        let mut temp = self.told(Operation::Put, self.0.temp_file(0o644))?;
        let failed = |error| Error::from_source(&self.1, error);
        std::io::copy(source, &mut temp).map_err(failed)?;
        // What is hashed is what was written.
        let how = HashOptions { checksum: options.checksum, ..HashOptions::default() };
        temp.as_std().rewind().map_err(failed)?;
        let digest = hash_reader(&mut temp.as_std(), &how).map_err(failed)?;
        if let Some(expected) = options.expected.filter(|expected| *expected != digest.id) {
            return Err(Error::wrong_hash(&self.1, &expected, &digest.id));
        }
        // What is there counts only if it is right. Bytes become durable before the name, the name before the answer.
        let written = match self.verify(&digest.id)? {
            Some(found) if found.is_sound() => Written::Present,
            found => {
                self.told(Operation::Put, temp.sync())?;
                self.told(Operation::Put, temp.persist(&self.0, &name(&digest.id), Publish::Replace))?;
                if found.is_some() { Written::Replaced } else { Written::New }
            }
        };
        self.told(Operation::Put, self.0.sync())?;
        Ok(Put { digest, written })
    }
    fn list(&self, prefix: &IdPrefix, visit: &mut dyn FnMut(ObjectId) -> ControlFlow<()>) -> Result<()> {
        let entries = self.told(Operation::List, self.0.entries())?;
        let ids = entries.iter().filter_map(|entry| ObjectId::parse_bytes(&entry.name).ok());
        let _ = ids.filter(|id| prefix.matches(id)).try_for_each(visit);
        Ok(())
    }
    fn sync(&self) -> Result<()> {
        Ok(()) // Every put is durable when it returns.
    }
}

impl Maintain for Flat {
    fn verify(&self, id: &ObjectId) -> Result<Option<Verified>> {
        let Some(mut object) = self.open(id)? else { return Ok(None) };
        let (size, read) = (object.len(), std::io::copy(&mut object, &mut std::io::sink()));
        let damaged = |error: std::io::Error| Verified::Damaged { reason: error.to_string() };
        Ok(Some(read.map_or_else(damaged, |_| Verified::Sound { size })))
    }
    fn remove(&self, id: &ObjectId) -> Result<bool> {
        self.told(Operation::Remove, self.0.remove_file(&name(id)))
    }
}
