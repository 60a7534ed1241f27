//! Messages in dead-letter queues, and filters that select them.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The attributes that give the reason; a redriven message is sent without them. Those in capitals come from
/// EventBridge, when it cannot deliver to a queue:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
const REASON_ATTRIBUTES: [&str; 12] = [
    "error",
    "kind",
    "function",
    "attempt",
    "correlation_id",
    "failed_at",
    "ERROR_CODE",
    "ERROR_MESSAGE",
    "EXHAUSTED_RETRY_CONDITION",
    "RETRY_ATTEMPTS",
    "RULE_ARN",
    "TARGET_ARN",
];

/// A message in a dead-letter queue.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct DeadLetterMessage {
    pub id: String,
    /// The message as it was sent.
    pub body: String,
    /// The reason, as the failed function recorded it: see `REASON_ATTRIBUTES`.
    pub attributes: BTreeMap<String, String>,
    /// When it was sent to the dead-letter queue; if SQS moved it, when it was first sent.
    pub sent_at: Option<Timestamp>,
    pub(super) receipt_handle: String,
    /// The other attributes, which a redrive keeps.
    pub(super) other_attributes: Vec<(String, MessageAttributeValue)>,
    receives: u32,
}

/// Selects messages; the default selects all.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct MessageFilter {
    pub message_id: Option<String>,
    pub order_id: Option<String>,
    /// A kind (`reject`, `poison`, `exhausted`, `none`), or a part of the reason, ignoring case.
    pub reason: Option<String>,
    /// Failed at or before this time.
    pub failed_until: Option<Timestamp>,
    /// Failed at or after this time.
    pub failed_since: Option<Timestamp>,
}

impl DeadLetterMessage {
    pub(super) fn from_sqs(message: Message) -> Self {
        let system = message.attributes().cloned().unwrap_or_default();
        let receives = system.get(&MessageSystemAttributeName::ApproximateReceiveCount);
        let sent_at = system.get(&MessageSystemAttributeName::SentTimestamp);
        let attributes = message.message_attributes.unwrap_or_default();
        let (reason, other_attributes): (Vec<_>, Vec<_>) =
            attributes.into_iter().partition(|(name, _)| REASON_ATTRIBUTES.contains(&name.as_str()));
        Self {
            id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            attributes: reason
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.string_value()?.to_owned())))
                .collect(),
            sent_at: sent_at.and_then(|millis| Timestamp::from_millisecond(millis.parse().ok()?).ok()),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            other_attributes,
            receives: receives.and_then(|count| count.parse().ok()).unwrap_or_default(),
        }
    }

    /// The reason, in one line.
    pub fn reason(&self) -> String {
        match self.attributes.get("error").or_else(|| self.attributes.get("ERROR_MESSAGE")) {
            Some(error) => error.clone(),
            None if self.is_stream_pointer() => {
                "Lambda gave up on a batch of the stream: a pointer to it, without the events".to_owned()
            }
            // SQS moves a message without a reason if its function died before it could record one.
            None => format!("no reason given: moved by SQS (received {} times here)", self.receives),
        }
    }

    /// `exhausted`, `reject` or `poison`; `none` if no reason was recorded.
    pub fn kind(&self) -> &str {
        self.attributes.get("kind").map_or("none", String::as_str)
    }

    /// When its last attempt failed, as far as that is known.
    pub fn failed_at(&self) -> Option<Timestamp> {
        self.attributes.get("failed_at").and_then(|at| at.parse().ok()).or(self.sent_at)
    }

    /// The event in the message: the `detail` of an EventBridge event, or the body itself. `None` if that is
    /// not JSON.
    pub fn event(&self) -> Option<Value> {
        let mut body: Value = serde_json::from_str(&self.body).ok()?;
        Some(body.get_mut("detail").map(Value::take).unwrap_or(body))
    }

    /// The id of the order that it is about.
    pub fn order_id(&self) -> Option<String> {
        self.event()?.get("subject")?.as_str().map(str::to_owned)
    }

    /// Whether it holds no event, but the position in the stream of a batch that Lambda gave up on:
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>
    pub fn is_stream_pointer(&self) -> bool {
        serde_json::from_str::<Value>(&self.body).is_ok_and(|body| body.get("DDBStreamBatchInfo").is_some())
    }

    /// The complete message, from which a discarded one can be restored.
    pub fn record(&self, queue: &str, now: Timestamp) -> Value {
        let other_attributes = self.other_attributes.iter();
        let other_attributes =
            other_attributes.filter_map(|(name, value)| Some((name.clone(), value.string_value()?)));
        serde_json::json!({
            "queue": queue,
            "message_id": self.id,
            "sent_at": self.sent_at.map(|at| at.to_string()),
            "discarded_at": now.to_string(),
            "reason": self.attributes,
            "attributes": other_attributes.collect::<BTreeMap<_, _>>(),
            "body": self.body,
        })
    }
}

impl MessageFilter {
    /// Whether it selects all messages.
    pub fn matches_all(&self) -> bool {
        let Self { message_id, order_id, reason, failed_until, failed_since } = self;
        message_id.is_none()
            && order_id.is_none()
            && reason.is_none()
            && failed_until.is_none()
            && failed_since.is_none()
    }

