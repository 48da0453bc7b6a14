//! What can be typed after `stem bench` and `stem demo`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use stemvault::StoreUrl;

use crate::human;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed by itself")]
pub(crate) struct BenchArgs {
    /// The directories with the files
    #[arg(required_unless_present = "list_strategies", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dirs: Vec<PathBuf>,
    /// What to compare: names from --list-strategies, separated by commas; `all`, `default`, or `pack-*`
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) strategies: Vec<String>,
    /// Compare this store too, in a new part of it that is removed afterwards
    #[arg(long, value_name = "URL")]
    pub(crate) store: Vec<StoreUrl>,
    /// How much to work on: a number with K, M, G or T [default: 512M; with --predict, what a minute allows]
    #[arg(long, value_name = "SIZE", value_parser = human::parse_size, conflicts_with = "all")]
    pub(crate) sample: Option<u64>,
    /// Work on everything
    #[arg(long)]
    pub(crate) all: bool,
    /// How often each strategy has its turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Write all figures into FILE
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    pub(crate) save: Option<PathBuf>,
    /// Write a report with plots into FILE
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// A later version of the same files: what does it add?
    #[arg(long, value_name = "DAY2_DIR", value_hint = ValueHint::DirPath, conflicts_with = "predict")]
    pub(crate) against: Option<PathBuf>,
    /// Within a minute, only say what each strategy would take for everything
    #[arg(long)]
    pub(crate) predict: bool,
    /// Go on with a comparison that was interrupted
    #[arg(long, conflicts_with = "predict")]
    pub(crate) resume: bool,
    /// Where the work is done; decides which disk is measured
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) scratch: Option<PathBuf>,
    /// Which sample is taken
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// List the strategies
    #[arg(long)]
    pub(crate) list_strategies: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How large the session is: a number with K, M, G or T
    #[arg(long, default_value = "1G", value_parser = human::parse_size)]
    pub(crate) size: u64,
    /// Keep the directory and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where objects are kept: sharded:.muse/objects (the default) or pack:
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<StoreUrl>,
}
