//! The table for the terminal.
//!
//! A terminal of 80 columns does not hold all figures side by side, and rows that wrap cannot be read. So the columns are
//! laid out as on a page: as many as fit, then the rest in a table of their own under the same names. Below the tables
//! stands what the marks mean, which differences are none, what failed, and what should be known.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use crate::model::{Class, Comparison};

use super::judge::{Place, Standing, places};
use super::measure::{self, Measure, Unit, Way, float};
use super::stats::Difference;
use super::summary::summary;
use super::{units, words};

const NAME: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();

/// Behind the best figure of a column.
const BEST: &str = "*";
/// Behind a figure that cannot be told from the best.
const LEVEL: &str = "≈";
/// How many notes are printed.
const NOTES: usize = 50;
/// Between two columns.
const GAP: usize = 2;

/// How the table is to look.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableStyle {
    /// Columns of the terminal; without it the table is as wide as it comes.
    pub width: Option<u16>,
    /// Whether it may have colours (as ANSI escapes).
    pub color: bool,
}

/// One column of figures, ready to be shown.
struct Column {
    heading: [String; 2],
    /// The figure with its mark, and its range; empty where there is none.
    cells: Vec<[String; 2]>,
}

/// The comparison as text. Ends with a line feed; holds no control characters but those of its own styles.
pub fn table(comparison: &Comparison, style: TableStyle) -> String {
    let width = usize::from(style.width.unwrap_or(u16::MAX)).max(30);
    let mut out = Output { text: String::new(), width: width.min(100), color: style.color };
    head(&mut out, comparison);
    let mut names: Vec<String> =
        comparison.strategies.iter().map(|result| words::name(&result.name)).collect();
    for (name, result) in names.iter_mut().zip(&comparison.strategies) {
        if result.failed.is_some() {
            name.push_str(" (failed)");
        }
    }
    let columns: Vec<Column> =
        Measure::ALL.into_iter().filter_map(|measure| column(comparison, measure)).collect();
    tables(&mut out, &names, "strategy", &columns, width);
    let classes = class_columns(comparison);
    if !classes.is_empty() {
        out.paragraph(BOLD, "Size in the store by kind of file, as a share of the files:");
        tables(&mut out, &names, "strategy", &classes, width);
    }
    for way in Way::ALL {
        let speeds = speed_columns(comparison, way);
        if !speeds.is_empty() {
            out.paragraph(BOLD, &format!("{}:", way.title()));
            tables(&mut out, &names, "strategy", &speeds, width);
        }
    }
    forecast(&mut out, comparison, width);
    foot(&mut out, comparison);
    out.text
}

/// The sentences of [`summary`](super::summary()) as text, a paragraph each. Ends with a line feed, if there are any.
pub fn sentences(comparison: &Comparison, style: TableStyle) -> String {
    let width = usize::from(style.width.unwrap_or(u16::MAX)).clamp(30, 100);
    let mut out = Output { text: String::new(), width, color: style.color };
    for sentence in summary(comparison) {
        out.paragraph(BOLD, sentence.goal.heading());
        out.paragraph(Style::new(), &format!("  {}", sentence.text));
    }
    out.text
}

fn head(out: &mut Output, comparison: &Comparison) {
    let mut line = words::minute(&comparison.started);
    let _ = write!(line, ", {}, {}", words::rounds(comparison), units::seconds(comparison.seconds));
    let cache = measure::cache(comparison);
    if !cache.is_empty() {
        let _ = write!(line, ", read back with a {cache}");
    }
    out.paragraph(DIM, &line);
    let material = &comparison.material;
    out.paragraph(DIM, &format!("{}: {}", words::directories(material), words::sampled(material)));
    let classes = words::classes(material);
    if !classes.is_empty() {
        out.paragraph(DIM, &classes);
    }
    if let Some(second) = &comparison.second {
        out.paragraph(
            DIM,
            &format!("second version {}: {}", words::directories(second), words::sampled(second)),
        );
    }
    out.text.push('\n');
}

fn column(comparison: &Comparison, measure: Measure) -> Option<Column> {
    let places = places(comparison, measure);
    let largest = places.iter().map(|place| place.spread.median).fold(0.0, f64::max);
    if places.is_empty() || (largest <= 0.0 && measure.more_is_better().is_none()) {
        return None;
    }
    let (divisor, unit) = measure.unit().scale(places.iter().map(|place| place.spread.median));
    let mut cells = vec![[String::new(), String::new()]; comparison.strategies.len()];
    for place in &places {
        let Some(cell) = cells.get_mut(place.index) else { continue };
        // Figures stand under each other whether or not they have a mark.
        let median = units::number(place.spread.median / divisor);
        let range = if place.spread.rounds > 1 && !measure.is_exact() {
            let ends = [place.spread.low, place.spread.high].map(|end| units::number(end / divisor));
            format!("[{}–{}]", ends[0], ends[1])
        } else {
            String::new()
        };
        *cell = [format!("{median} {}", mark(place.standing)), range];
    }
    Some(Column { heading: [measure.heading().to_owned(), unit], cells })
}

