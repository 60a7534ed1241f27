//! Records and postings in two DynamoDB tables.

use std::collections::HashMap;

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, parse_json, put_if, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, PutRequest, TransactWriteItem, WriteRequest,
};
use domain::OrderId;
use futures::stream::{StreamExt, TryStreamExt};
use platform::clock::SystemClock;
use platform::config;
use platform::optimistic::Attempts;
use platform::retry::Retries;

use super::UNPROCESSED_RETRY;
use crate::postings::store::{PostingPage, Record, Rows};
use crate::postings::{Posting, Range};

/// The limit of items per `BatchWriteItem`.
const MAX_WRITES: usize = 25;
/// The number of batches that are written concurrently.
const CONCURRENCY: usize = 4;

type Item = HashMap<String, AttributeValue>;

/// The tables of the index.
#[derive(Debug, Clone)]
pub struct DynamoDbRows {
    client: Client,
    records: String,
    postings: String,
}

impl DynamoDbRows {
    /// Creates the adapter for the tables in `SEARCH_RECORDS_TABLE` and `SEARCH_POSTINGS_TABLE`.
    ///
    /// # Errors
    /// If one of them is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(
            client,
            config::required("SEARCH_RECORDS_TABLE")?,
            config::required("SEARCH_POSTINGS_TABLE")?,
        ))
    }

    /// Creates the adapter for the tables of these names.
    pub fn new(client: Client, records: String, postings: String) -> Self {
        Self { client, records, postings }
    }

    /// Returns a page of the ids of indexed orders in a segment of the table, and the id after which the next
    /// page starts. Removed orders are excluded.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn order_ids(
        &self,
        segment: u32,
        total_segments: u32,
        after: Option<OrderId>,
    ) -> anyhow::Result<(Vec<OrderId>, Option<OrderId>)> {
        let mut scan = self
            .client
            .scan()
            .table_name(&self.records)
            .segment(i32::try_from(segment)?)
            .total_segments(i32::try_from(total_segments)?)
            .projection_expression("order_id")
            // Excludes the tombstones of removed orders.
            .filter_expression("attribute_not_exists(expires_at)");
        if let Some(after) = after {
            scan = scan.exclusive_start_key("order_id", text(after));
        }
        let response = scan.send().await.context("the search index could not be read")?;
        let next = response.last_evaluated_key.map(|key| parse_order_id(&key)).transpose()?;
        let orders =
            response.items.unwrap_or_default().iter().map(parse_order_id).collect::<anyhow::Result<_>>()?;
        Ok((orders, next))
    }

    /// Writes up to [`MAX_WRITES`] postings.
    async fn put_batch(&self, postings: &[Posting]) -> anyhow::Result<()> {
        let request = |posting: &Posting| -> anyhow::Result<WriteRequest> {
            let put = PutRequest::builder().set_item(Some(posting_key(posting))).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        };
        let mut left: Vec<WriteRequest> = postings.iter().map(request).collect::<anyhow::Result<_>>()?;
        let mut retries = Retries::new(UNPROCESSED_RETRY, &SystemClock);
        loop {
            let call =
                self.client.batch_write_item().request_items(&self.postings, std::mem::take(&mut left));
            let response = call.send().await.context("the search index could not be written")?;
            left = response.unprocessed_items.unwrap_or_default().remove(&self.postings).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            anyhow::ensure!(retries.wait().await, "DynamoDB left {} postings unprocessed", left.len());
        }
    }
}

fn posting_key(posting: &Posting) -> Item {
    [("partition".to_owned(), text(&posting.partition)), ("sort".to_owned(), text(&posting.sort))].into()
}

fn parse_posting(mut item: Item) -> anyhow::Result<Posting> {
    let mut text = |name: &str| match item.remove(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(anyhow::anyhow!("a posting has no {name}")),
    };
    Ok(Posting { partition: text("partition")?, sort: text("sort")? })
}

fn parse_order_id(item: &Item) -> anyhow::Result<OrderId> {
    let id = item.get("order_id").and_then(|id| id.as_s().ok()).context("a record has no order_id")?;
    id.parse().map_err(|_| anyhow::anyhow!("a record has an invalid order_id"))
}

