//! How long short reads take: a box for each strategy on a logarithmic axis.
//!
//! Curves (ECDF) of eight strategies cross each other so often that nobody can follow one; boxes with their names beside
//! them can be compared at a glance, and need no colours to be told apart.

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::prelude::IntoLogRange;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{CLASS_FILLS, GRID, INK, Lane, MUTED, Size, pixels, svg, text};
use super::{Plot, PlotError};
use crate::report::units;

/// One strategy; all times in seconds.
#[derive(Debug, Clone)]
pub(in super::super) struct Box {
    pub(in super::super) name: String,
    /// The quantiles 0.01, 0.25, 0.5, 0.75 and 0.99.
    pub(in super::super) quantiles: [f64; 5],
}

/// The plot.
#[derive(Debug)]
pub(in super::super) struct Latency {
    pub(in super::super) boxes: Vec<Box>,
}

impl Plot for Latency {
    fn sizes(&self) -> [Size; 2] {
        let rows = u32::try_from(self.boxes.len().min(256)).unwrap_or(256);
        [
            Size { width: 880, height: 74 + 36 * rows, narrow: false },
            Size { width: 350, height: 74 + 52 * rows, narrow: true },
        ]
    }

    fn draw(&self, size: Size) -> Result<String, PlotError> {
        let all = || self.boxes.iter().flat_map(|one| one.quantiles).filter(|&time| time > 0.0);
        let largest = all().fold(1e-6, f64::max);
        let smallest = all().fold(largest, f64::min);
        let rows = f64::from(pixels(self.boxes.len()).max(1));
        let (left, right) = if size.narrow { (16, 8) } else { (190, 180) };
        // Where a row's box lies; on a phone its name stands above it.
        let (top, bottom) = if size.narrow { (0.45, 0.85) } else { (0.2, 0.8) };
        svg(size, |area| {
            let mut chart = ChartBuilder::on(area)
                .margin(6)
                .margin_left(left)
                .margin_right(right)
                .x_label_area_size(52)
                .build_cartesian_2d((smallest / 1.3..largest * 1.3).log_scale(), rows..0.0)?;
            chart
                .configure_mesh()
                .disable_y_mesh()
                .disable_y_axis()
                .x_labels(if size.narrow { 4 } else { 9 })
                .bold_line_style(GRID)
                .light_line_style(plotters::style::TRANSPARENT)
                .axis_style(MUTED)
                .label_style(text(MUTED, HPos::Center, VPos::Center))
                .axis_desc_style(text(INK, HPos::Center, VPos::Center))
                .x_label_formatter(&|&time| units::exact(&units::seconds(time)))
                .x_desc("time of one read (each step ten times as long)")
                .draw()?;
            for (row, one) in self.boxes.iter().enumerate() {
                let row = f64::from(pixels(row));
                let [p1, p25, p50, p75, p99] = one.quantiles.map(|time| time.max(smallest));
                let middle = row + f64::midpoint(top, bottom);
                let ends = [p1, p99].map(|end| {
                    PathElement::new(vec![(end, row + top + 0.1), (end, row + bottom - 0.1)], INK)
                });
                chart.draw_series([PathElement::new(vec![(p1, middle), (p99, middle)], INK)])?;
                chart.draw_series(ends)?;
                let corners = [(p25, row + top), (p75, row + bottom)];
                chart.draw_series([Rectangle::new(corners, CLASS_FILLS[0].filled())])?;
                chart.draw_series([Rectangle::new(corners, INK.stroke_width(1))])?;
                chart.draw_series([PathElement::new(
                    vec![(p50, row + top), (p50, row + bottom)],
                    INK.stroke_width(3),
                )])?;
                chart.draw_series([Circle::new((p99, middle), 4, INK.filled())])?;
            }
            let plotting = chart.plotting_area();
            let lane = Lane { across: plotting.get_pixel_range().0, left, narrow: size.narrow };
            for (row, one) in self.boxes.iter().enumerate() {
                let row = f64::from(pixels(row));
                let [_, _, p50, _, p99] = one.quantiles;
                let figures = format!("{} · p99 {}", units::seconds(p50), units::seconds(p99));
                let y = |at: f64| plotting.map_coordinate(&(smallest, row + at)).1;
                lane.write(area, &one.name, &figures, y(top), y(f64::midpoint(top, bottom)))?;
            }
            Ok(())
        })
    }
}
