//! The report: what it says of known figures, that it keeps hostile text harmless, and that it is the same every time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use stem_bench::model::{Class, Comparison, Operation, Round, Stored, StoredClass, StrategyResult};
use stem_bench::report::{self, Goal, Sentence, TableStyle};

mod sample;

fn table(comparison: &Comparison, width: Option<u16>) -> String {
    report::table(comparison, TableStyle { width, color: false })
}

fn of(comparison: &Comparison, goal: Goal) -> Option<Sentence> {
    report::summary(comparison).into_iter().find(|sentence| sentence.goal == goal)
}

/// A strategy that stored at these speeds (MiB/s, a GiB each) and takes `blocks`.
fn strategy(name: &str, speeds: &[f64], blocks: u64) -> StrategyResult {
    let bytes = 1 << 30;
    StrategyResult {
        name: name.to_owned(),
        about: String::new(),
        url: String::new(),
        failed: None,
        rounds: speeds
            .iter()
            .map(|speed| Round {
                put: Some(Operation { seconds: 1024.0 / speed, bytes, ..Operation::default() }),
                ..Round::default()
            })
            .collect(),
        stored: Some(Stored { raw: bytes, bytes: blocks, blocks, ..Stored::default() }),
    }
}

fn with(strategies: Vec<StrategyResult>) -> Comparison {
    Comparison { strategies, forecast: None, second: None, notes: Vec::new(), ..sample::comparison() }
}

#[test]
fn tables_at_the_widths_of_terminals() {
    let comparison = sample::comparison();
    for width in [40, 80, 160] {
        let text = table(&comparison, Some(width));
        for line in text.lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
        insta::assert_snapshot!(format!("table-{width}"), text);
    }
    let wide = table(&comparison, None);
    assert!(
        wide.lines().any(|line| line.contains("on disk") && line.contains("list")),
        "one table without a width"
    );
}

#[test]
fn colours_change_nothing_but_the_colours() {
    for comparison in [sample::comparison(), sample::hostile()] {
        for width in [30, 80, 200] {
            let plain = table(&comparison, Some(width));
            let colored = report::table(&comparison, TableStyle { width: Some(width), color: true });
            assert!(colored.contains("\u{1b}[32m"), "something is best");
            assert_eq!(strip(&colored), plain);
            assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "no control characters");
        }
    }
}