fn parse_record(item: &Item) -> anyhow::Result<Record> {
    parse_json(item, "record").context("a record of the search index is invalid")
}

#[async_trait]
impl Rows for DynamoDbRows {
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>> {
        let call = self.client.get_item().table_name(&self.records).key("order_id", text(order));
        let response = call.consistent_read(true).send().await;
        let response = response.context("the search index could not be read")?;
        response.item.as_ref().map(parse_record).transpose()
    }

    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>> {
        let keys = orders.iter().map(|order| Item::from([("order_id".to_owned(), text(order))]));
        let mut left = Some(KeysAndAttributes::builder().set_keys(Some(keys.collect())).build()?);
        let mut records = Vec::with_capacity(orders.len());
        let mut retries = Retries::new(UNPROCESSED_RETRY, &SystemClock);
        while let Some(keys) = left {
            let response = self.client.batch_get_item().request_items(&self.records, keys).send().await;
            let response = response.context("the search index could not be read")?;
            let found = response.responses.unwrap_or_default().remove(&self.records).unwrap_or_default();
            for item in &found {
                records.push(parse_record(item)?);
            }
            left = response.unprocessed_keys.unwrap_or_default().remove(&self.records);
            anyhow::ensure!(left.is_none() || retries.wait().await, "DynamoDB left records unprocessed");
        }
        Ok(records)
    }

    async fn write_record(&self, expected_stamp: Option<u64>, record: &Record) -> anyhow::Result<bool> {
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
        put = match expected_stamp {
            None => put.condition_expression("attribute_not_exists(order_id)"),
            Some(stamp) => {
                put.condition_expression("stamp = :read").expression_attribute_values(":read", number(stamp))
            }
        };
        put_if(put).await.context("the search index could not be written")
    }

    async fn put_postings(&self, postings: &[Posting]) -> anyhow::Result<()> {
        let batches: Vec<_> = postings.chunks(MAX_WRITES).map(|batch| self.put_batch(batch)).collect();
        futures::stream::iter(batches).buffer_unordered(CONCURRENCY).try_collect().await
    }

    async fn remove_postings(
        &self,
        order: OrderId,
        stamp: u64,
        postings: &[Posting],
    ) -> anyhow::Result<bool> {
        let check = ConditionCheck::builder()
            .table_name(&self.records)
            .key("order_id", text(order))
            .condition_expression("stamp = :stamp")
            .expression_attribute_values(":stamp", number(stamp))
            .build()?;
        let mut items = vec![TransactWriteItem::builder().condition_check(check).build()];
        for posting in postings {
            let delete =
                Delete::builder().table_name(&self.postings).set_key(Some(posting_key(posting))).build()?;
            items.push(TransactWriteItem::builder().delete(delete).build());
        }
        let mut attempts = Attempts::at("the obsolete postings", &SystemClock);
        loop {
            // Unless the condition failed, the transaction conflicted with another one.
            attempts.start().await?;
            let call = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let cancelled = match call.send().await.map_err(SdkError::into_service_error) {
                Ok(_) => return Ok(true),
                Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled,
                Err(error) => {
                    return Err(anyhow::Error::new(error).context("obsolete postings could not be removed"));
                }
            };
            let reason = cancelled.cancellation_reasons().first().and_then(|reason| reason.code());
            if reason == Some("ConditionalCheckFailed") {
                return Ok(false);
            }
        }
    }

    async fn read_postings(
        &self,
        range: &Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<PostingPage> {
        let response = self
            .client
            .query()
            .table_name(&self.postings)
            .key_condition_expression("#partition = :partition AND #sort BETWEEN :first AND :last")
            .expression_attribute_names("#partition", "partition")
            .expression_attribute_names("#sort", "sort")
            .expression_attribute_values(":partition", text(&range.partition))
            .expression_attribute_values(":first", text(&range.first))
            .expression_attribute_values(":last", text(&range.last))
            .set_exclusive_start_key(after.map(posting_key))
            .limit(i32::try_from(limit)?)
            .send()
            .await
            .context("the search index could not be read")?;
        let has_more = response.last_evaluated_key.is_some();
        let postings = response.items.unwrap_or_default().into_iter().map(parse_posting);
        Ok(PostingPage { postings: postings.collect::<anyhow::Result<_>>()?, has_more })
    }
}
