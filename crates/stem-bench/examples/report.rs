//! Shows the report of a made-up comparison, or of a saved one:
//!
//! ```sh
//! cargo run -p stem-bench --example report -- page.html       # the page
//! cargo run -p stem-bench --example report -- table 80        # the sentences and the table, without and with colours
//! cargo run -p stem-bench --example report -- saved FILE.json # the saved form, as in tests/golden
//! STEM_BENCH_SAVED=FILE.json cargo run …                      # of a comparison that was saved
//! STEM_BENCH_SAMPLE=hostile cargo run …                       # of one that tries to break out of the page
//! ```

#![expect(clippy::print_stdout, reason = "an example that prints")]

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::error::Error;

use stem_bench::report::{self, TableStyle};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().ok_or("say where to: a file, or `table WIDTH`")?;
    let mut comparison = match std::env::var("STEM_BENCH_SAMPLE").as_deref() {
        Ok("hostile") => sample::hostile(),
        Ok("many") => sample::many(),
        _ => sample::comparison(),
    };
    if let Ok(path) = std::env::var("STEM_BENCH_SAVED") {
        comparison = report::load(&std::fs::read(path)?)?;
    }
    if target == "table" {
        let width = arguments.next().map(|width| width.parse()).transpose()?;
        for sentence in report::summary(&comparison) {
            println!("{}: {}", sentence.goal.heading(), sentence.text);
        }
        println!("\n{}", report::table(&comparison, TableStyle { width, color: false }));
        println!("{}", report::table(&comparison, TableStyle { width, color: true }));
    } else if target == "saved" {
        let target = arguments.next().ok_or("say which file")?;
        report::save(&sample::small(), &mut std::fs::File::create(target)?)?;
    } else {
        std::fs::write(target, report::html(&comparison)?)?;
    }
    Ok(())
}
