//! Events are applied to an order in any sequence and any number of times.

use domain::fact::{
    OrderCreated, PaymentFailed, PaymentSucceeded, PaymentVoided, ReservationConfirmed, ReservationRejected,
    ReservationSettled,
};
use domain::order::{Applied, CANCELLATION_RETRY_INTERVAL, Order, OrderStatus};
use domain::{DeclineReason, Event, Fact, VoidReason};
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::sample::{cases, cause, details, order_id, time};

fn placed() -> Order {
    Order::place(order_id(1), details(), cause()).0
}

fn created() -> Fact {
    Fact::OrderCreated(OrderCreated { order: details() })
}
fn confirmed() -> Fact {
    Fact::ReservationConfirmed(ReservationConfirmed { order: details() })
}
fn rejected() -> Fact {
    Fact::ReservationRejected(ReservationRejected { order: details(), shortages: Vec::new() })
}
fn paid() -> Fact {
    let (order, amount) = (details(), details().total);
    Fact::PaymentSucceeded(PaymentSucceeded { order, amount, payment_intent: "pi_1".parse().ok() })
}
fn failed() -> Fact {
    let reason = DeclineReason { code: "card_declined".into(), decline_code: None };
    Fact::PaymentFailed(PaymentFailed { order: details(), reason })
}
fn voided(reason: VoidReason) -> Fact {
    Fact::PaymentVoided(PaymentVoided { order: details(), reason })
}
fn committed() -> Fact {
    Fact::ReservationCommitted(ReservationSettled {})
}
fn released() -> Fact {
    Fact::ReservationReleased(ReservationSettled {})
}

/// A possible history of an order: the facts, the cancellation requests in the meantime, and the possible
/// final statuses.
#[derive(Debug, Clone)]
struct History {
    facts: Vec<Fact>,
    cancellations: Vec<VoidReason>,
    final_statuses: Vec<OrderStatus>,
}

fn history() -> impl Strategy<Value = History> {
    use OrderStatus::{Cancelled, Cancelling, Expired, Paid, PaymentFailed, Placed, Rejected, Reserved};
    use VoidReason::{CustomerRequest, Provider};
    let history = |facts: Vec<Fact>, final_statuses: &[OrderStatus]| History {
        facts,
        cancellations: Vec::new(),
        final_statuses: final_statuses.to_vec(),
    };
    let histories = vec![
        history(vec![created()], &[Placed, Cancelling]),
        history(vec![created(), confirmed()], &[Reserved, Cancelling]),
        history(vec![created(), rejected()], &[Rejected]),
        history(vec![created(), confirmed(), paid(), committed()], &[Paid]),
        history(vec![created(), confirmed(), failed(), released()], &[PaymentFailed]),
        history(vec![created(), voided(CustomerRequest), released()], &[Cancelled]),
        history(vec![created(), confirmed(), voided(CustomerRequest), released()], &[Cancelled]),
        history(vec![created(), confirmed(), voided(VoidReason::Expired), released()], &[Expired]),
        history(vec![created(), confirmed(), voided(Provider), released()], &[Cancelled]),
        // Rejected, and voided by a cancellation request from before the rejection: the first outcome counts.
        history(vec![created(), rejected(), voided(CustomerRequest)], &[Rejected, Cancelled]),
        history(vec![created(), rejected(), voided(VoidReason::Expired)], &[Rejected, Expired]),
    ];
    let cancellations = subsequence(vec![CustomerRequest, VoidReason::Expired], 0..=2);
    (proptest::sample::select(histories), cancellations)
        .prop_map(|(history, cancellations)| History { cancellations, ..history })
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "only a few exist at a time")]
enum Input {
    Fact(Fact),
    Cancel(VoidReason),
}

/// A history with its delivery: everything at least once, some of it repeatedly, in any sequence.
fn deliveries() -> impl Strategy<Value = (History, Vec<Input>)> {
    history()
        .prop_flat_map(|history| {
            let times = proptest::collection::vec(1..=3_usize, history.facts.len());
            (Just(history), times)
        })
        .prop_flat_map(|(history, times)| {
            let facts = history.facts.iter().zip(times);
            let inputs: Vec<Input> = facts
                .flat_map(|(fact, times)| std::iter::repeat_n(Input::Fact(fact.clone()), times))
                .chain(history.cancellations.iter().map(|reason| Input::Cancel(*reason)))
                .collect();
            (Just(history), Just(inputs).prop_shuffle())
        })
}

/// The progress of a status.
fn rank(status: OrderStatus) -> u8 {
    match status {
        OrderStatus::Placed => 0,
        OrderStatus::Reserved => 1,
        OrderStatus::Cancelling => 2,
        _ => 3,
    }
}