/// Without the escapes that anstyle writes.
fn strip(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

#[test]
fn the_summary_of_the_sample() {
    let lines: Vec<String> = report::summary(&sample::comparison())
        .iter()
        .map(|one| format!("{} [{}]: {}", one.goal.heading(), one.headline, one.text))
        .collect();
    insta::assert_snapshot!("summary", lines.join("\n"));
}

#[test]
fn a_clear_winner_is_named_alone() {
    let comparison = with(vec![
        strategy("slow", &[100.0, 101.0, 99.0], 500),
        strategy("fast", &[200.0, 205.0, 195.0], 900),
    ]);
    let fastest = of(&comparison, Goal::FastestToStore).unwrap();
    assert_eq!(fastest.strategies, ["fast"]);
    assert!(fastest.text.contains("200 MiB/s (195 to 205 MiB/s in 3 rounds)"), "{}", fastest.text);
    assert_eq!(of(&comparison, Goal::SmallestOnDisk).unwrap().strategies, ["slow"]);
    assert!(of(&comparison, Goal::SmallestAddition).is_none(), "there was no second version");
    assert!(of(&comparison, Goal::LeastMemory).is_none(), "memory was not measured");
    assert!(of(&comparison, Goal::Caution).is_none());
}

#[test]
fn noise_is_not_taken_for_a_difference() {
    let comparison = with(vec![
        strategy("a", &[100.0, 180.0, 90.0], 500),
        strategy("b", &[120.0, 95.0, 130.0], 501),
        strategy("c", &[10.0, 11.0, 12.0], 900),
    ]);
    let fastest = of(&comparison, Goal::FastestToStore).unwrap();
    assert_eq!(fastest.strategies, ["b", "a"]);
    assert_eq!(fastest.headline, "b or a");
    assert!(fastest.text.contains("a (100 MiB/s) cannot be told from it"), "{}", fastest.text);
    // 500 and 501 bytes are as good as the same.
    assert_eq!(of(&comparison, Goal::SmallestOnDisk).unwrap().strategies, ["a", "b"]);
    let text = table(&comparison, Some(80));
    assert!(text.contains("store: no difference to tell between b and a"), "{text}");

    let all = with(vec![strategy("a", &[100.0, 180.0], 500), strategy("b", &[120.0, 95.0], 500)]);
    let fastest = of(&all, Goal::FastestToStore).unwrap();
    assert_eq!(fastest.headline, "no difference to tell");
    assert!(fastest.text.contains("there is no difference to tell"), "{}", fastest.text);
    assert_eq!(of(&all, Goal::SmallestOnDisk).unwrap().headline, "all the same");
}

#[test]
fn one_round_is_said_to_be_one_round() {
    let comparison = with(vec![strategy("a", &[100.0], 500), strategy("b", &[300.0], 900)]);
    let caution = of(&comparison, Goal::Caution).unwrap();
    assert!(caution.text.contains("measured once"), "{}", caution.text);
    let fastest = of(&comparison, Goal::FastestToStore).unwrap();
    assert_eq!(fastest.strategies, ["b"]);
    assert!(fastest.text.contains("measured once"), "{}", fastest.text);
    assert!(table(&comparison, Some(80)).contains("noise cannot be told from difference"));
    assert!(report::html(&comparison).unwrap().contains("measured once"));
}

#[test]
fn what_failed_and_what_is_a_plain_copy_are_not_recommended() {
    let mut broken = strategy("broken", &[900.0, 901.0], 1);
    broken.failed = Some("disk full".to_owned());
    let comparison = with(vec![
        broken,
        strategy("cp", &[800.0, 801.0], 1000),
        strategy("a", &[400.0, 401.0], 600),
        strategy("b", &[100.0, 101.0], 500),
    ]);
    let fastest = of(&comparison, Goal::FastestToStore).unwrap();
    assert_eq!(fastest.strategies, ["a"]);
    assert!(fastest.text.contains("A plain copy (cp) has 2.0 times that speed"), "{}", fastest.text);
    let smallest = of(&comparison, Goal::SmallestOnDisk).unwrap();
    assert_eq!(smallest.strategies, ["b"]);
    assert!(smallest.text.contains("50 % less than a plain copy"), "{}", smallest.text);
    assert!(table(&comparison, Some(80)).contains("broken failed: disk full"));
    assert!(report::html(&comparison).unwrap().contains("disk full"));
}

#[test]
fn without_figures_nothing_is_claimed() {
    let alone = with(vec![strategy("alone", &[1.0, 2.0], 5)]);
    for comparison in [sample::small(), sample::many()] {
        well_formed(&report::html(&comparison).unwrap());
    }
    for comparison in [with(Vec::new()), alone] {
        let sentences = report::summary(&comparison);
        assert!(
            sentences.iter().all(|one| one.goal == Goal::Caution) && sentences.len() == 1,
            "{sentences:?}"
        );
        assert!(!table(&comparison, Some(80)).is_empty());
        assert!(report::html(&comparison).unwrap().contains("nothing to compare"));
    }
}

#[test]
fn a_forecast_can_stand_alone() {
    let mut comparison = sample::comparison();
    comparison.strategies.clear();
    comparison.rounds = 0;
    comparison.material.sampled.clear();
    assert!(of(&comparison, Goal::Caution).unwrap().text.contains("a forecast of sizes alone"));
    let smallest = of(&comparison, Goal::SmallestForecast).unwrap();
    // 402 and 405 GiB with bounds of some per cent.
    assert_eq!(smallest.strategies, ["pack-audio-8M", "pack-audio-1M"]);
    assert!(
        smallest.text.contains("(405 GiB) cannot be told from it; next comes pack-zstd-3-1M"),
        "{}",
        smallest.text
    );
    assert!(table(&comparison, Some(80)).contains("Forecast for all 1.00 TiB"));
    let page = report::html(&comparison).unwrap();
    assert!(
        page.contains("Forecast for everything")
            && !page.contains("every byte")
            && !page.contains("0 rounds")
    );
    well_formed(&page);
}

#[test]
fn figures_that_cannot_be_are_left_out() {
    let mut bad = strategy("bad", &[f64::NAN, f64::INFINITY, -1.0, 1e-320], u64::MAX);
    bad.rounds[0].put = Some(Operation { seconds: 0.0, bytes: u64::MAX, ..Operation::default() });
    bad.stored.as_mut().unwrap().classes.insert(Class::Midi, StoredClass { raw: 1, stored: u64::MAX });
    let comparison = with(vec![bad, strategy("good", &[100.0, 101.0], 10)]);
    let page = report::html(&comparison).unwrap();
    assert!(!page.contains("NaN") && !page.contains(">inf"));
    assert!(!table(&comparison, Some(40)).contains("NaN"));
    assert!(!report::summary(&comparison).is_empty());
}

#[test]
fn the_page_is_the_same_every_time_and_loads_nothing() {
    let comparison = sample::comparison();
    let page = report::html(&comparison).unwrap();
    assert_eq!(page, report::html(&comparison).unwrap());
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:;"));
    for word in
        ["<script", "src=", "@import", "url(", "<iframe", "<object", "<link rel=\"stylesheet", "onload"]
    {
        assert!(!page.contains(word), "{word}");
    }
    // Nothing names a place but the name spaces of SVG and the empty icon.
    let rest = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").replace("href=\"data:,\"", "");
    assert!(!rest.contains("://") && !rest.contains("data:,"));
    well_formed(&page);
    insta::assert_snapshot!("page", without_plots(&page));
}

