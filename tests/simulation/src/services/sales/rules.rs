//! The invariants of the sales. They are computed from what was published and from the orders, without the code
//! that merges facts or adds up bookings.

use std::collections::{BTreeMap, BTreeSet};

use domain::order::Order;
use domain::{Event, Fact, OrderDetails, OrderId, SYNTHETIC_CUSTOMER_ID, ShortageKind};
use jiff::Timestamp;
use jiff::civil::Date;
use platform::lock;
use sales::export::{Export, Format, State};
use sales::ledger::sale::{Paid, PlacedOrder, Rejected, Sale, Timestamped, Voided};
use sales::report::ReportFile;
use sales::report::store::Mail;
use serde_json::Value;

use super::BUCKET;
use crate::world::World;

/// The sales that the ledger has to contain: those of earlier days, and one for each order, also of other order
/// services.
pub(super) fn expected_sales(world: &World) -> BTreeMap<OrderId, Sale> {
    let published = lock(&world.parts.sales.published);
    let mut expected = lock(&world.parts.sales.history).clone();
    // The health check buys nothing.
    let is_synthetic = |order: &Order| order.details.customer.id.as_str() == SYNTHETIC_CUSTOMER_ID;
    for (id, order) in world.orders.all().into_iter().filter(|(_, order)| !is_synthetic(order)) {
        expected.insert(id, expected_sale(id, &order.details, &published));
    }
    for (id, details) in world.observed.foreign_orders() {
        expected.insert(id, expected_sale(id, &details, &published));
    }
    expected
}

/// The sale of an order: what it was placed with, and the earliest time at which each fact was published.
fn expected_sale(order: OrderId, details: &OrderDetails, published: &[Event]) -> Sale {
    fn first<T>(events: &[&Event], pick: impl Fn(&Fact) -> Option<T>) -> Option<Timestamped<T>> {
        let found = events.iter().filter_map(|event| Some((event.time, pick(&event.fact)?)));
        found.min_by_key(|(at, _)| *at).map(|(at, value)| Timestamped { at, value })
    }
    let events: Vec<&Event> = published.iter().filter(|event| event.subject == order).collect();
    Sale {
        order_id: order,
        order: PlacedOrder {
            customer_id: details.customer.id.clone(),
            customer_name: details.customer.name.clone(),
            customer_email: details.customer.email.clone(),
            lines: details.lines.clone(),
            placed_at: details.placed_at,
        },
        reserved: first(&events, |fact| matches!(fact, Fact::ReservationConfirmed(_)).then_some(())),
        cancellation: first(&events, |fact| matches!(fact, Fact::CancellationRequested(_)).then_some(())),
        rejected: first(&events, |fact| match fact {
            Fact::ReservationRejected(it) => Some(Rejected { shortages: it.shortages.clone() }),
            _ => None,
        }),
        // Never another amount than the order's total.
        paid: first(&events, |fact| {
            matches!(fact, Fact::PaymentSucceeded(_)).then_some(Paid { amount: details.total })
        }),
        declined: first(&events, |fact| matches!(fact, Fact::PaymentFailed(_)).then_some(())),
        voided: first(&events, |fact| match fact {
            Fact::PaymentVoided(it) => Some(Voided { reason: it.reason }),
            _ => None,
        }),
        refunds: BTreeMap::new(),
    }
}

/// The ledger contains each sale once, with the facts.
pub(super) fn check_ledger(world: &World) -> Vec<String> {
    let mut expected = expected_sales(world);
    let mut found = Vec::new();
    for sale in world.parts.sales.ledger.sales() {
        match expected.remove(&sale.order_id) {
            Some(expected) if expected == sale => {}
            Some(expected) => {
                found.push(format!("the ledger has the sale {sale:?} instead of {expected:?}"));
            }
            None => found.push(format!("the ledger has the sale {}, which is no order", sale.order_id)),
        }
    }
    found.extend(expected.into_keys().map(|id| format!("the ledger lacks the sale of order {id}")));
    found
}

/// What a report has to contain, in minor units.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    placed: u64,
    paid: u64,
    revenue: u64,
    pieces: u64,
    out_of_stock: u64,
}

