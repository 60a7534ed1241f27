//! Claims on mails in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::OrderId;
use domain::claim::Claim;
use platform::config;

use crate::mail::Kind;
use crate::store::{Claims, Read};

/// A table with a row per order and kind of mail.
#[derive(Debug, Clone)]
pub struct DynamoDbClaims {
    client: Client,
    table: String,
}

impl DynamoDbClaims {
    /// The table in `EMAILS_TABLE`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self { client, table: config::required("EMAILS_TABLE")? })
    }
}

#[async_trait]
impl Claims for DynamoDbClaims {
    async fn get(&self, order: OrderId, kind: Kind) -> anyhow::Result<Read> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("order_id", AttributeValue::S(order.to_string()))
            .key("kind", AttributeValue::S(kind.name().to_owned()))
            .consistent_read(true)
            .send()
            .await
            .context("the claim on the mail could not be read")?;
        let Some(item) = answer.item else { return Ok(Read::default()) };
        let claim = item.get("claim").and_then(|value| value.as_s().ok()).context("a row without a claim")?;
        let version =
            item.get("version").and_then(|value| value.as_n().ok()).context("a claim without a version")?;
        let claim = serde_json::from_str(claim).context("a claim in the table is not understood")?;
        Ok(Read { claim: Some(claim), version: version.parse()? })
    }

    async fn write(&self, order: OrderId, kind: Kind, version: u64, claim: &Claim) -> anyhow::Result<bool> {
        let number = |number: u64| AttributeValue::N(number.to_string());
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("order_id", AttributeValue::S(order.to_string()))
            .item("kind", AttributeValue::S(kind.name().to_owned()))
            .item("version", number(version.saturating_add(1)))
            .item("claim", AttributeValue::S(serde_json::to_string(claim)?));
        put = if version == 0 {
            put.condition_expression("attribute_not_exists(order_id)")
        } else {
            put.condition_expression("version = :version")
                .expression_attribute_values(":version", number(version))
        };
        match put.send().await.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(error) if error.is_conditional_check_failed_exception() => Ok(false),
            Err(error) => {
                Err(anyhow::Error::new(error).context("the claim on the mail could not be written"))
            }
        }
    }
}
