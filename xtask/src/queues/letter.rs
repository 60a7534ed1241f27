//! A message that could not be handled, and which of them a command is about.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The attributes that say why a message is dead. A re-driven message starts anew, without them. Those in
/// capitals are of EventBridge, which could not deliver to the queue:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
const REASON: [&str; 12] = [
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

/// A message that could not be handled.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    pub(crate) id: String,
    /// The message as it was sent.
    pub(crate) body: String,
    /// Why it is here, as the function that gave up wrote it down: see [`REASON`].
    pub(crate) attributes: BTreeMap<String, String>,
    /// When it was put here; where SQS moved it, when it was first sent.
    pub(crate) sent_at: Option<Timestamp>,
    pub(super) receipt: String,
    /// What else it carried: goes along when it is sent back.
    pub(super) kept: Vec<(String, MessageAttributeValue)>,
    receives: u32,
}

/// Which messages a command is about; all of them if nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    pub(crate) message_id: Option<String>,
    pub(crate) order_id: Option<String>,
    /// A kind (`reject`, `poison`, `exhausted`, `none`), or a part of the reason in any case.
    pub(crate) reason: Option<String>,
    /// Given up at or before then.
    pub(crate) until: Option<Timestamp>,
    /// Given up at or after then.
    pub(crate) since: Option<Timestamp>,
}

impl DeadLetter {
    pub(super) fn read(message: Message) -> Self {
        let system = message.attributes().cloned().unwrap_or_default();
        let receives = system.get(&MessageSystemAttributeName::ApproximateReceiveCount);
        let sent_at = system.get(&MessageSystemAttributeName::SentTimestamp);
        let attributes = message.message_attributes.unwrap_or_default();
        let (reason, kept): (Vec<_>, Vec<_>) =
            attributes.into_iter().partition(|(name, _)| REASON.contains(&name.as_str()));
        Self {
            id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            attributes: reason
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.string_value()?.to_owned())))
                .collect(),
            sent_at: sent_at.and_then(|millis| Timestamp::from_millisecond(millis.parse().ok()?).ok()),
            receipt: message.receipt_handle.unwrap_or_default(),
            kept,
            receives: receives.and_then(|count| count.parse().ok()).unwrap_or_default(),
        }
    }

    /// Why it is here, in a line.
    pub(crate) fn reason(&self) -> String {
        match self.attributes.get("error").or_else(|| self.attributes.get("ERROR_MESSAGE")) {
            Some(error) => error.clone(),
            None if self.is_stream_pointer() => {
                "Lambda gave up reading a piece of the stream: a pointer, without the event".to_owned()
            }
            // SQS moves a message without a word, when its function died before it could say why.
            None => format!("no reason given: SQS moved it (received {} times here)", self.receives),
        }
    }

    /// `exhausted`, `reject`, `poison`; `none` where nobody could say.
    pub(crate) fn kind(&self) -> &str {
        self.attributes.get("kind").map_or("none", String::as_str)
    }

    /// When it was given up, as far as that is known.
    pub(crate) fn failed_at(&self) -> Option<Timestamp> {
        self.attributes.get("failed_at").and_then(|at| at.parse().ok()).or(self.sent_at)
    }

    /// The event inside: the `detail` of what EventBridge sent, or the body itself. `None` if that is no JSON.
    pub(crate) fn event(&self) -> Option<Value> {
        let mut body: Value = serde_json::from_str(&self.body).ok()?;
        Some(body.get_mut("detail").map(Value::take).unwrap_or(body))
    }

    /// The order that it is about.
    pub(crate) fn order_id(&self) -> Option<String> {
        self.event()?.get("subject")?.as_str().map(str::to_owned)
    }

    /// Whether it holds no event, but says which part of a stream Lambda gave up on:
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>
    pub(crate) fn is_stream_pointer(&self) -> bool {
        serde_json::from_str::<Value>(&self.body).is_ok_and(|body| body.get("DDBStreamBatchInfo").is_some())
    }

    /// All of it, so that what is deleted can be put back.
    pub(crate) fn record(&self, queue: &str, now: Timestamp) -> Value {
        let kept = self.kept.iter().filter_map(|(name, value)| Some((name.clone(), value.string_value()?)));
        serde_json::json!({
            "queue": queue,
            "message_id": self.id,
            "sent_at": self.sent_at.map(|at| at.to_string()),
            "discarded_at": now.to_string(),
            "reason": self.attributes,
            "attributes": kept.collect::<BTreeMap<_, _>>(),
            "body": self.body,
        })
    }
}

impl Which {
    /// Whether nothing narrows it down.
    pub(crate) fn is_all(&self) -> bool {
        let Self { message_id, order_id, reason, until, since } = self;
        message_id.is_none() && order_id.is_none() && reason.is_none() && until.is_none() && since.is_none()
    }

    /// Those that were given up at least, or at most, so long before `now`.
    pub(crate) fn aged(
        self,
        older: Option<SignedDuration>,
        newer: Option<SignedDuration>,
        now: Timestamp,
    ) -> Self {
        let ago = |age: SignedDuration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        Self { until: older.map(ago), since: newer.map(ago), ..self }
    }

