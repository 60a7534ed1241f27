//! Idempotency records (claims on effects) in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use domain::claim::Claim;
use jiff::Timestamp;
use platform::idempotency::{IdempotencyStore, Key};

use crate::dynamodb::{number, parse_json, put_if, text};

/// A table with one row per effect: its key in `subject` and `effect`, the claim as JSON in `claim`, copies
/// of the fields for conditions and operators (`version`, `owner`, `status`), and the time to live in
/// `expires_at` (seconds since 1970).
#[derive(Debug, Clone)]
pub struct DynamoDbIdempotencyStore {
    client: Client,
    table: String,
}

impl DynamoDbIdempotencyStore {
    /// The store in the table named `table`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl IdempotencyStore for DynamoDbIdempotencyStore {
    /// Includes rows that have expired but that DynamoDB has not deleted yet: they can only prevent
    /// duplicates.
    async fn get(&self, key: &Key) -> anyhow::Result<Option<Claim>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("subject", text(&key.subject))
            .key("effect", text(&key.effect))
            .consistent_read(true)
            .send()
            .await
            .map_err(SdkError::into_service_error)
            .with_context(|| format!("the claim on {key} could not be read"))?;
        let Some(item) = response.item else { return Ok(None) };
        Ok(Some(parse_json(&item, "claim").with_context(|| format!("the claim on {key} is invalid"))?))
    }

    async fn write(
        &self,
        key: &Key,
        previous: Option<&Claim>,
        claim: &Claim,
        expires_at: Timestamp,
    ) -> anyhow::Result<bool> {
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("subject", text(&key.subject))
            .item("effect", text(&key.effect))
            .item("version", number(claim.version))
            .item("owner", text(claim.owner()))
            .item("status", text(claim.status.as_ref()))
            .item("claim", text(serde_json::to_string(claim)?))
            .item("expires_at", number(expires_at.as_second()));
        put = match previous {
            None => put.condition_expression("attribute_not_exists(subject)"),
            // `owner` is a reserved word. The version alone does not suffice: it restarts at 1 after a row is
            // deleted.
            Some(previous) => put
                .condition_expression("version = :version AND #owner = :owner")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":version", number(previous.version))
                .expression_attribute_values(":owner", text(previous.owner())),
        };
        put_if(put).await.with_context(|| format!("the claim on {key} could not be written"))
    }
}

#[cfg(test)]
mod tests;
