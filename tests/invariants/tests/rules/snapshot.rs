//! The rules that hold of a single snapshot.

use domain::order::{Outcome, Settlement};
use domain::reservation::{Reservation, ReservationState};
use domain::{Event, Fact, OrderDetails, VoidReason};
use invariants::{DeadLetterMessage, Phase, Rule, Snapshot, check};
use serde_json::json;

use crate::sample::{
    CANCELLED, DECLINED, PAID, REJECTED, TOTAL, assert_breaks, at, charging, details, email, id, in_progress,
    intent, payment, reservation, running, settled, sku, voided,
};

fn assert_settled_breaks(expected: &[Rule], change: impl FnOnce(&mut Snapshot)) {
    assert_breaks(settled(), Phase::Settled, expected, change);
}

#[test]
fn a_consistent_system_satisfies_every_rule() {
    assert_eq!(check(&settled(), Phase::Settled), []);
    assert_eq!(check(&settled(), running(10_000)), [], "a final order is never stuck");
    assert_eq!(check(&in_progress(), running(1)), []);
    assert_eq!(check(&Snapshot::default(), Phase::Settled), []);
}

#[test]
fn an_order_is_charged_once_and_for_its_total() {
    let twice = |all: &mut Snapshot| all.intents.push(intent("pi_9", PAID, TOTAL));
    assert_settled_breaks(&[Rule::OneCapture, Rule::RecordsAgree], twice);
    assert_settled_breaks(&[Rule::OneCapture], |all| all.intents[0].captured = TOTAL - 1);
    // A PaymentIntent that was never confirmed: its attempt crashed before it could store the id.
    assert_settled_breaks(&[], |all| all.intents.push(intent("pi_9", PAID, 0)));
    assert_settled_breaks(&[], |all| all.intents.push(intent("pi_9", 77, 0)));
}

/// Makes the paid order one of 0, which is not charged.
fn make_free(all: &mut Snapshot) {
    let mut free = json!(details());
    free["lines"][0]["unit_price"]["amount"] = 0.into();
    free["total"]["amount"] = 0.into();
    let details: OrderDetails = serde_json::from_value(free).unwrap();
    let mut payment = payment(PAID, json!({"state": "succeeded", "at": at(0)}));
    payment.order = details.clone();
    all.payments.insert(id(PAID), payment);
    all.reservations.get_mut(&id(PAID)).unwrap().lines = Vec::from(details.lines.clone());
    all.orders.get_mut(&id(PAID)).unwrap().details = details;
    all.intents.remove(0);
}

#[test]
fn an_order_of_nothing_is_paid_without_a_charge() {
    assert_settled_breaks(&[], make_free);
    assert_settled_breaks(&[Rule::OneCapture, Rule::RecordsAgree], |all| {
        make_free(all);
        all.intents.push(intent("pi_9", PAID, TOTAL));
    });
    assert_settled_breaks(&[Rule::MailTellsTheTruth], |all| {
        make_free(all);
        all.emails.push(email(PAID, "payment_failure"));
    });
    assert_settled_breaks(&[Rule::CapturedIsCommitted, Rule::RecordsAgree], |all| {
        make_free(all);
        let lines = all.reservations.remove(&id(PAID)).unwrap().lines;
        let state = ReservationState::Released;
        let released = Reservation { order_id: id(PAID), lines, created_at: at(0), changed_at: at(0), state };
        all.reservations.insert(id(PAID), released);
        all.orders.get_mut(&id(PAID)).unwrap().settlement = Some(Settlement::Released);
        let stock = all.stock.get_mut(&sku()).unwrap();
        (stock.available, stock.sold) = (10, 0);
    });
    // The total is not 0.
    assert_settled_breaks(&[Rule::MailTellsTheTruth, Rule::RecordsAgree], |all| {
        all.payments.insert(id(PAID), payment(PAID, json!({"state": "succeeded", "at": at(0)})));
        all.intents.remove(0);
    });
}

#[test]
fn a_captured_order_is_committed_or_refunded() {
    let release = |all: &mut Snapshot| {
        all.reservations.insert(id(PAID), reservation(PAID, ReservationState::Released));
        all.orders.get_mut(&id(PAID)).unwrap().settlement = Some(Settlement::Released);
        let stock = all.stock.get_mut(&sku()).unwrap();
        (stock.available, stock.sold) = (10, 0);
    };
    // A release after a successful payment also makes the records disagree.
    assert_settled_breaks(&[Rule::CapturedIsCommitted, Rule::RecordsAgree], release);
    assert_settled_breaks(&[Rule::RecordsAgree], |all| {
        release(all);
        all.intents[0].refunded = TOTAL;
    });
    assert_settled_breaks(&[], |all| all.intents[0].refunded = TOTAL);
    assert_settled_breaks(&[], |all| all.intents[0].refunded = 1);
    // Captured and not yet committed is allowed only while the order is in progress.
    assert_breaks(in_progress(), running(1), &[], |all| all.intents[0].captured = TOTAL);
    let mut all = in_progress();
    all.intents[0].captured = TOTAL;
    assert!(check(&all, Phase::Settled).iter().any(|found| found.rule == Rule::CapturedIsCommitted));
}