fn expected_figures(world: &World, day: Date) -> Figures {
    let zone = &world.wiring.shop_time_zone;
    let is_on = |at: Timestamp| zone.to_datetime(at).date() == day;
    let mut figures = Figures::default();
    for sale in expected_sales(world).into_values() {
        figures.placed += u64::from(is_on(sale.order.placed_at));
        if let Some(paid) = sale.paid.filter(|paid| is_on(paid.at)) {
            figures.paid += 1;
            figures.revenue += u64::from(paid.value.amount.minor_units());
            figures.pieces += sale.order.lines.iter().map(|line| u64::from(line.quantity.get())).sum::<u64>();
        }
        let is_missing = |rejected: &Timestamped<Rejected>| {
            let mut kinds = rejected.value.shortages.iter().map(|shortage| &shortage.kind);
            is_on(rejected.at) && kinds.any(|kind| matches!(kind, ShortageKind::OutOfStock { .. }))
        };
        figures.out_of_stock += u64::from(sale.rejected.as_ref().is_some_and(is_missing));
    }
    figures
}

/// The report of the day before the last morning equals the ledger of that day, and so does each email about it. Runs
/// that settle slowly have reports of earlier days, too.
pub(super) fn check_report(world: &World) -> Vec<String> {
    let Some(day) = *lock(&world.parts.sales.report_day) else { return Vec::new() };
    let expected = expected_figures(world, day);
    let mut found = Vec::new();
    let bucket = world.bucket(BUCKET);
    let reports = bucket.keys().into_iter().filter(|key| key.starts_with("reports/"));
    let days: BTreeSet<String> = reports.filter_map(|key| Some(key.split('/').nth(1)?.to_owned())).collect();
    if !days.contains(&day.to_string()) || days.iter().any(|other| *other > day.to_string()) {
        found.push(format!("there are reports of {days:?} instead of {day}"));
    }
    match bucket.get(&ReportFile::Csv.key(day)).and_then(|file| totals(&file.body)) {
        Some(totals) if totals == (expected.pieces, expected.revenue) => {}
        totals => found.push(format!("the report of {day} has {totals:?} instead of {expected:?}")),
    }
    let Figures { placed, paid, revenue, out_of_stock, .. } = &expected;
    let text = if *placed + *paid + *out_of_stock == 0 {
        "No sales.".to_owned()
    } else {
        format!(
            "EUR: {placed} orders placed, {paid} paid, revenue {}.{:02} EUR, refunds 0.00 EUR; {out_of_stock} \
             rejected as out of stock",
            revenue / 100,
            revenue % 100,
        )
    };
    let mails = lock(&world.parts.sales.mails);
    let link = format!("/reports/{day}/");
    let mails: Vec<_> = mails.iter().filter(|mail| mail.text.contains(&link)).collect();
    if mails.is_empty() {
        found.push(format!("no email was sent about the report of {day}"));
    }
    for mail in mails {
        if mail.subject.starts_with("Corrected") || !mail.text.contains(&text) {
            found.push(format!("the email “{}” does not say: {text}\n{}", mail.subject, mail.text));
        }
    }
    found
}

/// An invocation that begins when the email about a day is recorded as sent sends it only if the figures have changed.
pub(super) fn check_email(world: &World, invocation: u64, mail: &Mail) {
    let mailed = lock(&world.parts.sales.mailed).get(&invocation).cloned().unwrap_or_default();
    let is_repeated = mailed.iter().any(|day| mail.text.contains(&format!("/reports/{day}/")));
    if is_repeated && !mail.subject.starts_with("Corrected") {
        world.report_violation(format!("the email “{}” was sent before", mail.subject));
    }
}

/// The pieces and the revenue of all rows of a report, in minor units.
fn totals(csv: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(csv).ok()?;
    let rows = text.lines().skip(1).map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        Some((cells.get(4)?.parse::<u64>().ok()?, cells.get(5)?.replace('.', "").parse::<u64>().ok()?))
    });
    rows.sum::<Option<Sum>>().map(|sum| (sum.0, sum.1))
}

/// A sum of pairs.
struct Sum(u64, u64);

