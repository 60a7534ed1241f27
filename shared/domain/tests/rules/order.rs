//! An order follows its events in whatever order and however often they come.

use domain::Fact;
use domain::event::{
    OrderCreated, PaymentFailed, PaymentSucceeded, PaymentVoided, ReservationConfirmed, ReservationRejected,
    ReservationSettled,
};
use domain::order::{Applied, Order, OrderStatus};
use domain::payment::{DeclineReason, VoidReason};
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
    Fact::PaymentSucceeded(PaymentSucceeded { order, amount, payment_intent: "pi_1".parse().unwrap() })
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

/// What may become of an order: the facts, who may ask to cancel it meanwhile, and how it may end.
#[derive(Debug, Clone)]
struct History {
    facts: Vec<Fact>,
    asks: Vec<VoidReason>,
    ends: Vec<OrderStatus>,
}

fn history() -> impl Strategy<Value = History> {
    use OrderStatus::{Cancelled, Cancelling, Expired, Paid, PaymentFailed, Placed, Rejected, Reserved};
    use VoidReason::{CustomerRequest, Provider};
    let history =
        |facts: Vec<Fact>, ends: &[OrderStatus]| History { facts, asks: Vec::new(), ends: ends.to_vec() };
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
        // Rejected, and voided because somebody had asked before they knew: whichever is heard first stays.
        history(vec![created(), rejected(), voided(CustomerRequest)], &[Rejected, Cancelled]),
        history(vec![created(), rejected(), voided(VoidReason::Expired)], &[Rejected, Expired]),
    ];
    let asks = subsequence(vec![CustomerRequest, VoidReason::Expired], 0..=2);
    (proptest::sample::select(histories), asks).prop_map(|(history, asks)| History { asks, ..history })
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there are a few of them at a time")]
enum Heard {
    Fact(Fact),
    Ask(VoidReason),
}

/// A history as it may be heard: everything at least once, some of it more often, in any order.
fn as_heard() -> impl Strategy<Value = (History, Vec<Heard>)> {
    history()
        .prop_flat_map(|history| {
            let times = proptest::collection::vec(1..=3_usize, history.facts.len());
            (Just(history), times)
        })
        .prop_flat_map(|(history, times)| {
            let facts = history.facts.iter().zip(times);
            let heard: Vec<Heard> = facts
                .flat_map(|(fact, times)| std::iter::repeat_n(Heard::Fact(fact.clone()), times))
                .chain(history.asks.iter().map(|reason| Heard::Ask(*reason)))
                .collect();
            (Just(history), Just(heard).prop_shuffle())
        })
}

/// How far along an order is.
fn rank(status: OrderStatus) -> u8 {
    match status {
        OrderStatus::Placed => 0,
        OrderStatus::Reserved => 1,
        OrderStatus::Cancelling => 2,
        _ => 3,
    }
}

fn moved(order: &Order, fact: &Fact) -> Order {
    match order.apply(fact) {
        Applied::Changed(order) => *order,
        Applied::Unchanged => order.clone(),
        Applied::Conflict(why) => panic!("{}: {why}", fact.name()),
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_order_and_number_of_events_ends_alike_and_never_goes_back((history, heard) in as_heard()) {
        let mut order = placed();
        for heard in &heard {
            let before = order.status();
            match heard {
                Heard::Fact(fact) => {
                    order = moved(&order, fact);
                    prop_assert_eq!(order.apply(fact), Applied::Unchanged, "a second time says nothing new");
                }
                Heard::Ask(reason) => {
                    if let Some((asked, _)) = order.request_cancellation(*reason, time(9), cause()) {
                        order = asked;
                    }
                }
            }
            prop_assert!(rank(order.status()) >= rank(before), "{:?} after {:?}", order.status(), before);
            prop_assert!(!before.is_final() || order.status() == before, "{:?} after {:?}", order.status(), before);
        }
        let end = order.status();
        prop_assert!(history.ends.contains(&end), "{:?}", end);
        prop_assert!(end != OrderStatus::Cancelling || !history.asks.is_empty());
    }

    #[test]
    fn without_a_wish_to_cancel_the_end_is_always_the_same((history, heard) in as_heard()) {
        prop_assume!(history.ends.len() == 1 || !history.ends[0].is_final());
        let facts = heard.iter().filter_map(|heard| match heard {
            Heard::Fact(fact) => Some(fact),
            Heard::Ask(_) => None,
        });
        let order = facts.fold(placed(), |order, fact| moved(&order, fact));
        prop_assert_eq!(order.status(), history.ends[0]);
    }
}

#[test]
fn two_ends_that_cannot_both_be_are_told_and_the_first_stays() {
    let ends =
        [paid(), failed(), rejected(), voided(VoidReason::CustomerRequest), voided(VoidReason::Expired)];
    for (i, first) in ends.iter().enumerate() {
        for (j, second) in ends.iter().enumerate() {
            let order = moved(&placed(), first);
            let both_can_be = i == j || (i == 2 && j >= 3) || (i >= 3 && j == 2);
            let followed = order.apply(second);
            if both_can_be {
                assert_eq!(followed, Applied::Unchanged, "{} then {}", first.name(), second.name());
            } else {
                assert!(
                    matches!(followed, Applied::Conflict(_)),
                    "{} then {}",
                    first.name(),
                    second.name()
                );
            }
        }
    }
}

#[test]
fn stock_that_is_sold_and_free_is_told() {
    let order = moved(&moved(&placed(), &paid()), &committed());
    assert!(matches!(order.apply(&released()), Applied::Conflict(_)));
    let order = moved(&placed(), &released());
    assert!(matches!(order.apply(&committed()), Applied::Conflict(_)));
}

#[test]
fn only_the_first_wish_to_cancel_counts_and_none_after_the_end() {
    let (asked, event) =
        placed().request_cancellation(VoidReason::CustomerRequest, time(1), cause()).unwrap();
    assert_eq!(asked.status(), OrderStatus::Cancelling);
    assert_eq!((event.fact.name(), event.subject), ("order.cancellation_requested", order_id(1)));
    assert!(asked.request_cancellation(VoidReason::Expired, time(2), cause()).is_none());
    for end in [paid(), failed(), rejected(), voided(VoidReason::Expired)] {
        let order = moved(&placed(), &end);
        assert!(order.request_cancellation(VoidReason::CustomerRequest, time(2), cause()).is_none());
    }
}
