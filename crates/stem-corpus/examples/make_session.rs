//! Writes a corpus to a directory: `make_session a|b|c|demo DIR [SIZE] [SEED]`.
//!
//! SIZE takes `K`, `M` or `G`: of one stem for *a* and *b* (128M), of everything for `demo` (1G); for *c* it is the
//! number of files (20000).

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use stem_corpus::{Session, session, tree};

const USAGE: &str = "usage: make_session a|b|c|demo DIR [SIZE] [SEED]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [corpus, dir, rest @ ..] = arguments.as_slice() else { return Err(USAGE.into()) };
    let size = rest.first().map(|text| parse_size(text)).transpose()?;
    let seed = rest.get(1).map_or(Ok(1), |text| text.parse())?;
    let made = match corpus.as_str() {
        "a" => Session::stems(seed, size.unwrap_or(session::STEM_BYTES)),
        "b" => Session::stems(seed, size.unwrap_or(session::STEM_BYTES)).edited(),
        "c" => {
            let count = size.map_or(Ok(session::SMALL_FILES), u32::try_from)?;
            Session::small_files(seed, count)
        }
        "demo" => Session::demo(seed, size.unwrap_or(1 << 30)),
        _ => return Err(USAGE.into()),
    };
    let start = Instant::now();
    tree::write_tree(Path::new(dir), made.files(), &mut |_| {})?;
    let seconds = start.elapsed().as_secs_f64();
    report(&made, seconds);
    Ok(())
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "an example that says what it did")]
fn report(made: &Session, seconds: f64) {
    let mib = made.total_len() as f64 / f64::from(1 << 20);
    println!("{} files, {mib:.1} MiB in {seconds:.2} s, {:.0} MiB/s", made.files().len(), mib / seconds);
}

fn parse_size(text: &str) -> Result<u64, Box<dyn Error>> {
    let (digits, shift) = match text.trim_end_matches(['B', 'b', 'i']) {
        text if text.ends_with(['K', 'k']) => (&text[..text.len() - 1], 10),
        text if text.ends_with(['M', 'm']) => (&text[..text.len() - 1], 20),
        text if text.ends_with(['G', 'g']) => (&text[..text.len() - 1], 30),
        text => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| format!("not a size: {text}"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("too large: {text}").into())
}
