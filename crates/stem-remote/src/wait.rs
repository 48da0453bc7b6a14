//! The runtime that the network client needs, and waiting for it.
//!
//! One for the process, started when the first remote store is opened, with two threads: they move bytes and compute
//! signatures, all else is done by the callers' threads. A caller waits on a channel and not in the runtime, so it may itself be
//! a task of another one.

use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use stem_store::Stopped;
use tokio::runtime::{Builder, Runtime};

use crate::error::told;

/// How often a caller that waits looks whether it is to stop.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
const WORKERS: usize = 2;

static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
static STOP: OnceLock<fn() -> bool> = OnceLock::new();

/// What is asked, several times a second, while a call waits for the network: `true` ends it, with
/// [`stem_store::ErrorKind::Interrupted`]. For programs that have a signal to heed; the first call counts.
pub fn stop_when(asked: fn() -> bool) {
    let _ = STOP.set(asked);
}

/// Fails if the program asked to stop.
pub(crate) fn go_on() -> io::Result<()> {
    if STOP.get().is_some_and(|asked| asked()) { Err(io::Error::other(Stopped)) } else { Ok(()) }
}

/// The runtime.
pub(crate) fn runtime() -> io::Result<&'static Runtime> {
    let made = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(4)
            .thread_name("stem-remote")
            .enable_all()
            .build()
            .ok()
    });
    made.as_ref().ok_or_else(|| {
        told(io::ErrorKind::Other, "the threads that talk to the network could not be started")
    })
}

/// Runs a future on the runtime and waits for it; gives up, and drops it, when the program asks to stop.
pub(crate) fn wait<T: Send + 'static>(
    future: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<T> {
    let (send, receive) = sync_channel(1);
    let task = runtime()?.spawn(async move {
        // Nobody listens any more: the caller was told to stop.
        let _ = send.send(future.await);
    });
    loop {
        match receive.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => {
                if let Err(stopped) = go_on() {
                    task.abort();
                    return Err(stopped);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(told(io::ErrorKind::Other, "a request ended without an answer"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_works_inside_of_another_runtime() {
        let other = Builder::new_current_thread().build().unwrap();
        let answer = other.block_on(async { wait(async { Ok(7) }).unwrap() });
        assert_eq!(answer, 7);
    }

    #[test]
    fn a_task_that_panics_is_an_error() {
        let answer: io::Result<()> = wait(async { panic!("in a test") });
        assert!(answer.is_err());
    }
}