impl std::iter::Sum<(u64, u64)> for Sum {
    fn sum<I: Iterator<Item = (u64, u64)>>(pairs: I) -> Self {
        pairs.fold(Self(0, 0), |sum, pair| Self(sum.0 + pair.0, sum.1 + pair.1))
    }
}

/// An order in an export: its id and status, and when it was paid.
type Exported = (String, String, Option<Timestamp>);

/// An export contains each sale that `ledger` had when it was requested, once, with its state at that time. If
/// the ledger was complete then, it contains nothing else.
pub(super) fn check_export(
    world: &World,
    export: &Export,
    ledger: &[Sale],
    is_complete: bool,
) -> Vec<String> {
    let State::Done { orders, .. } = export.state else { return vec!["the export is not done".to_owned()] };
    let Some(file) = world.bucket(BUCKET).get(&export.key()) else {
        return vec![format!("the export {} has no file", export.key())];
    };
    let (from, until) = (export.request.from, export.request.until.min(export.requested_at));
    let includes = |sale: &Sale| {
        let statuses = &export.request.statuses;
        (from..until).contains(&sale.order.placed_at)
            && (statuses.is_empty() || statuses.contains(&sale.as_of(export.requested_at).status()))
    };
    let exported = |sale: &Sale| -> Exported {
        let sale = sale.as_of(export.requested_at);
        let status = serde_json::to_value(sale.status()).unwrap_or_default();
        (
            sale.order_id.to_string(),
            status.as_str().unwrap_or_default().to_owned(),
            sale.paid.map(|paid| paid.at),
        )
    };
    let expected: BTreeSet<Exported> = ledger.iter().filter(|sale| includes(sale)).map(exported).collect();
    let rows = match export.request.format {
        Format::Csv => csv_rows(&file.body),
        Format::JsonLines => json_rows(&file.body),
        Format::Parquet => {
            let is_whole = file.body.starts_with(b"PAR1") && file.body.ends_with(b"PAR1");
            let differs = is_complete && usize::try_from(orders).ok() != Some(expected.len());
            return if is_whole && !differs {
                Vec::new()
            } else {
                vec![format!("the Parquet export has {orders} orders instead of {}", expected.len())]
            };
        }
    };
    let Some(rows) = rows else { return vec![format!("the export {} cannot be parsed", export.key())] };
    let mut found = Vec::new();
    let ids: BTreeSet<&String> = rows.iter().map(|(id, ..)| id).collect();
    if ids.len() != rows.len() || u64::try_from(rows.len()).ok() != Some(orders) {
        found.push(format!("the export contains an order twice: {rows:?}"));
    }
    if is_complete && rows.iter().cloned().collect::<BTreeSet<_>>() != expected {
        found.push(format!("the export contains {rows:?} instead of {expected:?}"));
    }
    // An order that has changed since may have another status, but no sale is missing.
    let all_statuses = export.request.statuses.is_empty();
    if let Some((missing, ..)) = expected.iter().find(|(id, ..)| all_statuses && !ids.contains(id)) {
        found.push(format!("the export lacks order {missing}, which the ledger contained"));
    }
    found
}

/// The orders of a CSV file, which has a row for each of their lines.
fn csv_rows(body: &[u8]) -> Option<Vec<Exported>> {
    let text = std::str::from_utf8(body).ok()?;
    let rows = text.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>());
    let first_lines = rows.filter(|row| row.get(10) == Some(&"1"));
    let orders = first_lines.map(|row| {
        let paid_at = row.get(8).filter(|at| !at.is_empty());
        let paid_at = paid_at.map(|at| at.parse()).transpose().ok()?;
        Some(((*row.first()?).to_owned(), (*row.get(2)?).to_owned(), paid_at))
    });
    orders.collect()
}

fn json_rows(body: &[u8]) -> Option<Vec<Exported>> {
    let text = std::str::from_utf8(body).ok()?;
    let orders = text.lines().map(|line| {
        let order: Value = serde_json::from_str(line).ok()?;
        let paid_at = order["paid_at"].as_str().map(str::parse).transpose().ok()?;
        Some((order["order_id"].as_str()?.to_owned(), order["status"].as_str()?.to_owned(), paid_at))
    });
    orders.collect()
}
