//! Histories of clients: one that satisfies every rule, and the smallest changes that violate each.

use std::time::Duration;

use domain::VoidReason;
use domain::order::OrderStatus;
use invariants::history::HistoryRule::{
    CancellationStands, ListIsComplete, NeverBackwards, OneOrderPerKey, OwnOrdersOnly, RefusedLeavesNothing,
    SeenIsFound, SeenIsReal,
};
use invariants::history::{ClientRequest, ClientResponse, History, OrderState, OrderView, check_history};
use serde_json::json;

use crate::builder::{Builder, UNKNOWN, customer, history, state, view};
use crate::sample::id;

const STATUSES: [OrderStatus; 8] = [
    OrderStatus::Placed,
    OrderStatus::Reserved,
    OrderStatus::Cancelling,
    OrderStatus::Paid,
    OrderStatus::Rejected,
    OrderStatus::PaymentFailed,
    OrderStatus::Cancelled,
    OrderStatus::Expired,
];

#[test]
fn an_order_that_is_read_listed_and_cancelled_satisfies_every_rule() {
    use OrderStatus::{Cancelled, Cancelling, Placed, Reserved};
    history()
        .place("k", 1)
        .get(Placed)
        .place("k", 1)
        .get(Reserved)
        .list(&[(1, Reserved)])
        .cancelled_as(Cancelling)
        .get(Cancelling)
        .list(&[(1, Cancelled)])
        .cancelled_as(Cancelled)
        .place("l", 2)
        .list(&[(2, Placed), (1, Cancelled)])
        .change(|history| history.settled_at = Some(Duration::from_secs(7)))
        .holds();
}

#[test]
fn a_status_follows_another_only_if_facts_are_added() {
    use OrderStatus::{Cancelled, Cancelling, Expired, Paid, PaymentFailed, Placed, Rejected, Reserved};
    for from in STATUSES {
        let followers: &[OrderStatus] = match from {
            Placed => &STATUSES,
            Reserved => &[Reserved, Cancelling, Paid, PaymentFailed, Cancelled, Expired],
            // Cancelled by its customer, so that it cannot have expired.
            Cancelling => &[Cancelling, Paid, Rejected, PaymentFailed, Cancelled],
            Paid | Rejected | PaymentFailed | Cancelled | Expired => &[from],
        };
        for to in STATUSES {
            let (before, mut after) = (state(from), state(to));
            if from == Cancelling && to != Expired {
                after.cancellation = before.cancellation;
            }
            let expected = followers.contains(&to);
            let is_reachable = after.is_possible() || !expected;
            assert!(is_reachable && before.can_become(&after) == expected, "{before} to {after}");
        }
    }
}

#[test]
fn no_order_moves_backwards_in_real_time() {
    use OrderStatus::{Cancelling, Paid, Placed, Reserved};
    let paid = || {
        let mut history = history();
        history.place("k", 1).get(Paid);
        history
    };
    paid().get(Reserved).violates(NeverBackwards, &[1, 2]);
    paid().get(Reserved).begun_earlier(1).holds();
    paid().list(&[(1, Placed)]).violates(NeverBackwards, &[1, 2]);
    paid().list(&[(1, Placed)]).change(|history| history.list_lag = Duration::from_secs(1)).holds();
    paid().cancel(ClientResponse::TooLate).get(Paid).holds();
    paid().cancel(UNKNOWN).get(Paid).holds();
    history().place("k", 1).list(&[(1, Reserved)]).get(Placed).violates(NeverBackwards, &[1, 2]);
    history().place("k", 1).cancel(ClientResponse::TooLate).get(Reserved).violates(NeverBackwards, &[1, 2]);
    let cancelled = state(OrderStatus::Cancelled);
    let mut late = history();
    late.place("k", 1).cancel(UNKNOWN).get_state(cancelled);
    late.cancel(ClientResponse::TooLate).violates(NeverBackwards, &[2, 3]);
    let expired = OrderState { cancellation: Some(VoidReason::Expired), ..state(Cancelling) };
    let mut reason = history();
    reason.place("k", 1).cancel(UNKNOWN).get(Cancelling).get_state(expired);
    reason.violates(NeverBackwards, &[2, 3]);
}