    /// Also requires a minimum and a maximum age at the time `now`.
    pub fn with_age(
        self,
        min_age: Option<SignedDuration>,
        max_age: Option<SignedDuration>,
        now: Timestamp,
    ) -> Self {
        let ago = |age: SignedDuration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        Self { failed_until: min_age.map(ago), failed_since: max_age.map(ago), ..self }
    }

    /// Whether a message satisfies all conditions.
    pub fn matches(&self, message: &DeadLetterMessage) -> bool {
        let reason = |wanted: &String| {
            wanted.eq_ignore_ascii_case(message.kind())
                || message.reason().to_lowercase().contains(&wanted.to_lowercase())
        };
        // A message of unknown age matches neither limit.
        let failed_at = message.failed_at();
        self.message_id.as_ref().is_none_or(|id| *id == message.id)
            && self.order_id.as_ref().is_none_or(|id| message.order_id().as_ref() == Some(id))
            && self.reason.as_ref().is_none_or(reason)
            && self.failed_until.is_none_or(|until| failed_at.is_some_and(|at| at <= until))
            && self.failed_since.is_none_or(|since| failed_at.is_some_and(|at| at >= since))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn attribute(value: &str) -> MessageAttributeValue {
        MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
    }

    /// A message that was sent to the dead-letter queue a minute into 1970.
    pub(in crate::queues) fn message(id: &str, body: &str) -> DeadLetterMessage {
        let message = Message::builder()
            .message_id(id)
            .receipt_handle("r-1")
            .body(body)
            .attributes(MessageSystemAttributeName::SentTimestamp, "60000")
            .message_attributes("error", attribute("Stripe answered 503"))
            .message_attributes("kind", attribute("exhausted"))
            .message_attributes("tenant", attribute("blue"));
        DeadLetterMessage::from_sqs(message.build())
    }

    #[test]
    fn the_event_is_found_with_and_without_an_envelope() {
        for body in [r#"{"detail-type":"x","detail":{"subject":"o-1"}}"#, r#"{"subject":"o-1"}"#] {
            assert_eq!(message("m-1", body).order_id().as_deref(), Some("o-1"));
        }
        assert_eq!(message("m-1", "no json").order_id(), None);
    }

    #[test]
    fn the_reason_is_read_and_other_attributes_are_kept() {
        let message = message("m-1", "{}");
        assert_eq!((message.reason().as_str(), message.kind()), ("Stripe answered 503", "exhausted"));
        assert_eq!(
            message.other_attributes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["tenant"]
        );
        let record = message.record("Q", Timestamp::UNIX_EPOCH);
        assert_eq!(record.pointer("/attributes/tenant").and_then(Value::as_str), Some("blue"));
        assert_eq!(record.pointer("/reason/kind").and_then(Value::as_str), Some("exhausted"));
        assert_eq!(record.pointer("/body").and_then(Value::as_str), Some("{}"));
    }

    #[test]
    fn messages_are_selected_by_id_order_and_reason() {
        let dead = message("m-1", r#"{"subject":"o-1"}"#);
        let filter = |message: Option<&str>, order: Option<&str>, reason: Option<&str>| MessageFilter {
            message_id: message.map(str::to_owned),
            order_id: order.map(str::to_owned),
            reason: reason.map(str::to_owned),
            ..MessageFilter::default()
        };
        assert!(filter(None, None, None).matches(&dead) && filter(None, None, None).matches_all());
        assert!(filter(Some("m-1"), Some("o-1"), Some("stripe ANSWERED")).matches(&dead));
        assert!(filter(None, None, Some("Exhausted")).matches(&dead), "the kind");
        assert!(!filter(Some("m-2"), None, None).matches(&dead));
        assert!(!filter(None, Some("o-2"), None).matches(&dead));
        assert!(!filter(None, None, Some("exhaust")).matches(&dead), "a part of a kind does not match");
        assert!(!filter(None, None, Some("reject")).matches(&dead));
    }

    #[test]
    fn messages_are_selected_by_age() {
        let now = Timestamp::from_second(660).unwrap();
        let aged = |min: Option<i64>, max: Option<i64>| {
            MessageFilter::default().with_age(
                min.map(SignedDuration::from_secs),
                max.map(SignedDuration::from_secs),
                now,
            )
        };
        let mut message = message("m-1", "{}");
        for (min, max, wanted) in [
            (Some(600), None, true),
            (Some(601), None, false),
            (None, Some(600), true),
            (None, Some(599), false),
            (Some(300), Some(900), true),
        ] {
            assert_eq!(aged(min, max).matches(&message), wanted, "{min:?} {max:?}");
        }
        // The time that the function recorded takes precedence over the time at which the message was sent
        // here.
        message.attributes.insert("failed_at".to_owned(), "1970-01-01T00:10:59Z".to_owned());
        assert!(!aged(Some(600), None).matches(&message));
        message.attributes.clear();
        message.sent_at = None;
        assert!(!aged(Some(0), None).matches(&message) && !aged(None, Some(900)).matches(&message));
    }

    #[test]
    fn a_stream_pointer_is_distinguished_from_an_event() {
        let pointer =
            r#"{"requestContext":{},"DDBStreamBatchInfo":{"shardId":"s","startSequenceNumber":"1"}}"#;
        assert!(message("m", pointer).is_stream_pointer());
        assert!(!message("m", r#"{"subject":"o-1"}"#).is_stream_pointer());
    }
}
