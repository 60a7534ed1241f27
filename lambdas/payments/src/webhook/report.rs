//! What Stripe tells: an event of its API (<https://docs.stripe.com/api/events/object>).

use domain::event::{PaymentReported, ReportedStatus};
use domain::{Cause, Event, Fact, OrderId, PaymentIntentId, ProviderEventId};
use jiff::Timestamp;
use platform::telemetry::redact_values;
use serde::Deserialize;
use serde_json::Value;

/// As much of an event as we look at.
#[derive(Deserialize)]
struct StripeEvent {
    id: ProviderEventId,
    #[serde(rename = "type")]
    kind: String,
    /// In seconds since 1970.
    created: i64,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

/// What is not an event of Stripe's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotUnderstood(String);

/// A report about a PaymentIntent of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The order that the PaymentIntent was made for.
    pub order_id: OrderId,
    /// When Stripe says that it happened.
    pub at: Timestamp,
    /// What is reported.
    pub reported: PaymentReported,
}

impl Report {
    /// Reads the body of a webhook. `None` when it is not for us: about something other than what becomes of a
    /// PaymentIntent, or about one that was made for no order, as others may on the same account.
    ///
    /// # Errors
    /// When it is no event, or one of an order's PaymentIntent that lacks what it should have.
    pub fn read(body: &[u8]) -> Result<Option<Self>, NotUnderstood> {
        let understand = |error: serde_json::Error| NotUnderstood(redact_values(&error.to_string()));
        let StripeEvent { id: report, kind, created, data: Data { object } } =
            serde_json::from_slice(body).map_err(understand)?;
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
            payment_intent.ok_or_else(|| NotUnderstood("the PaymentIntent has no id".to_owned()))?;
        let at =
            Timestamp::from_second(created).map_err(|_| NotUnderstood("created is no time".to_owned()))?;
        Ok(Some(Self { order_id, at, reported: PaymentReported { payment_intent, report, status } }))
    }

    /// The event that tells of it: the same one, however often Stripe sends it.
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

    fn read(event: &Value) -> Result<Option<Report>, NotUnderstood> {
        Report::read(event.to_string().as_bytes())
    }

    #[test]
    fn what_becomes_of_an_orders_payment_intent_is_a_report() {
        for (kind, status) in [
            ("payment_intent.processing", ReportedStatus::Processing),
            ("payment_intent.succeeded", ReportedStatus::Succeeded),
            ("payment_intent.payment_failed", ReportedStatus::Failed),
            ("payment_intent.canceled", ReportedStatus::Cancelled),
        ] {
            let report = read(&event(kind)).unwrap().unwrap();
            assert_eq!((report.order_id.to_string().as_str(), report.at.as_second()), (ORDER, 1_795_428_930));
            let PaymentReported { payment_intent, report, status: read } = report.reported;
            assert_eq!((payment_intent.as_str(), report.as_str(), read), ("pi_1", "evt_1", status), "{kind}");
        }
    }

    #[test]
    fn what_is_not_about_an_order_is_passed_over() {
        for kind in ["payment_intent.created", "charge.refunded", "customer.created", "v1.whatever"] {
            assert_eq!(read(&event(kind)).unwrap(), None, "{kind}");
        }
        for metadata in [json!({}), json!(null), json!({ "order_id": "4711" }), json!({ "order_id": 1 })] {
            let mut event = event("payment_intent.succeeded");
            event["data"]["object"]["metadata"] = metadata;
            assert_eq!(read(&event).unwrap(), None, "{event}");
        }
        let object = json!({ "id": "evt_1", "type": "x", "created": 1, "data": { "object": "text" } });
        assert_eq!(read(&object).unwrap(), None);
    }

    #[test]
    fn what_is_no_event_is_refused_and_its_values_are_not_told() {
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
            let error = read(&event).unwrap_err().to_string();
            assert!(!error.contains("today") && !error.contains("spaces"), "{pointer}: {error}");
        }
        assert!(Report::read(b"\xff\xfe").is_err());
        assert!(Report::read("[".repeat(10_000).as_bytes()).is_err(), "nested too deep");
    }

    /// The same cases in every run.
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
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
            drop(Report::read(&bytes));
        }

        #[test]
        fn any_event_is_read_or_refused(
            id in "\\PC{0,12}", kind in "payment_intent\\.(succeeded|canceled|x)", created in any::<i64>(),
            intent in "\\PC{0,12}", order in "(01890a5d-ac96-774b-bcce-b302099a8057|\\PC{0,40})",
        ) {
            let event = json!({
                "id": id, "type": kind, "created": created,
                "data": { "object": { "id": intent, "metadata": { "order_id": order } } },
            });
            if let Ok(Some(report)) = read(&event) {
                prop_assert_eq!(report.order_id.to_string(), order);
                prop_assert_eq!(report.reported.payment_intent.to_string(), intent);
            }
        }
    }
}
