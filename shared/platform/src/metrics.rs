//! Metrics in CloudWatch's embedded metric format: CloudWatch Logs extracts them from log lines, so that no
//! API call is needed
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! ```
//! tracing::info!(target: platform::metrics::TARGET, OldestMessageSeconds = 3, queue = "SendEmailQueue", "a queue");
//! ```
//!
//! A field whose name starts with a capital letter is a metric. Its unit is seconds or milliseconds if the
//! name ends with `Seconds` or `Milliseconds`, and a count otherwise. Every other field is a dimension in
//! addition to `function`; a dimension must not have more than a few dozen values. The namespace is
//! `METRICS_NAMESPACE`. Metric lines of level `info` and above are written at every `LOG_LEVEL`, even `off`.

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::Metadata;

/// The `tracing` target of a metric line.
pub const TARGET: &str = "platform::metrics";

/// The embedded-metric-format directive of a line, for its field `_aws`. `None` if the line is not a metric.
pub(crate) fn directive(line: &Metadata<'_>, namespace: &str, now: Timestamp) -> Option<Value> {
    if line.target() != TARGET {
        return None;
    }
    let is_metric = |name: &&str| name.starts_with(|first: char| first.is_ascii_uppercase());
    let names = || line.fields().iter().map(|field| field.name());
    let unit = |name: &str| match name {
        _ if name.ends_with("Milliseconds") => "Milliseconds",
        _ if name.ends_with("Seconds") => "Seconds",
        _ => "Count",
    };
    let metrics: Vec<Value> =
        names().filter(is_metric).map(|name| json!({ "Name": name, "Unit": unit(name) })).collect();
    let own = names().filter(|name| !is_metric(name) && *name != "message");
    let dimensions: Vec<&str> = std::iter::once("function").chain(own).collect();
    Some(json!({
        "Timestamp": now.as_millisecond(),
        "CloudWatchMetrics": [{ "Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics }],
    }))
}