#[test]
fn hostile_text_stays_text() {
    let page = report::html(&sample::hostile()).unwrap();
    for word in [
        "<script",
        "<img",
        "<b>",
        "<i>",
        "<u>",
        "onerror=alert(1)>",
        "</style><style",
        "\u{202e}",
        "\u{1b}",
        "\0",
    ] {
        assert!(!page.contains(word), "{word:?}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("<bdi>שלום-עולם-אחסון</bdi>"));
    assert_eq!(page.matches("</style>").count(), 1);
    well_formed(&page);
}

/// Every tag is one that the page uses, is closed, and its attributes are quoted.
fn well_formed(page: &str) {
    const VOID: [&str; 5] = ["meta", "link", "br", "!DOCTYPE", "hr"];
    let (before, after) = page.split_once("<style>").unwrap();
    let (_, after) = after.split_once("</style>").unwrap();
    let mut open: Vec<&str> = Vec::new();
    for text in [before, after] {
        let mut pieces = text.split('<');
        assert!(!pieces.next().unwrap().contains('>'));
        for piece in pieces {
            let (tag, rest) = piece.split_once('>').expect("a tag ends");
            assert!(!rest.contains('>'), "text holds no bracket: {rest}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            let name = tag.split([' ', '\n', '/']).find(|part| !part.is_empty()).unwrap();
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed.trim()));
            } else if !tag.ends_with('/') && !VOID.contains(&name) {
                open.push(name);
            }
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

/// The page without its style sheet and with nothing in its plots: what a reviewer of a change wants to see.
fn without_plots(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    let mut parts = body.split("<svg ");
    let first = format!("{head}{}", parts.next().unwrap());
    parts.fold(first, |text, part| {
        let (plot, after) = part.split_once("</svg>").unwrap();
        let (said, _) = plot.split_once("</desc>").unwrap();
        format!("{text}\n<svg {said}</desc></svg>\n{after}")
    })
}