fn mark(standing: Standing) -> &'static str {
    match standing {
        Standing::Best => BEST,
        Standing::Level(_) => LEVEL,
        _ => " ",
    }
}

fn class_columns(comparison: &Comparison) -> Vec<Column> {
    words::CLASSES.into_iter().filter_map(|class| class_column(comparison, class)).collect()
}

fn class_column(comparison: &Comparison, class: Class) -> Option<Column> {
    let mut any = false;
    let cells = comparison
        .strategies
        .iter()
        .map(|result| {
            let of =
                result.stored.as_ref().and_then(|stored| stored.classes.get(&class)).filter(|of| of.raw > 0);
            any |= of.is_some();
            let share = of.map(|of| units::percent(float(of.stored) / float(of.raw)));
            [share.unwrap_or_default(), String::new()]
        })
        .collect();
    any.then(|| Column { heading: [words::class(class).to_owned(), String::new()], cells })
}

fn speed_columns(comparison: &Comparison, way: Way) -> Vec<Column> {
    let column = |class: Class| {
        let speeds: Vec<_> = comparison.strategies.iter().map(|result| way.speed(result, class)).collect();
        if speeds.iter().all(Option::is_none) {
            return None;
        }
        let (divisor, unit) = Unit::Speed.scale(speeds.iter().flatten().map(|speed| speed.median));
        let cell = |speed: Option<super::stats::Spread>| match speed {
            None => [String::new(), String::new()],
            Some(speed) => {
                let show = |value: f64| units::number(value / divisor);
                let range = if speed.rounds > 1 {
                    format!("[{}–{}]", show(speed.low), show(speed.high))
                } else {
                    String::new()
                };
                [show(speed.median), range]
            }
        };
        let cells = speeds.into_iter().map(cell).collect();
        Some(Column { heading: [words::class(class).to_owned(), unit], cells })
    };
    words::CLASSES.into_iter().filter_map(column).collect()
}

fn forecast(out: &mut Output, comparison: &Comparison, width: usize) {
    let Some(forecast) = &comparison.forecast else { return };
    if forecast.strategies.is_empty() {
        return;
    }
    let title = format!(
        "Forecast for all {}, from reading {}:",
        words::amount(forecast.whole),
        units::size(float(forecast.read.bytes))
    );
    out.paragraph(BOLD, &title);
    let strategies = words::in_order(comparison, forecast);
    let names: Vec<String> = strategies.iter().map(|(name, _)| words::name(name)).collect();
    let (divisor, unit) = Unit::Bytes.scale(strategies.iter().map(|(_, one)| float(one.bytes)));
    let show = |bytes: u64| units::number(float(bytes) / divisor);
    let whole = float(forecast.whole.bytes).max(1.0);
    let columns = [
        Column {
            heading: ["on disk".to_owned(), unit],
            cells: strategies
                .iter()
                .map(|(_, one)| [show(one.bytes), format!("[{}–{}]", show(one.low), show(one.high))])
                .collect(),
        },
        Column {
            heading: ["of the files".to_owned(), String::new()],
            cells: strategies
                .iter()
                .map(|(_, one)| [units::percent(float(one.bytes) / whole), String::new()])
                .collect(),
        },
    ];
    tables(out, &names, "strategy", &columns, width);
}

/// What the marks mean, differences that are none, failures, notes.
fn foot(out: &mut Output, comparison: &Comparison) {
    let all: Vec<(Measure, Vec<Place>)> =
        Measure::ALL.into_iter().map(|measure| (measure, places(comparison, measure))).collect();
    let has = |wanted: fn(&Place) -> bool| all.iter().any(|(_, places)| places.iter().any(wanted));
    let mut legend = Vec::new();
    if has(|place| place.standing == Standing::Best) {
        legend.push(format!("{BEST} best of its column"));
    }
    if has(|place| matches!(place.standing, Standing::Level(_))) {
        legend.push(format!("{LEVEL} not to be told from it"));
    }
    let ranged = all
        .iter()
        .any(|(measure, places)| !measure.is_exact() && places.iter().any(|place| place.spread.rounds > 1));
    if ranged {
        legend.push("[low–high] range of the rounds around their median".to_owned());
    }
    if let Some(bytes) =
        comparison.strategies.iter().flat_map(|one| &one.rounds).find_map(|one| one.ranges.as_ref())
    {
        legend.push(format!("short reads: {} anywhere", units::exact(&units::size(float(bytes.bytes)))));
    }
    out.paragraph(DIM, &legend.join("; "));
    for (measure, places) in &all {
        let of =
            |wanted| places.iter().filter(move |place| place.standing == wanted).map(|place| place.index);
        let best = words::names(comparison, of(Standing::Best)).concat();
        let names = words::names(comparison, of(Standing::Level(Difference::Noise)));
        if !names.is_empty() {
            out.paragraph(
                DIM,
                &format!(
                    "{}: no difference to tell between {best} and {}",
                    measure.heading(),
                    units::or(&names)
                ),
            );
        }
    }
    if has(|place| place.standing == Standing::Perhaps) {
        out.paragraph(DIM, "some figures are of one round: noise cannot be told from difference there");
    }
    for (name, why) in words::failures(comparison) {
        out.paragraph(BAD, &format!("{name} failed: {why}"));
    }
    if comparison.interrupted {
        out.paragraph(BAD, "stopped before its end");
    }
    let notes = words::notes(comparison);
    let more = notes.len().saturating_sub(NOTES);
    for (kind, text) in notes.into_iter().take(NOTES) {
        out.paragraph(Style::new(), &format!("{kind}: {text}"));
    }
    if more > 0 {
        let more = units::count(u64::try_from(more).unwrap_or(u64::MAX), "more note", "more notes");
        out.paragraph(DIM, &format!("{more} in the saved file and, up to 200, on the page"));
    }
}