#[test]
fn every_state_that_is_seen_is_real() {
    use OrderStatus::{Cancelling, Paid, Placed, Reserved};
    let impossible = OrderState { cancellation: None, ..state(Cancelling) };
    history().place("k", 1).get_state(impossible).violates(SeenIsReal, &[1]);
    let paid_with_shortage = OrderState { status: Paid, ..state(OrderStatus::Rejected) };
    history().place("k", 1).get_state(paid_with_shortage).violates(SeenIsReal, &[1]);
    // Nobody has cancelled the order; then somebody has, and the response has been lost.
    history().place("k", 1).get(Cancelling).violates(SeenIsReal, &[1]);
    history().place("k", 1).cancel(UNKNOWN).get(Cancelling).holds();
    history().place("k", 1).cancelled_as(Reserved).violates(SeenIsReal, &[1]);
    // Nobody has placed the order.
    assert!(check_history(&history().get(Placed).0).iter().any(|one| one.rule == SeenIsReal));
    history().then(ClientRequest::Place("k".to_owned()), UNKNOWN).get(Placed).holds();
    history()
        .place("k", 1)
        .get(Reserved)
        .change(|history| change_total(history, 1))
        .violates(SeenIsReal, &[0, 1]);
    let other = ClientResponse::Order(Box::new(view(1, state(Placed))));
    history().place("k", 1).then(ClientRequest::Get(id(2)), other).violates(SeenIsReal, &[1]);
    let paid = ClientResponse::Order(Box::new(view(1, state(Paid))));
    history().then(ClientRequest::Place("k".to_owned()), paid).violates(SeenIsReal, &[0]);
}

/// Somebody who may publish in the name of the order service has requested the cancellation too.
#[test]
fn an_order_that_others_cancel_too_may_be_voided_for_their_reason() {
    let voided =
        || OrderState { cancellation: Some(VoidReason::CustomerRequest), ..state(OrderStatus::Expired) };
    let cancelled = |history: &mut Builder| {
        history.place("k", 1).cancelled_as(OrderStatus::Cancelling).get_state(voided());
    };
    let by_others = |history: &mut History| {
        history.cancelled_by_others.insert(id(1));
    };
    let mut alone = history();
    cancelled(&mut alone);
    alone.violates(SeenIsReal, &[2]);
    let mut both = history();
    cancelled(&mut both);
    both.change(by_others).holds();
    // It is final, and has a reason.
    both.get(OrderStatus::Cancelled).violates(NeverBackwards, &[2, 3]);
    let without_reason = OrderState { cancellation: None, ..state(OrderStatus::Expired) };
    history().place("k", 1).get_state(without_reason).change(by_others).violates(SeenIsReal, &[1]);
    let without_shortage = OrderState { shortages: Vec::new(), ..state(OrderStatus::Rejected) };
    history().place("k", 1).get_state(without_shortage).change(by_others).violates(SeenIsReal, &[1]);
}