#[test]
fn stock_is_neither_created_nor_lost() {
    assert_settled_breaks(&[Rule::StockIsConserved], |all| all.stock.get_mut(&sku()).unwrap().available = 9);
    assert_settled_breaks(&[Rule::StockIsConserved], |all| {
        all.delivered.remove(&sku());
    });
    assert_settled_breaks(&[Rule::StockIsConserved], |all| {
        all.stock.get_mut(&sku()).unwrap().available = -1;
        all.delivered.insert(sku(), 1);
    });
}

#[test]
fn held_and_sold_equal_the_sums_of_the_reservations() {
    assert_settled_breaks(&[Rule::StockIsReserved], |all| {
        let stock = all.stock.get_mut(&sku()).unwrap();
        (stock.available, stock.held) = (7, 1);
    });
    assert_settled_breaks(&[Rule::StockIsReserved], |all| {
        let stock = all.stock.get_mut(&sku()).unwrap();
        (stock.available, stock.sold) = (9, 1);
    });
    assert_settled_breaks(&[Rule::StockIsReserved], |all| {
        all.stock.insert("MUG-001".parse().unwrap(), invariants::Stock::default());
        let mut lines = Vec::from(details().lines);
        lines[0].sku = "POT-001".parse().unwrap();
        // An order of another producer: there is no row to compare the lines with.
        all.orders.remove(&id(PAID));
        all.reservations.get_mut(&id(PAID)).unwrap().lines.extend(lines);
    });
}

#[test]
fn emails_match_the_outcome() {
    let uncaptured = |all: &mut Snapshot| all.emails.push(email(DECLINED, "confirmation"));
    assert_settled_breaks(&[Rule::MailTellsTheTruth], uncaptured);
    for kind in ["rejection", "payment_failure", "cancellation"] {
        assert_settled_breaks(&[Rule::MailTellsTheTruth], |all| all.emails.push(email(PAID, kind)));
    }
    assert_settled_breaks(&[], |all| all.emails.push(email(PAID, "confirmation")));
    // Confirmed, and refunded later.
    assert_settled_breaks(&[], |all| all.intents[0].refunded = TOTAL);
}

