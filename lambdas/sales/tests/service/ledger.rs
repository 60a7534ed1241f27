//! The ledger does not depend on the order in which events arrive.

use std::sync::Arc;

use domain::order::OrderStatus;
use domain::{Event, SYNTHETIC_CUSTOMER_ID, VoidReason};
use jiff::{SignedDuration, Timestamp};
use platform::clock::SystemClock;
use platform::{EventHandler, Failure};
use proptest::prelude::*;
use sales::adapters::memory::InMemoryLedger;
use sales::ledger::booking::Booking;
use sales::ledger::read::Reader;
use sales::ledger::record::RecordSale;
use sales::ledger::sale::Sale;
use sales::ledger::store::Row;

use crate::support::{OrderEvent, at, cases, details, event, order_id, record, some_orders};

const START: &str = "2026-11-23T10:00:00Z";

/// Every fact at least once; some are repeated with another time, and some contradict each other.
fn all_events() -> Vec<Event> {
    let order = details(at(START), "EUR", &[("TEA-001", 2, 1250), ("TEA-002", 1, 499)]);
    let changes = [
        OrderEvent::Created,
        OrderEvent::CancellationRequested,
        OrderEvent::Confirmed,
        OrderEvent::OutOfStock(vec![("TEA-001", 1)]),
        OrderEvent::OutOfStock(vec![("TEA-001", 0)]),
        OrderEvent::Paid,
        OrderEvent::Paid,
        OrderEvent::Declined,
        OrderEvent::Voided(VoidReason::Expired),
        OrderEvent::Voided(VoidReason::CustomerRequest),
        OrderEvent::Refunded("re_1", 100),
        OrderEvent::Refunded("re_1", 100),
        OrderEvent::Refunded("re_2", 250),
    ];
    let time = |number: usize| at(START) + SignedDuration::from_secs(i64::try_from(number / 2).unwrap());
    changes
        .iter()
        .enumerate()
        .map(|(number, change)| event(order_id(1), &order, time(number), change))
        .collect()
}

proptest! {
    #![proptest_config(cases(256))]

    /// For any order of the events, with duplicates and gaps, the sale depends only on the set of events.
    #[test]
    fn a_sale_does_not_depend_on_the_order_of_events(
        picked in prop::collection::vec(0..13_usize, 1..30),
        seed in prop::collection::vec(any::<prop::sample::Index>(), 30),
    ) {
        let events = all_events();
        let mut shuffled = picked.clone();
        for (position, index) in seed.iter().enumerate().take(shuffled.len()) {
            let other = index.index(shuffled.len());
            shuffled.swap(position, other);
        }
        let merged = |order: &[usize]| {
            let sales = order.iter().map(|number| Sale::from_event(&events[*number]).unwrap());
            sales.reduce(|one, other| one.merge(&other)).unwrap()
        };
        let mut once = picked.clone();
        once.sort_unstable();
        once.dedup();
        let sale = merged(&picked);
        prop_assert_eq!(&sale, &merged(&shuffled));
        prop_assert_eq!(&sale, &merged(&once));
        prop_assert_eq!(&sale.merge(&sale), &sale);
        let names: Vec<String> = sale.bookings().iter().map(Booking::name).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), names.len());
        // A sale round-trips through JSON.
        let read: Sale = serde_json::from_str(&serde_json::to_string(&sale).unwrap()).unwrap();
        prop_assert_eq!(read, sale);
    }
}

/// The kinds of facts, each in the place of its time in [`facts_at`].
fn kinds() -> [OrderEvent; 8] {
    [
        OrderEvent::CancellationRequested,
        OrderEvent::Confirmed,
        OrderEvent::OutOfStock(vec![("TEA-001", 1)]),
        OrderEvent::Paid,
        OrderEvent::Declined,
        OrderEvent::Voided(VoidReason::Expired),
        OrderEvent::Refunded("re_1", 100),
        OrderEvent::Refunded("re_2", 250),
    ]
}

