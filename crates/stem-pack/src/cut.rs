//! Where large objects are cut.

use stem_audio::{Audio, Chunker, PieceKind, SampleFormat};

use crate::options::Chunking;

/// The length of a block where nothing is looked for elsewhere.
const BLOCK: usize = 4 << 20;

/// Cuts an object as its bytes come in.
#[derive(Debug)]
pub(crate) enum Cutter {
    /// By content.
    Content(Box<Chunker>, Option<SampleFormat>),
    /// Into blocks: before, of and after the samples.
    Blocks { audio: Option<Audio>, position: u64 },
}

/// A piece of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) len: usize,
    /// What it holds, if it holds whole frames of samples.
    pub(crate) format: Option<SampleFormat>,
}

impl Cutter {
    pub(crate) fn new(chunking: Chunking, audio: Option<Audio>) -> Self {
        match chunking {
            Chunking::Average(_) => {
                let chunker = Chunker::new(&chunking.params(), audio.as_ref());
                Self::Content(Box::new(chunker), audio.map(|audio| audio.format))
            }
            Chunking::Whole => Self::Blocks { audio, position: 0 },
        }
    }

    /// How many bytes [`next`](Self::next) wants to see.
    pub(crate) fn max(&self) -> usize {
        match self {
            Self::Content(chunker, _) => chunker.max(),
            Self::Blocks { .. } => BLOCK,
        }
    }

    /// The next piece, which `buffer` begins with. `None`: more is needed, or it is the end.
    pub(crate) fn next(&mut self, buffer: &[u8], last: bool) -> Option<Cut> {
        match self {
            Self::Content(chunker, format) => {
                let piece = chunker.next(buffer, last)?;
                let samples = piece.kind == PieceKind::Samples;
                Some(Cut { len: piece.len, format: format.filter(|_| samples) })
            }
            Self::Blocks { audio, position } => {
                if buffer.is_empty() || (buffer.len() < BLOCK && !last) {
                    return None;
                }
                let mut cut = Cut { len: buffer.len().min(BLOCK), format: None };
                if let Some(audio) = audio {
                    let until = |end: u64| usize::try_from(end - *position).unwrap_or(usize::MAX);
                    if *position < audio.samples.start {
                        cut.len = cut.len.min(until(audio.samples.start));
                    } else if *position < audio.samples.end {
                        let len = cut.len.min(until(audio.samples.end));
                        let whole = len - len % audio.format.frame_len();
                        cut = match whole {
                            0 => Cut { len, format: None },
                            len => Cut { len, format: Some(audio.format) },
                        };
                    }
                }
                *position += cut.len as u64;
                Some(cut)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stem_audio::Encoding;

    #[test]
    fn blocks_keep_headers_and_tails_apart_and_frames_whole() {
        let format = SampleFormat::new(Encoding::Signed, 24, 3, 2, false, 48_000).unwrap();
        let audio = Audio { format, samples: 44..44 + 6 * 1_000_000 };
        let len = 44 + 6_000_000 + 10;
        let bytes = vec![1; len];
        let mut cutter = Cutter::new(Chunking::Whole, Some(audio));
        let (mut at, mut cuts) = (0, Vec::new());
        while let Some(cut) = cutter.next(&bytes[at..], true) {
            at += cut.len;
            cuts.push(cut);
        }
        assert_eq!(at, len);
        let lens: Vec<usize> = cuts.iter().map(|cut| cut.len).collect();
        assert_eq!(lens[0], 44);
        assert_eq!(lens[1] % 6, 0);
        assert_eq!(lens.last(), Some(&10));
        assert!(cuts[1].format.is_some() && cuts[0].format.is_none());
    }
}
