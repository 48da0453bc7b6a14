//! What the corpus promises: headers that parse, exact lengths, the same bytes for the same seed, silence and
//! repetition where they belong, and a second day that differs in just the stretches it says.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod golden;
mod headers;
mod riff;
mod sessions;
mod small;
mod stems;
mod trees;

use stem_corpus::FileSpec;

fn bytes_of(file: &FileSpec) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.write_to(&mut bytes).unwrap();
    bytes
}
