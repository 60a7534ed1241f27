//! Orders in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{cut_to_page, number, page_limit, put_if, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use domain::order::Order;
use domain::{CustomerId, Event, OrderId};
use jiff::Timestamp;
use platform::clock::SystemClock;
use platform::config;
use platform::optimistic::Attempts;

use super::item::{order_item, outbox_item, parse_order, shard_name, sortable};
use crate::quota::Quota;
use crate::store::{IdempotencyRecord, OPEN_SHARDS, OpenOrdersCursor, Orders, Page, Placed, Stored};

/// The position of the counter in the transaction that places an order.
const COUNTER_POSITION: usize = 3;
/// The page size when listing open orders.
const OPEN_ORDERS_PAGE_SIZE: i32 = 100;

/// Orders, outbox and idempotency records, written in transactions across their three tables.
#[derive(Debug, Clone)]
pub struct DynamoDbOrders {
    client: Client,
    orders: String,
    /// Set only for functions that publish events.
    outbox: Option<String>,
    /// Set only for the API, which is the only function that places orders.
    idempotency: Option<String>,
    /// Set only for the API.
    counts: Option<String>,
}

impl DynamoDbOrders {
    /// The tables in `ORDERS_TABLE`, `OUTBOX_TABLE`, `IDEMPOTENCY_TABLE` and `ORDER_COUNTS_TABLE`.
    ///
    /// # Errors
    /// When `ORDERS_TABLE` is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self {
            client,
            orders: config::required("ORDERS_TABLE")?,
            outbox: config::required("OUTBOX_TABLE").ok(),
            idempotency: config::required("IDEMPOTENCY_TABLE").ok(),
            counts: config::required("ORDER_COUNTS_TABLE").ok(),
        })
    }

    /// The tables with these names.
    pub fn new(client: Client, orders: String, outbox: String, idempotency: String, counts: String) -> Self {
        Self { client, orders, outbox: Some(outbox), idempotency: Some(idempotency), counts: Some(counts) }
    }

    /// Increments the counter of the customer's orders, on condition that it is below the limit.
    fn count_order(&self, quota: &Quota) -> anyhow::Result<TransactWriteItem> {
        let update = Update::builder()
            .table_name(self.counts.as_ref().context("ORDER_COUNTS_TABLE is not set")?)
            .key("customer_id", text(&quota.customer))
            .key("window", text(quota.window))
            .update_expression("SET expires_at = :end ADD order_count :one")
            .condition_expression("attribute_not_exists(order_count) OR order_count < :max")
            .expression_attribute_values(":end", number(quota.ends_at))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":max", number(quota.max_orders))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    fn put_outbox(&self, event: &Event) -> anyhow::Result<TransactWriteItem> {
        let outbox = self.outbox.as_ref().context("OUTBOX_TABLE is not set")?;
        let put = Put::builder().table_name(outbox).set_item(Some(outbox_item(event)?)).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    async fn idempotency_record(&self, table: &str, key: &str) -> anyhow::Result<Option<IdempotencyRecord>> {
        let response = self
            .client
            .get_item()
            .table_name(table)
            .key("key", text(key))
            .consistent_read(true)
            .send()
            .await
            .context("failed to read the idempotency record")?;
        response
            .item
            .map(serde_dynamo::from_item)
            .transpose()
            .context("an idempotency record could not be parsed")
    }
}

