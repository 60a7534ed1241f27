//! Test orders, and queries for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::order::{Order, Outcome};
use domain::{Cause, OrderDetails, OrderId, ProductName, Sku};
use jiff::{SignedDuration, Timestamp};
use platform::memory::ManualClock;
use search::document::{Audience, Document};
use search::image::OrderImage;
use search::query::{Filters, Page, Query};
use search::term::QueryWord;
use serde_json::json;
use uuid::Uuid;

/// The time of the first order.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_second(1_795_428_930).unwrap()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(start()))
}

pub(crate) fn order_id(number: u32) -> OrderId {
    OrderId::from(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_0000_0000 + u128::from(number)))
}

/// An order of these products, placed `number` seconds after the start.
pub(crate) fn order_with(number: u32, customer: &str, name: &str, email: &str, skus: &[&str]) -> Order {
    let lines: Vec<_> = skus
        .iter()
        .map(|sku| json!({"sku": sku, "quantity": 1, "unit_price": {"amount": 1250, "currency": "EUR"}}))
        .collect();
    let details: OrderDetails = serde_json::from_value(json!({
        "customer": {"id": customer, "name": name, "email": email},
        "total": {"amount": 1250 * skus.len(), "currency": "EUR"},
        "lines": lines,
        "payment_method": "pm_card_visa",
        "placed_at": start() + SignedDuration::from_secs(number.into()),
    }))
    .unwrap();
    let cause = Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None };
    Order::place(order_id(number), details, cause).0
}

pub(crate) fn order(number: u32) -> Order {
    order_with(
        number,
        &format!("cust-{}", number % 2),
        "Ada Lovelace",
        "ada@example.com",
        &["TEA-001", "TEA-002"],
    )
}

/// The image of an order after 1 to 3 writes.
pub(crate) fn image(number: u32, version: u64) -> OrderImage {
    let order = order(number);
    let order = match version {
        1 => order,
        2 => Order { reserved: true, ..order },
        _ => Order { reserved: true, outcome: Some(Outcome::Paid), ..order },
    };
    OrderImage { order, version }
}

pub(crate) fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

pub(crate) fn names(pairs: &[(&str, &str)]) -> BTreeMap<Sku, ProductName> {
    pairs.iter().map(|(code, name)| (sku(code), name.parse().unwrap())).collect()
}

pub(crate) fn document(order: &Order, product_names: &[(&str, &str)]) -> Document {
    Document::from_order(order, 1, &names(product_names))
}

pub(crate) fn unrestricted_query(words: &str) -> Query {
    Query {
        audience: Audience::All,
        words: QueryWord::parse_all(words),
        filters: Filters::default(),
        limit: 100,
        after: None,
    }
}

pub(crate) fn customer_query(id: &str, words: &str) -> Query {
    Query { audience: Audience::Customer(id.parse().unwrap()), ..unrestricted_query(words) }
}

/// The numbers of the orders on a page.
pub(crate) fn numbers(page: &Page) -> Vec<u32> {
    let number = |id: OrderId| u32::from_str_radix(id.to_string().get(28..).unwrap(), 16).unwrap();
    page.hits.iter().map(|hit| number(hit.document.order_id)).collect()
}
