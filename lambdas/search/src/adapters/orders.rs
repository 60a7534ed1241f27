//! Scans of the orders table.

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::text;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::OrderId;
use platform::clock::SystemClock;
use platform::retry::Retries;
use serde_json::Value;

use super::UNPROCESSED_RETRY;
use crate::image::OrderImage;
use crate::store::{ImagePage, OrderImages};

/// The limit of keys per `BatchGetItem`.
const MAX_KEYS: usize = 100;

type Item = HashMap<String, AttributeValue>;

/// The orders table. Only the rebuild reads it, with the permissions of an operator: the functions of the
/// search service have no access.
#[derive(Debug, Clone)]
pub struct DynamoDbImages {
    client: Client,
    table: String,
}

impl DynamoDbImages {
    /// Creates the adapter for the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

fn parse_order_id(item: &Item) -> anyhow::Result<OrderId> {
    let id = item.get("order_id").and_then(|id| id.as_s().ok()).context("a row has no order_id")?;
    id.parse().map_err(|_| anyhow::anyhow!("a row has an invalid order_id: {id}"))
}

#[async_trait]
impl OrderImages for DynamoDbImages {
    async fn read_page(
        &self,
        segment: u32,
        total_segments: u32,
        after: Option<&OrderId>,
    ) -> anyhow::Result<ImagePage> {
        let mut scan = self
            .client
            .scan()
            .table_name(&self.table)
            .segment(i32::try_from(segment)?)
            .total_segments(i32::try_from(total_segments)?)
            .projection_expression("order_id, version, #order")
            .expression_attribute_names("#order", "order");
        if let Some(after) = after {
            scan = scan.exclusive_start_key("order_id", text(after));
        }
        let response = scan.send().await.context("the orders table could not be read")?;
        let next = response.last_evaluated_key.as_ref().map(parse_order_id).transpose()?;
        let mut page = ImagePage { next, ..ImagePage::default() };
        for item in response.items.unwrap_or_default() {
            let id = item.get("order_id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
            let row: Value = serde_dynamo::from_item(item).context("a row of the orders table is invalid")?;
            match OrderImage::from_row(row) {
                Ok(image) => page.images.push(image),
                Err(error) => page.invalid_rows.push(format!("{id}: {error}")),
            }
        }
        Ok(page)
    }

    async fn find_missing(&self, orders: &[OrderId]) -> anyhow::Result<Vec<OrderId>> {
        let mut missing: BTreeSet<OrderId> = orders.iter().copied().collect();
        for batch in orders.chunks(MAX_KEYS) {
            let key = |order: &OrderId| Item::from([("order_id".to_owned(), text(order))]);
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(batch.iter().map(key).collect()))
                .projection_expression("order_id")
                // An order is written to its table before the stream delivers it, so a missing order was
                // deleted.
                .consistent_read(true)
                .build()?;
            let mut left = Some(keys);
            let mut retries = Retries::new(UNPROCESSED_RETRY, &SystemClock);
            while let Some(keys) = left {
                let response = self.client.batch_get_item().request_items(&self.table, keys).send().await;
                let response = response.context("the orders table could not be read")?;
                for item in response.responses.unwrap_or_default().remove(&self.table).unwrap_or_default() {
                    missing.remove(&parse_order_id(&item)?);
                }
                left = response.unprocessed_keys.unwrap_or_default().remove(&self.table);
                anyhow::ensure!(left.is_none() || retries.wait().await, "DynamoDB left orders unprocessed");
            }
        }
        Ok(missing.into_iter().collect())
    }
}
