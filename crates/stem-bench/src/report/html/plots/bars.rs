//! Bars that lie, one for each strategy, made of segments: where the bytes are.

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::frame::{
    self, Area, Drawn, GRID, INK, Lane, MUTED, ON_FILL, REFERENCE, Size, pixels, svg, text, text_width,
};
use super::{Plot, PlotError};
use crate::report::units;

/// A part of a bar.
#[derive(Debug, Clone)]
pub(in super::super) struct Segment {
    /// Bytes.
    pub(in super::super) bytes: f64,
    pub(in super::super) fill: RGBColor,
    /// Stands on it where there is room.
    pub(in super::super) label: String,
}

/// A bar.
#[derive(Debug, Clone)]
pub(in super::super) struct Row {
    pub(in super::super) name: String,
    pub(in super::super) segments: Vec<Segment>,
    /// What stands behind it.
    pub(in super::super) figure: String,
    /// The ends of an uncertain length.
    pub(in super::super) range: Option<(f64, f64)>,
}

/// The plot.
#[derive(Debug, Default)]
pub(in super::super) struct Bars {
    pub(in super::super) rows: Vec<Row>,
    /// What the axis says.
    pub(in super::super) axis: &'static str,
    /// A line across all bars: where, and what it is.
    pub(in super::super) reference: Option<(f64, String)>,
}

impl Plot for Bars {
    fn sizes(&self) -> [Size; 2] {
        let rows = u32::try_from(self.rows.len().min(256)).unwrap_or(256);
        let head = if self.reference.is_some() { 22 } else { 0 };
        [
            Size { width: 880, height: head + 72 + 36 * rows, narrow: false },
            Size { width: 350, height: head + 72 + 54 * rows, narrow: true },
        ]
    }

    fn draw(&self, size: Size) -> Result<String, PlotError> {
        let lengths = self.rows.iter().map(|row| {
            let sum: f64 = row.segments.iter().map(|segment| segment.bytes).sum();
            row.range.map_or(sum, |(_, high)| sum.max(high))
        });
        let largest = lengths.chain(self.reference.iter().map(|(at, _)| *at)).fold(0.0, f64::max);
        let (divisor, unit) = units::size_unit(largest);
        let (left, right) = if size.narrow { (4, 10) } else { (190, 120) };
        let head = if self.reference.is_some() { 22 } else { 0 };
        let count = f64::from(pixels(self.rows.len()).max(1));
        let (top, bottom) = if size.narrow { (0.44, 0.9) } else { (0.14, 0.86) };
        svg(size, |area| {
            let mut chart = ChartBuilder::on(area)
                .margin(6)
                .margin_top(6 + head)
                .margin_left(left)
                .margin_right(right)
                .x_label_area_size(52)
                .build_cartesian_2d(0.0..frame::end(largest / divisor), count..0.0)?;
            chart
                .configure_mesh()
                .disable_y_mesh()
                .disable_y_axis()
                .x_labels(if size.narrow { 5 } else { 9 })
                .bold_line_style(GRID)
                .light_line_style(plotters::style::TRANSPARENT)
                .axis_style(MUTED)
                .label_style(text(MUTED, HPos::Center, VPos::Center))
                .axis_desc_style(text(INK, HPos::Center, VPos::Center))
                .x_label_formatter(&|value| units::exact(&units::number(*value)))
                .x_desc(format!("{unit} {}", self.axis))
                .draw()?;
            let scale = Scale { divisor, top, bottom };
            self.fill(&mut chart, scale)?;
            self.compare(&mut chart, scale, size.narrow)?;
            self.label(area, &chart, scale, Lane { across: 0..0, left, narrow: size.narrow })
        })
    }
}

/// How rows become pixels.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Bytes of a unit of the axis.
    divisor: f64,
    /// Where a bar begins in its row, as a share of it, and where it ends.
    top: f64,
    bottom: f64,
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Bars {
    /// Each row with its number.
    fn numbered(&self) -> impl Iterator<Item = (f64, &Row)> {
        self.rows.iter().enumerate().map(|(number, row)| (f64::from(pixels(number)), row))
    }

    /// The bars, and the ends of those that are uncertain.
    fn fill(&self, chart: &mut Chart<'_, '_>, Scale { divisor, top, bottom }: Scale) -> Drawn {
        for (row, bar) in self.numbered() {
            let mut from = 0.0;
            for segment in bar.segments.iter().filter(|segment| segment.bytes > 0.0) {
                let corners = [(from, row + top), (from + segment.bytes / divisor, row + bottom)];
                chart.draw_series([Rectangle::new(corners, segment.fill.filled())])?;
                chart.draw_series([Rectangle::new(corners, INK.stroke_width(1))])?;
                from += segment.bytes / divisor;
            }
            if let Some((low, high)) = bar.range {
                let middle = row + f64::midpoint(top, bottom);
                let (low, high) = (low / divisor, high / divisor);
                let line = |from, to| PathElement::new(vec![from, to], INK.stroke_width(2));
                let end = |at| line((at, middle - 0.16), (at, middle + 0.16));
                chart.draw_series([line((low, middle), (high, middle)), end(low), end(high)])?;
            }
        }
        Ok(())
    }

    /// The line across the bars.
    fn compare(
        &self,
        chart: &mut Chart<'_, '_>,
        Scale { divisor, top, bottom }: Scale,
        narrow: bool,
    ) -> Drawn {
        let Some((at, _)) = &self.reference else { return Ok(()) };
        // On a phone the lanes between the bars hold text.
        let ends = if narrow {
            self.numbered().map(|(row, _)| (row + top - 0.05, row + bottom + 0.05)).collect()
        } else {
            vec![(0.0, f64::from(pixels(self.rows.len())))]
        };
        chart.draw_series(ends.into_iter().map(|(from, to)| {
            PathElement::new(vec![(at / divisor, from), (at / divisor, to)], REFERENCE.stroke_width(2))
        }))?;
        Ok(())
    }

    /// All text, on top of everything.
    fn label(&self, area: &Area<'_>, chart: &Chart<'_, '_>, scale: Scale, mut lane: Lane) -> Drawn {
        let plotting = chart.plotting_area();
        let (across, down) = plotting.get_pixel_range();
        lane.across = across.clone();
        let x = |value: f64| plotting.map_coordinate(&(value, 0.0)).0;
        for (row, bar) in self.numbered() {
            let y = |at: f64| plotting.map_coordinate(&(0.0, row + at)).1;
            let middle = y(f64::midpoint(scale.top, scale.bottom));
            let mut from = 0.0;
            for segment in &bar.segments {
                let to = from + segment.bytes / scale.divisor;
                let (start, stop) = (x(from), x(to));
                if text_width(&segment.label) + 4 <= stop - start {
                    let place = (i32::midpoint(start, stop), middle);
                    let style = text(ON_FILL, HPos::Center, VPos::Center);
                    area.draw(&Text::new(segment.label.clone(), place, style))?;
                }
                from = to;
            }
            lane.write(area, &bar.name, &bar.figure, y(scale.top), middle)?;
        }
        if let Some((at, label)) = &self.reference {
            let at = x(at / scale.divisor);
            // Towards the side with more room.
            let side = if at > i32::midpoint(across.start, across.end) { HPos::Right } else { HPos::Left };
            area.draw(&Text::new(label.clone(), (at, down.start - 11), text(REFERENCE, side, VPos::Center)))?;
        }
        Ok(())
    }
}
