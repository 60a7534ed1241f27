//! JSON logs: one flat object per line, so that CloudWatch Logs Insights finds every field by its name.
//!
//! Every line carries the function. Every line written while a record is handled also carries
//! `correlation_id`, `order_id`, `attempt` and the other fields of its span. Personal data cannot get into
//! the logs by accident: the types of `domain` redact their `Debug` output, and [`crate::redact_values`]
//! removes the quoted values from the message of a parser.

use std::sync::Arc;

use json_subscriber::JsonLayer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::clock::{Clock, SystemClock};
use crate::metrics;

/// Starts logging to standard output and tracing ([`crate::trace::init`]) for the function `name`. Logs are written at `LOG_LEVEL` (`off`, or `error` to `trace`;
/// `info` if it is unset or invalid). Lines of [`metrics`] are written at every level because alarms need
/// them. Does nothing if logging has already been started.
///
/// Lambda applies its own filter afterwards, which drops lines by their `level` and treats lines without one
/// as `INFO`: the functions' `ApplicationLogLevel` has to be `TRACE`
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>).
pub fn init(name: &'static str) {
    // It identifies the function in the logs of the servers that it calls, as it does in our own.
    crate::http_client::set_function_name(name);
    let level =
        std::env::var("LOG_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let namespace = std::env::var("METRICS_NAMESPACE").ok().filter(|name| !name.is_empty());
    let namespace = namespace.unwrap_or_else(|| "orders".to_owned());
    let layer = layer(JsonLayer::stdout(), name, level, namespace, Arc::new(SystemClock));
    let _ = tracing_subscriber::registry().with(layer).try_init();
    crate::trace::init(name);
}

/// The lines of the function `name` that are metrics, which go to `writer` with the times of `clock`.
#[cfg(feature = "test-support")]
pub fn metric_lines<W>(
    writer: W,
    name: &'static str,
    namespace: &str,
    clock: Arc<dyn Clock>,
) -> tracing::Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = JsonLayer::new(writer);
    let layer = layer(lines, name, LevelFilter::OFF, namespace.to_owned(), clock);
    tracing_subscriber::registry().with(layer).into()
}

