//! The JSON of the events on the bus. Changing one of these snapshots changes a contract with other teams.

use domain::fact::{
    CancellationRequested, OrderCreated, PaymentFailed, PaymentRefunded, PaymentReported, PaymentSucceeded,
    PaymentVoided, ReportedStatus, ReservationConfirmed, ReservationRejected, ReservationSettled,
};
use domain::{
    Cause, DeclineReason, Event, EventId, Fact, FactKind, ProductFactKind, Shortage, ShortageKind,
    VoidReason, source_of,
};
use serde_json::{Value, json};

use crate::sample::{cause, details, details_at, euros, order_id, sku, time};

/// One event of each type.
fn one_of_each() -> Vec<Event> {
    let order = details();
    let shortages = vec![
        Shortage { sku: sku(1), kind: ShortageKind::OutOfStock { available: 1 } },
        Shortage { sku: sku(2), kind: ShortageKind::PriceChanged { price: euros(599) } },
        Shortage { sku: sku(3), kind: ShortageKind::UnknownProduct },
    ];
    let reason =
        DeclineReason { code: "card_declined".into(), decline_code: Some("insufficient_funds".into()) };
    let facts = vec![
        Fact::OrderCreated(OrderCreated { order: order.clone() }),
        Fact::CancellationRequested(CancellationRequested {
            order: order.clone(),
            reason: VoidReason::CustomerRequest,
        }),
        Fact::ReservationConfirmed(ReservationConfirmed { order: order.clone() }),
        Fact::ReservationRejected(ReservationRejected { order: order.clone(), shortages }),
        Fact::ReservationCommitted(ReservationSettled {}),
        Fact::ReservationReleased(ReservationSettled {}),
        Fact::PaymentSucceeded(PaymentSucceeded {
            amount: order.total,
            payment_intent: "pi_3Q".parse().ok(),
            order: order.clone(),
        }),
        Fact::PaymentFailed(PaymentFailed { order: order.clone(), reason }),
        Fact::PaymentVoided(PaymentVoided { order, reason: VoidReason::Expired }),
        reported("evt_3Q"),
        refunded("re_3Q"),
    ];
    let first = Event::new(order_id(1), facts[0].clone(), time(0), cause());
    let later = Cause {
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ..first.to_cause()
    };
    let rest = facts.into_iter().skip(1).map(|fact| Event::new(order_id(1), fact, time(5), later.clone()));
    std::iter::once(first.clone()).chain(rest).collect()
}

fn reported(report: &str) -> Fact {
    Fact::PaymentReported(PaymentReported {
        payment_intent: "pi_3Q".parse().unwrap(),
        report: report.parse().unwrap(),
        status: ReportedStatus::Succeeded,
    })
}

fn refunded(refund: &str) -> Fact {
    let refund = refund.parse().unwrap();
    Fact::PaymentRefunded(PaymentRefunded { order: details(), refund, amount: euros(1000) })
}

#[test]
fn each_refund_has_its_own_event_id() {
    let event = |refund| Event::new(order_id(1), refunded(refund), time(5), cause());
    assert_eq!(event("re_1").id, event("re_1").id);
    assert_ne!(event("re_1").id, event("re_2").id);
}

#[test]
fn json_of_each_type() {
    for event in one_of_each() {
        insta::assert_json_snapshot!(event.fact.name(), event);
    }
}

#[test]
fn an_order_that_is_not_charged_has_no_payment_intent() {
    let order = details_at(0, 0);
    let fact = Fact::PaymentSucceeded(PaymentSucceeded { amount: order.total, payment_intent: None, order });
    let event = Event::new(order_id(1), fact, time(5), cause());
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!(json["data"].get("payment_intent"), None);
    assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
}

