//! Storing: read and hash in one pass, cut, look for what is there already, code, compare, append.
//!
//! The calling thread reads, hashes the object and cuts it; chunks are named, looked up, coded, decoded again and compared
//! on all cores; the results are appended in order. In memory are a few chunks and what they are coded with, however long
//! the object is.
//!
//! A chunk that a pack has already is read and decoded before it counts as there (clause 5): the fresh bytes are at hand now
//! and may be gone when rot is noticed. A few such chunks amid new ones are stored again: a stem whose chunks lie scattered
//! over many packs reads slowly for ever, to save some kilobytes once.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stem_audio::{HEAD_LEN, SampleFormat, probe};
use stem_hash::{Checksum, ChecksumHasher, Digest, ObjectId};
use stem_store::{
    Durability, Error, FileMetadata, FileSource, ObjectStat, Operation, Put, PutFile, PutMethod, PutOptions,
    Result, Written,
};

use crate::chain::{Chain, see_shape};
use crate::crew;
use crate::cut::Cutter;
use crate::format::{Attributes, Kind, chunk_id};
use crate::handle::Core;
use crate::index::Want;
use crate::input::Input;
use crate::lane::{Lane, Small};
use crate::lookup::Purpose;
use crate::options::Chunking;
use crate::record::Bad;
use crate::small::BATCH;
use crate::tools::Coded;

/// What is under an object's id before it is put.
pub(crate) enum Existing {
    Absent,
    /// The object, whole.
    Whole(Digest),
    /// Something else.
    Bad,
}

/// A chunk on its way.
pub(crate) struct Job {
    pub(crate) raw: Vec<u8>,
    pub(crate) format: Option<SampleFormat>,
}

/// A chunk after it was looked at.
pub(crate) struct Outcome {
    pub(crate) id: ObjectId,
    pub(crate) job: Job,
    /// `None`: a sound copy is there.
    pub(crate) coded: Option<Coded>,
}

impl Core {
    pub(crate) fn put_stream(&self, source: &mut dyn Read, options: &PutOptions) -> Result<Put> {
        self.put_and_need(options, || self.put_known(source, None, options), |put| put.digest.id)
    }

    pub(crate) fn put_from_file(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        self.put_and_need(options, || self.put_file_known(source, options), |put| put.digest.id)
    }

    fn put_file_known(&self, source: &FileSource<'_>, options: &PutOptions) -> Result<PutFile> {
        let metadata = options.metadata.or_else(|| Some((&source.stat).into()));
        let options = PutOptions { metadata, ..*options };
        if let Some(known) = &source.known {
            self.check_expected(&known.id, &options)?;
            let told = &mut |bytes| match source.progress.map(|told| told(bytes)) {
                Some(std::ops::ControlFlow::Break(())) => Err(io::Error::other(stem_store::Stopped)),
                _ => Ok(()),
            };
            if let Existing::Whole(digest) = self.existing(&known.id, options.checksum, told)? {
                self.keep(&known.id, &options)?;
                return Ok(PutFile { digest, written: Written::Present, method: PutMethod::None });
            }
        }
        let put = self.put_known(&mut source.reader(), Some(source.stat.size), &options)?;
        let method = if put.written == Written::Present { PutMethod::None } else { PutMethod::Copied };
        Ok(PutFile { digest: put.digest, written: put.written, method })
    }

