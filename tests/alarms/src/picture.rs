//! Draws a dashboard as SVG, to be looked at: not as CloudWatch draws it.

use std::fmt::Write;

use crate::dashboard::{Dashboard, Line, Widget};
use crate::data::Data;

/// The size of a cell of CloudWatch's grid, in pixels.
const CELL: (f64, f64) = (56.0, 44.0);
const COLORS: [&str; 8] =
    ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"];

/// The picture of a dashboard with the data from one time to another, in seconds. `marked` is drawn as a vertical line.
pub fn picture(dashboard: &Dashboard, data: &Data, from: i64, until: i64, marked: i64) -> String {
    let mut svg = String::new();
    let mut height: f64 = 0.0;
    for widget in &dashboard.widgets {
        height = height.max((widget.y + widget.height) * CELL.1);
        let plot = Plot { widget, lines: widget.lines(data, from, until), from, until, marked };
        plot.draw(&mut svg);
    }
    let width = 24.0 * CELL.0;
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' font-family='sans-serif' font-size='11'>\
         <title>{}</title><rect width='100%' height='100%' fill='#f2f3f3'/>{svg}</svg>\n",
        dashboard.id
    )
}

struct Plot<'a> {
    widget: &'a Widget,
    lines: Vec<Line>,
    from: i64,
    until: i64,
    marked: i64,
}

impl Plot<'_> {
    fn draw(&self, svg: &mut String) {
        let widget = self.widget;
        let (x, y) = (widget.x * CELL.0 + 4.0, widget.y * CELL.1 + 4.0);
        let (width, height) = (widget.width * CELL.0 - 8.0, widget.height * CELL.1 - 8.0);
        let _ = write!(
            svg,
            "<svg x='{x}' y='{y}' width='{width}' height='{height}'><rect width='100%' height='100%' fill='white'/>\
             <text x='8' y='16' font-weight='bold'>{}</text>",
            escape(&widget.title)
        );
        if widget.is_single_value {
            let value = self.lines.first().and_then(|(_, values)| values.last());
            let value = value.map_or_else(|| "no data".to_owned(), |(_, value)| short(*value));
            let _ = write!(svg, "<text x='8' y='70' font-size='36'>{value}</text>");
        } else {
            self.draw_lines(svg, width, height);
        }
        svg.push_str("</svg>");
    }

    #[expect(clippy::cast_precision_loss, reason = "positions on a page")]
    fn draw_lines(&self, svg: &mut String, width: f64, height: f64) {
        let (left, right, top, bottom) = (46.0, width - 8.0, 26.0, height - 40.0);
        let marks = self.widget.annotations.iter().map(|(_, value)| *value);
        let values = self.lines.iter().flat_map(|(_, values)| values.iter().map(|(_, value)| *value));
        let all: Vec<f64> = values.chain(marks).collect();
        let max = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        // Percentages near 100 would all look alike on an axis from 0.
        let min = if least > 90.0 && max <= 100.0 { least.floor() } else { 0.0_f64.min(least) };
        if all.is_empty() {
            let _ = write!(svg, "<text x='{left}' y='50' fill='#888'>no data</text>");
            return;
        }
        let range = if max > min { max - min } else { 1.0 };
        let at_x = |second: i64| {
            left + (right - left) * (second - self.from) as f64 / (self.until - self.from).max(1) as f64
        };
        let at_y = |value: f64| bottom - (bottom - top) * (value - min) / range;
        for value in [min, f64::midpoint(min, min + range), min + range] {
            let y = at_y(value);
            let _ = write!(
                svg,
                "<path d='M{left} {y}H{right}' stroke='#ddd'/><text x='4' y='{}'>{}</text>",
                y + 4.0,
                short(value)
            );
        }
        let x = at_x(self.marked);
        let _ = write!(svg, "<path d='M{x} {top}V{bottom}' stroke='#d62728' stroke-dasharray='4'/>");
        for (label, value) in &self.widget.annotations {
            let y = at_y(*value);
            let _ = write!(
                svg,
                "<path d='M{left} {y}H{right}' stroke='#888' stroke-dasharray='2'/><text x='{}' y='{}' fill='#888'>{}</text>",
                left + 4.0,
                y - 3.0,
                escape(label)
            );
        }
        let mut legend = left;
        let mut row = height - 24.0;
        for ((label, values), color) in self.lines.iter().zip(COLORS.iter().cycle()) {
            let points: Vec<String> = values
                .iter()
                .map(|(second, value)| format!("{:.1},{:.1}", at_x(*second), at_y(*value)))
                .collect();
            let _ = write!(
                svg,
                "<polyline points='{}' fill='none' stroke='{color}' stroke-width='1.5'/>",
                points.join(" ")
            );
            // A line with one point would be invisible.
            if let [(second, value)] = values[..] {
                let (x, y) = (at_x(second), at_y(value));
                let _ = write!(svg, "<circle cx='{x:.1}' cy='{y:.1}' r='3' fill='{color}'/>");
            }
            // Of many lines, those that stay at zero would fill the legend.
            if self.lines.len() > COLORS.len() && values.iter().all(|(_, value)| *value <= 0.0) {
                continue;
            }
            let space = label.len() as f64 * 6.0 + 22.0;
            if legend + space > right {
                (legend, row) = (left, row + 14.0);
            }
            let _ = write!(
                svg,
                "<rect x='{legend}' y='{}' width='10' height='10' fill='{color}'/><text x='{}' y='{row}'>{}</text>",
                row - 9.0,
                legend + 13.0,
                escape(label)
            );
            legend += space;
        }
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        it if it >= 10_000.0 => format!("{:.0}k", value / 1000.0),
        it if it >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