#[async_trait]
impl Orders for DynamoDbOrders {
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        record: &IdempotencyRecord,
        quota: Option<&Quota>,
        now: Timestamp,
    ) -> anyhow::Result<Placed> {
        let table = self.idempotency.as_deref().context("IDEMPOTENCY_TABLE is not set")?;
        // DynamoDB deletes expired items up to two days late, so the condition compares the time itself.
        let key = Put::builder()
            .table_name(table)
            .set_item(Some(serde_dynamo::to_item(record)?))
            .condition_expression("attribute_not_exists(#key) OR expires_at < :now")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":now", number(now.as_second()))
            .build()?;
        let put = Put::builder()
            .table_name(&self.orders)
            .set_item(Some(order_item(order, 1)?))
            .condition_expression("attribute_not_exists(order_id)")
            .build()?;
        let mut writes = vec![
            TransactWriteItem::builder().put(key).build(),
            TransactWriteItem::builder().put(put).build(),
            self.put_outbox(event)?,
        ];
        if let Some(quota) = quota {
            writes.insert(COUNTER_POSITION, self.count_order(quota)?);
        }
        let mut attempts = Attempts::at("the order", &SystemClock);
        loop {
            attempts.start().await?;
            let response =
                self.client.transact_write_items().set_transact_items(Some(writes.clone())).send().await;
            match response.map_err(SdkError::into_service_error) {
                Ok(_) => return Ok(Placed::Created),
                // The key has been used, the limit is reached, or a concurrent request is being written.
                Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    let existing = self.idempotency_record(table, &record.key).await?;
                    if let Some(existing) = existing.filter(|record| record.expires_at >= now.as_second()) {
                        return Ok(Placed::Replayed(existing));
                    }
                    let reason = cancelled.cancellation_reasons().get(COUNTER_POSITION);
                    if reason.and_then(|reason| reason.code()) == Some("ConditionalCheckFailed") {
                        return Ok(Placed::LimitReached);
                    }
                }
                Err(error) => return Err(anyhow::Error::new(error).context("failed to write the order")),
            }
        }
    }

    async fn get(&self, id: OrderId) -> anyhow::Result<Option<Stored>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.orders)
            .key("order_id", text(id))
            .consistent_read(true)
            .send()
            .await
            .context("failed to read the order")?;
        response.item.map(parse_order).transpose()
    }

    async fn list(&self, customer: &CustomerId, after: Option<OrderId>, limit: u32) -> anyhow::Result<Page> {
        let mut query = self
            .client
            .query()
            .table_name(&self.orders)
            .index_name("by_customer")
            .key_condition_expression("customer_id = :customer")
            .expression_attribute_values(":customer", text(customer))
            .scan_index_forward(false)
            .limit(page_limit(limit));
        if let Some(after) = after {
            query = query
                .exclusive_start_key("customer_id", text(customer))
                .exclusive_start_key("order_id", text(after));
        }
        let response = query.send().await.context("failed to list the orders of the customer")?;
        let is_incomplete = response.last_evaluated_key.is_some();
        let mut items = response.items.unwrap_or_default();
        let has_more = cut_to_page(&mut items, limit, is_incomplete);
        let orders: Vec<Order> =
            items.into_iter().map(|item| Ok(parse_order(item)?.value)).collect::<anyhow::Result<_>>()?;
        let next = orders.last().filter(|_| has_more).map(|order| order.id);
        Ok(Page { orders, next })
    }

    async fn replace(&self, read: &Stored, order: &Order, event: Option<&Event>) -> anyhow::Result<bool> {
        let put = Put::builder()
            .table_name(&self.orders)
            .set_item(Some(order_item(order, read.version.saturating_add(1))?))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", number(read.version))
            .build()?;
        let Some(event) = event else {
            let put = self
                .client
                .put_item()
                .table_name(put.table_name())
                .set_item(Some(put.item().clone()))
                .set_condition_expression(put.condition_expression().map(str::to_owned))
                .set_expression_attribute_values(put.expression_attribute_values().cloned());
            return put_if(put).await.context("failed to write the order");
        };
        let response = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(self.put_outbox(event)?)
            .send()
            .await;
        match response.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(TransactWriteItemsError::TransactionCanceledException(_)) => Ok(false),
            Err(error) => Err(anyhow::Error::new(error).context("failed to write the order")),
        }
    }

    async fn list_open(
        &self,
        before: Timestamp,
        next: Option<OpenOrdersCursor>,
    ) -> anyhow::Result<(Vec<Stored>, Option<OpenOrdersCursor>)> {
        let OpenOrdersCursor { shard, after } = next.unwrap_or(OpenOrdersCursor { shard: 0, after: None });
        let mut query = self
            .client
            .query()
            .table_name(&self.orders)
            .index_name("by_open")
            .key_condition_expression("open_shard = :shard AND placed_at < :before")
            .expression_attribute_values(":shard", text(shard_name(shard)))
            .expression_attribute_values(":before", text(sortable(before)))
            .limit(OPEN_ORDERS_PAGE_SIZE);
        if let Some((order, placed_at)) = &after {
            query = query
                .exclusive_start_key("open_shard", text(shard_name(shard)))
                .exclusive_start_key("placed_at", text(sortable(*placed_at)))
                .exclusive_start_key("order_id", text(order));
        }
        let response = query.send().await.context("failed to list the open orders")?;
        let has_more = response.last_evaluated_key.is_some();
        let page: Vec<Stored> =
            response.items.unwrap_or_default().into_iter().map(parse_order).collect::<anyhow::Result<_>>()?;
        let next = match page.last() {
            Some(last) if has_more => {
                Some(OpenOrdersCursor { shard, after: Some((last.value.id, last.value.details.placed_at)) })
            }
            _ if shard + 1 < OPEN_SHARDS => Some(OpenOrdersCursor { shard: shard + 1, after: None }),
            _ => None,
        };
        Ok((page, next))
    }
}
