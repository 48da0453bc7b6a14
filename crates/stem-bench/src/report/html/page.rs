//! The page, section by section, in the order in which somebody asks: which one; how far apart are they; why; how was it
//! measured.

use std::fmt::Write as _;

use stem_page::Shell;

use crate::model::{Comparison, StrategyResult};

use super::super::measure::{self, Measure, Way, float, is_baseline};
use super::super::stats::quantile;
use super::super::summary::{Goal, summary};
use super::super::{units, words};
use super::plots::{
    self, Bars, CLASS_FILLS, KEPT, Latency, LatencyBox, PlotError, Point, REST, Row, Segment, Speed, hex,
};
use super::{escape, name, style, tables};

/// The figures that most people want.
const FIRST: [Measure; 8] = [
    Measure::OnDisk,
    Measure::Share,
    Measure::Put,
    Measure::Get,
    Measure::Added,
    Measure::RangeMedian,
    Measure::RangeTail,
    Measure::Memory,
];

/// Where savings come from.
const SAVED: [Measure; 4] = [Measure::OnDisk, Measure::Share, Measure::ByCodec, Measure::ByDedup];

/// The others.
const MORE: [Measure; 7] = [
    Measure::PutCpu,
    Measure::GetCpu,
    Measure::PutSecond,
    Measure::Reclaim,
    Measure::AfterReclaim,
    Measure::Stat,
    Measure::List,
];

/// The whole page.
pub(super) fn page(comparison: &Comparison) -> Result<String, PlotError> {
    let mut out = String::with_capacity(256 << 10);
    head(&mut out, comparison);
    answers(&mut out, comparison);
    glance(&mut out, comparison);
    speed(&mut out, comparison)?;
    space(&mut out, comparison)?;
    second(&mut out, comparison)?;
    reads(&mut out, comparison)?;
    forecast(&mut out, comparison)?;
    more(&mut out, comparison);
    strategies(&mut out, comparison);
    notes(&mut out, comparison);
    method(&mut out, comparison);
    out.push_str("</main>\n");
    let foot = format!(
        "Made by {} from figures measured on {}.",
        units::clean(&comparison.tool, 100),
        words::minute(&comparison.started)
    );
    stem_page::end(&mut out, &foot);
    Ok(out)
}

fn head(out: &mut String, comparison: &Comparison) {
    let material = &comparison.material;
    let what = words::directories(material);
    let title = format!("Ways to store {what}, compared");
    Shell { title: &title, skip: ("answers", "To the answers"), sheet: &style::sheet(), sounds: false }
        .begin(out);
    let _ = write!(
        out,
        "<header>\n<h1>What each way of storing these files costs</h1>\n<p class=\"lead\">{count} compared on {what}: \
         {sampled}{classes}; {rounds}, {date}.</p>\n</header>\n<main>\n",
        what = escape(&what),
        count = escape(&units::count(
            u64::try_from(comparison.strategies.len()).unwrap_or(u64::MAX),
            "strategy",
            "strategies"
        )),
        sampled = escape(&words::sampled(material)),
        classes = match words::classes(material) {
            classes if classes.is_empty() => classes,
            classes => format!(" – {}", escape(&classes)),
        },
        rounds = escape(&words::rounds(comparison)),
        date = escape(&words::minute(&comparison.started)),
    );
}

fn section(out: &mut String, id: &str, title: &str, text: &str) {
    let _ = write!(out, "<h2 id=\"{id}\">{}</h2>\n<p>{}</p>\n", escape(title), escape(text));
}

fn answers(out: &mut String, comparison: &Comparison) {
    let sentences = summary(comparison);
    out.push_str("<h2 id=\"answers\">Which one suits you?</h2>\n");
    for caution in sentences.iter().filter(|sentence| sentence.goal == Goal::Caution) {
        let _ = writeln!(out, "<p class=\"callout\">{}</p>", escape(&caution.text));
    }
    for (failed, why) in words::failures(comparison) {
        let _ = writeln!(
            out,
            "<p class=\"callout bad\"><strong>{} failed:</strong> {}</p>",
            name(&failed),
            name(&why)
        );
    }
    out.push_str("<ul class=\"answers\">\n");
    for answer in sentences.iter().filter(|sentence| sentence.goal != Goal::Caution) {
        let _ = writeln!(
            out,
            "<li><h3>{}</h3><p class=\"who\">{}</p><p>{}</p></li>",
            escape(answer.goal.heading()),
            name(&answer.headline),
            escape(&answer.text)
        );
    }
    out.push_str("</ul>\n");
}