/// The times of the facts of a sale, in the order of [`kinds`].
fn facts_at(sale: &Sale) -> [Option<Timestamp>; 8] {
    let refund = |id: &str| sale.refunds.get(&id.parse().unwrap()).map(|refund| refund.at);
    [
        sale.cancellation.as_ref().map(|fact| fact.at),
        sale.reserved.as_ref().map(|fact| fact.at),
        sale.rejected.as_ref().map(|fact| fact.at),
        sale.paid.as_ref().map(|fact| fact.at),
        sale.declined.as_ref().map(|fact| fact.at),
        sale.voided.as_ref().map(|fact| fact.at),
        refund("re_1"),
        refund("re_2"),
    ]
}

proptest! {
    #![proptest_config(cases(256))]

    /// A fact happened when it was first published, whichever of its events arrives first: a later retelling
    /// moves neither the fact nor the day on which it is booked.
    #[test]
    fn a_later_retelling_never_moves_a_fact(told in prop::collection::vec((0..8_usize, 0..100_000_i64), 1..30)) {
        let order = details(at(START), "EUR", &[("TEA-001", 2, 1250)]);
        let kinds = kinds();
        let time = |seconds: i64| at(START) + SignedDuration::from_secs(seconds);
        let events = told.iter().map(|(kind, seconds)| event(order_id(1), &order, time(*seconds), &kinds[*kind]));
        let sales = events.map(|event| Sale::from_event(&event).unwrap());
        let sale = sales.reduce(|one, other| one.merge(&other)).unwrap();
        let first = |kind: usize| {
            told.iter().filter(|(told, _)| *told == kind).map(|(_, seconds)| time(*seconds)).min()
        };
        let expected: [Option<Timestamp>; 8] = std::array::from_fn(first);
        prop_assert_eq!(facts_at(&sale), expected);
        prop_assert_eq!(sale.order.placed_at, at(START));
        let booked = |name: &str| sale.bookings().into_iter().find(|booking| booking.name() == name).map(|it| it.at);
        prop_assert_eq!(
            [booked("placed"), booked("rejected"), booked("paid"), booked("refunded#re_1"), booked("refunded#re_2")],
            [Some(at(START)), expected[2], expected[3], expected[6], expected[7]]
        );
    }
}

#[tokio::test]
async fn the_ledger_keeps_the_earliest_time_of_a_retold_fact() {
    let order = details(at(START), "EUR", &[("TEA-001", 2, 1250)]);
    let (first, later) = (at("2026-11-23T22:59:59Z"), at("2026-11-24T09:00:00Z"));
    for times in [[first, later], [later, first]] {
        let ledger = Arc::new(InMemoryLedger::default());
        let told = times.map(|time| event(order_id(1), &order, time, &OrderEvent::Paid));
        record(&ledger, &told).await;
        let paid = ledger.sales()[0].paid.clone().unwrap();
        assert_eq!(paid.at, first, "told at {times:?}");
    }
}

fn status(changes: &[OrderEvent]) -> OrderStatus {
    let order = details(at(START), "EUR", &[("TEA-001", 2, 1250)]);
    let sales = changes.iter().zip(0..).map(|(change, second)| {
        Sale::from_event(&event(order_id(1), &order, at(START) + SignedDuration::from_secs(second), change))
            .unwrap()
    });
    sales.reduce(|one, other| one.merge(&other)).unwrap().status()
}

#[test]
fn the_status_matches_the_order_service() {
    let out = || OrderEvent::OutOfStock(vec![("TEA-001", 1)]);
    let customer = || OrderEvent::Voided(VoidReason::CustomerRequest);
    for (changes, expected) in [
        (vec![OrderEvent::Created], OrderStatus::Placed),
        (vec![OrderEvent::Created, OrderEvent::Confirmed], OrderStatus::Reserved),
        (
            vec![OrderEvent::Created, OrderEvent::Confirmed, OrderEvent::CancellationRequested],
            OrderStatus::Cancelling,
        ),
        (vec![OrderEvent::Created, OrderEvent::CancellationRequested, customer()], OrderStatus::Cancelled),
        (vec![OrderEvent::Created, OrderEvent::Voided(VoidReason::Expired)], OrderStatus::Expired),
        (vec![OrderEvent::Created, out()], OrderStatus::Rejected),
        (vec![OrderEvent::Created, out(), customer()], OrderStatus::Rejected),
        (vec![OrderEvent::Created, customer(), out()], OrderStatus::Cancelled),
        (vec![OrderEvent::Created, OrderEvent::Confirmed, OrderEvent::Declined], OrderStatus::PaymentFailed),
        (
            vec![
                OrderEvent::Created,
                OrderEvent::CancellationRequested,
                OrderEvent::Paid,
                OrderEvent::Refunded("re_1", 5),
            ],
            OrderStatus::Paid,
        ),
    ] {
        assert_eq!(status(&changes), expected);
    }
}

