//! Metrics in CloudWatch's embedded metric format: CloudWatch Logs extracts them from log lines, so that no
//! API call is needed
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! ```
//! tracing::info!(target: platform::metrics::TARGET, Orders = 1, outcome = "paid", "status changed");
//! ```
//!
//! [`METRICS`] declares every metric with its dimensions: each combination of their values is billed. Any other
//! field of the line is a property, which CloudWatch Logs Insights finds and nobody pays for: ids belong there. A
//! metric whose value is `None` is not on the line, so that what does not happen costs nothing. The namespace is
//! `METRICS_NAMESPACE`. Metric lines of level `info` and above are written at every `LOG_LEVEL`, even `off`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use strum::AsRefStr;
use tracing::Event;
use tracing::field::{Field, Visit};

/// The `tracing` target of a metric line.
pub const TARGET: &str = "platform::metrics";

/// The unit of a metric, as CloudWatch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsRefStr)]
#[expect(missing_docs, reason = "the names of CloudWatch")]
pub enum Unit {
    Count,
    Seconds,
    Milliseconds,
    None,
}

/// The declaration of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// The name, which is that of the field of a log line.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// The sets of dimensions by which it is aggregated. `function` is a field of every line; the others are fields
    /// of the line with the metric.
    pub dimensions: &'static [&'static [&'static str]],
    /// What a value says.
    pub meaning: &'static str,
}

const BY_FUNCTION: &[&[&str]] = &[&["function"]];

/// All custom metrics. `docs/decisions/0027-metrics.md` has what they cost.
pub const METRICS: [Metric; 14] = [
    Metric {
        name: "RecordsHandled",
        unit: Unit::Count,
        dimensions: BY_FUNCTION,
        meaning: "An attempt to handle a record of a queue or a stream has ended.",
    },
    Metric {
        name: "RecordsFailed",
        unit: Unit::Count,
        dimensions: &[&["function"], &["function", "outcome"]],
        meaning: "The attempt failed: it is retried (`retry`), or the record goes to the DLQ (`reject`, `poison`).",
    },
    Metric {
        name: "RecordAgeSeconds",
        unit: Unit::Seconds,
        dimensions: BY_FUNCTION,
        meaning: "The time from an event to the end of its successful handling.",
    },
    Metric {
        name: "Orders",
        unit: Unit::Count,
        dimensions: &[&["outcome"]],
        meaning: "An order was `placed`, or became `paid`, `rejected`, `payment_failed`, `cancelled` or `expired`. Not those of the health check.",
    },
    Metric {
        name: "Revenue",
        unit: Unit::None,
        dimensions: &[&["currency"]],
        meaning: "The total of a paid order, in the smallest unit of its currency.",
    },
    Metric {
        name: "OrderSeconds",
        unit: Unit::Seconds,
        dimensions: BY_FUNCTION,
        meaning: "The time from placing an order to its final status.",
    },
    Metric {
        name: "MailSeconds",
        unit: Unit::Seconds,
        dimensions: BY_FUNCTION,
        meaning: "The time from placing an order to the email about its outcome.",
    },
    Metric {
        name: "ProviderMilliseconds",
        unit: Unit::Milliseconds,
        dimensions: &[&["outcome"]],
        meaning: "The duration of a call to the payment provider, which was answered (`ok`, `refused`, `invalid`) or not (`unknown`).",
    },
    Metric {
        name: "OptimisticRetries",
        unit: Unit::Count,
        dimensions: BY_FUNCTION,
        meaning: "A write is repeated because the record was changed concurrently.",
    },
    Metric {
        name: "OldestOpenOrderSeconds",
        unit: Unit::Seconds,
        dimensions: BY_FUNCTION,
        meaning: "The age of the oldest order that is not final, 0 if there is none.",
    },
    Metric {
        name: "RepublishedEvents",
        unit: Unit::Count,
        dimensions: BY_FUNCTION,
        meaning: "Events that `expire-orders` found in the outbox, where `relay-outbox` had left them.",
    },
    Metric {
        name: "UnfinishedRuns",
        unit: Unit::Count,
        dimensions: BY_FUNCTION,
        meaning: "A run of `expire-orders` stopped at its time limit.",
    },
    Metric {
        name: "UnhealthyChecks",
        unit: Unit::Count,
        dimensions: BY_FUNCTION,
        meaning: "Whether a run of `check-health` found a problem: 1 or 0.",
    },
    Metric {
        name: "IdempotentEffects",
        unit: Unit::Count,
        dimensions: &[&["function", "idempotency"]],
        meaning: "The outcome of a request for an effect that may happen once, such as an email (decision 11).",
    },
];

/// The declaration of the metric `name`.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// The fields that a line has.
#[derive(Default)]
struct Fields(Vec<&'static str>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, _: &dyn std::fmt::Debug) {
        self.0.push(field.name());
    }
}

/// The embedded-metric-format directive of a line, for its field `_aws`. `None` if the line has no metric.
pub(crate) fn directive(line: &Event<'_>, namespace: &str, now: Timestamp) -> Option<Value> {
    if line.metadata().target() != TARGET {
        return None;
    }
    let mut fields = Fields::default();
    line.record(&mut fields);
    let has = |name: &str| name == "function" || fields.0.contains(&name);
    let mut by_dimensions: BTreeMap<&[&[&str]], Vec<Value>> = BTreeMap::new();
    for metric in METRICS.iter().filter(|metric| has(metric.name)) {
        let definition = json!({ "Name": metric.name, "Unit": metric.unit.as_ref() });
        by_dimensions.entry(metric.dimensions).or_default().push(definition);
    }
    // A line with a dimension missing would lose all its metrics.
    by_dimensions.retain(|sets, _| sets.iter().flat_map(|set| set.iter()).all(|name| has(name)));
    let directives = by_dimensions.into_iter().map(|(dimensions, metrics)| {
        json!({ "Namespace": namespace, "Dimensions": dimensions, "Metrics": metrics })
    });
    let directives: Vec<Value> = directives.collect();
    (!directives.is_empty())
        .then(|| json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": directives }))
}
