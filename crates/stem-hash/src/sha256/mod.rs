//! SHA-256 (FIPS 180-4) over whole blocks, one message or two at a time.
//!
//! `sha2` is the portable path and, in the tests, the oracle. On x86-64 with the SHA extensions (found at
//! run time) a module of our own takes over, because one message cannot keep the unit busy: each
//! `sha256rnds2` waits for the one before. Two independent messages, interleaved, can. Three and more spill
//! registers. Lanes of AVX-512 (16 messages) were not taken: they need 16 messages of similar length, and
//! what costs with small files is opening them.
//!
//! The state is eight words and the functions take whole blocks, so that whoever drives two lanes can stop
//! and refill either of them at any block.

#[cfg(target_arch = "x86_64")]
mod multi_x86;

/// The unit of the compression function.
pub(crate) type Block = [u8; 64];

/// The chaining value.
pub(crate) type State = [u32; 8];

/// The chaining value before the first block (FIPS 180-4, 5.3.3).
pub(crate) const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Takes the blocks of one message.
pub(crate) fn compress(state: &mut State, blocks: &[Block]) {
    #[cfg(target_arch = "x86_64")]
    if multi_x86::compress([&mut *state], [blocks]) {
        return;
    }
    sha2::block_api::compress256(state, blocks);
}

/// Takes blocks of two independent messages, as many of each as the shorter slice holds, and says how many.
pub(crate) fn compress2(states: [&mut State; 2], blocks: [&[Block]; 2]) -> usize {
    let count = blocks[0].len().min(blocks[1].len());
    let [blocks_a, blocks_b] = blocks.map(|blocks| &blocks[..count]);
    let [state_a, state_b] = states;
    #[cfg(target_arch = "x86_64")]
    if multi_x86::compress([&mut *state_a, &mut *state_b], [blocks_a, blocks_b]) {
        return count;
    }
    sha2::block_api::compress256(state_a, blocks_a);
    sha2::block_api::compress256(state_b, blocks_b);
    count
}

/// What follows the last whole block: the rest, a one bit, zeros and the length in bits.
///
/// Returns the blocks and how many of them count, 1 or 2.
pub(crate) fn padding(rest: &[u8], len: u64) -> ([Block; 2], usize) {
    let mut bytes = [0; 128];
    bytes[..rest.len()].copy_from_slice(rest);
    bytes[rest.len()] = 0x80;
    let count = if rest.len() < 56 { 1 } else { 2 };
    bytes[64 * count - 8..64 * count].copy_from_slice(&len.wrapping_mul(8).to_be_bytes());
    let (blocks, _) = bytes.as_chunks::<64>();
    ([blocks[0], blocks[1]], count)
}

/// The bytes of the hash.
pub(crate) fn output(state: &State) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// The incremental hash of one message.
#[derive(Clone)]
pub(crate) struct Sha256 {
    state: State,
    /// The last `len % 64` bytes.
    rest: Block,
    len: u64,
}

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self { state: INITIAL, rest: [0; 64], len: 0 }
    }

    /// How many bytes of `rest` count.
    fn resting(&self) -> usize {
        // At most 63.
        usize::try_from(self.len % 64).unwrap_or_default()
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        let resting = self.resting();
        self.len += bytes.len() as u64;
        if resting > 0 {
            let taken = bytes.len().min(64 - resting);
            let (head, tail) = bytes.split_at(taken);
            self.rest[resting..resting + taken].copy_from_slice(head);
            bytes = tail;
            if resting + taken < 64 {
                return;
            }
            let block = self.rest;
            compress(&mut self.state, &[block]);
        }
        let (blocks, rest) = bytes.as_chunks();
        if !blocks.is_empty() {
            compress(&mut self.state, blocks);
        }
        self.rest[..rest.len()].copy_from_slice(rest);
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        let (blocks, count) = padding(&self.rest[..self.resting()], self.len);
        compress(&mut self.state, &blocks[..count]);
        output(&self.state)
    }
}

#[cfg(test)]
mod tests;
