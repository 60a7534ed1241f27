//! The items of the tables.

use anyhow::Context;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::order::{Order, OrderStatus};
use domain::{CustomerId, Event, EventId, OrderId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

use crate::store::{OPEN_SHARDS, Stored};

/// An item in the representation of the SDK.
pub(super) type Item = HashMap<String, AttributeValue>;

/// An item of the orders table: the order as JSON, and the attributes for keys, indexes and conditions.
#[derive(Serialize, Deserialize)]
struct OrderItem {
    order_id: OrderId,
    customer_id: CustomerId,
    placed_at: String,
    status: OrderStatus,
    version: u64,
    /// Set only while the order is not final, so that the index `by_open` contains open orders only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_shard: Option<String>,
    order: String,
}

/// Formats a time as RFC 3339 with a fixed number of digits, so that the text sorts chronologically.
pub(super) fn sortable(time: Timestamp) -> String {
    format!("{time:.6}")
}

pub(super) fn shard_name(shard: u8) -> String {
    format!("open#{shard}")
}

/// The shard of an order, from the last digit of its id, which is random.
pub(super) fn shard_of(order: OrderId) -> u8 {
    order.to_string().bytes().last().unwrap_or_default() % OPEN_SHARDS
}

pub(super) fn order_item(order: &Order, version: u64) -> anyhow::Result<Item> {
    let status = order.status();
    let item = OrderItem {
        order_id: order.id,
        customer_id: order.details.customer.id.clone(),
        placed_at: sortable(order.details.placed_at),
        status,
        version,
        open_shard: (!status.is_final()).then(|| shard_name(shard_of(order.id))),
        order: serde_json::to_string(order)?,
    };
    serde_dynamo::to_item(item).context("failed to serialise an order")
}

pub(super) fn parse_order(item: Item) -> anyhow::Result<Stored> {
    let item: OrderItem =
        serde_dynamo::from_item(item).context("a row of the orders table could not be parsed")?;
    let order = serde_json::from_str(&item.order).context("an order in the table could not be parsed")?;
    Ok(Stored { value: order, version: item.version })
}

/// An item of the outbox table.
#[derive(Serialize, Deserialize)]
pub(super) struct OutboxItem {
    pub(super) event_id: EventId,
    pub(super) event: String,
    pub(super) created_at: String,
}

pub(super) fn outbox_item(event: &Event) -> anyhow::Result<Item> {
    let item = OutboxItem {
        event_id: event.id,
        event: serde_json::to_string(event)?,
        created_at: sortable(event.time),
    };
    serde_dynamo::to_item(item).context("failed to serialise an outbox row")
}
