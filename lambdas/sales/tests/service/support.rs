//! Orders, their events, and a ledger that records them.

use domain::fact::{
    CancellationRequested, OrderCreated, PaymentFailed, PaymentRefunded, PaymentSucceeded, PaymentVoided,
    ReservationConfirmed, ReservationRejected,
};
use domain::{
    Cause, DeclineReason, Event, Fact, Money, OrderDetails, OrderId, Shortage, ShortageKind, VoidReason,
};
use jiff::{SignedDuration, Timestamp};
use platform::EventHandler;
use platform::clock::SystemClock;
use proptest::test_runner::{Config, RngSeed};
use sales::adapters::memory::InMemoryLedger;
use sales::ledger::record::RecordSale;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// A configuration with this number of cases, the same ones in every run unless `PROPTEST_RNG_SEED` selects
/// others.
pub(crate) fn cases(cases: u32) -> Config {
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(2026),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    Config { cases, rng_seed, failure_persistence: None, ..config }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn order_id(number: u128) -> OrderId {
    OrderId::from(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_0000 + number))
}

pub(crate) fn money(amount: u64, currency: &str) -> Money {
    serde_json::from_value(json!({ "amount": amount, "currency": currency })).unwrap()
}

/// An order with these lines: SKU, quantity and unit price.
pub(crate) fn details(placed_at: Timestamp, currency: &str, lines: &[(&str, u64, u64)]) -> OrderDetails {
    let total: u64 = lines.iter().map(|(_, quantity, price)| quantity * price).sum();
    let lines: Vec<Value> = lines
        .iter()
        .map(|(sku, quantity, price)| {
            json!({ "sku": sku, "quantity": quantity, "unit_price": money(*price, currency) })
        })
        .collect();
    serde_json::from_value(json!({
        "customer": { "id": "cust-1", "name": "Ada Lovelace", "email": "ada@example.com" },
        "lines": lines,
        "total": money(total, currency),
        "payment_method": "pm_card_visa",
        "placed_at": placed_at,
    }))
    .unwrap()
}

/// The events of an order.
pub(crate) enum OrderEvent {
    Created,
    CancellationRequested,
    Confirmed,
    OutOfStock(Vec<(&'static str, u32)>),
    Paid,
    Declined,
    Voided(VoidReason),
    Refunded(&'static str, u64),
}

pub(crate) fn event(id: OrderId, order: &OrderDetails, time: Timestamp, change: &OrderEvent) -> Event {
    let order = order.clone();
    let currency = order.total.currency.code();
    let fact = match change {
        OrderEvent::Created => Fact::OrderCreated(OrderCreated { order }),
        OrderEvent::CancellationRequested => {
            Fact::CancellationRequested(CancellationRequested { order, reason: VoidReason::CustomerRequest })
        }
        OrderEvent::Confirmed => Fact::ReservationConfirmed(ReservationConfirmed { order }),
        OrderEvent::OutOfStock(missing) => Fact::ReservationRejected(ReservationRejected {
            order,
            shortages: missing
                .iter()
                .map(|(sku, available)| Shortage {
                    sku: sku.parse().unwrap(),
                    kind: ShortageKind::OutOfStock { available: *available },
                })
                .collect(),
        }),
        OrderEvent::Paid => Fact::PaymentSucceeded(PaymentSucceeded {
            payment_intent: "pi_1".parse().ok(),
            amount: order.total,
            order,
        }),
        OrderEvent::Declined => Fact::PaymentFailed(PaymentFailed {
            order,
            reason: DeclineReason { code: "card_declined".to_owned(), decline_code: None },
        }),
        OrderEvent::Voided(reason) => Fact::PaymentVoided(PaymentVoided { order, reason: *reason }),
        OrderEvent::Refunded(refund, amount) => Fact::PaymentRefunded(PaymentRefunded {
            refund: refund.parse().unwrap(),
            amount: money(*amount, currency),
            order,
        }),
    };
    let cause = Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None };
    Event::new(id, fact, time, cause)
}

/// Records all events in the ledger.
pub(crate) async fn record(ledger: &Arc<InMemoryLedger>, events: &[Event]) {
    let handler = RecordSale { ledger: ledger.clone(), clock: Arc::new(SystemClock) };
    for event in events {
        assert!(handler.handle(event).await.unwrap().is_empty());
    }
}

/// A ledger with `count` orders, one every ten minutes from `start` on. Every third one is paid; of the
/// others, every seventh is rejected.
pub(crate) async fn some_orders(start: Timestamp, count: u128, lines_each: usize) -> Arc<InMemoryLedger> {
    let ledger = Arc::new(InMemoryLedger::default());
    let skus: Vec<String> = (0..lines_each).map(|number| format!("TEA-{number:03}")).collect();
    for number in 0..count {
        let placed = start + SignedDuration::from_mins(i64::try_from(number).unwrap() * 10);
        let later = placed + SignedDuration::from_secs(5);
        let lines: Vec<(&str, u64, u64)> = skus.iter().map(|sku| (sku.as_str(), 2, 1250)).collect();
        let mut order = details(placed, "EUR", &lines);
        order.customer.name = format!("=Ada \"{number}\", {}", "é".repeat(40)).parse().unwrap();
        let id = order_id(number);
        let mut events = vec![event(id, &order, placed, &OrderEvent::Created)];
        if number % 3 == 0 {
            events.push(event(id, &order, later, &OrderEvent::Paid));
        } else if number % 7 == 0 {
            events.push(event(id, &order, later, &OrderEvent::OutOfStock(vec![("TEA-000", 1)])));
        }
        record(&ledger, &events).await;
    }
    ledger
}
