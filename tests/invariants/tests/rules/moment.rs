//! The rules about one moment.

use domain::order::{Outcome, Settlement};
use domain::payment::VoidReason;
use domain::reservation::ReservationState;
use domain::{Event, Fact};
use invariants::{DeadMessage, Rule, Snapshot, When, check};

use crate::sample::{
    CANCELLED, DECLINED, PAID, REJECTED, TOTAL, at, breaks, charging, details, id, intent, mail, on_its_way,
    payment, reservation, running, settled, sku, voided,
};

fn in_settled(expected: &[Rule], change: impl FnOnce(&mut Snapshot)) {
    breaks(settled(), When::Settled, expected, change);
}

#[test]
fn what_is_well_is_well_at_any_time() {
    assert_eq!(check(&settled(), When::Settled), []);
    assert_eq!(check(&settled(), running(10_000)), [], "what is over hangs never");
    assert_eq!(check(&on_its_way(), running(1)), []);
    assert_eq!(check(&Snapshot::default(), When::Settled), []);
}

#[test]
fn nobody_is_charged_twice_or_another_amount() {
    let twice = |all: &mut Snapshot| all.intents.push(intent("pi_9", PAID, TOTAL));
    in_settled(&[Rule::OneCapture, Rule::RecordsAgree], twice);
    in_settled(&[Rule::OneCapture], |all| all.intents[0].captured = TOTAL - 1);
    // A PaymentIntent that nobody confirmed: an attempt that crashed before it could write its id down.
    in_settled(&[], |all| all.intents.push(intent("pi_9", PAID, 0)));
    in_settled(&[], |all| all.intents.push(intent("pi_9", 77, 0)));
}

#[test]
fn what_is_captured_is_committed_or_refunded() {
    let release = |all: &mut Snapshot| {
        all.reservations.insert(id(PAID), reservation(PAID, ReservationState::Released));
        all.orders.get_mut(&id(PAID)).unwrap().settlement = Some(Settlement::Released);
        let stock = all.stock.get_mut(&sku()).unwrap();
        (stock.available, stock.sold) = (10, 0);
    };
    // Released after a payment that succeeded contradicts it, too.
    in_settled(&[Rule::CapturedIsCommitted, Rule::RecordsAgree], release);
    in_settled(&[Rule::RecordsAgree], |all| {
        release(all);
        all.intents[0].refunded = TOTAL;
    });
    in_settled(&[], |all| all.intents[0].refunded = TOTAL);
    in_settled(&[], |all| all.intents[0].refunded = 1);
    // On its way to be committed is well, until nothing is on its way any more.
    breaks(on_its_way(), running(1), &[], |all| all.intents[0].captured = TOTAL);
    let mut all = on_its_way();
    all.intents[0].captured = TOTAL;
    assert!(check(&all, When::Settled).iter().any(|found| found.rule == Rule::CapturedIsCommitted));
}

#[test]
fn stock_is_never_made_nor_lost() {
    in_settled(&[Rule::StockIsConserved], |all| all.stock.get_mut(&sku()).unwrap().available = 9);
    in_settled(&[Rule::StockIsConserved], |all| {
        all.delivered.remove(&sku());
    });
    in_settled(&[Rule::StockIsConserved], |all| {
        all.stock.get_mut(&sku()).unwrap().available = -1;
        all.delivered.insert(sku(), 1);
    });
}

#[test]
fn held_and_sold_is_what_the_reservations_say() {
    in_settled(&[Rule::StockIsReserved], |all| {
        let stock = all.stock.get_mut(&sku()).unwrap();
        (stock.available, stock.held) = (7, 1);
    });
    in_settled(&[Rule::StockIsReserved], |all| {
        let stock = all.stock.get_mut(&sku()).unwrap();
        (stock.available, stock.sold) = (9, 1);
    });
    in_settled(&[Rule::StockIsReserved], |all| {
        all.stock.insert("MUG-001".parse().unwrap(), invariants::Stock::default());
        let mut lines = Vec::from(details().lines);
        lines[0].sku = "POT-001".parse().unwrap();
        // Somebody else's order: there is no row to compare the lines with.
        all.orders.remove(&id(PAID));
        all.reservations.get_mut(&id(PAID)).unwrap().lines.extend(lines);
    });
}

#[test]
fn mails_tell_the_truth() {
    let uncaptured = |all: &mut Snapshot| all.mails.push(mail(DECLINED, "confirmation"));
    in_settled(&[Rule::MailTellsTheTruth], uncaptured);
    for kind in ["rejection", "payment_failure", "cancellation"] {
        in_settled(&[Rule::MailTellsTheTruth], |all| all.mails.push(mail(PAID, kind)));
    }
    in_settled(&[], |all| all.mails.push(mail(PAID, "confirmation")));
    // Confirmed, and given back later.
    in_settled(&[], |all| all.intents[0].refunded = TOTAL);
}

