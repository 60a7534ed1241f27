//! Reservations in DynamoDB, written in one transaction with the stock.

use std::collections::BTreeMap;

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, Put, TransactWriteItem, Update};
use domain::reservation::{ProductStock, Reservation, StockChange};
use domain::{OrderId, Sku};
use platform::config;
use serde::{Deserialize, Serialize};

use crate::product::Product;
use crate::store::Reservations;

/// The tables of reservations and of the products whose stock they change.
#[derive(Debug, Clone)]
pub struct DynamoDbReservations {
    client: Client,
    reservations: String,
    products: String,
}

/// An item of the table: the reservation as JSON, and its state for conditions.
#[derive(Serialize, Deserialize)]
struct ReservationItem {
    order_id: OrderId,
    state: String,
    reservation: String,
}

impl ReservationItem {
    fn new(reservation: &Reservation) -> anyhow::Result<Self> {
        Ok(Self {
            order_id: reservation.order_id,
            state: reservation.state.name().to_owned(),
            reservation: serde_json::to_string(reservation)?,
        })
    }
}

impl DynamoDbReservations {
    /// The tables in `RESERVATIONS_TABLE` and `PRODUCTS_TABLE`.
    ///
    /// # Errors
    /// When a variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("RESERVATIONS_TABLE")?, config::required("PRODUCTS_TABLE")?))
    }

    /// The tables with these names.
    pub fn new(client: Client, reservations: String, products: String) -> Self {
        Self { client, reservations, products }
    }

    fn update_stock(&self, change: &StockChange) -> anyhow::Result<TransactWriteItem> {
        // No counter may become negative, and reserved stock must still have the expected price. A comparison with an
        // attribute of a missing product is false.
        let mut condition = Vec::new();
        let mut update = Update::builder()
            .table_name(&self.products)
            .key("sku", text(&change.sku))
            .update_expression(
                "SET available = available + :available, held = held + :held, sold = sold + :sold",
            )
            .expression_attribute_values(":available", number(change.available))
            .expression_attribute_values(":held", number(change.held))
            .expression_attribute_values(":sold", number(change.sold));
        if change.available < 0 {
            condition.push("available >= :taken");
            update = update.expression_attribute_values(":taken", number(change.available.saturating_neg()));
        }
        if change.held < 0 {
            condition.push("held >= :freed");
            update = update.expression_attribute_values(":freed", number(change.held.saturating_neg()));
        }
        if change.sold < 0 {
            condition.push("sold >= :returned");
            update = update.expression_attribute_values(":returned", number(change.sold.saturating_neg()));
        }
        if let Some(price) = change.expected_price {
            condition.push("price = :price");
            update = update.expression_attribute_values(":price", serde_dynamo::to_attribute_value(price)?);
        }
        if condition.is_empty() {
            condition.push("attribute_exists(sku)");
        }
        let update = update.condition_expression(condition.join(" AND ")).build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

#[async_trait]
impl Reservations for DynamoDbReservations {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Reservation>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.reservations)
            .key("order_id", text(order))
            .consistent_read(true)
            .send()
            .await
            .context("failed to read the reservation")?;
        let Some(item) = response.item else { return Ok(None) };
        let item: ReservationItem =
            serde_dynamo::from_item(item).context("a reservation in the table could not be parsed")?;
        Ok(Some(
            serde_json::from_str(&item.reservation)
                .context("a reservation in the table could not be parsed")?,
        ))
    }

    async fn load_stock(&self, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, ProductStock>> {
        let keys = skus.iter().map(|sku| [("sku".to_owned(), text(sku))].into()).collect();
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build()?;
        let response = self
            .client
            .batch_get_item()
            .request_items(&self.products, keys)
            .send()
            .await
            .context("failed to read the stock")?;
        // When throttled, DynamoDB returns unprocessed keys: their products must not be taken for missing.
        let is_partial = response.unprocessed_keys.is_some_and(|keys| !keys.is_empty());
        anyhow::ensure!(!is_partial, "DynamoDB returned only a part of the stock");
        let items =
            response.responses.and_then(|mut tables| tables.remove(&self.products)).unwrap_or_default();
        let products: Vec<Product> =
            serde_dynamo::from_items(items).context("a product in the table could not be parsed")?;
        Ok(products.into_iter().map(|product| (product.sku.clone(), product.stock())).collect())
    }

    async fn write(
        &self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> anyhow::Result<bool> {
        let mut put = Put::builder()
            .table_name(&self.reservations)
            .set_item(Some(serde_dynamo::to_item(ReservationItem::new(new)?)?));
        put = match read {
            None => put.condition_expression("attribute_not_exists(order_id)"),
            Some(read) => put
                .condition_expression("#state = :read")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":read", text(read.state.name())),
        };
        let mut items = vec![TransactWriteItem::builder().put(put.build()?).build()];
        for change in changes {
            items.push(self.update_stock(change)?);
        }
        let response = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        match response.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(TransactWriteItemsError::TransactionCanceledException(_)) => Ok(false),
            Err(error) => Err(anyhow::Error::new(error).context("failed to write the reservation")),
        }
    }
}
