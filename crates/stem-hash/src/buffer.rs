//! Buffers for reading, kept between files.
//!
//! A fresh megabyte per file costs page faults, 256 of them; for ten thousand presets that is more than
//! reading them. So one buffer stays with each thread that ever hashed a file or a reader by itself.

use std::cell::Cell;

/// The size of a read: large enough that the call does not matter, small enough for the cache.
pub(crate) const BUFFER: usize = 1024 * 1024;

thread_local! {
    static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// This thread's buffer, or an empty one: the first time, in a nested call, or in a stolen rayon task.
pub(crate) fn take() -> Vec<u8> {
    KEPT.take()
}

/// Keeps the buffer for the thread's next file. Larger ones go, so that what threads keep is bounded.
pub(crate) fn keep(buffer: Vec<u8>) {
    if buffer.len() == BUFFER {
        KEPT.set(buffer);
    }
}

/// Lends this thread's buffer.
pub(crate) fn with_buffer<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = take();
    if buffer.is_empty() {
        buffer = vec![0; BUFFER];
    }
    let result = use_it(&mut buffer);
    keep(buffer);
    result
}
