//! Other implementations of the format, in both directions.

use std::io::Write;
use std::process::{Command, Stdio};

use stem_audio::flac::{Decoder, Encoder, Format, Level, stream_header};

use crate::signals::{self, Kind, Stereo};

fn stream(level: Level, format: &Format, planes: &[Vec<i32>]) -> Vec<u8> {
    let slices: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
    let mut bytes = stream_header(format, planes[0].len() as u64);
    Encoder::new(level).encode(format, &slices, &mut bytes).unwrap();
    bytes
}

#[test]
fn claxon_reads_our_frames() {
    let (mut read, mut lacking) = (0, 0);
    signals::each(|what, bits, planes| {
        // It wants the sample size in the frame, and knows no 32 bits.
        if ![8, 12, 16, 20, 24].contains(&bits) {
            return;
        }
        for level in [Level::Fast, Level::Default, Level::High] {
            let bytes = stream(level, &signals::format(bits, planes), planes);
            let mut reader = claxon::FlacReader::new(bytes.as_slice()).unwrap();
            let samples: Result<Vec<i32>, _> = reader.samples().collect();
            let expected: Vec<i32> =
                (0..planes[0].len()).flat_map(|frame| planes.iter().map(move |plane| plane[frame])).collect();
            match samples {
                Ok(samples) => assert!(samples == expected, "{what}, {level:?}"),
                // Partitions of plain numbers.
                Err(claxon::Error::Unsupported(_)) => lacking += 1,
                Err(error) => panic!("{what}, {level:?}: {error}"),
            }
            read += 1;
        }
    });
    assert!(read >= 1000 && lacking * 3 < read, "{read} streams, of which {lacking} use what claxon lacks");
}

/// Runs the `flac` command; `None` if there is none.
fn flac(arguments: &[String], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new("flac");
    command.args(arguments).args(["--silent", "--stdout", "-"]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: the flac command is not installed ({error})");
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && written.is_ok(), "flac {arguments:?}: {said}");
    Some(output.stdout)
}

fn options(options: &[&str]) -> Vec<String> {
    options.iter().map(ToString::to_string).collect()
}

/// Little-endian samples in as few bytes as hold them.
fn pcm(bits: u32, planes: &[Vec<i32>]) -> Vec<u8> {
    let bytes = bits.div_ceil(8) as usize;
    (0..planes[0].len())
        .flat_map(|frame| {
            planes.iter().flat_map(move |plane| plane[frame].to_le_bytes().into_iter().take(bytes))
        })
        .collect()
}

#[test]
fn the_flac_command_reads_our_frames() {
    let decode = options(&["--decode", "--force-raw-format", "--endian=little", "--sign=signed"]);
    let mut count = 0;
    signals::each(|what, bits, planes| {
        count += 1;
        // The command writes whole bytes only; a process each, so not all of them.
        if !bits.is_multiple_of(8) || count % 3 != 0 {
            return;
        }
        let level = [Level::Fast, Level::Default, Level::High][count % 9 / 3];
        let bytes = stream(level, &signals::format(bits, planes), planes);
        if let Some(decoded) = flac(&decode, &bytes) {
            assert!(decoded == pcm(bits, planes), "{what}, {level:?}");
        }
    });
}

#[test]
fn the_flac_command_accepts_odd_sizes() {
    let test = options(&["--test"]);
    for bits in 4..=32 {
        for (kind, stereo) in [(Kind::Walk, Stereo::Near), (Kind::Fade, Stereo::Mono)] {
            let planes = signals::planes(kind, stereo, bits, 9000, 3);
            flac(&test, &stream(Level::High, &signals::format(bits, &planes), &planes));
        }
    }
}

/// The frames of a stream: what follows the metadata blocks.
fn frames_of(stream: &[u8]) -> &[u8] {
    let mut rest = stream.strip_prefix(b"fLaC").unwrap();
    loop {
        let [kind, a, b, c, ..] = *rest else { panic!("metadata ends early") };
        rest = &rest[4 + u32::from_be_bytes([0, a, b, c]) as usize..];
        if kind & 0x80 != 0 {
            return rest;
        }
    }
}

#[test]
fn we_read_the_flac_commands_frames() {
    let manners: [&[&str]; 9] = [
        &["-0"],
        &["-3"],
        &["-5"],
        &["-8", "-e"],
        &["-8", "-p"],
        &["--lax", "-l", "32", "-b", "16384", "-m"],
        &["--lax", "-l", "13", "-b", "17", "-r", "0"],
        &["--lax", "-l", "24", "-b", "4608", "-r", "0,15"],
        &["-5", "-b", "192"],
    ];
    let kinds = [
        (Kind::Walk, Stereo::Near),
        (Kind::Sine, Stereo::Same),
        (Kind::Fade, Stereo::Opposite),
        (Kind::Wasted, Stereo::Other(Kind::Burst)),
        (Kind::Noise, Stereo::Mono),
        (Kind::LoudSine, Stereo::Other(Kind::Silence)),
        (Kind::Impulses, Stereo::Near),
    ];
    for manner in manners {
        for (kind, stereo) in kinds {
            for bits in [8, 16, 24] {
                let planes = signals::planes(kind, stereo, bits, 20_011, 11);
                let format = Format { channels: planes.len() as u32, bits, rate: 48_000 };
                let mut arguments = options(manner);
                arguments.extend(options(&["--force-raw-format", "--endian=little", "--sign=signed"]));
                arguments.push(format!("--channels={}", format.channels));
                arguments.push(format!("--bps={bits}"));
                arguments.push(String::from("--sample-rate=48000"));
                let Some(made) = flac(&arguments, &pcm(bits, &planes)) else { return };
                let mut decoded = vec![Vec::new(); planes.len()];
                let result = Decoder::new().decode(frames_of(&made), &format, 20_011, &mut decoded);
                result
                    .unwrap_or_else(|error| panic!("{manner:?}, {kind:?}, {stereo:?}, {bits} bits: {error}"));
                assert!(decoded == planes, "{manner:?}, {kind:?}, {stereo:?}, {bits} bits");
            }
        }
    }
}
