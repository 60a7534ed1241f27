//! The body of a webhook: an event of Stripe's API (<https://docs.stripe.com/api/events/object>).

use domain::fact::{PaymentReported, ReportedStatus};
use domain::{Cause, Event, Fact, OrderId, PaymentIntentId, ProviderEventId};
use jiff::Timestamp;
use platform::redact_values;
use serde::Deserialize;
use serde_json::Value;

/// The fields of an event that are used.
#[derive(Deserialize)]
struct StripeEvent {
    id: ProviderEventId,
    #[serde(rename = "type")]
    kind: String,
    /// In Unix seconds.
    created: i64,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

/// The error for a body that is not a valid event.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEvent(String);

/// A report about the PaymentIntent of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The order that the PaymentIntent pays.
    pub order_id: OrderId,
    /// The time of the event according to Stripe.
    pub at: Timestamp,
    /// The payload of the event to publish.
    pub reported: PaymentReported,
}

impl Report {
    /// Parses the body of a webhook. Returns `None` if the event is not relevant: its type is not a status
    /// change of a PaymentIntent, or the PaymentIntent has no order, because something else created it in the
    /// same account.
    ///
    /// # Errors
    /// When the body is not an event, or is an event of an order's PaymentIntent without the required fields.
    pub fn parse(body: &[u8]) -> Result<Option<Self>, InvalidEvent> {
        let invalid = |error: serde_json::Error| InvalidEvent(redact_values(&error.to_string()));
        let StripeEvent { id: report, kind, created, data: Data { object } } =
            serde_json::from_slice(body).map_err(invalid)?;
        let status = match kind.as_str() {
            "payment_intent.processing" => ReportedStatus::Processing,
            "payment_intent.succeeded" => ReportedStatus::Succeeded,
            "payment_intent.payment_failed" => ReportedStatus::Failed,
            "payment_intent.canceled" => ReportedStatus::Cancelled,
            _ => return Ok(None),
        };
        let order = object.pointer("/metadata/order_id").and_then(Value::as_str);
        let Some(order_id) = order.and_then(|id| id.parse().ok()) else { return Ok(None) };
        let payment_intent: Option<PaymentIntentId> =
            object.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let payment_intent =
            payment_intent.ok_or_else(|| InvalidEvent("the PaymentIntent has no id".to_owned()))?;
        let at = Timestamp::from_second(created)
            .map_err(|_| InvalidEvent("created is not a valid time".to_owned()))?;
        Ok(Some(Self { order_id, at, reported: PaymentReported { payment_intent, report, status } }))
    }

    /// Converts the report into an event. The event of a redelivered webhook has the same id.
    pub fn into_event(self, cause: Cause) -> Event {
        Event::new(self.order_id, Fact::PaymentReported(self.reported), self.at, cause)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
    use proptest::test_runner::RngSeed;
    use serde_json::json;

    use super::*;

    const ORDER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn event(kind: &str) -> Value {
        json!({
            "id": "evt_1", "object": "event", "api_version": "2024-06-20", "created": 1_795_428_930, "type": kind,
            "data": { "object": { "id": "pi_1", "object": "payment_intent", "metadata": { "order_id": ORDER } } },
        })
    }

    fn parse(event: &Value) -> Result<Option<Report>, InvalidEvent> {
        Report::parse(event.to_string().as_bytes())
    }

    #[test]
    fn a_status_change_of_an_orders_payment_intent_is_a_report() {
        for (kind, status) in [
            ("payment_intent.processing", ReportedStatus::Processing),
            ("payment_intent.succeeded", ReportedStatus::Succeeded),
            ("payment_intent.payment_failed", ReportedStatus::Failed),
            ("payment_intent.canceled", ReportedStatus::Cancelled),
        ] {
            let report = parse(&event(kind)).unwrap().unwrap();
            assert_eq!((report.order_id.to_string().as_str(), report.at.as_second()), (ORDER, 1_795_428_930));
            let PaymentReported { payment_intent, report, status: parsed } = report.reported;
            assert_eq!(
                (payment_intent.as_str(), report.as_str(), parsed),
                ("pi_1", "evt_1", status),
                "{kind}"
            );
        }
    }

    #[test]
    fn events_that_are_not_about_an_order_are_ignored() {
        for kind in ["payment_intent.created", "charge.refunded", "customer.created", "v1.whatever"] {
            assert_eq!(parse(&event(kind)).unwrap(), None, "{kind}");
        }
        for metadata in [json!({}), json!(null), json!({ "order_id": "4711" }), json!({ "order_id": 1 })] {
            let mut event = event("payment_intent.succeeded");
            event["data"]["object"]["metadata"] = metadata;
            assert_eq!(parse(&event).unwrap(), None, "{event}");
        }
        let object = json!({ "id": "evt_1", "type": "x", "created": 1, "data": { "object": "text" } });
        assert_eq!(parse(&object).unwrap(), None);
    }

    #[test]
    fn an_invalid_event_is_rejected_and_its_values_are_not_leaked() {
        let good = event("payment_intent.succeeded");
        for (pointer, value) in [
            ("/id", json!("an id with spaces")),
            ("/id", json!(null)),
            ("/type", json!(1)),
            ("/created", json!("today")),
            ("/created", json!(i64::MAX)),
            ("/data", json!([])),
            ("/data/object/id", json!("")),
            ("/data/object/id", json!("pi 1")),
        ] {
            let mut event = good.clone();
            *event.pointer_mut(pointer).unwrap() = value;
            let error = parse(&event).unwrap_err().to_string();
            assert!(!error.contains("today") && !error.contains("spaces"), "{pointer}: {error}");
        }
        assert!(Report::parse(b"\xff\xfe").is_err());
        assert!(Report::parse("[".repeat(10_000).as_bytes()).is_err(), "nested too deep");
    }

    /// A fixed seed, so that every run tests the same cases.
    fn cases() -> ProptestConfig {
        ProptestConfig {
            rng_seed: RngSeed::Fixed(2026),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_bytes_are_parsed_or_rejected(bytes in any::<Vec<u8>>()) {
            drop(Report::parse(&bytes));
        }

        #[test]
        fn any_event_is_parsed_or_rejected(
            id in "\\PC{0,12}", kind in "payment_intent\\.(succeeded|canceled|x)", created in any::<i64>(),
            intent in "\\PC{0,12}", order in "(01890a5d-ac96-774b-bcce-b302099a8057|\\PC{0,40})",
        ) {
            let event = json!({
                "id": id, "type": kind, "created": created,
                "data": { "object": { "id": intent, "metadata": { "order_id": order } } },
            });
            if let Ok(Some(report)) = parse(&event) {
                prop_assert_eq!(report.order_id.to_string(), order);
                prop_assert_eq!(report.reported.payment_intent.to_string(), intent);
            }
        }
    }
}