fn applied(order: &Order, fact: &Fact) -> Order {
    match order.apply(fact) {
        Applied::Changed(order) => *order,
        Applied::Unchanged => order.clone(),
        Applied::Conflict(why) => panic!("{}: {why}", fact.name()),
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_sequence_and_repetition_of_events_has_the_same_result_and_never_goes_back((history, inputs) in deliveries()) {
        let mut order = placed();
        for input in &inputs {
            let before = order.status();
            match input {
                Input::Fact(fact) => {
                    order = applied(&order, fact);
                    prop_assert_eq!(order.apply(fact), Applied::Unchanged, "a repetition changes nothing");
                }
                Input::Cancel(reason) => {
                    if let Some((cancelling, _)) = order.request_cancellation(*reason, time(9), cause()) {
                        order = cancelling;
                    }
                }
            }
            prop_assert!(rank(order.status()) >= rank(before), "{:?} after {:?}", order.status(), before);
            prop_assert!(!before.is_final() || order.status() == before, "{:?} after {:?}", order.status(), before);
        }
        let end = order.status();
        prop_assert!(history.final_statuses.contains(&end), "{:?}", end);
        prop_assert!(end != OrderStatus::Cancelling || !history.cancellations.is_empty());
    }

    #[test]
    fn without_cancellation_requests_the_final_status_is_always_the_same((history, inputs) in deliveries()) {
        prop_assume!(history.final_statuses.len() == 1 || !history.final_statuses[0].is_final());
        let facts = inputs.iter().filter_map(|input| match input {
            Input::Fact(fact) => Some(fact),
            Input::Cancel(_) => None,
        });
        let order = facts.fold(placed(), |order, fact| applied(&order, fact));
        prop_assert_eq!(order.status(), history.final_statuses[0]);
    }
}

#[test]
fn the_name_of_a_status_is_that_in_json() {
    use OrderStatus::{Cancelled, Cancelling, Expired, Paid, PaymentFailed, Placed, Rejected, Reserved};
    for status in [Placed, Reserved, Cancelling, Paid, Rejected, PaymentFailed, Cancelled, Expired] {
        assert_eq!(serde_json::to_value(status).unwrap(), status.name());
    }
}

#[test]
fn contradictory_outcomes_are_a_conflict_and_the_first_one_stays() {
    let outcomes =
        [paid(), failed(), rejected(), voided(VoidReason::CustomerRequest), voided(VoidReason::Expired)];
    for (i, first) in outcomes.iter().enumerate() {
        for (j, second) in outcomes.iter().enumerate() {
            let order = applied(&placed(), first);
            let is_compatible = i == j || (i == 2 && j >= 3) || (i >= 3 && j == 2);
            let result = order.apply(second);
            if is_compatible {
                assert_eq!(result, Applied::Unchanged, "{} then {}", first.name(), second.name());
            } else {
                assert!(matches!(result, Applied::Conflict(_)), "{} then {}", first.name(), second.name());
            }
        }
    }
}

#[test]
fn contradictory_settlements_are_a_conflict() {
    let order = applied(&applied(&placed(), &paid()), &committed());
    assert!(matches!(order.apply(&released()), Applied::Conflict(_)));
    let order = applied(&placed(), &released());
    assert!(matches!(order.apply(&committed()), Applied::Conflict(_)));
}

/// The reason in a cancellation request.
fn reason(event: &Event) -> VoidReason {
    let Fact::CancellationRequested(requested) = &event.fact else { panic!("{event:?}") };
    requested.reason
}

#[test]
fn a_repeated_cancellation_request_is_the_first_one_again() {
    let interval = CANCELLATION_RETRY_INTERVAL.as_secs();
    for (first, second) in [
        (VoidReason::CustomerRequest, VoidReason::Expired),
        (VoidReason::Expired, VoidReason::CustomerRequest),
    ] {
        let (cancelling, event) = placed().request_cancellation(first, time(1), cause()).unwrap();
        assert_eq!((cancelling.cancellation, reason(&event)), (Some(first), first));
        let mut order = cancelling;
        for repetition in 1..=3 {
            let due = 1 + repetition * interval;
            assert_eq!(order.request_cancellation(second, time(due - 1), cause()), None, "too early");
            let (again, repeated) = order.request_cancellation(second, time(due), cause()).unwrap();
            assert_eq!((again.cancellation, reason(&repeated)), (Some(first), first), "{second:?}");
            assert_eq!(again.cancellation_requested_at, Some(time(due)));
            assert_eq!(repeated.id, event.id, "consumers have seen it before");
            order = again;
        }
        assert_eq!(applied(&order, &voided(first)).status(), status_after(first));
    }
}

/// The status of an order that was voided for this reason.
fn status_after(reason: VoidReason) -> OrderStatus {
    if reason == VoidReason::Expired { OrderStatus::Expired } else { OrderStatus::Cancelled }
}

#[test]
fn only_the_first_cancellation_request_counts_and_none_after_the_outcome() {
    let (cancelling, event) =
        placed().request_cancellation(VoidReason::CustomerRequest, time(1), cause()).unwrap();
    assert_eq!(cancelling.status(), OrderStatus::Cancelling);
    assert_eq!((event.fact.name(), event.subject), ("order.cancellation_requested", order_id(1)));
    assert_eq!(
        (cancelling.cancellation, reason(&event)),
        (Some(VoidReason::CustomerRequest), VoidReason::CustomerRequest)
    );
    assert!(cancelling.request_cancellation(VoidReason::Expired, time(2), cause()).is_none());
    for end in [paid(), failed(), rejected(), voided(VoidReason::Expired)] {
        let order = applied(&placed(), &end);
        assert!(order.request_cancellation(VoidReason::CustomerRequest, time(2), cause()).is_none());
    }
}