#[test]
fn every_state_that_is_seen_was_recorded_at_that_time() {
    use OrderStatus::{Paid, Placed, Reserved};
    let recorded = || {
        let mut history = history();
        history.recorded(0, Placed).recorded(2, Reserved).recorded(4, Paid).place("k", 1);
        history
    };
    recorded().get(Placed).get(Reserved).get(Reserved).get(Paid).holds();
    // The read ends at 2 s, when the state is written.
    recorded().get(Reserved).holds();
    recorded().get(Paid).violates(SeenIsReal, &[1]);
    recorded().get(OrderStatus::PaymentFailed).violates(SeenIsReal, &[1]);
    recorded().cancel(ClientResponse::TooLate).violates(SeenIsReal, &[1]);
    let stale = |response: fn(&mut Builder) -> &mut Builder| {
        let mut history = recorded();
        response(history.cancel(UNKNOWN).cancel(UNKNOWN));
        history
    };
    stale(|history| history.get(Placed)).violates(SeenIsReal, &[3]);
    stale(|history| history.list(&[(1, Placed)])).violates(SeenIsReal, &[3]);
    stale(|history| history.list(&[(1, Placed)]))
        .change(|history| history.list_lag = Duration::from_secs(1))
        .holds();
    let mut unknown = history();
    unknown.0.records = Some(Default::default());
    unknown.place("k", 1).get(Placed).violates(SeenIsReal, &[1]);
}

#[test]
fn an_order_that_was_seen_is_found() {
    use OrderStatus::{Placed, Reserved};
    history()
        .place("k", 1)
        .then(ClientRequest::Get(id(1)), ClientResponse::NotFound)
        .violates(SeenIsFound, &[0, 1]);
    history().place("k", 1).cancel(ClientResponse::NotFound).violates(SeenIsFound, &[0, 1]);
    let mut foreign = history();
    foreign.place("k", 1).then(ClientRequest::Get(id(1)), ClientResponse::NotFound);
    foreign.change(|history| history.operations[1].customer = customer("other")).holds();
    history().place("k", 1).list(&[]).violates(ListIsComplete, &[0, 1]);
    history().place("k", 1).list(&[]).begun_earlier(1).holds();
    history().place("k", 1).list(&[]).change(|history| history.list_lag = Duration::from_secs(1)).holds();
    let two = || {
        let mut history = history();
        history.place("k", 1).place("l", 2);
        history
    };
    two().list(&[(2, Reserved), (1, Placed)]).holds();
    two().list(&[(1, Placed)]).violates(ListIsComplete, &[1, 2]);
    two().list(&[(1, Placed), (2, Placed)]).violates(ListIsComplete, &[2]);
    two().list(&[(2, Placed), (2, Placed), (1, Placed)]).violates(ListIsComplete, &[2]);
    let page =
        |number: u8| ClientResponse::Page { orders: vec![view(number, state(Placed))], is_last: false };
    two().then(ClientRequest::List, page(2)).holds();
    two().then(ClientRequest::List, page(1)).violates(ListIsComplete, &[1, 2]);
    // The result of the placement is unknown: it may be there or not.
    let mut ambiguous = history();
    ambiguous.then(ClientRequest::Place("k".to_owned()), UNKNOWN).list(&[]).list(&[(1, Placed)]).holds();
    ambiguous.list(&[]).violates(ListIsComplete, &[2, 3]);
}

#[test]
fn an_accepted_cancellation_stands() {
    use OrderStatus::{Cancelling, Paid, Reserved};
    let accepted = || {
        let mut history = history();
        history.place("k", 1).cancelled_as(Cancelling);
        history
    };
    // Too late after all: the charge was in progress.
    let paid = OrderState { status: Paid, ..state(Cancelling) };
    accepted().get_state(paid).holds();
    let found = check_history(&accepted().get(Reserved).0);
    let rules: Vec<_> = found.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [NeverBackwards, CancellationStands], "{found:#?}");
    assert_eq!(found[1].operations, [1, 2]);
    assert!(check_history(&accepted().get(Paid).0).iter().any(|one| one.rule == CancellationStands));
    accepted().get(Cancelling).holds();
    accepted()
        .get(Cancelling)
        .change(|history| history.settled_at = Some(Duration::from_secs(2)))
        .violates(CancellationStands, &[1, 2]);
    history().place("k", 1).cancel(UNKNOWN).get(Reserved).get(Cancelling).holds();
}

