//! Consistent snapshots, which the tests then break.

use domain::order::{Order, Outcome, Settlement};
use domain::payment::Payment;
use domain::reservation::{Reservation, ReservationState};
use domain::{Cause, OrderDetails, OrderId, Sku, VoidReason};
use invariants::{Email, Intent, Phase, Rule, Snapshot, Stock, Violation, check};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// The total of each order, in minor units.
pub(crate) const TOTAL: i64 = 100;

/// The orders of [`settled`], by outcome.
pub(crate) const PAID: u8 = 1;
pub(crate) const REJECTED: u8 = 2;
pub(crate) const DECLINED: u8 = 3;
pub(crate) const CANCELLED: u8 = 4;

pub(crate) fn id(number: u8) -> OrderId {
    OrderId::from(Uuid::from_u128(u128::from(number)))
}

pub(crate) fn sku() -> Sku {
    "TEA-001".parse().unwrap()
}

pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

/// A running system, `minute` minutes after the orders were placed. Orders count as stuck after half an hour.
pub(crate) fn running(minute: i64) -> Phase {
    Phase::Running { now: at(minute), stuck_after: SignedDuration::from_mins(30) }
}

pub(crate) fn details() -> OrderDetails {
    serde_json::from_value(json!({
        "customer": {"id": "c", "name": "Ada", "email": "ada@example.com"},
        "lines": [{"sku": sku(), "quantity": 2, "unit_price": {"amount": 50, "currency": "EUR"}}],
        "total": {"amount": TOTAL, "currency": "EUR"},
        "payment_method": "pm_card_visa",
        "placed_at": at(0),
    }))
    .unwrap()
}

fn cause() -> Cause {
    Cause { correlation_id: "r".parse().unwrap(), causation_id: None, traceparent: None }
}

/// A payment record with the fields of `state`.
pub(crate) fn payment(number: u8, state: Value) -> Payment {
    let mut payment = json!({"order_id": id(number), "order": details(), "cause": cause(), "version": 3});
    payment.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
    serde_json::from_value(payment).unwrap()
}

pub(crate) fn charging(intent: Option<&str>) -> Value {
    let lease = json!({"owner": Uuid::from_u128(9), "expires_at": at(0)});
    json!({"state": "charging", "lease": lease, "attempt": 1, "intent": intent, "ending": null})
}

pub(crate) fn voided() -> Value {
    json!({"state": "voided", "reason": "customer_request", "at": at(0)})
}

pub(crate) fn intent(name: &str, number: u8, captured: i64) -> Intent {
    Intent { id: name.parse().unwrap(), order_id: id(number), captured, refunded: 0 }
}

pub(crate) fn email(number: u8, kind: &str) -> Email {
    Email { order_id: id(number), kind: kind.to_owned() }
}

pub(crate) fn reservation(number: u8, state: ReservationState) -> Reservation {
    let lines = match state {
        ReservationState::Rejected { .. } => Vec::new(),
        _ => Vec::from(details().lines),
    };
    Reservation { order_id: id(number), lines, created_at: at(0), changed_at: at(0), state }
}

/// One order of each outcome, and nothing in progress.
pub(crate) fn settled() -> Snapshot {
    let mut all = Snapshot::default();
    let outcomes = [
        (PAID, Outcome::Paid, Some(Settlement::Committed)),
        (REJECTED, Outcome::Rejected, None),
        (DECLINED, Outcome::PaymentFailed, Some(Settlement::Released)),
        (CANCELLED, Outcome::Voided(VoidReason::CustomerRequest), Some(Settlement::Released)),
    ];
    for (number, outcome, settlement) in outcomes {
        let (mut order, _) = Order::place(id(number), details(), cause());
        order.reserved = number != REJECTED;
        order.outcome = Some(outcome);
        order.settlement = settlement;
        all.orders.insert(id(number), order);
    }
    let states = [
        (PAID, ReservationState::Committed),
        (REJECTED, ReservationState::Rejected { shortages: Vec::new() }),
        (DECLINED, ReservationState::Released),
        (CANCELLED, ReservationState::Released),
    ];
    all.reservations.extend(states.map(|(number, state)| (id(number), reservation(number, state))));
    let declined = json!({"state": "declined", "reason": {"code": "card_declined"}, "at": at(0)});
    let payments = [
        (PAID, json!({"state": "succeeded", "intent": "pi_1", "at": at(0)})),
        (DECLINED, declined),
        (CANCELLED, voided()),
    ];
    all.payments.extend(payments.map(|(number, state)| (id(number), payment(number, state))));
    all.intents = vec![intent("pi_1", PAID, TOTAL), intent("pi_3", DECLINED, 0)];
    all.emails = vec![
        email(PAID, "confirmation"),
        email(REJECTED, "rejection"),
        email(DECLINED, "payment_failure"),
        email(CANCELLED, "cancellation"),
    ];
    all.stock.insert(sku(), Stock { available: 8, held: 0, sold: 2 });
    all.delivered.insert(sku(), 10);
    all
}

/// One order, whose stock is held and whose payment is in progress.
pub(crate) fn in_progress() -> Snapshot {
    let mut all = Snapshot::default();
    let (mut order, _) = Order::place(id(PAID), details(), cause());
    order.reserved = true;
    all.orders.insert(id(PAID), order);
    all.reservations.insert(id(PAID), reservation(PAID, ReservationState::Held));
    all.payments.insert(id(PAID), payment(PAID, charging(Some("pi_1"))));
    all.intents = vec![intent("pi_1", PAID, 0)];
    all.stock.insert(sku(), Stock { available: 8, held: 2, sold: 0 });
    all.delivered.insert(sku(), 10);
    all
}

/// The violated rules, sorted and without duplicates.
pub(crate) fn rules(violations: &[Violation]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = violations.iter().map(|violation| violation.rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// Asserts that a change to a consistent snapshot violates exactly these rules.
#[track_caller]
pub(crate) fn assert_breaks(
    mut all: Snapshot,
    phase: Phase,
    expected: &[Rule],
    change: impl FnOnce(&mut Snapshot),
) {
    assert_eq!(check(&all, phase), [], "before the change");
    change(&mut all);
    let found = check(&all, phase);
    assert_eq!(rules(&found), expected, "{found:#?}");
}
