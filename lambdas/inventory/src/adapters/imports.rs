//! How far imports are, in DynamoDB; and the queue that has them go on.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws::Aws;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use platform::config;
use serde_json::Value;

use crate::import::progress::Stage;
use crate::import::progress::{GoOn, Import, Imports};
use crate::import::results::status;

/// How long it is known of a file that it was imported. Its marks are kept for ever, so that it counts no piece twice
/// also beyond.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(400 * 24);

/// A table with a row per import: the import as JSON in `import`, beside it what conditions and people look at.
#[derive(Debug, Clone)]
pub struct DynamoDbImports {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl DynamoDbImports {
    /// The table in `IMPORTS_TABLE`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_env(client: aws_sdk_dynamodb::Client) -> anyhow::Result<Self> {
        Ok(Self { client, table: config::required("IMPORTS_TABLE")? })
    }
}

#[async_trait]
impl Imports for DynamoDbImports {
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("import_id", AttributeValue::S(id.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .context("the import could not be read")?;
        let Some(item) = answer.item else { return Ok(None) };
        let import =
            item.get("import").and_then(|value| value.as_s().ok()).context("an import without one")?;
        Ok(Some(serde_json::from_str(import).context("an import is not understood")?))
    }

    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool> {
        let progress = &import.progress;
        let status = match &progress.stage {
            Stage::Reading => "reading",
            Stage::Reporting { .. } => "reporting",
            Stage::Done(ending) => status(ending, &progress.counts),
        };
        let forgotten_at = import.started_at.saturating_add(KEPT_FOR)?.as_second();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("import_id", AttributeValue::S(import.id.clone()))
            .item("file", AttributeValue::S(import.file.clone()))
            .item("status", AttributeValue::S(status.to_owned()))
            .item("version", AttributeValue::N(import.version.to_string()))
            .item("import", AttributeValue::S(serde_json::to_string(import)?))
            .item("expires_at", AttributeValue::N(forgotten_at.to_string()));
        let put = match read {
            None => put.condition_expression("attribute_not_exists(import_id)"),
            Some(read) => put
                .condition_expression("version = :read")
                .expression_attribute_values(":read", AttributeValue::N(read.to_string())),
        };
        match put.send().await.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(error) if error.is_conditional_check_failed_exception() => Ok(false),
            Err(error) => Err(anyhow::Error::new(error).context("the import could not be written")),
        }
    }
}

/// The queue that calls the function.
#[derive(Debug, Clone)]
pub struct SqsGoOn {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl SqsGoOn {
    /// The queue in `QUEUE_URL`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_env(aws: &Aws) -> anyhow::Result<Self> {
        Ok(Self { client: aws_sdk_sqs::Client::new(aws.sdk_config()), url: config::required("QUEUE_URL")? })
    }
}

#[async_trait]
impl GoOn for SqsGoOn {
    async fn go_on(&self, message: &Value, after: Duration) -> anyhow::Result<()> {
        let send = self.client.send_message().queue_url(&self.url).message_body(message.to_string());
        let sent = send.delay_seconds(i32::try_from(after.as_secs())?).send().await;
        sent.context("the message that has the import go on could not be sent")?;
        Ok(())
    }
}
