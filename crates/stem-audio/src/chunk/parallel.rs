//! The same boundaries by many threads.
//!
//! Every thread cuts a part of the section as if a chunk began where its part begins. That is mostly wrong at first, but
//! two runs over the same bytes soon agree on a boundary, and from there on agree for ever, since what follows a boundary
//! depends on nothing before it. So the true boundaries are walked up to the first one that the next part has
//! too, and the rest of that part is taken over. Collecting all candidates in parallel instead would need memory for
//! as many candidates as an unfriendly object has.

use rayon::prelude::*;

use super::{ChunkParams, Chunker, Piece};
use crate::container::Audio;

/// How many of the longest chunks a part has: enough that the few which are cut twice do not count.
const CHUNKS_PER_PART: usize = 8;

/// All chunks of an object, exactly as a [`Chunker`] gives them, found by all threads of the current rayon pool.
///
/// `audio` must be what [`probe`](crate::probe) says of the object's head and length.
pub fn cut_all(object: &[u8], params: &ChunkParams, audio: Option<&Audio>) -> Vec<Piece> {
    let start = Chunker::new(params, audio);
    let part = start.max() * CHUNKS_PER_PART;
    if object.len() < 2 * part {
        return run(start, object, object.len() as u64);
    }
    let parts: Vec<Vec<Piece>> = (0..object.len().div_ceil(part))
        .into_par_iter()
        .map(|index| {
            let begin = align(&start, (index * part) as u64);
            let end = ((index + 1) * part) as u64;
            run(Chunker { position: begin, ..start.clone() }, object, end)
        })
        .collect();
    stitch(&start, object, part, &parts)
}

/// The chunks from the chunker's position on that begin before `end`.
fn run(mut chunker: Chunker, object: &[u8], end: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while chunker.position() < end
        && let Some(piece) = chunker.step(object)
    {
        pieces.push(piece);
    }
    pieces
}

/// Where a chunk may begin at or after `position`.
fn align(chunker: &Chunker, position: u64) -> u64 {
    let samples = &chunker.samples;
    if !samples.contains(&position) {
        return position;
    }
    let frame = chunker.frame as u64;
    samples.start.saturating_add((position - samples.start).next_multiple_of(frame)).min(samples.end)
}

fn stitch(start: &Chunker, object: &[u8], part: usize, parts: &[Vec<Piece>]) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    let mut chunker = start.clone();
    for (index, guesses) in parts.iter().enumerate() {
        let end = ((index + 1) * part) as u64;
        let mut guesses = guesses.iter();
        let mut guess = align(start, (index * part) as u64);
        while chunker.position() < end {
            // Guesses behind the true boundary are of no use.
            while guess < chunker.position()
                && let Some(piece) = guesses.next()
            {
                guess += piece.len as u64;
            }
            if guess == chunker.position() {
                for piece in guesses.by_ref() {
                    chunker.position += piece.len as u64;
                    pieces.push(*piece);
                }
                break;
            }
            let Some(piece) = chunker.step(object) else { break };
            pieces.push(piece);
        }
    }
    pieces
}

impl Chunker {
    /// [`next`](Self::next) on an object that is there as a whole.
    fn step(&mut self, object: &[u8]) -> Option<Piece> {
        let position = usize::try_from(self.position).ok()?;
        self.next(object.get(position..)?, true)
    }
}
