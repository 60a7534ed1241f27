//! The daily report: its totals, its page and its email.

use std::sync::Arc;

use domain::Event;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use platform::host::schedule::Job;
use platform::memory::{Bucket, ManualClock};
use proptest::prelude::*;
use sales::adapters::memory::{FixedLinkSecret, InMemoryLedger, InMemoryMailer};
use sales::ledger::sale::Sale;
use sales::report::day::LocalDay;
use sales::report::figures::{Figures, Orders, Sales};
use sales::report::job::{DailyReport, MailSettings};
use sales::report::link::LinkSigner;
use sales::report::{page, table};
use serde_json::{Value, json};

use crate::support::{OrderEvent, at, cases, details, event, order_id, record};

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

/// A day on which the clocks go back, with all kinds of bookings.
fn busy_day() -> Vec<Event> {
    let day = at("2026-10-24T22:00:00Z");
    let minutes = |minutes: i64| day + SignedDuration::from_mins(minutes);
    let mut events = Vec::new();
    for number in 0..120_u64 {
        let placed = minutes(i64::try_from(number * 12 + number * number % 11).unwrap());
        let first = format!("TEA-{:03}", number % 18);
        let second = format!("CUP-{:03}", number % 5);
        let currency = if number % 10 == 9 { "JPY" } else { "EUR" };
        let lines = [(first.as_str(), 1 + number % 3, 1250 + 7 * number), (second.as_str(), 1, 990)];
        let order = details(placed, currency, &lines);
        let id = order_id(number.into());
        events.push(event(id, &order, placed, &OrderEvent::Created));
        let later = placed + SignedDuration::from_secs(90);
        match number % 8 {
            7 => {
                events.push(event(
                    id,
                    &order,
                    later,
                    &OrderEvent::OutOfStock(vec![("CUP-002", 0), ("CUP-004", 0)]),
                ));
            }
            6 => events.push(event(id, &order, later, &OrderEvent::Declined)),
            _ => events.push(event(id, &order, later, &OrderEvent::Paid)),
        }
        if number % 16 == 1 {
            let refunded = later + SignedDuration::from_mins(40);
            events.push(event(id, &order, refunded, &OrderEvent::Refunded("re_1", 333)));
        }
    }
    events
}

fn figures(events: &[Event], day: &LocalDay) -> Figures {
    let mut sales: std::collections::BTreeMap<_, Sale> = std::collections::BTreeMap::new();
    for update in events.iter().filter_map(Sale::from_event) {
        let known = sales.get(&update.order_id).map_or_else(|| update.clone(), |known| known.merge(&update));
        sales.insert(update.order_id, known);
    }
    let mut figures = Figures::new(day);
    sales.values().flat_map(Sale::bookings).for_each(|booking| figures.add(&booking));
    figures
}

const MADE_AT: &str = "2026-10-26T03:15:00Z";

#[test]
fn the_page_of_a_busy_day() {
    let day = LocalDay::new("2026-10-25".parse().unwrap(), berlin()).unwrap();
    let figures = figures(&busy_day(), &day);
    insta::assert_snapshot!(page::render("The <Tea> Shop", &day, &berlin(), &figures, at(MADE_AT)).unwrap());
    insta::assert_snapshot!(String::from_utf8(table::render(&figures)).unwrap());
}

#[test]
fn the_page_of_a_day_without_orders() {
    let day = LocalDay::new("2026-03-29".parse().unwrap(), berlin()).unwrap();
    let made = at("2026-03-30T02:15:00Z");
    insta::assert_snapshot!(
        page::render("The Tea Shop", &day, &berlin(), &Figures::new(&day), made).unwrap()
    );
}

