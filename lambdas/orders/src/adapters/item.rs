//! How an order stands in the table.

use anyhow::Context;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::order::{Order, OrderStatus};
use domain::{CustomerId, Event, EventId, OrderId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

use crate::store::{OPEN_SHARDS, Stored};

/// A row, as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// What the indexes need, beside the order itself as JSON.
#[derive(Serialize, Deserialize)]
struct OrderItem {
    order_id: OrderId,
    customer_id: CustomerId,
    placed_at: String,
    status: OrderStatus,
    version: u64,
    /// Only while the order is not final: the index `by_open` holds no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_shard: Option<String>,
    order: String,
}

/// A time as text that sorts like time: RFC 3339 with as many digits for each.
pub(super) fn sortable(time: Timestamp) -> String {
    format!("{time:.6}")
}

pub(super) fn shard_name(shard: u8) -> String {
    format!("open#{shard}")
}

/// The last digit of the id is as good as random.
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
    serde_dynamo::to_item(item).context("an order could not be written")
}

pub(super) fn read_order(item: Item) -> anyhow::Result<Stored> {
    let item: OrderItem =
        serde_dynamo::from_item(item).context("a row of the orders table is not understood")?;
    let order = serde_json::from_str(&item.order).context("an order in the table is not understood")?;
    Ok(Stored { order, version: item.version })
}

/// A row of the outbox.
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
    serde_dynamo::to_item(item).context("an outbox row could not be written")
}
