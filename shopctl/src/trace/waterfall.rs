//! The waterfall of a trace: its spans as bars on one scale of time, each below the span that caused it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use terminal::ui::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, truncate};

use super::span::{Kind, Span};

/// The width of the columns in characters: a line fits a terminal of 140.
const NAME_WIDTH: usize = 52;
const BAR_WIDTH: usize = 48;

/// The spans of one trace, in the order of a tree.
pub struct Waterfall<'a> {
    rows: Vec<Row<'a>>,
    start: Timestamp,
    end: Timestamp,
}

/// A span in the tree.
struct Row<'a> {
    depth: usize,
    span: &'a Span,
    /// The time that a record waited between its publication and its handling: in the bus and in the queue.
    waited: Option<SignedDuration>,
}

impl<'a> Waterfall<'a> {
    /// The traces among `spans`, the one that started first is the first.
    pub fn of_each_trace(spans: &'a [Span]) -> Vec<Self> {
        let mut traces: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
        for span in spans {
            traces.entry(&span.trace_id).or_default().push(span);
        }
        let mut all: Vec<Self> = traces.into_values().filter_map(Self::new).collect();
        all.sort_by_key(|trace| trace.start);
        all
    }

    fn new(mut spans: Vec<&'a Span>) -> Option<Self> {
        spans.sort_by_key(|span| (span.start, span.end));
        let start = spans.iter().map(|span| span.start).min()?;
        let end = spans.iter().map(|span| span.end).max()?;
        let mut rows = Vec::new();
        let known = |id: &str| spans.iter().find(|span| span.span_id == id).copied();
        // A parent may be missing: that of the client, or one that was lost.
        for root in spans.iter().filter(|span| span.parent_id.as_deref().and_then(known).is_none()) {
            add(&mut rows, &spans, root, None, 0);
        }
        Some(Self { rows, start, end })
    }

    /// Prints the trace.
    pub fn print(&self) {
        let Some(first) = self.rows.first() else { return };
        anstream::println!(
            "{BOLD}Trace {}{BOLD:#}  {DIM}{} spans, {}{DIM:#}",
            first.span.trace_id,
            self.rows.len(),
            text(self.end.duration_since(self.start))
        );
        for row in &self.rows {
            self.print_row(row);
        }
    }

    fn print_row(&self, row: &Row<'_>) {
        let span = row.span;
        let indent = "  ".repeat(row.depth.min(12));
        let name = truncate(&format!("{indent}{}", name(span)), NAME_WIDTH);
        let style = match (span.error.is_some(), span.kind) {
            (true, _) => RED,
            (_, Kind::Client) => DIM,
            (_, Kind::Producer) => YELLOW,
            _ => GREEN,
        };
        let (before, during) = self.bar(span);
        let wait = row.waited.map(|waited| format!(" waited {}", text(waited))).unwrap_or_default();
        let error = span.error.as_ref().map(|error| format!(" {error}")).unwrap_or_default();
        anstream::println!(
            "{CYAN}{:<18}{CYAN:#} {name:<NAME_WIDTH$} {DIM}│{DIM:#}{}{style}{}{style:#}{} {:>9}{DIM}{wait}{DIM:#}{RED}{error}{RED:#}",
            span.function,
            " ".repeat(before),
            "█".repeat(during),
            " ".repeat(BAR_WIDTH.saturating_sub(before + during)),
            text(span.end.duration_since(span.start)),
        );
    }

    /// The columns before the bar of a span, and those of the bar, at least one.
    fn bar(&self, span: &Span) -> (usize, usize) {
        let whole = self.end.duration_since(self.start).as_nanos().max(1);
        let width = i128::try_from(BAR_WIDTH).unwrap_or_default();
        let column = |at: Timestamp| {
            usize::try_from(at.duration_since(self.start).as_nanos() * width / whole).unwrap_or_default()
        };
        let before = column(span.start).min(BAR_WIDTH - 1);
        (before, (column(span.end).saturating_sub(before)).clamp(1, BAR_WIDTH - before))
    }
}

fn add<'a>(rows: &mut Vec<Row<'a>>, all: &[&'a Span], span: &'a Span, parent: Option<&Span>, depth: usize) {
    let waited = parent
        .filter(|parent| span.kind == Kind::Consumer && parent.function != span.function)
        .map(|parent| span.start.duration_since(parent.end).max(SignedDuration::ZERO));
    rows.push(Row { depth, span, waited });
    for child in all.iter().filter(|child| child.parent_id.as_deref() == Some(&span.span_id)) {
        add(rows, all, child, Some(span), depth + 1);
    }
}

/// What a span did: its operation, and on which event or host.
fn name(span: &Span) -> String {
    let about = match span.kind {
        Kind::Client if span.text("rpc.method").is_none() => span.text("server.address"),
        Kind::Consumer => span.text("event.type"),
        _ => None,
    };
    let attempt = span.number("messaging.delivery.attempt").filter(|attempt| *attempt > 1);
    let attempt = attempt.map(|attempt| format!(" (delivery {attempt})")).unwrap_or_default();
    match about {
        Some(about) => format!("{} {about}{attempt}", span.name),
        None => format!("{}{attempt}", span.name),
    }
}

fn text(duration: SignedDuration) -> String {
    let micros = duration.as_micros();
    match micros {
        ..10_000 => format!("{}.{:02} ms", micros / 1000, micros % 1000 / 10),
        10_000..1_000_000 => format!("{} ms", micros / 1000),
        _ => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::super::span::{parse, tests::line};
    use super::*;

    #[test]
    fn each_span_is_below_its_cause_with_the_time_that_it_waited() {
        // A request publishes at 20 ms; the consumer begins at 120 ms. The parent of the request is the client's.
        let lines = [
            line("reserve-inventory", "c", "b", 5, (120, 200)),
            line("orders-api", "a", "client", 2, (0, 30)),
            line("orders-api", "b", "a", 4, (10, 20)),
        ];
        let spans: Vec<Span> = lines.iter().flat_map(|line| parse(line)).collect();
        let [trace] = Waterfall::of_each_trace(&spans).try_into().ok().unwrap();
        let rows: Vec<_> =
            trace.rows.iter().map(|row| (row.span.span_id.as_str(), row.depth, row.waited)).collect();
        let waited = Some(SignedDuration::from_millis(100));
        assert_eq!(rows, [("a", 0, None), ("b", 1, None), ("c", 2, waited)]);
        assert_eq!(name(trace.rows[2].span), "process order.created (delivery 2)");
        let bars: Vec<_> = trace.rows.iter().map(|row| trace.bar(row.span)).collect();
        assert_eq!(bars, [(0, 7), (2, 2), (28, 20)]);
    }

    #[test]
    fn durations_have_three_digits_or_so() {
        let texts = [1_234, 12_345, 1_234_567].map(|micros| text(SignedDuration::from_micros(micros)));
        assert_eq!(texts, ["1.23 ms", "12 ms", "1.23 s"]);
    }
}
