//! The ledger says the same whatever order events come in.

use std::sync::Arc;

use documents::adapters::memory::InMemoryLedger;
use documents::ledger::booking::Booking;
use documents::ledger::read::Reader;
use documents::ledger::record::RecordSale;
use documents::ledger::sale::Sale;
use documents::ledger::store::Row;
use domain::order::OrderStatus;
use domain::payment::VoidReason;
use domain::{Event, SYNTHETIC_CUSTOMER_ID};
use jiff::{SignedDuration, Timestamp};
use platform::{EventHandler, Failure};
use proptest::prelude::*;

use crate::support::{News, at, cases, details, event, order_id, record, some_orders};

const START: &str = "2026-11-23T10:00:00Z";

/// Each fact once, some of them again with another time, some that contradict.
fn all() -> Vec<Event> {
    let order = details(at(START), "EUR", &[("TEA-001", 2, 1250), ("TEA-002", 1, 499)]);
    let news = [
        News::Created,
        News::Wish,
        News::Confirmed,
        News::OutOfStock(vec![("TEA-001", 1)]),
        News::OutOfStock(vec![("TEA-001", 0)]),
        News::Paid,
        News::Paid,
        News::Declined,
        News::Voided(VoidReason::Expired),
        News::Voided(VoidReason::CustomerRequest),
        News::Refunded("re_1", 100),
        News::Refunded("re_1", 100),
        News::Refunded("re_2", 250),
    ];
    let time = |number: usize| at(START) + SignedDuration::from_secs(i64::try_from(number / 2).unwrap());
    news.iter().enumerate().map(|(number, news)| event(order_id(1), &order, time(number), news)).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    /// Any order, any duplicates, anything missing: the sale is that of the set of events.
    #[test]
    fn a_sale_does_not_depend_on_the_order_of_events(
        picked in prop::collection::vec(0..13_usize, 1..30),
        seed in prop::collection::vec(any::<prop::sample::Index>(), 30),
    ) {
        let events = all();
        let mut shuffled = picked.clone();
        for (place, index) in seed.iter().enumerate().take(shuffled.len()) {
            let other = index.index(shuffled.len());
            shuffled.swap(place, other);
        }
        let told = |order: &[usize]| {
            let sales = order.iter().map(|number| Sale::of(&events[*number]).unwrap());
            sales.reduce(|one, other| one.merge(&other)).unwrap()
        };
        let mut once = picked.clone();
        once.sort_unstable();
        once.dedup();
        let sale = told(&picked);
        prop_assert_eq!(&sale, &told(&shuffled));
        prop_assert_eq!(&sale, &told(&once));
        prop_assert_eq!(&sale.merge(&sale), &sale);
        let names: Vec<String> = sale.bookings().iter().map(Booking::name).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), names.len());
        // Written down and read again.
        let read: Sale = serde_json::from_str(&serde_json::to_string(&sale).unwrap()).unwrap();
        prop_assert_eq!(read, sale);
    }
}

fn status(news: &[News]) -> OrderStatus {
    let order = details(at(START), "EUR", &[("TEA-001", 2, 1250)]);
    let sales = news.iter().zip(0..).map(|(news, second)| {
        Sale::of(&event(order_id(1), &order, at(START) + SignedDuration::from_secs(second), news)).unwrap()
    });
    sales.reduce(|one, other| one.merge(&other)).unwrap().status()
}

#[test]
fn an_order_stands_as_the_order_service_says() {
    let out = || News::OutOfStock(vec![("TEA-001", 1)]);
    let customer = || News::Voided(VoidReason::CustomerRequest);
    for (news, wanted) in [
        (vec![News::Created], OrderStatus::Placed),
        (vec![News::Created, News::Confirmed], OrderStatus::Reserved),
        (vec![News::Created, News::Confirmed, News::Wish], OrderStatus::Cancelling),
        (vec![News::Created, News::Wish, customer()], OrderStatus::Cancelled),
        (vec![News::Created, News::Voided(VoidReason::Expired)], OrderStatus::Expired),
        (vec![News::Created, out()], OrderStatus::Rejected),
        (vec![News::Created, out(), customer()], OrderStatus::Rejected),
        (vec![News::Created, customer(), out()], OrderStatus::Cancelled),
        (vec![News::Created, News::Confirmed, News::Declined], OrderStatus::PaymentFailed),
        (vec![News::Created, News::Wish, News::Paid, News::Refunded("re_1", 5)], OrderStatus::Paid),
    ] {
        assert_eq!(status(&news), wanted);
    }
}

#[test]
fn a_sale_can_be_seen_as_it_stood() {
    let order = details(at(START), "EUR", &[("TEA-001", 2, 1250)]);
    let second = |second| at(START) + SignedDuration::from_secs(second);
    let sales = [(News::Created, 0), (News::Paid, 10), (News::Refunded("re_1", 500), 20)];
    let sales = sales.map(|(news, at)| Sale::of(&event(order_id(1), &order, second(at), &news)).unwrap());
    let sale = sales.into_iter().reduce(|one, other| one.merge(&other)).unwrap();
    let seen = |at| (sale.as_of(second(at)).status(), sale.as_of(second(at)).refunded());
    assert_eq!(seen(9), (OrderStatus::Placed, 0));
    assert_eq!(seen(10), (OrderStatus::Paid, 0));
    assert_eq!(seen(20), (OrderStatus::Paid, 500));
}

#[tokio::test]
async fn who_looks_whether_the_shop_works_buys_nothing() {
    let ledger = Arc::new(InMemoryLedger::default());
    let mut order = details(at(START), "EUR", &[("TEA-001", 2, 1250)]);
    order.customer.id = SYNTHETIC_CUSTOMER_ID.parse().unwrap();
    record(&ledger, &[event(order_id(1), &order, at(START), &News::Created)]).await;
    assert_eq!(ledger.sales(), []);
}

#[tokio::test]
async fn a_ledger_that_does_not_answer_is_asked_again_later() {
    let ledger = Arc::new(InMemoryLedger::default());
    let handler = RecordSale { ledger: ledger.clone() };
    let told = &all()[0];
    ledger.failures.fail_next(1);
    assert!(matches!(handler.handle(told).await, Err(Failure::Retry(_))));
    handler.handle(told).await.unwrap();
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
async fn a_period_is_read_in_the_order_of_time_from_anywhere() {
    let start = at("2026-11-22T21:00:00Z");
    let ledger = some_orders(start, 500, 1).await;
    let minutes = |minutes| start + SignedDuration::from_mins(minutes);
    let (from, until) = (minutes(95), minutes(3000));
    let all = read(&mut Reader::<Sale>::new(ledger.as_ref(), from, until)).await;
    let times: Vec<Timestamp> = all.iter().map(Row::moment).collect();
    let wanted: Vec<Timestamp> = (10..300).map(|number| minutes(number * 10)).collect();
    assert_eq!(times, wanted, "neither the end nor anything before the beginning");
    for place in [0, 1, 17, 144, 145, 289] {
        let behind = all[place].position().behind();
        let rest = read(&mut Reader::<Sale>::from_position(ledger.as_ref(), from, until, behind)).await;
        assert_eq!(rest, all[place + 1..], "behind {place}");
    }
    assert_eq!(read(&mut Reader::<Sale>::new(ledger.as_ref(), until, until)).await, []);
    let bookings = read(&mut Reader::<Booking>::new(ledger.as_ref(), from, until)).await;
    assert!(bookings.is_sorted_by_key(Row::position) && bookings.len() > all.len());
}