/// As many tables as the width asks for.
fn tables(out: &mut Output, names: &[String], title: &str, columns: &[Column], width: usize) {
    let chars = |text: &str| text.chars().count();
    let widest = names.iter().map(|name| chars(name)).max().unwrap_or(0).max(chars(title));
    // A long name wraps rather than push the figures out.
    let name_width = widest.min((width / 3).max(12));
    let of = |column: &Column| {
        let cells = column.cells.iter().flatten().chain(&column.heading);
        GAP + cells.map(|text| chars(text)).max().unwrap_or(0)
    };
    let mut rest = columns;
    while !rest.is_empty() {
        let mut taken = 0;
        let mut used = name_width;
        for column in rest {
            if taken > 0 && used + of(column) > width {
                break;
            }
            used += of(column);
            taken += 1;
        }
        let (these, later) = rest.split_at(taken);
        one_table(out, names, title, these, name_width);
        rest = later;
    }
}

fn one_table(out: &mut Output, names: &[String], title: &str, columns: &[Column], name_width: usize) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let mut header = vec![Cell::new(title)];
    let heads = columns.iter().any(|column| !column.heading[1].is_empty());
    header.extend(
        columns
            .iter()
            .map(|column| right(if heads { column.heading.join("\n") } else { column.heading[0].clone() })),
    );
    table.set_header(header);
    for (index, name) in names.iter().enumerate() {
        let mut row = vec![Cell::new(wrap(name, name_width).join("\n"))];
        row.extend(columns.iter().map(|column| {
            let [figure, range] = column.cells.get(index).cloned().unwrap_or_default();
            let figure = if figure.is_empty() { "–  ".to_owned() } else { figure };
            right(if range.is_empty() { figure } else { format!("{figure}\n{range}") })
        }));
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == columns.len() { 0 } else { 2 }));
    }
    for (number, line) in table.lines().enumerate() {
        out.row(line.trim_end(), number <= usize::from(heads), name_width);
    }
    out.text.push('\n');
}

/// A text in lines of at most `width` characters, cut at spaces and hyphens where there are any.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line: Vec<char> = Vec::new();
    for c in text.chars() {
        if line.len() == width {
            let last = |wanted: char| line.iter().rposition(|&c| c == wanted);
            let cut = last(' ').or_else(|| last('-')).map_or(width, |at| at + 1);
            let rest = line.split_off(cut);
            lines.push(line.iter().collect::<String>().trim_end().to_owned());
            line = rest;
        }
        line.push(c);
    }
    lines.push(line.iter().collect());
    lines
}

/// Text that grows.
struct Output {
    text: String,
    /// Of paragraphs.
    width: usize,
    color: bool,
}

impl Output {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.color && style != Style::new() && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A paragraph, its lines after the first indented.
    fn paragraph(&mut self, style: Style, text: &str) {
        if text.is_empty() {
            return;
        }
        for (number, line) in wrap(text, self.width - 2).into_iter().enumerate() {
            if number > 0 {
                self.text.push_str("  ");
            }
            let line = self.paint(style, &line);
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    /// A line of a table: the head, or a name and figures. Styled after it was laid out, for the layout counts characters.
    fn row(&mut self, line: &str, head: bool, name_width: usize) {
        if !self.color || head {
            let line = self.paint(BOLD, line);
            self.text.push_str(&line);
            self.text.push('\n');
            return;
        }
        let split = line.char_indices().nth(name_width).map_or(line.len(), |(at, _)| at);
        let (name, figures) = line.split_at(split);
        let name = self.paint(NAME, name);
        self.text.push_str(&name);
        // Words keep the spaces before them; a mark belongs to the figure before it.
        let mut rest = figures;
        while !rest.is_empty() {
            let start = rest.len() - rest.trim_start().len();
            let end = rest[start..].find(' ').map_or(rest.len(), |at| start + at);
            let (word, after) = (&rest[start..end], &rest[end..]);
            let (word, after) = match after.strip_prefix(' ').and_then(|after| after.strip_prefix(BEST)) {
                Some(after) => (format!("{word} {BEST}"), after),
                None => (word.to_owned(), after),
            };
            self.text.push_str(&rest[..start]);
            let style = match word.as_str() {
                best if best.ends_with(BEST) => GOOD,
                range if range.starts_with('[') => DIM,
                _ => Style::new(),
            };
            let word = self.paint(style, &word);
            self.text.push_str(&word);
            rest = after;
        }
        self.text.push('\n');
    }
}
