//! Products and deliveries in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{cut_to_page, number, page_limit, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem, Update};
use domain::{DeliveryId, Sku};
use platform::clock::SystemClock;
use platform::config;
use platform::http::Precondition;
use platform::optimistic::Attempts;

use crate::product::{MAX_STOCK, Offer, Product};
use crate::store::{DeliveryOutcome, Page, Products};

/// The tables of products and of recorded deliveries.
#[derive(Debug, Clone)]
pub struct DynamoDbProducts {
    client: Client,
    products: String,
    deliveries: String,
}

impl DynamoDbProducts {
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

    /// The quantity of a delivery, if it has been recorded.
    async fn recorded_quantity(&self, sku: &Sku, delivery: &DeliveryId) -> anyhow::Result<Option<u32>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.deliveries)
            .key("sku", text(sku))
            .key("delivery_id", text(delivery))
            .consistent_read(true)
            .send()
            .await
            .context("failed to read the delivery")?;
        let Some(item) = response.item else { return Ok(None) };
        let quantity = item
            .get("quantity")
            .and_then(|value| value.as_n().ok())
            .context("a delivery in the table has no quantity")?;
        Ok(Some(quantity.parse()?))
    }
}

#[async_trait]
impl Products for DynamoDbProducts {
    async fn get(&self, sku: &Sku) -> anyhow::Result<Option<Product>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.products)
            .key("sku", text(sku))
            .consistent_read(true)
            .send()
            .await
            .context("failed to read the product")?;
        response
            .item
            .map(serde_dynamo::from_item)
            .transpose()
            .context("a product in the table could not be parsed")
    }

    async fn list(&self, after: Option<&Sku>, limit: u32) -> anyhow::Result<Page> {
        let mut scan = self.client.scan().table_name(&self.products).limit(page_limit(limit));
        if let Some(after) = after {
            scan = scan.exclusive_start_key("sku", text(after));
        }
        let response = scan.send().await.context("failed to list products")?;
        let is_incomplete = response.last_evaluated_key.is_some();
        let mut items = response.items.unwrap_or_default();
        let has_more = cut_to_page(&mut items, limit, is_incomplete);
        let products: Vec<Product> =
            serde_dynamo::from_items(items).context("a product in the table could not be parsed")?;
        let next = products.last().filter(|_| has_more).map(|product| product.sku.clone());
        Ok(Page { products, next })
    }

    async fn put(
        &self,
        sku: &Sku,
        offer: &Offer,
        condition: Precondition,
    ) -> anyhow::Result<Option<Product>> {
        let tax = offer.tax_rate.map_or(" REMOVE tax_rate", |_| ", tax_rate = :tax_rate");
        let mut update = self
            .client
            .update_item()
            .table_name(&self.products)
            .key("sku", text(sku))
            .update_expression(format!(
                "SET #name = :name, price = :price, available = if_not_exists(available, :zero), \
                 held = if_not_exists(held, :zero), sold = if_not_exists(sold, :zero){tax} ADD revision :one",
            ))
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":name", text(&offer.name))
            .expression_attribute_values(":price", serde_dynamo::to_attribute_value(offer.price)?)
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        if let Some(rate) = offer.tax_rate {
            update = update.expression_attribute_values(":tax_rate", number(rate.basis_points()));
        }
        update = match condition {
            Precondition::None => update,
            Precondition::Absent => update.condition_expression("attribute_not_exists(sku)"),
            Precondition::Present => update.condition_expression("attribute_exists(sku)"),
            Precondition::Revision(revision) => update
                .condition_expression("revision = :revision")
                .expression_attribute_values(":revision", number(revision)),
        };
        let mut attempts = Attempts::at(format!("the product {sku}"), &SystemClock);
        let response = loop {
            attempts.start().await?;
            match update.clone().send().await.map_err(SdkError::into_service_error) {
                Ok(response) => break response,
                Err(error) if error.is_conditional_check_failed_exception() => return Ok(None),
                // A transaction is changing the stock.
                Err(error) if error.is_transaction_conflict_exception() => {}
                Err(error) => return Err(anyhow::Error::new(error).context("failed to write the product")),
            }
        };
        let item = response.attributes.context("DynamoDB did not return the product")?;
        serde_dynamo::from_item(item).map(Some).context("a product in the table could not be parsed")
    }

    async fn record_delivery(
        &self,
        sku: &Sku,
        delivery: &DeliveryId,
        quantity: u32,
    ) -> anyhow::Result<DeliveryOutcome> {
        let put = Put::builder()
            .table_name(&self.deliveries)
            .item("sku", text(sku))
            .item("delivery_id", text(delivery))
            .item("quantity", number(quantity))
            .condition_expression("attribute_not_exists(delivery_id)")
            .build()?;
        let add = Update::builder()
            .table_name(&self.products)
            .key("sku", text(sku))
            .update_expression("SET available = available + :quantity")
            // False for a missing product, too.
            .condition_expression("available <= :room")
            .expression_attribute_values(":quantity", number(quantity))
            .expression_attribute_values(":room", number(MAX_STOCK.saturating_sub(quantity)))
            .build()?;
        let write = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().update(add).build());
        let mut attempts = Attempts::at(format!("the stock of {sku}"), &SystemClock);
        loop {
            attempts.start().await?;
            let cancelled = match write.clone().send().await.map_err(SdkError::into_service_error) {
                Ok(_) => return Ok(DeliveryOutcome::Recorded),
                Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled,
                Err(error) => return Err(anyhow::Error::new(error).context("failed to write the delivery")),
            };
            if let Some(recorded) = self.recorded_quantity(sku, delivery).await? {
                return Ok(if recorded == quantity {
                    DeliveryOutcome::Recorded
                } else {
                    DeliveryOutcome::QuantityMismatch
                });
            }
            let codes: Vec<_> = cancelled.cancellation_reasons().iter().filter_map(|it| it.code()).collect();
            if codes.contains(&"ConditionalCheckFailed") {
                return Ok(DeliveryOutcome::Rejected);
            }
            if !codes.contains(&"TransactionConflict") {
                return Err(anyhow::Error::new(cancelled).context("failed to write the delivery"));
            }
        }
    }
}
