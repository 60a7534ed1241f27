//! Metric data, as log lines and the namespaces of AWS have it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

/// Identifies a metric: each combination of the values of its dimensions is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// The namespace, such as `AWS/Lambda`.
    pub namespace: String,
    /// The name, such as `Errors`.
    pub name: String,
    /// The dimensions with their values.
    pub dimensions: BTreeMap<String, String>,
}

/// The values of metrics, by time in seconds.
#[derive(Debug, Clone, Default)]
pub struct Data(BTreeMap<Metric, Vec<(i64, f64)>>);

impl Data {
    /// Adds a value at a time in seconds. The values of a metric are added in the order of their times.
    pub fn add(&mut self, metric: Metric, second: i64, value: f64) {
        self.0.entry(metric).or_default().push((second, value));
    }

    /// Adds the metrics of a log line in the embedded metric format; none if the line has no `_aws`.
    ///
    /// # Errors
    /// If the line violates the format: a metric without a number, or a dimension without a text.
    pub fn add_line(&mut self, line: &str) -> Result<()> {
        let line: Value = serde_json::from_str(line)?;
        let Some(directives) = line["_aws"]["CloudWatchMetrics"].as_array() else { return Ok(()) };
        let second = line["_aws"]["Timestamp"].as_i64().context("_aws has no Timestamp")?.div_euclid(1000);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        for directive in directives {
            let namespace = text(&directive["Namespace"]).context("a directive has no Namespace")?;
            for set in directive["Dimensions"].as_array().context("a directive has no Dimensions")? {
                let names = set.as_array().context("a set of dimensions is no list")?.iter().filter_map(text);
                let dimensions = names
                    .map(|name| {
                        let value = text(&line[&name]).with_context(|| format!("no dimension {name}"))?;
                        Ok((name, value))
                    })
                    .collect::<Result<BTreeMap<_, _>>>()?;
                for definition in directive["Metrics"].as_array().context("a directive has no Metrics")? {
                    let name = text(&definition["Name"]).context("a metric has no Name")?;
                    let value = line[&name].as_f64().with_context(|| format!("{name} is no number"))?;
                    let metric =
                        Metric { namespace: namespace.clone(), name, dimensions: dimensions.clone() };
                    self.add(metric, second, value);
                }
            }
        }
        Ok(())
    }

    /// The values of a metric after `from` and at `until` or before, in seconds.
    pub fn values(&self, metric: &Metric, from: i64, until: i64) -> Vec<f64> {
        let all = self.0.get(metric).map(Vec::as_slice).unwrap_or_default();
        let start = all.partition_point(|(second, _)| *second <= from);
        let end = all.partition_point(|(second, _)| *second <= until);
        all.get(start..end).unwrap_or_default().iter().map(|(_, value)| *value).collect()
    }

    /// The time of the first value of any metric, in seconds; 0 if there is none.
    pub fn begins_at(&self) -> i64 {
        self.0.values().filter_map(|values| values.first()).map(|(second, _)| *second).min().unwrap_or(0)
    }

    /// The metrics that have values.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.0.keys()
    }
}