#[test]
fn json_round_trips() {
    for event in one_of_each() {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

fn changed(change: impl FnOnce(&mut Value)) -> Result<Event, String> {
    let mut json = serde_json::to_value(&one_of_each()[0]).unwrap();
    change(&mut json);
    serde_json::from_value(json).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_understood_is_refused_with_the_reason() {
    let cases: [(&str, Value, &str); 7] = [
        ("/type", json!("order.exploded"), "unknown variant `order.exploded`"),
        ("/specversion", json!("0.3"), "CloudEvents 0.3"),
        ("/dataschema", json!("urn:serverless-orders:event:order.created:2"), "order.created:2"),
        ("/dataschema", json!("urn:serverless-orders:event:payment.failed:1"), "payment.failed:1"),
        ("/subject", json!("o-1"), "UUID"),
        ("/data/order/total/amount", json!(1), "the total must be the sum"),
        ("/data/order/lines/0/quantity", json!(0), "must be 1 to 999"),
    ];
    for (pointer, value, reason) in cases {
        let error = changed(|json| *json.pointer_mut(pointer).unwrap() = value).unwrap_err();
        assert!(error.contains(reason), "{pointer}: {error}");
    }
    for field in ["specversion", "id", "source", "type", "subject", "time", "correlationid", "data"] {
        let error = changed(|json| drop(json.as_object_mut().unwrap().remove(field))).unwrap_err();
        assert!(error.contains(field), "without {field}: {error}");
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let event = changed(|json| {
        json["tracestate"] = json!("vendor=1");
        json["data"]["coupon"] = json!({"code": "TEA10"});
        json["data"]["order"]["gift"] = json!(true);
        json["data"]["order"]["lines"][0]["colour"] = json!("green");
    });
    assert_eq!(event.unwrap(), one_of_each()[0]);
}

#[test]
fn other_publishers_may_omit_optional_attributes_and_choose_their_own_source_and_id() {
    let event = changed(|json| {
        let fields = json.as_object_mut().unwrap();
        fields.remove("dataschema");
        fields.remove("datacontenttype");
        fields.insert("source".into(), json!("https://shop.example.com/orders"));
        fields.insert("id".into(), json!("3f2b8a7e-0c55-4a3e-9d2b-7f1f6d0c9b1a"));
    })
    .unwrap();
    assert_eq!(event.source, "https://shop.example.com/orders");
    assert_eq!(event.to_cause().causation_id.unwrap().to_string(), "3f2b8a7e-0c55-4a3e-9d2b-7f1f6d0c9b1a");
}

#[test]
fn the_same_fact_always_has_the_same_id() {
    let mut ids = Vec::new();
    for event in one_of_each() {
        let again = Event::new(event.subject, event.fact.clone(), time(999), one_of_each()[3].to_cause());
        assert_eq!(event.id, again.id, "{}", event.fact.name());
        let other = Event::new(order_id(2), event.fact.clone(), event.time, event.cause.clone());
        assert_ne!(event.id, other.id, "{}", event.fact.name());
        ids.push(event.id);
    }
    let expired =
        Fact::CancellationRequested(CancellationRequested { order: details(), reason: VoidReason::Expired });
    for fact in [expired, reported("evt_3R")] {
        ids.push(Event::new(order_id(1), fact, time(0), cause()).id);
    }
    let different: std::collections::BTreeSet<EventId> = ids.iter().copied().collect();
    assert_eq!(different.len(), ids.len(), "each fact about an order has its own id");
}

#[test]
fn each_type_has_the_service_that_publishes_it() {
    for kind in FactKind::ALL {
        assert_eq!(source_of(kind.name()), Some(kind.source()));
    }
    for kind in ProductFactKind::ALL {
        assert_eq!(source_of(kind.name()), Some(kind.source()));
    }
    assert_eq!(source_of("payment.voided"), Some("payments"));
    assert_eq!(source_of("order.exploded"), None);
}

#[test]
fn debug_redacts_personal_data() {
    for event in one_of_each() {
        let shown = format!("{event:?} {event:#?}");
        assert!(!shown.contains("Ada") && !shown.contains("example.com"), "{shown}");
        assert!(shown.contains(&order_id(1).to_string()));
    }
}