    pub(crate) fn means(&self, letter: &DeadLetter) -> bool {
        let reason = |wanted: &String| {
            wanted.eq_ignore_ascii_case(letter.kind())
                || letter.reason().to_lowercase().contains(&wanted.to_lowercase())
        };
        // A message of unknown age is neither old nor new.
        let failed_at = letter.failed_at();
        self.message_id.as_ref().is_none_or(|id| *id == letter.id)
            && self.order_id.as_ref().is_none_or(|id| letter.order_id().as_ref() == Some(id))
            && self.reason.as_ref().is_none_or(reason)
            && self.until.is_none_or(|until| failed_at.is_some_and(|at| at <= until))
            && self.since.is_none_or(|since| failed_at.is_some_and(|at| at >= since))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn attribute(value: &str) -> MessageAttributeValue {
        MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
    }

    /// A message that was buried a minute into 1970.
    pub(in crate::queues) fn letter(id: &str, body: &str) -> DeadLetter {
        let message = Message::builder()
            .message_id(id)
            .receipt_handle("r-1")
            .body(body)
            .attributes(MessageSystemAttributeName::SentTimestamp, "60000")
            .message_attributes("error", attribute("Stripe answered 503"))
            .message_attributes("kind", attribute("exhausted"))
            .message_attributes("tenant", attribute("blue"));
        DeadLetter::read(message.build())
    }

    #[test]
    fn the_event_is_found_with_and_without_an_envelope() {
        for body in [r#"{"detail-type":"x","detail":{"subject":"o-1"}}"#, r#"{"subject":"o-1"}"#] {
            assert_eq!(letter("m-1", body).order_id().as_deref(), Some("o-1"));
        }
        assert_eq!(letter("m-1", "no json").order_id(), None);
    }

    #[test]
    fn the_reason_is_told_and_what_else_was_there_is_kept() {
        let letter = letter("m-1", "{}");
        assert_eq!((letter.reason().as_str(), letter.kind()), ("Stripe answered 503", "exhausted"));
        assert_eq!(letter.kept.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["tenant"]);
        let record = letter.record("Q", Timestamp::UNIX_EPOCH);
        assert_eq!(record.pointer("/attributes/tenant").and_then(Value::as_str), Some("blue"));
        assert_eq!(record.pointer("/reason/kind").and_then(Value::as_str), Some("exhausted"));
        assert_eq!(record.pointer("/body").and_then(Value::as_str), Some("{}"));
    }

    #[test]
    fn messages_are_chosen_by_id_order_and_reason() {
        let letter = letter("m-1", r#"{"subject":"o-1"}"#);
        let which = |message: Option<&str>, order: Option<&str>, reason: Option<&str>| Which {
            message_id: message.map(str::to_owned),
            order_id: order.map(str::to_owned),
            reason: reason.map(str::to_owned),
            ..Which::default()
        };
        assert!(which(None, None, None).means(&letter) && which(None, None, None).is_all());
        assert!(which(Some("m-1"), Some("o-1"), Some("stripe ANSWERED")).means(&letter));
        assert!(which(None, None, Some("Exhausted")).means(&letter), "the kind");
        assert!(!which(Some("m-2"), None, None).means(&letter));
        assert!(!which(None, Some("o-2"), None).means(&letter));
        assert!(!which(None, None, Some("exhaust")).means(&letter), "a part of a kind is none");
        assert!(!which(None, None, Some("reject")).means(&letter));
    }

    #[test]
    fn messages_are_chosen_by_age() {
        let now = Timestamp::from_second(660).unwrap();
        let aged = |older: Option<i64>, newer: Option<i64>| {
            Which::default().aged(
                older.map(SignedDuration::from_secs),
                newer.map(SignedDuration::from_secs),
                now,
            )
        };
        let mut letter = letter("m-1", "{}");
        for (older, newer, wanted) in [
            (Some(600), None, true),
            (Some(601), None, false),
            (None, Some(600), true),
            (None, Some(599), false),
            (Some(300), Some(900), true),
        ] {
            assert_eq!(aged(older, newer).means(&letter), wanted, "{older:?} {newer:?}");
        }
        // What the function noted down counts more than when the message was put here.
        letter.attributes.insert("failed_at".to_owned(), "1970-01-01T00:10:59Z".to_owned());
        assert!(!aged(Some(600), None).means(&letter));
        letter.attributes.clear();
        letter.sent_at = None;
        assert!(!aged(Some(0), None).means(&letter) && !aged(None, Some(900)).means(&letter));
    }

    #[test]
    fn a_pointer_into_the_stream_is_told_from_an_event() {
        let pointer =
            r#"{"requestContext":{},"DDBStreamBatchInfo":{"shardId":"s","startSequenceNumber":"1"}}"#;
        assert!(letter("m", pointer).is_stream_pointer());
        assert!(!letter("m", r#"{"subject":"o-1"}"#).is_stream_pointer());
    }
}
