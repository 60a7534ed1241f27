//! The spans in the logs of the functions.

use shopctl::trace::{Span, parse};

use crate::stack::Stack;

impl Stack {
    /// Returns the spans of `functions`, by the names of their binaries, in log lines that contain `term`: the id of a
    /// trace or of an order.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub async fn spans(&self, functions: &[&str], term: &str) -> anyhow::Result<Vec<Span>> {
        let logs = aws_sdk_cloudwatchlogs::Client::new(self.aws.sdk_config());
        let mut spans = Vec::new();
        for function in functions {
            let mut pages = logs
                .filter_log_events()
                .log_group_name(format!("/{}/{function}", self.name))
                .filter_pattern(format!("\"{term}\""))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                for event in page?.events() {
                    spans.extend(parse(event.message().unwrap_or_default()));
                }
            }
        }
        spans.sort_by_key(|span| span.start);
        Ok(spans)
    }
}
