//! Sample events, most of which cause an email.

use domain::fact::{OrderCreated, PaymentFailed, PaymentSucceeded, PaymentVoided, ReservationRejected};
use domain::{Cause, DeclineReason, Event, Fact, OrderDetails, OrderId, Shortage, ShortageKind, VoidReason};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) fn order_id() -> OrderId {
    OrderId::from(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057))
}

/// An order of Ada's in a language, with lines of a SKU, a quantity and a price in cents.
pub(crate) fn order(language: Option<&str>, lines: &[(&str, u32, u32)]) -> OrderDetails {
    let euros = |cents: u32| json!({ "amount": cents, "currency": "EUR" });
    let total = lines.iter().map(|(_, quantity, cents)| quantity * cents).sum();
    let lines: Vec<Value> = lines
        .iter()
        .map(
            |(sku, quantity, cents)| json!({ "sku": sku, "quantity": quantity, "unit_price": euros(*cents) }),
        )
        .collect();
    serde_json::from_value(json!({
        "customer": {
            "id": "cust-1", "name": "Ada Lovelace", "email": "ada@example.com", "language": language,
        },
        "lines": lines,
        "total": euros(total),
        "payment_method": "pm_card_visa",
        "placed_at": "2026-11-23T10:15:30Z",
    }))
    .unwrap()
}

pub(crate) fn details_in(language: Option<&str>) -> OrderDetails {
    order(language, &[("TEA-001", 2, 1250), ("CUP-007", 1, 499)])
}

pub(crate) fn details_of(name: &str) -> OrderDetails {
    let mut details = details_in(None);
    details.customer.name = name.parse().unwrap();
    details
}

fn event(fact: Fact) -> Event {
    let cause = Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None };
    Event::new(order_id(), fact, Timestamp::UNIX_EPOCH, cause)
}

pub(crate) fn created() -> Event {
    event(Fact::OrderCreated(OrderCreated { order: details_in(None) }))
}

pub(crate) fn paid_by(order: OrderDetails) -> Event {
    let (amount, payment_intent) = (order.total, "pi_1".parse().ok());
    event(Fact::PaymentSucceeded(PaymentSucceeded { order, payment_intent, amount }))
}

pub(crate) fn paid() -> Event {
    paid_by(details_in(None))
}

/// `reservation.rejected` with these shortages of the tea.
pub(crate) fn rejected(order: OrderDetails, kinds: &[ShortageKind]) -> Event {
    let shortage = |kind: &ShortageKind| Shortage { sku: "TEA-001".parse().unwrap(), kind: kind.clone() };
    let shortages = kinds.iter().map(shortage).collect();
    event(Fact::ReservationRejected(ReservationRejected { order, shortages }))
}

/// A shortage of each kind.
pub(crate) fn shortages() -> [ShortageKind; 4] {
    let price = serde_json::from_value(json!({"amount": 1300, "currency": "EUR"})).unwrap();
    [
        ShortageKind::OutOfStock { available: 0 },
        ShortageKind::OutOfStock { available: 3 },
        ShortageKind::PriceChanged { price },
        ShortageKind::UnknownProduct,
    ]
}

pub(crate) fn failed(order: OrderDetails, code: &str, decline_code: Option<&str>) -> Event {
    let reason = DeclineReason { code: code.into(), decline_code: decline_code.map(str::to_owned) };
    event(Fact::PaymentFailed(PaymentFailed { order, reason }))
}

pub(crate) fn voided(order: OrderDetails, reason: VoidReason) -> Event {
    event(Fact::PaymentVoided(PaymentVoided { order, reason }))
}

/// An error code for each text about a declined payment.
const CODES: &[&str] = &[
    "card_declined",
    "insufficient_funds",
    "withdrawal_count_limit_exceeded",
    "expired_card",
    "incorrect_cvc",
    "incorrect_number",
    "authentication_required",
    "card_not_supported",
    "currency_not_supported",
    "payment_method_missing",
    "amount_too_small",
    "amount_too_large",
    "processing_error",
    "invalid_request_error",
];

/// An event for each text of an email, with a name.
pub(crate) fn outcomes(language: Option<&str>) -> Vec<(String, Event)> {
    let details = || details_in(language);
    let free = order(language, &[("TEA-001", 1, 0)]);
    let mut outcomes = vec![
        ("confirmation".to_owned(), paid_by(details())),
        ("confirmation, free".to_owned(), paid_by(free)),
        ("rejection".to_owned(), rejected(details(), &shortages())),
    ];
    for code in CODES {
        outcomes.push((format!("payment failure, {code}"), failed(details(), code, None)));
    }
    for reason in [VoidReason::CustomerRequest, VoidReason::Expired, VoidReason::Provider] {
        outcomes.push((format!("cancellation, {}", reason.as_ref()), voided(details(), reason)));
    }
    outcomes
}

pub(crate) fn sold_out() -> Event {
    rejected(details_in(None), &[ShortageKind::OutOfStock { available: 0 }])
}
