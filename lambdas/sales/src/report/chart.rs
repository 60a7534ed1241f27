//! Charts: columns, as coordinates in an SVG (integers, in units of its view box), and rows.

use super::money::format_grouped;

/// The width of a chart.
const WIDTH: u64 = 960;
/// The width of the axis labels on the left.
const AXIS_WIDTH: u64 = 90;
/// The height of the plot.
const PLOT_HEIGHT: u64 = 200;
/// The margin above the plot.
const TOP_MARGIN: u64 = 10;
/// The maximum number of bars in a chart of products.
const MAX_ROWS: usize = 15;
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) width: u64,
    pub(super) height: u64,
    /// The index of its series, which determines the colour.
    pub(super) series: usize,
    /// The text that appears when the pointer is over the bar.
    pub(super) tooltip: String,
}

/// A grid line and its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) y: u64,
    pub(super) text: String,
}

/// The label of a group of bars, in one or two lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) x: u64,
    pub(super) text: String,
    pub(super) second_line: String,
}

/// A chart of grouped vertical bars, one group per hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnChart {
    pub(super) bars: Vec<Bar>,
    pub(super) ticks: Vec<Tick>,
    pub(super) labels: Vec<Label>,
    pub(super) series: Vec<&'static str>,
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) left: u64,
    pub(super) base: u64,
}

/// Returns the smallest of 1, 2, 5, 10, 20, 50, … that divides `max` into at most four steps.
fn grid_step(max: u64) -> u64 {
    let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(10));
    let steps = powers.flat_map(|power| [1, 2, 5].map(|digit| power.saturating_mul(digit)));
    steps.into_iter().find(|step| max.div_ceil(*step) <= 4).unwrap_or(u64::MAX)
}

/// Scales `value` to a length, where `axis_max` has the length `units`.
fn scale(value: u64, axis_max: u64, units: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(units) / u128::from(axis_max.max(1));
    u64::try_from(scaled).unwrap_or(units)
}

impl ColumnChart {
    /// Creates a chart with one group of bars per label, and one bar per series in each group. `digits` is
    /// the number of decimal places of the values.
    pub(super) fn new(labels: &[String], series: &[(&'static str, Vec<u64>)], digits: usize) -> Self {
        let max = series.iter().flat_map(|(_, values)| values).copied().max().unwrap_or_default().max(1);
        let step = grid_step(max);
        let steps = max.div_ceil(step);
        let axis_max = step.saturating_mul(steps);
        let base = TOP_MARGIN + PLOT_HEIGHT;
        let groups = u64::try_from(labels.len()).unwrap_or(1).max(1);
        let bars_of_group = u64::try_from(series.len()).unwrap_or(1).max(1);
        let slot = (WIDTH - AXIS_WIDTH) / groups;
        let width = (slot.saturating_sub(6) / bars_of_group).max(1);
        let mut bars = Vec::new();
        for (number, (name, values)) in series.iter().enumerate() {
            for ((group, label), value) in (0_u64..).zip(labels).zip(values) {
                // Every value above zero has a visible bar.
                let height = scale(*value, axis_max, PLOT_HEIGHT).max(u64::from(*value > 0));
                let x = AXIS_WIDTH + group * slot + 3 + u64::try_from(number).unwrap_or_default() * width;
                let tooltip = format!("{label}: {name} {}", format_grouped((*value).into(), digits));
                bars.push(Bar { x, y: base - height, width, height, series: number, tooltip });
            }
        }
        bars.retain(|bar| bar.height > 0);
        let tick = |number: u64| Tick {
            y: base - scale(number * step, axis_max, PLOT_HEIGHT),
            text: format_grouped(number.saturating_mul(step).into(), digits),
        };
        let label = |(group, label): (u64, &String)| {
            let (text, second_line) = label.split_once(" (").unwrap_or((label, ""));
            let second_line = second_line.trim_end_matches(')').to_owned();
            Label { x: AXIS_WIDTH + group * slot + slot / 2, text: text.to_owned(), second_line }
        };
        Self {
            bars,
            ticks: (0..=steps).map(tick).collect(),
            labels: (0_u64..).zip(labels).map(label).collect(),
            series: series.iter().map(|(name, _)| *name).collect(),
            width: WIDTH,
            height: base + 40,
            left: AXIS_WIDTH,
            base,
        }
    }
}

/// A horizontal bar with a name and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowBar {
    /// The length of the bar, in percent of the longest.
    pub(super) percent: u64,
    pub(super) name: String,
    pub(super) value: String,
}

/// A chart of horizontal bars with the largest values of a list. It is a list in the page, which adapts to the
/// width of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowChart {
    pub(super) rows: Vec<RowBar>,
}

impl RowChart {
    /// Creates a chart of the first values above zero. `values` is in descending order.
    pub(super) fn new(values: &[(String, u64)], digits: usize) -> Self {
        let shown: Vec<&(String, u64)> =
            values.iter().filter(|(_, value)| *value > 0).take(MAX_ROWS).collect();
        let max = shown.iter().map(|(_, value)| *value).max().unwrap_or_default();
        let row = |(name, value): &&(String, u64)| RowBar {
            percent: scale(*value, max, 100),
            name: name.clone(),
            value: format_grouped((*value).into(), digits),
        };
        Self { rows: shown.iter().map(row).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_round_numbers() {
        assert_eq!([1, 4, 5, 12, 100, 12_345].map(grid_step), [1, 1, 2, 5, 50, 5_000]);
        assert!(grid_step(u64::MAX) > u64::MAX / 5);
    }

    #[test]
    fn bars_stay_within_the_plot() {
        let labels: Vec<String> = (0..25).map(|hour| format!("{hour:02}:00")).collect();
        let values: Vec<u64> = (0..25).map(|hour| hour * hour * 1000).collect();
        let chart = ColumnChart::new(&labels, &[("a", values.clone()), ("b", vec![1; 25])], 2);
        assert!(chart.bars.iter().all(|bar| bar.x >= AXIS_WIDTH && bar.x + bar.width <= WIDTH));
        assert!(
            chart
                .bars
                .iter()
                .all(|bar| bar.y >= TOP_MARGIN && bar.y + bar.height == TOP_MARGIN + PLOT_HEIGHT)
        );
        assert_eq!(chart.bars.len(), 24 + 25, "zero has no bar, a small value has one");
        let ticks: Vec<&str> = chart.ticks.iter().map(|tick| tick.text.as_str()).collect();
        assert_eq!(ticks, ["0.00", "2,000.00", "4,000.00", "6,000.00"]);
    }

    #[test]
    fn rows_are_in_proportion_to_the_longest() {
        let chart = RowChart::new(&[("a".to_owned(), 900), ("b".to_owned(), 450), ("c".to_owned(), 0)], 2);
        let rows: Vec<(u64, &str)> = chart.rows.iter().map(|row| (row.percent, row.value.as_str())).collect();
        assert_eq!(rows, [(100, "9.00"), (50, "4.50")]);
    }

    #[test]
    fn a_day_without_sales_has_an_empty_chart() {
        let chart = ColumnChart::new(&["00:00".to_owned()], &[("a", vec![0])], 0);
        assert!(chart.bars.is_empty() && chart.ticks.len() == 2);
        assert!(RowChart::new(&[], 2).rows.is_empty());
    }
}
