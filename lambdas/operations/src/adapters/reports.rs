//! Reports in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, put_if, text};
use aws_sdk_dynamodb::Client;
use platform::config;

use crate::report::Report;
use crate::store::Reports;

/// The key of the only item.
const ITEM_NAME: &str = "last";

/// A table with one item: the latest report as JSON in `report`, and its time in `checked_at` (Unix
/// milliseconds).
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
        Ok(Self { client, table: config::required("HEALTH_TABLE")? })
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
        let report =
            item.get("report").and_then(|value| value.as_s().ok()).context("the item has no report")?;
        Ok(Some(serde_json::from_str(report).context("the report cannot be parsed")?))
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
