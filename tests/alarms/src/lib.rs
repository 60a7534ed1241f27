//! Evaluates the alarms of `template.yaml` over metrics, with the semantics that CloudWatch documents, and shows
//! which planted fault raises which alarm.
//!
//! | Module | Contents |
//! |---|---|
//! | [`data`] | metrics: from log lines in the embedded metric format, or of AWS's own namespaces |
//! | [`statistic`] | the statistics of a period |
//! | [`expression`] | metric math |
//! | [`band`] | anomaly detection, approximated |
//! | [`state`] | missing data, M out of N |
//! | [`rule`] | the rules of composite alarms |
//! | [`alarm`] | the alarms of the template |
//! | [`timeline`] | the states of all alarms, minute by minute |
//! | [`dashboard`], [`picture`] | the dashboards of the template, drawn with the metrics of a run |
//! | [`faults`] | the planted faults, with the alarms that they must raise |
//! | [`document`] | `docs/ALARMS.md` |
//!
//! Not modelled: the delay of a minute or two until CloudWatch has a metric, and `INSUFFICIENT_DATA` of a new alarm.
#![expect(clippy::float_arithmetic, reason = "the values of metrics are floating-point numbers")]

pub mod alarm;
pub mod band;
pub mod dashboard;
pub mod data;
pub mod document;
pub mod expression;
pub mod faults;
pub mod picture;
pub mod rule;
pub mod state;
pub mod statistic;
pub mod timeline;
