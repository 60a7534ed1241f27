//! JSON logs: one object a line, flat, so that CloudWatch Logs Insights finds every field by its name.
//!
//! Every line carries the function, and every line that is written while something is handled carries
//! `correlation_id`, `order_id`, `attempt` and what else its span says. Customers' data cannot get in by
//! accident: the types of `domain::person` print themselves redacted, and [`without_values`] takes the quoted
//! values out of a parser's message.

use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard output for the function `name`, at `LOG_LEVEL` (`error` to `trace`; `info` where
/// it is not set or not understood). Does nothing when logging has been started before.
pub fn init(name: &'static str) {
    let level =
        std::env::var("LOG_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    // The SDK's and the runtime's own lines say little that ours do not; their spans would push ours off the line.
    let quiet = level.min(LevelFilter::WARN);
    let filter = Targets::new().with_default(level).with_targets(
        ["aws", "aws_", "hyper", "hyper_util", "lambda_runtime", "lambda_http", "rustls", "tower"]
            .map(|t| (t, quiet)),
    );
    let mut layer = json_subscriber::JsonLayer::stdout();
    layer.with_timer("timestamp", tracing_subscriber::fmt::time::SystemTime);
    layer.with_level("level");
    layer.with_target("target");
    layer.with_flattened_event();
    layer.with_top_level_flattened_span_list();
    layer.add_static_field("function", name.into());
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

/// The message with everything between double quotes taken out. Parsers quote the value that they did not
/// understand, and that may be somebody's address.
pub fn without_values(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    let mut parts = message.split('"');
    while let Some(outside) = parts.next() {
        shown.push_str(outside);
        if parts.next().is_some() {
            shown.push_str("\"…\"");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn a_parsers_message_loses_the_value_and_keeps_the_rest() {
        let error = serde_json::from_str::<u32>(r#""ada@example.com \" <x>""#).unwrap_err().to_string();
        assert!(error.contains("ada@example.com"), "the parser quotes it: {error}");
        let shown = without_values(&error);
        assert!(!shown.contains("ada") && shown.starts_with("invalid type: string"), "{shown}");
        assert_eq!(without_values("missing field `sku`"), "missing field `sku`");
    }
}