fn glance(out: &mut String, comparison: &Comparison) {
    let table = tables::figures(comparison, "The figures that matter most", &FIRST, true);
    if table.is_empty() {
        return;
    }
    section(
        out,
        "glance",
        "At a glance",
        "★ is the best of its column; ≈ cannot be told from the best, because the rounds of both overlap or the figures are \
         as good as equal. The small figures are the range of the rounds around the median above them.",
    );
    out.push_str(&table);
    out.push_str(&tables::meanings(comparison, &FIRST));
}

fn speed(out: &mut String, comparison: &Comparison) -> Result<(), PlotError> {
    let panel = |measure: Measure, what| {
        let points = comparison
            .strategies
            .iter()
            .enumerate()
            .filter_map(|(index, result)| {
                let speed = measure.of(result)?;
                let range = (speed.rounds > 1).then_some((speed.low, speed.high));
                let share = Measure::Share.of(result)?.median;
                Some(Point { name: words::name(&result.name), index, share, speed: speed.median, range })
            })
            .collect();
        Speed { points, what }
    };
    let cache = match measure::cache(comparison) {
        "" => String::new(),
        cache => format!(" ({cache})"),
    };
    let mut numbered = false;
    let panels = [
        ("put", "Storing", panel(Measure::Put, "stored")),
        ("get", "Taking back", panel(Measure::Get, "taken back")),
    ];
    if panels.iter().all(|(_, _, panel)| panel.points.is_empty()) {
        return Ok(());
    }
    section(
        out,
        "speed",
        "Speed against size",
        "Further up is faster, further left is smaller: the best place is the upper left corner. The line through a point is \
         the range of its rounds; where two lines lie at the same height, there is no difference in speed to tell.",
    );
    out.push_str("<div class=\"pair\">\n");
    for (id, title, panel) in panels {
        if panel.points.is_empty() {
            continue;
        }
        numbered |= panel.is_numbered();
        let title = if id == "get" { format!("{title}{cache}") } else { title.to_owned() };
        let described = panel.points.iter().fold(String::new(), |mut text, point| {
            let _ = write!(
                text,
                "{}: {} at {}. ",
                point.name,
                units::speed(point.speed),
                units::percent(point.share)
            );
            text
        });
        let svg =
            plots::render(&panel, id, &format!("{title}: speed against size on disk"), described.trim_end())?;
        let _ = writeln!(out, "<figure><figcaption>{}</figcaption>{svg}</figure>", escape(&title));
    }
    out.push_str("</div>\n");
    if numbered {
        out.push_str("<ol class=\"numbers\">");
        for result in &comparison.strategies {
            let _ = write!(out, "<li>{}</li>", name(&words::name(&result.name)));
        }
        out.push_str("</ol>\n");
    }
    Ok(())
}

/// A plot of bars in a figure, with its legend.
fn bars(
    out: &mut String,
    id: &str,
    title: &str,
    legend: &[(String, String)],
    bars: &Bars,
) -> Result<(), PlotError> {
    let described = bars.rows.iter().fold(String::new(), |mut text, row| {
        let _ = write!(text, "{}: {}. ", row.name, row.figure);
        text
    });
    let _ = write!(out, "<figure><figcaption>{}</figcaption>", escape(title));
    if !legend.is_empty() {
        out.push_str("<ul class=\"legend\">");
        for (color, text) in legend {
            let _ = write!(
                out,
                "<li><span class=\"swatch\" style=\"background:{color}\" aria-hidden=\"true\"></span>{}</li>",
                escape(text)
            );
        }
        out.push_str("</ul>");
    }
    out.push_str(&plots::render(bars, id, title, described.trim_end())?);
    out.push_str("</figure>\n");
    Ok(())
}

