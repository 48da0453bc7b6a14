//! The operations that read, and what they may say.

use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;

use stem_fs::Dir;
use stem_hash::IdPrefix;
use stem_store::{Error, ObjectStore, RestoreOptions, Verified, Verify};

use super::super::accepted;
use super::super::feed::Feed;
use super::blobs::{BLOBS, COUNT};
use super::ground::Backend;
use super::model::Sight;
use super::program::Program;
use crate::source::digest;

impl Program {
    pub(super) fn get(&mut self, blob: usize) {
        let (store, id) = (self.store(), self.id(blob));
        let read = store.open(&id).and_then(|reader| {
            let Some(mut reader) = reader else { return Ok(None) };
            let (len, mut bytes) = (reader.len(), Vec::new());
            match reader.read_to_end(&mut bytes) {
                Ok(_) => Ok(Some((len, bytes))),
                Err(error) => Err(foreign(error)),
            }
        });
        if let Some((len, bytes)) = self.model.saw(blob, read.as_ref().map(Option::as_ref), "get") {
            assert_eq!(*len, bytes.len() as u64);
            assert!(*bytes == BLOBS[blob].bytes, "get: object {blob} has other bytes");
        }
    }

    pub(super) fn range(&mut self, blob: usize, feed: &mut Feed<'_>) {
        let (store, object) = (self.store(), &BLOBS[blob]);
        let offset = u64::from(feed.u16()) << (feed.byte() % 4);
        let mut buffer = vec![0xaa; feed.below(20_000)];
        let read = store.read_range(&self.id(blob), offset, &mut buffer);
        let doubt = self.model.fates[blob].here == Sight::Doubt;
        if let Some(count) = self.model.saw(blob, read.as_ref().map(|count| *count), "range") {
            let rest = object.bytes.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
            let expected = &rest[..rest.len().min(buffer.len())];
            // Clause 2: only a verified range is never wrong.
            if !doubt || store.capabilities().verified_ranges {
                assert!(buffer[..count] == *expected, "range: object {blob} has other bytes");
            }
        }
    }

    pub(super) fn stat(&mut self, blob: usize) {
        let (store, id) = (self.store(), self.id(blob));
        let doubt = self.model.fates[blob].here == Sight::Doubt;
        let stat = store.stat(&id);
        if let Some(stat) = self.model.saw(blob, stat.as_ref().map(Option::as_ref), "stat") {
            assert!(doubt || stat.size == BLOBS[blob].len());
        }
        let other = self.id((blob + 1) % COUNT);
        match store.stat_many(&[id, other, id]) {
            Ok(stats) => {
                assert_eq!(stats.len(), 3);
                for (number, stat) in [blob, (blob + 1) % COUNT, blob].into_iter().zip(stats) {
                    self.model.saw(number, Ok(stat), "stat_many");
                }
            }
            Err(error) => assert!(self.model.damaged, "stat_many: {error:?}"),
        }
    }

    pub(super) fn list(&mut self, blob: usize, feed: &mut Feed<'_>) {
        let digits = self.id(blob).to_string();
        let prefix = accepted(IdPrefix::parse_bytes(&digits.as_bytes()[..usize::from(feed.byte() % 5)]));
        let mut ids = Vec::new();
        let listed = self.store().list(&prefix, &mut |id| {
            ids.push(id);
            ControlFlow::Continue(())
        });
        if let Err(error) = listed {
            assert!(self.model.damaged, "list: {error:?}");
            return;
        }
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "an object is listed twice");
        for blob in 0..COUNT {
            let id = self.id(blob);
            if prefix.matches(&id) {
                let found = ids.binary_search(&id).ok().map(|at| ids.remove(at));
                self.model.saw(blob, Ok(found), "list");
            }
        }
        assert!(ids.is_empty(), "list: {ids:?} should not be there");
    }

    pub(super) fn restore(&mut self, blob: usize, feed: &mut Feed<'_>) {
        let dir = accepted(Dir::open(&self.ground.work()));
        let mut target = accepted(dir.temp_file(0o600));
        let object = &BLOBS[blob];
        let checksum = digest(self.ground.algorithm, &object.bytes).checksum;
        let verify = match (feed.byte() % 3, checksum) {
            (0, Some(checksum)) => Verify::Checksum(checksum),
            (1, _) => Verify::No,
            _ => Verify::Id,
        };
        let options = RestoreOptions { verify, progress: None };
        let restored = self.store().restore_file(&self.id(blob), &mut target, &options);
        let doubt = self.model.fates[blob].here == Sight::Doubt;
        if let Some(restored) = self.model.saw(blob, restored.as_ref().map(Option::as_ref), "restore") {
            let same = accepted(fs::read(target.path())) == object.bytes;
            assert!(same || doubt && !restored.verified, "restore: object {blob} has other bytes");
            assert!(restored.verified || verify == Verify::No, "restore: not verified");
        }
    }

    pub(super) fn verify(&mut self, blob: usize) {
        let verified = self.store().verify(&self.id(blob));
        let here = self.model.fates[blob].here;
        let doubt = here == Sight::Doubt;
        if let (true, false, Ok(Some(Verified::Damaged { .. }))) =
            (self.model.damaged, here == Sight::Whole, &verified)
        {
            // As an error: a damaged pack may hold anything.
            return;
        }
        match self.model.saw(blob, verified.as_ref().map(Option::as_ref), "verify") {
            Some(Verified::Sound { size }) => assert_eq!(*size, BLOBS[blob].len()),
            Some(Verified::Damaged { reason }) => {
                // An overlay looks at every copy, also at one behind a copy that is whole.
                let hidden = self.model.damaged && self.ground.backend == Backend::Overlay;
                assert!(doubt || hidden, "object {blob} is damaged: {reason}");
            }
            None => {}
        }
    }
}

/// The store's error inside a reader's.
fn foreign(error: io::Error) -> Error {
    match Error::from_reader(error) {
        Ok(error) => error,
        Err(error) => panic!("a reader fails with a foreign error: {error}"),
    }
}