/// Writes sample pages for visual inspection: `REPORT_PAGES=<folder> cargo test … -- --ignored
/// write_sample_pages`.
#[test]
#[ignore = "writes files for visual inspection"]
fn write_sample_pages() {
    let folder = std::path::PathBuf::from(std::env::var("REPORT_PAGES").unwrap());
    let day = LocalDay::new("2026-10-25".parse().unwrap(), berlin()).unwrap();
    let write = |name: &str, figures: &Figures| {
        let page = page::render("The Tea Shop", &day, &berlin(), figures, at(MADE_AT)).unwrap();
        std::fs::write(folder.join(name), page).unwrap();
    };
    write("busy.html", &figures(&busy_day(), &day));
    write("empty.html", &Figures::new(&day));
    let many: Vec<Event> = (0..500_u64)
        .flat_map(|number| {
            let placed =
                at("2026-10-25T08:00:00Z") + SignedDuration::from_secs(i64::try_from(number * 60).unwrap());
            let sku = format!("A-PRODUCT-WITH-A-VERY-LONG-NAME-IN-40-{:02}", number % 100);
            let order = details(
                placed,
                "EUR",
                &[(&sku[..sku.len().min(40)], 1, 100 * number + 1), (&format!("P-{number:03}"), 1, 5)],
            );
            [OrderEvent::Created, OrderEvent::Paid]
                .map(|change| event(order_id(number.into()), &order, placed, &change))
        })
        .collect();
    write("many.html", &figures(&many, &day));
}

proptest! {
    #![proptest_config(cases(64))]

    /// For any time zone, day and time of events, the hours add up to the products and to the day, to the
    /// cent.
    #[test]
    fn hours_and_products_add_up(
        (zone, date) in prop::sample::select(vec![
            ("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25"), ("America/Sao_Paulo", "2018-11-04"),
            ("Australia/Lord_Howe", "2026-04-05"), ("Australia/Lord_Howe", "2026-10-04"), ("UTC", "2026-11-23"),
        ]),
        orders in prop::collection::vec((0..3_000_i64, 1..5_u64, 0..5_000_u64, 0..8_u8, 0..9_000_u64), 1..40),
    ) {
        let day = LocalDay::new(date.parse().unwrap(), TimeZone::get(zone).unwrap()).unwrap();
        let start = day.start - SignedDuration::from_hours(12);
        let mut events = Vec::new();
        let (mut placed_count, mut revenue, mut refunded, mut out) = (0, 0, 0, 0);
        let is_today = |at: Timestamp| (day.start..day.end).contains(&at);
        for (number, (minute, quantity, price, kind, refund)) in orders.into_iter().enumerate() {
            let placed = start + SignedDuration::from_mins(minute);
            let later = placed + SignedDuration::from_mins(35);
            let order = details(placed, "EUR", &[("A", quantity, price), ("B", 1, 333), ("C", 2, 1)]);
            let id = order_id(u128::try_from(number).unwrap());
            events.push(event(id, &order, placed, &OrderEvent::Created));
            placed_count += u64::from(is_today(placed));
            if kind == 0 {
                events.push(event(id, &order, later, &OrderEvent::OutOfStock(vec![("A", 0)])));
                out += u64::from(is_today(later));
            } else {
                events.push(event(id, &order, later, &OrderEvent::Paid));
                revenue += if is_today(later) { u64::from(order.total.minor_units()) } else { 0 };
            }
            if kind == 1 {
                events.push(event(id, &order, later, &OrderEvent::Refunded("re_1", refund)));
                refunded += if is_today(later) { refund } else { 0 };
            }
        }
        let figures = figures(&events, &day);
        for unit in figures.currencies() {
            let (orders, sales) = (figures.order_totals(unit, None), figures.sales_totals(unit, None));
            prop_assert_eq!((orders.placed, orders.out_of_stock), (placed_count, out));
            prop_assert_eq!((sales.revenue, sales.refunded), (revenue, refunded));
            let hours = 0..figures.hours().len();
            prop_assert_eq!(hours.clone().map(|hour| figures.sales_totals(unit, Some(hour))).sum::<Sales>(), sales);
            prop_assert_eq!(hours.map(|hour| figures.order_totals(unit, Some(hour))).sum::<Orders>(), orders);
            prop_assert_eq!(figures.sales_by_product(unit).into_iter().map(|(_, sales)| sales).sum::<Sales>(), sales);
            prop_assert_eq!(figures.rows().into_iter().map(|(_, _, _, sales)| sales).sum::<Sales>(), sales);
        }
    }
}