#[test]
fn the_records_of_the_services_agree() {
    let ends_as = |number: u8, outcome: Outcome| {
        move |all: &mut Snapshot| all.orders.get_mut(&id(number)).unwrap().outcome = Some(outcome)
    };
    let wrong = &[Rule::RecordsAgree][..];
    assert_settled_breaks(wrong, ends_as(PAID, Outcome::PaymentFailed));
    assert_settled_breaks(wrong, ends_as(CANCELLED, Outcome::Paid));
    assert_settled_breaks(wrong, ends_as(DECLINED, Outcome::Rejected));
    assert_settled_breaks(wrong, ends_as(REJECTED, Outcome::Voided(VoidReason::Expired)));
    // Rejected, and then voided by a cancellation request from before the rejection: the records agree.
    assert_settled_breaks(&[], |all| drop(all.payments.insert(id(REJECTED), payment(REJECTED, voided()))));
    assert_settled_breaks(wrong, |all| {
        all.orders.get_mut(&id(DECLINED)).unwrap().settlement = Some(Settlement::Committed);
    });
    assert_settled_breaks(wrong, |all| drop(all.payments.remove(&id(CANCELLED))));
    // A charge at the provider that the record denies, or the reverse.
    assert_settled_breaks(
        &[Rule::OneCapture, Rule::CapturedIsCommitted, Rule::MailTellsTheTruth, Rule::RecordsAgree],
        |all| {
            all.intents.push(intent("pi_9", CANCELLED, TOTAL + 1));
        },
    );
    assert_settled_breaks(&[Rule::MailTellsTheTruth, Rule::RecordsAgree], |all| all.intents[0].captured = 0);
    assert_breaks(in_progress(), running(1), wrong, |all| {
        all.intents.push(intent("pi_other", PAID, TOTAL));
    });
    assert_breaks(in_progress(), running(1), wrong, |all| {
        let order = all.orders.get_mut(&id(PAID)).unwrap();
        order.outcome = Some(Outcome::Rejected);
    });
    assert_breaks(in_progress(), running(1), wrong, |all| {
        all.reservations.remove(&id(PAID));
        all.stock.insert(sku(), invariants::Stock { available: 10, held: 0, sold: 0 });
    });
    assert_settled_breaks(wrong, |all| {
        let payment = all.payments.get_mut(&id(DECLINED)).unwrap();
        payment.order.total = serde_json::from_str(r#"{"amount": 7, "currency": "EUR"}"#).unwrap();
    });
}

#[test]
fn an_order_of_another_producer_has_no_row_and_is_checked_by_its_other_records() {
    assert_settled_breaks(&[], |all| all.orders.clear());
    assert_settled_breaks(&[Rule::OneCapture], |all| {
        all.orders.clear();
        all.intents[0].captured = 1;
    });
}

#[test]
fn in_a_settled_system_nothing_is_waiting() {
    let mut all = in_progress();
    assert_eq!(check(&all, Phase::Settled)[0].rule, Rule::NothingHangs);
    all.orders.clear();
    let found = check(&all, Phase::Settled);
    assert_eq!(found.len(), 2, "the stock and the payment of another producer's order: {found:#?}");
    let hangs = &[Rule::NothingHangs][..];
    assert_settled_breaks(hangs, |all| {
        all.queued_messages.insert("TrackOrderQueue".to_owned(), 1);
    });
    assert_settled_breaks(&[], |all| {
        all.queued_messages.insert("TrackOrderQueue".to_owned(), 0);
    });
    let dead = DeadLetterMessage { queue: "SendEmailDeadLetters".to_owned(), order_id: None };
    assert_settled_breaks(hangs, |all| all.dead_letters.push(dead));
    assert_settled_breaks(hangs, |all| all.orders.get_mut(&id(PAID)).unwrap().settlement = None);
    assert_settled_breaks(hangs, |all| drop(all.emails.remove(0)));
    assert_settled_breaks(hangs, |all| {
        let event = created();
        all.outbox.insert(event.id, event);
    });
}

fn created() -> Event {
    let cause = settled().orders[&id(PAID)].cause.clone();
    let fact = Fact::OrderCreated(domain::fact::OrderCreated { order: details() });
    Event::new(id(PAID), fact, at(0), cause)
}

#[test]
fn in_a_running_system_only_an_order_without_progress_is_stuck() {
    let hangs = [Rule::NothingHangs];
    assert_eq!(check(&in_progress(), running(30)), []);
    assert_eq!(crate::sample::rules(&check(&in_progress(), running(31))), hangs);
    // A repeated cancellation request is not progress.
    let mut asked = in_progress();
    let order = asked.orders.get_mut(&id(PAID)).unwrap();
    order.cancellation = Some(VoidReason::Expired);
    order.cancellation_requested_at = Some(at(60));
    assert_eq!(crate::sample::rules(&check(&asked, running(61))), hangs);
    // An order of another producer is stuck if its payment record is.
    let mut theirs = in_progress();
    theirs.orders.clear();
    assert_eq!(crate::sample::rules(&check(&theirs, running(31))), hangs);
    // The order is final, but its stock is still held.
    let mut held = in_progress();
    held.orders.get_mut(&id(PAID)).unwrap().outcome = Some(Outcome::Voided(VoidReason::CustomerRequest));
    held.payments.insert(id(PAID), payment(PAID, voided()));
    assert_eq!(check(&held, running(30)), []);
    assert_eq!(crate::sample::rules(&check(&held, running(31))), hangs);
    // An event that is not published.
    let mut waits = settled();
    let event = created();
    waits.outbox.insert(event.id, event);
    assert_eq!(check(&waits, running(30)), []);
    assert_eq!(crate::sample::rules(&check(&waits, running(31))), hangs);
    // The age of messages and dead letters is not known here.
    waits.outbox.clear();
    waits.queued_messages.insert("Q".to_owned(), 9);
    waits.dead_letters.push(DeadLetterMessage { queue: "D".to_owned(), order_id: None });
    assert_eq!(check(&waits, running(31)), []);
}

#[test]
fn a_charge_that_is_not_recorded_yet_is_in_progress() {
    assert_breaks(in_progress(), running(1), &[], |all| {
        all.payments.insert(id(PAID), payment(PAID, charging(Some("pi_1"))));
        all.intents = vec![intent("pi_0", PAID, 0), intent("pi_1", PAID, TOTAL)];
    });
}

/// The audit checks the whole history of a shop at once.
#[test]
fn a_hundred_thousand_orders_are_checked_within_seconds() {
    let sample = settled();
    let mut all = Snapshot::default();
    for number in 0..100_000_u128 {
        let id = domain::OrderId::from(uuid::Uuid::from_u128(number));
        all.orders.insert(id, domain::order::Order { id, ..sample.orders[&crate::sample::id(PAID)].clone() });
        let reserved = &sample.reservations[&crate::sample::id(PAID)];
        all.reservations.insert(id, domain::reservation::Reservation { order_id: id, ..reserved.clone() });
        let paid = &sample.payments[&crate::sample::id(PAID)];
        all.payments.insert(id, domain::payment::Payment { order_id: id, ..paid.clone() });
        all.intents.push(invariants::Intent { order_id: id, ..sample.intents[0].clone() });
        all.emails.push(invariants::Email { order_id: id, kind: "confirmation".to_owned() });
    }
    all.stock.insert(sku(), invariants::Stock { available: 0, held: 0, sold: 200_000 });
    all.delivered.insert(sku(), 200_000);
    let started = std::time::Instant::now();
    assert_eq!(check(&all, Phase::Settled), []);
    // It takes a second in a debug build; a quadratic algorithm would take hours.
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
