//! Measures the stash beside the tools that do similar work, in interleaved rounds on one machine.
//!
//! `cargo run --release -- --dir DIR --corpus a` makes the corpus in DIR, runs every contender once per round, prints
//! medians with their intervals, and appends one row per measurement to a dated CSV file. `benches/README.md` says how
//! to read it.
//!
//! Every contender, the bare loops too, is a process of its own: all pay for being started, and what one leaves in its
//! heap is nothing to the next. The clock runs from the start of the process to its end, and again to the end of a
//! flush of the file system. Between the clocks the corpus is copied anew, flushed, and read once.

mod child;
mod contenders;
mod corpus;
mod machine;
mod measure;
mod record;
mod report;
mod round;
mod stats;
mod stem;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser;

use crate::corpus::Corpus;
use crate::machine::Machine;
use crate::record::Record;
use crate::round::{Bench, Row};
use crate::stem::Stem;

/// Measures the stash beside the tools that do similar work, in interleaved rounds.
#[derive(Debug, Parser)]
#[command(name = "stem-compare", max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "the switches of a command line")]
struct Options {
    /// Where to work; it needs room for about five times the corpus, and decides which file system is measured
    #[arg(long, required_unless_present = "list")]
    dir: Option<PathBuf>,
    /// `a` (12 stems of 128 MiB), `c` (20,000 small files), or a directory with files
    #[arg(long, default_value = "a")]
    corpus: String,
    /// Make the stems shorter, or the small files fewer, by this factor
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// How many rounds
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Only these groups of contenders (see --list); `cp` always runs, ratios need it
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// All groups but these
    #[arg(long, value_delimiter = ',', conflicts_with = "only")]
    skip: Vec<String>,
    /// Start the clock on a freshly written corpus, without flushing it first
    #[arg(long)]
    unsynced: bool,
    /// The `stem` to measure; default: target/release/stem if it is there, else the library in a process of this program
    #[arg(long, value_name = "PATH")]
    stem: Option<PathBuf>,
    /// Measure the library although there is a binary
    #[arg(long, conflicts_with = "stem")]
    library: bool,
    /// Append the rows to a dated file in this directory
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../record"))]
    record: PathBuf,
    /// Keep no record
    #[arg(long)]
    no_record: bool,
    /// List the groups of contenders and whether they can run here
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let outcome = match args.next() {
        Some(word) if word == child::WORD => child::main(args.collect()),
        _ => run(&Options::parse()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stem-compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if options.list {
        for group in &contenders::ALL {
            println!(
                "{:<10} {:<28} {}",
                group.name,
                (group.version)().unwrap_or("not here".into()),
                group.what
            );
        }
        return Ok(());
    }
    let dir = options.dir.clone().context("--dir is needed")?;
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    if options.rounds == 0 || !(options.scale > 0.0 && options.scale <= 1.0) {
        bail!("there must be a round, and the scale is above 0 and at most 1");
    }
    let groups = chosen(options)?;
    let stem = Stem::find(options.stem.as_deref(), options.library)?;
    let machine = Machine::look(&dir)?;
    let corpus = Corpus::get(&options.corpus, options.scale, &dir)?;
    let record = if options.no_record { None } else { Some(Record::new(&options.record, &corpus)?) };
    println!("machine  {machine}");
    println!("corpus   {}: {} files, {} bytes", corpus.name, corpus.files.len(), corpus.bytes);
    println!("stem     {}", stem.version());
    println!("state    {}", if options.unsynced { "freshly written, not flushed" } else { "flushed" });

    let bench = Bench { corpus: &corpus, stem: &stem, unsynced: options.unsynced, scene: dir.join("scene") };
    let mut rows: Vec<Row> = Vec::new();
    for number in 0..options.rounds {
        let mut order = groups.clone();
        // Every group gets every position, and not always the same neighbour before it.
        order.rotate_left(number % groups.len());
        if number % 2 == 1 {
            order.reverse();
        }
        let mut done = Vec::new();
        for group in order {
            eprintln!("round {} of {}: {}", number + 1, options.rounds, group.name);
            done.extend(bench.run(group, number)?);
        }
        round::relate(&mut done);
        if let Some(record) = &record {
            record.append(&done, &machine, &corpus, options.unsynced, &stem)?;
        }
        rows.extend(done);
    }
    report::print(&rows, &corpus);
    targets::print(&rows, &corpus);
    if let Some(record) = &record {
        println!("\nrecorded in {}", record.path().display());
    }
    Ok(())
}

fn chosen(options: &Options) -> Result<Vec<&'static contenders::Group>> {
    for name in options.only.iter().chain(&options.skip) {
        if !contenders::ALL.iter().any(|group| group.name == name) {
            bail!("there is no group '{name}'; --list shows them");
        }
    }
    let wanted = |name: &str| {
        name == "cp"
            || (options.only.is_empty() || options.only.iter().any(|only| only == name))
                && !options.skip.iter().any(|skip| skip == name)
    };
    let mut groups = Vec::new();
    for group in contenders::ALL.iter().filter(|group| wanted(group.name)) {
        match (group.version)() {
            Some(_) => groups.push(group),
            None => eprintln!("{} is not installed and left out", group.name),
        }
    }
    Ok(groups)
}
