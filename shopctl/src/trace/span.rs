//! Spans in the functions' logs.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// A span: something that a function did.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    /// The span that caused this one; `None` at the start of a trace.
    pub parent_id: Option<String>,
    /// The spans of other traces that this one is about.
    pub links: Vec<Link>,
    pub function: String,
    pub name: String,
    pub kind: Kind,
    pub start: Timestamp,
    pub end: Timestamp,
    /// The reason of a failure.
    pub error: Option<String>,
    #[serde(skip)]
    pub(super) otlp: Value,
    #[serde(skip)]
    pub(super) resource: Value,
    #[serde(skip)]
    pub(super) scope: Value,
}

/// The span of another trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Link {
    pub trace_id: String,
    pub span_id: String,
}

/// The part that a span has in a communication
/// (<https://opentelemetry.io/docs/specs/otel/trace/api/#spankind>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    fn from_number(number: u64) -> Self {
        match number {
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Internal,
        }
    }
}

impl Span {
    /// The text of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        attribute(&self.otlp, name)?.get("stringValue")?.as_str()
    }

    /// The number of an attribute.
    pub fn number(&self, name: &str) -> Option<i64> {
        let value = attribute(&self.otlp, name)?.get("intValue")?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }
}

fn attribute<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    let attributes = of.get("attributes")?.as_array()?;
    attributes
        .iter()
        .find(|attribute| attribute.get("key").and_then(Value::as_str) == Some(name))?
        .get("value")
}

/// The spans in a line of a log; none if it is another line.
pub fn parse(line: &str) -> Vec<Span> {
    let Ok(line) = serde_json::from_str::<Value>(line.trim()) else { return Vec::new() };
    let mut spans = Vec::new();
    for group in list(&line, "resourceSpans") {
        let resource = group.get("resource").cloned().unwrap_or_default();
        for scope in list(group, "scopeSpans") {
            let found = list(scope, "spans").iter();
            spans.extend(found.filter_map(|span| read(span, &resource, scope.get("scope"))));
        }
    }
    spans
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn read(span: &Value, resource: &Value, scope: Option<&Value>) -> Option<Span> {
    let text = |name: &str| span.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name: &str| Timestamp::from_nanosecond(text(name)?.parse().ok()?).ok();
    let links = list(span, "links").iter().filter_map(|link| {
        let id = |name: &str| link.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Link { trace_id: id("traceId")?, span_id: id("spanId")? })
    });
    let function = attribute(resource, "faas.name").and_then(|name| name.get("stringValue")?.as_str());
    Some(Span {
        trace_id: text("traceId")?,
        span_id: text("spanId")?,
        parent_id: text("parentSpanId").filter(|id| !id.is_empty()),
        links: links.collect(),
        function: function.unwrap_or_default().to_owned(),
        name: text("name")?,
        kind: Kind::from_number(span.get("kind").and_then(Value::as_u64).unwrap_or_default()),
        start: time("startTimeUnixNano")?,
        end: time("endTimeUnixNano")?,
        error: attribute(span, "error.type")
            .and_then(|kind| Some(kind.get("stringValue")?.as_str()?.to_owned())),
        otlp: span.clone(),
        resource: resource.clone(),
        scope: scope.cloned().unwrap_or_default(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A line of a function's log with one span, whose times are in milliseconds.
    pub(in crate::trace) fn line(
        function: &str,
        id: &str,
        parent: &str,
        kind: u8,
        (start, end): (u64, u64),
    ) -> String {
        json!({ "resourceSpans": [{
            "resource": { "attributes": [{ "key": "faas.name", "value": { "stringValue": function } }] },
            "scopeSpans": [{ "scope": { "name": "serverless-orders" }, "spans": [{
                "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": id, "parentSpanId": parent, "kind": kind,
                "name": "process", "startTimeUnixNano": format!("{start}000000"), "endTimeUnixNano": format!("{end}000000"),
                "attributes": [
                    { "key": "event.type", "value": { "stringValue": "order.created" } },
                    { "key": "messaging.delivery.attempt", "value": { "intValue": "2" } },
                    { "key": "error.type", "value": { "stringValue": "retry" } },
                ],
                "links": [{ "traceId": "1af7651916cd43dd8448eb211c80319c", "spanId": "c7ad6b7169203331" }],
            }] }],
        }] })
        .to_string()
    }

    #[test]
    fn a_line_with_spans_is_parsed_and_others_are_not() {
        let line = line("reserve-inventory", "b7ad6b7169203331", "a7ad6b7169203331", 5, (1000, 1250));
        let [span] = parse(&line).try_into().unwrap();
        assert_eq!(
            (span.function.as_str(), span.name.as_str(), span.kind),
            ("reserve-inventory", "process", Kind::Consumer)
        );
        assert_eq!(span.parent_id.as_deref(), Some("a7ad6b7169203331"));
        assert_eq!((span.start.as_millisecond(), span.end.as_millisecond()), (1000, 1250));
        assert_eq!(
            (span.text("event.type"), span.number("messaging.delivery.attempt")),
            (Some("order.created"), Some(2))
        );
        assert_eq!((span.error.as_deref(), span.links.len()), (Some("retry"), 1));
        for other in [
            "",
            "START RequestId: 1",
            r#"{"message":"handled"}"#,
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#,
        ] {
            assert!(parse(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn a_span_without_a_parent_starts_a_trace() {
        let [span] = parse(&line("orders-api", "b7ad6b7169203331", "", 2, (1, 2))).try_into().unwrap();
        assert_eq!((span.parent_id, span.kind), (None, Kind::Server));
    }
}