    pub(crate) fn check_expected(&self, found: &ObjectId, options: &PutOptions) -> Result<()> {
        match &options.expected {
            Some(expected) if expected != found => {
                Err(Error::wrong_hash(self.name.as_str(), expected, found))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn put_known(
        &self,
        source: &mut dyn Read,
        len: Option<u64>,
        options: &PutOptions,
    ) -> Result<Put> {
        self.make_ready()?;
        let at_sync = options.durability == Durability::AtSync;
        if at_sync {
            self.check_spent(Operation::Put)?;
        }
        // Recursive: a source may put something itself while it is read.
        let _gate = self.gate.read_recursive();
        self.puts.fetch_add(1, Ordering::AcqRel);
        let mut input = Input::new(self, source);
        if input.begin()? {
            let mut digest = input.hasher.finish();
            digest.checksum = digest.checksum.filter(|_| options.checksum);
            let small = Small { bytes: input.buffer, metadata: options.metadata };
            return self.put_small(small, &digest, options);
        }
        let own = Lane::default();
        let lane = if at_sync { &self.pending } else { &own };
        self.put_large(lane, input, len, options)
    }

    /// What is under the id, every byte of it read.
    pub(crate) fn existing(
        &self,
        id: &ObjectId,
        checksum: bool,
        told: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Result<Existing> {
        if !checksum && let Some(held) = self.pending.held(id) {
            // This handle wrote it and looked at it.
            return Ok(Existing::Whole(Digest { id: *id, checksum: None, len: held.stat().size }));
        }
        // Somebody else may have removed it since this handle looked: then it is not there.
        if self.tombstones.refresh(&self.place).is_err() {
            return Ok(Existing::Bad);
        }
        let mut stopped = false;
        let found = self.digest_object(id, Purpose::Keep, checksum, &mut |bytes| {
            told(bytes).inspect_err(|_| stopped = true)
        });
        match found {
            _ if stopped => Err(Error::interrupted(Operation::Put, self.name.as_str())),
            Ok(None) => Ok(Existing::Absent),
            Ok(Some(digest)) => Ok(Existing::Whole(digest)),
            // Whatever it is, the fresh bytes are better.
            Err(_) => Ok(Existing::Bad),
        }
    }

    /// Whether anything is under the id; its bytes are not looked at.
    pub(crate) fn is_there(&self, id: &ObjectId) -> Existing {
        // No list of a depot is asked for: nothing but the answer's word for it depends on this.
        let found = if self.depot.is_some() { self.stat_indexed(id, false) } else { self.stat_object(id) };
        if matches!(found, Ok(None)) { Existing::Absent } else { Existing::Bad }
    }

    /// Makes an object that is there as durable as one that was just put.
    pub(crate) fn keep(&self, id: &ObjectId, options: &PutOptions) -> Result<()> {
        let waits = self.pending.held(id).is_some();
        match options.durability {
            Durability::AtSync => self.check_spent(Operation::Put),
            Durability::Immediate if waits => self.sync_all(),
            Durability::Immediate => {
                let failed = |error| Error::from_fs(Operation::Put, self.name.as_str(), error);
                let dir = self.place.make_packs().map_err(failed)?;
                self.expire();
                self.catalog.settle(&dir).inspect_err(|_| self.mark_lost()).map_err(failed)
            }
        }
    }

    fn put_small(&self, small: Small, digest: &Digest, options: &PutOptions) -> Result<Put> {
        let id = &digest.id;
        self.check_expected(id, options)?;
        let written = match self.existing(id, false, &mut |_| Ok(()))? {
            Existing::Whole(_) => {
                self.keep(id, options)?;
                return Ok(Put { digest: *digest, written: Written::Present });
            }
            Existing::Absent => Written::New,
            Existing::Bad => Written::Replaced,
        };
        if options.durability == Durability::AtSync {
            let waiting = self.pending.add_small(id, Arc::new(small));
            if self.is_spent() {
                self.pending.forget(id);
                self.check_spent(Operation::Put)?;
            }
            if waiting >= BATCH {
                self.flush_batch(&self.pending, Some(id))?;
            }
            return Ok(Put { digest: *digest, written });
        }
        let lane = Lane::default();
        let coded = self.tools.with(|tool| tool.encode(&small.bytes, None, None, self.options.compression));
        self.append_object(&lane, id, &small.bytes, &coded, options.metadata)?;
        self.finish_own(&lane, id)?;
        Ok(Put { digest: *digest, written })
    }

    pub(crate) fn append_object(
        &self,
        lane: &Lane,
        id: &ObjectId,
        raw: &[u8],
        coded: &Coded,
        metadata: Option<FileMetadata>,
    ) -> Result<()> {
        let attributes = metadata.as_ref().map(Attributes::new);
        let stat = ObjectStat { size: raw.len() as u64, metadata, since: None };
        self.append(
            lane,
            1,
            |writer| writer.object(id, raw, coded, attributes.as_ref()),
            |spot| lane.add_object(id, spot, stat),
        )
    }

    /// Publishes the lane of a put with `Immediate`.
    pub(crate) fn finish_own(&self, lane: &Lane, id: &ObjectId) -> Result<()> {
        // The same bytes may wait for a sync, or have waited: this copy is not to be hidden by what became of those.
        self.pending.exorcise(id);
        let mut open = lane.open();
        let writer = open.take();
        self.publish(lane, writer)?;
        if self.depot.is_some() {
            let dir =
                self.place.make_packs().map_err(|e| Error::from_fs(Operation::Put, self.name.as_str(), e))?;
            let settled = self.catalog.settle(&dir).inspect_err(|_| self.mark_lost());
            settled.map_err(|error| Error::from_fs(Operation::Put, self.name.as_str(), error).with_id(id))?;
            self.expire();
        }
        Ok(())
    }

    fn put_large(
        &self,
        lane: &Lane,
        mut input: Input<'_>,
        len: Option<u64>,
        options: &PutOptions,
    ) -> Result<Put> {
        input.fill(HEAD_LEN)?;
        let audio = probe(input.bytes(), len);
        let mut cutter = Cutter::new(self.options.chunking, audio);
        let mut chain = Chain::new(self, lane);
        let buffers = chain.buffers.clone();
        crew::ordered(
            || input.piece(&mut cutter, &buffers),
            |job| self.look_at(lane, job),
            |outcome| chain.take(outcome),
        )?;
        let digest = input.hasher.finish();
        self.check_expected(&digest.id, options)?;
        chain.end(&digest, options)
    }

    /// Names a chunk and codes it, unless a sound copy is there.
    fn look_at(&self, lane: &Lane, job: Job) -> Outcome {
        let id = chunk_id(&job.raw);
        let there = self.options.chunking != Chunking::Whole
            && (lane.chunk(&id).is_some() || self.verify_chunk(&id, job.raw.len() as u64));
        let coded = (!there).then(|| self.encode(&job));
        Outcome { id, job, coded }
    }

    /// Whether a sound chunk list of the object names chunks of this shape.
    pub(crate) fn has_shape(&self, id: &ObjectId, wanted: Checksum) -> bool {
        let same = self.each_copy(id, Want::Object, Purpose::Keep, |spot, _| {
            let record = spot.open(id, &[Kind::ChunkList])?;
            record.check_payload()?;
            let mut walk = record.chunk_list()?;
            let mut shape = ChecksumHasher::new();
            while let Some(entry) = walk.next()? {
                see_shape(&mut shape, &entry.id, entry.end);
            }
            if shape.finish() == wanted { Ok(()) } else { Err(Bad::damaged("it is cut otherwise")) }
        });
        matches!(same, Ok(Some(())))
    }

    pub(crate) fn encode(&self, job: &Job) -> Coded {
        self.tools.with(|tool| tool.encode(&job.raw, job.format.as_ref(), None, self.options.compression))
    }
}
