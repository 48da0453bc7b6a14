//! The threads that do the work.
//!
//! Each call has a pool of its own while it runs. A pool that is shared between calls would let one verb, while it waits
//! for its own parts, begin another verb on the same stack, which then waits for a lock that the first one holds. Pools
//! are kept for the next call, as many as are likely to be used at once.
//!
//! A child that the program forked has the parent's pools and none of their threads: they are forgotten there.

use std::io;

use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Pools that are kept.
const KEPT: usize = 2;

struct Idle {
    /// The process whose threads they have.
    process: u32,
    pools: Vec<ThreadPool>,
}

static IDLE: Mutex<Idle> = Mutex::new(Idle { process: 0, pools: Vec::new() });

/// A pool that nobody else uses.
pub(crate) fn take() -> io::Result<ThreadPool> {
    // Held by another thread at the moment of a fork, the lock stays locked in the child for ever.
    if let Some(mut idle) = IDLE.try_lock() {
        let process = std::process::id();
        if idle.process != process {
            idle.process = process;
            // To drop them would wait for threads that are not there.
            std::mem::forget(std::mem::take(&mut idle.pools));
        }
        if let Some(pool) = idle.pools.pop() {
            return Ok(pool);
        }
    }
    ThreadPoolBuilder::new().thread_name(|_| "stemvault".to_owned()).build().map_err(io::Error::other)
}

/// Keeps a pool whose work is done.
pub(crate) fn give(pool: ThreadPool) {
    if let Some(mut idle) = IDLE.try_lock()
        && idle.process == std::process::id()
        && idle.pools.len() < KEPT
    {
        idle.pools.push(pool);
    }
}
