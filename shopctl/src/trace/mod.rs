//! The traces of an order: what its functions did, and what caused what.

mod span;
mod waterfall;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use span::{Kind, Link, Span, parse};
pub use waterfall::Waterfall;

use crate::logs::Reader;

/// The traces in which an order was handled.
pub struct Traces {
    /// The spans, by their start.
    pub spans: Vec<Span>,
}

impl Traces {
    /// Reads the spans of every trace that has a span about the order, from the logs of all functions.
    ///
    /// # Errors
    /// When the logs cannot be read.
    pub fn of_order(logs: &Reader<'_>, order_id: &str, since: Option<Timestamp>) -> anyhow::Result<Self> {
        let about_order = spans(logs, order_id, since)?;
        let traces: BTreeSet<String> = about_order
            .into_iter()
            .filter(|span| span.text("order.id") == Some(order_id))
            .map(|span| span.trace_id)
            .collect();
        let mut all = Vec::new();
        for trace in traces {
            all.extend(spans(logs, &trace, since)?.into_iter().filter(|span| span.trace_id == trace));
        }
        all.sort_by_key(|span| (span.start, span.end));
        all.dedup_by(|a, b| a.span_id == b.span_id);
        Ok(Self { spans: all })
    }

    /// The traces as one document of OTLP/JSON, which viewers of traces open
    /// (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).
    pub fn to_otlp(&self) -> Value {
        let groups: Vec<Value> = self
            .spans
            .iter()
            .map(|span| {
                json!({ "resource": span.resource, "scopeSpans": [{ "scope": span.scope, "spans": [span.otlp] }] })
            })
            .collect();
        json!({ "resourceSpans": groups })
    }
}

fn spans(logs: &Reader<'_>, term: &str, since: Option<Timestamp>) -> anyhow::Result<Vec<Span>> {
    Ok(logs.lines(term, since)?.iter().flat_map(|line| span::parse(&line.text)).collect())
}