fn space(out: &mut String, comparison: &Comparison) -> Result<(), PlotError> {
    let stored: Vec<_> = comparison
        .strategies
        .iter()
        .filter_map(|result| Some((result, result.stored.as_ref()?, Measure::OnDisk.of(result)?.median)))
        .collect();
    if stored.is_empty() {
        return Ok(());
    }
    section(
        out,
        "space",
        "Where the space goes",
        "What the kinds of file take on the disk, and where savings come from.",
    );

    let mut used = [false; 7];
    let mut rest = false;
    let rows = stored.iter().map(|(result, stored, on_disk)| {
        let mut segments = Vec::new();
        let mut sum = 0.0;
        for ((class, fill), used) in words::CLASSES.into_iter().zip(CLASS_FILLS).zip(&mut used) {
            let bytes = stored.classes.get(&class).map_or(0.0, |one| float(one.stored));
            sum += bytes;
            *used |= bytes > 0.0;
            segments.push(Segment { bytes, fill, label: words::class(class).to_owned() });
        }
        let other = (on_disk - sum).max(0.0);
        rest |= other > 0.0;
        segments.push(Segment { bytes: other, fill: REST, label: String::new() });
        Row { name: words::name(&result.name), segments, figure: units::size(*on_disk), range: None }
    });
    let plot = Bars { rows: rows.collect(), axis: "on disk", reference: None };
    let mut legend: Vec<_> = words::CLASSES
        .into_iter()
        .zip(CLASS_FILLS)
        .zip(used)
        .filter(|(_, used)| *used)
        .map(|((class, fill), _)| (hex(fill), words::class(class).to_owned()))
        .collect();
    if rest {
        legend.push((hex(REST), "indices, rounding to disk blocks, what has no kind".to_owned()));
    }
    bars(out, "classes", "On disk, by kind of file", &legend, &plot)?;
    out.push_str(&tables::classes(comparison));

    let rows = stored.iter().map(|(result, stored, on_disk)| {
        let (codec, dedup) = (float(stored.saved_by_codec), float(stored.saved_by_dedup));
        let part = |bytes, fill, label: &str| Segment { bytes, fill, label: label.to_owned() };
        let saved = codec + dedup;
        let figure =
            if saved > 0.0 { format!("{} saved", units::size(saved)) } else { "nothing saved".to_owned() };
        Row {
            name: words::name(&result.name),
            segments: vec![
                part(*on_disk, KEPT, "kept"),
                part(codec, plots::SAVED_BY_CODEC, "coding"),
                part(dedup, plots::SAVED_BY_DEDUP, "repeats"),
            ],
            figure,
            range: None,
        }
    });
    let raw = stored.iter().map(|(_, stored, _)| float(stored.raw)).fold(0.0, f64::max);
    let plot = Bars {
        rows: rows.collect(),
        axis: "kept and saved",
        reference: (raw > 0.0).then(|| (raw, format!("the files: {}", units::size(raw)))),
    };
    let legend = [
        (hex(KEPT), "kept on disk".to_owned()),
        (hex(plots::SAVED_BY_CODEC), "saved by coding: audio and other data written shorter".to_owned()),
        (hex(plots::SAVED_BY_DEDUP), "saved by repeats: content that was there already".to_owned()),
    ];
    bars(out, "saved", "What was saved, and how", &legend, &plot)?;
    out.push_str(&tables::figures(comparison, "What was saved, and how", &SAVED, false));
    Ok(())
}

