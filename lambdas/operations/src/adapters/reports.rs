//! Reports in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, parse_json, put_if, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use jiff::Timestamp;
use platform::config;

use crate::report::Report;
use crate::store::Reports;

/// The key of the latest report.
const ITEM_NAME: &str = "last";
/// The key of the time since which the first report has been awaited.
const AWAITED_NAME: &str = "awaited";

/// A table with the latest report: as JSON in `report`, and its time in `checked_at` (Unix milliseconds).
/// Another item has the time in `awaited_since` (Unix milliseconds).
#[derive(Debug, Clone)]
pub struct DynamoDbReports {
    client: Client,
    table: String,
}

impl DynamoDbReports {
    /// The table in `HEALTH_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("HEALTH_TABLE")?))
    }

    /// The table with the given name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Reports for DynamoDbReports {
    async fn last(&self) -> anyhow::Result<Option<Report>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("name", text(ITEM_NAME))
            .send()
            .await
            .context("the report could not be read")?;
        let Some(item) = response.item else { return Ok(None) };
        Ok(Some(parse_json(&item, "report").context("the report in the table is invalid")?))
    }

    async fn awaited_since(&self, now: Timestamp) -> anyhow::Result<Timestamp> {
        let response = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("name", text(AWAITED_NAME))
            .update_expression("SET awaited_since = if_not_exists(awaited_since, :now)")
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .context("the wait for the first report could not be recorded")?;
        let item = response.attributes.unwrap_or_default();
        let since = item.get("awaited_since").and_then(|value| value.as_n().ok());
        let since: i64 = since.context("the item has no time")?.parse()?;
        Ok(Timestamp::from_millisecond(since)?)
    }

    async fn save(&self, report: &Report) -> anyhow::Result<()> {
        let checked_at = number(report.checked_at.as_millisecond());
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("name", text(ITEM_NAME))
            .item("checked_at", checked_at.clone())
            .item("report", text(serde_json::to_string(report)?))
            .condition_expression("attribute_not_exists(checked_at) OR checked_at < :this")
            .expression_attribute_values(":this", checked_at);
        put_if(put).await.context("the report could not be written")?;
        Ok(())
    }
}
