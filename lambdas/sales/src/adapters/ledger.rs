//! The sales ledger in DynamoDB: an item for each sale and each booking, and an index that orders them by
//! time within their partitions.

use std::collections::HashMap;

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::OrderId;
use platform::config;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ledger::booking::Booking;
use crate::ledger::sale::Sale;
use crate::ledger::store::{Ledger, LedgerTable, Page, Partition, Position, Row};
use platform::optimistic::Versioned;

/// The sort key of the item that holds the sale of an order.
const SALE_ITEM: &str = "sale";
/// The number of rows per query. With all partitions of a day, a page takes a few megabytes at most.
const PAGE_SIZE: i32 = 200;

/// The DynamoDB table of the sales ledger.
#[derive(Debug, Clone)]
pub struct DynamoDbLedger {
    client: Client,
    table: String,
}

type Item = HashMap<String, AttributeValue>;

/// The attributes that the table and its index need, and the row itself as JSON.
#[derive(Serialize, Deserialize)]
struct LedgerItem {
    order_id: OrderId,
    name: String,
    #[serde(rename = "shelf")]
    partition: String,
    position: String,
    version: u64,
    content: String,
}

fn item<R: Row + Serialize>(row: &R, name: String, version: u64) -> anyhow::Result<Item> {
    let item = LedgerItem {
        order_id: row.order_id(),
        name,
        partition: row.partition().to_string(),
        position: row.position().to_string(),
        version,
        content: serde_json::to_string(row)?,
    };
    serde_dynamo::to_item(item).context("an item of the ledger could not be serialized")
}

fn read<R: DeserializeOwned>(item: Item) -> anyhow::Result<Versioned<R>> {
    let item: LedgerItem = serde_dynamo::from_item(item).context("an item of the ledger cannot be parsed")?;
    let value = serde_json::from_str(&item.content).map_err(|error| {
        let reason = platform::redact_values(&error.to_string());
        anyhow::anyhow!("an item of the ledger cannot be parsed: {reason}")
    })?;
    Ok(Versioned { value, version: item.version })
}

impl DynamoDbLedger {
    /// Uses the table in `LEDGER_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("LEDGER_TABLE")?))
    }

    /// Uses the table with this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    fn put(&self, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item))
    }
}

#[async_trait]
impl Ledger for DynamoDbLedger {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Versioned<Sale>>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("order_id", text(order))
            .key("name", text(SALE_ITEM))
            .consistent_read(true)
            .send()
            .await
            .context("the sale could not be read")?;
        response.item.map(read).transpose()
    }

    async fn write(&self, known: Option<&Versioned<Sale>>, sale: &Sale) -> anyhow::Result<bool> {
        let version = known.map_or(1, |known| known.version.saturating_add(1));
        let put = self.put(item(sale, SALE_ITEM.to_owned(), version)?);
        let put = match known {
            None => put.condition_expression("attribute_not_exists(order_id)"),
            Some(known) => put
                .condition_expression("version = :known")
                .expression_attribute_values(":known", number(known.version)),
        };
        let mut writes = vec![TransactWriteItem::builder().put(put.build()?).build()];
        let known_bookings = known.map(|known| known.value.bookings()).unwrap_or_default();
        for booking in sale.bookings().iter().filter(|booking| !known_bookings.contains(booking)) {
            let row = item(booking, format!("booking#{}", Booking::name(booking)), version)?;
            writes.push(TransactWriteItem::builder().put(self.put(row).build()?).build());
        }
        let response = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        match response.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            // Another event of the same order was written first, or is being written.
            Err(TransactWriteItemsError::TransactionCanceledException(_)) => Ok(false),
            Err(error) => Err(anyhow::Error::new(error).context("the sale could not be written")),
        }
    }
}

#[async_trait]
impl<R: Row + DeserializeOwned> LedgerTable<R> for DynamoDbLedger {
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<R>> {
        let response = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_time")
            .key_condition_expression("shelf = :shelf AND #position BETWEEN :from AND :until")
            .expression_attribute_names("#position", "position")
            .expression_attribute_values(":shelf", text(partition))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":until", text(until))
            .limit(PAGE_SIZE)
            .send()
            .await
            .context("the ledger could not be read")?;
        let more = response.last_evaluated_key.is_some();
        let items = response.items.unwrap_or_default().into_iter();
        let rows: Vec<R> = items.map(|item| Ok(read(item)?.value)).collect::<anyhow::Result<_>>()?;
        let next = rows.last().filter(|_| more).map(|last| last.position().after());
        Ok(Page { rows, next })
    }
}