fn second(out: &mut String, comparison: &Comparison) -> Result<(), PlotError> {
    let rows: Vec<Row> = comparison
        .strategies
        .iter()
        .filter_map(|result| {
            let added = Measure::Added.of(result)?.median;
            let segments = vec![Segment { bytes: added, fill: KEPT, label: String::new() }];
            Some(Row { name: words::name(&result.name), segments, figure: units::size(added), range: None })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let size = comparison.second.as_ref().map(|second| float(words::total(&second.sampled).bytes));
    let of = comparison
        .second
        .as_ref()
        .map_or_else(String::new, |second| format!(" ({})", words::directories(second)));
    section(
        out,
        "second",
        "A second version",
        &format!(
            "What it takes on disk to keep a second version{of} beside the first. A store that knows only whole files keeps \
             every changed file once more; one that cuts files into pieces keeps only the pieces that changed."
        ),
    );
    let reference =
        size.filter(|&size| size > 0.0).map(|size| (size, format!("its files: {}", units::size(size))));
    let plot = Bars { rows, axis: "added", reference };
    bars(out, "added", "Added by the second version", &[], &plot)
}

fn reads(out: &mut String, comparison: &Comparison) -> Result<(), PlotError> {
    let reads: Vec<(&StrategyResult, Vec<f64>)> = comparison
        .strategies
        .iter()
        .map(|result| (result, tables::reads(result)))
        .filter(|(_, times)| !times.is_empty())
        .collect();
    if reads.is_empty() {
        return Ok(());
    }
    let bytes = comparison.strategies.iter().flat_map(|one| &one.rounds).find_map(|one| one.ranges.as_ref());
    let bytes = units::exact(&units::size(float(bytes.map_or(0, |ranges| ranges.bytes))));
    section(
        out,
        "reads",
        "Reading short pieces",
        &format!(
            "How long it takes to read {bytes} from a random place, as when a player seeks or a waveform is drawn. Further \
             left is faster. The box holds the middle half of the reads, the bar in it is the median (p50), the line reaches \
             from the fastest to the slowest hundredth, and the dot at its end is what 99 of 100 reads stay below (p99)."
        ),
    );
    let boxes = reads
        .iter()
        .filter_map(|(result, times)| {
            let mut quantiles = [0.0; 5];
            for (slot, q) in quantiles.iter_mut().zip([0.01, 0.25, 0.5, 0.75, 0.99]) {
                *slot = quantile(times, q)?;
            }
            Some(LatencyBox { name: words::name(&result.name), quantiles })
        })
        .collect();
    let plot = Latency { boxes };
    let title = format!("Time of one read of {bytes}");
    let described = plot.boxes.iter().fold(String::new(), |mut text, one| {
        let [_, _, p50, _, p99] = one.quantiles.map(units::seconds);
        let _ = write!(text, "{}: half within {p50}, 99 of 100 within {p99}. ", one.name);
        text
    });
    let svg = plots::render(&plot, "latency", &title, described.trim_end())?;
    let _ = writeln!(out, "<figure><figcaption>{}</figcaption>{svg}</figure>", escape(&title));
    out.push_str(&tables::latencies(&reads));
    Ok(())
}

fn forecast(out: &mut String, comparison: &Comparison) -> Result<(), PlotError> {
    let Some(forecast) = comparison.forecast.as_ref().filter(|forecast| !forecast.strategies.is_empty())
    else {
        return Ok(());
    };
    section(
        out,
        "forecast",
        "Forecast for everything",
        &format!(
            "The size on disk to expect of all {}, from reading {} of them. The bracket on each bar is where the true size \
             lies 19 times of 20.",
            words::amount(forecast.whole),
            units::size(float(forecast.read.bytes)),
        ),
    );
    let rows = words::in_order(comparison, forecast)
        .into_iter()
        .map(|(name, one)| Row {
            name: words::name(name),
            segments: vec![Segment { bytes: float(one.bytes), fill: KEPT, label: String::new() }],
            figure: units::size(float(one.bytes)),
            range: Some((float(one.low), float(one.high))),
        })
        .collect();
    let whole = float(forecast.whole.bytes);
    let plot = Bars {
        rows,
        axis: "expected",
        reference: (whole > 0.0).then(|| (whole, format!("the files: {}", units::size(whole)))),
    };
    bars(out, "expected", "Expected size on disk", &[], &plot)?;
    out.push_str(&tables::forecast(comparison));
    Ok(())
}

fn more(out: &mut String, comparison: &Comparison) {
    let table = tables::figures(comparison, "More figures", &MORE, false);
    if table.is_empty() {
        return;
    }
    section(
        out,
        "more",
        "More figures",
        "Processor time, cleaning up and looking up, marked as above; then how fast one thread is with files of each kind.",
    );
    out.push_str(&table);
    out.push_str(&tables::meanings(comparison, &MORE));
    for way in Way::ALL {
        out.push_str(&tables::class_speeds(comparison, way));
    }
}

fn strategies(out: &mut String, comparison: &Comparison) {
    if comparison.strategies.is_empty() {
        return;
    }
    section(
        out,
        "strategies",
        "The strategies",
        "What each of them does, and how a store of its kind is named for stem.",
    );
    let head = "<th scope=\"col\">Strategy</th><th scope=\"col\" class=\"text\">What it does</th>\
                <th scope=\"col\" class=\"text\">Store</th><th scope=\"col\">Rounds</th>";
    let body = comparison.strategies.iter().fold(String::new(), |mut body, result| {
        let url = if result.url.is_empty() {
            "–".to_owned()
        } else {
            format!("<code>{}</code>", name(&units::clean(&result.url, 300)))
        };
        let baseline = if is_baseline(result) { " (to compare with; no store)" } else { "" };
        let _ = writeln!(
            body,
            "<tr>{}<td class=\"text\">{}{baseline}</td><td class=\"text\">{url}</td><td>{}</td></tr>",
            tables::strategy(result, false),
            name(&units::clean(&result.about, 300)),
            result.rounds.len(),
        );
        body
    });
    out.push_str(&tables::table("The strategies", head, &body));
}

fn notes(out: &mut String, comparison: &Comparison) {
    const SHOWN: usize = 200;
    let notes = words::notes(comparison);
    if notes.is_empty() {
        return;
    }
    section(out, "notes", "Notes", "What to know when the figures are read.");
    out.push_str("<ul>\n");
    for (kind, text) in notes.iter().take(SHOWN) {
        let _ = writeln!(out, "<li><strong>{}:</strong> {}</li>", escape(kind), name(text));
    }
    if let Some(more) = notes.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        let _ = writeln!(out, "<li>{} more are in the saved file</li>", units::digits(more));
    }
    out.push_str("</ul>\n");
}

fn method(out: &mut String, comparison: &Comparison) {
    let alone = words::is_forecast_alone(comparison);
    section(
        out,
        "method",
        "How this was measured",
        if alone {
            "Pieces of the files were read and tried in memory; nothing was stored."
        } else {
            "On copies of the files in a scratch directory; the files themselves were only read. Strategies took turns, round by \
         round, so that what else the machine did met all of them alike. Every byte that was read back was compared with the \
         original."
        },
    );
    out.push_str(&tables::material(comparison));
    let mut rows = vec![
        ("Files", words::directories(&comparison.material)),
        ("Measured", words::sampled(&comparison.material)),
    ];
    if alone || comparison.material.found != comparison.material.sampled {
        rows.push(("Seed of the sample", comparison.material.seed.to_string()));
    }
    if let Some(second) = &comparison.second {
        rows.push(("Second version", format!("{}: {}", words::directories(second), words::sampled(second))));
    }
    if !alone {
        rows.push(("Rounds", words::rounds(comparison)));
    }
    let cache = measure::cache(comparison);
    if !cache.is_empty() {
        rows.push(("Reading back", cache.to_owned()));
    }
    rows.push(("Machine", words::machine(comparison)));
    rows.push(("Begun", words::minute(&comparison.started)));
    rows.push(("Took", units::seconds(comparison.seconds)));
    rows.push(("Program", units::clean(&comparison.tool, 100)));
    out.push_str("<dl>\n");
    for (term, text) in rows {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(term), name(&text));
    }
    let _ =
        writeln!(out, "<dt>To do it again</dt><dd><code>{}</code></dd>\n</dl>", escape(&command(comparison)));
    out.push_str(
        "<h3>How to read the figures</h3>\n<p>A figure is the median of its rounds: half of them were lower, half were higher. \
         Its range holds the lowest and the highest round, or, from six rounds on, what remains when outliers are left out \
         (the 95 % interval of the median). Where the ranges of two strategies overlap, another run could turn their order \
         around: there is no difference to tell. Differences of 2 % or less (of sizes: 0.5 %) are taken for none. 1 KiB is \
         1024 bytes, 1 MiB is 1024 KiB, 1 GiB is 1024 MiB.</p>\n",
    );
}

/// A command that measures the same.
fn command(comparison: &Comparison) -> String {
    let quoted = |text: &str| {
        let text = units::clean(text, 500);
        let plain = |c: char| c.is_alphanumeric() || "/._-+:@%=,".contains(c);
        let dash = if text.starts_with('-') { "./" } else { "" };
        if !text.is_empty() && text.chars().all(plain) {
            format!("{dash}{text}")
        } else {
            format!("'{dash}{}'", text.replace('\'', r"'\''"))
        }
    };
    let mut out = String::from("stem bench");
    for directory in comparison.material.directories.iter().take(20) {
        let _ = write!(out, " {}", quoted(directory));
    }
    if comparison.rounds > 0 {
        let _ = write!(out, " --rounds {}", comparison.rounds);
    }
    if comparison.forecast.is_some() {
        out.push_str(" --predict");
    }
    if let Some(second) = comparison.second.as_ref().and_then(|second| second.directories.first()) {
        let _ = write!(out, " --against {}", quoted(second));
    }
    out.push_str(" --html report.html");
    out
}
