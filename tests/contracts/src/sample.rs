//! Sample orders, products and payments, the same in every run.

use domain::order::Order;
use domain::{
    Cause, Customer, CustomerId, Event, Line, Lines, Money, OrderDetails, OrderId, ProductName, Sku,
};
use jiff::Timestamp;
use orders::store::IdempotencyRecord;
use serde_json::json;
use uuid::Uuid;

/// The current time in all contracts, in seconds since the Unix epoch.
pub(crate) const NOW: i64 = 1_795_428_930;

/// An order id. Ids sort by `number`.
pub(crate) fn order_id(number: u32) -> OrderId {
    OrderId::from(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_0000_0000 + u128::from(number)))
}

/// The time `microseconds` after [`NOW`].
pub(crate) fn time(microseconds: i64) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_microsecond(NOW * 1_000_000 + microseconds)?)
}

pub(crate) fn cause() -> anyhow::Result<Cause> {
    Ok(Cause { correlation_id: "request-1".parse()?, causation_id: None, traceparent: None })
}

pub(crate) fn customer(number: u32) -> anyhow::Result<CustomerId> {
    Ok(format!("cust-{number}").parse()?)
}

pub(crate) fn sku(number: u32) -> anyhow::Result<Sku> {
    Ok(format!("TEA-{number:03}").parse()?)
}

pub(crate) fn name() -> anyhow::Result<ProductName> {
    Ok("Darjeeling".parse()?)
}

pub(crate) fn euros(minor_units: u32) -> anyhow::Result<Money> {
    Ok(serde_json::from_value(json!({ "amount": minor_units, "currency": "EUR" }))?)
}

/// An order line at a unit price of 12.50 euros.
pub(crate) fn line(sku: Sku, quantity: u32) -> anyhow::Result<Line> {
    Ok(Line { sku, quantity: i64::from(quantity).try_into()?, unit_price: euros(1250)? })
}

pub(crate) fn details(number: u32, placed_at: Timestamp) -> anyhow::Result<OrderDetails> {
    let customer: Customer = serde_json::from_value(json!({
        "id": customer(number)?, "name": "Ada Lovelace", "email": "ada@example.com",
    }))?;
    let lines = Lines::try_from(vec![line(sku(1)?, 2)?, line(sku(2)?, 1)?])?;
    Ok(OrderDetails::new(customer, lines, "pm_card_visa".parse()?, placed_at))
}

/// A new order of a customer, and its event.
pub(crate) fn order(number: u32, customer: u32, placed_at: Timestamp) -> anyhow::Result<(Order, Event)> {
    Ok(Order::place(order_id(number), details(customer, placed_at)?, cause()?))
}

/// The idempotency record of an order, which expires `valid_for` seconds after [`NOW`].
pub(crate) fn idempotency_record(key: &str, order: OrderId, valid_for: i64) -> IdempotencyRecord {
    IdempotencyRecord {
        key: key.to_owned(),
        fingerprint: format!("what {order} was made of"),
        order_id: order,
        response_body: format!("{{\"id\":\"{order}\"}}"),
        expires_at: NOW + valid_for,
    }
}
