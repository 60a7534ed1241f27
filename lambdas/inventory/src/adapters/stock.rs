//! Products and what files left on them, in DynamoDB: many rows in one call.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem, Update};
use domain::{DeliveryId, Sku};
use platform::config;
use serde::{Deserialize, Serialize};

use crate::import::apply::{Change, Mark, ProductChange, Seen, Stock};
use crate::product::{MOST_PIECES, Product};

/// The tables of products and of deliveries, whose rows the marks are.
#[derive(Debug, Clone)]
pub struct DynamoDbStock {
    client: Client,
    products: String,
    deliveries: String,
}

#[derive(Serialize, Deserialize)]
struct MarkItem {
    sku: Sku,
    delivery_id: String,
    #[serde(flatten)]
    mark: Mark,
}

fn text(text: impl ToString) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

impl DynamoDbStock {
    /// The tables in `PRODUCTS_TABLE` and `DELIVERIES_TABLE`.
    ///
    /// # Errors
    /// When one is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("PRODUCTS_TABLE")?, config::required("DELIVERIES_TABLE")?))
    }

    /// The tables of these names.
    pub fn new(client: Client, products: String, deliveries: String) -> Self {
        Self { client, products, deliveries }
    }

    fn mark(&self, file: &DeliveryId, change: &Change) -> anyhow::Result<TransactWriteItem> {
        let item =
            MarkItem { sku: change.sku.clone(), delivery_id: file.to_string(), mark: change.mark.clone() };
        let put = Put::builder()
            .table_name(&self.deliveries)
            .set_item(Some(serde_dynamo::to_item(item)?))
            .condition_expression("attribute_not_exists(delivery_id)")
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// `None` where nothing of the product changes.
    fn product(&self, sku: &Sku, change: &ProductChange) -> anyhow::Result<Option<TransactWriteItem>> {
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
        update = match change.read {
            None => update.condition_expression("attribute_not_exists(sku)"),
            // A row from before there were revisions has none.
            Some(0) => update
                .condition_expression(
                    "attribute_exists(sku) AND attribute_not_exists(revision) AND available <= :room",
                )
                .expression_attribute_values(":room", number(MOST_PIECES.saturating_sub(change.quantity))),
            Some(revision) => update
                .condition_expression("revision = :read AND available <= :room")
                .expression_attribute_values(":read", number(revision))
                .expression_attribute_values(":room", number(MOST_PIECES.saturating_sub(change.quantity))),
        };
        let update = update.update_expression(format!("SET {}{remove}", set.join(", "))).build()?;
        Ok(Some(TransactWriteItem::builder().update(update).build()))
    }
}

#[async_trait]
impl Stock for DynamoDbStock {
    async fn look(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, Seen>> {
        let product = |sku: &Sku| HashMap::from([("sku".to_owned(), text(sku))]);
        let mark = |sku: &Sku| {
            HashMap::from([("sku".to_owned(), text(sku)), ("delivery_id".to_owned(), text(file))])
        };
        let wanted = |keys| KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.products, wanted(skus.iter().map(product).collect())?)
            .request_items(&self.deliveries, wanted(skus.iter().map(mark).collect())?)
            .send()
            .await
            .context("the stock could not be read")?;
        // DynamoDB leaves keys out when it is throttled; a product that was left out is not one that is not there.
        let left_out = answer.unprocessed_keys.is_some_and(|keys| !keys.is_empty());
        anyhow::ensure!(!left_out, "DynamoDB read only some of the stock");
        let mut tables = answer.responses.unwrap_or_default();
        let mut seen: BTreeMap<Sku, Seen> = BTreeMap::new();
        let products: Vec<Product> =
            serde_dynamo::from_items(tables.remove(&self.products).unwrap_or_default())
                .context("a product in the table is not understood")?;
        for product in products {
            let sku = product.sku.clone();
            seen.entry(sku).or_default().product = Some(product);
        }
        let marks: Vec<MarkItem> =
            serde_dynamo::from_items(tables.remove(&self.deliveries).unwrap_or_default())
                .context("a delivery in the table is not understood")?;
        for item in marks {
            seen.entry(item.sku).or_default().mark = Some(item.mark);
        }
        Ok(seen)
    }

    async fn change(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        let mut items = Vec::with_capacity(2 * changes.len());
        for change in changes {
            items.push(self.mark(file, change)?);
            if let Some(product) = &change.product {
                items.extend(self.product(&change.sku, product)?);
            }
        }
        let answer = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        match answer.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            // Throttled is not changed by somebody else; who tries again at once makes it worse.
            Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let lost = ["ConditionalCheckFailed", "TransactionConflict"];
                let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
                if codes.into_iter().all(|code| code == "None" || lost.contains(&code)) {
                    return Ok(false);
                }
                Err(anyhow::Error::new(cancelled).context("the rows could not be written"))
            }
            Err(error) => Err(anyhow::Error::new(error).context("the rows could not be written")),
        }
    }
}
