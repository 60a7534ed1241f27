//! Payment records in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, parse_json, put_if, text};
use aws_sdk_dynamodb::Client;
use domain::OrderId;
use domain::payment::Payment;
use platform::config;

use crate::store::Payments;

/// A table with a record per order: the record as JSON, and the attributes that conditions and operators use.
#[derive(Debug, Clone)]
pub struct DynamoDbPayments {
    client: Client,
    table: String,
}

impl DynamoDbPayments {
    /// The table in `PAYMENTS_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("PAYMENTS_TABLE")?))
    }

    /// The table with the given name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Payments for DynamoDbPayments {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Payment>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("order_id", text(order))
            .consistent_read(true)
            .send()
            .await
            .context("the payment could not be read")?;
        let Some(item) = response.item else { return Ok(None) };
        Ok(Some(parse_json(&item, "payment").context("a payment in the table is invalid")?))
    }

    async fn write(&self, payment: &Payment) -> anyhow::Result<bool> {
        let previous = payment.version.saturating_sub(1);
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("order_id", text(payment.order_id))
            .item("version", number(payment.version))
            .item("state", text(payment.state.as_ref()))
            .item("payment", text(serde_json::to_string(payment)?));
        put = if previous == 0 {
            put.condition_expression("attribute_not_exists(order_id)")
        } else {
            put.condition_expression("version = :before")
                .expression_attribute_values(":before", number(previous))
        };
        put_if(put).await.context("the payment could not be written")
    }
}