#[test]
fn a_sale_can_be_read_as_of_a_point_in_time() {
    let order = details(at(START), "EUR", &[("TEA-001", 2, 1250)]);
    let second = |second| at(START) + SignedDuration::from_secs(second);
    let sales = [(OrderEvent::Created, 0), (OrderEvent::Paid, 10), (OrderEvent::Refunded("re_1", 500), 20)];
    let sales =
        sales.map(|(change, at)| Sale::from_event(&event(order_id(1), &order, second(at), &change)).unwrap());
    let sale = sales.into_iter().reduce(|one, other| one.merge(&other)).unwrap();
    let as_of = |at| (sale.as_of(second(at)).status(), sale.as_of(second(at)).refunded());
    assert_eq!(as_of(9), (OrderStatus::Placed, 0));
    assert_eq!(as_of(10), (OrderStatus::Paid, 0));
    assert_eq!(as_of(20), (OrderStatus::Paid, 500));
}

#[tokio::test]
async fn synthetic_orders_are_not_recorded() {
    let ledger = Arc::new(InMemoryLedger::default());
    let mut order = details(at(START), "EUR", &[("TEA-001", 2, 1250)]);
    order.customer.id = SYNTHETIC_CUSTOMER_ID.parse().unwrap();
    record(&ledger, &[event(order_id(1), &order, at(START), &OrderEvent::Created)]).await;
    assert_eq!(ledger.sales(), []);
}

#[tokio::test]
async fn an_unavailable_ledger_is_retried() {
    let ledger = Arc::new(InMemoryLedger::default());
    let handler = RecordSale { ledger: ledger.clone(), clock: Arc::new(SystemClock) };
    let event = &all_events()[0];
    ledger.failures.fail_next(1);
    assert!(matches!(handler.handle(event).await, Err(Failure::Retry(_))));
    handler.handle(event).await.unwrap();
    assert_eq!(ledger.sales().len(), 1);
}

async fn read<R: Row>(reader: &mut Reader<'_, R>) -> Vec<R> {
    let mut rows = Vec::new();
    while let Some(row) = reader.next().await.unwrap() {
        rows.push(row);
    }
    rows
}

#[tokio::test]
async fn a_period_is_read_in_time_order_from_any_position() {
    let start = at("2026-11-22T21:00:00Z");
    let ledger = some_orders(start, 500, 1).await;
    let minutes = |minutes| start + SignedDuration::from_mins(minutes);
    let (from, until) = (minutes(95), minutes(3000));
    let all = read(&mut Reader::<Sale>::new(ledger.as_ref(), from, until)).await;
    let times: Vec<Timestamp> = all.iter().map(Row::time).collect();
    let expected: Vec<Timestamp> = (10..300).map(|number| minutes(number * 10)).collect();
    assert_eq!(times, expected, "the start is included and the end is excluded");
    for index in [0, 1, 17, 144, 145, 289] {
        let position = all[index].position().after();
        let rest = read(&mut Reader::<Sale>::from_position(ledger.as_ref(), from, until, position)).await;
        assert_eq!(rest, all[index + 1..], "after {index}");
    }
    assert_eq!(read(&mut Reader::<Sale>::new(ledger.as_ref(), until, until)).await, []);
    // A page that cannot be read is not skipped: one of the partitions of a day, or a further page.
    for failing in 0..20 {
        let mut reader = Reader::<Sale>::new(ledger.as_ref(), from, until);
        let mut rows = Vec::new();
        for _ in 0..failing {
            rows.extend(reader.next().await.unwrap());
        }
        ledger.failures.fail_next(1);
        let mut failures = 0;
        loop {
            match reader.next().await {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(_) => failures += 1,
            }
        }
        assert_eq!(failures, 1);
        assert_eq!(rows, all, "after {failing} rows");
    }
    let bookings = read(&mut Reader::<Booking>::new(ledger.as_ref(), from, until)).await;
    assert!(bookings.is_sorted_by_key(Row::position) && bookings.len() > all.len());
}
