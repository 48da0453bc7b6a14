//! One file of a session: where it lies, how long it is, how its bytes are made.

use std::io::{self, Read, Write};

use crate::midi::Score;
use crate::preset::Preset;
use crate::signal::Stem;

/// How the bytes of a file are made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A WAV file.
    Stem(Stem),
    /// A MIDI file.
    Midi(Score),
    /// A JSON document.
    Json(Preset),
}

impl Kind {
    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        match self {
            Self::Stem(stem) => stem.len(),
            Self::Midi(score) => score.len(),
            Self::Json(preset) => preset.len(),
        }
    }

    /// Always false: every kind of file has a header.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// A file that can be made at any time, with the same bytes each time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FileSpec {
    /// Relative to the working tree, with `/`.
    pub path: String,
    /// Bytes of the file: what `kind` makes, noted here so that listings need not ask.
    pub len: u64,
    /// How it is made.
    pub kind: Kind,
}

impl FileSpec {
    /// The file that `kind` makes, at `path`.
    pub fn new(path: impl Into<String>, kind: Kind) -> Self {
        let len = kind.len();
        Self { path: path.into(), len, kind }
    }

    /// The stem, if the file is one.
    pub const fn stem(&self) -> Option<&Stem> {
        match &self.kind {
            Kind::Stem(stem) => Some(stem),
            _ => None,
        }
    }

    /// Writes the file.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.kind {
            Kind::Stem(stem) => stem.write_to(out),
            Kind::Midi(score) => out.write_all(&score.to_bytes()),
            Kind::Json(preset) => out.write_all(&preset.to_bytes()),
        }
    }

    /// Whether `source` holds the bytes of this file and no others.
    pub fn matches(&self, source: &mut dyn Read) -> io::Result<bool> {
        let mut comparison = Comparison { source, buffer: Vec::new(), differs: false };
        let made = self.write_to(&mut comparison);
        if comparison.differs {
            return Ok(false);
        }
        made?;
        comparison.at_end()
    }
}

/// A writer that compares with what it reads; the first difference stops the one who writes.
struct Comparison<'a> {
    source: &'a mut dyn Read,
    buffer: Vec<u8>,
    differs: bool,
}

impl Comparison<'_> {
    /// Bytes compared at a time.
    const WINDOW: usize = 256 << 10;

    fn at_end(&mut self) -> io::Result<bool> {
        let mut byte = [0];
        loop {
            match self.source.read(&mut byte) {
                Ok(count) => return Ok(count == 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Comparison<'_> {
    fn write(&mut self, expected: &[u8]) -> io::Result<usize> {
        let expected = expected.get(..Self::WINDOW).unwrap_or(expected);
        self.buffer.resize(expected.len(), 0);
        match self.source.read_exact(&mut self.buffer) {
            Ok(()) if self.buffer == expected => Ok(expected.len()),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => {
                self.differs = true;
                Err(io::ErrorKind::InvalidData.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