struct World {
    ledger: Arc<InMemoryLedger>,
    files: Arc<Bucket>,
    mailer: Arc<InMemoryMailer>,
    job: DailyReport,
}

fn world(now: &str) -> World {
    let clock = Arc::new(ManualClock::new(at(now)));
    let ledger = Arc::new(InMemoryLedger::default());
    let (files, mailer) = (Arc::new(Bucket::default()), Arc::new(InMemoryMailer::default()));
    let job = DailyReport {
        bookings: ledger.clone(),
        files: files.clone(),
        mail: Some(MailSettings {
            mailer: mailer.clone(),
            links: LinkSigner::new(Arc::new(FixedLinkSecret), clock.clone()),
            api_url: "https://api.example.com/v1".to_owned(),
        }),
        clock,
        zone: berlin(),
        shop: "The Tea Shop".to_owned(),
    };
    World { ledger, files, mailer, job }
}

#[tokio::test]
async fn yesterday_is_reported_and_a_day_can_be_run_again() {
    let world = world("2026-10-26T03:15:00Z");
    record(&world.ledger, &busy_day()).await;
    let report = world.job.run(Value::Null).await.unwrap();
    assert_eq!((&report["day"], &report["mailed"]), (&"2026-10-25".into(), &true.into()));
    let csv = world.files.get("reports/2026-10-25/report.csv").unwrap();
    let mail = world.mailer.sent().pop().unwrap();
    assert_eq!(mail.subject, "The Tea Shop: sales on Sunday, 25 October 2026");
    insta::assert_snapshot!(
        mail.text.lines().filter(|line| !line.starts_with("https")).collect::<Vec<_>>().join("\n")
    );
    assert!(mail.text.contains("https://api.example.com/v1/reports/2026-10-25/files/page?until="));

    // The input of the schedule does not select a day. Running the same day again sends no second email.
    let again = world.job.run(json!({ "source": "aws.scheduler", "detail": "{}" })).await.unwrap();
    assert_eq!(again["mailed"], false);
    assert_eq!(world.files.get("reports/2026-10-25/report.csv").unwrap(), csv);

    // A payment arrives late.
    let order = details(at("2026-10-25T12:00:00Z"), "EUR", &[("TEA-001", 1, 100)]);
    record(&world.ledger, &[event(order_id(9999), &order, at("2026-10-25T12:00:00Z"), &OrderEvent::Paid)])
        .await;
    let corrected = world.job.run(json!({ "day": "2026-10-25" })).await.unwrap();
    assert_eq!(corrected["mailed"], true);
    assert_ne!(world.files.get("reports/2026-10-25/report.csv").unwrap(), csv);
    assert!(world.mailer.sent()[1].subject.starts_with("Corrected: "));
}

#[tokio::test]
async fn an_unsent_email_is_sent_by_the_next_run() {
    let world = world("2026-10-26T03:15:00Z");
    world.mailer.failures.fail_next(1);
    assert!(world.job.run(Value::Null).await.is_err());
    assert!(world.files.get("reports/2026-10-25/report.html").is_some(), "the report exists nevertheless");
    world.job.run(Value::Null).await.unwrap();
    assert!(world.mailer.sent()[0].text.contains("No sales."));
}

#[tokio::test]
async fn a_day_that_is_not_over_is_not_reported() {
    let world = world("2026-10-25T22:59:59Z");
    assert_eq!(world.job.run(Value::Null).await.unwrap()["day"], "2026-10-24");
    let today = world.job.run(json!({ "day": "2026-10-25" })).await.unwrap_err();
    assert!(today.to_string().contains("is not over yet"), "{today}");
    assert!(world.job.run(json!({ "day": "yesterday" })).await.is_err());
}
