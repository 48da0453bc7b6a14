//! Times the FLAC coder: `flac_speed [fast|default|high] [ROUNDS] [WAV...]`, of 16, 24 or 32 integer bits, one or two
//! channels. Without files, of a made signal.
//!
//! Megabytes are of PCM at the bytes the samples take in a file, per second, on one core. Each answer is decoded and
//! compared.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use stem_audio::flac::{Decoder, Encoder, Format, Level};
use stem_audio::pcm::unpack;
use stem_audio::{Encoding, probe};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let level = match arguments.first().map(String::as_str) {
        None | Some("default") => Level::Default,
        Some("fast") => Level::Fast,
        Some("high") => Level::High,
        Some(_) => return Err("usage: flac_speed [fast|default|high] [ROUNDS] [WAV...]".into()),
    };
    let rounds: u32 = arguments.get(1).map_or(Ok(5), |text| text.parse())?;
    let mut total = Times::default();
    let mut files = 0;
    for path in arguments.iter().skip(2) {
        let (format, planes) = match read_wav(path) {
            Ok(audio) => audio,
            Err(error) => {
                print_line(&format!("{path}: left out, {error}"));
                continue;
            }
        };
        let times = measure(level, rounds, &format, &planes)?;
        report(path, &times);
        total.add(&times);
        files += 1;
    }
    if arguments.len() < 3 {
        let format = Format { channels: 2, bits: 24, rate: 48_000 };
        report("made signal", &measure(level, rounds, &format, &made_signal(1 << 21))?);
    } else if files > 1 {
        report("all", &total);
    }
    Ok(())
}

#[derive(Default)]
struct Times {
    raw: usize,
    coded: usize,
    encode: f64,
    decode: f64,
}

impl Times {
    fn add(&mut self, other: &Self) {
        self.raw += other.raw;
        self.coded += other.coded;
        self.encode += other.encode;
        self.decode += other.decode;
    }
}

/// Samples per channel that are coded in one call, about as many as a chunk of a pack holds.
const PIECE: usize = 1 << 16;

/// Each piece counts with its fastest round: pieces are short, so that on a busy machine some round of each is left
/// alone.
fn measure(level: Level, rounds: u32, format: &Format, planes: &[Vec<i32>]) -> Result<Times, Box<dyn Error>> {
    let frames = planes.first().map_or(0, Vec::len);
    let bytes = planes.len() * format.bits.div_ceil(8) as usize;
    let mut encoder = Encoder::new(level);
    let mut decoder = Decoder::new();
    let mut coded = Vec::new();
    let mut decoded = vec![Vec::new(); planes.len()];
    let mut times = Times::default();
    for from in (0..frames).step_by(PIECE) {
        let to = frames.min(from + PIECE);
        let slices: Vec<&[i32]> = planes.iter().map(|plane| &plane[from..to]).collect();
        let (mut encode, mut decode) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..rounds.max(1) {
            coded.clear();
            let start = Instant::now();
            encoder.encode(format, black_box(&slices), &mut coded)?;
            encode = encode.min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            decoder.decode(black_box(&coded), format, to - from, &mut decoded)?;
            decode = decode.min(start.elapsed().as_secs_f64());
            if decoded.iter().zip(&slices).any(|(decoded, plane)| decoded != plane) {
                return Err("decoded samples differ".into());
            }
        }
        times.add(&Times { raw: (to - from) * bytes, coded: coded.len(), encode, decode });
    }
    Ok(times)
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn report(name: &str, times: &Times) {
    let (raw, coded) = (times.raw as f64, times.coded as f64);
    let speed = |seconds: f64| raw / seconds / 1e6;
    print_line(&format!(
        "ratio {:.4}  encode {:6.1} MB/s  decode {:6.1} MB/s  {name}",
        coded / raw,
        speed(times.encode),
        speed(times.decode)
    ));
}

#[expect(clippy::print_stdout, reason = "an example that says what it measured")]
fn print_line(line: &str) {
    println!("{line}");
}

type Samples = (Format, Vec<Vec<i32>>);

fn read_wav(path: &str) -> Result<Samples, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let audio = probe(&bytes, Some(bytes.len() as u64)).ok_or("no samples found")?;
    let samples = audio.format;
    let channels = u32::try_from(samples.channels())?;
    if samples.encoding() != Encoding::Signed || channels > 2 {
        return Err("not one or two channels of integers".into());
    }
    let format = Format { channels, bits: samples.bits().into(), rate: samples.rate() };
    let range = usize::try_from(audio.samples.start)?..usize::try_from(audio.samples.end)?;
    let raw = bytes.get(range).ok_or("shorter than it says")?;
    let mut planes = Vec::new();
    unpack(&raw[..raw.len() / samples.frame_len() * samples.frame_len()], &samples, &mut planes);
    Ok((format, planes))
}

/// A few decaying partials under noise, wider on one side: about as hard to predict as music.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the sum is below 2^23")]
fn made_signal(frames: usize) -> Vec<Vec<i32>> {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let mut planes = vec![Vec::with_capacity(frames), Vec::with_capacity(frames)];
    let mut colour = 0.0;
    for frame in 0..frames {
        let time = frame as f64 / 48_000.0;
        let beat = time % 0.5;
        let decay = (-6.0 * beat).exp();
        let tone: f64 = [110.0, 220.3, 331.0, 441.7, 1203.0, 5210.0]
            .iter()
            .enumerate()
            .map(|(k, hertz)| (std::f64::consts::TAU * hertz * time).sin() / (k as f64 + 1.5))
            .sum();
        colour = 0.9 * colour + noise();
        let centre = 1.6e6 * decay * tone + 4e3 * colour * (0.2 + decay);
        planes[0].push((centre + 1e3 * noise()) as i32);
        planes[1].push((0.8 * centre + 2e3 * noise()) as i32);
    }
    planes
}
