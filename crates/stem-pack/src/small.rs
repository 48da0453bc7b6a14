//! Small objects, many at a time.
//!
//! A preset or a MIDI clip of a few hundred bytes hardly compresses alone: what it has in common with the others is longer
//! than itself. So small objects wait in memory until there are some megabytes of them, a dictionary is trained on these
//! where it pays, and they are coded together on all cores. They are visible from the moment they are put.

use std::sync::Arc;

use stem_hash::ObjectId;
use stem_store::Result;

use crate::crew;
use crate::format::Attributes;
use crate::handle::Core;
use crate::lane::{Batch, Lane, Small};
use crate::options::Compression;
use crate::record::Spot;
use crate::tools::{Coded, Dictionary};
use crate::writer::AppendError;

/// Objects of more bytes are cut into chunks.
pub(crate) const SMALL: usize = 64 << 10;
/// When a batch is written.
pub(crate) const BATCH: usize = 4 << 20;

/// Fewer objects, or fewer bytes of them, have nothing to train on.
const TRAIN_FROM: usize = 48;
const TRAIN_BYTES: usize = 64 << 10;
/// Longer dictionaries gain little.
const LONGEST: usize = 64 << 10;
/// A dictionary is about this part of what it is trained on.
const SHARE: usize = 50;
/// So many objects tell whether it pays.
const PROBE: usize = 32;
/// More bytes than this teach little, and cost.
const LESSON: usize = 2 << 20;
/// When a dictionary did not pay, so many batches at most pass before another one is trained: each time one more.
const PATIENCE: usize = 3;
/// Objects that are coded by one thread before it asks for more.
const GROUP: usize = 64;

/// Objects that are coded together, and what came out.
struct Group(Vec<(ObjectId, Arc<Small>, Coded)>);

impl Core {
    /// Codes and writes everything that waits. `own` is the object of the put that does it: should that fail, it is given
    /// up, while the others, whose puts have returned, wait on.
    pub(crate) fn flush_batch(&self, lane: &Lane, own: Option<&ObjectId>) -> Result<()> {
        let _alone = lane.flushing.lock();
        let mut batch = lane.take_batch();
        if batch.objects.is_empty() {
            return Ok(());
        }
        batch.objects.retain(|(id, small)| lane.still_waits(id, small));
        let dictionary = self.dictionary_for(lane, &batch);
        let mut groups = batch.objects.chunks(GROUP);
        let compression = self.options.compression;
        let mut written = 0;
        let result = crew::ordered(
            || Ok(groups.next()),
            |group: &[(ObjectId, Arc<Small>)]| {
                self.tools.with(|tool| {
                    let coded = group.iter().map(|(id, small)| {
                        let coded = tool.encode(&small.bytes, None, dictionary.as_deref(), compression);
                        (*id, small.clone(), coded)
                    });
                    Group(coded.collect())
                })
            },
            |group| {
                self.write_group(lane, &group, dictionary.as_ref())?;
                written += group.0.len();
                Ok(())
            },
        );
        if result.is_err() {
            let mut objects = batch.objects.split_off(written);
            if let Some(own) = own {
                // Taken back together with the put that failed.
                objects.retain(|(id, _)| id != own);
                lane.forget(own);
            }
            let bytes = objects.iter().map(|(_, small)| small.bytes.len()).sum();
            lane.return_batch(Batch { objects, bytes });
        }
        result
    }

    fn write_group(&self, lane: &Lane, group: &Group, dictionary: Option<&Arc<Dictionary>>) -> Result<()> {
        let write = |writer: &mut crate::writer::PackWriter| {
            let mut spots = Vec::with_capacity(group.0.len());
            for (id, small, coded) in &group.0 {
                if coded.dictionary != [0; 4]
                    && let Some(dictionary) = dictionary
                {
                    writer.dictionary(dictionary)?;
                    lane.add_dictionary(dictionary);
                }
                let attributes = small.metadata.as_ref().map(Attributes::new);
                spots.push(writer.object(id, &small.bytes, coded, attributes.as_ref())?);
            }
            Ok::<Vec<Spot>, AppendError>(spots)
        };
        self.append(lane, group.0.len() as u64 + 1, write, |spots| {
            for ((id, small, _), spot) in group.0.iter().zip(spots) {
                lane.settle_small(id, small, spot);
            }
        })
    }

    /// The dictionary that makes this batch smaller by more than it costs itself.
    fn dictionary_for(&self, lane: &Lane, batch: &Batch) -> Option<Arc<Dictionary>> {
        let level = match self.options.compression {
            Compression::Raw => return None,
            Compression::Zstd(level) | Compression::Audio { zstd: level, .. } => level,
        };
        if !self.options.dictionary || batch.objects.is_empty() {
            return None;
        }
        let mut teacher = lane.dictionary.lock();
        let known = teacher.known.take().filter(|dictionary| {
            let here = lane.dictionary_called(dictionary.tag()).is_some();
            self.pays(batch, dictionary, here)
        });
        if known.is_some() {
            teacher.known.clone_from(&known);
            return known;
        }
        if batch.objects.len() < TRAIN_FROM || batch.bytes < TRAIN_BYTES {
            return None;
        }
        if teacher.rest > 0 {
            teacher.rest -= 1;
            return None;
        }
        let trained = train(batch, level).filter(|trained| self.pays(batch, trained, false));
        if trained.is_none() {
            teacher.failed = (teacher.failed + 1).min(PATIENCE);
            teacher.rest = teacher.failed;
        } else {
            teacher.failed = 0;
        }
        teacher.known.clone_from(&trained);
        trained
    }

    /// Whether a few of the objects say so. `here`: the pack has the dictionary already.
    fn pays(&self, batch: &Batch, dictionary: &Dictionary, here: bool) -> bool {
        let step = batch.objects.len().div_ceil(PROBE).max(1);
        let (mut plain, mut with, mut raw) = (0, 0, 0);
        self.tools.with(|tool| {
            for (_, small) in batch.objects.iter().step_by(step) {
                let compression = self.options.compression;
                let mut len = |dictionary| {
                    let coded = tool.encode(&small.bytes, None, dictionary, compression);
                    coded.payload(&small.bytes).len()
                };
                plain += len(None);
                with += len(Some(dictionary));
                raw += small.bytes.len();
            }
        });
        let whole =
            if raw == 0 { 0 } else { plain.saturating_sub(with) as u64 * batch.bytes as u64 / raw as u64 };
        let cost = if here { 0 } else { dictionary.bytes.len() as u64 };
        whole > cost && plain - with > plain / 32
    }
}

/// A dictionary of what these objects have in common. A trainer that finds nothing says so by an error.
fn train(batch: &Batch, level: i32) -> Option<Arc<Dictionary>> {
    let step = batch.bytes.div_ceil(LESSON).max(1);
    let samples: Vec<&[u8]> = batch.objects.iter().step_by(step).map(|(_, small)| &small.bytes[..]).collect();
    let bytes: usize = samples.iter().map(|sample| sample.len()).sum();
    let size = (bytes / SHARE).clamp(4 << 10, LONGEST);
    let bytes = zstd::dict::from_samples(&samples, size).ok()?;
    Dictionary::writing(bytes, level).map(Arc::new)
}
