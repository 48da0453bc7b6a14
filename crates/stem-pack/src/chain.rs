//! From chunks in order to an object: which of them are stored, which only named, and the list of all.

use std::sync::Arc;

use stem_hash::{ChecksumHasher, Digest, ObjectId};
use stem_store::{Durability, ObjectStat, Operation, Put, PutOptions, Result, Written};

use crate::format::{Attributes, ChunkListBuilder};
use crate::handle::Core;
use crate::input::Buffers;
use crate::lane::Lane;
use crate::put::{Existing, Outcome};

/// The chunks of one object in order, until it is an object.
pub(crate) struct Chain<'a> {
    core: &'a Core,
    lane: &'a Lane,
    list: ChunkListBuilder,
    pub(crate) buffers: Arc<Buffers>,
    /// The first chunk, until there is a second one: an object of a single chunk is stored whole.
    first: Option<Outcome>,
    /// Chunks that are there already and whose run is still too short to count.
    run: Vec<Outcome>,
    run_len: usize,
    /// Whether the run at hand counts.
    counts: bool,
    /// Whether anything was stored anew.
    fresh: bool,
    /// Of the ids and ends in the list.
    shape: ChecksumHasher,
}

impl<'a> Chain<'a> {
    pub(crate) fn new(core: &'a Core, lane: &'a Lane) -> Self {
        Self {
            core,
            lane,
            list: ChunkListBuilder::new(),
            buffers: Arc::default(),
            first: None,
            run: Vec::new(),
            run_len: 0,
            counts: false,
            fresh: false,
            shape: ChecksumHasher::new(),
        }
    }

    pub(crate) fn take(&mut self, outcome: Outcome) -> Result<()> {
        if self.list.is_empty() && self.run.is_empty() && self.first.is_none() {
            self.first = Some(outcome);
            return Ok(());
        }
        if let Some(first) = self.first.take() {
            self.step(first)?;
        }
        self.step(outcome)
    }

    fn step(&mut self, outcome: Outcome) -> Result<()> {
        if outcome.coded.is_some() {
            self.end_run()?;
            return self.store(outcome);
        }
        if self.counts {
            return self.name(&outcome.id, outcome.job.raw);
        }
        self.run_len += outcome.job.raw.len();
        self.run.push(outcome);
        if self.run_len >= self.core.options.chunking.params().samples.average() {
            self.accept_run()?;
        }
        Ok(())
    }

    fn accept_run(&mut self) -> Result<()> {
        self.counts = true;
        self.run_len = 0;
        for outcome in std::mem::take(&mut self.run) {
            self.name(&outcome.id, outcome.job.raw)?;
        }
        Ok(())
    }

    /// A run ends before a chunk that is new: what is too short is stored again.
    fn end_run(&mut self) -> Result<()> {
        self.counts = false;
        self.run_len = 0;
        for outcome in std::mem::take(&mut self.run) {
            // What this put itself stored a moment ago lies near.
            if self.lane.chunk(&outcome.id).is_some() {
                self.name(&outcome.id, outcome.job.raw)?;
            } else {
                let coded = Some(self.core.encode(&outcome.job));
                self.store(Outcome { coded, ..outcome })?;
            }
        }
        Ok(())
    }

    /// Appends a chunk to the pack.
    fn store(&mut self, outcome: Outcome) -> Result<()> {
        let Outcome { id, job, coded } = outcome;
        self.fresh = true;
        if let Some(coded) = coded
            && self.lane.chunk(&id).is_none()
        {
            self.core.append(
                self.lane,
                1,
                |writer| writer.chunk(&id, &job.raw, &coded),
                |spot| self.lane.add_chunk(&id, spot),
            )?;
        }
        self.name(&id, job.raw)
    }

    /// Appends a chunk to the list.
    fn name(&mut self, id: &ObjectId, raw: Vec<u8>) -> Result<()> {
        let pushed = self.list.push(*id, raw.len() as u64);
        self.buffers.give(raw);
        see_shape(&mut self.shape, id, self.list.len());
        pushed.map_err(|error| self.core.append_error(Operation::Put, error.into()))
    }

    pub(crate) fn end(mut self, digest: &Digest, options: &PutOptions) -> Result<Put> {
        let core = self.core;
        let id = &digest.id;
        // The answer has the checksum only if it was asked for.
        let answer = Digest { checksum: digest.checksum.filter(|_| options.checksum), ..*digest };
        if !self.fresh && self.first.is_none() {
            // Nothing but what is there: as scattered as it was, and not worth a byte.
            self.accept_run()?;
            // All chunks were read just now; if the object is these chunks, it was read too.
            if core.has_shape(id, self.shape.finish()) {
                core.keep(id, options)?;
                return Ok(Put { digest: answer, written: Written::Present });
            }
        }
        let existing = if self.fresh {
            // What was stored a moment ago may mend what is there: it is replaced, whatever it was.
            core.is_there(id)
        } else {
            core.existing(id, false, &mut |_| Ok(()))?
        };
        let written = match existing {
            Existing::Whole(_) => {
                core.keep(id, options)?;
                return Ok(Put { digest: answer, written: Written::Present });
            }
            Existing::Absent => Written::New,
            Existing::Bad => Written::Replaced,
        };
        if let Some(Outcome { job, coded, .. }) = self.first.take() {
            let coded = coded.unwrap_or_else(|| core.encode(&job));
            core.append_object(self.lane, id, &job.raw, &coded, options.metadata)?;
        } else {
            self.end_run()?;
            self.append_list(digest, options)?;
        }
        if options.durability == Durability::Immediate {
            core.finish_own(self.lane, id)?;
        } else {
            core.check_spent(Operation::Put)?;
        }
        Ok(Put { digest: answer, written })
    }

    fn append_list(&self, digest: &Digest, options: &PutOptions) -> Result<()> {
        let core = self.core;
        let attributes = options.metadata.as_ref().map(Attributes::new);
        let checksum = digest.checksum.unwrap_or(stem_hash::Checksum::from_u128(0));
        let list = self.list.finish(&digest.id, core.algorithm, checksum, attributes);
        let list = list.map_err(|error| core.append_error(Operation::Put, error.into()))?;
        let stat = ObjectStat { size: digest.len, metadata: options.metadata, since: None };
        core.append(
            self.lane,
            1,
            |writer| writer.list(&digest.id, digest.len, &list),
            |spot| self.lane.add_object(&digest.id, spot, stat),
        )
    }
}

/// Takes an entry of a chunk list into account.
pub(crate) fn see_shape(shape: &mut ChecksumHasher, id: &ObjectId, end: u64) {
    shape.update(id.as_bytes());
    shape.update(&end.to_le_bytes());
}
