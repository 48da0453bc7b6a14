//! Buckets seen from outside: a directory, or a service in this process.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stem_hash::{Algorithm, ObjectId};
use stem_pack::PackOptions;
use stem_pack::format::{ChunkList, Kind, RECORD_HEADER_LEN};
use stem_pack::scan::{PayloadState, Payloads, Scan, Scanned};
use stem_remote::Location;
use stem_store::{Maintain, Result};
use stem_testkit::conformance::Damage;
use stem_testkit::s3::{S3Server, ServerOptions};

/// Opens `scheme:location` with these options.
pub(crate) fn open(
    scheme: &str,
    location: &str,
    options: &[(&str, &str)],
    packs: &PackOptions,
) -> Result<Arc<dyn Maintain>> {
    let options: BTreeMap<String, String> =
        options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    stem_remote::open(&Location { scheme, location, options: &options }, packs)
}

/// A service with a store in it, and a place for the caches of clients.
pub(crate) struct Service {
    pub(crate) server: S3Server,
    pub(crate) scratch: tempfile::TempDir,
}

impl Service {
    pub(crate) fn start(options: ServerOptions) -> Self {
        Self { server: S3Server::start(options).unwrap(), scratch: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn plain() -> Self {
        Self::start(ServerOptions::default())
    }

    /// What is in the bucket beside objects.
    pub(crate) fn bucket(&self) -> stem_remote::Bucket {
        let cache = self.scratch.path().join("collector");
        let options = [
            ("endpoint", self.server.endpoint()),
            ("anonymous", "true".to_owned()),
            ("cache", cache.to_str().unwrap().to_owned()),
            ("timeout", "5s".to_owned()),
            ("retries", "0".to_owned()),
        ];
        let options = options.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let location = Location { scheme: "s3", location: "//bucket/studio", options: &options };
        stem_remote::Bucket::open(&location).unwrap()
    }

    /// A client with a cache called so.
    pub(crate) fn client(&self, cache: &str, options: &[(&str, &str)]) -> Result<Arc<dyn Maintain>> {
        let cache = self.scratch.path().join(cache);
        let endpoint = self.server.endpoint();
        let mut all = vec![
            ("endpoint", endpoint.as_str()),
            ("anonymous", "true"),
            ("cache", cache.to_str().unwrap()),
            ("timeout", "5s"),
        ];
        all.extend_from_slice(options);
        open("s3", "//bucket/studio", &all, &PackOptions::default())
    }
}

/// What tests do behind a store's back.
pub(crate) trait Bucket {
    fn keys(&self) -> Vec<String>;
    fn get(&self, key: &str) -> Vec<u8>;
    fn set(&self, key: &str, bytes: Vec<u8>);
}

impl Bucket for S3Server {
    fn keys(&self) -> Vec<String> {
        Self::keys(self).iter().filter_map(|key| key.strip_prefix("studio/").map(str::to_owned)).collect()
    }

    fn get(&self, key: &str) -> Vec<u8> {
        self.object(&format!("studio/{key}")).unwrap()
    }

    fn set(&self, key: &str, bytes: Vec<u8>) {
        self.set_object(&format!("studio/{key}"), Some(bytes));
    }
}

/// A directory as a bucket.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Bucket for Directory {
    fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        walk(&self.0, "", &mut keys);
        keys
    }

    fn get(&self, key: &str) -> Vec<u8> {
        fs::read(self.0.join(key)).unwrap()
    }

    fn set(&self, key: &str, bytes: Vec<u8>) {
        fs::write(self.0.join(key), bytes).unwrap();
    }
}

fn walk(dir: &Path, prefix: &str, keys: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{name}/"), keys);
        } else {
            keys.push(name);
        }
    }
}

/// Whether a key ends so.
pub(crate) fn is(key: &str, extension: &str) -> bool {
    Path::new(key).extension().is_some_and(|found| found == extension)
}

/// Whether the format knows a key of this name.
pub(crate) fn is_known(key: &str) -> bool {
    key == "stemvault"
        || key.starts_with("packs/") && (is(key, "pack") || is(key, "idx"))
        || key.starts_with("roots/")
        || key.starts_with("condemned/")
        || key.starts_with("objects/")
}

fn records(bytes: &[u8]) -> Vec<Scanned> {
    let Ok(scan) = Scan::open(bytes, Payloads::Check) else { return Vec::new() };
    scan.map(std::result::Result::unwrap).collect()
}

fn chunks_of(bytes: &[u8], record: &Scanned) -> Vec<ObjectId> {
    let start = usize::try_from(record.offset).unwrap() + RECORD_HEADER_LEN;
    let payload = bytes[start..start + usize::try_from(record.header.stored_len).unwrap()].to_vec();
    let read = |buf: &mut [u8], at: u64| {
        let at = usize::try_from(at).unwrap();
        buf.copy_from_slice(payload.get(at..at + buf.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let header = &record.header;
    let Ok(mut list) = ChunkList::open(&header.id, header.stored_len, header.raw_len, read) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    list.entries(0, u64::MAX, &mut entries).unwrap();
    entries.iter().map(|entry| entry.id).collect()
}

/// Spoils every copy of an object's bytes: of one chunk in its middle, if it has some.
pub(crate) fn damage(bucket: &dyn Bucket, id: &ObjectId, damage: Damage) {
    let digits = id.to_string();
    let object = format!("objects/{}/{}", &digits[..2], &digits[2..]);
    let keys = bucket.keys();
    if keys.contains(&object) {
        let mut bytes = bucket.get(&object);
        damage.apply(&mut bytes);
        bucket.set(&object, bytes);
        return;
    }
    let packs: Vec<&String> = keys.iter().filter(|key| is(key, "pack")).collect();
    let mut ids = HashSet::from([*id]);
    for key in &packs {
        let bytes = bucket.get(key);
        for record in records(&bytes) {
            if record.header.id == *id && record.header.kind == Kind::ChunkList {
                let chunks = chunks_of(&bytes, &record);
                ids.extend(chunks.get(chunks.len() / 2));
            }
        }
    }
    for key in packs {
        let mut bytes = bucket.get(key);
        // From the end, because a byte too many moves what follows.
        for record in records(&bytes).iter().rev() {
            let of_object = matches!(record.header.kind, Kind::Object | Kind::Chunk);
            // Spoiling twice might mend.
            if record.payload != PayloadState::Sound || !ids.contains(&record.header.id) || !of_object {
                continue;
            }
            let start = usize::try_from(record.offset).unwrap() + RECORD_HEADER_LEN;
            let middle = start + usize::try_from(record.header.stored_len).unwrap() / 2;
            match damage {
                Damage::Flip => bytes[middle] ^= 0x10,
                Damage::Truncate => bytes.truncate(middle),
                Damage::Grow => bytes.insert(middle, 0x5a),
            }
        }
        bucket.set(key, bytes);
    }
}

/// The options of a store with these ids.
pub(crate) fn hashed(algorithm: Algorithm) -> PackOptions {
    PackOptions { algorithm: Some(algorithm), ..PackOptions::default() }
}
