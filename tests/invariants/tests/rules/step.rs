//! The rules about change.

use domain::order::{Outcome, Settlement};
use domain::payment::VoidReason;
use domain::reservation::ReservationState;
use invariants::{Rule, Snapshot, check_step};

use crate::sample::{
    CANCELLED, DECLINED, PAID, charging, id, on_its_way, payment, reservation, settled, sku,
};

#[track_caller]
fn breaks(before: &Snapshot, change: impl FnOnce(&mut Snapshot)) {
    let mut after = before.clone();
    assert_eq!(check_step(before, &after), []);
    change(&mut after);
    let found = check_step(before, &after);
    assert!(!found.is_empty(), "the change was not noticed");
    assert!(found.iter().all(|violation| violation.rule == Rule::FinalStays), "{found:#?}");
}

#[test]
fn what_is_on_its_way_may_become_final() {
    let (before, after) = (on_its_way(), settled());
    let only = |all: &Snapshot| {
        let mut all = all.clone();
        all.orders.retain(|order, _| *order == id(PAID));
        all.intents.truncate(1);
        all
    };
    assert_eq!(check_step(&only(&before), &only(&after)), []);
    assert_eq!(check_step(&Snapshot::default(), &after), [], "records may come");
}

#[test]
fn a_final_order_stays() {
    let order = |change: fn(&mut domain::order::Order)| {
        breaks(&settled(), |all| change(all.orders.get_mut(&id(PAID)).unwrap()));
    };
    order(|order| order.outcome = Some(Outcome::PaymentFailed));
    order(|order| order.outcome = None);
    order(|order| order.settlement = Some(Settlement::Released));
    order(|order| order.settlement = None);
    let mut asked = on_its_way();
    asked.orders.get_mut(&id(PAID)).unwrap().cancellation = Some(VoidReason::Expired);
    breaks(&asked, |all| all.orders.get_mut(&id(PAID)).unwrap().cancellation = None);
    let mut again = asked.clone();
    again.orders.get_mut(&id(PAID)).unwrap().cancellation_requested_at = Some(crate::sample::at(99));
    assert_eq!(check_step(&asked, &again), [], "it may be asked again");
}

#[test]
fn a_final_payment_stays() {
    breaks(&settled(), |all| {
        let undecided = payment(DECLINED, charging(None));
        all.payments.insert(id(DECLINED), undecided);
    });
    breaks(&settled(), |all| {
        let paid = all.payments[&id(PAID)].state.clone();
        all.payments.get_mut(&id(CANCELLED)).unwrap().state = paid;
    });
    breaks(&on_its_way(), |all| all.payments.get_mut(&id(PAID)).unwrap().version = 1);
}

#[test]
fn a_final_reservation_stays() {
    let held = || reservation(PAID, ReservationState::Held);
    breaks(&settled(), |all| drop(all.reservations.insert(id(PAID), held())));
    breaks(&settled(), |all| {
        let committed = reservation(CANCELLED, ReservationState::Committed);
        all.reservations.insert(id(CANCELLED), committed);
    });
    breaks(&settled(), |all| all.reservations.get_mut(&id(PAID)).unwrap().lines.clear());
}

#[test]
fn money_and_deliveries_do_not_shrink() {
    breaks(&settled(), |all| all.intents[0].captured = 0);
    let mut refunded = settled();
    refunded.intents[0].refunded = 5;
    assert_eq!(check_step(&settled(), &refunded), []);
    breaks(&refunded, |all| all.intents[0].refunded = 4);
    breaks(&settled(), |all| {
        all.delivered.insert(sku(), 9);
    });
}

#[test]
fn no_record_disappears() {
    breaks(&settled(), |all| drop(all.orders.remove(&id(PAID))));
    breaks(&settled(), |all| drop(all.reservations.remove(&id(PAID))));
    breaks(&settled(), |all| drop(all.payments.remove(&id(PAID))));
    breaks(&settled(), |all| drop(all.intents.remove(0)));
    breaks(&settled(), |all| {
        all.stock.remove(&sku());
    });
    breaks(&settled(), |all| {
        all.delivered.remove(&sku());
    });
}
