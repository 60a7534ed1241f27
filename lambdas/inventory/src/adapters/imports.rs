//! The progress of imports in DynamoDB, and the queue that resumes them.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws::Aws;
use aws::dynamodb::{number, parse_json, put_if, text};
use jiff::SignedDuration;
use platform::config;
use serde_json::Value;

use crate::import::progress::{Import, Stage};
use crate::import::results::status;
use crate::import::store::{Imports, ResumeQueue};

/// How long the record of an import is kept. The deduplication markers are kept forever, so that a file is
/// not applied again after that time either.
const RETENTION: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The table of imports. Each item has the import as JSON in `import`, and attributes for conditions and
/// operators.
#[derive(Debug, Clone)]
pub struct DynamoDbImports {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl DynamoDbImports {
    /// The table in `IMPORTS_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: aws_sdk_dynamodb::Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("IMPORTS_TABLE")?))
    }

    /// The table with this name.
    pub fn new(client: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Imports for DynamoDbImports {
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("import_id", text(id))
            .consistent_read(true)
            .send()
            .await
            .context("failed to read the import")?;
        let Some(item) = response.item else { return Ok(None) };
        Ok(Some(parse_json(&item, "import").context("an import in the table is invalid")?))
    }

    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool> {
        let progress = &import.progress;
        let status = match &progress.stage {
            Stage::Reading => "reading",
            Stage::Reporting { .. } => "reporting",
            Stage::Done(ending) => status(ending, &progress.counts),
        };
        let expires_at = import.started_at.saturating_add(RETENTION)?.as_second();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("import_id", text(&import.id))
            .item("file", text(&import.file))
            .item("status", text(status))
            .item("version", number(import.version))
            .item("import", text(serde_json::to_string(import)?))
            .item("expires_at", number(expires_at));
        let put = match read {
            None => put.condition_expression("attribute_not_exists(import_id)"),
            Some(read) => {
                put.condition_expression("version = :read").expression_attribute_values(":read", number(read))
            }
        };
        put_if(put).await.context("failed to write the import")
    }
}

/// The queue that triggers the function.
#[derive(Debug, Clone)]
pub struct SqsResumeQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl SqsResumeQueue {
    /// The queue in `QUEUE_URL`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(aws: &Aws) -> anyhow::Result<Self> {
        Ok(Self { client: aws_sdk_sqs::Client::new(aws.sdk_config()), url: config::required("QUEUE_URL")? })
    }
}

#[async_trait]
impl ResumeQueue for SqsResumeQueue {
    async fn send(&self, message: &Value, delay: Duration) -> anyhow::Result<()> {
        let send = self.client.send_message().queue_url(&self.url).message_body(message.to_string());
        let sent = send.delay_seconds(i32::try_from(delay.as_secs())?).send().await;
        sent.context("failed to send the message that resumes the import")?;
        Ok(())
    }
}
