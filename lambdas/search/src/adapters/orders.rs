//! The orders table, read from end to end.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::OrderId;
use serde_json::Value;

use crate::image::OrderImage;
use crate::rebuild::{ImagePage, OrderImages};

/// What `BatchGetItem` takes at once.
const MOST_KEYS: usize = 100;
/// How often keys are asked for that DynamoDB had no room for.
const TRIES: u32 = 8;
const WAIT: Duration = Duration::from_millis(100);

type Item = HashMap<String, AttributeValue>;

/// The orders table. Only the rebuild reads it, in an operator's name: no function of the search may.
#[derive(Debug, Clone)]
pub struct DynamoDbImages {
    client: Client,
    table: String,
}

impl DynamoDbImages {
    /// The table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

fn id_of(item: &Item) -> anyhow::Result<OrderId> {
    let id = item.get("order_id").and_then(|id| id.as_s().ok()).context("an order without an id")?;
    id.parse().map_err(|_| anyhow::anyhow!("an order whose id is none: {id}"))
}

#[async_trait]
impl OrderImages for DynamoDbImages {
    async fn page(&self, segment: u32, of: u32, after: Option<&OrderId>) -> anyhow::Result<ImagePage> {
        let mut scan = self
            .client
            .scan()
            .table_name(&self.table)
            .segment(i32::try_from(segment)?)
            .total_segments(i32::try_from(of)?)
            .projection_expression("order_id, version, #order")
            .expression_attribute_names("#order", "order");
        if let Some(after) = after {
            scan = scan.exclusive_start_key("order_id", AttributeValue::S(after.to_string()));
        }
        let answer = scan.send().await.context("the orders table could not be read")?;
        let next = answer.last_evaluated_key.as_ref().map(id_of).transpose()?;
        let mut page = ImagePage { next, ..ImagePage::default() };
        for item in answer.items.unwrap_or_default() {
            let id = item.get("order_id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
            let row: Value = serde_dynamo::from_item(item).context("a row of the orders table is no row")?;
            match OrderImage::read(row) {
                Ok(image) => page.images.push(image),
                Err(error) => page.not_understood.push(format!("{id}: {error}")),
            }
        }
        Ok(page)
    }

    async fn missing(&self, orders: &[OrderId]) -> anyhow::Result<Vec<OrderId>> {
        let mut missing: BTreeSet<OrderId> = orders.iter().copied().collect();
        for some in orders.chunks(MOST_KEYS) {
            let key =
                |order: &OrderId| Item::from([("order_id".to_owned(), AttributeValue::S(order.to_string()))]);
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(some.iter().map(key).collect()))
                .projection_expression("order_id")
                // An order is in its table before the index hears of it, so what is not there now was deleted.
                .consistent_read(true)
                .build()?;
            let mut left = Some(keys);
            for _ in 0..TRIES {
                let Some(keys) = left.take() else { break };
                let answer = self.client.batch_get_item().request_items(&self.table, keys).send().await;
                let answer = answer.context("the orders table could not be read")?;
                for item in answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default() {
                    missing.remove(&id_of(&item)?);
                }
                left = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
                if left.is_some() {
                    tokio::time::sleep(WAIT).await;
                }
            }
            anyhow::ensure!(left.is_none(), "DynamoDB did not tell of all orders");
        }
        Ok(missing.into_iter().collect())
    }
}
