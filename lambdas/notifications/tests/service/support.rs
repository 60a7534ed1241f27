//! Sample events, most of which cause an email.

use domain::fact::{OrderCreated, PaymentFailed, PaymentSucceeded, PaymentVoided, ReservationRejected};
use domain::{Cause, DeclineReason, Event, Fact, OrderDetails, OrderId, Shortage, ShortageKind, VoidReason};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

pub(crate) fn order_id() -> OrderId {
    OrderId::from(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057))
}

pub(crate) fn details_of(name: &str) -> OrderDetails {
    serde_json::from_value(json!({
        "customer": {"id": "cust-1", "name": name, "email": "ada@example.com"},
        "lines": [
            {"sku": "TEA-001", "quantity": 2, "unit_price": {"amount": 1250, "currency": "EUR"}},
            {"sku": "CUP-007", "quantity": 1, "unit_price": {"amount": 499, "currency": "EUR"}},
        ],
        "total": {"amount": 2999, "currency": "EUR"},
        "payment_method": "pm_card_visa",
        "placed_at": "2026-11-23T10:15:30Z",
    }))
    .unwrap()
}

fn details() -> OrderDetails {
    details_of("Ada Lovelace")
}

fn event(fact: Fact) -> Event {
    let cause = Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None };
    Event::new(order_id(), fact, Timestamp::UNIX_EPOCH, cause)
}

pub(crate) fn created() -> Event {
    event(Fact::OrderCreated(OrderCreated { order: details() }))
}

pub(crate) fn paid_by(order: OrderDetails) -> Event {
    let (amount, payment_intent) = (order.total, "pi_1".parse().unwrap());
    event(Fact::PaymentSucceeded(PaymentSucceeded { order, payment_intent, amount }))
}

pub(crate) fn paid() -> Event {
    paid_by(details())
}

pub(crate) fn rejected() -> Event {
    let price = serde_json::from_value(json!({"amount": 1300, "currency": "EUR"})).unwrap();
    let kinds = [
        ShortageKind::OutOfStock { available: 0 },
        ShortageKind::OutOfStock { available: 3 },
        ShortageKind::PriceChanged { price },
        ShortageKind::UnknownProduct,
    ];
    let shortage = |kind| Shortage { sku: "TEA-001".parse().unwrap(), kind };
    let shortages = kinds.map(shortage).to_vec();
    event(Fact::ReservationRejected(ReservationRejected { order: details(), shortages }))
}

pub(crate) fn sold_out() -> Event {
    let kind = ShortageKind::OutOfStock { available: 0 };
    let shortages = vec![Shortage { sku: "TEA-001".parse().unwrap(), kind }];
    event(Fact::ReservationRejected(ReservationRejected { order: details(), shortages }))
}

pub(crate) fn failed(decline_code: Option<&str>) -> Event {
    let reason =
        DeclineReason { code: "card_declined".into(), decline_code: decline_code.map(str::to_owned) };
    event(Fact::PaymentFailed(PaymentFailed { order: details(), reason }))
}

pub(crate) fn voided(reason: VoidReason) -> Event {
    event(Fact::PaymentVoided(PaymentVoided { order: details(), reason }))
}
