//! The rules that hold of two successive snapshots.

use domain::VoidReason;
use domain::order::{Outcome, Settlement};
use domain::reservation::ReservationState;
use invariants::{Rule, Snapshot, check_transition};

use crate::sample::{
    CANCELLED, DECLINED, PAID, charging, id, in_progress, payment, reservation, settled, sku,
};

#[track_caller]
fn assert_breaks(before: &Snapshot, change: impl FnOnce(&mut Snapshot)) {
    let mut after = before.clone();
    assert_eq!(check_transition(before, &after), []);
    change(&mut after);
    let found = check_transition(before, &after);
    assert!(!found.is_empty(), "the change was not detected");
    assert!(found.iter().all(|violation| violation.rule == Rule::FinalStays), "{found:#?}");
}

#[test]
fn an_order_in_progress_may_become_final() {
    let (before, after) = (in_progress(), settled());
    let only = |all: &Snapshot| {
        let mut all = all.clone();
        all.orders.retain(|order, _| *order == id(PAID));
        all.intents.truncate(1);
        all
    };
    assert_eq!(check_transition(&only(&before), &only(&after)), []);
    assert_eq!(check_transition(&Snapshot::default(), &after), [], "records may be added");
}

#[test]
fn a_final_order_does_not_change() {
    let order = |change: fn(&mut domain::order::Order)| {
        assert_breaks(&settled(), |all| change(all.orders.get_mut(&id(PAID)).unwrap()));
    };
    order(|order| order.outcome = Some(Outcome::PaymentFailed));
    order(|order| order.outcome = None);
    order(|order| order.settlement = Some(Settlement::Released));
    order(|order| order.settlement = None);
    let mut asked = in_progress();
    asked.orders.get_mut(&id(PAID)).unwrap().cancellation = Some(VoidReason::Expired);
    assert_breaks(&asked, |all| all.orders.get_mut(&id(PAID)).unwrap().cancellation = None);
    let mut repeated = asked.clone();
    repeated.orders.get_mut(&id(PAID)).unwrap().cancellation_requested_at = Some(crate::sample::at(99));
    assert_eq!(check_transition(&asked, &repeated), [], "a cancellation request may be repeated");
}

#[test]
fn a_final_payment_does_not_change() {
    assert_breaks(&settled(), |all| {
        let undecided = payment(DECLINED, charging(None));
        all.payments.insert(id(DECLINED), undecided);
    });
    assert_breaks(&settled(), |all| {
        let paid = all.payments[&id(PAID)].state.clone();
        all.payments.get_mut(&id(CANCELLED)).unwrap().state = paid;
    });
    assert_breaks(&in_progress(), |all| all.payments.get_mut(&id(PAID)).unwrap().version = 1);
}

#[test]
fn a_final_reservation_does_not_change() {
    let held = || reservation(PAID, ReservationState::Held);
    assert_breaks(&settled(), |all| drop(all.reservations.insert(id(PAID), held())));
    assert_breaks(&settled(), |all| {
        let committed = reservation(CANCELLED, ReservationState::Committed);
        all.reservations.insert(id(CANCELLED), committed);
    });
    assert_breaks(&settled(), |all| all.reservations.get_mut(&id(PAID)).unwrap().lines.clear());
}

#[test]
fn captured_refunded_and_delivered_amounts_do_not_decrease() {
    assert_breaks(&settled(), |all| all.intents[0].captured = 0);
    let mut refunded = settled();
    refunded.intents[0].refunded = 5;
    assert_eq!(check_transition(&settled(), &refunded), []);
    assert_breaks(&refunded, |all| all.intents[0].refunded = 4);
    assert_breaks(&settled(), |all| {
        all.delivered.insert(sku(), 9);
    });
}

#[test]
fn no_record_disappears() {
    assert_breaks(&settled(), |all| drop(all.orders.remove(&id(PAID))));
    assert_breaks(&settled(), |all| drop(all.reservations.remove(&id(PAID))));
    assert_breaks(&settled(), |all| drop(all.payments.remove(&id(PAID))));
    assert_breaks(&settled(), |all| drop(all.intents.remove(0)));
    assert_breaks(&settled(), |all| {
        all.stock.remove(&sku());
    });
    assert_breaks(&settled(), |all| {
        all.delivered.remove(&sku());
    });
}
