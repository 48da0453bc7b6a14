//! Saving what is about to be written over and is stored nowhere.

use stem_fs::{ReadLease, Refused};

use super::look::digest_of;
use super::{Act, Present, Seen, Step, Transit};
use crate::error::{Error, Reason, Result};
use crate::parallel;
use crate::progress::Phase;
use crate::undo::recover::is_no_space;
use crate::walk::system_words;

const INTERRUPTED: &str = "nothing was changed";

impl Transit<'_> {
    /// Makes sure of what the steps will replace: copies it where no object holds it, durably. A file of which that
    /// cannot be done is left as it is. Returns the number of bytes that were saved.
    pub(super) fn secure(&self, steps: &mut [Step]) -> Result<u64> {
        let risky: Vec<usize> = (0..steps.len())
            .filter(|&index| steps[index].replaces() && steps[index].present().is_some_and(|p| !p.safe))
            .collect();
        if risky.is_empty() {
            return Ok(0);
        }
        let size = |&index: &usize| steps[index].present().map_or(0, |present| present.stat.size);
        self.progress.begin(Phase::Saving, risky.len() as u64, risky.iter().map(size).sum());
        let secured = parallel::map(&risky, size, self.progress, INTERRUPTED, |&index| {
            let len = size(&index);
            let secured = self.secure_one(&steps[index]);
            self.progress.advance(1, len);
            secured
        })?;
        let mut bytes = 0;
        for (index, secured) in risky.into_iter().zip(secured) {
            match secured {
                Ok(Some((present, new))) => {
                    bytes += if new { present.stat.size } else { 0 };
                    steps[index].seen = Seen::Other(present);
                }
                // It went by itself: what shall come, may.
                Ok(None) => {
                    steps[index].seen = Seen::Absent;
                    if steps[index].act == Act::Delete {
                        steps[index].act = Act::Nothing;
                    }
                }
                Err(reason) => steps[index].act = Act::Leave(reason),
            }
        }
        if bytes > 0 {
            self.progress.begin(Phase::Syncing, 0, 0);
            self.shelter.flush()?;
        }
        Ok(bytes)
    }

    /// The file as it was when it was found or made safe, and whether it was copied.
    fn secure_one(&self, step: &Step) -> Result<std::result::Result<Option<(Present, bool)>, Reason>> {
        let path = &step.wish.path;
        let file = match self.work.open_file(path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(Reason::Unreadable(error.source.to_string()))),
        };
        let lease = match ReadLease::take(&file) {
            Ok(lease) => Some(lease),
            Err(Refused::Busy) => return Ok(Err(Reason::Busy)),
            Err(Refused::Unavailable) => None,
        };
        let stat = file.stat()?;
        let mut present = Present { stat, id: None, safe: true, leased: false, busy: false };
        present.id = digest_of(self, &file, &stat).filter(|id| self.store.equals(id, &file, stat.size));
        let copied = present.id.is_none();
        if copied {
            let digest = match self.store.save(&file, &stat, &self.shelter) {
                Ok(digest) => digest,
                Err(error) if is_no_space(&error) => {
                    return Ok(Err(Reason::Unsaved("there is no room for a copy of it".into())));
                }
                Err(Error::Fs(error)) if crate::vacate::is_refusal(error.kind()) => {
                    return Ok(Err(Reason::Unsaved(error.source.to_string())));
                }
                Err(error @ Error::Fs(_)) if file.stat().is_err() => {
                    return Ok(Err(Reason::Unreadable(system_words(&error))));
                }
                Err(error) => return Err(error),
            };
            if digest.len != stat.size {
                return Ok(Err(Reason::Changed));
            }
            present.id = Some(digest.id);
        }
        if !file.stat()?.same_version(&stat) {
            return Ok(Err(Reason::Changed));
        }
        present.leased = lease.is_some_and(|lease| lease.held());
        Ok(Ok(Some((present, copied))))
    }
}
