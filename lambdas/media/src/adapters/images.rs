//! Uploads in DynamoDB: each product has a row for each upload, and one for its current image.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{put_if, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::product::Upload;
use domain::{Sku, UploadId};
use jiff::SignedDuration;
use platform::clock::SystemClock;
use platform::config;
use platform::optimistic::Attempts;
use serde::{Deserialize, Serialize};

use crate::store::Images;

/// The retention of uploads: longer than a message can be redelivered from a queue and from its dead-letter
/// queue, each of which retains it for 14 days. The current image does not expire.
pub(super) const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The prefix of the sort keys of uploads. The id follows, so that they sort by time.
const UPLOAD_PREFIX: &str = "upload#";
/// The sort key of the current image.
const CURRENT: &str = "current";

/// The table of uploads.
#[derive(Debug, Clone)]
pub struct DynamoDbImages {
    client: Client,
    table: String,
}

#[derive(Serialize, Deserialize)]
struct ImageItem {
    sku: Sku,
    item: String,
    upload_id: UploadId,
    status: String,
    record: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl ImageItem {
    fn for_upload(upload: &Upload) -> anyhow::Result<Self> {
        let expires_at = upload.requested_at.saturating_add(RETENTION)?.as_second();
        Ok(Self { expires_at: Some(expires_at), ..Self::new(upload, upload_key(upload.id))? })
    }

    fn new(upload: &Upload, item: String) -> anyhow::Result<Self> {
        Ok(Self {
            sku: upload.sku.clone(),
            item,
            upload_id: upload.id,
            status: upload.state.as_ref().to_owned(),
            record: serde_json::to_string(upload)?,
            expires_at: None,
        })
    }
}

const PENDING: &str = "pending";

fn upload_key(id: UploadId) -> String {
    format!("{UPLOAD_PREFIX}{id}")
}

fn parse_item(item: std::collections::HashMap<String, AttributeValue>) -> anyhow::Result<Upload> {
    let item: ImageItem = serde_dynamo::from_item(item).context("a row of the images table is invalid")?;
    serde_json::from_str(&item.record).context("an upload in the images table is invalid")
}

impl DynamoDbImages {
    /// Creates the adapter for the table in `IMAGES_TABLE`.
    ///
    /// # Errors
    /// If it is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("IMAGES_TABLE")?))
    }

    /// Creates the adapter for the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn get_item(&self, sku: &Sku, item: String) -> anyhow::Result<Option<Upload>> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let response = get
            .key("sku", text(sku))
            .key("item", text(item))
            .send()
            .await
            .context("the upload could not be read")?;
        response.item.map(parse_item).transpose()
    }

    /// Replaces the row of a pending upload.
    fn put_completed(&self, upload: &Upload) -> anyhow::Result<Put> {
        Ok(Put::builder()
            .table_name(&self.table)
            .set_item(Some(serde_dynamo::to_item(ImageItem::for_upload(upload)?)?))
            .condition_expression("#status = :pending")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", text(PENDING))
            .build()?)
    }

    /// Replaces the row of an older current image.
    fn put_current(&self, upload: &Upload) -> anyhow::Result<Put> {
        Ok(Put::builder()
            .table_name(&self.table)
            .set_item(Some(serde_dynamo::to_item(ImageItem::new(upload, CURRENT.to_owned())?)?))
            .condition_expression("attribute_not_exists(upload_id) OR upload_id < :id")
            .expression_attribute_values(":id", text(upload.id))
            .build()?)
    }

    /// Executes the writes atomically. If conditions fail, returns for each write whether its condition
    /// failed.
    async fn write_all(&self, puts: Vec<Put>) -> anyhow::Result<Result<(), Vec<bool>>> {
        let items = puts.into_iter().map(|put| TransactWriteItem::builder().put(put).build()).collect();
        let write = self.client.transact_write_items().set_transact_items(Some(items));
        let mut attempts = Attempts::at("the upload", &SystemClock);
        loop {
            attempts.start().await?;
            let cancelled = match write.clone().send().await.map_err(SdkError::into_service_error) {
                Ok(_) => return Ok(Ok(())),
                Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled,
                Err(error) => {
                    return Err(anyhow::Error::new(error).context("the upload could not be written"));
                }
            };
            let codes = || cancelled.cancellation_reasons().iter().map(|reason| reason.code());
            let failed_conditions: Vec<bool> =
                codes().map(|code| code == Some("ConditionalCheckFailed")).collect();
            if failed_conditions.contains(&true) {
                return Ok(Err(failed_conditions));
            }
            if !codes().any(|code| code == Some("TransactionConflict")) {
                return Err(anyhow::Error::new(cancelled).context("the upload could not be written"));
            }
        }
    }
}

#[async_trait]
impl Images for DynamoDbImages {
    async fn create(&self, upload: &Upload) -> anyhow::Result<()> {
        let item = serde_dynamo::to_item(ImageItem::for_upload(upload)?)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        // A retry by the SDK can arrive after the upload was completed, and must not overwrite it.
        let put = put.condition_expression("attribute_not_exists(sku)");
        put_if(put).await.context("the upload could not be created")?;
        Ok(())
    }

    async fn get(&self, sku: &Sku, id: UploadId) -> anyhow::Result<Option<Upload>> {
        self.get_item(sku, upload_key(id)).await
    }

    async fn latest(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let response = query
            .key_condition_expression("sku = :sku AND begins_with(#item, :upload)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":sku", text(sku))
            .expression_attribute_values(":upload", text(UPLOAD_PREFIX))
            .scan_index_forward(false)
            .limit(1)
            .send()
            .await
            .context("the uploads could not be read")?;
        response.items.unwrap_or_default().into_iter().next().map(parse_item).transpose()
    }

    async fn current(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        self.get_item(sku, CURRENT.to_owned()).await
    }

    async fn complete(&self, completed: &Upload) -> anyhow::Result<Upload> {
        let mut puts = vec![self.put_completed(completed)?];
        if completed.replaces(None) {
            puts.push(self.put_current(completed)?);
        }
        let mut written = self.write_all(puts).await?;
        // Only the condition on the current image failed: the product has a newer one. The upload is still
        // completed.
        if matches!(written.as_ref(), Err(failed) if failed.first() == Some(&false)) {
            written = self.write_all(vec![self.put_completed(completed)?]).await?;
        }
        match written {
            Ok(()) => Ok(completed.clone()),
            Err(_) => self.get(&completed.sku, completed.id).await?.context("the upload no longer exists"),
        }
    }
}
