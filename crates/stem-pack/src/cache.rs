//! Decoded chunks of which ranges were read.
//!
//! A player or a describer asks for many small ranges of the same chunk. Whole reads bypass the cache: they would only
//! push out what ranges need. A chunk is in it under its own id, whose hash was checked when it came in.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use stem_hash::ObjectId;

/// So many chunks at most, however short they are: they are walked.
const MOST: usize = 256;

#[derive(Debug)]
pub(crate) struct ChunkCache {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chunks: HashMap<ObjectId, Arc<Vec<u8>>>,
    /// Longest unused first.
    order: VecDeque<ObjectId>,
    bytes: usize,
}

impl ChunkCache {
    /// A cache of at most so many bytes of chunks.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    pub(crate) fn get(&self, id: &ObjectId) -> Option<Arc<Vec<u8>>> {
        let mut state = self.state.lock();
        let chunk = state.chunks.get(id).cloned()?;
        // A handful of chunks: walking them costs less than a list that knows its places.
        if let Some(at) = state.order.iter().position(|other| other == id) {
            state.order.remove(at);
            state.order.push_back(*id);
        }
        Some(chunk)
    }

    pub(crate) fn put(&self, id: &ObjectId, chunk: &Arc<Vec<u8>>) {
        if chunk.len() > self.limit {
            return;
        }
        let mut state = self.state.lock();
        if state.chunks.insert(*id, chunk.clone()).is_some() {
            return;
        }
        state.order.push_back(*id);
        state.bytes += chunk.len();
        while state.bytes > self.limit || state.order.len() > MOST {
            let Some(oldest) = state.order.pop_front() else { break };
            if let Some(gone) = state.chunks.remove(&oldest) {
                state.bytes -= gone.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let cache = ChunkCache::new(250);
        let id = |n: u8| ObjectId::from_bytes([n; 32]);
        for n in 0..2 {
            cache.put(&id(n), &Arc::new(vec![n; 100]));
        }
        assert!(cache.get(&id(0)).is_some());
        cache.put(&id(2), &Arc::new(vec![2; 100]));
        assert!(cache.get(&id(1)).is_none());
        assert_eq!(cache.get(&id(0)).unwrap()[..], [0; 100]);
        cache.put(&id(3), &Arc::new(vec![3; 251]));
        assert!(cache.get(&id(3)).is_none() && cache.get(&id(2)).is_some());
    }
}
