//! Metrics: log lines that CloudWatch Logs makes metrics of (its embedded metric format), with no call to wait for
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! ```
//! tracing::info!(target: platform::metrics::TARGET, OldestMessageSeconds = 3, queue = "SendEmailQueue", "a queue");
//! ```
//!
//! A field whose name begins with a capital letter is a metric: in seconds or milliseconds if it ends so, else a count.
//! Each other one is a dimension, beside `function`: such as a queue, and never anything with more than some dozens of
//! values. The namespace is `METRICS_NAMESPACE`. Such a line is written at every `LOG_LEVEL`, even `off`, from level `info` on.

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::Metadata;

/// What the target of such a line is.
pub const TARGET: &str = "platform::metrics";

/// What CloudWatch is to make of a line: the value of its field `_aws`. Nothing of the lines of others.
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
