//! Products and deduplication markers in DynamoDB, read and written in batches.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, Put, TransactWriteItem, Update};
use domain::{DeliveryId, Sku};
use platform::config;
use serde::{Deserialize, Serialize};

use crate::import::store::{Change, CurrentState, DedupMarker, ProductChange, Stock};
use crate::product::{MAX_STOCK, Product};

/// The tables of products and of deliveries. A deduplication marker is an item of the table of deliveries.
#[derive(Debug, Clone)]
pub struct DynamoDbStock {
    client: Client,
    products: String,
    deliveries: String,
}

#[derive(Serialize, Deserialize)]
struct MarkerItem {
    sku: Sku,
    delivery_id: String,
    #[serde(flatten)]
    marker: DedupMarker,
}

impl DynamoDbStock {
    /// The tables in `PRODUCTS_TABLE` and `DELIVERIES_TABLE`.
    ///
    /// # Errors
    /// When a variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("PRODUCTS_TABLE")?, config::required("DELIVERIES_TABLE")?))
    }

    /// The tables with these names.
    pub fn new(client: Client, products: String, deliveries: String) -> Self {
        Self { client, products, deliveries }
    }

    fn put_marker(&self, file: &DeliveryId, change: &Change) -> anyhow::Result<TransactWriteItem> {
        let item = MarkerItem {
            sku: change.sku.clone(),
            delivery_id: file.to_string(),
            marker: change.marker.clone(),
        };
        let put = Put::builder()
            .table_name(&self.deliveries)
            .set_item(Some(serde_dynamo::to_item(item)?))
            .condition_expression("attribute_not_exists(delivery_id)")
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// The update of a product; `None` if neither its details nor its stock change.
    fn update_product(&self, sku: &Sku, change: &ProductChange) -> anyhow::Result<Option<TransactWriteItem>> {
        if change.offer.is_none() && change.quantity == 0 {
            return Ok(None);
        }
        let mut set = vec!["available = if_not_exists(available, :zero) + :quantity"];
        let mut remove = "";
        let mut update = Update::builder()
            .table_name(&self.products)
            .key("sku", text(sku))
            .expression_attribute_values(":quantity", number(change.quantity))
            .expression_attribute_values(":zero", number(0));
        if let Some(offer) = &change.offer {
            set.extend([
                "#name = :name",
                "price = :price",
                "held = if_not_exists(held, :zero)",
                "sold = if_not_exists(sold, :zero)",
                "revision = if_not_exists(revision, :zero) + :one",
            ]);
            update = update
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":name", text(&offer.name))
                .expression_attribute_values(":price", serde_dynamo::to_attribute_value(offer.price)?)
                .expression_attribute_values(":one", number(1));
            match offer.tax_rate {
                Some(rate) => {
                    set.push("tax_rate = :tax_rate");
                    update = update.expression_attribute_values(":tax_rate", number(rate.basis_points()));
                }
                None => remove = " REMOVE tax_rate",
            }
        }
        update = match change.expected_revision {
            None => update.condition_expression("attribute_not_exists(sku)"),
            // An item from before revisions were introduced has no revision. A missing one has no stock.
            Some(0) => update
                .condition_expression("attribute_not_exists(revision) AND available <= :room")
                .expression_attribute_values(":room", number(MAX_STOCK.saturating_sub(change.quantity))),
            Some(revision) => update
                .condition_expression("revision = :read AND available <= :room")
                .expression_attribute_values(":read", number(revision))
                .expression_attribute_values(":room", number(MAX_STOCK.saturating_sub(change.quantity))),
        };
        let update = update.update_expression(format!("SET {}{remove}", set.join(", "))).build()?;
        Ok(Some(TransactWriteItem::builder().update(update).build()))
    }
}

#[async_trait]
impl Stock for DynamoDbStock {
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        let product_key = |sku: &Sku| HashMap::from([("sku".to_owned(), text(sku))]);
        let marker_key = |sku: &Sku| {
            HashMap::from([("sku".to_owned(), text(sku)), ("delivery_id".to_owned(), text(file))])
        };
        let request = |keys| KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let response = self
            .client
            .batch_get_item()
            .request_items(&self.products, request(skus.iter().map(product_key).collect())?)
            .request_items(&self.deliveries, request(skus.iter().map(marker_key).collect())?)
            .send()
            .await
            .context("failed to read the stock")?;
        // When throttled, DynamoDB returns unprocessed keys: their products must not be taken for missing.
        let is_partial = response.unprocessed_keys.is_some_and(|keys| !keys.is_empty());
        anyhow::ensure!(!is_partial, "DynamoDB returned only a part of the stock");
        let mut tables = response.responses.unwrap_or_default();
        let mut states: BTreeMap<Sku, CurrentState> = BTreeMap::new();
        let products: Vec<Product> =
            serde_dynamo::from_items(tables.remove(&self.products).unwrap_or_default())
                .context("a product in the table could not be parsed")?;
        for product in products {
            let sku = product.sku.clone();
            states.entry(sku).or_default().product = Some(product);
        }
        let markers: Vec<MarkerItem> =
            serde_dynamo::from_items(tables.remove(&self.deliveries).unwrap_or_default())
                .context("a delivery in the table could not be parsed")?;
        for item in markers {
            states.entry(item.sku).or_default().marker = Some(item.marker);
        }
        Ok(states)
    }

    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        let mut items = Vec::with_capacity(2 * changes.len());
        for change in changes {
            items.push(self.put_marker(file, change)?);
            if let Some(product) = &change.product {
                items.extend(self.update_product(&change.sku, product)?);
            }
        }
        let response = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        match response.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            // Throttling is not a write conflict: an immediate retry would make it worse.
            Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let conflicts = ["ConditionalCheckFailed", "TransactionConflict"];
                let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
                if codes.into_iter().all(|code| code == "None" || conflicts.contains(&code)) {
                    return Ok(false);
                }
                Err(anyhow::Error::new(cancelled).context("failed to write the rows"))
            }
            Err(error) => Err(anyhow::Error::new(error).context("failed to write the rows")),
        }
    }
}
