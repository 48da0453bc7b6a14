//! Files on their way out: in parts, several at a time, while they may still grow; whole or not at all.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::{Either, select};
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use stem_fs::OpenFile;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::error::{from_client, is_passing, told};

/// Bytes of a part, of all but very long files; every service takes it.
const PART: u64 = 8 << 20;
/// Parts in memory and on their way at the same time, of all files of a client.
pub(crate) const PARTS: usize = 4;
/// More parts than this are refused by S3 (10,000).
const MOST_PARTS: u64 = 9_000;

/// How far a file has grown that is uploaded meanwhile. What it has never changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grown {
    pub(crate) len: u64,
    /// Nothing follows.
    pub(crate) whole: bool,
}

impl Client {
    /// Whether more parts could be on their way than are.
    pub(crate) fn starves(&self) -> bool {
        self.parts.available_permits() * 2 >= PARTS
    }

    /// Uploads a file, whole or not at all, and compares what the service then has in length.
    pub(crate) async fn upload(
        &self,
        key: &str,
        file: &OpenFile,
        len: u64,
        given_up: &AtomicBool,
    ) -> io::Result<()> {
        let (_whole, grown) = watch::channel(Grown { len, whole: true });
        self.upload_growing(key, file, grown, given_up).await
    }

    /// As [`upload`](Self::upload), of a file that still grows: parts go as soon as they are there. The key appears only once somebody has said that
    /// the file is whole; it is given up when there is nobody left who could.
    pub(crate) async fn upload_growing(
        &self,
        key: &str,
        file: &OpenFile,
        mut grown: watch::Receiver<Grown>,
        given_up: &AtomicBool,
    ) -> io::Result<()> {
        let sent = self.send(key, file, &mut grown, given_up).await;
        let Grown { len, whole } = *grown.borrow();
        if !whole || given_up.load(Ordering::Acquire) {
            return Err(sent.err().unwrap_or_else(stopped));
        }
        match (sent, self.size(key).await) {
            (Ok(()), Ok(Some((found, _)))) if found == len => Ok(()),
            // The answer to the last request got lost, and the request did not.
            (Err(error), Ok(Some((found, _)))) if found == len && is_passing_or_gone(&error) => Ok(()),
            (Err(error), _) | (Ok(()), Err(error)) => Err(error),
            (Ok(()), Ok(found)) => {
                let found = found.map_or_else(|| "nothing".to_owned(), |(found, _)| format!("{found} bytes"));
                Err(told(
                    io::ErrorKind::Other,
                    format!("of key '{key}' {len} bytes were sent and the service has {found}"),
                ))
            }
        }
    }

    async fn send(
        &self,
        key: &str,
        file: &OpenFile,
        grown: &mut watch::Receiver<Grown>,
        given_up: &AtomicBool,
    ) -> io::Result<()> {
        let path = self.path(key);
        let failed = |error| from_client(&error, key);
        let Grown { len, whole } =
            *grown.wait_for(|now| now.whole || now.len > PART).await.map_err(|_| stopped())?;
        if len <= PART {
            let _permit = self.parts.acquire().await;
            let bytes = part(file, 0, len)?;
            return self.store().put(&path, PutPayload::from_bytes(bytes)).await.map(drop).map_err(failed);
        }
        // What grows is far from being so long.
        let longest = if whole { len } else { 0 };
        let size = PART.max(longest.div_ceil(MOST_PARTS).next_multiple_of(1 << 20));
        let mut upload = self.store().put_multipart(&path).await.map_err(failed)?;
        let sent = self.send_parts(key, &mut *upload, file, (size, grown), given_up).await;
        let done = match sent {
            Ok(()) => upload.complete().await.map(drop).map_err(failed),
            Err(error) => Err(error),
        };
        if done.is_err() {
            // Parts that stay cost money; a bucket should have a rule for those of processes that died.
            let _ = upload.abort().await;
        }
        done
    }

    async fn send_parts(
        &self,
        key: &str,
        upload: &mut dyn MultipartUpload,
        file: &OpenFile,
        (size, grown): (u64, &mut watch::Receiver<Grown>),
        given_up: &AtomicBool,
    ) -> io::Result<()> {
        let mut under_way = JoinSet::new();
        let mut at = 0;
        loop {
            if given_up.load(Ordering::Acquire) {
                return Err(stopped());
            }
            let Grown { len, whole } = *grown.borrow_and_update();
            let step = size.min(len.saturating_sub(at));
            if step == size || (whole && step > 0) {
                // Memory is taken only with leave to send.
                let permit = self.parts.clone().acquire_owned().await;
                let bytes = part(file, at, step)?;
                let sending = upload.put_part(PutPayload::from_bytes(bytes));
                under_way.spawn(async move {
                    let sent = sending.await;
                    drop(permit);
                    sent
                });
                at += step;
                while let Some(joined) = under_way.try_join_next() {
                    part_sent(joined, key)?;
                }
            } else if whole {
                let Some(joined) = under_way.join_next().await else { return Ok(()) };
                part_sent(joined, key)?;
            } else if under_way.is_empty() {
                grown.changed().await.map_err(|_| stopped())?;
            } else {
                let (joined, more) = (std::pin::pin!(under_way.join_next()), std::pin::pin!(grown.changed()));
                match select(joined, more).await {
                    Either::Left((Some(joined), _)) => part_sent(joined, key)?,
                    Either::Left((None, _)) => {}
                    Either::Right((more, _)) => more.map_err(|_| stopped())?,
                }
            }
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other(stem_store::Stopped)
}

fn part_sent(joined: Result<object_store::Result<()>, tokio::task::JoinError>, key: &str) -> io::Result<()> {
    let sent = joined.map_err(|_| told(io::ErrorKind::Other, "an upload ended without an answer"))?;
    sent.map_err(|error| from_client(&error, key))
}

/// An error of the last request of an upload that was done twice: the second one finds no upload any more.
fn is_passing_or_gone(error: &io::Error) -> bool {
    is_passing(error) || error.kind() == io::ErrorKind::NotFound
}

/// A part of a file, which must have it.
fn part(file: &OpenFile, at: u64, len: u64) -> io::Result<Bytes> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match file.read_at(bytes.get_mut(filled..).unwrap_or_default(), at + filled as u64) {
            Ok(0) => {
                return Err(told(
                    io::ErrorKind::Other,
                    "a temporary file became shorter while it was uploaded",
                ));
            }
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Bytes::from(bytes))
}
