//! How small and how fast the samples of the files named on the command line are coded on one core.
//!
//! ```text
//! cargo run --release -p stem-audio --example codec_speed -- [--level fast|default|high] [--average KIB] FILE…
//! ```
//!
//! Each file is read into memory and cut, each chunk is encoded, decoded and compared, as a store does it. It prints a line for each file and one for
//! all; speeds are MB/s of the bytes that went in, and chunks that no codec makes smaller count as they are. Every stage is
//! repeated, and its best round counts.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::collections::HashSet;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use stem_audio::{ChunkParams, CodecLevel, PieceKind, SampleCodec, Scratch, Sizes, codec, cut_all, probe};

const ROUNDS: usize = 3;

/// What is counted, of one file or of all.
#[derive(Default)]
struct Figures {
    raw: usize,
    stored: usize,
    chunks: usize,
    /// Bytes in chunks that were seen before.
    known: usize,
    cut: Duration,
    encode: Duration,
    decode: Duration,
    codecs: [usize; SampleCodec::ALL.len()],
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.raw += other.raw;
        self.stored += other.stored;
        self.chunks += other.chunks;
        self.known += other.known;
        self.cut += other.cut;
        self.encode += other.encode;
        self.decode += other.decode;
        for (sum, count) in self.codecs.iter_mut().zip(other.codecs) {
            *sum += count;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    fn print(&self, name: &str) {
        let speed = |time: Duration| self.raw as f64 / 1e6 / time.as_secs_f64();
        println!(
            "{name:<28.28} {:>9} {:>6} {:>6.4} {:>6.4} {:>7.0} {:>7.0} {:>7.0} {:>7.0}  {:?}",
            self.raw >> 10,
            self.chunks,
            self.stored as f64 / self.raw as f64,
            self.known as f64 / self.raw as f64,
            speed(self.cut),
            speed(self.encode),
            speed(self.decode),
            speed(self.encode + self.decode),
            self.codecs,
        );
    }
}

/// One coded chunk.
struct Coded {
    codec: Option<SampleCodec>,
    payload: Vec<u8>,
}

fn measure(
    object: &[u8],
    params: &ChunkParams,
    level: CodecLevel,
    scratch: &mut Scratch,
    seen: &mut HashSet<u64>,
) -> Result<Figures, Box<dyn Error>> {
    let audio = probe(object, Some(object.len() as u64));
    let start = Instant::now();
    let pieces = cut_all(object, params, audio.as_ref());
    let mut figures =
        Figures { raw: object.len(), chunks: pieces.len(), cut: start.elapsed(), ..Figures::default() };
    let mut rest = object;
    for piece in pieces {
        let (chunk, after) = rest.split_at(piece.len);
        rest = after;
        let mut hasher = DefaultHasher::new();
        chunk.hash(&mut hasher);
        if !seen.insert(hasher.finish()) {
            figures.known += piece.len;
        }
        let format = audio.as_ref().filter(|_| piece.kind == PieceKind::Samples).map(|audio| audio.format);
        let Some(format) = format else {
            figures.stored += piece.len;
            continue;
        };
        let mut coded = Coded { codec: None, payload: Vec::with_capacity(piece.len + (1 << 16)) };
        let best = |action: &mut dyn FnMut()| {
            let times = (0..ROUNDS).map(|_| {
                let start = Instant::now();
                action();
                start.elapsed()
            });
            times.min().unwrap_or_default()
        };
        figures.encode += best(&mut || {
            coded.payload.clear();
            coded.codec = codec::encode(chunk, &format, level, scratch, &mut coded.payload);
        });
        let Some(codec) = coded.codec else {
            figures.stored += piece.len;
            continue;
        };
        let mut same = true;
        figures.decode += best(&mut || same &= codec::decodes_to(codec, &coded.payload, chunk, scratch));
        if !same {
            return Err("a chunk did not come back".into());
        }
        figures.stored += coded.payload.len();
        figures.codecs[usize::from(codec.id()) - 1] += 1;
    }
    Ok(figures)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut level = CodecLevel::default();
    let mut params = ChunkParams::DEFAULT;
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--level" => {
                level = match arguments.next().as_deref() {
                    Some("fast") => CodecLevel::Fast,
                    Some("default") => CodecLevel::Default,
                    Some("high") => CodecLevel::High,
                    _ => return Err("--level fast, default or high".into()),
                }
            }
            "--average" => {
                let average: usize = arguments.next().ok_or("--average KIB")?.parse()?;
                params.samples = Sizes::around(average << 10);
            }
            _ => files.push(argument),
        }
    }
    println!(
        "{:<28} {:>9} {:>6} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7}  chunks by codec",
        "", "KiB", "chunks", "ratio", "known", "cut", "encode", "decode", "both"
    );
    let (mut all, mut scratch, mut seen) = (Figures::default(), Scratch::new(), HashSet::new());
    for file in &files {
        let object = std::fs::read(file)?;
        let figures = measure(&object, &params, level, &mut scratch, &mut seen)?;
        figures.print(file.rsplit('/').next().unwrap_or(file));
        all.add(&figures);
    }
    all.print("all");
    Ok(())
}
