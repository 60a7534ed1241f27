//! Orders in DynamoDB.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::order::Order;
use domain::{CustomerId, Event, OrderId};
use jiff::Timestamp;
use platform::config;

use super::item::{order_item, outbox_item, read_order, shard_name, sortable};
use crate::store::{OPEN_SHARDS, OpenPage, Orders, Page, Placed, Placement, Stored};

/// Between the tries to write an order that met another write with the same key.
const WAITS: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(60),
    Duration::from_millis(150),
    Duration::from_millis(300),
];
/// How many open orders are read at a time.
const OPEN_PAGE: i32 = 100;

/// Orders, outbox and idempotency keys, written in transactions over their three tables.
#[derive(Debug, Clone)]
pub struct DynamoDbOrders {
    client: Client,
    orders: String,
    outbox: String,
    /// Only the API has it: nobody else places orders.
    idempotency: Option<String>,
}

impl DynamoDbOrders {
    /// The tables in `ORDERS_TABLE`, `OUTBOX_TABLE` and `IDEMPOTENCY_TABLE`.
    ///
    /// # Errors
    /// When the first is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self {
            client,
            orders: config::required("ORDERS_TABLE")?,
            outbox: config::optional("OUTBOX_TABLE", String::new())?,
            idempotency: config::required("IDEMPOTENCY_TABLE").ok(),
        })
    }

    /// The tables of these names.
    pub fn new(client: Client, orders: String, outbox: String, idempotency: String) -> Self {
        Self { client, orders, outbox, idempotency: Some(idempotency) }
    }

    fn put_outbox(&self, event: &Event) -> anyhow::Result<TransactWriteItem> {
        let put = Put::builder().table_name(&self.outbox).set_item(Some(outbox_item(event)?)).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    async fn placement(&self, table: &str, key: &str) -> anyhow::Result<Option<Placement>> {
        let answer = self
            .client
            .get_item()
            .table_name(table)
            .key("key", AttributeValue::S(key.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .context("the idempotency key could not be read")?;
        answer
            .item
            .map(serde_dynamo::from_item)
            .transpose()
            .context("an idempotency record is not understood")
    }
}

#[async_trait]
impl Orders for DynamoDbOrders {
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        placement: &Placement,
        now: Timestamp,
    ) -> anyhow::Result<Placed> {
        let table = self.idempotency.as_deref().context("IDEMPOTENCY_TABLE is not set")?;
        // The table's own expiry comes up to two days late, so the condition looks at the time itself.
        let key = Put::builder()
            .table_name(table)
            .set_item(Some(serde_dynamo::to_item(placement)?))
            .condition_expression("attribute_not_exists(#key) OR expires_at < :now")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":now", AttributeValue::N(now.as_second().to_string()))
            .build()?;
        let order = Put::builder()
            .table_name(&self.orders)
            .set_item(Some(order_item(order, 1)?))
            .condition_expression("attribute_not_exists(order_id)")
            .build()?;
        let writes = [
            TransactWriteItem::builder().put(key).build(),
            TransactWriteItem::builder().put(order).build(),
            self.put_outbox(event)?,
        ];
        for wait in WAITS {
            let answer =
                self.client.transact_write_items().set_transact_items(Some(writes.to_vec())).send().await;
            match answer.map_err(SdkError::into_service_error) {
                Ok(_) => return Ok(Placed::Now),
                // The key is taken, or just being taken by the same request sent twice.
                Err(TransactWriteItemsError::TransactionCanceledException(_)) => {
                    let before = self.placement(table, &placement.key).await?;
                    if let Some(before) = before.filter(|before| before.expires_at >= now.as_second()) {
                        return Ok(Placed::Before(before));
                    }
                }
                Err(error) => return Err(anyhow::Error::new(error).context("the order could not be written")),
            }
            tokio::time::sleep(wait).await;
        }
        anyhow::bail!("the order met other writes {} times", WAITS.len())
    }

    async fn get(&self, id: OrderId) -> anyhow::Result<Option<Stored>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.orders)
            .key("order_id", AttributeValue::S(id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .context("the order could not be read")?;
        answer.item.map(read_order).transpose()
    }

    async fn list(&self, customer: &CustomerId, after: Option<OrderId>, limit: u32) -> anyhow::Result<Page> {
        let mut query = self
            .client
            .query()
            .table_name(&self.orders)
            .index_name("by_customer")
            .key_condition_expression("customer_id = :customer")
            .expression_attribute_values(":customer", AttributeValue::S(customer.to_string()))
            .scan_index_forward(false)
            .limit(i32::try_from(limit)?);
        if let Some(after) = after {
            query = query
                .exclusive_start_key("customer_id", AttributeValue::S(customer.to_string()))
                .exclusive_start_key("order_id", AttributeValue::S(after.to_string()));
        }
        let answer = query.send().await.context("the orders could not be listed")?;
        let more = answer.last_evaluated_key.is_some();
        let orders: Vec<Order> = answer
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| Ok(read_order(item)?.order))
            .collect::<anyhow::Result<_>>()?;
        let next = orders.last().filter(|_| more).map(|order| order.id);
        Ok(Page { orders, next })
    }

    async fn replace(&self, read: &Stored, order: &Order, event: Option<&Event>) -> anyhow::Result<bool> {
        let put = Put::builder()
            .table_name(&self.orders)
            .set_item(Some(order_item(order, read.version.saturating_add(1))?))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", AttributeValue::N(read.version.to_string()))
            .build()?;
        let Some(event) = event else {
            let answer = self
                .client
                .put_item()
                .table_name(put.table_name())
                .set_item(Some(put.item().clone()))
                .set_condition_expression(put.condition_expression().map(str::to_owned))
                .set_expression_attribute_values(put.expression_attribute_values().cloned())
                .send()
                .await;
            return match answer.map_err(SdkError::into_service_error) {
                Ok(_) => Ok(true),
                Err(error) if error.is_conditional_check_failed_exception() => Ok(false),
                Err(error) => Err(anyhow::Error::new(error).context("the order could not be written")),
            };
        };
        let answer = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(self.put_outbox(event)?)
            .send()
            .await;
        match answer.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(TransactWriteItemsError::TransactionCanceledException(_)) => Ok(false),
            Err(error) => Err(anyhow::Error::new(error).context("the order could not be written")),
        }
    }

    async fn open_before(
        &self,
        before: Timestamp,
        next: Option<OpenPage>,
    ) -> anyhow::Result<(Vec<Stored>, Option<OpenPage>)> {
        let OpenPage { shard, after } = next.unwrap_or(OpenPage { shard: 0, after: None });
        let mut query = self
            .client
            .query()
            .table_name(&self.orders)
            .index_name("by_open")
            .key_condition_expression("open_shard = :shard AND placed_at < :before")
            .expression_attribute_values(":shard", AttributeValue::S(shard_name(shard)))
            .expression_attribute_values(":before", AttributeValue::S(sortable(before)))
            .limit(OPEN_PAGE);
        if let Some((order, placed_at)) = &after {
            query = query
                .exclusive_start_key("open_shard", AttributeValue::S(shard_name(shard)))
                .exclusive_start_key("placed_at", AttributeValue::S(sortable(*placed_at)))
                .exclusive_start_key("order_id", AttributeValue::S(order.to_string()));
        }
        let answer = query.send().await.context("the open orders could not be listed")?;
        let more = answer.last_evaluated_key.is_some();
        let page: Vec<Stored> =
            answer.items.unwrap_or_default().into_iter().map(read_order).collect::<anyhow::Result<_>>()?;
        let next = match page.last() {
            Some(last) if more => {
                Some(OpenPage { shard, after: Some((last.order.id, last.order.details.placed_at)) })
            }
            _ if shard + 1 < OPEN_SHARDS => Some(OpenPage { shard: shard + 1, after: None }),
            _ => None,
        };
        Ok((page, next))
    }
}
