//! Writes the page of a made-up entry:
//!
//! ```sh
//! cargo run -p stem-inspect --example page -- page.html
//! STEM_PAGE_SAMPLE=hostile cargo run -p stem-inspect --example page -- page.html # one that tries to break out
//! ```

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::error::Error;

use stem_inspect::page::{Bounds, html};

fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args().nth(1).ok_or("say where to: a file")?;
    let bounds = Bounds::default();
    let files = sample::files(24);
    let page = match std::env::var("STEM_PAGE_SAMPLE").as_deref() {
        Ok("hostile") => sample::hostile(&files, &bounds),
        _ => sample::page(&files, &bounds),
    };
    debug_assert_eq!(sample::statuses(&page).values().sum::<usize>(), files.len());
    std::fs::write(target, html(&page, &bounds))?;
    Ok(())
}
