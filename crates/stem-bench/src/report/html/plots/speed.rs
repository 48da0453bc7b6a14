//! Speed against stored size: one point for each strategy, with the range of its rounds and its name, or its number where
//! there are so many that the lines to their names would cross.

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::element::{Circle, EmptyElement, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::IntoLogRange;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{self, Area, Drawn, GRID, INK, LETTERS, MUTED, SERIES, Size, svg, text, text_width};
use super::labels::{self, Rect};
use super::{Plot, PlotError};
use crate::report::units;

/// One strategy.
#[derive(Debug, Clone)]
pub(in super::super) struct Point {
    pub(in super::super) name: String,
    /// The place of the strategy in the comparison: it has the same colour and shape in every plot.
    pub(in super::super) index: usize,
    /// The stored size as a share of the files.
    pub(in super::super) share: f64,
    /// Bytes in a second: the median, and the range if there is one.
    pub(in super::super) speed: f64,
    pub(in super::super) range: Option<(f64, f64)>,
}

/// The plot.
#[derive(Debug)]
pub(in super::super) struct Speed {
    pub(in super::super) points: Vec<Point>,
    /// What the upright axis says: `stored`.
    pub(in super::super) what: &'static str,
}

impl Speed {
    /// With more points than this, names stand further from their points than from others.
    const NAMED: usize = 12;

    /// Whether points have numbers in place of names: the place of the strategy, from 1.
    pub(in super::super) fn is_numbered(&self) -> bool {
        self.points.len() > Self::NAMED
    }

    fn label(&self, point: &Point) -> String {
        if self.is_numbered() { (point.index + 1).to_string() } else { point.name.clone() }
    }
}

impl Plot for Speed {
    fn sizes(&self) -> [Size; 2] {
        let more = u32::try_from(self.points.len().saturating_sub(8).min(40)).unwrap_or(0) * 5;
        [
            Size { width: 450, height: 380 + more, narrow: false },
            Size { width: 350, height: 360 + more, narrow: true },
        ]
    }

    fn draw(&self, size: Size) -> Result<String, PlotError> {
        let ends = || {
            self.points.iter().flat_map(|point| {
                let (low, high) = point.range.unwrap_or((point.speed, point.speed));
                [low, high]
            })
        };
        let largest = ends().fold(0.0, f64::max);
        let smallest = ends().filter(|&end| end > 0.0).fold(largest, f64::min);
        let (divisor, unit) = units::speed_unit(largest);
        let unit = format!("{unit}/s {}", self.what);
        svg(size, |area| {
            // Between the slowest and the fastest lies so much that the slow ones would lie on the axis.
            if smallest > 0.0 && largest / smallest > 12.0 {
                let scale = (smallest / divisor / 1.5..largest / divisor * 1.5).log_scale();
                self.chart(area, scale, divisor, &format!("{unit} (each step ten times as much)"))
            } else {
                self.chart(area, 0.0..frame::end(largest / divisor * 1.06), divisor, &unit)
            }
        })
    }
}

impl Speed {
    fn chart<Y>(&self, area: &Area<'_>, y: Y, divisor: f64, unit: &str) -> Drawn
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let widest = self.points.iter().map(|point| point.share * 100.0).fold(100.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_top(14)
            .margin_right(16)
            .x_label_area_size(52)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..frame::end(widest * 1.25), y)?;
        chart
            .configure_mesh()
            .x_labels(9)
            .y_labels(6)
            .bold_line_style(GRID)
            .light_line_style(plotters::style::TRANSPARENT)
            .axis_style(MUTED)
            .label_style(text(MUTED, HPos::Center, VPos::Center))
            .axis_desc_style(text(INK, HPos::Center, VPos::Center))
            .x_label_formatter(&|share| format!("{share:.0} %"))
            .y_label_formatter(&|speed| units::exact(&units::number(*speed)))
            .x_desc("size on disk, share of the files")
            .y_desc(unit)
            .draw()?;
        for point in &self.points {
            self::point(&mut chart, point, divisor)?;
        }
        self.names(area, &chart, divisor)
    }

    /// The names, after the points: text lies on top.
    fn names<Y: Ranged<ValueType = f64>>(
        &self,
        area: &Area<'_>,
        chart: &ChartContext<'_, SVGBackend<'_>, Cartesian2d<plotters::coord::types::RangedCoordf64, Y>>,
        divisor: f64,
    ) -> Drawn {
        let plotting = chart.plotting_area();
        let pixel = |x: f64, y: f64| plotting.map_coordinate(&(x, y));
        let (across, down) = plotting.get_pixel_range();
        let bounds =
            Rect { left: across.start + 2, top: down.start, right: across.end, bottom: down.end - 2 };
        // From the top down, so that the names of points above each other stand in their order.
        let mut sorted: Vec<&Point> = self.points.iter().collect();
        sorted.sort_by(|a, b| b.speed.total_cmp(&a.speed).then(a.share.total_cmp(&b.share)));
        let points: Vec<_> = sorted
            .iter()
            .map(|point| (pixel(point.share * 100.0, point.speed / divisor), text_width(&self.label(point))))
            .collect();
        // Ranges are not written over.
        let ranges: Vec<Rect> = self
            .points
            .iter()
            .filter_map(|point| {
                let (low, high) = point.range?;
                let (x, top) = pixel(point.share * 100.0, high / divisor);
                let (_, bottom) = pixel(point.share * 100.0, low / divisor);
                Some(Rect { left: x - 2, top, right: x + 2, bottom })
            })
            .collect();
        let height = LETTERS + 5;
        for (placed, (point, strategy)) in
            labels::place(&points, height, bounds, &ranges).iter().zip(points.iter().zip(sorted))
        {
            let Some(placed) = placed else { continue };
            if placed.led {
                let to = placed.place.nearest(point.0);
                area.draw(&PathElement::new(vec![point.0, to], MUTED))?;
            }
            // The width is a guess: the end of the name that is at the point is the one that must be right.
            let Rect { left, right, top, bottom } = placed.place;
            let (x, side) = match point.0.0 {
                x if x <= left => (left, HPos::Left),
                x if x >= right => (right, HPos::Right),
                _ => (i32::midpoint(left, right), HPos::Center),
            };
            let at = (x, i32::midpoint(top, bottom));
            area.draw(&Text::new(self.label(strategy), at, text(INK, side, VPos::Center)))?;
        }
        Ok(())
    }
}

/// A point, by the colour and the shape of its strategy: no two of the first 32 have both.
fn point<Y: Ranged<ValueType = f64>>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<plotters::coord::types::RangedCoordf64, Y>>,
    point: &Point,
    divisor: f64,
) -> Drawn {
    let color = SERIES.get(point.index % SERIES.len()).copied().unwrap_or(INK);
    let x = point.share * 100.0;
    let at = EmptyElement::at((x, point.speed / divisor));
    if let Some((low, high)) = point.range {
        chart.draw_series([PathElement::new(
            vec![(x, low / divisor), (x, high / divisor)],
            color.stroke_width(2),
        )])?;
    }
    let fill = color.filled();
    match (point.index + point.index / SERIES.len()) % 4 {
        0 => chart.draw_series([at + Circle::new((0, 0), 6, fill)])?,
        1 => chart.draw_series([at + Rectangle::new([(-5, -5), (5, 5)], fill)])?,
        2 => chart.draw_series([at + Polygon::new(vec![(0, -7), (7, 6), (-7, 6)], fill)])?,
        _ => chart.draw_series([at + Polygon::new(vec![(0, -8), (8, 0), (0, 8), (-8, 0)], fill)])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::frame::pixels;
    use super::*;

    fn points(number: usize) -> Vec<Point> {
        (0..number)
            .map(|index| Point {
                name: format!("strategy-{index}"),
                index,
                share: 0.3 + 0.01 * f64::from(pixels(index)),
                speed: 1e9 / f64::from(pixels(index) + 1),
                range: Some((0.9e9 / f64::from(pixels(index) + 1), 1.1e9 / f64::from(pixels(index) + 1))),
            })
            .collect()
    }

    #[test]
    fn draws_none_one_and_many() {
        for number in [0, 1, 8, 60] {
            let speed = Speed { points: points(number), what: "stored" };
            for size in speed.sizes() {
                let svg = speed.draw(size).unwrap();
                assert!(svg.contains("size on disk") && !svg.contains("NaN"));
                assert_eq!(svg.contains("strategy-0"), (1..=12).contains(&number));
            }
        }
    }
}
