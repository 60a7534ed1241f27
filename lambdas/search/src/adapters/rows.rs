//! Records and postings in DynamoDB: a table for each.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, PutRequest, TransactWriteItem, WriteRequest,
};
use domain::OrderId;
use futures::stream::{StreamExt, TryStreamExt};
use platform::config;

use crate::postings::rows::{Read, Record, Rows};
use crate::postings::{Posting, Range};

/// What `BatchWriteItem` takes at once.
const MOST_WRITES: usize = 25;
/// How many batches are under way at the same time.
const AT_ONCE: usize = 4;
/// Between the tries for what DynamoDB had no room for at the moment.
const WAITS: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

type Item = HashMap<String, AttributeValue>;

/// The index's tables.
#[derive(Debug, Clone)]
pub struct DynamoDbRows {
    client: Client,
    records: String,
    postings: String,
}

impl DynamoDbRows {
    /// The tables in `SEARCH_RECORDS_TABLE` and `SEARCH_POSTINGS_TABLE`.
    ///
    /// # Errors
    /// When one is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(
            client,
            config::required("SEARCH_RECORDS_TABLE")?,
            config::required("SEARCH_POSTINGS_TABLE")?,
        ))
    }

    /// The tables of these names.
    pub fn new(client: Client, records: String, postings: String) -> Self {
        Self { client, records, postings }
    }

    /// At most `limit` orders that the index has a record of, removed ones too, in a part of the table.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn orders(
        &self,
        segment: u32,
        of: u32,
        after: Option<OrderId>,
    ) -> anyhow::Result<(Vec<OrderId>, Option<OrderId>)> {
        let mut scan = self
            .client
            .scan()
            .table_name(&self.records)
            .segment(i32::try_from(segment)?)
            .total_segments(i32::try_from(of)?)
            .projection_expression("order_id")
            // Removed ones stay removed.
            .filter_expression("attribute_not_exists(expires_at)");
        if let Some(after) = after {
            scan = scan.exclusive_start_key("order_id", text(after));
        }
        let answer = scan.send().await.context("the search index could not be read")?;
        let next = answer.last_evaluated_key.map(|key| order_of(&key)).transpose()?;
        let orders = answer.items.unwrap_or_default().iter().map(order_of).collect::<anyhow::Result<_>>()?;
        Ok((orders, next))
    }

    /// Writes up to [`MOST_WRITES`] postings.
    async fn put_some(&self, postings: &[Posting]) -> anyhow::Result<()> {
        let request = |posting: &Posting| -> anyhow::Result<WriteRequest> {
            let put = PutRequest::builder().set_item(Some(key_of(posting))).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        };
        let mut left: Vec<WriteRequest> = postings.iter().map(request).collect::<anyhow::Result<_>>()?;
        for wait in WAITS {
            let call =
                self.client.batch_write_item().request_items(&self.postings, std::mem::take(&mut left));
            let answer = call.send().await.context("the search index could not be written")?;
            left = answer.unprocessed_items.unwrap_or_default().remove(&self.postings).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(wait).await;
        }
        anyhow::bail!("DynamoDB did not take {} postings {} times", left.len(), WAITS.len())
    }
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key_of(posting: &Posting) -> Item {
    [("partition".to_owned(), text(&posting.partition)), ("sort".to_owned(), text(&posting.sort))].into()
}

fn posting_of(mut item: Item) -> anyhow::Result<Posting> {
    let mut text = |name: &str| match item.remove(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(anyhow::anyhow!("a posting without {name}")),
    };
    Ok(Posting { partition: text("partition")?, sort: text("sort")? })
}

fn order_of(item: &Item) -> anyhow::Result<OrderId> {
    let id = item.get("order_id").and_then(|id| id.as_s().ok()).context("a record without an order")?;
    id.parse().map_err(|_| anyhow::anyhow!("a record whose order has no id"))
}

fn record_of(item: &Item) -> anyhow::Result<Record> {
    let record = item.get("record").and_then(|record| record.as_s().ok()).context("a record without one")?;
    let read = serde_json::from_str(record);
    read.map_err(|error| {
        let what = platform::telemetry::redact_values(&error.to_string());
        anyhow::anyhow!("a record of the search index is not understood: {what}")
    })
}