#[test]
fn the_services_agree() {
    let ends_as = |number: u8, outcome: Outcome| {
        move |all: &mut Snapshot| all.orders.get_mut(&id(number)).unwrap().outcome = Some(outcome)
    };
    let wrong = &[Rule::RecordsAgree][..];
    in_settled(wrong, ends_as(PAID, Outcome::PaymentFailed));
    in_settled(wrong, ends_as(CANCELLED, Outcome::Paid));
    in_settled(wrong, ends_as(DECLINED, Outcome::Rejected));
    in_settled(wrong, ends_as(REJECTED, Outcome::Voided(VoidReason::Expired)));
    // Rejected, and then voided by somebody who had asked before the rejection came: both are true.
    in_settled(&[], |all| drop(all.payments.insert(id(REJECTED), payment(REJECTED, voided()))));
    in_settled(wrong, |all| {
        all.orders.get_mut(&id(DECLINED)).unwrap().settlement = Some(Settlement::Committed);
    });
    in_settled(wrong, |all| drop(all.payments.remove(&id(CANCELLED))));
    // The provider has what the record denies, or the record what the provider denies.
    in_settled(
        &[Rule::OneCapture, Rule::CapturedIsCommitted, Rule::MailTellsTheTruth, Rule::RecordsAgree],
        |all| {
            all.intents.push(intent("pi_9", CANCELLED, TOTAL + 1));
        },
    );
    in_settled(&[Rule::MailTellsTheTruth, Rule::RecordsAgree], |all| all.intents[0].captured = 0);
    breaks(on_its_way(), running(1), wrong, |all| {
        all.intents.push(intent("pi_other", PAID, TOTAL));
    });
    breaks(on_its_way(), running(1), wrong, |all| {
        let order = all.orders.get_mut(&id(PAID)).unwrap();
        order.outcome = Some(Outcome::Rejected);
    });
    breaks(on_its_way(), running(1), wrong, |all| {
        all.reservations.remove(&id(PAID));
        all.stock.insert(sku(), invariants::Stock { available: 10, held: 0, sold: 0 });
    });
    in_settled(wrong, |all| {
        let payment = all.payments.get_mut(&id(DECLINED)).unwrap();
        payment.order.total = serde_json::from_str(r#"{"amount": 7, "currency": "EUR"}"#).unwrap();
    });
}

#[test]
fn somebody_elses_order_has_no_row_and_is_judged_by_the_rest() {
    in_settled(&[], |all| all.orders.clear());
    in_settled(&[Rule::OneCapture], |all| {
        all.orders.clear();
        all.intents[0].captured = 1;
    });
}

#[test]
fn when_all_is_settled_nothing_waits() {
    let mut all = on_its_way();
    assert_eq!(check(&all, When::Settled)[0].rule, Rule::NothingHangs);
    all.orders.clear();
    let found = check(&all, When::Settled);
    assert_eq!(found.len(), 2, "the stock and the payment of somebody else's order: {found:#?}");
    let hangs = &[Rule::NothingHangs][..];
    in_settled(hangs, |all| {
        all.queued.insert("TrackOrderQueue".to_owned(), 1);
    });
    in_settled(&[], |all| {
        all.queued.insert("TrackOrderQueue".to_owned(), 0);
    });
    let dead = DeadMessage { queue: "SendEmailDeadLetters".to_owned(), order_id: None };
    in_settled(hangs, |all| all.dead.push(dead));
    in_settled(hangs, |all| all.orders.get_mut(&id(PAID)).unwrap().settlement = None);
    in_settled(hangs, |all| drop(all.mails.remove(0)));
    in_settled(hangs, |all| {
        let event = created();
        all.outbox.insert(event.id, event);
    });
}

fn created() -> Event {
    let cause = settled().orders[&id(PAID)].cause.clone();
    let fact = Fact::OrderCreated(domain::event::OrderCreated { order: details() });
    Event::new(id(PAID), fact, at(0), cause)
}

#[test]
fn while_things_run_only_what_nothing_moves_hangs() {
    let hangs = [Rule::NothingHangs];
    assert_eq!(check(&on_its_way(), running(30)), []);
    assert_eq!(crate::sample::rules(&check(&on_its_way(), running(31))), hangs);
    // To be asked again and again moves nothing.
    let mut asked = on_its_way();
    let order = asked.orders.get_mut(&id(PAID)).unwrap();
    order.cancellation = Some(VoidReason::Expired);
    order.cancellation_requested_at = Some(at(60));
    assert_eq!(crate::sample::rules(&check(&asked, running(61))), hangs);
    // Somebody else's order hangs by its payment's record.
    let mut theirs = on_its_way();
    theirs.orders.clear();
    assert_eq!(crate::sample::rules(&check(&theirs, running(31))), hangs);
    // Final, and its stock still held.
    let mut held = on_its_way();
    held.orders.get_mut(&id(PAID)).unwrap().outcome = Some(Outcome::Voided(VoidReason::CustomerRequest));
    held.payments.insert(id(PAID), payment(PAID, voided()));
    assert_eq!(check(&held, running(30)), []);
    assert_eq!(crate::sample::rules(&check(&held, running(31))), hangs);
    // An event that nobody publishes.
    let mut waits = settled();
    let event = created();
    waits.outbox.insert(event.id, event);
    assert_eq!(check(&waits, running(30)), []);
    assert_eq!(crate::sample::rules(&check(&waits, running(31))), hangs);
    // Messages and dead letters have no age here.
    waits.outbox.clear();
    waits.queued.insert("Q".to_owned(), 9);
    waits.dead.push(DeadMessage { queue: "D".to_owned(), order_id: None });
    assert_eq!(check(&waits, running(31)), []);
}

#[test]
fn a_charge_that_was_not_written_down_yet_is_on_its_way() {
    breaks(on_its_way(), running(1), &[], |all| {
        all.payments.insert(id(PAID), payment(PAID, charging(Some("pi_1"))));
        all.intents = vec![intent("pi_0", PAID, 0), intent("pi_1", PAID, TOTAL)];
    });
}

/// The audit checks a shop's whole past at once.
#[test]
fn a_hundred_thousand_orders_take_seconds() {
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
        all.mails.push(invariants::Mail { order_id: id, kind: "confirmation".to_owned() });
    }
    all.stock.insert(sku(), invariants::Stock { available: 0, held: 0, sold: 200_000 });
    all.delivered.insert(sku(), 200_000);
    let started = std::time::Instant::now();
    assert_eq!(check(&all, When::Settled), []);
    // A second in a debug build; anything quadratic would take hours.
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
