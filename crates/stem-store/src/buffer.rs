//! One copy buffer per thread.
//!
//! The buffer decides the speed of hashing more than the library does: one mebibyte that is reused stays in the cache,
//! fresh or larger ones do not. A thread keeps its buffer for life, so a pool of threads costs a mebibyte each, and no
//! object's size shows in memory.

use std::cell::Cell;

/// The size of the buffer that [`with_buffer`] lends, in bytes.
pub const BUFFER_LEN: usize = 1024 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer of [`BUFFER_LEN`] bytes, contents unspecified.
///
/// A nested call (a reader that itself copies) gets a buffer of its own.
pub fn with_buffer<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = BUFFER.take();
    buffer.resize(BUFFER_LEN, 0);
    let result = work(&mut buffer);
    BUFFER.set(buffer);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_call_gets_its_own_buffer() {
        with_buffer(|outer| {
            outer[0] = 1;
            with_buffer(|inner| {
                inner[0] = 2;
                assert_eq!(inner.len(), BUFFER_LEN);
            });
            assert_eq!(outer[0], 1);
        });
    }
}