#[test]
fn a_refused_placement_leaves_nothing() {
    let request = || ClientRequest::Place("k".to_owned());
    let refused = || {
        let mut history = history();
        history.then(request(), ClientResponse::Refused(422));
        history
    };
    refused().list(&[]).holds();
    refused().place("k", 1).list(&[(1, OrderStatus::Placed)]).holds();
    refused().then(request(), UNKNOWN).list(&[(1, OrderStatus::Placed)]).holds();
    let found = check_history(&refused().list(&[(1, OrderStatus::Placed)]).0);
    let found = found.iter().find(|one| one.rule == RefusedLeavesNothing).unwrap();
    assert_eq!(found.operations, [0, 1]);
}

#[test]
fn one_key_gives_one_order() {
    let placed = OrderStatus::Placed;
    history().place("k", 1).place("k", 2).violates(OneOrderPerKey, &[0, 1]);
    history().place("k", 1).place("l", 1).violates(OneOrderPerKey, &[0, 1]);
    history().place("k", 1).place("l", 2).holds();
    // The first response was lost, and the retry has created a second order.
    let mut retried = history();
    retried.then(ClientRequest::Place("k".to_owned()), UNKNOWN).place("k", 2);
    retried.list(&[(2, placed), (1, placed)]);
    assert!(check_history(&retried.0).iter().any(|one| one.rule == OneOrderPerKey));
    // The same key of another customer is another key.
    let mut other = history();
    other.place("k", 1).place("k", 2).change(|history| change_customer(history, 1)).holds();
}

#[test]
fn customers_see_their_own_orders_only() {
    let mut foreign = history();
    foreign.place("k", 1).get(OrderStatus::Placed);
    foreign
        .change(|history| history.operations[1].customer = customer("other"))
        .violates(OwnOrdersOnly, &[1]);
}

#[test]
fn responses_are_read_as_the_api_describes_them() {
    let body = json!({
        "id": id(1), "status": "cancelling", "cancellation": "customer_request", "customer": { "id": "c" },
        "total": 500,
    });
    let expected = OrderView {
        details: json!({ "id": id(1), "customer": { "id": "c" }, "total": 500 }),
        ..view(1, state(OrderStatus::Cancelling))
    };
    let order = ClientResponse::Order(Box::new(expected.clone()));
    let page = json!({ "orders": [body], "next_cursor": "c" });
    let listed = ClientResponse::Page { orders: vec![expected], is_last: false };
    let (place, get, cancel) =
        (ClientRequest::Place("k".to_owned()), ClientRequest::Get(id(1)), ClientRequest::Cancel(id(1)));
    for (request, status, body, response) in [
        (&place, 201, &body, Some(order.clone())),
        (&get, 200, &body, Some(order.clone())),
        (&cancel, 202, &body, Some(order)),
        (&ClientRequest::List, 200, &page, Some(listed)),
        (&get, 404, &body, Some(ClientResponse::NotFound)),
        (&cancel, 409, &body, Some(ClientResponse::TooLate)),
        (&place, 409, &body, Some(ClientResponse::Refused(409))),
        (&place, 429, &body, Some(ClientResponse::Refused(429))),
        (&place, 503, &body, Some(UNKNOWN)),
        (&place, 200, &body, None),
        (&get, 200, &page, None),
        (&ClientRequest::List, 200, &body, None),
    ] {
        assert_eq!(ClientResponse::from_http(request, status, body), response, "{request:?} {status}");
    }
}

fn change_total(history: &mut History, operation: usize) {
    with_order(history, operation, |view| view.details = json!({ "total": 499 }));
}

fn change_customer(history: &mut History, operation: usize) {
    history.operations[operation].customer = customer("other");
    with_order(history, operation, |view| view.customer = customer("other"));
}

fn with_order(history: &mut History, operation: usize, change: impl FnOnce(&mut OrderView)) {
    let ClientResponse::Order(view) = &mut history.operations[operation].response else {
        unreachable!("the response is an order")
    };
    change(view);
}