fn layer<W>(
    mut lines: JsonLayer<Registry, W>,
    name: &'static str,
    level: LevelFilter,
    namespace: String,
    clock: Arc<dyn Clock>,
) -> impl Layer<Registry>
where
    W: for<'a> MakeWriter<'a> + 'static,
{
    // The SDK and the runtime log little that we do not log ourselves, and their spans would replace ours on
    // the line.
    let quiet = level.min(LevelFilter::WARN);
    let filter = Targets::new()
        .with_default(level)
        .with_targets(
            ["aws", "aws_", "hyper", "hyper_util", "lambda_runtime", "rustls", "tower"].map(|t| (t, quiet)),
        )
        .with_target(metrics::TARGET, level.max(LevelFilter::INFO));
    lines.with_timer("timestamp", tracing_subscriber::fmt::time::SystemTime);
    lines.with_level("level");
    lines.with_target("target");
    lines.with_flattened_event();
    lines.with_top_level_flattened_span_list();
    lines.add_static_field("function", name.into());
    lines.add_dynamic_field("_aws", move |line, _| metrics::directive(line, &namespace, clock.now()));
    lines.with_filter(filter)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;
    use std::time::Duration;

    use serde_json::Value;
    use tracing::Instrument;

    use super::*;
    use crate::failure::Failure;
    use crate::handler::Labels;
    use crate::host::record::RecordOutcome;
    use crate::idempotency::{Idempotency, InMemoryIdempotencyStore, Key, OnUnknown, Task};
    use crate::memory::ManualClock;
    use crate::sync::lock;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Runs `work` and returns the lines that it logs.
    async fn logged(level: LevelFilter, work: impl Future<Output = ()>) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let lines = JsonLayer::new(move || writer.clone());
        let layer = layer(lines, "send-email", level, "shop".to_owned(), Arc::new(SystemClock));
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        work.await;
        drop(guard);
        let text = String::from_utf8(lock(&buffer.0).clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_metric_line_carries_its_directive() {
        let lines = logged(LevelFilter::INFO, async {
            let (failed, missing) = (Some(1), None::<u64>);
            tracing::info!(
                target: metrics::TARGET,
                ProviderMilliseconds = 3,
                RecordsHandled = 1,
                RecordsFailed = failed,
                RecordAgeSeconds = missing,
                outcome = "ok",
                queue = "Q",
                "m"
            );
        })
        .await;
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(
            (&line["RecordsFailed"], &line["queue"], &line["function"]),
            (&1.into(), &"Q".into(), &"send-email".into())
        );
        let of = |dimensions: &[&[&str]], name: &str, unit: &str| {
            serde_json::json!({
                "Namespace": "shop", "Dimensions": dimensions, "Metrics": [{"Name": name, "Unit": unit}],
            })
        };
        let wanted = [
            of(&[&["function"]], "RecordsHandled", "Count"),
            of(&[&["function"], &["function", "outcome"]], "RecordsFailed", "Count"),
            of(&[&["outcome"]], "ProviderMilliseconds", "Milliseconds"),
        ];
        assert_eq!(line["_aws"]["CloudWatchMetrics"], Value::from(wanted.to_vec()));
        assert!(line["_aws"]["Timestamp"].is_i64());
    }

    #[tokio::test]
    async fn a_line_is_one_flat_object_with_the_fields_of_its_span() {
        let event = serde_json::json!({
            "id": "e-1", "type": "payment.succeeded", "subject": "o-1", "correlationid": "request-1",
        });
        let lines = logged(LevelFilter::INFO, async {
            let deeper = async {
                async { tracing::warn!(attempts_left = 3, "not yet") }
                    .instrument(tracing::info_span!("inner", mail = "confirmation"))
                    .await;
            };
            deeper.instrument(Labels::from_event(&event).span(2, "lambda-1")).await;
            tracing::info!("outside");
        })
        .await;
        let [inside, outside] = lines.as_slice() else { panic!("{lines:?}") };
        let fields = inside.as_object().unwrap();
        for (name, value) in [
            ("function", "send-email".into()),
            ("level", "WARN".into()),
            ("message", "not yet".into()),
            ("attempt", 2.into()),
            ("order_id", "o-1".into()),
            ("correlation_id", "request-1".into()),
            ("event_type", "payment.succeeded".into()),
            ("event_id", "e-1".into()),
            ("request_id", "lambda-1".into()),
            ("mail", "confirmation".into()),
            ("attempts_left", 3.into()),
        ] {
            assert_eq!(fields.get(name), Some::<&Value>(&value), "{name} in {inside}");
        }
        assert!(fields.contains_key("timestamp"));
        assert!(fields.values().all(|value| !value.is_object() && !value.is_array()), "{inside}");
        assert_eq!(outside["function"], "send-email");
        assert_eq!(outside.get("order_id"), None, "the fields of a span end with it");
    }

    /// Tools reconstruct the history of an order from these fields.
    #[tokio::test]
    async fn the_outcome_of_a_record_is_one_line() {
        let lines = logged(LevelFilter::INFO, async {
            let failure = Failure::reject("no stock");
            let done = RecordOutcome {
                published: vec!["order.created", "payment.failed"],
                failure: None,
                retry_in: None,
                is_dead_letter: false,
                duration: Duration::from_millis(7),
                age: Some(Duration::from_millis(1500)),
            };
            done.write(&crate::trace::span(crate::trace::SpanKind::Internal, "record").start());
            let retry_in = Some(Duration::from_secs(2));
            let published = Vec::new();
            RecordOutcome { published, failure: Some(&failure), retry_in, is_dead_letter: true, ..done }
                .write(&crate::trace::span(crate::trace::SpanKind::Internal, "record").start());
        })
        .await;
        let [done, failed] = lines.as_slice() else { panic!("{lines:?}") };
        for (line, name, value) in [
            (done, "level", "INFO".into()),
            (done, "outcome", "ok".into()),
            (done, "published", "order.created,payment.failed".into()),
            (done, "duration_ms", 7.into()),
            (done, "RecordsHandled", 1.into()),
            (done, "RecordAgeSeconds", 1.5.into()),
            (failed, "level", "WARN".into()),
            (failed, "outcome", "reject".into()),
            (failed, "reason", "no stock".into()),
            (failed, "again_in_ms", 2000.into()),
            (failed, "dead_letter", true.into()),
            (failed, "duration_ms", 7.into()),
            (failed, "RecordsHandled", 1.into()),
            (failed, "RecordsFailed", 1.into()),
        ] {
            assert_eq!(line.get(name), Some::<&Value>(&value), "{name} in {line}");
        }
        let metrics = |line: &Value| line["_aws"]["CloudWatchMetrics"].to_string();
        assert!(metrics(failed).contains("RecordsFailed") && !metrics(failed).contains("RecordAgeSeconds"));
        assert!(!metrics(done).contains("RecordsFailed"), "what does not happen costs nothing: {done}");
    }

    /// Alarms need metrics, whichever log level an operator chooses.
    #[tokio::test]
    async fn metrics_are_written_at_every_level() {
        let levels = [
            LevelFilter::OFF,
            LevelFilter::ERROR,
            LevelFilter::WARN,
            LevelFilter::INFO,
            LevelFilter::DEBUG,
            LevelFilter::TRACE,
        ];
        for level in levels {
            let lines = logged(level, async {
                tracing::info!(target: metrics::TARGET, OldestOpenOrderSeconds = 2, queue = "Q", "orders");
                tracing::warn!(target: metrics::TARGET, IdempotentEffects = 1, idempotency = "unknown", "effect");
                tracing::info!("not a metric");
            })
            .await;
            let metrics = lines.iter().filter(|line| line["_aws"]["CloudWatchMetrics"].is_array()).count();
            assert_eq!(metrics, 2, "{level}: {lines:?}");
            assert_eq!(lines.len(), if level >= LevelFilter::INFO { 3 } else { 2 }, "{level}");
        }
    }

    #[tokio::test]
    async fn a_warning_keeps_the_fields_of_its_span_at_level_warn() {
        let event = serde_json::json!({ "subject": "o-1", "correlationid": "request-1" });
        let lines = logged(LevelFilter::WARN, async {
            async { tracing::warn!("not yet") }
                .instrument(Labels::from_event(&event).span(2, "lambda-1"))
                .await;
        })
        .await;
        assert_eq!(
            (&lines[0]["order_id"], &lines[0]["correlation_id"]),
            (&"o-1".into(), &"request-1".into())
        );
    }

    #[tokio::test]
    async fn libraries_log_warnings_only_and_levels_are_kept() {
        let lines = logged(LevelFilter::INFO, async {
            tracing::info!(target: "aws_smithy_runtime::client", "resolving");
            tracing::info!(target: "hyper::proto", "connecting");
            tracing::debug!("step by step");
            tracing::warn!(target: "aws_runtime", "clock skew");
        })
        .await;
        let messages: Vec<&Value> = lines.iter().map(|line| &line["message"]).collect();
        assert_eq!(messages, ["clock skew"]);
    }

    /// The lines follow the rules of the embedded metric format.
    #[tokio::test]
    async fn the_outcome_of_an_effect_is_a_metric() {
        let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
        let idempotency = Idempotency::new(Arc::new(InMemoryIdempotencyStore::default()), clock);
        let once = async |payload: &str| {
            let task = Task::new(Key::new("o-1", "mail"), &payload, jiff::Timestamp::UNIX_EPOCH).unwrap();
            let _ = idempotency.run_once(&task, OnUnknown::Retry, |_| async { Ok("m-1".to_owned()) }).await;
        };
        let lines = logged(LevelFilter::INFO, async {
            once("a").await;
            once("a").await;
            once("b").await;
            tracing::info!("not a metric");
        })
        .await;
        let (other, lines) = lines.split_last().unwrap();
        assert_eq!(other.get("_aws"), None);
        let outcomes: Vec<&Value> = lines.iter().map(|line| &line["idempotency"]).collect();
        assert_eq!(outcomes, ["claimed", "completed", "duplicate", "mismatch"]);
        for line in lines {
            let directive = &line["_aws"];
            assert!(
                directive["Timestamp"].as_i64().is_some_and(|at| at > 1_700_000_000_000),
                "milliseconds: {line}"
            );
            let [directive] = directive["CloudWatchMetrics"].as_array().unwrap().as_slice() else {
                panic!("{line}")
            };
            assert_eq!(directive["Namespace"], "shop");
            for dimension in directive["Dimensions"][0].as_array().unwrap() {
                let value = &line[dimension.as_str().unwrap()];
                assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{dimension} in {line}");
            }
            for metric in directive["Metrics"].as_array().unwrap() {
                assert_eq!(metric["Unit"], "Count");
                assert_eq!(line[metric["Name"].as_str().unwrap()], 1, "{metric} in {line}");
            }
            assert_eq!((&line["subject"], &line["effect"]), (&"o-1".into(), &"mail".into()));
        }
        assert_eq!(lines[3]["level"], "WARN", "logged as a warning");
    }
}
