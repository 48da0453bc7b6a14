//! The contract: in a directory and in a service, in both layouts.

use std::path::Path;
use std::sync::Arc;

use stem_hash::{Algorithm, ObjectId};
use stem_store::Maintain;
use stem_testkit::conformance::{Damage, Factory, Subject};
use stem_testkit::s3::ServerOptions;

use crate::bucket::{Bucket, Directory, Service, damage, hashed, is_known, open};

/// A directory as a bucket.
#[derive(Clone, Copy)]
struct InDirectory {
    layout: &'static str,
    algorithm: Algorithm,
}

impl InDirectory {
    fn open(self, root: &Path) -> Arc<dyn Maintain> {
        let (bucket, cache) = (root.join("bucket"), root.join("cache"));
        std::fs::create_dir_all(&bucket).unwrap();
        let location = format!("//{}", bucket.display());
        let options = [("layout", self.layout), ("cache", cache.to_str().unwrap())];
        open("file", &location, &options, &hashed(self.algorithm)).unwrap()
    }
}

impl Factory for InDirectory {
    fn create(&self) -> Box<dyn Subject> {
        let root = tempfile::tempdir().unwrap();
        Box::new(DirectorySubject { store: self.open(root.path()), kind: *self, root })
    }

    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        Box::new(self.open(Path::new(location)))
    }
}

struct DirectorySubject {
    store: Arc<dyn Maintain>,
    kind: InDirectory,
    root: tempfile::TempDir,
}

impl Subject for DirectorySubject {
    fn store(&self) -> &dyn Maintain {
        &*self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(Box::new(self.kind.open(self.root.path())))
    }

    fn location(&self) -> Option<String> {
        self.root.path().to_str().map(str::to_owned)
    }

    fn removes(&self) -> bool {
        false
    }

    fn damage(&self, id: &ObjectId, how: Damage) -> bool {
        // What was read up to now may be kept.
        self.store.sync().unwrap();
        damage(&Directory(self.root.path().join("bucket")), id, how);
        true
    }

    fn finish(self: Box<Self>) {
        let Self { store, root, .. } = *self;
        drop(store);
        for key in Directory(root.path().join("bucket")).keys() {
            // What a killed client leaves of an upload is called so by the library, which never shows it.
            assert!(is_known(&key) || key.contains('#'), "{key} was left in the bucket");
        }
    }
}

/// A service in this process.
#[derive(Clone, Copy)]
struct InService {
    layout: &'static str,
    metadata: &'static str,
    conditional: bool,
}

impl InService {
    fn open(self, service: &Service) -> Arc<dyn Maintain> {
        service.client("cache", &[("layout", self.layout), ("metadata", self.metadata)]).unwrap()
    }
}

impl Factory for InService {
    fn create(&self) -> Box<dyn Subject> {
        let options = ServerOptions { conditional: self.conditional, page: 7, ..ServerOptions::default() };
        let service = Service::start(options);
        Box::new(ServiceSubject { store: self.open(&service), kind: *self, service })
    }

    fn attach(&self, location: &str) -> Box<dyn Maintain> {
        let (endpoint, cache) = location.split_once(' ').unwrap();
        let options =
            [("endpoint", endpoint), ("anonymous", "true"), ("cache", cache), ("layout", self.layout)];
        Box::new(open("s3", "//bucket/studio", &options, &hashed(Algorithm::Sha256)).unwrap())
    }
}

struct ServiceSubject {
    store: Arc<dyn Maintain>,
    kind: InService,
    service: Service,
}

impl Subject for ServiceSubject {
    fn store(&self) -> &dyn Maintain {
        &*self.store
    }

    fn reopen(&self) -> Option<Box<dyn Maintain>> {
        Some(Box::new(self.kind.open(&self.service)))
    }

    fn location(&self) -> Option<String> {
        // Another machine has another cache.
        let cache = self.service.scratch.path().join("other");
        Some(format!("{} {}", self.service.server.endpoint(), cache.display()))
    }

    fn removes(&self) -> bool {
        false
    }

    fn damage(&self, id: &ObjectId, how: Damage) -> bool {
        self.store.sync().unwrap();
        damage(&self.service.server, id, how);
        true
    }

    fn finish(self: Box<Self>) {
        let Self { store, service, .. } = *self;
        drop(store);
        for key in Bucket::keys(&service.server) {
            assert!(is_known(&key), "{key} was left in the bucket");
        }
    }
}

mod directory {
    mod packs {
        use super::super::{Algorithm, InDirectory};
        stem_testkit::conformance_suite!(InDirectory { layout: "packs", algorithm: Algorithm::Blake3 });
    }

    mod sharded {
        use super::super::{Algorithm, InDirectory};
        stem_testkit::conformance_suite!(InDirectory { layout: "sharded", algorithm: Algorithm::Sha256 });
    }
}

mod service {
    mod packs {
        use super::super::InService;
        stem_testkit::conformance_suite!(InService { layout: "packs", metadata: "true", conditional: true });
    }

    mod sharded {
        use super::super::InService;
        stem_testkit::conformance_suite!(InService {
            layout: "sharded",
            metadata: "false",
            conditional: false
        });
    }
}
