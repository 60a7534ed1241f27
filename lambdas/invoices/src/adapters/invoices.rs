//! Invoices in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put as PutItem, TransactWriteItem, Update};
use domain::OrderId;
use platform::config;

use crate::Invoice;
use crate::store::{Invoices, PutResult};

/// The DynamoDB table of invoices. It has two kinds of items: `order/<id>` holds the invoice of an order,
/// `year/<year>` the last serial of a year.
#[derive(Debug, Clone)]
pub struct DynamoDbInvoices {
    client: Client,
    table: String,
}

impl DynamoDbInvoices {
    /// Uses the table in `INVOICES_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("INVOICES_TABLE")?))
    }

    /// Uses the table with this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn read_attribute(&self, key: String, attribute: &str) -> anyhow::Result<Option<AttributeValue>> {
        let get = self.client.get_item().table_name(&self.table).key("id", text(key));
        let response = get.consistent_read(true).send().await.context("an invoice could not be read")?;
        Ok(response.item.and_then(|mut item| item.remove(attribute)))
    }
}

fn order_key(order: OrderId) -> String {
    format!("order/{order}")
}

fn year_key(year: i16) -> String {
    format!("year/{year:04}")
}

#[async_trait]
impl Invoices for DynamoDbInvoices {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Invoice>> {
        let Some(value) = self.read_attribute(order_key(order), "invoice").await? else { return Ok(None) };
        let content = value.as_s().ok().context("an invoice in the table is not a string")?;
        Ok(Some(serde_json::from_str(content).context("an invoice in the table cannot be parsed")?))
    }

    async fn last_serial(&self, year: i16) -> anyhow::Result<u32> {
        let Some(value) = self.read_attribute(year_key(year), "last").await? else { return Ok(0) };
        let number = value.as_n().ok().context("the last serial of a year is not a number")?;
        Ok(number.parse()?)
    }

    async fn put(&self, invoice: &Invoice) -> anyhow::Result<PutResult> {
        let serial = invoice.number.serial();
        let counter = Update::builder()
            .table_name(&self.table)
            .key("id", text(year_key(invoice.number.year())))
            .update_expression("SET #last = :this")
            .expression_attribute_names("#last", "last")
            .expression_attribute_values(":this", number(serial));
        let counter = match serial.saturating_sub(1) {
            0 => counter.condition_expression("attribute_not_exists(id)"),
            previous => counter
                .condition_expression("#last = :before")
                .expression_attribute_values(":before", number(previous)),
        };
        let put = PutItem::builder()
            .table_name(&self.table)
            .item("id", text(order_key(invoice.order_id)))
            // The key of the index in which operators and auditors look up the invoices of a year.
            .item("year", number(u32::try_from(invoice.number.year())?))
            .item("serial", number(serial))
            .item("invoice", text(serde_json::to_string(invoice)?))
            .condition_expression("attribute_not_exists(id)");
        let sent = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(counter.build()?).build())
            .transact_items(TransactWriteItem::builder().put(put.build()?).build())
            .send()
            .await;
        let cancelled = match sent.map_err(SdkError::into_service_error) {
            Ok(_) => return Ok(PutResult::Written),
            Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled,
            Err(error) => return Err(anyhow::Error::new(error).context("the invoice could not be written")),
        };
        let codes: Vec<&str> =
            cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
        let [counter_code, invoice_code] = codes.as_slice() else {
            return Err(anyhow::Error::new(cancelled).context("the invoice could not be written"));
        };
        match (*counter_code, *invoice_code) {
            (_, "ConditionalCheckFailed") => Ok(PutResult::OrderHasInvoice),
            ("ConditionalCheckFailed" | "TransactionConflict", _) | (_, "TransactionConflict") => {
                Ok(PutResult::NumberConflict)
            }
            _ => Err(anyhow::Error::new(cancelled).context("the invoice could not be written")),
        }
    }
}