#[async_trait]
impl Rows for DynamoDbRows {
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>> {
        let call = self.client.get_item().table_name(&self.records).key("order_id", text(order));
        let answer = call.consistent_read(true).send().await.context("the search index could not be read")?;
        answer.item.as_ref().map(record_of).transpose()
    }

    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>> {
        let keys = orders.iter().map(|order| Item::from([("order_id".to_owned(), text(order))]));
        let mut left = Some(KeysAndAttributes::builder().set_keys(Some(keys.collect())).build()?);
        let mut records = Vec::with_capacity(orders.len());
        let mut waits = WAITS.iter();
        while let Some(keys) = left {
            let answer = self.client.batch_get_item().request_items(&self.records, keys).send().await;
            let answer = answer.context("the search index could not be read")?;
            let found = answer.responses.unwrap_or_default().remove(&self.records).unwrap_or_default();
            for item in &found {
                records.push(record_of(item)?);
            }
            left = answer.unprocessed_keys.unwrap_or_default().remove(&self.records);
            if left.is_some() {
                // One answer has at most 16 MB, and so may have no room for all: that is no reason to wait for long.
                let wait = waits.next().context("DynamoDB did not give all records")?;
                tokio::time::sleep(*wait).await;
            }
        }
        Ok(records)
    }

    async fn write(&self, read: Option<u64>, record: &Record) -> anyhow::Result<bool> {
        let mut put = self
            .client
            .put_item()
            .table_name(&self.records)
            .item("order_id", text(record.order_id))
            .item("stamp", number(record.stamp))
            .item("record", text(serde_json::to_string(record)?));
        if let Some(expires_at) = record.expires_at {
            put = put.item("expires_at", number(expires_at));
        }
        put = match read {
            None => put.condition_expression("attribute_not_exists(order_id)"),
            Some(stamp) => {
                put.condition_expression("stamp = :read").expression_attribute_values(":read", number(stamp))
            }
        };
        match put.send().await.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(error) if error.is_conditional_check_failed_exception() => Ok(false),
            Err(error) => Err(anyhow::Error::new(error).context("the search index could not be written")),
        }
    }

    async fn put(&self, postings: &[Posting]) -> anyhow::Result<()> {
        let batches: Vec<_> = postings.chunks(MOST_WRITES).map(|some| self.put_some(some)).collect();
        futures::stream::iter(batches).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn remove(&self, order: OrderId, stamp: u64, postings: &[Posting]) -> anyhow::Result<bool> {
        let check = ConditionCheck::builder()
            .table_name(&self.records)
            .key("order_id", text(order))
            .condition_expression("stamp = :stamp")
            .expression_attribute_values(":stamp", number(stamp))
            .build()?;
        let mut items = vec![TransactWriteItem::builder().condition_check(check).build()];
        for posting in postings {
            let delete =
                Delete::builder().table_name(&self.postings).set_key(Some(key_of(posting))).build()?;
            items.push(TransactWriteItem::builder().delete(delete).build());
        }
        for wait in WAITS {
            let call = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let cancelled = match call.send().await.map_err(SdkError::into_service_error) {
                Ok(_) => return Ok(true),
                Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled,
                Err(error) => {
                    return Err(anyhow::Error::new(error).context("the search index could not be cleaned up"));
                }
            };
            let refused = cancelled.cancellation_reasons().first().and_then(|reason| reason.code());
            if refused == Some("ConditionalCheckFailed") {
                return Ok(false);
            }
            // It met another transaction.
            tokio::time::sleep(wait).await;
        }
        anyhow::bail!("removing postings met other writes {} times", WAITS.len())
    }

    async fn read(&self, range: &Range, after: Option<&Posting>, limit: usize) -> anyhow::Result<Read> {
        let answer = self
            .client
            .query()
            .table_name(&self.postings)
            .key_condition_expression("#partition = :partition AND #sort BETWEEN :first AND :last")
            .expression_attribute_names("#partition", "partition")
            .expression_attribute_names("#sort", "sort")
            .expression_attribute_values(":partition", text(&range.partition))
            .expression_attribute_values(":first", text(&range.first))
            .expression_attribute_values(":last", text(&range.last))
            .set_exclusive_start_key(after.map(key_of))
            .limit(i32::try_from(limit)?)
            .send()
            .await
            .context("the search index could not be read")?;
        let more = answer.last_evaluated_key.is_some();
        let postings = answer.items.unwrap_or_default().into_iter().map(posting_of);
        Ok(Read { postings: postings.collect::<anyhow::Result<_>>()?, more })
    }
}
