//! Exports in DynamoDB, and the SQS queue of `export-orders`.

use std::collections::HashMap;

use anyhow::Context;
use async_trait::async_trait;
use aws::Aws;
use aws::dynamodb::{number, put_if, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use platform::config;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::export::store::{CreateResult, ExportQueue, Exports};
use crate::export::{Export, ExportId, RECORD_RETENTION};
use platform::optimistic::Versioned;

/// The DynamoDB table of exports.
#[derive(Debug, Clone)]
pub struct DynamoDbExports {
    client: Client,
    table: String,
}

type Item = HashMap<String, AttributeValue>;

/// The attributes that the table needs, and the export itself as JSON.
#[derive(Serialize, Deserialize)]
struct ExportItem {
    export_id: ExportId,
    version: u64,
    expires_at: i64,
    export: String,
}

fn write_item(export: &Export, version: u64) -> anyhow::Result<Item> {
    let expires_at =
        export.requested_at.saturating_add(RECORD_RETENTION).unwrap_or(Timestamp::MAX).as_second();
    let export_id = export.id;
    let item = ExportItem { export_id, version, expires_at, export: serde_json::to_string(export)? };
    serde_dynamo::to_item(item).context("an export could not be serialized")
}

fn read_item(item: Item) -> anyhow::Result<Versioned<Export>> {
    let item: ExportItem =
        serde_dynamo::from_item(item).context("an item of the exports table cannot be parsed")?;
    let value = serde_json::from_str(&item.export).context("an export in the table cannot be parsed")?;
    Ok(Versioned { value, version: item.version })
}

impl DynamoDbExports {
    /// Uses the table in `EXPORTS_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("EXPORTS_TABLE")?))
    }

    /// Uses the table with this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Exports for DynamoDbExports {
    async fn create(&self, export: &Export) -> anyhow::Result<CreateResult> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write_item(export, 1)?))
            .condition_expression("attribute_not_exists(export_id)");
        if put_if(put).await.context("the export could not be written")? {
            return Ok(CreateResult::Created);
        }
        let existing = self.get(export.id).await?.context("the export exists but could not be read")?;
        Ok(CreateResult::AlreadyExists(Box::new(existing)))
    }

    async fn get(&self, id: ExportId) -> anyhow::Result<Option<Versioned<Export>>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("export_id", text(id))
            .consistent_read(true)
            .send()
            .await
            .context("the export could not be read")?;
        response.item.map(read_item).transpose()
    }

    async fn replace(
        &self,
        read: &Versioned<Export>,
        export: Export,
    ) -> anyhow::Result<Option<Versioned<Export>>> {
        let version = read.version.saturating_add(1);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write_item(&export, version)?))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", number(read.version));
        let is_written = put_if(put).await.context("the export could not be written")?;
        Ok(is_written.then_some(Versioned { value: export, version }))
    }
}

/// The SQS queue of `export-orders`.
#[derive(Debug, Clone)]
pub struct SqsExportQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl SqsExportQueue {
    /// Uses the queue in `EXPORT_QUEUE_URL`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(aws: &Aws) -> anyhow::Result<Self> {
        let client = aws_sdk_sqs::Client::new(aws.sdk_config());
        Ok(Self { client, url: config::required("EXPORT_QUEUE_URL")? })
    }
}

#[async_trait]
impl ExportQueue for SqsExportQueue {
    async fn send(&self, id: ExportId) -> anyhow::Result<()> {
        let body = json!({ "export_id": id }).to_string();
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.context("the message for the export could not be sent")?;
        Ok(())
    }
}
